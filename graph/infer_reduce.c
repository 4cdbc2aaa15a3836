/* infer_reduce.c - reductions and scans. */
#include "graph/infer_impl.h"

#include "base/scalar.h"

/* ---- reductions ---- */

static kd_status reduced(kd_infer *cx, const kd_gnode *node, kd_scalar type, unsigned mask, bool keep)
{
    const kd_tensor_type *t = &kd_gnode_tensor(node, 0)->type;
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = 0;
    for (unsigned d = 0; d < t->n_dims; d++) {
        if (!(mask >> d & 1))
            shape[n++] = t->shape[d];
        else if (keep)
            shape[n++] = 1;
    }
    return infer_one_result(cx, type, n, shape);
}

static kd_status reduced_dims(kd_infer *cx, const kd_gnode *node, kd_scalar type)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    bool is_bad;
    unsigned mask = kd_gnode_dims_mask(node, 1, self->type.n_dims, &is_bad);
    if (is_bad)
        return infer_bad(cx, "dim is out of range, or there twice, for %s", infer_type_text(cx, self));
    return reduced(cx, node, type, mask, kd_gnode_bool(node, 2));
}

/* Sums of integers are i64. */
static kd_scalar sum_type(const kd_gnode *node, unsigned dtype)
{
    kd_gvalue *self = kd_gnode_tensor(node, 0);
    kd_scalar type = self ? self->type.type : KD_F32;
    type = kd_scalar_is_int(type) ? KD_I64 : type;
    (void)kd_gnode_scalar_type(node, dtype, &type);
    return type;
}

kd_status kd_infer_sum(kd_infer *cx, const kd_gnode *node)
{
    return reduced_dims(cx, node, sum_type(node, 3));
}

kd_status kd_infer_sum_all(kd_infer *cx, const kd_gnode *node)
{
    return infer_one_result(cx, sum_type(node, 1), 0, NULL);
}

kd_status kd_infer_reduce(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self = kd_gnode_tensor(node, 0);
    return reduced_dims(cx, node, self ? self->type.type : KD_F32);
}

kd_status kd_infer_reduce_float(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self = kd_gnode_tensor(node, 0);
    return reduced_dims(cx, node, self && kd_scalar_is_float(self->type.type) ? self->type.type : KD_F32);
}

/* As PyTorch, of u8 a u8, which was the type of truth values once. */
static kd_scalar truth_type(const kd_gvalue *self)
{
    return self && self->type.type == KD_U8 ? KD_U8 : KD_I1;
}

kd_status kd_infer_any(kd_infer *cx, const kd_gnode *node)
{
    return reduced_dims(cx, node, truth_type(kd_gnode_tensor(node, 0)));
}

/* Of all elements: max, min, any, all. */
kd_status kd_infer_extreme(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    bool is_extreme = node->op->code == KD_GOP_max || node->op->code == KD_GOP_min;
    if (status)
        return status;
    if (is_extreme && !kd_tensor_n_elems(&self->type))
        return infer_bad(cx, "%s has no elements", infer_type_text(cx, self));
    return infer_one_result(cx, is_extreme ? self->type.type : truth_type(self), 0, NULL);
}

/* argmax and argmin, and those that give the values too. */
kd_status kd_infer_position(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    bool is_bad, with_values = node->op->code == KD_GOP_max_dim || node->op->code == KD_GOP_min_dim;
    kd_status status = infer_n_results(cx, with_values ? 2 : 1);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    unsigned mask = kd_gnode_dims_mask(node, 1, self->type.n_dims, &is_bad);
    for (unsigned d = 0; d < self->type.n_dims; d++)
        is_bad |= mask >> d & 1 && !self->type.shape[d]; /* nothing is the largest of none */
    if (is_bad)
        return infer_bad(cx, "dim is out of range, or has no elements, for %s", infer_type_text(cx, self));
    kd_infer one = {cx->arena, cx->why, cx->types, 1};
    status = reduced(&one, node, with_values ? self->type.type : KD_I64, mask, kd_gnode_bool(node, 2));
    if (status == KD_OK && with_values) {
        cx->types[1] = cx->types[0];
        cx->types[1].type = KD_I64;
    }
    return status;
}

/* Rows that are sorted lie in one tile, in a power of two. */
enum { MAX_SORTED = 1 << 20, MAX_BOUNDS = 1024 };

static kd_status sorted_row(kd_infer *cx, int64_t n)
{
    if (n > MAX_SORTED)
        return kd_fail(cx->why, KD_ERR_UNSUPPORTED, "sorting rows of %lld elements, more than %d, is not supported yet",
                       (long long)n, MAX_SORTED);
    return KD_OK;
}

kd_status kd_infer_sort(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    bool is_argsort = node->op->code == KD_GOP_argsort;
    kd_status status = infer_n_results(cx, is_argsort ? 1 : 2);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type;
    int dim = kd_gnode_dim(kd_gnode_int(node, node->op->code == KD_GOP_sort_stable ? 2 : 1, -1), t->n_dims);
    if (dim < 0)
        return infer_bad(cx, "dim is out of range for %s", infer_type_text(cx, self));
    cx->types[0] = *t;
    if (!kd_tensor_is_dense(t))
        kd_tensor_set_contiguous(&cx->types[0]);
    cx->types[!is_argsort] = cx->types[0];
    cx->types[!is_argsort].type = KD_I64;
    return sorted_row(cx, t->n_dims ? t->shape[dim] : 1);
}

kd_status kd_infer_bucketize(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self, *bounds;
    bool is_search = node->op->code == KD_GOP_searchsorted;
    kd_status status = infer_tensor_args(cx, node, is_search, &self, !is_search, &bounds);
    if (status)
        return status;
    const kd_tensor_type *t = &self->type, *b = &bounds->type;
    bool fits = b->n_dims == 1 || (is_search && b->n_dims == t->n_dims && b->n_dims);
    for (unsigned d = 0; d + 1 < b->n_dims && fits; d++)
        fits = b->shape[d] == t->shape[d];
    if (!fits)
        return infer_bad(cx, "%s cannot be looked for in %s", infer_type_text(cx, self), infer_type_text(cx, bounds));
    if (t->n_dims == KD_TENSOR_MAX_DIMS || (is_search && kd_gnode_has(node, 5)) || b->shape[b->n_dims - 1] > MAX_BOUNDS)
        return kd_fail(cx->why, KD_ERR_UNSUPPORTED, "looking for %s in %s, or with a sorter, is not supported yet",
                       infer_type_text(cx, self), infer_type_text(cx, bounds));
    return infer_one_result(cx, kd_gnode_bool(node, 2) ? KD_I32 : KD_I64, t->n_dims, t->shape);
}

kd_status kd_infer_topk(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_n_results(cx, 2);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    int dim = kd_gnode_dim(kd_gnode_int(node, 2, -1), self->type.n_dims);
    int64_t k = kd_gnode_int(node, 1, 0);
    if (!self->type.n_dims || dim < 0 || k < 0 || k > self->type.shape[dim])
        return infer_bad(cx, "k or dim is out of range for %s", infer_type_text(cx, self));
    if (k > KD_GRAPH_FEW && (status = sorted_row(cx, self->type.shape[dim])))
        return status;
    cx->types[0] = self->type;
    cx->types[0].shape[dim] = k;
    kd_tensor_set_contiguous(&cx->types[0]);
    cx->types[1] = cx->types[0];
    cx->types[1].type = KD_I64;
    return KD_OK;
}

static kd_status mean_type(kd_infer *cx, const kd_gnode *node, unsigned dtype, kd_scalar *out)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    *out = self->type.type;
    (void)kd_gnode_scalar_type(node, dtype, out);
    return kd_scalar_is_float(*out) ? KD_OK : infer_bad(cx, "needs a floating-point type, not %s", kd_scalar_name(*out));
}

kd_status kd_infer_mean(kd_infer *cx, const kd_gnode *node)
{
    kd_scalar type = KD_F32;
    kd_status status = mean_type(cx, node, 3, &type);
    return status ? status : reduced_dims(cx, node, type);
}

kd_status kd_infer_spatial_mean(kd_infer *cx, const kd_gnode *node)
{
    kd_status status = kd_infer_mean(cx, node);
    const kd_gvalue *self = status ? NULL : kd_gnode_tensor(node, 0);
    bool is_bad;
    if (status == KD_OK && (self->type.n_dims != 4 || kd_gnode_dims_mask(node, 1, 4, &is_bad) != 12))
        return infer_bad(cx, "self has 4 dimensions, and dim is the last two");
    return status;
}

kd_status kd_infer_mean_all(kd_infer *cx, const kd_gnode *node)
{
    kd_scalar type = KD_F32;
    kd_status status = mean_type(cx, node, 1, &type);
    return status ? status : infer_one_result(cx, type, 0, NULL);
}

/* var(self, dim, *, correction, keepdim), and with the mean. */
kd_status kd_infer_variance(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    bool is_bad, with_mean = node->op->code == KD_GOP_var_mean || node->op->code == KD_GOP_std_mean;
    kd_status status = infer_n_results(cx, with_mean ? 2 : 1);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    unsigned mask = kd_gnode_dims_mask(node, 1, self->type.n_dims, &is_bad);
    if (is_bad || !kd_scalar_is_float(self->type.type))
        return infer_bad(cx, "dim is out of range, or the type is no floating-point type, for %s", infer_type_text(cx, self));
    kd_infer one = {cx->arena, cx->why, cx->types, 1};
    status = reduced(&one, node, self->type.type, mask, kd_gnode_bool(node, 3));
    if (with_mean)
        cx->types[1] = cx->types[0];
    return status;
}

kd_status kd_infer_norm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    bool is_bad;
    kd_scalar type = KD_F32;
    kd_status status = mean_type(cx, node, 4, &type);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    unsigned mask = kd_gnode_dims_mask(node, 2, self->type.n_dims, &is_bad);
    return is_bad ? infer_bad(cx, "dim is out of range for %s", infer_type_text(cx, self))
                  : reduced(cx, node, type, mask, kd_gnode_bool(node, 3));
}

kd_status kd_infer_scan(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    if (kd_gnode_dim(kd_gnode_int(node, 1, 0), self->type.n_dims) < 0)
        return infer_bad(cx, "dim is out of range for %s", infer_type_text(cx, self));
    return infer_one_result(cx, sum_type(node, 2), self->type.n_dims, self->type.shape);
}
