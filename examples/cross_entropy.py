"""Cross entropy and its gradient with respect to the logits, which replaces the logits in place."""
import triton
import triton.language as tl


@triton.jit
def cross_entropy_kernel(X_ptr, X_stride, Y_ptr, loss_ptr, n_cols, n_valid, ignore_index,
                         label_smoothing: tl.constexpr, BLOCK_SIZE: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    y = tl.load(Y_ptr + row)
    X_ptr += row * X_stride
    if y == ignore_index:
        for i in range(0, n_cols, BLOCK_SIZE):
            cols = i + tl.arange(0, BLOCK_SIZE)
            tl.store(X_ptr + cols, 0.0, mask=cols < n_cols)
        tl.store(loss_ptr + row, 0.0)
        return
    m = float("-inf")
    d = 0.0
    scaled_sum = 0.0
    for i in range(0, n_cols, BLOCK_SIZE):
        cols = i + tl.arange(0, BLOCK_SIZE)
        x = tl.load(X_ptr + cols, mask=cols < n_cols, other=float("-inf")).to(tl.float32)
        block_max = tl.max(x)
        m_new = tl.maximum(m, block_max)
        d = d * tl.exp(m - m_new) + tl.sum(tl.exp(x - m_new))
        m = m_new
        if label_smoothing > 0:
            scaled_sum += tl.sum(tl.where(cols < n_cols, x, 0.0))
    lse = m + tl.log(d)
    x_y = tl.load(X_ptr + y).to(tl.float32)
    loss = lse - x_y
    if label_smoothing > 0:
        smooth = lse - scaled_sum / n_cols
        loss = loss * (1 - label_smoothing) + label_smoothing * smooth
    for i in range(0, n_cols, BLOCK_SIZE):
        cols = i + tl.arange(0, BLOCK_SIZE)
        mask = cols < n_cols
        x = tl.load(X_ptr + cols, mask=mask, other=float("-inf")).to(tl.float32)
        grad = tl.exp(x - lse) - label_smoothing / n_cols
        grad = tl.where(cols == y, grad - (1 - label_smoothing), grad) / n_valid
        tl.store(X_ptr + cols, grad, mask=mask)
    tl.store(loss_ptr + row, loss / n_valid)
