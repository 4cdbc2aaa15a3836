/* expand_order.c - ops around the order of a row's elements: medians, the k-th smallest, the largest so far, and how many lie where. */
#include "graph/expand_impl.h"

/* Returns element k of each row in order and, where the op has two results, the place of the first one that is equal. */
static void return_kth(kd_decomposer *d, kd_gvalue *x, kd_gvalue *order, int64_t dim, kd_garg k, bool keeps)
{
    int64_t n = x->type.shape[dim];
    kd_gvalue *kth = build_kth(d, order, dim, k), *places = build_places(d, x->type.n_dims, (unsigned)dim, n);
    kd_gvalue *hit = build_where(d, build_two(d, KD_GOP_eq, order, kth), places, kd_garg_int(n - 1));
    kd_gvalue *at = BUILD(d, amin, kd_garg_value(hit), ints_arg(d->arena, 1, &dim), bool_arg(true));
    kd_gvalue *found[] = {BUILD(d, gather, kd_garg_value(x), kd_garg_int(dim), kd_garg_value(at)), build_convert(d, at, KD_I64)};
    for (unsigned i = 0; i < d->of->n_results; i++)
        expand_return(d, i, keeps ? found[i] : BUILD(d, squeeze, kd_garg_value(found[i]), kd_garg_int(dim)));
}

/* The operand with a row along the dimension, of which *out_dim is the number; NULL: reported, or a single number, which is returned. */
static kd_gvalue *operand_with_rows(kd_decomposer *d, bool is_flat, int64_t along, int64_t *out_dim)
{
    kd_gvalue *x = expand_tensor(d, 0);
    *out_dim = expand_dim(d, along, x->type.n_dims);
    if (!d->status && !x->type.n_dims) {
        expand_return(d, 0, BUILD(d, clone, kd_garg_value(x)));
        if (d->of->n_results > 1)
            expand_return(d, 1, BUILD(d, full_like, kd_garg_value(x), kd_garg_int(0), text_arg("i64")));
        return NULL;
    }
    if (!d->status && !(is_flat ? kd_tensor_n_elems(&x->type) : x->type.shape[*out_dim]))
        expand_bad(d, "%s has no elements along the dimension", kd_tensor_type_text(d->arena, &x->type));
    return d->status ? NULL : is_flat ? build_flat(d, x) : x;
}

void kd_expand_kthvalue(kd_decomposer *d)
{
    int64_t dim, k = kd_gnode_int(d->of, 1, 1);
    kd_gvalue *x = operand_with_rows(d, false, kd_gnode_int(d->of, 2, -1), &dim);
    if (!x)
        return;
    if (k < 1 || k > x->type.shape[dim])
        expand_bad(d, "there is no element %lld of %lld", (long long)k, (long long)x->type.shape[dim]);
    if (!d->status)
        return_kth(d, x, build_order(d, x, true, true), dim, kd_garg_int(k - 1), kd_gnode_bool(d->of, 3));
}

/* The lower one of two in the middle. With a NaN in the row it is that NaN, which is the first behind the numbers. */
void kd_expand_median(kd_decomposer *d)
{
    bool has_dim = d->of->op->code == KD_GOP_median_dim, keeps = has_dim && kd_gnode_bool(d->of, 2);
    int64_t dim;
    kd_gvalue *x = operand_with_rows(d, !has_dim, has_dim ? kd_gnode_int(d->of, 1, 0) : 0, &dim);
    if (!x)
        return;
    kd_garg middle = kd_garg_int((x->type.shape[dim] - 1) / 2);
    kd_gvalue *order = build_order(d, x, true, true);
    if (kd_scalar_is_float(x->type.type)) {
        kd_gvalue *n_numbers = BUILD(d, sum, kd_garg_value(build_convert(d, build_one(d, KD_GOP_logical_not, build_one(d, KD_GOP_isnan, x)), KD_I32)),
                                     ints_arg(d->arena, 1, &dim), bool_arg(true), text_arg("i32"));
        kd_gvalue *has_nan = BUILD(d, lt_scalar, kd_garg_value(n_numbers), kd_garg_int(x->type.shape[dim]));
        middle = kd_garg_value(build_where(d, has_nan, n_numbers, middle));
    }
    return_kth(d, x, order, dim, middle, keeps);
}

/* The largest element so far and the place of the last one that is as large: numbers in the elements' order, of which the largest so far belongs
 * to the element that is looked for. */
void kd_expand_running_extreme(kd_decomposer *d)
{
    bool largest = d->of->op->code == KD_GOP_cummax;
    kd_gvalue *x = expand_tensor(d, 0);
    unsigned n_dims = x->type.n_dims, dim = expand_dim(d, kd_gnode_int(d->of, 1, 0), n_dims);
    if (d->status)
        return;
    if (!n_dims) {
        expand_return(d, 0, BUILD(d, clone, kd_garg_value(x)));
        expand_return(d, 1, BUILD(d, full_like, kd_garg_value(x), kd_garg_int(0), text_arg("i64")));
        return;
    }
    kd_garg along = kd_garg_int(dim);
    kd_gvalue *order = build_order(d, x, largest, true), *places = build_places(d, n_dims, dim, x->type.shape[dim]);
    order = kd_scalar_bytes(order->type.type) < 4 ? build_convert(d, order, KD_I32) : order;
    kd_gvalue *most = BUILD(d, running_peak, kd_garg_value(order), along, text_arg(kd_scalar_name(order->type.type)));
    kd_gvalue *hit = build_where(d, build_two(d, KD_GOP_eq, order, most), places, kd_garg_int(0));
    kd_gvalue *at = BUILD(d, running_peak, kd_garg_value(hit), along, text_arg("i32"));
    expand_return(d, 0, BUILD(d, gather, kd_garg_value(x), along, kd_garg_value(at)));
    expand_return(d, 1, build_convert(d, at, KD_I64));
}

/* How many elements lie in each of several equally wide parts of a range, whose last number belongs to the last part: each element's part
 * is compared with all. */
void kd_expand_histc(kd_decomposer *d)
{
    kd_gvalue *x = build_flat(d, expand_tensor(d, 0));
    int64_t n_bins = kd_gnode_int(d->of, 1, 100);
    double first = kd_gnode_number(d->of, 2, 0), last = kd_gnode_number(d->of, 3, 0);
    if (n_bins < 1 || !(first < last) || !kd_scalar_is_float(x->type.type)) {
        expand_bad(d, "%lld parts from %g to %g of %s: kdsl needs a range that the op names, and numbers in floating point",
                   (long long)n_bins, first, last, kd_tensor_type_text(d->arena, &x->type));
        return;
    }
    kd_gvalue *wide = expand_wide(d, x), *part = build_with(d, KD_GOP_mul_scalar, build_with(d, KD_GOP_sub_scalar, wide, first), (double)n_bins);
    part = build_one(d, KD_GOP_floor, build_with(d, KD_GOP_div_scalar, part, last - first));
    kd_gvalue *is_last = BUILD(d, eq_scalar, kd_garg_value(wide), kd_garg_float(last));
    part = BUILD(d, masked_fill, kd_garg_value(part), kd_garg_value(is_last), kd_garg_float((double)(n_bins - 1)));
    kd_gvalue *is_there = build_two(d, KD_GOP_eq, BUILD(d, unsqueeze, kd_garg_value(part), kd_garg_int(-1)), build_places(d, 1, 0, n_bins));
    expand_return(d, 0, BUILD(d, sum, kd_garg_value(is_there), ints_arg(d->arena, 1, (const int64_t[]){0}), bool_arg(false),
                              text_arg(kd_scalar_name(x->type.type))));
}
