/* expand_shape.c - ops that move elements: parts, repetitions, dimensions that change places, tensors side by side. */
#include "graph/expand_impl.h"

#include "graph/infer_impl.h"

enum { MAX_TENSORS = 256 };

/* ---- dimensions ---- */

static kd_gvalue *permuted(kd_decomposer *d, kd_gvalue *x, const int64_t *order)
{
    return BUILD(d, permute, kd_garg_value(x), ints_arg(d->arena, x->type.n_dims, order));
}

void kd_expand_numpy_t(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t order[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < x->type.n_dims; i++)
        order[i] = x->type.n_dims - 1 - i;
    expand_return(d, 0, permuted(d, x, order));
}

void kd_expand_movedim(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t from[KD_TENSOR_MAX_DIMS], to[KD_TENSOR_MAX_DIMS], order[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(d->of, 1, from, KD_TENSOR_MAX_DIMS), is_moved = 0, is_taken = 0, next = 0;
    if (n != kd_gnode_ints(d->of, 2, to, KD_TENSOR_MAX_DIMS))
        expand_bad(d, "source and destination have different numbers of dimensions");
    for (unsigned i = 0; i < n && !d->status; i++) {
        unsigned source = expand_dim(d, from[i], x->type.n_dims), target = expand_dim(d, to[i], x->type.n_dims);
        if ((is_moved >> source & 1) || (is_taken >> target & 1))
            expand_bad(d, "a dimension is there twice");
        order[target] = source;
        is_moved |= 1u << source;
        is_taken |= 1u << target;
    }
    for (unsigned i = 0; i < x->type.n_dims && !d->status; i++) {
        if (is_taken >> i & 1)
            continue;
        while (is_moved >> next & 1)
            next++;
        order[i] = next++;
    }
    expand_return(d, 0, d->status ? x : permuted(d, x, order));
}

void kd_expand_atleast(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    kd_gop_code code = d->of->op->code;
    int64_t shape[3] = {1, 1, 1};
    unsigned n = x->type.n_dims, wanted = code == KD_GOP_atleast_1d ? 1 : code == KD_GOP_atleast_2d ? 2 : 3;
    if (n >= wanted) {
        expand_return(d, 0, build_one(d, KD_GOP_alias, x));
        return;
    }
    for (unsigned i = 0; i < n; i++) /* one behind where there are to be three */
        shape[wanted == 3 && n == 2 ? i : wanted == 1 ? 0 : i + 1] = x->type.shape[i];
    expand_return(d, 0, build_view(d, x, wanted, shape));
}

/* ---- parts and repetitions ---- */

static kd_gvalue *sliced(kd_decomposer *d, kd_gvalue *x, unsigned dim, int64_t start, int64_t n)
{
    return BUILD(d, slice, kd_garg_value(x), kd_garg_int(dim), kd_garg_int(start), kd_garg_int(start + n), kd_garg_int(1));
}

void kd_expand_narrow(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    unsigned dim = expand_dim(d, kd_gnode_int(d->of, 1, 0), x->type.n_dims);
    int64_t extent = x->type.n_dims ? x->type.shape[dim] : 0, start = kd_gnode_int(d->of, 2, 0), n = kd_gnode_int(d->of, 3, 0);
    start += start < 0 ? extent : 0;
    if (start < 0 || start > extent || n < 0 || n > extent - start)
        expand_bad(d, "%lld elements from %lld on are not in a dimension of %lld", (long long)n, (long long)start,
                   (long long)extent);
    else
        expand_return(d, 0, sliced(d, x, dim, start, n));
}

void kd_expand_tile(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t given[KD_TENSOR_MAX_DIMS], times[KD_TENSOR_MAX_DIMS];
    unsigned n_given = kd_gnode_ints(d->of, 1, given, KD_TENSOR_MAX_DIMS), n = n_given > x->type.n_dims ? n_given : x->type.n_dims;
    for (unsigned i = 0; i < n; i++)
        times[i] = i < n - n_given ? 1 : given[i - (n - n_given)];
    expand_return(d, 0, BUILD(d, repeat, kd_garg_value(x), ints_arg(d->arena, n, times)));
}

/* Each element several times, next to one another. */
void kd_expand_repeat_interleave(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t times = kd_gnode_int(d->of, 1, 1), shape[KD_TENSOR_MAX_DIMS + 1];
    x = kd_gnode_has(d->of, 2) && x->type.n_dims ? x : build_flat(d, x);
    unsigned n = x->type.n_dims, dim = expand_dim(d, kd_gnode_int(d->of, 2, 0), n);
    if (times < 0 || times > INT32_MAX || n == KD_TENSOR_MAX_DIMS || !n) {
        expand_bad(d, "%lld repetitions of %s make no sense", (long long)times, kd_tensor_type_text(d->arena, &x->type));
        return;
    }
    for (unsigned i = 0; i <= n; i++)
        shape[i] = i == dim + 1 ? times : x->type.shape[i - (i > dim)];
    kd_gvalue *each = build_expand(d, BUILD(d, unsqueeze, kd_garg_value(x), kd_garg_int(dim + 1)), n + 1, shape);
    if (d->status) /* there are too many */
        return;
    memcpy(shape, x->type.shape, n * sizeof *shape);
    shape[dim] *= times;
    expand_return(d, 0, build_view(d, each, n, shape));
}

void kd_expand_rot90(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t dims[KD_TENSOR_MAX_DIMS] = {0, 1}, times = (kd_gnode_int(d->of, 1, 1) % 4 + 4) % 4;
    unsigned n = kd_gnode_ints(d->of, 2, dims, KD_TENSOR_MAX_DIMS);
    kd_garg both = ints_arg(d->arena, 2, dims);
    if (n != 0 && n != 2)
        expand_bad(d, "turns in two dimensions, not in %u", n);
    else if (times == 2)
        expand_return(d, 0, BUILD(d, flip, kd_garg_value(x), both));
    else if (times == 0)
        expand_return(d, 0, BUILD(d, clone, kd_garg_value(x)));
    if (times % 2 == 0 || d->status)
        return;
    x = BUILD(d, flip, kd_garg_value(x), ints_arg(d->arena, 1, &dims[times == 1]));
    expand_return(d, 0, BUILD(d, transpose, kd_garg_value(x), kd_garg_int(dims[0]), kd_garg_int(dims[1])));
}

void kd_expand_diff(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *parts[3];
    unsigned dim = expand_dim(d, kd_gnode_int(d->of, 2, -1), x->type.n_dims), n_parts = 0;
    int64_t times = kd_gnode_int(d->of, 1, 1);
    for (unsigned i = 0; i < 3; i++) {
        kd_gvalue *part = i == 1 ? x : decompose_operand(d, i == 0 ? 3 : 4);
        if (part)
            parts[n_parts++] = part;
    }
    if (n_parts > 1)
        x = BUILD(d, cat, values_arg(d->arena, n_parts, parts), kd_garg_int(dim));
    if (!x->type.n_dims || times < 0 || times > 16)
        expand_bad(d, "%lld differences of %s make no sense", (long long)times, kd_tensor_type_text(d->arena, &x->type));
    for (int64_t i = 0; i < times && !d->status; i++) {
        int64_t n = x->type.shape[dim] ? x->type.shape[dim] - 1 : 0;
        kd_gop_code code = x->type.type == KD_I1 ? KD_GOP_logical_xor : KD_GOP_sub;
        x = build_two(d, code, sliced(d, x, dim, x->type.shape[dim] - n, n), sliced(d, x, dim, 0, n));
    }
    expand_return(d, 0, x);
}

/* ---- side by side ---- */

/* hstack and its like: cat, with dimensions that are missing. */
void kd_expand_joined(kd_decomposer *d)
{
    kd_gvalue *tensors[MAX_TENSORS];
    unsigned n = expand_list(d, 0, tensors, MAX_TENSORS);
    kd_gop_code code = d->of->op->code;
    unsigned n_dims = code == KD_GOP_dstack ? 3 : code == KD_GOP_hstack ? 1 : 2, dim = code == KD_GOP_dstack ? 2 : 0;
    for (unsigned i = 0; i < n; i++) {
        const kd_tensor_type *t = &tensors[i]->type;
        if (code == KD_GOP_dstack && t->n_dims <= 2) /* [rows, columns, 1] */
            tensors[i] = build_view(d, tensors[i], 3,
                                    t->n_dims == 2 ? (int64_t[]){t->shape[0], t->shape[1], 1}
                                                   : (int64_t[]){1, t->n_dims ? t->shape[0] : 1, 1});
        else if (code == KD_GOP_column_stack && t->n_dims < 2)
            tensors[i] = build_view(d, tensors[i], 2, (int64_t[]){t->n_dims ? t->shape[0] : 1, 1});
        else
            tensors[i] = expand_to_dims(d, tensors[i], n_dims);
    }
    if (n && (code == KD_GOP_column_stack || (code == KD_GOP_hstack && tensors[0]->type.n_dims > 1)))
        dim = 1;
    expand_return(d, 0, BUILD(d, cat, values_arg(d->arena, n, tensors), kd_garg_int(dim)));
}

/* Vectors along dimensions of their own, all in one shape. */
static unsigned build_grid(kd_decomposer *d, kd_gvalue **tensors)
{
    int64_t shape[KD_TENSOR_MAX_DIMS], own[KD_TENSOR_MAX_DIMS];
    unsigned n = expand_list(d, 0, tensors, KD_TENSOR_MAX_DIMS);
    for (unsigned i = 0; i < n; i++) {
        shape[i] = kd_tensor_n_elems(&tensors[i]->type);
        if (tensors[i]->type.n_dims > 1)
            expand_bad(d, "needs vectors, not %s", kd_tensor_type_text(d->arena, &tensors[i]->type));
    }
    for (unsigned i = 0; i < n && !d->status; i++) {
        for (unsigned k = 0; k < n; k++)
            own[k] = k == i ? shape[i] : 1;
        tensors[i] = build_expand(d, build_view(d, tensors[i], n, own), n, shape);
    }
    return n;
}

void kd_expand_meshgrid(kd_decomposer *d)
{
    kd_gvalue *tensors[KD_TENSOR_MAX_DIMS];
    unsigned n = build_grid(d, tensors);
    bool swaps = d->of->op->code == KD_GOP_meshgrid_by && d->of->args[1].kind == KD_GARG_TEXT &&
                 strcmp(d->of->args[1].text, "xy") == 0 && n >= 2;
    for (unsigned i = 0; i < n; i++)
        expand_return(d, i, swaps ? BUILD(d, transpose, kd_garg_value(tensors[i]), kd_garg_int(0), kd_garg_int(1)) : tensors[i]);
}

void kd_expand_cartesian_prod(kd_decomposer *d)
{
    kd_gvalue *tensors[KD_TENSOR_MAX_DIMS];
    unsigned n = build_grid(d, tensors);
    for (unsigned i = 0; i < n; i++)
        tensors[i] = build_flat(d, tensors[i]);
    expand_return(d, 0, n == 1 ? tensors[0] : BUILD(d, stack, values_arg(d->arena, n, tensors), kd_garg_int(1)));
}

void kd_expand_broadcast_tensors(kd_decomposer *d)
{
    kd_gvalue *tensors[MAX_TENSORS];
    int64_t shape[KD_TENSOR_MAX_DIMS] = {0};
    unsigned n = expand_list(d, 0, tensors, MAX_TENSORS), n_dims = 0;
    for (unsigned i = 0; i < n; i++)
        if (!infer_broadcast(&n_dims, shape, &tensors[i]->type))
            expand_bad(d, "%s does not broadcast with the others", kd_tensor_type_text(d->arena, &tensors[i]->type));
    for (unsigned i = 0; i < n; i++)
        expand_return(d, i, build_expand(d, tensors[i], n_dims, shape));
}

void kd_expand_block_diag(kd_decomposer *d)
{
    kd_gvalue *tensors[MAX_TENSORS];
    unsigned n = expand_list(d, 0, tensors, MAX_TENSORS);
    int64_t n_columns = 0, before = 0;
    for (unsigned i = 0; i < n; i++) {
        tensors[i] = expand_to_dims(d, tensors[i], 2);
        n_columns += tensors[i]->type.shape[1];
    }
    for (unsigned i = 0; i < n && !d->status; i++) {
        int64_t width = tensors[i]->type.shape[1], pad[4] = {before, n_columns - before - width, 0, 0};
        before += width;
        tensors[i] = BUILD(d, pad, kd_garg_value(tensors[i]), ints_arg(d->arena, 4, pad), kd_garg_int(0));
    }
    expand_return(d, 0, n == 1 ? tensors[0] : BUILD(d, cat, values_arg(d->arena, n, tensors), kd_garg_int(0)));
}

/* ---- diagonals ---- */

/* Rows as the diagonals of matrices; zeros elsewhere. */
static kd_gvalue *on_diagonal(kd_decomposer *d, kd_gvalue *x, int64_t offset)
{
    unsigned n = x->type.n_dims;
    int64_t extent = n ? x->type.shape[n - 1] : 1, more = offset < 0 ? -offset : offset;
    if (!n || n == KD_TENSOR_MAX_DIMS || more > INT32_MAX) {
        expand_bad(d, "%s has no rows for diagonals", kd_tensor_type_text(d->arena, &x->type));
        return x;
    }
    int64_t pad[2] = {offset > 0 ? more : 0, offset < 0 ? more : 0};
    kd_gvalue *row = more ? BUILD(d, pad, kd_garg_value(x), ints_arg(d->arena, 2, pad), kd_garg_int(0)) : x;
    kd_gvalue *rows = build_places(d, n + 1, n - 1, extent + more), *columns = build_places(d, n + 1, n, extent + more);
    kd_gvalue *is_on = BUILD(d, eq_scalar, kd_garg_value(build_two(d, KD_GOP_sub, columns, rows)), kd_garg_int(offset));
    return build_where(d, is_on, BUILD(d, unsqueeze, kd_garg_value(row), kd_garg_int(-2)),
                       x->type.type == KD_I1 ? bool_arg(false) : kd_garg_int(0));
}

void kd_expand_diag_embed(kd_decomposer *d)
{
    kd_gvalue *y = on_diagonal(d, expand_tensor(d, 0), kd_gnode_int(d->of, 1, 0));
    unsigned n = y->type.n_dims, row = expand_dim(d, kd_gnode_int(d->of, 2, -2), n),
             column = expand_dim(d, kd_gnode_int(d->of, 3, -1), n);
    int64_t order[KD_TENSOR_MAX_DIMS];
    if (row == column || n < 2)
        expand_bad(d, "the diagonal's dimensions are the same");
    for (unsigned i = 0, k = 0; i < n && !d->status; i++)
        order[i] = i == row ? n - 2 : i == column ? n - 1 : k++;
    expand_return(d, 0, d->status || (row == n - 2 && column == n - 1) ? y : permuted(d, y, order));
}

void kd_expand_diag(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    kd_garg offset = kd_garg_int(kd_gnode_int(d->of, 1, 0));
    if (x->type.n_dims == 1)
        expand_return(d, 0, on_diagonal(d, x, offset.i));
    else if (x->type.n_dims == 2)
        expand_return(d, 0, BUILD(d, diagonal, kd_garg_value(x), offset, kd_garg_int(0), kd_garg_int(1)));
    else
        expand_bad(d, "needs a vector or a matrix, not %s", kd_tensor_type_text(d->arena, &x->type));
}

/* ---- images ---- */

/* An image's dimensions [..., a, b, ...] in another grouping and order: first a view, then a permutation, then a view. */
static void regroup(kd_decomposer *d, kd_gvalue *x, unsigned n, const int64_t *apart, const int64_t *order, unsigned n_after,
                    const int64_t *after)
{
    if (!d->status)
        expand_return(d, 0, build_view(d, permuted(d, build_view(d, x, n, apart), order), n_after, after));
}

/* The image's extents: all before the channels as one, channels, height, width. */
static bool image_of(kd_decomposer *d, const kd_gvalue *x, int64_t out[4])
{
    unsigned n = x->type.n_dims;
    if (n < 3)
        expand_bad(d, "needs an image, not %s", kd_tensor_type_text(d->arena, &x->type));
    out[0] = 1;
    for (unsigned i = 0; i + 3 < n; i++)
        out[0] *= x->type.shape[i];
    for (unsigned i = 0; i < 3; i++)
        out[i + 1] = n < 3 ? 1 : x->type.shape[n - 3 + i];
    return n >= 3;
}

static void finish_image(kd_decomposer *d, kd_gvalue *x, const int64_t *apart, const int64_t *order, const int64_t *chw)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = x->type.n_dims;
    memcpy(shape, x->type.shape, sizeof shape);
    memcpy(shape + n - 3, chw, 3 * sizeof *shape);
    regroup(d, x, 6, apart, order, n, shape);
}

void kd_expand_pixel_shuffle(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t r = kd_gnode_int(d->of, 1, 1), t[4];
    if (!image_of(d, x, t))
        return;
    if (r < 1 || r > INT16_MAX || t[1] % (r * r))
        expand_bad(d, "%lld channels are not shared by %lld x %lld pixels", (long long)t[1], (long long)r, (long long)r);
    else
        finish_image(d, x, (int64_t[]){t[0], t[1] / (r * r), r, r, t[2], t[3]}, (int64_t[]){0, 1, 4, 2, 5, 3},
                     (int64_t[]){t[1] / (r * r), t[2] * r, t[3] * r});
}

void kd_expand_pixel_unshuffle(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t r = kd_gnode_int(d->of, 1, 1), t[4];
    if (!image_of(d, x, t))
        return;
    if (r < 1 || r > INT16_MAX || t[2] % r || t[3] % r)
        expand_bad(d, "%lld x %lld pixels are no multiples of %lld", (long long)t[2], (long long)t[3], (long long)r);
    else
        finish_image(d, x, (int64_t[]){t[0], t[1], t[2] / r, r, t[3] / r, r}, (int64_t[]){0, 1, 3, 5, 2, 4},
                     (int64_t[]){t[1] * r * r, t[2] / r, t[3] / r});
}

void kd_expand_channel_shuffle(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t groups = kd_gnode_int(d->of, 1, 1), n = kd_tensor_n_elems(&x->type);
    const kd_tensor_type *t = &x->type;
    if (t->n_dims < 3 || groups < 1 || !t->shape[0] || !t->shape[1] || t->shape[1] % groups) {
        expand_bad(d, "%s has no %lld groups of channels", kd_tensor_type_text(d->arena, t), (long long)groups);
        return;
    }
    regroup(d, x, 4, (int64_t[]){t->shape[0], groups, t->shape[1] / groups, n / t->shape[0] / t->shape[1]}, (int64_t[]){0, 2, 1, 3},
            t->n_dims, t->shape);
}

/* The windows of an image as columns, [batch, channels * window, windows]. */
void kd_expand_im2col(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    int64_t size[2], dilation[2], padding[2], stride[2], t[4];
    bool fits = infer_spatial(d->of, 1, 2, 1, size) && infer_spatial(d->of, 2, 2, 1, dilation) &&
                infer_spatial(d->of, 3, 2, 0, padding) && infer_spatial(d->of, 4, 2, 1, stride);
    if (!fits || x->type.n_dims > 4 || !image_of(d, x, t)) {
        expand_bad(d, "the windows do not fit %s", kd_tensor_type_text(d->arena, &x->type));
        return;
    }
    x = build_view(d, x, 4, t);
    if (padding[0] || padding[1])
        x = BUILD(d, pad, kd_garg_value(x), ints_arg(d->arena, 4, (int64_t[]){padding[1], padding[1], padding[0], padding[0]}),
                  kd_garg_int(0));
    x = BUILD(d, windows, kd_garg_value(x), ints_arg(d->arena, 2, size), ints_arg(d->arena, 2, stride),
              ints_arg(d->arena, 2, dilation));
    if (d->status)
        return;
    int64_t columns[3] = {t[0], t[1] * size[0] * size[1], x->type.shape[2] * x->type.shape[3]};
    x = build_view(d, permuted(d, x, (int64_t[]){0, 1, 4, 5, 2, 3}), 3, columns);
    expand_return(d, 0, expand_tensor(d, 0)->type.n_dims == 3 ? build_view(d, x, 2, columns + 1) : x);
}

/* ---- values from nothing ---- */

static kd_garg type_of_options(const kd_decomposer *d, unsigned dtype)
{
    kd_scalar type = KD_F32;
    (void)kd_gnode_scalar_type(d->of, dtype, &type);
    return text_arg(kd_scalar_name(type));
}

static kd_gvalue *build_range(kd_decomposer *d, int64_t n, const char *type)
{
    if (n < 0 || n > INT32_MAX)
        expand_bad(d, "%lld is no number of elements", (long long)n);
    return BUILD(d, arange, kd_garg_int(0), kd_garg_int(d->status ? 0 : n), kd_garg_int(1), text_arg(type));
}

void kd_expand_eye(kd_decomposer *d)
{
    bool is_square = d->of->op->code == KD_GOP_eye;
    int64_t n = kd_gnode_int(d->of, 0, 0), m = kd_gnode_int(d->of, is_square ? 0 : 1, 0);
    kd_gvalue *rows = BUILD(d, unsqueeze, kd_garg_value(build_range(d, n, "i32")), kd_garg_int(1));
    kd_gvalue *is_on = build_two(d, KD_GOP_eq, rows, build_range(d, m, "i32"));
    expand_return(d, 0, BUILD(d, to_copy, kd_garg_value(is_on), type_of_options(d, is_square ? 1 : 2)));
}

/* So many columns of a row are before those of the upper triangle. */
static int64_t columns_before(int64_t row, int64_t offset, int64_t n_columns)
{
    return row + offset < 0 ? 0 : row + offset > n_columns ? n_columns : row + offset;
}

/* Where a triangle of a matrix is, row by row: element k is in the first row with which there are more than k of them. */
void kd_expand_triangle_indices(kd_decomposer *d)
{
    bool is_lower = d->of->op->code == KD_GOP_tril_indices;
    int64_t n_rows = kd_gnode_int(d->of, 0, 0), n_columns = kd_gnode_int(d->of, 1, 0), offset = kd_gnode_int(d->of, 2, 0) + is_lower, n = 0;
    kd_scalar type = KD_I64;
    (void)kd_gnode_scalar_type(d->of, 3, &type);
    if (n_rows < 0 || n_columns < 0 || n_rows > INT16_MAX || n_columns > INT16_MAX || offset < INT16_MIN || offset > INT16_MAX) {
        expand_bad(d, "a triangle of %lld x %lld is not supported", (long long)n_rows, (long long)n_columns);
        return;
    }
    for (int64_t i = 0; i < n_rows; i++)
        n += is_lower ? columns_before(i, offset, n_columns) : n_columns - columns_before(i, offset, n_columns);
    kd_garg places = kd_garg_value(build_range(d, n, "i64")), right = bool_arg(true), zero = kd_garg_int(0), one = kd_garg_int(1);
    kd_gvalue *row = places.value, *column = row;
    if (n) {
        kd_gvalue *before = BUILD(d, add_scalar, kd_garg_value(build_range(d, n_rows, "i64")), kd_garg_int(offset), one);
        before = BUILD(d, clamp, kd_garg_value(before), zero, kd_garg_int(n_columns));
        kd_gvalue *lengths = is_lower ? before : BUILD(d, rsub, kd_garg_value(before), kd_garg_int(n_columns), one);
        kd_gvalue *ends = BUILD(d, cumsum, kd_garg_value(lengths), zero), *first = build_two(d, KD_GOP_sub, lengths, ends);
        row = BUILD(d, bucketize, places, kd_garg_value(ends), bool_arg(false), right);
        first = is_lower ? first : build_two(d, KD_GOP_add, first, before);
        column = build_two(d, KD_GOP_add, places.value, BUILD(d, index_select, kd_garg_value(first), zero, kd_garg_value(row)));
    }
    kd_gvalue *both[] = {row, column};
    expand_return(d, 0, build_convert(d, BUILD(d, stack, values_arg(d->arena, 2, both), zero), type));
}

/* The second half is counted from the end, so that the last element is the end itself. */
static kd_gvalue *build_linspace(kd_decomposer *d, const char *type)
{
    int64_t n = kd_gnode_int(d->of, 2, 0);
    double start = kd_gnode_number(d->of, 0, 0), end = kd_gnode_number(d->of, 1, 0),
           step = n > 1 ? (end - start) / (double)(n - 1) : 0;
    kd_gvalue *at = build_range(d, n, type), *left = BUILD(d, rsub, kd_garg_value(at), kd_garg_int(n - 1), kd_garg_int(1));
    kd_gvalue *up =
        BUILD(d, add_scalar, kd_garg_value(build_with(d, KD_GOP_mul_scalar, at, step)), kd_garg_float(start), kd_garg_int(1));
    kd_gvalue *down =
        BUILD(d, rsub, kd_garg_value(build_with(d, KD_GOP_mul_scalar, left, step)), kd_garg_float(end), kd_garg_int(1));
    kd_gvalue *is_first = BUILD(d, lt_scalar, kd_garg_value(at), kd_garg_float((double)n / 2));
    return n == 1 ? up : build_where(d, is_first, up, kd_garg_value(down));
}

void kd_expand_linspace(kd_decomposer *d)
{
    kd_garg type = type_of_options(d, 3);
    kd_gvalue *y = build_linspace(d, strcmp(type.text, "f64") == 0 ? "f64" : "f32");
    expand_return(d, 0, BUILD(d, to_copy, kd_garg_value(y), type));
}

void kd_expand_logspace(kd_decomposer *d)
{
    kd_gvalue *y = build_linspace(d, "f64");
    y = BUILD(d, pow_scalar, kd_garg_float(kd_gnode_number(d->of, 3, 10)), kd_garg_value(y));
    expand_return(d, 0, BUILD(d, to_copy, kd_garg_value(y), type_of_options(d, 4)));
}

/* ---- indices ---- */

void kd_expand_take_along_dim(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *index = expand_tensor(d, 1);
    int64_t shape[KD_TENSOR_MAX_DIMS];
    if (!kd_gnode_has(d->of, 2)) {
        expand_return(d, 0, BUILD(d, gather, kd_garg_value(build_flat(d, x)), kd_garg_int(0), kd_garg_value(build_flat(d, index))));
        return;
    }
    unsigned n = x->type.n_dims, dim = expand_dim(d, kd_gnode_int(d->of, 2, 0), n);
    if (index->type.n_dims != n || !n) {
        expand_bad(d, "%s cannot be indexed by %s", kd_tensor_type_text(d->arena, &x->type),
                   kd_tensor_type_text(d->arena, &index->type));
        return;
    }
    for (unsigned i = 0; i < n; i++)
        shape[i] = i == dim ? index->type.shape[i] : x->type.shape[i] == 1 ? index->type.shape[i] : x->type.shape[i];
    index = build_expand(d, index, n, shape);
    shape[dim] = x->type.shape[dim];
    expand_return(d, 0, BUILD(d, gather, kd_garg_value(build_expand(d, x, n, shape)), kd_garg_int(dim), kd_garg_value(index)));
}

/* index_add, index_copy and index_fill, as an index_put. */
void kd_expand_index_write(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *index = expand_tensor(d, 2), *source = decompose_operand(d, 3);
    kd_gop_code code = d->of->op->code;
    bool adds = code == KD_GOP_index_add, fills = code == KD_GOP_index_fill || code == KD_GOP_index_fill_tensor;
    unsigned n = x->type.n_dims, dim = expand_dim(d, kd_gnode_int(d->of, 1, 0), n);
    if (!n || index->type.n_dims != 1 || (!fills && (!source || source->type.n_dims != n))) {
        expand_bad(d, "%s has no such rows", kd_tensor_type_text(d->arena, &x->type));
        return;
    }
    if (!source)
        source = build_full(d, 0, NULL, d->of->args[3], x->type.type);
    if (adds && kd_gnode_number(d->of, 4, 1) != 1)
        source = BUILD(d, mul_scalar, kd_garg_value(source), d->of->args[4]);
    kd_garg *by = kd_arena_array(d->arena, kd_garg, dim + 1), list = {.kind = KD_GARG_LIST};
    for (unsigned i = 0; i < dim; i++)
        by[i] = no_arg();
    by[dim] = kd_garg_value(index);
    list.list.items = by;
    list.list.n = dim + 1;
    expand_return(d, 0, BUILD(d, index_put, kd_garg_value(x), list, kd_garg_value(source), bool_arg(adds)));
}
