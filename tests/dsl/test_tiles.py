"""Builtins that move and fold elements, against NumPy."""
import numpy as np
import pytest

KERNEL = """
import triton, triton.language as tl

@triton.jit
def add(p, q):
    return p + q

@triton.jit
def first_max(v, i, w, k):
    better = (v > w) | ((v == w) & (i < k))
    return tl.where(better, v, w), tl.where(better, i, k)

@triton.jit
def linear(a1, b1, a2, b2):
    return a1 * a2, b1 * a2 + b2

@triton.jit
def kernel(x, out, M: tl.constexpr, N: tl.constexpr, SIZE: tl.constexpr):
    rows = tl.arange(0, M)
    cols = tl.arange(0, N)
    a = tl.load(x + rows[:, None] * N + cols[None, :])
    r = {expression}
    tl.store(out + tl.arange(0, SIZE), tl.reshape(r, [SIZE]))
"""
M, N = 8, 16
RNG = np.random.default_rng(2)
X = RNG.normal(size=(M, N)).astype(np.float32)
I = RNG.integers(-50, 50, size=(M, N)).astype(np.int32)


def run(run_kernel, expression, a, want, name):
    want = np.asarray(want)
    got = run_kernel(KERNEL.format(expression=expression), kernel="kernel", x=a, out=f"empty:{name}[{want.size}]", M=a.shape[0], N=a.shape[1],
                     SIZE=want.size, save=["out"])["out"]
    return got.reshape(want.shape), want


SHAPES = [
    ("a.reshape(N, M)", X.reshape(N, M)), ("tl.reshape(a, (N, M), can_reorder=True)", X.reshape(N, M)), ("tl.view(a, [M * N])", X.ravel()),
    ("a.view(N, M)", X.reshape(N, M)), ("tl.ravel(a)", X.ravel()), ("a.ravel()", X.ravel()), ("tl.trans(a)", X.T), ("a.trans()", X.T), ("a.T", X.T),
    ("tl.trans(a, 1, 0)", X.T), ("tl.permute(a, (1, 0))", X.T), ("a.permute(1, 0)", X.T), ("a[None, :, :].permute(2, 0, 1)", X[None].transpose(2, 0, 1)),
    ("tl.trans(tl.reshape(a, [2, 4, N]))", X.reshape(2, 4, N).transpose(0, 2, 1)), ("a[:, None, :]", X[:, None]), ("a[None]", X[None]),
    ("tl.expand_dims(a, 1)", X[:, None]), ("tl.expand_dims(a, -1)", X[..., None]), ("tl.expand_dims(a, (0, 2))", X[None, :, None]),
    ("a.expand_dims(0)", X[None]), ("tl.unsqueeze(a, 0)", X[None]), ("tl.squeeze(a[None], 0)", X),
    ("tl.broadcast_to(a[:, None, :], (M, 2, N))", np.broadcast_to(X[:, None], (M, 2, N))), ("a[None].broadcast_to(2, M, N)", np.stack([X, X])),
    ("tl.broadcast(a, tl.zeros([4, M, N], tl.float32))[0]", np.broadcast_to(X, (4, M, N))),
    ("tl.broadcast_tensors(rows[:, None], cols[None, :], a)[0].to(tl.float32)", np.broadcast_to(np.arange(M)[:, None], (M, N))),
    ("tl.join(a, a + 1)", np.stack([X, X + 1], -1)), ("tl.interleave(a, a + 1)", np.stack([X, X + 1], -1).reshape(M, 2 * N)),
    ("tl.split(tl.reshape(a, [M, N // 2, 2]))[1]", X[:, 1::2]), ("a.reshape(M, N // 2, 2).split()[0]", X[:, ::2]),
    ("tl.cat(a, a + 1, can_reorder=True)", np.concatenate([X, X + 1])), ("tl.cat(a, a + 1, dim=1)", np.concatenate([X, X + 1], 1)),
    ("tl.flip(a)", X[:, ::-1]), ("tl.flip(a, 0)", X[::-1]), ("a.flip(1)", X[:, ::-1]),
    ("tl.gather(a, (cols[None, :] + rows[:, None]) % N, 1)", np.take_along_axis(X, (np.arange(N) + np.arange(M)[:, None]) % N, 1)),
    ("a.gather((rows[:, None] * 3 + cols[None, :]) % M, 0)", np.take_along_axis(X, (np.arange(M)[:, None] * 3 + np.arange(N)) % M, 0)),
    ("tl.full([4], 1.5, tl.float32)", np.full(4, 1.5)), ("tl.zeros((2, 2), dtype=tl.float32)", np.zeros((2, 2))), ("tl.zeros_like(a)", X * 0),
    ("tl.full_like(a, 3)", X * 0 + 3), ("tl.full((), 2.5, tl.float32)", 2.5), ("tl.item(tl.full([1, 1], 4.0, tl.float32))", 4.0),
    ("tl.full([1], 4.0, tl.float32).item()", 4.0),
]


@pytest.mark.parametrize("expression, want", SHAPES, ids=[row[0] for row in SHAPES])
def test_shape(run_kernel, expression, want):
    np.testing.assert_array_equal(*run(run_kernel, expression, X, want, "f32"))


REDUCTIONS = [
    ("tl.sum(a, 1)", X.sum(1)), ("tl.sum(a, axis=0)", X.sum(0)), ("tl.sum(a)", X.sum()), ("a.sum(-1, keep_dims=True)", X.sum(1, keepdims=True)),
    ("tl.max(a, 1)", X.max(1)), ("a.max(0)", X.max(0)), ("tl.max(a)", X.max()), ("tl.min(a, 1, keep_dims=True)", X.min(1, keepdims=True)),
    ("a.min()", X.min()), ("tl.max(a, keep_dims=True)", X.max(keepdims=True)), ("tl.reduce(a, 1, add)", X.sum(1)), ("a.reduce(None, add)", X.sum()),
    ("tl.reduce((a, a * 2), 0, sums)[1]", 2 * X.sum(0)), ("tl.cumsum(a, 1)", X.cumsum(1)), ("a.cumsum(0)", X.cumsum(0)),
    ("tl.cumsum(a, axis=1, reverse=True)", X[:, ::-1].cumsum(1)[:, ::-1]), ("tl.cumprod(a, 1)", X.cumprod(1)), ("a.cumprod(0)", X.cumprod(0)),
    ("tl.associative_scan(a, 1, add)", X.cumsum(1)), ("a.associative_scan(0, add, reverse=True)", X[::-1].cumsum(0)[::-1]),
    ("tl.softmax(a, 1)", np.exp(X) / np.exp(X).sum(1, keepdims=True)), ("tl.sort(a)", np.sort(X)), ("a.sort(descending=True)", np.sort(X)[:, ::-1]),
    ("tl.topk(a, 4)", np.sort(X)[:, ::-1][:, :4]), ("tl.bitonic_merge(tl.cat(tl.sort(a), tl.flip(tl.sort(a)), dim=1))", np.sort(np.concatenate([X, X], 1))),
    ("tl.max(a, 1, return_indices=True)[0]", X.max(1)), ("tl.sum(a.to(tl.float16), 1).to(tl.float32)", X.astype(np.float16).astype(np.float32).sum(1).astype(np.float16)),
]


@pytest.mark.parametrize("expression, want", REDUCTIONS, ids=[row[0] for row in REDUCTIONS])
def test_reduction(run_kernel, expression, want):
    source = expression
    if "sums" in expression:
        source = expression.replace("sums", "pair_sum")
        got, want = run(lambda s, **k: run_kernel(s + "\n@triton.jit\ndef pair_sum(a, b, c, d):\n    return a + c, b + d\n", **k), source, X, want, "f32")
    else:
        got, want = run(run_kernel, source, X, want, "f32")
    np.testing.assert_allclose(got, want, rtol=3e-5, atol=1e-5)      # another order of summation than NumPy's


TIES = np.array([[3, 1, 3, 2] * 4] * M, dtype=np.int32)
INTEGERS = [
    ("tl.argmax(a, 1)", I, I.argmax(1)), ("a.argmax(0)", I, I.argmax(0)), ("tl.argmin(a, 1)", I, I.argmin(1)), ("a.argmin(0)", I, I.argmin(0)),
    ("tl.argmax(a, 1, keep_dims=True)", TIES, TIES.argmax(1)[:, None]), ("tl.max(a, 1, return_indices=True)[1]", TIES, TIES.argmax(1)),
    ("tl.min(a, axis=1, return_indices=True)[1]", TIES, TIES.argmin(1)), ("tl.max(a, return_indices=True)[1]", I, I.argmax()),
    ("tl.reduce((a, cols[None, :] + rows[:, None] * 0), 1, first_max)[1]", TIES, TIES.argmax(1)),
    ("tl.xor_sum(a, 1)", I, np.bitwise_xor.reduce(I, 1)), ("a.xor_sum(0)", I, np.bitwise_xor.reduce(I, 0)), ("tl.reduce_or(a, 1)", I, np.bitwise_or.reduce(I, 1)),
    ("a.reduce_or(0)", I, np.bitwise_or.reduce(I, 0)), ("tl.sum((a > 0).to(tl.int1), 1).to(tl.int32)", I, (I > 0).sum(1)),
    ("tl.sum(a.to(tl.int8), 1)", I, I.sum(1)), ("tl.max(a.to(tl.int8), 1)", I, I.max(1)), ("tl.sum(a, 1, dtype=tl.int64).to(tl.int32)", I, I.sum(1)),
    ("tl.histogram(tl.ravel(a + 50), 128)", I, np.bincount((I + 50).ravel(), minlength=128)),
    ("tl.histogram(tl.ravel(a + 50), 128, mask=tl.ravel(a) > 0)", I, np.bincount((I + 50)[I > 0], minlength=128)),
    ("tl.ravel(a + 50).histogram(64)", I, np.bincount((I + 50).ravel(), minlength=128)[:64]), ("tl.sort(a, descending=True)", I, np.sort(I)[:, ::-1]),
    ("tl.topk(a, 1)", I, I.max(1, keepdims=True)), ("tl.cumsum(a, 1)", I, I.cumsum(1)), ("tl.topk(a, 2, descending=False)", I, np.sort(I)[:, :2]),
    ("tl.cumsum((a > 0), 1).to(tl.int32)", I, (I > 0).cumsum(1)), ("tl.associative_scan((a, a), 1, pairs)[1]", I, None),
    ("tl.swizzle2d(rows[:, None], cols[None, :], M, N, 4)[0]", I, "i"), ("tl.swizzle2d(rows[:, None], cols[None, :], M, N, 4)[1]", I, "j"),
    ("tl.arange(4, 8)", I, np.arange(4, 8)), ("tl.program_id(0) + tl.num_programs(0)", I, 1),
]


def swizzled(which):
    i, j = np.arange(M)[:, None], np.arange(N)
    at = i * N + j
    band, inside = at // (4 * N), at % (4 * N)
    rows = np.minimum(M - band * 4, 4)
    return (band * 4 + inside % rows if which == "i" else inside // rows) + np.zeros((M, N), int)


@pytest.mark.parametrize("expression, a, want", INTEGERS, ids=[row[0] for row in INTEGERS])
def test_integer(run_kernel, expression, a, want):
    if want is None:                      # a linear recurrence y = a y' + b, as a scan of functions
        want = np.zeros((M, N), dtype=np.int64)
        previous = np.zeros(M, dtype=np.int64)
        for k in range(N):
            previous = (a[:, k] * previous + a[:, k]).astype(np.int32).astype(np.int64)
            want[:, k] = previous
        expression = expression.replace("pairs", "linear")
    elif isinstance(want, str):
        want = swizzled(want)
    np.testing.assert_array_equal(*run(run_kernel, expression, a, want, "i32"))


# ---- dot ----

DOT = """
import triton, triton.language as tl

@triton.jit
def kernel(x, y, z, out, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr):
    m = tl.arange(0, M)
    n = tl.arange(0, N)
    k = tl.arange(0, K)
    a = tl.load(x + m[:, None] * K + k[None, :])
    b = tl.load(y + k[:, None] * N + n[None, :])
    c = tl.load(z + m[:, None] * N + n[None, :])
    tl.store(out + m[:, None] * N + n[None, :], {expression})
"""


@pytest.mark.parametrize("expression, dtype, out, rtol", [
    ("tl.dot(a, b)", np.float32, "f32", 1e-5), ("tl.dot(a, b, allow_tf32=False)", np.float32, "f32", 1e-5),
    ("tl.dot(a, b, input_precision='ieee')", np.float32, "f32", 1e-5), ("tl.dot(a, b, c)", np.float32, "f32", 1e-5),
    ("tl.dot(a, b, acc=c)", np.float64, "f64", 1e-12), ("tl.dot(a, b)", np.float64, "f64", 1e-12), ("tl.dot(a, b)", np.float16, "f32", 1e-3),
    ("tl.dot(a, b, out_dtype=tl.float16)", np.float16, "f16", 5e-3), ("tl.dot(a.to(tl.bfloat16), b.to(tl.bfloat16), out_dtype=tl.float32)", np.float32, "f32", 1e-5),
    ("tl.dot(a, b)", np.int8, "i32", 0), ("tl.dot(a[None], b[None]).reshape(M, N)", np.float32, "f32", 1e-5),
    ("tl.dot(a.to(tl.float8e5), b.to(tl.float8e4nv), max_num_imprecise_acc=8)", np.float32, "f32", 1e-5)])
def test_dot(run_kernel, expression, dtype, out, rtol):
    small = {k: RNG.integers(-4, 5, size=s).astype(dtype) for k, s in [("x", (16, 32)), ("y", (32, 8)), ("z", (16, 8))]}     # exact in every type
    got = run_kernel(DOT.format(expression=expression), kernel="kernel", out=f"zeros:{out}[16,8]", M=16, N=8, K=32, save=["out"], **small)["out"]
    want = small["x"].astype(np.float64) @ small["y"].astype(np.float64)
    if ", c)" in expression or "acc=c" in expression:
        want = want + small["z"]
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=max(rtol, 1e-7))


E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
SCALED = """
import triton, triton.language as tl

@triton.jit
def kernel(x, sx, y, sy, out, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr, XR: tl.constexpr, XC: tl.constexpr, YR: tl.constexpr, YC: tl.constexpr,
           XF: tl.constexpr, YF: tl.constexpr, XP: tl.constexpr, YP: tl.constexpr):
    m = tl.arange(0, M)
    n = tl.arange(0, N)
    g = tl.arange(0, K // 32)
    a = tl.load(x + tl.arange(0, XR)[:, None] * XC + tl.arange(0, XC)[None, :])
    b = tl.load(y + tl.arange(0, YR)[:, None] * YC + tl.arange(0, YC)[None, :])
    ax = tl.load(sx + m[:, None] * (K // 32) + g[None, :])
    bx = tl.load(sy + n[:, None] * (K // 32) + g[None, :])
    c = tl.dot_scaled(a, ax, XF, b, bx, YF, lhs_k_pack=XP, rhs_k_pack=YP)
    c = tl.dot_scaled(a, None, XF, b, None, YF, acc=c, lhs_k_pack=XP, rhs_k_pack=YP)
    tl.store(out + m[:, None] * N + n[None, :], c)
"""


@pytest.mark.parametrize("x_format, x_pack", [("e2m1", True), ("e2m1", False), ("e5m2", True)])
@pytest.mark.parametrize("y_format, y_pack", [("e2m1", True), ("e2m1", False), ("fp16", True)])
def test_dot_scaled(run_kernel, x_format, x_pack, y_format, y_pack):
    m, n, k = 16, 8, 64

    def operand(format, shape, pack_axis):
        if format == "e2m1":
            codes = RNG.integers(0, 16, size=shape)
            low, high = np.split(np.moveaxis(codes, pack_axis, -1).reshape(-1, 2), 2, axis=1)
            moved = list(np.moveaxis(codes, pack_axis, -1).shape)
            moved[-1] //= 2
            packed = np.moveaxis((low | high << 4).reshape(moved), -1, pack_axis)
            return np.ascontiguousarray(packed).astype(np.uint8), E2M1[codes]
        values = RNG.integers(-4, 5, size=shape).astype(np.float16)
        return ((values.view(np.uint16) >> 8).astype(np.uint8) if format == "e5m2" else values), values.astype(np.float64)

    x, a = operand(x_format, (m, k), 1 if x_pack else 0)
    y, b = operand(y_format, (k, n), 0 if y_pack else 1)
    sx = RNG.integers(124, 130, size=(m, k // 32)).astype(np.uint8)
    sy = RNG.integers(124, 130, size=(n, k // 32)).astype(np.uint8)
    scaled = (a * np.repeat(2.0 ** (sx.astype(int) - 127), 32, 1)) @ (b * np.repeat(2.0 ** (sy.astype(int) - 127), 32, 1).T)
    got = run_kernel(SCALED, kernel="kernel", x=x, sx=sx, y=y, sy=sy, out=f"zeros:f32[{m},{n}]", M=m, N=n, K=k, XR=x.shape[0], XC=x.shape[1],
                     YR=y.shape[0], YC=y.shape[1], XF=repr(x_format), YF=repr(y_format), XP=x_pack, YP=y_pack, save=["out"])["out"]
    np.testing.assert_allclose(got, scaled + a @ b, rtol=1e-6)
