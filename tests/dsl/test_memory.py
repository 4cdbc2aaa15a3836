"""Loads, stores, block pointers, descriptors, atomics and random numbers, against NumPy."""
import numpy as np
import pytest

RNG = np.random.default_rng(3)
X = RNG.normal(size=(20, 24)).astype(np.float32)


def padded(x, row, col, rows, cols, fill=0.0):
    """x[row:row+rows, col:col+cols] with what lies outside filled."""
    r, c = np.arange(row, row + rows)[:, None], np.arange(col, col + cols)
    inside = (r >= 0) & (r < x.shape[0]) & (c >= 0) & (c < x.shape[1])
    return np.where(inside, x[np.clip(r, 0, x.shape[0] - 1), np.clip(c, 0, x.shape[1] - 1)], np.float32(fill))


def test_masked_load(run_kernel):
    source = """
@triton.jit
def kernel(x, out, n, N: tl.constexpr):
    at = tl.arange(0, N)
    a = tl.load(x + at, mask=at < n, other=-1, cache_modifier=".ca", eviction_policy="evict_last", volatile=True)
    b = tl.load(x + at, at < n)
    tl.store(out + at, a + b, cache_modifier=".cg", eviction_policy="evict_first")
    (out + N + at).store(a, at < n)
"""
    got = run_kernel(source, x=X.ravel(), out="zeros:f32[64]", n=10, N=32, save=["out"])["out"]
    want = np.where(np.arange(32) < 10, 2 * X.ravel()[:32], -1)      # masked off without other: 0
    np.testing.assert_array_equal(got[:32], want)
    np.testing.assert_array_equal(got[32:], np.where(np.arange(32) < 10, X.ravel()[:32], 0))


def test_bool_memory(run_kernel):
    source = """
@triton.jit
def kernel(x: "*i1", out: "*i1", n):
    at = tl.arange(0, 8)
    tl.store(out + at, not tl.load(x + at))
"""
    x = np.array([0, 1, 0, 1, 1, 0, 0, 1], dtype=bool)
    got = run_kernel(source, x=x, out="zeros:i1[8]", n=8, save=["out"])["out"]
    np.testing.assert_array_equal(got.astype(bool), ~x)


@pytest.mark.parametrize("row, col", [(0, 0), (12, 16), (16, 20), (-3, 21)])
def test_block_pointer(run_kernel, row, col):
    source = """
@triton.jit
def kernel(x, out, rows, cols, row, col, M: tl.constexpr, N: tl.constexpr):
    p = tl.make_block_ptr(x, (rows, cols), (cols, 1), (row, 0), (M, N), (1, 0))
    p = tl.advance(p, (0, col))
    tl.static_assert(p.dtype.element_ty == tl.float32 and p.type.element_ty == tl.float32)
    a = tl.load(p, boundary_check=(0, 1), padding_option="zero")
    o = tl.make_block_ptr(base=out, shape=(M, N - 1), strides=(N, 1), offsets=(0, 0), block_shape=(M, N), order=(1, 0))
    tl.store(o, a.to(o.dtype.element_ty), boundary_check=(1,))
"""
    got = run_kernel(source, x=X, out="ones:f32[8,8]", rows=20, cols=24, row=f"{row}:i32", col=col, M=8, N=8, save=["out"])["out"]
    want = padded(X, row, col, 8, 8)
    want[:, -1] = 1       # outside of the stored tensor
    np.testing.assert_array_equal(got, want)


def test_block_pointer_nan_and_advance_method(run_kernel):
    source = """
@triton.jit
def kernel(x, out, M: tl.constexpr, N: tl.constexpr):
    p = tl.make_block_ptr(x, (20, 24), (24, 1), (16, 16), (M, N), (1, 0))
    a = tl.load(p.advance((0, 4)), boundary_check=(0, 1), padding_option="nan")
    tl.store(tl.make_block_ptr(out, (M, N), (N, 1), (0, 0), (M, N), (1, 0)), a)
"""
    got = run_kernel(source, x=X, out="zeros:f32[8,8]", M=8, N=8, save=["out"])["out"]
    np.testing.assert_array_equal(got, padded(X, 16, 20, 8, 8, np.nan))


def test_descriptor(run_kernel):
    source = """
@triton.jit
def kernel(x, out, rows, cols, M: tl.constexpr, N: tl.constexpr):
    d = tl.make_tensor_descriptor(x, shape=[rows, cols], strides=[cols, 1], block_shape=[M, N])
    tl.static_assert(d.block_shape == (M, N) and d.dtype == tl.float32 and d.block_type.shape == (M, N) and d.type == tl.float32)
    o = tl._experimental_make_tensor_descriptor(out, [M, N], [N, 1], [M, N])
    a = d.load([16, 20]) + tl.load_tensor_descriptor(d, [16, 16])
    o.store([0, 0], a)
    tl.store_tensor_descriptor(o, [0, 4], a * 0 + d.shape[1] + d.strides[0])
    o.atomic_add([4, 0], a * 0 + 1000)
"""
    got = run_kernel(source, x=X, out="zeros:f32[8,8]", rows=20, cols=24, M=8, N=8, save=["out"])["out"]
    want = padded(X, 16, 20, 8, 8) + padded(X, 16, 16, 8, 8)
    want[:, 4:] = 48
    want[4:] += 1000
    np.testing.assert_array_equal(got, want)


def test_descriptor_rows(run_kernel):
    source = """
@triton.jit
def kernel(x, out, rows, N: tl.constexpr):
    d = tl.make_tensor_descriptor(x, [20, 24], [24, 1], [1, N])
    o = tl.make_tensor_descriptor(out, [8, N], [N, 1], [1, N])
    at = tl.load(rows + tl.arange(0, 8))
    o.scatter(d.gather(at, 16), 7 - tl.arange(0, 8), 0)
"""
    rows = np.array([3, 19, 0, 25, 7, -1, 19, 2], dtype=np.int32)
    got = run_kernel(source, x=X, out="zeros:f32[8,16]", rows=rows, N=16, save=["out"])["out"]
    want = np.stack([padded(X, r, 16, 1, 16)[0] for r in rows])[::-1]
    np.testing.assert_array_equal(got, want)


def test_descriptor_atomics(run_kernel):
    source = """
@triton.jit
def kernel(a, b, c, d, e, N: tl.constexpr):
    at = tl.arange(0, N)
    tl.make_tensor_descriptor(a, [N], [1], [N]).atomic_max([2], at)
    tl.make_tensor_descriptor(b, [N], [1], [N]).atomic_min([0], at - 4)
    tl.make_tensor_descriptor(c, [N], [1], [N]).atomic_and([0], at)
    tl.make_tensor_descriptor(d, [N], [1], [N]).atomic_or([0], at)
    tl.make_tensor_descriptor(e, [N], [1], [N]).atomic_xor([0], at)
"""
    start = np.full(8, 5, dtype=np.int32)
    got = run_kernel(source, **{k: start for k in "abcde"}, N=8, save=list("abcde"))
    at = np.arange(8, dtype=np.int32)
    np.testing.assert_array_equal(got["a"], np.concatenate([start[:2], np.maximum(5, at[:6])]))
    np.testing.assert_array_equal(got["b"], np.minimum(5, at - 4))
    np.testing.assert_array_equal(got["c"], 5 & at)
    np.testing.assert_array_equal(got["d"], 5 | at)
    np.testing.assert_array_equal(got["e"], 5 ^ at)


ATOMICS = [("add", np.add), ("max", np.maximum), ("min", np.minimum), ("and", np.bitwise_and), ("or", np.bitwise_or), ("xor", np.bitwise_xor),
           ("xchg", lambda old, new: new)]
ATOMIC = """
@triton.jit
def kernel(x, y, old, N: tl.constexpr):
    at = tl.arange(0, N)
    v = tl.load(y + at)
    tl.store(old + at, {call})
"""


@pytest.mark.parametrize("name, fn", ATOMICS, ids=[name for name, _ in ATOMICS])
@pytest.mark.parametrize("dtype", ["i32", "u32", "i64", "u64", "f32", "f64"])
def test_atomic(run_kernel, name, fn, dtype):
    if dtype[0] == "f" and name in ("and", "or", "xor"):
        pytest.skip("bits of floats are not combined")
    numpy = {"i": "int", "u": "uint", "f": "float"}[dtype[0]] + dtype[1:]
    x = (RNG.integers(0, 100, size=16) - (0 if dtype[0] == "u" else 50)).astype(numpy)
    y = (RNG.integers(0, 100, size=16) - (0 if dtype[0] == "u" else 50)).astype(numpy)
    for call in [f"tl.atomic_{name}(x + at, v, mask=at < 12, sem='relaxed', scope='cta')", f"(x + at).atomic_{name}(v, at < 12)"]:
        got = run_kernel(ATOMIC.format(call=call), x=x, y=y, old=f"zeros:{dtype}[16]", N=16, save=["x", "old"])
        np.testing.assert_array_equal(got["x"], np.where(np.arange(16) < 12, fn(x, y), x).astype(numpy))
        np.testing.assert_array_equal(got["old"][:12], x[:12])


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_atomic_add_half(run_kernel, dtype):
    source = """
@triton.jit
def kernel(x, out, D: tl.constexpr):
    at = tl.arange(0, 8)
    p = x.to(tl.pointer_type(D))
    tl.store(p + at, 0.0)
    tl.atomic_add(p + at % 2, 1.0)
    tl.store(out + at, tl.load(p + at))
"""
    got = run_kernel(source, x="zeros:i16[8]", out="zeros:f32[8]", D={"f16": "fp16", "bf16": "bf16"}[dtype], save=["out"])["out"]
    np.testing.assert_array_equal(got, [4, 4, 0, 0, 0, 0, 0, 0])


def test_atomic_scalar_and_cas(run_kernel):
    source = """
@triton.jit
def kernel(x, out):
    at = tl.arange(0, 4)
    tl.store(out, tl.atomic_add(x, 5))
    tl.store(out + 1, tl.atomic_cas(x, 15, 7, sem="acq_rel"))
    tl.store(out + 2, x.atomic_cas(15, 9))
    tl.store(out + 3, tl.atomic_load(x, sem="acquire"))
    tl.atomic_store(x + 1, 3, sem="release")
"""
    got = run_kernel(source, x=np.array([10, 0], np.int32), out="zeros:i32[4]", save=["x", "out"])
    np.testing.assert_array_equal(got["out"], [10, 15, 7, 7])
    np.testing.assert_array_equal(got["x"], [7, 3])


def test_pointer_casts(run_kernel):
    """Pointers in memory, as integers, and back."""
    source = """
@triton.jit
def kernel(x, table, out):
    at = tl.arange(0, 4)
    tl.store(table, x.to(tl.int64))
    p = tl.load(table).to(tl.pointer_type(tl.float32))
    tl.store(out + at, tl.load(p + at) + tl.load(x.to(tl.pointer_type(tl.int32), bitcast=True) + at).to(tl.float32, bitcast=True))
"""
    got = run_kernel(source, x=X.ravel(), table="zeros:i64[1]", out="zeros:f32[4]", save=["out"])["out"]
    np.testing.assert_array_equal(got, 2 * X.ravel()[:4])


def philox(counter, key, rounds=10, bits=32):
    c, k, ones = [int(v) for v in counter], [int(v) for v in key], (1 << bits) - 1
    mul, weyl = (((0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)) if bits == 32 else
                 ((0xD2E7470EE14C6C93, 0xCA5A826395121157), (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)))
    for _ in range(rounds):
        p, q = mul[0] * c[0], mul[1] * c[2]
        c = [(q >> bits) ^ c[1] ^ k[0], q & ones, (p >> bits) ^ c[3] ^ k[1], p & ones]
        k = [(k[0] + weyl[0]) & ones, (k[1] + weyl[1]) & ones]
    return c


def test_philox_known_answers():
    """From the authors' kat_vectors of Random123."""
    assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


RANDOM = """
@triton.jit
def kernel(out, floats, seed, start, N: tl.constexpr):
    at = tl.arange(0, N) + start
    a, b, c, d = tl.randint4x(seed, at)
    i = tl.arange(0, N)
    tl.store(out + i, a.to(tl.int64))
    tl.store(out + N + i, d.to(tl.int64))
    tl.store(out + 2 * N + i, tl.randint(seed, at).to(tl.int64))
    tl.store(floats + i, tl.rand(seed, at))
    u, v, w, x = tl.rand4x(seed, at)
    tl.store(floats + N + i, x)
    tl.store(floats + 2 * N + i, tl.randn(seed, at))
    n, o, p, q = tl.randn4x(seed, at)
    tl.store(floats + 3 * N + i, q)
"""


def uniform(word):
    signed = np.array(word, dtype=np.uint32).view(np.int32)
    return np.where(signed < 0, ~signed, signed).astype(np.float32) * np.float32(4.6566127342e-10)


@pytest.mark.parametrize("seed, start", [(42, 0), (2**40 + 7, 5), (1, 2**33)])
def test_random(run_kernel, seed, start):
    n = 16
    got = run_kernel(RANDOM, out=f"zeros:i64[{3 * n}]", floats=f"zeros:f32[{4 * n}]", seed=seed, start=start, N=n, save=["out", "floats"])
    words = np.array([philox([(start + i) & 0xFFFFFFFF, (start + i) >> 32, 0, 0], [seed & 0xFFFFFFFF, seed >> 32]) for i in range(n)])
    ints, floats = got["out"].reshape(3, n), got["floats"].reshape(4, n)
    np.testing.assert_array_equal(ints, [words[:, 0], words[:, 3], words[:, 0]])
    u = [uniform(words[:, k]) for k in range(4)]
    np.testing.assert_array_equal(floats[0], u[0])
    np.testing.assert_array_equal(floats[1], u[3])
    normal = np.sqrt(-2 * np.log(np.maximum(u[0], np.float32(1e-7)).astype(np.float64))) * np.cos(2 * np.pi * u[1].astype(np.float64))
    np.testing.assert_allclose(floats[2], normal, rtol=1e-4, atol=1e-6)
    normal = np.sqrt(-2 * np.log(np.maximum(u[2], np.float32(1e-7)).astype(np.float64))) * np.sin(2 * np.pi * u[3].astype(np.float64))
    np.testing.assert_allclose(floats[3], normal, rtol=1e-4, atol=1e-5)


def test_wide_philox(run_kernel):
    source = """
@triton.jit
def kernel(out, seed, N: tl.constexpr):
    at = tl.arange(0, N).to(tl.uint64)
    a, b, c, d = tl.philox(seed, at, at * 0, at * 0, at * 0, 7)
    tl.store(out + at, a)
    e, f, g, h = tl.philox_impl(at, at * 0, at * 0, at * 0, at * 0 + seed, at * 0)
    tl.store(out + N + at, h)
"""
    got = run_kernel(source, out="zeros:u64[16]", seed=9, N=8, save=["out"])["out"]
    want = [philox([i, 0, 0, 0], [9, 0], 7, 64)[0] for i in range(8)] + [philox([i, 0, 0, 0], [9, 0], 10, 64)[3] for i in range(8)]
    np.testing.assert_array_equal(got, np.array(want, dtype=np.uint64))


def test_uniform_and_normal(run_kernel):
    source = """
@triton.jit
def kernel(x, out):
    at = tl.arange(0, 4)
    tl.store(out + at, tl.uint_to_uniform_float(tl.load(x + at)))
    a, b = tl.pair_uniform_to_normal(tl.full([4], 0.5, tl.float32), at * 0.25)
    tl.store(out + 4 + at, a)
"""
    x = np.array([0, 1, 2**31 - 1, 2**32 - 1], dtype=np.uint32)
    got = run_kernel(source, x=x, out="zeros:f32[8]", save=["out"])["out"]
    np.testing.assert_array_equal(got[:4], uniform(x))
    np.testing.assert_allclose(got[4:], np.sqrt(2 * np.log(2)) * np.cos(2 * np.pi * np.arange(4) * 0.25), atol=1e-6)
