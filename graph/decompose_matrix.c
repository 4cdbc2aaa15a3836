/* decompose_matrix.c - compositions around matrix products, convolutions and attention. */
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

void decompose_finish_shaped(kd_decomposer *d, kd_gvalue *value)
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
    if (bias && !kd_scalar_is_float(rows->type.type)) {
        decompose_finish_shaped(d, build_two(d, KD_GOP_add, build_two(d, KD_GOP_mm, rows, weight), bias));
        return;
    }
    decompose_finish_shaped(
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
    decompose_finish_shaped(d, b->type.n_dims == 2 ? build_two(d, KD_GOP_mm, as_rows(d, a), b)
                                                   : batched_product(d, a, b, n_batch, result->shape));
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
    decompose_finish_shaped(d, BUILD(d, flash_attention, kd_garg_value(query), kd_garg_value(key), kd_garg_value(value), mask,
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
    decompose_finish_shaped(d, n_batch ? batched_product(d, weights, value, n_batch, q->shape)
                                       : build_two(d, KD_GOP_mm, weights, value));
    if (d->of->n_results > 1 && d->of->results[1]->n_uses)
        finish_sums(d, scores);
}
