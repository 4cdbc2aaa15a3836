# Mistakes inside of functions that a kernel calls; functions that do not return one thing.
# run: verify-diagnostics %s kdsl compile %s:kernel -s "*fp32, i32" --emit kd

import triton
import triton.language as tl


@triton.jit
def inner(x):
    return x + undefined                 # expected-error {{'undefined' is not defined}}


@triton.jit
def outer(x):
    return inner(x)                      # expected-note {{in this call of 'inner'}}


@triton.jit
def forever(x):
    return forever(x)                    # expected-error {{'forever' calls itself, which a kernel cannot do}}


@triton.jit
def unlike(n):
    if n > 0:                            # expected-error {{what this function returns is fp32 in one branch of an 'if' and int32 in the other}}
        return 1.0
    return 1


@triton.jit
def half(n):
    if n > 0:                            # expected-error {{what this function returns is}}
        return 1.0


class Thing:
    size: tl.constexpr = 4

    def area(self):
        return 1


@triton.jit
def kernel(p, n):
    tl.store(p, outer(n))                # expected-note {{in this call of 'outer'}}
    tl.store(p, outer(n))
    tl.store(p, forever(n))              # expected-note {{in this call of 'forever'}}
    tl.store(p, unlike(n))               # expected-note {{in this call of 'unlike'}}
    tl.store(p, half(n))                 # expected-note {{in this call of 'half'}}
    tl.store(p, Thing.sise)              # expected-error {{'Thing' has no 'sise'; did you mean 'size'?}}
    Thing(1, 2)                          # expected-error {{'Thing' has 1 fields, but gets 2 values}}
