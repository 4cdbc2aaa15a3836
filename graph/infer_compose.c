/* infer_compose.c - compositions: softmax, norms, and other ops that are written out. */
#include "graph/infer_impl.h"

#include "base/scalar.h"

kd_status kd_infer_softmax(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    if (kd_gnode_dim(kd_gnode_int(node, 1, 0), self->type.n_dims) < 0)
        return infer_bad(cx, "dim is out of range for %s", infer_type_text(cx, self));
    return infer_one_result(cx, kd_gnode_bool(node, 2) ? KD_F32 : self->type.type, self->type.n_dims, self->type.shape);
}

/* As softmax, with a type that may be given. */
kd_status kd_infer_softmax_like(kd_infer *cx, const kd_gnode *node)
{
    kd_status status = kd_infer_softmax(cx, node);
    if (status == KD_OK)
        (void)kd_gnode_scalar_type(node, 2, &cx->types[0].type);
    return status;
}

/* Norms from before autograd have no results for it. */
static bool has_one_result(const kd_gnode *node)
{
    return node->op->code == KD_GOP_layer_norm || node->op->code == KD_GOP_batch_norm_1;
}

/* A weight over the dimensions from first on, or none. */
static kd_status trailing_weight(kd_infer *cx, const kd_gnode *node, unsigned i, const char *name, const kd_tensor_type *input,
                                 unsigned first)
{
    const kd_gvalue *weight = kd_gnode_tensor(node, i);
    if (weight && (weight->type.n_dims != input->n_dims - first ||
                   memcmp(weight->type.shape, input->shape + first, weight->type.n_dims * sizeof(int64_t)) != 0))
        return infer_bad(cx, "%s is %s, but the normalized shape is %s", name, infer_type_text(cx, weight),
                         kd_shape_text(cx->arena, input->n_dims - first, input->shape + first));
    return KD_OK;
}

kd_status kd_infer_layer_norm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input;
    int64_t normalized[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, normalized, KD_TENSOR_MAX_DIMS);
    kd_status status = cx->n_results == 1 && has_one_result(node) ? KD_OK : infer_n_results(cx, 3);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &input);
    if (status)
        return status;
    const kd_tensor_type *t = &input->type;
    if (!n || n > t->n_dims || memcmp(normalized, t->shape + t->n_dims - n, n * sizeof *normalized) != 0)
        return infer_bad(cx, "the normalized shape %s is not the end of %s", kd_shape_text(cx->arena, n, normalized),
                         infer_type_text(cx, input));
    unsigned first = t->n_dims - n;
    status = trailing_weight(cx, node, 2, "the weight", t, first);
    if (status == KD_OK)
        status = trailing_weight(cx, node, 3, "the bias", t, first);
    if (status)
        return status;
    cx->types[0] = *t;
    kd_tensor_set_contiguous(&cx->types[0]);
    if (cx->n_results == 1)
        return KD_OK;
    kd_tensor_type row = *t; /* the statistics of half types are f32 */
    row.type = kd_scalar_bytes(t->type) < 4 ? KD_F32 : t->type;
    for (unsigned d = first; d < t->n_dims; d++)
        row.shape[d] = 1;
    kd_tensor_set_contiguous(&row);
    cx->types[1] = cx->types[2] = row;
    return KD_OK;
}

kd_status kd_infer_batch_norm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input;
    kd_status status = cx->n_results == 1 && has_one_result(node) ? KD_OK : infer_n_results(cx, 3);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &input);
    if (status)
        return status;
    if (input->type.n_dims < 2)
        return infer_bad(cx, "the input %s has no channels", infer_type_text(cx, input));
    for (unsigned i = 1; i <= 4; i++) {
        const kd_gvalue *v = kd_gnode_tensor(node, i);
        if (v && (v->type.n_dims != 1 || v->type.shape[0] != input->type.shape[1]))
            return infer_bad(cx, "argument %u is %s, but the input %s has %lld channels", i, infer_type_text(cx, v),
                             infer_type_text(cx, input), (long long)input->type.shape[1]);
        if (!v && i >= 3)
            return infer_bad(cx, "running mean and variance must be tensors");
    }
    cx->types[0] = input->type; /* PyTorch keeps the memory order */
    if (cx->n_results == 1)
        return KD_OK;
    cx->types[1] = cx->types[2] =
        (kd_tensor_type){.type = input->type.type, .n_dims = 1, .shape = {0}, .strides = {1}}; /* nothing is saved */
    return KD_OK;
}

kd_status kd_infer_group_norm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input;
    kd_status status = infer_n_results(cx, 3);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &input);
    if (status)
        return status;
    const kd_tensor_type *t = &input->type;
    int64_t n = kd_gnode_int(node, 3, 0), channels = kd_gnode_int(node, 4, 0), groups = kd_gnode_int(node, 6, 0);
    if (t->n_dims < 2 || t->shape[0] != n || t->shape[1] != channels || groups < 1 || channels % groups)
        return infer_bad(cx, "%s has no %lld groups of channels", infer_type_text(cx, input), (long long)groups);
    for (unsigned i = 1; i <= 2; i++) {
        const kd_gvalue *v = kd_gnode_tensor(node, i);
        if (v && (v->type.n_dims != 1 || v->type.shape[0] != channels))
            return infer_bad(cx, "argument %u is %s, but the input has %lld channels", i, infer_type_text(cx, v),
                             (long long)channels);
    }
    cx->types[0] = *t;
    kd_tensor_type row = {
        .type = kd_scalar_bytes(t->type) < 4 ? KD_F32 : t->type, .n_dims = 2, .shape = {n, groups}, .strides = {groups, 1}};
    cx->types[1] = cx->types[2] = row;
    return KD_OK;
}

kd_status kd_infer_dropout(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input;
    kd_status status = infer_n_results(cx, 2);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &input);
    if (status)
        return status;
    if (kd_gnode_bool(node, 2) && kd_gnode_number(node, 1, 0) != 0)
        return kd_fail(cx->why, KD_ERR_UNSUPPORTED, "dropout while training is not supported yet");
    cx->types[0] = cx->types[1] = input->type;
    cx->types[1].type = KD_I1;
    return KD_OK;
}

kd_status kd_infer_glu(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    int dim = kd_gnode_dim(kd_gnode_int(node, 1, -1), self->type.n_dims);
    if (!self->type.n_dims || dim < 0 || self->type.shape[dim] % 2)
        return infer_bad(cx, "%s has no two halves", infer_type_text(cx, self));
    int64_t shape[KD_TENSOR_MAX_DIMS];
    memcpy(shape, self->type.shape, sizeof shape);
    shape[dim] /= 2;
    return infer_one_result(cx, self->type.type, self->type.n_dims, shape);
}

/* The second result is for training. */
kd_status kd_infer_log_sigmoid(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_n_results(cx, 2);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    cx->types[0] = self->type;
    cx->types[1] = (kd_tensor_type){.type = self->type.type, .n_dims = 1, .shape = {0}, .strides = {1}};
    return KD_OK;
}

kd_status kd_infer_stack(kd_infer *cx, const kd_gnode *node)
{
    const kd_garg *list = &node->args[0];
    if (!list->list.n)
        return infer_bad(cx, "there is nothing to put together");
    const kd_tensor_type *t = &list->list.items[0].value->type;
    int dim = kd_gnode_dim(kd_gnode_int(node, 1, 0), t->n_dims + 1);
    if (dim < 0 || t->n_dims == KD_TENSOR_MAX_DIMS)
        return infer_bad(cx, "dim is out of range for %s", kd_tensor_type_text(cx->arena, t));
    for (unsigned i = 1; i < list->list.n; i++)
        if (!kd_tensor_same_shape(&list->list.items[i].value->type, t))
            return infer_bad(cx, "%s and %s differ", kd_tensor_type_text(cx->arena, t),
                             infer_type_text(cx, list->list.items[i].value));
    int64_t shape[KD_TENSOR_MAX_DIMS];
    for (int d = 0; d <= (int)t->n_dims; d++)
        shape[d] = d == dim ? list->list.n : t->shape[d - (d > dim)];
    return infer_one_result(cx, kd_gnode_promote(node), t->n_dims + 1, shape);
}

/* Never asked: what an expanded op becomes says it. */
kd_status kd_infer_expanded(kd_infer *cx, const kd_gnode *node)
{
    return infer_bad(cx, "%s is written out as the graph is read", node->op->name);
}
