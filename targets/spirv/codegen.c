/* codegen.c - the way of a kernel to SPIR-V: kd passes, layouts, one work-item, LLVM, the translator. */
#include "base/gpu_device.h"
#include "base/map.h"
#include "ir/layout.h"
#include "passes/dpas_layouts.h"
#include "passes/pass.h"
#include "targets/codegen_impl.h"
#include "targets/gpu/simt.h"
#include "targets/spirv/pressure.h"
#include "targets/spirv/spirv.h"
#include "targets/spirv/translate.h"

/* Threads of twice the registers that a core takes, and so a work-group: 32 of 64 bytes each, 64 of 32 bytes. */
enum { KD_LARGE_THREAD_BYTES = 32 * 64, KD_SMALL_REGISTERS = 128, KD_SMALL_REGISTER_BYTES = 32 };

/* ---- what the code is for ---- */

/* "spirv:bmg", or with the lanes of a sub-group: "spirv:bmg:sg16". *out_sub_group_size: 0 where it is not said. */
static const kd_gpu_device *parse_target(const char *target, kd_arena *arena, unsigned *out_sub_group_size)
{
    const char *name = strchr(target, ':'), *option = name ? strchr(name + 1, ':') : NULL;
    if (!name)
        return NULL;
    const kd_gpu_device *device = kd_gpu_device_find(option ? kd_arena_strndup(arena, name + 1, (size_t)(option - name - 1)) : name + 1);
    *out_sub_group_size = 0;
    for (unsigned size = 8; option && size <= 32; size *= 2)
        if (strcmp(option, kd_arena_printf(arena, ":sg%u", size)) == 0)
            *out_sub_group_size = size;
    bool good = !option || (device && device->sub_group_sizes & *out_sub_group_size);
    return good ? device : NULL;
}

static const char *target_name(const char *target, kd_arena *arena)
{
    unsigned size;
    return parse_target(target, arena, &size) ? kd_arena_strdup(arena, target) : NULL;
}

static bool has_systolic_dot(const kd_block *block, const kd_gpu_device *device)
{
    KD_FOREACH_OP (op, block) {
        if (op->code == KD_OP_dot && kd_dpas_takes(op, device))
            return true;
        for (unsigned r = 0; r < op->n_regions; r++)
            if (has_systolic_dot(kd_op_region(op, r), device))
                return true;
    }
    return false;
}

/* That of the systolic array where a dot can use it; else the widest. A work-group must not become too large for the device. */
static unsigned choose_sub_group_size(const kd_op *func, const kd_gpu_device *device, unsigned n_sub_groups)
{
    if (device->dpas_sub_group_size && has_systolic_dot(kd_op_region(func, 0), device))
        return device->dpas_sub_group_size;
    unsigned size = 32;
    while (!(device->sub_group_sizes & size) || (size * n_sub_groups > device->max_work_group && device->sub_group_sizes & (size - 1)))
        size /= 2;
    return size;
}

static uint64_t largest_tile(const kd_block *block)
{
    uint64_t most = 0;
    KD_FOREACH_OP (op, block) {
        for (unsigned i = 0; i < op->n_results; i++) {
            const kd_type *type = kd_op_result(op, i)->type;
            if (kd_type_is_tile(type) && kd_type_is_float_like(type) && (uint64_t)type->n_elems > most)
                most = (uint64_t)type->n_elems;
        }
        for (unsigned r = 0; r < op->n_regions; r++) {
            uint64_t inner = largest_tile(kd_op_region(op, r));
            most = inner > most ? inner : most;
        }
    }
    return most;
}

/* A lane of 32 has few registers on devices whose registers have 32 bytes. Where one tile of f32 takes a quarter of them all, as many work-items
 * are twice as many sub-groups of half the lanes, and have twice the registers each. */
static bool wants_more_registers(const kd_op *func, const kd_gpu_device *device, unsigned size, unsigned n)
{
    uint64_t bytes = (uint64_t)device->registers_bytes * (device->has_large_registers ? 2 : 1) * n;
    return size == 32 && device->sub_group_sizes & 16 && 2 * n * KD_SMALL_REGISTER_BYTES <= KD_LARGE_THREAD_BYTES &&
           device->registers_bytes == KD_SMALL_REGISTERS * KD_SMALL_REGISTER_BYTES && largest_tile(kd_op_region(func, 0)) * 4 >= bytes / 4;
}

static bool configure(const kd_codegen_job *job, const kd_op *func, const kd_gpu_device *device, unsigned sub_group_size, kd_gpu_config *out)
{
    const kd_codegen_options *options = job->options;
    unsigned asked = sub_group_size ? sub_group_size : options->sub_group_size, n = options->num_warps ? options->num_warps : 4;
    if (n & (n - 1)) {
        kd_error(job->diags, func->loc, "num_warps must be a power of two for a GPU, not %u", n);
        return false;
    }
    if (asked && !(device->sub_group_sizes & asked)) {
        kd_error(job->diags, func->loc, "%s (%s) has no sub-groups of %u lanes", device->name, device->description, asked);
        return false;
    }
    unsigned size = asked ? asked : choose_sub_group_size(func, device, n);
    if (!asked && size == 8 && size * 2 * n <= device->max_work_group)
        n *= 2; /* the systolic array of these devices has threads of half the lanes, and of half the registers: a tile takes twice as many */
    if (!asked && wants_more_registers(func, device, size, n))
        size /= 2, n *= 2;
    if (size * n > device->max_work_group) {
        kd_error(job->diags, func->loc, "num_warps=%u makes work-groups of %u work-items, but %s (%s) has at most %u", n, size * n, device->name,
                 device->description, device->max_work_group);
        return false;
    }
    *out = (kd_gpu_config){.device = device, .sub_group_size = size, .n_sub_groups = n, .num_stages = options->num_stages};
    return true;
}

/* ---- what the device must have ---- */

static bool is_f64(const kd_type *type)
{
    const kd_type *elem = kd_type_elem(type);
    return elem->kind == KD_TYPE_SCALAR && elem->scalar == KD_F64;
}

/* Where f64 comes in; NULL: nowhere. */
static const kd_op *find_f64(const kd_block *block)
{
    KD_FOREACH_OP (op, block) {
        for (unsigned i = 0; i < op->n_results; i++)
            if (is_f64(kd_op_result(op, i)->type))
                return op;
        for (unsigned r = 0; r < op->n_regions; r++) {
            const kd_op *found = find_f64(kd_op_region(op, r));
            if (found)
                return found;
        }
    }
    return NULL;
}

static bool check_types(const kd_codegen_job *job, const kd_op *func, const kd_gpu_device *device)
{
    const kd_block *body = kd_op_region(func, 0);
    const kd_op *op = device->has_f64 ? NULL : find_f64(body);
    for (unsigned i = 0; i < body->n_args && !op && !device->has_f64; i++)
        if (is_f64(body->args[i]->type))
            op = func;
    if (op)
        kd_error(job->diags, op->loc, "fp64 is used here, which %s (%s) does not have", device->name, device->description);
    return !op;
}

/* Division and square root of f32 are exact only where the driver's compiler is told so, of the whole kernel: it takes 15 instructions more
 * for each. */
static bool needs_exact_division(const kd_block *block)
{
    KD_FOREACH_OP (op, block) {
        bool exact = (op->code == KD_OP_div && kd_div_exact(op)) || (op->code == KD_OP_math && kd_math_exact(op));
        if (exact && kd_type_is_float_like(kd_op_result(op, 0)->type))
            return true;
        for (unsigned r = 0; r < op->n_regions; r++)
            if (needs_exact_division(kd_op_region(op, r)))
                return true;
    }
    return false;
}

static bool uses_systolic_array(const kd_block *block)
{
    KD_FOREACH_OP (op, block) {
        if (op->code == KD_OP_gpu_dpas)
            return true;
        for (unsigned r = 0; r < op->n_regions; r++)
            if (uses_systolic_array(kd_op_region(op, r)))
                return true;
    }
    return false;
}

/* Twice the registers for half the threads, where the values would not fit otherwise. A quarter is left to addresses and to the compiler's
 * own needs; half of them where the systolic array is used, whose operands lie in consecutive registers, so that there are gaps. */
static bool needs_large_registers(const kd_codegen_job *job, const kd_gpu_config *config)
{
    const kd_gpu_device *device = config->device;
    if (!device->has_large_registers || config->n_sub_groups * (device->registers_bytes / KD_SMALL_REGISTERS) > KD_LARGE_THREAD_BYTES)
        return false;
    uint64_t bytes = kd_register_pressure(kd_codegen_kernel(job), job->scratch) * config->sub_group_size;
    unsigned quarters = uses_systolic_array(kd_op_region(kd_codegen_kernel(job), 0)) ? 2 : 3;
    return bytes > (uint64_t)device->registers_bytes * quarters / 4;
}

static const char *build_flags(const kd_codegen_job *job, const kd_gpu_config *config)
{
    const kd_block *body = kd_op_region(kd_codegen_kernel(job), 0);
    const char *division = needs_exact_division(body) ? "-cl-fp32-correctly-rounded-divide-sqrt" : "";
    const char *registers = needs_large_registers(job, config) ? "-cl-intel-256-GRF-per-thread" : "";
    return kd_arena_printf(job->arena, "%s%s%s", division, *division && *registers ? " " : "", registers);
}

/* ---- the stages ---- */

static const char kd_level[] = "default";
static const char simt_level[] = "canonicalize,cse,split-products,cse,licm,split-addresses,cse,licm,recompute-behind-loops,recompute-in-loops,dce,"
                                 "sink-loads";

static kd_status run(kd_codegen_job *job, const char *passes, const kd_gpu_config *config, const char *what)
{
    const kd_codegen_options *options = job->options;
    kd_pipeline_options pipeline = {.print_after = options->print_after, .time_passes = options->time_passes, .log = options->log, .gpu = config,
                                    .scratch = job->scratch};
    kd_failure why = {0};
    kd_status status = kd_pipeline_run(job->module, passes, &pipeline, job->diags, &why);
    if (status == KD_OK)
        kd_codegen_report_time(job, what);
    return status;
}

static bool gives_layouts(const kd_codegen_job *job)
{
    return job->emit == KD_EMIT_LAYOUTS || job->emit == KD_EMIT_LAYOUTS_SVG;
}

static kd_status lower(kd_codegen_job *job, const kd_gpu_config *config)
{
    kd_simt_result simt;
    kd_status status = run(job, kd_gpu_pipeline, config, "layouts");
    if (status != KD_OK || job->emit == KD_EMIT_GPU || gives_layouts(job))
        return status;
    if (!kd_lower_to_simt(job->module, kd_codegen_kernel(job), config, job->diags, job->arena, &simt))
        return KD_ERR_REPORTED;
    job->out->desc.slm_bytes = simt.slm_bytes;
    job->out->desc.n_messages = simt.n_messages;
    job->out->desc.messages = simt.messages;
    kd_codegen_report_time(job, "one work-item");
    return run(job, simt_level, config, "its passes");
}

/* A table, or a picture, for each kind of tile in the kernel. out_height: of all pictures. */
static void print_layouts(kd_codegen_job *job, const kd_block *block, kd_map *printed, kd_strbuf *out, unsigned *out_height)
{
    KD_FOREACH_OP (op, block) {
        for (unsigned i = 0; i < op->n_results; i++) {
            const kd_type *type = kd_op_result(op, i)->type;
            void **known = kd_map_at_ptr(printed, type);
            if (!type->layout || *known)
                continue;
            *known = job;
            if (job->emit == KD_EMIT_LAYOUTS_SVG) {
                *out_height += kd_layout_svg(type->layout, type, *out_height, out);
                continue;
            }
            kd_strbuf_printf(out, "%s\n", type->text);
            kd_layout_print(type->layout, type, out);
            kd_strbuf_puts(out, "\n");
        }
        for (unsigned r = 0; r < op->n_regions; r++)
            print_layouts(job, kd_op_region(op, r), printed, out, out_height);
    }
}

static kd_status give_layouts(kd_codegen_job *job)
{
    kd_map printed = kd_map_in(job->scratch);
    kd_strbuf text = kd_strbuf_in(job->arena);
    unsigned height = 0;
    print_layouts(job, kd_op_region(kd_codegen_kernel(job), 0), &printed, &text, &height);
    const char *all = kd_strbuf_text(&text);
    if (job->emit == KD_EMIT_LAYOUTS_SVG)
        all = kd_arena_printf(job->arena, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100%%\" height=\"%u\">\n%s</svg>\n", height,
                              all);
    job->out->bytes = kd_str_of(all);
    return KD_OK;
}

static kd_status compile_for(kd_codegen_job *job, const kd_gpu_device *device, unsigned sub_group_size)
{
    kd_gpu_config config;
    kd_status status = run(job, kd_level, NULL, "kd passes");
    if (status != KD_OK)
        return status;
    const kd_op *func = kd_codegen_kernel(job);
    if (!func)
        return KD_ERR_NOT_FOUND;
    if (!configure(job, func, device, sub_group_size, &config) || !check_types(job, func, device))
        return KD_ERR_REPORTED;
    kd_codegen_describe(job, func);
    kd_kernel_desc *desc = &job->out->desc;
    desc->target = kd_arena_printf(job->arena, "spirv:%s", device->name);
    desc->format = KD_CODE_SPIRV;
    desc->sub_group_size = config.sub_group_size;
    desc->num_warps = config.n_sub_groups;
    status = lower(job, &config);
    if (status != KD_OK)
        return status;
    if (gives_layouts(job))
        return give_layouts(job);
    if (job->emit == KD_EMIT_GPU || job->emit == KD_EMIT_SIMT)
        return kd_codegen_give_text(job);
    desc->build_flags = build_flags(job, &config);
    status = kd_spirv_emit(job, kd_codegen_kernel(job), &config);
    if (status == KD_OK)
        kd_codegen_report_time(job, "LLVM and SPIR-V");
    return status;
}

static kd_status compile(kd_codegen_job *job)
{
    unsigned sub_group_size;
    const kd_gpu_device *device = parse_target(job->options->target, job->scratch, &sub_group_size);
    if (!device)
        return KD_ERR_UNSUPPORTED;
    if (job->emit == KD_EMIT_OBJECT || job->emit == KD_EMIT_ASM)
        kd_spirv_translator_start();
    return compile_for(job, device, sub_group_size);
}

const kd_target kd_target_spirv = {.prefix = "spirv", .compile = compile, .name = target_name};
