# standard.py - functions of triton.language that are written in the language.
import triton
import triton.language as tl


@triton.jit
def softmax(x, dim=None, keep_dims=None, ieee_rounding=False):
    # Along axis 0 unless one is named. Subtracting the maximum keeps exp from overflowing.
    axis: tl.constexpr = 0 if dim is None else dim
    numerator = tl.exp(x - tl.max(x, axis, keep_dims=True))
    return tl.fdiv(numerator, tl.sum(numerator, axis, keep_dims=True), ieee_rounding)


@triton.jit
def swizzle2d(i, j, size_i, size_j, size_g):
    # Bands of size_g rows are walked column by column; the last band may be lower.
    position = i * size_j + j
    band_size = size_g * size_j
    first_row = position // band_size * size_g
    rows = tl.minimum(size_i - first_row, size_g)
    position = position % band_size
    return first_row + position % rows, position // rows


# Kernels that fold and sort by hand import these from triton.language.standard by their names there.

@triton.constexpr_function
def _log2(i):
    log = 0
    while i > 1:
        i = i >> 1
        log += 1
    return log


@triton.constexpr_function
def _is_power_of_two(i):
    return i > 0 and (i & (i - 1)) == 0


@triton.jit
def _sum_combine(a, b):
    return a + b


@triton.jit
def _prod_combine(a, b):
    return a * b


@triton.jit
def _xor_combine(a, b):
    return a ^ b


@triton.jit
def _or_combine(a, b):
    return a | b


@triton.jit
def _elementwise_max(a, b):
    return tl.maximum(a, b)


@triton.jit
def _elementwise_min(a, b):
    return tl.minimum(a, b)


@triton.jit
def _argmax_combine(value1, index1, value2, index2, tie_break_left):
    if tie_break_left:
        first = value1 > value2 or (value1 == value2 and index1 < index2)
    else:
        first = value1 > value2
    return tl.where(first, value1, value2), tl.where(first, index1, index2)


@triton.jit
def _argmax_combine_tie_break_left(value1, index1, value2, index2):
    return _argmax_combine(value1, index1, value2, index2, True)


@triton.jit
def _argmax_combine_tie_break_fast(value1, index1, value2, index2):
    return _argmax_combine(value1, index1, value2, index2, False)


@triton.jit
def _argmin_combine(value1, index1, value2, index2, tie_break_left):
    if tie_break_left:
        first = value1 < value2 or (value1 == value2 and index1 < index2)
    else:
        first = value1 < value2
    return tl.where(first, value1, value2), tl.where(first, index1, index2)


@triton.jit
def _argmin_combine_tie_break_left(value1, index1, value2, index2):
    return _argmin_combine(value1, index1, value2, index2, True)


@triton.jit
def _argmin_combine_tie_break_fast(value1, index1, value2, index2):
    return _argmin_combine(value1, index1, value2, index2, False)


@triton.jit
def _get_int_dtype(bitwidth, signed):
    return tl.get_int_dtype(bitwidth, signed)


@triton.jit
def _indicator(n_dims: tl.constexpr, j: tl.constexpr):
    # 0 and 1 along axis j, counted from the last.
    return tl.reshape(tl.arange(0, 2), [1] * (n_dims - j - 1) + [2] + [1] * j)
