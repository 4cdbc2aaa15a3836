# The operands of tl.dot decide what it gives; an accumulator of another type is a mistake.
# RUN: verify-diagnostics %s kdsl compile %s:into_int -s "*fp16, *i32" --emit kd
# RUN: kdsl compile %s:wide -s "*fp16, *fp32" --emit kd | FileCheck %s --check-prefix=WIDE

import triton
import triton.language as tl


@triton.jit
def into_int(x, out):
    i = tl.arange(0, 16)[:, None] * 16 + tl.arange(0, 16)[None, :]
    a = tl.load(x + i)
    acc = tl.dot(a, a, tl.zeros((16, 16), tl.int32))  # expected-error {{needs an accumulator of [16, 16] of fp32, but it is [16, 16] of int32}}
    tl.store(out + i, acc)


# WIDE: kd.dot {{.*}} : tile<16x16xf32>
@triton.jit
def wide(x, out):
    i = tl.arange(0, 16)[:, None] * 16 + tl.arange(0, 16)[None, :]
    a = tl.load(x + i)
    tl.store(out + i, tl.dot(a, a, out_dtype=tl.float64))
