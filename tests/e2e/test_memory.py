"""Pointers, masks, booleans in memory, block pointers, descriptors, atomics."""
import numpy as np
import pytest
from kernel import NUMPY, TL, Typed, fails, run, same, zeros
from models import BF16


def test_masked_loads_read_zero_or_other():
    got = run("""
@triton.jit
def k(x, z, o, s, n):
    offs = tl.arange(0, 16)
    m = offs < n
    tl.store(z + offs, tl.load(x + offs, mask=m))
    tl.store(o + offs, tl.load(x + offs, mask=m, other=-5))
    tl.store(s + offs, tl.load(x + offs, m, 2.5), m)
""", x=np.arange(1, 12, dtype=np.float32), z=np.full(16, 9, np.float32), o=zeros("f32", 16), s=np.full(16, 9, np.float32), n=11)
    x = np.arange(1, 12, dtype=np.float32)
    same(got.z, np.concatenate([x, np.zeros(5, np.float32)]))
    same(got.o, np.concatenate([x, np.full(5, -5, np.float32)]))
    same(got.s, np.concatenate([x, np.full(5, 9, np.float32)]))


@pytest.mark.parametrize("mask", ["offs < 0", "offs >= 16", "offs % 3 == 1", "(offs > 3) & (offs < 9)", "offs < n - 20", "m8 != 0"])
def test_masks_of_every_shape(mask):
    x = np.arange(100, 116, dtype=np.int32)
    m8 = np.array([1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], np.int8)
    got = run("""
@triton.jit
def k(x, mask8, out, n):
    offs = tl.arange(0, 16)
    m8 = tl.load(mask8 + offs)
    tl.store(out + offs, tl.load(x + offs, mask=%s, other=-1) + 1000, mask=%s)
""" % (mask, mask), x=x, mask8=m8, out=zeros("i32", 16), n=11)
    m = eval(mask, {"offs": np.arange(16), "n": 11, "m8": m8})
    same(got.out, np.where(m, x + 1000, 0).astype(np.int32))


def test_other_is_cast_to_the_element_type():
    got = run("""
@triton.jit
def k(x, out, fill):
    offs = tl.arange(0, 8)
    v = tl.load(x + offs, mask=offs < 4, other=2.75)
    w = tl.load(x + offs, mask=offs < 4, other=fill)
    tl.store(out + offs, v)
    tl.store(out + 8 + offs, w + (v.dtype == tl.int32).to(tl.int32) * 0)
""".replace(" + (v.dtype == tl.int32).to(tl.int32) * 0", ""), x=np.array([1, 2, 3, 4], np.int32), out=zeros("i32", 16), fill=-1.9)
    assert list(got.out) == [1, 2, 3, 4, 2, 2, 2, 2, 1, 2, 3, 4, -1, -1, -1, -1]


def test_nothing_outside_the_mask_is_touched():
    """The last page of a buffer may be the last page there is: a masked lane must not read past it."""
    n = 1000
    got = run("""
@triton.jit
def k(x, out, n, far):
    offs = tl.arange(0, 1024)
    v = tl.load(x + offs.to(tl.int64) * far, mask=offs < 1)
    tl.store(out + offs.to(tl.int64) * far, v, mask=offs < 1)
""", x=np.arange(n, dtype=np.float32) + 5, out=zeros("f32", n), n=n, far=1 << 40)
    assert got.out[0] == 5 and not got.out[1:].any()


def test_pointer_arithmetic():
    x = np.arange(64, dtype=np.float32)
    got = run("""
@triton.jit
def k(x, out, n):
    offs = tl.arange(0, 4)
    p = x + 10
    tl.store(out + offs, tl.load(p - offs))
    q = p + offs * n
    q += 2
    tl.store(out + 4 + offs, tl.load(q))
    r = 5 + x
    tl.store(out + 8 + offs, tl.load(r + offs.to(tl.int64)))
    u = (offs - 1).to(tl.uint32)
    tl.store(out + 12 + offs, tl.load(x + 1 + u.to(tl.int32)))
    b = (offs * 80).to(tl.uint8)
    tl.store(out + 16 + offs, tl.load(x + b // 16))
    s = (offs - 3).to(tl.int8)
    tl.store(out + 20 + offs, tl.load(x + 30 + s))
    grid = x + offs[:, None] * 8 + offs[None, :]
    tl.store(out + 24 + offs[:, None] * 4 + offs[None, :], tl.load(grid))
""", x=x, out=zeros("f32", 40), n=3)
    want = [10, 9, 8, 7, 12, 15, 18, 21, 5, 6, 7, 8, 0, 1, 2, 3, 0, 5, 10, 15, 27, 28, 29, 30] + [r * 8 + c for r in range(4) for c in range(4)]
    same(got.out, np.array(want, np.float32))


def test_unsigned_offsets_are_zero_extended():
    """A u8 offset of 200 counts forward, an i8 offset of -56 backward."""
    x = np.arange(512, dtype=np.int32)
    got = run("""
@triton.jit
def k(x, out, n):
    u = n.to(tl.uint8)
    tl.store(out, tl.load(x + 100 + u))
    tl.store(out + 1, tl.load(x + 100 + u.to(tl.int8)))
    w = (n - 200).to(tl.uint32)
    tl.store(out + 2, tl.load(x + 100 + (w - 1 + 1)))
    h = (n * 0 + 65535).to(tl.uint16)
    tl.store(out + 3, tl.load(x + h - 65500))
""", x=x, out=zeros("i32", 4), n=200)
    assert list(got.out) == [300, 44, 100, 35]


def test_program_id_times_stride_is_32_bits():
    """pid * stride wraps in i32 unless it is cast first."""
    got = run("""
@triton.jit
def k(out, stride):
    pid = tl.program_id(0)
    tl.store(out + 2 * pid, (pid * stride).to(tl.int64))
    tl.store(out + 2 * pid + 1, pid.to(tl.int64) * stride)
""", out=zeros("i64", 8), stride=2 ** 30, grid=4)
    assert list(got.out) == [0, 0, 2 ** 30, 2 ** 30, -2 ** 31, 2 ** 31, -2 ** 30, 3 * 2 ** 30]


def test_pointers_as_integers_and_of_other_types():
    got = run("""
@triton.jit
def k(x, out, table):
    a = x.to(tl.int64)
    p = (a + 8).to(tl.pointer_type(tl.float32))
    tl.store(out, tl.load(p))
    q = x.to(tl.pointer_type(tl.int32), bitcast=True)
    tl.store(out + 1, tl.load(q + 1).to(tl.float32, bitcast=True))
    i = tl.arange(0, 2)
    tl.store(table + i, a + i * 4)
    r = tl.load(table + i).to(tl.pointer_type(tl.float32))
    tl.store(out + 2 + i, tl.load(r))
    tl.store(out + 4, (x + 3 > x).to(tl.float32))
""".replace("    tl.store(out + 4, (x + 3 > x).to(tl.float32))\n", ""), x=np.array([1.5, 2.5, 3.5], np.float32), out=zeros("f32", 5), table=zeros("i64", 2))
    assert list(got.out[:4]) == [3.5, 2.5, 1.5, 2.5]


def test_booleans_are_bytes():
    bytes_ = np.array([0, 1, 2, 255, 128, 0, 1, 0], np.uint8)
    got = run("""
@triton.jit
def k(b, out, n):
    offs = tl.arange(0, 8)
    v = tl.load(b + offs)
    tl.store(out + offs, v)
    tl.store(n, tl.sum(v.to(tl.int32), axis=0))
    tl.store(n + 1, v.dtype == tl.int1)
    tl.store(out + 8 + offs, offs * 64)
""", b=Typed(bytes_, "i1"), out=Typed(np.full(16, 7, np.uint8), "i1"), n=zeros("i32", 2))
    same(got.out.view(np.uint8), np.concatenate([bytes_ != 0, np.arange(8) > 0]).astype(np.uint8))
    assert list(got.n) == [5, 1]


def test_loads_come_before_stores_of_the_same_program():
    x = np.arange(32, dtype=np.float32)
    got = run("""
@triton.jit
def k(x, y):
    offs = tl.arange(0, 16)
    v = tl.load(x + offs)
    tl.store(x + 8 + offs, v)
    w = tl.load(y + offs)
    tl.store(y + 15 - offs, w)
    tl.store(y + 16 + offs, tl.load(y + offs))
""", x=x, y=x)
    same(got.x, np.concatenate([x[:8], x[:16], x[24:]]))
    same(got.y, np.concatenate([x[:16][::-1], x[:16][::-1]]))


def test_in_place_through_indices_that_repeat():
    x, index = np.arange(8, dtype=np.float32), np.arange(256, dtype=np.int64) // 7 % 5
    got = run("""
@triton.jit
def k(x, index, y):
    offs = tl.arange(0, 256)
    at = x + tl.load(index + offs)
    tl.store(at, tl.load(at) + 1)
    at = y + offs // 32
    tl.store(at, tl.load(at) * 2)
""", x=x, index=index, y=x)
    same(got.x, np.where(np.arange(8) < 5, x + 1, x))
    same(got.y, x * 2)


def test_gathers_and_scatters():
    r = np.random.default_rng(0)
    index, x = r.permutation(1024).astype(np.int32), r.standard_normal(1024).astype(np.float32)
    got = run("""
@triton.jit
def k(x, index, out, back):
    offs = tl.arange(0, 1024)
    i = tl.load(index + offs)
    v = tl.load(x + i)
    tl.store(out + offs, v)
    tl.store(back + i, v)
""", x=x, index=index, out=zeros("f32", 1024), back=zeros("f32", 1024))
    same(got.out, x[index])
    same(got.back, x)


def test_scalar_loads_and_stores():
    got = run("""
@triton.jit
def k(x, out, n):
    v = tl.load(x + 3)
    w = tl.load(x + 100, mask=n > 100)
    u = tl.load(x + 100, mask=n > 100, other=-1.0)
    tl.store(out, v + w)
    tl.store(out + 1, u)
    tl.store(out + 2, 9.0, mask=n > 100)
    tl.store(out + 3 + tl.arange(0, 4), 5)
    tl.store(out + 7, v.to(tl.int32))
""", x=np.arange(8, dtype=np.float32), out=zeros("f32", 8), n=5)
    assert list(got.out) == [3, -1, 0, 5, 5, 5, 5, 3]


# ---- block pointers and descriptors ----

@pytest.mark.parametrize("order", ["(1, 0)", "(0, 1)"])
def test_block_pointers_check_their_boundaries(order):
    x = np.arange(1, 16, dtype=np.float32).reshape(3, 5)
    got = run("""
@triton.jit
def k(x, zero, nan, part, back, M, N):
    p = tl.make_block_ptr(x, shape=(M, N), strides=(N, 1), offsets=(0, 0), block_shape=(4, 8), order=%s)
    i = tl.arange(0, 4)[:, None]
    j = tl.arange(0, 8)[None, :]
    tl.store(zero + i * 8 + j, tl.load(p, boundary_check=(0, 1), padding_option='zero'))
    tl.store(nan + i * 8 + j, tl.load(p, boundary_check=(0, 1), padding_option='nan'))
    q = tl.advance(p, (1, -2))
    tl.store(part + i * 8 + j, tl.load(q, boundary_check=(0, 1)))
    b = tl.make_block_ptr(back, (M, N), (N, 1), (1, 2), (4, 8), %s)
    tl.store(b, (i * 10 + j).to(tl.float32), boundary_check=(0, 1))
""" % (order, order), x=x, zero=zeros("f32", 4, 8), nan=zeros("f32", 4, 8), part=zeros("f32", 4, 8), back=np.full((3, 5), -1, np.float32), M=3, N=5)
    for name, fill in (("zero", 0), ("nan", np.nan)):
        want = np.full((4, 8), fill, np.float32)
        want[:3, :5] = x
        same(got[name], want)
    want = np.zeros((4, 8), np.float32)
    want[:2, 2:7] = x[1:]
    same(got.part, want)
    want = np.full((3, 5), -1, np.float32)
    want[1:, 2:] = [[0, 1, 2], [10, 11, 12]]
    same(got.back, want)


def test_block_pointers_of_other_ranks():
    x = np.arange(2 * 3 * 8, dtype=np.int32).reshape(2, 3, 8)
    got = run("""
@triton.jit
def k(x, line, cube, strided, n):
    p = tl.make_block_ptr(x, (n,), (1,), (4,), (8,), (0,))
    tl.store(tl.make_block_ptr(line, (20,), (1,), (0,), (8,), (0,)), tl.load(p, boundary_check=(0,)), boundary_check=(0,))
    p = tl.advance(p, (40,))
    tl.store(line + 8 + tl.arange(0, 8), tl.load(p, boundary_check=(0,), padding_option='zero'))
    c = tl.make_block_ptr(x, (2, 3, 8), (24, 8, 1), (0, 1, 4), (2, 4, 4), (2, 1, 0))
    o = tl.arange(0, 2)[:, None, None] * 16 + tl.arange(0, 4)[None, :, None] * 4 + tl.arange(0, 4)[None, None, :]
    tl.store(cube + o, tl.load(c, boundary_check=(1, 2)))
    s = tl.make_block_ptr(x, (8, 3), (1, 8), (0, 0), (8, 2), (0, 1))
    tl.store(strided + tl.arange(0, 8)[:, None] * 2 + tl.arange(0, 2)[None, :], tl.load(s))
""", x=x, line=zeros("i32", 16), cube=zeros("i32", 2, 4, 4), strided=zeros("i32", 8, 2), n=48)
    same(got.line, np.concatenate([np.arange(4, 12), np.arange(44, 48), np.zeros(4)]).astype(np.int32))
    want = np.zeros((2, 4, 4), np.int32)
    want[:, :2] = x[:, 1:, 4:]
    same(got.cube, want)
    same(got.strided, x[0, :2].T)


def test_block_pointers_in_loops():
    x = np.arange(7 * 20, dtype=np.float32).reshape(7, 20)
    got = run("""
@triton.jit
def k(x, out, N):
    p = tl.make_block_ptr(x, (7, N), (N, 1), (0, 0), (8, 8), (1, 0))
    acc = tl.zeros((8, 8), tl.float32)
    for i in range(0, N, 8):
        acc += tl.load(p, boundary_check=(0, 1), padding_option='zero')
        p = p.advance((0, 8))
    tl.store(out + tl.arange(0, 8)[:, None] * 8 + tl.arange(0, 8)[None, :], acc)
""".replace("p.advance((0, 8))", "tl.advance(p, (0, 8))"), x=x, out=zeros("f32", 8, 8), N=20)
    want = np.zeros((8, 24), np.float32)
    want[:7, :20] = x
    same(got.out, want.reshape(8, 3, 8).sum(1))


def test_descriptors():
    x = np.arange(1, 16, dtype=np.float32).reshape(3, 5)
    got = run("""
@triton.jit
def k(x, zero, nan, back, M, N):
    d = tl.make_tensor_descriptor(x, shape=[M, N], strides=[N, 1], block_shape=[2, 4])
    o = tl.make_tensor_descriptor(zero, shape=[4, 8], strides=[8, 1], block_shape=[2, 4])
    for i in range(0, 4, 2):
        for j in range(0, 8, 4):
            o.store([i, j], d.load([i, j]))
    e = tl.make_tensor_descriptor(x, [M, N], [N, 1], [4, 8], padding_option='nan')
    tl.store(nan + tl.arange(0, 4)[:, None] * 8 + tl.arange(0, 8)[None, :], e.load([1, -1]))
    b = tl.make_tensor_descriptor(back, [M, N], [N, 1], [2, 4])
    b.store([2, 3], d.load([0, 0]))
    b.store([-1, -1], d.load([0, 0]))
    tl.static_assert(d.block_shape[1] == 4)
    tl.store(nan, d.shape[0] + d.shape[1] * 10)
""", x=x, zero=zeros("f32", 4, 8), nan=zeros("f32", 4, 8), back=np.full((3, 5), -1, np.float32), M=3, N=5)
    want = np.zeros((4, 8), np.float32)
    want[:3, :5] = x
    same(got.zero, want)
    want = np.full((4, 8), np.nan, np.float32)
    want[:2, 1:6] = x[1:]
    want[0, 0] = 53
    same(got.nan, want)
    want = np.full((3, 5), -1, np.float32)
    want[2, 3:] = x[0, :2]
    want[0, :3] = x[1, 1:4]
    same(got.back, want)


# ---- atomics ----

@pytest.mark.parametrize("type", ["i32", "u32", "i64", "u64", "f32", "f64", "f16", "bf16"])
def test_atomic_add_under_contention(type):
    n = 400
    got = run("""
@triton.jit
def k(total, tickets, n):
    pid = tl.program_id(0)
    tl.atomic_add(total, 1)
    bins = tl.arange(0, 8)
    tl.atomic_add(total + 1 + bins, bins + 1, mask=bins < 7)
    t = tl.atomic_add(tickets, 1, sem='relaxed')
    tl.store(tickets + 1 + t, pid)
""", "--threads", "2", total=zeros(type, 9), tickets=zeros("i32", n + 1), n=n, grid=n)
    want = np.concatenate([[n], n * np.arange(1, 8), [0]]).astype(np.float64)
    if type == "bf16":        # counts in steps of 1 stop at 256
        assert BF16.decode(got.total)[0] == 256
    elif type == "f16":
        same(got.total[:4], want[:4].astype(np.float16))
    else:
        same(got.total, want.astype(NUMPY[type]))
    assert sorted(got.tickets[1:]) == list(range(n)) and got.tickets[0] == n


def test_atomics_return_the_old_value():
    for type in ("i32", "u32", "i64", "u64"):
        ops = ("add", "max", "min", "and", "or", "xor", "xchg")
        x = np.array([12, 5, 200, 0b1100, 0b1010, 0b0110, 77, 3] * len(ops), NUMPY[type])
        v = np.array([5, 9, 100, 0b1010, 0b0101, 0b1111, 1, 3], NUMPY[type])
        body = "".join("    tl.store(old + %d * 8 + offs, tl.atomic_%s(x + %d * 8 + offs, v, mask=offs != 7))\n" % (i, op, i) for i, op in enumerate(ops))
        got = run("@triton.jit\ndef k(x, v_ptr, old):\n    offs = tl.arange(0, 8)\n    v = tl.load(v_ptr + offs)\n" + body,
                  x=x, v_ptr=v, old=zeros(type, x.size))
        f = {"add": np.add, "max": np.maximum, "min": np.minimum, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "xchg": lambda a, b: b}
        for i, op in enumerate(ops):
            row = x[:8]
            new = np.where(np.arange(8) != 7, f[op](row, v), row)
            same(got.x[8 * i:8 * i + 8], new.astype(NUMPY[type]))
            same(got.old[8 * i:8 * i + 7], row[:7])


def test_atomic_extrema_of_floats_and_negative_numbers():
    for type in ("f32", "f64", "i32", "i64"):
        x = np.array([1, -1, -5, 0, 3, -3, 100, -100], NUMPY[type])
        v = np.array([-2, 2, -3, -1, 3, -4, 200, -200], NUMPY[type])
        got = run("""
@triton.jit
def k(x, y, v_ptr, hi, lo):
    offs = tl.arange(0, 8)
    v = tl.load(v_ptr + offs)
    tl.atomic_max(x + offs, v)
    tl.atomic_min(y + offs, v)
    tl.atomic_max(hi + offs * 0, v)
    tl.atomic_min(lo + offs * 0, v)
""", x=x, y=x, v_ptr=v, hi=np.full(1, -7, NUMPY[type]), lo=np.full(1, 7, NUMPY[type]))
        same(got.x, np.maximum(x, v))
        same(got.y, np.minimum(x, v))
        assert got.hi[0] == 200 and got.lo[0] == -200
    u = np.array([2 ** 31, 5], np.uint32)
    got = run("@triton.jit\ndef k(x):\n    i = tl.arange(0, 2)\n    tl.atomic_max(x + i, (i + 7).to(tl.uint32))\n", x=u)
    assert list(got.x) == [2 ** 31, 8]


def test_atomic_cas_and_locks():
    n = 100
    got = run("""
@triton.jit
def k(lock, data, n):
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    v = tl.load(data)
    tl.store(data, v + 1)
    tl.store(data + 1 + tl.program_id(0), v)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)
""", "--threads", "2", lock=zeros("i32", 1), data=zeros("i32", n + 1), n=n, grid=n)
    assert got.lock[0] == 0 and got.data[0] == n and sorted(got.data[1:]) == list(range(n))
    got = run("""
@triton.jit
def k(x, old):
    i = tl.arange(0, 4)
    tl.store(old + i, tl.atomic_cas(x + i, i * 2, i + 100))
""", x=np.array([0, 1, 4, 6], np.int64), old=zeros("i64", 4))
    assert list(got.x) == [100, 1, 102, 103] and list(got.old) == [0, 1, 4, 6]


def test_atomics_with_duplicate_addresses_in_one_tile():
    got = run("""
@triton.jit
def k(x):
    offs = tl.arange(0, 1024)
    tl.atomic_add(x + offs % 5, offs)
    tl.atomic_add(x + 5, 1.5)
    tl.atomic_add(x + 6 + offs * 0, 1)
""", x=zeros("f32", 8), grid=3)
    i = np.arange(1024)
    same(got.x, np.array([3 * i[i % 5 == j].sum() for j in range(5)] + [4.5, 3072, 0], np.float32))


@pytest.mark.parametrize("call,type", [("atomic_add", "i8"), ("atomic_max", "f16"), ("atomic_and", "f32"), ("atomic_add", "i16"), ("atomic_xor", "u8"), ("atomic_min", "bf16")])
def test_atomics_that_do_not_exist(call, type):
    x = Typed(np.zeros(2, np.uint16), "bf16") if type == "bf16" else np.zeros(2, NUMPY[type])
    fails("@triton.jit\ndef k(x):\n    tl.%s(x, 1)\n" % call, 1, "kernel.py:7:", call, x=x)


def test_hints_change_nothing():
    x = np.arange(100, dtype=np.float32)
    got = run("""
@triton.jit
def k(x, out, n):
    tl.assume(n > 0)
    offs = tl.max_contiguous(tl.multiple_of(tl.program_id(0) * 64 + tl.arange(0, 64), 64), 64)
    v = tl.load(x + offs, mask=offs < n, eviction_policy='evict_last', cache_modifier='.cg', volatile=True)
    tl.debug_barrier()
    tl.store(out + offs, v, mask=offs < n, eviction_policy='evict_first', cache_modifier='.wb')
""", x=x, out=zeros("f32", 100), n=100, grid=2)
    same(got.out, x)


def test_element_types_of_pointers():
    got = run("""
@triton.jit
def k(h, b, out):
    tl.store(out + 0, h.dtype.element_ty == tl.float16)
    tl.store(out + 1, b.dtype.element_ty.primitive_bitwidth)
    tl.store(out + 2, h.type.element_ty.is_fp16())
    tl.store(out + 3, h.dtype.is_ptr())
    tl.store(out + 4, tl.load(h).dtype.is_floating())
""", h=np.zeros(1, np.float16), b=np.zeros(1, np.int64), out=zeros("i32", 5))
    assert list(got.out) == [1, 64, 1, 1, 1]
    assert TL["f16"] == "tl.float16"
