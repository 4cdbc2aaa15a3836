# 'is': a run-time value is itself under every name it has, and no other.
# RUN: kdsl compile %s -s "*fp32, i32, (i32, i32)" --emit kd | FileCheck %s
# CHECK:      %[[SEVEN:.*]] = kd.constant 7.0
# CHECK-NEXT: kd.store %p, %[[SEVEN]]
# CHECK-NEXT: kd.return

import triton
import triton.language as tl


@triton.jit
def kernel(p, n, t):
    a = tl.load(p)
    b = a
    tl.static_assert(a is a and a is b and a is not n and p is p and t is t and t[0] is t[0] and t[0] is not t[1])
    tl.static_assert(a is not None and not (a is None) and (1, 2) is (1, 2) and None is None and tl.float32 is tl.float32)
    b = a + 1.0
    tl.static_assert(a is not b)
    if a is a:
        tl.store(p, 7.0)
    else:
        tl.store(p, 8.0)
