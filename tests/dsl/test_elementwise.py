"""Builtins that work element by element, against NumPy."""
import math

import numpy as np
import pytest

KERNEL = """
from triton.language.extra import libdevice
import triton, triton.language as tl

@triton.jit
def kernel(x, y, out, N: tl.constexpr):
    at = tl.arange(0, N)
    a = tl.load(x + at)
    b = tl.load(y + at)
    tl.store(out + at, {expression})
"""
N = 64
RNG = np.random.default_rng(1)
NEAR_0 = np.concatenate([RNG.normal(size=N - 4), [0.0, 1.0, -1.0, 0.5]]).astype(np.float32)
POSITIVE = np.concatenate([RNG.uniform(0.01, 30, size=N - 2), [1.0, 2.0]]).astype(np.float32)
UNIT = RNG.uniform(-0.999, 0.999, size=N).astype(np.float32)
HALVES = (RNG.integers(-9, 9, size=N) / 2).astype(np.float32)
INTS = np.concatenate([RNG.integers(-1000, 1000, size=N - 4), [0, 1, -1, 2**31 - 1]]).astype(np.int32)
OTHERS = np.where(np.arange(N) % 2, RNG.integers(1, 50, size=N), -RNG.integers(1, 50, size=N)).astype(np.int32)
LONGS = RNG.integers(-(2**62), 2**62, size=N).astype(np.int64)

erf = np.vectorize(math.erf)
gamma = np.vectorize(math.gamma)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normcdf(x):
    return 0.5 * (1 + erf(x / math.sqrt(2)))


FLOATS = [  # expression, input, what NumPy says of it in fp64
    ("tl.exp(a)", NEAR_0, np.exp), ("tl.exp2(a)", NEAR_0, np.exp2), ("tl.log(a)", POSITIVE, np.log), ("tl.log2(a)", POSITIVE, np.log2),
    ("tl.sin(a)", NEAR_0, np.sin), ("tl.cos(a)", NEAR_0, np.cos), ("tl.sqrt(a)", POSITIVE, np.sqrt), ("tl.sqrt_rn(a)", POSITIVE, np.sqrt),
    ("tl.rsqrt(a)", POSITIVE, lambda x: 1 / np.sqrt(x)), ("tl.erf(a)", NEAR_0, erf), ("tl.floor(a)", HALVES, np.floor),
    ("tl.ceil(a)", HALVES, np.ceil), ("tl.abs(a)", NEAR_0, np.abs), ("abs(a)", NEAR_0, np.abs), ("tl.sigmoid(a)", NEAR_0, sigmoid),
    ("tl.softmax(a)", NEAR_0, lambda x: np.exp(x) / np.exp(x).sum()), ("tl.math.exp(a)", NEAR_0, np.exp),
    ("a.exp()", NEAR_0, np.exp), ("a.exp2()", NEAR_0, np.exp2), ("a.log()", POSITIVE, np.log), ("a.log2()", POSITIVE, np.log2),
    ("a.sin()", NEAR_0, np.sin), ("a.cos()", NEAR_0, np.cos), ("a.sqrt()", POSITIVE, np.sqrt), ("a.sqrt_rn()", POSITIVE, np.sqrt),
    ("a.rsqrt()", POSITIVE, lambda x: 1 / np.sqrt(x)), ("a.erf()", NEAR_0, erf), ("a.floor()", HALVES, np.floor),
    ("a.ceil()", HALVES, np.ceil), ("a.abs()", NEAR_0, np.abs), ("a.sigmoid()", NEAR_0, sigmoid),
    ("a.softmax()", NEAR_0, lambda x: np.exp(x) / np.exp(x).sum()), ("tl.fdiv(1.0, a)", POSITIVE, lambda x: 1 / x),
    ("tl.div_rn(1.0, a)", POSITIVE, lambda x: 1 / x), ("tl.fma(a, 2.0, 1)", NEAR_0, lambda x: 2 * x + 1),
    ("tl.clamp(a, -0.5, 0.25)", NEAR_0, lambda x: np.clip(x, -0.5, 0.25)), ("-a", NEAR_0, np.negative),
    ("tl.add(a, 1)", NEAR_0, lambda x: x + 1), ("tl.sub(a, 1)", NEAR_0, lambda x: x - 1), ("tl.mul(a, 3)", NEAR_0, lambda x: 3 * x),
    ("a / 3", NEAR_0, lambda x: x / 3), ("a % 0.75", HALVES, lambda x: np.fmod(x, 0.75)), ("tl.expect_zero(a, a == 0)", NEAR_0, lambda x: x),
    ("tl.map_elementwise(relu, a)", NEAR_0, lambda x: np.maximum(x, 0)),
    ("libdevice.exp10(a)", NEAR_0, lambda x: 10**x), ("libdevice.expm1(a)", NEAR_0, np.expm1), ("libdevice.log10(a)", POSITIVE, np.log10),
    ("libdevice.log1p(a)", POSITIVE, np.log1p), ("libdevice.cbrt(a)", NEAR_0, np.cbrt), ("libdevice.rcbrt(a)", POSITIVE, lambda x: x**(-1 / 3)),
    ("libdevice.tan(a)", UNIT, np.tan), ("libdevice.sinpi(a)", UNIT, lambda x: np.sin(np.pi * x)),
    ("libdevice.cospi(a)", UNIT, lambda x: np.cos(np.pi * x)), ("libdevice.asin(a)", UNIT, np.arcsin), ("libdevice.acos(a)", UNIT, np.arccos),
    ("libdevice.atan(a)", NEAR_0, np.arctan), ("libdevice.sinh(a)", NEAR_0, np.sinh), ("libdevice.cosh(a)", NEAR_0, np.cosh),
    ("libdevice.tanh(a)", NEAR_0, np.tanh), ("libdevice.asinh(a)", NEAR_0, np.arcsinh), ("libdevice.acosh(a + 1)", POSITIVE, lambda x: np.arccosh(x + 1)),
    ("libdevice.atanh(a)", UNIT, np.arctanh), ("libdevice.erfc(a)", NEAR_0, lambda x: 1 - erf(x)), ("libdevice.normcdf(a)", NEAR_0, normcdf),
    ("libdevice.erf(libdevice.erfinv(a))", UNIT, lambda x: x), ("libdevice.erfc(libdevice.erfcinv(a + 1))", UNIT, lambda x: x + 1),
    ("libdevice.erfcx(a)", NEAR_0, lambda x: np.exp(x * x) * (1 - erf(x))),
    ("libdevice.normcdf(libdevice.normcdfinv((a + 1) / 2))", UNIT, lambda x: (x + 1) / 2),
    ("libdevice.lgamma(a)", POSITIVE, np.vectorize(math.lgamma)), ("libdevice.tgamma(a)", POSITIVE, gamma),
    ("libdevice.floor(a)", HALVES, np.floor), ("libdevice.ceil(a)", HALVES, np.ceil), ("libdevice.trunc(a)", HALVES, np.trunc),
    ("libdevice.round(a)", HALVES, lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x)), ("libdevice.rint(a)", HALVES, np.rint),
    ("libdevice.nearbyint(a)", HALVES, np.rint), ("libdevice.logb(a)", POSITIVE, lambda x: np.floor(np.log2(x))),
    ("libdevice.ilogb(a).to(tl.float32)", POSITIVE, lambda x: np.floor(np.log2(x))), ("libdevice.ldexp(a, 3)", NEAR_0, lambda x: 8 * x),
    ("libdevice.scalbn(a, -2)", NEAR_0, lambda x: x / 4), ("libdevice.saturatef(a)", NEAR_0, lambda x: np.clip(x, 0, 1)),
    ("libdevice.norm3d(a, 3.0, 4.0)", NEAR_0, lambda x: np.sqrt(x * x + 25)), ("libdevice.norm4d(a, 1.0, 1.0, 1.0)", NEAR_0, lambda x: np.sqrt(x * x + 3)),
    ("libdevice.rnorm3d(a, 3.0, 4.0)", NEAR_0, lambda x: 1 / np.sqrt(x * x + 25)),
    ("libdevice.rnorm4d(a, 1.0, 1.0, 1.0)", NEAR_0, lambda x: 1 / np.sqrt(x * x + 3)), ("libdevice.rhypot(a, 2.0)", NEAR_0, lambda x: 1 / np.hypot(x, 2)),
    ("libdevice.rcp_rn(a)", POSITIVE, lambda x: 1 / x), ("libdevice.rcp64h(a)", POSITIVE, lambda x: 1 / x),
    ("libdevice.fast_sigmoid(a)", NEAR_0, sigmoid), ("libdevice.rsqrt_rn(a)", POSITIVE, lambda x: 1 / np.sqrt(x)),
    ("libdevice.fast_gelu(a)", NEAR_0, lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    ("libdevice.j0(a * 0)", NEAR_0, lambda x: x * 0 + 1), ("libdevice.j1(a * 0)", NEAR_0, lambda x: x * 0),
    ("libdevice.y0(a)", POSITIVE, None), ("libdevice.y1(a)", POSITIVE, None),
    ("libdevice.cyl_bessel_i0(a)", NEAR_0, np.i0), ("libdevice.cyl_bessel_i1(a * 0)", NEAR_0, lambda x: x * 0),
    ("libdevice.pow(a, 2)", NEAR_0, lambda x: x * x), ("libdevice.pow(a, 0.5)", POSITIVE, np.sqrt),
    ("libdevice.abs(a)", NEAR_0, np.abs), ("libdevice.fma(a, a, 1.0)", NEAR_0, lambda x: x * x + 1),
    ("libdevice.fma_rn(a, a, 1.0)", NEAR_0, lambda x: x * x + 1),
] + [(f"libdevice.{name}(a)", where, fn) for name, where, fn in [
    ("exp", NEAR_0, np.exp), ("exp2", NEAR_0, np.exp2), ("log", POSITIVE, np.log), ("log2", POSITIVE, np.log2), ("sin", NEAR_0, np.sin),
    ("cos", NEAR_0, np.cos), ("sqrt", POSITIVE, np.sqrt), ("sqrt_rn", POSITIVE, np.sqrt), ("rsqrt", POSITIVE, lambda x: 1 / np.sqrt(x)),
    ("erf", NEAR_0, erf), ("fast_expf", NEAR_0, np.exp), ("fast_exp10f", NEAR_0, lambda x: 10**x), ("fast_logf", POSITIVE, np.log),
    ("fast_log2f", POSITIVE, np.log2), ("fast_log10f", POSITIVE, np.log10), ("fast_sinf", NEAR_0, np.sin), ("fast_cosf", NEAR_0, np.cos),
    ("fast_tanf", UNIT, np.tan), ("fast_tanhf", NEAR_0, np.tanh), ("fast_tanh", NEAR_0, np.tanh), ("fast_erf", NEAR_0, erf)]]


def run(run_kernel, expression, a, b, dtype, name="f32"):
    source = KERNEL.format(expression=expression)
    if "relu" in expression:
        source += "\n@triton.jit\ndef relu(v):\n    if v > 0:\n        w = v\n    else:\n        w = v * 0\n    return w\n"
    return run_kernel(source, kernel="kernel", x=a, y=b, out=f"empty:{name}[{N}]", N=N, save=["out"])["out"]


@pytest.mark.parametrize("expression, a, fn", FLOATS, ids=[row[0] for row in FLOATS])
def test_float(run_kernel, expression, a, fn):
    got = run(run_kernel, expression, a, a, np.float32)
    if fn:
        np.testing.assert_allclose(got, fn(a.astype(np.float64)), rtol=2e-5, atol=2e-6)     # a few ulp, and cancellation in the reference
    else:
        assert np.isfinite(got).all()


PAIRS = [
    ("tl.maximum(a, b)", NEAR_0, UNIT, np.maximum), ("tl.minimum(a, b)", NEAR_0, UNIT, np.minimum), ("max(a, b)", NEAR_0, UNIT, np.maximum),
    ("min(a, b, 0.0)", NEAR_0, UNIT, lambda x, y: np.minimum(np.minimum(x, y), 0)), ("a / b", NEAR_0, POSITIVE, np.divide),
    ("tl.where(a > b, a, b)", NEAR_0, UNIT, np.maximum), ("libdevice.atan2(a, b)", NEAR_0, UNIT, np.arctan2),
    ("libdevice.hypot(a, b)", NEAR_0, UNIT, np.hypot), ("libdevice.copysign(a, b)", NEAR_0, UNIT, np.copysign),
    ("libdevice.nextafter(a, b)", NEAR_0, UNIT, lambda x, y: np.nextafter(x.astype(np.float32), y.astype(np.float32))),
    ("libdevice.fdim(a, b)", NEAR_0, UNIT, lambda x, y: np.maximum(x - y, 0)),
    ("libdevice.remainder(a, b)", HALVES, POSITIVE, np.vectorize(math.remainder)), ("libdevice.fmod(a, b)", HALVES, POSITIVE, np.fmod),
    ("libdevice.pow(a, b)", POSITIVE, UNIT, np.power), ("libdevice.fast_powf(a, b)", POSITIVE, UNIT, np.power),
    ("libdevice.fast_dividef(a, b)", NEAR_0, POSITIVE, np.divide), ("libdevice.div_rn(a, b)", NEAR_0, POSITIVE, np.divide),
    ("libdevice.add_rn(a, b)", NEAR_0, UNIT, np.add), ("libdevice.sub_rn(a, b)", NEAR_0, UNIT, np.subtract),
    ("libdevice.mul_rn(a, b)", NEAR_0, UNIT, np.multiply),
]


@pytest.mark.parametrize("expression, a, b, fn", PAIRS, ids=[row[0] for row in PAIRS])
def test_float_pair(run_kernel, expression, a, b, fn):
    got = run(run_kernel, expression, a, b, np.float32)
    np.testing.assert_allclose(got, fn(a.astype(np.float64), b.astype(np.float64)), rtol=2e-5, atol=1e-6)


def truncating(x, y):
    return (np.sign(x) * np.sign(y) * (np.abs(x.astype(np.int64)) // np.abs(y))).astype(np.int32)


def as_unsigned(x):
    return x.view(np.uint32).astype(np.uint64)


INTEGERS = [
    ("a + b", np.add), ("a - b", np.subtract), ("a * b", np.multiply), ("a // b", truncating), ("a % b", lambda x, y: x - truncating(x, y) * y),
    ("a & b", np.bitwise_and), ("a | b", np.bitwise_or), ("a ^ b", np.bitwise_xor), ("~a", lambda x, y: ~x), ("a >> 3", lambda x, y: x >> 3),
    ("a << 3", lambda x, y: x << 3), ("tl.abs(a)", lambda x, y: np.abs(x)), ("tl.maximum(a, b)", np.maximum), ("tl.clamp(a, -5, 5)", lambda x, y: np.clip(x, -5, 5)),
    ("tl.cdiv(a, 7)", lambda x, y: truncating(x + 6, y * 0 + 7)), ("a.cdiv(7)", lambda x, y: truncating(x + 6, y * 0 + 7)),
    ("triton.cdiv(a, 7)", lambda x, y: truncating(x + 6, y * 0 + 7)),
    ("(a > 0) and (b > 0)", lambda x, y: (x > 0) & (y > 0)), ("(a > 0).logical_or(b > 0)", lambda x, y: (x > 0) | (y > 0)),
    ("(a > 0).logical_and(b > 0)", lambda x, y: (x > 0) & (y > 0)), ("not (a > 0)", lambda x, y: ~(x > 0)),
    ("(a.to(tl.uint32, bitcast=True) >> 4).to(tl.int32, bitcast=True)", lambda x, y: (x.view(np.uint32) >> 4).view(np.int32)),
    ("tl.umulhi(a, b)", lambda x, y: (as_unsigned(x) * as_unsigned(y) >> np.uint64(32)).astype(np.uint32).view(np.int32)),
    ("libdevice.mulhi(a, b)", lambda x, y: (x.astype(np.int64) * y >> 32).astype(np.int32)),
    ("libdevice.popc(a)", lambda x, y: np.vectorize(lambda v: bin(int(v) & 0xFFFFFFFF).count("1"))(x)),
    ("libdevice.clz(a)", lambda x, y: np.vectorize(lambda v: 32 - (int(v) & 0xFFFFFFFF).bit_length())(x)),
    ("libdevice.ffs(a)", lambda x, y: np.vectorize(lambda v: (int(v) & -int(v)).bit_length())(x)),
    ("libdevice.brev(a)", lambda x, y: np.vectorize(lambda v: int(f"{int(v) & 0xFFFFFFFF:032b}"[::-1], 2), otypes=[np.uint32])(x).view(np.int32)),
    ("libdevice.byte_perm(a, b, 0x3210)", lambda x, y: x), ("libdevice.byte_perm(a, b, 0x7654)", lambda x, y: y),
    ("libdevice.byte_perm(a, b, 0x0123)", lambda x, y: x.byteswap()),
    ("libdevice.sad(a, b, a * 0).to(tl.int32)", lambda x, y: np.abs(x.astype(np.int64) - y).astype(np.uint32).view(np.int32)),
    ("libdevice.mul24(a & 0xFFFF, b)", lambda x, y: (x & 0xFFFF) * y), ("libdevice.hadd(a, b)", lambda x, y: ((x.astype(np.int64) + y) >> 1).astype(np.int32)),
    ("libdevice.rhadd(a, b)", lambda x, y: ((x.astype(np.int64) + y + 1) >> 1).astype(np.int32)), ("libdevice.abs(b)", lambda x, y: np.abs(y)),
    ("libdevice.float_as_int(libdevice.int_as_float(a))", lambda x, y: x),
    ("libdevice.float_as_uint(libdevice.uint_as_float(a.to(tl.uint32))).to(tl.int32)", lambda x, y: x),
    ("libdevice.double2hiint(libdevice.hiloint2double(b, a))", lambda x, y: y), ("libdevice.double2loint(libdevice.hiloint2double(b, a))", lambda x, y: x),
    ("libdevice.double_as_longlong(libdevice.longlong_as_double(a.to(tl.int64))).to(tl.int32)", lambda x, y: x),
    ("a.cast(tl.int64).to(tl.int32)", lambda x, y: x), ("tl.cast(a, tl.int8).to(tl.int32)", lambda x, y: x.astype(np.int8).astype(np.int32)),
    ("max(a, 3)", lambda x, y: np.maximum(x, 3)), ("a.to(tl.uint8).to(tl.int32)", lambda x, y: x.astype(np.uint8).astype(np.int32)),
]


@pytest.mark.parametrize("expression, fn", INTEGERS, ids=[row[0] for row in INTEGERS])
def test_int(run_kernel, expression, fn):
    with np.errstate(over="ignore"):
        want = np.asarray(fn(INTS, OTHERS)).astype(np.int32)
    np.testing.assert_array_equal(run(run_kernel, expression, INTS, OTHERS, np.int32, "i32"), want)


BIG = np.concatenate([RNG.uniform(-1e6, 1e6, size=N - 8), [0.5, 1.5, -0.5, -1.5, 2.5, -2.5, 3.0, -3.0]])
WAYS = {"rn": np.rint, "rd": np.floor, "ru": np.ceil, "rz": np.trunc}


@pytest.mark.parametrize("source, dtype", [("float", np.float32), ("double", np.float64)])
@pytest.mark.parametrize("to, made", [("int", np.int32), ("uint", np.uint32), ("ll", np.int64), ("ull", np.uint64)])
def test_float_to_int(run_kernel, source, dtype, to, made):
    a = (np.abs(BIG) if to.startswith("u") else BIG).astype(dtype)
    for way, fn in WAYS.items():
        got = run(run_kernel, f"libdevice.{source}2{to}_{way}(a).to(tl.int64)", a, a, np.int64, "i64")
        np.testing.assert_array_equal(got, fn(a).astype(made).astype(np.int64))


def test_rounded_to_long(run_kernel):
    a = BIG.astype(np.float32)
    np.testing.assert_array_equal(run(run_kernel, "libdevice.llrint(a)", a, a, np.int64, "i64"), np.rint(a).astype(np.int64))
    away = np.copysign(np.floor(np.abs(a.astype(np.float64)) + 0.5), a).astype(np.int64)
    np.testing.assert_array_equal(run(run_kernel, "libdevice.llround(a)", a, a, np.int64, "i64"), away)


def nearest_below(exact):
    """The largest fp32 that is not above each fp64."""
    f = exact.astype(np.float32)
    return np.where(f.astype(np.float64) > exact, np.nextafter(f, np.float32(-np.inf)), f)


def nearest_above(exact):
    return -nearest_below(-exact)


def toward_zero(exact):
    return np.where(exact < 0, nearest_above(exact), nearest_below(exact))


DIRECTED = {"rd": nearest_below, "ru": nearest_above, "rz": toward_zero}


@pytest.mark.parametrize("way", DIRECTED)
def test_directed_rounding(run_kernel, way):
    a, b = NEAR_0, (UNIT + 1.5).astype(np.float32)
    x, y = a.astype(np.float64), b.astype(np.float64)
    for expression, exact in [(f"libdevice.add_{way}(a, b)", x + y), (f"libdevice.sub_{way}(a, b)", x - y), (f"libdevice.mul_{way}(a, b)", x * y),
                              (f"libdevice.div_{way}(a, b)", x / y), (f"libdevice.sqrt_{way}(b)", np.sqrt(y)), (f"libdevice.rcp_{way}(b)", 1 / y),
                              (f"libdevice.fma_{way}(a, b, a)", x * y + x), (f"libdevice.double2float_{way}(a.to(tl.float64) / 3)", x / 3)]:
        np.testing.assert_array_equal(run(run_kernel, expression, a, b, np.float32), DIRECTED[way](exact), err_msg=expression)


@pytest.mark.parametrize("made, dtype", [("int", np.int32), ("uint", np.uint32), ("ll", np.int64), ("ull", np.uint64)])
def test_int_to_float(run_kernel, made, dtype):
    a = (LONGS >> 20).astype(dtype)
    exact = a.astype(np.float64)
    np.testing.assert_array_equal(run(run_kernel, f"libdevice.{made}2float_rn(a)", a, a, np.float32), a.astype(np.float32))
    np.testing.assert_array_equal(run(run_kernel, f"libdevice.{made}2double_rn(a)", a, a, np.float64, "f64"), exact)
    for way, fn in DIRECTED.items():
        np.testing.assert_array_equal(run(run_kernel, f"libdevice.{made}2float_{way}(a)", a, a, np.float32), fn(exact))
        if made in ("ll", "ull"):
            np.testing.assert_array_equal(run(run_kernel, f"libdevice.{made}2double_{way}(a)", a, a, np.float64, "f64"), exact)
    np.testing.assert_array_equal(run(run_kernel, "libdevice.double2float_rn(a.to(tl.float64) / 3)", a, a, np.float32), (exact / 3).astype(np.float32))


SPECIAL = np.resize(np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40], dtype=np.float32), N)


@pytest.mark.parametrize("expression, fn", [
    ("libdevice.isnan(a)", np.isnan), ("libdevice.isinf(a)", np.isinf), ("libdevice.finitef(a)", np.isfinite), ("libdevice.isfinited(a)", np.isfinite),
    ("libdevice.isfinite(a)", np.isfinite), ("libdevice.signbit(a)", np.signbit), ("a == a", lambda x: x == x), ("a != a", lambda x: x != x),
    ("a < float('inf')", lambda x: x < np.inf), ("a.to(tl.int1)", lambda x: x != 0)])
def test_special(run_kernel, expression, fn):
    np.testing.assert_array_equal(run(run_kernel, f"({expression}).to(tl.int32)", SPECIAL, SPECIAL, np.int32, "i32"), fn(SPECIAL).astype(np.int32))


def test_nan_in_extremes(run_kernel):
    """NaN gives the other operand, unless it is asked to go on."""
    got = run(run_kernel, "tl.maximum(a, 2.0)", SPECIAL, SPECIAL, np.float32)
    np.testing.assert_array_equal(got, np.fmax(SPECIAL, 2))
    got = run(run_kernel, "tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)", SPECIAL, SPECIAL, np.float32)
    np.testing.assert_array_equal(got, SPECIAL)
    got = run(run_kernel, "tl.maximum(a, 1.0, propagate_nan=tl.PropagateNan.NONE)", SPECIAL, SPECIAL, np.float32)
    np.testing.assert_array_equal(got, np.fmax(SPECIAL, 1))


def test_casts_of_floats(run_kernel):
    a = np.array([1 + 2**-11, 1 + 3 * 2**-11, 65520, -65520, 1e-8, 448, 1e6, -2.6], dtype=np.float32).repeat(8)
    np.testing.assert_array_equal(run(run_kernel, "a.to(tl.float16).to(tl.float32)", a, a, np.float32), a.astype(np.float16).astype(np.float32))
    got = run(run_kernel, "a.to(tl.float16, fp_downcast_rounding='rtz').to(tl.float32)", a, a, np.float32)
    np.testing.assert_array_equal(got[::8], [1, 1 + 2**-10, 65504, -65504, 0, 448, 65504, np.float32(np.float16(-2.6)) + 2**-9 * (np.float16(-2.6) < -2.6)])
    got = run(run_kernel, "a.to(tl.float8e4nv).to(tl.float32)", a, a, np.float32)      # saturates
    np.testing.assert_array_equal(got[::8], [1, 1, 448, -448, 0, 448, 448, -2.5])
    got = run(run_kernel, "a.to(tl.float8e5).to(tl.float32)", a, a, np.float32)
    np.testing.assert_array_equal(got[::8], [1, 1, 57344, -57344, 0, 448, 57344, -2.5])
    got = run(run_kernel, "a.to(tl.bfloat16).to(tl.float32)", a, a, np.float32)
    bits = a.view(np.uint32).astype(np.uint64)
    np.testing.assert_array_equal(got.view(np.uint32), ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32))
    got = run(run_kernel, "(a / 1000).to(tl.int32)", a, a, np.int32, "i32")
    np.testing.assert_array_equal(got, (a / np.float32(1000)).astype(np.int32))
