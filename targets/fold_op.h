/* fold_op.h - reductions whose function is one op. */
#ifndef KD_TARGETS_FOLD_OP_H
#define KD_TARGETS_FOLD_OP_H

#include "ir/ir.h"

/* The commuting op that combines left and right of an operand of a kd.reduce or kd.scan, or NULL. */
const kd_op *kd_fold_op_of(const kd_op *fold, unsigned operand);

#endif
