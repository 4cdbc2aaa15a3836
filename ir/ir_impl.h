/* ir_impl.h - between the files of ir/. */
#ifndef KD_IR_IR_IMPL_H
#define KD_IR_IR_IMPL_H

#include "base/map.h"
#include "ir/ir.h"

/* Layouts of a context by the bytes before their is_complete. */
kd_map *kd_context_layouts(kd_context *ctx);

/* An op outside any block, operands not yet set, regions empty. */
kd_op *kd_op_create(kd_module *module, kd_opcode code, kd_loc loc, unsigned n_operands, const kd_type *const *types, unsigned n_types);
/* Puts it before an op of the block, or at its end. */
void kd_op_insert(kd_op *op, kd_block *block, kd_op *before);

/* kd_verify_module for what was just read: locations show the op, so its text is not added. complete: no function was left out for its
 * mistakes, so that a call to an unknown one is a mistake. */
bool kd_verify_parsed(const kd_module *module, kd_diags *diags, bool complete);

#endif
