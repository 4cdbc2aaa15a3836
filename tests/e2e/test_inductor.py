"""Kernels in the shape in which PyTorch's Inductor writes them: its helper module is part of our library."""
import numpy as np
from kernel import run, same, zeros

HEADER = """
import triton
import triton.language as tl
from torch._inductor.runtime import triton_helpers, triton_heuristics
from torch._inductor.runtime.triton_helpers import libdevice, math as tl_math
from torch._inductor.runtime.hints import AutotuneHint, ReductionHint, TileHint, DeviceProperties
triton_helpers.set_driver_to_gpu()


"""

LAYER_NORM = HEADER + """
@triton_heuristics.reduction(
    size_hints={'x': 16, 'r0_': 256},
    reduction_hint=ReductionHint.INNER,
    filename=__file__,
    triton_meta={'signature': {'in_ptr0': '*fp32', 'out_ptr2': '*fp32', 'xnumel': 'i32'}, 'device': DeviceProperties(type='xpu', index=0)},
    inductor_meta={'autotune_hints': set(), 'kernel_name': 'triton_red_norm'},
)
@triton.jit
def triton_red_norm(in_ptr0, out_ptr0, out_ptr1, out_ptr2, xnumel, r0_numel, XBLOCK : tl.constexpr, R0_BLOCK : tl.constexpr):
    xoffset = tl.program_id(0) * XBLOCK
    xindex = xoffset + tl.arange(0, XBLOCK)[:, None]
    xmask = xindex < xnumel
    r0_base = tl.arange(0, R0_BLOCK)[None, :]
    tmp2_mean = tl.zeros([XBLOCK, R0_BLOCK], tl.float32)
    tmp2_m2 = tl.zeros([XBLOCK, R0_BLOCK], tl.float32)
    tmp2_weight = tl.zeros([XBLOCK, R0_BLOCK], tl.float32)
    _tmp3 = tl.full([XBLOCK, R0_BLOCK], float("-inf"), tl.float32)
    for r0_offset in range(0, r0_numel, R0_BLOCK):
        r0_index = r0_offset + r0_base
        r0_mask = r0_index < r0_numel
        tmp0 = tl.load(in_ptr0 + (r0_index + r0_numel*xindex), r0_mask & xmask, eviction_policy='evict_first', other=0.0)
        tmp1 = tl.broadcast_to(tmp0, [XBLOCK, R0_BLOCK])
        tmp2_mean_next, tmp2_m2_next, tmp2_weight_next = triton_helpers.welford_reduce(
            tmp1, tmp2_mean, tmp2_m2, tmp2_weight, r0_offset == 0
        )
        tmp2_mean = tl.where(r0_mask & xmask, tmp2_mean_next, tmp2_mean)
        tmp2_m2 = tl.where(r0_mask & xmask, tmp2_m2_next, tmp2_m2)
        tmp2_weight = tl.where(r0_mask & xmask, tmp2_weight_next, tmp2_weight)
        _tmp3 = tl.where(r0_mask & xmask, triton_helpers.maximum(_tmp3, tmp1), _tmp3)
    tmp4, tmp5, tmp6 = triton_helpers.welford(tmp2_mean, tmp2_m2, tmp2_weight, 1)
    tmp7 = tmp4[:, None]
    tmp8 = tmp5[:, None]
    tmp3 = triton_helpers.max2(_tmp3, 1)[:, None]
    tl.store(out_ptr0 + (xindex), tmp7, xmask)
    tl.store(out_ptr1 + (xindex), libdevice.rsqrt(tmp8 / r0_numel + 1e-05), xmask)
    tl.store(out_ptr2 + (xindex), tmp3, xmask)
"""


def test_welford_and_maximum():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((10, 300)).astype(np.float32) + 7
    x[3, 5] = np.nan
    got = run(LAYER_NORM, in_ptr0=x, out_ptr0=zeros("f32", 10), out_ptr1=zeros("f32", 10), out_ptr2=zeros("f32", 10), xnumel=10, r0_numel=300,
              XBLOCK=4, R0_BLOCK=128, grid="cdiv(10, 4)")
    wide = x.astype(np.float64)
    np.testing.assert_allclose(got.out_ptr0, wide.mean(1), rtol=2e-6)
    np.testing.assert_allclose(got.out_ptr1, 1 / np.sqrt(wide.var(1) + 1e-5), rtol=2e-5)
    same(got.out_ptr2, x.max(1))


def test_integers_round_down():
    a = np.array([7, -7, 7, -7, 6, -6, 0, 1], np.int32)
    b = np.array([2, 2, -2, -2, 3, 3, 5, -9], np.int32)
    got = run(HEADER + """
@triton.jit
def k(a, b, q, r, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(a + i)
    y = tl.load(b + i)
    tl.store(q + i, triton_helpers.div_floor_integer(x, y))
    tl.store(r + i, triton_helpers.remainder_integer(x, y))
""", a=a, b=b, q=zeros("i32", 8), r=zeros("i32", 8), N=8)
    same(got.q, a // b)
    same(got.r, a % b)


def test_extremes_with_index():
    x = np.array([[3, 9, 9, 1], [2, np.nan, 5, np.nan], [4, 4, 4, 4]], np.float32)
    x = np.vstack([x, [[-1, -2, -3, -3]]]).astype(np.float32)
    got = run(HEADER + """
@triton.jit
def k(x, most, at_most, least, at_least, any_big, product, ROWS: tl.constexpr, N: tl.constexpr):
    row = tl.arange(0, ROWS)
    at = row[:, None] * N + tl.arange(0, N)[None, :]
    value = tl.load(x + at)
    index = tl.broadcast_to(tl.arange(0, N)[None, :], [ROWS, N])
    v, i = triton_helpers.max_with_index(value, index, 1)
    tl.store(most + row, v)
    tl.store(at_most + row, i)
    v, i = triton_helpers.min_with_index(value, index, 1)
    tl.store(least + row, v)
    tl.store(at_least + row, i)
    tl.store(any_big + row, triton_helpers.any((value > 8).to(tl.int32), 1))
    tl.store(product + row, triton_helpers.prod(value, 1))
""", x=x, most=zeros("f32", 4), at_most=zeros("i32", 4), least=zeros("f32", 4), at_least=zeros("i32", 4), any_big=zeros("i32", 4),
              product=zeros("f32", 4), ROWS=4, N=4)
    same(got.most, x.max(1))
    same(got.least, x.min(1))
    assert got.at_most.tolist() == [1, 1, 0, 0] and got.at_least.tolist() == [3, 1, 0, 2]
    assert got.any_big.tolist() == [1, 0, 0, 0]
    same(got.product, x.prod(1))
