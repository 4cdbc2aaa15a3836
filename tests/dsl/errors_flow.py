# What statements cannot do in a kernel.
# RUN: verify-diagnostics %s kdsl compile %s:kernel -s "*fp32, i32" --emit kd

import triton
import triton.language as tl


@triton.jit
def kernel(p, n):
    offs = tl.arange(0, 16)
    acc = 0.0                            # expected-note {{'acc' gets its first value here}}
    for i in range(n):
        acc = acc + offs * 1.0           # expected-error {{'acc' is a run-time fp32 before the loop, but [16] of fp32 at the end of its body; a loop cannot change that}}
    nothing = None                       # expected-note {{'nothing' gets its first value here}}
    while n > 0:
        nothing = n                      # expected-error {{'nothing' is None before the loop, but}}
        n -= 1
    for i in range(n):
        if i > 3:
            break                        # expected-error {{'break' cannot be used in a kernel}}
        if i > 4:
            continue                     # expected-error {{'continue' cannot be used in a kernel}}
        if i > 5:
            return                       # expected-error {{'return' inside a loop}}
    for i in range(0, n, 0):             # expected-error {{the step of 'range' is 0}}
        pass
    for i in range(0.5):                 # expected-error {{must be an integer}}
        pass
    for i in n:                          # expected-error {{a loop goes over 'range', 'tl.range', 'tl.static_range' or a tuple, but this is}}
        pass
    for i in tl.static_range(10**9):     # expected-error {{a range of more than 65536 items}}
        pass
    for i in range(3):                   # expected-error {{'else' after a loop}}
        pass
    else:
        pass
    if offs > 3:                         # expected-error {{the condition of 'if' is ..., but must be one value}}
        pass
    if 1.5:                              # expected-error {{the condition of 'if' is ..., but must be a bool, an int or None}}
        pass
    a, b = n, n, n                       # expected-error {{2 names on the left, but 3 values on the right}}
    a, b = n                             # expected-error {{2 names on the left, but one value on the right}}
    offs[0] = 1                          # expected-error {{elements cannot be assigned}}
    offs[0] += 1                         # expected-error {{elements cannot be assigned}}
    c: tl.constexpr = n                  # expected-error {{'c' is declared tl.constexpr, but this is a run-time int32}}
    d: tl.constexpr = 1                  # expected-note {{it is set here}}
    d: tl.constexpr = 2                  # expected-error {{'d' has a value already, and cannot be declared tl.constexpr again}}
    e = 1.0 if n > 3 else 2              # expected-error {{this value is fp32 in one branch of an 'if' and int32 in the other}}
    f = f"{n}"                           # expected-error {{an f-string holds compile-time values only}}
    g = {"a": 1}                         # expected-error {{a dict cannot be used in a kernel}}
    h = n in (1, 2)                      # expected-error {{'in' needs a compile-time value and a tuple}}
    with n:                              # expected-error {{'with' cannot be used in a kernel}}
        pass
    tl.store(p, *n)                      # expected-error {{is no sequence of known length}}
    tl.store(p, **n)                     # expected-error {{'**' in a call}}
    if n > 0:
        raise ValueError("n is large")   # expected-error {{the kernel raises ValueError: n is large}}
