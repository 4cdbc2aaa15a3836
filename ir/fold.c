/* fold.c - arithmetic on single numbers.
 *
 * f16 and bf16 are computed in f32 and rounded once more. For one add, sub, mul, div or sqrt that gives the correctly rounded result: f32 has
 * more than twice their digits and two (Figueroa, "When is double rounding innocuous?", 1995). */
#include "ir/fold.h"
#include "base/bug.h"
#include "base/float.h"
#include "ir/builder.h"

#include <math.h>

static bool is_signed(kd_scalar type)
{
    return !kd_scalar_is_unsigned(type);
}

static int64_t wrap(kd_scalar type, uint64_t value)
{
    unsigned bits = kd_scalar_bits(type);
    uint64_t low = bits == 64 ? value : value & ((UINT64_C(1) << bits) - 1);
    if (bits < 64 && is_signed(type) && low >> (bits - 1))
        low |= ~((UINT64_C(1) << bits) - 1);
    return (int64_t)low;
}

static bool give_int(kd_scalar type, uint64_t value, kd_number *out)
{
    *out = (kd_number){.i = wrap(type, value)};
    return true;
}

/* All NaNs that come out of arithmetic are one. */
static bool give_float(kd_scalar type, double value, kd_number *out)
{
    *out = (kd_number){.is_float = true, .f = isnan(value) ? NAN : kd_float_round(value, type, KD_FLOAT_NEAREST_EVEN)};
    return true;
}

uint64_t kd_number_bits(kd_scalar type, kd_number number)
{
    if (number.is_float)
        return kd_float_encode(number.f, type, KD_FLOAT_NEAREST_EVEN);
    unsigned bits = kd_scalar_bits(type);
    return bits == 64 ? (uint64_t)number.i : (uint64_t)number.i & ((UINT64_C(1) << bits) - 1);
}

bool kd_number_from_bits(kd_scalar type, uint64_t bits, kd_number *out)
{
    if (kd_scalar_is_int(type))
        return give_int(type, bits, out);
    kd_number number = {.is_float = true, .f = kd_float_decode(bits, type)};
    if (kd_number_bits(type, number) != bits)
        return false;
    *out = number;
    return true;
}

/* ---- integers ---- */

static bool less(kd_scalar type, int64_t a, int64_t b)
{
    return is_signed(type) ? a < b : (uint64_t)a < (uint64_t)b;
}

static bool divide(kd_opcode code, kd_scalar type, int64_t a, int64_t b, kd_number *out)
{
    unsigned bits = kd_scalar_bits(type);
    int64_t least = is_signed(type) ? (int64_t)(~UINT64_C(0) << (bits - 1)) : 0;
    if (b == 0 || (is_signed(type) && a == least && b == -1))
        return false;
    if (is_signed(type))
        return give_int(type, (uint64_t)(code == KD_OP_div ? a / b : a % b), out);
    return give_int(type, code == KD_OP_div ? (uint64_t)a / (uint64_t)b : (uint64_t)a % (uint64_t)b, out);
}

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

static uint64_t multiply_high(kd_scalar type, int64_t a, int64_t b)
{
    unsigned bits = kd_scalar_bits(type);
    return is_signed(type) ? (uint64_t)(((int128)a * b) >> bits) : (uint64_t)(((uint128)(uint64_t)a * (uint64_t)b) >> bits);
}

static bool fold_ints(kd_opcode code, kd_scalar type, int64_t a, int64_t b, kd_number *out)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    switch (code) {
    case KD_OP_add:
        return give_int(type, x + y, out);
    case KD_OP_sub:
        return give_int(type, x - y, out);
    case KD_OP_mul:
        return give_int(type, x * y, out);
    case KD_OP_div:
    case KD_OP_rem:
        return divide(code, type, a, b, out);
    case KD_OP_mulhi:
        return give_int(type, multiply_high(type, a, b), out);
    case KD_OP_and:
        return give_int(type, x & y, out);
    case KD_OP_or:
        return give_int(type, x | y, out);
    case KD_OP_xor:
        return give_int(type, x ^ y, out);
    case KD_OP_shl:
        return kd_number_bits(type, (kd_number){.i = b}) < kd_scalar_bits(type) && give_int(type, x << y, out);
    case KD_OP_shr: /* wrapped numbers are extended as their type is */
        return kd_number_bits(type, (kd_number){.i = b}) < kd_scalar_bits(type) && give_int(type, is_signed(type) ? (uint64_t)(a >> b) : x >> y, out);
    case KD_OP_min:
        return give_int(type, less(type, b, a) ? y : x, out);
    case KD_OP_max:
        return give_int(type, less(type, a, b) ? y : x, out);
    default:
        return false;
    }
}

/* ---- floats ---- */

/* Of f32 operands the result rounded once more is the one that f32 arithmetic gives: f64 has more than twice the digits. */
static bool fold_float(kd_opcode code, double a, double b, double *out)
{
    switch (code) {
    case KD_OP_add:
        *out = a + b;
        return true;
    case KD_OP_sub:
        *out = a - b;
        return true;
    case KD_OP_mul:
        *out = a * b;
        return true;
    case KD_OP_div:
        *out = a / b;
        return true;
    case KD_OP_rem:
        *out = fmod(a, b); /* exact, whatever the type */
        return true;
    default:
        return false;
    }
}

static bool fold_min_max(kd_opcode code, kd_scalar type, double a, double b, bool propagate_nan, kd_number *out)
{
    if (isnan(a) || isnan(b))
        return give_float(type, propagate_nan || (isnan(a) && isnan(b)) ? NAN : isnan(a) ? b : a, out);
    bool first = code == KD_OP_min ? a < b || (a == b && signbit(a)) : a > b || (a == b && !signbit(a)); /* -0 is the smaller zero */
    return give_float(type, first ? a : b, out);
}

bool kd_fold_binary(kd_opcode code, kd_scalar type, kd_number a, kd_number b, bool propagate_nan, kd_number *out)
{
    if (kd_scalar_is_int(type))
        return fold_ints(code, type, a.i, b.i, out);
    if (code == KD_OP_min || code == KD_OP_max)
        return fold_min_max(code, type, a.f, b.f, propagate_nan, out);
    double value;
    if (kd_scalar_is_fp8(type) || !fold_float(code, a.f, b.f, &value))
        return false;
    return give_float(type, value, out);
}

bool kd_fold_unary(kd_opcode code, kd_scalar type, kd_number a, kd_number *out)
{
    if (code != KD_OP_neg && code != KD_OP_abs)
        return false;
    if (kd_scalar_is_int(type))
        return give_int(type, code == KD_OP_neg || less(type, a.i, 0) ? 0 - (uint64_t)a.i : (uint64_t)a.i, out);
    *out = (kd_number){.is_float = true, .f = kd_float_round(code == KD_OP_neg ? -a.f : fabs(a.f), type, KD_FLOAT_NEAREST_EVEN)};
    return true;
}

bool kd_fold_fma(kd_scalar type, kd_number a, kd_number b, kd_number c, kd_number *out)
{
    if (type == KD_F64)
        return give_float(type, fma(a.f, b.f, c.f), out);
    return type == KD_F32 && give_float(type, fmaf((float)a.f, (float)b.f, (float)c.f), out);
}

/* Those that have one right answer and a libm that gives it. */
bool kd_fold_math(kd_math fn, kd_scalar type, const kd_number *args, kd_number *out)
{
    double x = args[0].f;
    if (kd_scalar_is_fp8(type))
        return false;
    switch (fn) {
    case KD_MATH_floor:
        return give_float(type, floor(x), out);
    case KD_MATH_ceil:
        return give_float(type, ceil(x), out);
    case KD_MATH_trunc:
        return give_float(type, trunc(x), out);
    case KD_MATH_round:
        return give_float(type, round(x), out);
    case KD_MATH_rint:
        return give_float(type, nearbyint(x), out);
    case KD_MATH_sqrt:
        return give_float(type, type == KD_F64 ? sqrt(x) : (double)sqrtf((float)x), out);
    case KD_MATH_copysign:
        return !isnan(x) && !isnan(args[1].f) && give_float(type, copysign(x, args[1].f), out);
    default:
        return false;
    }
}

bool kd_fold_cmp(kd_pred pred, kd_scalar type, kd_number a, kd_number b)
{
    bool is_int = kd_scalar_is_int(type), is_less = is_int ? less(type, a.i, b.i) : a.f < b.f;
    bool is_equal = is_int ? a.i == b.i : a.f == b.f, is_greater = is_int ? less(type, b.i, a.i) : a.f > b.f;
    switch (pred) {
    case KD_PRED_EQ:
        return is_equal;
    case KD_PRED_NE:
        return !is_equal;
    case KD_PRED_LT:
        return is_less;
    case KD_PRED_LE:
        return is_less || is_equal;
    case KD_PRED_GT:
        return is_greater;
    case KD_PRED_GE:
        return is_greater || is_equal;
    default:
        KD_UNREACHABLE();
    }
}

/* ---- conversions ---- */

static bool int_to_float(kd_scalar from, kd_scalar to, int64_t value, kd_number *out)
{
    if (to == KD_F32) /* through f64 it would be rounded twice */
        return give_float(to, is_signed(from) ? (float)value : (float)(uint64_t)value, out);
    double wide = is_signed(from) ? (double)value : (double)(uint64_t)value;
    bool is_exact = is_signed(from) ? value >= -(INT64_C(1) << 53) && value <= INT64_C(1) << 53 : (uint64_t)value <= UINT64_C(1) << 53;
    return (to == KD_F64 || is_exact) && give_float(to, wide, out);
}

static bool float_to_int(kd_scalar to, double value, kd_number *out)
{
    unsigned bits = kd_scalar_bits(to);
    double whole = trunc(value), limit = ldexp(1, (int)bits - is_signed(to));
    if (isnan(value) || whole >= limit || whole < (is_signed(to) ? -limit : 0))
        return false;
    return give_int(to, is_signed(to) ? (uint64_t)(int64_t)whole : (uint64_t)whole, out);
}

bool kd_fold_cast(kd_scalar from, kd_scalar to, kd_rounding rounding, kd_number a, kd_number *out)
{
    if (to == KD_I1)
        return give_int(to, a.is_float ? a.f != 0 : a.i != 0, out);
    if (!a.is_float)
        return kd_scalar_is_int(to) ? give_int(to, (uint64_t)a.i, out) : int_to_float(from, to, a.i, out);
    if (kd_scalar_is_int(to))
        return float_to_int(to, a.f, out);
    *out = (kd_number){.is_float = true,
                       .f = kd_float_round(a.f, to, rounding == KD_ROUND_TOWARD_ZERO ? KD_FLOAT_TOWARD_ZERO : KD_FLOAT_NEAREST_EVEN)};
    return true;
}

bool kd_fold_bitcast(kd_scalar from, kd_scalar to, kd_number a, kd_number *out)
{
    return kd_number_from_bits(to, kd_number_bits(from, a), out);
}

bool kd_fold_op(const kd_op *op, const kd_number *operands, kd_number *out)
{
    const kd_type *from = kd_type_elem(op->operands[0].value->type), *to = kd_type_elem(op->results[0].type);
    if (from->kind != KD_TYPE_SCALAR || to->kind != KD_TYPE_SCALAR)
        return false;
    kd_scalar type = from->scalar;
    switch (op->code) {
    case KD_OP_min:
        return kd_fold_binary(op->code, type, operands[0], operands[1], kd_min_propagate_nan(op), out);
    case KD_OP_max:
        return kd_fold_binary(op->code, type, operands[0], operands[1], kd_max_propagate_nan(op), out);
    case KD_OP_add:
    case KD_OP_sub:
    case KD_OP_mul:
    case KD_OP_div:
    case KD_OP_rem:
    case KD_OP_mulhi:
    case KD_OP_and:
    case KD_OP_or:
    case KD_OP_xor:
    case KD_OP_shl:
    case KD_OP_shr:
        return kd_fold_binary(op->code, type, operands[0], operands[1], false, out);
    case KD_OP_neg:
    case KD_OP_abs:
        return kd_fold_unary(op->code, type, operands[0], out);
    case KD_OP_fma:
        return kd_fold_fma(type, operands[0], operands[1], operands[2], out);
    case KD_OP_math:
        return kd_fold_math(kd_math_fn(op), type, operands, out);
    case KD_OP_cmp:
        return give_int(KD_I1, kd_fold_cmp(kd_cmp_pred(op), type, operands[0], operands[1]), out);
    case KD_OP_cast:
        return kd_fold_cast(type, to->scalar, kd_cast_rounding(op), operands[0], out);
    case KD_OP_bitcast:
        return kd_fold_bitcast(type, to->scalar, operands[0], out);
    default:
        return false;
    }
}
