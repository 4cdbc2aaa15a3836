# Pointers that nothing else leads to are noalias, but not where work-items read through one what others wrote: LLVM would take a load behind the
# barrier for the one before, where it sees that a work-item reads and writes different places.
# RUN: kdsl compile %s:apart -s 'x=*fp32, y=*fp32' --target spirv:bmg --assume-disjoint --emit llvm | FileCheck %s --check-prefix=APART
# RUN: kdsl compile %s:meet -s 'x=*fp32, y=*fp32' --target spirv:bmg --assume-disjoint --emit llvm | FileCheck %s --check-prefix=MEET
import triton
import triton.language as tl


# APART: define spir_kernel void @apart(ptr addrspace(1) noalias {{.*}}%x, ptr addrspace(1) noalias {{.*}}%y)
@triton.jit
def apart(x, y):
    at = tl.arange(0, 64)
    tl.store(y + at, tl.load(x + at))


# MEET-NOT: noalias
# MEET: define spir_kernel void @meet(
# MEET-NOT: noalias
# MEET: load float
# MEET: ControlBarrier
# MEET: store float
# MEET: ControlBarrier
# MEET: load float
@triton.jit
def meet(x, y):
    at = tl.arange(0, 64)
    tl.store(x + 63 - at, tl.load(x + at))
    tl.store(y + at, tl.load(x + at))
