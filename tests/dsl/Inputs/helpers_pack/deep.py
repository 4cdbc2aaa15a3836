import triton


@triton.jit
def thrice(x):
    return x * 3
