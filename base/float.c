/* float.c - one table of formats, one encoder, one decoder.
 *
 * Sources: IEEE 754-2019; OCP 8-bit Floating Point Specification 1.0 (e4m3fn, e5m2); the fnuz formats as in LLVM's APFloat
 * (Float8E4M3FNUZ, Float8E5M2FNUZ); f8e4b15 as in Triton's conversions (bias 15, every encoding finite). */
#include "base/float.h"
#include "base/bug.h"

#include <math.h>

typedef struct format {
    int exponent_bits, mantissa_bits, bias;
    bool has_infinity;   /* the all-ones exponent is for infinities and NaNs, as IEEE has it */
    bool saturates;      /* conversions never give an infinity */
    bool nan_is_minus_0; /* fnuz: 0x80 is the only NaN, and there is no -0 */
    bool nan_is_all_ones; /* fn: only S.1111.111 is NaN */
} format;

static const format FORMATS[KD_N_SCALARS] = {
    [KD_F8E4NV] = {4, 3, 7, .saturates = true, .nan_is_all_ones = true},
    [KD_F8E5] = {5, 2, 15, .has_infinity = true, .saturates = true},
    [KD_F8E4B8] = {4, 3, 8, .saturates = true, .nan_is_minus_0 = true},
    [KD_F8E5B16] = {5, 2, 16, .saturates = true, .nan_is_minus_0 = true},
    [KD_F8E4B15] = {4, 3, 15, .saturates = true},
    [KD_F16] = {5, 10, 15, .has_infinity = true},
    [KD_BF16] = {8, 7, 127, .has_infinity = true},
    [KD_F32] = {8, 23, 127, .has_infinity = true},
    [KD_F64] = {11, 52, 1023, .has_infinity = true},
};

static uint64_t sign_bit(const format *f)
{
    return UINT64_C(1) << (f->exponent_bits + f->mantissa_bits);
}

static uint64_t largest_finite(const format *f)
{
    if (f->has_infinity)
        return (((UINT64_C(1) << f->exponent_bits) - 1) << f->mantissa_bits) - 1;
    return sign_bit(f) - 1 - f->nan_is_all_ones;
}

double kd_float_decode(uint64_t bits, kd_scalar scalar)
{
    const format *f = &FORMATS[scalar];
    KD_ASSERT(f->exponent_bits);
    uint64_t sign = sign_bit(f), magnitude = bits & (sign - 1), fraction = magnitude & ((UINT64_C(1) << f->mantissa_bits) - 1);
    int exponent = (int)(magnitude >> f->mantissa_bits);
    if (f->nan_is_minus_0 && (bits & (sign | (sign - 1))) == sign)
        return NAN;
    if (f->nan_is_all_ones && magnitude == sign - 1)
        return NAN;
    double value;
    if (f->has_infinity && exponent == (1 << f->exponent_bits) - 1)
        value = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexp((double)fraction, 1 - f->bias - f->mantissa_bits);
    else
        value = ldexp((double)(fraction | (UINT64_C(1) << f->mantissa_bits)), exponent - f->bias - f->mantissa_bits);
    return bits & sign ? -value : value;
}

static uint64_t encode_nan(const format *f, bool negative)
{
    if (f->nan_is_minus_0)
        return sign_bit(f);
    if (!f->has_infinity)
        return (f->nan_is_all_ones ? sign_bit(f) - 1 : largest_finite(f)) | (negative ? sign_bit(f) : 0);
    uint64_t quiet = UINT64_C(1) << (f->mantissa_bits - 1);
    return (((UINT64_C(1) << f->exponent_bits) - 1) << f->mantissa_bits) | quiet | (negative ? sign_bit(f) : 0);
}

uint64_t kd_float_encode(double value, kd_scalar scalar, kd_float_rounding rounding)
{
    const format *f = &FORMATS[scalar];
    KD_ASSERT(f->exponent_bits);
    bool negative = signbit(value);
    if (isnan(value))
        return encode_nan(f, negative);
    uint64_t sign = negative ? sign_bit(f) : 0, top = largest_finite(f), magnitude;
    if (isinf(value)) {
        magnitude = f->saturates ? top : top + 1;
    } else {
        int exponent = 0; /* value = mantissa * 2^exponent with 0.5 <= mantissa < 1 */
        frexp(value, &exponent);
        int unit = (exponent - 1 < 1 - f->bias ? 1 - f->bias : exponent - 1) - f->mantissa_bits; /* the last place is 2^unit */
        double scaled = ldexp(fabs(value), -unit), whole = floor(scaled), rest = scaled - whole; /* all exact */
        if (rounding == KD_FLOAT_NEAREST_EVEN && (rest > 0.5 || (rest == 0.5 && fmod(whole, 2) != 0)))
            whole += 1;
        /* whole <= 2^(mantissa_bits + 1); its hidden bit adds one to the exponent field, as does a carry out of the mantissa */
        uint64_t field = (uint64_t)(unit + f->mantissa_bits + f->bias - 1);
        if (whole == 0)
            magnitude = 0;
        else if (field >= (UINT64_C(1) << f->exponent_bits)) /* far above the range: do not shift out of the word */
            magnitude = top + 1;
        else
            magnitude = (field << f->mantissa_bits) + (uint64_t)whole;
        if (magnitude > top)
            magnitude = f->saturates || rounding == KD_FLOAT_TOWARD_ZERO ? top : top + 1;
    }
    if (magnitude == 0 && f->nan_is_minus_0)
        return 0;
    return sign | magnitude;
}

double kd_float_round(double value, kd_scalar scalar, kd_float_rounding rounding)
{
    return scalar == KD_F64 ? value : kd_float_decode(kd_float_encode(value, scalar, rounding), scalar);
}
