# Python's own functions on compile-time values, and what kernels read of triton, torch and numpy.
# RUN: kdsl compile %s --signature "*fp32, i32" --emit kd -o %t
import triton
import triton.language as tl
import numpy as np
import torch

LOWEST: tl.constexpr = tl.constexpr(torch.finfo(torch.float32).min)
MOST: tl.constexpr = np.iinfo(np.int16).max


@triton.jit
def kernel(p, n):
    x = tl.zeros([4], tl.float32)
    tl.static_assert(min(3, 1, 2) == 1 and max((3, 1, 2)) == 3 and abs(-2) == 2 and abs(-2.5) == 2.5)
    tl.static_assert(len((1, 2)) == 2 and len("abc") == 3 and int(2.7) == 2 and int("12") == 12 and float("1e3") == 1000.0)
    tl.static_assert(float("-inf") < 0 and bool(2) and not bool("") and str(1.5) == "1.5" and repr("a") == "'a'")
    tl.static_assert(isinstance(1, int) and isinstance(1.0, (int, float)) and not isinstance(1.0, int) and isinstance(True, bool))
    tl.static_assert(isinstance(x, tl.tensor) and not isinstance(x, tl.constexpr) and isinstance(3, tl.constexpr) and isinstance("a", str))
    tl.static_assert(isinstance((1,), tuple) and isinstance([1], list) and isinstance(x.dtype, tl.dtype) and isinstance((1,), tl.tuple))
    tl.static_assert(isinstance(p.dtype, tl.pointer_type) and isinstance(x.type, tl.block_type) and not isinstance(x, tl.tensor_descriptor))
    tl.static_assert(tuple(range(3)) == (0, 1, 2) and list((1, 2)) == [1, 2] and tuple(zip((1, 2), (3, 4))) == ((1, 3), (2, 4)))
    tl.static_assert(tuple(enumerate((7, 8), 1)) == ((1, 7), (2, 8)) and tuple(reversed((1, 2))) == (2, 1) and sorted((3, 1, 2)) == [1, 2, 3])
    tl.static_assert(sum((1, 2, 3)) == 6 and sum((1, 2), 10) == 13 and any((0, 1)) and not all((0, 1)) and pow(2, 5) == 32)
    tl.static_assert(divmod(-7, 2) == (-4, 1) and round(2.5) == 2 and round(3.14159, 2) == 3.14)
    tl.static_assert(getattr(x, "dtype") == tl.float32 and hasattr(tl, "gather") and not hasattr(tl, "no_such_name"))
    tl.static_assert(getattr(x, "nothing", 5) == 5 and callable(tl.sum) and not callable(5) and hasattr(x, "shape"))
    tl.static_assert(triton.cdiv(7, 2) == 4 and triton.next_power_of_2(5) == 8 and triton.next_power_of_2(8) == 8 and tl.cdiv(8, 2) == 4)
    tl.static_assert(LOWEST == -3.4028234663852886e38 and MOST == 32767 and torch.iinfo(torch.int32).min == -(2**31))
    tl.static_assert(np.finfo(np.float64).eps == 2.0**-52 and torch.finfo(torch.bfloat16).bits == 16 and torch.finfo(torch.float16).max == 65504.0)
    tl.static_assert(torch.float8_e4m3fn == tl.float8e4nv and np.uint8 == tl.uint8 and np.pi > 3.14 and np.inf == float("inf") and torch.inf > 0)
    tl.static_assert(torch.half == tl.float16 and torch.long == tl.int64 and torch.bool == tl.int1 and torch.version.hip is None)
    tl.static_assert(torch.version.cuda is None and torch.version.xpu is None and np.e > 2.7 and torch.pi == np.pi)
    tl.static_assert(torch.int8 == tl.int8 and torch.int16 == tl.int16 and torch.int64 == tl.int64 and torch.uint8 == tl.uint8)
    tl.static_assert(torch.uint16 == tl.uint16 and torch.uint32 == tl.uint32 and torch.uint64 == tl.uint64 and torch.float64 == tl.float64)
    tl.static_assert(torch.float == tl.float32 and torch.double == tl.float64 and torch.int == tl.int32 and torch.short == tl.int16)
    tl.static_assert(torch.float8_e5m2 == tl.float8e5 and torch.nan != torch.nan and np.nan != np.nan and np.int64 == tl.int64)
    tl.static_assert(np.int8 == tl.int8 and np.int32 == tl.int32 and np.float16 == tl.float16 and np.float32 == tl.float32)
    tl.static_assert(np.uint16 == tl.uint16 and np.uint32 == tl.uint32 and np.uint64 == tl.uint64)
    for i in range(0, n, 2):
        x += i
    for j in tl.range(0, 4, num_stages=3, loop_unroll_factor=2, flatten=True, warp_specialize=False):
        x += j
    for k in tl.static_range(2):
        tl.static_assert(k < 2)
    tl.store(p + tl.arange(0, 4), x)
