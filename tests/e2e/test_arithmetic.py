"""Types and numbers of operators: promotion, literals, wrap-around, division, shifts, comparisons, NaN, minimum and maximum."""
import math

import numpy as np
import pytest
from kernel import NUMPY, TL, Table, Typed, fails, one_value, run, same, zeros
from models import BF16, E4M3, E5M2

INTS = ["i1", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]
FLOATS = ["f16", "bf16", "f32", "f64"]
ALL = INTS + FLOATS
BITS = {"i1": 1, "i8": 8, "u8": 8, "i16": 16, "u16": 16, "i32": 32, "u32": 32, "i64": 64, "u64": 64, "f16": 16, "bf16": 16, "f32": 32, "f64": 64}


def is_float(t):
    return t in FLOATS


def is_unsigned(t):
    return t[0] == "u" or t == "i1"


def promote(a, b, div_or_mod=False):
    """The type of a tile of a with a tile of b."""
    if "f64" in (a, b):
        return "f64"
    if div_or_mod and (is_float(a) or is_float(b)):
        return "f32"
    for t in ("f32", "f16"):
        if t in (a, b):
            return t
    if "bf16" in (a, b):
        return "bf16" if a == b else "f32"
    if is_unsigned(a) == is_unsigned(b):
        return a if BITS[a] > BITS[b] else b
    u, s = (a, b) if is_unsigned(a) else (b, a)
    return u if BITS[u] >= BITS[s] else s


def sample(t):
    if t == "i1":
        return np.array([0, 1, 1, 0, 1, 0, 0, 1], np.bool_)
    if t == "bf16":
        return Typed(BF16.encode(np.array([0.5, -1.5, 3.0, 100.0, -7.0, 0.0, 1.0, 2.5])), "bf16")
    if is_float(t):
        return np.array([0.5, -1.5, 3.25, 100.0, -7.0, 0.0, 1.0, 2.5], NUMPY[t])
    info = np.iinfo(NUMPY[t])
    return np.array([info.max, info.min, 3, 100, info.max // 2, 0, 1, 5], NUMPY[t])


def numbers(x):
    return BF16.decode(x.bits).astype(np.float32) if isinstance(x, Typed) else x


def as_type(x, t):
    """The numbers of x as a tile of type t would hold them."""
    with np.errstate(all="ignore"):
        if t == "bf16":
            return BF16.decode(BF16.encode(x.astype(np.float64))).astype(np.float32)
        if t == "f16" and x.dtype.kind in "iu":
            return x.astype(np.float64).astype(np.float16)
        return x.astype(NUMPY[t])


def result(x, t):
    """What an array of type t holds when the numbers x are rounded into it."""
    with np.errstate(all="ignore"):
        return BF16.encode(x.astype(np.float64)) if t == "bf16" else x.astype(NUMPY[t])


SAMPLES = {"x_" + t: sample(t) for t in ALL}


@pytest.mark.parametrize("op", ["+", "*", "-"])
def test_promotion_of_pairs(op):
    table = Table(**SAMPLES)
    with np.errstate(all="ignore"):
        for a in ALL:
            for b in ALL:
                if op != "+" and a != b:
                    continue
                t = promote(a, b)
                x, y = (as_type(numbers(SAMPLES["x_" + s]), t) for s in (a, b))
                if t == "i1":
                    want = {"+": x ^ y, "-": x ^ y, "*": x & y}[op]
                else:
                    want = {"+": x + y, "*": x * y, "-": x - y}[op]
                table.add("x_%s %s x_%s" % (a, op, b), t, result(want, t))
    table.check()


def test_fp8_pairs():
    a, b = E4M3.all_codes()[:64], E5M2.all_codes()[32:96]
    table = Table(a=Typed(a, "fp8e4nv"), b=Typed(b, "fp8e5"))
    x, y = E4M3.decode(a), E5M2.decode(b)
    table.add("a + b", "f16", (x + y).astype(np.float32).astype(np.float16))
    table.add("a / a", "f32", None)
    table.add("a.to(tl.float16) + 1.0", "f16", (x + 1).astype(np.float16))
    table.check()


def test_division_and_remainder_of_pairs():
    """/ of integers is fp32, of narrow floats fp32; // and % truncate; % of floats is fmod."""
    values = {"y_" + t: numbers_without_zero(t) for t in ALL}
    table = Table(**SAMPLES, **values)
    with np.errstate(all="ignore"):
        for a in ALL:
            for b in ALL:
                x, y = numbers(SAMPLES["x_" + a]), numbers(values["y_" + b])
                if is_float(a) or is_float(b):
                    t = promote(a, b, True)
                    table.add("x_%s / y_%s" % (a, b), t, as_type(x, t) / as_type(y, t), ulps=2)
                    table.add("x_%s %% y_%s" % (a, b), t, np.fmod(as_type(x, t), as_type(y, t)))
                elif a != "i1" and is_unsigned(a) == is_unsigned(b) and b != "i1":
                    t = promote(a, b)
                    p, q = x.astype(NUMPY[t]), y.astype(NUMPY[t])
                    exact = [divmod(abs(int(i)), abs(int(j))) + ((int(i) < 0) != (int(j) < 0), int(i) < 0) for i, j in zip(p, q)]
                    wrapped = np.array([(-d if s else d) & (2 ** 64 - 1) for d, _, s, _ in exact], np.uint64).astype(NUMPY[t])
                    table.add("x_%s // y_%s" % (a, b), t, wrapped)
                    table.add("x_%s %% y_%s" % (a, b), t, np.array([(-m if s else m) for _, m, _, s in exact], dtype=object).astype(NUMPY[t]))
                    table.add("x_%s / y_%s" % (a, b), "f32", x.astype(np.float32) / y.astype(np.float32), ulps=2)
    table.check()


def numbers_without_zero(t):
    if t == "i1":
        return np.ones(8, np.bool_)
    if t == "bf16":
        return Typed(BF16.encode(np.array([3.0, -2.0, 1.5, 7.0, -0.5, 2.0, 1.0, 9.0])), "bf16")
    if is_unsigned(t):
        return np.array([3, 7, 2, 9, 1, 100, 5, 255], NUMPY[t])
    return np.array([3, -7, -2, 9, 1, 100, -5, 12], NUMPY[t])


def test_literals_take_the_type_of_the_tile():
    """A number of lower or equal kind (bool, int, float) does not widen; of a higher kind it counts as i32 or fp32."""
    table = Table(**SAMPLES)
    literals = [("True", 0, "i1", 1), ("1", 1, "i32", 1), ("2.5", 2, "f32", 2.5)]
    for a in ALL:
        kind = 0 if a == "i1" else 2 if is_float(a) else 1
        for text, k, own, value in literals:
            t = a if k <= kind else promote(a, own)
            with np.errstate(all="ignore"):
                x = as_type(numbers(SAMPLES["x_" + a]), t)
                y = as_type(np.array(value), t)
                want = x ^ y if t == "i1" else x + y
            table.add("x_%s + %s" % (a, text), t, result(want, t))
            table.add("%s + x_%s" % (text, a), t, result(want, t))
    table.add("x_f16 * 2.0", "f16", SAMPLES["x_f16"] * np.float16(2))
    table.add("x_i32 * 0.5", "f32", SAMPLES["x_i32"].astype(np.float32) * np.float32(0.5))
    table.add("x_bf16 * 2", "bf16", BF16.encode(numbers(SAMPLES["x_bf16"]) * 2))
    table.add("x_i64 + 2147483648", "i64", SAMPLES["x_i64"] + np.int64(2 ** 31))
    table.add("x_u64 + 0x8000000000000000", "u64", SAMPLES["x_u64"] + np.uint64(2 ** 63))
    table.add("x_f32 + 1e-40", "f32", SAMPLES["x_f32"] + np.float32(1e-40))
    table.add("x_i32 * 1e-40", "f64", SAMPLES["x_i32"] * 1e-40)
    table.add("x_i32 * 1e290", "f64", SAMPLES["x_i32"] * 1e290)
    table.add("x_f16 + float('inf')", "f16", np.full(8, np.inf, np.float16))
    table.add("-x_u8", "u8", (-SAMPLES["x_u8"].astype(np.int64)).astype(np.uint8))
    table.add("-x_f16", "f16", -SAMPLES["x_f16"])
    table.add("-x_i8", "i8", -SAMPLES["x_i8"])
    table.check()


@pytest.mark.parametrize("expr,array", [("x + 1000", "i8"), ("x - 129", "i8"), ("x + 256", "u8"), ("x < 1000", "i8"), ("x * 4294967296", "i32"),
                                        ("x + (-1)", "u8"), ("x >= -1", "u32")])
def test_literals_out_of_range_are_errors(expr, array):
    x = np.zeros(8, NUMPY[array])
    fails("@triton.jit\ndef k(p, out):\n    x = tl.load(p + tl.arange(0, 8))\n    tl.store(out + tl.arange(0, 8), %s)\n" % expr, 1, "error:", ":8:",
          p=x, out=zeros("i32", 8))


@pytest.mark.parametrize("expr", ["x // y", "x % y", "y // f", "f // f", "x // 1.5", "f << 1", "f & 1", "~f", "x ** y", "+x", "not f", "x[0]", "x @ y", "f % p", "p + p", "p * 2", "p + f"])
def test_operators_that_do_not_exist(expr):
    """Mixed signs, // of floats, bits of floats, powers of tiles ..."""
    fails("""
@triton.jit
def k(p, q, r):
    offs = tl.arange(0, 8)
    x = tl.load(p + offs)
    y = tl.load(q + offs)
    f = tl.load(r + offs)
    z = %s
""" % expr, 1, "kernel.py:12:", "error:", "^", p=np.zeros(8, np.int32), q=np.zeros(8, np.uint32), r=np.zeros(8, np.float32))


def test_run_time_float_arguments_are_fp32():
    x = np.array([1.5, -2.0, 0.1, 7.0], np.float16)
    b = BF16.encode(np.array([1.5, -2.0, 0.25, 7.0]))
    table = Table(x=x, b=Typed(b, "bf16"), i=np.arange(4, dtype=np.int32), s=3.7, n=5)
    table.add("x * s", "f32", x.astype(np.float32) * np.float32(3.7))
    table.add("b + s", "f32", BF16.decode(b).astype(np.float32) + np.float32(3.7))
    table.add("i * s", "f32", np.arange(4, dtype=np.float32) * np.float32(3.7))
    table.add("x + n", "f16", x + np.float16(5))
    table.add("b + n", "f32", BF16.decode(b).astype(np.float32) + 5)
    table.add("i * n", "i32", np.arange(4, dtype=np.int32) * 5)
    table.check()


def test_integers_wrap():
    x = np.array([127, -128, 100, 64], np.int8)
    w = np.array([2 ** 31 - 1, -2 ** 31, 2 ** 16, 46341], np.int32)
    u = np.array([0, 1, 2 ** 32 - 1, 2 ** 31], np.uint32)
    b = np.array([0, 1, 0, 1], np.bool_)
    table = Table(x=x, w=w, u=u, b=b)
    with np.errstate(over="ignore"):
        table.add("x + x", "i8", x + x)
        table.add("x * x", "i8", x * x)
        table.add("w + w", "i32", w + w)
        table.add("w * w", "i32", w * w)
        table.add("w - 1", "i32", w - 1)
        table.add("u - 1", "u32", u - np.uint32(1))
        table.add("u * u", "u32", u * u)
        table.add("b + b", "i1", np.zeros(4, np.bool_))
        table.add("b - True", "i1", ~b)
        table.add("tl.abs(x)", "i8", np.abs(x))
    table.check()


def test_bits_and_shifts():
    x = np.array([-8, 7, -1, 2 ** 31 - 1, -2 ** 31, 0, 5, 1], np.int32)
    u = x.view(np.uint32)
    s = np.array([0, 1, 2, 3, 31, 4, 5, 30], np.int32)
    b = np.array([-128, 127, -1, 0, 85, 3, -2, 1], np.int8)
    table = Table(x=x, u=u, s=s, b=b, r=u[::-1].copy(), n=3)
    table.add("x >> s", "i32", x >> s)
    table.add("u >> s.to(tl.uint32)", "u32", u >> s.view(np.uint32))
    table.add("x << s", "i32", (x.astype(np.int64) << s).astype(np.int32))
    table.add("b >> 1", "i8", b >> 1)
    table.add("b << 1", "i8", b << 1)
    table.add("x >> n", "i32", x >> 3)
    table.add("x & 12", "i32", x & 12)
    table.add("x | s", "i32", x | s)
    table.add("x ^ s", "i32", x ^ s)
    table.add("~x", "i32", ~x)
    table.add("u ^ r", "u32", u ^ u[::-1])
    table.add("x & u", "u32", u)
    table.add("~(x > 0)", "i1", ~(x > 0))
    table.add("(x > 0) & (s > 2)", "i1", (x > 0) & (s > 2))
    table.add("(x > 0) | (s > 2)", "i1", (x > 0) | (s > 2))
    table.add("(x > 0) ^ (s > 2)", "i1", (x > 0) ^ (s > 2))
    table.check()


def test_comparisons():
    x = np.array([1.0, np.nan, -0.0, np.inf, -1.0, np.nan, 0.5, 3.0], np.float32)
    y = np.array([1.0, np.nan, 0.0, np.inf, 2.0, 1.0, np.nan, -np.inf], np.float32)
    i = np.array([-1, 0, 1, 2 ** 31 - 1, -2 ** 31, 5, 6, 7], np.int32)
    u = i.view(np.uint32)
    h = np.array([0.1, 0.5, 2.0, -1.0, 0, 3, 4, 5], np.float16)
    table = Table(x=x, y=y, i=i, u=u, h=h)
    for op, f in (("<", np.less), ("<=", np.less_equal), (">", np.greater), (">=", np.greater_equal), ("==", np.equal), ("!=", np.not_equal)):
        table.add("x %s y" % op, "i1", f(x, y))
        table.add("x %s 0.5" % op, "i1", f(x, np.float32(0.5)))
        table.add("i %s 5" % op, "i1", f(i, 5))
        table.add("u %s 5" % op, "i1", f(u, 5))
        table.add("u %s i" % op, "i1", f(u, i.view(np.uint32)))
        table.add("h %s 0.1" % op, "i1", f(h, np.float16(0.1)))
        table.add("i %s 0.5" % op, "i1", f(i.astype(np.float32), np.float32(0.5)))
    table.add("0 < i < 6", "i1", (0 < i) & (i < 6))
    table.check()


def test_logical_operators_work_element_by_element():
    i = np.arange(8, dtype=np.int32)
    table = Table(i=i)
    table.add("(i > 2) and (i < 6)", "i1", (i > 2) & (i < 6))
    table.add("(i < 2) or (i > 6)", "i1", (i < 2) | (i > 6))
    table.add("not (i > 2)", "i1", ~(i > 2))
    table.add("(i > 2) and True", "i1", i > 2)
    table.add("False or (i > 2)", "i1", i > 2)
    table.add("(i > 2).logical_and(i < 6)", "i1", (i > 2) & (i < 6))
    table.add("(i > 2).logical_or(i < 1)", "i1", (i > 2) | (i < 1))
    table.check()


def test_division_never_traps():
    """Dividing by zero and the least number by -1 mean nothing in Triton, but must not end the process."""
    least = {t: np.iinfo(NUMPY[t]).min for t in ("i8", "i16", "i32", "i64")}
    for t in ("i8", "i16", "i32", "i64", "u8", "u32", "u64"):
        x = np.array([1, 0, least.get(t, 5), least.get(t, 7)] * 4, NUMPY[t])
        y = np.array([0, 0, -1 if t in least else 0, 0] * 4, NUMPY[t])
        table = Table(x=x, y=y, z=0, n=-1 if t in least else 0)
        for op in ("//", "%"):
            table.add("x %s y" % op, t, None)
            if t in least:
                table.add("x %s n" % op, t if BITS[t] >= 32 else "i32", None)
                table.add("x %s z" % op, t if BITS[t] >= 32 else "i32", None)
        table.check()
    # what was masked off is divided too
    got = run("""
@triton.jit
def k(x, y, out, n):
    offs = tl.arange(0, 16)
    m = offs < n
    tl.store(out + offs, tl.load(x + offs, mask=m) // tl.load(y + offs, mask=m), mask=m)
""", x=np.arange(11, dtype=np.int32), y=np.arange(1, 12, dtype=np.int32), out=zeros("i32", 16), n=11)
    same(got.out, np.concatenate([np.arange(11) // np.arange(1, 12), np.zeros(5)]).astype(np.int32))


def test_division_by_constants_truncates():
    x = np.array([-7, 7, -8, 8, -1, 1, 0, -2 ** 31], np.int32)
    u = x.view(np.uint32)
    table = Table(x=x, u=u, n=7, m=-2)
    for d in (1, 2, 3, 7, 8, -2, -3, 1024):
        q = np.array([int(math.trunc(int(v) / d)) for v in x], np.int64).astype(np.int32)
        table.add("x // %d" % d, "i32", q)
        table.add("x %% %d" % d, "i32", (x.astype(np.int64) - q.astype(np.int64) * d).astype(np.int32))
        if d > 0:
            table.add("u // %d" % d, "u32", u // np.uint32(d))
            table.add("u %% %d" % d, "u32", u % np.uint32(d))
    table.add("x // n", "i32", np.array([-1, 1, -1, 1, 0, 0, 0, -306783378]))
    table.add("x // m", "i32", np.array([3, -3, 4, -4, 0, 0, 0, 2 ** 30]))
    table.add("tl.cdiv(x, 4)", "i32", np.trunc((np.array([-7, 7, -8, 8, -1, 1, 0, -2 ** 31], np.float64) + 3) / 4).astype(np.int32))
    table.add("100 // (x | 1)", "i32", np.array([int(100 / (int(v) | 1)) for v in x]))
    table.check()


def test_compile_time_arithmetic_is_pythons():
    got = run("""
@triton.jit
def k(out, big, real, N: tl.constexpr, F: tl.constexpr, n):
    tl.store(out + 0, -7 // 2)
    tl.store(out + 1, -7 % 2)
    tl.store(out + 2, N // 2)
    tl.store(out + 3, N % 3)
    tl.store(out + 4, (n // 2))
    tl.store(out + 5, n % 3)
    tl.store(out + 6, 2 ** 10)
    tl.store(out + 7, (2 ** 70) >> 60)
    tl.store(out + 8, N if N < 0 else 5)
    tl.store(out + 9, 7 & 3 | 8 ^ 1)
    tl.store(out + 10, max(3, 9, 4) - min(2, 1))
    tl.store(out + 11, tl.cdiv(10, 4))
    tl.store(out + 12, triton.next_power_of_2(33))
    tl.store(out + 13, not N)
    tl.store(out + 14, N and 3)
    tl.store(out + 15, int(F))
    tl.store(out + 16, len((1, 2, 3)))
    tl.store(out + 17, ~5)
    tl.store(out + 18, abs(N))
    tl.store(big + 0, (1 << 40) + 5)
    tl.store(big + 1, N * (1 << 35))
    tl.store(real + 0, 7 / 2)
    tl.store(real + 1, F * 2)
    tl.store(real + 2, 0.1 + 0.2)
    tl.store(real + 3, 2 ** 0.5)
    tl.store(real + 4, -7.5 // 2)
    tl.store(real + 5, -7.5 % 2)
    tl.store(real + 6, 1e30 * 1e30)
    tl.store(real + 7, float(N) / 3)
""", out=zeros("i32", 19), big=zeros("i64", 2), real=zeros("f64", 8), N=-7, F=2.75, n=-7)
    assert list(got.out) == [-4, 1, -4, 2, -3, -1, 1024, 1024, -7, 11, 8, 3, 64, 0, 3, 2, 3, -6, 7]
    assert list(got.big) == [(1 << 40) + 5, -7 * (1 << 35)]
    with np.errstate(over="ignore"):
        want = [np.float32(v) for v in (3.5, 5.5, 0.1 + 0.2, 2 ** 0.5, -4.0, 0.5)] + [1e30 * 1e30, np.float32(-7 / 3)]
    same(got.real, np.array(want, np.float64))


def test_minimum_maximum_and_nan():
    x = np.array([1.0, np.nan, 3.0, np.nan, -0.0, np.inf], np.float32)
    y = np.array([2.0, 1.0, np.nan, np.nan, 5.0, -np.inf], np.float32)
    b = Typed(BF16.encode(x.astype(np.float64)), "bf16")
    c = Typed(BF16.encode(y.astype(np.float64)), "bf16")
    i = np.array([-1, 5, -2 ** 31, 7, 0, 9], np.int32)
    u = i.view(np.uint32)
    pad = [np.concatenate([v, np.zeros(2, v.dtype)]) for v in (x, y, i, u)]
    x, y, i, u = pad
    b, c = (Typed(np.concatenate([v.bits, np.zeros(2, np.uint16)]), "bf16") for v in (b, c))
    table = Table(x=x, y=y, h=x.astype(np.float16), g=y.astype(np.float16), b=b, c=c, i=i, u=u)
    with np.errstate(all="ignore"):
        for name, ignore, propagate in (("maximum", np.fmax, np.maximum), ("minimum", np.fmin, np.minimum)):
            table.add("tl.%s(x, y)" % name, "f32", ignore(x, y))
            table.add("tl.%s(x, y, propagate_nan=tl.PropagateNan.ALL)" % name, "f32", propagate(x, y))
            table.add("tl.%s(h, g)" % name, "f16", ignore(x, y).astype(np.float16))
            table.add("tl.%s(h, g, propagate_nan=tl.PropagateNan.ALL)" % name, "f16", propagate(x, y).astype(np.float16))
            table.add("tl.%s(b, c)" % name, "bf16", BF16.encode(ignore(x, y).astype(np.float64)))
            table.add("tl.%s(h, 0.5)" % name, "f16", ignore(x, np.float32(0.5)).astype(np.float16))
            table.add("tl.%s(i, 3)" % name, "i32", propagate(i, 3))
            table.add("tl.%s(u, 3)" % name, "u32", propagate(u, np.uint32(3)))
        table.add("max(x, y)", "f32", np.fmax(x, y))
        table.add("min(i, 3)", "i32", np.minimum(i, 3))
        table.add("tl.clamp(x, -1.0, 2.0)", "f32", np.where(np.isnan(x), np.fmin(np.fmax(x, np.float32(-1)), np.float32(2)), np.clip(x, -1, 2)))
        table.add("tl.clamp(x, -1.0, 2.0, propagate_nan=tl.PropagateNan.ALL)", "f32", np.clip(x, -1, 2))
        table.add("tl.clamp(i, -1, 7)", "i32", np.clip(i, -1, 7))
    table.check()


def test_where():
    h = np.array([0.1, -2.0, 3.0, np.nan], np.float16)
    i = np.array([0, 2, 0, -1], np.int32)
    table = Table(h=h, i=i, x=h.astype(np.float32))
    table.add("tl.where(i > 0, h, 0.0)", "f16", np.where(i > 0, h, np.float16(0)))
    table.add("tl.where(i, h, 1.0)", "f16", np.where(i != 0, h, np.float16(1)))
    table.add("tl.where(i > 0, h, x)", "f32", np.where(i > 0, h.astype(np.float32), h.astype(np.float32)))
    table.add("tl.where(i > 0, i, 1.5)", "f32", np.where(i > 0, i.astype(np.float32), np.float32(1.5)))
    table.add("tl.where(i == 0, float('nan'), x)", "f32", np.where(i == 0, np.float32(np.nan), h.astype(np.float32)))
    table.check()


def test_boolean_arithmetic_against_integers():
    b = np.array([0, 1, 1, 0], np.bool_)
    i = np.array([-1, -1, 5, 127], np.int8)
    table = Table(b=b, i=i, u=i.view(np.uint8))
    table.add("b + i", "i8", (i.astype(np.int16) + b).astype(np.int8))
    table.add("b + i.to(tl.uint8, bitcast=True)", "u8", i.view(np.uint8) + b.astype(np.uint8))
    table.add("b * 3", "i32", b.astype(np.int32) * 3)
    table.add("b + b.to(tl.int32)", "i32", b * 2)
    table.add("b * 2.5", "f32", b.astype(np.float32) * np.float32(2.5))
    table.add("-b.to(tl.int32)", "i32", -b.astype(np.int32))
    table.check()


def test_scalars_follow_the_same_rules():
    assert one_value("v = (n // 2) * 10 + n % 2", "i32", n=-7) == -31
    assert one_value("v = n * n", "i32", n=46341) == 46341 * 46341 - 2 ** 32
    assert one_value("v = n * n", "i64", n="46341:i64") == 46341 * 46341
    assert one_value("v = n + 1", "i64", n=2 ** 31 - 1) == -2 ** 31
    assert one_value("v = n + 1", "i64", n=2 ** 31) == 2 ** 31 + 1
    assert one_value("v = s * 2", "f64", s=0.1) == np.float64(np.float32(0.1) * 2)
    assert one_value("v = n / 2", "f64", n=7) == 3.5
    assert one_value("v = n.to(tl.float64) / 3", "f64", n=7) == 7 / 3
    assert one_value("v = N / 3", "f64", N=7) == np.float64(np.float32(7 / 3))


def test_the_integer_1_is_a_constant():
    """A launch argument of 1 acts as a literal: an fp16 tile stays fp16, and arithmetic on it is Python's."""
    x = np.array([1.5, 2.5], np.float16)
    for value, flag in ((1, True), (2, False), ("1:i32", False)):
        source = "@triton.jit\ndef k(x, out, n):\n    tl.store(out, isinstance(n, tl.constexpr))\n"
        assert run(source, x=x, out=zeros("i32", 1), n=value).out[0] == flag


def test_fma_contraction_is_not_needed():
    """fma rounds once; div_rn and sqrt_rn are exact."""
    r = np.random.default_rng(3)
    x, y, z = (r.standard_normal(256).astype(np.float32) for _ in range(3))
    table = Table(x=x, y=y, z=z, a=np.abs(x))
    table.add("tl.fma(x, y, z)", "f32", (x.astype(np.float64) * y + z).astype(np.float32))
    table.add("tl.div_rn(x, y)", "f32", x / y)
    table.add("tl.sqrt_rn(a)", "f32", np.sqrt(np.abs(x)))
    table.add("x / y", "f32", x / y, ulps=2)
    table.add("tl.fdiv(x, y)", "f32", x / y, ulps=2)
    table.check()
