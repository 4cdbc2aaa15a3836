"""Every cast: all encodings of the narrow floats, rounding, saturation, NaN, infinities, subnormals, integers, booleans, bits."""
import numpy as np
import pytest
from kernel import NUMPY, TL, Table, Typed, difference, fails, run, same, zeros
from models import BF16, E2M1, E4M3, E4M3_B8, E5M2, E5M2_B16, F16, FORMATS, interesting, is_nan

NARROW = [F16, BF16, E4M3, E5M2, E4M3_B8, E5M2_B16]

CAST = """
@triton.jit
def cast(x, out, n, HOW: tl.constexpr, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + offs, mask=offs < n)
    v = v.to(out.dtype.element_ty, fp_downcast_rounding=HOW)
    tl.store(out + offs, v, mask=offs < n)
"""


def cast(x, to, how=None):
    bits = x.bits if isinstance(x, Typed) else x
    return run(CAST, x=x, out=zeros(to, len(bits)), n=len(bits), HOW="None" if how is None else "'%s'" % how, BLOCK=1024, grid=-(-len(bits) // 1024),
               save=["out"]).out


def carried(format, bits):
    return bits.view(np.float16) if format is F16 else Typed(bits, format.name)


def check_codes(format, got, want, source):
    """Encodings must agree; where a NaN is wanted, any NaN will do."""
    if format is F16:
        got = got.view(np.uint16)
    nan = is_nan(format, want)
    assert (is_nan(format, got) == nan).all(), "NaN in the wrong place: from %r" % source[np.argmax(is_nan(format, got) != nan)]
    bad = (got != want) & ~nan
    at = int(np.argmax(bad))
    assert not bad.any(), "%d of %d differ; %r gives %#x instead of %#x" % (bad.sum(), bad.size, source[at], got[at], want[at])


@pytest.mark.parametrize("format", NARROW, ids=lambda f: f.name)
def test_every_encoding_widens_exactly(format):
    bits = format.all_codes()
    want = format.decode(bits)
    same(cast(carried(format, bits), "f32"), want.astype(np.float32))
    same(cast(carried(format, bits), "f64"), want)


@pytest.mark.parametrize("format", NARROW, ids=lambda f: f.name)
def test_every_encoding_survives_a_round_trip(format):
    bits = format.all_codes()
    got = run("""
@triton.jit
def there_and_back(x, out, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + offs)
    tl.store(out + offs, v.to(tl.float32).to(v.dtype))
""", x=carried(format, bits), out=zeros(format.name, len(bits)), BLOCK=256, grid=len(bits) // 256, save=["out"]).out
    want = format.encode(format.decode(bits))
    check_codes(format, got, want, bits)


@pytest.mark.parametrize("format", NARROW, ids=lambda f: f.name)
def test_f32_rounds_to_nearest_even(format):
    x = interesting(format)
    check_codes(format, cast(x, format.name), format.encode(x.astype(np.float64)), x)
    check_codes(format, cast(x, format.name, "rtne"), format.encode(x.astype(np.float64)), x)


@pytest.mark.parametrize("format", [F16, BF16], ids=lambda f: f.name)
def test_f32_rounds_toward_zero(format):
    x = interesting(format)
    x = x[~np.isinf(x)]
    check_codes(format, cast(x, format.name, "rtz"), format.encode(x.astype(np.float64), toward_zero=True), x)


@pytest.mark.parametrize("format", [F16, BF16, E4M3, E5M2], ids=lambda f: f.name)
def test_f64_rounds_once(format):
    x = interesting(format)
    x = x[np.isfinite(x)].astype(np.float64)
    x = np.concatenate([x, np.nextafter(x, np.inf), np.nextafter(x, -np.inf), [np.inf, -np.inf, np.nan, 1e300, -1e300, 5e-324]])
    check_codes(format, cast(x, format.name), format.encode(x), x)


def test_f64_to_f32_rounds_once():
    r = np.random.default_rng(1)
    x = np.concatenate([r.standard_normal(500) * 10.0 ** r.integers(-320, 300, 500), [0.0, -0.0, np.inf, -np.inf, np.nan, 3.4028235677973366e38, 1e-46, 1.5 * 2.0 ** -149]])
    with np.errstate(all="ignore"):
        same(cast(x, "f32"), x.astype(np.float32))


@pytest.mark.parametrize("source,to", [(s, t) for s in (F16, BF16) for t in NARROW if s is not t], ids=lambda f: f.name)
def test_narrow_to_narrow(source, to):
    bits = source.all_codes()
    x = source.decode(bits)
    check_codes(to, cast(carried(source, bits), to.name), to.encode(x), x)


@pytest.mark.parametrize("source", [E4M3, E5M2], ids=lambda f: f.name)
@pytest.mark.parametrize("to", [F16, BF16], ids=lambda f: f.name)
def test_fp8_to_16_bits(source, to):
    bits = source.all_codes()
    x = source.decode(bits)
    check_codes(to, cast(carried(source, bits), to.name), to.encode(x), x)


def test_fp8_to_fp8():
    bits = E4M3.all_codes()
    x = E4M3.decode(bits)
    got = run("""
@triton.jit
def k(x, out):
    offs = tl.arange(0, 256)
    tl.store(out + offs, tl.load(x + offs).to(tl.float32).to(tl.float8e5))
""", x=Typed(bits, "fp8e4nv"), out=zeros("fp8e5", 256), save=["out"]).out
    check_codes(E5M2, got, E5M2.encode(x), x)


# ---- integers ----

INTS = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]


def edges(type):
    info = np.iinfo(NUMPY[type])
    values = {0, 1, 2, 7, 100, info.max, info.max - 1, info.min, info.min // 2, info.max // 2 + 1, info.max // 3}
    if info.min < 0:
        values |= {-1, -2, -7, -100, info.min + 1}
    return np.array(sorted(values), NUMPY[type])


@pytest.mark.parametrize("source", INTS)
def test_int_to_int_wraps_and_extends(source):
    x = edges(source)
    t = Table(x=x)
    for to in INTS:
        t.add("x.to(%s)" % TL[to], to, x.astype(NUMPY[to]))
    t.add("x.to(tl.int1)", "i1", x != 0)
    for to in ("f16", "f32", "f64"):
        with np.errstate(over="ignore"):
            want = np.array([int(v) for v in x], dtype=object)
            if to == "f16":
                want = F16.encode(x.astype(np.float64)).view(np.float16) if source not in ("i64", "u64") else None
            elif to == "f32":
                want = x.astype(np.float32)
            else:
                want = x.astype(np.float64)
        t.add("x.to(%s)" % TL[to], to, want)
    if source not in ("i64", "u64"):
        t.add("x.to(tl.bfloat16)", "bf16", BF16.encode(x.astype(np.float64)))
    t.check()


def test_int_to_bf16_rounds_once():
    """One above half an ulp: rounding to f32 or f64 on the way would lose the 1."""
    def nearest(v):
        m = abs(v)
        shift = max(0, m.bit_length() - 8)
        q, rest, half = m >> shift, m & ((1 << shift) - 1), 1 << shift >> 1
        q += rest > half or (rest == half and shift and q & 1)
        return float(q << shift) * (1 if v >= 0 else -1)
    values = [(1 << k) + (j << k - 8) + i for k in (12, 25, 30, 40, 53, 54, 55, 61, 62) for j in (1, 2, 3, 5) for i in (-1, 0, 1)]
    for type, fits in (("i32", 31), ("u32", 32), ("i64", 63), ("u64", 64)):
        x = [v for v in values + [(1 << 63) + (1 << 55) + 1, (1 << 64) - 1] if v < 1 << fits]
        if type[0] == "i":
            x += [-v for v in x]
        t = Table(x=np.array(x, NUMPY[type]))
        t.add("x.to(tl.bfloat16)", "bf16", BF16.encode(np.array([nearest(v) for v in x])))
        t.check()


def test_float_to_int_truncates():
    x = np.array([0.0, -0.0, 0.4, 0.5, 0.99, -0.5, -0.99, 1.5, -1.5, 2.5, -2.5, 100.7, -100.7, 126.99, -127.99, 1e-40, 65.0, -3.0], np.float64)
    for name, format in (("f32", None), ("f64", None), ("f16", F16), ("bf16", BF16)):
        if format:
            bits = format.encode(x)
            value, given = format.decode(bits), carried(format, bits)
        else:
            given = x.astype(NUMPY[name])
            value = given.astype(np.float64)
        t = Table(x=given, y=given)
        for to in ("i8", "i16", "i32", "i64"):
            t.add("x.to(%s)" % TL[to], to, np.trunc(value).astype(NUMPY[to]))
        for to in ("u8", "u16", "u32", "u64"):
            t.add("tl.abs(x).to(%s)" % TL[to], to, np.trunc(np.abs(value)).astype(NUMPY[to]))
        t.add("x.to(tl.int1)", "i1", value != 0)
        t.check()


def test_large_floats_to_64_bit_integers():
    x = np.array([2.0 ** 62, -2.0 ** 63, 2.0 ** 53 + 2, 1e18, -1e18, 123456789012.75], np.float64)
    u = np.array([2.0 ** 63, 2.0 ** 64 - 2048, 1e19, 2.0 ** 53 + 2, 0.0, 5e9], np.float64)
    t = Table(x=x, u=u, f=u.astype(np.float32) / 2)
    t.add("x.to(tl.int64)", "i64", x.astype(np.int64))
    t.add("u.to(tl.uint64)", "u64", np.array([int(v) for v in u], np.uint64))
    t.add("f.to(tl.uint64)", "u64", np.array([int(v) for v in u.astype(np.float32) / 2], np.uint64))
    t.add("(u / 2).to(tl.uint64)", "u64", np.array([int(v / 2) for v in u], np.uint64))
    t.check()


def test_out_of_range_floats_to_int_do_not_trap():
    x = np.array([1e30, -1e30, np.inf, -np.inf, np.nan, 3e9, -1.0, 300.0], np.float32)
    t = Table(x=x)
    for to in INTS:
        t.add("x.to(%s)" % TL[to], to, None)
    t.check()


def test_booleans():
    x = np.array([0.0, -0.0, 1.0, np.nan, 1e-45, -np.inf, 0.25, 0.0], np.float32)
    b = np.array([0, 1, 1, 0, 1, 0, 0, 1], np.bool_)
    t = Table(x=x, b=b)
    t.add("x.to(tl.int1)", "i1", x != 0)
    for to in INTS + ["f16", "f32", "f64"]:
        t.add("b.to(%s)" % TL[to], to, b.astype(NUMPY[to]))
    t.add("b.to(tl.bfloat16)", "bf16", BF16.encode(b.astype(np.float64)))
    t.add("(b.to(tl.int8) * 5).to(tl.int1).to(tl.int32)", "i32", b.astype(np.int32))
    t.check()


def test_bitcasts():
    r = np.random.default_rng(2)
    u = r.integers(0, 2 ** 32, 64, dtype=np.uint32)
    w = r.integers(0, 2 ** 64, 64, dtype=np.uint64)
    h = r.integers(0, 2 ** 16, 64).astype(np.uint16)
    b = r.integers(0, 2 ** 8, 64).astype(np.uint8)
    t = Table(u=u, w=w, h=h, b=b)
    t.add("u.to(tl.float32, bitcast=True).to(tl.uint32, bitcast=True)", "u32", u)
    t.add("u.to(tl.int32, bitcast=True)", "i32", u.view(np.int32))
    t.add("tl.cast(u, tl.float32, bitcast=True)", "f32", u.view(np.float32))
    t.add("w.to(tl.float64, bitcast=True)", "f64", w.view(np.float64))
    t.add("h.to(tl.float16, bitcast=True)", "f16", h.view(np.float16))
    t.add("h.to(tl.bfloat16, bitcast=True)", "bf16", h)
    t.add("h.to(tl.bfloat16, bitcast=True).to(tl.int16, bitcast=True)", "i16", h.view(np.int16))
    t.add("b.to(tl.float8e4nv, bitcast=True)", "fp8e4nv", b)
    t.add("b.to(tl.float8e5, bitcast=True).to(tl.int8, bitcast=True)", "i8", b.view(np.int8))
    t.check()
    fails("@triton.jit\ndef k(x):\n    v = tl.load(x).to(tl.int64, bitcast=True)\n    tl.store(x, v)\n", 1, "error:", x=np.zeros(1, np.float32))


def test_e4b15_decodes():
    """Triton's own format: e4m3 with bias 15 and no special numbers."""
    bits = np.arange(256, dtype=np.uint8)
    code = bits & 0x7F
    number = np.where(code >> 3, np.ldexp((code & 7) + 8.0, (code >> 3).astype(int) - 15 - 3), np.ldexp(code & 7, 1 - 15 - 3))
    same(cast(Typed(bits, "fp8e4b15"), "f32"), np.where(bits & 0x80, -number, number).astype(np.float32))


def test_stores_cast_to_the_element_type():
    x = np.array([1.9, -1.9, 100.25, 0.0], np.float32)
    got = run("""
@triton.jit
def stores(x, h, i, u, b, d):
    offs = tl.arange(0, 4)
    v = tl.load(x + offs)
    tl.store(h + offs, v)
    tl.store(i + offs, v)
    tl.store(u + offs, offs * 100 + 250)
    tl.store(b + offs, v)
    tl.store(d + offs, offs)
""", x=x, h=zeros("f16", 4), i=zeros("i32", 4), u=zeros("u8", 4), b=zeros("i1", 4), d=zeros("f64", 4))
    same(got.h, x.astype(np.float16))
    same(got.i, np.array([1, -1, 100, 0], np.int32))
    same(got.u, np.array([250, 350 - 256, 450 - 256, 550 - 512], np.uint8))
    same(got.b, np.array([True, True, True, False]))
    same(got.d, np.arange(4.0))


def test_subnormals_are_kept():
    x = np.array([1e-45, 1e-40, -1e-39, 1.17e-38, 0.0], np.float32)
    d = np.array([5e-324, 1e-310, -1e-320, 2.2e-308, 0.0])
    t = Table(x=x, d=d)
    t.add("x * 1.0", "f32", x)
    t.add("x + x", "f32", x + x)
    t.add("x * 0.5", "f32", x * np.float32(0.5))
    t.add("d + d", "f64", d + d)
    t.add("d * 0.5", "f64", d * 0.5)
    t.add("x.to(tl.float64)", "f64", x.astype(np.float64))
    t.add("x > 0", "i1", x > 0)
    t.check()


def test_impossible_casts_are_reported():
    source = "@triton.jit\ndef k(x):\n    v = tl.load(x).to(tl.float64, fp_downcast_rounding='rtz')\n    tl.store(x, v)\n"
    fails(source, 1, "error:", x=np.zeros(1, np.float32))
    source = "@triton.jit\ndef k(x):\n    v = tl.load(x).to(tl.float16, fp_downcast_rounding='up')\n    tl.store(x, v)\n"
    fails(source, 1, "error:", x=np.zeros(1, np.float32))


def test_models_agree_with_numpy():
    """The models of this file are right about what NumPy knows too."""
    bits = np.arange(1 << 16, dtype=np.uint16)
    assert difference(F16.decode(bits), bits.view(np.float16).astype(np.float64)) is None
    x = interesting(F16)
    with np.errstate(over="ignore"):
        check_codes(F16, x.astype(np.float16), F16.encode(x.astype(np.float64)), x)
    assert list(E2M1.finite()) == [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    assert E4M3.finite()[-1] == 448 and E5M2.finite()[-1] == 57344 and E4M3_B8.finite()[-1] == 240 and E5M2_B16.finite()[-1] == 57344
    assert set(FORMATS) == {f.name for f in NARROW}
