# Programs that would take for ever, or all memory, end with a message, soon.
# run: not kdsl compile %s:calls -s "*fp32, i32" --emit kd 2>&1 | FileCheck %s --check-prefix=CALLS
# run: not kdsl compile %s:deep -s "*fp32, i32" --emit kd 2>&1 | FileCheck %s --check-prefix=DEEP
# run: not kdsl compile %s:loops -s "*fp32, i32" --emit kd 2>&1 | FileCheck %s --check-prefix=LOOPS
# run: not kdsl compile %s:python_loop -s "*fp32, i32" --emit kd 2>&1 | FileCheck %s --check-prefix=PYTHON
# run: not kdsl compile %s:huge -s "*fp32, i32" --emit kd 2>&1 | FileCheck %s --check-prefix=HUGE
# run: not kdsl compile %s:doubling -s "*fp32, i32" --emit obj -o /dev/null 2>&1 | FileCheck %s --check-prefix=DOUBLING

import triton
import triton.language as tl


@triton.jit
def branch(x, N: tl.constexpr, KEY: tl.constexpr):
    if N == 0:
        return x
    return branch(x, N - 1, KEY * 2) + branch(x, N - 1, KEY * 2 + 1)


#
@triton.jit
def calls(p, n):
    tl.store(p, branch(n, 30, 1))


@triton.jit
def down(x, N: tl.constexpr):
    return down(x, N + 1)


#
@triton.jit
def deep(p, n):
    tl.store(p, down(n, 0))


#
@triton.jit
def loops(p, n):
    for i in tl.static_range(10000):
        for j in tl.static_range(10000):
            n += 1
    tl.store(p, n)


@triton.constexpr_function
def spin():
    n = 0
    while True:
        n += 1


#
@triton.jit
def python_loop(p, n):
    tl.store(p, spin())


#
@triton.jit
def huge(p, n):
    tl.store(p, 2 ** (2 ** 40))


@triton.jit
def twice(x, N: tl.constexpr):
    if N == 0:
        return x * 3
    return twice(twice(x, N - 1), N - 1)


# Small while it is functions, too large once they are put in place of their calls.
#
@triton.jit
def doubling(p, n):
    tl.store(p, twice(n, 40))
