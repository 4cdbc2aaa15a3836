# Calls of functions: one instance for each list of types and compile-time values.
# run: kdsl compile %s:instances -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=INSTANCES
# run: kdsl compile %s:static_results -s "*fp32" --emit kd | FileCheck %s --check-prefix=STATIC
# run: kdsl compile %s:arguments -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=ARGS
# run: kdsl compile %s:closures -s "*fp32, i32" --emit kd | FileCheck %s --check-prefix=CLOSURE
# run: kdsl compile %s:callbacks -s "*fp32, i32, fn:double" --emit kd | FileCheck %s --check-prefix=CALLBACK

import triton
import triton.language as tl


@triton.jit
def scaled(x, FACTOR: tl.constexpr, offset=1):
    return x * FACTOR + offset


#
#
#
#
#
#
#
@triton.jit
def instances(p, n):
    a = scaled(n, 2)
    b = scaled(a, FACTOR=2, offset=1)
    c = scaled(b, 3)
    tl.store(p, c.to(tl.float32))


@triton.jit
def choose(KIND: tl.constexpr):
    if KIND == "wide":
        return tl.float32, 8, None
    return tl.float16, 4, None


# Compile-time results stay so: 'width' makes a shape, and nothing is called at run time.
#
#
#
@triton.jit
def static_results(p):
    width: tl.constexpr = choose("wide")[1]
    dtype: tl.constexpr = choose("wide")[0]
    x = tl.zeros((width,), dtype)
    if choose("wide")[2] is None:
        tl.store(p + tl.arange(0, width), x)


@triton.jit
def swap(pair, scale):
    a, b = pair
    return (b, a * scale), scale


@triton.jit
def total(*values):
    s = 0
    for v in values:
        s += v
    return s


# Tuples are flattened; '*' spreads them.
#
#
#
@triton.jit
def arguments(p, n):
    (first, second), scale = swap((n, n + 1), 2)
    first, *rest = first, second, n
    tl.store(p, total(first, *rest).to(tl.float32) * scale)


# Functions inside of functions see the variables around them, and are expanded in place.
#
#
#
@triton.jit
def closures(p, n):
    def square():
        return n * n
    inc = lambda x: x + n
    tl.store(p + inc(square()), 0.0)


@triton.jit
def double(x):
    return x + x


#
#
@triton.jit
def callbacks(p, n, F: tl.constexpr):
    tl.store(p + F(n), 0.0)
