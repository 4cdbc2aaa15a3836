/* decompose_reduce.c - compositions around reductions: means, variances, softmax, norms. */
#include "graph/decompose_impl.h"

#include <math.h>

/* ---- sums, extremes ---- */

kd_gvalue *build_flat(kd_decomposer *d, kd_gvalue *x)
{
    int64_t n = kd_tensor_n_elems(&x->type);
    return build_view(d, x, 1, &n);
}

void kd_decompose_sum_all(kd_decomposer *d)
{
    kd_gvalue *x = build_convert(d, decompose_operand(d, 0), d->of->results[0]->type.type);
    bool is_sum = d->of->op->code == KD_GOP_sum_all;
    decompose_finish(d, 0,
                     is_sum ? BUILD(d, sum, kd_garg_value(x), no_arg(), bool_arg(false), no_arg())
                            : BUILD(d, prod, kd_garg_value(build_flat(d, x)), kd_garg_int(0), bool_arg(false), no_arg()));
}

/* max, min, any and all over all or some dimensions. */
void kd_decompose_extreme(kd_decomposer *d)
{
    kd_gvalue *x = decompose_operand(d, 0);
    kd_gop_code code = KD_GOP_amax;
    bool is_logical = true, has_dims = d->of->n_args > 1;
    switch (d->of->op->code) {
    case KD_GOP_max: is_logical = false; break;
    case KD_GOP_min:
        is_logical = false;
        code = KD_GOP_amin;
        break;
    case KD_GOP_all:
    case KD_GOP_all_dim:
    case KD_GOP_all_dims: code = KD_GOP_amin; break;
    default: break;
    }
    x = is_logical ? build_convert(d, x, KD_I1) : x;
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(x), has_dims ? d->of->args[1] : no_arg(),
                                       bool_arg(has_dims && kd_gnode_bool(d->of, 2))};
    decompose_finish(d, 0, decompose_build(d, code, 1, args));
}

/* ---- means and variances ---- */

/* How many elements of x there are for each of y. */
static double n_for_each(const kd_gvalue *x, const kd_gvalue *y)
{
    int64_t n = kd_tensor_n_elems(&y->type);
    return (double)kd_tensor_n_elems(&x->type) / (double)(n ? n : 1);
}

kd_gvalue *build_mean(kd_decomposer *d, kd_gvalue *x, kd_garg dims, bool keep)
{
    kd_gvalue *sum = BUILD(d, sum, kd_garg_value(x), dims, bool_arg(keep), no_arg());
    return build_with(d, KD_GOP_div_scalar, sum, n_for_each(x, sum));
}

/* Whether it comes from a convolution or a pool, with pointwise nodes between them that will most likely become the convolution's posts. */
static bool is_from_convolution(const kd_gvalue *value)
{
    for (unsigned i = 0; i < 4 && value && value->def; i++) {
        kd_gop_code code = value->def->op->code;
        if (code == KD_GOP_convolution || code == KD_GOP_max_pool)
            return true;
        if (value->def->op->lowering != KD_LOWER_POINTWISE)
            return false;
        value = kd_gnode_tensor(value->def, 0);
    }
    return false;
}

/* Over height and width, which is pooling: with the channels next to one another, oneDNN is 3 to 10 times faster than rows of elements that lie
 * apart. */
static bool make_spatial_mean(kd_decomposer *d)
{
    kd_gvalue *x = decompose_operand(d, 0);
    const kd_gvalue *result = d->of->results[0];
    bool is_bad;
    if (d->on_gpu || x->type.n_dims != 4 || x->type.type != result->type.type || (x->type.type != KD_F32 && x->type.type != KD_BF16) ||
        kd_gnode_dims_mask(d->of, 1, 4, &is_bad) != 12 || kd_tensor_n_elems(&x->type) == 0 || !is_from_convolution(x))
        return false;
    kd_gvalue *mean = BUILD(d, spatial_mean, kd_garg_value(x), d->of->args[1], bool_arg(kd_gnode_bool(d->of, 2)));
    mean->name = result->name;
    d->map[result->id] = mean;
    return true;
}

void kd_decompose_mean(kd_decomposer *d)
{
    if (d->of->op->code == KD_GOP_mean && make_spatial_mean(d))
        return;
    bool has_dims = d->of->op->code == KD_GOP_mean;
    decompose_finish(
        d, 0,
        build_mean(d, decompose_wide_operand(d, 0), has_dims ? d->of->args[1] : no_arg(), has_dims && kd_gnode_bool(d->of, 2)));
}

/* var, std, and var with the mean. */
void kd_decompose_variance(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0);
    kd_gvalue *spread = BUILD(d, spread, kd_garg_value(x), d->of->args[1], bool_arg(true));
    double n = n_for_each(x, spread) - kd_gnode_number(d->of, 2, 1);
    kd_gvalue *y = build_with(d, KD_GOP_div_scalar, spread, n > 0 ? n : 0);
    const kd_tensor_type *t = &d->of->results[0]->type;
    bool is_root = d->of->op->code == KD_GOP_std || d->of->op->code == KD_GOP_std_mean;
    y = is_root ? build_one(d, KD_GOP_sqrt, y) : y;
    decompose_finish(d, 0, build_view(d, y, t->n_dims, t->shape));
    if (d->of->n_results == 2)
        decompose_finish(d, 1, build_view(d, build_mean(d, x, d->of->args[1], true), t->n_dims, t->shape));
}

void kd_decompose_vector_norm(kd_decomposer *d)
{
    kd_gvalue *x = build_convert(d, decompose_wide_operand(d, 0),
                                 kd_scalar_bytes(d->of->results[0]->type.type) == 8 ? KD_F64 : KD_F32),
              *y;
    kd_garg dims = d->of->args[2], keep = bool_arg(kd_gnode_bool(d->of, 3));
    double order = kd_gnode_number(d->of, 1, 2);
    x = build_one(d, KD_GOP_abs, x);
    if (isinf(order)) {
        kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(x), dims, keep};
        y = decompose_build(d, order > 0 ? KD_GOP_amax : KD_GOP_amin, 1, args);
    } else if (order == 0) {
        y = BUILD(d, sum, kd_garg_value(build_convert(d, build_with(d, KD_GOP_ne_scalar, x, 0), x->type.type)), dims, keep,
                  no_arg());
    } else {
        x = order == 1 ? x : build_with(d, KD_GOP_pow, x, order);
        y = BUILD(d, sum, kd_garg_value(x), dims, keep, no_arg());
        y = order == 1 ? y : build_with(d, KD_GOP_pow, y, 1 / order);
    }
    decompose_finish(d, 0, y);
}

void kd_decompose_logsumexp(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0);
    x = kd_scalar_is_float(x->type.type) ? x : build_convert(d, x, KD_F32);
    kd_gvalue *peak = BUILD(d, amax, kd_garg_value(x), d->of->args[1], bool_arg(true));
    kd_gvalue *is_finite = build_one(d, KD_GOP_logical_not, build_one(d, KD_GOP_isinf, peak));
    peak = build_where(d, is_finite, peak, kd_garg_float(0)); /* infinity less infinity would be no number */
    kd_gvalue *power = build_one(d, KD_GOP_exp, build_two(d, KD_GOP_sub, x, peak));
    kd_gvalue *sum = BUILD(d, sum, kd_garg_value(power), d->of->args[1], bool_arg(true), no_arg());
    kd_gvalue *y = build_two(d, KD_GOP_add, build_one(d, KD_GOP_log, sum), peak);
    const kd_tensor_type *t = &d->of->results[0]->type;
    decompose_finish(d, 0, build_view(d, y, t->n_dims, t->shape));
}

/* ---- softmax ---- */

kd_gvalue *build_softmax(kd_decomposer *d, kd_gvalue *x, int64_t dim, bool is_safe)
{
    kd_garg dims = x->type.n_dims ? ints_arg(d->arena, 1, &dim) : no_arg();
    kd_gvalue *peak = BUILD(d, peak, kd_garg_value(x), dims, bool_arg(true));
    kd_gvalue *power = build_one(d, KD_GOP_exp, build_two(d, KD_GOP_sub, x, peak));
    kd_gvalue *sum = BUILD(d, sum, kd_garg_value(power), dims, bool_arg(true), no_arg()), *y = build_two(d, KD_GOP_div, power, sum);
    return is_safe ? build_where(d, build_with(d, KD_GOP_gt_scalar, peak, -INFINITY), y, kd_garg_float(0))
                   : y; /* rows that are all masked */
}

void kd_decompose_softmax(kd_decomposer *d)
{
    kd_gop_code code = d->of->op->code;
    kd_gvalue *x = decompose_wide_operand(d, 0);
    if (!kd_scalar_is_float(x->type.type) || d->of->results[0]->type.type == KD_F64)
        x = build_convert(d, x, d->of->results[0]->type.type == KD_F64 ? KD_F64 : KD_F32);
    int64_t dim = kd_gnode_int(d->of, 1, 0);
    if (code != KD_GOP_log_softmax && code != KD_GOP_log_softmax_int) {
        decompose_finish(d, 0, build_softmax(d, x, dim, code == KD_GOP_safe_softmax));
        return;
    }
    kd_garg dims = x->type.n_dims ? ints_arg(d->arena, 1, &dim) : no_arg();
    kd_gvalue *shifted = build_two(d, KD_GOP_sub, x, BUILD(d, peak, kd_garg_value(x), dims, bool_arg(true)));
    kd_gvalue *sum = BUILD(d, sum, kd_garg_value(build_one(d, KD_GOP_exp, shifted)), dims, bool_arg(true), no_arg());
    decompose_finish(d, 0, build_two(d, KD_GOP_sub, shifted, build_one(d, KD_GOP_log, sum)));
}

/* ---- norms ---- */

typedef struct normalized {
    kd_gvalue *y, *mean, *rstd;
} normalized;

/* (x - mean) / sqrt(variance + eps) over some dimensions. */
static normalized normalize(kd_decomposer *d, kd_gvalue *x, kd_garg over, kd_garg eps)
{
    normalized n = {.mean = build_mean(d, x, over, true)};
    kd_gvalue *centered = build_two(d, KD_GOP_sub, x, n.mean);
    kd_gvalue *spread = BUILD(d, spread, kd_garg_value(x), over, bool_arg(true));
    kd_gvalue *variance = build_with(d, KD_GOP_div_scalar, spread, n_for_each(x, spread));
    n.rstd = build_one(d, KD_GOP_rsqrt, BUILD(d, add_scalar, kd_garg_value(variance), eps, kd_garg_int(1)));
    n.y = build_two(d, KD_GOP_mul, centered, n.rstd);
    return n;
}

static kd_gvalue *scale_and_shift(kd_decomposer *d, kd_gvalue *y, kd_gvalue *weight, kd_gvalue *bias)
{
    y = weight ? build_two(d, KD_GOP_mul, y, weight) : y;
    return bias ? build_two(d, KD_GOP_add, y, bias) : y;
}

void kd_decompose_layer_norm(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0), *weight = decompose_wide_operand(d, 2), *bias = decompose_wide_operand(d, 3);
    int64_t dims[KD_TENSOR_MAX_DIMS], n = (int64_t)d->of->args[1].list.n;
    for (int64_t i = 0; i < n; i++)
        dims[i] = i - n;
    normalized norm = normalize(d, x, ints_arg(d->arena, (unsigned)n, dims), d->of->args[4]);
    if (d->of->n_results == 3) {
        decompose_finish(d, 1, norm.mean);
        decompose_finish(d, 2, norm.rstd);
    }
    decompose_finish(d, 0, scale_and_shift(d, norm.y, weight, bias));
}

void kd_decompose_group_norm(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0), *weight = decompose_wide_operand(d, 1), *bias = decompose_wide_operand(d, 2);
    const kd_tensor_type t = x->type;
    int64_t groups = kd_gnode_int(d->of, 6, 1), n = t.shape[0] * groups, last = -1;
    int64_t rows[3] = {t.shape[0], groups, n ? kd_tensor_n_elems(&t) / n : 0};
    normalized norm = normalize(d, build_view(d, x, 3, rows), ints_arg(d->arena, 1, &last), d->of->args[7]);
    kd_gvalue *y = build_view(d, norm.y, t.n_dims, t.shape);
    y = scale_and_shift(d, y, weight ? build_along_channels(d, weight, x) : NULL, bias ? build_along_channels(d, bias, x) : NULL);
    decompose_finish(d, 0, y);
    decompose_finish(d, 1, build_view(d, norm.mean, 2, rows));
    decompose_finish(d, 2, build_view(d, norm.rstd, 2, rows));
}

static double batch_norm_eps(const kd_gnode *node)
{
    return kd_gnode_number(node, node->op->code == KD_GOP_batch_norm_1 ? 7 : 6, 0);
}

/* Into the convolution whose only reader it is. */
static bool fold_batch_norm(kd_decomposer *d)
{
    const kd_gvalue *input = kd_gnode_tensor(d->of, 0), *params[4];
    kd_gvalue *mapped = d->map[input->id];
    if (!mapped->def || mapped->def->op->code != KD_GOP_convolution || input->n_uses != 1 ||
        kd_gnode_bool(mapped->def, 6)) /* whose weights have the channels elsewhere */
        return false;
    for (unsigned i = 0; i < 4; i++)
        params[i] = decompose_operand(d, i + 1);
    if (!kd_fold_batch_norm(d->to, mapped->def, params, batch_norm_eps(d->of)))
        return false;
    mapped->def->origin = kd_arena_printf(d->arena, "%s, %s", mapped->def->origin, d->of->origin);
    mapped->name = d->of->results[0]->name;
    d->map[d->of->results[0]->id] = mapped;
    return true;
}

void kd_decompose_batch_norm(kd_decomposer *d)
{
    if (d->of->op->code == KD_GOP_batch_norm_1 && kd_gnode_bool(d->of, 5)) {
        decompose_fail(d, "a batch norm that trains is not supported yet");
        return;
    }
    if (fold_batch_norm(d))
        return;
    kd_gvalue *x = decompose_wide_operand(d, 0), *weight = decompose_wide_operand(d, 1), *bias = decompose_wide_operand(d, 2);
    kd_gvalue *mean = decompose_wide_operand(d, 3), *variance = decompose_wide_operand(d, 4);
    kd_gvalue *scale = build_one(d, KD_GOP_rsqrt, build_with(d, KD_GOP_add_scalar, variance, batch_norm_eps(d->of)));
    scale = weight ? build_two(d, KD_GOP_mul, scale, weight) : scale;
    kd_gvalue *centered = build_two(d, KD_GOP_sub, x, build_along_channels(d, mean, x));
    decompose_finish(
        d, 0, scale_and_shift(d, centered, build_along_channels(d, scale, x), bias ? build_along_channels(d, bias, x) : NULL));
}
