"""Every op of ops.def on the CPU, against NumPy: fused and not (which must agree to the bit), for three x86-64 levels."""
import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from build import NUMPY, Func, tile
from kir import Kernel

TARGETS = ["cpu:x86-64-v2", "cpu:x86-64-v3", "cpu:x86-64-v4"]
HOST_HAS = {level for level, flag in (("cpu:x86-64-v3", "avx2"), ("cpu:x86-64-v4", "avx512vl"))
            if flag in Path("/proc/cpuinfo").read_text()} | {"cpu:x86-64-v2"}
rng = np.random.default_rng(7)


def run(f, inputs, outputs, grid=(1,), exact=True):
    """The outputs (name -> shape and element) of a Func, the same for all ways of compiling it."""
    text = f.text() if isinstance(f, Func) else f
    first = None
    for target, fuse in itertools.product(TARGETS, (True, False)):
        if target not in HOST_HAS:
            continue
        kernel = Kernel(text, target=target, fuse=fuse)
        arrays = [inputs[n].copy() if isinstance(inputs[n], np.ndarray) else inputs[n] for n in inputs]
        results = {n: np.zeros(shape, NUMPY[elem]) for n, (shape, elem) in outputs.items()}
        assert kernel(*arrays, *results.values(), grid=grid) == 0
        results |= {n: a for n, a in zip(inputs, arrays) if isinstance(a, np.ndarray)}
        if first is None or (not exact and fuse):
            first = first or results
            same_target = results
        for n in results:
            reference = (first if exact else same_target)[n]
            np.testing.assert_array_equal(results[n].view(np.uint8), reference.view(np.uint8), err_msg=f"{n}, {target}, fuse={fuse}\n{text}")
    return first


def elementwise(op, arrays, elem, out_elem=None, attrs="", shape=(256,)):
    out_elem = out_elem or elem
    f = Func(**{f"x{i}": f"ptr<{elem}>" for i in range(len(arrays))}, o=f"ptr<{out_elem}>")
    values = [f.load(f"x{i}", shape, elem) for i in range(len(arrays))]
    f.store("o", shape, out_elem, f(op, *values, type=tile(shape, out_elem), attrs=attrs))
    return run(f, {f"x{i}": a for i, a in enumerate(arrays)}, {"o": (shape, out_elem)})["o"]


def ints(elem, shape=(256,)):
    info = np.iinfo(NUMPY[elem])
    a = rng.integers(info.min, info.max, shape, NUMPY[elem], endpoint=True)
    a.flat[:4] = [info.min, info.max, 0, 1]
    return a


def floats(elem, shape=(256,)):
    a = (rng.standard_normal(shape) * 4).astype(NUMPY[elem])
    a.flat[:4] = [0, -0.0, 1, -1]
    return a


INTS = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]
FLOATS = ["f16", "f32", "f64"]


@pytest.mark.parametrize("elem", INTS)
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "rem", "and", "or", "xor", "shl", "shr", "min", "max", "mulhi"])
def test_int_binary(op, elem):
    a, b = ints(elem), ints(elem)
    bits = a.dtype.itemsize * 8
    a[4:8], b[4:8] = a[0], [-1 if elem[0] == "i" else 1, 1, 2, 3]
    if op in ("shl", "shr"):
        b = rng.integers(0, bits, 256).astype(a.dtype)
    out = elementwise(f"kd.{op}", [a, b], elem)
    safe = np.where(b == 0, 1, b)
    wide_a, wide_b = a.astype(object), safe.astype(object)
    trunc = np.array([abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1) for x, y in zip(wide_a, wide_b)], object)
    wrap = lambda v: np.array([int(x) & (2 ** bits - 1) for x in v], np.uint64).astype(f"u{a.dtype.itemsize}").view(a.dtype)
    want = {"add": lambda: a + b, "sub": lambda: a - b, "mul": lambda: a * b, "and": lambda: a & b, "or": lambda: a | b,
            "xor": lambda: a ^ b, "shl": lambda: a << b, "shr": lambda: a >> b, "min": lambda: np.minimum(a, b),
            "max": lambda: np.maximum(a, b), "div": lambda: wrap(trunc), "rem": lambda: wrap(wide_a - trunc * wide_b),
            "mulhi": lambda: wrap([int(x) * int(y) >> bits for x, y in zip(a, b)])}[op]()
    defined = np.ones(256, bool)
    if op in ("div", "rem"):
        defined = (b != 0) & ~((a == np.iinfo(a.dtype).min) & (b == -1) if elem[0] == "i" else np.zeros(256, bool))
    np.testing.assert_array_equal(out[defined], want[defined])


@pytest.mark.parametrize("elem", FLOATS)
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "rem", "min", "max"])
def test_float_binary(op, elem):
    a, b = floats(elem), floats(elem)
    b[b == 0] = 2
    out = elementwise(f"kd.{op}", [a, b], elem)
    wide = np.float32 if elem == "f16" else a.dtype
    fn = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "rem": np.fmod, "min": np.fmin, "max": np.fmax}[op]
    np.testing.assert_array_equal(out, fn(a.astype(wide), b.astype(wide)).astype(a.dtype))


@pytest.mark.parametrize("propagate", [False, True])
def test_min_max_nan(propagate):
    a, b = floats("f32"), floats("f32")
    a[8:16], b[12:20] = np.nan, np.nan
    for op, keeps, ignores in (("min", np.minimum, np.fmin), ("max", np.maximum, np.fmax)):
        out = elementwise(f"kd.{op}", [a, b], "f32", attrs="propagate_nan" if propagate else "")
        np.testing.assert_array_equal(np.isnan(out), np.isnan((keeps if propagate else ignores)(a, b)))


@pytest.mark.parametrize("elem", INTS + FLOATS)
@pytest.mark.parametrize("op", ["neg", "abs"])
def test_unary(op, elem):
    a = floats(elem) if elem in FLOATS else ints(elem)
    np.testing.assert_array_equal(elementwise(f"kd.{op}", [a], elem), np.negative(a) if op == "neg" else np.abs(a))


def test_fma():
    a, b, c = floats("f32"), floats("f32"), floats("f32")
    want = (a.astype("f8") * b + c).astype("f4")
    np.testing.assert_allclose(elementwise("kd.fma", [a, b, c], "f32"), want, rtol=1e-7)


@pytest.mark.parametrize("elem", ["i32", "u32", "f16", "f32", "i64", "u8"])
@pytest.mark.parametrize("pred", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_cmp(pred, elem):
    a, b = (floats(elem), floats(elem)) if elem in FLOATS else (ints(elem), ints(elem))
    b[100:200] = a[100:200]
    if elem in FLOATS:
        a[:20] = np.nan
    fn = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}[pred]
    np.testing.assert_array_equal(elementwise(f"kd.cmp {pred}", [a, b], elem, "i1"), fn(a, b))


@pytest.mark.parametrize("elem", ["f32", "i8", "f16", "i1"])
def test_select(elem):
    f = Func(c="ptr<i1>", a=f"ptr<{elem}>", b=f"ptr<{elem}>", o=f"ptr<{elem}>")
    s = (64,)
    f.store("o", s, elem, f("kd.select", f.load("c", s, "i1"), f.load("a", s, elem), f.load("b", s, elem), type=tile(s, elem)))
    c, a, b = (rng.integers(0, 2, 64).astype(NUMPY[e]) for e in ("i1", elem, elem))
    np.testing.assert_array_equal(run(f, {"c": c, "a": a, "b": b}, {"o": (s, elem)})["o"], np.where(c, a, b))


def test_reshape_permute_broadcast():
    f = Func(x="ptr<i32>", o="ptr<i32>", p="ptr<i32>", q="ptr<i32>")
    x = f.load("x", (8, 4, 16), "i32")
    f.store("o", (16, 8, 4), "i32", f("kd.permute", x, type=tile((16, 8, 4), "i32"), attrs="order = [2, 0, 1]"))
    r = f("kd.reshape", x, type=tile((2, 64, 4), "i32"))
    f.store("p", (64, 4, 2), "i32", f("kd.permute", r, type=tile((64, 4, 2), "i32"), attrs="order = [1, 2, 0]"))
    row = f("kd.arange", type=tile((8,), "i32"), attrs="start = 3")
    col = f("kd.broadcast", f("kd.reshape", row, type=tile((8, 1, 1), "i32")), type=tile((8, 4, 16), "i32"))
    f.store("q", (8, 4, 16), "i32", f("kd.add", x, col, type=tile((8, 4, 16), "i32")))
    x = ints("i32", (8, 4, 16))
    out = run(f, {"x": x}, {"o": ((16, 8, 4), "i32"), "p": ((64, 4, 2), "i32"), "q": ((8, 4, 16), "i32")})
    np.testing.assert_array_equal(out["o"], x.transpose(2, 0, 1))
    np.testing.assert_array_equal(out["p"], x.reshape(2, 64, 4).transpose(1, 2, 0))
    np.testing.assert_array_equal(out["q"], x + np.arange(3, 11, dtype="i4")[:, None, None])


def test_join_split():
    f = Func(x="ptr<f32>", y="ptr<f32>", o="ptr<f32>", p="ptr<f32>", q="ptr<f32>")
    x, y = f.load("x", (32,), "f32"), f.load("y", (32,), "f32")
    j = f("kd.join", x, y, type=tile((32, 2), "f32"))
    f.store("o", (64,), "f32", f("kd.reshape", j, type=tile((64,), "f32")))
    r = f("kd.reshape", f("kd.neg", j, type=tile((32, 2), "f32")), type=tile((16, 2, 2), "f32"))
    a, b = f("kd.split", r, type=tile((16, 2), "f32"), n=2)
    f.store("p", (16, 2), "f32", a)
    f.store("q", (16, 2), "f32", b)
    x, y = floats("f32", (32,)), floats("f32", (32,))
    out = run(f, {"x": x, "y": y}, {"o": ((64,), "f32"), "p": ((16, 2), "f32"), "q": ((16, 2), "f32")})
    np.testing.assert_array_equal(out["o"], np.stack([x, y], -1).ravel())
    np.testing.assert_array_equal(out["p"].ravel(), -x)
    np.testing.assert_array_equal(out["q"].ravel(), -y)


CASTS = ["i1", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "f32", "f64"]


@pytest.mark.parametrize("to", CASTS)
@pytest.mark.parametrize("source", CASTS)
def test_cast(source, to):
    if source == "i1":
        a = rng.integers(0, 2, 64).astype(np.uint8)
    elif source in FLOATS:
        a = (rng.standard_normal(64) * (30 if to[0] in "iu" else 1e3)).astype(NUMPY[source])
        a = np.abs(a) if to[0] == "u" else a
    else:
        a = ints(source, (64,))
    out = elementwise("kd.cast", [a], source, to, shape=(64,))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(out, (a != 0) if to == "i1" else a.astype(NUMPY[to]))


def test_bf16():
    bits = np.concatenate([rng.integers(0, 2 ** 32, 4000, np.uint32), [0x7f800000, 0xff800000, 0x7f7fffff, 1, 0x80000000, 0x3f808000]])
    bits = np.resize(bits, 4096).astype(np.uint32)
    a = bits.view("f4")
    out = elementwise("kd.cast", [a], "f32", "bf16", shape=(4096,))
    want = ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    number = ~np.isnan(a)
    np.testing.assert_array_equal(out[number], want[number])
    back = elementwise("kd.cast", [out], "bf16", "f32", shape=(4096,))
    np.testing.assert_array_equal(back[number].view("u4"), want[number].astype("u4") << 16)
    assert np.isnan(back[~number]).all()


@pytest.mark.parametrize("rounding", ["", "rounding = rtz"])
def test_f16_all(rounding):
    every = np.arange(65536, dtype=np.uint16)
    wide = elementwise("kd.cast", [every.view("f2")], "f16", "f32", shape=(65536,))
    np.testing.assert_array_equal(wide, every.view("f2").astype("f4"))
    a = np.concatenate([wide, np.nextafter(wide, np.float32(np.inf)), wide * np.float32(1.0003), rng.standard_normal(65536).astype("f4") * 1e-6])
    out = elementwise("kd.cast", [a], "f32", "f16", attrs=rounding, shape=(262144,))
    with np.errstate(over="ignore"):
        want = a.astype("f2")
    if rounding:
        too_big = np.abs(want.astype("f8")) > np.abs(a.astype("f8"))
        want = np.where(too_big, np.nextafter(want, np.float16(0)), want)
    np.testing.assert_array_equal(out, want)
    exact = a.astype("f8") + np.where(np.isfinite(a), a, 0) * 1e-9
    if not rounding:
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(elementwise("kd.cast", [exact], "f64", "f16", shape=(262144,)), exact.astype("f2"))


F8 = {"f8e4nv": (3, 7, 0x7e, 0x7f, False), "f8e5": (2, 15, 0x7b, None, False), "f8e4b8": (3, 8, 0x7f, 0x80, True),
      "f8e5b16": (2, 16, 0x7f, 0x80, True), "f8e4b15": (3, 15, 0x7f, None, False)}


def f8_values(name):
    mantissa, bias, _, nan, _ = F8[name]
    out = np.empty(256)
    for code in range(256):
        e, m = (code & 0x7f) >> mantissa, code & ((1 << mantissa) - 1)
        v = m * 2.0 ** (1 - bias - mantissa) if e == 0 else (1 + m / 2 ** mantissa) * 2.0 ** (e - bias)
        if name == "f8e5" and e == 31:
            v = np.inf if m == 0 else np.nan
        if (nan == 0x80 and code == 0x80) or (nan == 0x7f and code & 0x7f == 0x7f):
            v = np.nan
        out[code] = -v if code & 0x80 else v
    return out


@pytest.mark.parametrize("name", F8)
def test_f8(name):
    codes = np.arange(256, dtype=np.uint8)
    values = f8_values(name)
    np.testing.assert_array_equal(elementwise("kd.cast", [codes], name, "f32"), values.astype("f4"))
    _, _, top, nan, fnuz = F8[name]
    a = np.concatenate([values, values * 1.03, values * 0.97, values[:256] * 1.0625, rng.standard_normal(1024) * 3]).astype("f4")
    a = np.resize(a, 2048)
    positive = values[:top + 1]
    out = elementwise("kd.cast", [a], "f32", name, shape=(2048,))
    for x, code in zip(a, out):
        if np.isnan(x):
            assert np.isnan(values[code]) or nan is None
            continue
        distance = np.abs(positive - abs(float(x))) if np.isfinite(x) else np.abs(positive - positive[-1])
        near = np.flatnonzero(distance == distance.min())
        want = near[0] if len(near) == 1 else next(c for c in near if c % 2 == 0)
        want |= 0x80 if np.signbit(x) and not (fnuz and want == 0) else 0
        assert code == want, (name, x, code, want)


def test_bitcast():
    a = floats("f32")
    np.testing.assert_array_equal(elementwise("kd.bitcast", [a], "f32", "u32"), a.view("u4"))
    a = floats("f16")
    np.testing.assert_array_equal(elementwise("kd.bitcast", [a], "f16", "i16"), a.view("i2"))


def test_masked_load_store():
    f = Func(x="ptr<f32>", o="ptr<f32>", n="i32")
    s = (128,)
    offs = f.offsets(s)
    m = f("kd.cmp lt", offs, f("kd.splat", "%n", type=tile(s, "i32")), type=tile(s, "i1"))
    low = f("kd.cmp ge", offs, f.const(5, tile(s, "i32")), type=tile(s, "i1"))
    both = f("kd.and", m, low, type=tile(s, "i1"))
    other = f.const(7.0, tile(s, "f32"))
    v = f("kd.load", f.pointers("x", s, "f32"), both, other, type=tile(s, "f32"))
    f("kd.store", f.pointers("o", s, "f32"), v, m)
    x = floats("f32", s)
    for n in (0, 1, 5, 6, 77, 128):
        out = run(f, {"x": x, "o": np.full(128, -3, "f4"), "n": n}, {})["o"]
        i = np.arange(128)
        want = np.where(i < n, np.where(i >= 5, x, 7), -3)
        np.testing.assert_array_equal(out, want)


def test_gather_scatter_pointers():
    f = Func(x="ptr<f32>", j="ptr<i32>", o="ptr<f32>")
    s = (64,)
    j = f.load("j", s, "i32")
    src = f("kd.addptr", f("kd.splat", "%x", type=tile(s, "ptr<f32>")), j, type=tile(s, "ptr<f32>"))
    dst = f("kd.addptr", f("kd.splat", "%o", type=tile(s, "ptr<f32>")), j, type=tile(s, "ptr<f32>"))
    v = f("kd.load", src, "_", "_", type=tile(s, "f32"))
    f("kd.store", dst, f("kd.add", v, v, type=tile(s, "f32")), "_")
    x, j = floats("f32", s), rng.permutation(64).astype("i4")
    np.testing.assert_array_equal(run(f, {"x": x, "j": j}, {"o": (s, "f32")})["o"], 2 * x)


def reduce_text(f, operands, shape, elem, axis, combine):
    out = [d for i, d in enumerate(shape) if i != axis]
    types = ", ".join([tile(out, e) for e in elem])
    names = [f.fresh() for _ in operands]
    f.count += 1
    own = lambda text: re.sub(r"%([a-z]+\d?)\b", rf"%\1_{f.count}", text)  # names are unique in a function
    args = own(", ".join([f"%l{i}: {e}" for i, e in enumerate(elem)] + [f"%r{i}: {e}" for i, e in enumerate(elem)]))
    f.line(f"{', '.join(names)} = kd.reduce {', '.join(operands)} {{axis = {axis}}} : {types} {{")
    f.line(f"^({args}):")
    for line in combine:
        f.line("  " + own(line))
    f.line("}")
    return names


@pytest.mark.parametrize("shape, axis", [((1024,), 0), ((8,), 0), ((1,), 0), ((16, 64), 1), ((16, 64), 0), ((64, 4), 1), ((64, 4), 0),
                                         ((4, 32, 8), 1), ((4, 8, 128), 2), ((32, 1), 0), ((2, 1), 1)])
@pytest.mark.parametrize("op, elem", [("add", "f32"), ("max", "f32"), ("add", "i32"), ("min", "i64"), ("xor", "u8"), ("add", "f16"), ("max", "f16")])
def test_reduce(shape, axis, op, elem):
    f = Func(x=f"ptr<{elem}>", o=f"ptr<{elem}>")
    out = tuple(d for i, d in enumerate(shape) if i != axis)
    r, = reduce_text(f, [f.load("x", shape, elem)], shape, [elem], axis, [f"%c = kd.{op} %l0, %r0 : {elem}", "kd.yield %c"])
    f.store("o", out, elem, r)
    x = floats(elem, shape + (4,) * 0) if elem in FLOATS and np.prod(shape) > 4 else rng.integers(0, 100, shape).astype(NUMPY[elem])
    got = run(f, {"x": x}, {"o": (out or (1,), elem)}, exact=elem != "f32" and elem != "f16")["o"]
    fn = {"add": np.add, "max": np.maximum, "min": np.minimum, "xor": np.bitwise_xor}[op]
    wide = x.astype("f8") if elem in FLOATS else x
    want = fn.reduce(wide, axis=axis).reshape(out or (1,))
    if elem in FLOATS:
        np.testing.assert_allclose(got, want, rtol=1e-3 if elem == "f16" else 1e-5, atol=1e-2 if elem == "f16" else 1e-4)
    else:
        np.testing.assert_array_equal(got, want.astype(NUMPY[elem]))


@pytest.mark.parametrize("shape, axis", [((128,), 0), ((8, 32), 1), ((32, 8), 0)])
def test_argmax(shape, axis):
    f = Func(x="ptr<f32>", o="ptr<f32>", p="ptr<i32>")
    index = f("kd.arange", type=tile((shape[axis],), "i32"), attrs="start = 0")
    if len(shape) == 2:
        wide = [1, 1]
        wide[axis] = shape[axis]
        index = f("kd.broadcast", f("kd.reshape", index, type=tile(wide, "i32")), type=tile(shape, "i32"))
    combine = ["%eq = kd.cmp eq %l0, %r0 : i1", "%il = kd.cmp lt %l1, %r1 : i1", "%tie = kd.and %eq, %il : i1",
               "%gt = kd.cmp gt %l0, %r0 : i1", "%c = kd.or %gt, %tie : i1", "%v = kd.select %c, %l0, %r0 : f32",
               "%i = kd.select %c, %l1, %r1 : i32", "kd.yield %v, %i"]
    v, i = reduce_text(f, [f.load("x", shape, "f32"), index], shape, ["f32", "i32"], axis, combine)
    out = tuple(d for k, d in enumerate(shape) if k != axis)
    f.store("o", out, "f32", v)
    f.store("p", out, "i32", i)
    x = rng.integers(0, 40, shape).astype("f4")
    got = run(f, {"x": x}, {"o": (out or (1,), "f32"), "p": (out or (1,), "i32")})
    np.testing.assert_array_equal(got["o"].ravel(), x.max(axis).ravel())
    np.testing.assert_array_equal(got["p"].ravel(), x.argmax(axis).ravel())


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape, axis", [((256,), 0), ((8, 64), 1), ((8, 64), 0), ((4, 8, 2), 1), ((1,), 0)])
def test_scan(shape, axis, reverse):
    f = Func(x="ptr<i32>", o="ptr<i32>")
    attrs = f"axis = {axis}" + (", reverse" if reverse else "")
    name = f.fresh()
    x = f.load("x", shape, "i32")
    f.line(f"{name} = kd.scan {x} {{{attrs}}} : {tile(shape, 'i32')} {{")
    f.line("^(%l: i32, %r: i32):")
    f.line("  %c = kd.add %l, %r : i32")
    f.line("  kd.yield %c")
    f.line("}")
    f.store("o", shape, "i32", name)
    x = ints("i32", shape) if np.prod(shape) > 4 else np.array([5], "i4")
    want = np.flip(np.cumsum(np.flip(x, axis), axis, dtype="i4"), axis) if reverse else np.cumsum(x, axis, dtype="i4")
    np.testing.assert_array_equal(run(f, {"x": x}, {"o": (shape, "i32")})["o"], want)


@pytest.mark.parametrize("shape, k, descending", [((256,), 256, False), ((4, 64), 64, True), ((8, 32), 4, True), ((16, 8), 8, False), ((2, 1), 1, False)])
@pytest.mark.parametrize("elem", ["f32", "i8"])
def test_sort(shape, k, descending, elem):
    f = Func(x=f"ptr<{elem}>", o=f"ptr<{elem}>")
    out = shape[:-1] + (k,)
    f.store("o", out, elem, f("kd.sort", f.load("x", shape, elem), type=tile(out, elem), attrs="descending" if descending else ""))
    x = rng.integers(-100, 100, shape).astype(NUMPY[elem])
    want = np.sort(x, -1)
    want = want[..., ::-1][..., :k] if descending else want[..., :k]
    np.testing.assert_array_equal(run(f, {"x": x}, {"o": (out, elem)})["o"], want)


@pytest.mark.parametrize("axis", [0, 1])
def test_gather(axis):
    f = Func(x="ptr<f32>", j="ptr<i32>", o="ptr<f32>")
    s = (16, 32)
    f.store("o", s, "f32", f("kd.gather", f.load("x", s, "f32"), f.load("j", s, "i32"), type=tile(s, "f32"), attrs=f"axis = {axis}"))
    x, j = floats("f32", s), rng.integers(0, s[axis], s).astype("i4")
    np.testing.assert_array_equal(run(f, {"x": x, "j": j}, {"o": (s, "f32")})["o"], np.take_along_axis(x, j, axis))


@pytest.mark.parametrize("masked", [False, True])
def test_histogram(masked):
    f = Func(x="ptr<i32>", o="ptr<i32>")
    s = (256,)
    x = f.load("x", s, "i32")
    mask = f("kd.cmp lt", f.offsets(s), f.const(200, tile(s, "i32")), type=tile(s, "i1")) if masked else "_"
    f.store("o", (16,), "i32", f("kd.histogram", x, mask, type=tile((16,), "i32")))
    x = rng.integers(-3, 20, 256).astype("i4")
    counted = x[:200] if masked else x
    want = np.bincount(counted[(counted >= 0) & (counted < 16)], minlength=16)
    np.testing.assert_array_equal(run(f, {"x": x}, {"o": ((16,), "i32")})["o"], want)


@pytest.mark.parametrize("m, n, k", [(16, 16, 16), (32, 64, 32), (8, 128, 16), (1, 16, 64), (64, 4, 8), (16, 1, 16), (128, 32, 1)])
@pytest.mark.parametrize("elem, acc", [("f32", "f32"), ("f16", "f32"), ("bf16", "f32"), ("i8", "i32"), ("f64", "f64"), ("f16", "f16"), ("f8e5", "f32")])
def test_dot(m, n, k, elem, acc):
    f = Func(a=f"ptr<{elem}>", b=f"ptr<{elem}>", c=f"ptr<{acc}>", o=f"ptr<{acc}>")
    d = f("kd.dot", f.load("a", (m, k), elem), f.load("b", (k, n), elem), f.load("c", (m, n), acc), type=tile((m, n), acc))
    f.store("o", (m, n), acc, d)
    a, b, c = (rng.integers(-4, 5, s).astype("f4") for s in ((m, k), (k, n), (m, n)))
    want = (a @ b + c).astype(NUMPY[acc])
    if elem == "bf16":
        a, b = ((x.view("u4") >> 16).astype("u2") for x in (a, b))
    elif elem == "f8e5":
        a, b = ((x.astype("f2").view("u2") >> 8).astype("u1") for x in (a, b))
    else:
        a, b = a.astype(NUMPY[elem]), b.astype(NUMPY[elem])
    if elem == "f8e5":
        want = f8_values("f8e5")[a].dot(f8_values("f8e5")[b]) + c
    np.testing.assert_array_equal(run(f, {"a": a, "b": b, "c": c.astype(NUMPY[acc])}, {"o": ((m, n), acc)})["o"], want)


def test_batched_dot():
    f = Func(a="ptr<f32>", b="ptr<f32>", o="ptr<f32>")
    zero = f.const(0.0, tile((4, 16, 32), "f32"))
    d = f("kd.dot", f.load("a", (4, 16, 8), "f32"), f.load("b", (4, 8, 32), "f32"), zero, type=tile((4, 16, 32), "f32"))
    f.store("o", (4, 16, 32), "f32", d)
    a, b = (rng.integers(-4, 5, s).astype("f4") for s in ((4, 16, 8), (4, 8, 32)))
    np.testing.assert_array_equal(run(f, {"a": a, "b": b}, {"o": ((4, 16, 32), "f32")})["o"], a @ b)


@pytest.mark.parametrize("kind, elem", [("add", "f32"), ("add", "f16"), ("add", "i32"), ("min", "i32"), ("max", "u32"), ("max", "f32"), ("and", "i32"),
                                        ("or", "i64"), ("xor", "u64"), ("xchg", "i32"), ("add", "f64")])
def test_atomic(kind, elem):
    f = Func(x=f"ptr<{elem}>", j="ptr<i32>", p=f"ptr<{elem}>", o=f"ptr<{elem}>")
    s = (64,)
    at = f("kd.addptr", f("kd.splat", "%p", type=tile(s, f"ptr<{elem}>")), f.load("j", s, "i32"), type=tile(s, f"ptr<{elem}>"))
    mask = f("kd.cmp lt", f.offsets(s), f.const(60, tile(s, "i32")), type=tile(s, "i1"))
    f.store("o", s, elem, f(f"kd.atomic {kind}", at, f.load("x", s, elem), mask, type=tile(s, elem)))
    x, j, p = rng.integers(0, 100, 64).astype(NUMPY[elem]), rng.integers(0, 8, 64).astype("i4"), np.full(8, 3, NUMPY[elem])
    want, old = p.copy(), np.zeros(64, NUMPY[elem])
    fn = {"add": np.add, "min": np.minimum, "max": np.maximum, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
          "xchg": lambda a, b: b}[kind]
    for i in range(60):
        old[i] = want[j[i]]
        want[j[i]] = fn(want[j[i]], x[i])
    got = run(f, {"x": x, "j": j, "p": p}, {"o": (s, elem)})
    np.testing.assert_array_equal(got["p"], want)
    np.testing.assert_array_equal(got["o"], old)


def test_atomic_cas():
    f = Func(p="ptr<i32>", o="ptr<i32>")
    old = f("kd.atomic_cas", "%p", f.const(5, "i32"), f.const(9, "i32"), type="i32")
    f.store("o", (), "i32", old)
    for start, want in ((5, 9), (6, 6)):
        got = run(f, {"p": np.array([start], "i4")}, {"o": ((1,), "i32")})
        assert got["p"][0] == want and got["o"][0] == start


def test_loops():
    f = Func(x="ptr<f32>", o="ptr<f32>", s="ptr<i32>", n="i32")
    zero, one = f.const(0, "i32"), f.const(1, "i32")
    acc, swap = f.const(0.0, tile((64,), "f32")), f.load("x", (64,), "f32")
    f.line(f"%a, %b, %c = kd.for {zero}, %n, {one}, {acc}, {swap}, {zero} : tile<64xf32>, tile<64xf32>, i32 {{")
    f.line("^(%i: i32, %u: tile<64xf32>, %v: tile<64xf32>, %k: i32):")
    total = f("kd.add", "%u", "%v", type="tile<64xf32>")
    count = f("kd.add", "%k", "%i", type="i32")
    f.line(f"kd.yield %v, {total}, {count}")
    f.line("}")
    f.store("o", (64,), "f32", f("kd.sub", "%b", "%a", type="tile<64xf32>"))
    f("kd.store", "%s", "%c", "_")
    x = rng.integers(0, 9, 64).astype("f4")
    for n in (0, 1, 5):
        a, b = np.zeros(64, "f4"), x
        for _ in range(n):
            a, b = b, a + b
        text = f.text().replace("%n: i32", "%n: i32")
        got = run(text, {"x": x, "o": np.zeros(64, "f4"), "s": np.zeros(1, "i4"), "n": n}, {})
        np.testing.assert_array_equal(got["o"], b - a)
        assert got["s"][0] == sum(range(n))


def test_while_and_if():
    f = Func(x="ptr<i32>", o="ptr<i32>", n="i32")
    start = f.load("x", (32,), "i32")
    one = f.const(1, "i32")
    f.line(f"%r, %t = kd.while %n, {start} : i32, tile<32xi32> {{")
    f.line("^(%i: i32, %v: tile<32xi32>):")
    more = f("kd.cmp gt", "%i", f.const(0, "i32"), type="i1")
    f.line(f"kd.condition {more}, %i, %v")
    f.line("} do {")
    f.line("^(%j: i32, %w: tile<32xi32>):")
    odd = f("kd.cast", f("kd.and", "%j", one, type="i32"), type="i1")
    f.line(f"%z = kd.if {odd} : tile<32xi32> {{")
    f.line(f"  kd.yield {f('kd.add', '%w', '%w', type='tile<32xi32>')}")
    f.line("} else {")
    f.line(f"  kd.yield {f('kd.sub', '%w', f.const(1, 'tile<32xi32>'), type='tile<32xi32>')}")
    f.line("}")
    f.line(f"kd.yield {f('kd.sub', '%j', one, type='i32')}, %z")
    f.line("}")
    f.store("o", (32,), "i32", "%t")
    x = rng.integers(0, 99, 32).astype("i4")
    for n in (0, 3, 6):
        want = x.copy()
        for j in range(n, 0, -1):
            want = want * 2 if j % 2 else want - 1
        np.testing.assert_array_equal(run(f, {"x": x, "o": np.zeros(32, "i4"), "n": n}, {})["o"], want)


def test_carried_transpose():
    """A new value that reads the old one at another index must not overwrite it on the way."""
    f = Func(x="ptr<f32>", o="ptr<f32>")
    zero, one, three = f.const(0, "i32"), f.const(1, "i32"), f.const(3, "i32")
    x = f.load("x", (32, 32), "f32")
    f.line(f"%r = kd.for {zero}, {three}, {one}, {x} : tile<32x32xf32> {{")
    f.line("^(%i: i32, %v: tile<32x32xf32>):")
    t = f("kd.permute", "%v", type="tile<32x32xf32>", attrs="order = [1, 0]")
    f.line(f"kd.yield {f('kd.add', t, t, type='tile<32x32xf32>')}")
    f.line("}")
    f.store("o", (32, 32), "f32", "%r")
    x = floats("f32", (32, 32))
    np.testing.assert_array_equal(run(f, {"x": x}, {"o": ((32, 32), "f32")})["o"], 8 * x.T)


def test_load_before_store():
    """A tile is read whole before a later store of the same program changes it."""
    f = Func(x="ptr<f32>")
    s = (32, 32)
    v = f.load("x", s, "f32")
    f.store("x", s, "f32", f("kd.permute", v, type=tile(s, "f32"), attrs="order = [1, 0]"))
    x = floats("f32", s)
    np.testing.assert_array_equal(run(f, {"x": x}, {})["x"], x.T)


@pytest.mark.parametrize("shape", [(32, 64), (4, 16), (2, 8), (64, 4), (16, 1)])
def test_turned_accesses(shape):
    """Addresses that are consecutive along the first axis, with masks; and a loop that advances its pointers and indices."""
    f = Func(x="ptr<f32>", o="ptr<f32>", n="i32", rounds="i32")
    rows, cols = shape
    wide = tile(shape, "i32")
    spread = lambda v, axis: f("kd.broadcast", f("kd.reshape", v, type=tile((rows, 1) if axis == 0 else (1, cols), "i32")), type=wide)
    i, j = (spread(f("kd.arange", type=tile((d,), "i32"), attrs="start = 0"), axis) for axis, d in enumerate(shape))
    at = f("kd.add", i, f("kd.mul", j, f.const(rows, wide), type=wide), type=wide)
    mask = f("kd.cmp lt", i, f("kd.splat", "%n", type=wide), type=tile(shape, "i1"))
    ptrs = tile(shape, "ptr<f32>")
    x = f("kd.addptr", f("kd.splat", "%x", type=ptrs), at, type=ptrs)
    zero, one = f.const(0, "i32"), f.const(1, "i32")
    acc = f.const(0.0, tile(shape, "f32"))
    f.line(f"%r, %q, %k = kd.for {zero}, %rounds, {one}, {acc}, {x}, {i} : {tile(shape, 'f32')}, {ptrs}, {wide} {{")
    f.line(f"^(%it: i32, %a: {tile(shape, 'f32')}, %p: {ptrs}, %c: {wide}):")
    v = f("kd.load", "%p", mask, "_", type=tile(shape, "f32"))
    v = f("kd.mul", v, f("kd.cast", "%c", type=tile(shape, "f32")), type=tile(shape, "f32"))
    moved = f("kd.addptr", "%p", f.const(rows * cols, wide), type=ptrs)
    f.line(f"kd.yield {f('kd.add', '%a', v, type=tile(shape, 'f32'))}, {moved}, {f('kd.add', '%c', f.const(3, wide), type=wide)}")
    f.line("}")
    last = f("kd.sub", "%k", i, type=wide)
    out = f("kd.addptr", f("kd.splat", "%o", type=ptrs), at, type=ptrs)
    f("kd.store", out, f("kd.add", "%r", f("kd.cast", last, type=tile(shape, "f32")), type=tile(shape, "f32")), mask)
    for rounds, n in ((0, rows), (3, rows), (2, rows - 1)):
        x = rng.integers(0, 9, (3, cols, rows)).astype("f4")
        got = run(f, {"x": x, "o": np.full((cols, rows), -1, "f4"), "n": n, "rounds": rounds}, {})["o"]
        index = np.arange(rows)
        want = sum((x[r] * (index + 3 * r) for r in range(rounds)), np.zeros((cols, rows))) + 3 * rounds
        np.testing.assert_array_equal(got, np.where(index < n, want, -1))


def test_softmax_rows():
    f = Func(x="ptr<f32>", o="ptr<f32>")
    s, r = (8, 256), (8,)
    x = f.load("x", s, "f32")
    spread = lambda v: f("kd.broadcast", f("kd.reshape", v, type=tile((8, 1), "f32")), type=tile(s, "f32"))
    m, = reduce_text(f, [x], s, ["f32"], 1, ["%m = kd.max %l0, %r0 : f32", "kd.yield %m"])
    e = f("kd.math exp", f("kd.sub", x, spread(m), type=tile(s, "f32")), type=tile(s, "f32"))
    t, = reduce_text(f, [e], s, ["f32"], 1, ["%m = kd.add %l0, %r0 : f32", "kd.yield %m"])
    f.store("o", s, "f32", f("kd.div", e, spread(t), type=tile(s, "f32")))
    x = floats("f32", s)
    want = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(run(f, {"x": x}, {"o": (s, "f32")}, exact=False)["o"], want / want.sum(1, keepdims=True), rtol=1e-5)


def test_map_with_control_flow():
    f = Func(x="ptr<i32>", o="ptr<i32>")
    name = f.fresh()
    f.line(f"{name} = kd.map {f.load('x', (64,), 'i32')} : tile<64xi32> {{")
    for line in ["^(%a: i32):", "%z = kd.constant 50 : i32", "%c = kd.cmp lt %a, %z : i1", "%r = kd.if %c : i32 {", "  %d = kd.mul %a, %a : i32",
                 "  kd.yield %d", "} else {", "  kd.yield %z", "}", "kd.yield %r"]:
        f.line("  " + line)
    f.line("}")
    f.store("o", (64,), "i32", name)
    x = rng.integers(0, 100, 64).astype("i4")
    np.testing.assert_array_equal(run(f, {"x": x}, {"o": ((64,), "i32")})["o"], np.where(x < 50, x * x, 50))


def test_program_ids():
    f = Func(o="ptr<i32>")
    ids = [f("kd.program_id", type="i32", attrs=f"axis = {a}") for a in range(3)]
    extents = [f("kd.num_programs", type="i32", attrs=f"axis = {a}") for a in range(3)]
    at = f("kd.add", f("kd.mul", ids[2], extents[1], type="i32"), ids[1], type="i32")
    at = f("kd.add", f("kd.mul", at, extents[0], type="i32"), ids[0], type="i32")
    f("kd.store", f("kd.addptr", "%o", at, type="ptr<i32>"), at, "_")
    np.testing.assert_array_equal(run(f, {}, {"o": ((60,), "i32")}, grid=(3, 4, 5))["o"], np.arange(60))


def test_assert(capfd):
    f = Func(x="ptr<i32>", o="ptr<i32>")
    s = (32,)
    ok = f("kd.cmp lt", f.load("x", s, "i32"), f.const(10, tile(s, "i32")), type=tile(s, "i1"))
    f("kd.assert", ok, "_", attrs='message = "too big: 100%"')
    f.store("o", (), "i32", f.const(1, "i32"))
    kernel = Kernel(f.text())
    x, o = np.zeros(32, "i4"), np.zeros(1, "i4")
    assert kernel(x, o) == 0 and o[0] == 1
    x[20] = 10
    assert kernel(x, o) == 1
    assert "assertion failed in program (0, 0, 0): too big: 100%" in capfd.readouterr().err


def test_print(capfd):
    import ctypes
    f = Func(x="ptr<f32>", n="i32")
    f("kd.print", f.load("x", (2, 2), "f32"), "%n", attrs='prefix = "v: "')
    assert Kernel(f.text())(np.array([1, 2, 3, 4.5], "f4"), 7) == 0
    ctypes.CDLL(None).fflush(None)
    out = capfd.readouterr().out.splitlines()
    assert out == ["pid (0, 0, 0) idx (0, 0) v: 1.000000", "pid (0, 0, 0) idx (0, 1) v: 2.000000", "pid (0, 0, 0) idx (1, 0) v: 3.000000",
                   "pid (0, 0, 0) idx (1, 1) v: 4.500000", "pid (0, 0, 0) idx () v: 7"]


# Where each op of ops.def is covered, if its name does not stand in this file. Ops of the cpu level are made by all of the tests;
# those of the gpu level are no business of the CPU.
ELSEWHERE = {"module": "text", "func": "text", "return": "build.py", "call": "inlined before", "yield": "loops", "condition": "while", "poison": "",
             "arange": "build.py", "splat": "build.py", "constant": "build.py", "store": "build.py", "addptr": "build.py", "hint": "", "assume": "",
             "barrier": "", "block_load": "lowered before", "block_store": "lowered before"}


def test_all_ops_are_covered():
    table = (Path(__file__).resolve().parents[2] / "ir" / "ops.def").read_text()
    ops = set(re.findall(r"^(?:KD_OP|BINARY)\((\w+),", table, re.M)) - set(ELSEWHERE)
    here = Path(__file__).read_text()
    missing = [op for op in sorted(ops) if not op.startswith(("cpu_", "gpu_")) and not re.search(rf"\bkd\.{op}\b|\"{op}\"", here)]
    assert not missing
