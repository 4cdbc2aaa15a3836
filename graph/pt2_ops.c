/* pt2_ops.c - ops of exported programs that graph/ops.def lacks, in terms of those that it has.
 *
 * torch.export keeps what a model calls: conv2d, linear, flatten, scaled_dot_product_attention. An op that the table has is taken as it is;
 * then the rules below are asked; what is left goes to the graph's reader, which names it in its error. Shapes that a rule needs are those
 * that the file tells; the reader infers them anew and compares. */
#include "graph/pt2.h"

#include "graph/ops.h"

#include <inttypes.h>
#include <math.h>

enum { MAX_TENSORS = 256 };

static bool is_op(const kd_pt2 *p, const char *name)
{
    return strcmp(p->op, name) == 0;
}

static kd_status no_tensor(kd_pt2 *p)
{
    return kd_pt2_bad(p, KD_ERR_DAMAGED, "an argument that must be a tensor is none");
}

static const char *shape_text(kd_pt2 *p, const kd_pt2_value *value)
{
    return kd_pt2_list(p, value->type.shape, value->type.n_dims);
}

static const char *contiguous_reshape(kd_pt2 *p, const char *value, const int64_t *shape, unsigned n)
{
    return kd_pt2_emit(p, "aten.reshape.default", "%s, %s", value, kd_pt2_list(p, shape, n));
}

/* ---- the same elements ---- */

static kd_status as_alias(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    self = self ? self : kd_pt2_arg_tensor(p, "input");
    if (!self)
        return no_tensor(p);
    if (kd_tensor_same_shape(&self->type, &kd_pt2_result(p, 0)->type))
        kd_pt2_emit_result(p, 0, "aten.alias.default", "%s", kd_pt2_ref(p, self));
    else
        kd_pt2_emit_result(p, 0, "aten.expand.default", "%s, %s", kd_pt2_ref(p, self), shape_text(p, kd_pt2_result(p, 0)));
    return KD_OK;
}

static kd_status dropout(kd_pt2 *p)
{
    const char *probability = kd_pt2_arg_text(p, "p", "0.0");
    if (kd_pt2_arg_bool(p, "train") && strcmp(probability, "0.0") != 0)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "dropout of a model in training mode: export it after model.eval()");
    return as_alias(p);
}

static kd_status to_type(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self"), *result = kd_pt2_result(p, 0);
    if (!self)
        return no_tensor(p);
    if (self->type.type == result->type.type)
        return as_alias(p);
    kd_pt2_emit_result(p, 0, "aten._to_copy.default", "%s, %s", kd_pt2_ref(p, self), kd_pt2_type_text(p, result->type.type));
    return KD_OK;
}

static kd_status reshape(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    kd_pt2_emit_result(p, 0, "aten.reshape.default", "%s, %s", kd_pt2_ref(p, self), shape_text(p, kd_pt2_result(p, 0)));
    return KD_OK;
}

static kd_status transpose_last(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    kd_pt2_emit_result(p, 0, "aten.transpose.int", "%s, -2, -1", kd_pt2_ref(p, self));
    return KD_OK;
}

/* chunk, tensor_split and the like: pieces along one dimension. */
static kd_status pieces(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    int64_t sizes[MAX_TENSORS];
    unsigned n = kd_pt2_n_results(p);
    int dim = self ? kd_gnode_dim(kd_pt2_arg_int(p, "dim", 0), self->type.n_dims) : -1;
    if (dim < 0 || n > MAX_TENSORS)
        return no_tensor(p);
    for (unsigned i = 0; i < n; i++) {
        const kd_pt2_value *piece = kd_pt2_result(p, i);
        sizes[i] = piece && piece->type.n_dims == self->type.n_dims ? piece->type.shape[dim] : 0;
    }
    kd_pt2_emit_all(p, "aten.split_with_sizes.default", "%s, %s, %d", kd_pt2_ref(p, self), kd_pt2_list(p, sizes, n), dim);
    return KD_OK;
}

static kd_status unbind(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    for (unsigned i = 0; i < kd_pt2_n_results(p); i++)
        kd_pt2_emit_result(p, i, "aten.select.int", "%s, %" PRId64 ", %u", kd_pt2_ref(p, self), kd_pt2_arg_int(p, "dim", 0), i);
    return KD_OK;
}

static kd_status stack(kd_pt2 *p)
{
    kd_pt2_value *tensors[MAX_TENSORS];
    unsigned n = kd_pt2_arg_tensors(p, "tensors", tensors, MAX_TENSORS);
    kd_strbuf list = kd_strbuf_in(p->arena);
    int64_t dim = kd_pt2_arg_int(p, "dim", 0);
    if (!n || n == MAX_TENSORS)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "more than %d tensors, or none", MAX_TENSORS - 1);
    for (unsigned i = 0; i < n; i++)
        kd_strbuf_printf(&list, "%s%s", i ? ", " : "",
                         kd_pt2_emit(p, "aten.unsqueeze.default", "%s, %" PRId64, kd_pt2_ref(p, tensors[i]), dim));
    kd_pt2_emit_result(p, 0, "aten.cat.default", "[%s], %" PRId64, kd_strbuf_text(&list), dim);
    return KD_OK;
}

/* ---- fills and ranges ---- */

static kd_status fill(kd_pt2 *p, const char *value)
{
    const kd_pt2_value *result = kd_pt2_result(p, 0);
    kd_pt2_emit_result(p, 0, "aten.full.default", "%s, %s, %s", shape_text(p, result), value,
                       kd_pt2_type_text(p, result->type.type));
    return KD_OK;
}

static kd_status zeros(kd_pt2 *p)
{
    return fill(p, "0");
}

static kd_status ones(kd_pt2 *p)
{
    return fill(p, "1");
}

static kd_status full(kd_pt2 *p)
{
    return fill(p, kd_pt2_arg_text(p, "fill_value", kd_pt2_arg_text(p, "s", kd_pt2_arg_text(p, "value", "0"))));
}

static kd_status arange(kd_pt2 *p)
{
    kd_pt2_emit_result(p, 0, "aten.arange.start_step", "%s, %s, %s, %s", kd_pt2_arg_text(p, "start", "0"),
                       kd_pt2_arg_text(p, "end", "0"), kd_pt2_arg_text(p, "step", "1"),
                       kd_pt2_type_text(p, kd_pt2_result(p, 0)->type.type));
    return KD_OK;
}

/* ---- convolutions and pooling ---- */

/* One number for each spatial dimension, where one for all is allowed. */
static const char *spatial(kd_pt2 *p, const char *name, unsigned n, int64_t otherwise)
{
    int64_t numbers[KD_TENSOR_MAX_DIMS];
    unsigned given = kd_pt2_arg_ints(p, name, numbers, KD_TENSOR_MAX_DIMS);
    if (given > 1)
        return kd_pt2_list(p, numbers, given);
    for (unsigned i = 1; i < n; i++)
        numbers[i] = given ? numbers[0] : otherwise;
    numbers[0] = given ? numbers[0] : otherwise;
    return kd_pt2_list(p, numbers, n);
}

static kd_status convolution(kd_pt2 *p)
{
    const kd_pt2_value *input = kd_pt2_arg_tensor(p, "input"), *weight = kd_pt2_arg_tensor(p, "weight");
    const char *padding = NULL;
    int64_t same[3];
    if (!input || !weight)
        return no_tensor(p);
    unsigned n = weight->type.n_dims < 3 || weight->type.n_dims > 5 ? 1 : weight->type.n_dims - 2;
    if (input->type.n_dims != n + 2)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "a convolution of an input without the batch's dimension");
    if (kd_pt2_arg_is(p, "padding", "same")) {
        int64_t dilation[3] = {1, 1, 1};
        unsigned given = kd_pt2_arg_ints(p, "dilation", dilation, 3);
        for (unsigned i = 0; i < n; i++) {
            int64_t reach = dilation[given == 1 ? 0 : i] * (weight->type.shape[i + 2] - 1);
            if (reach % 2)
                return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "padding='same' with a kernel of even extent");
            same[i] = reach / 2;
        }
        padding = kd_pt2_list(p, same, n);
    } else if (kd_pt2_arg_is(p, "padding", "valid")) {
        padding = kd_pt2_list(p, (int64_t[3]){0}, n);
    } else {
        padding = spatial(p, "padding", n, 0);
    }
    kd_pt2_emit_result(p, 0, "aten.convolution.default", "%s, %s, %s, %s, %s, %s, false, %s, %" PRId64, kd_pt2_ref(p, input),
                       kd_pt2_ref(p, weight), kd_pt2_arg_text(p, "bias", "null"), spatial(p, "stride", n, 1), padding,
                       spatial(p, "dilation", n, 1), kd_pt2_list(p, (int64_t[3]){0}, n), kd_pt2_arg_int(p, "groups", 1));
    return KD_OK;
}

static kd_status max_pool(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    kd_pt2_emit_first(p, 1, "aten.max_pool2d_with_indices.default", "%s, %s, %s, %s, %s, %s", kd_pt2_ref(p, self),
                      kd_pt2_arg_text(p, "kernel_size", "[]"), kd_pt2_arg_text(p, "stride", "[]"),
                      kd_pt2_arg_text(p, "padding", "0"), kd_pt2_arg_text(p, "dilation", "1"),
                      kd_pt2_arg_bool(p, "ceil_mode") ? "true" : "false");
    return KD_OK;
}

/* To one element: the mean. To what is there already: nothing. */
static kd_status adaptive_pool(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self"), *result = kd_pt2_result(p, 0);
    if (!self || self->type.n_dims < 2 || self->type.n_dims != result->type.n_dims)
        return no_tensor(p);
    unsigned n = self->type.n_dims;
    if (kd_tensor_same_shape(&self->type, &result->type))
        kd_pt2_emit_result(p, 0, "aten.alias.default", "%s", kd_pt2_ref(p, self));
    else if (result->type.shape[n - 1] == 1 && result->type.shape[n - 2] == 1)
        kd_pt2_emit_result(p, 0, "aten.mean.dim", "%s, [-2, -1], true", kd_pt2_ref(p, self));
    else
        return kd_pt2_emit_same(p, "aten._adaptive_avg_pool2d.default");
    return KD_OK;
}

/* ---- norms ---- */

static kd_status batch_norm(kd_pt2 *p)
{
    const kd_pt2_value *input = kd_pt2_arg_tensor(p, "input");
    if (!input)
        return no_tensor(p);
    if (kd_pt2_arg_bool(p, "training"))
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "a batch norm in training mode: export the model after model.eval()");
    kd_pt2_emit_first(p, 2, "aten._native_batch_norm_legit_no_training.default", "%s, %s, %s, %s, %s, %s, %s", kd_pt2_ref(p, input),
                      kd_pt2_arg_text(p, "weight", "null"), kd_pt2_arg_text(p, "bias", "null"),
                      kd_pt2_arg_text(p, "running_mean", "null"), kd_pt2_arg_text(p, "running_var", "null"),
                      kd_pt2_arg_text(p, "momentum", "0.1"), kd_pt2_arg_text(p, "eps", "1e-5"));
    return KD_OK;
}

static kd_status layer_norm(kd_pt2 *p)
{
    const kd_pt2_value *input = kd_pt2_arg_tensor(p, "input");
    if (!input)
        return no_tensor(p);
    kd_pt2_emit_first(p, 2, "aten.native_layer_norm.default", "%s, %s, %s, %s, %s", kd_pt2_ref(p, input),
                      kd_pt2_arg_text(p, "normalized_shape", "[]"), kd_pt2_arg_text(p, "weight", "null"),
                      kd_pt2_arg_text(p, "bias", "null"), kd_pt2_arg_text(p, "eps", "1e-5"));
    return KD_OK;
}

static kd_status group_norm(kd_pt2 *p)
{
    const kd_pt2_value *input = kd_pt2_arg_tensor(p, "input");
    if (!input || input->type.n_dims < 2)
        return no_tensor(p);
    int64_t n_inside = 1;
    for (unsigned d = 2; d < input->type.n_dims; d++)
        n_inside *= input->type.shape[d];
    kd_pt2_emit_first(p, 2, "aten.native_group_norm.default", "%s, %s, %s, %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %s",
                      kd_pt2_ref(p, input), kd_pt2_arg_text(p, "weight", "null"), kd_pt2_arg_text(p, "bias", "null"),
                      input->type.shape[0], input->type.shape[1], n_inside, kd_pt2_arg_int(p, "num_groups", 1),
                      kd_pt2_arg_text(p, "eps", "1e-5"));
    return KD_OK;
}

static kd_status softmax(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self"), *result = kd_pt2_result(p, 0);
    if (!self)
        return no_tensor(p);
    const char *x = kd_pt2_ref(p, self);
    if (self->type.type != result->type.type)
        x = kd_pt2_emit(p, "aten._to_copy.default", "%s, %s", x, kd_pt2_type_text(p, result->type.type));
    kd_pt2_emit_result(p, 0, is_op(p, "aten.softmax.int") ? "aten._softmax.default" : "aten._log_softmax.default",
                       "%s, %" PRId64 ", false", x, kd_pt2_arg_int(p, "dim", -1));
    return KD_OK;
}

/* ---- matrix products ---- */

/* All dimensions but the last as one. */
static const char *as_rows(kd_pt2 *p, const kd_pt2_value *value, int64_t *out_n_rows)
{
    unsigned n = value->type.n_dims;
    int64_t rows = 1;
    for (unsigned d = 0; d + 1 < n; d++)
        rows *= value->type.shape[d];
    *out_n_rows = rows;
    return n == 2 ? kd_pt2_ref(p, value)
                  : contiguous_reshape(p, kd_pt2_ref(p, value), (int64_t[]){rows, value->type.shape[n - 1]}, 2);
}

/* rows * matrix, [..., K] by [K, N], with a bias or NULL. */
static void emit_rows_product(kd_pt2 *p, const kd_pt2_value *rows, const char *matrix, const char *bias)
{
    int64_t n_rows;
    const char *x = as_rows(p, rows, &n_rows),
               *args = kd_arena_printf(p->arena, "%s%s%s, %s", bias ? bias : "", bias ? ", " : "", x, matrix);
    const char *op = bias ? "aten.addmm.default" : "aten.mm.default";
    if (rows->type.n_dims == 2) {
        kd_pt2_emit_result(p, 0, op, "%s", args);
        return;
    }
    const char *product = kd_pt2_emit(p, op, "%s", args);
    kd_pt2_emit_result(p, 0, "aten.reshape.default", "%s, %s", product, shape_text(p, kd_pt2_result(p, 0)));
}

static kd_status linear(kd_pt2 *p)
{
    const kd_pt2_value *input = kd_pt2_arg_tensor(p, "input"), *weight = kd_pt2_arg_tensor(p, "weight");
    const kd_pt2_value *bias = kd_pt2_arg_tensor(p, "bias");
    if (!input || !weight)
        return no_tensor(p);
    if (weight->type.n_dims != 2 || !input->type.n_dims)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "a linear layer whose weight is no matrix");
    const char *matrix = kd_pt2_emit(p, "aten.t.default", "%s", kd_pt2_ref(p, weight));
    emit_rows_product(p, input, matrix, bias ? kd_pt2_ref(p, bias) : NULL);
    return KD_OK;
}

/* The matrices of a stack, [batch..., M, N], as [B, M, N], repeated where the other stack has more. */
static const char *as_batch(kd_pt2 *p, const char *value, const kd_tensor_type *type, const int64_t *batch, unsigned n_batch)
{
    int64_t shape[KD_TENSOR_MAX_DIMS], flat[3] = {1, type->shape[type->n_dims - 2], type->shape[type->n_dims - 1]};
    bool is_whole = type->n_dims == n_batch + 2;
    for (unsigned d = 0; d < n_batch; d++) {
        shape[d] = batch[d];
        flat[0] *= batch[d];
        is_whole = is_whole && type->shape[d] == batch[d];
    }
    shape[n_batch] = flat[1];
    shape[n_batch + 1] = flat[2];
    if (!is_whole)
        value = kd_pt2_emit(p, "aten.expand.default", "%s, %s", value, kd_pt2_list(p, shape, n_batch + 2));
    return n_batch == 1 ? value : contiguous_reshape(p, value, flat, 3);
}

static kd_status matmul(kd_pt2 *p)
{
    const kd_pt2_value *a = kd_pt2_arg_tensor(p, "self"), *b = kd_pt2_arg_tensor(p, "other"), *result = kd_pt2_result(p, 0);
    b = b ? b : kd_pt2_arg_tensor(p, "mat2");
    if (!a || !b)
        return no_tensor(p);
    if (a->type.n_dims < 2 || b->type.n_dims < 2)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "a product with a vector is not supported yet");
    if (b->type.n_dims == 2) {
        emit_rows_product(p, a, kd_pt2_ref(p, b), NULL);
        return KD_OK;
    }
    unsigned n_batch = result->type.n_dims < 2 ? 0 : result->type.n_dims - 2;
    if (n_batch + 2 < a->type.n_dims || n_batch + 2 < b->type.n_dims)
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the result has fewer dimensions than the operands");
    const char *product =
        kd_pt2_emit(p, "aten.bmm.default", "%s, %s", as_batch(p, kd_pt2_ref(p, a), &a->type, result->type.shape, n_batch),
                    as_batch(p, kd_pt2_ref(p, b), &b->type, result->type.shape, n_batch));
    kd_pt2_emit_result(p, 0, "aten.reshape.default", "%s, %s", product, shape_text(p, result));
    return KD_OK;
}

/* ---- attention ---- */

/* Scores with what may not be seen at -inf: where key > query. */
static const char *hide_the_future(kd_pt2 *p, const char *scores, int64_t n_queries, int64_t n_keys)
{
    const char *queries = kd_pt2_emit(p, "aten.arange.start_step", "0, %" PRId64 ", 1, \"i64\"", n_queries);
    const char *keys = kd_pt2_emit(p, "aten.arange.start_step", "0, %" PRId64 ", 1, \"i64\"", n_keys);
    const char *column = kd_pt2_emit(p, "aten.unsqueeze.default", "%s, 1", queries);
    const char *hidden = kd_pt2_emit(p, "aten.gt.Tensor", "%s, %s", keys, column);
    return kd_pt2_emit(p, "aten.masked_fill.Scalar", "%s, %s, \"-inf\"", scores, hidden);
}

static const char *apply_mask(kd_pt2 *p, const char *scores, const kd_pt2_value *mask)
{
    if (mask->type.type != KD_I1)
        return kd_pt2_emit(p, "aten.add.Tensor", "%s, %s", scores, kd_pt2_ref(p, mask));
    const char *hidden = kd_pt2_emit(p, "aten.logical_not.default", "%s", kd_pt2_ref(p, mask));
    return kd_pt2_emit(p, "aten.masked_fill.Scalar", "%s, %s, \"-inf\"", scores, hidden);
}

/* softmax(q * k^T * scale + mask) * v. A row that the mask hides whole is NaN here, and 0 in newer versions of PyTorch. */
static kd_status attention(kd_pt2 *p)
{
    const kd_pt2_value *q = kd_pt2_arg_tensor(p, "query"), *k = kd_pt2_arg_tensor(p, "key"), *v = kd_pt2_arg_tensor(p, "value");
    const kd_pt2_value *mask = kd_pt2_arg_tensor(p, "attn_mask"), *result = kd_pt2_result(p, 0);
    if (!q || !k || !v)
        return no_tensor(p);
    unsigned n = q->type.n_dims;
    if (n < 3 || k->type.n_dims != n || v->type.n_dims != n || result->type.n_dims != n)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "attention of tensors with different numbers of dimensions, or fewer than 3");
    if (kd_pt2_arg_bool(p, "enable_gqa") || strcmp(kd_pt2_arg_text(p, "dropout_p", "0.0"), "0.0") != 0)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "attention with dropout or with grouped queries is not supported yet");
    const int64_t *batch = result->type.shape;
    int64_t n_queries = q->type.shape[n - 2], n_keys = k->type.shape[n - 2], depth = q->type.shape[n - 1],
            shape[KD_TENSOR_MAX_DIMS];
    kd_tensor_type transposed = k->type;
    transposed.shape[n - 2] = k->type.shape[n - 1];
    transposed.shape[n - 1] = n_keys;
    memcpy(shape, batch, sizeof shape);
    shape[n - 1] = n_keys;
    const char *kt = kd_pt2_emit(p, "aten.transpose.int", "%s, -2, -1", kd_pt2_ref(p, k));
    const char *scores = kd_pt2_emit(p, "aten.bmm.default", "%s, %s", as_batch(p, kd_pt2_ref(p, q), &q->type, batch, n - 2),
                                     as_batch(p, kt, &transposed, batch, n - 2));
    scores = contiguous_reshape(p, scores, shape, n);
    const char *scale = kd_pt2_arg_text(p, "scale", NULL);
    scale = scale ? scale : kd_pt2_number(p, depth > 0 ? 1 / sqrt((double)depth) : 1);
    scores = kd_pt2_emit(p, "aten.mul.Tensor", "%s, %s", scores, scale);
    scores = mask                              ? apply_mask(p, scores, mask)
             : kd_pt2_arg_bool(p, "is_causal") ? hide_the_future(p, scores, n_queries, n_keys)
                                               : scores;
    const char *weights = kd_pt2_emit(p, "aten._softmax.default", "%s, -1, false", scores);
    kd_tensor_type weights_type = {.n_dims = n};
    memcpy(weights_type.shape, shape, sizeof shape);
    const char *sum = kd_pt2_emit(p, "aten.bmm.default", "%s, %s", as_batch(p, weights, &weights_type, batch, n - 2),
                                  as_batch(p, kd_pt2_ref(p, v), &v->type, batch, n - 2));
    kd_pt2_emit_result(p, 0, "aten.reshape.default", "%s, %s", sum, shape_text(p, result));
    return KD_OK;
}

/* ---- others ---- */

static kd_status relu6(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    kd_pt2_emit_result(p, 0, "aten.hardtanh.default", "%s, 0, 6", kd_pt2_ref(p, self));
    return KD_OK;
}

static kd_status square(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    kd_pt2_emit_result(p, 0, "aten.mul.Tensor", "%s, %s", kd_pt2_ref(p, self), kd_pt2_ref(p, self));
    return KD_OK;
}

static kd_status where(kd_pt2 *p)
{
    return kd_pt2_emit_same(p, "aten.where.self");
}

static kd_status pad(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    if (!kd_pt2_arg_is(p, "mode", "constant") && strcmp(kd_pt2_arg_text(p, "mode", ""), "") != 0)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "padding of the mode %s is not supported yet", kd_pt2_arg_text(p, "mode", ""));
    kd_pt2_emit_result(p, 0, "aten.constant_pad_nd.default", "%s, %s, %s", kd_pt2_ref(p, self), kd_pt2_arg_text(p, "pad", "[]"),
                       kd_pt2_arg_text(p, "value", "0.0"));
    return KD_OK;
}

/* Assertions about shapes and types, which are known. */
static kd_status nothing(kd_pt2 *p)
{
    (void)p;
    return KD_OK;
}

/* ---- the table ---- */

typedef struct rule {
    const char *op;
    kd_status (*translate)(kd_pt2 *p);
    kd_pt2_sharing sharing;
} rule;

static const rule RULES[] = {
    {"aten.conv1d.default", convolution, KD_PT2_OWN},
    {"aten.conv2d.default", convolution, KD_PT2_OWN},
    {"aten.conv3d.default", convolution, KD_PT2_OWN},
    {"aten.conv1d.padding", convolution, KD_PT2_OWN},
    {"aten.conv2d.padding", convolution, KD_PT2_OWN},
    {"aten.conv3d.padding", convolution, KD_PT2_OWN},
    {"aten.max_pool2d.default", max_pool, KD_PT2_OWN},
    {"aten.adaptive_avg_pool2d.default", adaptive_pool, KD_PT2_OWN},
    {"aten.batch_norm.default", batch_norm, KD_PT2_OWN},
    {"aten.layer_norm.default", layer_norm, KD_PT2_OWN},
    {"aten.group_norm.default", group_norm, KD_PT2_OWN},
    {"aten.softmax.int", softmax, KD_PT2_OWN},
    {"aten.log_softmax.int", softmax, KD_PT2_OWN},
    {"aten.linear.default", linear, KD_PT2_OWN},
    {"aten.matmul.default", matmul, KD_PT2_OWN},
    {"aten.scaled_dot_product_attention.default", attention, KD_PT2_OWN},
    {"aten.relu6.default", relu6, KD_PT2_OWN},
    {"aten.square.default", square, KD_PT2_OWN},
    {"aten.where.Scalar", where, KD_PT2_OWN},
    {"aten.where.ScalarSelf", where, KD_PT2_OWN},
    {"aten.where.ScalarOther", where, KD_PT2_OWN},
    {"aten.pad.default", pad, KD_PT2_OWN},
    {"aten.stack.default", stack, KD_PT2_OWN},
    {"aten.zeros.default", zeros, KD_PT2_OWN},
    {"aten.zeros_like.default", zeros, KD_PT2_OWN},
    {"aten.new_zeros.default", zeros, KD_PT2_OWN},
    {"aten.ones.default", ones, KD_PT2_OWN},
    {"aten.ones_like.default", ones, KD_PT2_OWN},
    {"aten.new_ones.default", ones, KD_PT2_OWN},
    {"aten.full_like.default", full, KD_PT2_OWN},
    {"aten.new_full.default", full, KD_PT2_OWN},
    {"aten.scalar_tensor.default", full, KD_PT2_OWN},
    {"aten.zero.default", zeros, KD_PT2_OWN},
    {"aten.fill.Scalar", full, KD_PT2_OWN},
    {"aten.arange.default", arange, KD_PT2_OWN},
    {"aten.arange.start", arange, KD_PT2_OWN},
    {"aten.dropout.default", dropout, KD_PT2_SAME},
    {"aten.feature_dropout.default", dropout, KD_PT2_SAME},
    {"aten.contiguous.default", as_alias, KD_PT2_SAME},
    {"aten.lift_fresh_copy.default", as_alias, KD_PT2_OWN},
    {"aten.detach.default", as_alias, KD_PT2_SAME},
    {"aten.to.dtype", to_type, KD_PT2_SAME},
    {"aten.to.dtype_layout", to_type, KD_PT2_SAME},
    {"aten.to.device", to_type, KD_PT2_SAME},
    {"aten.to.other", to_type, KD_PT2_SAME},
    {"aten.type_as.default", to_type, KD_PT2_SAME},
    {"aten.expand_as.default", as_alias, KD_PT2_VIEW},
    {"aten.flatten.using_ints", reshape, KD_PT2_VIEW},
    {"aten.unflatten.int", reshape, KD_PT2_VIEW},
    {"aten.view_as.default", reshape, KD_PT2_VIEW},
    {"aten.reshape_as.default", reshape, KD_PT2_VIEW},
    {"aten.squeeze.default", reshape, KD_PT2_VIEW},
    {"aten.mT.default", transpose_last, KD_PT2_VIEW},
    {"aten.chunk.default", pieces, KD_PT2_VIEW},
    {"aten.unsafe_chunk.default", pieces, KD_PT2_OWN},
    {"aten.tensor_split.sections", pieces, KD_PT2_VIEW},
    {"aten.split.sizes", pieces, KD_PT2_VIEW},
    {"aten.unbind.int", unbind, KD_PT2_VIEW},
    {"aten._assert_tensor_metadata.default", nothing, KD_PT2_OWN},
    {"aten._assert_async.msg", nothing, KD_PT2_OWN},
    {"aten.sym_constrain_range_for_size.default", nothing, KD_PT2_OWN},
};

static const rule *find_rule(const kd_pt2 *p)
{
    for (unsigned i = 0; i < sizeof RULES / sizeof *RULES; i++)
        if (is_op(p, RULES[i].op))
            return &RULES[i];
    return NULL;
}

kd_status kd_pt2_translate(kd_pt2 *p)
{
    const rule *r = find_rule(p);
    if (!r || kd_gop_find(kd_str_of(p->op)))
        return kd_pt2_emit_same(p, p->op);
    if (r->translate != nothing && !kd_pt2_result(p, 0))
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the node has no result");
    return r->translate(p);
}

kd_pt2_sharing kd_pt2_shares(const kd_pt2 *p)
{
    const rule *r = find_rule(p);
    const kd_gop *op = kd_gop_find(kd_str_of(p->op));
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self"), *result = kd_pt2_result(p, 0);
    kd_pt2_sharing sharing = r ? r->sharing : op && op->lowering == KD_LOWER_VIEW ? KD_PT2_VIEW : KD_PT2_OWN;
    /* A conversion, or an order in memory, that is there already makes no copy; any other does. */
    if (sharing == KD_PT2_SAME && self && result &&
        (self->type.type != result->type.type || kd_pt2_arg_bool(p, "copy") ||
         memcmp(self->type.strides, result->type.strides, sizeof self->type.strides) != 0))
        return KD_PT2_OWN;
    return sharing;
}
