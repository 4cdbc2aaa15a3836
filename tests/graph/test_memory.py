"""How much memory a model takes, beside its weights and the values that are alive at one time."""
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from kg import Graph
from pt2 import LAYOUTS, export

WIDTH, LAYERS, ROWS = 1024, 12, 256
WEIGHTS = LAYERS * WIDTH * WIDTH * 4
LIVE = 4 * ROWS * WIDTH * 4                         # the model's input and output, and a layer's
PEAK = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);" \
       "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"


def linear(width):
    return torch.nn.Linear(width, width)


def convolution(width):
    """Its weights are computed from those of both."""
    return torch.nn.Sequential(torch.nn.Conv2d(width, width, 1, bias=False), torch.nn.BatchNorm2d(width))


SHAPES = {linear: lambda width: (ROWS, width), convolution: lambda width: (1, width, 16, ROWS // 16)}


def peak_bytes(folder, width):
    words = ("kdsl", "graph", "run", f"{width}.pt2", "--in", f"x=@{width}.npy")
    return int(subprocess.run([sys.executable, "-c", PEAK, *words], cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout)


def peaks(folder, make, width, archive):
    """With kernels from the cache, so that no compiler is in memory: of a run that packs weights, and of one that maps the executable."""
    x = torch.randn(SHAPES[make](width))
    model = torch.nn.Sequential(*[torch.nn.Sequential(make(width), torch.nn.ReLU()) for _ in range(LAYERS)])
    (folder / f"{width}.pt2").write_bytes(archive(export(model, x)))
    np.save(folder / f"{width}.npy", x.numpy())
    peak_bytes(folder, width)
    for entry in os.scandir(folder / "cache/graphs"):
        os.remove(entry)
    return np.array([peak_bytes(folder, width), peak_bytes(folder, width)])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("make", SHAPES, ids=lambda f: f.__name__)
def test_peak(tmp_path, monkeypatch, make, layout):
    """A narrow model takes what libraries do."""
    monkeypatch.setenv("KDSL_CACHE_DIR", str(tmp_path / "cache"))
    taken = peaks(tmp_path, make, WIDTH, LAYOUTS[layout]) - peaks(tmp_path, make, 16, LAYOUTS[layout])
    print(taken / (WEIGHTS + LIVE))
    assert (taken <= 1.2 * (WEIGHTS + LIVE)).all(), taken


@pytest.mark.parametrize("limit", [250, 300, 350, 400])
def test_memory_runs_out(kdsl, tmp_path, limit):
    """In so many MB of addresses: right numbers, or an error, and nothing in between."""
    g = Graph()
    rng = np.random.default_rng(60)
    x = g.input("x", rng.random((4, 16)).astype(np.float32))
    y = g.op("aten.mm.default", x, g.weight("w", rng.random((16, 8)).astype(np.float32)), is_=np.matmul)
    np.save(tmp_path / "want.npy", y.array)
    np.save(tmp_path / "x.npy", x.array)
    result = kdsl("graph", "run", g.write(tmp_path, y), "--in", "x=@x.npy", "--expect", "y=want.npy", "--no-cache", status=None,
                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20)))
    assert result.returncode in (0, 1, 3) and (result.returncode == 0 or "kdsl: error: " in result.stderr), result.stderr
