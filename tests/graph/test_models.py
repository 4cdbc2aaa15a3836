"""Small models end to end against NumPy: which nodes share a kernel, and how many kernels there are."""
import math
import re
import resource

import numpy as np
from kg import Graph

f32 = np.float32


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def linear(g, x, n_in, n_out, rng, name):
    """A view to rows, a transposed weight, addmm, and a view back, as AOTAutograd writes nn.Linear."""
    shape = list(x.array.shape)
    w = g.weight(f"{name}_w", (rng.standard_normal((n_out, n_in)) / math.sqrt(n_in)).astype(f32))
    b = g.weight(f"{name}_b", rng.standard_normal(n_out).astype(f32))
    rows = g.op("aten.view.default", x, [-1, n_in], is_=lambda x: x.reshape(-1, n_in))
    wt = g.op("aten.t.default", w, is_=lambda w: w.T)
    y = g.op("aten.addmm.default", b, rows, wt, is_=lambda b, x, w: x @ w + b)
    return g.op("aten.view.default", y, shape[:-1] + [n_out], is_=lambda y: y.reshape(shape[:-1] + [n_out]))


def layer_norm(g, x, n, rng, name):
    w, b = g.weight(f"{name}_w", rng.standard_normal(n).astype(f32)), g.weight(f"{name}_b", rng.standard_normal(n).astype(f32))

    def reference(x, w, b):
        mean, rstd = x.mean(-1, keepdims=True), 1 / np.sqrt(x.var(-1, keepdims=True) + f32(1e-5))
        return ((x - mean) * rstd * w + b).astype(f32), mean, rstd.astype(f32)

    return g.op("aten.native_layer_norm.default", x, [n], w, b, 1e-5, is_=reference)[0]


def mlp(rng):
    g = Graph()
    x = g.input("x", rng.standard_normal((32, 64)).astype(f32))
    h = g.op("aten.relu.default", linear(g, x, 64, 128, rng, "up"), is_=lambda h: np.maximum(h, 0))
    n = layer_norm(g, h, 128, rng, "norm")
    y = g.op("aten._softmax.default", linear(g, n, 128, 10, rng, "down"), -1, False, is_=softmax)
    return g, y


def transformer(rng, batch=2, time=16, width=48, heads=3):
    """Layer norm, causal attention written out, a linear, a residual; layer norm, MLP with gelu, a residual."""
    g = Graph()
    x = g.input("x", rng.standard_normal((batch, time, width)).astype(f32))
    d = width // heads
    qkv = linear(g, layer_norm(g, x, width, rng, "norm1"), width, 3 * width, rng, "qkv")
    parts = g.op("aten.split.Tensor", qkv, width, -1, is_=lambda x: tuple(np.split(x, 3, -1)))
    split = []
    for part in parts:
        v = g.op("aten.view.default", part, [batch, time, heads, d], is_=lambda x: x.reshape(batch, time, heads, d))
        split.append(g.op("aten.permute.default", v, [0, 2, 1, 3], is_=lambda x: x.transpose(0, 2, 1, 3)))
    q, k, v = split
    kt = g.op("aten.transpose.int", k, -2, -1, is_=lambda k: k.swapaxes(-2, -1))
    flat = [g.op("aten.reshape.default", t, [batch * heads, *t.array.shape[2:]], is_=lambda x: x.reshape(batch * heads, *x.shape[2:])) for t in (q, kt, v)]
    scores = g.op("aten.bmm.default", flat[0], flat[1], is_=np.matmul)
    scaled = g.op("aten.mul.Tensor", scores, 1 / math.sqrt(d), is_=lambda s: s * f32(1 / math.sqrt(d)))
    mask = g.weight("mask", np.triu(np.ones((time, time), bool), 1))
    masked = g.op("aten.masked_fill.Scalar", scaled, mask, -math.inf, is_=lambda s, m: np.where(m, f32(-np.inf), s))
    weights = g.op("aten._softmax.default", masked, -1, False, is_=softmax)
    mixed = g.op("aten.bmm.default", weights, flat[2], is_=np.matmul)
    back = g.op("aten.view.default", mixed, [batch, heads, time, d], is_=lambda x: x.reshape(batch, heads, time, d))
    back = g.op("aten.permute.default", back, [0, 2, 1, 3], is_=lambda x: x.transpose(0, 2, 1, 3))
    back = g.op("aten.clone.default", back, is_=np.ascontiguousarray)
    back = g.op("aten.view.default", back, [batch, time, width], is_=lambda x: x.reshape(batch, time, width))
    r = g.op("aten.add.Tensor", linear(g, back, width, width, rng, "out"), x, is_=np.add, name="residual1")
    h = linear(g, layer_norm(g, r, width, rng, "norm2"), width, 4 * width, rng, "up")
    h = g.op("aten.gelu.default", h, approximate="tanh",
             is_=lambda x: (0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))).astype(f32))
    return g, g.op("aten.add.Tensor", linear(g, h, 4 * width, width, rng, "down"), r, is_=np.add, name="residual2")


def steps(kdsl, tmp_path):
    """What each step of the graph written last covers: (kind, nodes without their numbers)."""
    lines = kdsl("graph", "explain", tmp_path / "graph.json").stdout.splitlines()[1:]
    return [(line.split()[1], re.sub(r"_\d+", "", ", ".join(re.findall(r"%(\w+)", line)))) for line in lines]


def test_mlp(kdsl, tmp_path):
    g, y = mlp(np.random.default_rng(30))
    g.check(kdsl, tmp_path, y, rtol=1e-4, atol=1e-5)
    g.check(kdsl, tmp_path, y, rtol=1e-4, atol=1e-5, options=["--no-fusion"])
    assert steps(kdsl, tmp_path) == [("primitive", "addmm, relu"), ("kernel", "native_layer_norm"), ("primitive", "addmm"), ("kernel", "softmax")]


def test_transformer(kdsl, tmp_path):
    g, y = transformer(np.random.default_rng(31))
    g.check(kdsl, tmp_path, y, rtol=1e-3, atol=1e-4)
    g.check(kdsl, tmp_path, y, rtol=1e-3, atol=1e-4, options=["--no-fusion"])
    print(steps(kdsl, tmp_path))


def test_ten_thousand_nodes(kdsl, tmp_path):
    """A chain that reads its input again and again: fusion has a limit, and equal kernels are compiled once."""
    rng = np.random.default_rng(32)
    g = Graph()
    x = y = g.input("x", (rng.random((16, 16)) * 1e-3).astype(f32))
    for i in range(10000):
        y = g.op("aten.add.Tensor", y, x, is_=np.add) if i % 3 else g.op("aten.relu.default", y, is_=lambda y: np.maximum(y, 0))
    g.check(kdsl, tmp_path, y, rtol=1e-3)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert len(steps(kdsl, tmp_path)) < 250
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 1.0      # from the file to the list of steps
