# Rectangles of one element for each work-item: SPIR-V has no vectors of one.
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:columns -s 'a=*fp32:16, b=*fp32:16, c=*fp32:16, out=*fp32:16, n=i32:16' --target spirv:bmg -o %t.spv
# RUN: kdsl compile %s:columns -s 'a=*fp32:16, b=*fp32:16, c=*fp32:16, out=*fp32:16, n=i32:16' --target spirv:bmg --emit llvm | FileCheck %s
# CHECK:     block_read_32b_1r16x1c
# CHECK-NOT: <1 x
import triton
import triton.language as tl


@triton.jit
def columns(a, b, c, out, n):
    pa = tl.make_block_ptr(a, (n, 64), (64, 1), (0, 0), (64, 64), (1, 0))
    pb = tl.make_block_ptr(b, (64, n), (1, 64), (0, 0), (64, 64), (0, 1))
    pc = tl.make_block_ptr(c, (64, n), (1, 64), (0, 0), (64, 64), (0, 1))
    po = tl.make_block_ptr(out, (n, n), (n, 1), (0, 0), (64, 64), (1, 0))
    vb = tl.load(pb, boundary_check=(0, 1))
    vc = tl.load(pc, boundary_check=(0, 1))
    d = tl.dot(tl.load(pa, boundary_check=(0, 1)), vb) + tl.sum(vb * vc)
    tl.store(po, d, boundary_check=(0, 1))
