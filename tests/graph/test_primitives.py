"""Matrix products, convolutions and pooling in oneDNN, with what is merged into them."""
import math
import re

import numpy as np
import pytest
from kg import Graph

f32 = np.float32


def conv2d(x, w, b=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """By definition, in f64."""
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    n, c, h, width = x.shape
    o, ci, kh, kw = w.shape
    oh, ow = (h - dilation[0] * (kh - 1) - 1) // stride[0] + 1, (width - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((n, o, oh, ow))
    for g in range(groups):
        xs, ws = x[:, g * ci:(g + 1) * ci], w[g * (o // groups):(g + 1) * (o // groups)].astype(np.float64)
        for i in range(kh):
            for j in range(kw):
                part = xs[:, :, i * dilation[0]:, j * dilation[1]:][:, :, ::stride[0], ::stride[1]][:, :, :oh, :ow]
                y[:, g * (o // groups):(g + 1) * (o // groups)] += np.einsum("nchw,oc->nohw", part, ws[:, :, i, j])
    return (y if b is None else y + b.reshape(1, -1, 1, 1)).astype(f32)


def convolution(g, x, w, b=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    args = [x, w] + ([b] if b else [])
    return g.op("aten.convolution.default", x, w, b, list(stride), list(padding), list(dilation), False, [0, 0], groups,
                is_=lambda *a: conv2d(*a[:2], a[2] if len(args) > 2 else None, stride, padding, dilation, groups))


def max_pool(x, k, s, p):
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=-np.inf)
    oh, ow = (x.shape[2] - k) // s + 1, (x.shape[3] - k) // s + 1
    return np.max([x[:, :, i:, j:][:, :, ::s, ::s][:, :, :oh, :ow] for i in range(k) for j in range(k)], axis=0)


@pytest.mark.parametrize("weights", ["weight", "input"])
def test_matmul(kdsl, tmp_path, weights):
    rng = np.random.default_rng(20)
    g = Graph()
    make = getattr(g, weights)
    x, y = g.input("x", rng.standard_normal((17, 40)).astype(f32)), g.input("y", rng.standard_normal((17, 24)).astype(f32))
    w, u, b = make("w", rng.standard_normal((24, 40)).astype(f32)), make("u", rng.standard_normal((40, 24)).astype(f32)), make("b", rng.standard_normal(24).astype(f32))
    wt = g.op("aten.t.default", w, is_=lambda w: w.T)
    h = g.op("aten.addmm.default", b, x, wt, is_=lambda b, x, w: x @ w + b)
    r = g.op("aten.relu.default", h, is_=lambda h: np.maximum(h, 0))
    s = g.op("aten.add.Tensor", r, y, is_=np.add)
    g.check(kdsl, tmp_path, s, rtol=1e-4, atol=1e-4, kernels=0)
    m = g.op("aten.mm.default", x, u, is_=np.matmul)
    g.check(kdsl, tmp_path, g.op("aten.exp.default", m, is_=np.exp), m, rtol=1e-3, atol=1e-3, kernels=1)
    a = g.op("aten.addmm.default", y, x, u, is_=lambda y, x, u: 0.5 * y + 2 * (x @ u), beta=0.5, alpha=2)
    g.check(kdsl, tmp_path, a, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("step", [2, 8])
def test_matmul_of_windows(kdsl, tmp_path, step):
    """Rows that share elements; oneDNN takes no such strides."""
    rng = np.random.default_rng(29)
    g = Graph()
    x, w = g.input("x", rng.standard_normal(64).astype(f32)), g.weight("w", rng.standard_normal((8, 5)).astype(f32))
    rows = g.op("aten.unfold.default", x, 0, 8, step, is_=lambda x: np.lib.stride_tricks.sliding_window_view(x, 8)[::step])
    g.check(kdsl, tmp_path, g.op("aten.mm.default", rows, w, is_=np.matmul), rtol=1e-4, atol=1e-4, kernels=1 if step == 2 else 0)


def test_output_in_another_shape(kdsl, tmp_path):
    """A linear on three dimensions: the product is written where the caller wants it."""
    rng = np.random.default_rng(28)
    g = Graph()
    x, w, b = g.input("x", rng.standard_normal((2, 5, 16)).astype(f32)), g.weight("w", rng.standard_normal((16, 24)).astype(f32)), g.weight("b", rng.standard_normal(24).astype(f32))
    rows = g.op("aten.view.default", x, [10, 16], is_=lambda x: x.reshape(10, 16))
    y = g.op("aten._unsafe_view.default", g.op("aten.mm.default", rows, w, is_=np.matmul), [2, 5, 24], is_=lambda y: y.reshape(2, 5, 24))
    h = g.op("aten.relu.default", g.op("aten.addmm.default", b, rows, w, is_=lambda b, x, w: x @ w + b), is_=lambda h: np.maximum(h, 0))
    z = g.op("aten.view.default", h, [5, 2, 24], is_=lambda h: h.reshape(5, 2, 24))
    g.check(kdsl, tmp_path, y, z, rtol=1e-4, atol=1e-4, kernels=0)
    g.check(kdsl, tmp_path, y, y, rtol=1e-4, atol=1e-4, kernels=1)


def test_batched(kdsl, tmp_path):
    rng = np.random.default_rng(21)
    g = Graph()
    q, k = (g.input(n, rng.standard_normal((2, 3, 9, 16)).astype(f32)) for n in "qk")
    q3 = g.op("aten.view.default", q, [6, 9, 16], is_=lambda q: q.reshape(6, 9, 16))
    kt = g.op("aten.transpose.int", k, -2, -1, is_=lambda k: k.swapaxes(-2, -1))
    k3 = g.op("aten.view.default", kt, [6, 16, 9], is_=lambda k: k.reshape(6, 16, 9))
    m = g.op("aten.bmm.default", q3, k3, is_=np.matmul)
    g.check(kdsl, tmp_path, g.op("aten.div.Tensor", m, 4.0, is_=lambda m: m / 4), rtol=1e-4, atol=1e-4, kernels=0)


def test_operand_that_no_strides_describe(kdsl, tmp_path):
    rng = np.random.default_rng(22)
    g = Graph()
    x, w = g.input("x", rng.standard_normal((4, 3, 5)).astype(f32)), g.input("w", rng.standard_normal((12, 7)).astype(f32))
    p = g.op("aten.permute.default", x, [2, 1, 0], is_=lambda x: x.transpose(2, 1, 0))
    v = g.op("aten.reshape.default", p, [5, 12], is_=lambda x: x.reshape(5, 12))
    g.check(kdsl, tmp_path, g.op("aten.mm.default", v, w, is_=np.matmul), rtol=1e-4, atol=1e-4, kernels=1)


@pytest.mark.parametrize("shape, weight, options", [
    ((1, 3, 20, 20), (8, 3, 7, 7), {"stride": (2, 2), "padding": (3, 3)}), ((2, 16, 9, 11), (24, 16, 3, 3), {"padding": (1, 1)}),
    ((1, 16, 7, 7), (32, 16, 1, 1), {}), ((1, 8, 12, 12), (8, 1, 3, 3), {"groups": 8, "padding": (1, 1)}),
    ((1, 8, 12, 12), (12, 4, 3, 3), {"groups": 2, "dilation": (2, 2)}),
])
@pytest.mark.parametrize("weights", ["weight", "input"])
def test_convolution(kdsl, tmp_path, shape, weight, options, weights):
    rng = np.random.default_rng(23)
    g = Graph()
    make = getattr(g, weights)
    x = g.input("x", rng.standard_normal(shape).astype(f32))
    w, b = make("w", rng.standard_normal(weight).astype(f32)), make("b", rng.standard_normal(weight[0]).astype(f32))
    y = convolution(g, x, w, b, **options)
    g.check(kdsl, tmp_path, y, rtol=1e-4, atol=1e-3)
    g.check(kdsl, tmp_path, g.op("aten.silu.default", convolution(g, x, w, **options), is_=lambda y: y / (1 + np.exp(-y))), rtol=1e-4, atol=1e-3)
    assert "ref" not in kdsl("graph", "explain", tmp_path / "graph.json").stdout     # oneDNN's slowest way


def test_max_pool(kdsl, tmp_path):
    rng = np.random.default_rng(24)
    g = Graph()
    x = g.input("x", rng.standard_normal((2, 16, 13, 13)).astype(f32))
    y, _ = g.op("aten.max_pool2d_with_indices.default", x, [3, 3], [2, 2], [1, 1], is_=lambda x: (max_pool(x, 3, 2, 1), None))
    g.check(kdsl, tmp_path, y)


def test_residual_block(kdsl, tmp_path):
    """conv, batch norm, relu, conv, batch norm, add, relu, pool, mean, linear: what ResNet is made of."""
    rng = np.random.default_rng(25)
    g = Graph()
    x = g.input("x", rng.standard_normal((1, 16, 14, 14)).astype(f32))

    def bn(x, i):
        w, b, m = (g.weight(f"{n}{i}", rng.standard_normal(16).astype(f32)) for n in "wbm")
        v = g.weight(f"v{i}", (rng.random(16) + 0.5).astype(f32))
        c = (1, 16, 1, 1)
        return g.op("aten._native_batch_norm_legit_no_training.default", x, w, b, m, v, 0.1, 1e-5, is_=lambda x, w, b, m, v: (
            ((x - m.reshape(c)) / np.sqrt(v.reshape(c) + f32(1e-5)) * w.reshape(c) + b.reshape(c)).astype(f32), None, None))[0]

    w1, w2 = (g.weight(f"k{i}", (rng.standard_normal((16, 16, 3, 3)) * 0.1).astype(f32)) for i in (1, 2))
    h = g.op("aten.relu.default", bn(convolution(g, x, w1, padding=(1, 1)), 1), is_=lambda h: np.maximum(h, 0))
    s = g.op("aten.add.Tensor", bn(convolution(g, h, w2, padding=(1, 1)), 2), x, is_=np.add)
    r = g.op("aten.relu.default", s, is_=lambda h: np.maximum(h, 0))
    p, _ = g.op("aten.max_pool2d_with_indices.default", r, [2, 2], [2, 2], is_=lambda r: (max_pool(r, 2, 2, 0), None))
    m = g.op("aten.mean.dim", p, [-1, -2], True, is_=lambda p: p.mean((2, 3), keepdims=True))
    f = g.op("aten.view.default", m, [1, 16], is_=lambda m: m.reshape(1, 16))
    w, b = g.weight("w", rng.standard_normal((10, 16)).astype(f32)), g.weight("b", rng.standard_normal(10).astype(f32))
    y = g.op("aten.addmm.default", b, f, g.op("aten.t.default", w, is_=lambda w: w.T), is_=lambda b, f, w: f @ w + b)
    g.check(kdsl, tmp_path, y, rtol=1e-3, atol=1e-3, kernels=1)     # a copy of the input to nhwc


def test_means_of_images(kdsl, tmp_path):
    """Behind a convolution the mean over height and width is pooling; the other ones are rows of a kernel."""
    rng = np.random.default_rng(26)
    g = Graph()
    x, w = g.input("x", rng.standard_normal((2, 3, 9, 10)).astype(f32)), g.weight("w", rng.standard_normal((24, 3, 1, 1)).astype(f32))
    h = g.op("aten.hardswish.default", convolution(g, x, w), is_=lambda y: y * np.clip(y + 3, 0, 6) / 6)
    kept = g.op("aten.mean.dim", h, [-1, -2], True, is_=lambda h: h.mean((2, 3), keepdims=True))
    flat = g.op("aten.mean.dim", h, [2, 3], is_=lambda h: h.mean((2, 3)))
    other = g.op("aten.mean.dim", h, [1, 2], is_=lambda h: h.mean((1, 2)))
    input_ = g.op("aten.mean.dim", x, [2, 3], is_=lambda x: x.mean((2, 3)))
    g.check(kdsl, tmp_path, kept, flat, rtol=1e-4, atol=1e-4, kernels=1)     # the copy of the input to nhwc
    g.check(kdsl, tmp_path, kept, flat, other, input_, rtol=1e-4, atol=1e-4, kernels=3)


def test_siblings_become_one_product(kdsl, tmp_path):
    """Linears that read the same matrix, with constants; one with a post, one that is an output and one with a weight that is an input stay."""
    rng = np.random.default_rng(33)
    g = Graph()
    x, made = g.input("x", rng.standard_normal((10, 16)).astype(f32)), {}
    for name, n in (("q", 24), ("k", 24), ("v", 8), ("up", 32), ("out", 4)):
        w, b = g.weight(f"w_{name}", rng.standard_normal((n, 16)).astype(f32)), g.weight(f"b_{name}", rng.standard_normal(n).astype(f32))
        wt = g.op("aten.t.default", w, is_=lambda w: w.T)
        made[name] = g.op("aten.addmm.default", b, x, wt, is_=lambda b, x, w: x @ w + b, name=name)
    bound = g.op("aten.mm.default", x, g.input("w", rng.standard_normal((16, 8)).astype(f32)), is_=np.matmul, name="bound")
    plain = [g.op("aten.mm.default", x, g.op("aten.t.default", g.weight(f"p{i}", rng.standard_normal((8, 16)).astype(f32)), is_=lambda w: w.T), is_=np.matmul,
                  name=f"plain{i}") for i in range(2)]
    qk = g.op("aten.sub.Tensor", made["q"], made["k"], is_=np.subtract)
    up = g.op("aten.relu.default", made["up"], is_=lambda y: np.maximum(y, 0))
    sums = g.op("aten.sub.Tensor", made["v"], g.op("aten.exp.default", bound, is_=np.exp), is_=np.subtract)
    more = g.op("aten.sub.Tensor", *plain, is_=np.subtract)
    outputs = (qk, up, sums, made["out"], more)
    g.check(kdsl, tmp_path, *outputs, rtol=1e-4, atol=1e-4)
    lines = [line.split()[-8:] for line in kdsl("graph", "explain", tmp_path / "graph.json").stdout.splitlines() if " primitive " in line]
    covered = sorted(", ".join(word.strip(",") for word in line if word.startswith("%")) for line in lines)
    assert covered == ["%bound", "%out", "%plain0, %plain1", "%q, %k, %v", "%up, %relu_17"], covered
    nodes = kdsl("graph", "explain", tmp_path / "graph.json", "--nodes").stdout
    assert all(" primitive " in line for line in nodes.splitlines() if line.startswith(("%q ", "%k ", "%v "))), nodes
    kdsl("graph", "compile", tmp_path / "graph.json", "-o", tmp_path / "g.kx", "--embed-weights")
    (tmp_path / "weights.bin").unlink()
    words = [w for n in ("x", "w") for w in ("--in", f"{n}=@{tmp_path}/{n}.npy")]
    kdsl("graph", "run", tmp_path / "g.kx", *words, "--save", f"{qk.name}={tmp_path}/again.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), np.load(tmp_path / "out0.npy"))


@pytest.mark.parametrize("shape, posts, n_kernels", [
    ((2, 16, 9, 10), [], 1),                # a sum in another order than the convolution's: oneDNN has only its reference for that
    ((2, 16, 9, 10), ["relu"], 1),
    ((1, 16, 1, 1), ["relu"], 0),
    ((1, 16, 9, 10), ["hardswish", "linear", "hardtanh"], 1),
    ((1, 1, 1, 10), ["gelu", "leaky_relu", "sigmoid", "tanh", "silu"], 1)])
def test_posts_that_onednn_is_slow_with(kdsl, tmp_path, shape, posts, n_kernels):
    """They become kernels behind the convolution, together with those that follow them."""
    functions = {"relu": ([], lambda x: np.maximum(x, 0)), "hardswish": ([], lambda x: x * np.clip(x + 3, 0, 6) / 6),
                 "hardtanh": ([-0.5, 0.75], lambda x: np.clip(x, -0.5, 0.75)), "sigmoid": ([], lambda x: 1 / (1 + np.exp(-x))),
                 "leaky_relu": ([0.25], lambda x: np.where(x < 0, x * f32(0.25), x)), "tanh": ([], np.tanh), "silu": ([], lambda x: x / (1 + np.exp(-x))),
                 "gelu": ([], lambda x: (x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))).astype(f32))}
    rng = np.random.default_rng(35)
    g = Graph()
    x, w = g.input("x", rng.standard_normal((2, 8, 9, 10)).astype(f32)), g.weight("w", (rng.standard_normal((16, 8, 3, 3)) / 8).astype(f32))
    other = g.input("other", rng.standard_normal(shape).astype(f32))
    y = g.op("aten.relu.default", convolution(g, x, w, padding=(1, 1)), is_=lambda y: np.maximum(y, 0), name="kept")
    y = g.op("aten.add.Tensor", y, other, is_=np.add, name="peeled")
    for post in posts:
        if post == "linear":
            y = g.op("aten.add.Tensor", g.op("aten.mul.Tensor", y, 0.5, is_=lambda y: y * f32(0.5)), 1.5, is_=lambda y: y + f32(1.5))
        else:
            y = g.op(f"aten.{post}.default", y, *functions[post][0], is_=functions[post][1])
    last = g.op("aten.sum.dim_IntList", y, [1], is_=lambda y: y.sum(1))
    g.check(kdsl, tmp_path, last, rtol=1e-4, atol=1e-4)
    steps = kdsl("graph", "explain", tmp_path / "graph.json").stdout
    assert " ref" not in steps, steps
    assert len(re.findall(r"kernel .*%peeled", steps)) == n_kernels, steps
    assert "%kept" in re.search(r"primitive .*", steps).group(0), steps


def test_columns_added_to_a_product(kdsl, tmp_path):
    rng = np.random.default_rng(36)
    g = Graph()
    x, w, c = (g.input(n, rng.standard_normal(s).astype(f32)) for n, s in (("x", (17, 40)), ("w", (40, 24)), ("c", (17, 1))))
    y = g.op("aten.add.Tensor", g.op("aten.mm.default", x, w, is_=np.matmul), c, is_=np.add)
    g.check(kdsl, tmp_path, g.op("aten.relu.default", y, is_=lambda y: np.maximum(y, 0)), rtol=1e-4, atol=1e-4, kernels=1)


@pytest.mark.parametrize("channels", [(1, 8), (8, 1), (1, 1)])
def test_images_with_one_channel(kdsl, tmp_path, channels):
    """Their layout is taken for that of others, so that oneDNN has more for them than its reference implementation."""
    rng = np.random.default_rng(40)
    g = Graph()
    x = g.input("x", rng.standard_normal((1, channels[0], 12, 12)).astype(f32))
    w = g.weight("w", rng.standard_normal((channels[1], channels[0], 3, 3)).astype(f32))
    y = convolution(g, x, w, padding=(1, 1))
    g.check(kdsl, tmp_path, g.op("aten.tanh.default", y, is_=np.tanh), rtol=1e-4, atol=1e-4)
    assert "ref:" not in kdsl("graph", "explain", tmp_path / "graph.json").stdout


def test_products_in_f64(kdsl, tmp_path):
    rng = np.random.default_rng(37)
    g = Graph()
    x, w, b = (g.input(n, rng.standard_normal(s)) for n, s in (("x", (2, 17, 40)), ("w", (2, 40, 24)), ("b", (1, 24))))
    y = g.op("aten.add.Tensor", g.op("aten.bmm.default", x, w, is_=np.matmul), b, is_=np.add)
    g.check(kdsl, tmp_path, y, rtol=1e-12, atol=1e-12)
