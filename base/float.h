/* float.h - every float format we know, in software: exact decoding, correct rounding. For constants, files and folding, not for speed. */
#ifndef KD_BASE_FLOAT_H
#define KD_BASE_FLOAT_H

#include "base/scalar.h"

typedef enum kd_float_rounding { KD_FLOAT_NEAREST_EVEN, KD_FLOAT_TOWARD_ZERO } kd_float_rounding;

/* The number that the low bits stand for; exact. */
double kd_float_decode(uint64_t bits, kd_scalar format);
/* The encoding nearest to a number. f16, bf16 and f32 overflow to infinity (to the largest finite number when rounding toward zero); f8
 * formats saturate, infinities included. NaN stays NaN where the format has one, else the largest finite number. Subnormals are kept. */
uint64_t kd_float_encode(double value, kd_scalar format, kd_float_rounding rounding);
/* Encoded and decoded again. */
double kd_float_round(double value, kd_scalar format, kd_float_rounding rounding);

#endif
