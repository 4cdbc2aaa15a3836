# Both branches of a condition that is certainly known at run time only are compiled: what is wrong there is an error of 'kdsl check'.
# RUN: verify-diagnostics %s kdsl check %s

import triton
import triton.language as tl


@triton.jit
def kernel(p, n, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    row = pid * BLOCK
    mode = None
    count = 0
    if row >= n:
        x = undefined_1                  # expected-error {{'undefined_1' is not defined}}
    if tl.load(p) > 0 and pid < 3:
        x = undefined_2                  # expected-error {{'undefined_2' is not defined}}
    x = undefined_3 if count == 0 else 1  # expected-error {{'undefined_3' is not defined}}
    for i in range(n):
        if i == tl.cdiv(row, 2):
            x = undefined_4              # expected-error {{'undefined_4' is not defined}}
    for i in tl.static_range(BLOCK):
        if i == 0:
            x = undefined_5              # expected-warning {{'undefined_5' is not defined}}
    if mode:
        x = undefined_6                  # expected-warning {{'undefined_6' is not defined}}
    if BLOCK > 4 and pid < 3:
        x = undefined_7                  # expected-warning {{'undefined_7' is not defined}}
    while pid < n:
        pid += undefined_8               # expected-error {{'undefined_8' is not defined}}
    tl.store(p, x)
