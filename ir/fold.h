/* fold.h - the arithmetic of ops.def on single numbers, exactly as the ops are defined.
 *
 * Numbers are as kd.constant holds them: integers wrapped to their type, floats rounded to it. False: the op's result is not one number
 * (a division by zero, a shift by the width, a float beyond the integer type), or working it out exactly is left to the target (most
 * functions of math.def, arithmetic in f8, an f16 fma); *out is not written then. */
#ifndef KD_IR_FOLD_H
#define KD_IR_FOLD_H

#include "ir/ir.h"

/* The bits of a number in a type (in the low bits), and back. A NaN that is not the one that constants have cannot come back. */
uint64_t kd_number_bits(kd_scalar type, kd_number number);
bool kd_number_from_bits(kd_scalar type, uint64_t bits, kd_number *out);

/* add, sub, mul, div, rem, mulhi, and, or, xor, shl, shr, min, max; propagate_nan is for the last two. */
bool kd_fold_binary(kd_opcode code, kd_scalar type, kd_number a, kd_number b, bool propagate_nan, kd_number *out);
/* neg, abs */
bool kd_fold_unary(kd_opcode code, kd_scalar type, kd_number a, kd_number *out);
bool kd_fold_fma(kd_scalar type, kd_number a, kd_number b, kd_number c, kd_number *out);
bool kd_fold_math(kd_math fn, kd_scalar type, const kd_number *args, kd_number *out);
bool kd_fold_cmp(kd_pred pred, kd_scalar type, kd_number a, kd_number b);
bool kd_fold_cast(kd_scalar from, kd_scalar to, kd_rounding rounding, kd_number a, kd_number *out);
bool kd_fold_bitcast(kd_scalar from, kd_scalar to, kd_number a, kd_number *out);

/* An element-wise op on numbers (no pointers, no kd.map), by its code and attributes. */
bool kd_fold_op(const kd_op *op, const kd_number *operands, kd_number *out);

#endif
