/* compile.c - from a graph to an executable: rewrite, schedule, plan memory, write kernels, compile and load them. */
#include "graph/constant.h"
#include "graph/ahead.h"
#include "graph/kx.h"

#include "base/gpu_device.h"
#include "base/map.h"
#include "base/scalar.h"
#include "dsl/kdsl.h"
#include "runtime/cache.h"
#include "runtime/desc.h"

#include <stdio.h>
#include <stdlib.h>

static const size_t MEMORY_LIMIT = (size_t)4 << 30;

/* A primitive that oneDNN has with its first posts only. */
typedef struct peeling {
    const kd_gnode *primitive;
    unsigned n_kept;
} peeling;

typedef struct compilation {
    const kd_graph *graph;
    kd_graph_options options;
    kd_executable *exe;
    kd_cache *cache;
    kd_kernel_store store;
    kd_compiler *compiler;
    const char *target; /* what kernels are compiled for */
    kd_map kernels; /* loaded, by body */
    kd_kernel_source *sources; /* of the plan's steps that are kernels */
    kd_map jobs; /* the number + 1 of what is compiled ahead, by body */
    kd_ahead *ahead;
    const kd_ready *ready;
    KD_VEC(peeling) peelings;
    kd_kernel_desc *desc; /* these three are held while a kernel is loaded: memory may run out on the way */
    unsigned char *encoded;
    kd_compiled *compiled;
    kd_failure *why;
    kd_status status;
} compilation;

static kd_hash key_of(const kd_kernel_source *source)
{
    kd_hash key = {0};
    kd_hash_add_text(&key, source->signature);
    kd_hash_add_text(&key, source->body);
    return key;
}

static void release_held(compilation *c)
{
    free(c->desc);
    free(c->encoded);
    kd_compiled_destroy(c->compiled);
    c->desc = NULL;
    c->encoded = NULL;
    c->compiled = NULL;
}

/* Onto the device. The code is kept for kd_executable_save. */
static kd_status load_code(compilation *c, const kd_kernel_source *source, const kd_kernel_desc *desc, const void *code,
                           size_t n_bytes, kd_kernel **out)
{
    kd_executable *exe = c->exe;
    kd_ready_kernel kept = {.key = key_of(source), .n_code_bytes = n_bytes};
    kd_vec_push(exe->arena, &exe->kernels, NULL); /* it has its place before it is there */
    kd_status status = exe->device ? kd_kernel_load(exe->device, desc, code, n_bytes, out) : KD_OK;
    if (status)
        return kd_fail(c->why, status, "the kernel of nodes %s: %s", source->nodes, kd_device_error(exe->device));
    exe->kernels.data[exe->kernels.n - 1] = exe->device ? *out : NULL;
    if (kd_kernel_desc_encode(desc, &c->encoded, &kept.n_desc_bytes))
        return kd_fail(c->why, KD_ERR_MEMORY, "out of memory");
    kept.desc = kd_arena_strndup(exe->arena, (const char *)c->encoded, kept.n_desc_bytes);
    kept.code = kd_arena_strndup(exe->arena, code, n_bytes);
    kd_vec_push(exe->arena, &exe->code, kept);
    return KD_OK;
}

/* What a file has ready. */
static kd_status load_ready_kernel(compilation *c, const kd_kernel_source *source, kd_kernel **out)
{
    kd_hash key = key_of(source);
    for (unsigned i = 0; c->ready && i < c->ready->n_kernels; i++) {
        const kd_ready_kernel *k = &c->ready->kernels[i];
        if (kd_hash_equal(k->key, key) && kd_kernel_desc_decode(k->desc, k->n_desc_bytes, &c->desc) == KD_OK)
            return load_code(c, source, c->desc, k->code, k->n_code_bytes, out);
    }
    return KD_ERR_NOT_FOUND;
}

static kd_compile_request request_of(const compilation *c, const kd_kernel_source *source)
{
    return (kd_compile_request){
        .file = kd_arena_printf(c->exe->arena, "%s.py", source->name),
        .text = source->text,
        .kernel = source->name,
        .signature = source->signature,
        .target = c->target,
        .num_warps = source->num_warps,
        .assume_disjoint = true,
        .no_cache = c->options.no_cache,
    };
}

/* Kernels with equal bodies are one. */
static kd_str body_of(compilation *c, const kd_kernel_source *source)
{
    return kd_str_of(kd_arena_printf(c->exe->arena, "%s\n%s", source->signature, source->body));
}

static kd_status compile_kernel(compilation *c, const kd_kernel_source *source, kd_kernel **out)
{
    kd_compile_request request = request_of(c, source);
    uintptr_t job = c->ahead ? (uintptr_t)kd_map_get(&c->jobs, body_of(c, source)) : 0;
    kd_status status = job ? kd_ahead_take(c->ahead, (unsigned)job - 1, &c->compiled) : KD_ERR_NOT_FOUND;
    if (status)
        status = kd_compile(c->compiler, &request, &c->compiled);
    if (status) /* our own mistake, or memory ran out: the messages tell which */
        return kd_fail(c->why, status == KD_ERR_REPORTED ? KD_ERR_UNSUPPORTED : status,
                       "the kernel of nodes %s does not compile: %s", source->nodes, kd_compiler_messages(c->compiler));
    size_t n_bytes;
    const void *bytes = kd_compiled_bytes(c->compiled, &n_bytes);
    return load_code(c, source, kd_compiled_desc(c->compiled), bytes, n_bytes, out);
}

static kd_status load_kernel(compilation *c, const kd_kernel_source *source, kd_kernel **out)
{
    void **known = kd_map_at(&c->kernels, body_of(c, source));
    kd_status status = *known ? KD_OK : load_ready_kernel(c, source, out);
    if (!*known && status == KD_ERR_NOT_FOUND)
        status = compile_kernel(c, source, out);
    release_held(c);
    if (status)
        return status;
    if (!c->exe->device) {
        *known = c; /* it is there, if not loaded */
        return KD_OK;
    }
    *out = *known ? *known : *out;
    *known = *out;
    return KD_OK;
}

static kd_status write_kernel(compilation *c, const kd_step_plan *from, unsigned number, kd_kernel_source *out)
{
    kd_plan *plan = c->exe->plan;
    const kd_gnode *node = from->primitive;
    if (from->group)
        return kd_group_write(plan, from->group, number, out);
    switch (node->op->code) {
    case KD_GOP_flash_attention: return kd_attention_write(plan, node, number, out);
    case KD_GOP_scatter_rows: return kd_scatter_write(plan, node, number, out);
    case KD_GOP_mm:
    case KD_GOP_bmm:
    case KD_GOP_addmm: return kd_matmul_write(plan, node, number, out);
    case KD_GOP_convolution: return kd_convolution_write(plan, node, number, out);
    default:
        return kd_fail(c->why, KD_ERR_UNSUPPORTED, "%s = %s: this needs oneDNN, which kdsl has on the device cpu only, not on '%s'",
                       node->origin, node->op->name, c->target);
    }
}

static kd_status add_kernel(compilation *c, kd_kernel_source source)
{
    kd_status status = KD_OK;
    kd_step step = {.grid = {source.grid[0], source.grid[1], 1}, .n_operands = source.n_buffers};
    if (source.n_programs)
        status = load_kernel(c, &source, &step.kernel);
    if (status)
        return status;
    kd_operand *operands = kd_arena_array(c->exe->arena, kd_operand, source.n_buffers);
    for (unsigned i = 0; i < source.n_buffers; i++)
        operands[i].buffer = source.buffers[i];
    step.operands = operands;
    step.info = (kd_step_info){
        "kernel", source.name, source.nodes, source.text, source.n_read_bytes, source.n_written_bytes, source.n_programs};
    kd_vec_push(c->exe->arena, &c->exe->steps, step);
    return KD_OK;
}

/* A primitive is made for so many threads as the thread that makes it would use. */
static kd_status make_primitive(kd_executable *exe, const kd_gnode *node, kd_step *step, kd_operand *operands)
{
    unsigned n_threads = kd_onednn_set_threads(exe->onednn, exe->n_threads);
    kd_status status = kd_plan_make_primitive(exe->plan, exe->onednn, node, &step->primitive, operands, &step->n_operands);
    kd_onednn_set_threads(exe->onednn, n_threads);
    kd_executable_release_weights(exe, node);
    return status;
}

/* oneDNN has a slow implementation of nearly everything, for comparison. */
static bool is_slow(const kd_primitive *primitive)
{
    return strncmp(kd_primitive_name(primitive), "ref", 3) == 0;
}

/* What oneDNN refuses or is slow with, it may do with fewer posts: finds out with how many. Those that are too many become kernels, in
 * another round; what a file has ready has been through that. */
static kd_status make_with_posts(compilation *c, const kd_gnode *node, kd_step *step, kd_operand *operands)
{
    bool is_final = c->ready && c->ready->is_prepared;
    kd_status status = make_primitive(c->exe, node, step, operands);
    if (status && status != KD_ERR_UNSUPPORTED)
        return status;
    bool is_good = status == KD_OK && !is_slow(step->primitive);
    for (unsigned n = node->n_posts; n-- > 0 && !is_good && !is_final;) {
        kd_gnode fewer = *node;
        kd_step other = {0};
        kd_operand others[KD_MAX_OPERANDS];
        fewer.n_posts = n;
        is_good = make_primitive(c->exe, &fewer, &other, others) == KD_OK && !is_slow(other.primitive);
        kd_primitive_destroy(other.primitive);
        if (is_good)
            kd_vec_push(c->exe->arena, &c->peelings, (peeling){node, n});
    }
    return is_good ? KD_OK : status;
}

static kd_status open_onednn(compilation *c)
{
    kd_status status = kd_onednn_open(&c->exe->onednn, c->why);
    if (status == KD_OK && c->ready && c->ready->n_packed)
        kd_onednn_offer(c->exe->onednn, c->ready->packed, c->ready->n_packed);
    return status;
}

static kd_status add_primitive(compilation *c, const kd_gnode *node)
{
    kd_executable *exe = c->exe;
    kd_operand *operands = kd_arena_array(exe->arena, kd_operand, KD_MAX_OPERANDS);
    kd_vec_push(exe->arena, &exe->steps, (kd_step){.operands = operands});
    kd_step *step = &exe->steps.data[exe->steps.n - 1];
    kd_status status = exe->onednn ? KD_OK : open_onednn(c);
    if (status == KD_OK)
        status = make_with_posts(c, node, step, operands);
    if (status || !step->primitive)
        return status;
    step->info = (kd_step_info){.kind = "primitive", .name = kd_primitive_name(step->primitive), .nodes = node->origin};
    for (unsigned i = 0; i < step->n_operands; i++)
        *(operands[i].slot == KD_ARG_DST ? &step->info.n_written_bytes : &step->info.n_read_bytes) +=
            kd_tensor_n_bytes(&operands[i].buffer->type);
    kd_packed_weights packed;
    if (kd_primitive_get_packed(step->primitive, &packed))
        step->info.n_read_bytes += packed.n_bytes;
    size_t scratch_bytes = kd_primitive_scratch_bytes(step->primitive);
    exe->scratch_bytes = scratch_bytes > exe->scratch_bytes ? scratch_bytes : exe->scratch_bytes;
    return KD_OK;
}

static bool is_product(const kd_gnode *node)
{
    return node->op->code == KD_GOP_mm || node->op->code == KD_GOP_bmm || node->op->code == KD_GOP_addmm;
}

/* A product in a type that oneDNN does not have is a kernel. */
static kd_status add_primitive_or_kernel(compilation *c, const kd_step_plan *step)
{
    unsigned n = c->exe->steps.n;
    kd_status status = add_primitive(c, step->primitive);
    if (status != KD_ERR_UNSUPPORTED || !is_product(step->primitive) || step->primitive->results[0]->type.type != KD_F64)
        return status;
    kd_kernel_source source;
    c->exe->steps.n = n;
    status = write_kernel(c, step, n, &source);
    return status ? status : add_kernel(c, source);
}

/* oneDNN leaves the result of a product over no elements as it was. */
static bool is_empty_product(const kd_gnode *node)
{
    const kd_gvalue *first = kd_gnode_tensor(node, node->op->code == KD_GOP_addmm);
    return is_product(node) && first->type.shape[first->type.n_dims - 1] == 0;
}

static bool is_kernel(const kd_plan *plan, const kd_step_plan *step)
{
    return plan->on_gpu || step->group || step->primitive->op->lowering == KD_LOWER_KERNEL || is_empty_product(step->primitive);
}

/* Writes all kernels, and has other threads begin with those that nobody has ready. */
static kd_status write_kernels(compilation *c)
{
    const kd_plan *plan = c->exe->plan;
    kd_compile_request *requests = kd_arena_array(c->exe->arena, kd_compile_request, plan->steps.n);
    unsigned n = 0, n_threads = c->exe->n_threads < 2 || plan->on_gpu || (c->ready && c->ready->n_kernels) ? 0 : c->exe->n_threads - 1;
    c->sources = kd_arena_array(c->exe->arena, kd_kernel_source, plan->steps.n);
    c->jobs = kd_map_in(c->exe->arena);
    for (unsigned i = 0; i < plan->steps.n; i++) {
        if (!is_kernel(plan, &plan->steps.data[i]))
            continue;
        kd_status status = write_kernel(c, &plan->steps.data[i], i, &c->sources[i]);
        if (status)
            return status;
        kd_str body = body_of(c, &c->sources[i]);
        void **job = kd_map_at(&c->jobs, body);
        if (*job || !c->sources[i].n_programs || kd_map_get(&c->kernels, body))
            continue;
        requests[n++] = request_of(c, &c->sources[i]);
        *job = (void *)(uintptr_t)n;
    }
    if (n && n_threads)
        c->ahead = kd_ahead_start(&(kd_compiler_options){.store = c->cache ? &c->store : NULL}, requests, n, n_threads < n ? n_threads : n);
    return KD_OK;
}

static kd_status add_steps(compilation *c)
{
    const kd_plan *plan = c->exe->plan;
    kd_status status = write_kernels(c);
    for (unsigned i = 0; i < plan->steps.n && status == KD_OK; i++) {
        const kd_step_plan *step = &plan->steps.data[i];
        status = is_kernel(plan, step) ? add_kernel(c, c->sources[i]) : add_primitive_or_kernel(c, step);
    }
    kd_ahead_destroy(c->ahead);
    c->ahead = NULL;
    return status;
}

static void list_inputs_and_outputs(compilation *c)
{
    const kd_graph *g = c->exe->plan->graph;
    kd_executable *exe = c->exe;
    exe->n_states = c->graph->states.n;
    for (unsigned i = 0; i < g->inputs.n; i++)
        if (!kd_constant_is(g->inputs.data[i]))
            kd_vec_push(exe->arena, &exe->inputs, (kd_tensor_info){g->inputs.data[i]->name, g->inputs.data[i]->type});
    for (unsigned i = 0; i < g->outputs.n; i++) {
        const kd_gvalue *own = c->graph->outputs.data[i];
        kd_tensor_info info = {own->name, own->type};
        if (c->ready && c->ready->outputs)
            info = (kd_tensor_info){kd_arena_strdup(exe->arena, c->ready->outputs[i].name), c->ready->outputs[i].type};
        kd_vec_push(exe->arena, &exe->outputs, info);
    }
}

/* In place of the device's: those of a target. */
static kd_status describe_target(const compilation *c, kd_device_info *out)
{
    static const char SPIRV[] = "spirv:";
    const char *name = c->options.target;
    const kd_gpu_speed *speed = strncmp(name, SPIRV, strlen(SPIRV)) == 0 ? kd_gpu_speed_find(name + strlen(SPIRV)) : NULL;
    if (!speed)
        return kd_fail(c->why, KD_ERR_ARGUMENT, "graphs have no target '%s'; expected spirv:NAME, as in spirv:bmg", name);
    *out = (kd_device_info){.n_threads = speed->n_engines * speed->threads_per_engine, .clock_mhz = speed->clock_mhz};
    snprintf(out->target, sizeof out->target, "%s", name);
    return KD_OK;
}

static kd_status open_device(const compilation *c, kd_device_info *out)
{
    const char *device = c->options.device ? c->options.device : "cpu";
    kd_device_options device_options = {.n_threads = c->options.n_threads, .no_cache = c->options.no_cache};
    kd_status status = kd_device_open(device, &device_options, &c->exe->device, c->why);
    if (status == KD_OK)
        kd_device_get_info(c->exe->device, out);
    return status;
}

static kd_status open_tools(compilation *c)
{
    kd_device_info info;
    kd_status status = c->options.target ? describe_target(c, &info) : open_device(c, &info);
    if (status)
        return status;
    c->exe->n_threads = c->exe->plan->n_threads = info.n_threads;
    c->exe->clock_mhz = info.clock_mhz;
    c->exe->plan->on_gpu = !info.has_host_memory;
    c->target = c->exe->target = kd_arena_strdup(c->exe->arena, info.target);
    if (!*c->target)
        return kd_fail(c->why, KD_ERR_UNSUPPORTED, "the device %s (%s) is none that kdsl can compile for", info.name,
                       info.description);
    if (c->ready && c->ready->target && strcmp(c->ready->target, c->target) != 0)
        return kd_fail(c->why, KD_ERR_UNSUPPORTED, "made for %s, but the device %s needs %s: compile the model again",
                       c->ready->target, info.name, c->target);
    kd_cache_options cache_options = {0};
    if (c->options.cache_dir)
        cache_options.folder = kd_arena_printf(c->exe->arena, "%s/kernels", c->options.cache_dir);
    if (kd_cache_open(&cache_options, &c->cache, NULL) == KD_OK)
        c->store = kd_cache_as_store(c->cache);
    status = kd_compiler_create(&(kd_compiler_options){.store = c->cache ? &c->store : NULL}, &c->compiler);
    return status ? kd_fail(c->why, status, "out of memory") : KD_OK;
}

/* Half types for which this CPU has no instructions, or oneDNN no use for them. */
static kd_status widen(compilation *c)
{
    static const kd_scalar HALVES[] = {KD_F16, KD_BF16};
    for (unsigned i = 0; i < 2 && !c->exe->plan->on_gpu; i++) {
        if (!kd_graph_has_primitives_in(c->exe->plan->graph, HALVES[i]))
            continue;
        kd_status status = c->exe->onednn ? KD_OK : open_onednn(c);
        if (status)
            return status;
        if (!kd_onednn_is_fast_with(c->exe->onednn, HALVES[i]))
            kd_graph_widen(c->exe->plan->graph, HALVES[i]);
    }
    return KD_OK;
}

/* The graph to plan. One from a file is rewritten already, and nobody else's. */
static kd_status rewrite(compilation *c)
{
    kd_plan *plan = c->exe->plan;
    if (c->ready && c->ready->is_prepared) {
        plan->graph = (kd_graph *)(uintptr_t)c->graph;
        return KD_OK;
    }
    kd_status status = kd_graph_decompose(c->graph, c->exe->arena, plan->on_gpu, &plan->graph, c->why);
    if (status == KD_OK)
        status = widen(c);
    if (status == KD_OK)
        kd_graph_prepare(plan->graph, plan->on_gpu);
    if (status == KD_OK)
        status = kd_graph_split_reductions(plan->graph, plan->on_gpu, plan->n_threads, c->why);
    if (status == KD_OK && plan->on_gpu)
        status = kd_graph_split_products(plan->graph, plan->n_threads, c->why);
    return status;
}

/* Takes back the steps of a round in which primitives turned out to have too many posts. */
static void peel(compilation *c)
{
    kd_executable *exe = c->exe;
    for (unsigned i = 0; i < exe->steps.n; i++)
        kd_primitive_destroy(exe->steps.data[i].primitive);
    if (exe->onednn)
        kd_onednn_release_packed(exe->onednn);
    exe->steps.n = 0;
    exe->scratch_bytes = 0;
    for (unsigned i = 0; i < c->peelings.n; i++)
        kd_graph_peel(exe->plan->graph, c->peelings.data[i].primitive, c->peelings.data[i].n_kept);
    const kd_plan old = *exe->plan;
    *exe->plan = (kd_plan){.arena = old.arena,
                           .graph = old.graph,
                           .no_fusion = old.no_fusion,
                           .on_gpu = old.on_gpu,
                           .n_threads = old.n_threads,
                           .why = old.why};
}

static kd_status plan_and_add_steps(compilation *c)
{
    kd_plan *plan = c->exe->plan;
    c->peelings.n = 0;
    kd_status status = kd_plan_schedule(plan);
    if (status == KD_OK)
        status = kd_plan_memory(plan);
    return status ? status : add_steps(c);
}

static void compile(void *user)
{
    compilation *c = user;
    kd_executable *exe = c->exe;
    exe->arena = kd_arena_create(&exe->budget);
    exe->plan = kd_arena_new(exe->arena, kd_plan);
    *exe->plan = (kd_plan){.arena = exe->arena, .no_fusion = c->options.no_fusion, .why = c->why};
    c->kernels = kd_map_in(exe->arena);
    c->status = open_tools(c);
    if (c->status == KD_OK)
        c->status = rewrite(c);
    if (c->status == KD_OK)
        c->status = plan_and_add_steps(c);
    while (c->status == KD_OK && c->peelings.n) {
        peel(c);
        c->status = plan_and_add_steps(c);
    }
    if (c->status)
        return;
    list_inputs_and_outputs(c);
    c->status = kd_executable_place_constants(exe, c->why);
    if (c->status == KD_OK)
        kd_executable_explain(exe, c->ready);
}

/* Sentences begin with the node that they are about, "%y = aten.relu.default: ...": adds the line of the model that it came from. */
static void tell_the_line(const compilation *c)
{
    for (unsigned i = 0; c->why && i < c->graph->nodes.n; i++) {
        const kd_gnode *node = c->graph->nodes.data[i];
        size_t n = strlen(node->origin);
        if (node->at && strncmp(c->why->text, node->origin, n) == 0 && strncmp(c->why->text + n, " = ", 3) == 0) {
            kd_failure what = *c->why;
            kd_fail(c->why, c->status, "%s (%s)", what.text, node->at);
            return;
        }
    }
}

kd_status kd_graph_compile(const kd_graph *graph, const kd_graph_options *options, kd_executable **out_executable,
                           kd_failure *out_why)
{
    return kd_graph_compile_ready(graph, options, NULL, out_executable, out_why);
}

kd_status kd_graph_compile_ready(const kd_graph *graph, const kd_graph_options *options, const kd_ready *ready,
                                 kd_executable **out_executable, kd_failure *out_why)
{
    if (!graph || !out_executable)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "graph and out_executable must not be NULL");
    compilation c = {.graph = graph, .ready = ready, .why = out_why};
    if (options)
        c.options = *options;
    if (ready && ready->n_packed && !c.options.n_threads)
        c.options.n_threads = ready->n_threads;
    c.exe = calloc(1, sizeof *c.exe);
    if (!c.exe)
        return kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    c.exe->budget.limit_bytes = MEMORY_LIMIT;
    c.exe->graph = graph;
    c.exe->no_fusion = c.options.no_fusion;
    if (!kd_budget_catch(&c.exe->budget, compile, &c))
        c.status =
            kd_fail(out_why, KD_ERR_MEMORY, "out of memory while compiling a graph, which may take %zu GiB", MEMORY_LIMIT >> 30);
    release_held(&c);
    kd_ahead_destroy(c.ahead);
    kd_compiler_destroy(c.compiler);
    if (c.cache)
        kd_cache_close(c.cache);
    if (c.status) {
        tell_the_line(&c);
        kd_executable_destroy(c.exe);
    } else {
        *out_executable = c.exe;
    }
    return c.status;
}

void kd_executable_destroy(kd_executable *executable)
{
    if (!executable)
        return;
    for (unsigned i = 0; i < executable->steps.n; i++)
        kd_primitive_destroy(executable->steps.data[i].primitive);
    kd_onednn_close(executable->onednn);
    for (unsigned i = 0; i < executable->kernels.n; i++)
        kd_kernel_destroy(executable->kernels.data[i]);
    kd_pages_free(&executable->copies);
    if (executable->constants)
        kd_memory_free(executable->device, executable->constants);
    if (executable->device)
        kd_device_close(executable->device);
    if (executable->arena)
        kd_arena_destroy(executable->arena);
    kd_graph_destroy(executable->own_graph);
    kd_file_unmap(&executable->file);
    free(executable);
}

/* ---- queries ---- */

/* States are inputs and outputs too, the last ones, and the session's own. */
unsigned kd_executable_n_inputs(const kd_executable *executable)
{
    return executable->inputs.n - executable->n_states;
}

unsigned kd_executable_n_outputs(const kd_executable *executable)
{
    return executable->outputs.n - executable->n_states;
}

const kd_tensor_info *kd_executable_input(const kd_executable *executable, unsigned index)
{
    return index < kd_executable_n_inputs(executable) ? &executable->inputs.data[index] : NULL;
}

const kd_tensor_info *kd_executable_output(const kd_executable *executable, unsigned index)
{
    return index < kd_executable_n_outputs(executable) ? &executable->outputs.data[index] : NULL;
}

unsigned kd_executable_n_steps(const kd_executable *executable)
{
    return executable->steps.n;
}

const kd_step_info *kd_executable_step(const kd_executable *executable, unsigned index)
{
    return index < executable->steps.n ? &executable->steps.data[index].info : NULL;
}

kd_device *kd_executable_device(const kd_executable *executable)
{
    return executable->device;
}

size_t kd_executable_arena_bytes(const kd_executable *executable)
{
    return executable->plan->arena_bytes + executable->scratch_bytes;
}
