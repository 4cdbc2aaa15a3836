/* dot_layouts.h - the layouts that kd.dot is lowered in.
 *
 * By FMA (without, or beside, a systolic array): lanes go along the columns of the accumulator, registers along its rows (and further
 * columns), sub-groups along both.
 *
 *     b [K, N]   each work-item holds all K elements of its own columns: what acc needs of b is in the same lane
 *     a [M, K]   each sub-group holds all K elements of its own rows, with K in its lanes: a[m, k] is one lane's, the same for all that need
 *                it (lane of acc only where N is shorter than a sub-group), so a shuffle from a constant lane gives it. Intel's compiler
 *                makes that a register region of the multiply-add: it costs nothing.
 *
 * so loads go straight to where they are used, without SLM (targets/gpu/dot_direct.c). Copies: sub-groups in one row of the work-group hold
 * the same part of a, those in one column the same part of b. A product too large to be unrolled so, or narrower than a sub-group, goes through
 * SLM (dot.c), which takes any layouts.
 *
 * Sub-groups go along rows only where rows are folded later, or multiplied again (attention): a row then stays in its sub-group. */
#ifndef KD_PASSES_DOT_LAYOUTS_H
#define KD_PASSES_DOT_LAYOUTS_H

#include "ir/layout.h"
#include "ir/ir.h"
#include "passes/gpu_config.h"

typedef struct kd_dot_layouts {
    const kd_layout *a, *b; /* NULL: any */
    const kd_layout *acc;   /* also of the result */
} kd_dot_layouts;

/* Those of the systolic array (dpas_layouts.h) where it takes the dot. */
kd_dot_layouts kd_dot_layouts_choose(kd_context *ctx, const kd_op *dot, const kd_gpu_config *config);

#endif
