"""A whole file as people write it: only the definitions remain."""
import torch
import triton
import triton.language as tl
from .utils import (cdiv, next_power as np2,)

DEVICE = triton.runtime.driver.active.get_active_torch_device()
BLOCK: tl.constexpr = tl.constexpr(128)


@triton.autotune(
    configs=[triton.Config({'BLOCK_SIZE': b}, num_warps=4) for b in [128, 256]],  # two of them
    key=['n_elements'],
)
@triton.jit
def add_kernel(x_ptr,  # *Pointer* to the first vector
               y_ptr,
               out_ptr, n_elements,
               BLOCK_SIZE: tl.constexpr,
               ):
    """Adds two vectors.

    They have n_elements each."""
    pid = tl.program_id(axis=0)
    offsets = pid * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    mask = offsets < n_elements
    x = tl.load(x_ptr + offsets, mask=mask)
    y = tl.load(y_ptr + offsets,
# a comment at the margin does not end the block
                mask=mask, other=0.0)
    tl.store(out_ptr + offsets, x + y, mask=mask)


def add(x: torch.Tensor, y: torch.Tensor):
    output = torch.empty_like(x)
    grid = lambda meta: (triton.cdiv(output.numel(), meta['BLOCK_SIZE']), )
    add_kernel[grid](x, y, output, output.numel(), BLOCK_SIZE=1024)
    return output


if __name__ == "__main__":
    torch.manual_seed(0)
    print(f'The maximum difference is {torch.max(torch.abs(add(x, y) - (x + y)))}')
