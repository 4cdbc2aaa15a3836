# Names of files: constants, aliases, conditional definitions, imports.
# run: kdsl compile %s:constants -s "*fp32" --emit kd | FileCheck %s --check-prefix=CONST
# run: kdsl compile %s:imported -s "*fp32, i32" -I %tests/dsl/Inputs --emit kd | FileCheck %s --check-prefix=IMPORT
# run: kdsl compile %s:python_functions -s "*fp32, 24" --emit kd | FileCheck %s --check-prefix=PYTHON

import math
import os

import triton
import triton.language as tl
from triton import language as lang
from triton.language.extra import libdevice
from triton.language.math import exp as my_exp

import helpers_lib
import helpers_pack.deep as deep
from helpers_lib import twice as doubled, LIMIT
from helpers_pack import *

try:
    import triton.language.extra.cuda.libdevice as device
except ImportError:
    device = None

BLOCK = tl.constexpr(16)
LOG2E: tl.constexpr = 1.4426950408889634
HALF_PI = tl.constexpr(math.pi / 2)
A, B = 3, 2**20 - 1
TYPE = tl.float16
INF = float("inf")
pick = tl.where

if os.environ.get("FAST", "0") == "1":
    SPEED = 1
else:
    SPEED = 2

if False:
    MODE = "never"
else:
    MODE = "always"

if hasattr(tl, "load"):
    HAS = 1
elif hasattr(tl, "no_such_thing"):
    HAS = 2
else:
    HAS = 3


#
#
#
#
#
@triton.jit
def constants(p):
    tl.static_assert(SPEED == 2 and MODE == "always" and HAS == 1 and A == 3)
    tl.store(p, HALF_PI)
    tl.store(p + 1, INF)
    tl.store(p + B, LOG2E)
    x = lang.zeros((BLOCK,), TYPE)
    tl.store(p + tl.arange(0, BLOCK), pick(x > 0, x, my_exp(x.to(tl.float32))))


#
#
#
#
#
@triton.jit
def imported(p, n):
    x = doubled(n) + helpers_lib.twice(n) + deep.thrice(n) + from_star(n) + LIMIT
    tl.store(p, device.tanh(x.to(tl.float32)) + libdevice.tanh(1.0))


@tl.constexpr
def largest_power(n):
    p = 1
    while True:
        if p * 2 > n:
            break
        p *= 2
    return p


@triton.constexpr_function
def parts(n, base=2):
    result = ()
    for i in range(n):
        if i % base:
            continue
        result = result + (i,)
    return result


def plain_python(n):
    return max([x * x for x in range(n) if x % 2 == 1])


#
#
@triton.jit
def python_functions(p, N: tl.constexpr):
    W: tl.constexpr = largest_power(N)
    tl.static_assert(len(parts(7)) == 4 and plain_python(6) == 25, f"W is {W}")
    tl.store(p + tl.arange(0, W), tl.zeros((W,), tl.float32))
