"""Models with random weights against eager, in f32, under autocast and in half types, and how many kernels they take."""
import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from aten import check_model
from models import MODELS, Llama, llama_inputs

# What TorchInductor launches for the same kind of model, inference on one image or sequence: kernels it generates, calls of libraries
# (matrix products, convolutions, attention) left out. Ours has attention's softmax among its kernels. torch 2.6, measured by its codegen.
LIMIT_BF16 = 0.1        # of the mean size: eager rounds between ops too, we round where values are stored
LIMIT_F16 = 0.02        # likewise
INDUCTOR = {"resnet50": 68, "mobilenet_v3_small": 71, "vit": 41, "bert": 9, "gpt": 7, "mlp": 4}
INDUCTOR_BF16 = {"resnet50": 106, "vit": 141, "bert": 38, "gpt": 24}


def made(name):
    torch.manual_seed(1)
    torch.backends.mha.set_fastpath_enabled(False)
    model, inputs = MODELS[name]()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval(), inputs


@pytest.mark.parametrize("name", MODELS)
def test_f32(kdsl, tmp_path, name):
    model, inputs = made(name)
    n_kernels, n_primitives, steps = check_model(kdsl, tmp_path, model, *inputs, limit=1e-3)
    print(name, n_kernels, n_primitives, steps)
    assert n_kernels <= INDUCTOR.get(name, n_kernels), steps


@pytest.mark.parametrize("name", [n for n in MODELS if n not in ("llama", "densenet121", "shufflenet")])
def test_autocast(kdsl, tmp_path, name):
    model, inputs = made(name)
    with torch.autocast("cpu", torch.bfloat16):
        n_kernels, n_primitives, steps = check_model(kdsl, tmp_path, model, *inputs, limit=LIMIT_BF16)
    print(name, n_kernels, n_primitives, steps)
    assert n_kernels <= INDUCTOR_BF16.get(name, n_kernels), steps


@pytest.mark.parametrize("name", [n for n in MODELS if n not in ("llama", "densenet121", "shufflenet")])
def test_f16(kdsl, tmp_path, name):
    model, inputs = made(name)
    check_model(kdsl, tmp_path, model.half(), *[x.half() if x.dtype == torch.float32 else x for x in inputs], limit=LIMIT_F16)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_llama_in_half(kdsl, tmp_path, dtype):
    torch.manual_seed(1)
    n_kernels, _, steps = check_model(kdsl, tmp_path, Llama().to(dtype).eval(), *llama_inputs(dtype), limit=LIMIT_BF16)
    assert n_kernels <= 13, steps


def python_with_triton():
    """KDSL_TRITON_PYTHON names one, else the one that runs the tests, where it has Triton."""
    has_triton = importlib.util.find_spec("triton") and importlib.util.find_spec("triton._C")
    return os.environ.get("KDSL_TRITON_PYTHON") or (sys.executable if has_triton else None)


@pytest.mark.skipif(not python_with_triton(), reason="no Triton: KDSL_TRITON_PYTHON may name a Python that has it")
@pytest.mark.parametrize("name", ["bert", "gpt", "mlp", "mobilenet_v3_small"])
def test_triton_accepts_the_kernels(kdsl, tmp_path, name):
    """By its own front end; aten.check_source, for all models, sees to names only."""
    model, inputs = made(name)
    check_model(kdsl, tmp_path, model, *inputs, limit=1e-3)
    kdsl("graph", "source", tmp_path / "graph.json", "-o", tmp_path / "kernels")
    accepts = os.path.join(os.path.dirname(__file__), "triton_accepts.py")
    result = subprocess.run([python_with_triton(), accepts, tmp_path / "kernels"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
