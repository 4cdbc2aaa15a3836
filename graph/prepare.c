/* prepare.c - makes a graph ready for scheduling around its primitives:
 *
 *     %c = convolution(%x, %w)            %y = convolution(%x, %w), then relu
 *     %y = relu(%c)                  ==>
 *
 * where nobody else reads %c; channels next to one another in memory along chains of convolutions and what lies between them; and a copy
 * in front of a primitive where views have brought its operand out of every order that strides can tell. */
#include "graph/plan.h"

#include "base/scalar.h"

typedef struct preparation {
    kd_graph *graph;
    kd_arena *arena;
    KD_VEC(kd_gnode *) nodes; /* the new list */
} preparation;

/* ---- posts ---- */

static bool takes_posts(const kd_gnode *node)
{
    switch (node->op->code) {
    case KD_GOP_mm:
    case KD_GOP_bmm:
    case KD_GOP_addmm:
    case KD_GOP_convolution: return node->n_posts < KD_ONEDNN_MAX_POSTS;
    default: return false;
    }
}

/* The primitive's argument of a node that reads one and nothing else of that kind; -1: there is none. */
static int primitive_arg(const kd_gnode *node)
{
    for (unsigned i = 0; i < 2 && i < node->n_args; i++) {
        const kd_gvalue *value = kd_gnode_tensor(node, i);
        if (value && value->def && takes_posts(value->def) && value->n_uses == 1 &&
            kd_tensor_same_shape(&value->type, &node->results[0]->type) && value->type.type == node->results[0]->type.type)
            return (int)i;
    }
    return -1;
}

static bool is_one(const kd_gnode *node, unsigned i)
{
    return kd_gnode_number(node, i, 1) == 1;
}

/* What a node does to its argument 'of', as a post. False: no post can do it. */
static bool post_of(const kd_gnode *node, int of, kd_gpost *out)
{
    float number = (float)kd_gnode_number(node, 1, 0);
    bool with_number = !kd_gnode_tensor(node, 1);
    *out = (kd_gpost){.arg = -1};
    switch (node->op->code) {
    case KD_GOP_relu: out->kind = KD_POST_RELU; return true;
    case KD_GOP_leaky_relu:
        out->kind = KD_POST_RELU;
        out->alpha = number;
        return true;
    case KD_GOP_gelu: out->kind = strcmp(node->args[1].text, "tanh") == 0 ? KD_POST_GELU_TANH : KD_POST_GELU_ERF; return true;
    case KD_GOP_sigmoid: out->kind = KD_POST_SIGMOID; return true;
    case KD_GOP_tanh: out->kind = KD_POST_TANH; return true;
    case KD_GOP_silu: out->kind = KD_POST_SWISH; return true;
    case KD_GOP_hardswish: out->kind = KD_POST_HARDSWISH; return true;
    case KD_GOP_hardsigmoid: out->kind = KD_POST_HARDSIGMOID; return true;
    case KD_GOP_hardtanh:
        out->kind = KD_POST_CLIP;
        out->alpha = number;
        out->beta = (float)kd_gnode_number(node, 2, 1);
        return true;
    case KD_GOP_add:
    case KD_GOP_mul:
    case KD_GOP_mul_scalar:
    case KD_GOP_div:
    case KD_GOP_div_scalar: break;
    default: return false;
    }
    bool is_add = node->op->code == KD_GOP_add, is_div = node->op->code == KD_GOP_div || node->op->code == KD_GOP_div_scalar;
    if (is_add && !is_one(node, 2))
        return false;
    if (with_number) {
        out->kind = KD_POST_LINEAR;
        out->alpha = is_add ? 1 : is_div ? 1 / number : number;
        out->beta = is_add ? number : 0;
        return !is_div || 1 / number * number == 1; /* a division that a product with the reciprocal stands for */
    }
    out->kind = is_add ? KD_POST_ADD : KD_POST_MUL;
    out->arg = 1 - of;
    return !is_div;
}

/* oneDNN broadcasts a tensor with as many dimensions as the result has. */
static bool can_be_post(const kd_gnode *node, const kd_gpost *post)
{
    const kd_gvalue *other = post->arg >= 0 ? kd_gnode_tensor(node, (unsigned)post->arg) : NULL;
    return !other || (other->type.n_dims == node->results[0]->type.n_dims && other->type.type == node->results[0]->type.type);
}

/* A node that does what the primitive does, and then the pointwise node. */
static kd_gnode *merge(preparation *p, const kd_gnode *primitive, const kd_gnode *node, kd_gpost post)
{
    kd_gnode *merged = kd_arena_new(p->arena, kd_gnode);
    kd_garg *args = kd_arena_array(p->arena, kd_garg, primitive->n_args + 1);
    kd_gpost *posts = kd_arena_array(p->arena, kd_gpost, primitive->n_posts + 1);
    *merged = *primitive;
    memcpy(args, primitive->args, primitive->n_args * sizeof *args);
    if (primitive->n_posts)
        memcpy(posts, primitive->posts, primitive->n_posts * sizeof *posts);
    if (post.arg >= 0) {
        args[merged->n_args] = node->args[post.arg];
        post.arg = (int)merged->n_args++;
    }
    posts[merged->n_posts++] = post;
    merged->args = args;
    merged->posts = posts;
    merged->results = node->results;
    merged->results[0]->def = merged;
    merged->origin = kd_arena_printf(p->arena, "%s, %s", primitive->origin, node->origin);
    return merged;
}

/* Half types are left alone where a result would be rounded in between: oneDNN and kernels both skip that. */
static void merge_posts(preparation *p)
{
    kd_graph *g = p->graph;
    kd_graph_count_uses(g);
    bool *gone = kd_arena_array(p->arena, bool, g->values.n); /* by a primitive's first result: its node has moved on */
    for (unsigned i = 0; i < g->nodes.n; i++) {
        kd_gnode *node = g->nodes.data[i];
        kd_gpost post;
        int of = node->op->lowering == KD_LOWER_POINTWISE ? primitive_arg(node) : -1;
        if (of < 0 || !post_of(node, of, &post) || !can_be_post(node, &post))
            continue;
        const kd_gvalue *value = kd_gnode_tensor(node, (unsigned)of);
        gone[value->id] = true;
        g->nodes.data[i] = merge(p, value->def, node, post);
    }
    unsigned n = 0;
    for (unsigned i = 0; i < g->nodes.n; i++)
        if (!gone[g->nodes.data[i]->results[0]->id])
            g->nodes.data[n++] = g->nodes.data[i];
    g->nodes.n = n;
}

/* ---- layouts ---- */

static bool is_output(const kd_graph *g, const kd_gvalue *value)
{
    for (unsigned i = 0; i < g->outputs.n; i++)
        if (g->outputs.data[i] == value)
            return true;
    return false;
}

static bool follows_channels_last(const kd_gnode *node)
{
    const kd_tensor_type *t = &node->results[0]->type;
    for (unsigned i = 0; i < node->n_args && t->n_dims > 2; i++) {
        const kd_gvalue *operand = kd_gnode_tensor(node, i);
        if (operand && kd_tensor_same_shape(&operand->type, t) && kd_tensor_is_channels_last(&operand->type) &&
            !kd_tensor_is_contiguous(&operand->type))
            return true;
    }
    return false;
}

static kd_gvalue *copy_of(preparation *p, kd_gvalue *value, bool channels_last)
{
    kd_gnode *node = kd_arena_new(p->arena, kd_gnode);
    kd_garg *args = kd_arena_array(p->arena, kd_garg, 2);
    args[0] = kd_garg_value(value);
    *node = (kd_gnode){.op = &kd_gops[KD_GOP_clone], .args = args, .n_args = 2, .n_results = 1};
    node->origin = kd_arena_printf(p->arena, "%%%s", value->name);
    node->results = kd_arena_new(p->arena, kd_gvalue *);
    node->results[0] = kd_graph_add_value(p->graph, kd_arena_printf(p->arena, "%s.copy", value->name), &value->type);
    node->results[0]->def = node;
    if (channels_last)
        kd_tensor_set_channels_last(&node->results[0]->type);
    else
        kd_tensor_set_contiguous(&node->results[0]->type);
    kd_vec_push(p->arena, &p->nodes, node);
    return node->results[0];
}

/* A convolution's or a pool's input with the channels next to one another: made so by its own node where that is free to. */
static kd_gvalue *with_channels_last(preparation *p, kd_gvalue *value)
{
    if (kd_tensor_is_channels_last(&value->type))
        return value;
    if (value->def && (value->def->op->lowering == KD_LOWER_POINTWISE) && !is_output(p->graph, value)) {
        kd_tensor_set_channels_last(&value->type);
        return value;
    }
    return copy_of(p, value, true);
}

static void replace_arg(preparation *p, kd_gnode *node, unsigned i, kd_gvalue *by)
{
    kd_garg *args = kd_arena_array(p->arena, kd_garg, node->n_args);
    memcpy(args, node->args, node->n_args * sizeof *args);
    args[i] = kd_garg_value(by);
    node->args = args;
}

static void prepare_primitive(preparation *p, kd_gnode *node)
{
    bool spatial = node->op->code == KD_GOP_convolution || node->op->code == KD_GOP_max_pool2d;
    if (spatial) {
        kd_gvalue *input = kd_gnode_tensor(node, 0), *with = with_channels_last(p, input);
        if (with != input)
            replace_arg(p, node, 0, with);
    }
    for (unsigned i = 0; i < node->n_args; i++) {
        kd_gvalue *operand = kd_gnode_tensor(node, i);
        const kd_gvalue *base;
        kd_strided strided;
        int64_t offset;
        if (operand && !kd_access_strided(p->arena, operand, &base, &strided, &offset))
            replace_arg(p, node, i, copy_of(p, operand, false));
    }
    if (spatial && !is_output(p->graph, node->results[0]))
        kd_tensor_set_channels_last(&node->results[0]->type);
}

void kd_graph_prepare(kd_graph *graph)
{
    preparation p = {.graph = graph, .arena = graph->arena};
    merge_posts(&p);
    for (unsigned i = 0; i < graph->nodes.n; i++) {
        kd_gnode *node = graph->nodes.data[i];
        bool kept = node->op->lowering == KD_LOWER_VIEW || is_output(graph, node->results[0]);
        for (unsigned r = 0; r < node->n_results && !kept; r++)
            if (!kd_tensor_is_dense(&node->results[r]->type))
                kd_tensor_set_contiguous(&node->results[r]->type);
        if (node->op->lowering == KD_LOWER_PRIMITIVE)
            prepare_primitive(&p, node);
        else if (node->op->lowering == KD_LOWER_POINTWISE && !kept && follows_channels_last(node))
            kd_tensor_set_channels_last(&node->results[0]->type);
        kd_vec_push(p.arena, &p.nodes, node);
    }
    graph->nodes.data = p.nodes.data;
    graph->nodes.n = p.nodes.n;
    graph->nodes.cap = p.nodes.cap;
}
