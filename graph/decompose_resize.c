/* decompose_resize.c - images with other borders and of other sizes: padding that repeats what is there, and upsampling.
 *
 * Dimensions are independent of one another, so each is done by itself, and all of it becomes part of one kernel. */
#include "graph/decompose_impl.h"

#include "base/scalar.h"

/* ---- padding ---- */

static kd_gvalue *part_of(kd_decomposer *d, kd_gvalue *x, int64_t dim, int64_t start, int64_t n)
{
    return BUILD(d, slice, kd_garg_value(x), kd_garg_int(dim), kd_garg_int(start), kd_garg_int(start + n), kd_garg_int(1));
}

/* n elements of a dimension beyond its low or its high end. */
static kd_gvalue *border(kd_decomposer *d, kd_gvalue *x, int64_t dim, int64_t n, bool is_low, kd_padding_mode mode)
{
    int64_t extent = x->type.shape[dim], shape[KD_TENSOR_MAX_DIMS];
    if (mode == KD_PADDING_REFLECT)
        return BUILD(d, flip, kd_garg_value(part_of(d, x, dim, is_low ? 1 : extent - 1 - n, n)), ints_arg(d->arena, 1, &dim));
    if (mode == KD_PADDING_CIRCULAR)
        return part_of(d, x, dim, is_low ? extent - n : 0, n);
    memcpy(shape, x->type.shape, sizeof shape);
    shape[dim] = n;
    return build_expand(d, part_of(d, x, dim, is_low ? 0 : extent - 1, 1), x->type.n_dims, shape);
}

void kd_decompose_pad(kd_decomposer *d)
{
    kd_gvalue *x = decompose_operand(d, 0);
    int64_t pad[2 * KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(d->of, 1, pad, 2 * KD_TENSOR_MAX_DIMS) / 2;
    kd_padding_mode mode = kd_gnode_padding_mode(d->of);
    if (mode == KD_PADDING_CONSTANT) {
        decompose_finish(d, 0, BUILD(d, pad, kd_garg_value(x), d->of->args[1], kd_garg_float(kd_gnode_number(d->of, 3, 0))));
        return;
    }
    for (unsigned k = 0; k < n; k++) {
        int64_t dim = (int64_t)(x->type.n_dims - 1 - k), low = pad[2 * k], high = pad[2 * k + 1];
        kd_gvalue *parts[3];
        unsigned n_parts = 0;
        if (low > 0)
            parts[n_parts++] = border(d, x, dim, low, true, mode);
        parts[n_parts++] = x;
        if (high > 0)
            parts[n_parts++] = border(d, x, dim, high, false, mode);
        x = n_parts > 1 ? BUILD(d, cat, values_arg(d->arena, n_parts, parts), kd_garg_int(dim)) : x;
    }
    decompose_finish(d, 0, x);
}

/* ---- upsampling ---- */

/* Where each of n elements is in a dimension of another extent, in a floating-point type. */
static kd_gvalue *source_places(kd_decomposer *d, int64_t n, const kd_upsampling *u, unsigned i, kd_scalar type)
{
    kd_gvalue *at = BUILD(d, arange, kd_garg_int(0), kd_garg_int(n), kd_garg_int(1), text_arg(kd_scalar_name(type)));
    bool is_centered = (u->is_linear || u->is_cubic) && !u->align_corners;
    at = is_centered || u->is_exact ? build_with(d, KD_GOP_add_scalar, at, 0.5) : at;
    at = build_with(d, KD_GOP_mul_scalar, at, u->step[i]);
    at = is_centered ? build_with(d, KD_GOP_sub_scalar, at, 0.5) : at;
    return is_centered && u->is_linear ? BUILD(d, clamp_min, kd_garg_value(at), kd_garg_float(0)) : at;
}

static kd_gvalue *picked_along(kd_decomposer *d, kd_gvalue *x, int64_t dim, kd_gvalue *at)
{
    at = BUILD(d, clamp_max, kd_garg_value(at), kd_garg_int(x->type.shape[dim] - 1));
    return BUILD(d, index_select, kd_garg_value(x), kd_garg_int(dim), kd_garg_value(at));
}

/* Each element so many times. */
static kd_gvalue *repeated(kd_decomposer *d, kd_gvalue *x, unsigned dim, int64_t times)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = x->type.n_dims;
    for (unsigned i = 0; i <= n; i++)
        shape[i] = i <= dim ? x->type.shape[i] : i == dim + 1 ? times : x->type.shape[i - 1];
    x = build_expand(d, BUILD(d, unsqueeze, kd_garg_value(x), kd_garg_int(dim + 1)), n + 1, shape);
    shape[dim] *= times;
    memmove(shape + dim + 1, shape + dim + 2, (n - dim - 1) * sizeof *shape);
    return build_view(d, x, n, shape);
}

/* Between two neighbours, by how far the place is from them. */
static kd_gvalue *blended(kd_decomposer *d, kd_gvalue *x, unsigned dim, kd_gvalue *at)
{
    int64_t shape[KD_TENSOR_MAX_DIMS], n = at->type.shape[0];
    for (unsigned i = 0; i < x->type.n_dims; i++)
        shape[i] = i == dim ? n : 1;
    kd_gvalue *low = build_convert(d, at, KD_I32), *high = BUILD(d, add_scalar, kd_garg_value(low), kd_garg_int(1), kd_garg_int(1));
    kd_gvalue *weight = build_view(d, build_two(d, KD_GOP_sub, at, build_convert(d, low, at->type.type)), x->type.n_dims, shape);
    kd_gvalue *first = picked_along(d, x, dim, low), *second = picked_along(d, x, dim, high);
    return BUILD(d, lerp_tensor, kd_garg_value(first), kd_garg_value(second), kd_garg_value(weight));
}

/* (((c[0] * t + c[1]) * t + c[2]) * t + c[3] */
static kd_gvalue *polynomial(kd_decomposer *d, kd_gvalue *t, const double c[4])
{
    kd_gvalue *y = build_with(d, KD_GOP_mul_scalar, t, c[0]);
    for (unsigned i = 1; i < 3; i++)
        y = build_two(d, KD_GOP_mul, c[i] == 0 ? y : build_with(d, KD_GOP_add_scalar, y, c[i]), t);
    return build_with(d, KD_GOP_add_scalar, y, c[3]);
}

/* Keys's cubic convolution, with the slope that PyTorch takes. */
void build_cubic_weights(kd_decomposer *d, kd_gvalue *part, kd_gvalue *out[4])
{
    static const double A = -0.75;
    const double near[4] = {A + 2, -(A + 3), 0, 1}, far[4] = {A, -5 * A, 8 * A, -4 * A};
    kd_gvalue *left = BUILD(d, rsub, kd_garg_value(part), kd_garg_float(1), kd_garg_int(1));
    out[0] = polynomial(d, build_with(d, KD_GOP_add_scalar, part, 1), far);
    out[1] = polynomial(d, part, near);
    out[2] = polynomial(d, left, near);
    out[3] = polynomial(d, build_with(d, KD_GOP_add_scalar, left, 1), far);
}

/* Between four neighbours, of which those beyond the ends are the nearest ones that there are. */
static kd_gvalue *blended_cubic(kd_decomposer *d, kd_gvalue *x, unsigned dim, kd_gvalue *at)
{
    int64_t shape[KD_TENSOR_MAX_DIMS], n = at->type.shape[0];
    for (unsigned i = 0; i < x->type.n_dims; i++)
        shape[i] = i == dim ? n : 1;
    kd_gvalue *low = build_one(d, KD_GOP_floor, at), *weights[4], *sum = NULL;
    build_cubic_weights(d, build_two(d, KD_GOP_sub, at, low), weights);
    for (unsigned i = 0; i < 4; i++) {
        kd_gvalue *place = build_with(d, KD_GOP_add_scalar, low, (double)i - 1);
        place = build_convert(d, BUILD(d, clamp_min, kd_garg_value(place), kd_garg_float(0)), KD_I32);
        kd_gvalue *y = build_two(d, KD_GOP_mul, picked_along(d, x, dim, place), build_view(d, weights[i], x->type.n_dims, shape));
        sum = sum ? build_two(d, KD_GOP_add, sum, y) : y;
    }
    return sum;
}

void kd_decompose_upsample(kd_decomposer *d)
{
    kd_upsampling u;
    (void)kd_gnode_upsampling(d->of, &u); /* inference saw to it */
    bool blends = u.is_linear || u.is_cubic;
    kd_gvalue *x = blends ? decompose_wide_operand(d, 0) : decompose_operand(d, 0);
    const kd_tensor_type *t = &d->of->results[0]->type;
    for (unsigned i = 0; i < u.n; i++) {
        unsigned dim = t->n_dims - u.n + i;
        int64_t in = x->type.shape[dim], out = t->shape[dim];
        if (!blends && out % in == 0 && u.step[i] * (double)out == (double)in) {
            x = out == in ? x : repeated(d, x, dim, out / in);
            continue;
        }
        kd_gvalue *at = source_places(d, out, &u, i, blends ? x->type.type : KD_F32);
        x = u.is_linear  ? blended(d, x, dim, at)
            : u.is_cubic ? blended_cubic(d, x, dim, at)
                         : picked_along(d, x, dim, build_convert(d, at, KD_I32));
    }
    decompose_finish(d, 0, x);
}
