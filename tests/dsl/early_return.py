# A return under a run-time 'if' takes the rest of the function into the other branch; where it cannot, a flag decides.
# RUN: kdsl compile %s:simple -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=SIMPLE
# RUN: kdsl compile %s:under_static -s "*fp32, i32, CHECK=True" --emit kd | FileCheck %s --check-prefix=SIMPLE
# RUN: kdsl compile %s:nested -s "*fp32, i32, i32" --emit kd | FileCheck %s --check-prefix=NESTED
# RUN: kdsl compile %s:value -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=VALUE

import triton
import triton.language as tl


# SIMPLE-LABEL: func
# SIMPLE:         kd.if %{{[0-9a-z_]+}} {
# SIMPLE-NEXT:      kd.yield
# SIMPLE-NEXT:    } else {
# SIMPLE:           kd.store
# SIMPLE-NEXT:      kd.yield
# SIMPLE-NEXT:    }
# SIMPLE-NEXT:    kd.return
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
# NESTED-LABEL: func @nested
# NESTED:         %[[RETURNED:.*]] = kd.if %{{.*}} : i1 {
# NESTED:           kd.if
# NESTED:         kd.if %[[RETURNED]] {
# NESTED-NEXT:      kd.yield
# NESTED-NEXT:    } else {
# NESTED:           kd.store
@triton.jit
def nested(p, n, m):
    if n > 0:
        if m > 0:
            return
        tl.store(p, 1.0)
    tl.store(p + 1, 2.0)


# VALUE:       func @pick__{{[0-9]+}}(%n: i32) -> f32 {
# VALUE:         %[[R:.*]] = kd.if %{{.*}} : f32 {
# VALUE:           kd.yield
# VALUE:           kd.if
# VALUE:         kd.return %[[R]]
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
