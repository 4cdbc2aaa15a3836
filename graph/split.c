/* split.c - reductions with few results become two, so that all threads have work:
 *
 *     %y = sum(%x: f32[4194304])          ==>      %y = sum(%s: f32[8]), %s = sum over the last dimension of %x as [8, 524288]
 *
 * and for spreads, the sums of squared distances from the mean, that of each part and that of the means of the parts.
 *
 * Needs:   a dimension that can be divided evenly. Effect: rounds differently than one sum does. */
#include "graph/decompose_impl.h"

enum { LEAST_ELEMS = 1 << 18, LEAST_PART = 1 << 15, ROWS_OF_TILE = 64, WARPS_OF_GROUP = 32 };

typedef struct splitting {
    kd_decomposer d;
    unsigned n_units; /* program instances that run at the same time */
    /* of the reduction that is looked at */
    const kd_gnode *node;
    const kd_tensor_type *type; /* of its operand */
    unsigned mask; /* dimensions that it goes over */
    unsigned dim;  /* one of them, to be divided into */
    int64_t n_parts;
} splitting;

static int64_t n_results_of(const splitting *s)
{
    int64_t n = 1;
    for (unsigned i = 0; i < s->type->n_dims; i++)
        n *= s->mask >> i & 1 ? 1 : s->type->shape[i];
    return n;
}

/* Of the kernel, where the elements lie in the order of the dimensions. */
static int64_t n_programs(const splitting *s)
{
    unsigned last = s->type->n_dims - 1;
    while (last > 0 && s->type->shape[last] == 1)
        last--;
    return s->mask >> last & 1 ? n_results_of(s) : (n_results_of(s) + ROWS_OF_TILE - 1) / ROWS_OF_TILE;
}

static int64_t divisor_near(int64_t n, int64_t wanted, int64_t most)
{
    for (int64_t p = wanted; p <= 4 * wanted && p <= most; p++)
        if (n % p == 0)
            return p;
    for (int64_t p = wanted < most ? wanted : most; p > 1; p--)
        if (n % p == 0)
            return p;
    return 1;
}

/* Chooses what to divide. False: it is better as it is. */
static bool should_split(splitting *s, const kd_gnode *node)
{
    if (node->op->lowering != KD_LOWER_REDUCTION)
        return false;
    bool is_bad;
    s->node = node;
    s->type = &kd_gnode_tensor(node, 0)->type;
    s->mask = kd_gnode_dims_mask(node, 1, s->type->n_dims, &is_bad);
    int64_t n = kd_tensor_n_elems(s->type);
    if (n < LEAST_ELEMS || s->type->n_dims == KD_TENSOR_MAX_DIMS || n_programs(s) >= 2 * (int64_t)s->n_units)
        return false;
    s->dim = s->type->n_dims;
    for (unsigned i = 0; i < s->type->n_dims; i++)
        if ((s->mask >> i & 1) && (s->dim == s->type->n_dims || s->type->shape[i] > s->type->shape[s->dim]))
            s->dim = i;
    if (s->dim == s->type->n_dims)
        return false;
    int64_t wanted = (4 * (int64_t)s->n_units + n_programs(s) - 1) / n_programs(s);
    s->n_parts = divisor_near(s->type->shape[s->dim], wanted, n / LEAST_PART);
    return s->n_parts > 1;
}

/* A reduction of each part, with the dimensions of the operand: the one that was divided has an element for each part. */
static kd_gvalue *of_parts(splitting *s, kd_gop_code code)
{
    kd_decomposer *d = &s->d;
    unsigned n = s->type->n_dims, n_over = 0;
    int64_t shape[KD_TENSOR_MAX_DIMS], over[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < n; i++) {
        shape[i + (i > s->dim)] = s->type->shape[i];
        if (s->mask >> i & 1)
            over[n_over++] = i + (i >= s->dim);
    }
    shape[s->dim] = s->n_parts;
    shape[s->dim + 1] = s->type->shape[s->dim] / s->n_parts;
    kd_scalar type = s->node->results[0]->type.type;
    kd_gvalue *parts = build_view(d, kd_gnode_tensor(s->node, 0), n + 1, shape);
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(parts), ints_arg(d->arena, n_over, over), bool_arg(true)};
    if (code == KD_GOP_sum || code == KD_GOP_prod) /* of half types in f32 */
        args[3] = text_arg(kd_scalar_name(kd_scalar_bytes(type) == 2 && kd_scalar_is_float(type) ? KD_F32 : type));
    if (code == KD_GOP_prod)
        args[1] = kd_garg_int(over[0]);
    kd_gvalue *reduced = decompose_build(d, code, 1, args);
    for (unsigned i = 0; i < n; i++)
        shape[i] = s->mask >> i & 1 ? 1 : s->type->shape[i];
    shape[s->dim] = s->n_parts;
    return build_view(d, reduced, n, shape);
}

/* The node's results, from what was made of the parts. */
static void finish(splitting *s, kd_gop_code code, kd_garg first, kd_garg second)
{
    kd_gnode *last = kd_arena_new(s->d.arena, kd_gnode);
    kd_garg *args = kd_arena_array(s->d.arena, kd_garg, KD_GOP_MAX_PARAMS);
    *last = *s->node;
    last->op = &kd_gops[code];
    memcpy(args, s->node->args, s->node->n_args * sizeof *args);
    args[0] = first;
    if (second.kind == KD_GARG_VALUE) {
        args[1] = second;
        args[2] = kd_garg_int(1);
    }
    last->args = args;
    last->results[0]->def = last;
    kd_vec_push(s->d.arena, &s->d.to->nodes, last);
}

static void split(splitting *s)
{
    kd_decomposer *d = &s->d;
    kd_gop_code code = s->node->op->code;
    d->of = s->node;
    d->n_made = 0;
    kd_gvalue *parts = of_parts(s, code);
    if (code != KD_GOP_spread) {
        finish(s, code, kd_garg_value(parts), no_arg());
        return;
    }
    double n_each = (double)kd_tensor_n_elems(s->type) / (double)n_results_of(s) / (double)s->n_parts;
    kd_gvalue *means = build_with(d, KD_GOP_div_scalar, of_parts(s, KD_GOP_sum), n_each);
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(means), s->node->args[1], s->node->args[2]};
    kd_gvalue *between = build_with(d, KD_GOP_mul_scalar, decompose_build(d, KD_GOP_spread, 1, args), n_each);
    kd_gvalue *inside = BUILD(d, sum, kd_garg_value(parts), s->node->args[1], s->node->args[2], no_arg());
    finish(s, KD_GOP_add, kd_garg_value(inside), kd_garg_value(between));
}

kd_status kd_graph_split_reductions(kd_graph *graph, bool on_gpu, unsigned n_threads, kd_failure *out_why)
{
    splitting s = {.d = {.to = graph, .arena = graph->arena, .on_gpu = on_gpu, .known = kd_map_in(graph->arena), .why = out_why}};
    unsigned n = graph->nodes.n;
    kd_gnode **nodes = graph->nodes.data;
    s.n_units = on_gpu ? n_threads / WARPS_OF_GROUP : n_threads;
    memset(&graph->nodes, 0, sizeof graph->nodes);
    for (unsigned i = 0; i < n; i++) {
        if (s.n_units > 1 && should_split(&s, nodes[i]))
            split(&s);
        else
            kd_vec_push(s.d.arena, &graph->nodes, nodes[i]);
    }
    return s.d.status;
}
