"""Kernels for the tests of the command line."""
import triton
import triton.language as tl


@triton.jit
def relu(x):
    return tl.maximum(x, 0.0)


@triton.jit
def twice(x):
    return x * 2


@triton.jit
def apply(x, out, n, fn: tl.constexpr, BLOCK: tl.constexpr = 16):
    o = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + o, mask=o < n)
    tl.store(out + o, fn(v), mask=o < n)


@triton.jit
def store_items(out, t, fixed: tl.constexpr = (1, 2)):
    tl.static_print("t is", t[0], t[1])
    tl.store(out, t[0])
    tl.store(out + 1, t[1])
    tl.store(out + 2, fixed[1])


@triton.jit
def add_to(t, n):
    tl.store(t[0], tl.load(t[1]) + n)


@triton.jit
def scalars(out, a, b, ty: tl.constexpr, s: tl.constexpr, bias):
    tl.static_print("a:", a, "b:", b, "ty:", ty, "s:", s)
    if bias is None:
        tl.static_print("no bias")
    tl.store(out, (a + b).to(ty))


@triton.jit
def talks(x):
    tl.device_print("value", tl.load(x))
    tl.device_assert(tl.load(x) == 0, "it must be zero")


@triton.jit
def mirror_add(x, y, n, BLOCK: tl.constexpr):
    o = tl.arange(0, BLOCK)
    v = tl.load(x + o, mask=o < n)
    w = tl.load(x + n - 1 - o, mask=o < n)
    tl.store(y + o, v + w, mask=o < n)


@triton.autotune(configs=[triton.Config({"BLOCK": 16}), triton.Config({"BLOCK": 64}, num_warps=8)], key=["n"])
@triton.jit
def tuned(x, n, BLOCK: tl.constexpr):
    o = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x + o, BLOCK, mask=o < n)


@triton.jit
def again(x):
    tl.store(x, 1)


@triton.jit
def again(x):
    tl.store(x, 2)
