"""Rotary position embedding, in place, on the query or key heads of one token a program."""
import triton
import triton.language as tl


@triton.jit
def rope_kernel(q_ptr, q_row_stride, cos_ptr, sin_ptr, cs_row_stride, seq_len,
                N_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, BACKWARD: tl.constexpr = False):
    token = tl.program_id(0)
    position = token % seq_len
    half = tl.arange(0, HEAD_DIM // 2)
    cos = tl.load(cos_ptr + position * cs_row_stride + half)
    sin = tl.load(sin_ptr + position * cs_row_stride + half)
    if BACKWARD:
        sin = -sin
    heads = tl.arange(0, N_HEADS)
    first = q_ptr + token * q_row_stride + heads[:, None] * HEAD_DIM + half[None, :]
    second = first + HEAD_DIM // 2
    a = tl.load(first).to(tl.float32)
    b = tl.load(second).to(tl.float32)
    tl.store(first, a * cos[None, :] - b * sin[None, :])
    tl.store(second, b * cos[None, :] + a * sin[None, :])
