# A mistake in the syntax of a body is told once, by whoever needs the body; nobody minds those of other kernels.
# RUN: exits 1 kdsl compile %s:wrong --signature '*i32' 2>&1 | FileCheck %s --implicit-check-not=error:
# RUN: exits 1 kdsl compile %s:wrong --emit ast 2>&1 | FileCheck %s --implicit-check-not=error:
# RUN: exits 1 kdsl compile %s:calls --signature '*i32' 2>&1 | FileCheck %s --implicit-check-not=error:
# RUN: exits 1 kdsl run %s:wrong x=zeros:i32[1] --grid 1 2>&1 | FileCheck %s --implicit-check-not=error:
# RUN: exits 1 kdsl check %s 2>&1 | FileCheck %s --implicit-check-not=error:
# RUN: kdsl compile %s:right --signature '*i32' -o %t.o > %t 2>&1
# RUN: count 0 < %t
# RUN: kdsl list %s > %t
# CHECK: errors_syntax.py:17:20: error: expected an expression, found ')'
import triton
import triton.language as tl


@triton.jit
def wrong(x):
    tl.store(x, 1 +)
    tl.store(x, 1)


@triton.jit
def right(x):
    tl.store(x, 1)


@triton.jit
def calls(x):
    wrong(x)
