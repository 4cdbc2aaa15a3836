/* decompose_order.c - compositions around the order of elements: positions of extremes, the largest few, sorting, searching.
 *
 * What is sorted are whole numbers of 64 bits, an element's order above its place in the row: equal elements stay as they stand, and where an
 * element came from is read off the sorted number. */
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

/* ---- the k-th smallest ---- */

kd_gvalue *build_kth(kd_decomposer *d, kd_gvalue *order, int64_t dim, kd_garg k)
{
    kd_scalar type = order->type.type, wide = kd_scalar_bytes(type) < 4 ? KD_I32 : type == KD_U32 ? KD_I64 : type;
    unsigned bits = type == KD_I1 ? 1 : 8 * kd_scalar_bytes(type);
    int64_t shape[KD_TENSOR_MAX_DIMS], least = least_arg(type).i;
    memcpy(shape, order->type.shape, sizeof shape);
    shape[dim] = 1;
    order = build_convert(d, order, wide);
    kd_garg sizes = ints_arg(d->arena, order->type.n_dims, shape), name = text_arg(kd_scalar_name(wide)), over = ints_arg(d->arena, 1, &dim);
    kd_gvalue *found = BUILD(d, full, sizes, kd_garg_int(least), name);
    for (unsigned b = bits; b-- > 0;) { /* from the highest bit down: set, if at most k elements are less */
        kd_gvalue *next = least && b == bits - 1 ? BUILD(d, full, sizes, kd_garg_int(0), name)
                                                 : BUILD(d, add_scalar, kd_garg_value(found), kd_garg_int(INT64_C(1) << b), kd_garg_int(1));
        kd_gvalue *is_less = build_convert(d, build_two(d, KD_GOP_lt, order, next), KD_I32);
        kd_gvalue *n_less = BUILD(d, sum, kd_garg_value(is_less), over, bool_arg(true), text_arg("i32"));
        kd_gvalue *is_set = k.kind == KD_GARG_VALUE ? build_two(d, KD_GOP_le, n_less, k.value) : BUILD(d, le_scalar, kd_garg_value(n_less), k);
        found = build_where(d, is_set, next, kd_garg_value(found));
    }
    return found;
}

/* ---- sorting ---- */

/* Rows of which few elements are looked for before they are sorted; and of how many. */
enum { LONG_ROW = 1024, FEW_OF = 16 };

/* Numbers in which the lower half is an element's place in its row and the upper one is of i32; those of a row are all different. */
static kd_gvalue *pack(kd_decomposer *d, kd_gvalue *upper)
{
    unsigned n_dims = upper->type.n_dims;
    kd_gvalue *shifted = BUILD(d, mul_scalar, kd_garg_value(upper), kd_garg_int(INT64_C(1) << 32));
    return build_two(d, KD_GOP_add, shifted, build_places(d, n_dims, n_dims - 1, upper->type.shape[n_dims - 1]));
}

static kd_gvalue *lower_half(kd_decomposer *d, kd_gvalue *packed)
{
    return BUILD(d, bitwise_and_scalar, kd_garg_value(packed), kd_garg_int(UINT32_MAX));
}

static kd_gvalue *sort_rows(kd_decomposer *d, kd_gvalue *packed)
{
    return BUILD(d, sorted, kd_garg_value(packed), kd_garg_int(-1));
}

/* The indices, i64, of the elements along the last dimension by their order, equal ones as they stand. An order of 64 bits is sorted by its lower
 * half first, and then, equal ones as that leaves them, by the upper one. */
static kd_gvalue *all_by_order(kd_decomposer *d, kd_gvalue *order)
{
    kd_scalar type = order->type.type;
    kd_gvalue *key = build_one(d, KD_GOP_bitwise_not, build_convert(d, order, KD_I64));
    if (type == KD_U64)
        key = BUILD(d, bitwise_xor_scalar, kd_garg_value(key), kd_garg_int(INT64_MIN));
    if (kd_scalar_bytes(type) < 4 || type == KD_I32)
        return lower_half(d, sort_rows(d, pack(d, key)));
    kd_gvalue *low = BUILD(d, sub_scalar, kd_garg_value(lower_half(d, key)), kd_garg_int(INT64_C(1) << 31), kd_garg_int(1));
    kd_gvalue *by_low = lower_half(d, sort_rows(d, pack(d, low)));
    kd_gvalue *high = BUILD(d, right_shift_scalar, kd_garg_value(key), kd_garg_int(32));
    high = BUILD(d, gather, kd_garg_value(high), kd_garg_int(-1), kd_garg_value(by_low));
    return BUILD(d, gather, kd_garg_value(by_low), kd_garg_int(-1), kd_garg_value(lower_half(d, sort_rows(d, pack(d, high)))));
}

/* Of each number below k how many elements along the last dimension are not more: with running counts, where the next one is counted. */
static kd_gvalue *n_before_each(kd_decomposer *d, kd_gvalue *counts, int64_t k)
{
    unsigned n_dims = counts->type.n_dims;
    int64_t last = -1;
    kd_gvalue *number = build_places(d, n_dims + 1, n_dims - 1, k);
    kd_gvalue *is_before = build_two(d, KD_GOP_le, BUILD(d, unsqueeze, kd_garg_value(counts), kd_garg_int(-2)), number);
    return BUILD(d, sum, kd_garg_value(build_convert(d, is_before, KD_I32)), ints_arg(d->arena, 1, &last), bool_arg(false), text_arg("i32"));
}

/* The same by one turn over each row: each place is put where it is counted. */
static kd_gvalue *places_taken(kd_decomposer *d, kd_gvalue *is_taken, kd_gvalue *counts, int64_t k)
{
    int64_t shape[KD_TENSOR_MAX_DIMS], n_rows = 1;
    unsigned n_dims = counts->type.n_dims, dim = n_dims - 1;
    memcpy(shape, counts->type.shape, sizeof shape);
    for (unsigned i = 0; i < dim; i++)
        n_rows *= shape[i];
    kd_gvalue *places = build_expand(d, build_places(d, n_dims, dim, shape[dim]), n_dims, shape);
    kd_gvalue *to = BUILD(d, sub_scalar, kd_garg_value(counts), kd_garg_int(1), kd_garg_int(1));
    to = build_where(d, is_taken, to, kd_garg_int(-1));
    int64_t rows[] = {n_rows, k, 1}, turns[] = {n_rows, shape[dim], 1};
    kd_gvalue *none = build_full(d, 3, rows, kd_garg_int(0), KD_I32);
    kd_gvalue *at = build_scatter_rows(d, none, build_view(d, to, 3, turns), build_view(d, places, 3, turns), KD_SCATTER_PUT);
    shape[dim] = k;
    return build_view(d, at, n_dims, shape);
}

/* The same of few in long rows: the elements up to the k-th are counted, so that each tells where it goes, and only they are sorted. */
static kd_gvalue *few_by_order(kd_decomposer *d, kd_gvalue *order, int64_t k)
{
    unsigned n_dims = order->type.n_dims;
    int64_t dim = n_dims - 1, n = order->type.shape[dim], last = -1;
    kd_garg along = kd_garg_int(dim), over = ints_arg(d->arena, 1, &last);
    order = kd_scalar_bytes(order->type.type) < 4 ? build_convert(d, order, KD_I32) : order;
    kd_gvalue *limit = build_kth(d, order, dim, kd_garg_int(n - k));
    kd_gvalue *is_above = build_two(d, KD_GOP_gt, order, limit), *is_at = build_two(d, KD_GOP_eq, order, limit);
    kd_gvalue *n_above = BUILD(d, sum, kd_garg_value(build_convert(d, is_above, KD_I32)), over, bool_arg(true), text_arg("i32"));
    kd_gvalue *n_at = BUILD(d, cumsum, kd_garg_value(build_convert(d, is_at, KD_I32)), along, text_arg("i32"));
    kd_gvalue *n_left = BUILD(d, rsub, kd_garg_value(n_above), kd_garg_int(k), kd_garg_int(1));
    kd_gvalue *is_taken = build_two(d, KD_GOP_logical_or, is_above, build_two(d, KD_GOP_logical_and, is_at, build_two(d, KD_GOP_le, n_at, n_left)));
    kd_gvalue *n_taken = BUILD(d, cumsum, kd_garg_value(build_convert(d, is_taken, KD_I32)), along, text_arg("i32"));
    kd_gvalue *at = d->on_gpu ? n_before_each(d, n_taken, k) : places_taken(d, is_taken, n_taken, k);
    kd_gvalue *sorted = all_by_order(d, BUILD(d, gather, kd_garg_value(order), along, kd_garg_value(at)));
    return build_convert(d, BUILD(d, gather, kd_garg_value(at), along, kd_garg_value(sorted)), KD_I64);
}

/* Sets results to the first k elements along a dimension, and to their indices. */
static void finish_sorted(kd_decomposer *d, int64_t dim, int64_t k, bool largest)
{
    kd_gvalue *x = decompose_operand(d, 0), *row = x->type.n_dims ? x : build_flat(d, x);
    kd_garg from = kd_garg_int(dim), last = kd_garg_int(-1);
    kd_gvalue *order = build_order(d, row, largest, largest);
    order = BUILD(d, transpose, kd_garg_value(order), from, last);
    int64_t n_elems = row->type.shape[dim];
    bool are_few = n_elems > LONG_ROW && FEW_OF * k <= n_elems && order->type.n_dims < KD_TENSOR_MAX_DIMS;
    kd_gvalue *indices = are_few ? few_by_order(d, order, k) : all_by_order(d, order);
    if (!are_few && k < n_elems)
        indices = BUILD(d, slice, kd_garg_value(indices), last, kd_garg_int(0), kd_garg_int(k), kd_garg_int(1));
    indices = BUILD(d, transpose, kd_garg_value(indices), from, last);
    unsigned n = d->of->n_results;
    const kd_tensor_type *t = &d->of->results[n - 1]->type;
    if (n == 2)
        decompose_finish(d, 0,
                         build_view(d, BUILD(d, gather, kd_garg_value(row), from, kd_garg_value(indices)), t->n_dims, t->shape));
    decompose_finish(d, n - 1, build_view(d, indices, t->n_dims, t->shape));
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
