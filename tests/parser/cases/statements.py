def statements(a, b: int, c: "i32" = 1, *rest, d, e=2, **kw) -> tl.tensor:
    x = 1; y = 2; pass;
    x = y = a[0] = b.c = 3
    x += 1; x -= 1; x *= 1; x /= 1; x //= 1; x %= 1; x **= 1; x @= 1; x &= 1; x |= 1; x ^= 1; x <<= 1; x >>= 1
    z: tl.constexpr = 4
    w: int
    a.b: int = 1
    if a: pass
    if a:
        x = 1
    elif b:
        x = 2
    elif c:
        x = 3
    else:
        x = 4
    if a:
        x = 1
    else:
        if b:
            x = 2
        x = 3
    for i in range(10):
        for j, (k, l) in tl.static_range(0, 4, num_stages=2):
            if i: break
            else: continue
    else:
        x = 1
    while x < 3 and y:
        x += 1
    else:
        y = 2
    assert x, "message"
    assert x
    raise ValueError("bad") from e
    raise
    import math as m, os.path
    from . import a
    from ...b.c import *

    @decorated(1)
    def inner(x, y=1):
        "doc"
        return x

    def one_line(x): return x
    return x
    return


def bare():
    return


def only_docstring():
    """All there is."""
