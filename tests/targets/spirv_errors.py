# RUN: exits 1 kdsl compile %s:doubles -s '*fp64, *fp64' --target spirv:dg2 2>&1 | FileCheck %s --check-prefix=F64
# RUN: kdsl compile %s:doubles -s '*fp64, *fp64' --target spirv:bmg -o %t.spv
# RUN: exits 1 kdsl compile %s:copies -s '*fp32, *fp32' --target spirv:bmg --num-warps 64 --sub-group-size 32 2>&1 | FileCheck %s --check-prefix=WARPS
# RUN: exits 2 kdsl compile %s:copies -s '*fp32, *fp32' --target spirv:bmg --num-warps 3 2>&1 | FileCheck %s --check-prefix=THREE
# RUN: exits 2 kdsl compile %s:copies -s '*fp32, *fp32' --target spirv:bmg:sg16 --sub-group-size 8 2>&1 | FileCheck %s --check-prefix=LANES
# RUN: exits 2 kdsl compile %s:copies -s '*fp32, *fp32' --sub-group-size 12 2>&1 | FileCheck %s --check-prefix=TWELVE
# RUN: kdsl compile %s:copies -s '*fp32, *fp32' --num-warps 3 -o %t.o
# RUN: exits 1 kdsl compile %s:tuned -s '*fp32, *fp32, BLOCK=64' --target spirv:bmg --config 0 2>&1 | FileCheck %s --check-prefix=TUNED
# RUN: exits 2 kdsl compile %s:copies -s '*fp32, *fp32' --target spirv:bmg:sg8 2>&1 | FileCheck %s --check-prefix=TARGET
# RUN: kdsl compile %s:copies -s '*fp32, *fp32' --target spirv:bmg:sg16 --emit llvm | FileCheck %s --check-prefix=SG16
# RUN: kdsl compile %s:copies -s '*fp32, *fp32' --target spirv:dg2 --sub-group-size 8 --emit llvm | FileCheck %s --check-prefix=SG8
import triton
import triton.language as tl


# F64: spirv_errors.py:[[#@LINE+4]]:{{[0-9]+}}: error: fp64 is used here, which dg2 (Alchemist (Arc A770)) does not have
@triton.jit
def doubles(x, y):
    at = tl.arange(0, 16)
    tl.store(y + at, tl.load(x + at) * 2)


# WARPS: error: num_warps=64 makes work-groups of 2048 work-items, but bmg (Battlemage (Arc B580)) has at most 1024
# THREE: error: --num-warps is a power of two for a GPU, not 3
# TWELVE: error: --sub-group-size is 8, 16 or 32, not 12
# LANES: error: bmg (Battlemage (Arc B580)) has no sub-groups of 8 lanes
# TARGET: error: there is no target 'spirv:bmg:sg8'; expected spirv:tgl, {{.*}}sub-groups of 16 lanes
# SG16: !{i32 16}
# SG8: !{i32 8}
@triton.jit
def copies(x, y):
    at = tl.arange(0, 256)
    tl.store(y + at, tl.load(x + at))


# A mistake of the file's: of the kernel, not of the command line.
# TUNED: spirv_errors.py:[[#@LINE+3]]:5: error: num_warps must be a power of two for a GPU, not 3
@triton.autotune(configs=[triton.Config({}, num_warps=3)], key=[])
@triton.jit
def tuned(x, y, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at))
