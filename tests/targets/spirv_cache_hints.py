# What cache_modifier and eviction_policy become, in LLVM's IR and in SPIR-V that the validator takes.
# RUN: kdsl compile %s:hints -s 'x=*fp32:16, y=*fp32:16' --target spirv:bmg --emit llvm --no-cache | FileCheck %s
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:hints -s 'x=*fp32:16, y=*fp32:16' --target spirv:bmg --emit spirv-asm --no-cache | FileCheck %s --check-prefix=ASM
# RUN: kdsl compile %s:plain -s 'x=*fp32:16, y=*fp32:16' --target spirv:bmg --emit llvm --no-cache | FileCheck %s --check-prefix=PLAIN
import triton
import triton.language as tl


# CHECK-DAG: = !{i32 6442, i32 0, i32 0}
# CHECK-DAG: = !{i32 6442, i32 0, i32 1}
# CHECK-DAG: = !{i32 6442, i32 0, i32 2}
# CHECK-DAG: = !{i32 6443, i32 0, i32 1}
# CHECK-DAG: ![[STREAMING:[0-9]+]] = !{i32 6443, i32 0, i32 3}
# CHECK-DAG: ![[ALL:[0-9]+]] = !{![[STREAMING]]}
# CHECK-DAG: getelementptr {{.*}} <4 x float>, ptr addrspace(1) %{{.*}}, i64 0, !spirv.Decorations
# ASM-DAG: OpDecorate %[[LOAD:[0-9]+]] CacheControlLoadINTEL 0 UncachedINTEL
# ASM-DAG: OpDecorate %[[STORE:[0-9]+]] CacheControlStoreINTEL 0 StreamingINTEL
# ASM-DAG: %{{[0-9]+}} = OpLoad %{{.*}} %[[LOAD]] Aligned 16
# ASM-DAG: OpStore %[[STORE]] %{{[0-9]+}} Aligned 16
@triton.jit
def hints(x, y):
    at = tl.arange(0, 512)
    a = tl.load(x + at, cache_modifier=".cg")
    b = tl.load(x + 512 + at, eviction_policy="evict_first")
    c = tl.load(x + 1024 + at, cache_modifier=".cv")
    d = tl.load(x + 1536 + at, eviction_policy="evict_last")
    tl.store(y + at, a + b, eviction_policy="evict_first")
    tl.store(y + 512 + at, c + d, cache_modifier=".wt")


# PLAIN-NOT: spirv.Decorations
@triton.jit
def plain(x, y):
    at = tl.arange(0, 512)
    tl.store(y + at, tl.load(x + at))
