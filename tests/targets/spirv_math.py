# Functions go by their OpenCL names; NaN comes through where it is asked for; tanh, exp and quotients of f32 are made here.
# RUN: kdsl compile %s:kernel -s '*fp32, *i64' --target spirv:bmg --emit llvm | FileCheck %s
# RUN: env KDSL_SPIRV_VAL=1 kdsl compile %s:kernel -s '*fp32, *i64' --target spirv:bmg -o %t.spv
import triton
import triton.language as tl
from triton.language.extra import libdevice


# CHECK-NOT: llvm.maximum
# CHECK-DAG: call spir_func float @_Z4fmaxff(
# CHECK-DAG: fcmp uno float
# CHECK-DAG: call spir_func float @_Z3powff(
# CHECK-DAG: call spir_func float @_Z4fmodff(
# CHECK-DAG: call spir_func float @_Z11native_exp2f(
# CHECK-DAG: call spir_func i64 @_Z6mul_hi{{ll|mm}}(
# CHECK-NOT: _Z4tanhf
# CHECK-NOT: _Z3expf
@triton.jit
def kernel(x, i):
    v = tl.load(x)
    v = tl.maximum(v, 1.0, propagate_nan=tl.PropagateNan.ALL)
    v = libdevice.pow(tl.exp(v), v) % 3.0
    tl.store(x, libdevice.tanh(v))
    k = tl.load(i)
    tl.store(i, tl.umulhi(k, k))


# Reciprocals and quotients that are to be exact are the driver's compiler's.
# RUN: kdsl compile %s:quotients -s '*fp32' --target spirv:bmg --emit llvm | FileCheck %s --check-prefix=DIV
# DIV: [[X:%.*]] = load float
# DIV-DAG: fdiv float 1.000000e+00, [[X]]
# DIV-DAG: fdiv float 3.000000e+00, [[X]]
# DIV: [[SCALED:%.*]] = fmul float [[X]], [[SCALE:%.*]]
# DIV: [[RECIPROCAL:%.*]] = call spir_func float @_Z12native_recipf(float [[SCALED]])
# DIV: [[PRODUCT:%.*]] = fmul float [[RECIPROCAL]], 3.000000e+00
# DIV: fmul float [[PRODUCT]], [[SCALE]]
# DIV-NOT: fdiv
@triton.jit
def quotients(x):
    v = tl.load(x)
    tl.store(x + 1, 3.0 / v)
    tl.store(x + 2, 1.0 / v)
    tl.store(x + 3, tl.div_rn(3.0, v))
