def f(x, y):
    in = 3
    class = 3
    import
    import 1
    import a.
    import a as
    import a.b as if
    from
    from a
    from a import
    from a import (b, c
    from if import x
    from a import b c
    assert
    raise from x
    return = 3
    x = 1 y = 2
    pass x
    def g(x: pass
    def if(): pass
    def (): pass
    def g: pass
    def g() pass
    def g(x, x): pass
    def g(x=1, y): pass
    def g(1): pass
    def g(if): pass
    def g(*): pass
    @x y
    def g(): pass
    @x
    y = 1
    return x


def unsupported(x):
    with x
        y = 1
    try
        y = 1
    except x: pass
    finally
        y = 1
    class C(x)
        y = 1
    with x(
        y = 1
    del x[
    return x
