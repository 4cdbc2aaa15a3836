"""Layouts of the examples: what the passes leave verifies, whatever the number of lanes and sub-groups, and kernels that only load, compute
and store move nothing between work-items."""
import ast
import os
import re
import subprocess
import sys

import pytest

EXAMPLES = os.path.join(os.path.dirname(__file__), "..", "..", "examples")
sys.path.insert(0, EXAMPLES)
import cases  # noqa: E402

DTYPES = {"float32": "fp32", "float16": "fp16", "float64": "fp64", "bool": "i1", "uint8": "u8", "uint16": "bf16", "uint32": "u32"}
CONFIGS = [(device, lanes, n) for device, lanes in (("dg2", 8), ("bmg", 16), ("pvc", 32)) for n in (1, 2, 4, 8, 16, 32)]
PASSES = "default,lower-block-access,canonicalize,cse,licm,dce,gpu"
# Loads, stores and reductions of one shape.
WITHOUT_CONVERSIONS = """add_kernel softmax_kernel softmax_looped_kernel layer_norm_fwd_kernel layer_norm_bwd_dx_kernel rms_norm_fwd_kernel
    bias_gelu_residual_kernel cross_entropy_kernel group_norm_silu_kernel rope_kernel sum_partial_kernel cumsum_kernel""".split()


def signature(case):
    file, kernel = case.kernel.split(":")
    with open(os.path.join(EXAMPLES, file)) as f:
        args = next(n for n in ast.walk(ast.parse(f.read())) if isinstance(n, ast.FunctionDef) and n.name == kernel).args.args
    parts = []
    for arg in args:
        if arg.arg in case.arrays:
            dtype = str(case.arrays[arg.arg].dtype)
            parts.append(f"{arg.arg}=*{DTYPES.get(dtype, dtype.replace('int', 'i'))}:16")
        elif arg.arg in case.params:
            text = re.sub(r"next_power_of_2\(\w+\)", "1024", str(case.params[arg.arg]))
            fixed = text == "None" or (arg.annotation is not None and "constexpr" in ast.unparse(arg.annotation))
            number = "fp32" if re.fullmatch(r"-?\d+(\.\d*)?(e-?\d+)?", text) and not re.fullmatch(r"-?\d+", text) else "i32:16"
            parts.append(f"{arg.arg}={text if fixed else '*fp8e4nv' if 'fp8' in text else number}")
    return ", ".join(parts)


def kernels():
    known = {}
    for case in cases.make_cases():
        known.setdefault((case.kernel, signature(case)), case)
    return [pytest.param(case, text, id=f"{case.kernel.split(':')[1]}-{i}") for i, ((_, text), case) in enumerate(known.items())]


def run(*command):
    done = subprocess.run(["kdsl", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("case, text", kernels())
def test_layouts(case, text, tmp_path):
    kernel = case.kernel.split(":")[1]
    path = str(tmp_path / "kernel.kir")
    run("compile", os.path.join(EXAMPLES, case.kernel), "--signature", text, *case.options, "--emit", "kd", "-o", path)
    for device, lanes, n_sub_groups in CONFIGS:
        out = run("opt", path, f"--passes={PASSES}", "--target", f"spirv:{device}", "--sub-group-size", str(lanes), "--num-warps", str(n_sub_groups))
        bits = [lanes.bit_length() - 1, n_sub_groups.bit_length() - 1]
        for layout in re.findall(r"tile<[^|>]*>?, ([^>]*)>", out):
            inputs = dict(part.split(":") for part in layout.split("|"))
            assert [len([v for v in inputs.get(i, "").split(",") if v]) for i in "ls"] == bits, layout
        if kernel in WITHOUT_CONVERSIONS:
            assert "gpu.convert_layout" not in out, (device, lanes, n_sub_groups)
