/* decompose_order.c - compositions around the order of elements: positions of extremes, the largest few, sorting, searching.
 *
 * A sorted row is found without moving anything: the place of each element is the number of those that come before it. With n elements in a row
 * that is n comparisons for each, in one kernel, which up to a thousand is as fast as sorting. */
#include "graph/decompose_impl.h"

#include <math.h>

kd_garg least_arg(kd_scalar type)
{
    unsigned bits = 8 * kd_scalar_bytes(type);
    if (kd_scalar_is_float(type))
        return kd_garg_float(-INFINITY);
    return kd_garg_int(kd_scalar_is_unsigned(type) ? 0 : INT64_MIN >> (64 - bits));
}

kd_garg most_arg(kd_scalar type)
{
    unsigned bits = 8 * kd_scalar_bytes(type) - !kd_scalar_is_unsigned(type);
    if (kd_scalar_is_float(type))
        return kd_garg_float(INFINITY);
    return kd_garg_int(bits > 63 ? INT64_MAX : (int64_t)((UINT64_C(1) << bits) - 1));
}

kd_gvalue *build_order(kd_decomposer *d, kd_gvalue *x, bool largest, bool nan_first)
{
    if (x->type.type == KD_I1)
        x = build_convert(d, x, KD_I32);
    if (!kd_scalar_is_float(x->type.type))
        return largest ? x : build_one(d, KD_GOP_bitwise_not, x); /* -x - 1 has no overflow */
    x = kd_scalar_bytes(x->type.type) < 4 ? build_convert(d, x, KD_F32) : x;
    kd_gvalue *order = build_one(d, KD_GOP_order, x);
    if (largest)
        return order;
    order = build_one(d, KD_GOP_bitwise_not, order);
    return nan_first
               ? BUILD(d, where, kd_garg_value(build_one(d, KD_GOP_isnan, x)), most_arg(order->type.type), kd_garg_value(order))
               : order;
}

kd_gvalue *build_first_largest(kd_decomposer *d, kd_gvalue *x, kd_gvalue *left, kd_gvalue *places, int64_t dim)
{
    kd_garg over = ints_arg(d->arena, 1, &dim);
    kd_gvalue *candidates = left ? build_where(d, left, x, least_arg(x->type.type)) : x;
    kd_gvalue *hit = build_two(d, KD_GOP_eq, candidates, BUILD(d, peak, kd_garg_value(candidates), over, bool_arg(true)));
    hit = left ? build_two(d, KD_GOP_logical_and, hit, left) : hit; /* one that is left may be the least number itself */
    return BUILD(d, amin, kd_garg_value(build_where(d, hit, places, kd_garg_int(x->type.shape[dim]))), over, bool_arg(true));
}

void kd_decompose_position(kd_decomposer *d)
{
    bool with_values = d->of->n_results == 2;
    kd_gvalue *x = decompose_operand(d, 0);
    kd_gop_code code = d->of->op->code;
    if (!kd_gnode_has(d->of, 1) || !x->type.n_dims)
        x = build_flat(d, x);
    int64_t dim = kd_gnode_has(d->of, 1) ? kd_gnode_dim(kd_gnode_int(d->of, 1, 0), x->type.n_dims) : 0;
    bool is_max = code == KD_GOP_argmax || code == KD_GOP_max_dim;
    kd_gvalue *places = build_places(d, x->type.n_dims, (unsigned)dim, x->type.shape[dim]);
    kd_gvalue *at = build_first_largest(d, build_order(d, x, is_max, true), NULL, places, dim);
    const kd_tensor_type *t = &d->of->results[with_values]->type;
    decompose_finish(d, with_values, build_convert(d, build_view(d, at, t->n_dims, t->shape), KD_I64));
    if (!with_values)
        return;
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(x), ints_arg(d->arena, 1, &dim), bool_arg(true)};
    kd_gvalue *value = decompose_build(d, is_max ? KD_GOP_amax : KD_GOP_amin, 1, args);
    decompose_finish(d, 0, build_view(d, value, t->n_dims, t->shape));
}

/* ---- sorting ---- */

/* The indices, i32, of the first k elements along the last dimension by their order, equal ones as they stand. */
static kd_gvalue *first_by_order(kd_decomposer *d, kd_gvalue *order, int64_t k)
{
    unsigned n_dims = order->type.n_dims + 1;
    int64_t n = order->type.shape[n_dims - 2], last = -1;
    kd_garg over = ints_arg(d->arena, 1, &last);
    kd_gvalue *row = BUILD(d, unsqueeze, kd_garg_value(order), kd_garg_int(-1)),
              *other = BUILD(d, unsqueeze, kd_garg_value(order), kd_garg_int(-2));
    kd_gvalue *row_at = build_places(d, n_dims, n_dims - 2, n), *other_at = build_places(d, n_dims, n_dims - 1, n);
    kd_gvalue *is_before =
        build_two(d, KD_GOP_logical_or, build_two(d, KD_GOP_gt, other, row),
                  build_two(d, KD_GOP_logical_and, build_two(d, KD_GOP_eq, other, row), build_two(d, KD_GOP_lt, other_at, row_at)));
    kd_gvalue *rank = BUILD(d, sum, kd_garg_value(build_convert(d, is_before, KD_I32)), over, bool_arg(false), text_arg("i32"));
    kd_gvalue *hit =
        build_two(d, KD_GOP_eq, BUILD(d, unsqueeze, kd_garg_value(rank), kd_garg_int(-2)), build_places(d, n_dims, n_dims - 2, k));
    return BUILD(d, sum, kd_garg_value(build_where(d, hit, other_at, kd_garg_int(0))), over, bool_arg(false), text_arg("i32"));
}

/* Sets results to the first k elements along a dimension, and to their indices. */
static void finish_sorted(kd_decomposer *d, int64_t dim, int64_t k, bool largest)
{
    kd_gvalue *x = decompose_operand(d, 0), *row = x->type.n_dims ? x : build_flat(d, x);
    kd_garg from = kd_garg_int(dim), last = kd_garg_int(-1);
    kd_gvalue *order = build_order(d, row, largest, largest);
    kd_gvalue *indices = first_by_order(d, BUILD(d, transpose, kd_garg_value(order), from, last), k);
    indices = BUILD(d, transpose, kd_garg_value(indices), from, last);
    unsigned n = d->of->n_results;
    const kd_tensor_type *t = &d->of->results[n - 1]->type;
    if (n == 2)
        decompose_finish(d, 0,
                         build_view(d, BUILD(d, gather, kd_garg_value(row), from, kd_garg_value(indices)), t->n_dims, t->shape));
    decompose_finish(d, n - 1, build_convert(d, build_view(d, indices, t->n_dims, t->shape), KD_I64));
}

void kd_decompose_sort(kd_decomposer *d)
{
    unsigned at = d->of->op->code == KD_GOP_sort_stable ? 2 : 1;
    kd_gvalue *x = decompose_operand(d, 0);
    int64_t dim = kd_gnode_dim(kd_gnode_int(d->of, at, -1), x->type.n_dims);
    finish_sorted(d, dim, x->type.n_dims ? x->type.shape[dim] : 1, kd_gnode_bool(d->of, at + 1));
}

/* One after the other, where there are few; what was found no longer takes part. */
static void find_one_by_one(kd_decomposer *d, kd_gvalue *x, int64_t dim, int64_t k, bool largest)
{
    kd_gvalue *order = build_order(d, x, largest, largest),
              *places = build_places(d, x->type.n_dims, (unsigned)dim, x->type.shape[dim]), *left = NULL,
              **at = kd_arena_array(d->arena, kd_gvalue *, (size_t)k);
    for (int64_t i = 0; i < k; i++) {
        at[i] = build_first_largest(d, order, left, places, dim);
        kd_gvalue *others = build_two(d, KD_GOP_ne, places, at[i]);
        left = left ? build_two(d, KD_GOP_logical_and, left, others) : others;
    }
    kd_gvalue *indices = BUILD(d, cat, values_arg(d->arena, (unsigned)k, at), kd_garg_int(dim));
    decompose_finish(d, 1, build_convert(d, indices, KD_I64));
    decompose_finish(d, 0, BUILD(d, gather, kd_garg_value(x), kd_garg_int(dim), kd_garg_value(indices)));
}

void kd_decompose_topk(kd_decomposer *d)
{
    kd_gvalue *x = decompose_operand(d, 0);
    int64_t dim = kd_gnode_dim(kd_gnode_int(d->of, 2, -1), x->type.n_dims), k = d->of->results[0]->type.shape[dim];
    bool largest = kd_gnode_bool(d->of, 3);
    if (!k) {
        decompose_finish(d, 0, BUILD(d, slice, kd_garg_value(x), kd_garg_int(dim), kd_garg_int(0), kd_garg_int(0), kd_garg_int(1)));
        decompose_finish(d, 1, build_convert(d, d->map[d->of->results[0]->id], KD_I64));
    } else if (k <= KD_GRAPH_FEW) {
        find_one_by_one(d, x, dim, k, largest);
    } else {
        finish_sorted(d, dim, k, largest);
    }
}

/* ---- searching ---- */

/* How many boundaries are below each element; with 'right', or at it. A NaN is above all. */
void kd_decompose_bucketize(kd_decomposer *d)
{
    bool is_search = d->of->op->code == KD_GOP_searchsorted;
    kd_gvalue *x = decompose_operand(d, is_search ? 1 : 0), *bounds = decompose_operand(d, is_search ? 0 : 1);
    bool right = kd_gnode_bool(d->of, 3) || (is_search && kd_gnode_has(d->of, 4) && strcmp(d->of->args[4].text, "right") == 0);
    int64_t last = -1;
    kd_gvalue *each = BUILD(d, unsqueeze, kd_garg_value(x), kd_garg_int(-1));
    if (bounds->type.n_dims > 1)
        bounds = BUILD(d, unsqueeze, kd_garg_value(bounds), kd_garg_int(-2));
    kd_gvalue *is_below = build_one(d, KD_GOP_logical_not, build_two(d, right ? KD_GOP_gt : KD_GOP_ge, bounds, each));
    kd_gvalue *n = BUILD(d, sum, kd_garg_value(build_convert(d, is_below, KD_I32)), ints_arg(d->arena, 1, &last), bool_arg(false),
                         text_arg("i32"));
    decompose_finish(d, 0, build_convert(d, n, d->of->results[0]->type.type));
}
