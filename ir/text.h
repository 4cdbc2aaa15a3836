/* text.h - IR to text and back.
 *
 *     func @add(%x: ptr<f32> {divisibility = 16}, %n: i32) kernel {
 *       %pid = kd.program_id {axis = 0} : i32
 *       %0 = kd.constant 1.5 : tile<64xf32>
 *       %m = kd.cmp lt %offsets, %limit : tile<64xi1>
 *       %1 = kd.load %p, %m : tile<64xf32>
 *       %2, %3 = kd.for %lo, %hi, %step, %a, %b {num_stages = 3} : tile<64xf32>, i32 {
 *       ^(%i: i32, %x0: tile<64xf32>, %y0: i32):
 *         ...
 *         kd.yield %u, %v
 *       }
 *       kd.if %c {
 *         kd.yield
 *       } else {
 *         kd.yield
 *       }
 *       kd.return
 *     }
 *
 * An op is: results, mnemonic, key, operands ('_' for an absent optional one, left out at the end), attributes that are not zero, types of
 * the results, regions. The key is the attribute that ops.def marks as such: a name or number right after the mnemonic; integers are written
 * among the other attributes. Values without a name are numbered; of two with one name, the second is printed as %name_1. A function that
 * returns values says their types: func @f(%x: f32) -> f32. Comments run from // to the end of the line.
 *
 * Parsing what was printed gives the same text again. Types of results are printed always, those of operands never. */
#ifndef KD_IR_TEXT_H
#define KD_IR_TEXT_H

#include "ir/ir.h"

void kd_print_module(const kd_module *module, kd_strbuf *out);
void kd_print_op(const kd_op *op, kd_strbuf *out); /* with its regions; values from outside by their names */

/* Writes what is to be said of a value, or nothing. */
typedef void kd_print_note(const kd_value *value, kd_strbuf *out, void *user);
/* The function with a comment behind each op or list of arguments of whose values something is said: "// %x: ...". It reads as IR again. */
void kd_print_func_notes(const kd_op *func, kd_strbuf *out, kd_print_note *note, void *user);

/* A number as a constant of that type (or of tiles of it) is printed. */
void kd_print_number(kd_strbuf *out, kd_number number, const kd_type *type);

/* Reads a module and verifies it. NULL: reported. Any bytes may be given. */
kd_module *kd_parse_ir(kd_context *ctx, kd_arena *arena, kd_diags *diags, uint32_t source);

/* Checks everything that the table and the hooks of verify.c say. False: reported, with the op's text. */
bool kd_verify_module(const kd_module *module, kd_diags *diags);

/* A hash of the text, for debug builds that check a pass's word. */
uint64_t kd_module_hash(const kd_module *module, kd_arena *scratch);

#endif
