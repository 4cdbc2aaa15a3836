# Functions go by their OpenCL names; NaN comes through where it is asked for; tanh of f32 is made here.
# RUN: kdsl compile %s:kernel -s '*fp32, *i64' --target spirv:bmg --emit llvm | FileCheck %s
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:kernel -s '*fp32, *i64' --target spirv:bmg -o %t.spv
import triton
import triton.language as tl
from triton.language.extra import libdevice


# CHECK-NOT: llvm.maximum
# CHECK-DAG: call spir_func float @_Z4fmaxff(
# CHECK-DAG: fcmp uno float
# CHECK-DAG: call spir_func float @_Z3expf(
# CHECK-DAG: call spir_func float @_Z3powff(
# CHECK-DAG: call spir_func float @_Z4fmodff(
# CHECK-DAG: call spir_func float @_Z11native_exp2f(
# CHECK-DAG: call spir_func i64 @_Z6mul_hi{{ll|mm}}(
# CHECK-NOT: _Z4tanhf
@triton.jit
def kernel(x, i):
    v = tl.load(x)
    v = tl.maximum(v, 1.0, propagate_nan=tl.PropagateNan.ALL)
    v = libdevice.pow(tl.exp(v), v) % 3.0
    tl.store(x, libdevice.tanh(v))
    k = tl.load(i)
    tl.store(i, tl.umulhi(k, k))
