# What the values of arguments promise to the code: not where the decorator says that they must not.
# RUN: kdsl run %s n=32 m=32 k=1 --grid 1 --json | FileCheck %s
# CHECK: "signature": "n=i32:16, m=i32, k=i32"

import triton


@triton.jit(do_not_specialize=["m", "k"])
def nothing(n, m, k):
    pass
