# What the kernel function looks like, and the forms in which builtins are called.
# RUN: kdsl compile %s:kernel -s 'x=*fp32:16, h=*bf16:16, out=*fp32:16, flag=i1, s=fp16, n=i32' --target spirv:bmg --emit llvm --no-cache | FileCheck %s
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:kernel -s 'x=*fp32:16, h=*bf16:16, out=*fp32:16, flag=i1, s=fp16, n=i32' --target spirv:bmg -o %t.spv
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:kernel -s 'x=*fp32:16, h=*bf16:16, out=*fp32:16, flag=i1, s=fp16, n=i32' --target spirv:bmg --emit spirv-asm | FileCheck %s --check-prefix=ASM
# RUN: FileCheck %s --check-prefix=HEADER < %t.h
# RUN: kdsl compile %s:kernel -s 'x=*fp32:16, h=*bf16:16, out=*fp32:16, flag=i1, s=fp16, n=i32' --target spirv:bmg --emit header | FileCheck %s --check-prefix=EMBEDDED
# RUN: kdsl compile %s:near -s 'x=*fp32:16' --target spirv:bmg --emit header | FileCheck %s --check-prefix=NEAR
import triton
import triton.language as tl


# Small scalars come by their bits; what is known of addresses is said. bf16 is no type here.
# CHECK:     @slm = internal addrspace(3) global
# CHECK:     define spir_kernel void @kernel(ptr addrspace(1) align 16 %x, ptr addrspace(1) align 16 %h, ptr addrspace(1) align 16 %out, i8 %flag, i16 %s, i32 %n)
# CHECK-SAME: !reqd_work_group_size ![[GROUP:.*]] !intel_reqd_sub_group_size ![[LANES:[0-9]+]]
# CHECK-NOT: bfloat
# CHECK:     call spir_func float @_Z21sub_group_shuffle_xorfj(float
# CHECK:     call spir_func void @_Z22__spirv_ControlBarrierjjj(i32 2, i32 2, i32 264)
# CHECK:     declare spir_func float @_Z21sub_group_shuffle_xorfj(float, i32) #[[CONVERGENT:[0-9]+]]
# CHECK:     attributes #[[CONVERGENT]] = { convergent
# CHECK-DAG: ![[GROUP]] = !{i32 128, i32 1, i32 1}
# CHECK-DAG: ![[LANES]] = !{i32 32}

# ASM: OpEntryPoint Kernel
# ASM: OpExecutionMode {{.*}} LocalSize 128 1 1
# ASM: OpExecutionMode {{.*}} ContractionOff
# ASM: OpExecutionMode {{.*}} SubgroupSize 32

# HEADER: #define kernel_BUILD_FLAGS "-cl-fp32-correctly-rounded-divide-sqrt"
# HEADER: #define kernel_KERNEL "kernel"
# HEADER: kernel_WORK_GROUP = 128, /* work-items: 4 sub-groups of 32 lanes */
# HEADER: kernel_SLM_BYTES = {{[1-9]}}
# HEADER: kernel_ARGS[kernel_N_ARGS] = {{[{][{]0, 8[}], [{]8, 8[}], [{]16, 8[}], [{]24, 1[}], [{]26, 2[}], [{]28, 4[}][}]}};
# HEADER-NOT: kernel_SPIRV
# EMBEDDED: static const uint32_t kernel_SPIRV[{{[0-9]+}}] = {
# EMBEDDED-NEXT: 0x7230203,
@triton.jit
def kernel(x, h, out, flag, s, n):
    at = tl.arange(0, 256)
    v = tl.load(x + at, mask=at < n, other=0.0) + tl.load(h + at).to(tl.float32)
    if flag:
        v += s
    tl.store(out + at, tl.div_rn(v, tl.sum(v, axis=0)))


# Division by `/` need not be exact.
# NEAR: #define near_BUILD_FLAGS ""
@triton.jit
def near(x):
    at = tl.arange(0, 256)
    v = tl.load(x + at)
    tl.store(x + at, tl.sqrt(v / (v + 1)))
