"""Reductions, scans, sorting and what else looks across elements: types, axes, ties, NaN."""
import numpy as np
import pytest
from kernel import NUMPY, TL, Typed, fails, run, same, zeros
from models import BF16

TYPES = ["i1", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "bf16", "f32", "f64"]


def sample(type, shape, seed=0):
    r = np.random.default_rng(seed)
    if type == "i1":
        return r.integers(0, 2, shape).astype(np.bool_)
    if type == "bf16":
        return Typed(BF16.encode(r.integers(-50, 50, shape).astype(np.float64) / 4), "bf16")
    if type[0] == "f":
        return (r.integers(-50, 50, shape) / 4).astype(NUMPY[type])
    info = np.iinfo(NUMPY[type])
    return r.integers(info.min, info.max, shape, dtype=NUMPY[type], endpoint=True)


def numbers(x):
    return BF16.decode(x.bits).astype(np.float32) if isinstance(x, Typed) else x


def bits(x, type):
    return BF16.encode(x.astype(np.float64)) if type == "bf16" else x.astype(NUMPY[type])


def widened(type):
    """The type of a sum or running sum."""
    if type[0] == "f" or type == "bf16" or type in ("i32", "u32", "i64", "u64"):
        return type
    return "i32" if type[0] == "i" and type != "i1" else "u32"


def extreme(type):
    """The type of max and min."""
    return "f32" if type in ("f16", "bf16") else type if type in ("i32", "u32", "i64", "u64", "f32", "f64") else "i32"


@pytest.mark.parametrize("type", TYPES)
def test_reductions_of_every_type(type):
    x = sample(type, (8, 16))
    t, m = widened(type), extreme(type)
    got = run("""
@triton.jit
def k(x, sum0, sum1, sum_all, max1, min0, max_all, arg, val, same_type):
    i = tl.arange(0, 8)
    j = tl.arange(0, 16)
    v = tl.load(x + i[:, None] * 16 + j[None, :])
    a = tl.sum(v, axis=0)
    b = tl.max(v, axis=1)
    tl.store(sum0 + j, a)
    tl.store(sum1 + i, tl.sum(v, axis=1))
    tl.store(sum_all, tl.sum(v))
    tl.store(max1 + i, b)
    tl.store(min0 + j, tl.min(v, 0))
    tl.store(max_all, tl.max(v))
    tl.store(max_all + 1, tl.min(v, axis=None))
    top, at = tl.max(v, axis=1, return_indices=True)
    low, where = tl.min(v, axis=1, return_indices=True)
    tl.store(val + i, top)
    tl.store(val + 8 + i, low)
    tl.store(arg + i, at)
    tl.store(arg + 8 + i, where)
    tl.store(arg + 16 + i, tl.argmax(v, axis=1))
    tl.store(arg + 24 + j, tl.argmin(v, axis=0))
    tl.store(same_type + 0, a.dtype == %s)
    tl.store(same_type + 1, b.dtype == %s)
    tl.store(same_type + 2, top.dtype == v.dtype)
    tl.store(same_type + 3, at.dtype == tl.int32)
""" % (TL[t], TL[m]), x=x, sum0=zeros(t, 16), sum1=zeros(t, 8), sum_all=zeros(t, 1), max1=zeros(m, 8), min0=zeros(m, 16), max_all=zeros(m, 2),
              arg=zeros("i32", 40), val=zeros(type, 16), same_type=zeros("i32", 4))
    assert list(got.same_type) == [1, 1, 1, 1]
    v = numbers(x)
    w = v if type in ("bf16", "f32", "f64") else v.astype(np.float32) if type == "f16" else v.astype(NUMPY[t])
    with np.errstate(over="ignore"):
        exact = dict(dtype=w.dtype)
        same(got.sum0, bits(w.sum(0, **exact), t))
        same(got.sum1, bits(w.sum(1, **exact), t))
        same(got.sum_all, bits(w.sum(**exact).reshape(1), t))
    w = v.astype(NUMPY[m])
    same(got.max1, w.max(1))
    same(got.min0, w.min(0))
    same(got.max_all, np.array([w.max(), w.min()]))
    same(got.val, bits(np.concatenate([v.max(1), v.min(1)]), type))
    same(got.arg, np.concatenate([v.argmax(1), v.argmin(1), v.argmax(1), v.argmin(0)]).astype(np.int32))


def test_sum_accumulates_narrow_floats_wide():
    """f16 and bf16 sums keep their type, but do not lose every small addend on the way."""
    h = np.full(4096, 0.1, np.float16)
    b = Typed(BF16.encode(np.full(4096, 0.1)), "bf16")
    got = run("""
@triton.jit
def k(h, b, out, obf, flags):
    offs = tl.arange(0, 4096)
    s = tl.sum(tl.load(h + offs), axis=0)
    t = tl.sum(tl.load(b + offs), axis=0)
    tl.store(out, s)
    tl.store(obf, t)
    tl.store(flags, s.dtype == tl.float16)
    tl.store(flags + 1, t.dtype == tl.bfloat16)
    u = tl.sum(tl.load(h + offs), axis=0, dtype=tl.float32)
    tl.store(flags + 2, u.dtype == tl.float32)
""", h=h, b=b, out=zeros("f16", 1), obf=zeros("bf16", 1), flags=zeros("i32", 3))
    assert list(got.flags) == [1, 1, 1]
    assert abs(float(got.out[0]) - float(h[0]) * 4096) <= 0.25
    assert abs(BF16.decode(got.obf)[0] - BF16.decode(b.bits[:1])[0] * 4096) <= 2


def test_nan_in_reductions():
    x = np.array([[1, np.nan, 3, 2], [np.nan] * 4, [-np.inf, np.nan, 5, -1], [4, 1, np.nan, np.nan]], np.float32)
    got = run("""
@triton.jit
def k(x, out):
    i = tl.arange(0, 4)
    v = tl.load(x + i[:, None] * 4 + i[None, :])
    tl.store(out + i, tl.max(v, axis=1))
    tl.store(out + 4 + i, tl.min(v, axis=1))
    tl.store(out + 8 + i, tl.sum(v, axis=1))
""", x=x, out=zeros("f32", 3, 4))
    same(got.out, np.stack([np.fmax.reduce(x, 1), np.fmin.reduce(x, 1), x.sum(1)]))


def test_sum_of_negative_zeros():
    got = run("""
@triton.jit
def k(x, out):
    tl.store(out, tl.sum(tl.load(x + tl.arange(0, 4)), axis=0))
""", x=np.full(4, -0.0, np.float32), out=zeros("f32", 1))
    assert np.signbit(got.out[0])


def test_ties_give_the_lowest_index():
    x = np.zeros((4, 64), np.int32)
    x[0, [5, 9, 60]] = 7
    x[1, :] = 3
    x[2, [63]] = -1
    x[3, [0, 63]] = [9, 9]
    got = run("""
@triton.jit
def k(x, out):
    i = tl.arange(0, 4)
    v = tl.load(x + i[:, None] * 64 + tl.arange(0, 64)[None, :])
    tl.store(out + i, tl.argmax(v, 1))
    tl.store(out + 4 + i, tl.argmin(v, 1))
    f = v.to(tl.float16)
    tl.store(out + 8 + i, tl.argmax(f, 1, tie_break_left=True))
    m, n = tl.max(f, 1, return_indices=True, return_indices_tie_break_left=True)
    tl.store(out + 12 + i, n)
    tl.store(out + 16, tl.argmax(tl.load(x + tl.arange(0, 64)), axis=0))
""", x=x, out=zeros("i32", 17))
    assert list(got.out) == [5, 0, 0, 0, 0, 0, 63, 1] + [5, 0, 0, 0] * 2 + [5]


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 1), (4, 1), (1, 4), (2, 4, 8), (2, 2, 2, 4), (2, 1, 4, 2, 2)])
def test_axes_and_keep_dims(shape):
    x = np.random.default_rng(1).integers(-9, 9, shape).astype(np.float32)
    n = x.size
    lines, wants, at = [], [], 0
    for axis in range(len(shape)):
        for negative in (False, True):
            a = axis - len(shape) if negative else axis
            for keep in (False, True):
                w = x.sum(axis, keepdims=keep)
                lines.append("    r = tl.sum(v, axis=%d, keep_dims=%s)" % (a, keep))
                lines.append("    tl.static_assert(%s)" % (" and ".join("r.shape[%d] == %d" % d for d in enumerate(w.shape)) or "True"))
                if w.ndim == 0:
                    lines.append("    tl.store(out + %d, r)" % at)
                else:
                    lines.append("    tl.store(out + %d + tl.arange(0, %d), tl.reshape(r, (%d,)))" % (at, w.size, w.size))
                wants.append(w.reshape(-1))
                at += w.size
    lines.append("    k1 = tl.sum(v, keep_dims=True)")
    lines.append("    tl.static_assert(len(k1.shape) == %d)" % len(shape))
    lines.append("    tl.store(out + %d + tl.arange(0, 1), tl.reshape(k1, (1,)))" % at)
    wants.append([x.sum()])
    source = "@triton.jit\ndef k(x, out):\n    v = tl.reshape(tl.load(x + tl.arange(0, %d)), %s)\n" % (n, shape) + "\n".join(lines) + "\n"
    same(run(source, x=x, out=zeros("f32", at + 1)).out, np.concatenate(wants).astype(np.float32))


def test_reduce_with_functions():
    r = np.random.default_rng(2)
    x, y = r.standard_normal((8, 16)).astype(np.float32), r.integers(0, 1000, (8, 16)).astype(np.int32)
    got = run("""
@triton.jit
def product(a, b):
    return a * b

@triton.jit
def farthest(a, i, b, j):
    keep = tl.abs(a) >= tl.abs(b)
    return tl.where(keep, a, b), tl.where(keep, i, j)

@triton.jit
def welford(m1, v1, n1, m2, v2, n2):
    d = m2 - m1
    n = n1 + n2
    share = n2 / n
    return m1 + d * share, v1 + v2 + d * d * n1 * share, n

@triton.jit
def k(x, y, out, yo):
    i = tl.arange(0, 8)
    j = tl.arange(0, 16)
    v = tl.load(x + i[:, None] * 16 + j[None, :])
    w = tl.load(y + i[:, None] * 16 + j[None, :])
    tl.store(out + j, tl.reduce(v, 0, product))
    far, at = tl.reduce((v, w), 1, farthest)
    tl.store(out + 16 + i, far)
    tl.store(yo + i, at)
    mean, m2, n = tl.reduce((v, tl.zeros_like(v), tl.full((8, 16), 1.0, tl.float32)), 1, welford)
    tl.store(out + 24 + i, mean)
    tl.store(out + 32 + i, m2 / n)
    tl.store(out + 40, tl.reduce(v, None, product))
    tl.store(yo + 8 + j, tl.xor_sum(w, axis=0))
    tl.store(yo + 24 + i, tl.reduce_or(w, 1))
""", kernel="k", x=x, y=y, out=zeros("f32", 41), yo=zeros("i32", 32))
    at = np.abs(x).argmax(1)
    d = x.astype(np.float64)
    want = np.concatenate([d.prod(0), d[np.arange(8), at], d.mean(1), d.var(1), [d.prod()]])
    same(got.out, want.astype(np.float32), rtol=1e-5, atol=1e-6)
    same(got.yo, np.concatenate([y[np.arange(8), at], np.bitwise_xor.reduce(y, 0), np.bitwise_or.reduce(y, 1)]))


# ---- scans ----

@pytest.mark.parametrize("type", TYPES)
def test_cumsum_of_every_type(type):
    x = sample(type, (4, 8), 3)
    t = widened(type)
    got = run("""
@triton.jit
def k(x, out, flags):
    o = tl.arange(0, 4)[:, None] * 8 + tl.arange(0, 8)[None, :]
    v = tl.load(x + o)
    a = tl.cumsum(v, 0)
    tl.store(out + o, a)
    tl.store(out + 32 + o, tl.cumsum(v, axis=1))
    tl.store(out + 64 + o, tl.cumsum(v, axis=0, reverse=True))
    tl.store(out + 96 + o, tl.cumsum(v, axis=1, reverse=True))
    tl.store(out + 128 + o, tl.cumsum(v))
    tl.store(out + 160 + o, tl.cumsum(v, axis=-1))
    tl.store(flags, a.dtype == %s)
""" % TL[t], x=x, out=zeros(t, 6, 4, 8), flags=zeros("i32", 1))
    assert got.flags[0] == 1
    v = numbers(x)
    w = v.astype(np.float32) if type in ("f16", "bf16") else v.astype(NUMPY[t])
    with np.errstate(over="ignore"):
        want = [np.cumsum(w, 0, w.dtype), np.cumsum(w, 1, w.dtype), np.cumsum(w[::-1], 0, w.dtype)[::-1], np.cumsum(w[:, ::-1], 1, w.dtype)[:, ::-1]]
    want += [want[0], want[1]]
    same(got.out, bits(np.stack(want), t))


def test_cumprod_and_dtype():
    x = np.array([[1, 2, -3, 4], [2, 2, 2, 2]], np.int8)
    got = run("""
@triton.jit
def k(x, out, wide):
    o = tl.arange(0, 2)[:, None] * 4 + tl.arange(0, 4)[None, :]
    v = tl.load(x + o)
    tl.store(out + o, tl.cumprod(v, 1))
    tl.store(out + 8 + o, tl.cumprod(v, 1, reverse=True))
    w = tl.cumsum(v, 1, dtype=tl.int64)
    tl.static_assert(w.dtype == tl.int64)
    tl.store(wide + o, w)
""", x=x, out=zeros("i32", 2, 2, 4), wide=zeros("i64", 2, 4))
    w = x.astype(np.int32)
    same(got.out, np.stack([np.cumprod(w, 1, np.int32), np.cumprod(w[:, ::-1], 1, np.int32)[:, ::-1]]))
    same(got.wide, np.cumsum(x, 1, dtype=np.int64))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(axis, reverse):
    """A scan whose function does not commute, on each axis, in both directions."""
    shape = (4, 8, 4)
    r = np.random.default_rng(4)
    a, b = (r.integers(1, 4, shape).astype(np.int64) for _ in range(2))
    got = run("""
@triton.jit
def then(a1, b1, a2, b2):
    return a1 * a2, b1 * a2 + b2

@triton.jit
def k(a, b, oa, ob, AXIS: tl.constexpr, REVERSE: tl.constexpr):
    o = tl.arange(0, 4)[:, None, None] * 32 + tl.arange(0, 8)[None, :, None] * 4 + tl.arange(0, 4)[None, None, :]
    x, y = tl.associative_scan((tl.load(a + o), tl.load(b + o)), AXIS, then, reverse=REVERSE)
    tl.static_assert(x.dtype == tl.int64)
    tl.store(oa + o, x)
    tl.store(ob + o, y)
""", kernel="k", a=a, b=b, oa=zeros("i64", *shape), ob=zeros("i64", *shape), AXIS=axis, REVERSE=reverse)
    p, q = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    if reverse:
        p, q = p[::-1], q[::-1]
    wa, wb = p.copy(), q.copy()
    for i in range(1, len(p)):
        wa[i], wb[i] = wa[i - 1] * p[i], wb[i - 1] * p[i] + q[i]
    if reverse:
        wa, wb = wa[::-1], wb[::-1]
    same(got.oa, np.ascontiguousarray(np.moveaxis(wa, 0, axis)))
    same(got.ob, np.ascontiguousarray(np.moveaxis(wb, 0, axis)))


def test_scans_keep_narrow_types():
    x = np.array([100, 100, 100, -100], np.int8)
    got = run("""
@triton.jit
def add(a, b):
    return a + b

@triton.jit
def larger(a, b):
    return tl.maximum(a, b)

@triton.jit
def k(x, out):
    i = tl.arange(0, 4)
    v = tl.associative_scan(tl.load(x + i), 0, add)
    tl.static_assert(v.dtype == tl.int8)
    tl.store(out + i, v)
    tl.store(out + 4 + i, tl.associative_scan(tl.load(x + i), 0, larger, reverse=True))
""", kernel="k", x=x, out=zeros("i8", 8))
    assert list(got.out) == [100, -56, 44, -56, 100, 100, 100, -100]


# ---- sorting, and picking ----

@pytest.mark.parametrize("type", ["i8", "u8", "i16", "i32", "u32", "i64", "f16", "bf16", "f32", "f64"])
def test_sort(type):
    x = sample(type, (4, 32), 5)
    got = run("""
@triton.jit
def k(x, out):
    o = tl.arange(0, 4)[:, None] * 32 + tl.arange(0, 32)[None, :]
    v = tl.load(x + o)
    s = tl.sort(v)
    tl.static_assert(s.dtype == v.dtype)
    tl.store(out + o, s)
    tl.store(out + 128 + o, tl.sort(v, descending=True))
    tl.store(out + 256 + o, tl.sort(v, dim=1, descending=0))
""", x=x, out=zeros(type, 3, 4, 32))
    s = np.sort(numbers(x), 1)
    same(got.out, bits(np.stack([s, s[:, ::-1], s]), type))


@pytest.mark.parametrize("type,wide", [("i8", "i32"), ("u8", "i32"), ("i32", "i32"), ("f16", "f32"), ("bf16", "f32"), ("f32", "f32"), ("i64", "i64")])
def test_topk(type, wide):
    x = sample(type, (4, 32), 6)
    got = run("""
@triton.jit
def k(x, top, one, low, all):
    r = tl.arange(0, 4)[:, None]
    o = r * 32 + tl.arange(0, 32)[None, :]
    v = tl.load(x + o)
    t = tl.topk(v, 8)
    tl.static_assert(t.dtype == %s)
    tl.store(top + r * 8 + tl.arange(0, 8)[None, :], t)
    tl.store(one + r, tl.topk(v, 1))
    tl.store(low + r * 4 + tl.arange(0, 4)[None, :], tl.topk(v, 4, descending=False))
    u = tl.topk(v, 32)
    tl.static_assert(u.dtype == v.dtype)
    tl.store(all + o, u)
""" % TL[wide], x=x, top=zeros(wide, 4, 8), one=zeros(wide, 4, 1), low=zeros(wide, 4, 4), all=zeros(type, 4, 32))
    s = np.sort(numbers(x), 1)
    same(got.top, bits(s[:, ::-1][:, :8], wide))
    same(got.one, bits(s[:, -1:], wide))
    same(got.low, bits(s[:, :4], wide))
    same(got.all, bits(s[:, ::-1], type))


def test_sort_lengths_and_ranks():
    r = np.random.default_rng(7)
    for n in (1, 2, 4, 256, 4096):
        x = r.standard_normal(n).astype(np.float32)
        got = run("@triton.jit\ndef k(x, out, N: tl.constexpr):\n    o = tl.arange(0, N)\n    tl.store(out + o, tl.sort(tl.load(x + o)))\n",
                  x=x, out=zeros("f32", n), N=n)
        same(got.out, np.sort(x))
    x = r.integers(-9, 9, (2, 4, 8)).astype(np.int32)
    got = run("""
@triton.jit
def k(x, out):
    o = tl.arange(0, 64)
    v = tl.reshape(tl.load(x + o), (2, 4, 8))
    tl.store(out + o, tl.ravel(tl.sort(v)))
    tl.store(out + 64 + o, tl.ravel(tl.flip(v, 2)))
    tl.store(out + 128 + o, tl.ravel(tl.flip(v, 1)))
    tl.store(out + 192 + o, tl.ravel(tl.flip(v, dim=0)))
""", x=x, out=zeros("i32", 4, 2, 4, 8))
    same(got.out, np.stack([np.sort(x, 2), x[:, :, ::-1], x[:, ::-1], x[::-1]]))


def test_gather():
    r = np.random.default_rng(8)
    x = r.standard_normal((8, 16)).astype(np.float32)
    i0, i1 = r.integers(0, 8, (4, 16)).astype(np.int32), r.integers(0, 16, (8, 32)).astype(np.int64)
    got = run("""
@triton.jit
def k(x, i0, i1, o0, o1, line):
    v = tl.load(x + tl.arange(0, 8)[:, None] * 16 + tl.arange(0, 16)[None, :])
    p = tl.arange(0, 4)[:, None] * 16 + tl.arange(0, 16)[None, :]
    tl.store(o0 + p, tl.gather(v, tl.load(i0 + p), 0))
    q = tl.arange(0, 8)[:, None] * 32 + tl.arange(0, 32)[None, :]
    tl.store(o1 + q, tl.gather(v, tl.load(i1 + q), axis=1))
    w = tl.load(x + tl.arange(0, 16))
    tl.store(line + tl.arange(0, 32), w.gather(tl.arange(0, 32) // 2, 0))
""", x=x, i0=i0, i1=i1, o0=zeros("f32", 4, 16), o1=zeros("f32", 8, 32), line=zeros("f32", 32))
    same(got.o0, np.take_along_axis(x, i0.astype(np.int64), 0))
    same(got.o1, np.take_along_axis(x, i1, 1))
    same(got.line, np.repeat(x[0], 2))


def test_histogram():
    x = np.random.default_rng(9).integers(0, 16, 512).astype(np.int32)
    got = run("""
@triton.jit
def k(x, out, part):
    o = tl.arange(0, 512)
    v = tl.load(x + o)
    h = tl.histogram(v, 16)
    tl.static_assert(h.dtype == tl.int32)
    tl.store(out + tl.arange(0, 16), h)
    tl.store(part + tl.arange(0, 16), tl.histogram(v, 16, mask=o < 100))
""", x=x, out=zeros("i32", 16), part=zeros("i32", 16))
    same(got.out, np.bincount(x, minlength=16).astype(np.int32))
    same(got.part, np.bincount(x[:100], minlength=16).astype(np.int32))


def test_softmax_is_along_axis_0():
    x = np.random.default_rng(10).standard_normal((8, 4)).astype(np.float32)
    got = run("""
@triton.jit
def k(x, out):
    o = tl.arange(0, 8)[:, None] * 4 + tl.arange(0, 4)[None, :]
    v = tl.load(x + o)
    tl.store(out + o, tl.softmax(v))
    tl.store(out + 32 + o, tl.softmax(v, dim=1))
""", x=x, out=zeros("f32", 2, 8, 4))
    e = np.exp(x.astype(np.float64))
    same(got.out, np.stack([e / e.sum(0), e / e.sum(1, keepdims=True)]).astype(np.float32), rtol=2e-6)


def test_large_and_small_tiles():
    n = 1 << 20
    x = np.random.default_rng(11).integers(-100, 100, n).astype(np.int32)
    got = run("""
@triton.jit
def k(x, out, run, N: tl.constexpr):
    o = tl.arange(0, N)
    v = tl.load(x + o)
    tl.store(out, tl.sum(v, axis=0))
    tl.store(out + 1, tl.max(v * v, axis=0))
    tl.store(out + 2, tl.argmax(v, axis=0))
    tl.store(run + o, tl.cumsum(v, 0) * 2)
""", x=x, out=zeros("i32", 3), run=zeros("i32", n), N=n)
    assert list(got.out) == [x.sum(), (x * x).max(), x.argmax()]
    same(got.run, (np.cumsum(x, dtype=np.int32) * 2).astype(np.int32))
    got = run("""
@triton.jit
def k(x, out):
    o = tl.arange(0, 1)
    v = tl.load(x + o)
    tl.store(out + o, tl.cumsum(v, 0) + tl.sum(v, axis=0) + tl.sort(v) + tl.flip(v, 0))
    tl.store(out + 1, tl.argmax(v, axis=0))
    w = v[None, :] + v[:, None]
    tl.store(out + 2, tl.max(w))
    tl.store(out + 3 + o, tl.ravel(tl.trans(w)))
""", x=np.array([7], np.int32), out=zeros("i32", 4))
    assert list(got.out) == [28, 0, 14, 14]


def test_what_cannot_be_reduced():
    for line in ("tl.sum(x, axis=2)", "tl.sum(x, axis=-3)", "tl.argmax(x, axis=5)", "tl.cumsum(x, axis=2)", "tl.sort(x, dim=0)", "tl.topk(x, 3)", "tl.topk(x, 64)",
                 "tl.xor_sum(x.to(tl.float32), 0)", "tl.reduce(x, 0, nowhere)", "tl.gather(x, x.to(tl.float32), 0)", "tl.flip(x, 7)"):
        fails("@triton.jit\ndef k(p):\n    x = tl.load(p + tl.arange(0, 8)[:, None] * 8 + tl.arange(0, 8)[None, :])\n    y = %s\n" % line, 1,
              "kernel.py:", " error: ", p=np.zeros(64, np.int32))
