/* infer_index.c - ops that put tensors together from pieces, and those that pick elements by index. */
#include "graph/infer_impl.h"

#include "base/scalar.h"

/* ---- pieces ---- */

kd_status kd_infer_cat(kd_infer *cx, const kd_gnode *node)
{
    const kd_garg *list = &node->args[0];
    const kd_tensor_type *like = NULL;
    int64_t shape[KD_TENSOR_MAX_DIMS], extent = 0;
    int dim = 0;
    if (!list->list.n)
        return infer_bad(cx, "there is nothing to put together");
    for (unsigned i = 0; i < list->list.n; i++) {
        const kd_gvalue *value = list->list.items[i].value;
        const kd_tensor_type *t = &value->type;
        if (t->n_dims == 1 && !t->shape[0]) /* goes along with everything */
            continue;
        if (!like) {
            like = t;
            dim = kd_gnode_dim(kd_gnode_int(node, 1, 0), t->n_dims);
            memcpy(shape, t->shape, sizeof shape);
        }
        if (dim < 0 || !t->n_dims || t->n_dims != like->n_dims)
            return infer_bad(cx, "%s cannot be put together along dimension %lld", infer_type_text(cx, value),
                             (long long)kd_gnode_int(node, 1, 0));
        for (unsigned d = 0; d < t->n_dims; d++)
            if ((int)d != dim && t->shape[d] != like->shape[d])
                return infer_bad(cx, "%s and %s differ in dimension %u", kd_tensor_type_text(cx->arena, like),
                                 infer_type_text(cx, value), d);
        extent += t->shape[dim];
    }
    kd_scalar type = kd_gnode_promote(node);
    if (!like)
        return infer_one_result(cx, type, 1, &extent);
    shape[dim] = extent;
    kd_status status = infer_one_result(cx, type, like->n_dims, shape);
    if (status == KD_OK && kd_tensor_is_channels_last(like) && !kd_tensor_is_contiguous(like))
        kd_tensor_set_channels_last(&cx->types[0]);
    return status;
}

kd_status kd_infer_pad(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    int64_t pad[2 * KD_TENSOR_MAX_DIMS], shape[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, pad, 2 * KD_TENSOR_MAX_DIMS);
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    memcpy(shape, t->shape, sizeof shape);
    bool fits = n % 2 == 0 && n / 2 <= t->n_dims;
    for (unsigned k = 0; k < n / 2 && fits; k++) {
        int64_t *extent = &shape[t->n_dims - 1 - k];
        fits = pad[2 * k] >= -*extent && pad[2 * k] <= INT32_MAX && pad[2 * k + 1] >= -*extent && pad[2 * k + 1] <= INT32_MAX;
        *extent += fits ? pad[2 * k] + pad[2 * k + 1] : 0;
        fits &= *extent >= 0;
    }
    return fits ? infer_one_result(cx, t->type, t->n_dims, shape)
                : infer_bad(cx, "the padding %s does not fit %s", kd_shape_text(cx->arena, n < 8 ? n : 8, pad),
                            infer_type_text(cx, self));
}

static kd_status scattered(kd_infer *cx, const kd_gnode *node, const kd_gvalue *self, unsigned n_dims, const int64_t *shape)
{
    const kd_gvalue *src = kd_gnode_tensor(node, 1);
    if (!src || src->type.type != self->type.type || src->type.n_dims != n_dims ||
        memcmp(src->type.shape, shape, n_dims * sizeof *shape) != 0)
        return infer_bad(cx, "the part of %s has the shape %s, but src is %s", infer_type_text(cx, self),
                         kd_shape_text(cx->arena, n_dims, shape), src ? infer_type_text(cx, src) : "a number");
    kd_status status = infer_one_result(cx, self->type.type, self->type.n_dims, self->type.shape);
    if (status == KD_OK && kd_tensor_is_dense(&self->type))
        cx->types[0] = self->type;
    return status;
}

kd_status kd_infer_slice_scatter(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    int at = kd_gnode_dim(kd_gnode_int(node, 2, 0), self->type.n_dims);
    int64_t step = kd_gnode_int(node, 5, 1), start, shape[KD_TENSOR_MAX_DIMS];
    if (!self->type.n_dims || at < 0 || step < 1 || step > INT32_MAX)
        return infer_bad(cx, "dimension or step is out of range for %s", infer_type_text(cx, self));
    memcpy(shape, self->type.shape, sizeof shape);
    kd_gnode_slice_bounds(node, 3, self->type.shape[at], &start, &shape[at]);
    return scattered(cx, node, self, self->type.n_dims, shape);
}

kd_status kd_infer_select_scatter(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int at = kd_gnode_dim(kd_gnode_int(node, 2, 0), t->n_dims);
    int64_t index = kd_gnode_int(node, 3, 0), shape[KD_TENSOR_MAX_DIMS];
    if (!t->n_dims || at < 0 || index >= t->shape[at] || index < -t->shape[at])
        return infer_bad(cx, "dimension or index is out of range for %s", infer_type_text(cx, self));
    unsigned n = 0;
    for (unsigned d = 0; d < t->n_dims; d++)
        if ((int)d != at)
            shape[n++] = t->shape[d];
    return scattered(cx, node, self, n, shape);
}

/* ---- picked by index ---- */

static bool is_index(const kd_gvalue *value)
{
    return kd_scalar_is_int(value->type.type) && value->type.type != KD_I1;
}

kd_status kd_infer_embedding(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *weight, *indices;
    kd_status status = infer_tensor_args(cx, node, 0, &weight, 1, &indices);
    if (status)
        return status;
    const kd_tensor_type *t = &indices->type;
    if (weight->type.n_dims != 2 || t->n_dims == KD_TENSOR_MAX_DIMS || !is_index(indices))
        return infer_bad(cx, "%s cannot be indexed by %s", infer_type_text(cx, weight), infer_type_text(cx, indices));
    if (!weight->type.shape[0] && kd_tensor_n_elems(t))
        return infer_bad(cx, "%s has no rows", infer_type_text(cx, weight));
    int64_t shape[KD_TENSOR_MAX_DIMS];
    memcpy(shape, t->shape, sizeof shape);
    shape[t->n_dims] = weight->type.shape[1];
    return infer_one_result(cx, weight->type.type, t->n_dims + 1, shape);
}

enum { MAX_MEMBERS = 1 << 24 };

kd_status kd_infer_embedding_bag(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *weight, *indices, *offsets;
    kd_status status = infer_tensor_args(cx, node, 0, &weight, 1, &indices);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 2, &offsets);
    if (status == KD_OK)
        status = infer_n_results(cx, 4);
    if (status)
        return status;
    const kd_tensor_type *w = &weight->type, *i = &indices->type, *o = &offsets->type;
    const kd_gvalue *scale = kd_gnode_tensor(node, 6);
    if (w->n_dims != 2 || i->n_dims != 1 || o->n_dims != 1 || !is_index(indices) || !is_index(offsets) ||
        (scale && (scale->type.n_dims != 1 || scale->type.shape[0] != i->shape[0])))
        return infer_bad(cx, "%s cannot be indexed by bags of %s at %s", infer_type_text(cx, weight), infer_type_text(cx, indices),
                         infer_type_text(cx, offsets));
    int64_t n_bags = o->shape[0] - kd_gnode_bool(node, 7), n_members;
    if (n_bags < 1 || !w->shape[0] || kd_gnode_int(node, 4, 0) > 1 || __builtin_mul_overflow(n_bags, i->shape[0], &n_members) ||
        n_members > MAX_MEMBERS)
        return kd_fail(cx->why, KD_ERR_UNSUPPORTED, "bags of the largest elements, none, or so many are not supported yet");
    for (unsigned k = 1; k < 4; k++) /* for training */
        cx->types[k] = (kd_tensor_type){.type = KD_I64};
    cx->types[0] = (kd_tensor_type){.type = w->type, .n_dims = 2, .shape = {n_bags, w->shape[1]}};
    kd_tensor_set_contiguous(&cx->types[0]);
    return KD_OK;
}

kd_status kd_infer_scatter_rows(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self, *index;
    kd_status status = infer_tensor_args(cx, node, 0, &self, 1, &index);
    if (status)
        return status;
    const kd_gvalue *values = kd_gnode_tensor(node, 2);
    const kd_tensor_type *t = &self->type, *i = &index->type, *v = values ? &values->type : t;
    bool fits = t->n_dims == 3 && i->n_dims == 3 && v->n_dims == 3 && is_index(index) && v->type == t->type;
    for (unsigned d = 0; d < 3 && fits; d++)
        fits = d == 1 ? i->shape[1] == v->shape[1] : v->shape[d] == t->shape[d] && (i->shape[d] == t->shape[d] || i->shape[d] == 1);
    if (!fits || kd_gnode_int(node, 3, -1) < 0 || kd_gnode_int(node, 3, -1) > KD_SCATTER_MIN)
        return infer_bad(cx, "self %s, index %s and values %s do not fit", infer_type_text(cx, self), infer_type_text(cx, index),
                         infer_type_text(cx, values ? values : self));
    return infer_one_result(cx, t->type, 3, t->shape);
}

kd_status kd_infer_gather(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self, *indices;
    kd_status status = infer_tensor_args(cx, node, 0, &self, 2, &indices);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type, *i = &indices->type;
    int dim = kd_gnode_dim(kd_gnode_int(node, 1, 0), t->n_dims);
    bool selects = node->op->code == KD_GOP_index_select,
         fits = dim >= 0 && is_index(indices) && (selects ? i->n_dims <= 1 : i->n_dims == t->n_dims);
    for (int d = 0; d < (int)t->n_dims && fits && !selects; d++)
        fits = d == dim || i->shape[d] <= t->shape[d];
    if (!fits || (t->n_dims && !t->shape[dim] && kd_tensor_n_elems(i)))
        return infer_bad(cx, "%s cannot be indexed by %s", infer_type_text(cx, self), infer_type_text(cx, indices));
    if (!selects)
        return infer_one_result(cx, t->type, i->n_dims, i->shape);
    int64_t shape[KD_TENSOR_MAX_DIMS];
    memcpy(shape, t->shape, sizeof shape);
    shape[dim] = kd_tensor_n_elems(i);
    return infer_one_result(cx, t->type, t->n_dims, shape);
}

bool kd_gnode_index_layout(const kd_gnode *node, kd_index_layout *out)
{
    const kd_garg *list = &node->args[1];
    int first = -1, last = -1;
    bool adjacent = true;
    *out = (kd_index_layout){0};
    for (unsigned i = 0; i < list->list.n; i++) {
        if (list->list.items[i].kind != KD_GARG_VALUE)
            continue;
        const kd_tensor_type *t = &list->list.items[i].value->type;
        adjacent &= first < 0 || last == (int)i - 1;
        first = first < 0 ? (int)i : first;
        last = (int)i;
        if (!infer_broadcast(&out->n_dims, out->shape, t))
            return false;
    }
    out->first = adjacent && first > 0 ? (unsigned)first : 0;
    return first >= 0;
}

kd_status kd_infer_index(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    const kd_garg *list = &node->args[1];
    kd_index_layout layout;
    int64_t shape[2 * KD_TENSOR_MAX_DIMS];
    unsigned n = 0;
    if (list->list.n > t->n_dims || !kd_gnode_index_layout(node, &layout))
        return infer_bad(cx, "the indices do not fit %s", infer_type_text(cx, self));
    for (unsigned d = 0; d <= t->n_dims; d++) {
        if (n == layout.first && (d == t->n_dims || layout.n_dims)) {
            memcpy(shape + n, layout.shape, layout.n_dims * sizeof *shape);
            n += layout.n_dims;
            layout.n_dims = 0;
        }
        const kd_gvalue *by = d < list->list.n && list->list.items[d].kind == KD_GARG_VALUE ? list->list.items[d].value : NULL;
        if (by && by->type.type == KD_I1)
            return kd_fail(cx->why, KD_ERR_UNSUPPORTED,
                           "an index of type i1 gives a result whose shape depends on values, which is not supported");
        if (by && (!is_index(by) || !t->shape[d]))
            return infer_bad(cx, "%s cannot be indexed by %s", infer_type_text(cx, self), infer_type_text(cx, by));
        if (d < t->n_dims && !by)
            shape[n++] = t->shape[d];
    }
    return n > KD_TENSOR_MAX_DIMS ? infer_bad(cx, "the result has more than %d dimensions", KD_TENSOR_MAX_DIMS)
                                  : infer_one_result(cx, t->type, n, shape);
}
