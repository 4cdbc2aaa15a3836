/* expand_window.c - pooling and folding whose windows are read by index: adaptive_max_pool, max_unpool, col2im. */
#include "graph/expand_impl.h"

#include "graph/infer_impl.h"

static kd_gvalue *scaled(kd_decomposer *d, kd_gvalue *x, int64_t by)
{
    return BUILD(d, mul_scalar, kd_garg_value(x), kd_garg_int(by));
}

static kd_gvalue *shifted(kd_decomposer *d, kd_gvalue *x, int64_t by)
{
    return BUILD(d, add_scalar, kd_garg_value(x), kd_garg_int(by), kd_garg_int(1));
}

static kd_gvalue *quotient(kd_decomposer *d, kd_gvalue *x, int64_t by)
{
    return BUILD(d, floor_divide, kd_garg_value(x), kd_garg_int(by));
}

static kd_gvalue *rest(kd_decomposer *d, kd_gvalue *x, int64_t by)
{
    return BUILD(d, remainder_scalar, kd_garg_value(x), kd_garg_int(by));
}

/* ---- adaptive_max_pool ---- */

/* Element k of part i of a dimension that is divided into n parts, which may overlap; the part's last one where it has fewer. */
static kd_gvalue *place_in_part(kd_decomposer *d, kd_gvalue *part, kd_gvalue *k, int64_t extent, int64_t n)
{
    kd_gvalue *at = build_two(d, KD_GOP_add, quotient(d, scaled(d, part, extent), n), k);
    kd_gvalue *last = shifted(d, quotient(d, shifted(d, scaled(d, part, extent), extent + n - 1), n), -1);
    return build_two(d, KD_GOP_minimum, at, last);
}

/* The numbers of the elements that are the largest, from their places in the windows. */
static kd_gvalue *number_of_largest(kd_decomposer *d, kd_gvalue *k, unsigned n, const int64_t *in, const int64_t *out, const int64_t *most)
{
    unsigned n_dims = k->type.n_dims;
    kd_gvalue *number = NULL;
    int64_t behind = 1;
    for (unsigned i = 0; i < n; i++)
        behind *= most[i];
    for (unsigned i = 0; i < n; i++) {
        behind /= most[i];
        kd_gvalue *part = build_convert(d, build_places(d, n_dims, n_dims - n + i, out[i]), KD_I64);
        kd_gvalue *at = place_in_part(d, part, rest(d, quotient(d, k, behind), most[i]), in[i], out[i]);
        number = number ? build_two(d, KD_GOP_add, scaled(d, number, in[i]), at) : at;
    }
    return number;
}

static void pool_uneven(kd_decomposer *d, kd_gvalue *x, unsigned n, const int64_t *in, const int64_t *out)
{
    unsigned first = x->type.n_dims - n, n_dims = first;
    int64_t shape[KD_TENSOR_MAX_DIMS + 1], order[KD_TENSOR_MAX_DIMS + 1], most[3], n_inside = 1;
    for (unsigned i = 0; i < first; i++) {
        shape[i] = x->type.shape[i];
        order[i] = i;
    }
    for (unsigned i = 0; i < n; i++) {
        most[i] = (in[i] + out[i] - 1) / out[i] + (in[i] % out[i] != 0);
        n_inside *= most[i];
        kd_gvalue *at = place_in_part(d, build_places(d, 2, 0, out[i]), build_places(d, 2, 1, most[i]), in[i], out[i]);
        x = BUILD(d, index_select, kd_garg_value(x), kd_garg_int(first + i), kd_garg_value(build_flat(d, at)));
        order[first + i] = n_dims;
        order[first + n + i] = n_dims + 1;
        shape[n_dims++] = out[i];
        shape[n_dims++] = most[i];
    }
    x = BUILD(d, permute, kd_garg_value(build_view(d, x, n_dims, shape)), ints_arg(d->arena, n_dims, order));
    memcpy(shape + first, out, n * sizeof *out);
    shape[first + n] = n_inside;
    x = build_view(d, x, first + n + 1, shape);
    kd_gvalue *largest = decompose_build(d, KD_GOP_max_dim, 2,
                                         (const kd_garg[KD_GOP_MAX_PARAMS]){kd_garg_value(x), kd_garg_int(-1), bool_arg(false)});
    expand_return(d, 0, largest);
    if (!d->status)
        expand_return(d, 1, number_of_largest(d, largest->def->results[1], n, in, out, most));
}

static unsigned spatial_dims(const kd_decomposer *d)
{
    return strstr(d->of->op->name, "1d") ? 1 : strstr(d->of->op->name, "2d") ? 2 : 3;
}

void kd_expand_adaptive_max_pool(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    unsigned n = spatial_dims(d);
    int64_t out[3], in[3], size[3];
    bool fits = x->type.n_dims > n && x->type.n_dims <= n + 2 && infer_spatial(d->of, 1, n, 1, out) && kd_scalar_is_float(x->type.type),
         is_even = n > 1;
    for (unsigned i = 0; i < n && fits; i++) {
        in[i] = x->type.shape[x->type.n_dims - n + i];
        fits = in[i] > 0;
        is_even &= fits && in[i] % out[i] == 0;
        size[i] = in[i] / out[i];
    }
    if (!fits) {
        expand_bad(d, "the output size does not fit the input %s", kd_tensor_type_text(d->arena, &x->type));
        return;
    }
    if (!is_even) {
        pool_uneven(d, x, n, in, out);
        return;
    }
    kd_garg sizes = ints_arg(d->arena, n, size), none = kd_garg_int(0), one = kd_garg_int(1);
    kd_gvalue *y = decompose_build(d, n == 2 ? KD_GOP_max_pool2d_indices : KD_GOP_max_pool3d_indices, 2,
                                   (const kd_garg[KD_GOP_MAX_PARAMS]){kd_garg_value(x), sizes, sizes, none, one, bool_arg(false)});
    expand_return(d, 0, y);
    if (!d->status)
        expand_return(d, 1, y->def->results[1]);
}

/* ---- max_unpool ---- */

/* Zeros, and each element where its index says. */
void kd_expand_max_unpool(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *index = expand_tensor(d, 1);
    unsigned n = spatial_dims(d), first = x->type.n_dims - n;
    int64_t size[3], shape[KD_TENSOR_MAX_DIMS], n_places = 1;
    if (x->type.n_dims <= n || !kd_tensor_same_shape(&x->type, &index->type) || !infer_spatial(d->of, 2, n, 1, size)) {
        expand_bad(d, "%s does not fit the indices %s", kd_tensor_type_text(d->arena, &x->type),
                   kd_tensor_type_text(d->arena, &index->type));
        return;
    }
    memcpy(shape, x->type.shape, sizeof shape);
    for (unsigned i = 0; i < n; i++)
        if (__builtin_mul_overflow(n_places, size[i], &n_places))
            n_places = INT32_MAX;
    shape[first] = n_places;
    kd_garg flat[] = {kd_garg_int(first), kd_garg_int(-1)};
    x = BUILD(d, flatten, kd_garg_value(x), flat[0], flat[1]);
    index = BUILD(d, flatten, kd_garg_value(index), flat[0], flat[1]);
    kd_gvalue *zeros = build_full(d, first + 1, shape, kd_garg_int(0), x->type.type);
    kd_gvalue *y = BUILD(d, scatter, kd_garg_value(zeros), flat[0], kd_garg_value(index), kd_garg_value(x));
    memcpy(shape + first, size, n * sizeof *size);
    expand_return(d, 0, build_view(d, y, first + n, shape));
}

/* ---- col2im ---- */

/* Of a dimension: which window has the element as its k-th one, [extent, size] with 1 for the other dimension's, and whether there is one. */
static kd_gvalue *window_with(kd_decomposer *d, unsigned dim, int64_t extent, const int64_t *size, const int64_t *dilation,
                              const int64_t *padding, const int64_t *stride, int64_t n_windows, kd_gvalue **has)
{
    kd_gvalue *k = scaled(d, build_places(d, 4, 2 + dim, size[dim]), dilation[dim]);
    kd_gvalue *from = build_two(d, KD_GOP_sub, shifted(d, build_places(d, 4, dim, extent), padding[dim]), k);
    kd_gvalue *window = quotient(d, from, stride[dim]);
    kd_gvalue *fits = build_two(d, KD_GOP_logical_and, BUILD(d, ge_scalar, kd_garg_value(from), kd_garg_int(0)),
                                BUILD(d, lt_scalar, kd_garg_value(window), kd_garg_int(n_windows)));
    if (stride[dim] > 1)
        fits = build_two(d, KD_GOP_logical_and, fits, BUILD(d, eq_scalar, kd_garg_value(rest(d, from, stride[dim])), kd_garg_int(0)));
    *has = *has ? build_two(d, KD_GOP_logical_and, *has, fits) : fits;
    return BUILD(d, clamp, kd_garg_value(window), kd_garg_int(0), kd_garg_int(n_windows - 1));
}

/* Columns as the windows of an image: each element is the sum of what the windows have for it. */
void kd_expand_col2im(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *has = NULL;
    const kd_tensor_type t = x->type;
    int64_t image[2], size[2], dilation[2], padding[2], stride[2], n_windows[2], over[2] = {4, 5};
    bool fits = infer_spatial(d->of, 1, 2, 1, image) && infer_spatial(d->of, 2, 2, 1, size) && infer_spatial(d->of, 3, 2, 1, dilation) &&
                infer_spatial(d->of, 4, 2, 0, padding) && infer_spatial(d->of, 5, 2, 1, stride) && (t.n_dims == 2 || t.n_dims == 3);
    for (unsigned i = 0; i < 2 && fits; i++) {
        int64_t room = image[i] + 2 * padding[i] - dilation[i] * (size[i] - 1) - 1;
        n_windows[i] = room < 0 ? 0 : room / stride[i] + 1;
        fits = n_windows[i] > 0;
    }
    if (!fits || t.shape[t.n_dims - 1] != n_windows[0] * n_windows[1] || t.shape[t.n_dims - 2] % (size[0] * size[1])) {
        expand_bad(d, "the windows do not fit %s", kd_tensor_type_text(d->arena, &t));
        return;
    }
    int64_t batch = t.n_dims == 3 ? t.shape[0] : 1, channels = t.shape[t.n_dims - 2] / (size[0] * size[1]);
    x = build_view(d, x, 6, (int64_t[]){batch, channels, size[0], size[1], n_windows[0], n_windows[1]});
    kd_garg *by = kd_arena_array(d->arena, kd_garg, 6), list = {.kind = KD_GARG_LIST};
    by[0] = by[1] = no_arg();
    for (unsigned i = 0; i < 2; i++) {
        by[2 + i] = kd_garg_value(build_places(d, 4, 2 + i, size[i]));
        by[4 + i] = kd_garg_value(window_with(d, i, image[i], size, dilation, padding, stride, n_windows[i], &has));
    }
    list.list.items = by;
    list.list.n = 6;
    kd_gvalue *parts = build_where(d, has, BUILD(d, index, kd_garg_value(x), list), kd_garg_int(0));
    kd_gvalue *y = BUILD(d, sum, kd_garg_value(parts), ints_arg(d->arena, 2, over), bool_arg(false), text_arg(kd_scalar_name(t.type)));
    expand_return(d, 0, t.n_dims == 3 ? y : build_view(d, y, 3, y->type.shape + 1));
}
