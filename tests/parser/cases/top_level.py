#!/usr/bin/env python
# -*- coding: utf-8 -*-
from __future__ import annotations
import a.b.c, d as e, f.g as h
x, (y, *z) = 1, 2
p = q = r
w: int
v: int = 3
s += 1
a.b = 1
a[0] = 2
lam = lambda x: x + 1
await_ = await f()
comprehension = {k: v for k, v in z}
call(1, 2)
"a string"
print("hello"); after = 1
del a
global g
for i in range(10):
    loop = i
else:
    def in_else(): pass
while True:
    def in_while(): pass
async def coroutine(): pass
with lock as l, m:
    def in_with(): pass
try: import one
except ImportError: one = None
else: two = 2
finally: three = 3
try:
    from four import four
    def in_try():
        pass
except (A, B) as e:
    def in_except(): pass
if A:
    if B:
        def deep(): pass
    elif C:
        deep = None
    x = 1
elif D: x = 2
elif lambda: 0:
    x = 3
else:
    x = 4
if (yield): a1 = 1
else: a1 = 2
match command:
    case "go":
        def in_case(): pass
type Alias = int
@decorated
async def coroutine(): pass
@not a decorator
@decorators[0].good
@also + "good"
def decorated(): pass
class Empty: pass
class Point(Base, metaclass=Meta, *more):
    """A class."""
    x: tl.tensor
    y: int = 1
    __slots__ = ()
    if x:
        z = 3
    def __init__(self, x): self.x = x
    @property
    def p(self):
        return self.x
    class Inner:
        i = 1
@dataclass(frozen=True)
class Decorated[T](Base): pass
if __name__ == '__main__': main()
