/* expand_pointwise.c - ops that are a few others, element by element. */
#include "graph/expand_impl.h"

#include <math.h>

void kd_expand_logit(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    double eps = kd_gnode_number(d->of, 1, -1);
    if (!kd_scalar_is_float(x->type.type))
        x = build_convert(d, x, KD_F32);
    if (eps >= 0)
        x = BUILD(d, clamp, kd_garg_value(x), kd_garg_float(eps), kd_garg_float(1 - eps));
    kd_gvalue *rest = BUILD(d, rsub, kd_garg_value(x), kd_garg_int(1), kd_garg_int(1));
    expand_return(d, 0, build_one(d, KD_GOP_log, build_two(d, KD_GOP_div, x, rest)));
}

static double largest_of(kd_scalar type)
{
    switch (type) {
    case KD_F64: return 1.7976931348623157e308;
    case KD_F16: return 65504;
    case KD_BF16: return 3.3895313892515355e38;
    default: return 3.4028234663852886e38;
    }
}

void kd_expand_nan_to_num(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    double most = largest_of(x->type.type);
    if (!kd_scalar_is_float(x->type.type)) {
        expand_return(d, 0, x);
        return;
    }
    kd_gvalue *is_nan = build_one(d, KD_GOP_isnan, x), *is_most = build_with(d, KD_GOP_eq_scalar, x, INFINITY),
              *is_least = build_with(d, KD_GOP_eq_scalar, x, -INFINITY);
    kd_gvalue *y = BUILD(d, where, kd_garg_value(is_nan), kd_garg_float(kd_gnode_number(d->of, 1, 0)), kd_garg_value(x));
    y = BUILD(d, where, kd_garg_value(is_most), kd_garg_float(kd_gnode_number(d->of, 2, most)), kd_garg_value(y));
    expand_return(d, 0,
                  BUILD(d, where, kd_garg_value(is_least), kd_garg_float(kd_gnode_number(d->of, 3, -most)), kd_garg_value(y)));
}

/* One slope for all, or one for each channel. */
void kd_expand_prelu(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *weight = expand_tensor(d, 1);
    int64_t n = kd_tensor_n_elems(&weight->type);
    if (n == 1)
        weight = build_view(d, weight, 0, NULL);
    else if (x->type.n_dims < 2 || x->type.shape[1] != n)
        expand_bad(d, "%lld slopes do not fit %s", (long long)n, kd_tensor_type_text(d->arena, &x->type));
    else
        weight = build_along_channels(d, weight, x);
    expand_return(d, 0, build_two(d, KD_GOP_prelu, x, weight));
}

void kd_expand_rrelu(kd_decomposer *d)
{
    double slope = (kd_gnode_number(d->of, 1, 0) + kd_gnode_number(d->of, 2, 0)) / 2;
    if (kd_gnode_bool(d->of, 3))
        decompose_fail(d, "slopes by chance are not supported: export the model after model.eval()");
    expand_return(d, 0, build_with(d, KD_GOP_leaky_relu, expand_tensor(d, 0), slope));
}

void kd_expand_one_hot(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t n = kd_gnode_int(d->of, 1, -1);
    unsigned dim = x->type.n_dims;
    if (n < 0 || n > INT32_MAX || dim == KD_TENSOR_MAX_DIMS) {
        decompose_fail(d, "the number of classes must be given");
        return;
    }
    kd_gvalue *each = BUILD(d, unsqueeze, kd_garg_value(x), kd_garg_int(-1));
    expand_return(d, 0, build_convert(d, build_two(d, KD_GOP_eq, each, build_places(d, dim + 1, dim, n)), KD_I64));
}
