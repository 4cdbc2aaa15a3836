/* job.c - one compilation: source, kernel, signature, IR, passes, code. */
#include "dsl/kdsl_impl.h"

#include "base/file.h"
#include "base/gpu_device.h"
#include "base/nearest.h"
#include "dsl/codegen_open.h"
#include "dsl/inspect_impl.h"
#include "ir/text.h"
#include "passes/pass.h"

#include <stdlib.h>

static kd_module_ast *parse_given_text(kd_job *job, const kd_compile_request *request)
{
    kd_str text = kd_str_of(request->text);
    return kd_parse_module(job->arena, job->diags, kd_source_add(job->diags, request->file ? request->file : "<text>", text));
}

kd_status kd_job_open(kd_job *job, const kd_compile_request *request)
{
    job->resolver = kd_file_resolver_create(job->arena, job->diags, request->include_dirs, request->n_include_dirs, kd_std_find);
    if (request->text) {
        job->ast = parse_given_text(job, request);
    } else {
        kd_status status = kd_file_resolver_open(job->resolver, request->file, &job->ast, &job->why);
        if (status != KD_OK)
            return status;
    }
    return kd_diags_n_errors(job->diags) ? KD_ERR_REPORTED : KD_OK;
}

/* ---- the kernel and what it is compiled for ---- */

static const kd_function *function_at(const kd_item *items, const kd_kernel_info *info)
{
    const kd_function *found = NULL;
    for (const kd_item *item = items; item && !found; item = item->next) {
        if (item->kind == KD_ITEM_FUNCTION && item->function->line == info->line && kd_str_is(item->function->name, info->name))
            found = item->function;
        else if (item->kind == KD_ITEM_CLASS)
            found = function_at(item->class_->items, info);
    }
    return found;
}

static bool has_param(const kd_kernel_info *info, const char *name)
{
    for (unsigned i = 0; i < info->n_params; i++)
        if (strcmp(info->params[i].name, name) == 0)
            return true;
    return false;
}

/* The chosen literal triton.Config. NULL: none is chosen, or there is no such one, which is reported. */
static const kd_config_info *chosen_config(kd_job *job, const kd_compile_request *request, const kd_kernel_info *info, const kd_function *kernel)
{
    if (!request->set_config)
        return NULL;
    if (request->config < info->n_configs)
        return &info->configs[request->config];
    kd_error(job->diags, kernel->loc, "'%s' has %u literal triton.Config%s, so there is no number %u", info->name, info->n_configs,
             info->n_configs == 1 ? "" : "s", request->config);
    return NULL;
}

static bool apply_config(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, const kd_kernel_info *info, const kd_config_info *config,
                         kd_signature *signature)
{
    kd_strbuf text = kd_strbuf_in(lw->arena);
    for (unsigned i = 0; config && i < config->n; i++)
        if (has_param(info, config->names[i]))
            kd_strbuf_printf(&text, "%s%s=%s", text.len ? ", " : "", config->names[i], config->values[i]);
    return !text.len || kd_signature_fill(lw, module, kernel, "<config>", kd_strbuf_text(&text), signature);
}

kd_lower *kd_job_lower(kd_job *job, const kd_compile_request *request)
{
    kd_lower *lw = kd_arena_new(job->arena, kd_lower);
    lw->arena = job->arena;
    lw->diags = job->diags;
    lw->ctx = kd_context_create(job->arena);
    lw->module = kd_module_create(lw->ctx, job->arena);
    lw->resolver = kd_file_resolver_interface(job->resolver);
    lw->static_prints = &job->log;
    lw->debug = request->debug;
    lw->num_warps = request->num_warps ? request->num_warps : 4;
    lw->num_stages = request->num_stages ? request->num_stages : 3;
    return lw;
}

/* KD_ERR_ARGUMENT: the kernel's name, the config or the signature is wrong, which has been reported. */
static kd_status lower_kernel(kd_job *job, const kd_compile_request *request, kd_lower **out_lw)
{
    const kd_file_info *info = kd_inspect_module(job->arena, job->diags, false, job->ast);
    const kd_kernel_info *kernel_info = kd_inspect_find(job->arena, job->diags, info, job->ast->path, request->kernel);
    if (!kernel_info)
        return KD_ERR_ARGUMENT;
    const kd_function *kernel = function_at(job->ast->items, kernel_info);
    const kd_config_info *config = chosen_config(job, request, kernel_info, kernel);
    kd_lower *lw = *out_lw = kd_job_lower(job, request);
    if (config && config->num_warps && !request->num_warps)
        lw->num_warps = config->num_warps;
    if (config && config->num_stages && !request->num_stages)
        lw->num_stages = config->num_stages;
    lw->stack_start = __builtin_frame_address(0);
    kd_dmodule *module = kd_dmodule_of(lw, job->ast);
    kd_signature signature;
    if (kd_diags_n_errors(job->diags) || !kd_signature_parse(lw, module, kernel, request->signature, &signature) ||
        !apply_config(lw, module, kernel, kernel_info, config, &signature))
        return KD_ERR_ARGUMENT;
    kd_signature_apply_heuristics(lw, module, kernel, &signature);
    if (!kd_signature_complete(lw, module, kernel, &signature)) {
        if (!config && kernel_info->n_configs)
            kd_note(job->diags, kernel->loc, "%u triton.Config%s of the file give%s values; --config N chooses one", kernel_info->n_configs,
                    kernel_info->n_configs == 1 ? "" : "s", kernel_info->n_configs == 1 ? "s" : "");
        return KD_ERR_ARGUMENT;
    }
    if (!kd_lower_kernel(lw, module, kernel, &signature)) {
        kd_signature_note_types(lw, kernel, &signature);
        return KD_ERR_REPORTED;
    }
    return kd_verify_module(lw->module, job->diags) ? KD_OK : KD_ERR_REPORTED;
}

/* ---- results ---- */

static void give_bytes(kd_compiled *out, const char *bytes, size_t n_bytes)
{
    out->bytes = kd_arena_strndup(out->arena, bytes, n_bytes);
    out->n_bytes = n_bytes;
}

static const char *copy_text(kd_arena *arena, const char *text)
{
    return text ? kd_arena_strdup(arena, text) : NULL;
}

static void give_desc(kd_compiled *out, const kd_kernel_desc *desc)
{
    out->desc = *desc;
    out->desc.name = copy_text(out->arena, desc->name);
    out->desc.target = copy_text(out->arena, desc->target);
    kd_kernel_arg *args = kd_arena_array(out->arena, kd_kernel_arg, desc->n_args);
    for (unsigned i = 0; i < desc->n_args; i++) {
        args[i] = desc->args[i];
        args[i].name = copy_text(out->arena, desc->args[i].name);
    }
    out->desc.args = args;
    out->desc.build_flags = copy_text(out->arena, desc->build_flags ? desc->build_flags : "");
    const char **messages = kd_arena_array(out->arena, const char *, desc->n_messages);
    for (unsigned i = 0; i < desc->n_messages; i++)
        messages[i] = copy_text(out->arena, desc->messages[i]);
    out->desc.messages = messages;
}

static void give_syntax(kd_job *job, const kd_compile_request *request, kd_compiled *out)
{
    kd_strbuf text = kd_strbuf_in(job->arena);
    const kd_kernel_info *info = NULL;
    if (request->kernel)
        info = kd_inspect_find(job->arena, job->diags, kd_inspect_module(job->arena, job->diags, false, job->ast), job->ast->path, request->kernel);
    const kd_function *f = info ? function_at(job->ast->items, info) : NULL;
    if (f && kd_function_parse_body((kd_function *)f, job->diags))
        kd_ast_print_function(f, &text);
    else if (!request->kernel) {
        for (const kd_item *item = job->ast->items; item; item = item->next)
            if (item->kind == KD_ITEM_FUNCTION && kd_function_is_jit(item->function))
                kd_function_parse_body(item->function, job->diags);
        kd_ast_print_module(job->ast, &text);
    }
    give_bytes(out, kd_strbuf_text(&text), text.len);
}

/* What can be asked for, and for which kind of target. */
typedef enum emit_for { FOR_ANY, FOR_CPU, FOR_GPU } emit_for;

typedef struct emit_kind {
    const char *name;
    kd_emit emit;
    emit_for target;
} emit_kind;

static const emit_kind emit_kinds[] = {
    {"ast", KD_EMIT_OBJECT, FOR_ANY},    {"kd", KD_EMIT_OBJECT, FOR_ANY},      {"cpu", KD_EMIT_CPU, FOR_CPU},
    {"gpu", KD_EMIT_GPU, FOR_GPU},       {"layouts", KD_EMIT_LAYOUTS, FOR_GPU}, {"simt", KD_EMIT_SIMT, FOR_GPU},
    {"llvm", KD_EMIT_LLVM, FOR_ANY},     {"asm", KD_EMIT_ASM, FOR_ANY},        {"obj", KD_EMIT_OBJECT, FOR_ANY},
    {"layouts-svg", KD_EMIT_LAYOUTS_SVG, FOR_GPU},
    {"spirv", KD_EMIT_OBJECT, FOR_GPU},  {"spirv-asm", KD_EMIT_ASM, FOR_GPU},  {"header", KD_EMIT_OBJECT, FOR_ANY},
};
enum { N_EMIT_KINDS = sizeof emit_kinds / sizeof *emit_kinds };

static const emit_kind *find_emit(const char *name)
{
    for (unsigned i = 0; i < N_EMIT_KINDS; i++)
        if (strcmp(emit_kinds[i].name, name) == 0)
            return &emit_kinds[i];
    return NULL;
}

static kd_status check_emit(kd_job *job, const char *emit, const char *target)
{
    const emit_kind *kind = find_emit(emit);
    if (!kind) {
        kd_strbuf all = kd_strbuf_in(job->arena);
        kd_nearest nearest = kd_nearest_to(kd_str_of(emit));
        for (unsigned i = 0; i < N_EMIT_KINDS; i++) {
            kd_nearest_try(&nearest, kd_str_of(emit_kinds[i].name));
            kd_strbuf_printf(&all, "%s%s", i == 0 ? "; expected " : i + 1 < N_EMIT_KINDS ? ", " : " or ", emit_kinds[i].name);
        }
        return kd_fail(&job->why, KD_ERR_ARGUMENT, "there is no '%s' to emit%s", emit,
                       nearest.best.len ? kd_nearest_hint(job->arena, &nearest) : kd_strbuf_text(&all));
    }
    if (kind->target == FOR_GPU && !kd_target_is_gpu(target))
        return kd_fail(&job->why, KD_ERR_ARGUMENT, "there is no '%s' form for the target '%s': it is made for GPUs, spirv:bmg for example", emit, target);
    if (kind->target == FOR_CPU && kd_target_is_gpu(target))
        return kd_fail(&job->why, KD_ERR_ARGUMENT, "there is no '%s' form for the target '%s', which is a GPU", emit, target);
    return KD_OK;
}

static kd_status no_target(kd_job *job, const char *target)
{
    if (!kd_target_is_gpu(target))
        return kd_fail(&job->why, KD_ERR_ARGUMENT, "there is no target '%s'; expected cpu, cpu:x86-64-v3, cpu:znver4 ..., or spirv:bmg ...", target);
    kd_strbuf all = kd_strbuf_in(job->arena);
    for (unsigned i = 0; i < kd_n_gpu_devices; i++)
        kd_strbuf_printf(&all, "%sspirv:%s", i == 0 ? "" : i + 1 < kd_n_gpu_devices ? ", " : " or ", kd_gpu_devices[i].name);
    return kd_fail(&job->why, KD_ERR_ARGUMENT, "there is no target '%s'; expected %s (':sg16' after it asks for sub-groups of 16 lanes)", target,
                   kd_strbuf_text(&all));
}

static kd_status run_codegen(kd_job *job, const kd_compile_request *request, kd_lower *lw, const char *emit, kd_compiled *out)
{
    const kd_codegen *codegen = kd_codegen_open(&job->why);
    if (!codegen)
        return KD_ERR_UNSUPPORTED;
    kd_codegen_options options = {.target = request->target ? request->target : "cpu", .opt_level = request->set_opt_level ? request->opt_level : 3,
                                  .no_fusion = request->no_fusion, .assume_disjoint = request->assume_disjoint, .num_warps = lw->num_warps,
                                  .num_stages = lw->num_stages, .sub_group_size = request->sub_group_size, .print_after = request->print_after,
                                  .time_passes = request->time_passes, .log = &job->log};
    kd_codegen_result result = {0};
    kd_op *kernel = kd_op_region(lw->module->op, 0)->first;
    const char *name = kd_arena_strndup(job->arena, kd_func_name(kernel).ptr, kd_func_name(kernel).len);
    kd_status status = codegen->compile(lw->module, name, &options, find_emit(emit)->emit, job->diags, job->arena, &result);
    if (status == KD_ERR_UNSUPPORTED && !job->why.text[0])
        return no_target(job, options.target);
    if (status != KD_OK)
        return status;
    give_desc(out, &result.desc);
    if (strcmp(emit, "header") == 0) {
        kd_str code = result.desc.format == KD_CODE_SPIRV ? result.bytes : (kd_str){0};
        result.bytes = kd_write_header(out->arena, &out->desc, job->ast->path, request->signature, code);
    }
    give_bytes(out, result.bytes.ptr, result.bytes.len);
    return KD_OK;
}

static kd_status run_passes(kd_job *job, const kd_compile_request *request, kd_lower *lw)
{
    kd_pipeline_options options = {.print_after = request->print_after, .time_passes = request->time_passes, .log = &job->log};
    return kd_pipeline_run(lw->module, "default", &options, job->diags, &job->why);
}

kd_status kd_job_compile(kd_job *job, const kd_compile_request *request, kd_compiled *out)
{
    const char *emit = request->emit ? request->emit : "obj";
    kd_status status = check_emit(job, emit, request->target ? request->target : "cpu");
    if (status != KD_OK)
        return status;
    status = kd_job_open(job, request);
    if (status != KD_OK)
        return status;
    if (strcmp(emit, "ast") == 0) {
        give_syntax(job, request, out);
        return kd_diags_n_errors(job->diags) ? KD_ERR_REPORTED : KD_OK;
    }
    kd_lower *lw = NULL;
    status = lower_kernel(job, request, &lw);
    if (status != KD_OK)
        return status;
    if (strcmp(emit, "kd") == 0) {
        kd_strbuf text = kd_strbuf_in(job->arena);
        kd_print_module(lw->module, &text);
        give_bytes(out, kd_strbuf_text(&text), text.len);
        return KD_OK;
    }
    status = run_passes(job, request, lw);
    return status == KD_OK ? run_codegen(job, request, lw, emit, out) : status;
}
