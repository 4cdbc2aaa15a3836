/* fold_op.c - what the region of a reduction does, where it is one op. */
#include "targets/fold_op.h"

const kd_op *kd_fold_op_of(const kd_op *fold, unsigned operand)
{
    const kd_block *region = kd_op_region(fold, 0);
    const kd_op *yield = kd_block_terminator(region), *op = kd_op_operand(yield, operand)->def;
    if (!op || op->block != region || op->n_operands != 2)
        return NULL;
    const kd_value *left = region->args[operand], *right = region->args[fold->n_operands + operand];
    const kd_value *a = kd_op_operand(op, 0), *b = kd_op_operand(op, 1);
    if (!((a == left && b == right) || (a == right && b == left)))
        return NULL;
    switch (op->code) {
    case KD_OP_add:
    case KD_OP_mul:
    case KD_OP_min:
    case KD_OP_max:
    case KD_OP_and:
    case KD_OP_or:
    case KD_OP_xor: return op;
    default: return NULL;
    }
}
