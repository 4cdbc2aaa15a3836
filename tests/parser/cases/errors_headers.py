@triton.jit
def missing_parenthesis(x, y:
    return x


@triton.jit
def missing_colon(x, y)
    return x


@triton.jit(
def broken_decorator(x):
    return x


@triton.jit x
def broken_decorator(x):
    return x


@triton.jit
def same(x, y, x): return x


@triton.jit
def defaults(x=1, y): return x


@triton.jit
def keyword(x, lambda): return x


@triton.jit
def arrow(x) -> : return x


@triton.jit
def good(x): return x


@triton.jit
def types[T(x): return x
