# 'if' at compile time and at run time, and what the branches leave behind.
# run: kdsl compile %s:compile_time -s "*fp32, BIAS=None, ACT='relu'" --emit kd | FileCheck %s --check-prefix=STATIC
# run: kdsl compile %s:merge -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=MERGE
# run: kdsl compile %s:unused_conflict -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=CONFLICT
# run: kdsl compile %s:ternary -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=TERNARY

import triton
import triton.language as tl


# Untaken branches are not even looked at, and leave no trace.
#
#
#
#
@triton.jit
def compile_time(p, BIAS, ACT: tl.constexpr):
    if BIAS is not None:
        x = no_such_function(BIAS)
    elif ACT == "gelu":
        tl.static_assert(False)
    elif ACT == "relu" and BIAS is None:
        x = 2.0
    else:
        x: tl.constexpr = undefined
    tl.store(p, x)


# Names that differ become results; those that do not, and those of one branch only, do not.
#
#
#
#
#
#
@triton.jit
def merge(p, n):
    same = n + 1
    count = n
    if n > 3:
        x = 1.0
        count += 1
        only_here = n * 2
        tl.store(p + 1, only_here)
    else:
        x = 2.0
    tl.store(p + same, x)
    tl.store(p + count, x)


# A name that has two types is an error only where it is used.
#
#
@triton.jit
def unused_conflict(p, n):
    if n > 3:
        t = 1.0
        tl.store(p, t)
    else:
        t = n + tl.arange(0, 16)
        tl.store(p + t, 0.0)


#
#
@triton.jit
def ternary(p, n):
    x = 1.0 if n > 3 else 2.0
    y = tl.load(p) if p is not None else missing
    tl.store(p, x + y)
