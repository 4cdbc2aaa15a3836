@triton.jit
def statements(x, y):
    a = tl.load(x + (y
    b = tl.load(x, [
        y
    return a


@triton.jit
def in_if(x, y):
    if x and (y or x:
        pass
    a = f(g(x, y)
    if x:
        pass
    return a


def host():
    x = foo([1,
            2)
    return x


@triton.jit
def last(x):
    y = (x


@triton.jit
def loops(x, y):
    a = [f(x
    for i in range(3):
        a = 1
    b = (x,
    (y,
     y)
    b = x * (
        y
    c = 1
    return a
