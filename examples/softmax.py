"""Row softmax. A row fits a tile, so it is read once and written once."""
import triton
import triton.language as tl


@triton.jit
def softmax_kernel(x, out, n, sx, so, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    mask = cols < n
    values = tl.load(x + row * sx + cols, mask=mask, other=-float("inf"))
    shifted = values - tl.max(values, axis=0)
    numerator = tl.exp(shifted)
    denominator = tl.sum(numerator, axis=0)
    tl.store(out + row * so + cols, numerator / denominator, mask=mask)


@triton.jit
def softmax_looped_kernel(x_ptr, out_ptr, n_columns, stride, BLOCK: tl.constexpr):
    """For rows of any length: a running maximum and sum, then a second pass."""
    row = tl.program_id(0).to(tl.int64)
    x_ptr += row * stride
    out_ptr += row * stride
    running_max = tl.full([BLOCK], -float("inf"), dtype=tl.float32)
    running_sum = tl.zeros([BLOCK], dtype=tl.float32)
    for start in range(0, n_columns, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        values = tl.load(x_ptr + cols, mask=cols < n_columns, other=-float("inf")).to(tl.float32)
        new_max = tl.maximum(running_max, values)
        scale = tl.where(running_max == new_max, 1.0, tl.exp(running_max - new_max))
        running_sum = running_sum * scale + tl.where(cols < n_columns, tl.exp(values - new_max), 0.0)
        running_max = new_max
    row_max = tl.max(running_max, axis=0)
    total = tl.sum(running_sum * tl.exp(running_max - row_max), axis=0)
    for start in range(0, n_columns, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        mask = cols < n_columns
        values = tl.load(x_ptr + cols, mask=mask, other=-float("inf")).to(tl.float32)
        tl.store(out_ptr + cols, tl.exp(values - row_max) / total, mask=mask)
