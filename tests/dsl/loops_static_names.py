# Names without run-time parts are carried through a loop as they are: also where they are all that it sets.
# RUN: kdsl compile %s -s "*fp32, i32" --emit kd | FileCheck %s

import triton
import triton.language as tl


# CHECK-LABEL: func @only_static_names
# CHECK:       kd.for
# CHECK-NOT:   iter
# CHECK:       kd.yield
@triton.jit
def only_static_names(p, n):
    kind = tl.float32
    nothing = None
    for i in range(n):
        kind = tl.float32
        nothing = None
        tl.store(p + i, tl.cast(i, kind))
