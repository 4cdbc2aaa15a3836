/* version_ops.h - ops twice, for two cases of which one is decided when the kernel runs. */
#ifndef KD_PASSES_VERSION_OPS_H
#define KD_PASSES_VERSION_OPS_H

#include "passes/pass.h"

/* Moves the ops from first to last, of one block, into the first region of a kd.if, whose second gets a copy of them; what is read behind
 * them comes out of it. What does not depend on the others and is read behind them goes in front of it. The condition must be known before first.
 * Returns the kd.if. */
kd_op *kd_version_ops(kd_pass_ctx *px, kd_op *first, kd_op *last, kd_value *condition);

#endif
