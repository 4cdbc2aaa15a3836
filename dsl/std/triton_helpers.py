# triton_helpers.py - torch._inductor.runtime.triton_helpers: what kernels that PyTorch's Inductor has written out import.
import triton
import triton.language as tl
from triton.language import math
from triton.language.extra import libdevice


@triton.jit
def promote_to_tensor(x):
    return x + tl.zeros((1,), tl.int1)


@triton.jit
def div_floor_integer(a, b):
    # Rounds down, as Python does; // of tensors truncates.
    quotient = a // b
    return tl.where((a % b != 0) & ((a < 0) != (b < 0)), quotient - 1, quotient)


@triton.jit
def remainder_integer(a, b):
    remainder = a % b
    return tl.where((remainder != 0) & ((remainder < 0) != (b < 0)), remainder + b, remainder)


@triton.jit
def is_floating(x):
    return promote_to_tensor(x).dtype.is_floating()


# ---- minima and maxima: a NaN wins ----


@triton.jit
def minimum(a, b):
    keep = a < b
    if is_floating(a):
        keep |= a != a
    return tl.where(keep, a, b)


@triton.jit
def maximum(a, b):
    keep = a > b
    if is_floating(a):
        keep |= a != a
    return tl.where(keep, a, b)


@triton.jit
def min2(a, dim):
    return tl.reduce(a, dim, minimum)


@triton.jit
def max2(a, dim):
    return tl.reduce(a, dim, maximum)


@triton.jit
def _prefer_first(better, equal, a_value, a_index, b_value, b_index):
    # Of equal values the one with the smaller index.
    keep = better | (equal & (a_index < b_index))
    return tl.where(keep, a_value, b_value), tl.where(keep, a_index, b_index)


@triton.jit
def minimum_with_index(a_value, a_index, b_value, b_index):
    better = a_value < b_value
    equal = a_value == b_value
    if is_floating(a_value):
        a_nan = a_value != a_value
        b_nan = b_value != b_value
        better |= a_nan & (b_value == b_value)
        equal |= a_nan & b_nan
    return _prefer_first(better, equal, a_value, a_index, b_value, b_index)


@triton.jit
def maximum_with_index(a_value, a_index, b_value, b_index):
    better = a_value > b_value
    equal = a_value == b_value
    if is_floating(a_value):
        a_nan = a_value != a_value
        b_nan = b_value != b_value
        better |= a_nan & (b_value == b_value)
        equal |= a_nan & b_nan
    return _prefer_first(better, equal, a_value, a_index, b_value, b_index)


@triton.jit
def min_with_index(value, index, dim):
    return tl.reduce((value, index), dim, minimum_with_index)


@triton.jit
def max_with_index(value, index, dim):
    return tl.reduce((value, index), dim, maximum_with_index)


# ---- other folds ----


@triton.jit
def _product(a, b):
    return a * b


@triton.jit
def prod(x, axis):
    return tl.reduce(x, axis, _product)


@triton.jit
def any_combine(a, b):
    return a | b


@triton.jit
def any(a, dim):
    return tl.reduce(a, dim, any_combine)


@triton.jit
def _xor(a, b):
    return a ^ b


@triton.jit
def xor_sum(a, dim):
    return tl.reduce(a, dim, _xor)


# ---- Welford's mean and sum of squared differences (m2), with how many elements each stands for (weight) ----


@triton.jit
def welford_combine(mean_1, m2_1, weight_1, mean_2, m2_2, weight_2):
    delta = mean_2 - mean_1
    weight = weight_1 + weight_2
    part_2 = tl.where(weight == 0.0, 0.0, weight_2 / weight)
    return mean_1 + delta * part_2, m2_1 + m2_2 + delta * delta * weight_1 * part_2, weight


@triton.jit
def welford(mean, m2, weight, dim):
    return tl.reduce((mean, m2, weight), dim, welford_combine)


@triton.jit
def welford_reduce(value, mean, m2, weight, first_iteration):
    if first_iteration:
        new_weight = tl.full(weight.shape, 1, weight.dtype)
        new_mean = value
        new_m2 = tl.zeros_like(m2)
    else:
        delta = value - mean
        new_weight = weight + 1
        new_mean = mean + delta / new_weight
        new_m2 = m2 + delta * (value - new_mean)
    return new_mean, new_m2, new_weight


# ---- odds and ends ----


@triton.jit
def device_assert_then(condition, message, value):
    tl.device_assert(condition, message)
    return value


@triton.jit
def randint64(seed, offset, low, high):
    r0, r1, r2, r3 = tl.randint4x(seed, offset)
    wide = (r0.to(tl.uint64) << 32) | r1.to(tl.uint64)
    return (wide % (high - low).to(tl.uint64)).to(tl.int64) + low


@triton.jit
def select_one(x, mask, dim, keep_dims=False):
    # The one element of an axis where the mask holds, whatever its type: a sum of bits.
    bits = tl.core.get_int_dtype(x.dtype.primitive_bitwidth, False)
    picked = tl.sum(tl.where(mask, x.to(bits, bitcast=True), 0), dim, keep_dims=keep_dims).to(bits)
    return picked.to(x.dtype, bitcast=True)
