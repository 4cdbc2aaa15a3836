def f(x):
    if x:
    y = 1
    for i in x:
    while x:
        # only a comment
    else:
    z = 1
        y = 2
        z = 3
    if x:
        y = 1
      z = 2
    def g(x):
    return x


@triton.jit
def no_body(x):


@triton.jit
def tabs_and_spaces(x):
    if x:
        y = 1
	z = 2
    return x


    def too_deep(x): pass
@triton.jit
def last(x):
    return x
