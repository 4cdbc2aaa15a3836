/* peel.c - posts that oneDNN does not have for a primitive become pointwise nodes again:
 *
 *     %y = convolution(%x, %w), then relu, then add %r      ==>      %y.before = convolution(%x, %w), then relu
 *                                                                    %y = add(%y.before, %r)
 */
#include "graph/plan.h"

typedef struct peeled {
    kd_graph *graph;
    const char *origins; /* what is left of the primitive's: "%conv, %relu" */
    KD_VEC(kd_gnode *) behind; /* the last one first */
} peeled;

/* The last name goes from the list. */
static const char *take_origin(peeled *p)
{
    const char *comma = strrchr(p->origins, ',');
    const char *last = comma ? comma + 1 + strspn(comma + 1, " ") : p->origins;
    if (comma)
        p->origins = kd_arena_strndup(p->graph->arena, p->origins, (size_t)(comma - p->origins));
    return last;
}

/* What a post does to parameter 0; the other parameters. */
static kd_gop_code op_of(const kd_gpost *post, kd_garg args[3])
{
    args[1] = kd_garg_float((double)post->alpha);
    args[2] = kd_garg_float((double)post->beta);
    switch (post->kind) {
    case KD_POST_RELU: return post->alpha == 0 ? KD_GOP_relu : KD_GOP_leaky_relu;
    case KD_POST_GELU_ERF:
    case KD_POST_GELU_TANH:
        args[1].kind = KD_GARG_TEXT;
        args[1].text = post->kind == KD_POST_GELU_ERF ? "none" : "tanh";
        return KD_GOP_gelu;
    case KD_POST_SIGMOID: return KD_GOP_sigmoid;
    case KD_POST_TANH: return KD_GOP_tanh;
    case KD_POST_SWISH: return KD_GOP_silu;
    case KD_POST_HARDSWISH: return KD_GOP_hardswish;
    case KD_POST_HARDSIGMOID: return KD_GOP_hardsigmoid;
    case KD_POST_CLIP: return KD_GOP_hardtanh;
    case KD_POST_LINEAR: return KD_GOP_mul_scalar;
    default: args[2] = kd_garg_int(1); return post->kind == KD_POST_ADD ? KD_GOP_add : KD_GOP_mul;
    }
}

/* A node behind the primitive that makes result; what it is made of. */
static kd_gvalue *add_behind(peeled *p, kd_gvalue *result, kd_gop_code code, const kd_garg given[3], const char *origin)
{
    kd_arena *arena = p->graph->arena;
    kd_gparam params[KD_GOP_MAX_PARAMS];
    kd_gnode *node = kd_arena_new(arena, kd_gnode);
    kd_garg *args = kd_arena_array(arena, kd_garg, KD_GOP_MAX_PARAMS);
    *node = (kd_gnode){.op = &kd_gops[code], .args = args, .n_results = 1, .origin = origin};
    node->n_args = kd_gop_params(node->op, params);
    kd_gvalue *before = kd_graph_add_value(p->graph, kd_arena_printf(arena, "%s.before", result->name), &result->type);
    memcpy(args, given, (node->n_args < 3 ? node->n_args : 3) * sizeof *args);
    args[0] = kd_garg_value(before);
    node->results = kd_arena_new(arena, kd_gvalue *);
    node->results[0] = result;
    result->def = node;
    kd_vec_push(arena, &p->behind, node);
    return before;
}

static kd_gvalue *peel_post(peeled *p, kd_gvalue *result, const kd_gnode *primitive, const kd_gpost *post)
{
    const char *origin = take_origin(p);
    kd_garg args[3] = {{0}};
    kd_gop_code code = op_of(post, args);
    if (post->arg >= 0)
        args[1] = primitive->args[post->arg];
    if (post->kind == KD_POST_LINEAR && post->beta != 0) {
        kd_garg shift[3] = {{0}, args[2], kd_garg_int(1)};
        result = add_behind(p, result, KD_GOP_add_scalar, shift, origin);
    }
    return add_behind(p, result, code, args, origin);
}

static void replace_node(peeled *p, const kd_gnode *old, kd_gnode *by)
{
    KD_VEC(kd_gnode *) nodes = {0};
    for (unsigned i = 0; i < p->graph->nodes.n; i++) {
        kd_gnode *node = p->graph->nodes.data[i];
        kd_vec_push(p->graph->arena, &nodes, node == old ? by : node);
        for (unsigned k = node == old ? p->behind.n : 0; k-- > 0;)
            kd_vec_push(p->graph->arena, &nodes, p->behind.data[k]);
    }
    p->graph->nodes.data = nodes.data;
    p->graph->nodes.n = nodes.n;
    p->graph->nodes.cap = nodes.cap;
}

void kd_graph_peel(kd_graph *graph, const kd_gnode *primitive, unsigned n_kept)
{
    peeled p = {.graph = graph, .origins = primitive->origin};
    kd_gnode *rest = kd_arena_new(graph->arena, kd_gnode);
    kd_gvalue *result = primitive->results[0];
    for (unsigned i = primitive->n_posts; i-- > n_kept;)
        result = peel_post(&p, result, primitive, &primitive->posts[i]);
    *rest = *primitive;
    rest->n_posts = n_kept;
    rest->origin = p.origins;
    rest->results = kd_arena_array(graph->arena, kd_gvalue *, rest->n_results);
    memcpy(rest->results, primitive->results, rest->n_results * sizeof(kd_gvalue *));
    rest->results[0] = result;
    result->def = rest;
    replace_node(&p, primitive, rest);
}
