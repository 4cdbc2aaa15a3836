def f(x, y):
    if x = 3:
        pass
    while x = 3:
        pass
    if x
        a = 1
    for i in range(3)
        a = 1
    for i range(3):
        a = 1
    for x + 1 in y:
        a = 1
    for if in y:
        a = 1
    else if x:
        a = 1
    if x:
        pass
    else if y:
        a = 1
    elif x:
        a = 1
    finally:
        a = 1
    x = 1
    elif x:
        a = 1
    x = 2
    finally:
        a = 1
    x = 3
    else: x = 4
    x + 1 = 2
    f(x) = 2
    1 = x
    None = 2
    (x, 1) = y
    x = y + 1 = 2
    f(x) += 2
    x, y += 2
    (x): int = 1
    f(x): int = 1
    return x
