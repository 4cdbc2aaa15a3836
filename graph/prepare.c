/* prepare.c - makes a graph ready for scheduling around its primitives:
 *
 *     %c = convolution(%x, %w)            %y = convolution(%x, %w), then relu
 *     %y = relu(%c)                  ==>
 *
 * where nobody else reads %c; channels next to one another in memory along chains of convolutions and what lies between them; and a copy
 * in front of a primitive where views have brought its operand out of every order that strides can tell. */
#include "graph/plan.h"

#include "base/map.h"
#include "base/scalar.h"

typedef struct preparation {
    kd_graph *graph;
    kd_arena *arena;
    bool on_gpu;
    KD_VEC(kd_gnode *) nodes; /* the new list */
    kd_map copies; /* kd_gvalue *, with the channels last, by what they are copies of */
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

/* A pointwise node behind a primitive, perhaps with a reshape between them. */
typedef struct follower {
    const kd_gnode *node;
    unsigned of;           /* its argument that is the primitive's result */
    kd_gnode *primitive;
    kd_gnode *reshape;     /* NULL: none */
    kd_gpost post;
} follower;

static bool is_read_once(const kd_gvalue *value)
{
    return value && value->def && value->n_uses == 1;
}

/* Whether the node's argument i comes from a primitive, and nobody else reads it. */
static bool find_primitive(follower *f, unsigned i)
{
    const kd_gvalue *value = kd_gnode_tensor(f->node, i), *result = f->node->results[0];
    if (!is_read_once(value) || !kd_tensor_same_shape(&value->type, &result->type) || value->type.type != result->type.type)
        return false;
    f->of = i;
    f->reshape = value->def->op->view == kd_view_reshape ? value->def : NULL;
    if (f->reshape)
        value = kd_gnode_tensor(f->reshape, 0);
    if (!is_read_once(value) || !takes_posts(value->def))
        return false;
    f->primitive = value->def;
    return true;
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
    case KD_GOP_gelu:
        out->kind =
            node->args[1].kind == KD_GARG_TEXT && strcmp(node->args[1].text, "tanh") == 0 ? KD_POST_GELU_TANH : KD_POST_GELU_ERF;
        return true;
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

/* oneDNN broadcasts a tensor with as many dimensions as the result has; through a reshape only whole ones go along. */
static bool can_be_post(const follower *f)
{
    const kd_gvalue *other = f->post.arg >= 0 ? kd_gnode_tensor(f->node, (unsigned)f->post.arg) : NULL;
    const kd_tensor_type *t = &f->node->results[0]->type;
    return !other ||
           (other->type.type == t->type && (f->reshape ? kd_tensor_same_shape(&other->type, t) : other->type.n_dims == t->n_dims));
}

/* A node with one result that is another shape of a value. */
static kd_gnode *reshape_of(preparation *p, kd_gvalue *value, const kd_tensor_type *to, const char *origin)
{
    kd_gnode *node = kd_arena_new(p->arena, kd_gnode);
    kd_garg *args = kd_arena_array(p->arena, kd_garg, 2), *shape = kd_arena_array(p->arena, kd_garg, to->n_dims);
    for (unsigned d = 0; d < to->n_dims; d++)
        shape[d] = kd_garg_int(to->shape[d]);
    args[0] = kd_garg_value(value);
    args[1].kind = KD_GARG_LIST;
    args[1].list.items = shape;
    args[1].list.n = to->n_dims;
    *node = (kd_gnode){.op = &kd_gops[KD_GOP_reshape], .args = args, .n_args = 2, .n_results = 1, .origin = origin};
    node->results = kd_arena_new(p->arena, kd_gvalue *);
    kd_vec_push(p->arena, &p->nodes, node);
    return node;
}

static kd_gvalue *add_value(preparation *p, const char *name, const kd_tensor_type *type, kd_gnode *def)
{
    kd_gvalue *value = kd_graph_add_value(p->graph, name, type);
    kd_tensor_set_contiguous(&value->type);
    value->def = def;
    def->results[0] = value;
    value->n_uses = 1;
    return value;
}

/* The node's other argument in the shape of the primitive's result. */
static kd_garg other_arg(preparation *p, const follower *f)
{
    kd_garg other = f->node->args[f->post.arg];
    const kd_tensor_type *rows = &f->primitive->results[0]->type;
    if (f->reshape) {
        kd_tensor_type type = *rows;
        type.type = other.value->type.type;
        kd_gnode *node = reshape_of(p, other.value, &type, f->node->origin);
        other.value = add_value(p, kd_arena_printf(p->arena, "%s.rows", other.value->name), &type, node);
    }
    return other;
}

static bool replace_output(kd_graph *g, const kd_gvalue *value, kd_gvalue *by)
{
    for (unsigned i = 0; i < g->outputs.n; i++)
        if (g->outputs.data[i] == value) {
            g->outputs.data[i] = by;
            return true;
        }
    return false;
}

/* Adds a node that does what the primitive does, and then the pointwise node; the old ones go. */
static void merge(preparation *p, follower *f)
{
    kd_gnode *merged = kd_arena_new(p->arena, kd_gnode), *old = f->primitive;
    kd_garg *args = kd_arena_array(p->arena, kd_garg, old->n_args + 1);
    kd_gpost *posts = kd_arena_array(p->arena, kd_gpost, old->n_posts + 1);
    *merged = *old;
    memcpy(args, old->args, old->n_args * sizeof *args);
    if (old->n_posts)
        memcpy(posts, old->posts, old->n_posts * sizeof *posts);
    if (f->post.arg >= 0) {
        args[merged->n_args] = other_arg(p, f);
        f->post.arg = (int)merged->n_args++;
    }
    posts[merged->n_posts++] = f->post;
    merged->args = args;
    merged->posts = posts;
    merged->origin = kd_arena_printf(p->arena, "%s, %s", old->origin, f->node->origin);
    kd_vec_push(p->arena, &p->nodes, merged);
    kd_gvalue *result = f->node->results[0];
    if (f->reshape) {
        merged->results = kd_arena_new(p->arena, kd_gvalue *);
        kd_gvalue *rows = add_value(p, kd_arena_printf(p->arena, "%s.rows", result->name), &old->results[0]->type, merged);
        kd_gnode *back = reshape_of(p, rows, &result->type, f->node->origin);
        back->results[0] = result;
        result->def = back;
        if (replace_output(p->graph, result, rows)) /* the caller sees its own shape of it */
            rows->n_uses++;
        f->reshape->n_results = 0;
    } else {
        merged->results = f->node->results;
        result->def = merged;
    }
    old->n_results = 0; /* has moved here */
}

/* An output stays what the caller gets: in row-major order where it has another shape here, and in one that a convolution is fast with. */
static bool may_be_merged(const kd_graph *g, const follower *f)
{
    const kd_gvalue *result = f->node->results[0];
    if (f->reshape)
        return !kd_graph_is_output(g, result) || kd_tensor_is_contiguous(&result->type);
    return !kd_graph_is_output(g, result) || f->primitive->op->code != KD_GOP_convolution ||
           kd_tensor_is_channels_last(&result->type);
}

static void take_new_nodes(preparation *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->nodes.n; i++)
        if (p->nodes.data[i]->n_results)
            p->nodes.data[n++] = p->nodes.data[i];
    p->graph->nodes.data = p->nodes.data;
    p->graph->nodes.n = n;
    p->graph->nodes.cap = p->nodes.cap;
    memset(&p->nodes, 0, sizeof p->nodes);
}

/* Half types: oneDNN does not round between a primitive and its posts, nor do kernels between the nodes that they fuse. */
static void merge_posts(preparation *p)
{
    kd_graph *g = p->graph;
    kd_graph_count_uses(g);
    for (unsigned i = 0; i < g->nodes.n; i++) {
        follower f = {.node = g->nodes.data[i]};
        bool is_pointwise = f.node->op->lowering == KD_LOWER_POINTWISE;
        if (is_pointwise && (find_primitive(&f, 0) || (f.node->n_args > 1 && find_primitive(&f, 1))) &&
            post_of(f.node, (int)f.of, &f.post) && can_be_post(&f) && may_be_merged(g, &f))
            merge(p, &f);
        else
            kd_vec_push(p->arena, &p->nodes, g->nodes.data[i]);
    }
    take_new_nodes(p);
}

/* ---- layouts ---- */

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

/* A value with the channels next to one another, made so by its own node where that is free to, or copied already. NULL: there is none. */
static kd_gvalue *free_channels_last(preparation *p, kd_gvalue *value)
{
    if (kd_tensor_is_channels_last(&value->type))
        return value;
    if (value->def && (value->def->op->lowering == KD_LOWER_POINTWISE) && !kd_graph_is_output(p->graph, value)) {
        kd_tensor_set_channels_last(&value->type);
        return value;
    }
    return kd_map_get_ptr(&p->copies, value);
}

/* A convolution's or a pool's input. */
static kd_gvalue *with_channels_last(preparation *p, kd_gvalue *value)
{
    kd_gvalue *with = free_channels_last(p, value);
    if (!with) {
        with = copy_of(p, value, true);
        *kd_map_at_ptr(&p->copies, value) = with;
    }
    return with;
}

static void replace_arg(preparation *p, kd_gnode *node, unsigned i, kd_gvalue *by)
{
    kd_garg *args = kd_arena_array(p->arena, kd_garg, node->n_args);
    memcpy(args, node->args, node->n_args * sizeof *args);
    args[i] = kd_garg_value(by);
    node->args = args;
}

/* What a convolution adds to its result or multiplies it with: oneDNN is fast with it in the result's order only. */
static void prepare_posts(preparation *p, kd_gnode *node)
{
    for (unsigned i = 0; i < node->n_posts; i++) {
        kd_gvalue *operand = node->posts[i].arg < 0 ? NULL : kd_gnode_tensor(node, (unsigned)node->posts[i].arg);
        bool is_whole = operand && kd_tensor_same_shape(&operand->type, &node->results[0]->type);
        kd_gvalue *with = is_whole ? free_channels_last(p, operand) : NULL;
        if (with && with != operand)
            replace_arg(p, node, (unsigned)node->posts[i].arg, with);
    }
}

/* [window, input channels, output channels]: our kernels read them in rows. */
static void order_weights(preparation *p, kd_gnode *convolution)
{
    const kd_gvalue *weight = kd_gnode_tensor(convolution, 1);
    kd_tensor_type type = weight->type;
    int64_t stride = 1;
    for (unsigned i = 0; i < type.n_dims; i++) {
        unsigned d = i < 2 ? i : type.n_dims + 1 - i;
        type.strides[d] = stride;
        stride *= type.shape[d];
    }
    kd_gvalue *ordered = kd_fold_order(p->graph, weight, &type);
    if (ordered)
        replace_arg(p, convolution, 1, ordered);
}

/* Whether two elements may lie at one place, as in windows of a signal: oneDNN knows that of what it repeats, in strides of 0, only. */
static bool may_overlap(const kd_strided *t)
{
    for (unsigned slow = 0; slow < t->n_dims; slow++) {
        int64_t below = 1; /* as far as the dimensions with smaller strides reach */
        for (unsigned d = 0; d < t->n_dims; d++)
            if (d != slow && t->shape[d] > 1 &&
                (t->strides[d] < t->strides[slow] || (t->strides[d] == t->strides[slow] && d < slow)))
                below += (t->shape[d] - 1) * t->strides[d];
        if (t->shape[slow] > 1 && t->strides[slow] && t->strides[slow] < below)
            return true;
    }
    return false;
}

static void prepare_primitive(preparation *p, kd_gnode *node)
{
    kd_gop_code code = node->op->code;
    bool spatial = code == KD_GOP_convolution || code == KD_GOP_max_pool || code == KD_GOP_spatial_mean;
    if (spatial) {
        kd_gvalue *input = kd_gnode_tensor(node, 0), *with = with_channels_last(p, input);
        if (with != input)
            replace_arg(p, node, 0, with);
        prepare_posts(p, node);
    }
    if (code == KD_GOP_convolution && p->on_gpu)
        order_weights(p, node);
    for (unsigned i = 0; i < node->n_args; i++) {
        kd_gvalue *operand = kd_gnode_tensor(node, i);
        const kd_gvalue *base;
        kd_strided strided;
        int64_t offset;
        if (!operand)
            continue;
        bool is_readable = kd_access_strided(p->arena, operand, &base, &strided, &offset);
        if (!is_readable || may_overlap(&strided) ||
            (strided.n_dims == 1 && strided.strides[0] != 1)) /* a bias lies next to one another */
            replace_arg(p, node, i, copy_of(p, operand, false));
    }
    if (spatial && !kd_graph_is_output(p->graph, node->results[0]) && node->results[0]->type.n_dims > 2)
        kd_tensor_set_channels_last(&node->results[0]->type);
}

/* Nodes with kernels of their own read what strides describe. */
static void prepare_kernel(preparation *p, kd_gnode *node)
{
    for (unsigned i = 0; i < node->n_args; i++) {
        kd_gvalue *operand = kd_gnode_tensor(node, i);
        const kd_gvalue *base;
        kd_attention_strides heads;
        kd_strided strided;
        int64_t offset;
        if (operand && !(node->op->code == KD_GOP_flash_attention ? kd_attention_operand(p->arena, operand, &heads)
                                                                  : kd_access_strided(p->arena, operand, &base, &strided, &offset)))
            replace_arg(p, node, i, copy_of(p, operand, false));
    }
}

void kd_graph_prepare(kd_graph *graph, bool on_gpu)
{
    preparation p = {.graph = graph, .arena = graph->arena, .on_gpu = on_gpu, .copies = kd_map_in(graph->arena)};
    merge_posts(&p);
    if (!on_gpu) /* where kernels read the weights as they are */
        kd_graph_merge_siblings(graph);
    for (unsigned i = 0; i < graph->nodes.n; i++) {
        kd_gnode *node = graph->nodes.data[i];
        bool kept = node->op->lowering == KD_LOWER_VIEW || kd_graph_is_output(graph, node->results[0]);
        for (unsigned r = 0; r < node->n_results && !kept; r++)
            if (!kd_tensor_is_dense(&node->results[r]->type))
                kd_tensor_set_contiguous(&node->results[r]->type);
        if (node->op->lowering == KD_LOWER_PRIMITIVE)
            prepare_primitive(&p, node);
        else if (node->op->lowering == KD_LOWER_KERNEL)
            prepare_kernel(&p, node);
        else if (node->op->lowering == KD_LOWER_POINTWISE && !kept && follows_channels_last(node))
            kd_tensor_set_channels_last(&node->results[0]->type);
        kd_vec_push(p.arena, &p.nodes, node);
    }
    take_new_nodes(&p);
}
