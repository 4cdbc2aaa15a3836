"""Shapes: indexing, broadcasting, reshape, transposition, join and split, high ranks, tiles of one element and of a million."""
import numpy as np
import pytest
from kernel import fails, run, same, zeros


def test_identities():
    x = np.arange(64, dtype=np.int32)
    got = run("""
@triton.jit
def k(x, out):
    o = tl.arange(0, 64)
    v = tl.load(x + o)
    m = tl.reshape(v, (8, 8))
    c = tl.reshape(v, 2, 4, 8)
    a, b = tl.split(tl.join(v, v * 2))
    tl.store(out + 0 * 64 + o, a + b)
    tl.store(out + 1 * 64 + o, tl.ravel(tl.trans(m)))
    tl.store(out + 2 * 64 + o, tl.ravel(m.T))
    tl.store(out + 3 * 64 + o, tl.ravel(tl.permute(c, (2, 0, 1))))
    tl.store(out + 4 * 64 + o, tl.ravel(tl.permute(c, 1, 2, 0)))
    tl.store(out + 5 * 64 + o, tl.ravel(tl.trans(c)))
    tl.store(out + 6 * 64 + o, tl.ravel(tl.trans(c, 2, 1, 0)))
    tl.store(out + 7 * 64 + o, tl.ravel(tl.trans(tl.trans(m))))
    lo, hi = m.reshape(8, 4, 2).split()
    tl.store(out + 8 * 64 + o, tl.ravel(tl.interleave(hi, lo)))
    tl.store(out + 9 * 64 + o, tl.ravel(tl.permute(tl.join(lo, hi), (0, 2, 1))))
    tl.store(out + 10 * 64 + o, tl.view(tl.ravel(c.permute(0, 2, 1)), [64]))
    tl.store(out + 11 * 64 + o, tl.ravel(tl.expand_dims(m, 1) + tl.zeros((8, 1, 8), tl.int32)))
""", x=x, out=zeros("i32", 12, 64))
    m, c = x.reshape(8, 8), x.reshape(2, 4, 8)
    pairs = x.reshape(8, 4, 2)
    want = [x * 3, m.T, m.T, c.transpose(2, 0, 1), c.transpose(1, 2, 0), c.transpose(0, 2, 1), c.transpose(2, 1, 0), m, pairs[:, :, ::-1],
            pairs.transpose(0, 2, 1), c.transpose(0, 2, 1), m]
    same(got.out, np.stack([w.reshape(-1) for w in want]))


def test_broadcasting():
    x = np.arange(1, 5, dtype=np.float32)
    y = np.arange(10, 18, dtype=np.float32)
    got = run("""
@triton.jit
def k(x, y, out, n):
    a = tl.load(x + tl.arange(0, 4))
    b = tl.load(y + tl.arange(0, 8))
    o = tl.arange(0, 4)[:, None] * 8 + tl.arange(0, 8)[None, :]
    tl.store(out + o, a[:, None] * b[None, :])
    tl.store(out + 32 + o, a[:, None] + tl.zeros((4, 8), tl.float32))
    tl.store(out + 64 + o, tl.broadcast_to(b[None, :], (4, 8)))
    tl.store(out + 96 + o, b + tl.zeros((4, 8), tl.float32))
    p, q = tl.broadcast(a[:, None], b[None, :])
    tl.store(out + 128 + o, p - q)
    tl.store(out + 160 + o, n)
    tl.store(out + 192 + o, tl.full((4, 8), n, tl.float32) + a.expand_dims(1))
    tl.store(out + 224 + o, tl.where(a[:, None] > 2, b[None, :], n))
    tl.store(out + 256 + o, a[:, None], mask=b[None, :] > 12)
    tl.store(out + 288 + o, tl.load((x + tl.arange(0, 4))[:, None] + tl.zeros((4, 8), tl.int32), mask=(b > 12)[None, :], other=n))
""", x=x, y=y, out=zeros("f32", 10, 4, 8), n=-1.5)
    a, b = x[:, None], y[None, :]
    z = np.zeros((4, 8), np.float32)
    want = [a * b, a + z, b + z, b + z, a - b, z - 1.5, a - 1.5 + z, np.where(a > 2, b, -1.5) + z, np.where(b > 12, a, 0), np.where(b > 12, a, -1.5)]
    same(got.out, np.stack(want).astype(np.float32))


@pytest.mark.parametrize("shape", [(1,), (2, 2, 2, 2), (4, 2, 8, 2), (2, 4, 2, 2, 4), (1, 4, 1, 2, 1), (16, 1, 1, 16)])
def test_high_ranks(shape):
    n = int(np.prod(shape))
    x = np.random.default_rng(0).integers(-99, 99, n).astype(np.int32)
    rank = len(shape)
    lines, want, at = [], [], 0

    def emit(expr, value):
        nonlocal at
        value = np.asarray(value)
        if value.ndim == 0:
            lines.append("    tl.store(out + %d, %s)" % (at, expr))
        else:
            lines.append("    tl.store(out + %d + tl.arange(0, %d), tl.ravel(%s))" % (at, value.size, expr))
        want.append(value.reshape(-1))
        at += value.size
    v = x.reshape(shape)
    perm = list(range(rank))[::-1]
    emit("tl.permute(v, %s)" % perm, v.transpose(perm))
    roll = list(range(1, rank)) + [0]
    emit("tl.permute(v, %s) * 2 + 1" % roll, v.transpose(roll) * 2 + 1)
    for axis in range(rank):
        emit("tl.sum(v, %d)" % axis, v.sum(axis))
        emit("tl.max(v, %d, keep_dims=True) - v" % axis, v.max(axis, keepdims=True) - v)
        emit("tl.cumsum(v, %d)" % axis, v.cumsum(axis))
        emit("tl.argmin(v, %d)" % axis, v.argmin(axis))
        emit("tl.flip(v, %d)" % axis, np.flip(v, axis))
    emit("v + v[%s]" % ", ".join([":"] * rank), 2 * v)
    emit("tl.sum(v)", v.sum())
    emit("tl.join(v, -v)", np.stack([v, -v], -1))
    source = "@triton.jit\ndef k(x, out):\n    v = tl.reshape(tl.load(x + tl.arange(0, %d)), %s)\n%s\n" % (n, shape, "\n".join(lines))
    same(run(source, x=x, out=zeros("i32", at)).out, np.concatenate(want).astype(np.int32))


def test_shape_attributes():
    got = run("""
@triton.jit
def k(out):
    v = tl.zeros((4, 1, 8), tl.float16)
    tl.store(out + 0, v.shape[0] * 100 + v.shape[1] * 10 + v.shape[2])
    tl.store(out + 1, v.numel)
    tl.store(out + 2, len(v.shape))
    tl.store(out + 3, v.type.shape[2])
    tl.store(out + 4, v.T.shape[0] if len(v.shape) == 2 else 5)
    s = tl.zeros((), tl.float32)
    tl.store(out + 5, s + 3)
    t = tl.full((), 4, tl.int32)
    tl.store(out + 6, t * t)
    w = tl.zeros_like(v)
    tl.store(out + 7, w.dtype == tl.float16)
    c = tl.cat(tl.arange(0, 4), tl.arange(4, 8), can_reorder=True)
    tl.store(out + 8, tl.sum(c, axis=0) + tl.max(c, axis=0))
    tl.store(out + 9, tl.arange(3, 7).shape[0])
    tl.store(out + 10, tl.sum(tl.arange(3, 7), axis=0))
""", out=zeros("i32", 11))
    assert list(got.out) == [418, 32, 3, 8, 5, 3, 16, 1, 35, 4, 18]


def test_a_million_elements():
    n = 1 << 20
    x = np.arange(n, dtype=np.float32)
    got = run("""
@triton.jit
def k(x, out):
    i = tl.arange(0, 1024)
    v = tl.load(x + i[:, None] * 1024 + i[None, :])
    w = tl.trans(v)
    tl.store(out + i[:, None] * 1024 + i[None, :], w - v + tl.sum(v, axis=0)[None, :] * 0 + tl.max(w, axis=1)[:, None])
""", x=x, out=zeros("f32", n))
    v = x.reshape(1024, 1024)
    same(got.out.reshape(1024, 1024), (v.T - v) + v.T.max(1)[:, None])


def test_one_element():
    got = run("""
@triton.jit
def k(x, out):
    o = tl.arange(0, 1)
    v = tl.load(x + o)
    m = v[:, None] * v[None, :]
    tl.store(out + o, tl.ravel(m))
    tl.store(out + 1, v.item())
    a, b = tl.split(tl.join(v, v + 1))
    tl.store(out + 2 + o, a * b)
    j = tl.join(tl.load(x), 5.0)
    tl.store(out + 3 + tl.arange(0, 2), j)
    c, d = tl.split(j)
    tl.store(out + 5, c - d)
    tl.store(out + 6 + o, v, mask=o < 0)
    tl.store(out + 7, tl.sum(tl.full((1, 1, 1), 3.5, tl.float32)))
""", x=np.array([3], np.float32), out=zeros("f32", 8))
    assert list(got.out) == [9, 3, 12, 3, 5, -2, 0, 3.5]


@pytest.mark.parametrize("expr", ["tl.reshape(v, (8, 4))", "tl.reshape(v, (3, 21))", "tl.trans(v)", "tl.permute(m, (0, 0))", "tl.permute(m, (0,))",
                                  "tl.split(v)", "tl.join(v, m)", "m[:, :, :]", "v[None]" " + m + tl.zeros((4, 4), tl.float32)", "tl.broadcast_to(m, (16, 8))",
                                  "tl.expand_dims(v, 5)", "v[1:3]", "v[0]", "m[..., None]", "tl.view(v, 32)", "tl.zeros((2.5,), tl.float32)", "tl.zeros((4,), 7)",
                                  "tl.full((4,), 1)", "v.T", "tl.reshape(v, (n, 8))", "tl.zeros((-4,), tl.float32)", "tl.zeros((0,), tl.float32)"])
def test_wrong_shapes(expr):
    fails("""
@triton.jit
def k(x, n):
    v = tl.load(x + tl.arange(0, 64))
    m = tl.reshape(v, (8, 8))
    y = %s
""" % expr, 1, "kernel.py:10:", " error: ", x=np.zeros(64, np.float32), n=5)
