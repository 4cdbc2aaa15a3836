# The operands of tl.dot decide what it gives; an accumulator of another type is a mistake.
# RUN: verify-diagnostics %s kdsl compile %s:into_int -s "*fp16, *i32" --emit kd
# RUN: kdsl compile %s:wide -s "*fp16, *fp32" --emit kd | FileCheck %s --check-prefix=WIDE

import triton
import triton.language as tl


@triton.jit
def into_int(x, out):
    i = tl.arange(0, 16)[:, None] * 16 + tl.arange(0, 16)[None, :]
    a = tl.load(x + i)
    acc = tl.dot(a, a, tl.zeros((16, 16), tl.int32))  # expected-error {{'tl.dot' of fp16[16, 16] and fp16[16, 16] needs an accumulator of fp32[16, 16], but it is int32[16, 16]}}
    tl.store(out + i, acc)


# WIDE: kd.dot {{.*}} : tile<16x16xf32>
@triton.jit
def wide(x, out):
    i = tl.arange(0, 16)[:, None] * 16 + tl.arange(0, 16)[None, :]
    a = tl.load(x + i)
    tl.store(out + i, tl.dot(a, a, out_dtype=tl.float64))
