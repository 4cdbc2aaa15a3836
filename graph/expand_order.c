/* expand_order.c - ops around the order of a row's elements: medians, the k-th smallest, and the largest so far. */
#include "graph/expand_impl.h"

/* A row's elements in order, and where they were; both from the smallest to the largest, a NaN behind all others. */
typedef struct sorted {
    kd_gvalue *values, *indices;
    unsigned dim;
    int64_t n;
} sorted;

static sorted sort_along(kd_decomposer *d, kd_gvalue *x, int64_t along)
{
    sorted s = {.dim = expand_dim(d, along, x->type.n_dims)};
    s.n = x->type.n_dims ? x->type.shape[s.dim] : 1;
    s.values = decompose_build(d, KD_GOP_sort, 2,
                               (const kd_garg[KD_GOP_MAX_PARAMS]){kd_garg_value(x), kd_garg_int(along), bool_arg(false)});
    s.indices = s.values->def ? s.values->def->results[1] : s.values;
    if (s.n < 1)
        expand_bad(d, "%s has no elements along the dimension", kd_tensor_type_text(d->arena, &x->type));
    return s;
}

/* Element k of each sorted row. */
static kd_gvalue *pick(kd_decomposer *d, const sorted *s, kd_gvalue *of, int64_t k, bool keeps)
{
    if (!of->type.n_dims)
        return of;
    kd_garg dim = kd_garg_int(s->dim);
    return keeps ? BUILD(d, slice, kd_garg_value(of), dim, kd_garg_int(k), kd_garg_int(k + 1), kd_garg_int(1))
                 : BUILD(d, select, kd_garg_value(of), dim, kd_garg_int(k));
}

void kd_expand_kthvalue(kd_decomposer *d)
{
    sorted s = sort_along(d, expand_tensor(d, 0), kd_gnode_int(d->of, 2, -1));
    int64_t k = kd_gnode_int(d->of, 1, 1);
    if (k < 1 || k > s.n)
        expand_bad(d, "there is no element %lld of %lld", (long long)k, (long long)s.n);
    if (d->status)
        return;
    expand_return(d, 0, pick(d, &s, s.values, k - 1, kd_gnode_bool(d->of, 3)));
    expand_return(d, 1, pick(d, &s, s.indices, k - 1, kd_gnode_bool(d->of, 3)));
}

/* The lower one of two in the middle. With a NaN in the row it is that NaN, which is the first behind the numbers. */
void kd_expand_median(kd_decomposer *d)
{
    bool has_dim = d->of->op->code == KD_GOP_median_dim, keeps = has_dim && kd_gnode_bool(d->of, 2);
    kd_gvalue *x = has_dim ? expand_tensor(d, 0) : build_flat(d, expand_tensor(d, 0));
    sorted s = sort_along(d, x, has_dim ? kd_gnode_int(d->of, 1, 0) : 0);
    int64_t dims[] = {s.dim};
    if (d->status)
        return;
    kd_gvalue *at = NULL, *value = pick(d, &s, s.values, (s.n - 1) / 2, keeps),
              *index = pick(d, &s, s.indices, (s.n - 1) / 2, keeps);
    if (kd_scalar_is_float(x->type.type) && x->type.n_dims) {
        kd_gvalue *n_numbers = BUILD(d, sum, kd_garg_value(build_one(d, KD_GOP_logical_not, build_one(d, KD_GOP_isnan, x))),
                                     ints_arg(d->arena, 1, dims), bool_arg(true));
        kd_gvalue *has_nan = BUILD(d, lt_scalar, kd_garg_value(n_numbers), kd_garg_int(s.n));
        at = BUILD(d, where, kd_garg_value(has_nan), kd_garg_value(n_numbers), kd_garg_int((s.n - 1) / 2));
        value = BUILD(d, gather, kd_garg_value(s.values), kd_garg_int(s.dim), kd_garg_value(at));
        index = BUILD(d, gather, kd_garg_value(s.indices), kd_garg_int(s.dim), kd_garg_value(at));
        value = keeps ? value : BUILD(d, squeeze, kd_garg_value(value), kd_garg_int(s.dim));
        index = keeps ? index : BUILD(d, squeeze, kd_garg_value(index), kd_garg_int(s.dim));
    }
    expand_return(d, 0, value);
    if (has_dim)
        expand_return(d, 1, index);
}

enum { MAX_ROW = 1024 };

/* The largest element so far and the place of the last one that is as large, by comparing each with each: numbers in the elements' order, of
 * which the largest belongs to the element that is looked for. */
void kd_expand_running_extreme(kd_decomposer *d)
{
    bool largest = d->of->op->code == KD_GOP_cummax;
    kd_gvalue *x = expand_tensor(d, 0);
    unsigned n_dims = x->type.n_dims, dim = expand_dim(d, kd_gnode_int(d->of, 1, 0), n_dims);
    int64_t n = n_dims ? x->type.shape[dim] : 1, last = -1;
    if (n > MAX_ROW || n_dims == KD_TENSOR_MAX_DIMS)
        decompose_fail(d, "the largest so far of rows of %lld elements, more than %d, is not supported yet", (long long)n, MAX_ROW);
    if (d->status)
        return;
    if (!n_dims) {
        expand_return(d, 0, BUILD(d, clone, kd_garg_value(x)));
        expand_return(d, 1, BUILD(d, full_like, kd_garg_value(x), kd_garg_int(0), text_arg("i64")));
        return;
    }
    kd_garg from = kd_garg_int(dim), end = kd_garg_int(-1), over = ints_arg(d->arena, 1, &last);
    kd_gvalue *order = BUILD(d, transpose, kd_garg_value(build_order(d, x, largest, true)), from, end);
    kd_gvalue *others = BUILD(d, unsqueeze, kd_garg_value(order), kd_garg_int(-2));
    kd_gvalue *row_at = build_places(d, n_dims + 1, n_dims - 1, n), *other_at = build_places(d, n_dims + 1, n_dims, n);
    kd_gvalue *is_before = build_two(d, KD_GOP_le, other_at, row_at);
    kd_gvalue *most =
        BUILD(d, peak, kd_garg_value(build_where(d, is_before, others, least_arg(order->type.type))), over, bool_arg(true));
    kd_gvalue *hit = build_two(d, KD_GOP_logical_and, is_before, build_two(d, KD_GOP_eq, others, most));
    kd_gvalue *at = BUILD(d, peak, kd_garg_value(build_where(d, hit, other_at, kd_garg_int(0))), over, bool_arg(false));
    at = BUILD(d, transpose, kd_garg_value(at), from, end);
    expand_return(d, 0, BUILD(d, gather, kd_garg_value(x), from, kd_garg_value(at)));
    expand_return(d, 1, build_convert(d, at, KD_I64));
}
