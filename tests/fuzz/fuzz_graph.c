/* fuzz_graph.c - graphs as JSON: any bytes are either a graph or a sentence about what is wrong; and what is a graph can be printed, planned
 * and written as kernels (which are not compiled here). */
#include "graph/plan.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

typedef struct job {
    const kd_graph *graph;
    kd_budget budget;
    kd_arena *arena;
    kd_failure why;
} job;

/* Each arena buffer lies inside the arena, and apart from those that live at the same time. */
static void check_memory(const kd_plan *plan)
{
    for (unsigned i = 0; i < plan->buffers.n; i++) {
        const kd_buffer *a = plan->buffers.data[i];
        size_t n_a = kd_tensor_n_bytes(&a->type);
        if (a->place != KD_PLACE_ARENA || !n_a)
            continue;
        if (a->offset + n_a > plan->arena_bytes)
            abort();
        for (unsigned k = 0; k < i; k++) {
            const kd_buffer *b = plan->buffers.data[k];
            size_t n_b = kd_tensor_n_bytes(&b->type);
            if (b->place == KD_PLACE_ARENA && n_b && a->first_step <= b->last_step && b->first_step <= a->last_step &&
                a->offset < b->offset + n_b && b->offset < a->offset + n_a)
                abort();
        }
    }
}

/* As where oneDNN is slow with all but the first post. */
static void peel(kd_graph *graph)
{
    kd_gnode **nodes = graph->nodes.data;
    for (unsigned i = 0, n = graph->nodes.n; i < n; i++)
        if (nodes[i]->n_posts > 1)
            kd_graph_peel(graph, nodes[i], 1);
}

static void plan_graph(void *user)
{
    job *j = user;
    j->arena = kd_arena_create(&j->budget);
    kd_plan plan = {.arena = j->arena, .n_threads = 2, .why = &j->why};
    if (kd_graph_decompose(j->graph, j->arena, plan.on_gpu, &plan.graph, &j->why))
        return;
    kd_graph_prepare(plan.graph, plan.on_gpu);
    if (kd_graph_split_reductions(plan.graph, plan.on_gpu, plan.n_threads, &j->why))
        return;
    peel(plan.graph);
    if (kd_plan_schedule(&plan) || kd_plan_memory(&plan))
        return;
    check_memory(&plan);
    for (unsigned i = 0; i < plan.steps.n; i++) {
        kd_kernel_source source;
        if (plan.steps.data[i].group && kd_group_write(&plan, plan.steps.data[i].group, i, &source) && !j->why.text[0])
            abort();
    }
}

static void count_refused(void *user, const char *node, kd_status status, const char *why)
{
    if (!node || status == KD_OK || !why[0])
        abort();
    ++*(unsigned *)user;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    job j = {.budget = {.limit_bytes = 256 << 20}};
    kd_graph *graph = NULL;
    unsigned n_refused = 0;
    kd_graph_check((const char *)data, n_bytes, "graph", count_refused, &n_refused, NULL);
    if (kd_graph_parse((const char *)data, n_bytes, "graph", NULL, &graph, &j.why) != KD_OK) {
        if (!j.why.text[0] || graph)
            abort();
        return 0;
    }
    if (n_refused)
        abort();
    j.graph = graph;
    char *text = kd_graph_text(graph);
    free(text);
    kd_budget_catch(&j.budget, plan_graph, &j);
    if (j.arena)
        kd_arena_destroy(j.arena);
    kd_graph_destroy(graph);
    return 0;
}
