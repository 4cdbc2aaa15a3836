# Kernels import the functions behind tl.sum and tl.argmax by their names in triton.language.standard.
#
# RUN: kdsl run %s x=arange:f32[64] out=zeros:f32[4] B=64 --grid 1 --print out | FileCheck %s
# CHECK: [12, 63, 63, 2016]
import triton
import triton.language as tl
from triton.language.standard import _argmax_combine_tie_break_left, _log2


@triton.jit
def kernel(x, out, B: tl.constexpr):
    i = tl.arange(0, B)
    log: tl.constexpr = _log2(B)
    again: tl.constexpr = tl.standard._log2(i.shape[0])
    value, index = tl.reduce((tl.load(x + i), i), 0, _argmax_combine_tie_break_left)
    tl.store(out, log + again)
    tl.store(out + 1, value)
    tl.store(out + 2, index)
    tl.store(out + 3, tl.reduce(tl.load(x + i), 0, tl.standard._sum_combine))
