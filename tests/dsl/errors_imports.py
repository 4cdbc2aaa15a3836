# What is imported from a file of ours, and is not there.
# RUN: verify-diagnostics %s kdsl compile %s -s "*fp32" --emit kd

import triton
import triton.language as tl

from Inputs.helpers_lib import nothing_like_it   # expected-note {{it is defined here}}
from .Inputs.helpers_lib import twic             # expected-note {{it is defined here}}


@triton.jit
def defaults(x, y=1):                    # expected-note {{it is defined here}}
    return x + y


@triton.jit
def kernel(p):
    tl.store(p, twic(1.0))              # expected-error {{'twic' is imported from '.Inputs.helpers_lib', which has no such name; did you mean 'twice'?}}
    tl.store(p, nothing_like_it)         # expected-error {{'nothing_like_it' is imported from 'Inputs.helpers_lib', which has no such name}}
    tl.store(p, defaults(1, 2, 3))       # expected-error {{'defaults' takes at most 2 arguments, but got 3}}
    for _ in tuple(range(100000)):       # expected-error {{a range of more than 65536 items}}
        pass
