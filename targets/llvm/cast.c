/* cast.c - conversions between number types, bit for bit as the IR defines them, on every machine.
 *
 * f16 uses the instructions (F16C) of machines that have them; bf16 and the f8 types (and f16 elsewhere) are made with integer arithmetic.
 * Everything narrow goes through f32; from f64 by rounding to odd first, so that the second rounding is right. */
#include "targets/llvm/emit.h"

#include "base/bug.h"

/* An f8 format: sign, exponent, mantissa. */
typedef struct format {
    unsigned mantissa_bits, bias;
    unsigned max_code; /* of the largest finite number */
    int nan_code;      /* what NaN becomes; -1: there is none (it saturates) */
    bool has_inf, fnuz; /* fnuz: no minus zero, 0x80 is NaN */
} format;

static format format_of(kd_scalar s)
{
    switch (s) {
    case KD_F8E4NV:
        return (format){3, 7, 0x7e, 0x7f, false, false};
    case KD_F8E5:
        return (format){2, 15, 0x7b, 0x7f, true, false};
    case KD_F8E4B8:
        return (format){3, 8, 0x7f, 0x80, false, true};
    case KD_F8E5B16:
        return (format){2, 16, 0x7f, 0x80, false, true};
    case KD_F8E4B15:
        return (format){3, 15, 0x7f, -1, false, false};
    default:
        KD_UNREACHABLE();
    }
}

/* Short names for vector-or-scalar i32 arithmetic. */
static LLVMValueRef k32(kd_emitter *e, LLVMValueRef like, uint32_t value)
{
    return kd_emit_int_like(like, e->i32, value);
}

static LLVMValueRef and32(kd_emitter *e, LLVMValueRef a, uint32_t mask)
{
    return LLVMBuildAnd(e->b, a, k32(e, a, mask), "");
}

static LLVMValueRef or32(kd_emitter *e, LLVMValueRef a, uint32_t bits)
{
    return LLVMBuildOr(e->b, a, k32(e, a, bits), "");
}

static LLVMValueRef shl32(kd_emitter *e, LLVMValueRef a, unsigned n)
{
    return LLVMBuildShl(e->b, a, k32(e, a, n), "");
}

static LLVMValueRef shr32(kd_emitter *e, LLVMValueRef a, unsigned n)
{
    return LLVMBuildLShr(e->b, a, k32(e, a, n), "");
}

static LLVMValueRef add32(kd_emitter *e, LLVMValueRef a, uint32_t b)
{
    return LLVMBuildAdd(e->b, a, k32(e, a, b), "");
}

static LLVMValueRef above(kd_emitter *e, LLVMValueRef a, uint32_t limit)
{
    return LLVMBuildICmp(e->b, LLVMIntUGT, a, k32(e, a, limit), "");
}

static LLVMValueRef choose(kd_emitter *e, LLVMValueRef condition, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(e->b, condition, a, b, "");
}

static LLVMValueRef as_f32(kd_emitter *e, LLVMValueRef bits)
{
    return LLVMBuildBitCast(e->b, bits, kd_emit_like(bits, e->f32), "");
}

static LLVMValueRef as_i32(kd_emitter *e, LLVMValueRef f)
{
    return LLVMBuildBitCast(e->b, f, kd_emit_like(f, e->i32), "");
}

static LLVMValueRef narrow(kd_emitter *e, LLVMValueRef a, LLVMTypeRef elem)
{
    return LLVMBuildTrunc(e->b, a, kd_emit_like(a, elem), "");
}

static LLVMValueRef f32_bits(kd_emitter *e, LLVMValueRef like, uint32_t bits)
{
    return as_f32(e, k32(e, like, bits));
}

/* ---- to f32 ---- */

/* Exponent and mantissa moved to f32's place, and the bias corrected by a multiplication, which also makes denormals right. */
static LLVMValueRef widen(kd_emitter *e, LLVMValueRef code, unsigned sign_bit, unsigned mantissa_bits, unsigned bias)
{
    LLVMValueRef magnitude = shl32(e, and32(e, code, (1u << sign_bit) - 1), 23 - mantissa_bits);
    LLVMValueRef scaled = LLVMBuildFMul(e->b, as_f32(e, magnitude), f32_bits(e, code, (127 + 127 - bias) << 23), "");
    return as_i32(e, scaled);
}

static LLVMValueRef with_sign(kd_emitter *e, LLVMValueRef magnitude, LLVMValueRef code, unsigned sign_bit)
{
    return LLVMBuildOr(e->b, magnitude, shl32(e, and32(e, code, 1u << sign_bit), 31 - sign_bit), "");
}

static LLVMValueRef f16_to_f32(kd_emitter *e, LLVMValueRef v)
{
    if (e->dialect->has_half) {
        LLVMValueRef half = LLVMBuildBitCast(e->b, v, kd_emit_like(v, LLVMHalfTypeInContext(e->llvm)), "");
        return LLVMBuildFPExt(e->b, half, kd_emit_like(v, e->f32), "");
    }
    LLVMValueRef code = LLVMBuildZExt(e->b, v, kd_emit_like(v, e->i32), "");
    LLVMValueRef bits = widen(e, code, 15, 10, 15);
    LLVMValueRef size = and32(e, code, 0x7fff);
    bits = choose(e, above(e, size, 0x7bff), or32(e, bits, 0x7f800000), bits);
    bits = choose(e, above(e, size, 0x7c00), or32(e, bits, 0x00400000), bits); /* NaN becomes quiet, as F16C does it */
    return as_f32(e, with_sign(e, bits, code, 15));
}

static LLVMValueRef f8_to_f32(kd_emitter *e, LLVMValueRef v, kd_scalar type)
{
    format f = format_of(type);
    LLVMValueRef code = LLVMBuildZExt(e->b, v, kd_emit_like(v, e->i32), "");
    LLVMValueRef bits = widen(e, code, 7, f.mantissa_bits, f.bias);
    if (f.has_inf)
        bits = choose(e, above(e, and32(e, code, 0x7f), 0x7b), or32(e, bits, 0x7f800000), bits);
    bits = with_sign(e, bits, code, 7);
    if (!f.has_inf && f.nan_code >= 0) {
        LLVMValueRef nan = f.fnuz ? code : and32(e, code, 0x7f);
        nan = LLVMBuildICmp(e->b, LLVMIntEQ, nan, k32(e, code, (uint32_t)f.nan_code), "");
        bits = choose(e, nan, k32(e, code, 0x7fc00000), bits);
    }
    return as_f32(e, bits);
}

static LLVMValueRef to_f32(kd_emitter *e, LLVMValueRef v, kd_scalar from)
{
    switch (from) {
    case KD_F32:
        return v;
    case KD_F16:
        return f16_to_f32(e, v);
    case KD_BF16:
        return as_f32(e, shl32(e, LLVMBuildZExt(e->b, v, kd_emit_like(v, e->i32), ""), 16));
    default:
        return f8_to_f32(e, v, from);
    }
}

/* ---- from f32 ---- */

static LLVMValueRef f32_to_bf16(kd_emitter *e, LLVMValueRef v, kd_rounding rounding)
{
    if (e->dialect->f32_to_bf16 && rounding == KD_ROUND_NEAREST_EVEN)
        return kd_emit_each_lane(e, &v, 1, e->dialect->f32_to_bf16, NULL);
    LLVMValueRef bits = as_i32(e, v), kept = shr32(e, bits, 16), rounded = kept;
    if (rounding == KD_ROUND_NEAREST_EVEN)
        rounded = shr32(e, LLVMBuildAdd(e->b, add32(e, bits, 0x7fff), and32(e, kept, 1), ""), 16);
    LLVMValueRef nan = LLVMBuildFCmp(e->b, LLVMRealUNO, v, v, "");
    return narrow(e, choose(e, nan, or32(e, kept, 0x40), rounded), e->i16);
}

/* A magnitude (bits of a finite f32) in a small format, without overflow: the codes run on past the largest. */
static LLVMValueRef shrink(kd_emitter *e, LLVMValueRef magnitude, unsigned mantissa_bits, unsigned bias, kd_rounding rounding)
{
    unsigned drop = 23 - mantissa_bits, least_exponent = 127 + 1 - bias; /* of normal numbers, biased as in f32 */
    LLVMValueRef normal = LLVMBuildSub(e->b, magnitude, k32(e, magnitude, (127 - bias) << 23), ""), tiny;
    if (rounding == KD_ROUND_NEAREST_EVEN) {
        LLVMValueRef odd = and32(e, shr32(e, normal, drop), 1);
        normal = LLVMBuildAdd(e->b, add32(e, normal, (1u << (drop - 1)) - 1), odd, "");
        /* Adding a number whose last place is the format's least one rounds there. */
        uint32_t magic = (least_exponent + drop) << 23;
        tiny = LLVMBuildFAdd(e->b, as_f32(e, magnitude), f32_bits(e, magnitude, magic), "");
        tiny = LLVMBuildSub(e->b, as_i32(e, tiny), k32(e, magnitude, magic), "");
    } else {
        LLVMValueRef scaled = LLVMBuildFMul(e->b, as_f32(e, magnitude), f32_bits(e, magnitude, (127 + 127 - least_exponent + mantissa_bits) << 23), "");
        tiny = LLVMBuildFreeze(e->b, LLVMBuildFPToSI(e->b, scaled, LLVMTypeOf(magnitude), ""), "");
    }
    LLVMValueRef is_tiny = LLVMBuildICmp(e->b, LLVMIntULT, magnitude, k32(e, magnitude, least_exponent << 23), "");
    return choose(e, is_tiny, tiny, shr32(e, normal, drop));
}

static LLVMValueRef f32_to_f16(kd_emitter *e, LLVMValueRef v, kd_rounding rounding)
{
    if (e->dialect->has_half && rounding == KD_ROUND_NEAREST_EVEN) {
        LLVMValueRef half = LLVMBuildFPTrunc(e->b, v, kd_emit_like(v, LLVMHalfTypeInContext(e->llvm)), "");
        return LLVMBuildBitCast(e->b, half, kd_emit_like(v, e->i16), "");
    }
    LLVMValueRef bits = as_i32(e, v), magnitude = and32(e, bits, 0x7fffffff);
    LLVMValueRef code = shrink(e, magnitude, 10, 15, rounding);
    uint32_t most = rounding == KD_ROUND_NEAREST_EVEN ? 0x7c00 : 0x7bff;
    code = choose(e, above(e, code, most), k32(e, code, most), code);
    code = choose(e, above(e, magnitude, 0x7f7fffff), k32(e, code, 0x7c00), code);
    code = choose(e, above(e, magnitude, 0x7f800000), or32(e, and32(e, shr32(e, bits, 13), 0x1ff), 0x7e00), code);
    return narrow(e, LLVMBuildOr(e->b, code, and32(e, shr32(e, bits, 16), 0x8000), ""), e->i16);
}

static LLVMValueRef f32_to_f8(kd_emitter *e, LLVMValueRef v, kd_scalar type, kd_rounding rounding)
{
    format f = format_of(type);
    LLVMValueRef bits = as_i32(e, v), magnitude = and32(e, bits, 0x7fffffff);
    LLVMValueRef code = shrink(e, magnitude, f.mantissa_bits, f.bias, rounding);
    code = choose(e, above(e, code, f.max_code), k32(e, code, f.max_code), code);
    LLVMValueRef sign = and32(e, shr32(e, bits, 24), 0x80);
    if (f.fnuz)
        sign = choose(e, LLVMBuildICmp(e->b, LLVMIntEQ, code, k32(e, code, 0), ""), k32(e, code, 0), sign);
    LLVMValueRef nan = above(e, magnitude, 0x7f800000);
    if (f.nan_code >= 0) {
        code = choose(e, nan, k32(e, code, (uint32_t)f.nan_code), code);
        if (f.fnuz)
            sign = choose(e, nan, k32(e, code, 0), sign);
    }
    return narrow(e, LLVMBuildOr(e->b, code, sign, ""), e->i8);
}

static LLVMValueRef from_f32(kd_emitter *e, LLVMValueRef v, kd_scalar to, kd_rounding rounding)
{
    switch (to) {
    case KD_F32:
        return v;
    case KD_F16:
        return f32_to_f16(e, v, rounding);
    case KD_BF16:
        return f32_to_bf16(e, v, rounding);
    default:
        return f32_to_f8(e, v, to, rounding);
    }
}

LLVMValueRef kd_emit_narrow_to_f32(kd_emitter *e, LLVMValueRef v, bool half)
{
    return to_f32(e, v, half ? KD_F16 : KD_BF16);
}

LLVMValueRef kd_emit_f32_to_narrow(kd_emitter *e, LLVMValueRef v, bool half)
{
    return from_f32(e, v, half ? KD_F16 : KD_BF16, KD_ROUND_NEAREST_EVEN);
}

/* The f32 with the last bit set where f64 had more: rounding this again to fewer bits is like rounding the f64 once. */
static LLVMValueRef f64_to_f32_odd(kd_emitter *e, LLVMValueRef v, bool toward_zero)
{
    LLVMValueRef near = LLVMBuildFPTrunc(e->b, v, kd_emit_like(v, e->f32), ""), bits = as_i32(e, near);
    LLVMValueRef back = LLVMBuildFPExt(e->b, near, LLVMTypeOf(v), "");
    LLVMTypeRef f64s = LLVMTypeOf(v);
    LLVMValueRef size = kd_emit_intrinsic(e, "llvm.fabs", &f64s, 1, &v, 1), size_back = kd_emit_intrinsic(e, "llvm.fabs", &f64s, 1, &back, 1);
    LLVMValueRef grown = LLVMBuildFCmp(e->b, LLVMRealOGT, size_back, size, "");
    LLVMValueRef down = choose(e, grown, LLVMBuildSub(e->b, bits, k32(e, bits, 1), ""), bits);
    if (toward_zero)
        return as_f32(e, down);
    LLVMValueRef inexact = LLVMBuildFCmp(e->b, LLVMRealONE, back, v, "");
    return as_f32(e, choose(e, inexact, or32(e, down, 1), down));
}

static LLVMValueRef float_to_float(kd_emitter *e, LLVMValueRef v, kd_scalar from, kd_scalar to, kd_rounding rounding)
{
    bool down = rounding == KD_ROUND_TOWARD_ZERO;
    if (from == KD_F64)
        return to == KD_F64 ? v : to == KD_F32 ? (down ? f64_to_f32_odd(e, v, true) : LLVMBuildFPTrunc(e->b, v, kd_emit_like(v, e->f32), ""))
                                               : from_f32(e, f64_to_f32_odd(e, v, down), to, rounding);
    v = to_f32(e, v, from);
    return to == KD_F64 ? LLVMBuildFPExt(e->b, v, kd_emit_like(v, e->f64), "") : from_f32(e, v, to, rounding);
}

/* ---- integers ---- */

/* Where the integer is beyond 2^exact_bits: without its lowest n bits, of which one bit above tells whether they were 0. What is rounded to
 * 16 bits or fewer later is rounded as v is. */
static LLVMValueRef sticky_int(kd_emitter *e, LLVMValueRef v, bool uns, unsigned exact_bits, unsigned n)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    LLVMValueRef half = kd_emit_constant_of(type, UINT64_C(1) << exact_bits), none = LLVMConstNull(type);
    LLVMValueRef small = uns ? LLVMBuildICmp(e->b, LLVMIntULE, v, half, "")
                             : LLVMBuildICmp(e->b, LLVMIntULE, LLVMBuildAdd(e->b, v, half, ""), kd_emit_constant_of(type, UINT64_C(2) << exact_bits), "");
    LLVMValueRef low = LLVMBuildAnd(e->b, v, kd_emit_constant_of(type, (UINT64_C(1) << n) - 1), ""), high = LLVMBuildXor(e->b, v, low, "");
    LLVMValueRef odd = LLVMBuildOr(e->b, high, kd_emit_constant_of(type, UINT64_C(1) << n), "");
    LLVMValueRef large = choose(e, LLVMBuildICmp(e->b, LLVMIntEQ, low, none, ""), v, odd);
    return choose(e, small, v, large);
}

/* One that f32 (f64) holds exactly, and that rounds to 16 bits or fewer as v does. */
static LLVMValueRef exact_int(kd_emitter *e, LLVMValueRef v, bool uns, unsigned bits, bool in_f64)
{
    if (in_f64)
        return bits == 64 ? sticky_int(e, v, uns, 53, 11) : v;
    for (unsigned exact = 24; exact < bits; exact += 8)
        v = sticky_int(e, v, uns, exact, exact - 16);
    return v;
}

static LLVMValueRef int_to_float(kd_emitter *e, LLVMValueRef v, kd_scalar from, kd_scalar to, kd_rounding rounding)
{
    bool uns = kd_scalar_is_unsigned(from);
    unsigned bits = kd_scalar_bits(from);
    if (bits < 32) { /* vectors convert from 32 bits best */
        LLVMTypeRef wide = kd_emit_like(v, e->i32);
        v = uns ? LLVMBuildZExt(e->b, v, wide, "") : LLVMBuildSExt(e->b, v, wide, "");
        uns = false;
    }
    bool direct = to == KD_F32 || to == KD_F64, exact = bits < 32;
    bool in_f64 = to == KD_F64 || (!direct && !exact && e->dialect->has_f64);
    if (!direct && !exact)
        v = exact_int(e, v, uns, bits, in_f64);
    LLVMTypeRef first = kd_emit_like(v, in_f64 ? e->f64 : e->f32);
    LLVMValueRef f = uns ? LLVMBuildUIToFP(e->b, v, first, "") : LLVMBuildSIToFP(e->b, v, first, "");
    return direct ? f : float_to_float(e, f, in_f64 ? KD_F64 : KD_F32, to, rounding);
}

static LLVMValueRef float_to_int(kd_emitter *e, LLVMValueRef v, kd_scalar from, kd_scalar to)
{
    if (from != KD_F64)
        v = to_f32(e, v, from);
    if (to == KD_U64)
        return LLVMBuildFreeze(e->b, LLVMBuildFPToUI(e->b, v, kd_emit_like(v, e->i64), ""), "");
    LLVMTypeRef wide = kd_emit_like(v, to == KD_U32 || to == KD_I64 ? e->i64 : e->i32);
    LLVMValueRef i = LLVMBuildFreeze(e->b, LLVMBuildFPToSI(e->b, v, wide, ""), "");
    return LLVMBuildTrunc(e->b, i, kd_emit_like(v, LLVMIntTypeInContext(e->llvm, kd_scalar_bits(to))), "");
}

static LLVMValueRef to_bool(kd_emitter *e, LLVMValueRef v, kd_scalar from)
{
    if (kd_scalar_is_int(from))
        return LLVMBuildICmp(e->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
    if (from != KD_F64)
        v = to_f32(e, v, from);
    return LLVMBuildFCmp(e->b, LLVMRealUNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
}

void kd_emit_cast(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef v = kd_emit_get(e, kd_cast_value(op));
    kd_scalar from = kd_type_elem(kd_cast_value(op)->type)->scalar, to = kd_type_elem(kd_op_result(op, 0)->type)->scalar;
    unsigned from_bits = kd_scalar_bits(from), to_bits = kd_scalar_bits(to);
    LLVMTypeRef type = kd_emit_type(e, kd_op_result(op, 0)->type);
    if (to == KD_I1)
        v = to_bool(e, v, from);
    else if (kd_scalar_is_float(from))
        v = kd_scalar_is_float(to) ? float_to_float(e, v, from, to, kd_cast_rounding(op)) : float_to_int(e, v, from, to);
    else if (kd_scalar_is_float(to))
        v = int_to_float(e, v, from, to, kd_cast_rounding(op));
    else if (to_bits < from_bits)
        v = LLVMBuildTrunc(e->b, v, type, "");
    else if (to_bits > from_bits)
        v = kd_scalar_is_unsigned(from) ? LLVMBuildZExt(e->b, v, type, "") : LLVMBuildSExt(e->b, v, type, "");
    kd_emit_set(e, kd_op_result(op, 0), v);
}

void kd_emit_bitcast(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef v = kd_emit_get(e, kd_bitcast_value(op));
    const kd_type *to = kd_op_result(op, 0)->type, *from = kd_bitcast_value(op)->type;
    LLVMTypeRef type = kd_emit_type(e, to);
    bool to_ptr = kd_type_is_ptr_like(to), from_ptr = kd_type_is_ptr_like(from);
    if (to_ptr && !from_ptr)
        v = LLVMBuildIntToPtr(e->b, v, type, "");
    else if (from_ptr && !to_ptr)
        v = LLVMBuildPtrToInt(e->b, v, type, "");
    else if (!to_ptr)
        v = LLVMBuildBitCast(e->b, v, type, "");
    kd_emit_set(e, kd_op_result(op, 0), v);
}
