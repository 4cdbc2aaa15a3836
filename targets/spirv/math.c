/* math.c - mathematical functions by their OpenCL names, and arithmetic that the translator or Intel's compiler would get wrong. What OpenCL
 * lacks was made of others before (targets/gpu/scalar.c).
 *
 * OpenCL bounds the errors of f32 in units of the last place: 3 of exp, log and their kin, 4 of sin and cos, 5 of tan and tanh, 16 of pow,
 * erf and tgamma (OpenCL C 3.0, section 7.4); Intel's library does better. Division and square root are exact by a build flag, where the
 * kernel wants that. */
#include "targets/spirv/spirv_impl.h"

#include "base/bug.h"

#include <math.h>
#include <stdio.h>

/* A function of one or two numbers of one type; the name's length is part of the mangled name. */
static LLVMValueRef call(kd_emitter *e, const char *function, LLVMValueRef *args, unsigned n_args, bool uns)
{
    LLVMTypeRef type = LLVMTypeOf(args[0]);
    const char *letter = kd_spirv_letter(e, type, uns);
    char name[64];
    snprintf(name, sizeof name, "_Z%zu%s%s%s", strlen(function), function, letter, n_args == 2 ? letter : "");
    return kd_spirv_call(e, name, type, args, n_args, KD_CALL_PURE);
}

typedef struct named {
    const char *function;
    unsigned n_args;
    bool uns;
} named;

static LLVMValueRef call_lane(kd_emitter *e, LLVMValueRef *args, void *user)
{
    const named *n = user;
    return call(e, n->function, args, n->n_args, n->uns);
}

static LLVMValueRef each(kd_emitter *e, const kd_op *op, const char *function, bool uns)
{
    LLVMValueRef args[2];
    KD_ASSERT(op->n_operands <= 2);
    for (unsigned i = 0; i < op->n_operands; i++)
        args[i] = kd_emit_get(e, kd_op_operand(op, i));
    return kd_emit_each_lane(e, args, op->n_operands, call_lane, &(named){function, op->n_operands, uns});
}

/* ---- functions of f32 that the library makes of more instructions than they need ---- */

static LLVMValueRef fma_of(kd_emitter *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    return kd_emit_intrinsic(e, "llvm.fma", &type, 1, (LLVMValueRef[]){a, b, c}, 3);
}

static LLVMValueRef fma_with(kd_emitter *e, LLVMValueRef a, LLVMValueRef b, double c)
{
    return fma_of(e, a, b, LLVMConstReal(LLVMTypeOf(a), c));
}

/* t = x / ln 2, rounded        d = x - t ln 2, in two parts        exp(x) = 2^t (1 + d)
 *
 * 2^t is the hardware's. Error: that of 2^t and one unit in the last place more. Where x is infinite, or 2^t beyond the range of numbers, d is
 * NaN or too large: 2^t alone is right there, and fmax takes it, as it ignores NaN; elsewhere its other side is less, for d > -2^-10. */
static LLVMValueRef exp_f32(kd_emitter *e, LLVMValueRef *args, void *user)
{
    LLVMTypeRef type = e->f32;
    const double high = (float)M_LN2;
    LLVMValueRef x = args[0], t = LLVMBuildFMul(e->b, x, LLVMConstReal(type, M_LOG2E), "");
    LLVMValueRef lost = fma_of(e, t, LLVMConstReal(type, -high), x);
    lost = fma_of(e, t, LLVMConstReal(type, high - M_LN2), lost);
    LLVMValueRef power = call(e, "native_exp2", &t, 1, false),
                 less = LLVMBuildFMul(e->b, power, LLVMConstReal(type, 1 - 0x1p-10), "");
    return call(e, "fmax", (LLVMValueRef[]){fma_of(e, power, lost, power), less}, 2, false);
}

/* a / b = a (1 / (b s)) s: the hardware's reciprocal is none of numbers below the normal range, nor where it would lie there itself. So s, a
 * power of two, brings b about half way to 1: its exponent is half of b's, negated. Error: at most 2.5 units in the last place, more only where
 * a lies below the normal range. All but two multiplications depends on b alone: where it divides a tile, the driver's compiler makes it once.
 * Of 1 / b it makes the reciprocal. */
static LLVMValueRef divide_f32(kd_emitter *e, LLVMValueRef *args, void *user)
{
    LLVMTypeRef type = e->f32;
    LLVMValueRef a = args[0], b = args[1];
    if (a == LLVMConstReal(type, 1))
        return LLVMBuildFDiv(e->b, a, b, "");
    LLVMValueRef half = LLVMBuildLShr(e->b, LLVMBuildBitCast(e->b, b, e->i32, ""), LLVMConstInt(e->i32, 1, false), "");
    half = LLVMBuildAnd(e->b, half, LLVMConstInt(e->i32, 0x3f800000, false), ""); /* half the exponent, rounded down */
    LLVMValueRef scale = LLVMBuildSub(e->b, LLVMConstInt(e->i32, (127 + 63) << 23, false), half, "");
    scale = LLVMBuildBitCast(e->b, scale, type, "");
    LLVMValueRef scaled = LLVMBuildFMul(e->b, b, scale, "");
    return LLVMBuildFMul(e->b, LLVMBuildFMul(e->b, a, call(e, "native_recip", &scaled, 1, false), ""), scale, "");
}

void kd_spirv_divide(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef args[] = {kd_emit_get(e, kd_op_operand(op, 0)), kd_emit_get(e, kd_op_operand(op, 1))};
    kd_emit_set(e, kd_op_result(op, 0), kd_emit_each_lane(e, args, 2, divide_f32, NULL));
}

/* The library's takes 144 instructions. 1 - 2 / (1 + exp(2 |x|)), and near 0, where that forgets digits, an odd polynomial (a minimax fit of
 * tanh(x)/x on |x| < 0.55). Error: at most 2 units in the last place. */
static LLVMValueRef tanh_f32(kd_emitter *e, LLVMValueRef *args, void *user)
{
    static const double coefficients[] = {0.01645875722169876, -0.05268414318561554, 0.13320942223072052, -0.33332958817481995};
    LLVMTypeRef type = e->f32;
    LLVMValueRef x = args[0], size = kd_emit_intrinsic(e, "llvm.fabs", &type, 1, &x, 1), square = LLVMBuildFMul(e->b, x, x, "");
    LLVMValueRef power = LLVMBuildFMul(e->b, size, LLVMConstReal(type, 2 * 1.4426950408889634), "");
    LLVMValueRef sum = LLVMBuildFAdd(e->b, call(e, "native_exp2", &power, 1, false), LLVMConstReal(type, 1), "");
    LLVMValueRef far = fma_with(e, call(e, "native_recip", &sum, 1, false), LLVMConstReal(type, -2), 1);
    far = kd_emit_intrinsic(e, "llvm.copysign", &type, 1, (LLVMValueRef[]){far, x}, 2);
    LLVMValueRef p = LLVMConstReal(type, coefficients[0]);
    for (unsigned i = 1; i < sizeof coefficients / sizeof *coefficients; i++)
        p = fma_with(e, p, square, coefficients[i]);
    LLVMValueRef near = kd_emit_intrinsic(e, "llvm.fma", &type, 1, (LLVMValueRef[]){LLVMBuildFMul(e->b, p, square, ""), x, x}, 3);
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, size, LLVMConstReal(type, 0.55), ""), near, far, "");
}

void kd_spirv_math(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef x = kd_emit_get(e, kd_op_operand(op, 0));
    kd_emit_lane_fn *own = kd_math_fn(op) == KD_MATH_tanh ? tanh_f32 : kd_math_fn(op) == KD_MATH_exp ? exp_f32 : NULL;
    bool is_own = own && kd_type_elem(kd_op_result(op, 0)->type)->scalar == KD_F32;
    kd_emit_set(e, kd_op_result(op, 0),
                is_own ? kd_emit_each_lane(e, &x, 1, own, NULL) : each(e, op, kd_math_text(kd_math_fn(op)), false));
}

/* fmax gives the other operand where one is NaN; where NaN is to come through, a comparison says so. */
void kd_spirv_min_max(kd_emitter *e, const kd_op *op)
{
    bool is_max = op->code == KD_OP_max, propagate = is_max ? kd_max_propagate_nan(op) : kd_min_propagate_nan(op);
    LLVMValueRef v = each(e, op, is_max ? "fmax" : "fmin", false);
    if (propagate) {
        LLVMValueRef a = kd_emit_get(e, kd_op_operand(op, 0)), b = kd_emit_get(e, kd_op_operand(op, 1));
        LLVMValueRef nan = LLVMBuildFCmp(e->b, LLVMRealUNO, a, b, "");
        v = LLVMBuildSelect(e->b, nan, LLVMBuildFAdd(e->b, a, b, ""), v, "");
    }
    kd_emit_set(e, kd_op_result(op, 0), v);
}

void kd_spirv_mulhi(kd_emitter *e, const kd_op *op)
{
    bool uns = kd_scalar_is_unsigned(kd_type_elem(kd_op_operand(op, 0)->type)->scalar);
    kd_emit_set(e, kd_op_result(op, 0), each(e, op, "mul_hi", uns));
}

void kd_spirv_rem(kd_emitter *e, const kd_op *op)
{
    kd_emit_set(e, kd_op_result(op, 0), each(e, op, "fmod", false));
}
