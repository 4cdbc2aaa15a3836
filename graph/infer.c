/* infer.c - the type of a node's results from its arguments, and what is wrong with the arguments. */
#include "graph/infer_impl.h"

#include "base/scalar.h"

#include <math.h>

kd_status infer_bad(kd_infer *cx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    kd_status status = kd_vfail(cx->why, KD_ERR_DAMAGED, format, args);
    va_end(args);
    return status;
}

const char *infer_type_text(kd_infer *cx, const kd_gvalue *value)
{
    return kd_tensor_type_text(cx->arena, &value->type);
}

kd_status infer_one_result(kd_infer *cx, kd_scalar type, unsigned n_dims, const int64_t *shape)
{
    if (cx->n_results != 1)
        return infer_bad(cx, "has 1 result, not %u", cx->n_results);
    kd_tensor_type *t = &cx->types[0];
    *t = (kd_tensor_type){.type = type, .n_dims = n_dims};
    if (n_dims)
        memcpy(t->shape, shape, n_dims * sizeof *shape);
    kd_tensor_set_contiguous(t);
    return KD_OK;
}

kd_status infer_tensor_arg(kd_infer *cx, const kd_gnode *node, unsigned i, kd_gvalue **out)
{
    *out = kd_gnode_tensor(node, i);
    return *out ? KD_OK : infer_bad(cx, "argument %u must be a tensor", i);
}

/* ---- element by element ---- */

typedef struct broadcast {
    kd_infer *cx;
    kd_tensor_type shape;
    const kd_gvalue *full; /* an operand that has the whole shape */
    kd_status status;
} broadcast;

static void broadcast_with(void *user, kd_gvalue *value)
{
    broadcast *b = user;
    const kd_tensor_type *t = &value->type;
    kd_tensor_type *s = &b->shape, before = *s;
    if (b->status)
        return;
    while (s->n_dims < t->n_dims) {
        memmove(s->shape + 1, s->shape, s->n_dims * sizeof *s->shape);
        s->shape[0] = 1;
        s->n_dims++;
    }
    for (unsigned k = 1; k <= t->n_dims; k++) {
        int64_t *mine = &s->shape[s->n_dims - k], other = t->shape[t->n_dims - k];
        if (*mine != other && *mine != 1 && other != 1) {
            b->status =
                infer_bad(b->cx, "shapes %s and %s do not broadcast", kd_shape_text(b->cx->arena, before.n_dims, before.shape),
                          kd_shape_text(b->cx->arena, t->n_dims, t->shape));
            return;
        }
        *mine = *mine == 1 ? other : *mine;
    }
}

static void find_full(void *user, kd_gvalue *value)
{
    broadcast *b = user;
    if (!b->full && kd_tensor_same_shape(&value->type, &b->shape))
        b->full = value;
}

/* As PyTorch: the memory order of an operand that fills the shape stays. */
static kd_status pointwise(kd_infer *cx, const kd_gnode *node, kd_scalar type)
{
    broadcast b = {.cx = cx};
    kd_gnode_each_tensor(node, broadcast_with, &b);
    if (b.status)
        return b.status;
    kd_gnode_each_tensor(node, find_full, &b);
    kd_status status = infer_one_result(cx, type, b.shape.n_dims, b.shape.shape);
    if (status == KD_OK && b.full &&
        kd_tensor_n_bytes(&b.full->type) == (size_t)kd_tensor_n_elems(&b.full->type) * kd_scalar_bytes(b.full->type.type))
        memcpy(cx->types[0].strides, b.full->type.strides, sizeof cx->types[0].strides);
    return status;
}

kd_status kd_infer_promote(kd_infer *cx, const kd_gnode *node)
{
    return pointwise(cx, node, kd_gnode_promote(node));
}

kd_status kd_infer_float(kd_infer *cx, const kd_gnode *node)
{
    kd_scalar type = kd_gnode_promote(node);
    return pointwise(cx, node, kd_scalar_is_float(type) ? type : KD_F32);
}

kd_status kd_infer_bool(kd_infer *cx, const kd_gnode *node)
{
    return pointwise(cx, node, KD_I1);
}

kd_status kd_infer_where(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *condition;
    kd_status status = infer_tensor_arg(cx, node, 0, &condition);
    if (status)
        return status;
    if (condition->type.type != KD_I1)
        return infer_bad(cx, "the condition must be of type i1, not %s", kd_scalar_name(condition->type.type));
    return pointwise(cx, node, kd_gnode_promote(node)); /* the condition is the weakest type there is */
}

kd_status kd_infer_like(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    status = pointwise(cx, node, self->type.type);
    if (status == KD_OK && node->op->lowering == KD_LOWER_VIEW)
        cx->types[0] = self->type;
    return status;
}

kd_status kd_infer_to_type(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status)
        return status;
    kd_scalar type = self->type.type;
    if (kd_gnode_has(node, 1) && !kd_gnode_scalar_type(node, 1, &type))
        return infer_bad(cx, "dtype must be the name of a type, as in \"f32\"");
    return pointwise(cx, node, type);
}

/* ---- values from nothing, and by index ---- */

/* The type argument, or what PyTorch makes of a number. */
static kd_status type_of_number(kd_infer *cx, const kd_gnode *node, unsigned dtype, const kd_garg *number, kd_scalar *out)
{
    *out = number->kind == KD_GARG_FLOAT ? KD_F32 : number->kind == KD_GARG_BOOL ? KD_I1 : KD_I64;
    if (kd_gnode_has(node, dtype) && !kd_gnode_scalar_type(node, dtype, out))
        return infer_bad(cx, "dtype must be the name of a type, as in \"f32\"");
    return KD_OK;
}

kd_status kd_infer_full(kd_infer *cx, const kd_gnode *node)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 0, shape, KD_TENSOR_MAX_DIMS);
    kd_scalar type = KD_F32;
    kd_status status = type_of_number(cx, node, 2, &node->args[1], &type);
    if (status)
        return status;
    for (unsigned d = 0; d < n; d++)
        if (shape[d] < 0)
            return infer_bad(cx, "the shape %s makes no sense", kd_shape_text(cx->arena, n, shape));
    return infer_one_result(cx, type, n, shape);
}

kd_status kd_infer_arange(kd_infer *cx, const kd_gnode *node)
{
    double start = kd_gnode_number(node, 0, 0), end = kd_gnode_number(node, 1, 0), step = kd_gnode_number(node, 2, 1);
    bool is_float =
        node->args[0].kind == KD_GARG_FLOAT || node->args[1].kind == KD_GARG_FLOAT || node->args[2].kind == KD_GARG_FLOAT;
    kd_garg like = is_float ? kd_garg_float(0) : kd_garg_int(0);
    kd_scalar type = KD_F32;
    kd_status status = type_of_number(cx, node, 3, &like, &type);
    double n = step == 0 ? -1 : ceil((end - start) / step);
    if (status)
        return status;
    if (!(n >= 0) || n > INT32_MAX)
        return infer_bad(cx, "%g to %g in steps of %g is no range", start, end, step);
    int64_t extent = (int64_t)n;
    return infer_one_result(cx, type, 1, &extent);
}

kd_status kd_infer_embedding(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *weight, *indices;
    kd_status status = infer_tensor_arg(cx, node, 0, &weight);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 1, &indices);
    if (status)
        return status;
    const kd_tensor_type *t = &indices->type;
    if (weight->type.n_dims != 2 || t->n_dims == KD_TENSOR_MAX_DIMS || !kd_scalar_is_int(t->type) || t->type == KD_I1)
        return infer_bad(cx, "%s cannot be indexed by %s", infer_type_text(cx, weight), infer_type_text(cx, indices));
    if (!weight->type.shape[0] && kd_tensor_n_elems(t))
        return infer_bad(cx, "%s has no rows", infer_type_text(cx, weight));
    int64_t shape[KD_TENSOR_MAX_DIMS];
    memcpy(shape, t->shape, sizeof shape);
    shape[t->n_dims] = weight->type.shape[1];
    return infer_one_result(cx, weight->type.type, t->n_dims + 1, shape);
}

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

kd_status kd_infer_mean_all(kd_infer *cx, const kd_gnode *node)
{
    kd_scalar type = KD_F32;
    kd_status status = mean_type(cx, node, 1, &type);
    return status ? status : infer_one_result(cx, type, 0, NULL);
}

/* ---- compositions ---- */

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

static kd_status results(kd_infer *cx, unsigned n)
{
    return cx->n_results == n ? KD_OK : infer_bad(cx, "has %u results, not %u", n, cx->n_results);
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
    kd_status status = results(cx, 3);
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
    kd_status status = results(cx, 3);
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
    cx->types[1] = cx->types[2] =
        (kd_tensor_type){.type = KD_F32, .n_dims = 1, .shape = {0}, .strides = {1}}; /* nothing is saved */
    return KD_OK;
}

/* ---- matrix products, convolutions, pooling ---- */

static kd_status matrix_product(kd_infer *cx, const kd_gnode *node, unsigned first, unsigned n_dims, kd_gvalue **out_a,
                                kd_gvalue **out_b)
{
    kd_status status = infer_tensor_arg(cx, node, first, out_a);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, first + 1, out_b);
    if (status)
        return status;
    const kd_tensor_type *a = &(*out_a)->type, *b = &(*out_b)->type;
    if (a->n_dims != n_dims || b->n_dims != n_dims || a->shape[n_dims - 1] != b->shape[n_dims - 2] ||
        (n_dims == 3 && a->shape[0] != b->shape[0]))
        return infer_bad(cx, "%s and %s do not multiply", infer_type_text(cx, *out_a), infer_type_text(cx, *out_b));
    if (a->type != b->type)
        return infer_bad(cx, "the types of %s and %s differ", infer_type_text(cx, *out_a), infer_type_text(cx, *out_b));
    int64_t shape[3] = {a->shape[0], a->shape[1], b->shape[2]};
    if (n_dims == 2)
        shape[1] = b->shape[1];
    return infer_one_result(cx, a->type, n_dims, shape);
}

kd_status kd_infer_mm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *a, *b;
    return matrix_product(cx, node, 0, 2, &a, &b);
}

kd_status kd_infer_bmm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *a, *b;
    return matrix_product(cx, node, 0, 3, &a, &b);
}

kd_status kd_infer_addmm(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *a, *b, *bias;
    kd_status status = infer_tensor_arg(cx, node, 0, &bias);
    if (status == KD_OK)
        status = matrix_product(cx, node, 1, 2, &a, &b);
    if (status)
        return status;
    const kd_tensor_type *t = &bias->type;
    for (unsigned k = 1; k <= t->n_dims; k++)
        if (t->n_dims > 2 || (t->shape[t->n_dims - k] != 1 && t->shape[t->n_dims - k] != cx->types[0].shape[2 - k]))
            return infer_bad(cx, "%s cannot be added to %s", infer_type_text(cx, bias),
                             kd_tensor_type_text(cx->arena, &cx->types[0]));
    return KD_OK;
}

/* One number for each spatial dimension; a single number stands for all. */
static bool spatial(const kd_gnode *node, unsigned i, unsigned n, int64_t least, int64_t *out)
{
    unsigned given = kd_gnode_ints(node, i, out, n);
    for (unsigned d = given; d < n && given == 1; d++)
        out[d] = out[0];
    for (unsigned d = 0; d < n && given; d++)
        if (out[d] < least || out[d] > INT32_MAX)
            return false;
    return given == n || given == 1;
}

kd_status kd_infer_convolution(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input, *weight;
    kd_status status = infer_tensor_arg(cx, node, 0, &input);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 1, &weight);
    if (status)
        return status;
    const kd_tensor_type *x = &input->type, *w = &weight->type;
    int64_t groups = kd_gnode_int(node, 8, 1), strides[3], padding[3], dilation[3], shape[KD_TENSOR_MAX_DIMS];
    unsigned n = x->n_dims - 2;
    if (kd_gnode_bool(node, 6))
        return kd_fail(cx->why, KD_ERR_UNSUPPORTED, "transposed convolution is not supported yet");
    if (x->n_dims < 3 || x->n_dims > 5 || w->n_dims != x->n_dims || groups < 1 || w->shape[0] % groups ||
        x->shape[1] != w->shape[1] * groups || x->type != w->type)
        return infer_bad(cx, "the weight %s does not fit the input %s in %lld groups", infer_type_text(cx, weight),
                         infer_type_text(cx, input), (long long)groups);
    if (!spatial(node, 3, n, 1, strides) || !spatial(node, 4, n, 0, padding) || !spatial(node, 5, n, 1, dilation))
        return infer_bad(cx, "stride, padding or dilation do not fit the input %s", infer_type_text(cx, input));
    shape[0] = x->shape[0];
    shape[1] = w->shape[0];
    for (unsigned d = 0; d < n; d++) {
        int64_t reach = dilation[d] * (w->shape[d + 2] - 1) + 1, room = x->shape[d + 2] + 2 * padding[d] - reach;
        if (room < 0 || w->shape[d + 2] < 1)
            return infer_bad(cx, "the weight %s is larger than the padded input %s", infer_type_text(cx, weight),
                             infer_type_text(cx, input));
        shape[d + 2] = room / strides[d] + 1;
    }
    return infer_one_result(cx, x->type, x->n_dims, shape);
}

kd_status kd_infer_max_pool2d(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input;
    int64_t kernel[2], strides[2], padding[2], dilation[2];
    kd_status status = results(cx, 2);
    if (status == KD_OK)
        status = infer_tensor_arg(cx, node, 0, &input);
    if (status)
        return status;
    const kd_tensor_type *x = &input->type;
    bool has_stride = node->args[2].kind == KD_GARG_INT || (node->args[2].kind == KD_GARG_LIST && node->args[2].list.n);
    if (x->n_dims != 4 || !spatial(node, 1, 2, 1, kernel) || !spatial(node, has_stride ? 2 : 1, 2, 1, strides) ||
        !spatial(node, 3, 2, 0, padding) || !spatial(node, 4, 2, 1, dilation))
        return infer_bad(cx, "kernel size, stride, padding or dilation do not fit the input %s", infer_type_text(cx, input));
    cx->types[0] = *x;
    for (unsigned d = 0; d < 2; d++) {
        int64_t room = x->shape[d + 2] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1, step = strides[d];
        if (room < 0 || padding[d] * 2 > kernel[d])
            return infer_bad(cx, "the window does not fit the padded input %s", infer_type_text(cx, input));
        int64_t n = (kd_gnode_bool(node, 5) ? room + step - 1 : room) / step + 1;
        cx->types[0].shape[d + 2] = n - ((n - 1) * step >= x->shape[d + 2] + padding[d]);
    }
    kd_tensor_set_contiguous(&cx->types[0]);
    cx->types[1] = cx->types[0];
    cx->types[1].type = KD_I64;
    return KD_OK;
}
