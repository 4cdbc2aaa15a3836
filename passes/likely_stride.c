/* likely_stride.c - see likely_stride.h. */
#include "passes/likely_stride.h"

#include "passes/affine.h"

enum { MAX_VISITS = 200 };

static kd_stride visit(const kd_value *value, unsigned axis, unsigned *n_left);

static kd_stride larger(kd_stride a, kd_stride b)
{
    return a > b ? a : b;
}

static kd_stride sum(kd_stride a, kd_stride b)
{
    if (a == KD_STRIDE_NONE || b == KD_STRIDE_NONE)
        return larger(a, b);
    return larger(larger(a, b), KD_STRIDE_OTHER);
}

static kd_stride product(const kd_op *op, kd_stride a, kd_stride b)
{
    if (a == KD_STRIDE_NONE && b == KD_STRIDE_NONE)
        return KD_STRIDE_NONE;
    if (a != KD_STRIDE_NONE && b != KD_STRIDE_NONE)
        return KD_STRIDE_WILD;
    int64_t by;
    const kd_value *factor = kd_op_operand(op, a == KD_STRIDE_NONE ? 0 : 1);
    kd_stride moving = larger(a, b);
    if (moving == KD_STRIDE_WILD || !kd_value_constant_int(factor, &by))
        return larger(moving, KD_STRIDE_UNKNOWN);
    return by == 0 ? KD_STRIDE_NONE : by == 1 ? moving : larger(moving, KD_STRIDE_OTHER);
}

static kd_stride visit_op(const kd_op *op, unsigned axis, unsigned *n_left)
{
    const kd_type *type = op->results[0].type;
    switch (op->code) {
    case KD_OP_constant:
    case KD_OP_splat: return KD_STRIDE_NONE;
    case KD_OP_arange: return KD_STRIDE_UNIT;
    case KD_OP_broadcast: {
        const kd_value *tile = kd_broadcast_tile(op);
        return tile->type->shape[axis] != type->shape[axis] ? KD_STRIDE_NONE : visit(tile, axis, n_left);
    }
    case KD_OP_reshape:
        return kd_reshaped_axis(type, kd_reshape_tile(op)->type, axis, &axis) ? visit(kd_reshape_tile(op), axis, n_left) : KD_STRIDE_WILD;
    case KD_OP_permute: return visit(kd_permute_tile(op), (unsigned)kd_permute_order(op).data[axis], n_left);
    case KD_OP_cast:
    case KD_OP_bitcast:
    case KD_OP_hint:
    case KD_OP_gpu_convert_layout: return visit(kd_op_operand(op, 0), axis, n_left);
    case KD_OP_rem:
    case KD_OP_and:
    case KD_OP_min:
    case KD_OP_max: return sum(visit(kd_op_operand(op, 0), axis, n_left), visit(kd_op_operand(op, 1), axis, n_left));
    case KD_OP_add:
    case KD_OP_sub:
    case KD_OP_addptr: return sum(visit(kd_op_operand(op, 0), axis, n_left), visit(kd_op_operand(op, 1), axis, n_left));
    case KD_OP_mul: return product(op, visit(kd_mul_a(op), axis, n_left), visit(kd_mul_b(op), axis, n_left));
    case KD_OP_select: return larger(visit(kd_select_a(op), axis, n_left), visit(kd_select_b(op), axis, n_left));
    default: return KD_STRIDE_WILD;
    }
}

static kd_stride visit(const kd_value *value, unsigned axis, unsigned *n_left)
{
    if (!kd_type_is_tile(value->type) || value->type->shape[axis] == 1)
        return KD_STRIDE_NONE;
    if (!*n_left)
        return KD_STRIDE_WILD;
    --*n_left;
    if (value->def)
        return value->def->n_results == 1 ? visit_op(value->def, axis, n_left) : KD_STRIDE_WILD;
    const kd_op *loop = value->owner->parent; /* pointers that a loop moves on move as a whole */
    return loop->code == KD_OP_for && value->index ? visit(kd_for_inits(loop, value->index - 1), axis, n_left) : KD_STRIDE_WILD;
}

kd_stride kd_likely_stride(const kd_value *value, unsigned axis)
{
    unsigned n_left = MAX_VISITS;
    return visit(value, axis, &n_left);
}
