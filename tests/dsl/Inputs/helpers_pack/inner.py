import triton

from ..helpers_pack.deep import thrice


@triton.jit
def from_star(x):
    return thrice(x) - x
