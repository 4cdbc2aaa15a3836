/* infer_primitive.c - matrix products, convolutions, pooling. */
#include "graph/infer_impl.h"

#include "base/scalar.h"

static kd_status matrix_product(kd_infer *cx, const kd_gnode *node, unsigned first, unsigned n_dims, kd_gvalue **out_a,
                                kd_gvalue **out_b)
{
    kd_status status = infer_tensor_arg(cx, node, first, out_a);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, first + 1, out_b);
    if (status)
        return status;
    const kd_tensor_type *a = &(*out_a)->type, *b = &(*out_b)->type;
    if (a->n_dims != n_dims || b->n_dims != n_dims || a->shape[n_dims - 1] != b->shape[n_dims - 2] ||
        (n_dims == 3 && a->shape[0] != b->shape[0]))
        return infer_bad(cx, "%s and %s do not multiply", infer_type_text(cx, *out_a), infer_type_text(cx, *out_b));
    if (a->type != b->type)
        return infer_bad(cx, "the types of %s and %s differ", infer_type_text(cx, *out_a), infer_type_text(cx, *out_b));
    int64_t shape[3] = {a->shape[0], a->shape[1], b->shape[2]};
    if (n_dims == 2)
        shape[1] = b->shape[1];
    return infer_one_result(cx, a->type, n_dims, shape);
}

kd_status kd_infer_mm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *a, *b;
    return matrix_product(cx, node, 0, 2, &a, &b);
}

kd_status kd_infer_bmm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *a, *b;
    return matrix_product(cx, node, 0, 3, &a, &b);
}

kd_status kd_infer_baddbmm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *a, *b, *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    return status ? status : matrix_product(cx, node, 1, 3, &a, &b);
}

kd_status kd_infer_linear(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input, *weight, *bias = kd_gnode_tensor(node, 2);
    kd_status status = infer_tensor_args(cx, node, 0, &input, 1, &weight);
    if (status)
        return status;
    const kd_tensor_type *x = &input->type, *w = &weight->type;
    if (!x->n_dims || w->n_dims != 2 || x->shape[x->n_dims - 1] != w->shape[1] || x->type != w->type ||
        (bias && (bias->type.n_dims != 1 || bias->type.shape[0] != w->shape[0])))
        return infer_bad(cx, "the weight %s, or the bias, does not fit the input %s", infer_type_text(cx, weight),
                         infer_type_text(cx, input));
    int64_t shape[KD_TENSOR_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->n_dims - 1] = w->shape[0];
    return infer_one_result(cx, x->type, x->n_dims, shape);
}

kd_status kd_infer_matmul(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *a, *b;
    kd_status status = infer_tensor_args(cx, node, 0, &a, 1, &b);
    if (status)
        return status;
    const kd_tensor_type *x = &a->type, *y = &b->type;
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = 0, batch_x = x->n_dims > 2 ? x->n_dims - 2 : 0, batch_y = y->n_dims > 2 ? y->n_dims - 2 : 0;
    bool fits =
        x->n_dims && y->n_dims && x->type == y->type && x->shape[x->n_dims - 1] == y->shape[y->n_dims > 1 ? y->n_dims - 2 : 0];
    for (unsigned batch = batch_x > batch_y ? batch_x : batch_y; batch > 0 && fits; batch--) {
        int64_t from_x = batch <= batch_x ? x->shape[batch_x - batch] : 1,
                from_y = batch <= batch_y ? y->shape[batch_y - batch] : 1;
        fits = from_x == from_y || from_x == 1 || from_y == 1;
        shape[n++] = from_x == 1 ? from_y : from_x;
    }
    if (!fits)
        return infer_bad(cx, "%s and %s do not multiply", infer_type_text(cx, a), infer_type_text(cx, b));
    if (x->n_dims > 1)
        shape[n++] = x->shape[x->n_dims - 2];
    if (y->n_dims > 1)
        shape[n++] = y->shape[y->n_dims - 1];
    return infer_one_result(cx, x->type, n, shape);
}

kd_status kd_infer_attention(kd_infer *cx, const kd_gnode *node)
{
    const kd_tensor_type *q = &kd_gnode_tensor(node, 0)->type, *k = &kd_gnode_tensor(node, 1)->type,
                         *v = &kd_gnode_tensor(node, 2)->type;
    unsigned n = q->n_dims;
    bool fits = n >= 2 && n <= 4 && k->n_dims == n && v->n_dims == n && q->type == k->type && q->type == v->type &&
                q->shape[n - 1] == k->shape[n - 1] && k->shape[n - 2] == v->shape[n - 2];
    for (unsigned d = 0; d + 2 < n && fits; d++) /* several heads of the query may share one of key and value */
        fits =
            k->shape[d] == v->shape[d] && (q->shape[d] == k->shape[d] || (d == 1 && k->shape[d] && q->shape[d] % k->shape[d] == 0));
    if (!fits)
        return infer_bad(cx, "query %s, key %s and value %s do not fit", kd_tensor_type_text(cx->arena, q),
                         kd_tensor_type_text(cx->arena, k), kd_tensor_type_text(cx->arena, v));
    if (node->op->code == KD_GOP_flash_attention) {
        cx->types[0] = *q;
        cx->types[0].shape[n - 1] = v->shape[n - 1];
        kd_tensor_set_contiguous(&cx->types[0]);
        return KD_OK;
    }
    unsigned dropout = node->op->code == KD_GOP_attention || node->op->code == KD_GOP_attention_fused ? 4
                       : node->op->code == KD_GOP_attention_efficient                                 ? 5
                                                                                                      : 3;
    if (kd_gnode_number(node, dropout, 0) != 0)
        return kd_fail(cx->why, KD_ERR_UNSUPPORTED, "attention with dropout is not supported yet");
    for (unsigned i = 1; i < cx->n_results; i++) /* of those behind the second nothing is known: nobody reads them */
        cx->types[i] = (kd_tensor_type){.type = KD_I64};
    cx->types[0] = *q;
    cx->types[0].shape[n - 1] = v->shape[n - 1];
    kd_tensor_set_contiguous(&cx->types[0]);
    if (cx->n_results > 1) { /* the logarithms of the sums */
        cx->types[1] = *q;
        cx->types[1].n_dims--;
        cx->types[1].type = kd_scalar_bytes(q->type) < 4 ? KD_F32 : q->type;
        kd_tensor_set_contiguous(&cx->types[1]);
    }
    return KD_OK;
}

kd_status kd_infer_addmm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *a, *b, *bias;
    kd_status status = infer_tensor_arg(cx, node, 0, &bias);
    if (status == KD_OK)
        status = matrix_product(cx, node, 1, 2, &a, &b);
    if (status)
        return status;
    const kd_tensor_type *t = &bias->type;
    for (unsigned k = 1; k <= t->n_dims; k++)
        if (t->n_dims > 2 || (t->shape[t->n_dims - k] != 1 && t->shape[t->n_dims - k] != cx->types[0].shape[2 - k]))
            return infer_bad(cx, "%s cannot be added to %s", infer_type_text(cx, bias),
                             kd_tensor_type_text(cx->arena, &cx->types[0]));
    return KD_OK;
}

static kd_status convolved(kd_infer *cx, const kd_gnode *node, int64_t groups)
{
    kd_gvalue *input, *weight;
    kd_status status = infer_tensor_args(cx, node, 0, &input, 1, &weight);
    if (status)
        return status;
    const kd_tensor_type *x = &input->type, *w = &weight->type;
    int64_t strides[3], padding[3], dilation[3], shape[KD_TENSOR_MAX_DIMS];
    unsigned n = x->n_dims - 2;
    if (x->n_dims < 3 || x->n_dims > 5 || w->n_dims != x->n_dims || groups < 1 || w->shape[0] % groups || x->shape[1] % groups ||
        x->shape[1] / groups != w->shape[1] || x->type != w->type)
        return infer_bad(cx, "the weight %s does not fit the input %s in %lld groups", infer_type_text(cx, weight),
                         infer_type_text(cx, input), (long long)groups);
    const kd_gvalue *bias = kd_gnode_tensor(node, 2);
    if (bias && (bias->type.n_dims != 1 || bias->type.shape[0] != w->shape[0]))
        return infer_bad(cx, "the bias %s does not fit the weight %s", infer_type_text(cx, bias), infer_type_text(cx, weight));
    if (!infer_spatial(node, 3, n, 1, strides) || !infer_spatial(node, 4, n, 0, padding) || !infer_spatial(node, 5, n, 1, dilation))
        return infer_bad(cx, "stride, padding or dilation do not fit the input %s", infer_type_text(cx, input));
    shape[0] = x->shape[0];
    shape[1] = w->shape[0];
    for (unsigned d = 0; d < n; d++) {
        int64_t room = x->shape[d + 2] + 2 * padding[d] - 1, reach;
        if (w->shape[d + 2] < 1 || __builtin_mul_overflow(dilation[d], w->shape[d + 2] - 1, &reach) || reach > room)
            return infer_bad(cx, "the weight %s is larger than the padded input %s", infer_type_text(cx, weight),
                             infer_type_text(cx, input));
        shape[d + 2] = (room - reach) / strides[d] + 1;
    }
    return infer_one_result(cx, x->type, x->n_dims, shape);
}

static kd_status deconvolved(kd_infer *cx, const kd_gnode *node, int64_t groups)
{
    static const unsigned AT[] = {3, 4, 5, 7}; /* stride, padding, dilation and output_padding */
    kd_gvalue *input, *weight;
    kd_status status = infer_tensor_args(cx, node, 0, &input, 1, &weight);
    if (status)
        return status;
    const kd_tensor_type *x = &input->type, *w = &weight->type;
    int64_t numbers[4][3], shape[KD_TENSOR_MAX_DIMS];
    unsigned n = x->n_dims - 2;
    if (x->n_dims < 3 || x->n_dims > 5 || w->n_dims != x->n_dims || groups < 1 || w->shape[0] % groups ||
        w->shape[0] != x->shape[1] || x->type != w->type)
        return infer_bad(cx, "the weight %s does not fit the input %s in %lld groups", infer_type_text(cx, weight),
                         infer_type_text(cx, input), (long long)groups);
    shape[0] = x->shape[0];
    if (__builtin_mul_overflow(w->shape[1], groups, &shape[1]))
        return infer_bad(cx, "the weight %s is too large", infer_type_text(cx, weight));
    const kd_gvalue *bias = kd_gnode_tensor(node, 2);
    if (bias && (bias->type.n_dims != 1 || bias->type.shape[0] != shape[1]))
        return infer_bad(cx, "the bias %s does not fit the weight %s", infer_type_text(cx, bias), infer_type_text(cx, weight));
    for (unsigned i = 0; i < 4; i++)
        if (!infer_spatial(node, AT[i], n, i == 0 || i == 2, numbers[i]))
            return infer_bad(cx, "stride, padding, dilation or output_padding do not fit the input %s", infer_type_text(cx, input));
    for (unsigned d = 0; d < n; d++) {
        int64_t stride = numbers[0][d], padding = numbers[1][d], dilation = numbers[2][d], more = numbers[3][d], reach, spread;
        if (w->shape[d + 2] < 1 || x->shape[d + 2] < 1 || __builtin_mul_overflow(dilation, w->shape[d + 2] - 1, &reach) ||
            __builtin_mul_overflow(stride, x->shape[d + 2] - 1, &spread) || (more >= stride && more >= dilation))
            return infer_bad(cx, "stride, dilation or output_padding do not fit the input %s", infer_type_text(cx, input));
        shape[d + 2] = spread + reach + more + 1 - 2 * padding;
        if (reach > INT32_MAX || spread > INT32_MAX || shape[d + 2] < 1)
            return infer_bad(cx, "the result of the input %s has no elements", infer_type_text(cx, input));
    }
    return infer_one_result(cx, x->type, x->n_dims, shape);
}

kd_status kd_infer_convolution(kd_infer *cx, const kd_gnode *node)
{
    int64_t groups = kd_gnode_int(node, 8, 1);
    return kd_gnode_bool(node, 6) ? deconvolved(cx, node, groups) : convolved(cx, node, groups);
}
