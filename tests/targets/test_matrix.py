"""Dots on the systolic array: layouts are assigned, the kernel is lowered to work-items, and a work-group of them is run (work_group.py)."""
import os
import re
import subprocess

import numpy as np
import pytest

from build import NUMPY, Func, tile
from simt import lower
from work_group import WorkGroup, cast

rng = np.random.default_rng(5)
SG = {"pvc": 16, "dg2": 8}


def compile(f, device, n_sub_groups, tmp_path, passes="gpu"):
    (tmp_path / "k.kir").write_text(f.text() if isinstance(f, Func) else f)
    gpu = subprocess.run(["kdsl", "opt", "--target", f"spirv:{device}", "--num-warps", str(n_sub_groups), "--sub-group-size", str(SG[device]),
                          f"--passes={passes}", tmp_path / "k.kir"], capture_output=True, text=True)
    assert gpu.returncode == 0, gpu.stderr
    return gpu.stdout, *lower(gpu.stdout, device=device, sub_group_size=SG[device], n_sub_groups=n_sub_groups, passes="canonicalize,cse,licm,dce")[:2]


def run(code, slm_bytes, arrays, device, n_sub_groups, grid=(1, 1, 1)):
    WorkGroup(code, arrays, SG[device], n_sub_groups, slm_bytes, grid).run()


def numbers(elem, shape):
    if elem in ("i8", "u8"):
        return rng.integers(0 if elem == "u8" else -128, 127, shape).astype(NUMPY[elem])
    v = rng.integers(-8, 9, shape).astype(np.float32) / 4
    return cast(v, "f32", "bf16") if elem == "bf16" else v.astype(NUMPY[elem])


def value(elem, v):
    return cast(v, "bf16", "f32") if elem == "bf16" else v.astype(np.int32 if elem in ("i8", "u8") else np.float64)


DEPTH = {"f16": 16, "bf16": 16, "f32": 8, "i8": 32, "u8": 32}


@pytest.mark.parametrize("device, elem", [("pvc", e) for e in DEPTH] + [("dg2", e) for e in DEPTH if e != "f32"])
@pytest.mark.parametrize("m, n, k, n_sub_groups", [(32, 64, 1, 1), (64, 32, 4, 4), (16, 16, 2, 8), (4, 32, 1, 2), (128, 32, 2, 16)])
def test_dot(device, elem, m, n, k, n_sub_groups, tmp_path):
    if elem == "f32" and m < 8:
        pytest.skip("the array takes no fewer than 8 rows of tf32")
    k *= DEPTH[elem]
    acc = "i32" if elem in ("i8", "u8") else "f32"
    f = Func(a=f"ptr<{elem}>", b=f"ptr<{elem}>", c=f"ptr<{acc}>", o=f"ptr<{acc}>")
    f.store("o", (m, n), acc, f("kd.dot", f.load("a", (m, k), elem), f.load("b", (k, n), elem), f.load("c", (m, n), acc), type=tile((m, n), acc)))
    _, code, slm = compile(f, device, n_sub_groups, tmp_path)
    assert "gpu.dpas" in code
    a, b, c, o = numbers(elem, (m, k)), numbers(elem, (k, n)), numbers(acc, (m, n)), np.zeros((m, n), NUMPY[acc])
    run(code, slm, [a, b, c, o], device, n_sub_groups)
    np.testing.assert_array_equal(o, value(elem, a) @ value(elem, b) + c)
