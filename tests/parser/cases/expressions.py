def precedence(a, b, c):
    x = a + b * c - (a + b) * c / a // b % c @ a
    x = a << b + c >> a & b ^ c | a
    x = (a | b) ^ (c & a) << (b << c)
    x = -a ** -b ** c, (-a) ** b, ~-+a
    x = not a == b and not (c or a) or b
    x = a < b <= c != a is not b not in c is a in b
    x = (a < b) < c
    x = a if b else c if a else b
    x = (a if b else c) if a else b
    x = (a, b), (a,), (), [a, b,], [], {a, b}, {a: b, **c}, {}
    x = (a or b)(c)[a](b).d.e[0].f
    x = (1).real, 1.0.real, 1e3.x


def indexing(x, i):
    return x[i], x[i, :], x[:, None], x[None, :, ...], x[1:2], x[::2], x[i:], x[:i:3], x[i,], x[(i, 1)], x[*i], x[:]


def calls(f, x):
    f(x, *x, y=1, **x)
    f(*x if f else (), a)
    f(v for v in x if v if f)
    f(x)(x)[0](y := 2)
    return f(x, y=1, *x,)


def lambdas():
    a = lambda: 0
    b = lambda x, *y, z=1, **w: (x, y)
    c = lambda *, k: lambda x: x if k else 0
    return [lambda x: x, 1]


def comprehensions(x):
    return [a for a, b in x if a if b], {a for a in x}, (a for a in x), [a for a, in x], [(a, b) for a in x]


def starred(*args, **kwargs):
    first, *rest = args
    *a, b = c = *rest, 1
    for *x, y in args, *rest:
        pass
    return *args, 1
