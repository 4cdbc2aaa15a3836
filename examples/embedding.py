"""Embedding: rows of a table by index; and its gradient by atomic adds."""
import triton
import triton.language as tl


@triton.jit
def embedding_kernel(ids_ptr, table_ptr, out_ptr, n_ids, dim, BLOCK_IDS: tl.constexpr, BLOCK_DIM: tl.constexpr):
    ids_offs = tl.program_id(0) * BLOCK_IDS + tl.arange(0, BLOCK_IDS)
    dims = tl.program_id(1) * BLOCK_DIM + tl.arange(0, BLOCK_DIM)
    ids = tl.load(ids_ptr + ids_offs, mask=ids_offs < n_ids, other=0)
    mask = (ids_offs[:, None] < n_ids) & (dims[None, :] < dim)
    rows = tl.load(table_ptr + ids[:, None] * dim + dims[None, :], mask=mask)
    tl.store(out_ptr + ids_offs[:, None] * dim + dims[None, :], rows, mask=mask)


@triton.jit
def embedding_backward_kernel(ids_ptr, grad_ptr, grad_table_ptr, dim, BLOCK_DIM: tl.constexpr):
    i = tl.program_id(0)
    dims = tl.program_id(1) * BLOCK_DIM + tl.arange(0, BLOCK_DIM)
    row = tl.load(ids_ptr + i)
    grad = tl.load(grad_ptr + i * dim + dims, mask=dims < dim)
    tl.atomic_add(grad_table_ptr + row * dim + dims, grad, mask=dims < dim)
