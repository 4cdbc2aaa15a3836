"""Counting: by atomics into global memory, and per block with tl.histogram."""
import triton
import triton.language as tl


@triton.jit
def histogram_atomic_kernel(x_ptr, counts_ptr, n, n_bins, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs, mask=offs < n, other=-1)
    tl.atomic_add(counts_ptr + x, 1, mask=(x >= 0) & (x < n_bins))


@triton.jit
def histogram_block_kernel(x_ptr, counts_ptr, n, N_BINS: tl.constexpr, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask, other=0)
    counts = tl.histogram(x, N_BINS, mask=mask)
    tl.atomic_add(counts_ptr + tl.arange(0, N_BINS), counts)
