# Objects: aggregates with methods, named tuples, classes of constants.
# run: kdsl compile %s:aggregate -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=AGGREGATE
# run: kdsl compile %s:named -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=NAMED

from typing import NamedTuple

import triton
import triton.language as tl


@tl.core._aggregate
class Window:
    base: tl.tensor
    start: tl.tensor
    SIZE: tl.constexpr

    @triton.constexpr_function
    def __init__(self, base, start, SIZE):
        self.base = base
        self.start = start
        self.SIZE = SIZE

    @triton.jit
    def pointers(self):
        return self.base + self.start + tl.arange(0, self.SIZE)

    @triton.jit
    def next(self):
        return Window(self.base, self.start + self.SIZE, self.SIZE)


class Kind:
    ADD: tl.constexpr = 1
    MUL: tl.constexpr = 2


#
#
# What the method hands through unchanged is not carried.
#
#
@triton.jit
def aggregate(p, n):
    w = Window(p, n, 32)
    tl.store(w.pointers(), 0.0)
    for i in range(n):
        tl.store(w.pointers(), 1.0)
        w = w.next()


class Pair(NamedTuple):
    left: tl.tensor
    right: tl.tensor = 0


#
#
@triton.jit
def named(p, n):
    pair = Pair(n, right=5)
    if Kind.MUL == 2:
        tl.store(p + (pair.left + pair.right), 0.0)
