/* codegen.c - the entry of the library: chooses the target, and describes kernels to those who launch them. */
#include "targets/codegen_impl.h"

#include "ir/text.h"
#include "passes/arg_effects.h"
#include "targets/gpu/simt.h"
#include "targets/llvm/emit.h"

#include <llvm/Config/llvm-config.h>

#include <time.h>

/* ---- steps that targets share ---- */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void kd_codegen_report_time(kd_codegen_job *job, const char *what)
{
    double now = now_ms();
    if (job->options->time_passes && job->options->log)
        kd_strbuf_printf(job->options->log, "%-24s %8.2f ms\n", what, now - job->since_ms);
    job->since_ms = now;
}

kd_op *kd_codegen_kernel(const kd_codegen_job *job)
{
    return kd_module_find(job->module, kd_str_of(job->kernel));
}

kd_status kd_codegen_give_text(kd_codegen_job *job)
{
    kd_strbuf text = kd_strbuf_in(job->arena);
    kd_print_module(job->module, &text);
    job->out->bytes = kd_str_of(kd_strbuf_text(&text));
    return KD_OK;
}

/* ---- descriptors ---- */

static uint32_t bytes_of(const kd_type *type)
{
    return type->kind == KD_TYPE_PTR ? 8 : kd_scalar_bytes(type->scalar);
}

static kd_kernel_arg describe_arg(const kd_codegen_job *job, const kd_value *v, unsigned i, kd_ints divisibility, uint8_t effects)
{
    const kd_type *type = v->type, *elem = type->kind == KD_TYPE_PTR ? type->elem : type;
    return (kd_kernel_arg){.name = v->name ? kd_arena_strdup(job->arena, v->name) : kd_arena_printf(job->arena, "arg%u", i),
                           .is_pointer = type->kind == KD_TYPE_PTR,
                           .type = elem->kind == KD_TYPE_PTR ? KD_U64 : elem->scalar,
                           .size_bytes = bytes_of(type),
                           .divisible_by = i < divisibility.n && divisibility.data[i] > 1 ? (uint32_t)divisibility.data[i] : 1,
                           .is_written = (effects & KD_ARG_WRITTEN) != 0};
}

/* The argument struct is laid out as C lays it out: each at a multiple of its size. */
void kd_codegen_describe(kd_codegen_job *job, const kd_op *func)
{
    const kd_block *body = kd_op_region(func, 0);
    const kd_codegen_options *options = job->options;
    const uint8_t *effects = kd_arg_effects_compute(job->arena, func);
    kd_kernel_arg *args = kd_arena_array(job->arena, kd_kernel_arg, body->n_args);
    uint32_t at = 0, align = 1;
    for (unsigned i = 0; i < body->n_args; i++) {
        args[i] = describe_arg(job, body->args[i], i, kd_func_divisibility(func), effects[i]);
        uint32_t size = args[i].size_bytes;
        align = size > align ? size : align;
        args[i].offset_bytes = (at + size - 1) / size * size;
        at = args[i].offset_bytes + size;
    }
    job->out->desc = (kd_kernel_desc){.name = kd_arena_strdup(job->arena, job->kernel), .args = args, .n_args = body->n_args,
                                      .args_size_bytes = (at + align - 1) / align * align, .build_flags = "",
                                      .needs_disjoint = options->assume_disjoint, .num_warps = options->num_warps,
                                      .num_stages = options->num_stages};
}

/* ---- targets ---- */

static const kd_target *const targets[] = {&kd_target_cpu, &kd_target_spirv};

static const kd_target *find_target(const char *target)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        size_t n = strlen(targets[i]->prefix);
        if (strncmp(target, targets[i]->prefix, n) == 0 && (!target[n] || target[n] == ':'))
            return targets[i];
    }
    return NULL;
}

typedef struct caught {
    const kd_target *target;
    kd_codegen_job job;
    kd_codegen_result result;
    kd_status status;
} caught;

static void compile_caught(void *user)
{
    caught *c = user;
    c->status = c->target->compile(&c->job);
}

static kd_status compile(kd_module *module, const char *kernel, const kd_codegen_options *options, kd_emit emit, kd_diags *diags,
                         kd_arena *arena, kd_codegen_result *out)
{
    caught c = {.target = find_target(options->target ? options->target : "cpu"), .status = KD_ERR_MEMORY};
    if (!c.target)
        return KD_ERR_UNSUPPORTED;
    kd_budget *budget = kd_arena_budget(arena);
    c.job = (kd_codegen_job){.module = module, .kernel = kernel, .options = options, .emit = emit, .diags = diags, .arena = arena,
                             .scratch = kd_arena_create(budget), .out = &c.result, .since_ms = now_ms()};
    kd_budget_catch(budget, compile_caught, &c);
    if (c.job.emitter)
        kd_emit_release(c.job.emitter);
    kd_arena_destroy(c.job.scratch);
    if (c.status == KD_OK)
        *out = c.result;
    return c.status;
}

static const char *target_name(const char *target, kd_arena *arena)
{
    const kd_target *found = find_target(target);
    return found ? found->name(target, arena) : NULL;
}

const kd_codegen *kd_codegen_entry(void)
{
    static const kd_codegen entry = {.abi = KD_CODEGEN_ABI, .llvm_version = LLVM_VERSION_STRING, .compile = compile, .target_name = target_name,
                                     .passes = &kd_simt_pass, .n_passes = 1};
    return &entry;
}
