/* expand_sample.c - images that are read between their elements: grid_sample, the grids of affine_grid, and roi_align.
 *
 * A place has one coordinate for each dimension of the image. Around it, along each dimension, 1, 2 or 4 elements count, each with its weight:
 *
 *     y = sum over i, j of   weight_y[i] * weight_x[j] * image[at_y[i], at_x[j]]
 *
 * Elements beyond the ends are read as the nearest one, and then replaced by 0 where the op says so. Coordinates are f32 at least. */
#include "graph/expand_impl.h"

#include "graph/infer_impl.h"

typedef enum interpolation { BILINEAR, NEAREST, BICUBIC, N_INTERPOLATIONS } interpolation;
typedef enum beyond { ZEROS, BORDER, REFLECTION, N_BEYOND } beyond; /* what there is beyond the ends */

enum { MAX_TAPS = 4 };

/* The elements around places: 'at' are whole numbers in a floating-point type. */
typedef struct sampler {
    kd_decomposer *d;
    kd_gvalue *image, *batch, *channel; /* [N, C, ...], and the numbers of batch and channel, which broadcast with the places */
    unsigned n, n_taps;
    bool zeros_beyond;
    kd_gvalue *at[3][MAX_TAPS], *weight[3][MAX_TAPS]; /* by dimension; no weights where n_taps is 1 */
} sampler;

static kd_gvalue *plus(kd_decomposer *d, kd_gvalue *x, double number)
{
    return build_with(d, KD_GOP_add_scalar, x, number);
}

static kd_gvalue *times(kd_decomposer *d, kd_gvalue *x, double number)
{
    return build_with(d, KD_GOP_mul_scalar, x, number);
}

static kd_gvalue *within(kd_decomposer *d, kd_gvalue *x, double low, double high)
{
    return BUILD(d, clamp, kd_garg_value(x), kd_garg_float(low), kd_garg_float(high));
}

static kd_gvalue *is_within(kd_decomposer *d, kd_gvalue *x, double low, double high)
{
    return build_two(d, KD_GOP_logical_and, build_with(d, KD_GOP_ge_scalar, x, low), build_with(d, KD_GOP_le_scalar, x, high));
}

/* The element that these taps name, one for each dimension. */
static kd_gvalue *read_taps(const sampler *s, const unsigned *taps)
{
    kd_decomposer *d = s->d;
    kd_gvalue *by[2 + 3] = {s->batch, s->channel}, *is_inside = NULL;
    for (unsigned i = 0; i < s->n; i++) {
        kd_gvalue *at = s->at[i][taps[i]];
        double last = (double)s->image->type.shape[2 + i] - 1;
        by[2 + i] = build_convert(d, within(d, at, 0, last), KD_I32);
        if (s->zeros_beyond) {
            kd_gvalue *fits = is_within(d, at, 0, last);
            is_inside = is_inside ? build_two(d, KD_GOP_logical_and, is_inside, fits) : fits;
        }
    }
    kd_gvalue *y = BUILD(d, index, kd_garg_value(s->image), values_arg(d->arena, 2 + s->n, by));
    return is_inside ? build_where(d, is_inside, y, kd_garg_float(0)) : y;
}

/* The sum over the taps of the dimensions from 'dim' on. */
static kd_gvalue *sum_of_taps(const sampler *s, unsigned dim, unsigned *taps)
{
    kd_gvalue *sum = NULL;
    if (dim == s->n)
        return read_taps(s, taps);
    for (taps[dim] = 0; taps[dim] < s->n_taps; taps[dim]++) {
        unsigned tap = taps[dim];
        kd_gvalue *y = sum_of_taps(s, dim + 1, taps);
        y = s->n_taps > 1 ? build_two(s->d, KD_GOP_mul, y, s->weight[dim][tap]) : y;
        sum = sum ? build_two(s->d, KD_GOP_add, sum, y) : y;
    }
    return sum;
}

static kd_gvalue *sample(const sampler *s)
{
    unsigned taps[3] = {0};
    return sum_of_taps(s, 0, taps);
}

/* The two neighbours of each place along a dimension. */
static void take_neighbours(sampler *s, unsigned dim, kd_gvalue *at)
{
    kd_decomposer *d = s->d;
    kd_gvalue *low = build_one(d, KD_GOP_floor, at), *part = build_two(d, KD_GOP_sub, at, low);
    s->n_taps = 2;
    s->at[dim][0] = low;
    s->at[dim][1] = plus(d, low, 1);
    s->weight[dim][0] = BUILD(d, rsub, kd_garg_value(part), kd_garg_float(1), kd_garg_int(1));
    s->weight[dim][1] = part;
}

/* ---- grid_sample ---- */

/* From -1 and 1 to the middles of the first and the last element, or to the outer edges of these. */
static kd_gvalue *in_elements(kd_decomposer *d, kd_gvalue *at, int64_t extent, bool align_corners)
{
    at = times(d, plus(d, at, 1), (double)(extent - align_corners) / 2);
    return align_corners ? at : plus(d, at, -0.5);
}

/* As light goes between two mirrors, at the middles or at the outer edges of the first and the last element. */
static kd_gvalue *reflected(kd_decomposer *d, kd_gvalue *at, int64_t extent, bool align_corners)
{
    double low = align_corners ? 0 : -0.5, span = (double)(extent - align_corners);
    if (span == 0)
        return times(d, at, 0);
    kd_gvalue *way = build_one(d, KD_GOP_abs, plus(d, at, -low));
    kd_gvalue *turns = build_one(d, KD_GOP_floor, build_with(d, KD_GOP_div_scalar, way, span));
    kd_gvalue *rest = BUILD(d, fmod_scalar, kd_garg_value(way), kd_garg_float(span));
    kd_gvalue *is_forth = build_with(d, KD_GOP_eq_scalar, BUILD(d, fmod_scalar, kd_garg_value(turns), kd_garg_float(2)), 0);
    kd_gvalue *back = BUILD(d, rsub, kd_garg_value(rest), kd_garg_float(span + low), kd_garg_int(1));
    return BUILD(d, where, kd_garg_value(is_forth), kd_garg_value(plus(d, rest, low)), kd_garg_value(back));
}

static kd_gvalue *brought_inside(kd_decomposer *d, kd_gvalue *at, int64_t extent, beyond mode, bool align_corners)
{
    at = mode == REFLECTION ? reflected(d, at, extent, align_corners) : at;
    return mode == ZEROS ? at : within(d, at, 0, (double)(extent - 1));
}

static void take_cubic(sampler *s, unsigned dim, kd_gvalue *at, beyond mode, bool align_corners)
{
    kd_decomposer *d = s->d;
    kd_gvalue *low = build_one(d, KD_GOP_floor, at), *part = build_two(d, KD_GOP_sub, at, low);
    s->n_taps = 4;
    build_cubic_weights(d, part, s->weight[dim]);
    for (unsigned i = 0; i < 4; i++)
        s->at[dim][i] = brought_inside(d, plus(d, low, (double)i - 1), s->image->type.shape[2 + dim], mode, align_corners);
}

static bool grid_fits(kd_decomposer *d, const kd_tensor_type *x, const kd_tensor_type *grid, int64_t how, int64_t mode)
{
    unsigned n = x->n_dims - 2;
    bool fits = (x->n_dims == 4 || x->n_dims == 5) && grid->n_dims == x->n_dims && grid->shape[0] == x->shape[0] &&
                grid->shape[n + 1] == n && kd_scalar_is_float(x->type) && kd_scalar_is_float(grid->type);
    for (unsigned i = 0; i < n && fits; i++)
        fits = x->shape[2 + i] > 0;
    if (!fits)
        expand_bad(d, "%s cannot be sampled by the grid %s", kd_tensor_type_text(d->arena, x), kd_tensor_type_text(d->arena, grid));
    else if (how < 0 || how >= N_INTERPOLATIONS || mode < 0 || mode >= N_BEYOND || (how == BICUBIC && n == 3))
        expand_bad(d, "there is no interpolation %lld of %u dimensions with padding %lld", (long long)how, n, (long long)mode);
    return !d->status;
}

void kd_expand_grid_sampler(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *grid = expand_wide(d, expand_tensor(d, 1));
    int64_t how = kd_gnode_int(d->of, 2, 0), mode = kd_gnode_int(d->of, 3, 0);
    bool align_corners = kd_gnode_bool(d->of, 4);
    if (!grid_fits(d, &x->type, &grid->type, how, mode))
        return;
    unsigned n_dims = x->type.n_dims;
    sampler s = {.d = d, .image = expand_wide(d, x), .n = n_dims - 2, .n_taps = 1};
    s.zeros_beyond = mode == ZEROS || how == BILINEAR; /* an element that has no weight may be a NaN */
    s.batch = build_places(d, n_dims, 0, x->type.shape[0]);
    s.channel = build_places(d, n_dims, 1, x->type.shape[1]);
    for (unsigned i = 0; i < s.n; i++) { /* the grid has the last dimension's coordinate first */
        int64_t extent = x->type.shape[2 + i];
        kd_gvalue *at = BUILD(d, select, kd_garg_value(grid), kd_garg_int(-1), kd_garg_int(s.n - 1 - i));
        at = in_elements(d, BUILD(d, unsqueeze, kd_garg_value(at), kd_garg_int(1)), extent, align_corners);
        if (how == BICUBIC) {
            take_cubic(&s, i, at, (beyond)mode, align_corners);
            continue;
        }
        at = brought_inside(d, at, extent, (beyond)mode, align_corners);
        if (how == NEAREST)
            s.at[i][0] = build_one(d, KD_GOP_round, at);
        else
            take_neighbours(&s, i, at);
    }
    expand_return(d, 0, build_convert(d, sample(&s), x->type.type));
}

/* ---- affine_grid ---- */

/* theta[:, :, j] as [N, 1 ..., n] */
static kd_gvalue *column_of(kd_decomposer *d, kd_gvalue *theta, unsigned n, int64_t j)
{
    int64_t shape[KD_TENSOR_MAX_DIMS] = {theta->type.shape[0], 1, 1, 1, 1};
    shape[n + 1] = n;
    return build_view(d, BUILD(d, select, kd_garg_value(theta), kd_garg_int(2), kd_garg_int(j)), n + 2, shape);
}

/* grid[b, y, x] = theta[b] (x, y, 1), where x and y go from -1 to 1 over the image. */
void kd_expand_affine_grid(kd_decomposer *d)
{
    kd_gvalue *theta = expand_tensor(d, 0);
    const kd_tensor_type t = theta->type;
    int64_t size[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(d->of, 1, size, KD_TENSOR_MAX_DIMS) - 2;
    bool fits = (n == 2 || n == 3) && t.n_dims == 3 && t.shape[0] == size[0] && t.shape[1] == n && t.shape[2] == n + 1 &&
                kd_scalar_is_float(t.type);
    if (!fits) {
        expand_bad(d, "%s is no such transformation", kd_tensor_type_text(d->arena, &t));
        return;
    }
    theta = expand_wide(d, theta);
    kd_gvalue *y = column_of(d, theta, n, n);
    for (unsigned i = 0; i < n && !d->status; i++) { /* the last dimension first */
        int64_t extent = size[1 + n - i], shape[KD_TENSOR_MAX_DIMS] = {1, 1, 1, 1, 1};
        double end = extent < 2 ? 0 : kd_gnode_bool(d->of, 2) ? 1 : (double)(extent - 1) / (double)extent;
        kd_gvalue *at = BUILD(d, linspace, kd_garg_float(-end), kd_garg_float(end), kd_garg_int(extent),
                              text_arg(kd_scalar_name(theta->type.type)));
        shape[n - i] = extent;
        y = build_two(d, KD_GOP_add, y, build_two(d, KD_GOP_mul, build_view(d, at, n + 2, shape), column_of(d, theta, n, i)));
    }
    expand_return(d, 0, build_convert(d, y, t.type));
}

/* ---- roi_align ---- */

/* A column of the boxes as [K, 1, ...], of so many dimensions. */
static kd_gvalue *box_column(kd_decomposer *d, kd_gvalue *boxes, int64_t column, unsigned n_dims)
{
    int64_t shape[KD_TENSOR_MAX_DIMS] = {boxes->type.shape[0], 1, 1, 1, 1, 1, 1, 1};
    return build_view(d, BUILD(d, select, kd_garg_value(boxes), kd_garg_int(1), kd_garg_int(column)), n_dims, shape);
}

enum { ROI_DIMS = 6 }; /* boxes, channels, bins and samples of a bin, of rows and of columns */

/* Where the samples are along a dimension, [K, 1, n_bins, 1, n_samples, 1] or with the next ones for columns; in *out_fits, whether there is
 * something of the image. */
static void take_samples(sampler *s, kd_gvalue *boxes, unsigned dim, int64_t n_bins, int64_t n_samples, kd_gvalue **out_fits)
{
    kd_decomposer *d = s->d;
    bool aligned = kd_gnode_bool(d->of, 6);
    double scale = kd_gnode_number(d->of, 2, 1), offset = aligned ? -0.5 : 0, last = (double)s->image->type.shape[2 + dim] - 1;
    kd_gvalue *start = plus(d, times(d, box_column(d, boxes, 2 - dim, ROI_DIMS), scale), offset);
    kd_gvalue *end = plus(d, times(d, box_column(d, boxes, 4 - dim, ROI_DIMS), scale), offset);
    kd_gvalue *length = build_two(d, KD_GOP_sub, end, start);
    length = aligned ? length : build_with(d, KD_GOP_clamp_min, length, 1);
    kd_gvalue *step = build_with(d, KD_GOP_div_scalar, length, (double)n_bins);
    kd_gvalue *bin = build_convert(d, build_places(d, ROI_DIMS, 2 + dim, n_bins), step->type.type);
    kd_gvalue *part = build_convert(d, build_places(d, ROI_DIMS, 4 + dim, n_samples), step->type.type);
    part = build_with(d, KD_GOP_div_scalar, build_two(d, KD_GOP_mul, plus(d, part, 0.5), step), (double)n_samples);
    kd_gvalue *at = build_two(d, KD_GOP_add, start, build_two(d, KD_GOP_add, build_two(d, KD_GOP_mul, bin, step), part));
    kd_gvalue *fits = is_within(d, at, -1, last + 1);
    *out_fits = *out_fits ? build_two(d, KD_GOP_logical_and, *out_fits, fits) : fits;
    take_neighbours(s, dim, within(d, at, 0, last));
}

/* The mean of samples in each of the bins that a box is divided into. */
void kd_expand_roi_align(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *boxes = expand_wide(d, expand_tensor(d, 1)), *fits = NULL;
    const kd_tensor_type *t = &x->type;
    int64_t bins[2] = {kd_gnode_int(d->of, 3, 0), kd_gnode_int(d->of, 4, 0)}, n_samples = kd_gnode_int(d->of, 5, 0), over[2] = {4, 5};
    if (t->n_dims != 4 || boxes->type.n_dims != 2 || boxes->type.shape[1] != 5 || !kd_scalar_is_float(t->type) || t->shape[2] < 1 ||
        t->shape[3] < 1 || bins[0] < 1 || bins[1] < 1 || bins[0] > INT16_MAX || bins[1] > INT16_MAX || n_samples > INT16_MAX)
        expand_bad(d, "%s has no boxes %s with %lld x %lld bins", kd_tensor_type_text(d->arena, t),
                   kd_tensor_type_text(d->arena, &boxes->type), (long long)bins[0], (long long)bins[1]);
    else if (n_samples < 1)
        decompose_fail(d, "a number of samples that depends on the size of each box is not supported: sampling_ratio must be above 0");
    if (d->status)
        return;
    sampler s = {.d = d, .image = expand_wide(d, x), .n = 2};
    s.batch = build_convert(d, box_column(d, boxes, 0, ROI_DIMS), KD_I32);
    s.channel = build_places(d, ROI_DIMS, 1, t->shape[1]);
    for (unsigned i = 0; i < 2; i++)
        take_samples(&s, boxes, i, bins[i], n_samples, &fits);
    kd_gvalue *y = build_where(d, fits, sample(&s), kd_garg_float(0));
    y = build_mean(d, y, ints_arg(d->arena, 2, over), false);
    expand_return(d, 0, build_convert(d, y, t->type));
}
