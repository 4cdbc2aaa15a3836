"""Running sums along rows, in blocks with a carry; and the same with a decay (a linear recurrence) by an associative scan."""
import triton
import triton.language as tl


@triton.jit
def cumsum_kernel(x_ptr, out_ptr, n_cols, stride, REVERSE: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    carry = tl.zeros((), dtype=tl.float32)
    n_blocks = tl.cdiv(n_cols, BLOCK)
    for i in range(n_blocks):
        block = i
        if REVERSE:
            block = n_blocks - 1 - i
        cols = block * BLOCK + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * stride + cols, mask=cols < n_cols, other=0.0).to(tl.float32)
        tl.store(out_ptr + row * stride + cols, tl.cumsum(x, axis=0, reverse=REVERSE) + carry, mask=cols < n_cols)
        carry += tl.sum(x, axis=0)


@triton.jit
def first_order(a1, b1, a2, b2):
    return a1 * a2, b1 * a2 + b2


@triton.jit
def linear_recurrence_kernel(decay_ptr, x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    """out[t] = decay[t] * out[t - 1] + x[t]"""
    row = tl.program_id(0)
    t = tl.arange(0, BLOCK)
    a = tl.load(decay_ptr + row * n + t, mask=t < n, other=1.0)
    b = tl.load(x_ptr + row * n + t, mask=t < n, other=0.0)
    _, out = tl.associative_scan((a, b), 0, first_order)
    tl.store(out_ptr + row * n + t, out, mask=t < n)
