# Valid Python that no kernel may use: parsed over, with its blocks, and said only where it is reached.
def kernel(x):
    with open(x) as f, g:
        y = {
            1: 2}
    with a: b; c
    try:
        x = 1
        if x:
            y = 2
    except (A, B) as e:
        pass
    except C: pass
    else:
        pass
    finally:
        x = 2
    global a, b
    nonlocal c
    del x[0], y
    class C(Base):
        def f(self): pass
    @decorator
    class D: pass
    async def f(): await x
    async for i in x:
        pass
    else:
        pass
    match x:
        case 1 | 2:
            pass
        case [a, *b] if a:
            pass
    match = 1
    match[x] = match(x) + match.x
    match (x, y)
    type X = int
    type = type(x)
    yield x
    y = yield
    z = (yield from x, y)
    a = await f(x) ** 2
    b = [i for i in x for j in i]
    c = {k: v for k, v in x}
    d = (i async for i in x)
    e = 1j + 2.5J
    f = b'bytes' rb"\x"
    return x


def generic[T: int, *Ts](x: T, /, y: int) -> T:
    return x
