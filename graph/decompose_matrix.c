/* decompose_matrix.c - compositions around matrix products, pooling and attention. */
#include "graph/decompose_impl.h"

#include <math.h>

/* ---- products ---- */

void kd_decompose_addmm(kd_decomposer *d)
{
    kd_gvalue *bias = decompose_operand(d, 0), *product = build_two(d, KD_GOP_mm, decompose_operand(d, 1), decompose_operand(d, 2));
    if (kd_gnode_number(d->of, 4, 1) != 1)
        product = BUILD(d, mul_scalar, kd_garg_value(product), d->of->args[4]);
    decompose_finish(d, 0, BUILD(d, add, kd_garg_value(product), kd_garg_value(bias), d->of->args[3]));
}

void kd_decompose_baddbmm(kd_decomposer *d)
{
    kd_gvalue *product = build_two(d, KD_GOP_bmm, decompose_operand(d, 1), decompose_operand(d, 2));
    if (kd_gnode_number(d->of, 4, 1) != 1)
        product = BUILD(d, mul_scalar, kd_garg_value(product), d->of->args[4]);
    if (kd_gnode_number(d->of, 3, 1) != 0) /* else self may hold anything */
        product = BUILD(d, add, kd_garg_value(product), kd_garg_value(decompose_operand(d, 0)), d->of->args[3]);
    decompose_finish(d, 0, product);
}

/* All dimensions but the last as one. */
static kd_gvalue *as_rows(kd_decomposer *d, kd_gvalue *x)
{
    int64_t n = x->type.shape[x->type.n_dims - 1], rows = 1;
    for (unsigned i = 0; i + 1 < x->type.n_dims; i++)
        rows *= x->type.shape[i];
    return x->type.n_dims == 2 ? x : build_view(d, x, 2, (int64_t[]){rows, n});
}

/* Where the value is a result's already, but for a reshape. */
static void finish_as(kd_decomposer *d, kd_gvalue *value)
{
    const kd_gvalue *old = d->of->results[0];
    kd_gvalue *shaped =
        kd_tensor_same_shape(&value->type, &old->type) ? value : build_view(d, value, old->type.n_dims, old->type.shape);
    shaped->name = old->name;
    d->map[old->id] = shaped;
}

void kd_decompose_linear(kd_decomposer *d)
{
    kd_gvalue *rows = as_rows(d, decompose_operand(d, 0)), *weight = build_one(d, KD_GOP_t, decompose_operand(d, 1)),
              *bias = decompose_operand(d, 2);
    finish_as(
        d, bias ? BUILD(d, addmm, kd_garg_value(bias), kd_garg_value(rows), kd_garg_value(weight), kd_garg_int(1), kd_garg_int(1))
                : build_two(d, KD_GOP_mm, rows, weight));
}

/* [..., M, K] with the batch dimensions of another shape, as [batch, M, K]. */
static kd_gvalue *as_batch(kd_decomposer *d, kd_gvalue *x, unsigned n_batch, const int64_t *batch)
{
    int64_t shape[KD_TENSOR_MAX_DIMS], all = 1;
    for (unsigned i = 0; i < n_batch; i++)
        all *= shape[i] = batch[i];
    memcpy(shape + n_batch, x->type.shape + x->type.n_dims - 2, 2 * sizeof *shape);
    kd_gvalue *full = build_expand(d, x, n_batch + 2, shape);
    return n_batch == 1 ? full : build_view(d, full, 3, (int64_t[]){all, shape[n_batch], shape[n_batch + 1]});
}

static kd_gvalue *batched_product(kd_decomposer *d, kd_gvalue *a, kd_gvalue *b, unsigned n_batch, const int64_t *batch)
{
    return build_two(d, KD_GOP_bmm, as_batch(d, a, n_batch, batch), as_batch(d, b, n_batch, batch));
}

void kd_decompose_matmul(kd_decomposer *d)
{
    kd_gvalue *a = decompose_operand(d, 0), *b = decompose_operand(d, 1);
    const kd_tensor_type *result = &d->of->results[0]->type;
    unsigned n_batch = result->n_dims - (a->type.n_dims > 1) - (b->type.n_dims > 1);
    if (a->type.n_dims == 1)
        a = build_view(d, a, 2, (int64_t[]){1, a->type.shape[0]});
    if (b->type.n_dims == 1)
        b = build_view(d, b, 2, (int64_t[]){b->type.shape[0], 1});
    finish_as(d,
              b->type.n_dims == 2 ? build_two(d, KD_GOP_mm, as_rows(d, a), b) : batched_product(d, a, b, n_batch, result->shape));
}

void kd_decompose_conv(kd_decomposer *d)
{
    const kd_garg *args = d->of->args;
    int64_t none[3] = {0};
    finish_as(d, BUILD(d, convolution, kd_garg_value(decompose_operand(d, 0)), kd_garg_value(decompose_operand(d, 1)),
                       args[2].kind == KD_GARG_VALUE ? kd_garg_value(decompose_operand(d, 2)) : no_arg(), args[3], args[4], args[5],
                       bool_arg(false), ints_arg(d->arena, d->of->results[0]->type.n_dims - 2, none), args[6]));
}

/* ---- pooling ---- */

/* What the last two dimensions are seen through, with padding around them. pad: left, right, top, bottom. */
static kd_gvalue *windows_of(kd_decomposer *d, kd_gvalue *x, const int64_t pad[4], double padding, const int64_t size[2],
                             const int64_t stride[2], const int64_t dilation[2])
{
    if (pad[0] || pad[1] || pad[2] || pad[3])
        x = BUILD(d, pad, kd_garg_value(x), ints_arg(d->arena, 4, pad), kd_garg_float(padding));
    return BUILD(d, windows, kd_garg_value(x), ints_arg(d->arena, 2, size), ints_arg(d->arena, 2, stride),
                 ints_arg(d->arena, 2, dilation));
}

/* The largest elements of the windows: a reduction. */
static void max_pool_by_windows(kd_decomposer *d)
{
    kd_gvalue *x = decompose_operand(d, 0);
    const kd_tensor_type *t = &d->of->results[0]->type;
    int64_t size[2], stride[2], low[2], high[2], dilation[2], dims[2] = {-2, -1};
    unsigned n = x->type.n_dims;
    bool has_stride = d->of->args[2].kind == KD_GARG_INT || d->of->args[2].list.n;
    if (d->of->n_results > 1 && d->of->results[1]->n_uses) {
        decompose_fail(d, "the indices of the largest elements are not supported on this device yet");
        return;
    }
    (void)kd_gnode_spatial(d->of, 1, 2, size);
    (void)kd_gnode_spatial(d->of, has_stride ? 2 : 1, 2, stride);
    (void)kd_gnode_spatial(d->of, 3, 2, low);
    (void)kd_gnode_spatial(d->of, 4, 2, dilation);
    for (unsigned i = 0; i < 2; i++) {
        high[i] = (t->shape[n - 2 + i] - 1) * stride[i] + dilation[i] * (size[i] - 1) + 1 - x->type.shape[n - 2 + i] - low[i];
        high[i] = high[i] < 0 ? 0 : high[i];
    }
    kd_gvalue *windows = windows_of(d, x, (int64_t[]){low[1], high[1], low[0], high[0]}, -INFINITY, size, stride, dilation);
    decompose_finish(d, 0, BUILD(d, amax, kd_garg_value(windows), ints_arg(d->arena, 2, dims), bool_arg(false)));
}

void kd_decompose_max_pool2d(kd_decomposer *d)
{
    kd_garg args[KD_GOP_MAX_PARAMS] = {
        kd_garg_value(decompose_operand(d, 0)), d->of->args[1], d->of->args[2], d->of->args[3], d->of->args[4], d->of->args[5]};
    if (d->on_gpu)
        max_pool_by_windows(d);
    else
        finish_as(d, decompose_build(d, KD_GOP_max_pool2d, 2, args));
}

/* The sums of the windows of the last two dimensions. */
static kd_gvalue *window_sums(kd_decomposer *d, kd_gvalue *x, const int64_t pad[4], const int64_t size[2], const int64_t stride[2])
{
    int64_t ones[2] = {1, 1}, dims[2] = {-2, -1};
    kd_gvalue *windows = windows_of(d, x, pad, 0, size, stride, ones);
    return BUILD(d, sum, kd_garg_value(windows), ints_arg(d->arena, 2, dims), bool_arg(false), no_arg());
}

void kd_decompose_avg_pool2d(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0);
    const kd_tensor_type *t = &d->of->results[0]->type;
    int64_t size[2], stride[2], low[2], high[2], beyond[2], in[2];
    bool has_stride = d->of->args[2].kind == KD_GARG_INT || d->of->args[2].list.n, counts_padding = kd_gnode_bool(d->of, 5);
    (void)kd_gnode_spatial(d->of, 1, 2, size);
    (void)kd_gnode_spatial(d->of, has_stride ? 2 : 1, 2, stride);
    (void)kd_gnode_spatial(d->of, 3, 2, low);
    for (unsigned i = 0; i < 2; i++) {
        in[i] = x->type.shape[i + 2];
        high[i] = (t->shape[i + 2] - 1) * stride[i] + size[i] - in[i] - low[i];
        high[i] = high[i] < 0 ? 0 : high[i];
        beyond[i] = high[i] > low[i] ? high[i] - low[i] : 0; /* by ceil mode: no padding that counts */
    }
    kd_gvalue *sum = window_sums(d, x, (int64_t[]){low[1], high[1], low[0], high[0]}, size, stride);
    bool is_even = counts_padding ? !beyond[0] && !beyond[1] : !low[0] && !low[1] && !high[0] && !high[1];
    if (kd_gnode_has(d->of, 6) || is_even) {
        double n = kd_gnode_has(d->of, 6) ? kd_gnode_number(d->of, 6, 1) : (double)(size[0] * size[1]);
        decompose_finish(d, 0, build_with(d, KD_GOP_div_scalar, sum, n));
        return;
    }
    for (unsigned i = 0; i < 2 && counts_padding; i++) {
        in[i] += low[i] + (high[i] < low[i] ? high[i] : low[i]);
        high[i] = beyond[i];
        low[i] = 0;
    }
    kd_gvalue *one = BUILD(d, full, ints_arg(d->arena, 4, (int64_t[]){1, 1, in[0], in[1]}), kd_garg_float(1), text_arg("f32"));
    kd_gvalue *n = window_sums(d, one, (int64_t[]){low[1], high[1], low[0], high[0]}, size, stride);
    decompose_finish(d, 0, build_two(d, KD_GOP_div, sum, n));
}

/* The means of n parts of a dimension, which may overlap. */
static kd_gvalue *means_of_parts(kd_decomposer *d, kd_gvalue *x, int64_t dim, int64_t n)
{
    int64_t extent = x->type.shape[dim];
    kd_gvalue **parts = kd_arena_array(d->arena, kd_gvalue *, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        kd_gvalue *part = BUILD(d, slice, kd_garg_value(x), kd_garg_int(dim), kd_garg_int(i * extent / n),
                                kd_garg_int(((i + 1) * extent + n - 1) / n), kd_garg_int(1));
        parts[i] = build_mean(d, part, ints_arg(d->arena, 1, &dim), true);
    }
    return n == 1 ? parts[0] : BUILD(d, cat, values_arg(d->arena, (unsigned)n, parts), kd_garg_int(dim));
}

void kd_decompose_adaptive_pool2d(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0);
    const kd_tensor_type *t = &d->of->results[0]->type;
    unsigned n = t->n_dims;
    const int64_t *in = x->type.shape + n - 2, *out = t->shape + n - 2;
    int64_t dims[2] = {-2, -1}, none[4] = {0}, size[2] = {in[0] / out[0], in[1] / out[1]};
    if (out[0] == 1 && out[1] == 1) {
        decompose_finish(d, 0, build_mean(d, x, ints_arg(d->arena, 2, dims), true));
    } else if (in[0] % out[0] == 0 && in[1] % out[1] == 0) {
        decompose_finish(d, 0, build_with(d, KD_GOP_div_scalar, window_sums(d, x, none, size, size), (double)(size[0] * size[1])));
    } else {
        decompose_finish(d, 0, means_of_parts(d, means_of_parts(d, x, n - 2, out[0]), n - 1, out[1]));
    }
}

/* ---- attention ---- */

typedef struct attention {
    kd_gvalue *query, *key, *value, *mask; /* mask NULL: none */
    bool is_causal;
    double scale;
} attention;

static attention read_attention(kd_decomposer *d)
{
    attention a = {decompose_operand(d, 0), decompose_operand(d, 1), decompose_operand(d, 2), NULL, false, 0};
    unsigned mask = 3, causal = 5, scale = 6;
    switch (d->of->op->code) {
    case KD_GOP_attention_cpu: mask = 5, causal = 4; break;
    case KD_GOP_attention_flash: mask = KD_GOP_MAX_PARAMS, causal = 4; break;
    case KD_GOP_attention_efficient: causal = 6, scale = 7; break;
    case KD_GOP_attention_fused: scale = 7; break;
    default: break;
    }
    a.mask = decompose_operand(d, mask);
    a.is_causal = kd_gnode_bool(d->of, causal);
    a.scale = kd_gnode_number(d->of, scale, 1 / sqrt((double)a.query->type.shape[a.query->type.n_dims - 1]));
    return a;
}

/* Key or value with a head for each of the query's. */
static kd_gvalue *with_heads(kd_decomposer *d, kd_gvalue *x, const kd_gvalue *query)
{
    const kd_tensor_type *t = &x->type;
    if (t->n_dims != 4 || t->shape[1] == query->type.shape[1])
        return x;
    int64_t heads = query->type.shape[1], each = heads / t->shape[1];
    kd_gvalue *apart = build_view(d, x, 5, (int64_t[]){t->shape[0], t->shape[1], 1, t->shape[2], t->shape[3]});
    kd_gvalue *all = build_expand(d, apart, 5, (int64_t[]){t->shape[0], t->shape[1], each, t->shape[2], t->shape[3]});
    return build_view(d, all, 4, (int64_t[]){t->shape[0], heads, t->shape[2], t->shape[3]});
}

static kd_gvalue *masked(kd_decomposer *d, const attention *a, kd_gvalue *scores)
{
    unsigned n = scores->type.n_dims;
    if (a->mask && a->mask->type.type == KD_I1)
        scores = build_where(d, a->mask, scores, kd_garg_float(-INFINITY));
    else if (a->mask)
        scores = build_two(d, KD_GOP_add, scores, build_convert(d, a->mask, scores->type.type));
    if (a->is_causal) {
        kd_gvalue *rows = build_places(d, n, n - 2, scores->type.shape[n - 2]),
                  *cols = build_places(d, n, n - 1, scores->type.shape[n - 1]);
        scores = build_where(d, build_two(d, KD_GOP_le, cols, rows), scores, kd_garg_float(-INFINITY));
    }
    return scores;
}

/* The logarithms of the sums of each row, for those who compute gradients. */
static void finish_sums(kd_decomposer *d, kd_gvalue *scores)
{
    int64_t last = -1;
    kd_garg over = ints_arg(d->arena, 1, &last);
    kd_gvalue *peak = BUILD(d, peak, kd_garg_value(scores), over, bool_arg(true));
    kd_gvalue *power = build_one(d, KD_GOP_exp, build_two(d, KD_GOP_sub, scores, peak));
    kd_gvalue *sum = BUILD(d, sum, kd_garg_value(power), over, bool_arg(true), no_arg());
    const kd_tensor_type *t = &d->of->results[1]->type;
    decompose_finish(d, 1, build_view(d, build_two(d, KD_GOP_add, build_one(d, KD_GOP_log, sum), peak), t->n_dims, t->shape));
}

enum { MAX_WIDTH = 256 };

/* With a 1 for each dimension that is missing in front. */
static kd_gvalue *four_dims(kd_decomposer *d, kd_gvalue *x)
{
    int64_t shape[4] = {1, 1, 1, 1};
    unsigned n = x->type.n_dims;
    memcpy(shape + 4 - n, x->type.shape, n * sizeof *shape);
    return n == 4 ? x : build_view(d, x, 4, shape);
}

/* As one kernel. False, and nothing done: it cannot be. */
static bool attend_at_once(kd_decomposer *d, const attention *a)
{
    const kd_tensor_type *q = &a->query->type, *v = &a->value->type;
    unsigned n = q->n_dims;
    bool wants_sums = d->of->n_results > 1 && d->of->results[1]->n_uses,
         is_small = q->shape[n - 1] <= MAX_WIDTH && v->shape[n - 1] <= MAX_WIDTH;
    if (wants_sums || !is_small || !kd_scalar_is_float(q->type) || q->type == KD_F64 || !kd_tensor_n_elems(q) ||
        !kd_tensor_n_elems(v))
        return false;
    kd_gvalue *query = four_dims(d, a->query), *key = four_dims(d, a->key), *value = four_dims(d, a->value);
    kd_garg mask = no_arg();
    if (a->mask) {
        int64_t shape[4] = {query->type.shape[0], query->type.shape[1], query->type.shape[2], key->type.shape[2]};
        mask = kd_garg_value(build_expand(d, a->mask, 4, shape));
    }
    finish_as(d, BUILD(d, flash_attention, kd_garg_value(query), kd_garg_value(key), kd_garg_value(value), mask,
                       bool_arg(a->is_causal), kd_garg_float(a->scale)));
    kd_gvalue *result = d->map[d->of->results[0]->id];
    if (result->def->op->code == KD_GOP_flash_attention)
        memcpy(result->type.strides, d->of->results[0]->type.strides, sizeof result->type.strides);
    return true;
}

void kd_decompose_attention(kd_decomposer *d)
{
    attention a = read_attention(d);
    if (attend_at_once(d, &a))
        return;
    const kd_tensor_type *q = &a.query->type;
    unsigned n = q->n_dims, n_batch = n - 2;
    kd_gvalue *key = with_heads(d, a.key, a.query), *value = with_heads(d, a.value, a.query), *product;
    key = BUILD(d, transpose, kd_garg_value(key), kd_garg_int(-2), kd_garg_int(-1));
    product = n_batch ? batched_product(d, a.query, key, n_batch, q->shape) : build_two(d, KD_GOP_mm, a.query, key);
    int64_t shape[KD_TENSOR_MAX_DIMS];
    memcpy(shape, q->shape, sizeof shape);
    shape[n - 1] = key->type.shape[n - 1];
    kd_gvalue *scores = build_view(d, product, n, shape);
    scores = build_convert(d, scores, kd_scalar_bytes(q->type) < 4 ? KD_F32 : q->type);
    scores = masked(d, &a, build_with(d, KD_GOP_mul_scalar, scores, a.scale));
    kd_gvalue *weights = build_convert(d, build_softmax(d, scores, -1, a.mask != NULL), q->type);
    finish_as(d, n_batch ? batched_product(d, weights, value, n_batch, q->shape) : build_two(d, KD_GOP_mm, weights, value));
    if (d->of->n_results > 1 && d->of->results[1]->n_uses)
        finish_sums(d, scores);
}
