"""Convolution by hand (NHWC, one group): an implicit matrix product over the filter's positions and the input channels."""
import triton
import triton.language as tl


@triton.jit
def conv2d_kernel(x_ptr, w_ptr, bias_ptr, out_ptr, batch, height, width, c_in, c_out, out_h, out_w,
                  KH: tl.constexpr, KW: tl.constexpr, STRIDE: tl.constexpr, PADDING: tl.constexpr,
                  BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    pixels = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    channels = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    n = pixels // (out_h * out_w)
    y = pixels // out_w % out_h
    x = pixels % out_w
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for kh in tl.static_range(KH):
        for kw in tl.static_range(KW):
            in_y = y * STRIDE + kh - PADDING
            in_x = x * STRIDE + kw - PADDING
            inside = (n < batch) & (in_y >= 0) & (in_y < height) & (in_x >= 0) & (in_x < width)
            row = (n * height + in_y) * width + in_x
            for c in range(0, c_in, BLOCK_K):
                ks = c + tl.arange(0, BLOCK_K)
                a = tl.load(x_ptr + row[:, None] * c_in + ks[None, :], mask=inside[:, None] & (ks[None, :] < c_in), other=0.0)
                w_row = (kh * KW + kw) * c_in + ks
                b = tl.load(w_ptr + w_row[:, None] * c_out + channels[None, :],
                            mask=(ks[:, None] < c_in) & (channels[None, :] < c_out), other=0.0)
                acc = tl.dot(a, b, acc, allow_tf32=False)
    if bias_ptr is not None:
        acc += tl.load(bias_ptr + channels, mask=channels < c_out, other=0.0)[None, :]
    mask = (pixels < batch * out_h * out_w)[:, None] & (channels < c_out)[None, :]
    tl.store(out_ptr + pixels[:, None] * c_out + channels[None, :], acc, mask=mask)
