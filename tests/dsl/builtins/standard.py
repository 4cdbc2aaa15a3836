# Helpers that Triton keeps to itself, imported as kernels do.
# RUN: kdsl compile %s --signature "*i32" --emit kd -o %t
import triton
import triton.language as tl
from triton.language.standard import _log2, zeros_like, _is_power_of_two
from triton.language.extra import libdevice
from triton.language.extra import libdevice as a_name
from triton.language.extra.cuda import libdevice as another_name
import triton.language.extra.hip.libdevice as third_name
from triton.language.math import exp2, tanh
from triton.language.random import rand


@triton.jit
def kernel(p):
    x = tl.load(p + tl.arange(0, 8))
    i = tl.arange(0, 8)
    tl.static_assert(_log2(x.numel) == 3 and tl.standard._log2(1) == 0 and _is_power_of_two(8) and not tl.standard._is_power_of_two(0))
    tl.static_assert(tl.standard._get_int_dtype(8, True) == tl.int8 and tl.standard._indicator(3, 1).shape == (1, 2, 1))
    tl.static_assert(zeros_like(x).dtype == tl.int32 and exp2(x * 1.0).dtype == tl.float32 and tanh(x * 1.0).dtype == tl.float32)
    tl.static_assert(a_name.tanh(x * 1.0).dtype == tl.float32 and another_name.erf(x * 1.0).shape == (8,) and third_name.popc(x).dtype == tl.int32)
    tl.static_assert(tl.libdevice.exp(x * 1.0).dtype == tl.float32 and tl.extra.libdevice.exp(x * 1.0).dtype == tl.float32)
    tl.static_assert(tl.extra.hip.libdevice.exp(x * 1.0).dtype == tl.float32 and tl.extra.xpu.libdevice.exp(x * 1.0).dtype == tl.float32)
    tl.static_assert(tl.extra.intel.libdevice.exp(x * 1.0).dtype == tl.float32 and libdevice.libdevice.exp(x * 1.0).dtype == tl.float32)
    tl.static_assert(rand(0, i).dtype == tl.float32 and tl.random.rand(0, i).dtype == tl.float32)
    s = tl.reduce(x, 0, tl.standard._sum_combine) + tl.reduce(x, 0, tl.standard._xor_combine) + tl.reduce(x, 0, tl.standard._or_combine)
    s += tl.reduce(x, 0, tl.standard._elementwise_max) + tl.reduce(x, 0, tl.standard._elementwise_min)
    a, b = tl.reduce((x, i), 0, tl.standard._argmax_combine_tie_break_left)
    c, d = tl.reduce((x, i), 0, tl.standard._argmax_combine_tie_break_fast)
    e, f = tl.reduce((x, i), 0, tl.standard._argmin_combine_tie_break_left)
    g, h = tl.reduce((x, i), 0, tl.standard._argmin_combine_tie_break_fast)
    tl.static_assert(tl.standard._argmax_combine(s, 0, s, 1, True)[0].dtype == tl.int32)
    tl.static_assert(tl.standard._argmin_combine(s, 0, s, 1, False)[1].dtype == tl.int32)
    tl.store(p + i, tl.associative_scan(x, 0, tl.standard._prod_combine) + s + b + d + f + h)
