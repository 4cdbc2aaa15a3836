# What may never be compiled, or is right on another machine, is a warning of 'kdsl check': the exit status stays 0.
# RUN: verify-diagnostics %s kdsl check %s

import missing_package
import torch
import triton
import triton.language as tl

from missing_package import something    # expected-note {{it is defined here}}

TABLE = torch.arange(10)                 # expected-note {{it is defined here}}

if missing_package.ON:
    @triton.jit
    def conditional(p):
        tl.store(p, undefined_0)         # expected-warning {{'undefined_0' is not defined}}


@triton.jit
def elsewhere(p):
    x = something(tl.load(p))            # expected-warning {{'something' comes from the module 'missing_package', which is not found}}
    x += something(x)                    # once is enough
    x += missing_package.twice(x)        # expected-warning {{'missing_package' comes from the module 'missing_package'}} expected-note@4 {{it is defined here}}
    x += TABLE                           # expected-warning {{'TABLE' is computed by Python when the file is imported}}
    x += tl.inline_asm_elementwise("", "=r", [x], tl.int32, True, 1)   # expected-warning {{is inline PTX}}
    x += tl.extra.vendor.clock()         # expected-warning {{'tl.extra' has no 'vendor'}}
    x += p.dtyep                         # expected-warning {{no value has an attribute 'dtyep'; did you mean 'dtype'?}}
    tl.store(p, x)


@triton.jit
def branches(p, n, FLAG: tl.constexpr):
    if FLAG:
        x = undefined_1                  # expected-warning {{'undefined_1' is not defined}}
    else:
        x = tl.lod(p)                    # expected-warning {{'tl' has no 'lod'; did you mean 'load'?}}
    x = undefined_2 if FLAG else x       # expected-warning {{'undefined_2' is not defined}}
    if FLAG and undefined_3:             # expected-warning {{'undefined_3' is not defined}}
        x = [undefined_4 for i in p]     # expected-warning {{'undefined_4' is not defined}}
    if n is not None:
        x = undefined_5                  # expected-warning {{'undefined_5' is not defined}}
    assert n > 0, undefined_6            # expected-warning {{'undefined_6' is not defined}}
    if n == 0:
        raise ValueError(f"{undefined_7}")
    if FLAG:
        return
    tl.store(p, undefined_8)             # expected-warning {{'undefined_8' is not defined}}
