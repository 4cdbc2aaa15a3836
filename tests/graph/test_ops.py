"""Each op of the table against PyTorch, over seeded shapes, strides, types and broadcasting. An op without a case here or in expanded_cases.py fails."""
import os
import re

import numpy as np
import pytest
import torch

import expanded_cases  # noqa: F401
import image_cases  # noqa: F401
from aten import AtenGraph
from draw import ALL, CASES, FLOATS, INTS, Draw, aten, bf16, binary, case, f16, f32, f64, i1, i32, i64, u8, unary
from scatter_cases import some_indices

OPS_DEF = os.path.join(os.path.dirname(__file__), "..", "..", "graph", "ops.def")
TABLE = re.findall(r'^KD_GOP\(\w+, "(\w+\.\w+(?:\.\w+)?)"', open(OPS_DEF, encoding="utf-8").read(), re.M)


unary("neg.default abs.default sign.default square.default", ALL[:-1])
unary("relu.default", ALL[:-1])
unary("exp expm1 exp2 sin cos tan tanh sinh cosh erf erfc sigmoid silu hardswish hardsigmoid mish atan asinh", FLOATS)
unary("log log2 log10 sqrt rsqrt reciprocal log1p", FLOATS, 0.1, 4.0)
unary("acosh", FLOATS, 1.1, 4.0)
unary("asin acos atanh", FLOATS, -0.9, 0.9)
unary("floor ceil trunc round frac", FLOATS)
unary("gelu.default leaky_relu.default hardtanh.default elu.default softplus.default hardshrink.default softshrink.default", FLOATS)
unary("isnan isinf", FLOATS)
unary("logical_not", ALL + (i1,))
unary("bitwise_not", INTS + (i1,))
unary("clone contiguous lift_fresh_copy alias detach", ALL + (i1,))
unary("add.Scalar sub.Scalar mul.Scalar rsub.Scalar", (f32, f16, bf16, i64), args=lambda d: (d.pick(2, 3, -1),))
unary("div.Scalar", (f32, f16, bf16, i64), args=lambda d: (d.pick(2.5, 3, -1),))
unary("remainder.Scalar fmod.Scalar", (f32, i64), args=lambda d: (d.pick(2, 3, -2),))
unary("eq.Scalar ne.Scalar lt.Scalar le.Scalar gt.Scalar ge.Scalar", ALL, args=lambda d: (d.pick(0, 1, 2),))
unary("bitwise_and.Scalar bitwise_or.Scalar", (i64, i32), args=lambda d: (d.pick(1, 6),))
unary("clamp_min.default clamp_max.default", (f32, i64, f16), args=lambda d: (d.pick(-1, 1),))
unary("threshold.default", (f32, f16), args=lambda d: (0.5, -2.0))
unary("clamp.default", (f32, i64, f16), args=lambda d: d.pick((-1, 1), (None, 1), (-1, None)))
unary("pow.Tensor_Scalar", (f32, f64), 0.1, 3.0, args=lambda d: (d.pick(2, 3, 0.5, -0.5, -1, 1.7, 1),))
binary("add.Tensor sub.Tensor rsub.Tensor", (f32, f64, i64, i32), args=lambda d: d.pick({}, {"alpha": 2}))
binary("add.Tensor sub.Tensor rsub.Tensor mul.Tensor maximum.default minimum.default", (f32, f64, f16, bf16, i64, i32))
binary("div.Tensor", ALL, 0.5, 3.0)
binary("eq.Tensor ne.Tensor lt.Tensor le.Tensor gt.Tensor ge.Tensor", ALL)
binary("logical_and.default logical_or.default logical_xor.default", ALL + (i1,))
binary("bitwise_and.Tensor bitwise_or.Tensor bitwise_xor.Tensor", (i64, i32, i1))
binary("div.Tensor_mode", (f32, i64, i32), 0.5, 3.0, args=lambda d: {"rounding_mode": d.pick("floor", "trunc")})
binary("floor_divide.default remainder.Tensor fmod.Tensor", (f32, i64), 0.5, 3.0)


@pytest.mark.parametrize("op", ["floor_divide.default", "remainder.Tensor"])
def test_floor_of_quotients_that_round_up(kdsl, tmp_path, op):
    """1 / 0.1 is 10 in f32, but 0.1 there is more than a tenth; 99 + 100 is no i8."""
    g = AtenGraph()
    x, y = torch.tensor([1.0, 6.0, -1.0, -0.3, 7.5, 2.0, -2.0]), torch.tensor([0.1, 0.2, 0.1, 0.1, -2.5, float("inf"), float("inf")])
    g.op(find("aten." + op), g.input(x), g.input(y))
    for dtype, a, b in ((torch.int8, 99, 100), (torch.int8, -99, 100), (torch.uint8, 200, 250), (torch.int32, 5, 2**31 - 1)):
        g.op(find("aten." + op), g.input(torch.tensor([a, 7], dtype=dtype)), g.input(torch.tensor([b, 3], dtype=dtype)))
    g.check(kdsl, tmp_path)
binary("clamp_min.Tensor clamp_max.Tensor atan2.default", (f32, f64), mixed=False)
binary("pow.Tensor_Tensor", (f32, f64), 0.1, 3.0)


binary("fmax.default fmin.default", (f32, f64, i64))
binary("hypot.default", (f32, f64))
binary("copysign.Tensor", (f32, f64, i32))
unary("erfinv", (f32, f64), -0.9, 0.9)
unary("lgamma", (f32, f64), 0.5, 4.0)
unary("bitwise_xor.Scalar", (i64, i32), args=lambda d: (d.pick(1, 6),))


@case("aten.div.Scalar_mode")
def div_scalar_mode(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(f32, i64)), d.pick(2, 3, -2), rounding_mode=d.pick("floor", "trunc"))


SHIFTS = ["bitwise_left_shift.Tensor", "bitwise_right_shift.Tensor", "__lshift__.Tensor", "__rshift__.Tensor"]
SCALAR_SHIFTS = ["bitwise_left_shift.Tensor_Scalar", "bitwise_right_shift.Tensor_Scalar", "__lshift__.Scalar", "__rshift__.Scalar"]


@case(*[f"aten.{name}" for name in SHIFTS + SCALAR_SHIFTS])
def shift(d, op):
    shape, dtype = d.shape(), d.pick(i64, i32, u8, torch.int8)
    x = d.tensor(shape, dtype)
    if "Scalar" in str(op):
        d.graph.op(op, x, d.pick(0, 1, 3, 70))
    else:
        d.graph.op(op, x, d.graph.input(torch.from_numpy(np.asarray(d.rng.integers(-1 if dtype != u8 else 0, 70, d.broadcast(shape)))).to(dtype)))


@case("aten.pow.Scalar")
def pow_scalar(d, op):
    d.graph.op(op, d.pick(2, 2.5), d.tensor())


@case("aten.gelu.default")
def gelu(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(f32, f16, bf16)), approximate=d.pick("none", "tanh"))


@case("aten.clamp.Tensor")
def clamp_tensor(d, op):
    shape = d.shape()
    d.graph.op(op, d.tensor(shape), d.pick(None, d.tensor(d.broadcast(shape))), d.tensor(d.broadcast(shape)))


@case("aten.addcmul.default", "aten.addcdiv.default")
def addcmul(d, op):
    shape = d.shape()
    d.graph.op(op, d.tensor(shape), d.tensor(d.broadcast(shape)), d.tensor(shape, low=0.5), value=d.pick(1, 2.5))


@case("aten.lerp.Scalar", "aten.lerp.Tensor")
def lerp(d, op):
    shape = d.shape()
    d.graph.op(op, d.tensor(shape), d.tensor(shape), 0.3 if "Scalar" in str(op) else d.tensor(d.broadcast(shape)))


@case("aten._prelu_kernel.default")
def prelu(d, op):
    d.graph.op(op, d.tensor([3, 4, 5]), d.tensor([1, 4, 1]))


@case("aten.glu.default")
def glu(d, op):
    d.graph.op(op, d.tensor([4, 6, 8], d.pick(f32, bf16)), d.dim(3))


@case("aten.log_sigmoid_forward.default")
def log_sigmoid(d, op):
    d.graph.op(op, d.tensor())
    d.graph.outputs.pop()
    d.graph.nodes[-1]["out"][1] = None


@case("aten.where.self")
def where(d, op):
    shape, dtype = d.shape(), d.pick(f32, i64, bf16)
    d.graph.op(op, d.tensor(d.broadcast(shape), i1), d.tensor(shape, dtype), d.tensor(d.broadcast(shape), dtype))


@case("aten.masked_fill.Scalar", "aten.masked_fill.Tensor")
def masked_fill(d, op):
    shape = d.shape()
    d.graph.op(op, d.tensor(shape), d.tensor(d.broadcast(shape), i1), -1.5 if "Scalar" in str(op) else d.tensor([]))


@case("aten._to_copy.default", n=20)
def to_copy(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(*ALL, i1), low=0.0), dtype=d.pick(*ALL, i1))


@case("aten.to.dtype")
def to_dtype(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(*ALL), low=0.0), d.pick(f32, bf16, i32))


@case("aten.copy.default")
def copy(d, op):
    shape = d.shape()
    d.graph.op(op, d.tensor(shape, d.pick(f32, bf16)), d.tensor(d.broadcast(shape)))


# ---- values from nothing ----

@case("aten.full.default")
def full(d, op):
    d.graph.op(op, d.shape(), d.pick(2, 2.5, True, -1), **d.pick({}, {"dtype": d.pick(f32, i64, bf16, i1)}))


@case("aten.zeros.default", "aten.ones.default")
def zeros(d, op):
    d.graph.op(op, d.shape(), **d.pick({}, {"dtype": d.pick(i64, i1, f16)}))


@case("aten.empty.memory_format", "aten.empty_like.default", "aten.new_empty.default", n=1)
def empty(d, op):
    args = ([3, 4],) if "memory_format" in str(op) else (d.tensor([3, 4]),) + (([2, 3],) if "new" in str(op) else ())
    y = d.graph.op(op, *args)
    d.graph.outputs.pop()
    d.graph.op(aten.mul.Tensor, y, 0)        # whatever it holds


@case("aten.scalar_tensor.default")
def scalar_tensor(d, op):
    d.graph.op(op, d.pick(2, 2.5), **d.pick({}, {"dtype": d.pick(f32, i64)}))


@case("aten.zeros_like.default", "aten.ones_like.default")
def zeros_like(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(f32, i64)), **d.pick({}, {"dtype": f16}))


@case("aten.full_like.default", "aten.fill.Scalar")
def full_like(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(f32, i64, bf16)), 3)


@case("aten.zero.default")
def zero(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(f32, i64, bf16)))


@case("aten.fill.Tensor")
def fill_tensor(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(f32, bf16)), d.tensor([]))


@case("aten.new_zeros.default", "aten.new_ones.default")
def new_zeros(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(f32, i64)), d.shape())


@case("aten.new_full.default")
def new_full(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(f32, i64)), d.shape(), 3)


@case("aten.arange.default", "aten.arange.start", "aten.arange.start_step")
def arange(d, op):
    args = {"default": ((7,), (3.5,)), "start": ((2, 9), (0.5, 4.0)), "start_step": ((2, 40, 3), (1.0, 3.0, 0.25), (10, 0, -1))}
    d.graph.op(op, *d.pick(*args[str(op).split(".")[-1]]), **d.pick({}, {"dtype": d.pick(f32, i32)}))


# ---- put together, and picked by index ----

@case("aten.cat.default", n=12)
def cat(d, op):
    shape, dtype = d.shape(1), d.pick(f32, i64, bf16)
    dim = d.dim(len(shape))
    parts = []
    for _ in range(int(d.rng.integers(1, 5))):
        shape[dim] = int(d.rng.integers(0, 9))
        parts.append(d.tensor(list(shape), dtype))
    d.graph.op(op, parts, dim)


@case("aten.stack.default")
def stack(d, op):
    shape = d.shape(0, 3)
    d.graph.op(op, [d.tensor(shape) for _ in range(int(d.rng.integers(1, 4)))], d.dim(len(shape) + 1))


@case("aten.constant_pad_nd.default", n=10)
def pad(d, op):
    shape = d.shape(1, 4, 3)
    d.graph.op(op, d.tensor(shape), [int(p) for p in d.rng.integers(-1, 4, 2 * int(d.rng.integers(1, len(shape) + 1)))], d.pick(0, 1.5))


PADS = [f"aten.{kind}_pad{n}d.default" for kind in ("reflection", "replication") for n in (1, 2, 3)]


@case("aten.pad.default", *PADS, n=8)
def pad_with_what_is_there(d, op):
    n = int(d.rng.integers(1, 4)) if "aten.pad" in str(op) else int(re.search(r"(\d)d", str(op)).group(1))
    x = d.tensor([2, 3] + [6, 5, 7][:n], d.pick(f32, bf16))
    pad = [int(p) for p in d.rng.integers(0, 5, 2 * n)]
    d.graph.op(op, x, pad, *(d.pick(("reflect",), ("replicate",), ("circular",), ("constant", 1.5), ()) if "aten.pad" in str(op) else ()))


def upsampled(names, *args):
    for name in names:
        for overload in ("default", "vec"):
            case(f"aten.{name}.{overload}", n=8)(lambda d, op: upsample(d, op, *args))


def upsample(d, op, linear):
    name = str(op)
    n = int(re.search(r"(\d)d", name).group(1))
    x = d.tensor([2, 3] + [5, 4, 6][:n], d.pick(f32, bf16) if linear else d.pick(f32, u8))
    scale, corners = d.pick(2.0, 1.5, 3.0, 0.6), ([d.pick(False, True)] if linear else [])
    size = [int(s * scale) for s in x.tensor.shape[2:]]
    if "vec" in name:
        d.graph.op(op, x, *d.pick([size, *corners, None], [None, *corners, [scale] * n]))
    else:
        d.graph.op(op, x, size, *corners, *d.pick([], [scale] * n))


upsampled([f"upsample_nearest{n}d" for n in (1, 2, 3)] + [f"_upsample_nearest_exact{n}d" for n in (1, 2, 3)], False)
upsampled(["upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"], True)


@case("aten.slice_scatter.default", n=10)
def slice_scatter(d, op):
    shape = d.shape(1, 3, 4, 9)
    dim = d.dim(len(shape))
    start, end, step = int(d.rng.integers(0, 3)), int(d.rng.integers(3, 9)), int(d.rng.integers(1, 4))
    part = list(shape)
    part[dim] = len(range(*slice(start, end, step).indices(shape[dim])))
    d.graph.op(op, d.tensor(shape), d.tensor(part), dim, start, end, step)


@case("aten.select_scatter.default")
def select_scatter(d, op):
    shape = d.shape(1, 3)
    dim = d.dim(len(shape)) % len(shape)
    d.graph.op(op, d.tensor(shape), d.tensor(shape[:dim] + shape[dim + 1:]), dim, int(d.rng.integers(-shape[dim], shape[dim])))


@case("aten.embedding.default")
def embedding(d, op):
    d.graph.op(op, d.tensor([9, 33], d.pick(f32, bf16)), d.indices(d.shape(0, 3), 9, d.pick(i64, i32)))


@case("aten.gather.default")
def gather(d, op):
    shape = d.shape(1, 3, 2)
    dim = d.dim(len(shape))
    index = [int(d.rng.integers(1, s + 1)) for s in shape]
    index[dim] = int(d.rng.integers(1, 12))
    d.graph.op(op, d.tensor(shape), dim, d.indices(index, shape[dim]))


@case("aten.index_select.default")
def index_select(d, op):
    shape = d.shape(1, 3)
    dim = d.dim(len(shape))
    d.graph.op(op, d.tensor(shape), dim, d.indices([int(d.rng.integers(1, 12))], shape[dim], d.pick(i64, i32)))


@case("aten.index.Tensor", "aten._unsafe_index.Tensor", n=12)
def index(d, op):
    shape = d.shape(2, 4, 2)
    d.graph.op(op, d.tensor(shape), some_indices(d, shape, d.pick([0], [1], [0, 1], [len(shape) - 1], [0, len(shape) - 1])))


@case("aten.bucketize.Tensor")
def bucketize(d, op):
    bounds = d.graph.input(d.values([int(d.rng.integers(1, 9))], f32).sort()[0])
    x = d.values(d.shape(), f32)
    x.flatten()[0] = d.pick(0.0, float("nan"), bounds.tensor[0].item())
    d.graph.op(op, d.graph.input(x), bounds, out_int32=d.pick(False, True), right=d.pick(False, True))


@case("aten.searchsorted.Tensor")
def searchsorted(d, op):
    shape = d.shape(1, 3)
    bounds = d.values(d.pick([5], shape[:-1] + [6]), i64).sort()[0]
    d.graph.op(op, d.graph.input(bounds), d.tensor(shape, i64), **d.pick({}, {"right": True}, {"side": "right"}))


@case("aten._embedding_bag.default", "aten._embedding_bag_forward_only.default")
def embedding_bag(d, op):
    n, bags = int(d.rng.integers(1, 20)), int(d.rng.integers(1, 5))
    offsets = torch.from_numpy(np.sort(np.concatenate([[0], d.rng.integers(0, n + 1, bags - 1)])))
    mode, ends = d.pick(0, 1), d.pick(False, True)
    scale = d.graph.input(d.values([n], f32)) if mode == 0 and d.rng.random() < 0.5 else None
    d.graph.op(op, d.graph.input(d.values([9, 16], f32)), d.indices([n], 9), d.graph.input(torch.cat([offsets, torch.tensor([n])]) if ends else offsets),
               False, mode, False, scale, ends, d.pick(-1, 3))
    d.graph.nodes[-1]["out"][1:] = [None] * 3
    d.graph.outputs = d.graph.outputs[:-3]


@case("aten.triu.default", "aten.tril.default")
def triangle(d, op):
    d.graph.op(op, d.tensor(d.shape(2, 4), d.pick(f32, i64, i1)), int(d.rng.integers(-3, 4)))


# ---- reductions ----

@case("aten.sum.dim_IntList", "aten.mean.dim", "aten.amax.default", "aten.amin.default", n=12)
def reduce(d, op):
    shape = d.shape(0, 4)
    dtypes = (f32, f64, f16, bf16) + (() if "mean" in str(op) else (i64, i32))
    d.graph.op(op, d.tensor(shape, d.pick(*dtypes)), d.pick(d.dims(len(shape)), d.dims(len(shape)), []), bool(d.rng.random() < 0.5))


@case("aten.sum.default", "aten.mean.default", "aten.prod.default", "aten.max.default", "aten.min.default", "aten.any.default", "aten.all.default")
def reduce_all(d, op):
    name = str(op)
    dtypes = (i1, f32, i64) if "any" in name or "all" in name else (f32, f64) if "mean" in name or "prod" in name else (f32, f16, i64)
    shape = d.pick(d.shape(), d.shape(), [0, 4]) if "any" in name or "all" in name else d.shape()
    d.graph.op(op, d.tensor(shape, d.pick(*dtypes), 0.5, 1.2))


@case("aten.prod.dim_int", "aten.any.dim", "aten.all.dim")
def reduce_dim(d, op):
    shape = d.pick(d.shape(1, 4), d.shape(1, 4), [0, 4], [3, 0])
    d.graph.op(op, d.tensor(shape, d.pick(f32, i32) if "prod" in str(op) else d.pick(i1, f32)), d.dim(len(shape)), bool(d.rng.random() < 0.5))


@case("aten.any.dims", "aten.all.dims")
def reduce_dims(d, op):
    shape = d.shape(1, 4)
    d.graph.op(op, d.tensor(shape, i1), d.dims(len(shape)), True)


@case("aten.argmax.default", "aten.argmin.default", "aten.max.dim", "aten.min.dim", n=10)
def position(d, op):
    shape = d.shape(1, 4)
    x = d.values(shape, d.pick(f32, bf16, i64))
    x = with_specials(d, x)
    args = () if "arg" in str(op) and d.rng.random() < 0.3 else (d.dim(len(shape)), bool(d.rng.random() < 0.5))
    d.graph.op(op, d.graph.input(d.memory(x)), *args)


@case("aten.topk.default")
def topk(d, op):
    shape = d.shape(1, 3, 5, 9)
    x = torch.from_numpy(d.rng.permutation(int(np.prod(shape))).reshape(shape)).to(d.pick(f32, i64, torch.int8, u8))
    d.graph.op(op, d.graph.input(d.memory(x)), int(d.rng.integers(0, 6)), d.dim(len(shape)), bool(d.rng.random() < 0.5))


def with_specials(d, x):
    """A few elements that are no numbers, infinite, or zero with either sign."""
    if x.dtype.is_floating_point and d.rng.random() < 0.6:
        for i in d.rng.integers(0, x.numel(), 4):
            x.view(-1)[int(i)] = d.pick(float("nan"), float("inf"), -float("inf"), 0.0, -0.0)
    return x


@case("aten.sort.default", "aten.sort.stable", "aten.argsort.default", n=10)
def sort(d, op):
    shape = d.shape(0, 3, 3, 9)
    x = with_specials(d, d.values(shape, d.pick(f32, f64, bf16, i64, u8, i1)))
    if "stable" in str(op) or x.dim() == 0:
        d.graph.op(aten.sort.stable if "sort.default" in str(op) and "arg" not in str(op) else op, d.graph.input(d.memory(x)), **({"stable": True} if "stable" in str(op) else {}),
                   dim=d.dim(len(shape)), descending=d.pick(False, True))
        return
    flat = torch.from_numpy(d.rng.permutation(x.numel()).reshape(shape)).to(d.pick(f32, f16, i64, torch.int16))    # no ties: their order is not said
    d.graph.op(op, d.graph.input(d.memory(flat)), d.dim(len(shape)), d.pick(False, True))


@case("aten.topk.default")
def topk_of_many(d, op):
    x = torch.from_numpy(d.rng.permutation(300).reshape([3, 100])).to(f32)
    x[1, 7], x[2, 9] = float("nan"), float("inf")
    for largest in (True, False):
        d.graph.op(op, d.graph.input(x), 40, 1, largest)
        d.graph.op(op, d.graph.input(x), 3, 1, largest)
        d.graph.op(op, d.graph.input(x.half()), 1, 1, largest)


@case("aten.topk.default", "aten.sort.stable", n=4)
def order_in_long_rows(d, op):
    x = torch.from_numpy(d.rng.integers(-400, 400, [2, 1300])).to(d.pick(f32, i64, f64, torch.int16))     # with ties
    if "topk" not in str(op):
        d.graph.op(op, d.graph.input(x), stable=True, descending=d.pick(False, True))
        return
    x = torch.from_numpy(d.rng.permutation(x.numel()).reshape(x.shape)).to(x.dtype)
    d.graph.op(op, d.graph.input(x), d.pick(40, 1000), 1, d.pick(False, True))


@case("aten.var.correction", "aten.std.correction", "aten.var_mean.correction", n=8)
def variance(d, op):
    shape = d.shape(1, 4, 2)
    d.graph.op(op, d.tensor(shape, d.pick(f32, f64)), d.pick(d.dims(len(shape)), None), correction=d.pick(0, 0, 0.5), keepdim=bool(d.rng.random() < 0.5))


@case("aten.linalg_vector_norm.default", n=10)
def vector_norm(d, op):
    shape = d.shape(1, 4)
    d.graph.op(op, d.tensor(shape, d.pick(f32, bf16)), d.pick(2, 1, 0, 3, float("inf"), -float("inf")), d.pick(d.dims(len(shape)), None), bool(d.rng.random() < 0.5))


@case("aten.logsumexp.default")
def logsumexp(d, op):
    shape = d.shape(1, 4)
    d.graph.op(op, d.tensor(shape), d.dims(len(shape)), bool(d.rng.random() < 0.5))


@case("aten.cumsum.default", "aten.cumprod.default", n=12)
def scan(d, op):
    shape = d.pick(d.shape(0, 4), d.shape(0, 4), [0, 4], [3, 0])
    d.graph.op(op, d.tensor(shape, d.pick(f32, f64, i64, i32), 0.5, 1.3), d.dim(len(shape)))


@case("aten._softmax.default", "aten._log_softmax.default")
def softmax(d, op):
    shape, dtype = d.shape(0, 4), d.pick(f32, bf16, f64)
    d.graph.op(op, d.tensor(shape, dtype), d.dim(len(shape)), False)


@case("aten._safe_softmax.default", "aten.softmax.int", "aten.log_softmax.int")
def softmax_int(d, op):
    shape = d.shape(1, 4)
    x = d.values(shape, f32)
    if "safe" in str(op):
        x[0] = -float("inf")
    d.graph.op(op, d.graph.input(x), d.dim(len(shape)), **({} if "safe" in str(op) else d.pick({}, {"dtype": f64})))


@case("aten.native_layer_norm.default", "aten.layer_norm.default")
def layer_norm(d, op):
    shape, n = d.shape(2, 4), int(d.rng.integers(1, 3))
    d.graph.op(op, d.tensor(shape), shape[-n:], d.pick(None, d.tensor(shape[-n:])), d.pick(None, d.tensor(shape[-n:])), 1e-5)


@case("aten.native_group_norm.default")
def group_norm(d, op):
    n, groups, each, hw = (int(d.rng.integers(1, 5)) for _ in range(4))
    c = groups * each
    d.graph.op(op, *[v if v is None else d.graph.input(d.values(v, f32)) for v in ([n, c, hw, 5], d.pick(None, [c]), d.pick(None, [c]))], n, c, hw * 5, groups, 1e-5)


@case("aten._native_batch_norm_legit_no_training.default", "aten.batch_norm.default")
def batch_norm(d, op):
    c = int(d.rng.integers(1, 9))
    args = [d.tensor([2, c, 5, 3]), d.pick(None, d.tensor([c])), d.pick(None, d.tensor([c])), d.tensor([c]), d.tensor([c], low=0.5)]
    if "legit" in str(op):
        d.graph.op(op, *args, 0.1, 1e-5)
        d.graph.outputs = d.graph.outputs[:-2]
    else:
        d.graph.op(op, *args, False, 0.1, 1e-5, False)


@case("aten.native_dropout.default", n=2)
def dropout(d, op):
    d.graph.op(op, d.tensor(), 0.5, False)


# ---- views ----

@case("aten.view.default", "aten._unsafe_view.default", "aten.reshape.default")
def view(d, op):
    x = d.graph.input(d.values([4, 6, 10], f32))
    d.graph.op(op, x, d.pick([24, 10], [2, -1, 5], [240], [4, 6, 2, 5], [8, 30]))


@case("aten.flatten.using_ints", n=3)
def flatten(d, op):
    d.graph.op(op, d.graph.input(d.values([2, 3, 4, 5], f32)), *d.pick((), (1,), (1, 2), (-2, -1)))


@case("aten.unflatten.int", n=3)
def unflatten(d, op):
    d.graph.op(op, d.graph.input(d.values([2, 12, 5], f32)), 1, d.pick([3, 4], [2, -1], [2, 3, 2]))


@case("aten.expand.default")
def expand(d, op):
    d.graph.op(op, d.tensor([4, 1, 10]), d.pick([3, -1, 5, 10], [4, 3, 10], [-1, -1, -1]))


@case("aten.repeat.default")
def repeat(d, op):
    d.graph.op(op, d.tensor([4, 3]), d.pick([2, 1], [2, 3, 1], [1, 2]))


@case("aten.permute.default")
def permute(d, op):
    d.graph.op(op, d.tensor([4, 5, 6]), d.pick([2, 0, 1], [-1, 1, 0]))


@case("aten.transpose.int")
def transpose(d, op):
    d.graph.op(op, d.tensor([4, 5, 6]), d.dim(3), d.dim(3))


@case("aten.t.default")
def t(d, op):
    d.graph.op(op, d.tensor(d.pick([4, 6], [5])))


@case("aten.unsqueeze.default")
def unsqueeze(d, op):
    d.graph.op(op, d.tensor([4, 6]), d.dim(3))


@case("aten.squeeze.default", "aten.squeeze.dim", "aten.squeeze.dims")
def squeeze(d, op):
    d.graph.op(op, d.tensor([1, 4, 1]), *{"default": (), "dim": (d.dim(3),), "dims": ([0, 1],)}[str(op).split(".")[-1]])


@case("aten.select.int")
def select(d, op):
    d.graph.op(op, d.tensor([4, 5, 6]), d.dim(3), int(d.rng.integers(-4, 4)))


@case("aten.slice.Tensor")
def slice_(d, op):
    d.graph.op(op, d.tensor([9, 9]), d.dim(2), int(d.rng.integers(-9, 9)), int(d.rng.integers(-9, 20)), int(d.rng.integers(1, 4)))


@case("aten.diagonal.default")
def diagonal(d, op):
    x = d.tensor([4, 6, 5])
    y = d.graph.op(op, x, int(d.rng.integers(-3, 4)), *d.pick((0, 1), (2, 0), (-1, -2), ()))
    d.graph.op(aten.mul.Tensor, y, 2.0)


@case("aten.as_strided.default")
def as_strided(d, op):
    x = d.graph.op(aten.mul.Tensor, d.tensor(d.pick([4, 6], [2, 3, 4])), 2.0)
    x = x if not x.tensor.is_contiguous() or d.rng.random() < 0.5 else d.graph.op(aten.clone.default, x, memory_format=torch.contiguous_format)
    y = d.graph.op(op, x, *d.pick(([2, 3], [7, 2]), ([5, 4], [3, 1], 2), ([24], [1]), ([1, 24, 1, 1], [24, 1, 24, 24])))
    d.graph.op(aten.mul.Tensor, y, 2.0)


@case("aten.unfold.default")
def unfold(d, op):
    y = d.graph.op(op, d.tensor([4, 10]), d.pick(1, -1), d.pick(3, 1, 10), d.pick(1, 2, 3))
    d.graph.op(aten.mul.Tensor, y, 2.0)


@case("aten.split.Tensor", "aten.chunk.default", "aten.split_with_sizes.default", "aten.unsafe_split.Tensor", "aten.unsafe_split_with_sizes.default")
def split(d, op):
    d.graph.op(op, d.tensor([4, 10]), d.pick([3, 7], [1, 2, 7]) if "sizes" in str(op) else d.pick(3, 4, 5), 1)


@case("aten.unbind.int")
def unbind(d, op):
    d.graph.op(op, d.tensor([3, 4, 2]), d.dim(3))


@case("aten.flip.default")
def flip(d, op):
    x = d.tensor([3, 4, 5])
    y = d.graph.op(op, x, d.pick([0], [1, 2], [-1], []))
    d.graph.op(aten.mul.Tensor, d.graph.op(aten.reshape.default, y, [6, 10]), 2.0)


@case("aten.roll.default")
def roll(d, op):
    x = d.tensor([3, 4, 5])
    y = d.graph.op(op, x, *d.pick(([2],), ([1, -2], [0, 2]), ([7], [1]), ([-1], [-1])))
    d.graph.op(aten.mul.Tensor, d.graph.op(aten.reshape.default, y, [6, 10]), 2.0)


# ---- matrix products, convolutions, pooling, attention ----

@case("aten.mm.default", "aten.bmm.default", "aten.addmm.default", "aten.baddbmm.default")
def products(d, op):
    b, m, k, n = (int(d.rng.integers(1, 9)) for _ in range(4))
    batch = [b] if "bmm" in str(op) else []
    a, c = d.tensor(batch + [m, k]), d.tensor(batch + [k, n])
    if "add" not in str(op):
        d.graph.op(op, a, c)
        return
    self = d.pick(d.tensor(batch + [m, n]), d.tensor(batch + [m, n]) if batch else d.tensor([n]))
    d.graph.op(op, self, a, c, **d.pick({}, {"beta": 0.5, "alpha": 2}))


@case("aten.mm.default", "aten.bmm.default", "aten.addmm.default", "aten.matmul.default", n=3)
def products_of_whole_numbers(d, op):
    dtype, batch = d.pick(i64, i32, torch.int8, u8), [2] if "bmm" in str(op) or "matmul" in str(op) else []
    x, y = (d.graph.input(torch.from_numpy(d.rng.integers(-9 if dtype != u8 else 0, 9, batch + s)).to(dtype)) for s in ([5, 7], [7, 4]))
    d.graph.op(op, *([d.tensor([4], dtype)] if "add" in str(op) else []), x, y)


@case("aten.linear.default")
def linear(d, op):
    d.graph.op(op, d.tensor(d.shape(0, 3) + [7]), d.tensor([5, 7]), d.pick(None, d.tensor([5])))


@case("aten.matmul.default", n=10)
def matmul(d, op):
    a, b = d.pick(([3], [3]), ([4, 3], [3]), ([3], [3, 5]), ([4, 3], [3, 5]), ([2, 4, 3], [3, 5]), ([2, 4, 3], [2, 3, 5]),
                  ([2, 1, 4, 3], [6, 3, 5]), ([2, 6, 4, 3], [6, 3, 5]), ([5, 2, 4, 3], [3]))
    d.graph.op(op, d.tensor(a), d.tensor(b))


@case("aten.convolution.default")
def convolution(d, op):
    groups = d.pick(1, 2)
    d.graph.op(op, d.tensor([2, 4, 9, 8]), d.tensor([6, 4 // groups, 3, 3]), d.pick(None, d.tensor([6])), d.pick([1, 1], [2, 1]),
               d.pick([0, 0], [1, 2]), d.pick([1, 1], [2, 2]), False, [0, 0], groups)


@case("aten.convolution.default")
def transposed_convolution(d, op):
    n, groups = d.pick(1, 2, 3), d.pick(1, 2)
    stride = d.pick(1, 2, 3)
    d.graph.op(op, d.tensor([2, 4] + [5] * n), d.tensor([4, 6 // groups] + [3] * n), d.pick(None, d.tensor([6])), [stride] * n, [d.pick(0, 1)] * n,
               [d.pick(1, 2)] * n, True, [d.pick(0, stride - 1)] * n, groups)


@case("aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input", n=3)
def conv_transpose(d, op):
    n = int(str(op)[19])
    d.graph.op(op, d.tensor([2, 4] + [5] * n), d.tensor([4, 3] + [4] * n), d.pick(None, d.tensor([6])), [2] * n, [1] * n, [d.pick(0, 1)] * n, 2, [1] * n)


@case("aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default", n=3)
def conv(d, op):
    n = int(str(op)[9])
    d.graph.op(op, d.tensor([2, 4] + [7] * n), d.tensor([6, 2] + [3] * n), d.pick(None, d.tensor([6])), [d.pick(1, 2)] * n, [1] * n, [1] * n, 2)


def image(d, n, dtype=f32):
    return d.tensor(d.pick([2, 3], [3]) + [9, 8, 7][:n], dtype)


@case("aten.max_pool1d.default", "aten.max_pool2d.default", "aten.max_pool3d.default", "aten.max_pool2d_with_indices.default",
      "aten.max_pool3d_with_indices.default")
def max_pool(d, op):
    n = int(re.search(r"(\d)d", str(op)).group(1))
    x = image(d, n, d.pick(f32, f32, f64))
    if "with" in str(op):                                   # no ties: oneDNN and PyTorch agree on values only
        x = d.graph.input(torch.from_numpy(d.rng.permutation(x.tensor.numel()).reshape(x.tensor.shape)).to(x.tensor.dtype))
    d.graph.op(op, x, [3, 2, 2][:n], *d.pick((), ([2] * n, [1] * n), ([2, 1, 2][:n], [1, 1, 0][:n], [1] * n, True), ([2] * n, [0] * n, [2] * n)))


@case("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default", n=12)
def avg_pool(d, op):
    n = int(str(op)[13])
    d.graph.op(op, image(d, n), [3, 2, 2][:n], d.pick([], [2] * n, [2, 3, 1][:n]), d.pick([0] * n, [1] * n, [1, 0, 1][:n]), d.pick(False, True),
               d.pick(False, True), *([d.pick(None, None, 5)] if n > 1 else []))


@case("aten.adaptive_avg_pool1d.default", "aten._adaptive_avg_pool2d.default", "aten.adaptive_avg_pool2d.default", "aten._adaptive_avg_pool3d.default",
      "aten.adaptive_avg_pool3d.default")
def adaptive(d, op):
    n = int(re.search(r"(\d)d", str(op)).group(1))
    d.graph.op(op, d.tensor([2, 3] + [8, 12, 6][:n], d.pick(f32, bf16)), d.pick([1, 1, 1], [4, 3, 2], [3, 5, 4], [8, 12, 6], [1, 4, 6], [11, 20, 7], [5, 7, 4], [6, 9, 5])[:n])


@case("aten.scaled_dot_product_attention.default", "aten._scaled_dot_product_flash_attention_for_cpu.default", n=16)
def attention(d, op):
    length, others, width = d.pick(1, 5, 33), d.pick(33, 33, 1), d.pick(16, 16, 1)
    q, k, v = (d.graph.input(d.values([2, 4, n, width], f32)) for n in (length, others, others))
    mask = d.pick(None, d.graph.input(d.values([2, 1, length, others], f32)))
    causal = mask is None and d.rng.random() < 0.5
    kw = {"scale": d.pick(None, 0.2)}
    if "cpu" in str(op):
        d.graph.op(op, q, k, v, 0.0, causal, attn_mask=mask, **kw)
        d.graph.outputs.pop()
        return
    if mask is not None and d.rng.random() < 0.5:
        mask = d.graph.input(d.values([length, others], i1))
    d.graph.op(op, q, k, v, mask, 0.0, causal, **kw)


ELSEWHERE = {     # PyTorch computes these on GPUs only, or in newer versions only; they become what others become
    "aten._fused_rms_norm.default",
    "aten._scaled_dot_product_flash_attention.default", "aten._scaled_dot_product_efficient_attention.default",
    "aten._scaled_dot_product_fused_attention_overrideable.default"}


def test_every_op_has_a_case():
    assert len(TABLE) > 200
    assert not [name for name in TABLE if name not in CASES and not name.startswith("kdsl.") and name not in ELSEWHERE]
    assert not [name for name in CASES if name not in TABLE]


def find(name):
    library, op, overload = name.split(".")
    return getattr(getattr(getattr(torch.ops, library), op), overload)


def groups(names, size=12):
    names = sorted(names)
    return [names[i:i + size] for i in range(0, len(names), size)]


@pytest.mark.parametrize("names", groups(CASES), ids=lambda names: names[0].split(".")[1])
def test_op(kdsl, tmp_path, names):
    g = AtenGraph()
    for name in names:
        for fn, n in CASES[name]:
            for i in range(n):
                fn(Draw(sum(map(ord, name)) * 100 + i, g), find(name))
    g.check(kdsl, tmp_path)
