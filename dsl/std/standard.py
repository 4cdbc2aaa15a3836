# standard.py - functions of triton.language that are written in the language.
import triton
import triton.language as tl


@triton.jit
def softmax(x, dim=None, keep_dims=None, ieee_rounding=False):
    # Along axis 0 unless one is named. Subtracting the maximum keeps exp from overflowing.
    axis: tl.constexpr = 0 if dim is None else dim
    numerator = tl.exp(x - tl.max(x, axis, keep_dims=True))
    return numerator / tl.sum(numerator, axis, keep_dims=True)


@triton.jit
def swizzle2d(i, j, size_i, size_j, size_g):
    # Bands of size_g rows are walked column by column; the last band may be lower.
    position = i * size_j + j
    band_size = size_g * size_j
    first_row = position // band_size * size_g
    rows = tl.minimum(size_i - first_row, size_g)
    position = position % band_size
    return first_row + position % rows, position // rows
