# What a number becomes when it must be a tensor on its own.
# RUN: kdsl compile %s --signature "" --emit kd -o %t
import triton
import triton.language as tl


@triton.jit
def same(v, dtype: tl.constexpr):
    tl.static_assert(v.dtype == dtype, f"found {v.dtype}, expected {dtype}")


@triton.jit
def kernel():
    same(tl.to_tensor(True), tl.int1)
    same(tl.to_tensor(0), tl.int32)
    same(tl.to_tensor(2147483647), tl.int32)
    same(tl.to_tensor(2147483648), tl.uint32)
    same(tl.to_tensor(4294967295), tl.uint32)
    same(tl.to_tensor(4294967296), tl.int64)
    same(tl.to_tensor(-2147483648), tl.int32)
    same(tl.to_tensor(-2147483649), tl.int64)
    same(tl.to_tensor(9223372036854775808), tl.uint64)
    same(tl.to_tensor(1.0), tl.float32)
    same(tl.to_tensor(0.0), tl.float32)
    same(tl.to_tensor(float("inf")), tl.float32)
    same(tl.to_tensor(float("nan")), tl.float32)
    same(tl.to_tensor(3.5e38), tl.float64)
    same(tl.to_tensor(1e-40), tl.float64)
