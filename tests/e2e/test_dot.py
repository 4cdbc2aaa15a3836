"""tl.dot and tl.dot_scaled: all types, odd sizes behind masks, batches, accumulators, scales."""
import numpy as np
import pytest
from kernel import NUMPY, TL, Typed, fails, run, same, zeros
from models import BF16, E2M1, E4M3, E5M2, F16, FORMATS

SOURCE = """
@triton.jit
def k(a, b, c, M, N, K, ACC: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, HOW: tl.constexpr):
    i = tl.program_id(0) * BM + tl.arange(0, BM)
    j = tl.program_id(1) * BN + tl.arange(0, BN)
    acc = tl.zeros((BM, BN), ACC)
    for k0 in range(0, K, BK):
        k = k0 + tl.arange(0, BK)
        x = tl.load(a + i[:, None] * K + k[None, :], mask=(i[:, None] < M) & (k[None, :] < K), other=0.0)
        y = tl.load(b + k[:, None] * N + j[None, :], mask=(k[:, None] < K) & (j[None, :] < N), other=0.0)
        if HOW == 'acc':
            acc = tl.dot(x, y, acc, input_precision='ieee')
        elif HOW == 'plus':
            acc += tl.dot(x, y, out_dtype=ACC)
        else:
            acc = tl.dot(x, y, acc=acc, allow_tf32=False)
    tl.store(c + i[:, None] * N + j[None, :], acc, mask=(i[:, None] < M) & (j[None, :] < N))
"""


def operand(type, shape, seed):
    """Small whole numbers (over 4 for floats): every product and sum is exact, so the result has one answer."""
    x = np.random.default_rng(seed).integers(-8, 8, shape)
    if type in FORMATS:
        f = FORMATS[type]
        x = x.astype(np.float64) / 4
        code = f.encode(x)
        return (code.view(np.float16) if f is F16 else Typed(code, type)), f.decode(code)
    if type[0] == "u":
        x = x + 8
    x = x.astype(NUMPY[type])
    return x, x.astype(np.float64)


@pytest.mark.parametrize("size", [(64, 64, 64), (50, 37, 45), (1, 16, 3), (130, 20, 16)])
@pytest.mark.parametrize("type,acc", [("f32", "f32"), ("f16", "f32"), ("bf16", "f32"), ("f64", "f64"), ("i8", "i32"), ("u8", "i32"), ("f16", "f16"),
                                      ("fp8e4nv", "f32"), ("fp8e5", "f32")])
def test_types_and_odd_sizes(type, acc, size):
    m, n, k = size
    (a, wa), (b, wb) = operand(type, (m, k), 1), operand(type, (k, n), 2)
    blocks = dict(BM=32, BN=16, BK=16) if size != (64, 64, 64) else dict(BM=64, BN=32, BK=32)
    how = {"f16": "plus" if acc == "f16" else "acc", "f32": "none"}.get(type, "acc")
    if type == "u8" or type == "i8":
        blocks["BK"] = 32
    got = run(SOURCE, a=a, b=b, c=zeros(acc, m, n), M=m, N=n, K=k, ACC=TL[acc], HOW="'%s'" % how, grid=(-(-m // blocks["BM"]), -(-n // blocks["BN"])),
              save=["c"], **blocks)
    same(got.c, (wa @ wb).astype(NUMPY[acc]))


def test_rounded_products():
    """Real numbers: as good as the type of the accumulator allows."""
    r = np.random.default_rng(3)
    a, b = r.standard_normal((64, 256)).astype(np.float32), r.standard_normal((256, 64)).astype(np.float32)
    exact = a.astype(np.float64) @ b
    scale = np.abs(a).astype(np.float64) @ np.abs(b)
    for how in ("acc", "none"):
        got = run(SOURCE, a=a, b=b, c=zeros("f32", 64, 64), M=64, N=64, K=256, ACC="tl.float32", BM=32, BN=64, BK=64, HOW="'%s'" % how, grid=(2, 1), save=["c"])
        assert (np.abs(got.c - exact) / scale).max() < 256 * 2.0 ** -24        # a bound on any order of 256 additions
    h, g = a.astype(np.float16), b.astype(np.float16)
    got = run(SOURCE, a=h, b=g, c=zeros("f32", 64, 64), M=64, N=64, K=256, ACC="tl.float32", BM=32, BN=64, BK=64, HOW="'acc'", grid=(2, 1), save=["c"])
    assert (np.abs(got.c - h.astype(np.float64) @ g) / scale).max() < 256 * 2.0 ** -24


def test_types_of_results():
    got = run("""
@triton.jit
def k(out):
    h = tl.full((16, 16), 0.5, tl.float16)
    b = h.to(tl.bfloat16)
    f = h.to(tl.float32)
    i = tl.full((16, 32), 3, tl.int8)
    d = h.to(tl.float64)
    e = h.to(tl.float8e5)
    tl.store(out + 0, tl.dot(h, h).dtype == tl.float32)
    tl.store(out + 1, tl.dot(h, h, out_dtype=tl.float16).dtype == tl.float16)
    tl.store(out + 2, tl.dot(b, b).dtype == tl.float32)
    tl.store(out + 3, tl.dot(f, f).dtype == tl.float32)
    tl.store(out + 4, tl.dot(i, tl.trans(i)).dtype == tl.int32)
    tl.store(out + 5, tl.dot(d, d, out_dtype=tl.float64).dtype == tl.float64)
    tl.store(out + 6, tl.dot(e, e).dtype == tl.float32)
    tl.store(out + 7, tl.dot(h, h, acc=tl.zeros((16, 16), tl.float16)).dtype == tl.float16)
    tl.store(out + 8, tl.sum(tl.dot(i, tl.trans(i))) == 9 * 32 * 256)
    tl.store(out + 9, tl.max(tl.dot(h, h)) == 4.0)
""", out=zeros("i32", 10))
    assert list(got.out) == [1] * 10


@pytest.mark.parametrize("type,acc", [("f32", "f32"), ("f16", "f32"), ("i8", "i32"), ("f64", "f64")])
def test_batches(type, acc):
    (a, wa), (b, wb) = operand(type, (4, 16, 32), 4), operand(type, (4, 32, 16), 5)
    got = run("""
@triton.jit
def k(a, b, c, ACC: tl.constexpr):
    n = tl.arange(0, 4)[:, None, None]
    x = tl.load(a + n * 512 + tl.arange(0, 16)[None, :, None] * 32 + tl.arange(0, 32)[None, None, :])
    y = tl.load(b + n * 512 + tl.arange(0, 32)[None, :, None] * 16 + tl.arange(0, 16)[None, None, :])
    d = tl.dot(x, y, out_dtype=ACC)
    d = tl.dot(x, y, acc=d)
    tl.store(c + n * 256 + tl.arange(0, 16)[None, :, None] * 16 + tl.arange(0, 16)[None, None, :], d)
""", a=a, b=b, c=zeros(acc, 4, 16, 16), ACC=TL[acc])
    same(got.c, (2 * (wa @ wb)).astype(NUMPY[acc]))


def test_transposed_operands_and_epilogues():
    (a, wa), (b, wb) = operand("f32", (32, 64), 6), operand("f32", (16, 64), 7)
    got = run("""
@triton.jit
def k(a, b, c, s):
    x = tl.load(a + tl.arange(0, 32)[:, None] * 64 + tl.arange(0, 64)[None, :])
    y = tl.load(b + tl.arange(0, 16)[:, None] * 64 + tl.arange(0, 64)[None, :])
    p = tl.dot(x, tl.trans(y), allow_tf32=False)
    q = tl.dot(tl.where(p > 0, p, 0.0) * s, y * 2, allow_tf32=False)
    tl.store(c + tl.arange(0, 32)[:, None] * 64 + tl.arange(0, 64)[None, :], q - tl.max(p, axis=1)[:, None])
""", a=a, b=b, c=zeros("f32", 32, 64), s=0.5)
    p = wa @ wb.T
    same(got.c, ((np.maximum(p, 0) * 0.5) @ (wb * 2) - p.max(1)[:, None]).astype(np.float32))


def test_small_and_flat_tiles():
    for m, n, k in ((1, 1, 1), (1, 64, 2), (2, 1, 64), (16, 2, 4)):
        (a, wa), (b, wb) = operand("f32", (m, k), 8), operand("f32", (k, n), 9)
        got = run("""
@triton.jit
def k(a, b, c, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr):
    x = tl.load(a + tl.arange(0, M)[:, None] * K + tl.arange(0, K)[None, :])
    y = tl.load(b + tl.arange(0, K)[:, None] * N + tl.arange(0, N)[None, :])
    tl.store(c + tl.arange(0, M)[:, None] * N + tl.arange(0, N)[None, :], tl.dot(x, y))
""", a=a, b=b, c=zeros("f32", m, n), M=m, N=n, K=k)
        same(got.c, (wa @ wb).astype(np.float32))


def test_nan_and_infinity_spread_as_in_numpy():
    a, b = np.ones((16, 16), np.float32), np.ones((16, 16), np.float32)
    a[1, 2], a[3, 4], b[4, 5] = np.nan, np.inf, 0
    with np.errstate(invalid="ignore"):
        want = a @ b
    got = run(SOURCE, a=a, b=b, c=zeros("f32", 16, 16), M=16, N=16, K=16, ACC="tl.float32", BM=16, BN=16, BK=16, HOW="'acc'", save=["c"])
    same(got.c, want)


@pytest.mark.parametrize("line", ["tl.dot(h, f)", "tl.dot(h, i)", "tl.dot(w, w)", "tl.dot(h, h, acc=tl.zeros((16, 16), tl.int32))", "tl.dot(h, tl.zeros((16,), tl.float16))",
                                  "tl.dot(h, h, acc=tl.zeros((8, 16), tl.float32))", "tl.dot(h, tl.zeros((2, 16, 16), tl.float16))", "tl.dot(f, f, input_precision='best')"])
def test_wrong_operands(line):
    fails("""
@triton.jit
def k(out):
    h = tl.zeros((16, 16), tl.float16)
    f = tl.zeros((16, 16), tl.float32)
    i = tl.zeros((16, 16), tl.int8)
    w = tl.zeros((16, 16), tl.int32)
    x = %s
""" % line, 1, "kernel.py:12:", " error: ", out=zeros("f32", 1))


# ---- scaled ----

def pack4(codes, axis):
    """Two 4-bit codes to a byte along an axis, the first in the low half."""
    c = np.moveaxis(codes, axis, -1)
    return np.ascontiguousarray(np.moveaxis(c[..., 0::2] | c[..., 1::2] << 4, -1, axis))


def scaled_operand(format, shape, k_axis, seed):
    """Codes (packed along K for e2m1) and numbers."""
    r = np.random.default_rng(seed)
    if format == "e2m1":
        codes = r.integers(0, 16, shape).astype(np.uint8)
        number = E2M1.finite()[codes & 7] * np.where(codes & 8, -1.0, 1.0)
        return pack4(codes, k_axis), number
    if format in ("bf16", "fp16"):
        x = r.integers(-8, 8, shape) / 4
        f = BF16 if format == "bf16" else F16
        code = f.encode(x)
        return (Typed(code, "bf16") if format == "bf16" else code.view(np.float16)), x
    f = E4M3 if format == "e4m3" else E5M2
    x = r.integers(-8, 8, shape) / 4
    return f.encode(x), f.decode(f.encode(x))


@pytest.mark.parametrize("fa,fb", [("e2m1", "e2m1"), ("e4m3", "e4m3"), ("e5m2", "e5m2"), ("e4m3", "e2m1"), ("e2m1", "e5m2"), ("bf16", "e2m1"), ("fp16", "e4m3"), ("e5m2", "bf16")])
@pytest.mark.parametrize("scales", ["both", "left", "right", "none"])
def test_dot_scaled(fa, fb, scales):
    m, n, k = 32, 32, 64
    a, wa = scaled_operand(fa, (m, k), 1, 1)
    b, wb = scaled_operand(fb, (k, n), 0, 2)
    r = np.random.default_rng(3)
    sa, sb = r.integers(124, 131, (m, k // 32)).astype(np.uint8), r.integers(124, 131, (n, k // 32)).astype(np.uint8)
    left = scales in ("both", "left") and fa not in ("bf16", "fp16")
    right = scales in ("both", "right") and fb not in ("bf16", "fp16")
    ka, kb = (k // 2 if fa == "e2m1" else k), (k // 2 if fb == "e2m1" else k)
    got = run("""
@triton.jit
def k(a, b, sa, sb, c, KA: tl.constexpr, KB: tl.constexpr, FA: tl.constexpr, FB: tl.constexpr, LEFT: tl.constexpr, RIGHT: tl.constexpr):
    i = tl.arange(0, 32)
    x = tl.load(a + i[:, None] * KA + tl.arange(0, KA)[None, :])
    y = tl.load(b + tl.arange(0, KB)[:, None] * 32 + i[None, :])
    p = None
    q = None
    if LEFT:
        p = tl.load(sa + i[:, None] * 2 + tl.arange(0, 2)[None, :])
    if RIGHT:
        q = tl.load(sb + i[:, None] * 2 + tl.arange(0, 2)[None, :])
    d = tl.dot_scaled(x, p, FA, y, q, FB)
    tl.static_assert(d.dtype == tl.float32)
    d = tl.dot_scaled(x, p, FA, y, q, FB, acc=d)
    tl.store(c + i[:, None] * 32 + i[None, :], d)
""", a=a, b=b, sa=sa, sb=sb, c=zeros("f32", m, n), KA=ka, KB=kb, FA="'%s'" % fa, FB="'%s'" % fb, LEFT=left, RIGHT=right, save=["c"])
    x = wa * np.repeat(2.0 ** (sa.astype(float) - 127), 32, 1) if left else wa
    y = wb * np.repeat(2.0 ** (sb.astype(float) - 127), 32, 1).T if right else wb
    same(got.c, (2 * (x @ y)).astype(np.float32))


def test_a_scale_of_255_is_nan():
    a, wa = scaled_operand("e4m3", (32, 32), 1, 1)
    sa = np.full((32, 1), 127, np.uint8)
    sa[3] = 255
    got = run("""
@triton.jit
def k(a, sa, c):
    i = tl.arange(0, 32)
    x = tl.load(a + i[:, None] * 32 + i[None, :])
    s = tl.load(sa + i[:, None])
    tl.store(c + i[:, None] * 32 + i[None, :], tl.dot_scaled(x, s, 'e4m3', tl.full((32, 32), 1.0, tl.bfloat16), None, 'bf16'))
""", a=a, sa=sa, c=zeros("f32", 32, 32))
    assert np.isnan(got.c[3]).all() and not np.isnan(np.delete(got.c, 3, 0)).any()
