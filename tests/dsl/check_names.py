# 'kdsl check' resolves names and matches arguments without a signature.
# RUN: verify-diagnostics %s kdsl check %s

import torch
import triton
import triton.language as tl
from triton.language.extra import libdevice

LIMIT: tl.constexpr = 3


def host(x):
    return undefined_in_host_code(x)


@triton.jit
def helper(x, scale):  # expected-note {{the parameter is here}} expected-note {{it is defined here}} expected-note {{it is defined here}}
    return x * scale


@triton.jit
def names(p, n, act, STATIC: tl.constexpr, BLOCK: tl.constexp):  # expected-error {{'tl' has no 'constexp'; did you mean 'constexpr'?}}
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK) + LIMIT
    x = tl.load(p + ofs, mask=offs < n)  # expected-error {{'ofs' is not defined; did you mean 'offs'?}}
    x = tl.load(p + ofs)                 # once is enough
    y = tl.math.exq(x)                   # expected-error {{'tl.math' has no 'exq'; did you mean 'exp'?}}
    y = libdevice.tanhh(x)               # expected-error {{'libdevice' has no 'tanhh'; did you mean 'tanh'?}}
    y = x.to(tl.flaot32)                 # expected-error {{'tl' has no 'flaot32'; did you mean 'float32'?}}
    y = act(x).anything + act.field      # a parameter may be anything
    z = torch.exp(y)                     # expected-error {{'torch' has no 'exp'}}
    first, *others = tl.split(y)
    pairs = [a + b for a, b in ((first, 1), (z, 2))]
    add = lambda a, b: a + b + offs
    tl.store(p + offs, tl.reduce(others[0], 0, add) + pairs[0] + (size := 4) + size, mask=offs < n)


@triton.jit
def calls(p, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    x = tl.load(p + offs, msk=offs < n)  # expected-error {{'tl.load' has no parameter 'msk'; did you mean 'mask'?}}
    tl.store(p + offs)                   # expected-error {{'tl.store' needs 'value'}}
    tl.arange(0, 4, 2)                   # expected-error {{'tl.arange' takes at most 2 arguments by position, but 3 are given}}
    x = helper(x)                        # expected-error {{'helper' needs an argument for its parameter 'scale'}}
    x = helper(x, 1, 2)                  # expected-error {{'helper' takes 2 arguments, but got 3}}
    x = helper(x, scal=1)                # expected-error {{'helper' has no parameter 'scal'; did you mean 'scale'?}}
    pair = (x, 2)
    x = helper(*pair)                    # nobody counts these
    x[0] = 1                             # expected-error {{elements cannot be assigned}}
    {1: 2}                               # expected-error {{a dict cannot be used in a kernel}}
    with x:                              # expected-error {{'with' cannot be used in a kernel}}
        inner = x
    tl.store(p + offs, inner)            # perhaps set there


@triton.jit
def nested(p, n):
    def inside(i, k=n):
        j = i + k
        return j + m                     # expected-error {{'m' is not defined}}
    for i in range(n):
        tl.store(p + i, inside(i))
    tl.store(p, j)                       # expected-error {{'j' is not defined}}


class Group:
    @triton.jit
    def method(self, x):
        return self.scale * x + sef.bias  # expected-error {{'sef' is not defined; did you mean 'self'?}}
