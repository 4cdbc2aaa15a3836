"""Products, convolutions and whole models on the device level_zero, which tests/ze_pocl plays on the CPU, against eager."""
import os
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from aten import AtenGraph, check_model, kernels
from kg import Graph
from models import MODELS
from test_torch_models import LIMIT_BF16, made

ON_GPU = ("--device", "level_zero")
aten = torch.ops.aten


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    monkeypatch.setenv("ZE_ENABLE_ALT_DRIVERS", os.path.join(os.environ["KDSL_BUILD"], "tests", "libze_pocl.so"))


def randn(*shape, dtype=torch.float32, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


# ---- products ----

PRODUCTS = {
    "aligned": lambda: ((32, 64), (64, 32)),
    "odd": lambda: ((7, 19), (19, 21)),
    "row": lambda: ((1, 40), (40, 33)),
    "column": lambda: ((5, 18), (18, 1)),
    "outer": lambda: ((17, 1), (1, 18)),
    "dot": lambda: ((1, 35), (35, 1)),
    "empty": lambda: ((3, 0), (0, 4)),
    "tiles": lambda: ((70, 20), (20, 135)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(kdsl, tmp_path, name):
    g = AtenGraph()
    a, b = PRODUCTS[name]()
    g.op(aten.mm.default, g.input(randn(*a)), g.input(randn(*b, seed=1)))
    g.check(kdsl, tmp_path, options=ON_GPU)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_types_of_products(kdsl, tmp_path, dtype):
    g = AtenGraph()
    g.op(aten.addmm.default, g.input(randn(24, dtype=dtype)), g.input(randn(33, 40, dtype=dtype)), g.input(randn(24, 40, dtype=dtype).t()))
    g.check(kdsl, tmp_path, options=ON_GPU)


def test_batches_and_strides(kdsl, tmp_path):
    g = AtenGraph()
    a, b = g.input(randn(3, 9, 20)), g.input(randn(3, 20, 18, seed=1))
    g.op(aten.bmm.default, a, b)
    g.op(aten.matmul.default, g.input(randn(2, 3, 6, 5).transpose(1, 2)), g.input(randn(2, 1, 4, 5).transpose(2, 3)))
    g.op(aten.baddbmm.default, g.input(randn(3, 1, 18)), a, b)
    g.check(kdsl, tmp_path, options=ON_GPU)


def test_posts(kdsl, tmp_path):
    """What follows a product is computed in its kernel."""
    class Posts(torch.nn.Module):
        def forward(self, x, w, row, column, all):
            y = F.gelu(x @ w) + all
            z = F.hardtanh(F.leaky_relu(x @ w.flip(0), 0.2) * row, -1, 2)
            return y, torch.sigmoid(z * 0.5 + 1), F.silu(x @ w + column)
    n_kernels, _, steps = check_model(kdsl, tmp_path, Posts(), randn(9, 20), randn(20, 17, seed=1), randn(1, 17), randn(9, 1), randn(9, 17),
                                      limit=1e-4, options=ON_GPU)
    assert n_kernels == 4, steps        # the flipped operand is copied


class Divided(torch.nn.Module):
    """A product whose sums are computed in parts, on a device with 1280 hardware threads."""

    def forward(self, a, b, bias, added):
        return F.relu(torch.addmm(bias, a, b)) + added, torch.bmm(a[None], b[None]) if bias.dtype == torch.float16 else a @ b


@pytest.mark.parametrize("shape", [(3, 2048, 48), (20, 2052, 70), (64, 990, 64)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64], ids=str)
def test_products_in_parts(kdsl, tmp_path, shape, dtype):
    m, k, n = shape
    inputs = [randn(m, k, dtype=dtype), randn(n, k, dtype=dtype).t() / k ** 0.5, randn(n, dtype=dtype), randn(m, n, dtype=dtype)]
    n_kernels, _, steps = check_model(kdsl, tmp_path, Divided(), *inputs, limit=5e-3 if dtype == torch.float16 else 1e-4, options=ON_GPU)
    is_short = k < 1024 and dtype == torch.float16
    assert steps.count("matmul") == 2 and n_kernels == (2 if is_short else 4), steps


def test_convolutions_in_parts(kdsl, tmp_path):
    """What follows is in the kernel that adds the parts up."""
    g = AtenGraph()
    x, w, b = g.input(randn(1, 80, 5, 4)), g.weight(randn(40, 80, 3, 3, seed=1), "weight"), g.weight(randn(40), "bias")
    y = g.op(aten.convolution.default, x, w, b, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    g.op(aten.relu.default, y)
    g.outputs = g.outputs[1:]
    g.check(kdsl, tmp_path, options=ON_GPU)
    n_kernels, _, steps = kernels(kdsl, tmp_path, ON_GPU)
    assert n_kernels == 3 and "convolution_relu" in steps, steps    # the image's copy, the parts, their sums


# ---- convolutions ----

def conv(n, channels, image, out, window, dtype=torch.float32, constant=True, bias=True, **options):
    return n, channels, image, out, window, dtype, constant, bias, options


CONVOLUTIONS = {
    "3x3": conv(2, 5, (9, 8), 7, (3, 3), padding=1),
    "stride": conv(1, 3, (13, 11), 20, (5, 5), stride=2, padding=(2, 1)),
    "dilation": conv(1, 18, (10, 10), 6, (3, 2), dilation=(2, 3)),
    "1x1": conv(2, 20, (6, 7), 33, (1, 1)),
    "1x1 stride": conv(1, 20, (6, 7), 9, (1, 1), stride=2),
    "one channel": conv(2, 1, (8, 8), 1, (3, 3), padding=1),
    "one place": conv(1, 19, (1, 1), 5, (3, 3), padding=1),
    "groups": conv(2, 12, (7, 6), 18, (3, 3), padding=1, groups=3),
    "1x1 groups": conv(1, 12, (7, 6), 18, (1, 1), groups=3),
    "depthwise": conv(2, 20, (7, 9), 20, (3, 3), padding=1, stride=2, groups=20),
    "multiplied": conv(1, 6, (7, 9), 12, (3, 3), groups=6),
    "1d": conv(2, 4, (30,), 9, (5,), padding=2),
    "3d": conv(1, 3, (4, 5, 6), 4, (2, 3, 3), padding=1),
    "given weights": conv(1, 5, (9, 8), 7, (3, 3), constant=False, bias=False, padding=1),
    "half": conv(1, 16, (8, 8), 24, (3, 3), dtype=torch.float16, padding=1),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(kdsl, tmp_path, name):
    n, channels, image, out, window, dtype, constant, bias, options = CONVOLUTIONS[name]
    g = AtenGraph()
    dims = len(window)
    every = lambda v, default: [v] * dims if isinstance(v, int) else list(v or [default] * dims)
    weight, groups = randn(out, channels // options.get("groups", 1), *window, dtype=dtype, seed=1), options.get("groups", 1)
    w = g.weight(weight, "weight") if constant else g.input(weight, "weight")
    b = (g.weight(randn(out, dtype=dtype), "bias") if constant else g.input(randn(out, dtype=dtype), "bias")) if bias else None
    y = g.op(aten.convolution.default, g.input(randn(n, channels, *image, dtype=dtype)), w, b, every(options.get("stride"), 1),
             every(options.get("padding"), 0), every(options.get("dilation"), 1), False, [0] * dims, groups)
    g.op(aten.relu.default, y)
    g.check(kdsl, tmp_path, options=ON_GPU)


class Cnn(torch.nn.Module):
    """Residual, depthwise and pooled, with batch norms to fold."""

    def __init__(self):
        super().__init__()
        block = lambda *args, **kw: torch.nn.Sequential(torch.nn.Conv2d(*args, bias=False, **kw), torch.nn.BatchNorm2d(args[1]))
        self.first, self.second, self.deep, self.last = (block(3, 16, 3, padding=1), block(16, 16, 3, padding=1),
                                                         block(16, 16, 3, padding=1, groups=16), torch.nn.Linear(16, 5))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 3, 2, 1)
        x = F.relu(self.second(x) + x)
        x = F.hardswish(self.deep(F.avg_pool2d(x, 2)))
        return self.last(x.mean((2, 3)))


def test_cnn(kdsl, tmp_path):
    torch.manual_seed(1)
    n_kernels, n_primitives, steps = check_model(kdsl, tmp_path, Cnn().eval(), torch.rand(2, 3, 12, 12), limit=1e-3, options=ON_GPU)
    assert n_kernels == 9 and not n_primitives, steps


# ---- models ----

@pytest.mark.parametrize("name", ["mlp", "bert", "gpt", "vit", "llama"])
def test_models(kdsl, tmp_path, name):
    model, inputs = made(name)
    n_kernels, n_primitives, steps = check_model(kdsl, tmp_path, model, *inputs, limit=1e-3, options=ON_GPU)
    assert n_kernels and not n_primitives, steps


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_autocast(kdsl, tmp_path, name):
    model, inputs = made(name)
    with torch.autocast("cpu", torch.bfloat16):
        n_kernels, n_primitives, steps = check_model(kdsl, tmp_path, model, *inputs, limit=LIMIT_BF16, options=ON_GPU)
    assert n_kernels and not n_primitives, steps


# ---- executables in files ----

def small(folder):
    """A graph with weights, and the words that run it."""
    g = Graph()
    x, w = (np.random.default_rng(0).standard_normal(shape).astype(np.float32) for shape in ((3, 20), (20, 33)))
    y = g.op("aten.mm.default", g.input("x", x), g.weight("w", w), is_=np.matmul)
    y = g.op("aten.relu.default", y, is_=lambda a: np.maximum(a, 0), name="y")
    g.write(folder, y)
    np.save(folder / "x.npy", x)
    np.save(folder / "expected.npy", y.array)
    return "--in", f"x=@{folder}/x.npy", "--expect", f"y={folder}/expected.npy", "--rtol", "1e-4", "--atol", "1e-5"


@pytest.mark.parametrize("embed", [(), ("--embed-weights",)], ids=["reference", "embedded"])
def test_executables_in_files(kdsl, tmp_path, monkeypatch, embed):
    words = small(tmp_path)
    kdsl("graph", "compile", tmp_path / "graph.json", *ON_GPU, "-o", tmp_path / "graph.kx", *embed)
    kdsl("graph", "run", tmp_path / "graph.kx", *words)
    assert "made for spirv:bmg, but the device cpu needs cpu" in kdsl("graph", "run", tmp_path / "graph.kx", *words, "--device", "cpu", status=1).stderr
    monkeypatch.setenv("ZE_POCL", "device=pvc")
    assert "made for spirv:bmg, but the device level_zero:0 needs spirv:pvc" in kdsl("graph", "run", tmp_path / "graph.kx", *words, status=1).stderr


def test_targets_that_are_not_here(kdsl, tmp_path, monkeypatch):
    """Estimates, sources and executables for a GPU that this machine does not have."""
    words = small(tmp_path)
    monkeypatch.delenv("ZE_ENABLE_ALT_DRIVERS")
    graph = tmp_path / "graph.json"
    steps = kdsl("graph", "explain", graph, "--target", "spirv:pvc").stdout
    assert re.search(r"0 +kernel +matmul_0 .* [0-9.]+ ns ", steps), steps
    assert kdsl("graph", "source", graph, "--target", "spirv:pvc").stdout.count("def ") == 1
    kdsl("graph", "compile", graph, "--target", "spirv:pvc", "-o", tmp_path / "graph.kx", "--embed-weights")
    assert "compiled for spirv:pvc, not for a device" in kdsl("graph", "explain", graph, "--target", "spirv:pvc", "--time", status=1).stderr
    assert "no target 'pvc'; expected spirv:NAME" in kdsl("graph", "explain", graph, "--target", "pvc", status=2).stderr
    assert "in place of --device" in kdsl("graph", "explain", graph, "--target", "spirv:pvc", "--device", "cpu", status=2).stderr
    assert "goes with 'kdsl graph explain' and 'source'" in kdsl("graph", "run", graph, "--target", "spirv:pvc", status=2).stderr
    monkeypatch.setenv("ZE_ENABLE_ALT_DRIVERS", os.path.join(os.environ["KDSL_BUILD"], "tests", "libze_pocl.so"))
    monkeypatch.setenv("ZE_POCL", "device=pvc")
    kdsl("graph", "run", tmp_path / "graph.kx", *words)


def test_estimates(kdsl, tmp_path):
    """Products of half types by the systolic array's speed, the others by the vector engines'; what reads much, by the memory's."""
    times = {}
    for name, n, dtype in (("half", 512, torch.float16), ("wide", 512, torch.float32), ("row", 1, torch.float16)):
        g = AtenGraph()
        g.op(aten.mm.default, g.input(randn(n, 512, dtype=dtype)), g.input(randn(512, 512, dtype=dtype)))
        steps = kdsl("graph", "explain", g.write(tmp_path), "--target", "spirv:bmg").stdout
        number, unit = re.search(r"matmul_0 .* ([0-9.]+) (ns|us) ", steps).groups()
        times[name] = float(number) * {"ns": 1, "us": 1e3}[unit]
    flops, engines = 2 * 512 ** 3, 160 * 2.85
    expected = {"half": max(flops / engines / 256, 3 * 512 * 512 * 2 / 456), "wide": flops / engines / 32, "row": (512 * 512 + 1024) * 2 / 456}
    assert times == pytest.approx(expected, rel=0.02), times
