def f(x):
    # ÿ in a comment, "ÿ"
    a = "ÿ"
    return a

a = café
@triton.jit
def g(x):
    return x
