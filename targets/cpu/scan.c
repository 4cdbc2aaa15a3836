/* scan.c - scans, and reductions by any function: element after element along the axis, many lanes at once across the other axes. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

static bool is_last_axis(const kd_type *shape, unsigned axis)
{
    for (unsigned i = axis + 1; i < shape->rank; i++)
        if (shape->shape[i] > 1)
            return false;
    return true;
}

static void write_element(kd_nest *n, const kd_op *op, unsigned k, const kd_lanes *idx, kd_lanes value, bool is_reduce, unsigned axis)
{
    kd_value *result = kd_op_result(op, k);
    kd_lanes at[KD_MAX_RANK];
    if (result->type->kind != KD_TYPE_TILE) {
        kd_lower_set_scalar(n->l, result, value.v);
        return;
    }
    for (unsigned i = 0; i < result->type->rank; i++)
        at[i] = idx[is_reduce && i >= axis ? i + 1 : i];
    kd_nest_write(n, kd_lower_tile(n->l, result)->buffer, result->type, at, value);
}

/* The fold along one line (or one line a lane). */
static void fold_lines(kd_nest *n, const kd_op *op, kd_lanes *idx, unsigned axis, bool reverse)
{
    bool is_reduce = op->code == KD_OP_reduce;
    unsigned n_values = op->n_operands;
    int64_t extent = kd_op_operand(op, 0)->type->shape[axis];
    kd_lanes *args = kd_arena_array(n->l->arena, kd_lanes, 3 * n_values);
    kd_value **acc = kd_arena_array(n->l->arena, kd_value *, n_values);
    idx[axis] = kd_nest_const(n, n->l->i64, reverse ? extent - 1 : 0);
    for (unsigned k = 0; k < n_values; k++) {
        args[k] = kd_nest_eval(n, kd_op_operand(op, k), idx);
        acc[k] = kd_lanes_vector(n, args[k]);
    }
    for (unsigned k = 0; k < n_values && !is_reduce; k++)
        write_element(n, op, k, idx, kd_lanes_uniform(acc[k], n->depth), false, axis);
    if (extent > 1) {
        kd_value *counter = kd_nest_open(n, extent - 1, 1, acc, n_values);
        kd_lanes at = kd_lanes_uniform(counter, n->depth);
        if (reverse)
            idx[axis] = kd_nest_binary(n, KD_OP_sub, kd_nest_const(n, n->l->i64, extent - 2), at);
        else
            idx[axis] = kd_nest_binary(n, KD_OP_add, at, kd_nest_const(n, n->l->i64, 1));
        for (unsigned k = 0; k < n_values; k++) {
            args[k] = kd_lanes_uniform(acc[k], n->depth);
            args[n_values + k] = kd_nest_eval(n, kd_op_operand(op, k), idx);
        }
        n->loc = op->loc;
        kd_nest_apply_region(n, kd_op_region(op, 0), args, args + 2 * n_values);
        for (unsigned k = 0; k < n_values; k++) {
            acc[k] = kd_lanes_vector(n, args[2 * n_values + k]);
            if (!is_reduce)
                write_element(n, op, k, idx, kd_lanes_uniform(acc[k], n->depth), false, axis);
        }
        kd_nest_close(n, acc, n_values);
    }
    for (unsigned k = 0; k < n_values && is_reduce; k++)
        write_element(n, op, k, idx, kd_lanes_uniform(acc[k], n->depth), true, axis);
}

void kd_lower_scan(kd_lower *l, kd_op *op)
{
    const kd_type *shape = kd_op_operand(op, 0)->type;
    unsigned axis = (unsigned)(op->code == KD_OP_scan ? kd_scan_axis(op) : kd_reduce_axis(op));
    bool scalar = is_last_axis(shape, axis) || !kd_region_is_straight(kd_op_region(op, 0));
    for (unsigned k = 0; k < op->n_operands; k++)
        if (kd_lower_tile(l, kd_op_operand(op, k))->cost > 3)
            kd_lower_keep(l, kd_op_operand(op, k));
    kd_group_flush(l);
    for (unsigned k = 0; k < op->n_results; k++)
        if (kd_op_result(op, k)->type->kind == KD_TYPE_TILE)
            kd_lower_tile(l, kd_op_result(op, k))->buffer = kd_lower_new_buffer(l, kd_op_result(op, k)->type);
    kd_space s = kd_space_of(l, shape, scalar, (int)axis);
    kd_open_space o;
    kd_space_open_outer(l->nest, &s, &o);
    fold_lines(l->nest, op, o.idx[0], axis, op->code == KD_OP_scan && kd_scan_reverse(op));
    for (unsigned i = o.n_outer; i-- > 0;)
        kd_nest_close(l->nest, NULL, 0);
    l->nest->width = 1;
}
