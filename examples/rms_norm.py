"""RMS norm, forward and backward, as language models use it."""
import triton
import triton.language as tl


@triton.jit
def rms_norm_fwd_kernel(Y, X, W, Rstd, stride, n_cols, eps, offset, BLOCK_SIZE: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK_SIZE)
    mask = cols < n_cols
    x_in = tl.load(X + row * stride + cols, mask=mask, other=0)
    x = x_in.to(tl.float32)
    w = tl.load(W + cols, mask=mask, other=0).to(tl.float32)
    rstd = tl.rsqrt(tl.sum(x * x, axis=0) / n_cols + eps)
    tl.store(Rstd + row, rstd)
    y = x * rstd * (offset + w)
    tl.store(Y + row * stride + cols, y.to(x_in.dtype), mask=mask)


@triton.jit
def rms_norm_bwd_kernel(DX, DY, X, W, Rstd, DW_partial, stride, n_rows, n_cols, offset,
                        ROWS_PER_PROGRAM: tl.constexpr, BLOCK_SIZE: tl.constexpr):
    group = tl.program_id(0)
    cols = tl.arange(0, BLOCK_SIZE)
    mask = cols < n_cols
    w = tl.load(W + cols, mask=mask, other=0.0).to(tl.float32) + offset
    dw = tl.zeros((BLOCK_SIZE,), dtype=tl.float32)
    start = group * ROWS_PER_PROGRAM
    end = tl.minimum(start + ROWS_PER_PROGRAM, n_rows)
    for row in range(start, end):
        x = tl.load(X + row * stride + cols, mask=mask, other=0.0).to(tl.float32)
        dy = tl.load(DY + row * stride + cols, mask=mask, other=0.0).to(tl.float32)
        rstd = tl.load(Rstd + row)
        m = dy * w
        dx = rstd * (m - x * (rstd * rstd / n_cols) * tl.sum(m * x, axis=0))
        tl.store(DX + row * stride + cols, dx.to(DX.dtype.element_ty), mask=mask)
        dw += dy * (x * rstd)
    tl.store(DW_partial + group * n_cols + cols, dw, mask=mask)
