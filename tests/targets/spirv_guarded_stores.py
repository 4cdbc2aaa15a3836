# Stores under one mask share a branch, but for what touches memory between them.
# RUN: kdsl compile %s:together -s 'x=*fp32:16, y=*fp32:16, n=i32' --target spirv:bmg --emit llvm --no-cache | FileCheck %s --check-prefix=TOGETHER
# RUN: kdsl compile %s:apart -s 'x=*fp32:16, n=i32' --target spirv:bmg --emit llvm --no-cache | FileCheck %s --check-prefix=APART
# RUN: kdsl compile %s:between -s 'x=*fp32:16, y=*i32:16, n=i32' --target spirv:bmg --emit llvm --no-cache | FileCheck %s --check-prefix=BETWEEN
import triton
import triton.language as tl


# What only they need LLVM moves to them.
# TOGETHER:       br i1
# TOGETHER-NOT:   br i1
# TOGETHER:       store <4 x float>
# TOGETHER-NEXT:  store <4 x float>
# TOGETHER-NEXT:  store <4 x float>
# TOGETHER-NEXT:  store <4 x float>
# TOGETHER-NOT:   store
# TOGETHER:       ret void
@triton.jit
def together(x, y, n):
    at = tl.arange(0, 1024)
    v = tl.load(x + at)
    tl.store(x + at, v * 3, mask=n > 3)
    tl.store(y + at, v * 2, mask=n > 3)


# Each four elements have a mask of their own.
# APART:          br i1
# APART:          store <4 x float>
# APART:          br i1
# APART:          store <4 x float>
# APART:          ret void
@triton.jit
def apart(x, n):
    at = tl.arange(0, 1024)
    tl.store(x + at, 1.0, mask=at // 4 < n)


# The second store comes behind the atomic.
# BETWEEN:        br i1
# BETWEEN:        store <4 x float>
# BETWEEN:        call {{.*}}AtomicIAdd
# BETWEEN:        br i1
# BETWEEN:        store <4 x float>
# BETWEEN:        ret void
@triton.jit
def between(x, y, n):
    at = tl.arange(0, 512)
    tl.store(x + at, 1.0, mask=n > 3)
    tl.atomic_add(y, 1)
    tl.store(x + at, 2.0, mask=n > 3)
