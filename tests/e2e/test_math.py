"""Mathematical functions against NumPy and math, in ulps, over special values too."""
import math

import numpy as np
import pytest
from kernel import Table, Typed, fails
from models import BF16

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1e-30, 1e30, -1e30, 3.0, 1.5, -1.5, 2.5, -2.5, 0.1, 88.0, -87.0,
           100.0, -104.0, 1e10, 8388609.0, -8388609.0, 0.9999999, 3.4e38]


def scalar(f):
    """A function of one float, as a function of arrays; where it has no value, NaN; where it overflows, infinity."""
    def one(v):
        try:
            return f(v)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf
    return lambda x: np.array([one(float(v)) for v in x.reshape(-1)])


def exact(f, x):
    """f in the precision of float64 (float32 inputs), or as math has it (float64 inputs)."""
    with np.errstate(all="ignore"):
        return f(x.astype(np.float64)).astype(x.dtype)


def inputs(low, high, dtype, special=True):
    r = np.random.default_rng(4)
    x = np.concatenate([r.uniform(low, high, 400), SPECIAL if special else []]).astype(np.float64)
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def gamma(v):
    return math.copysign(math.inf, v) if v == 0 else math.gamma(v)


def lgamma(v):
    return math.inf if v == 0 or math.isinf(v) else math.lgamma(v)


def cbrt(v):
    return np.cbrt(v)


def exp2(x):
    return np.exp2(x)


# expression of x, function, low, high, ulps in fp32, ulps in fp64; None: not for that type
FUNCTIONS = [
    ("tl.exp(x)", np.exp, -90, 90, 2, 2), ("tl.exp2(x)", exp2, -130, 130, 2, 2), ("tl.log(x)", np.log, 0, 50, 2, 2), ("tl.log2(x)", np.log2, 0, 50, 2, 2),
    ("tl.sin(x)", np.sin, -20, 20, 2, 2), ("tl.cos(x)", np.cos, -20, 20, 2, 2), ("tl.sqrt(x)", np.sqrt, 0, 1e6, 1, 1), ("tl.sqrt_rn(x)", np.sqrt, 0, 1e6, 0, 0),
    ("tl.rsqrt(x)", lambda x: 1 / np.sqrt(x), 0, 1e6, 3, 3), ("tl.floor(x)", np.floor, -1e3, 1e3, 0, 0), ("tl.ceil(x)", np.ceil, -1e3, 1e3, 0, 0),
    ("tl.abs(x)", np.abs, -10, 10, 0, 0), ("tl.erf(x)", scalar(math.erf), -4, 4, 4, 4), ("tl.sigmoid(x)", lambda x: 1 / (1 + np.exp(-x)), -80, 80, 4, 4),
    ("libdevice.tanh(x)", np.tanh, -10, 10, 3, 3), ("libdevice.sinh(x)", np.sinh, -80, 80, 4, 4), ("libdevice.cosh(x)", np.cosh, -80, 80, 4, 4),
    ("libdevice.asin(x)", np.arcsin, -1, 1, 3, 3), ("libdevice.acos(x)", np.arccos, -1, 1, 3, 3), ("libdevice.atan(x)", np.arctan, -50, 50, 3, 3),
    ("libdevice.asinh(x)", np.arcsinh, -50, 50, 4, 4), ("libdevice.acosh(x)", np.arccosh, 1, 50, 4, 4), ("libdevice.atanh(x)", np.arctanh, -1, 1, 4, 4),
    ("libdevice.tan(x)", np.tan, -1.5, 1.5, 4, 4), ("libdevice.expm1(x)", np.expm1, -20, 80, 4, 4), ("libdevice.log1p(x)", np.log1p, -0.9, 50, 4, 4),
    ("libdevice.log10(x)", np.log10, 0, 1e5, 4, 4), ("libdevice.exp10(x)", lambda x: np.power(10.0, x), -37, 37, 4, 6), ("libdevice.cbrt(x)", np.cbrt, -100, 100, 3, 3),
    ("libdevice.erfc(x)", scalar(math.erfc), -4, 8, 4, 6), ("libdevice.rsqrt(x)", lambda x: 1 / np.sqrt(x), 0, 1e6, 3, 3),
    ("libdevice.trunc(x)", np.trunc, -1e3, 1e3, 0, 0), ("libdevice.rint(x)", np.rint, -1e3, 1e3, 0, 0),
    ("libdevice.round(x)", lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x), -1e3, 1e3, 0, 0), ("libdevice.nearbyint(x)", np.rint, -1e3, 1e3, 0, 0),
    ("libdevice.floor(x)", np.floor, -1e3, 1e3, 0, 0), ("libdevice.exp(x)", np.exp, -90, 90, 2, 2), ("libdevice.log(x)", np.log, 0, 50, 2, 2),
    ("libdevice.sqrt(x)", np.sqrt, 0, 1e6, 1, 1), ("libdevice.erf(x)", scalar(math.erf), -4, 4, 4, 4),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_functions_of_one_number(dtype):
    groups = {}
    for row in FUNCTIONS:
        groups.setdefault(row[2:4], []).append(row)
    ranges = {"x%d" % i: inputs(low, high, dtype) for i, (low, high) in enumerate(groups)}
    t = Table(**ranges)
    for i, rows in enumerate(groups.values()):
        for expr, f, _, _, single, double in rows:
            x = ranges["x%d" % i]
            want = exact(f, x)
            if dtype == np.float64 and "round" in expr:     # adding 0.5 rounds there
                want = scalar(lambda v: v if not math.isfinite(v) else math.copysign(float(math.floor(abs(v) + 0.5)) if abs(v) < 2 ** 52 else abs(v), v))(x)
            t.add(expr.replace("(x)", "(x%d)" % i), "f32" if dtype == np.float32 else "f64", want, ulps=single if dtype == np.float32 else double)
    t.check()


def test_exponentials_to_the_edges_of_the_type():
    """Below the normal numbers, at zero and infinity, where a result is rounded in two steps or not at all."""
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 3e38, -3e38, 88.722839, 88.722840, -103.97208, -103.972084, -104, 127.99999, 128, -149, -149.5, -150.1]
    x = np.concatenate([edges, np.linspace(-110, 95, 5000), np.linspace(-155, 130, 5000)]).astype(np.float32)
    t = Table(x=x)
    with np.errstate(all="ignore"):
        t.add("tl.exp(x)", "f32", np.exp(x.astype(np.float64)).astype(np.float32), ulps=1)
        t.add("tl.exp2(x)", "f32", np.exp2(x.astype(np.float64)).astype(np.float32), ulps=1)
    t.check()


def test_gamma_functions():
    x = np.concatenate([np.random.default_rng(5).uniform(0.1, 30, 200), [0.5, 1.0, 2.0, 3.0, 10.0, np.inf, np.nan, 0.0, 170.0]])
    for dtype, name, ulps in ((np.float32, "f32", 8), (np.float64, "f64", 16)):
        v = x.astype(dtype)
        t = Table(x=v)
        t.add("libdevice.tgamma(x)", name, exact(scalar(gamma), v), ulps=ulps)
        t.add("libdevice.lgamma(x)", name, exact(scalar(lgamma), v), rtol=1e-6 if dtype == np.float32 else 1e-13, atol=1e-6 if dtype == np.float32 else 1e-14)
        t.check()


def test_functions_of_two_numbers():
    r = np.random.default_rng(6)
    a, b = np.meshgrid(SPECIAL[:18], SPECIAL[:18])
    x = np.concatenate([a.reshape(-1), r.uniform(-10, 10, 300)]).astype(np.float32)
    y = np.concatenate([b.reshape(-1), r.uniform(-10, 10, 300)]).astype(np.float32)
    t = Table(x=x, y=y, i=np.resize(np.arange(-5, 6, dtype=np.int32), len(x)))
    with np.errstate(all="ignore"):
        d, e = x.astype(np.float64), y.astype(np.float64)
        t.add("libdevice.pow(x, y)", "f32", np.power(d, e).astype(np.float32), ulps=4)
        t.add("libdevice.pow(x, i)", "f32", np.power(d, np.resize(np.arange(-5, 6), len(x)).astype(np.float64)).astype(np.float32), ulps=4)
        t.add("libdevice.atan2(x, y)", "f32", np.arctan2(d, e).astype(np.float32), ulps=4)
        t.add("libdevice.hypot(x, y)", "f32", np.hypot(d, e).astype(np.float32), ulps=2)
        t.add("libdevice.fmod(x, y)", "f32", np.fmod(x, y))
        t.add("x % y", "f32", np.fmod(x, y))
        t.add("libdevice.copysign(x, y)", "f32", np.copysign(x, y))
        t.add("libdevice.nextafter(x, y)", "f32", np.nextafter(x, y))
        t.add("libdevice.fdim(x, y)", "f32", np.where(np.isnan(x) | np.isnan(y), np.float32(np.nan), np.where(x > y, x - y, np.float32(0))))
        t.add("libdevice.div_rn(x, y)", "f32", x / y)
        t.add("tl.div_rn(x, y)", "f32", x / y)
        t.add("libdevice.mul_rn(x, y)", "f32", x * y)
        t.add("tl.fma(x, y, x)", "f32", None)
        t.add("tl.fdiv(x, y)", "f32", x / y, ulps=2)
        t.add("libdevice.remainder(x, y)", "f32", scalar_pairs(math.remainder, x, y))
    t.check()


def scalar_pairs(f, x, y):
    def one(a, b):
        try:
            return f(float(a), float(b))
        except (ValueError, OverflowError):
            return math.nan
    return np.array([one(a, b) for a, b in zip(x, y)]).astype(np.float32)


def test_directed_rounding():
    r = np.random.default_rng(7)
    x, y = r.standard_normal(200).astype(np.float32), r.standard_normal(200).astype(np.float32)
    t = Table(x=x, y=y, d=r.standard_normal(200))

    def toward(exact_value, kind):
        near = exact_value.astype(np.float32)
        back = near.astype(np.float64)
        if kind == "rd":
            return np.where(back > exact_value, np.nextafter(near, np.float32(-np.inf)), near)
        if kind == "ru":
            return np.where(back < exact_value, np.nextafter(near, np.float32(np.inf)), near)
        return np.where(np.abs(back) > np.abs(exact_value), np.nextafter(near, np.float32(0)), near)
    for kind in ("rd", "ru", "rz"):
        t.add("libdevice.mul_%s(x, y)" % kind, "f32", toward(x.astype(np.float64) * y, kind))
        t.add("libdevice.double2float_%s(d)" % kind, "f32", toward(t.inputs["d"], kind))
    t.check()


def test_classification_and_bits():
    x = np.array(SPECIAL, np.float32)
    i = np.array([0, 1, -1, 5, -2 ** 31, 2 ** 31 - 1, 0x00F0, -256] * 4, np.int32)[:len(x)]
    u = i.view(np.uint32)
    t = Table(x=x, i=i, j=i[::-1].copy())
    t.add("libdevice.isnan(x).to(tl.int32)", "i32", np.isnan(x))
    t.add("libdevice.isinf(x).to(tl.int32)", "i32", np.isinf(x))
    t.add("libdevice.signbit(x).to(tl.int32)", "i32", np.signbit(x))
    t.add("libdevice.float_as_int(x)", "i32", x.view(np.int32))
    t.add("libdevice.int_as_float(libdevice.float_as_int(x))", "f32", x)
    t.add("libdevice.popc(i)", "i32", np.array([bin(int(v)).count("1") for v in u]))
    t.add("libdevice.clz(i)", "i32", np.array([32 - int(v).bit_length() for v in u]))
    t.add("libdevice.ffs(i)", "i32", np.array([(int(v) & -int(v)).bit_length() for v in u]))
    t.add("libdevice.brev(i)", "i32", np.array([int("%032d" % int(bin(int(v))[2:]), 2) and int(bin(int(v))[2:].zfill(32)[::-1], 2) for v in u], np.uint32).view(np.int32))
    t.add("libdevice.mulhi(i, j)", "i32", ((i.astype(np.int64) * i[::-1]) >> 32).astype(np.int32))
    t.add("tl.umulhi(i.to(tl.uint32), j.to(tl.uint32))", "u32", ((u.astype(np.uint64) * u[::-1].astype(np.uint64)) >> np.uint64(32)).astype(np.uint32))
    t.add("libdevice.llrint(tl.where(tl.abs(x) < 1e6, x, 0.0))", "i64", np.rint(np.where(np.abs(x) < 1e6, x, 0)).astype(np.int64))
    t.add("libdevice.float2int_rn(tl.where(tl.abs(x) < 1e6, x, 0.0))", "i32", np.rint(np.where(np.abs(x) < 1e6, x, 0)).astype(np.int32))
    t.add("libdevice.float2int_rd(tl.where(tl.abs(x) < 1e6, x, 0.0))", "i32", np.floor(np.where(np.abs(x) < 1e6, x, 0)).astype(np.int32))
    t.add("libdevice.ldexp(tl.where(tl.abs(x) < 1e6, x, 0.0), 3)", "f32", (np.where(np.abs(x) < 1e6, x, 0) * 8).astype(np.float32))
    t.check()


def test_umulhi_of_64_bits():
    r = np.random.default_rng(8)
    a, b = r.integers(0, 2 ** 64, 64, dtype=np.uint64), r.integers(0, 2 ** 64, 64, dtype=np.uint64)
    t = Table(a=a, b=b)
    t.add("tl.umulhi(a, b)", "u64", np.array([int(p) * int(q) >> 64 for p, q in zip(a, b)], np.uint64))
    t.check()


@pytest.mark.parametrize("name", ["exp", "log", "sin", "sqrt", "rsqrt", "erf", "floor"])
def test_only_fp32_and_fp64(name):
    for type, x in (("f16", np.zeros(4, np.float16)), ("i32", np.zeros(4, np.int32)), ("bf16", Typed(BF16.encode(np.zeros(4)), "bf16"))):
        got = fails("@triton.jit\ndef k(x):\n    v = tl.%s(tl.load(x + tl.arange(0, 4)))\n" % name, 1, "kernel.py:7:", "tl.%s" % name, "32", x=x)
        assert got.stderr.count(" error: ") == 1, type


def test_libdevice_takes_its_own_types_only():
    fails("@triton.jit\ndef k(x):\n    v = libdevice.tanh(tl.load(x))\n", 1, "tanh", x=np.zeros(4, np.int32))
