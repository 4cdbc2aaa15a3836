/* text.h - IR to text and back.
 *
 *     func @add(%x: ptr<f32> {divisibility = 16}, %n: i32) kernel {
 *       %0 = kd.program_id {axis = 0} : i32
 *       %1 = kd.load %p, %m, _ : tile<64xf32>
 *       %2, %3 = kd.for %lo, %hi, %step, %a, %b : tile<64xf32>, i32 {
 *       ^(%i: i32, %x0: tile<64xf32>, %y0: i32):
 *         ...
 *         kd.yield %u, %v
 *       }
 *       kd.return
 *     }
 *
 * Parsing what was printed gives the same text again. Types of results are printed always, those of operands never. */
#ifndef KD_IR_TEXT_H
#define KD_IR_TEXT_H

#include "ir/ir.h"

void kd_print_module(const kd_module *module, kd_strbuf *out);
void kd_print_op(const kd_op *op, kd_strbuf *out); /* with its regions; values from outside by their names */

/* Reads a module. NULL: reported. Comments run from // to the end of the line. Verifies what it reads. */
kd_module *kd_parse_ir(kd_context *ctx, kd_arena *arena, kd_diags *diags, uint32_t source);

/* Checks everything that the table and the hooks of verify.c say. False: reported, with the op's text. */
bool kd_verify_module(const kd_module *module, kd_diags *diags);

/* A hash of the text, for debug builds that check a pass's word. */
uint64_t kd_module_hash(const kd_module *module);

#endif
