/* primitive.c - nodes that oneDNN computes: from their arguments to descriptions of memory. */
#include "graph/constant.h"
#include "graph/plan.h"

#include "base/bug.h"
#include "base/pages.h"
#include "base/scalar.h"


/* Of a constant, while it is packed. */
typedef struct elements {
    const char *data;
    kd_pages own; /* where they are computed */
    bool are_missing; /* memory ran out */
} elements;

typedef struct making {
    const kd_plan *plan;
    const kd_gnode *node;
    kd_operand *operands;
    unsigned n_operands;
    elements weights; /* where they are constant */
} making;

/* Finds the elements of a constant, or computes them. False: memory ran out. */
static bool take_elements(const kd_gvalue *constant, elements *out)
{
    out->data = kd_constant_data(constant);
    if (out->data)
        return true;
    out->are_missing = !kd_pages_alloc(kd_tensor_n_bytes(&constant->type), &out->own);
    if (out->are_missing)
        return false;
    kd_constant_write(constant, out->own.data);
    out->data = out->own.data;
    return true;
}

/* An operand in memory, and where that is; none where the node has no such argument. out_data: constants are packed, and this is where they lie. */
static kd_strided operand(making *m, unsigned arg, unsigned slot, const void **out_data)
{
    const kd_gvalue *value = arg < m->node->n_args ? kd_gnode_tensor(m->node, arg) : NULL, *base;
    kd_strided strided = {0};
    int64_t offset;
    if (!value)
        return strided;
    KD_ASSERT(kd_access_strided(m->plan->arena, value, &base, &strided, &offset)); /* prepare.c saw to it */
    size_t n_bytes = (size_t)offset * kd_scalar_bytes(value->type.type);
    if (out_data && kd_constant_is(base))
        *out_data = take_elements(base, &m->weights) ? m->weights.data + n_bytes : NULL;
    else
        m->operands[m->n_operands++] = (kd_operand){slot, kd_plan_info(m->plan, base)->buffer, n_bytes};
    return strided;
}

static kd_strided result(making *m)
{
    kd_buffer *b = kd_plan_info(m->plan, m->node->results[0])->buffer;
    kd_strided strided = {.type = b->type.type, .n_dims = b->type.n_dims};
    memcpy(strided.shape, b->type.shape, sizeof b->type.shape);
    memcpy(strided.strides, b->type.strides, sizeof b->type.strides);
    m->operands[m->n_operands++] = (kd_operand){KD_ARG_DST, b, 0};
    return strided;
}

static kd_post_list posts(making *m)
{
    kd_post_list list = {.n = m->node->n_posts};
    for (unsigned i = 0; i < list.n; i++) {
        const kd_gpost *post = &m->node->posts[i];
        list.posts[i] = (kd_post){.kind = post->kind, .alpha = post->alpha, .beta = post->beta};
        if (post->arg >= 0)
            list.posts[i].tensor = operand(m, (unsigned)post->arg, KD_ARG_POST + i, NULL);
    }
    return list;
}

static kd_status out_of_memory(kd_failure *out_why)
{
    return kd_fail(out_why, KD_ERR_MEMORY, "out of memory while packing weights");
}

static kd_status make_matmul(making *m, kd_onednn *onednn, kd_primitive **out, kd_failure *out_why)
{
    unsigned first = m->node->op->code == KD_GOP_addmm;
    kd_post_list list = posts(m);
    kd_matmul_args args = {.posts = &list, .dst = result(m)};
    args.src = operand(m, first, KD_ARG_SRC, NULL);
    args.weights = operand(m, first + 1, KD_ARG_WEIGHTS, &args.packed_weights);
    if (first) {
        kd_strided bias = operand(m, 0, KD_ARG_BIAS, NULL);
        args.bias = (kd_strided){.type = bias.type,
                                 .n_dims = 2,
                                 .shape = {1, bias.shape[0]},
                                 .strides = {bias.shape[0] * bias.strides[0], bias.strides[0]}};
    }
    return m->weights.are_missing ? out_of_memory(out_why) : kd_matmul_create(onednn, &args, out, out_why);
}

/* Ceil mode and strides can leave less or more at the end than padding says. */
static int64_t padding_high(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t low, int64_t dilation)
{
    return (out - 1) * stride + dilation * (kernel - 1) + 1 - in - low;
}

static kd_status make_convolution(making *m, kd_onednn *onednn, kd_primitive **out, kd_failure *out_why)
{
    kd_post_list list = posts(m);
    kd_convolution_args args = {.posts = &list, .dst = result(m), .groups = kd_gnode_int(m->node, 8, 1)};
    args.src = operand(m, 0, KD_ARG_SRC, NULL);
    args.weights = operand(m, 1, KD_ARG_WEIGHTS, &args.packed_weights);
    args.bias = operand(m, 2, KD_ARG_BIAS, NULL);
    unsigned n = args.src.n_dims - 2;
    (void)kd_gnode_spatial(m->node, 3, n, args.strides);
    (void)kd_gnode_spatial(m->node, 4, n, args.padding_low);
    (void)kd_gnode_spatial(m->node, 5, n, args.dilation);
    memcpy(args.padding_high, args.padding_low, sizeof args.padding_low);
    args.transposed = kd_gnode_bool(m->node, 6);
    if (args.transposed) {
        int64_t more[3];
        (void)kd_gnode_spatial(m->node, 7, n, more);
        for (unsigned d = 0; d < n; d++)
            args.padding_high[d] -= more[d];
    }
    return m->weights.are_missing ? out_of_memory(out_why) : kd_convolution_create(onednn, &args, out, out_why);
}

static kd_status make_max_pool(making *m, kd_onednn *onednn, kd_primitive **out, kd_failure *out_why)
{
    kd_pooling_args args = {.dst = result(m)};
    kd_pooling p;
    args.src = operand(m, 0, KD_ARG_SRC, NULL);
    (void)kd_gnode_pooling(m->node, &p);
    memcpy(args.kernel, p.size, sizeof p.size);
    memcpy(args.strides, p.stride, sizeof p.stride);
    memcpy(args.padding_low, p.padding, sizeof p.padding);
    memcpy(args.dilation, p.dilation, sizeof p.dilation);
    for (unsigned d = 0; d < p.n; d++)
        args.padding_high[d] =
            padding_high(args.src.shape[d + 2], args.dst.shape[d + 2], p.size[d], p.stride[d], p.padding[d], p.dilation[d]);
    return kd_pooling_create(onednn, &args, out, out_why);
}

/* The window is the whole image. */
static kd_status make_spatial_mean(making *m, kd_onednn *onednn, kd_primitive **out, kd_failure *out_why)
{
    kd_pooling_args args = {.dst = result(m), .is_mean = true};
    args.src = operand(m, 0, KD_ARG_SRC, NULL);
    for (unsigned d = 0; d < 2; d++) {
        args.kernel[d] = args.src.shape[d + 2];
        args.strides[d] = args.dilation[d] = 1;
        args.dst.shape[d + 2] = args.dst.strides[d + 2] = 1;
    }
    args.dst.n_dims = 4;
    return kd_pooling_create(onednn, &args, out, out_why);
}

/* Which argument oneDNN wants in an order of its own; n_args: none. */
static unsigned weights_of(const kd_gnode *node)
{
    switch (node->op->code) {
    case KD_GOP_max_pool:
    case KD_GOP_spatial_mean: return node->n_args;
    case KD_GOP_addmm: return 2;
    default: return 1;
    }
}

const kd_gvalue *kd_plan_packed_weights(const kd_gnode *node)
{
    unsigned arg = weights_of(node);
    const kd_gvalue *weights = arg < node->n_args ? kd_gvalue_behind_views(kd_gnode_tensor(node, arg)) : NULL;
    return weights && kd_constant_is(weights) ? weights : NULL;
}

kd_status kd_plan_pack_again(const kd_plan *plan, const kd_gnode *node, kd_primitive *primitive, kd_failure *out_why)
{
    const kd_gvalue *base;
    kd_strided strided;
    int64_t offset;
    elements weights = {0};
    KD_ASSERT(kd_access_strided(plan->arena, kd_gnode_tensor(node, weights_of(node)), &base, &strided, &offset));
    if (!take_elements(base, &weights))
        return out_of_memory(out_why);
    kd_status status = kd_primitive_pack_again(primitive, weights.data + (size_t)offset * kd_scalar_bytes(base->type.type), out_why);
    kd_pages_free(&weights.own);
    return status;
}

kd_status kd_plan_make_primitive(const kd_plan *plan, kd_onednn *onednn, const kd_gnode *node, kd_primitive **out,
                                 kd_operand out_operands[KD_MAX_OPERANDS], unsigned *out_n_operands)
{
    making m = {.plan = plan, .node = node, .operands = out_operands};
    kd_failure what = {{0}};
    kd_status status;
    switch (node->op->code) {
    case KD_GOP_convolution: status = make_convolution(&m, onednn, out, &what); break;
    case KD_GOP_max_pool: status = make_max_pool(&m, onednn, out, &what); break;
    case KD_GOP_spatial_mean: status = make_spatial_mean(&m, onednn, out, &what); break;
    default: status = make_matmul(&m, onednn, out, &what); break;
    }
    kd_pages_free(&m.weights.own);
    *out_n_operands = m.n_operands;
    return status ? kd_fail(plan->why, status, "%s = %s: %s", node->origin, node->op->name, what.text) : KD_OK;
}
