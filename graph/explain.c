/* explain.c - what became of each node of a graph, how much work each step is, and how long it should take at best. */
#include "graph/executable.h"

#include "base/gpu_device.h"
#include "base/map.h"
#include "base/scalar.h"
#include "graph/kx.h"
#include "graph/ops.h"

#include <time.h>

/* ---- work ---- */

static uint64_t n_elems(const kd_gvalue *value)
{
    return value ? (uint64_t)kd_tensor_n_elems(&value->type) : 0;
}

static uint64_t n_results(const kd_gnode *node)
{
    return n_elems(node->results[0]) / (node->n_parts > 1 ? node->n_parts : 1);
}

/* A multiplication and an addition for each pair of elements that meet. */
static uint64_t product_flops(const kd_gnode *node)
{
    const kd_gvalue *first = kd_gnode_tensor(node, node->op->code == KD_GOP_addmm);
    return first && first->type.n_dims ? 2 * n_results(node) * (uint64_t)first->type.shape[first->type.n_dims - 1] : 0;
}

/* The weights' first dimension are the channels of the result; of a transposed convolution, those of the input. */
static uint64_t convolution_flops(const kd_gnode *node)
{
    const kd_gvalue *weight = kd_gnode_tensor(node, 1);
    uint64_t n_ends = kd_gnode_bool(node, 6) ? n_elems(kd_gnode_tensor(node, 0)) : n_results(node);
    uint64_t n_channels = weight ? (uint64_t)weight->type.shape[0] : 0;
    return n_channels ? 2 * n_ends * (n_elems(weight) / n_channels) : 0;
}

/* Each query meets each key, and then as much of each value. */
static uint64_t attention_flops(const kd_gnode *node)
{
    const kd_tensor_type *key = &kd_gnode_tensor(node, 1)->type;
    return 2 * (n_elems(kd_gnode_tensor(node, 0)) + n_elems(node->results[0])) * (uint64_t)key->shape[2] /
           (kd_gnode_bool(node, 4) ? 2 : 1);
}

static uint64_t node_flops(const kd_gnode *node)
{
    uint64_t posts = node->n_posts * n_elems(node->results[0]);
    switch (node->op->code) {
    case KD_GOP_convolution: return convolution_flops(node) + posts;
    case KD_GOP_mm:
    case KD_GOP_bmm:
    case KD_GOP_addmm: return product_flops(node) + posts;
    case KD_GOP_flash_attention: return attention_flops(node);
    default: break;
    }
    if (node->op->lowering == KD_LOWER_POINTWISE)
        return n_elems(node->results[0]);
    return node->op->lowering == KD_LOWER_VIEW ? 0 : n_elems(kd_gnode_tensor(node, 0)) + posts;
}

static uint64_t step_flops(const kd_step_plan *step)
{
    uint64_t n = 0;
    if (step->primitive)
        return node_flops(step->primitive);
    for (unsigned i = 0; i < step->group->nodes.n; i++)
        n += node_flops(step->group->nodes.data[i]);
    return n;
}

/* ---- nodes ---- */

/* Calls fn with each name in "%add, %relu". */
static void each_name(const char *nodes, void (*fn)(void *user, kd_str name), void *user)
{
    for (const char *at = nodes; at && *at;) {
        size_t n = strcspn(at, ",");
        fn(user, (kd_str){at, n});
        at += n;
        at += strspn(at, ", ");
    }
}

typedef struct places {
    kd_map *steps; /* the first step + 1 of a node, by "%name" */
    uintptr_t step;
} places;

static void note_step(void *user, kd_str name)
{
    places *p = user;
    void **place = kd_map_at(p->steps, name);
    *place = *place ? *place : (void *)(p->step + 1);
}

static void note_view(void *user, kd_str name)
{
    *kd_map_at(user, name) = user;
}

static const char *fate_of(const kd_gnode *node, const kd_step *step, bool is_view)
{
    if (step)
        return step->info.kind;
    if (is_view || node->op->lowering == KD_LOWER_VIEW)
        return "view";
    for (unsigned i = 0; i < node->n_results; i++)
        if (node->results[i]->n_uses)
            return "constant";
    return "nothing";
}

static void explain_nodes(kd_executable *exe)
{
    kd_arena *arena = exe->arena;
    kd_map steps = kd_map_in(arena), views = kd_map_in(arena);
    for (unsigned i = 0; i < exe->steps.n; i++)
        each_name(exe->steps.data[i].info.nodes, note_step, &(places){&steps, i});
    for (unsigned i = 0; i < exe->plan->graph->nodes.n; i++)
        if (exe->plan->graph->nodes.data[i]->op->lowering == KD_LOWER_VIEW)
            each_name(exe->plan->graph->nodes.data[i]->origin, note_view, &views);
    for (unsigned i = 0; i < exe->graph->nodes.n; i++) {
        const kd_gnode *node = exe->graph->nodes.data[i],
                       *next = i + 1 < exe->graph->nodes.n ? exe->graph->nodes.data[i + 1] : NULL;
        if (next && node->part_of && next->origin == node->origin)
            continue; /* a node of the model that became several */
        kd_str name = kd_str_of(node->origin);
        uintptr_t place = (uintptr_t)kd_map_get(&steps, name);
        const kd_step *step = place ? &exe->steps.data[place - 1] : NULL;
        kd_node_info info = {.name = node->origin,
                             .op = node->part_of ? node->part_of->name : node->op->name,
                             .type = kd_tensor_type_text(arena, &node->results[0]->type),
                             .line = node->at,
                             .became = fate_of(node, step, kd_map_get(&views, name)),
                             .step = step ? (int)(place - 1) : -1};
        kd_vec_push(arena, &exe->nodes, info);
    }
}

/* As the executable has it that a file was made of. */
static void copy_nodes(kd_executable *exe, const kd_node_info *nodes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const kd_node_info *node = &nodes[i];
        bool has_step = node->step < (int)exe->steps.n;
        kd_node_info info = {.name = kd_arena_strdup(exe->arena, node->name),
                             .op = kd_arena_strdup(exe->arena, node->op),
                             .type = kd_arena_strdup(exe->arena, node->type),
                             .line = node->line ? kd_arena_strdup(exe->arena, node->line) : NULL,
                             .became = kd_arena_strdup(exe->arena, node->became),
                             .step = has_step ? node->step : -1};
        kd_vec_push(exe->arena, &exe->nodes, info);
    }
}

void kd_executable_explain(kd_executable *exe, const kd_ready *ready)
{
    for (unsigned i = 0; i < exe->steps.n; i++)
        exe->steps.data[i].info.n_flops = step_flops(&exe->plan->steps.data[i]);
    if (ready && ready->nodes)
        copy_nodes(exe, ready->nodes, ready->n_nodes);
    else
        explain_nodes(exe);
}

unsigned kd_executable_n_nodes(const kd_executable *executable)
{
    return executable->nodes.n;
}

const kd_node_info *kd_executable_node(const kd_executable *executable, unsigned index)
{
    return index < executable->nodes.n ? &executable->nodes.data[index] : NULL;
}

/* ---- estimates ---- */

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Cycles a second: additions that wait for one another take one cycle each. */
static double measure_frequency(void)
{
    enum { N = 200000, N_TRIES = 5 };
    double best = 1;
    for (unsigned k = 0; k < N_TRIES; k++) {
        double start = now_s();
        unsigned long sum = 0;
        for (unsigned i = 0; i < N; i++)
            __asm__ volatile("add $1, %0" : "+r"(sum));
        double seconds = now_s() - start;
        best = seconds < best ? seconds : best;
    }
    return N / best;
}

/* What one core computes in a second: multiply-adds of whole vectors that do not wait for one another, two flops for each number. Cores have
 * one or two units for them, and are slower while they use wide ones. */
static double measure_flops(void)
{
    enum { N = 20000, N_AT_ONCE = 10, N_TRIES = 5 };
    double best = 1, lanes = 4;
    for (unsigned k = 0; k < N_TRIES; k++) {
        double start = now_s();
        for (unsigned i = 0; i < N; i++) {
#if defined(__x86_64__)
#define FMA(v, r) "vfmadd231ps %%" v "mm15, %%" v "mm15, %%" v "mm" r "\n\t"
#define FMAS(v) \
    FMA(v, "0") FMA(v, "1") FMA(v, "2") FMA(v, "3") FMA(v, "4") FMA(v, "5") FMA(v, "6") FMA(v, "7") FMA(v, "8") FMA(v, "9")
#define VECTORS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm15"
            if (__builtin_cpu_supports("avx512f")) {
                lanes = 16;
                __asm__ volatile("vpxor %%xmm15, %%xmm15, %%xmm15\n\t" FMAS("z")::: VECTORS);
            } else if (__builtin_cpu_supports("fma")) {
                lanes = 8;
                __asm__ volatile("vpxor %%xmm15, %%xmm15, %%xmm15\n\t" FMAS("y")::: VECTORS);
            }
#undef VECTORS
#undef FMAS
#undef FMA
#endif
        }
        double seconds = now_s() - start;
        best = seconds < best ? seconds : best;
    }
    return 2 * lanes * N * N_AT_ONCE / best;
}

/* For one core. What is small was written by the steps before, and is in the core's cache still; what is large comes from that which cores
 * share, or from memory. */
static double memory_cycles(double n_bytes, double n_threads)
{
    static const double NEAR_BYTES = 1 << 20, SHARED_BYTES = 16 << 20; /* the first for each core */
    double bytes_per_cycle = n_bytes <= NEAR_BYTES * n_threads ? 32 : n_bytes <= SHARED_BYTES ? 10 : 5;
    return n_bytes / bytes_per_cycle;
}

/* Products of half types run in the systolic array, unless there is but one channel to sum over. */
static bool is_systolic(const kd_gnode *product)
{
    return product && kd_scalar_bytes(kd_gnode_tensor(product, 0)->type.type) == 2 &&
           (product->op->code != KD_GOP_convolution || kd_gnode_tensor(product, 1)->type.shape[1] > 1);
}

/* All that steps read and write comes from memory and goes there. */
static void estimate_on_gpu(const kd_executable *executable, uint64_t *out_step_ns)
{
    const kd_gpu_speed *speed = kd_gpu_speed_find(executable->target + strlen("spirv:"));
    if (!speed)
        return;
    double clock_ghz = (executable->clock_mhz ? executable->clock_mhz : speed->clock_mhz) * 1e-3;
    double n_engines = (double)executable->n_threads / speed->threads_per_engine;
    for (unsigned i = 0; i < executable->steps.n; i++) {
        const kd_step_info *s = &executable->steps.data[i].info;
        bool systolic = speed->systolic_ops && is_systolic(executable->plan->steps.data[i].primitive);
        double work = (double)s->n_flops / (n_engines * clock_ghz * (systolic ? speed->systolic_ops : speed->f32_ops)),
               memory = (double)(s->n_read_bytes + s->n_written_bytes) / speed->memory_gb_per_s;
        out_step_ns[i] = (uint64_t)(work > memory ? work : memory);
    }
}

void kd_executable_estimate(const kd_executable *executable, uint64_t *out_step_ns)
{
    static const double START_NS = 2000; /* to wake the threads */
    memset(out_step_ns, 0, executable->steps.n * sizeof *out_step_ns);
    if (executable->plan->on_gpu) {
        estimate_on_gpu(executable, out_step_ns);
        return;
    }
    double n_threads = executable->n_threads ? executable->n_threads : 1, frequency = measure_frequency();
    double flops_per_cycle = measure_flops() / frequency;
    for (unsigned i = 0; i < executable->steps.n; i++) {
        const kd_step_info *s = &executable->steps.data[i].info;
        double work = (double)s->n_flops / flops_per_cycle,
               memory = memory_cycles((double)(s->n_read_bytes + s->n_written_bytes), n_threads);
        double cycles = (work > memory ? work : memory) / n_threads;
        out_step_ns[i] = (uint64_t)(cycles / frequency * 1e9 + START_NS);
    }
}
