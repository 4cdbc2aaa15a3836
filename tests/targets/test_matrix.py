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


@pytest.mark.parametrize("elem", DEPTH)
@pytest.mark.parametrize("divisor, stored_by", [(32, "gpu.store"), (1, "gpu.block2d_store")])
def test_product_of_turned_tiles(elem, divisor, stored_by, tmp_path):
    """Both operands lie by columns: the product is made turned, by messages that turn nothing. A lane then has columns of the result, and stores
    vectors of them where the width is known to be a multiple."""
    m, n, k, acc = 40, 64, 4 * DEPTH[elem], "i32" if elem in ("i8", "u8") else "f32"
    text = f"""func @k(%a: ptr<{elem}> {{divisibility = 64}}, %b: ptr<{elem}> {{divisibility = 64}}, %o: ptr<{acc}> {{divisibility = 64}}, %m: i64,
                %n: i64 {{divisibility = {divisor}}}, %k: i64 {{divisibility = 16}}) kernel {{
  %one = kd.constant 1 : i64
  %zero = kd.constant 0 : i32
  %step = kd.constant {DEPTH[elem]} : i32
  %lda = kd.constant 64 : i64
  %k32 = kd.cast %k : i32
  %start = kd.constant {"0" if acc == "i32" else "0.0"} : tile<64x128x{acc}>
  %sum = kd.for %zero, %k32, %step, %start : tile<64x128x{acc}> {{
  ^(%i: i32, %acc: tile<64x128x{acc}>):
    %x = kd.block_load %a, %m, %k, %one, %lda, %zero, %i {{check = [1, 1]}} : tile<64x{DEPTH[elem]}x{elem}>
    %y = kd.block_load %b, %k, %n, %one, %k, %i, %zero {{check = [1, 1]}} : tile<{DEPTH[elem]}x128x{elem}>
    %d = kd.dot %x, %y, %acc : tile<64x128x{acc}>
    kd.yield %d
  }}
  kd.block_store %o, %sum, %m, %n, %n, %one, %zero, %zero {{check = [1, 1]}}
  kd.return
}}
"""
    gpu, code, slm = compile(text, "pvc", 4, tmp_path)
    assert gpu.count("is_rectangle") == 3
    fast = code[:code.index("} else {")]
    assert "gpu.block2d_load" in fast and "mode = transpose" not in fast and stored_by in fast
    a, b, o = numbers(elem, (m, k)), numbers(elem, (k, n)), np.zeros((m, n), NUMPY[acc])
    turned = np.zeros((k, 64), a.dtype)
    turned[:, :m] = a.T
    run(code, slm, [turned, np.ascontiguousarray(b.T), o, m, n, k], "pvc", 4)
    np.testing.assert_array_equal(o, value(elem, a) @ value(elem, b))


MATMUL = """
import triton
import triton.language as tl


@triton.jit
def k(a_ptr, b_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm, BLOCK: tl.constexpr, BLOCK_K: tl.constexpr,
      WRAPS: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    ks = tl.arange(0, BLOCK_K)
    offs_m = rows % M if WRAPS else rows
    offs_n = columns % N if WRAPS else columns
    a = a_ptr + 8 + offs_m[:, None] * stride_am + ks[None, :] * stride_ak
    b = b_ptr + 8 + ks[:, None] * stride_bk + offs_n[None, :] * stride_bn
    acc = tl.zeros((BLOCK, BLOCK), dtype=tl.float32)
    for k in range(0, tl.cdiv(K, BLOCK_K)):
        a_mask = ks[None, :] < K - k * BLOCK_K
        b_mask = ks[:, None] < K - k * BLOCK_K
        if not WRAPS:
            a_mask = (offs_m[:, None] < M) & a_mask
            b_mask = b_mask & (N > offs_n[None, :])
        acc = tl.dot(tl.load(a, mask=a_mask, other=0.0), tl.load(b, mask=b_mask, other=0.0), acc)
        a += BLOCK_K * stride_ak
        b += BLOCK_K * stride_bk
    mask = (rows[:, None] < M) & (columns[None, :] < N)
    tl.store(c_ptr + 8 + stride_cm * rows[:, None] + columns[None, :], acc.to(c_ptr.dtype.element_ty), mask=mask)
"""


@pytest.mark.parametrize("wraps", [False, True])
@pytest.mark.parametrize("a_transposed, b_transposed", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("m, n, k, odd", [(64, 64, 64, 0), (56, 40, 72, 0), (40, 72, 8, 0), (56, 40, 72, 3), (33, 35, 33, 0)])
def test_pointers_to_rectangles(m, n, k, odd, a_transposed, b_transposed, wraps, tmp_path):
    """Loads and stores through pointers, on matrices that the messages take, and on those that they do not: narrow ones, odd pitches, bases
    between two multiples of 64. Sizes are no multiples of the blocks'."""
    (tmp_path / "k.py").write_text(MATMUL)
    strides = "stride_am=1, stride_ak=i32" if a_transposed else "stride_am=i32, stride_ak=1"
    strides += ", stride_bk=1, stride_bn=i32" if b_transposed else ", stride_bk=i32, stride_bn=1"
    out = "f16" if wraps else "f32"
    signature = f"a_ptr=*fp16:16, b_ptr=*fp16:16, c_ptr=*{out}:16, M=i32, N=i32, K=i32, {strides}, stride_cm=i32, BLOCK=32, BLOCK_K=16, WRAPS={wraps}"
    done = subprocess.run(["kdsl", "compile", tmp_path / "k.py", "--no-cache", "-s", signature, "--emit", "kd", "-o", tmp_path / "k.kd"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    gpu, code, slm = compile((tmp_path / "k.kd").read_text(), "pvc", 2, tmp_path, passes="default,gpu")
    assert code.count("gpu.block2d_load") >= 2 and code.count("gpu.block2d_store") >= 2 and gpu.count("is_rectangle") == 3

    def place(v):
        """The matrix, 16 bytes behind the beginning of a larger one, and the distance of its rows."""
        pitch = -(-v.shape[1] // 8) * 8 + 8 + odd
        whole = np.full((v.shape[0] + 1, pitch), 99, v.dtype)
        whole[:-1, :v.shape[1]] = v
        return np.concatenate([np.full(8, 99, v.dtype), whole.reshape(-1)]), pitch

    a, b = numbers("f16", (m, k)), numbers("f16", (k, n))
    (a_at, a_pitch), (b_at, b_pitch) = place(a.T if a_transposed else a), place(b.T if b_transposed else b)
    c_at, c_pitch = place(np.zeros((m, n), NUMPY[out]))
    want, _ = place((value("f16", a) @ value("f16", b)).astype(NUMPY[out]))
    run(code, slm, [a_at, b_at, c_at, m, n, k, a_pitch, b_pitch, c_pitch], "pvc", 2, grid=(-(-m // 32), -(-n // 32), 1))
    np.testing.assert_array_equal(c_at, want)  # and nothing between the rows, before and behind
