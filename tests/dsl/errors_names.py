# Names that mean nothing, or nothing any more.
# RUN: verify-diagnostics %s kdsl compile %s:kernel -s "*fp32, i32, STATIC=4" --emit kd

import torch
import missing_package
import triton
import triton.language as tl

from missing_package import something
from triton.language import lod

TABLE = torch.arange(10).tolist()[3]     # expected-note {{it is defined here}}


@triton.jit
def helper(x, scale):                    # expected-note {{it is defined here}} expected-note {{the parameter is here}}
    return x * scale


@triton.jit
def kernel(p, n, STATIC: tl.constexpr):
    count = n + 1
    tl.store(p, cuont)                   # expected-error {{'cuont' is not defined; did you mean 'count'?}}
    tl.store(p, heper(n, 1))             # expected-error {{'heper' is not defined; did you mean 'helper'?}}
    tl.store(p, xyz_nothing_like_it)     # expected-error {{'xyz_nothing_like_it' is not defined}}
    tl.stroe(p, 1.0)                     # expected-error {{'tl' has no 'stroe'; did you mean 'store'?}}
    tl.store(p, TABLE)                   # expected-error {{'TABLE' is computed by Python when the file is imported}}
    tl.store(p, something(n))            # expected-error {{'something' comes from the module 'missing_package', which is not found; -I DIR names the folder}} expected-note@9 {{it is defined here}}
    tl.store(p, lod(p))                  # expected-error {{'lod' is imported from 'triton.language', which has no such name; did you mean 'load'?}} expected-note@10 {{it is defined here}}
    if n > 0:
        only = 1.0                       # expected-note {{it is set here; set it in the other branch}}
        both = 1.0
    else:                                # expected-note @30 {{the 'if' is here}}
        both = 1
    tl.store(p, only)                    # expected-error {{'only' has a value in one branch of an 'if' only}}
    tl.store(p, both)                    # expected-error {{'both' is fp32 in one branch of an 'if' and int32 in the other}}
    for i in range(n):                   # expected-note {{the loop is here}}
        inside = i * 2                   # expected-note {{it is set here; set it before the loop}}
    tl.store(p, i)                       # expected-error {{'i' is the variable of a loop, and has no value after it}}
    tl.store(p, inside)                  # expected-error {{'inside' is set inside a loop only}}
    helper(n)                            # expected-error {{'helper' needs an argument for its parameter 'scale'}}
    helper(n, scal=1)                    # expected-error {{'helper' has no parameter 'scal'; did you mean 'scale'?}}
    helper(n, 1, 2)                      # expected-error {{'helper' takes 2 arguments, but got 3}} expected-note@16 {{it is defined here}}
    helper(n, x=2)                       # expected-error {{'helper' gets its parameter 'x' twice}}
    n()                                  # expected-error {{cannot be called}}
