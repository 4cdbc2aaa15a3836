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

kd_status infer_n_results(kd_infer *cx, unsigned n)
{
    return cx->n_results == n ? KD_OK : infer_bad(cx, "has %u results, not %u", n, cx->n_results);
}

kd_status infer_tensor_arg(kd_infer *cx, const kd_gnode *node, unsigned i, kd_gvalue **out)
{
    *out = kd_gnode_tensor(node, i);
    return *out ? KD_OK : infer_bad(cx, "argument %u must be a tensor", i);
}

kd_status infer_tensor_args(kd_infer *cx, const kd_gnode *node, unsigned i, kd_gvalue **out_i, unsigned k, kd_gvalue **out_k)
{
    kd_status status = infer_tensor_arg(cx, node, i, out_i);
    return status ? status : infer_tensor_arg(cx, node, k, out_k);
}

/* ---- element by element ---- */

typedef struct broadcast {
    kd_infer *cx;
    kd_tensor_type shape;
    const kd_gvalue *full; /* an operand that has the whole shape */
    kd_status status;
} broadcast;

bool infer_broadcast(unsigned *n_dims, int64_t shape[KD_TENSOR_MAX_DIMS], const kd_tensor_type *with)
{
    for (; *n_dims < with->n_dims; ++*n_dims) {
        memmove(shape + 1, shape, *n_dims * sizeof *shape);
        shape[0] = 1;
    }
    for (unsigned k = 1; k <= with->n_dims; k++) {
        int64_t *mine = &shape[*n_dims - k], other = with->shape[with->n_dims - k];
        if (*mine != other && *mine != 1 && other != 1)
            return false;
        *mine = *mine == 1 ? other : *mine;
    }
    return true;
}

static void broadcast_with(void *user, kd_gvalue *value)
{
    broadcast *b = user;
    const kd_tensor_type *t = &value->type;
    const kd_tensor_type before = b->shape;
    if (b->status == KD_OK && !infer_broadcast(&b->shape.n_dims, b->shape.shape, t))
        b->status = infer_bad(b->cx, "shapes %s and %s do not broadcast", kd_shape_text(b->cx->arena, before.n_dims, before.shape),
                              kd_shape_text(b->cx->arena, t->n_dims, t->shape));
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

/* As PyTorch, any other word than these two is refused: it would be computed as one of them. */
static kd_status check_word(kd_infer *cx, const kd_garg *arg, const char *name, const char *one, const char *other)
{
    if (arg->kind == KD_GARG_TEXT && (strcmp(arg->text, one) == 0 || strcmp(arg->text, other) == 0))
        return KD_OK;
    return infer_bad(cx, "%s must be '%s' or '%s'", name, one, other);
}

kd_status kd_infer_scatter_reduce(kd_infer *cx, const kd_gnode *node)
{
    static const char *const WORDS[] = {"sum", "prod", "mean", "amax", "amin"};
    for (unsigned i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (node->args[4].kind == KD_GARG_TEXT && strcmp(node->args[4].text, WORDS[i]) == 0)
            return kd_infer_first(cx, node);
    return infer_bad(cx, "reduce must be 'sum', 'prod', 'mean', 'amax' or 'amin'");
}

kd_status kd_infer_gelu(kd_infer *cx, const kd_gnode *node)
{
    kd_status status = check_word(cx, &node->args[1], "approximate", "none", "tanh");
    return status ? status : kd_infer_float(cx, node);
}

/* Without a rounding mode a true division. */
kd_status kd_infer_div_mode(kd_infer *cx, const kd_gnode *node)
{
    if (!kd_gnode_has(node, 2))
        return kd_infer_float(cx, node);
    kd_status status = check_word(cx, &node->args[2], "rounding_mode", "trunc", "floor");
    return status ? status : kd_infer_promote(cx, node);
}

kd_status kd_infer_bool(kd_infer *cx, const kd_gnode *node)
{
    return pointwise(cx, node, KD_I1);
}

/* Truth values are counted. */
kd_status kd_infer_number(kd_infer *cx, const kd_gnode *node)
{
    kd_scalar type = kd_gnode_promote(node);
    return pointwise(cx, node, type == KD_I1 ? KD_I64 : type);
}

/* f32 as i32, f64 as i64. */
kd_status kd_infer_order(kd_infer *cx, const kd_gnode *node)
{
    kd_scalar type = kd_gnode_promote(node);
    if (type != KD_F32 && type != KD_F64)
        return infer_bad(cx, "needs f32 or f64, not %s", kd_scalar_name(type));
    return pointwise(cx, node, type == KD_F64 ? KD_I64 : KD_I32);
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

/* The type and the shape of parameter 0. */
kd_status kd_infer_first(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status == KD_OK)
        status = infer_one_result(cx, self->type.type, self->type.n_dims, self->type.shape);
    if (status == KD_OK && kd_tensor_is_dense(&self->type))
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

/* ---- values from nothing ---- */

/* The number that fills the result, and which parameter is the type. */
static kd_garg filling(const kd_gnode *node, unsigned *out_dtype)
{
    kd_garg one = kd_garg_float(1), zero = kd_garg_float(0);
    *out_dtype = 1;
    switch (node->op->code) {
    case KD_GOP_full:
    case KD_GOP_full_like: *out_dtype = 2; return node->args[1];
    case KD_GOP_new_full: *out_dtype = 3; return node->args[2];
    case KD_GOP_new_ones: *out_dtype = 2; return one;
    case KD_GOP_new_zeros:
    case KD_GOP_new_empty: *out_dtype = 2; return zero;
    case KD_GOP_ones:
    case KD_GOP_ones_like: return one;
    case KD_GOP_scalar_tensor: return node->args[0];
    case KD_GOP_fill: *out_dtype = node->n_args; return node->args[1];
    default: return zero;
    }
}

kd_garg kd_gnode_filling(const kd_gnode *node)
{
    unsigned dtype;
    return filling(node, &dtype);
}

static kd_status filled(kd_infer *cx, const kd_gnode *node, kd_scalar otherwise, unsigned n, const int64_t *shape)
{
    unsigned dtype;
    (void)filling(node, &dtype);
    kd_scalar type = otherwise;
    if (kd_gnode_has(node, dtype) && !kd_gnode_scalar_type(node, dtype, &type))
        return infer_bad(cx, "dtype must be the name of a type, as in \"f32\"");
    for (unsigned d = 0; d < n; d++)
        if (shape[d] < 0)
            return infer_bad(cx, "the shape %s makes no sense", kd_shape_text(cx->arena, n, shape));
    return infer_one_result(cx, type, n, shape);
}

kd_status kd_infer_full(kd_infer *cx, const kd_gnode *node)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = node->op->code == KD_GOP_scalar_tensor ? 0 : kd_gnode_ints(node, 0, shape, KD_TENSOR_MAX_DIMS);
    kd_garg number = kd_gnode_filling(node);
    kd_scalar type = KD_F32;
    if (node->op->code == KD_GOP_full)
        type = number.kind == KD_GARG_FLOAT ? KD_F32 : number.kind == KD_GARG_BOOL ? KD_I1 : KD_I64;
    return filled(cx, node, type, n, shape);
}

kd_status kd_infer_full_like(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    return status ? status : filled(cx, node, self->type.type, self->type.n_dims, self->type.shape);
}

kd_status kd_infer_new_full(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, shape, KD_TENSOR_MAX_DIMS);
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    return status ? status : filled(cx, node, self->type.type, n, shape);
}

void kd_gnode_range(const kd_gnode *node, kd_garg out[3])
{
    unsigned n = node->op->code == KD_GOP_arange_end ? 1 : node->op->code == KD_GOP_arange_start ? 2 : 3;
    out[0] = n > 1 ? node->args[0] : kd_garg_int(0);
    out[1] = node->args[n > 1];
    out[2] = n > 2 ? node->args[2] : kd_garg_int(1);
}

static double number_of(const kd_garg *arg)
{
    return arg->kind == KD_GARG_FLOAT ? arg->f : (double)arg->i;
}

kd_status kd_infer_arange(kd_infer *cx, const kd_gnode *node)
{
    kd_garg range[3];
    kd_gnode_range(node, range);
    bool is_float = range[0].kind == KD_GARG_FLOAT || range[1].kind == KD_GARG_FLOAT || range[2].kind == KD_GARG_FLOAT;
    unsigned dtype = node->op->code == KD_GOP_arange_end ? 1 : node->op->code == KD_GOP_arange_start ? 2 : 3;
    kd_scalar type = is_float ? KD_F32 : KD_I64;
    if (kd_gnode_has(node, dtype) && !kd_gnode_scalar_type(node, dtype, &type))
        return infer_bad(cx, "dtype must be the name of a type, as in \"f32\"");
    double start = number_of(&range[0]), end = number_of(&range[1]), step = number_of(&range[2]);
    double n = step == 0 ? -1 : ceil((end - start) / step);
    if (!(n >= 0) || n > INT32_MAX)
        return infer_bad(cx, "%g to %g in steps of %g is no range", start, end, step);
    int64_t extent = (int64_t)n;
    return infer_one_result(cx, type, 1, &extent);
}
