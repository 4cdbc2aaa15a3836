# Compile-time arithmetic is Python's.
# RUN: kdsl compile %s --signature "" --emit kd -o %t
import triton
import triton.language as tl
import math

LENGTH: tl.constexpr = 2**40 + 1


@triton.jit
def kernel():
    tl.static_assert(-7 // 2 == -4)
    tl.static_assert(-7 % 3 == 2)
    tl.static_assert(7 % -3 == -2)
    tl.static_assert(-7.5 // 2 == -4.0)
    tl.static_assert(-7.5 % 2 == 0.5)
    tl.static_assert(7 / 2 == 3.5)
    tl.static_assert(2**100 // 2**98 == 4)
    tl.static_assert(2**-2 == 0.25)
    tl.static_assert(4**0.5 == 2.0)
    tl.static_assert(0.1 + 0.2 != 0.3)
    tl.static_assert(1 << 40 == 2**40)
    tl.static_assert(-5 >> 1 == -3)
    tl.static_assert(~5 == -6)
    tl.static_assert((True & False) is False)
    tl.static_assert((5 ^ 3) == 6)
    tl.static_assert(True + True == 2)
    tl.static_assert(1 == 1.0 and 1 < 2.5 and not 2**63 + 1 == 2.0**63)
    tl.static_assert("ab" + "c" == "abc" and "b" in "abc" and "x" not in "abc" and "ab" < "b" and "ab" * 2 == "abab")
    tl.static_assert((1, 2) + (3,) == (1, 2, 3) and (0,) * 3 == (0, 0, 0) and 2 in (1, 2))
    tl.static_assert([1, 2][0] == 1 and (1, 2, 3)[-1] == 3 and (1, 2, 3)[1:] == (2, 3) and (1, 2, 3)[::-1] == (3, 2, 1))
    tl.static_assert(None is None and None != 0 and tl.float32 == tl.float32 and tl.float32 != tl.float16)
    tl.static_assert(not (float("nan") == float("nan")) and float("inf") > 10**38)
    tl.static_assert(LENGTH == 1099511627777)
    tl.static_assert(f"{0.1} {1e20} {1e16} {1e-5} {100.0} {2**70} {True} {None} {'x'}" == "0.1 1e+20 1e+16 1e-05 100.0 1180591620717411303424 True None x")
    tl.static_assert(f"{tl.float16} {tl.int32} {tl.uint8} {tl.bfloat16} {(1, 'a')}" == "fp16 int32 uint8 bf16 (1, 'a')")
    tl.static_assert(math.floor(2.5) == 2 and math.ceil(2.5) == 3 and math.trunc(-2.5) == -2 and math.sqrt(9) == 3.0)
    tl.static_assert(math.log2(8) == 3.0 and math.exp(0) == 1.0 and math.pi > 3.14 and math.isnan(math.nan) and math.isinf(math.inf))
    tl.static_assert(math.pow(2, 3) == 8.0 and math.gcd(12, 18) == 6 and math.prod((2, 3, 4)) == 24 and math.fabs(-1) == 1.0)
    tl.static_assert(math.fmod(-7, 3) == -1.0 and math.copysign(1, -0.0) == -1.0 and math.isfinite(1.0) and math.e > 2.7 and math.tau > 6.2)
    tl.static_assert(math.sin(0) == 0.0 and math.cos(0) == 1.0 and math.tan(0) == 0.0 and math.tanh(0) == 0.0 and math.exp2(3) == 8.0)
    tl.static_assert(math.log(1) == 0.0 and math.log10(100) == 2.0 and math.log1p(0) == 0.0 and math.expm1(0) == 0.0 and math.erf(0) == 0.0)
    tl.static_assert(math.asin(0) == 0.0 and math.acos(1) == 0.0 and math.atan(0) == 0.0 and math.atan2(0, 1) == 0.0)
    tl.static_assert(math.sinh(0) == 0.0 and math.cosh(0) == 1.0)
