"""Whole models on the device level_zero, which tests/ze_pocl plays on the CPU, against eager."""
import os

import numpy as np
import pytest
import torch
from models import MODELS
from aten import check_model
from kg import Graph
from test_torch_models import LIMIT_BF16, made

ON_GPU = ("--device", "level_zero")


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    monkeypatch.setenv("ZE_ENABLE_ALT_DRIVERS", os.path.join(os.environ["KDSL_BUILD"], "tests", "libze_pocl.so"))


@pytest.mark.parametrize("name", ["mlp", "bert", "gpt", "llama"])
def test_models(kdsl, tmp_path, name):
    model, inputs = made(name)
    n_kernels, n_primitives, steps = check_model(kdsl, tmp_path, model, *inputs, limit=1e-3, options=ON_GPU)
    assert n_kernels and not n_primitives, steps


def small(folder):
    """A graph with weights, what it computes, and the words that run it."""
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
