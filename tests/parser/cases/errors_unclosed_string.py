@triton.jit
def kernel(x):
    """The string has no end.
    return x


@triton.jit
def other(x):
    return x
