# What a device lacks is made by attempts with compare-and-exchange.
# RUN: kdsl compile %s:adds -s '*fp32, *fp16, *i32' --target spirv:bmg --emit llvm | FileCheck %s --check-prefix=BMG
# RUN: kdsl compile %s:adds -s '*fp32, *fp16, *i32' --target spirv:tgl --emit llvm | FileCheck %s --check-prefix=TGL
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:adds -s '*fp32, *fp16, *i32' --target spirv:bmg -o %t.spv
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:adds -s '*fp32, *fp16, *i32' --target spirv:tgl -o %t.spv
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:exchanges -s '*i32, *i64, *fp32' --target spirv:bmg -o %t.spv
# RUN: kdsl compile %s:exchanges -s '*i32, *i64, *fp32' --target spirv:bmg --emit llvm | FileCheck %s --check-prefix=CAS
import triton
import triton.language as tl


# f32 is added by an instruction of device scope (1), acquire and release of global memory (0x208); relaxed is 0.
# BMG: call spir_func float @_Z21__spirv_AtomicFAddEXTPU3AS1fjjf(ptr addrspace(1) {{.*}}, i32 1, i32 520, float 1.000000e+00)
# f16: the word around it.
# BMG: load i32
# BMG: %[[OLD:.*]] = phi i32
# BMG: fadd half
# BMG: %[[FOUND:.*]] = call spir_func i32 @_Z29__spirv_AtomicCompareExchangePU3AS1ijjjii(ptr addrspace(1) {{.*}}, i32 1, i32 520, i32 514, i32 {{.*}}, i32 %[[OLD]])
# BMG: icmp eq i32 %[[FOUND]], %[[OLD]]
# BMG: call spir_func i32 @_Z18__spirv_AtomicSMaxPU3AS1ijji(ptr addrspace(1) {{.*}}, i32 1, i32 0, i32 7)

# No atomic addition of f32 here.
# TGL-NOT: AtomicFAdd
# TGL: fadd float
# TGL: bitcast float %{{.*}} to i32
# TGL: @_Z29__spirv_AtomicCompareExchangePU3AS1ijjjii
@triton.jit
def adds(f, h, i):
    tl.atomic_add(f, 1.0)
    tl.atomic_add(h, 1.0)
    tl.atomic_max(i, 7, sem="relaxed")


# Bits are compared; work-group and system have scopes 2 and 0.
# CAS: call spir_func i32 @_Z29__spirv_AtomicCompareExchangePU3AS1ijjjii(ptr addrspace(1) {{.*}}, i32 2, i32 520, i32 514, i32 1, i32 0)
# CAS: call spir_func i64 @_Z29__spirv_AtomicCompareExchangePU3AS1ljjjll(ptr addrspace(1) {{.*}}, i32 0, i32 520, i32 514, i64 1, i64 0)
# CAS: call spir_func i32 @_Z22__spirv_AtomicExchangePU3AS1ijji(ptr addrspace(1) {{.*}}, i32 1, i32 520, i32 1065353216)
@triton.jit
def exchanges(i, l, f):
    tl.atomic_cas(i, 0, 1, scope="cta")
    tl.atomic_cas(l, tl.full([], 0, tl.int64), tl.full([], 1, tl.int64), scope="sys")
    tl.atomic_xchg(f, 1.0)
