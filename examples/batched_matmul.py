"""Batched matrix product, once with block pointers and once with tensor descriptors: the bounds are in the accesses, not in masks."""
import triton
import triton.language as tl


@triton.jit
def bmm_block_ptr_kernel(a_ptr, b_ptr, c_ptr, M, N, K, sab, sam, sak, sbb, sbk, sbn, scb, scm, scn,
                         BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    batch = tl.program_id(2).to(tl.int64)
    row = tl.program_id(0) * BLOCK_M
    col = tl.program_id(1) * BLOCK_N
    a = tl.make_block_ptr(base=a_ptr + batch * sab, shape=(M, K), strides=(sam, sak), offsets=(row, 0),
                          block_shape=(BLOCK_M, BLOCK_K), order=(1, 0))
    b = tl.make_block_ptr(base=b_ptr + batch * sbb, shape=(K, N), strides=(sbk, sbn), offsets=(0, col),
                          block_shape=(BLOCK_K, BLOCK_N), order=(1, 0))
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for _ in range(0, K, BLOCK_K):
        acc += tl.dot(tl.load(a, boundary_check=(0, 1), padding_option="zero"), tl.load(b, boundary_check=(0, 1), padding_option="zero"))
        a = tl.advance(a, (0, BLOCK_K))
        b = tl.advance(b, (BLOCK_K, 0))
    c = tl.make_block_ptr(base=c_ptr + batch * scb, shape=(M, N), strides=(scm, scn), offsets=(row, col),
                          block_shape=(BLOCK_M, BLOCK_N), order=(1, 0))
    tl.store(c, acc.to(c_ptr.dtype.element_ty), boundary_check=(0, 1))


@triton.jit
def bmm_descriptor_kernel(a_ptr, b_ptr, c_ptr, B, M, N, K,
                          BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    batch = tl.program_id(2)
    row = tl.program_id(0) * BLOCK_M
    col = tl.program_id(1) * BLOCK_N
    a = tl.make_tensor_descriptor(a_ptr, shape=[B, M, K], strides=[M * K, K, 1], block_shape=[1, BLOCK_M, BLOCK_K])
    b = tl.make_tensor_descriptor(b_ptr, shape=[B, K, N], strides=[K * N, N, 1], block_shape=[1, BLOCK_K, BLOCK_N])
    c = tl.make_tensor_descriptor(c_ptr, shape=[B, M, N], strides=[M * N, N, 1], block_shape=[1, BLOCK_M, BLOCK_N])
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        x = a.load([batch, row, k]).reshape(BLOCK_M, BLOCK_K)
        y = b.load([batch, k, col]).reshape(BLOCK_K, BLOCK_N)
        acc = tl.dot(x, y, acc)
    c.store([batch, row, col], acc.to(c_ptr.dtype.element_ty).reshape(1, BLOCK_M, BLOCK_N))
