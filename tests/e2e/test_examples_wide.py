"""The examples at the edges: odd sizes, padded rows, offsets, empty grids, other types; the same bits with one thread, with two, unfused."""
import os
import sys

import numpy as np
import pytest
from kernel import Typed, call, folder, run, same, zeros
from models import BF16, philox, uniform

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples")
sys.path.insert(0, EXAMPLES)
import cases  # noqa: E402

CASES = cases.make_cases(seed=1)
WITHOUT_ORDER = ("atomics", "embedding backward")          # float atomics: the order of additions is free


def example(name):
    return os.path.join(EXAMPLES, name)


def r(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_threads_give_the_same_bits(case, monkeypatch):
    """Every array afterwards, byte by byte: 1 thread, 2, and 5 on fewer cores; and another set of random inputs than the examples' own."""
    where = folder()
    words = ["run", example(case.kernel)]
    for name, array in case.arrays.items():
        np.save(os.path.join(where, name + ".npy"), array)
        words.append("%s=@%s.npy" % (name, os.path.join(where, name)))
    words += ["%s=%s" % item for item in case.params.items()] + ["--grid", case.grid, *case.options]
    results = []
    for threads in (1, 2, 5):
        saves = []
        for name in case.expect:
            saves += ["--save", "%s=%s" % (name, os.path.join(where, "%s.%d.npy" % (name, threads)))]
        call(*words, *saves, "--threads", threads, status=0)
        results.append([np.load(os.path.join(where, "%s.%d.npy" % (name, threads))) for name in case.expect])
    for name, *arrays in zip(case.expect, *results):
        want = case.expect[name]
        np.testing.assert_allclose(arrays[0].astype(np.float64), np.asarray(want, np.float64), rtol=case.rtol + 1e-12, atol=case.atol)
        if not any(word in case.name for word in WITHOUT_ORDER):
            for other in arrays[1:]:
                assert arrays[0].tobytes() == other.tobytes(), "%s depends on the number of threads" % name


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1023, 1024, 1025, 4096, 33333])
def test_vector_add_of_every_size(n):
    for dtype in (np.float32, np.float64, np.int32, np.float16):
        x, y = (r(n, seed=s) * 100 for s in (1, 2))
        x, y = x.astype(dtype), y.astype(dtype)
        got = run(example("vector_add.py"), kernel="add_kernel", x_ptr=x, y_ptr=y, out_ptr=np.zeros_like(x), n_elements="x_ptr.numel", BLOCK_SIZE=1024,
                  grid="cdiv(n_elements, BLOCK_SIZE)")
        same(got.out_ptr, x + y)
    x, y = (Typed(BF16.encode(r(n, seed=s).astype(np.float64)), "bf16") for s in (1, 2))
    got = run(example("vector_add.py"), kernel="add_kernel", x_ptr=x, y_ptr=y, out_ptr=zeros("bf16", n), n_elements=n, BLOCK_SIZE=256, grid="cdiv(n_elements, BLOCK_SIZE)")
    same(got.out_ptr, BF16.encode(BF16.decode(x.bits) + BF16.decode(y.bits)))


def softmax(x):
    e = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("columns", [1, 2, 3, 31, 100, 781, 1000])
@pytest.mark.parametrize("pad", [0, 5])
def test_softmax_of_padded_rows(columns, pad):
    rows = 7
    x = r(rows, columns + pad)
    for dtype, tolerance in ((np.float32, 1e-6), (np.float64, 1e-7), ):
        before = np.full((rows, columns + pad), -7, dtype)
        got = run(example("softmax.py"), kernel="softmax_kernel", x=x.astype(dtype), out=before, n=columns, sx="x.stride(0)", so="out.stride(0)",
                  BLOCK="next_power_of_2(n)", grid=rows)
        np.testing.assert_allclose(got.out[:, :columns], softmax(x[:, :columns]), rtol=10 * tolerance, atol=tolerance)
        assert (got.out[:, columns:] == -7).all(), "wrote past the end of a row"
    got = run(example("softmax.py"), kernel="softmax_looped_kernel", x_ptr=x, out_ptr=np.full_like(x, -7), n_columns=columns, stride="x_ptr.stride(0)", BLOCK=64, grid=rows)
    np.testing.assert_allclose(got.out_ptr[:, :columns], softmax(x[:, :columns]), rtol=1e-5, atol=1e-6)
    assert (got.out_ptr[:, columns:] == -7).all()


MATMUL = {"stride_am": "a_ptr.stride(0)", "stride_ak": "a_ptr.stride(1)", "stride_bk": "b_ptr.stride(0)", "stride_bn": "b_ptr.stride(1)",
          "stride_cm": "c_ptr.stride(0)", "stride_cn": "c_ptr.stride(1)"}


@pytest.mark.parametrize("size", [(1, 1, 1), (17, 1, 33), (1, 65, 7), (64, 64, 64), (65, 63, 31), (100, 129, 50)])
@pytest.mark.parametrize("pad", [0, 3])
def test_matmul_of_odd_sizes_in_larger_arrays(size, pad):
    m, n, k = size
    a, b = r(m + pad, k + pad, seed=1), r(k + pad, n + pad, seed=2)
    c = np.full((m + pad, n + pad), 9, np.float32)
    got = run(example("matmul.py"), kernel="matmul_kernel", a_ptr=a, b_ptr=b, c_ptr=c, bias_ptr="None", M=m, N=n, K=k, ACTIVATION="None", BLOCK_M=32, BLOCK_N=32,
              BLOCK_K=16, GROUP_M=4, grid="cdiv(M, BLOCK_M) * cdiv(N, BLOCK_N)", **MATMUL)
    want = a[:m, :k].astype(np.float64) @ b[:k, :n]
    np.testing.assert_allclose(got.c_ptr[:m, :n], want, rtol=1e-4, atol=1e-4)
    assert (got.c_ptr[m:] == 9).all() and (got.c_ptr[:, n:] == 9).all(), "wrote outside the matrix"


@pytest.mark.parametrize("type", ["f16", "bf16", "f64"])
def test_matmul_of_other_types(type):
    m, n, k = 50, 70, 90
    a, b = np.random.default_rng(1).integers(-4, 5, (m, k)) / 2, np.random.default_rng(2).integers(-4, 5, (k, n)) / 2
    if type == "bf16":
        p, q, out = Typed(BF16.encode(a), type), Typed(BF16.encode(b), type), zeros(type, m, n)
    else:
        dtype = np.float16 if type == "f16" else np.float64
        p, q, out = a.astype(dtype), b.astype(dtype), zeros(type, m, n)
    if type == "f64":                                       # the example accumulates in fp32, which Triton refuses for fp64
        got = run(example("matmul.py"), kernel="matmul_kernel", a_ptr=p, b_ptr=q, c_ptr=out, bias_ptr="None", M=m, N=n, K=k, ACTIVATION="None", BLOCK_M=32, BLOCK_N=32,
                  BLOCK_K=16, GROUP_M=4, grid="cdiv(M, BLOCK_M) * cdiv(N, BLOCK_N)", status=1, **MATMUL)
        assert "matmul.py:" in got.stderr and "fp32" in got.stderr.replace("f32", "fp32")
        return
    got = run(example("matmul.py"), kernel="matmul_kernel", a_ptr=p, b_ptr=q, c_ptr=out, bias_ptr="None", M=m, N=n, K=k, ACTIVATION="None", BLOCK_M=32, BLOCK_N=32,
              BLOCK_K=16, GROUP_M=4, grid="cdiv(M, BLOCK_M) * cdiv(N, BLOCK_N)", **MATMUL)
    want = a @ b                                            # exact: multiples of 1/4 below 2**10, then rounded once
    same(got.c_ptr, BF16.encode(want) if type == "bf16" else want.astype(np.float16))


def test_column_major_and_reversed_strides():
    """Strides of any kind: B transposed, C written upside down from an offset."""
    a, b = r(20, 30, seed=1), r(40, 30, seed=2)
    got = run(example("matmul.py"), kernel="matmul_kernel", a_ptr=a, b_ptr=b, c_ptr=np.zeros((40, 20), np.float32), bias_ptr="None", M=20, N=40, K=30, ACTIVATION="None",
              BLOCK_M=16, BLOCK_N=16, BLOCK_K=16, GROUP_M=2, grid="cdiv(M, BLOCK_M) * cdiv(N, BLOCK_N)",
              stride_am=30, stride_ak=1, stride_bk=1, stride_bn=30, stride_cm=1, stride_cn=20)
    np.testing.assert_allclose(got.c_ptr, (a.astype(np.float64) @ b.T).T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (32, 64), (33, 65), (100, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.float64], ids=str)
def test_transpose(shape, dtype):
    m, n = shape
    x = np.arange(m * n).reshape(m, n).astype(dtype)
    got = run(example("transpose.py"), kernel="transpose_kernel", x_ptr=x, out_ptr=np.zeros((n, m + 2), dtype), M=m, N=n, stride_x="x_ptr.stride(0)",
              stride_out="out_ptr.stride(0)", BLOCK_M=32, BLOCK_N=32, grid="cdiv(M, BLOCK_M), cdiv(N, BLOCK_N)")
    same(got.out_ptr[:, :m], x.T)
    assert not got.out_ptr[:, m:].any()


@pytest.mark.parametrize("dtype,tolerance", [(np.float16, 4e-3), (np.float64, 1e-4)], ids=["f16", "f64"])
def test_norms_of_other_types(dtype, tolerance):
    x, w, b = r(11, 300).astype(dtype), r(300, seed=1).astype(dtype), r(300, seed=2).astype(dtype)
    got = run(example("layer_norm.py"), kernel="layer_norm_fwd_kernel", X=x, Y=np.zeros_like(x), W=w, B=b, Mean=zeros("f32", 11), Rstd=zeros("f32", 11), stride="X.stride(0)",
              N=300, eps=1e-5, BLOCK_SIZE=128, grid=11)
    v = x.astype(np.float64)
    hat = (v - v.mean(1, keepdims=True)) / np.sqrt(v.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(got.Y.astype(np.float64), hat * w + b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("n", [0, 1, 511, 513])
def test_dropout_bits(n):
    x = r(n)
    got = run(example("dropout.py"), kernel="seeded_dropout_kernel", x_ptr=x, out_ptr=np.zeros_like(x), n_elements=n, p=0.5, seed=99, BLOCK_SIZE=512,
              grid="cdiv(n_elements, BLOCK_SIZE)")
    keep = uniform(philox(99, np.arange(n))[0]) > np.float32(0.5)
    same(got.out_ptr, np.where(keep, x / np.float32(0.5), np.float32(0)))


@pytest.mark.parametrize("n", [1, 255, 257, 1300])
def test_cumsum_in_f64_and_f16(n):
    for dtype, tolerance in ((np.float64, 1e-5), (np.float16, 4e-3), (np.float32, 1e-5)):     # the example adds in f32, whatever the type
        x = (r(3, n) / 10).astype(dtype)
        for reverse in (False, True):
            got = run(example("cumsum.py"), kernel="cumsum_kernel", x_ptr=x, out_ptr=np.zeros_like(x), n_cols=n, stride="x_ptr.stride(0)", REVERSE=reverse, BLOCK=256, grid=3)
            v = x.astype(np.float64)
            want = np.cumsum(v[:, ::-1], 1)[:, ::-1] if reverse else np.cumsum(v, 1)
            np.testing.assert_allclose(got.out_ptr.astype(np.float64), want, rtol=tolerance, atol=tolerance)


def test_sizes_that_are_not_there():
    """Grids of zero programs leave everything as it is, whatever the sizes say."""
    for grid in ("0", "0, 1", "5, 0, 2", "cdiv(0, 64)"):
        c = r(4, 4)
        got = run(example("matmul.py"), kernel="matmul_kernel", a_ptr=zeros("f32", 0, 4), b_ptr=zeros("f32", 4, 0), c_ptr=c, bias_ptr="None", M=0, N=0, K=4, ACTIVATION="None",
                  BLOCK_M=32, BLOCK_N=32, BLOCK_K=16, GROUP_M=4, grid=grid, **MATMUL)
        same(got.c_ptr, c)


def test_every_optimization_level_agrees():
    x = r(5, 100)
    outs = []
    for options in ((), ("--no-fusion",), ("-O0",), ("-O1",), ("-O2",), ("-O0", "--no-fusion")):
        got = run(example("softmax.py"), *options, kernel="softmax_kernel", x=x, out=np.zeros_like(x), n=100, sx="x.stride(0)", so="out.stride(0)",
                  BLOCK="next_power_of_2(n)", grid=5)
        np.testing.assert_allclose(got.out, softmax(x), rtol=1e-5, atol=1e-6)
        outs.append(got.out)
