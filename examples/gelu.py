"""A chain of pointwise work: bias, GELU (tanh form or exact) and a residual, in one pass over memory."""
import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def gelu_tanh(x):
    inner = 0.7978845608028654 * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1.0 + libdevice.tanh(inner))


@triton.jit
def gelu_exact(x):
    return 0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))


@triton.jit
def bias_gelu_residual_kernel(x_ptr, bias_ptr, residual_ptr, out_ptr, n_elements, n_columns,
                              APPROXIMATE: tl.constexpr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < n_elements
    x = tl.load(x_ptr + offsets, mask=mask).to(tl.float32)
    x += tl.load(bias_ptr + offsets % n_columns, mask=mask)
    if APPROXIMATE == "tanh":
        y = gelu_tanh(x)
    else:
        y = gelu_exact(x)
    y += tl.load(residual_ptr + offsets, mask=mask)
    tl.store(out_ptr + offsets, y.to(out_ptr.dtype.element_ty), mask=mask)
