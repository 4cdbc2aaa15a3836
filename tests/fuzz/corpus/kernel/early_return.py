# A return under a run-time 'if' takes the rest of the function into the other branch; where it cannot, a flag decides.
# run: kdsl compile %s:simple -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=SIMPLE
# run: kdsl compile %s:under_static -s "*fp32, i32, CHECK=True" --emit kd | FileCheck %s --check-prefix=SIMPLE
# run: kdsl compile %s:nested -s "*fp32, i32, i32" --emit kd | FileCheck %s --check-prefix=NESTED
# run: kdsl compile %s:value -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=VALUE

import triton
import triton.language as tl


#
#
#
#
#
#
#
#
@triton.jit
def simple(p, n):
    if tl.program_id(0) >= n:
        return
    tl.store(p, 1.0)


@triton.jit
def under_static(p, n, CHECK: tl.constexpr):
    if CHECK:
        if tl.program_id(0) >= n:
            return
    tl.store(p, 1.0)


# The inner return is one of several ways out of the outer 'if'.
#
#
#
#
#
#
#
@triton.jit
def nested(p, n, m):
    if n > 0:
        if m > 0:
            return
        tl.store(p, 1.0)
    tl.store(p + 1, 2.0)


#
#
#
#
#
@triton.jit
def pick(n):
    if n == 0:
        return 1.0
    elif n == 1:
        return 2.0
    return 3.0


@triton.jit
def value(p, n):
    tl.store(p, pick(n))
