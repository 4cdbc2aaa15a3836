# A tile is read whole before any of it is written. Reading and writing in one loop is the same only where no two elements share an address.
#
# RUN: kdsl compile %s:contiguous --signature '*fp32, i32, 64' --assume-disjoint --emit cpu | FileCheck %s --check-prefix=ONE
# RUN: kdsl compile %s:scattered --signature '*fp32, *i32, 64' --assume-disjoint --emit cpu | FileCheck %s --check-prefix=TWO
# RUN: kdsl compile %s:strided --signature '*fp32, i32, 64' --assume-disjoint --emit cpu | FileCheck %s --check-prefix=TWO
# RUN: kdsl run %s:strided p=ones:f32[4] stride=0 B=64 --grid 1 --print p | FileCheck %s --check-prefix=OLD
#
# ONE-NOT: cpu.buffer
# TWO: cpu.buffer
#
# All elements are loaded from p[0] while it is 1, and the last one to be stored stays.
# OLD: [65, 1, 1, 1]
import triton
import triton.language as tl


@triton.jit
def contiguous(p, start, B: tl.constexpr):
    at = p + start + tl.arange(0, B)
    tl.store(at, tl.load(at) + 1.0)


@triton.jit
def scattered(p, indices, B: tl.constexpr):
    at = p + tl.load(indices + tl.arange(0, B))
    tl.store(at, tl.load(at) + 1.0)


@triton.jit
def strided(p, stride, B: tl.constexpr):
    i = tl.arange(0, B)
    at = p + i * stride
    tl.store(at, tl.load(at) * 2.0 + i)
