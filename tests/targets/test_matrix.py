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


@pytest.mark.parametrize("elem", DEPTH)
@pytest.mark.parametrize("a_transposed", [False, True])
@pytest.mark.parametrize("b_transposed", [False, True])
@pytest.mark.parametrize("m, n, n_sub_groups", [(64, 64, 2), (32, 128, 8)])
def test_rectangles(elem, a_transposed, b_transposed, m, n, n_sub_groups, tmp_path):
    """Operands straight from memory by rectangles, over a K that is no multiple of the tile's, with edges beyond the matrices."""
    big = (m - 8, n - 32, 5 * 32 + 16) if elem not in ("i8", "u8") else (m - 16, n - 32, 5 * 64 + 32)
    k = 2 * DEPTH[elem]
    acc = "i32" if elem in ("i8", "u8") else "f32"
    text = f"""func @k(%a: ptr<{elem}> {{divisibility = 64}}, %b: ptr<{elem}> {{divisibility = 64}}, %o: ptr<{acc}>, %m: i64 {{divisibility = 8}}, %n: i64 {{divisibility = 32}},
                %k: i64 {{divisibility = 16}}) kernel {{
  %one = kd.constant 1 : i64
  %zero = kd.constant 0 : i32
  %step = kd.constant {k} : i32
  %k32 = kd.cast %k : i32
  %start = kd.constant {"0" if acc == "i32" else "0.0"} : tile<{m}x{n}x{acc}>
  %sum = kd.for %zero, %k32, %step, %start : tile<{m}x{n}x{acc}> {{
  ^(%i: i32, %acc: tile<{m}x{n}x{acc}>):
    %x = kd.block_load %a, %m, %k, {"%one, %m" if a_transposed else "%k, %one"}, %zero, %i {{check = [1, 1]}} : tile<{m}x{k}x{elem}>
    %y = kd.block_load %b, %k, %n, {"%one, %k" if b_transposed else "%n, %one"}, %i, %zero {{check = [1, 1]}} : tile<{k}x{n}x{elem}>
    %d = kd.dot %x, %y, %acc : tile<{m}x{n}x{acc}>
    kd.yield %d
  }}
  %flat = kd.arange : tile<{m * n}xi32>
  %at = kd.reshape %flat : tile<{m}x{n}xi32>
  %base = kd.splat %o : tile<{m}x{n}xptr<{acc}>>
  %p = kd.addptr %base, %at : tile<{m}x{n}xptr<{acc}>>
  kd.store %p, %sum
  kd.return
}}
"""
    gpu, code, slm = compile(text, "pvc", n_sub_groups, tmp_path)
    assert "gpu.block2d_load" in code and "is_rectangle" in gpu
    a, b = numbers(elem, (big[0], big[2])), numbers(elem, (big[2], big[1]))
    o = np.zeros((m, n), NUMPY[acc])
    # A matrix that is too narrow goes the way without rectangles.
    arrays = [np.ascontiguousarray(a.T if a_transposed else a), np.ascontiguousarray(b.T if b_transposed else b)]
    run(code, slm, arrays + [o, *big], "pvc", n_sub_groups)
    want = np.zeros((m, n))
    want[:big[0], :big[1]] = value(elem, a) @ value(elem, b)
    np.testing.assert_array_equal(o, want)
