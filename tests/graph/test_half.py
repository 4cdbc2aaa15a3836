"""bf16 and f16: computed in f32, rounded where they are stored; NumPy has no bf16, so its bits travel as raw bytes."""
import json

import numpy as np
import pytest
from kg import Graph
from test_primitives import conv2d

f32 = np.float32


def test_f16_chain(kdsl, tmp_path):
    rng = np.random.default_rng(40)
    g = Graph()
    x, r = (g.input(n, rng.standard_normal((6, 200)).astype(np.float16)) for n in "xr")
    s = g.op("aten.add.Tensor", x, r, is_=lambda x, r: (x.astype(f32) + r).astype(np.float16))

    def softmax(x):
        e = np.exp(x.astype(f32) - x.astype(f32).max(-1, keepdims=True))
        return (e / e.sum(-1, keepdims=True)).astype(np.float16)

    g.check(kdsl, tmp_path, g.op("aten._softmax.default", s, -1, False, is_=softmax), rtol=4e-3, atol=1e-5, kernels=1)
    y = g.op("aten._to_copy.default", s, is_=lambda s: s.astype(f32), dtype="f32")
    m = g.op("aten.mean.dim", y, [-1], is_=lambda y: y.mean(-1))
    g.check(kdsl, tmp_path, m, rtol=2e-3, atol=1e-3, kernels=1)


def test_bf16(kdsl, tmp_path):
    rng = np.random.default_rng(41)
    x = (rng.standard_normal((5, 64)).astype(f32).view(np.uint32) & 0xffff0000).view(f32)      # bf16 numbers
    g = Graph()
    g.inputs.append({"n": "%x", "t": "bf16", "s": [5, 64]})
    g.nodes.append({"o": "%e", "op": "aten.silu.default", "in": ["%x"]})
    g.nodes.append({"o": "%y", "op": "aten.mul.Tensor", "in": ["%e", "%x"], "out": [{"t": "bf16", "s": [5, 64]}]})
    path = tmp_path / "g.json"
    path.write_text(json.dumps({"kg": 1, "inputs": g.inputs, "nodes": g.nodes, "outputs": ["%y"]}), encoding="utf-8")
    np.save(tmp_path / "x.npy", (x.view(np.uint32) >> 16).astype(np.uint16).view("V2"))
    kdsl("graph", "run", path, "--in", f"x=@{tmp_path}/x.npy:bf16", "--save", f"y={tmp_path}/y.npy")
    y = (np.load(tmp_path / "y.npy").view(np.uint16).astype(np.uint32) << 16).view(f32)
    np.testing.assert_allclose(y, x * x / (1 + np.exp(-x)), rtol=8e-3, atol=1e-6)


@pytest.mark.parametrize("half", ["bf16", "f16"])
def test_convolution_under_autocast(kdsl, tmp_path, half):
    """Weights are converted and batch norm is folded when the graph is compiled: what is left converts the input and the output."""
    rng = np.random.default_rng(42)
    g = Graph()
    x, w = g.input("x", rng.standard_normal((1, 16, 12, 12)).astype(f32)), g.weight("w", (rng.standard_normal((32, 16, 3, 3)) / 12).astype(f32))
    params = [g.weight(n, (rng.random(32) + 0.5).astype(f32)) for n in ("gamma", "beta", "mean", "variance")]
    exact = conv2d(x.array, w.array, padding=(1, 1))
    gamma, beta, mean, variance = (p.array.reshape(1, -1, 1, 1) for p in params)
    exact = np.maximum((exact - mean) / np.sqrt(variance + 1e-5) * gamma + beta, 0)
    half_x, half_w = (g.op("aten._to_copy.default", t, is_=lambda t: None, dtype=half) for t in (x, w))
    c = g.op("aten.convolution.default", half_x, half_w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, is_=lambda *a: None)
    b = g.op("aten._native_batch_norm_legit_no_training.default", c, *params, 0.1, 1e-5, is_=lambda *a: (None, None, None))[0]
    r = g.op("aten.relu.default", b, is_=lambda b: None)
    y = g.op("aten._to_copy.default", r, is_=lambda r: exact.astype(f32), dtype="f32")
    g.check(kdsl, tmp_path, y, rtol=5e-2, atol=5e-2, kernels=2)
    assert "ref" not in kdsl("graph", "explain", tmp_path / "graph.json").stdout     # oneDNN's slowest way


def test_f16_linear(kdsl, tmp_path):
    """Also where the CPU multiplies no f16: then in f32."""
    rng = np.random.default_rng(43)
    g = Graph()
    x = g.input("x", rng.standard_normal((17, 40)).astype(np.float16))
    w, u, b = (g.weight(n, rng.standard_normal(s).astype(np.float16)) for n, s in (("w", (24, 40)), ("u", (24, 8)), ("b", 24)))
    wide = lambda f: lambda *a: f(*[t.astype(f32) for t in a]).astype(np.float16)
    h = g.op("aten.addmm.default", b, x, g.op("aten.t.default", w, is_=lambda w: w.T), is_=wide(lambda b, x, w: x @ w + b))
    r = g.op("aten.relu.default", h, is_=lambda h: np.maximum(h, 0))
    y = g.op("aten.mm.default", r, u, is_=wide(np.matmul))
    g.check(kdsl, tmp_path, y, r, rtol=2e-2, atol=2e-1)
    assert "ref" not in kdsl("graph", "explain", tmp_path / "graph.json").stdout     # oneDNN's slowest way


def test_bf16_without_instructions(kdsl, tmp_path, monkeypatch):
    """oneDNN has implementations for it, three times as slow as those for f32."""
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    rng = np.random.default_rng(44)
    g = Graph()
    x, w = g.input("x", rng.standard_normal((17, 64)).astype(f32)), g.weight("w", rng.standard_normal((64, 24)).astype(f32))
    half_x, half_w = (g.op("aten._to_copy.default", t, is_=lambda t: None, dtype="bf16") for t in (x, w))
    h = g.op("aten.mm.default", half_x, half_w, is_=lambda *a: None)
    g.check(kdsl, tmp_path, g.op("aten._to_copy.default", h, is_=lambda h: x.array @ w.array, dtype="f32"), rtol=5e-2, atol=5e-1)
    program = kdsl("graph", "explain", tmp_path / "graph.json").stdout
    assert f" {17 * 24 * 4 / 1024:.2f} KiB " in program and "bf16" not in program, program
