# Loops: what is carried, what is not, bounds and steps, unrolling.
# run: kdsl compile %s:carried -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=CARRIED
# run: kdsl compile %s:downward -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=DOWN
# run: kdsl compile %s:wide -s "*fp32, i64" --emit kd | FileCheck %s --check-prefix=WIDE
# run: kdsl compile %s:unrolled -s "*fp32, 3" --emit kd | FileCheck %s --check-prefix=UNROLLED
# run: kdsl compile %s:whiles -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=WHILE
# run: kdsl compile %s:block_pointer -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=BLOCK

import triton
import triton.language as tl


# 'acc' changes; 'scale' is set under an untaken 'if', and 'n' is set to itself: neither is carried.
#
#
#
#
#
@triton.jit
def carried(p, n):
    offs = tl.arange(0, 64)
    acc = tl.zeros((64,), tl.float32)
    scale = 2.0
    for i in tl.range(0, n, num_stages=3):
        if False:
            scale = scale * 2
        n = n
        first_here = tl.load(p + offs + i * 64)
        acc += first_here * scale
    tl.store(p + offs, acc)


# The loop counts up from the old end, its variable down: upper + lower - i.
#
#
#
#
#
@triton.jit
def downward(p, n):
    for i in range(n - 1, -1, -1):
        tl.store(p + i, 0.0)


# The variable has the type that the bounds have together.
#
#
@triton.jit
def wide(p, n):
    for i in range(0, n, 2):
        tl.store(p + i, 0.0)


#
#
# UNROLLED-COUNT-5: kd.store
#
@triton.jit
def unrolled(p, N: tl.constexpr):
    for i in tl.static_range(N):
        if i == 1:
            tl.store(p + 10, 0.0)
        tl.store(p + i, 0.0)
    for x in (1.0,):
        tl.store(p, x)


#
#
#
#
#
@triton.jit
def whiles(p, n):
    while n > 1:
        tl.store(p + n, 0.0)
        n = n // 2


# Of a block pointer only the offsets are carried.
#
#
#
@triton.jit
def block_pointer(p, n):
    bp = tl.make_block_ptr(p, (n, n), (n, 1), (0, 0), (16, 16), (1, 0))
    for i in range(n):
        x = tl.load(bp, boundary_check=(0, 1))
        tl.store(bp, x * 2, boundary_check=(0, 1))
        bp = tl.advance(bp, (0, 16))
