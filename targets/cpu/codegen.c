/* codegen.c - the way of a kernel through this folder: kd passes, loops, LLVM. */
#include "targets/codegen.h"

#include "ir/text.h"
#include "passes/arg_effects.h"
#include "passes/pass.h"
#include "targets/cpu/lower.h"
#include "targets/cpu/machine.h"
#include "targets/llvm/object.h"

#include <llvm/Config/llvm-config.h>

#include <time.h>

enum { MAX_SCRATCH_BYTES = 1 << 30 };

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void report_time(const kd_codegen_options *options, const char *what, double *since)
{
    double now = now_ms();
    if (options->time_passes && options->log)
        kd_strbuf_printf(options->log, "%-24s %8.2f ms\n", what, now - *since);
    *since = now;
}

static uint32_t bytes_of(const kd_type *type)
{
    return type->kind == KD_TYPE_PTR ? 8 : kd_scalar_bytes(type->scalar);
}

/* The argument struct is laid out as C lays it out: each at a multiple of its size. */
static void describe(const kd_op *func, const char *name, const kd_machine *machine, const kd_codegen_options *options, kd_arena *arena,
                     kd_kernel_desc *desc, uint32_t **out_offsets)
{
    const uint8_t *effects = kd_arg_effects_compute(arena, func);
    const kd_block *body = kd_op_region(func, 0);
    kd_ints divisibility = kd_func_divisibility(func);
    kd_kernel_arg *args = kd_arena_array(arena, kd_kernel_arg, body->n_args);
    uint32_t *offsets = kd_arena_array(arena, uint32_t, body->n_args), at = 0, align = 1;
    for (unsigned i = 0; i < body->n_args; i++) {
        const kd_type *type = body->args[i]->type, *elem = type->kind == KD_TYPE_PTR ? type->elem : type;
        uint32_t size = bytes_of(type);
        at = (at + size - 1) / size * size;
        align = size > align ? size : align;
        args[i] = (kd_kernel_arg){.name = body->args[i]->name ? kd_arena_strdup(arena, body->args[i]->name) : kd_arena_printf(arena, "arg%u", i),
                                  .is_pointer = type->kind == KD_TYPE_PTR,
                                  .type = elem->kind == KD_TYPE_PTR ? KD_U64 : elem->scalar,
                                  .offset_bytes = at,
                                  .size_bytes = size,
                                  .divisible_by = i < divisibility.n && divisibility.data[i] > 1 ? (uint32_t)divisibility.data[i] : 1,
                                  .is_written = (effects[i] & KD_ARG_WRITTEN) != 0};
        offsets[i] = at;
        at += size;
    }
    *out_offsets = offsets;
    *desc = (kd_kernel_desc){.name = kd_arena_strdup(arena, name), .target = machine->name, .format = KD_CODE_ELF_X86_64, .args = args,
                             .n_args = body->n_args, .args_size_bytes = (at + align - 1) / align * align,
                             .needs_disjoint = options->assume_disjoint, .num_warps = options->num_warps, .num_stages = options->num_stages};
}

static kd_status lower(kd_module *module, const char *kernel, const kd_machine *machine, const kd_codegen_options *options, kd_diags *diags,
                       kd_arena *scratch, kd_arena *arena, kd_codegen_result *out, uint32_t **out_offsets)
{
    double since = now_ms();
    kd_pipeline_options passes = {.print_after = options->print_after, .time_passes = options->time_passes, .log = options->log,
                                  .scratch = scratch};
    kd_failure why = {0};
    kd_status status = kd_pipeline_run(module, "inline,lower-block-access,default", &passes, diags, &why);
    if (status != KD_OK)
        return status;
    report_time(options, "kd passes", &since);
    kd_op *func = kd_module_find(module, kd_str_of(kernel));
    if (!func)
        return KD_ERR_NOT_FOUND;
    describe(func, kernel, machine, options, arena, &out->desc, out_offsets);
    if (!kd_lower_to_loops(module, func, machine, options, diags, scratch))
        return KD_ERR_REPORTED;
    func = kd_module_find(module, kd_str_of(kernel));
    uint64_t bytes = kd_scratch_assign(func, scratch);
    if (bytes > MAX_SCRATCH_BYTES) {
        kd_error(diags, func->loc, "the kernel needs %llu MiB of scratch memory for its tiles, more than the %d MiB that a thread may have",
                 (unsigned long long)(bytes >> 20), MAX_SCRATCH_BYTES >> 20);
        return KD_ERR_REPORTED;
    }
    out->desc.scratch_bytes = (uint32_t)bytes;
    report_time(options, "loops", &since);
    return KD_OK;
}

typedef struct compilation {
    kd_module *module;
    const char *kernel;
    const kd_codegen_options *options;
    kd_emit emit;
    kd_diags *diags;
    kd_arena *scratch, *arena;
    kd_emitter emitter;
    kd_codegen_result result;
    kd_status status;
} compilation;

static kd_status emit(compilation *c, const uint32_t *offsets, const kd_machine *machine)
{
    double since = now_ms();
    kd_op *func = kd_module_find(c->module, kd_str_of(c->kernel));
    c->emitter = (kd_emitter){.machine = machine, .arena = c->scratch, .values = kd_map_in(c->scratch), .diags = c->diags};
    kd_strbuf why = kd_strbuf_in(c->scratch);
    kd_object_kind kind = c->emit == KD_EMIT_LLVM ? KD_OBJECT_LLVM : c->emit == KD_EMIT_ASM ? KD_OBJECT_ASM : KD_OBJECT_ELF;
    if (!kd_object_emit(&c->emitter, func, offsets, c->options->opt_level, kind, c->arena, &c->result.bytes, &why)) {
        kd_error(c->diags, func->loc, "code generation failed: %s", kd_strbuf_text(&why));
        return KD_ERR_REPORTED;
    }
    report_time(c->options, "LLVM", &since);
    return KD_OK;
}

static kd_status compile_in(compilation *c)
{
    kd_machine machine;
    uint32_t *offsets = NULL;
    if (!kd_machine_find(c->options->target ? c->options->target : "cpu", c->arena, &machine))
        return KD_ERR_UNSUPPORTED;
    kd_status status = lower(c->module, c->kernel, &machine, c->options, c->diags, c->scratch, c->arena, &c->result, &offsets);
    if (status != KD_OK)
        return status;
    if (c->emit != KD_EMIT_CPU)
        return emit(c, offsets, &machine);
    kd_strbuf text = kd_strbuf_in(c->arena);
    kd_print_module(c->module, &text);
    c->result.bytes = kd_str_of(kd_strbuf_text(&text));
    return KD_OK;
}

static void compile_caught(void *user)
{
    compilation *c = user;
    c->status = compile_in(c);
}

static kd_status compile(kd_module *module, const char *kernel, const kd_codegen_options *options, kd_emit emit, kd_diags *diags, kd_arena *arena,
                         kd_codegen_result *out)
{
    compilation c = {.module = module, .kernel = kernel, .options = options, .emit = emit, .diags = diags, .arena = arena,
                     .scratch = kd_arena_create(kd_arena_budget(arena)), .status = KD_ERR_MEMORY};
    kd_budget_catch(kd_arena_budget(arena), compile_caught, &c);
    kd_object_release(&c.emitter);
    kd_arena_destroy(c.scratch);
    if (c.status == KD_OK)
        *out = c.result;
    return c.status;
}

static const char *target_name(const char *target, kd_arena *arena)
{
    kd_machine machine;
    return kd_machine_find(target, arena, &machine) ? machine.name : NULL;
}

const kd_codegen *kd_codegen_entry(void)
{
    static const kd_codegen entry = {.abi = KD_CODEGEN_ABI, .llvm_version = LLVM_VERSION_STRING, .compile = compile, .target_name = target_name};
    return &entry;
}
