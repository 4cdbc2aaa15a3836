# RUN: verify-diagnostics %s kdsl compile %s --signature "" --emit kd
import triton
import triton.language as tl
import math


@triton.jit
def kernel():
    a: tl.constexpr = 1 // 0  # expected-error {{division by zero}}
    b: tl.constexpr = 1.0 % 0  # expected-error {{division by zero}}
    c: tl.constexpr = 2**200  # expected-error {{the result of '**' does not fit in 128 bits}}
    d: tl.constexpr = 1 << 130  # expected-error {{the result of '<<' does not fit in 128 bits}}
    e: tl.constexpr = 1 << -1  # expected-error {{negative shift count}}
    f: tl.constexpr = 0**-1  # expected-error {{0 cannot be raised to a negative power}}
    g: tl.constexpr = (-8.0) ** 0.5  # expected-error {{a negative number to a fractional power is complex}}
    h: tl.constexpr = 10.0**400  # expected-error {{the result of '**' is too large for a float}}
    i: tl.constexpr = 1.5 & 1  # expected-error {{'&' does not work on the float 1.5 and the int 1}}
    j: tl.constexpr = "a" + 1  # expected-error {{'+' does not work on the string 'a' and the int 1}}
    k: tl.constexpr = None < 1  # expected-error {{'<' does not work on None and the int 1}}
    l: tl.constexpr = -"a"  # expected-error {{'-' does not work on the string 'a'}}
    m: tl.constexpr = (0,) * 10**9  # expected-error {{'*' would make a tuple of more than 65536 elements}}
    n: tl.constexpr = (1, 2)[5]  # expected-error {{index 5 is outside a tuple of 2}}
    o: tl.constexpr = math.sqrt(-1)  # expected-error {{'math.sqrt' is not defined for the int -1}}
    p: tl.constexpr = 1 in 2  # expected-error {{'in' needs a compile-time value and a tuple}}
    q = tl.to_tensor(2**70)  # expected-error {{the int 1180591620717411303424 does not fit in 64 bits}}
    r: tl.constexpr = math.exp(tl.program_id(0))  # expected-error {{'math.exp' is Python's and works at compile time}}
