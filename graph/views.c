/* views.c - ops that only name other places of the same elements: the types of their results, and which element of the operand an element of
 * the result is. */
#include "graph/infer_impl.h"

kd_status kd_infer_view(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    int64_t shape[KD_TENSOR_MAX_DIMS], n_elems = 1, n_known = 1;
    unsigned n = kd_gnode_ints(node, 1, shape, KD_TENSOR_MAX_DIMS);
    int open = -1;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    n_elems = kd_tensor_n_elems(&self->type);
    for (unsigned d = 0; d < n; d++) {
        if (shape[d] < 0 && open < 0 && shape[d] == -1)
            open = (int)d;
        else if (shape[d] < 0 || __builtin_mul_overflow(n_known, shape[d], &n_known))
            return infer_bad(cx, "the shape %s makes no sense", kd_shape_text(cx->arena, n, shape));
    }
    if (open >= 0 && n_known && n_elems % n_known == 0)
        n_known *= shape[open] = n_elems / n_known;
    if (n_known != n_elems || (open >= 0 && shape[open] < 0))
        return infer_bad(cx, "%s has %lld elements, which the shape %s has not", infer_type_text(cx, self), (long long)n_elems,
                         kd_shape_text(cx->arena, n, shape));
    return infer_one_result(cx, self->type.type, n, shape);
}

/* The result's strides, where each of its dimensions is one of the operand's: permutations, expansions, parts. */
static kd_status from_dims(kd_infer *cx, const kd_tensor_type *self, unsigned n, const int64_t *shape, const int *dims)
{
    kd_status status = infer_one_result(cx, self->type, n, shape);
    for (unsigned d = 0; d < n && status == KD_OK; d++)
        cx->types[0].strides[d] = dims[d] < 0 ? (shape[d] == 1 ? 1 : 0) : self->strides[dims[d]];
    return status;
}

kd_status kd_infer_expand(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    int64_t shape[KD_TENSOR_MAX_DIMS];
    int dims[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, shape, KD_TENSOR_MAX_DIMS);
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    if (n < t->n_dims)
        return infer_bad(cx, "%s cannot become %s", infer_type_text(cx, self), kd_shape_text(cx->arena, n, shape));
    for (unsigned d = 0; d < n; d++) {
        int from = (int)d - (int)(n - t->n_dims);
        if (from >= 0 && shape[d] == -1)
            shape[d] = t->shape[from];
        if (shape[d] < 0 || (from >= 0 && t->shape[from] != 1 && t->shape[from] != shape[d]))
            return infer_bad(cx, "%s cannot become %s", infer_type_text(cx, self), kd_shape_text(cx->arena, n, shape));
        dims[d] = from >= 0 && t->shape[from] == shape[d] ? from : -1;
    }
    return from_dims(cx, t, n, shape, dims);
}

static kd_status permuted(kd_infer *cx, const kd_tensor_type *t, const int *dims)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    for (unsigned d = 0; d < t->n_dims; d++)
        shape[d] = t->shape[dims[d]];
    return from_dims(cx, t, t->n_dims, shape, dims);
}

kd_status kd_infer_permute(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    int64_t order[KD_TENSOR_MAX_DIMS];
    int dims[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, order, KD_TENSOR_MAX_DIMS), seen = 0;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    for (unsigned d = 0; d < n && n == self->type.n_dims; d++) {
        dims[d] = kd_gnode_dim(order[d], n);
        seen |= dims[d] < 0 ? 0 : 1u << dims[d];
    }
    if (n != self->type.n_dims || seen != (1u << n) - 1)
        return infer_bad(cx, "%s is no order of the dimensions of %s", kd_shape_text(cx->arena, n, order),
                         infer_type_text(cx, self));
    return permuted(cx, &self->type, dims);
}

static kd_status swapped(kd_infer *cx, const kd_gnode *node, int64_t a, int64_t b)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    int dims[KD_TENSOR_MAX_DIMS] = {0, 1, 2, 3, 4, 5, 6, 7};
    int x = kd_gnode_dim(a, self->type.n_dims), y = kd_gnode_dim(b, self->type.n_dims);
    if (x < 0 || y < 0)
        return infer_bad(cx, "dimensions %lld and %lld are not both in %s", (long long)a, (long long)b, infer_type_text(cx, self));
    dims[x] = y;
    dims[y] = x;
    return permuted(cx, &self->type, dims);
}

kd_status kd_infer_transpose(kd_infer *cx, const kd_gnode *node)
{
    return swapped(cx, node, kd_gnode_int(node, 1, 0), kd_gnode_int(node, 2, 0));
}

kd_status kd_infer_t(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    if (self->type.n_dims > 2)
        return infer_bad(cx, "needs a matrix, not %s", infer_type_text(cx, self));
    return self->type.n_dims == 2 ? swapped(cx, node, 0, 1) : permuted(cx, &self->type, (const int[]){0});
}

kd_status kd_infer_unsqueeze(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int at = kd_gnode_dim(kd_gnode_int(node, 1, 0), t->n_dims + 1), dims[KD_TENSOR_MAX_DIMS];
    int64_t shape[KD_TENSOR_MAX_DIMS];
    if (at < 0 || t->n_dims == KD_TENSOR_MAX_DIMS)
        return infer_bad(cx, "dim is out of range for %s", infer_type_text(cx, self));
    for (int d = 0; d <= (int)t->n_dims; d++) {
        dims[d] = d == at ? -1 : d - (d > at);
        shape[d] = d == at ? 1 : t->shape[dims[d]];
    }
    return from_dims(cx, t, t->n_dims + 1, shape, dims);
}

kd_status kd_infer_squeeze(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    bool is_bad;
    unsigned mask = kd_gnode_dims_mask(node, 1, t->n_dims, &is_bad), n = 0;
    int dims[KD_TENSOR_MAX_DIMS];
    int64_t shape[KD_TENSOR_MAX_DIMS];
    if (is_bad)
        return infer_bad(cx, "dim is out of range for %s", infer_type_text(cx, self));
    for (unsigned d = 0; d < t->n_dims; d++) {
        if ((mask >> d & 1) && t->shape[d] == 1)
            continue;
        dims[n] = (int)d;
        shape[n++] = t->shape[d];
    }
    return from_dims(cx, t, n, shape, dims);
}

kd_status kd_infer_select(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int at = kd_gnode_dim(kd_gnode_int(node, 1, 0), t->n_dims), dims[KD_TENSOR_MAX_DIMS];
    int64_t index = kd_gnode_int(node, 2, 0), shape[KD_TENSOR_MAX_DIMS];
    if (!t->n_dims || at < 0 || index >= t->shape[at] || index < -t->shape[at])
        return infer_bad(cx, "index %lld of dimension %lld is out of range for %s", (long long)index,
                         (long long)kd_gnode_int(node, 1, 0), infer_type_text(cx, self));
    unsigned n = 0;
    for (int d = 0; d < (int)t->n_dims; d++)
        if (d != at) {
            dims[n] = d;
            shape[n++] = t->shape[d];
        }
    return from_dims(cx, t, n, shape, dims);
}

void kd_gnode_slice_bounds(const kd_gnode *node, unsigned first, int64_t extent, int64_t *out_start, int64_t *out_n)
{
    int64_t start = kd_gnode_int(node, first, 0), end = kd_gnode_int(node, first + 1, extent),
            step = kd_gnode_int(node, first + 2, 1);
    start = start < 0 ? start + extent : start;
    end = end < 0 ? end + extent : end;
    start = start < 0 ? 0 : start > extent ? extent : start;
    end = end < start ? start : end > extent ? extent : end;
    *out_start = start;
    *out_n = step > 0 ? (end - start) / step + ((end - start) % step != 0) : 0;
}

kd_status kd_infer_slice(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int at = kd_gnode_dim(kd_gnode_int(node, 1, 0), t->n_dims);
    int64_t step = kd_gnode_int(node, 4, 1), start, n;
    if (!t->n_dims || at < 0 || step < 1 || step > INT32_MAX)
        return infer_bad(cx, "dimension or step is out of range for %s", infer_type_text(cx, self));
    kd_gnode_slice_bounds(node, 2, t->shape[at], &start, &n);
    status = infer_one_result(cx, t->type, t->n_dims, t->shape);
    if (status)
        return status;
    memcpy(cx->types[0].strides, t->strides, sizeof t->strides);
    cx->types[0].shape[at] = n;
    if (__builtin_mul_overflow(t->strides[at], step, &cx->types[0].strides[at]))
        return infer_bad(cx, "the step %lld is too large for %s", (long long)step, infer_type_text(cx, self));
    return KD_OK;
}

/* The extents of a split's parts; 0: they do not fit. */
static unsigned split_parts(const kd_gnode *node, int64_t extent, int64_t *out, unsigned capacity)
{
    if (node->op->code == KD_GOP_split_sizes || node->op->code == KD_GOP_unsafe_split_sizes) {
        unsigned n = kd_gnode_ints(node, 1, out, capacity);
        int64_t sum = 0;
        for (unsigned i = 0; i < n; i++) {
            if (out[i] < 0 || out[i] > extent)
                return 0;
            sum += out[i];
        }
        return sum == extent ? n : 0;
    }
    int64_t size = kd_gnode_int(node, 1, 0);
    if (size < 1)
        return 0;
    if (node->op->code == KD_GOP_chunk)
        size = extent / size + (extent % size != 0);
    unsigned n = 0;
    for (int64_t at = 0; at < extent && n < capacity; at += size)
        out[n++] = extent - at < size ? extent - at : size;
    return n;
}

kd_status kd_infer_split(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int at = kd_gnode_dim(kd_gnode_int(node, 2, 0), t->n_dims);
    int64_t *parts = kd_arena_array(cx->arena, int64_t, cx->n_results + 1);
    unsigned n = t->n_dims && at >= 0 ? split_parts(node, t->shape[at], parts, cx->n_results + 1) : 0;
    if (!n || n != cx->n_results)
        return infer_bad(cx, "%s does not split into %u such parts", infer_type_text(cx, self), cx->n_results);
    for (unsigned i = 0; i < n; i++) {
        cx->types[i] = *t;
        cx->types[i].shape[at] = parts[i];
    }
    return KD_OK;
}

kd_status kd_infer_unbind(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    kd_tensor_type t = self->type;
    int at = kd_gnode_dim(kd_gnode_int(node, 1, 0), t.n_dims);
    if (!t.n_dims || at < 0 || t.shape[at] != cx->n_results)
        return infer_bad(cx, "%s does not split into %u such parts", infer_type_text(cx, self), cx->n_results);
    t.n_dims--;
    memmove(t.shape + at, t.shape + at + 1, (t.n_dims - (unsigned)at) * sizeof *t.shape);
    memmove(t.strides + at, t.strides + at + 1, (t.n_dims - (unsigned)at) * sizeof *t.strides);
    for (unsigned i = 0; i < cx->n_results; i++)
        cx->types[i] = t;
    return KD_OK;
}

kd_status kd_infer_flatten(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int first = kd_gnode_dim(kd_gnode_int(node, 1, 0), t->n_dims), last = kd_gnode_dim(kd_gnode_int(node, 2, -1), t->n_dims);
    int64_t shape[KD_TENSOR_MAX_DIMS] = {1};
    if (first < 0 || last < first)
        return infer_bad(cx, "start_dim or end_dim is out of range for %s", infer_type_text(cx, self));
    for (int d = 0; d < (int)t->n_dims; d++) {
        int to = d <= first ? d : d <= last ? first : d - (last - first);
        shape[to] = d > first && d <= last ? shape[to] * t->shape[d] : t->shape[d];
    }
    return infer_one_result(cx, t->type, t->n_dims ? t->n_dims - (unsigned)(last - first) : 1, shape);
}

kd_status kd_infer_unflatten(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    int64_t sizes[KD_TENSOR_MAX_DIMS], shape[2 * KD_TENSOR_MAX_DIMS], n_known = 1;
    unsigned n = kd_gnode_ints(node, 2, sizes, KD_TENSOR_MAX_DIMS);
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int at = kd_gnode_dim(kd_gnode_int(node, 1, 0), t->n_dims), open = -1;
    bool fits = t->n_dims && at >= 0 && n && t->n_dims - 1 + n <= KD_TENSOR_MAX_DIMS;
    for (unsigned i = 0; i < n && fits; i++) {
        if (sizes[i] == -1 && open < 0)
            open = (int)i;
        else
            fits = sizes[i] >= 0 && !__builtin_mul_overflow(n_known, sizes[i], &n_known);
    }
    if (fits && open >= 0 && n_known)
        n_known *= sizes[open] = t->shape[at] / n_known;
    if (!fits || n_known != t->shape[at])
        return infer_bad(cx, "dimension %lld of %s does not become %s", (long long)kd_gnode_int(node, 1, 0),
                         infer_type_text(cx, self), kd_shape_text(cx->arena, n, sizes));
    unsigned before = (unsigned)at, behind = t->n_dims - before - 1;
    memcpy(shape, t->shape, before * sizeof *shape);
    memcpy(shape + before, sizes, n * sizeof *shape);
    memcpy(shape + before + n, t->shape + before + 1, behind * sizeof *shape);
    return infer_one_result(cx, t->type, before + n + behind, shape);
}

kd_status kd_infer_repeat(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, shape, KD_TENSOR_MAX_DIMS);
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    bool fits = n >= t->n_dims;
    for (unsigned d = 0; d < n && fits; d++)
        fits = shape[d] >= 0 && !__builtin_mul_overflow(shape[d], d + t->n_dims >= n ? t->shape[d + t->n_dims - n] : 1, &shape[d]);
    return fits ? infer_one_result(cx, t->type, n, shape)
                : infer_bad(cx, "%s cannot be repeated so often", infer_type_text(cx, self));
}

kd_status kd_infer_flip(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    bool is_bad;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    (void)kd_gnode_dims_mask(node, 1, self->type.n_dims, &is_bad);
    return is_bad ? infer_bad(cx, "dims are out of range, or there twice, for %s", infer_type_text(cx, self))
                  : infer_one_result(cx, self->type.type, self->type.n_dims, self->type.shape);
}

kd_status kd_infer_roll(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    int64_t shifts[KD_TENSOR_MAX_DIMS], dims[KD_TENSOR_MAX_DIMS];
    unsigned n_shifts = kd_gnode_ints(node, 1, shifts, KD_TENSOR_MAX_DIMS),
             n_dims = kd_gnode_ints(node, 2, dims, KD_TENSOR_MAX_DIMS);
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    bool fits = n_shifts == (n_dims ? n_dims : 1);
    for (unsigned i = 0; i < n_dims && fits; i++)
        fits = self->type.n_dims && kd_gnode_dim(dims[i], self->type.n_dims) >= 0;
    return fits ? infer_one_result(cx, self->type.type, self->type.n_dims, self->type.shape)
                : infer_bad(cx, "shifts and dims do not fit %s", infer_type_text(cx, self));
}

/* How many elements a diagonal has; negative: it is outside. */
static int64_t diagonal_length(const kd_tensor_type *t, int row, int col, int64_t offset)
{
    int64_t rows = t->shape[row] + (offset < 0 ? offset : 0), cols = t->shape[col] - (offset > 0 ? offset : 0);
    return rows < cols ? rows : cols;
}

kd_status kd_infer_diagonal(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int row = kd_gnode_dim(kd_gnode_int(node, 2, 0), t->n_dims), col = kd_gnode_dim(kd_gnode_int(node, 3, 1), t->n_dims);
    int64_t offset = kd_gnode_int(node, 1, 0), n = 0;
    if (t->n_dims < 2 || row < 0 || col < 0 || row == col || offset > INT32_MAX || offset < -INT32_MAX)
        return infer_bad(cx, "%s has no such diagonal", infer_type_text(cx, self));
    kd_tensor_type *out = &cx->types[0];
    *out = (kd_tensor_type){.type = t->type};
    for (int d = 0; d < (int)t->n_dims; d++)
        if (d != row && d != col) {
            out->shape[out->n_dims] = t->shape[d];
            out->strides[out->n_dims++] = t->strides[d];
        }
    n = diagonal_length(t, row, col, offset);
    out->shape[out->n_dims] = n < 0 ? 0 : n;
    out->strides[out->n_dims++] = t->strides[row] + t->strides[col];
    return KD_OK;
}

kd_status kd_infer_unfold(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int at = kd_gnode_dim(kd_gnode_int(node, 1, 0), t->n_dims);
    int64_t size = kd_gnode_int(node, 2, 0), step = kd_gnode_int(node, 3, 0);
    if (!t->n_dims || at < 0 || size < 0 || size > t->shape[at] || step < 1 || step > INT32_MAX || t->n_dims == KD_TENSOR_MAX_DIMS)
        return infer_bad(cx, "dimension, size or step do not fit %s", infer_type_text(cx, self));
    kd_tensor_type *out = &cx->types[0];
    *out = *t;
    out->shape[at] = (t->shape[at] - size) / step + 1;
    if (__builtin_mul_overflow(t->strides[at], step, &out->strides[at]))
        return infer_bad(cx, "the step %lld is too large for %s", (long long)step, infer_type_text(cx, self));
    out->shape[out->n_dims] = size;
    out->strides[out->n_dims++] = t->strides[at];
    return KD_OK;
}

/* What is at other places of the memory that self is in is known where self is all of it. */
kd_status kd_infer_as_strided(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_tensor_type *out = &cx->types[0];
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    int64_t end = kd_gnode_int(node, 3, 0);
    bool is_view = !self->def || self->def->op->lowering == KD_LOWER_VIEW;
    *out = (kd_tensor_type){.type = self->type.type};
    out->n_dims = kd_gnode_ints(node, 1, out->shape, KD_TENSOR_MAX_DIMS);
    bool fits = kd_gnode_ints(node, 2, out->strides, KD_TENSOR_MAX_DIMS) == out->n_dims && end >= 0, is_empty = false;
    for (unsigned d = 0; d < out->n_dims && fits; d++) {
        int64_t reach;
        fits = out->shape[d] >= 0 && out->strides[d] >= 0 && !__builtin_mul_overflow(out->shape[d] - 1, out->strides[d], &reach) &&
               !__builtin_add_overflow(end, reach, &end);
        is_empty |= out->shape[d] == 0;
    }
    if (!fits || (!is_empty && end >= kd_tensor_n_elems(&self->type)))
        return infer_bad(cx, "such places are not in %s", infer_type_text(cx, self));
    if (!kd_tensor_is_dense(&self->type) || (is_view && node->op->code == KD_GOP_as_strided && kd_gnode_has(node, 3)))
        return kd_fail(cx->why, KD_ERR_UNSUPPORTED, "other places of the memory of a view are not supported yet");
    return KD_OK;
}

kd_status kd_infer_windows(kd_infer *cx, const kd_gnode *node)
{
    const kd_tensor_type *t = &kd_gnode_tensor(node, 0)->type;
    int64_t size[3], stride[3], dilation[3], shape[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, size, 3), first = t->n_dims - n;
    (void)kd_gnode_ints(node, 2, stride, 3);
    (void)kd_gnode_ints(node, 3, dilation, 3);
    if (t->n_dims + n > KD_TENSOR_MAX_DIMS)
        return infer_bad(cx, "windows over %s have too many dimensions", kd_tensor_type_text(cx->arena, t));
    memcpy(shape, t->shape, sizeof t->shape);
    for (unsigned i = 0; i < n; i++) {
        shape[first + i] = (t->shape[first + i] - dilation[i] * (size[i] - 1) - 1) / stride[i] + 1;
        shape[t->n_dims + i] = size[i];
    }
    return infer_one_result(cx, t->type, t->n_dims + n, shape);
}

/* ---- index maps ---- */

void kd_view_reshape(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    const kd_tensor_type *from = &kd_gnode_tensor(node, 0)->type, *to = &node->results[result]->type;
    kd_index_unflatten(arena, kd_index_flatten(arena, to->n_dims, to->shape, at), from->n_dims, from->shape, out_at);
}

void kd_view_expand(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    const kd_tensor_type *from = &kd_gnode_tensor(node, 0)->type, *to = &node->results[result]->type;
    for (unsigned d = 0; d < from->n_dims; d++)
        out_at[d] = from->shape[d] == 1 ? kd_index_const(0) : at[d + to->n_dims - from->n_dims];
}

void kd_view_permute(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    int64_t order[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, order, KD_TENSOR_MAX_DIMS);
    for (unsigned d = 0; d < n; d++)
        out_at[kd_gnode_dim(order[d], n)] = at[d];
}

static void swap(unsigned n, int a, int b, const kd_index *at, kd_index *out_at)
{
    for (int d = 0; d < (int)n; d++)
        out_at[d == a ? b : d == b ? a : d] = at[d];
}

void kd_view_transpose(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    unsigned n = node->results[result]->type.n_dims;
    swap(n, kd_gnode_dim(kd_gnode_int(node, 1, 0), n), kd_gnode_dim(kd_gnode_int(node, 2, 0), n), at, out_at);
}

void kd_view_t(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    unsigned n = node->results[result]->type.n_dims;
    swap(n, 0, n == 2 ? 1 : 0, at, out_at);
}

void kd_view_select(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    const kd_tensor_type *from = &kd_gnode_tensor(node, 0)->type;
    int dim = kd_gnode_dim(kd_gnode_int(node, 1, 0), from->n_dims);
    int64_t index = kd_gnode_int(node, 2, 0);
    for (int d = 0; d < (int)from->n_dims; d++)
        out_at[d] = d == dim ? kd_index_const(index < 0 ? index + from->shape[d] : index) : at[d - (d > dim)];
}

/* Moves along one dimension: element i is element first + step * i. */
static void shift(kd_arena *arena, unsigned n_dims, int dim, int64_t first, int64_t step, const kd_index *at, kd_index *out_at)
{
    for (int d = 0; d < (int)n_dims; d++)
        out_at[d] = d != dim ? at[d] : kd_index_add(arena, kd_index_scale(arena, at[d], step), kd_index_const(first));
}

void kd_view_slice(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    const kd_tensor_type *from = &kd_gnode_tensor(node, 0)->type;
    int dim = kd_gnode_dim(kd_gnode_int(node, 1, 0), from->n_dims);
    int64_t start, n;
    kd_gnode_slice_bounds(node, 2, from->shape[dim], &start, &n);
    shift(arena, from->n_dims, dim, start, kd_gnode_int(node, 4, 1), at, out_at);
}

void kd_view_split(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    int dim = kd_gnode_dim(kd_gnode_int(node, 2, 0), node->results[0]->type.n_dims);
    int64_t first = 0;
    for (unsigned i = 0; i < result; i++)
        first += node->results[i]->type.shape[dim];
    shift(arena, node->results[0]->type.n_dims, dim, first, 1, at, out_at);
}

void kd_view_same(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    for (unsigned d = 0; d < node->results[0]->type.n_dims; d++)
        out_at[d] = at[d];
}

void kd_view_unbind(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    int n = (int)kd_gnode_tensor(node, 0)->type.n_dims, dim = kd_gnode_dim(kd_gnode_int(node, 1, 0), (unsigned)n);
    for (int d = 0; d < n; d++)
        out_at[d] = d == dim ? kd_index_const(result) : at[d - (d > dim)];
}

void kd_view_repeat(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    const kd_tensor_type *from = &kd_gnode_tensor(node, 0)->type;
    unsigned skipped = node->results[0]->type.n_dims - from->n_dims;
    for (unsigned d = 0; d < from->n_dims; d++)
        out_at[d] = kd_index_mod(arena, at[d + skipped], from->shape[d]);
}

void kd_view_flip(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    const kd_tensor_type *t = &node->results[0]->type;
    bool is_bad, all = node->args[1].kind == KD_GARG_LIST && !node->args[1].list.n;
    unsigned mask = all ? 0 : kd_gnode_dims_mask(node, 1, t->n_dims, &is_bad);
    for (unsigned d = 0; d < t->n_dims; d++)
        out_at[d] = mask >> d & 1 ? kd_index_add(arena, kd_index_const(t->shape[d] - 1), kd_index_scale(arena, at[d], -1)) : at[d];
}

/* Elements move up by the shift, so that they come from further down. */
static kd_index rolled(kd_arena *arena, kd_index at, int64_t shift, int64_t n)
{
    int64_t back = n ? ((n - shift % n) % n + n) % n : 0;
    return back ? kd_index_mod(arena, kd_index_add(arena, at, kd_index_const(back)), n) : at;
}

void kd_view_roll(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    const kd_tensor_type *t = &node->results[0]->type;
    int64_t shifts[KD_TENSOR_MAX_DIMS], dims[KD_TENSOR_MAX_DIMS];
    unsigned n_shifts = kd_gnode_ints(node, 1, shifts, KD_TENSOR_MAX_DIMS),
             n_dims = kd_gnode_ints(node, 2, dims, KD_TENSOR_MAX_DIMS);
    if (!n_dims && n_shifts) { /* over all elements, as in one row */
        kd_index flat = kd_index_flatten(arena, t->n_dims, t->shape, at);
        kd_index_unflatten(arena, rolled(arena, flat, shifts[0], kd_tensor_n_elems(t)), t->n_dims, t->shape, out_at);
        return;
    }
    memcpy(out_at, at, t->n_dims * sizeof *at);
    for (unsigned i = 0; i < n_dims; i++) {
        int d = kd_gnode_dim(dims[i], t->n_dims);
        out_at[d] = rolled(arena, out_at[d], shifts[i], t->shape[d]);
    }
}

void kd_view_windows(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    const kd_tensor_type *from = &kd_gnode_tensor(node, 0)->type;
    int64_t stride[3], dilation[3];
    unsigned n = kd_gnode_ints(node, 2, stride, 3), first = from->n_dims - n;
    (void)kd_gnode_ints(node, 3, dilation, 3);
    memcpy(out_at, at, first * sizeof *at);
    for (unsigned i = 0; i < n; i++)
        out_at[first + i] = kd_index_add(arena, kd_index_scale(arena, at[first + i], stride[i]),
                                         kd_index_scale(arena, at[from->n_dims + i], dilation[i]));
}

void kd_view_diagonal(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    unsigned n = kd_gnode_tensor(node, 0)->type.n_dims, from = 0;
    int row = kd_gnode_dim(kd_gnode_int(node, 2, 0), n), col = kd_gnode_dim(kd_gnode_int(node, 3, 1), n);
    int64_t offset = kd_gnode_int(node, 1, 0);
    for (int d = 0; d < (int)n; d++)
        if (d != row && d != col)
            out_at[d] = at[from++];
    out_at[row] = kd_index_add(arena, at[from], kd_index_const(offset < 0 ? -offset : 0));
    out_at[col] = kd_index_add(arena, at[from], kd_index_const(offset > 0 ? offset : 0));
}

/* Windows along one dimension. */
void kd_view_unfold(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    unsigned n = kd_gnode_tensor(node, 0)->type.n_dims;
    int dim = kd_gnode_dim(kd_gnode_int(node, 1, 0), n);
    memcpy(out_at, at, n * sizeof *at);
    out_at[dim] = kd_index_add(arena, kd_index_scale(arena, at[dim], kd_gnode_int(node, 3, 1)), at[n]);
}

void kd_view_strided(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at)
{
    int64_t strides[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 2, strides, KD_TENSOR_MAX_DIMS);
    out_at[0] = kd_index_const(kd_gnode_int(node, 3, 0));
    for (unsigned d = 0; d < n; d++)
        out_at[0] = kd_index_add(arena, out_at[0], kd_index_scale(arena, at[d], strides[d]));
}
