"""Reductions and what is made of them, against NumPy."""
import numpy as np
import pytest
from kg import Graph

f32 = np.float32


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("shape, dims", [
    ((6, 50), [1]), ((6, 50), [0]), ((6, 50), [0, 1]), ((6, 50), []), ((2, 3, 4, 5), [2, 3]), ((2, 3, 4, 5), [-3]), ((2, 3, 4, 5), [0, 2]),
    ((5, 1, 7), [1]), ((3, 5000), [-1]), ((7,), [0]), ((0, 4), [0]), ((2, 32, 7, 7), [2, 3]), ((33, 64, 5), [1]),
])
@pytest.mark.parametrize("keep", [False, True])
def test_reductions(kdsl, tmp_path, shape, dims, keep):
    rng = np.random.default_rng(4)
    g = Graph()
    x = g.input("x", rng.standard_normal(shape).astype(f32))
    axes = tuple(d % len(shape) for d in dims) or tuple(range(len(shape)))
    outputs = [g.op("aten.sum.dim_IntList", x, dims, keep, is_=lambda x: x.sum(axes, keepdims=keep))]
    if x.array.size:
        outputs += [g.op("aten.amax.default", x, dims, keep, is_=lambda x: x.max(axes, keepdims=keep)),
                    g.op("aten.amin.default", x, dims, keep, is_=lambda x: x.min(axes, keepdims=keep)),
                    g.op("aten.mean.dim", x, dims, keep, is_=lambda x: x.mean(axes, keepdims=keep))]
    g.check(kdsl, tmp_path, *outputs, rtol=1e-4, atol=1e-5)


def test_types(kdsl, tmp_path):
    rng = np.random.default_rng(5)
    g = Graph()
    i = g.input("i", rng.integers(-9, 9, (4, 33)).astype(np.int32))
    b = g.input("b", rng.random((4, 33)) > 0.5)
    h = g.input("h", rng.standard_normal((4, 33)).astype(np.float16))
    g.check(kdsl, tmp_path, g.op("aten.sum.dim_IntList", i, [1], is_=lambda i: i.sum(1, dtype=np.int64)),
            g.op("aten.sum.dim_IntList", b, [1], is_=lambda b: b.sum(1, dtype=np.int64)),
            g.op("aten.sum.default", b, is_=lambda b: b.sum(dtype=np.int64)),
            g.op("aten.amax.default", i, [0], is_=lambda i: i.max(0)),
            g.op("aten.sum.dim_IntList", h, [1], is_=lambda h: h.astype(f32).sum(1), dtype="f32"),
            g.op("aten.mean.default", h, is_=lambda h: h.astype(f32).mean(dtype=f32).astype(np.float16)), rtol=2e-3)


@pytest.mark.parametrize("shape, dim", [((5, 77), -1), ((2, 3, 16, 16), -1), ((4, 6, 5), 1), ((3, 4096), 1), ((9,), 0)])
def test_softmax(kdsl, tmp_path, shape, dim):
    rng = np.random.default_rng(6)
    g = Graph()
    x = g.input("x", rng.standard_normal(shape).astype(f32))
    scaled = g.op("aten.mul.Tensor", x, 3.0, is_=lambda x: x * f32(3))
    g.check(kdsl, tmp_path, g.op("aten._softmax.default", scaled, dim, False, is_=lambda x: softmax(x, dim)), kernels=1)
    g.check(kdsl, tmp_path, g.op("aten._log_softmax.default", scaled, dim, False, is_=lambda x: np.log(softmax(x, dim))), rtol=1e-4)


def layer_norm(x, w, b, eps=1e-5):
    mean, rstd = x.mean(-1, keepdims=True), 1 / np.sqrt(x.var(-1, keepdims=True) + f32(eps))
    return ((x - mean) * rstd * w + b).astype(f32), mean, rstd.astype(f32)


def test_layer_norm(kdsl, tmp_path):
    rng = np.random.default_rng(7)
    g = Graph()
    x = g.input("x", rng.standard_normal((2, 5, 96)).astype(f32))
    r = g.input("r", rng.standard_normal((2, 5, 96)).astype(f32))
    w, b = g.weight("w", rng.standard_normal(96).astype(f32)), g.weight("b", rng.standard_normal(96).astype(f32))
    s = g.op("aten.add.Tensor", x, r, is_=np.add)
    y, mean, rstd = g.op("aten.native_layer_norm.default", s, [96], w, b, 1e-5, is_=layer_norm)
    g.check(kdsl, tmp_path, y, kernels=1)
    g.check(kdsl, tmp_path, s, y, mean, rstd, kernels=1)


def test_rms_norm(kdsl, tmp_path):
    """As models write it out."""
    rng = np.random.default_rng(8)
    g = Graph()
    x = g.input("x", rng.standard_normal((7, 300)).astype(f32))
    w = g.weight("w", rng.standard_normal(300).astype(f32))
    p = g.op("aten.pow.Tensor_Scalar", x, 2, is_=np.square)
    m = g.op("aten.mean.dim", p, [-1], True, is_=lambda p: p.mean(-1, keepdims=True))
    e = g.op("aten.add.Tensor", m, 1e-6, is_=lambda m: m + f32(1e-6))
    r = g.op("aten.rsqrt.default", e, is_=lambda e: (1 / np.sqrt(e)).astype(f32))
    n = g.op("aten.mul.Tensor", x, r, is_=np.multiply)
    g.check(kdsl, tmp_path, g.op("aten.mul.Tensor", n, w, is_=np.multiply), kernels=1)


def test_batch_norm(kdsl, tmp_path):
    rng = np.random.default_rng(9)
    g = Graph()
    x = g.input("x", rng.standard_normal((2, 6, 9, 11)).astype(f32))
    w, b, m = (g.weight(n, rng.standard_normal(6).astype(f32)) for n in "wbm")
    v = g.weight("v", (rng.random(6) + 0.5).astype(f32))

    def reference(x, w, b, m, v):
        c = (1, 6, 1, 1)
        return ((x - m.reshape(c)) / np.sqrt(v.reshape(c) + f32(1e-5)) * w.reshape(c) + b.reshape(c)).astype(f32), None, None

    y, _, _ = g.op("aten._native_batch_norm_legit_no_training.default", x, w, b, m, v, 0.1, 1e-5, is_=reference)
    g.check(kdsl, tmp_path, g.op("aten.relu.default", y, is_=lambda y: np.maximum(y, 0)), kernels=2)


@pytest.mark.parametrize("dtype, least", [("f", -np.inf), ("q", -1 << 63), ("i", -1 << 31), ("b", -128), ("B", 0)])
@pytest.mark.parametrize("largest", [True, False])
def test_topk_finds_the_least(kdsl, tmp_path, dtype, least, largest):
    """Numbers that nothing is less than, several times, are found like others: each at its own place."""
    g = Graph()
    x = g.input("x", np.array([[least, 3, least, 1, least], [3, 2, least, least, 1]], dtype))
    order = np.argsort(-x.array.astype(object) if largest else x.array, axis=1, kind="stable")
    values, places = g.op("aten.topk.default", x, 5, 1, largest, is_=lambda x: (np.take_along_axis(x, order, 1), order))
    g.check(kdsl, tmp_path, values, places)


def test_full_of_truth(kdsl, tmp_path):
    """Any number but 0 is true."""
    g = Graph()
    g.check(kdsl, tmp_path, *[g.op("aten.full.default", [3], n, is_=lambda n=n: np.full(3, n, bool), dtype="i1") for n in (2, 0.5, 0, -1, float("inf"))])


FAR_FROM_0 = [((6, 1000), [1]), ((2, 40000), [1]), ((3, 50, 900), [1, 2]), ((40000, 16), [0]), ((1, 300000), [1]), ((3, 262144), [1]), ((524288,), [0]),
              ((700, 4, 300), [0, 2])]


@pytest.mark.parametrize("shape, dims", FAR_FROM_0)
def test_numbers_far_from_0(kdsl, tmp_path, shape, dims):
    """Variances lose no digits to a mean that is large: rows that are read at once, in turns, and by several threads."""
    rng = np.random.default_rng(40)
    g = Graph()
    x = g.input("x", (1e4 + rng.standard_normal(shape)).astype(f32))
    axes = tuple(dims)

    def var_mean(x):
        wide = x.astype(np.float64)
        return wide.var(axes, ddof=1).astype(f32), wide.mean(axes).astype(f32)

    outputs = g.op("aten.var_mean.correction", x, dims, is_=var_mean, correction=1)
    g.check(kdsl, tmp_path, *outputs, rtol=1e-4, atol=0)       # of numbers that are known to 1e-3: f32 cannot do better than 6e-4 for sure
    if dims != [len(shape) - 1]:
        return

    def norm(x):
        wide = x.astype(np.float64)
        mean, rstd = wide.mean(-1, keepdims=True), 1 / np.sqrt(wide.var(-1, keepdims=True) + 1e-5)
        return ((wide - mean) * rstd).astype(f32), mean.astype(f32), rstd.astype(f32)

    outputs = g.op("aten.native_layer_norm.default", x, [shape[-1]], None, None, 1e-5, is_=norm)
    g.check(kdsl, tmp_path, *outputs, rtol=2e-5, atol=4e-3)     # an f32 near 1e4 has steps of 1e-3


@pytest.mark.parametrize("shape, dims", [((1 << 19,), [0]), ((300000, 3), [0]), ((2, 3, 131072), [0, 2]), ((64, 64, 2, 64), [0, 1, 3]), ((16384, 17), [0, 1]),
                                         ((262147,), [0])])
def test_few_results(kdsl, tmp_path, shape, dims):
    """Reductions whose rows are divided among threads, and one of a prime number of elements, which is not."""
    rng = np.random.default_rng(41)
    g = Graph()
    axes = tuple(dims)
    x, i, b = g.input("x", rng.standard_normal(shape).astype(f32)), g.input("i", rng.integers(-9, 9, shape).astype(np.int32)), g.input("b", rng.random(shape) > 0.5)
    doubled = g.op("aten.mul.Tensor", x, 2.0, is_=lambda x: x * f32(2))
    outputs = [g.op("aten.sum.dim_IntList", doubled, dims, is_=lambda x: x.astype(np.float64).sum(axes).astype(f32)),
               g.op("aten.amax.default", x, dims, True, is_=lambda x: x.max(axes, keepdims=True)),
               g.op("aten.amin.default", i, dims, is_=lambda i: i.min(axes)),
               g.op("aten.sum.dim_IntList", i, dims, is_=lambda i: i.sum(axes, dtype=np.int64)),
               g.op("aten.sum.dim_IntList", b, dims, True, is_=lambda b: b.sum(axes, dtype=np.int64, keepdims=True)),
               g.op("aten.any.dims", b, dims, is_=lambda b: b.any(axes))]
    g.check(kdsl, tmp_path, *outputs, rtol=1e-4, atol=2e-3, options=["--threads", "2"])
    g.check(kdsl, tmp_path, *outputs, rtol=1e-4, atol=2e-3, options=["--threads", "2", "--no-fusion"])
    steps = kdsl("graph", "explain", tmp_path / "graph.json", "--threads", "2").stdout
    assert (steps.count(" kernel ") > 3) == (shape != (262147,)), steps


def test_products_and_half_types_of_few_results(kdsl, tmp_path):
    rng = np.random.default_rng(42)
    g = Graph()
    h = g.input("h", rng.random(1 << 19).astype(np.float16))
    p = g.input("p", (1 + rng.standard_normal((1 << 18)) * 1e-3).astype(f32))
    outputs = [g.op("aten.mean.default", h, is_=lambda h: h.astype(np.float64).mean().astype(np.float16)),
               g.op("aten.prod.default", p, is_=lambda p: p.astype(np.float64).prod().astype(f32)),
               g.op("aten._softmax.default", p, 0, False, is_=lambda p: softmax(p.astype(np.float64), 0).astype(f32)),
               g.op("aten.argmax.default", p, is_=lambda p: np.array(p.argmax()))]
    g.check(kdsl, tmp_path, *outputs, rtol=2e-3, atol=1e-9, options=["--threads", "2"])
