"""Attention without the matrix of scores: a running maximum and sum over blocks of keys (forward pass)."""
import triton
import triton.language as tl


@triton.jit
def attention_inner(acc, l_i, m_i, q, k_ptrs, v_ptrs, stride_kn, stride_vn, first, last, offs_m, n_ctx, qk_scale,
                    CAUSAL: tl.constexpr, BLOCK_N: tl.constexpr):
    offs_n = tl.arange(0, BLOCK_N)
    for start in range(first, last, BLOCK_N):
        start = tl.multiple_of(start, BLOCK_N)
        keys = start + offs_n
        k = tl.load(k_ptrs + keys[None, :] * stride_kn, mask=keys[None, :] < n_ctx, other=0.0)
        v = tl.load(v_ptrs + keys[:, None] * stride_vn, mask=keys[:, None] < n_ctx, other=0.0)
        qk = tl.dot(q, k) * qk_scale
        visible = keys[None, :] < n_ctx
        if CAUSAL:
            visible = visible & (offs_m[:, None] >= keys[None, :])
        qk = tl.where(visible, qk, -1.0e6)
        m_new = tl.maximum(m_i, tl.max(qk, 1))
        p = tl.math.exp2(qk - m_new[:, None])
        alpha = tl.math.exp2(m_i - m_new)
        l_i = l_i * alpha + tl.sum(p, 1)
        acc = acc * alpha[:, None] + tl.dot(p.to(v.dtype), v)
        m_i = m_new
    return acc, l_i, m_i


@triton.jit
def attention_fwd_kernel(Q, K, V, Out, L, sm_scale, stride_qh, stride_qm, stride_kh, stride_kn, stride_vh, stride_vn,
                         stride_oh, stride_om, n_ctx, HEAD_DIM: tl.constexpr, CAUSAL: tl.constexpr,
                         BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    tl.static_assert(HEAD_DIM >= 16, "a head has at least 16 elements")
    start_m = tl.program_id(0)
    head = tl.program_id(1).to(tl.int64)
    offs_m = start_m * BLOCK_M + tl.arange(0, BLOCK_M)
    offs_d = tl.arange(0, HEAD_DIM)
    q = tl.load(Q + head * stride_qh + offs_m[:, None] * stride_qm + offs_d[None, :], mask=offs_m[:, None] < n_ctx, other=0.0)
    k_ptrs = K + head * stride_kh + offs_d[:, None]
    v_ptrs = V + head * stride_vh + offs_d[None, :]
    m_i = tl.full([BLOCK_M], -float("inf"), dtype=tl.float32)
    l_i = tl.zeros([BLOCK_M], dtype=tl.float32)
    acc = tl.zeros([BLOCK_M, HEAD_DIM], dtype=tl.float32)
    last = n_ctx
    if CAUSAL:
        last = min((start_m + 1) * BLOCK_M, n_ctx)
    acc, l_i, m_i = attention_inner(acc, l_i, m_i, q, k_ptrs, v_ptrs, stride_kn, stride_vn, 0, last, offs_m, n_ctx,
                                    sm_scale * 1.4426950408889634, CAUSAL, BLOCK_N)
    acc = acc / l_i[:, None]
    tl.store(L + head * n_ctx + offs_m, m_i + tl.math.log2(l_i), mask=offs_m < n_ctx)
    out = Out + head * stride_oh + offs_m[:, None] * stride_om + offs_d[None, :]
    tl.store(out, acc.to(Out.type.element_ty), mask=offs_m[:, None] < n_ctx)
