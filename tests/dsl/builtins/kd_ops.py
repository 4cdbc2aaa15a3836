# Which operations the arithmetic becomes.
# RUN: kdsl compile %s --signature "*fp32, *i32, *u32, *fp16" --emit kd | FileCheck %s
import triton
import triton.language as tl


# CHECK-LABEL: func @kernel
@triton.jit
def kernel(p, q, u, h):
    at = tl.arange(0, 8)
    i = tl.load(q + at)
    v = tl.load(u + at)
    f = tl.load(h + at)
    # The literal is a constant of the tile's type, with nothing left of the scalar.
    # CHECK: [[TWO:%.*]] = kd.constant 2.0 : tile<8xf16>
    # CHECK-NEXT: kd.mul {{.*}}, [[TWO]] : tile<8xf16>
    a = f * 2.0
    # CHECK: [[WIDE:%.*]] = kd.cast {{.*}} : tile<8xf32>
    # CHECK: kd.div [[WIDE]], {{.*}} : tile<8xf32>
    b = f / a
    # CHECK: kd.shr {{.*}} : tile<8xi32>
    c = i >> 1
    # CHECK: kd.shr {{.*}} : tile<8xu32>
    d = v >> 1
    # A signed tile is shifted with its sign even where the common type is unsigned.
    # CHECK: [[SIGNED:%.*]] = kd.cast {{.*}} : tile<8xi32>
    # CHECK: kd.shr {{.*}} : tile<8xi32>
    # CHECK: kd.cast {{.*}} : tile<8xu32>
    e = i >> v
    # CHECK: kd.cmp ne {{.*}} : tile<8xi1>
    g = f != f
    # Sums of narrow floats are made in fp32 and rounded once.
    # CHECK: kd.cast {{.*}} : tile<8xf32>
    # CHECK: kd.reduce {{.*}} {axis = 0} : f32
    # CHECK: kd.add {{.*}} : f32
    # CHECK: kd.cast {{.*}} : f16
    s = tl.sum(f)
    # CHECK: kd.reduce {{.*}} {axis = 0} : i32
    # CHECK: kd.max {{.*}} : i32
    m = tl.max(i)
    # The offset stays as it is: unsigned ones are zero-extended by kd.addptr.
    # CHECK: kd.addptr {{.*}} : tile<8xptr<f32>>
    r = p + v
    # CHECK: kd.math exp {{.*}} : tile<8xf32>
    tl.store(r, tl.exp(f.to(tl.float32)) + b + a + c + d + e + s + m + g)
