def f(x, y, n):
    a = tl.load(x y)
    a = tl.load(x, y]
    a = [x, y)
    a = {x: y, x]
    a = (x + y
    b = (x + ) * y
    a = x +
    a = x ++
    a = x++
    a = * x
    a = x && y
    a = x || y
    a = !x
    a = x ? y : n
    a = x not y
    a = x if y
    a = f(x=1, y)
    a = f(x=1, y=2, x=3)
    a = f(x + 1=2)
    a = f(if=2)
    a = x.if
    a = x.1
    a = x[]
    a = x[1:2:3:4]
    a = {1: 2, 3}
    a = {1, 2: 3}
    a = {**x, y}
    a = [i for in x]
    a = [i for i x]
    a = lambda x y: 1
    a = lambda x
    a = )
    a = 3 ]
    a = ==
    a = // a comment of C
    f(x = = 2)
    return x y
