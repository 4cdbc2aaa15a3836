"""Philox: the same bits as the published generator, and floats made of them by Triton's formulas."""
import numpy as np
from kernel import run, same, zeros
from models import philox, uniform


def test_the_model_knows_the_published_vectors():
    """Known answers of Random123 (kat_vectors): counter and key of zeros, and of ones."""
    assert [int(w[0]) for w in philox(0, np.zeros(1, np.uint64))] == [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
    ones = np.full(1, 0xffffffff, np.uint64)
    assert [int(w[0]) for w in philox(2 ** 64 - 1, ones, ones, ones, ones)] == [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]


def test_integers_of_every_kind():
    seed = 0x9E3779B97F4A7C15 & (2 ** 63 - 1)
    got = run("""
@triton.jit
def k(out, wide, seed, small, BASE: tl.constexpr):
    o = tl.arange(0, 256)
    tl.store(out + o, tl.randint(seed, o))
    a, b, c, d = tl.randint4x(seed, o)
    tl.store(out + 256 + o, a)
    tl.store(out + 512 + o, b)
    tl.store(out + 768 + o, c)
    tl.store(out + 1024 + o, d)
    far = o.to(tl.int64) + BASE
    tl.store(out + 1280 + o, tl.randint(seed, far))
    tl.store(out + 1536 + o, tl.randint(small, o - 100))
    tl.store(out + 1792 + o, tl.randint(42, o, 7))
    z = o * 0
    e, f, g, h = tl.philox(seed, o.to(tl.uint32), (o + 1).to(tl.uint32), (z + 7).to(tl.uint32), z.to(tl.uint32))
    tl.store(out + 2048 + o, h)
    w, x, y, v = tl.philox(seed, o.to(tl.uint64), (o + 1).to(tl.uint64), (z + 7).to(tl.uint64), z.to(tl.uint64))
    tl.store(wide + o, w)
    tl.store(wide + 256 + o, v)
""", out=zeros("u32", 9, 256), wide=zeros("u64", 2, 256), seed=seed, small=-5, BASE=(1 << 40) + 12345)
    o = np.arange(256)
    far = o.astype(np.uint64) + np.uint64((1 << 40) + 12345)
    want = [philox(seed, o)[0], *philox(seed, o), philox(seed, far & np.uint64(0xFFFFFFFF), far >> np.uint64(32))[0],
            philox(2 ** 64 - 5, (o - 100).astype(np.int32).view(np.uint32))[0], philox(42, o, rounds=7)[0], philox(seed, o, o + 1, 7, 0)[3]]
    same(got.out, np.stack(want))
    wide = philox(seed, o, o + 1, 7, 0, bits=64)
    same(got.wide, np.stack([wide[0], wide[3]]))


def test_uniform_floats():
    got = run("""
@triton.jit
def k(out, seed):
    o = tl.arange(0, 1024)
    tl.store(out + o, tl.rand(seed, o))
    a, b, c, d = tl.rand4x(seed, o)
    tl.store(out + 1024 + o, b)
    tl.store(out + 2048 + o, d)
    tl.store(out + 3072 + o, tl.uint_to_uniform_float((o * 4194304 * 4 + 12345).to(tl.uint32)))
""", out=zeros("f32", 4, 1024), seed=1234)
    o = np.arange(1024)
    w = philox(1234, o)
    bits = (o.astype(np.int64) * 4194304 * 4 + 12345).astype(np.uint32)
    same(got.out, np.stack([uniform(w[0]), uniform(w[1]), uniform(w[3]), uniform(bits)]))
    assert got.out.min() >= 0 and got.out.max() < 1


def test_normal_floats():
    got = run("""
@triton.jit
def k(out, seed):
    o = tl.program_id(0) * 1024 + tl.arange(0, 1024)
    tl.store(out + o, tl.randn(seed, o))
    a, b, c, d = tl.randn4x(seed, o)
    tl.store(out + 16384 + o, b)
    tl.store(out + 32768 + o, c)
""", out=zeros("f32", 3, 16384), seed=99, grid=16)
    w = [uniform(v).astype(np.float64) for v in philox(99, np.arange(16384))]

    def pair(u1, u2):
        r = np.sqrt(-2 * np.log(np.maximum(1e-7, u1)))
        return r * np.cos(2 * np.pi * u2), r * np.sin(2 * np.pi * u2)
    want = np.stack([pair(w[0], w[1])[0], pair(w[0], w[1])[1], pair(w[2], w[3])[0]])
    same(got.out, want.astype(np.float32), rtol=2e-5, atol=2e-6)     # log, sqrt, cos in fp32, and 2 pi u rounded before the cosine
    assert abs(got.out.mean()) < 0.02 and abs(got.out.std() - 1) < 0.02


def test_the_same_numbers_whatever_the_tile():
    got = run("""
@triton.jit
def k(a, b, c, seed):
    o = tl.arange(0, 64)
    tl.store(a + o, tl.rand(seed, o))
    m = tl.arange(0, 8)[:, None] * 8 + tl.arange(0, 8)[None, :]
    tl.store(b + m, tl.rand(seed, m))
    for i in range(64):
        tl.store(c + i, tl.rand(seed, i))
""".replace("tl.store(c + i, tl.rand(seed, i))", "tl.store(c + i + tl.arange(0, 1), tl.rand(seed, i + tl.arange(0, 1)))"),
              a=zeros("f32", 64), b=zeros("f32", 64), c=zeros("f32", 64), seed=7)
    same(got.a, got.b)
    same(got.a, got.c)
