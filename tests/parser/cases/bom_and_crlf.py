def crlf(a):
    """doc
    two"""
    if a:
        x = a + \
            1

    return (a,
            x)
B = 1
