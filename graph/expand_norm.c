/* expand_norm.c - norms of vectors, matrices and activations. */
#include "graph/expand_impl.h"

#include <math.h>

/* ---- activations ---- */

/* x / sqrt(mean(x^2) + eps), times a weight. Without a given eps it is what 1 differs by from the next number. */
void kd_expand_rms_norm(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *weight = decompose_operand(d, 2);
    int64_t normalized[KD_TENSOR_MAX_DIMS], dims[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(d->of, 1, normalized, KD_TENSOR_MAX_DIMS), first = x->type.n_dims - n;
    if (!n || n > x->type.n_dims || memcmp(normalized, x->type.shape + first, n * sizeof *normalized) != 0) {
        expand_bad(d, "the normalized shape %s is not the end of %s", kd_shape_text(d->arena, n, normalized),
                   kd_tensor_type_text(d->arena, &x->type));
        return;
    }
    for (unsigned i = 0; i < n; i++)
        dims[i] = first + i;
    double eps = kd_gnode_number(d->of, 3, x->type.type == KD_F64 ? 0x1p-52 : 0x1p-23);
    kd_gvalue *wide = expand_wide(d, x);
    kd_gvalue *mean = build_mean(d, build_one(d, KD_GOP_square, wide), ints_arg(d->arena, n, dims), true);
    kd_gvalue *scale = build_one(d, KD_GOP_rsqrt, build_with(d, KD_GOP_add_scalar, mean, eps));
    kd_gvalue *y = build_two(d, KD_GOP_mul, wide, scale);
    y = weight ? build_two(d, KD_GOP_mul, y, weight) : y;
    expand_return(d, 0, build_convert(d, y, x->type.type));
    if (d->of->n_results > 1)
        expand_return(d, 1, scale);
}

/* By the statistics of each image and channel, or by those that were kept. */
void kd_expand_instance_norm(kd_decomposer *d)
{
    const kd_garg *args = d->of->args;
    kd_gvalue *x = expand_tensor(d, 0);
    const kd_tensor_type *t = &x->type;
    if (t->n_dims < 2 || !t->shape[0] || !t->shape[1]) {
        expand_bad(d, "%s has no channels", kd_tensor_type_text(d->arena, t));
    } else if (kd_gnode_bool(d->of, 5)) {
        int64_t n_inside = kd_tensor_n_elems(t) / t->shape[0] / t->shape[1];
        kd_garg norm[KD_GOP_MAX_PARAMS] = {args[0],
                                           args[1],
                                           args[2],
                                           kd_garg_int(t->shape[0]),
                                           kd_garg_int(t->shape[1]),
                                           kd_garg_int(n_inside),
                                           kd_garg_int(t->shape[1]),
                                           args[7]};
        expand_return(d, 0, decompose_build(d, KD_GOP_group_norm, 3, norm));
    } else {
        expand_return(
            d, 0, BUILD(d, batch_norm_1, args[0], args[1], args[2], args[3], args[4], bool_arg(false), args[6], args[7], args[8]));
    }
}

/* v with its rows along a dimension made as long as g says. */
void kd_expand_weight_norm(kd_decomposer *d)
{
    kd_gvalue *v = expand_tensor(d, 0), *g = expand_tensor(d, 1);
    int64_t dims[KD_TENSOR_MAX_DIMS], dim = kd_gnode_int(d->of, 2, 0);
    unsigned n = 0, kept = dim == -1 ? KD_TENSOR_MAX_DIMS : expand_dim(d, dim, v->type.n_dims);
    for (unsigned i = 0; i < v->type.n_dims; i++)
        if (i != kept)
            dims[n++] = i;
    kd_gvalue *norm = BUILD(d, vector_norm, kd_garg_value(v), kd_garg_int(2), ints_arg(d->arena, n, dims), bool_arg(true));
    expand_return(d, 0, build_two(d, KD_GOP_mul, v, build_two(d, KD_GOP_div, g, norm)));
}

/* ---- matrices ---- */

/* The Frobenius norm, or the largest or smallest sum of a row's or a column's absolute values. */
static kd_gvalue *norm_of_matrix(kd_decomposer *d, kd_gvalue *x, const kd_garg *order, const int64_t *dims, bool keep,
                                 kd_garg dtype)
{
    double number = order->kind == KD_GARG_INT ? (double)order->i : order->kind == KD_GARG_FLOAT ? order->f : NAN;
    bool is_text = order->kind == KD_GARG_TEXT;
    if (is_text && strcmp(order->text, "fro") == 0)
        return BUILD(d, vector_norm, kd_garg_value(x), kd_garg_int(2), ints_arg(d->arena, 2, dims), bool_arg(keep), dtype);
    if (is_text || (fabs(number) != 1 && !isinf(number))) {
        decompose_fail(d, "this norm of a matrix is not supported yet");
        return x;
    }
    int64_t rows = expand_dim(d, dims[0], x->type.n_dims), columns = expand_dim(d, dims[1], x->type.n_dims);
    int64_t summed = isinf(number) ? columns : rows, other = isinf(number) ? rows : columns;
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(BUILD(d, sum, kd_garg_value(build_one(d, KD_GOP_abs, x)),
                                                           ints_arg(d->arena, 1, &summed), bool_arg(true), dtype)),
                                       ints_arg(d->arena, 1, &other), bool_arg(true)};
    kd_gvalue *y = decompose_build(d, number > 0 ? KD_GOP_amax : KD_GOP_amin, 1, args);
    return keep ? y : BUILD(d, squeeze_dims, kd_garg_value(y), ints_arg(d->arena, 2, (int64_t[]){summed, other}));
}

void kd_expand_matrix_norm(kd_decomposer *d)
{
    int64_t dims[KD_TENSOR_MAX_DIMS] = {-2, -1};
    unsigned n = kd_gnode_ints(d->of, 2, dims, KD_TENSOR_MAX_DIMS);
    kd_gvalue *x = expand_tensor(d, 0);
    if ((n != 0 && n != 2) || x->type.n_dims < 2)
        expand_bad(d, "a matrix has two dimensions, not %u", n);
    else
        expand_return(d, 0, norm_of_matrix(d, x, &d->of->args[1], dims, kd_gnode_bool(d->of, 3), d->of->args[4]));
}

/* Of a vector, or of a matrix where an order is given and there are two dimensions. */
void kd_expand_linalg_norm(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    const kd_garg *args = d->of->args;
    int64_t dims[KD_TENSOR_MAX_DIMS] = {-2, -1};
    unsigned n = kd_gnode_ints(d->of, 2, dims, KD_TENSOR_MAX_DIMS);
    if (kd_gnode_has(d->of, 1) && (n == 2 || (!n && x->type.n_dims == 2)))
        expand_return(d, 0, norm_of_matrix(d, x, &args[1], dims, kd_gnode_bool(d->of, 3), args[4]));
    else
        expand_return(d, 0,
                      BUILD(d, vector_norm, args[0], kd_gnode_has(d->of, 1) ? args[1] : kd_garg_int(2), args[2], args[3], args[4]));
}
