/* layout_rules.h - how the layouts of an op's operands and results belong together at the gpu level. The verifier checks it, passes choose
 * by it, the lowering relies on it.
 *
 *   element-wise, load, store, atomic, scan, kd.hint, kd.reshape   all tiles have one layout
 *   kd.permute, kd.broadcast, kd.join                      as kd_layout_permute, kd_layout_for_broadcast, kd_layout_join say
 *   kd.split            its operand as if it had been joined; where the halves are scalars, every work-item holds both
 *   kd.reduce           operands: one layout, complete; results: kd_layout_slice of it
 *   kd.sort             a result as long as the operand has its layout, a shorter one any
 *   kd.gather           result and index: one layout; src: any
 *   kd.histogram        tile and mask: one layout; result: any
 *   kd.dot              acc and result: one layout; a and b: as the dot is lowered (passes/dot_layouts.h)
 *   loops, ifs          what is carried, yielded and given has one type, so one layout
 *   kd.print, calls, block accesses, gpu.convert_layout    any */
#ifndef KD_IR_LAYOUT_RULES_H
#define KD_IR_LAYOUT_RULES_H

#include "ir/ir.h"
#include "ir/layout.h"

/* The layout in which an op reads operand i, a tile, where its results have a layout (NULL: they are scalars). Ops without results: where
 * their first tile operand has it. *out NULL: any. False: no operand gives such a result (a join whose pairs are not in register bit 0). */
bool kd_layout_of_operand(kd_context *ctx, const kd_op *op, unsigned i, const kd_layout *result, const kd_layout **out);

/* The layout of the op's tile results where operand i has this one. NULL: not determined by it. */
const kd_layout *kd_layout_of_result(kd_context *ctx, const kd_op *op, unsigned i, const kd_layout *operand);

#endif
