/* decompose_pool.c - pooling: the largest element of each window by oneDNN, or with its place by our kernels, and means. */
#include "graph/decompose_impl.h"

#include "base/scalar.h"

/* The elements of the windows as dimensions behind the others; low, high: padding of the last n dimensions, with a number. */
static kd_gvalue *build_windows(kd_decomposer *d, kd_gvalue *x, const kd_pooling *p, const int64_t *low, const int64_t *high,
                                kd_garg with)
{
    int64_t pad[6];
    bool pads = false;
    for (unsigned i = 0; i < p->n; i++) {
        pad[2 * (p->n - 1 - i)] = low[i];
        pad[2 * (p->n - 1 - i) + 1] = high[i];
        pads |= low[i] || high[i];
    }
    if (pads)
        x = BUILD(d, pad, kd_garg_value(x), ints_arg(d->arena, 2 * p->n, pad), with);
    return BUILD(d, windows, kd_garg_value(x), ints_arg(d->arena, p->n, p->size), ints_arg(d->arena, p->n, p->stride),
                 ints_arg(d->arena, p->n, p->dilation));
}

/* How much padding the last window needs. */
static void find_high(const kd_decomposer *d, const kd_pooling *p, const kd_tensor_type *x, int64_t *out)
{
    const kd_tensor_type *t = &d->of->results[0]->type;
    for (unsigned i = 0; i < p->n; i++) {
        int64_t end = (t->shape[t->n_dims - p->n + i] - 1) * p->stride[i] + p->dilation[i] * (p->size[i] - 1) + 1;
        int64_t high = end - x->shape[x->n_dims - p->n + i] - p->padding[i];
        out[i] = high < 0 ? 0 : high;
    }
}

/* ---- the largest ---- */

/* The place of the k-th element of a window, as a number of the element in the image that the window goes over. */
static kd_gvalue *place_in_image(kd_decomposer *d, kd_gvalue *k, const kd_pooling *p, const int64_t *in)
{
    kd_gvalue *flat = NULL;
    int64_t behind = 1;
    for (unsigned i = 0; i < p->n; i++)
        behind *= p->size[i];
    for (unsigned i = 0; i < p->n; i++) {
        behind /= p->size[i];
        kd_gvalue *at = BUILD(d, floor_divide, kd_garg_value(k), kd_garg_int(behind));
        at = BUILD(d, remainder_scalar, kd_garg_value(at), kd_garg_int(p->size[i]));
        at = BUILD(d, mul_scalar, kd_garg_value(at), kd_garg_int(p->dilation[i]));
        unsigned n_dims = k->type.n_dims, dim = n_dims - p->n + i;
        kd_gvalue *first =
            BUILD(d, mul_scalar, kd_garg_value(build_places(d, n_dims, dim, k->type.shape[dim])), kd_garg_int(p->stride[i]));
        at = build_two(d, KD_GOP_add, at, BUILD(d, sub_scalar, kd_garg_value(first), kd_garg_int(p->padding[i]), kd_garg_int(1)));
        flat = flat ? build_two(d, KD_GOP_add, BUILD(d, mul_scalar, kd_garg_value(flat), kd_garg_int(in[i])), at) : at;
    }
    return flat;
}

/* By our own kernels: values of all types, and their places. */
static void find_largest(kd_decomposer *d, kd_gvalue *x, const kd_pooling *p)
{
    const kd_tensor_type *t = &d->of->results[0]->type;
    int64_t high[3], shape[KD_TENSOR_MAX_DIMS], n_inside = 1, last = -1;
    find_high(d, p, &x->type, high);
    kd_gvalue *windows = build_windows(d, x, p, p->padding, high, least_arg(x->type.type));
    for (unsigned i = 0; i < p->n; i++)
        n_inside *= p->size[i];
    memcpy(shape, t->shape, sizeof shape);
    shape[t->n_dims] = n_inside;
    windows = build_view(d, windows, t->n_dims + 1, shape);
    kd_gvalue *largest = BUILD(d, amax, kd_garg_value(windows), ints_arg(d->arena, 1, &last), bool_arg(false));
    decompose_finish(d, 0, largest);
    if (d->of->n_results < 2 || !d->of->results[1]->n_uses)
        return;
    kd_gvalue *places = build_places(d, t->n_dims + 1, t->n_dims, n_inside);
    kd_gvalue *k = build_first_largest(d, build_order(d, windows, true, true), NULL, places, t->n_dims);
    k = place_in_image(d, build_view(d, k, t->n_dims, t->shape), p, x->type.shape + x->type.n_dims - p->n);
    decompose_finish(d, 1, build_convert(d, k, KD_I64));
}

void kd_decompose_max_pool(kd_decomposer *d)
{
    kd_gvalue *x = decompose_operand(d, 0);
    const kd_tensor_type t = x->type;
    bool wants_places = d->of->n_results == 2 && d->of->results[1]->n_uses, has_batch;
    kd_pooling p;
    (void)kd_gnode_pooling(d->of, &p); /* inference saw to it */
    has_batch = t.n_dims == p.n + 2;
    if (d->on_gpu || wants_places || !kd_scalar_is_float(t.type) || t.type == KD_F64 || !kd_tensor_n_elems(&t)) {
        find_largest(d, x, &p);
        return;
    }
    int64_t shape[KD_TENSOR_MAX_DIMS] = {1};
    memcpy(shape + 1, t.shape, t.n_dims * sizeof *shape);
    x = has_batch ? x : build_view(d, x, t.n_dims + 1, shape);
    decompose_finish_shaped(d,
                            BUILD(d, max_pool, kd_garg_value(x), ints_arg(d->arena, p.n, p.size), ints_arg(d->arena, p.n, p.stride),
                                  ints_arg(d->arena, p.n, p.padding), ints_arg(d->arena, p.n, p.dilation), bool_arg(p.ceils)));
}

/* ---- means ---- */

static kd_gvalue *window_sums(kd_decomposer *d, kd_gvalue *x, const kd_pooling *p, const int64_t *low, const int64_t *high)
{
    int64_t dims[3] = {-1, -2, -3};
    kd_gvalue *windows = build_windows(d, x, p, low, high, kd_garg_float(0));
    return BUILD(d, sum, kd_garg_value(windows), ints_arg(d->arena, p->n, dims), bool_arg(false), no_arg());
}

static double n_inside(const kd_pooling *p)
{
    double n = 1;
    for (unsigned i = 0; i < p->n; i++)
        n *= (double)p->size[i];
    return n;
}

/* How many elements of each window count. */
static kd_gvalue *window_counts(kd_decomposer *d, kd_gvalue *x, const kd_pooling *p, const int64_t *high, bool counts_padding)
{
    int64_t shape[KD_TENSOR_MAX_DIMS], low[3], beyond[3];
    unsigned first = x->type.n_dims - p->n;
    for (unsigned i = 0; i < first; i++)
        shape[i] = 1;
    for (unsigned i = 0; i < p->n; i++) {
        low[i] = p->padding[i];
        beyond[i] = high[i];
        shape[first + i] = x->type.shape[first + i];
        if (counts_padding) { /* but not what ceil mode adds */
            shape[first + i] += low[i] + (high[i] < low[i] ? high[i] : low[i]);
            beyond[i] = high[i] > low[i] ? high[i] - low[i] : 0;
            low[i] = 0;
        }
    }
    kd_gvalue *ones =
        build_full(d, x->type.n_dims, shape, kd_garg_float(1), x->type.type);
    return window_sums(d, ones, p, low, beyond);
}

void kd_decompose_avg_pool(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0);
    kd_pooling p;
    int64_t high[3];
    bool counts_padding = kd_gnode_bool(d->of, 5), is_even = true;
    (void)kd_gnode_pooling(d->of, &p);
    find_high(d, &p, &x->type, high);
    kd_gvalue *sum = window_sums(d, x, &p, p.padding, high);
    for (unsigned i = 0; i < p.n; i++)
        is_even &= counts_padding ? high[i] <= p.padding[i] : !p.padding[i] && !high[i];
    if (kd_gnode_has(d->of, 6) || is_even)
        decompose_finish(d, 0, build_with(d, KD_GOP_div_scalar, sum, kd_gnode_number(d->of, 6, n_inside(&p))));
    else
        decompose_finish(d, 0, build_two(d, KD_GOP_div, sum, window_counts(d, x, &p, high, counts_padding)));
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The means of n parts of a dimension, which may overlap: part i goes from i * extent / n to the next whole number from (i + 1) * extent / n. */
static kd_gvalue *means_of_parts(kd_decomposer *d, kd_gvalue *x, unsigned dim, int64_t n)
{
    int64_t extent = x->type.shape[dim], rest = extent % n, shape[KD_TENSOR_MAX_DIMS + 1], behind = dim + 1;
    int64_t most = extent / n + (rest ? 1 + (rest > common_divisor(extent, n)) : 0);
    kd_gvalue *part = build_places(d, 2, 0, n), *k = build_places(d, 2, 1, most);
    kd_gvalue *first =
        BUILD(d, floor_divide, kd_garg_value(BUILD(d, mul_scalar, kd_garg_value(part), kd_garg_int(extent))), kd_garg_int(n));
    kd_gvalue *end = BUILD(d, add_scalar, kd_garg_value(BUILD(d, mul_scalar, kd_garg_value(part), kd_garg_int(extent))),
                           kd_garg_int(extent + n - 1), kd_garg_int(1));
    kd_gvalue *length = build_two(d, KD_GOP_sub, BUILD(d, floor_divide, kd_garg_value(end), kd_garg_int(n)), first);
    kd_gvalue *at = BUILD(d, clamp_max, kd_garg_value(build_two(d, KD_GOP_add, first, k)), kd_garg_int(extent - 1));
    kd_gvalue *elements =
        BUILD(d, index_select, kd_garg_value(x), kd_garg_int(dim), kd_garg_value(build_view(d, at, 1, (int64_t[]){n * most})));
    for (unsigned i = 0; i <= x->type.n_dims; i++)
        shape[i] = i < dim ? x->type.shape[i] : i == dim ? n : i == dim + 1 ? most : x->type.shape[i - 1];
    elements = build_view(d, elements, x->type.n_dims + 1, shape);
    for (unsigned i = 0; i <= x->type.n_dims; i++)
        shape[i] = i == dim ? n : i == dim + 1 ? most : 1;
    kd_gvalue *counts = build_view(d, build_two(d, KD_GOP_lt, k, length), x->type.n_dims + 1, shape);
    kd_gvalue *sum = BUILD(d, sum, kd_garg_value(build_where(d, counts, elements, kd_garg_float(0))),
                           ints_arg(d->arena, 1, &behind), bool_arg(false), no_arg());
    shape[dim + 1] = 1;
    length = build_view(d, build_convert(d, length, x->type.type), x->type.n_dims, shape);
    return build_two(d, KD_GOP_div, sum, length);
}

void kd_decompose_adaptive_pool(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0);
    const kd_tensor_type *t = &d->of->results[0]->type;
    kd_pooling p = {.n = kd_gnode_pool_dims(d->of), .dilation = {1, 1, 1}};
    unsigned first = t->n_dims - p.n;
    int64_t dims[3] = {-1, -2, -3}, none[3] = {0};
    bool is_one = true, is_even = true;
    for (unsigned i = 0; i < p.n; i++) {
        int64_t in = x->type.shape[first + i], out = t->shape[first + i];
        p.size[i] = p.stride[i] = in / out;
        is_one &= out == 1;
        is_even &= in % out == 0;
    }
    if (is_one) {
        decompose_finish(d, 0, build_mean(d, x, ints_arg(d->arena, p.n, dims), true));
    } else if (is_even) {
        decompose_finish(d, 0, build_with(d, KD_GOP_div_scalar, window_sums(d, x, &p, none, none), n_inside(&p)));
    } else {
        for (unsigned i = 0; i < p.n; i++)
            x = x->type.shape[first + i] == t->shape[first + i] ? x : means_of_parts(d, x, first + i, t->shape[first + i]);
        decompose_finish(d, 0, x);
    }
}
