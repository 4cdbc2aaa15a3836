/* infer_pool.c - pooling: one result for each window over the last one to three dimensions. */
#include "graph/infer_impl.h"

#include "base/scalar.h"

bool infer_spatial(const kd_gnode *node, unsigned i, unsigned n, int64_t least, int64_t *out)
{
    bool good = kd_gnode_spatial(node, i, n, out);
    for (unsigned d = 0; d < n && good; d++)
        good = out[d] >= least && out[d] <= INT32_MAX;
    return good;
}

unsigned kd_gnode_pool_dims(const kd_gnode *node)
{
    switch (node->op->code) {
    case KD_GOP_max_pool: return kd_gnode_tensor(node, 0)->type.n_dims - 2;
    case KD_GOP_max_pool1d:
    case KD_GOP_avg_pool1d:
    case KD_GOP_adaptive_pool1d: return 1;
    case KD_GOP_max_pool3d:
    case KD_GOP_max_pool3d_indices:
    case KD_GOP_avg_pool3d:
    case KD_GOP_adaptive_pool3d:
    case KD_GOP_adaptive_pool3d_1: return 3;
    default: return 2;
    }
}

static bool is_mean(const kd_gnode *node)
{
    return node->op->code == KD_GOP_avg_pool1d || node->op->code == KD_GOP_avg_pool2d || node->op->code == KD_GOP_avg_pool3d;
}

bool kd_gnode_pooling(const kd_gnode *node, kd_pooling *out)
{
    unsigned n = out->n = kd_gnode_pool_dims(node);
    bool has_stride = node->args[2].kind == KD_GARG_INT || (node->args[2].kind == KD_GARG_LIST && node->args[2].list.n);
    for (unsigned d = 0; d < 3; d++)
        out->dilation[d] = 1;
    out->ceils = kd_gnode_bool(node, is_mean(node) ? 4 : 5);
    return n >= 1 && n <= 3 && infer_spatial(node, 1, n, 1, out->size) &&
           infer_spatial(node, has_stride ? 2 : 1, n, 1, out->stride) && infer_spatial(node, 3, n, 0, out->padding) &&
           (is_mean(node) || infer_spatial(node, 4, n, 1, out->dilation));
}

kd_status kd_infer_pool(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input;
    kd_pooling p;
    bool with_indices = node->op->code == KD_GOP_max_pool2d_indices || node->op->code == KD_GOP_max_pool3d_indices;
    kd_status status = infer_n_results(cx, with_indices ? 2 : 1);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &input);
    if (status)
        return status;
    const kd_tensor_type *x = &input->type;
    if (!kd_gnode_pooling(node, &p) || (x->n_dims != p.n + 2 && x->n_dims != p.n + 1))
        return infer_bad(cx, "kernel size, stride, padding or dilation do not fit the input %s", infer_type_text(cx, input));
    if (is_mean(node) && !kd_scalar_is_float(x->type))
        return infer_bad(cx, "needs a floating-point type, not %s", infer_type_text(cx, input));
    cx->types[0] = *x;
    for (unsigned d = 0; d < p.n; d++) {
        int64_t in = x->shape[x->n_dims - p.n + d], step = p.stride[d];
        int64_t room = in + 2 * p.padding[d] - p.dilation[d] * (p.size[d] - 1) - 1;
        if (room < 0 || p.padding[d] * 2 > p.size[d])
            return infer_bad(cx, "the window does not fit the padded input %s", infer_type_text(cx, input));
        int64_t n = (p.ceils ? room + step - 1 : room) / step + 1;
        cx->types[0].shape[x->n_dims - p.n + d] = n - ((n - 1) * step >= in + p.padding[d]);
    }
    kd_tensor_set_contiguous(&cx->types[0]);
    if (with_indices) {
        cx->types[1] = cx->types[0];
        cx->types[1].type = KD_I64;
    }
    return KD_OK;
}

kd_status kd_infer_adaptive_pool(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input;
    int64_t size[3], shape[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_pool_dims(node);
    kd_status status = infer_tensor_arg(cx, node, 0, &input);
    if (status)
        return status;
    const kd_tensor_type *x = &input->type;
    if (x->n_dims < n + 1 || !infer_spatial(node, 1, n, 1, size) || !kd_scalar_is_float(x->type))
        return infer_bad(cx, "the output size does not fit the input %s", infer_type_text(cx, input));
    memcpy(shape, x->shape, sizeof shape);
    for (unsigned d = 0; d < n; d++) {
        int64_t *extent = &shape[x->n_dims - n + d];
        if (*extent < 1)
            return infer_bad(cx, "%s has no elements", infer_type_text(cx, input));
        *extent = size[d];
    }
    return infer_one_result(cx, x->type, x->n_dims, shape);
}
