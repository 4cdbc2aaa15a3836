# Promises, barriers and messages as operations.
# RUN: kdsl compile %s --signature "*fp32, i32" --emit kd | FileCheck %s
import triton
import triton.language as tl


# CHECK-LABEL: func @kernel
@triton.jit
def kernel(p, n):
    at = tl.arange(0, 8)
    # CHECK: kd.hint {{.*}} {divisibility = [16]} : tile<8xi32>
    a = tl.multiple_of(at, 16)
    # CHECK: kd.hint {{.*}} {contiguity = [8]} : tile<8xi32>
    b = tl.max_contiguous(a, [8])
    # CHECK: kd.hint {{.*}} {constancy = [4]} : tile<8xi32>
    c = tl.max_constancy(b, (4,))
    # CHECK: kd.hint %n {divisibility = [8]} : i32
    d = tl.multiple_of(n, 8)
    # CHECK: [[POSITIVE:%.*]] = kd.cmp gt
    # CHECK: kd.assume [[POSITIVE]]
    tl.assume(d > 0)
    # CHECK: kd.barrier
    tl.debug_barrier()
    # CHECK: kd.print {{.*}} {prefix = "value: ", hex}
    tl.device_print("value", c, hex=True)
    # CHECK: kd.print %n {prefix = "n =: "}
    print("n =", n)
    # CHECK-NOT: kd.assert
    tl.device_assert(n > 0, "n must be positive")
    tl.static_print("at compile time", c.dtype)
    tl.store(p + c, 0.0)
