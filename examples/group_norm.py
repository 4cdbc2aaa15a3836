"""Group norm over NCHW, with a SiLU: one program a (sample, group)."""
import triton
import triton.language as tl


@triton.jit
def group_norm_silu_kernel(x_ptr, out_ptr, w_ptr, b_ptr, n_channels, n_pixels, eps,
                           CHANNELS_PER_GROUP: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr, SILU: tl.constexpr):
    sample = tl.program_id(0)
    group = tl.program_id(1)
    in_group = tl.arange(0, BLOCK_C)
    channels = group * CHANNELS_PER_GROUP + in_group
    rows = (sample * n_channels + channels)[:, None] * n_pixels
    total = tl.zeros([BLOCK_C, BLOCK_P], dtype=tl.float32)
    squares = tl.zeros([BLOCK_C, BLOCK_P], dtype=tl.float32)
    for start in range(0, n_pixels, BLOCK_P):
        pixels = start + tl.arange(0, BLOCK_P)[None, :]
        x = tl.load(x_ptr + rows + pixels, mask=(in_group[:, None] < CHANNELS_PER_GROUP) & (pixels < n_pixels), other=0.0).to(tl.float32)
        total += x
        squares += x * x
    count = CHANNELS_PER_GROUP * n_pixels
    mean = tl.sum(total) / count
    variance = tl.sum(squares) / count - mean * mean
    rstd = tl.rsqrt(variance + eps)
    w = tl.load(w_ptr + channels, mask=in_group < CHANNELS_PER_GROUP, other=0.0)
    b = tl.load(b_ptr + channels, mask=in_group < CHANNELS_PER_GROUP, other=0.0)
    for start in range(0, n_pixels, BLOCK_P):
        pixels = start + tl.arange(0, BLOCK_P)[None, :]
        mask = (in_group[:, None] < CHANNELS_PER_GROUP) & (pixels < n_pixels)
        x = tl.load(x_ptr + rows + pixels, mask=mask, other=0.0).to(tl.float32)
        y = (x - mean) * rstd * w[:, None] + b[:, None]
        if SILU:
            y = y * tl.sigmoid(y)
        tl.store(out_ptr + rows + pixels, y, mask=mask)
