# A kernel that goes beyond its arrays is told so, where the processor notices; what it printed before is not lost.
# RUN: exits 1 kdsl run %s:far x=zeros:f32[4] y=zeros:f32[4] --grid 1 > %t.out 2> %t.err
# RUN: FileCheck %s --check-prefix=FAR < %t.err
# FAR: kdsl: error: kernel 'far' reads or writes memory that is in none of its arrays: {{[0-9]+}} bytes behind the end of '{{[xy]}}'
# RUN: count 1 < %t.err
# RUN: FileCheck %s --check-prefix=PRINTED < %t.out
# PRINTED: pid (0, 0, 0) idx () here: 7
# RUN: exits 1 kdsl run %s:before x=zeros:f32[4] n=3 --grid 1 2>&1 | FileCheck %s --check-prefix=BEFORE
# BEFORE: kdsl: error: kernel 'before' reads or writes memory that is in none of its arrays: {{[0-9]+}} bytes before 'x'
import triton
import triton.language as tl


@triton.jit
def far(x, y):
    tl.device_print("here", 7)
    tl.store(x + 100000000000, 1.0)


@triton.jit
def before(x, n):
    tl.store(x - 1000000000000, n)
