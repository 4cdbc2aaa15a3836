"""Values from nothing, and rows by index."""
import numpy as np
import pytest
from kg import Graph

f32 = np.float32


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_embedding(kdsl, tmp_path, dtype):
    rng = np.random.default_rng(50)
    g = Graph()
    w = g.weight("w", rng.standard_normal((100, 48)).astype(f32))
    p = g.weight("p", rng.standard_normal((16, 48)).astype(f32))
    i = g.input("i", rng.integers(0, 100, (2, 16)).astype(dtype))
    e = g.op("aten.embedding.default", w, i, is_=lambda w, i: w[i])
    r = g.op("aten.arange.start_step", 0, 16, 1, is_=lambda: np.arange(16))
    q = g.op("aten.embedding.default", p, r, is_=lambda p, r: p[r])
    s = g.op("aten.add.Tensor", e, q, is_=np.add)
    m = g.op("aten.mean.dim", s, [-1], True, is_=lambda s: s.mean(-1, keepdims=True))
    g.check(kdsl, tmp_path, s)
    g.check(kdsl, tmp_path, g.op("aten.sub.Tensor", s, m, is_=np.subtract), kernels=1)


def test_index_out_of_range_reads_nothing_else(kdsl, tmp_path):
    g = Graph()
    w = g.weight("w", np.arange(12, dtype=f32).reshape(4, 3))
    i = g.input("i", np.array([-1, 1 << 40, -(1 << 62), 3]))
    g.check(kdsl, tmp_path, g.op("aten.embedding.default", w, i, is_=lambda w, i: w[np.clip(i, 0, 3)]))


def test_ranges_and_fills(kdsl, tmp_path):
    g = Graph()
    x = g.input("x", np.ones((5, 7), f32))
    r = g.op("aten.arange.start_step", 3, 10, 1, is_=lambda: np.arange(3, 10))
    f = g.op("aten.arange.start_step", 0.0, 3.5, 0.5, is_=lambda: np.arange(0, 3.5, 0.5, dtype=f32))
    c = g.op("aten.full.default", [5, 1], 2.5, is_=lambda: np.full((5, 1), 2.5, f32))
    s = g.op("aten.add.Tensor", x, r, is_=lambda x, r: (x + r).astype(f32))
    t = g.op("aten.mul.Tensor", s, c, is_=np.multiply)
    # A causal mask from positions.
    n = g.op("aten.arange.start_step", 0, 9, is_=lambda: np.arange(9))
    u = g.op("aten.unsqueeze.default", n, 1, is_=lambda n: n[:, None])
    g.check(kdsl, tmp_path, t, f, r, c, g.op("aten.le.Tensor", n, u, is_=np.less_equal))


def add_rows(x, index, src, wraps):
    out = x.copy()
    if wraps:
        index = np.where(index < 0, index + len(x), index)
    for row, col in np.ndindex(src.shape):
        place = index[row, col]
        if 0 <= place < len(x):
            out[place, col] += src[row, col]
    return out


@pytest.mark.parametrize("columns", [1, 5, 40])
def test_many_indices_write_nowhere_else(kdsl, tmp_path, columns):
    """So many that a kernel goes over them; PyTorch refuses those out of range."""
    rng = np.random.default_rng(51)
    g = Graph()
    x = g.input("x", rng.integers(0, 9, (90, columns)).astype(f32))
    places = rng.integers(-120, 150, (80, columns))
    places.flat[:3] = 1 << 40, -(1 << 62), 90
    each, one = g.input("each", places), g.input("one", places[:, 0].copy())
    src = g.input("src", rng.integers(0, 9, (80, columns)).astype(f32))
    g.check(kdsl, tmp_path, g.op("aten.scatter_add.default", x, 0, each, src, is_=lambda x, i, s: add_rows(x, i, s, False)),
            g.op("aten.index_put.default", x, [one], src, True, is_=lambda x, i, s: add_rows(x, np.repeat(i[:, None], columns, 1), s, True)))
