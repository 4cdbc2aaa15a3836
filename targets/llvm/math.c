/* math.c - mathematical functions: instructions where there are, glibc's vector functions (libmvec) at their widths, and libm lane by lane
 * for the rest. What no library has was rewritten before (targets/expand_math.c). */
#include "targets/llvm/emit.h"

#include "base/bug.h"

#include <stdio.h>

/* Functions of one f32 or f64 that libmvec has (glibc 2.35). The maximal error is 4 units in the last place. */
static bool libmvec_has(kd_math fn)
{
    switch (fn) {
    case KD_MATH_acos:
    case KD_MATH_acosh:
    case KD_MATH_asin:
    case KD_MATH_asinh:
    case KD_MATH_atan:
    case KD_MATH_atan2:
    case KD_MATH_atanh:
    case KD_MATH_cbrt:
    case KD_MATH_cos:
    case KD_MATH_cosh:
    case KD_MATH_erf:
    case KD_MATH_erfc:
    case KD_MATH_exp:
    case KD_MATH_exp10:
    case KD_MATH_exp2:
    case KD_MATH_expm1:
    case KD_MATH_hypot:
    case KD_MATH_log:
    case KD_MATH_log10:
    case KD_MATH_log1p:
    case KD_MATH_log2:
    case KD_MATH_pow:
    case KD_MATH_sin:
    case KD_MATH_sinh:
    case KD_MATH_tan:
    case KD_MATH_tanh:
        return true;
    default:
        return false;
    }
}

static const char *intrinsic_name(kd_math fn)
{
    switch (fn) {
    case KD_MATH_sqrt:
        return "llvm.sqrt";
    case KD_MATH_floor:
        return "llvm.floor";
    case KD_MATH_ceil:
        return "llvm.ceil";
    case KD_MATH_trunc:
        return "llvm.trunc";
    case KD_MATH_round:
        return "llvm.round";
    case KD_MATH_rint:
        return "llvm.rint";
    case KD_MATH_copysign:
        return "llvm.copysign";
    default:
        return NULL;
    }
}

static LLVMValueRef call_scalar(kd_emitter *e, LLVMValueRef *args, void *user)
{
    const kd_op *op = user;
    bool single = LLVMTypeOf(args[0]) == e->f32;
    char name[32];
    snprintf(name, sizeof name, "%s%s", kd_math_text(kd_math_fn(op)), single ? "f" : "");
    return kd_emit_call(e, name, LLVMTypeOf(args[0]), args, op->n_operands, KD_CALL_PURE);
}

/* The vector in pieces of the widest form that the machine and libmvec share. */
static LLVMValueRef call_vector(kd_emitter *e, const kd_op *op, LLVMValueRef *args, unsigned lanes, bool single)
{
    unsigned elem_bytes = single ? 4 : 8, bytes = lanes * elem_bytes;
    unsigned part_bytes = bytes < e->machine->vector_bytes ? bytes : e->machine->vector_bytes;
    unsigned part = part_bytes / elem_bytes, n_parts = lanes / part;
    char name[48];
    snprintf(name, sizeof name, "_ZGV%cN%u%s_%s%s", part_bytes == 64 ? 'e' : part_bytes == 32 ? 'd' : 'b', part, op->n_operands == 2 ? "vv" : "v",
             kd_math_text(kd_math_fn(op)), single ? "f" : "");
    LLVMValueRef parts[64];
    KD_ASSERT(n_parts <= 64);
    for (unsigned p = 0; p < n_parts; p++) {
        LLVMValueRef pieces[2];
        for (unsigned i = 0; i < op->n_operands; i++)
            pieces[i] = n_parts == 1 ? args[i] : kd_emit_slice(e, args[i], p * part, part);
        parts[p] = kd_emit_call(e, name, LLVMTypeOf(pieces[0]), pieces, op->n_operands, KD_CALL_PURE);
    }
    return kd_emit_concat(e, parts, n_parts);
}

void kd_emit_math(kd_emitter *e, const kd_op *op)
{
    kd_math fn = kd_math_fn(op);
    unsigned lanes = kd_emit_lanes(kd_op_result(op, 0)->type);
    bool single = kd_type_elem(kd_op_result(op, 0)->type)->scalar == KD_F32;
    LLVMValueRef args[2], v;
    KD_ASSERT(op->n_operands <= 2);
    for (unsigned i = 0; i < op->n_operands; i++)
        args[i] = kd_emit_get(e, kd_op_operand(op, i));
    const char *intrinsic = intrinsic_name(fn);
    LLVMTypeRef type = LLVMTypeOf(args[0]);
    if (intrinsic)
        v = kd_emit_intrinsic(e, intrinsic, &type, 1, args, op->n_operands);
    else if (libmvec_has(fn) && lanes * (single ? 4 : 8) >= 16)
        v = call_vector(e, op, args, lanes, single);
    else
        v = kd_emit_each_lane(e, args, op->n_operands, call_scalar, (void *)op);
    kd_emit_set(e, kd_op_result(op, 0), v);
}
