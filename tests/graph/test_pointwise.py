"""Each pointwise op against NumPy: shapes, strides, broadcasting, types."""
import math

import numpy as np
import pytest
from kg import Graph

f32 = np.float32
erf = np.vectorize(math.erf, otypes=[f32])


def sigmoid(x):
    return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(x.dtype)


UNARY = {
    "neg.default": lambda x: -x, "abs.default": np.abs, "exp.default": np.exp, "sin.default": np.sin, "cos.default": np.cos,
    "tanh.default": np.tanh, "erf.default": erf, "sigmoid.default": sigmoid, "floor.default": np.floor, "ceil.default": np.ceil,
    "reciprocal.default": lambda x: (1 / x).astype(f32), "relu.default": lambda x: np.maximum(x, 0),
    "leaky_relu.default": lambda x: np.where(x < 0, f32(0.01) * x, x), "hardtanh.default": lambda x: np.clip(x, -1, 1),
    "gelu.default": lambda x: (0.5 * x * (1 + erf(x * math.sqrt(0.5)))).astype(f32), "silu.default": lambda x: x * sigmoid(x),
    "hardsigmoid.default": lambda x: np.clip(x + 3, 0, 6) / f32(6), "hardswish.default": lambda x: x * np.clip(x + 3, 0, 6) / f32(6),
    "logical_not.default": lambda x: x == 0, "isnan.default": np.isnan, "clone.default": lambda x: x,
}
POSITIVE = {"log.default": np.log, "log1p.default": np.log1p, "sqrt.default": np.sqrt, "rsqrt.default": lambda x: (1 / np.sqrt(x)).astype(f32)}
SCALAR = {
    ("add.Tensor", 2.5): lambda x: x + f32(2.5), ("sub.Tensor", 3): lambda x: x - f32(3), ("rsub.Scalar", 1.0): lambda x: 1 - x,
    ("mul.Tensor", -0.125): lambda x: x * f32(-0.125), ("div.Tensor", 3): lambda x: x / f32(3), ("pow.Tensor_Scalar", 2): lambda x: x * x,
    ("pow.Tensor_Scalar", 3): lambda x: x * x * x, ("clamp_min.default", 0.5): lambda x: np.maximum(x, f32(0.5)),
    ("gt.Scalar", 0): lambda x: x > 0, ("le.Scalar", 0.5): lambda x: x <= f32(0.5), ("eq.Scalar", 0): lambda x: x == 0,
    ("ne.Scalar", 0): lambda x: x != 0, ("lt.Scalar", 0): lambda x: x < 0, ("ge.Scalar", 0): lambda x: x >= 0,
}
BINARY = {
    "add.Tensor": np.add, "sub.Tensor": np.subtract, "mul.Tensor": np.multiply, "div.Tensor": np.divide, "maximum.default": np.maximum,
    "minimum.default": np.minimum, "eq.Tensor": np.equal, "ne.Tensor": np.not_equal, "lt.Tensor": np.less, "le.Tensor": np.less_equal,
    "gt.Tensor": np.greater, "ge.Tensor": np.greater_equal,
}


def test_unary(kdsl, tmp_path):
    rng = np.random.default_rng(0)
    g = Graph()
    x = g.input("x", (rng.standard_normal((13, 37)) * 3).astype(f32))
    p = g.input("p", (rng.random((13, 37)) + 0.1).astype(f32))
    outputs = [g.op(f"aten.{op}", x, is_=fn) for op, fn in UNARY.items()] + [g.op(f"aten.{op}", p, is_=fn) for op, fn in POSITIVE.items()]
    outputs += [g.op(f"aten.{op}", x, number, is_=fn) for (op, number), fn in SCALAR.items()]
    outputs.append(g.op("aten.gelu.default", x, approximate="tanh",
                        is_=lambda x: (0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))).astype(f32)))
    outputs.append(g.op("aten.clamp.default", x, -1, 2.5, is_=lambda x: np.clip(x, f32(-1), f32(2.5))))
    outputs.append(g.op("aten.clamp.default", x, None, 0.5, is_=lambda x: np.minimum(x, f32(0.5))))
    outputs.append(g.op("aten.add.Scalar", x, 1.5, 2, is_=lambda x: x + f32(3)))
    g.check(kdsl, tmp_path, *outputs, rtol=1e-5, atol=2e-6)


def strided(rng, shape, order):
    """An array with its dimensions in another order in memory."""
    memory = rng.standard_normal([shape[d] for d in order]).astype(f32)
    return memory.transpose(np.argsort(order))


@pytest.mark.parametrize("a, b, order", [
    ((4, 5), (4, 5), (0, 1)), ((4, 5), (5,), (1, 0)), ((64, 1, 33), (7, 1), (2, 0, 1)), ((3, 4, 5, 6), (1, 4, 1, 1), (0, 2, 3, 1)),
    ((1,), (300, 70), (0,)), ((), (6, 2), ()), ((0, 3), (3,), (0, 1)), ((2, 3000), (2, 1), (0, 1)),
])
def test_binary(kdsl, tmp_path, a, b, order):
    rng = np.random.default_rng(1)
    g = Graph()
    x, y = g.input("x", strided(rng, a, order)), g.input("y", rng.standard_normal(b).astype(f32))
    g.check(kdsl, tmp_path, *[g.op(f"aten.{op}", x, y, is_=fn) for op, fn in BINARY.items()])


def test_alpha_and_choices(kdsl, tmp_path):
    rng = np.random.default_rng(2)
    g = Graph()
    x, y = g.input("x", rng.standard_normal((9, 40)).astype(f32)), g.input("y", rng.standard_normal((9, 40)).astype(f32))
    c = g.op("aten.gt.Tensor", x, y, is_=np.greater)
    g.check(kdsl, tmp_path, g.op("aten.add.Tensor", x, y, is_=lambda x, y: x + 3 * y, alpha=3),
            g.op("aten.sub.Tensor", x, y, is_=lambda x, y: x - f32(0.5) * y, alpha=0.5),
            g.op("aten.where.self", c, x, y, is_=np.where),
            g.op("aten.where.self", c, x, 0.0, is_=lambda c, x: np.where(c, x, f32(0))),
            g.op("aten.masked_fill.Scalar", x, c, -math.inf, is_=lambda x, c: np.where(c, f32(-np.inf), x)),
            g.op("aten.logical_and.default", c, x, is_=np.logical_and), g.op("aten.bitwise_and.Tensor", c, c, is_=np.bitwise_and))


def test_types(kdsl, tmp_path):
    rng = np.random.default_rng(3)
    g = Graph()
    h = g.input("h", rng.standard_normal((5, 90)).astype(np.float16))
    i = g.input("i", rng.integers(-50, 50, (5, 90)).astype(np.int32))
    j = g.input("j", rng.integers(1, 50, (90,)).astype(np.int64))
    d = g.input("d", rng.standard_normal((5, 90)))
    outputs = [
        g.op("aten.add.Tensor", h, 1.0, is_=lambda h: (h.astype(f32) + 1).astype(np.float16)),
        g.op("aten.mul.Tensor", h, i, is_=lambda h, i: (h.astype(f32) * i).astype(np.float16)),
        g.op("aten.add.Tensor", i, j, is_=lambda i, j: i + j),
        g.op("aten.div.Tensor", i, j, is_=lambda i, j: (i / j).astype(f32)),
        g.op("aten.add.Tensor", i, 0.5, is_=lambda i: (i + f32(0.5)).astype(f32)),
        g.op("aten.mul.Tensor", d, h, is_=lambda d, h: d * h),
        g.op("aten.exp.default", i, is_=lambda i: np.exp(i.astype(f32))),
        g.op("aten.relu.default", i, is_=lambda i: np.maximum(i, 0)),
        g.op("aten._to_copy.default", d, is_=lambda d: d.astype(f32), dtype="f32"),
        g.op("aten._to_copy.default", h, is_=lambda h: h.astype(np.int32), dtype="i32"),
        g.op("aten._to_copy.default", i, is_=lambda i: i != 0, dtype="i1"),
        g.op("aten._to_copy.default", i, is_=lambda i: i.astype(np.float16), dtype="f16"),
        g.op("aten.lt.Tensor", i, j, is_=np.less),
    ]
    g.check(kdsl, tmp_path, *outputs, rtol=2e-3, atol=1e-6)


def test_nan_stays_nan(kdsl, tmp_path):
    g = Graph()
    x = g.input("x", np.array([np.nan, -1, 0, 1, np.inf, -np.inf], f32))
    g.check(kdsl, tmp_path, g.op("aten.relu.default", x, is_=lambda x: np.where(x < 0, 0, x).astype(f32)),
            g.op("aten.maximum.default", x, 0.5, is_=lambda x: np.maximum(x, f32(0.5))),
            g.op("aten.clamp.default", x, -0.5, 0.5, is_=lambda x: np.clip(x, f32(-0.5), f32(0.5))))


def test_conversions_keep_what_they_convert(kdsl, tmp_path):
    """A value and what it is converted to have names of their own, whatever number is behind the value's."""
    rng = np.random.default_rng(19)
    g = Graph()
    a, b = (g.input(n, (rng.random((3, 50)) * 9).astype(np.float32)) for n in "ab")
    whole = g.op("aten._to_copy.default", b, is_=lambda b: b.astype(np.int32), dtype="i32")
    back = g.op("aten._to_copy.default", whole, is_=lambda w: w.astype(np.float32), dtype="f32")
    rest = g.op("aten.sub.Tensor", b, back, is_=np.subtract)
    g.check(kdsl, tmp_path, g.op("aten.mul.Tensor", a, rest, is_=np.multiply), rtol=1e-5, kernels=1)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_many_kernels_at_once(kdsl, tmp_path, threads):
    """Several threads compile; equal kernels once."""
    rng = np.random.default_rng(50)
    g = Graph()
    outputs = []
    for i in range(12):
        x = g.input(f"x{i}", rng.standard_normal((3, 20 + i // 2)).astype(np.float32))
        outputs.append(g.op("aten.mul.Tensor", x, float(i // 2 + 2), is_=lambda x, i=i: x * np.float32(i // 2 + 2)))
    g.check(kdsl, tmp_path, *outputs, options=["--no-cache", "--threads", str(threads)], kernels=12)
