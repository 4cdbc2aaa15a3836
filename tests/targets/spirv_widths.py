# Bits in reversed order: LLVM makes integers of as many bits of it, which SPIR-V lacks; of 32 bits they stay what they are.
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:few -s '*i32' --target spirv:bmg -o %t.spv
# RUN: kdsl compile %s:few -s '*i32' --target spirv:bmg --emit llvm | FileCheck %s --check-prefix=FEW
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:all_of_them -s '*i32, *i32' --target spirv:bmg -o %t.spv
# FEW-LABEL: define spir_kernel void @few(
# FEW-NOT:     {{[^a-z]}}i{{[2-7]}}{{[^0-9]}}
# FEW:         ret void
# FEW-NOT:     llvm.bitreverse.i{{[2-7]}}{{[^0-9]}}
import triton
import triton.language as tl


@triton.jit
def few(out):
    p = tl.program_id(0)
    three = ((p & 1) << 2) | (p & 2) | ((p >> 2) & 1)
    two = ((p & 1) << 1) | ((p >> 1) & 1)
    tl.store(out + three, p)
    tl.store(out + 8 + two, two)


@triton.jit
def all_of_them(x, out):
    i = tl.arange(0, 64)
    v = tl.load(x + i)
    v = ((v >> 1) & 0x55555555) | ((v & 0x55555555) << 1)
    v = ((v >> 2) & 0x33333333) | ((v & 0x33333333) << 2)
    v = ((v >> 4) & 0x0F0F0F0F) | ((v & 0x0F0F0F0F) << 4)
    v = ((v >> 8) & 0x00FF00FF) | ((v & 0x00FF00FF) << 8)
    v = ((v >> 16) & 0xFFFF) | (v << 16)
    tl.store(out + i, v)
