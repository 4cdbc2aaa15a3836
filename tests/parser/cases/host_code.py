# Whatever host code holds: nothing of it is reported, and the definitions after it are found.
def host(self, *, key: "type" = {1: (2, [3])}):
    s = """
def not_a_function():
"""
    t = '(' + "[{" + r'\'' + f"{x['(']}" + f"{'}'}"
    d = {
'def': 1,
    "class": [
    lambda: (yield),
]}
    if x: return \
  y
def host_print(): print "python 2"
def broken_header(x: int = ): pass
def host_broken(): x = = 1
def lambda(x): pass
class Broken(: pass
class 1: pass
import
from x import
import a..b
x = = 1
y = [1, 2)
z = `x`
a b c
t = "unclosed
u = ?
@
def after_bad_decorator(): pass
@triton.jit
def last(x): return x
