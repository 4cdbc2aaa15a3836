"""Names that are good, and names that nothing defines."""
import os

import triton
import triton.language as tl

LIMIT = int(os.environ.get("LIMIT", 3))


@triton.jit
def good(x, n, VERSION: tl.constexpr = 3):
    later: tl.constexpr = LIMIT
    if VERSION > 99:
        tl.invented_later(x)
    pairs = [a + b for a, b in ((1, 2), (3, 4))]
    double = lambda v: v * pairs[0]

    def inner(v):
        return double(v) + n + later

    for i in range(n):
        last = i
    y, (z, *rest) = inner(n), (1, 2, 3)
    tl.store(x, (w := y + z) + w + last)
    assert n > min(0, 1), f"{n}"
    raise ValueError(n)


@triton.jit
def bad(x, n):
    for i in range(N):
        tl.stor(x, undefined)
    total = [k for k in (1, 2)][0] + tl.math.cubed(n)
    tl.store(x, (lambda v: v + missing)(totl))
    tl.store(tl.nothing.at_all, f"{forgotten}")
