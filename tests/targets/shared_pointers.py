# Pointers that are chosen between again and again are followed once each: the number of ways through them doubles with each choice.
# RUN: kdsl compile %s -s "*fp32, *fp32, i32" --emit obj -o %t.o

import triton
import triton.language as tl


@triton.jit
def choose(p, q, n):
    offs = tl.arange(0, 16)
    x = p + offs
    for i in tl.static_range(60):
        x = tl.where(offs < n + i, x + i, x + 2 * i + 1)
    tl.store(q + offs, tl.load(x))
