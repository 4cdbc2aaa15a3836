# A buffer that one arm of a branch, or a loop's body, makes for a value from outside holds nothing elsewhere.
#
# RUN: kdsl compile %s:arms --signature '*fp32, *fp32, i1, 64' --assume-disjoint --emit cpu | FileCheck %s
# RUN: kdsl run %s:arms x=arange:f32[8] out=zeros:f32[8] flag=False B=8 --grid 1 --print out | FileCheck %s --check-prefix=FALSE
# RUN: kdsl run %s:arms x=arange:f32[8] out=zeros:f32[8] flag=True B=8 --grid 1 --print out | FileCheck %s --check-prefix=TRUE
# RUN: kdsl run %s:loop x=arange:f32[8] out=zeros:f32[8] n=0 B=8 --grid 1 --print out | FileCheck %s --check-prefix=NONE
# RUN: kdsl run %s:loop x=arange:f32[8] out=zeros:f32[8] n=3 B=8 --grid 1 --print out | FileCheck %s --check-prefix=TWICE
#
# The scan wants its operand in a buffer, the other arm has none.
# CHECK:      kd.if
# CHECK:      cpu.read
# CHECK:      } else {
# CHECK-NOT:  cpu.read
# CHECK:      cpu.write
# FALSE:      [1, 2, 3, 4, 5, 6, 7, 8]
# TRUE:       [1, 3, 6, 10, 15, 21, 28, 36]
# NONE:       [0, 1, 4, 9, 16, 25, 36, 49]
# TWICE:      [0, 3, 14, 37, 76, 135, 218, 329]
import triton
import triton.language as tl


@triton.jit
def arms(x, out, flag, B: tl.constexpr):
    o = tl.arange(0, B)
    v = tl.load(x + o) + 1.0
    if flag:
        v = tl.cumsum(v, 0)
    tl.store(out + o, v)


@triton.jit
def loop(x, out, n, B: tl.constexpr):
    o = tl.arange(0, B)
    v = tl.load(x + o)
    v = v * v
    acc = tl.zeros((B,), tl.float32)
    for i in range(n):
        if i > 0:
            acc += tl.cumsum(v, 0)
    tl.store(out + o, acc + v)
