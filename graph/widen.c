/* widen.c - half types in f32, where oneDNN has nothing for them on this CPU:
 *
 *     %y: f16 = mm(%x: f16, %w: f16)             %x.f32 = to_copy(%x), %y: f32 = mm(%x.f32, %w.f32)
 *     %z: f16 = relu(%y)                  ==>    %z: f16 = relu(%y)
 *
 * All values between the inputs and the outputs become f32, so that nothing is converted on the way. Constants are converted once. */
#include "graph/plan.h"

typedef struct widening {
    kd_graph *graph;
    kd_arena *arena;
    kd_scalar half;
    kd_gvalue **wide; /* of values that stay half, by id */
    KD_VEC(kd_gnode *) nodes;
} widening;

bool kd_graph_has_primitives_in(const kd_graph *graph, kd_scalar type)
{
    for (unsigned i = 0; i < graph->nodes.n; i++)
        if (graph->nodes.data[i]->op->lowering == KD_LOWER_PRIMITIVE && graph->nodes.data[i]->results[0]->type.type == type)
            return true;
    return false;
}

static kd_gvalue *add_value(widening *w, const kd_gvalue *like)
{
    kd_gvalue *value = kd_graph_add_value(w->graph, kd_arena_printf(w->arena, "%s.f32", like->name), &like->type);
    value->type.type = KD_F32;
    return value;
}

static void add_conversion(widening *w, kd_gvalue *from, kd_gvalue *to)
{
    kd_gnode *node = kd_arena_new(w->arena, kd_gnode);
    kd_garg *args = kd_arena_array(w->arena, kd_garg, 1);
    args[0] = kd_garg_value(from);
    *node = (kd_gnode){.op = &kd_gops[KD_GOP_to_copy], .args = args, .n_args = 1, .n_results = 1};
    node->origin = kd_arena_printf(w->arena, "%%%s", from->name);
    node->results = kd_arena_new(w->arena, kd_gvalue *);
    node->results[0] = to;
    to->def = node;
    to->result = 0;
    kd_vec_push(w->arena, &w->nodes, node);
}

/* The value in f32: itself, unless it is one that stays half. */
static kd_gvalue *widened(kd_gvalue *value, void *user)
{
    widening *w = user;
    if (value->type.type != w->half)
        return value;
    if (!w->wide[value->id]) {
        kd_gvalue *wide = add_value(w, value);
        kd_gvalue *folded = kd_fold_conversion(w->graph, value, wide);
        if (!folded)
            add_conversion(w, value, wide);
        w->wide[value->id] = folded ? folded : wide;
    }
    return w->wide[value->id];
}

static void widen_node(widening *w, kd_gnode *node)
{
    kd_garg *args = kd_arena_array(w->arena, kd_garg, node->n_args);
    for (unsigned i = 0; i < node->n_args; i++)
        args[i] = kd_garg_map(w->arena, node->args[i], widened, w);
    node->args = args;
    kd_vec_push(w->arena, &w->nodes, node);
    for (unsigned i = 0; i < node->n_results; i++) {
        kd_gvalue *result = node->results[i];
        if (result->type.type != w->half)
            continue;
        if (!kd_graph_is_output(w->graph, result)) {
            result->type.type = KD_F32;
        } else if (node->op->lowering == KD_LOWER_PRIMITIVE) {
            kd_gvalue *wide = w->wide[result->id] = add_value(w, result);
            wide->def = node;
            wide->result = i;
            node->results[i] = wide;
            add_conversion(w, wide, result);
        }
    }
}

void kd_graph_widen(kd_graph *graph, kd_scalar half)
{
    widening w = {.graph = graph, .arena = graph->arena, .half = half};
    w.wide = kd_arena_array(graph->arena, kd_gvalue *, graph->values.n);
    for (unsigned i = 0; i < graph->nodes.n; i++)
        widen_node(&w, graph->nodes.data[i]);
    graph->nodes.data = w.nodes.data;
    graph->nodes.n = w.nodes.n;
    graph->nodes.cap = w.nodes.cap;
}
