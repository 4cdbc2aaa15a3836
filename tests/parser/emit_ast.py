# RUN: kdsl compile %s --emit ast | FileCheck %s
# RUN: kdsl compile %s:scale --emit ast | FileCheck %s --check-prefix=ONE
# RUN: kdsl compile %s --emit ast > %t.py
# RUN: kdsl compile %t.py --emit ast | diff %t.py -
# CHECK: import triton.language as tl
import triton
import triton.language as tl


# CHECK-LABEL: def scale(x_ptr, n, BLOCK: tl.constexpr = 128):
# CHECK-NEXT:      "Doubles."
# CHECK-NEXT:      i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
# CHECK-NEXT:      tl.store(x_ptr + i, 2 * tl.load(x_ptr + i, mask=i < n), mask=i < n){{$}}
# ONE-NOT:     import
# ONE:         @triton.jit
# ONE-NEXT:    def scale
# ONE-NOT:     def
@triton.jit
def scale(x_ptr, n, BLOCK: tl.constexpr = 128):
    """Doubles."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x_ptr + i, 2 * tl.load(x_ptr + i,
                                    mask=i < n), mask=i < n)


# CHECK-LABEL: def host(x):
# CHECK-NEXT:      ...  # not read
def host(x):
    scale[(1,)](x, x.numel())
