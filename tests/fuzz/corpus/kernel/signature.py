# What a signature can say.
# run: kdsl compile %s:everything -s "**fp16, *ku8, (i32, *fp32, 1), i32:1, u1, fp64, tensordesc<bf16[8, 16]>, None, 'text', bf16, -inf, (1, 2)" --emit kd | FileCheck %s
# run: kdsl compile %s:everything -s "pp=**fp16, bytes=*ku8, t=(i32, *fp32, 1), one=i32:1, flag=u1, wide=fp64, d=tensordesc<bf16[8,16]>, text='text', ty=dtype:bf16, neg=-inf, shape=(1, 1 + 1)" --emit kd | FileCheck %s
# run: kdsl compile %s:configured -s "*fp32, i32" --config 0 --emit kd | FileCheck %s --check-prefix=FIRST
# run: kdsl compile %s:configured -s "*fp32, i32" --config 1 --emit kd | FileCheck %s --check-prefix=SECOND
# run: not kdsl compile %s:configured -s "*fp32, i32" --emit kd 2>&1 | FileCheck %s --check-prefix=NONE
# run: kdsl compile %s:configured -s "*fp32, i32, BLOCK=8, bias=*fp32" --emit kd | FileCheck %s --check-prefix=GIVEN

import triton
import triton.language as tl


#
#
@triton.jit
def everything(pp, bytes, t, one, flag, wide, d, nothing=None, text: tl.constexpr = "", ty: tl.constexpr = None, neg=0.0, shape: tl.constexpr = ()):
    tl.static_assert(nothing is None and text == "text" and ty == tl.bfloat16 and neg < -1e300 and shape[1] == 2 and one == 1)
    # CHECK: kd.block_load %d, %d_shape_0, %d_shape_1, %d_stride_0,
    x = d.load([0, 0])
    tl.store(t[1] + t[0] + t[2], tl.sum(tl.sum(x.to(tl.float32), 0), 0))


#
#
#
#
#
#
#
#
@triton.autotune(configs=[triton.Config({"BLOCK": 16}, num_warps=2), triton.Config({"BLOCK": 32}, num_warps=8)], key=["n"])
@triton.heuristics({"HAS_BIAS": lambda args: args["bias"] is not None, "HALF": lambda args: max(args["BLOCK"] // 2, triton.cdiv(1, 1))})
@triton.jit
def configured(p, n, BLOCK: tl.constexpr, HAS_BIAS: tl.constexpr, HALF: tl.constexpr, bias=None):
    tl.static_assert(HALF * 2 == BLOCK)
    x = tl.load(p + tl.arange(0, BLOCK))
    if HAS_BIAS:
        tl.store(p, tl.sum(x) + 2.0)
    else:
        tl.store(p, tl.sum(x) + 1.0)
