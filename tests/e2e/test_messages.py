"""What kernels say: device_print, static_print, assertions at compile time and at run time."""
import re

import numpy as np
from kernel import fails, run, zeros


def test_device_print():
    got = run("""
@triton.jit
def k(x, n):
    pid = tl.program_id(0)
    tl.device_print("pid", pid)
    v = tl.load(x + tl.arange(0, 4))
    tl.device_print("values", v)
    tl.device_print("two", v * 0.5, n)
    tl.device_print("bare")
    tl.device_print("hex", n, hex=True)
    print("python", n)
""", x=np.array([1, 2.5, -3, 4], np.float32), n=-17)
    said = got.stdout + got.stderr
    lines = said.splitlines()
    for word, values in (("pid", ["0"]), ("values", ["1", "2.5", "-3", "4"]), ("two", ["0.5", "1.25", "-1.5", "2", "-17"]), ("python", ["-17"])):
        mine = [line for line in lines if word in line]
        assert mine, said
        numbers = [float(v) for line in mine for v in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w,)])\s*$", line)]
        for v in values:
            assert float(v) in numbers, (word, said)
    assert any("bare" in line for line in lines), said
    assert "ffffffef" in said.lower(), said


def test_device_print_names_the_program_and_the_element():
    """Triton's form: pid (x, y, z) idx (i, j) prefix value."""
    got = run("""
@triton.jit
def k(x):
    v = tl.load(x + tl.arange(0, 2)[:, None] * 2 + tl.arange(0, 2)[None, :])
    tl.device_print("v", v)
""", x=np.arange(4, dtype=np.int32), grid=(2, 1, 3))
    lines = [line for line in (got.stdout + got.stderr).splitlines() if line.strip()]
    assert len(lines) == 24, got.stdout + got.stderr
    pattern = re.compile(r"pid \((\d+), (\d+), (\d+)\) idx \( ?(\d+), (\d+)\)\s*:? *v:? *(-?\d+)")
    seen = set()
    for line in lines:
        m = pattern.search(line)
        assert m, line
        x, y, z, i, j, value = map(int, m.groups())
        assert value == 2 * i + j
        seen.add((x, y, z, i, j))
    assert len(seen) == 24


def test_static_print_speaks_at_compile_time():
    source = """
@triton.jit
def k(x, N: tl.constexpr):
    tl.static_print("compiling for", N, x.dtype)
    tl.store(x, N)
"""
    got = run(source, x=zeros("i32", 1), N=37)
    assert "compiling for" in got.stdout + got.stderr and "37" in got.stdout + got.stderr


def test_static_assert():
    source = """
@triton.jit
def k(x, N: tl.constexpr):
    tl.static_assert(N % 16 == 0, f"N is {N}, not a multiple of 16")
    tl.static_assert(x.dtype.element_ty == tl.int32)
    tl.store(x, N)
"""
    assert run(source, x=zeros("i32", 1), N=32).x[0] == 32
    got = fails(source, 1, "kernel.py:8:", "N is 33, not a multiple of 16", "^", x=zeros("i32", 1), N=33)
    assert got.stderr.count(" error: ") == 1
    fails(source, 1, "kernel.py:9:", x=zeros("f32", 1), N=32)


def test_device_assert_does_nothing_without_debug():
    got = run("""
@triton.jit
def k(x, n):
    tl.device_assert(n > 100, "n is small")
    assert n > 100, "n is small"
    tl.device_assert(tl.load(x + tl.arange(0, 4)) > 100)
    tl.store(x, n)
""", x=zeros("i32", 4), n=5)
    assert got.x[0] == 5 and "small" not in got.stderr
