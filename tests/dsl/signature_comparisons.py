# '<' and '>' compare, but for the brackets of tensordesc<...>.
# RUN: kdsl compile %s:kernel -s "*fp32, FLAG=1 < 2, PAIR=(3 > 2, 7), BLOCK=16" --emit kd | FileCheck %s
# RUN: kdsl compile %s:kernel -s "*fp32, 2 >= 1, (1 << 1 > 1, 14 >> 1), 16" --emit kd | FileCheck %s
# RUN: kdsl compile %s:kernel -s "*fp32, (3 > 2), PAIR=(True, 7)" --config 0 --emit kd | FileCheck %s
# RUN: kdsl compile %s:kernel -s "*fp32" --config 1 --emit kd | FileCheck %s
# RUN: kdsl compile %s:described -s "tensordesc<fp32[4, 16]>, 1 < 2, (3 > 2, tensordesc<fp32[4, 16]>)" --emit kd | FileCheck %s --check-prefix=DESC
# RUN: not kdsl compile %s:kernel -s "*fp32, FLAG=2 > , BLOCK=16" --emit kd 2>&1 | FileCheck %s --check-prefix=BAD

import triton
import triton.language as tl


# CHECK: func @kernel(%p: ptr<f32>) kernel {
# CHECK: tile<16xi32>
# BAD:   <signature>:1:16: error: expected an expression
@triton.autotune(configs=[triton.Config({"BLOCK": 16}), triton.Config({"FLAG": 1 < 2, "PAIR": (2 > 1, 7), "BLOCK": 16})], key=["p"])
@triton.jit
def kernel(p, FLAG: tl.constexpr, PAIR: tl.constexpr, BLOCK: tl.constexpr):
    tl.static_assert(FLAG and PAIR[0] and PAIR[1] == 7)
    tl.store(p + tl.arange(0, BLOCK), 1.0)


# DESC: func @described(%d: ptr<f32>
@triton.jit
def described(d, FLAG: tl.constexpr, more):
    tl.static_assert(FLAG and more[0])
    d.store([0, 0], more[1].load([0, 0]))
