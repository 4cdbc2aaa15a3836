"""Cases of test_ops.py for the ops that are written out as others when a graph is read, and their like."""
import re

import numpy as np
import torch

from draw import FLOATS, aten, bf16, binary, case, f32, f64, i1, i32, i64, unary

unary("absolute negative positive fix sgn real conj resolve_conj resolve_neg", (f32, i64, bf16))
unary("arccos arcsin arctanh", FLOATS, -0.9, 0.9)
unary("arctan arcsinh rad2deg deg2rad sinc selu log_sigmoid isreal special_exp2 special_expm1 special_expit special_erf special_erfc special_sinc "
      "special_ndtr special_entr", FLOATS)
unary("arccosh", FLOATS, 1.1, 4.0)
unary("special_erfinv", (f32, f64), -0.9, 0.9)
unary("special_log1p special_gammaln", (f32, f64), 0.5, 4.0)
unary("celu", FLOATS, args=lambda d: (d.pick(1.0, 0.5),))
unary("rrelu", FLOATS)
unary("logit special_logit", (f32, f64), 0.1, 0.9, args=lambda d: d.pick((), (0.2,), (None,)))
unary("signbit isfinite", (f32, i64, bf16))
unary("isposinf isneginf", FLOATS)
unary("clip.default", (f32, i64), args=lambda d: d.pick((-1, 1), (None, 1)))
unary("multiply.Scalar divide.Scalar true_divide.Scalar subtract.Scalar greater.Scalar greater_equal.Scalar less.Scalar less_equal.Scalar "
      "not_equal.Scalar", (f32, i64), args=lambda d: (2,))
unary("__and__.Scalar __or__.Scalar __xor__.Scalar", (i64, i32), args=lambda d: (d.pick(1, 6),))
unary("xlogy.Scalar_Other float_power.Tensor_Scalar", (f32, f64), 0.1, 3.0, args=lambda d: (1.5,))
binary("multiply.Tensor divide.Tensor true_divide.Tensor arctan2.default xlogy.Tensor special_xlogy.default float_power.Tensor_Tensor", (f32, f64), 0.5, 3.0)
binary("subtract.Tensor", (f32, i64), args=lambda d: d.pick({}, {"alpha": 2}))
binary("greater.Tensor greater_equal.Tensor less.Tensor less_equal.Tensor not_equal.Tensor max.other min.other", (f32, i64))
binary("divide.Tensor_mode", (f32, i64), 0.5, 3.0, args=lambda d: {"rounding_mode": d.pick("floor", "trunc")})
binary("__and__.Tensor __or__.Tensor __xor__.Tensor", (i64, i32, i1))
binary("heaviside.default logaddexp.default logaddexp2.default", (f32, f64), mixed=False)
binary("isclose.default", (f32, i64), args=lambda d: {"rtol": d.pick(1e-5, 0.5), "atol": 0.1, "equal_nan": d.pick(True, False)}, mixed=False)
binary("ldexp.Tensor", (f32,))


@case("aten.signbit.default", "aten.isfinite.default", "aten.isposinf.default", "aten.isneginf.default", "aten.nan_to_num.default", n=3)
def of_specials(d, op):
    x = torch.tensor([1.5, -2.0, 0.0, -0.0, float("inf"), -float("inf"), float("nan")]).to(d.pick(f32, f64, bf16))
    if "signbit" in str(op):
        x = x[:-1]
    d.graph.op(op, d.graph.input(x), *(d.pick((), (1.0, 2.0, -2.0), (None, None, 3.0)) if "nan_to" in str(op) else ()))


@case("aten.divide.Scalar_mode")
def divide_scalar_mode(d, op):
    d.graph.op(op, d.tensor(dtype=d.pick(f32, i64)), 2, rounding_mode=d.pick("floor", "trunc"))


@case("aten.xlogy.Scalar_Self", "aten.float_power.Scalar")
def scalar_first(d, op):
    d.graph.op(op, 1.5, d.tensor(low=0.1))


@case("aten.clip.Tensor")
def clip_tensor(d, op):
    d.graph.op(op, d.tensor([3, 4]), d.tensor([4]), None)


@case("aten.prelu.default", n=3)
def prelu_by_channel(d, op):
    d.graph.op(op, *d.pick((d.tensor([2, 3, 4]), d.tensor([3])), (d.tensor([2, 3]), d.tensor([1])), (d.tensor([5]), d.tensor([1]))))


@case("aten.one_hot.default", n=2)
def one_hot(d, op):
    d.graph.op(op, d.indices(d.shape(0, 3), 7), 7)


@case("aten.ravel.default", "aten.fliplr.default", "aten.flipud.default", "aten.adjoint.default", "aten.mH.default", "aten.atleast_1d.default",
      "aten.atleast_2d.default", "aten.atleast_3d.default", "aten.numpy_T.default", "aten.matrix_H.default", n=3)
def other_places(d, op):
    rank = {"matrix_H": 2, "atleast": d.pick(0, 1, 2, 4), "numpy": d.pick(1, 2, 3)}.get(str(op).split(".")[1].split("_")[0] if "matrix" not in str(op) else "matrix_H", 3)
    d.graph.op(aten.mul.Tensor, d.graph.op(op, d.tensor(d.shape(rank, rank, 2))), 2.0)


@case("aten.swapaxes.default", "aten.swapdims.default", n=2)
def swapped(d, op):
    d.graph.op(op, d.tensor([3, 4, 5]), d.dim(3), d.dim(3))


@case("aten.movedim.int", "aten.moveaxis.int", "aten.movedim.intlist", "aten.moveaxis.intlist", n=3)
def movedim(d, op):
    d.graph.op(op, d.tensor([3, 4, 5, 2]), *(d.pick(([0, 1], [2, 0]), ([-1, 0], [0, -1]), ([2], [0])) if "list" in str(op) else (d.dim(4), d.dim(4))))


@case("aten.narrow.default", n=3)
def narrow(d, op):
    d.graph.op(op, d.tensor([4, 6]), *d.pick((1, 2, 3), (-2, 0, 4), (1, -3, 2)))


@case("aten.tile.default", "aten.broadcast_to.default", n=3)
def tile(d, op):
    d.graph.op(op, d.tensor([1, 3]), d.pick([2, 4, 3], [5, 3]))


@case("aten.repeat_interleave.self_int")
def repeat_interleave(d, op):
    d.graph.op(op, d.tensor([3, 4, 2], d.pick(f32, i64)), d.pick(1, 3, 0), *d.pick((), (1,), (-1,), (0,)))


@case("aten.rot90.default")
def rot90(d, op):
    d.graph.op(op, d.tensor([3, 4, 2]), int(d.rng.integers(-4, 6)), d.pick([0, 1], [1, 2], [2, 0], [-1, 0]))


@case("aten.diff.default", n=4)
def diff(d, op):
    d.graph.op(op, d.tensor([3, 5], d.pick(f32, i64)), *d.pick((), (2,), (1, 0), (0,), (7,)))
    d.graph.op(op, d.tensor([3, 5]), 1, -1, d.tensor([3, 1]), d.pick(None, d.tensor([3, 2])))


@case("aten.concat.default", "aten.concatenate.default", n=2)
def concat(d, op):
    d.graph.op(op, [d.tensor([2, 3]), d.tensor([4, 3])], 0)


@case("aten.hstack.default", "aten.vstack.default", "aten.row_stack.default", "aten.dstack.default", "aten.column_stack.default", n=4)
def joined(d, op):
    shape = d.shape(0, 3)
    d.graph.op(op, [d.tensor(shape) for _ in range(int(d.rng.integers(1, 4)))])


@case("aten.meshgrid.default", "aten.meshgrid.indexing", "aten.cartesian_prod.default", n=3)
def meshgrid(d, op):
    vectors = [d.tensor([int(d.rng.integers(1, 6))]) for _ in range(int(d.rng.integers(1, 4)))]
    d.graph.op(op, vectors, **({"indexing": d.pick("ij", "xy")} if "indexing" in str(op) else {}))


@case("aten.broadcast_tensors.default", n=2)
def broadcast_tensors(d, op):
    d.graph.op(op, [d.tensor([3, 1]), d.tensor([4]), d.tensor([])])


@case("aten.block_diag.default", n=2)
def block_diag(d, op):
    d.graph.op(op, [d.tensor([2, 3]), d.tensor([4]), d.tensor([]), d.tensor([1, 2])][:int(d.rng.integers(1, 5))])


@case("aten.linalg_diagonal.default", n=2)
def linalg_diagonal(d, op):
    d.graph.op(op, d.tensor([3, 4, 5]), offset=d.pick(0, 1, -1))


@case("aten.diag.default", "aten.diag_embed.default", "aten.diagflat.default", n=4)
def diag(d, op):
    x = d.tensor(d.pick([3, 4], [5]), d.pick(f32, i64))
    d.graph.op(op, x, d.pick(0, 1, -2), *(d.pick((), (0, 1), (1, 0)) if "embed" in str(op) else ()))


@case("aten.pixel_shuffle.default", "aten.pixel_unshuffle.default", "aten.channel_shuffle.default", "aten.native_channel_shuffle.default", n=2)
def pixels(d, op):
    d.graph.op(op, d.tensor(d.pick([2, 8, 4, 6], [8, 2, 4] if "pixel" in str(op) else [1, 8, 2, 4])), 2)


@case("aten.im2col.default", n=4)
def im2col(d, op):
    d.graph.op(op, d.tensor(d.pick([2, 3, 7, 8], [3, 7, 8])), [3, 2], d.pick([1, 1], [2, 1]), d.pick([0, 0], [1, 2]), d.pick([1, 1], [2, 3]))


@case("aten.eye.default", "aten.eye.m", n=2)
def eye(d, op):
    d.graph.op(op, 5, *([3] if ".m" in str(op) else []), **d.pick({}, {"dtype": i64}))


@case("aten.linspace.default", "aten.logspace.default", n=3)
def linspace(d, op):
    d.graph.op(op, d.pick(-1.0, 2), d.pick(2.5, 1), d.pick(7, 1, 2), **d.pick({}, {"dtype": f64}))


@case("aten.take.default", "aten.take_along_dim.default", n=3)
def take(d, op):
    x = d.tensor([3, 4])
    if "along" not in str(op):
        d.graph.op(op, x, d.indices([2, 5], 12, low=-12))
    else:
        d.graph.op(op, x, *d.pick((d.indices([1, 2], 4), 1), (d.indices([2, 4], 3), 0), (d.indices([3], 12),)))


@case("aten.index_add.default", "aten.index_copy.default", "aten.index_fill.int_Scalar", "aten.index_fill.int_Tensor", n=4)
def index_write(d, op):
    dim = d.pick(0, 1, -1)
    shape = [4, 5, 3]
    index = d.graph.input(torch.from_numpy(d.rng.permutation(shape[dim])[:2].copy()))
    shape[dim] = 2
    source = -1.5 if "Scalar" in str(op) else d.tensor([]) if "Tensor" in str(op) else d.tensor(shape)
    d.graph.op(op, d.tensor([4, 5, 3]), dim, index, source, **({"alpha": d.pick(1, 2)} if "add" in str(op) else {}))


@case("aten.embedding_bag.default", "aten.embedding_bag.padding_idx", n=2)
def embedding_bag_composite(d, op):
    tail = (False, 0, False, None, False, d.pick(None, 2)) if "padding" in str(op) else ()
    d.graph.op(op, d.graph.input(d.values([9, 16], f32)), d.indices([6], 9), d.graph.input(torch.tensor([0, 2])), *tail)
    d.graph.nodes[-1]["out"][1:] = [None] * 3
    d.graph.outputs = d.graph.outputs[:-3]


@case("aten.std.default", "aten.var.default", "aten.var_mean.default", "aten.std_mean.default", "aten.std.dim", "aten.var.dim", "aten.var_mean.dim",
      "aten.std_mean.dim", "aten.std_mean.correction", n=3)
def spread(d, op):
    x = d.graph.input(d.values([3, 4, 5], d.pick(f32, f64)))
    if "correction" in str(op):
        d.graph.op(op, x, [1], correction=d.pick(0, 2))
    else:
        d.graph.op(op, x, *([d.pick([1], [0, 2])] if ".dim" in str(op) else []), d.pick(True, False))


@case("aten.nansum.default", "aten.nanmean.default", n=4)
def nansum(d, op):
    x = d.values([4, 6], f32)
    x[1, 2] = x[3, 0] = float("nan")
    d.graph.op(op, d.graph.input(x), *d.pick((), ([1],), ([0], True)))


@case("aten.count_nonzero.default", "aten.count_nonzero.dim_IntList", "aten.trace.default", "aten.msort.default", n=3)
def counts(d, op):
    args = {"default": d.pick((), (1,)) if "count" in str(op) else (), "dim_IntList": ([0, 1],)}[str(op).split(".")[-1]]
    d.graph.op(op, d.tensor([4, 5], d.pick(f32, i64)), *args)


@case("aten.kthvalue.default", "aten.median.dim", "aten.median.default", n=8)
def order(d, op):
    whole = str(op) == "aten.median.default"
    shape = d.pick([5], [4, 5, 6], [40, 1000]) if whole else d.pick(d.shape(1, 3, 2, 9), [3, 1500])
    x = torch.from_numpy(d.rng.permutation(int(np.prod(shape))).reshape(shape)).to(d.pick(f32, i64, f64, bf16 if np.prod(shape) < 256 else f32))
    if x.dtype.is_floating_point and d.rng.random() < 0.4:
        x.view(-1)[int(d.rng.integers(x.numel()))] = float("nan")
    dim = d.dim(len(shape))
    args = () if whole else (dim, d.pick(False, True))
    d.graph.op(op, d.graph.input(d.memory(x)), *((int(d.rng.integers(1, shape[dim] + 1)),) if "kth" in str(op) else ()), *args)


@case("aten.cummax.default", "aten.cummin.default", n=8)
def running_extreme(d, op):
    shape = d.shape(0, 3, 2, 9)
    x = d.values(shape, d.pick(f32, i64, bf16))
    if x.dtype.is_floating_point and x.numel() and d.rng.random() < 0.5:
        x.view(-1)[int(d.rng.integers(x.numel()))] = d.pick(float("nan"), -float("inf"), float("inf"))
    d.graph.op(op, d.graph.input(d.memory(x)), d.dim(len(shape)))


@case("aten.histc.default", n=4)
def histc(d, op):
    """Numbers outside of the range and on its edges, too."""
    x = torch.cat([d.values(d.shape(0, 2, 1, 9), f32).reshape(-1) * 2, torch.tensor([-1.0, 1.0, 3.0])])
    d.graph.op(op, d.graph.input(x.to(d.pick(f32, f64))), d.pick(1, 4, 8), -1, d.pick(1, 3))


@case("aten.aminmax.default", n=4)
def aminmax(d, op):
    d.graph.op(op, d.tensor([4, 5, 3], d.pick(f32, i64)), **d.pick({}, {"dim": 1}, {"dim": -1, "keepdim": True}))


@case("aten.argsort.stable", n=2)
def argsort_stable(d, op):
    d.graph.op(op, d.tensor([4, 5], i64), stable=True, dim=d.pick(0, 1), descending=d.pick(False, True))


@case("aten.norm.Scalar", "aten.norm.ScalarOpt_dim", "aten.norm.ScalarOpt_dim_dtype", "aten.frobenius_norm.dim", "aten.linalg_norm.default", n=3)
def norms(d, op):
    x, name = d.tensor([4, 5, 3]), str(op)
    args = {"Scalar": (d.pick(1, 2, 3.0),), "ScalarOpt_dim": (d.pick(None, 1, float("inf")), [1], True), "dim": ([0, 1], True),
            "ScalarOpt_dim_dtype": (2, [1], False), "default": d.pick((), (None, [1]), (1, [0, 1]), (2, [0]))}[name.split(".")[-1]]
    d.graph.op(op, x, *args, **({"dtype": f64} if "dtype" in name else {}))


@case("aten.linalg_matrix_norm.default", "aten.linalg_matrix_norm.str_ord")
def matrix_norm(d, op):
    d.graph.op(op, d.tensor([4, 5, 3]), *d.pick((), ("fro", [0, 2], True)) if "str" in str(op) else (d.pick(1, -1, float("inf"), -float("inf")), d.pick([-2, -1], [0, 1]), d.pick(False, True)))


@case("aten.dist.default", "aten.cosine_similarity.default", "aten.pairwise_distance.default", n=3)
def distances(d, op):
    d.graph.op(op, d.tensor([4, 6]), d.tensor([4, 6]), *d.pick((), (1,)))


@case("aten.cdist.default", "aten._cdist_forward.default")
def cdist(d, op):
    batch = d.pick([], [2])
    d.graph.op(op, d.tensor(batch + [4, 6]), d.tensor(batch + [5, 6]), d.pick(2.0, 1.0, float("inf")), *([] if "aten.cdist" in str(op) else [None]))


@case("aten.special_softmax.default", "aten.special_log_softmax.default", "aten.special_logsumexp.default", n=2)
def special_softmax(d, op):
    d.graph.op(op, d.tensor([3, 4, 5]), d.pick([1], [0, -1]) if "logsumexp" in str(op) else d.pick(1, -1))


@case("aten.rms_norm.default")
def rms_norm(d, op):
    shape, n = [3, 4, 5], d.pick(1, 2)
    d.graph.op(op, d.tensor(shape, d.pick(f32, f64)), shape[-n:], *d.pick((), (d.graph.input(d.values(shape[-n:], f32)), 1e-5), (None, 0.1)))


@case("aten.instance_norm.default", n=4)
def instance_norm(d, op):
    x, by = d.graph.input(d.values([2, 3, 5, 4], f32)), d.pick(None, d.tensor([3]))
    kept = (d.tensor([3]), d.tensor([3], low=0.5), False) if d.rng.random() < 0.5 else (None, None, True)
    d.graph.op(op, x, by, by, *kept, 0.1, 1e-5, False)


@case("aten._weight_norm.default", n=2)
def weight_norm(d, op):
    d.graph.op(op, d.tensor([5, 3, 2]), *d.pick((d.tensor([5, 1, 1]), 0), (d.tensor([1, 1, 2]), 2)))


@case("aten.mv.default", "aten.dot.default", "aten.vdot.default", "aten.outer.default", "aten.ger.default", "aten.inner.default",
      "aten.linalg_matmul.default", "aten.linalg_vecdot.default", "aten.tensordot.default", "aten.kron.default", n=2)
def more_products(d, op):
    name = str(op).split(".")[1]
    shapes = {"mv": ([4, 5], [5]), "outer": ([4], [3]), "ger": ([4], [3]), "inner": d.pick(([2, 4], [3, 4]), ([4], [4]), ([], [3])),
              "linalg_matmul": ([2, 4, 3], [3, 5]), "linalg_vecdot": ([3, 4], [3, 4]), "tensordot": ([2, 3, 4], [4, 5, 3]),
              "kron": d.pick(([2, 3], [3, 2]), ([2], [3, 2]))}.get(name, ([4], [4]))
    d.graph.op(op, *[d.graph.input(d.values(s, f32)) for s in shapes], *([[1, 2], [2, 0]] if name == "tensordot" else []))


@case("aten.addmv.default", "aten.addr.default", "aten.addbmm.default", n=3)
def added_products(d, op):
    shapes = {"addmv": ([4], [4, 5], [5]), "addr": ([4, 3], [4], [3]), "addbmm": ([4, 3], [2, 4, 5], [2, 5, 3])}[str(op).split(".")[1]]
    d.graph.op(op, *map(d.tensor, shapes), **d.pick({}, {"beta": 0.5, "alpha": 2}))


EQUATIONS = [("ij,jk->ik", [3, 4], [4, 5]), ("bij,bjk->bki", [2, 3, 4], [2, 4, 5]), ("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]), ("i,jk->ijk", [2], [3, 4]),
             ("ii->i", [4, 4]), ("ii", [4, 4]), ("iij->ji", [3, 3, 4]), ("...ij,jk->...ik", [2, 3, 4], [4, 5]), ("...i,...i->...", [2, 3], [3]),
             ("ij,j", [3, 4], [4]), ("ba", [2, 3]), ("ij->", [2, 3]), ("bi,ij,bj->b", [2, 3], [3, 4], [2, 4]), ("ij,ij->ij", [3, 4], [3, 4]),
             ("abc,cd,def->abf", [2, 3, 4], [4, 5], [5, 2, 3]), ("bij,kj->bik", [1, 3, 4], [5, 4]), ("ij,kl->jl", [2, 3], [4, 5]),
             ("bnd, bmd -> bnm", [2, 3, 4], [2, 5, 4]), ("bij,bij->", [2, 3, 4], [2, 3, 4]), ("bhi,bhij->bhj", [2, 3, 4], [1, 3, 4, 5])]


@case("aten.einsum.default", n=1)
def einsum(d, op):
    for equation, *shapes in EQUATIONS:
        d.graph.op(op, equation, [d.tensor(s) for s in shapes])


@case("aten.bilinear.default", n=2)
def bilinear(d, op):
    d.graph.op(op, d.tensor([3, 2, 4]), d.tensor([3, 2, 5]), d.tensor([6, 4, 5]), d.pick(None, d.tensor([6])))


@case("aten.chain_matmul.default", "aten.linalg_multi_dot.default", n=1)
def chain(d, op):
    d.graph.op(op, [d.tensor([2, 3]), d.tensor([3, 4]), d.tensor([4, 5])])


@case("aten.matrix_power.default", "aten.linalg_matrix_power.default", n=3)
def matrix_power(d, op):
    d.graph.op(op, d.tensor(d.pick([4, 4], [2, 3, 3])), d.pick(1, 3, 6))


@case("aten.linalg_cross.default", "aten.cross.default", n=3)
def cross(d, op):
    d.graph.op(op, d.tensor([4, 3, 2]), d.tensor([4, 3, 2]), **({"dim": 1} if "linalg" in str(op) else d.pick({}, {"dim": -2})))


@case("aten.conv_tbc.default", n=2)
def conv_tbc(d, op):
    d.graph.op(op, d.tensor([7, 2, 4]), d.tensor([3, 4, 5]), d.tensor([5]), d.pick(0, 1))


@case("aten.conv1d.padding", "aten.conv2d.padding", "aten.conv3d.padding", n=4)
def conv_padding(d, op):
    n = int(str(op)[9])
    x = d.tensor([2, 4] + [7] * n) if d.rng.random() < 0.6 else d.tensor([4] + [7] * n)
    d.graph.op(op, x, d.tensor([6, 4] + [d.pick(3, 4, 2)] * n), d.pick(None, d.tensor([6])), [1] * n, d.pick("same", "valid", "same"), d.pick([1] * n, [2] * n))


@case("aten.conv1d.default", "aten.conv2d.default", "aten.conv_transpose1d.default", "aten.conv_transpose2d.input", n=1)
def conv_of_one(d, op):
    n = int(re.search(r"(\d)d", str(op)).group(1))
    d.graph.op(op, d.tensor([4] + [7] * n), d.tensor([4, 4] + [3] * n))


LOSSES = "mse_loss l1_loss smooth_l1_loss huber_loss soft_margin_loss hinge_embedding_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div".split()


@case(*[f"aten.{name}.default" for name in LOSSES], n=4)
def loss(d, op):
    name = str(op).split(".")[1]
    x, target = d.graph.input(d.values([4, 6], f32, 0.05, 0.95)), d.values([4, 6], f32, 0.05, 0.95)
    t = d.graph.input(torch.sign(target - 0.5) if name in ("soft_margin_loss", "hinge_embedding_loss") else target)
    args = {"smooth_l1_loss": (d.pick(1.0, 0.2, 0.0),), "huber_loss": (0.3,)}.get(name, ())
    if "cross" in name:
        some = d.pick(None, d.tensor([6]))
        d.graph.op(op, x, t, some, *([d.pick(None, d.tensor([6]))] if "logits" in name else []), d.pick(0, 1, 2))
    elif name == "hinge_embedding_loss":
        d.graph.op(op, x, t, 0.7, d.pick(0, 1, 2))
    else:
        d.graph.op(op, x, t, d.pick(0, 1, 2), *args, **({"log_target": d.pick(False, True)} if name == "kl_div" else {}))


@case("aten.margin_ranking_loss.default", "aten.poisson_nll_loss.default", n=4)
def other_losses(d, op):
    x, y = d.tensor([4, 6]), d.tensor([4, 6], low=0.5)
    if "poisson" in str(op):
        d.graph.op(op, y, y, d.pick(True, False), d.pick(True, False), 1e-8, d.pick(0, 1, 2))
    else:
        d.graph.op(op, x, y, d.graph.input(torch.sign(d.values([4, 6], f32))), 0.2, d.pick(0, 1, 2))


@case("aten.nll_loss_nd.default", "aten.nll_loss.default", "aten.cross_entropy_loss.default", n=8)
def classes(d, op):
    shape = [5, 4] if "nll_loss.d" in str(op) else d.pick([5, 4], [2, 4, 3, 2], [4])
    target = torch.from_numpy(np.asarray(d.rng.integers(0, 4, shape[:1] + shape[2:] if len(shape) > 1 else [])))
    ignored = d.pick(-100, 1) if target.dim() else -100
    x, by = d.graph.input(d.values(shape, f32)), d.pick(None, d.graph.input(d.values([4], f32, 0.5, 2.0)))
    if "entropy" in str(op) and d.rng.random() < 0.3:
        d.graph.op(op, x, d.graph.input(d.values(shape, f32, 0.1, 1.0)), by, d.pick(0, 1 if len(shape) == 1 else 0, 2), -100, d.pick(0.0, 0.1))
        return
    d.graph.op(op, x, d.graph.input(target), by, d.pick(0, 1, 2), ignored, *([d.pick(0.0, 0.1)] if "entropy" in str(op) else []))


CELLS = {"rnn_tanh_cell": 1, "rnn_relu_cell": 1, "gru_cell": 3, "lstm_cell": 4}


@case(*[f"aten.{name}.default" for name in CELLS], n=2)
def cell(d, op):
    name = str(op).split(".")[1]
    rows = 5 * CELLS[name]
    h = d.tensor([2, 5])
    bias = (d.tensor([rows]), d.tensor([rows])) if d.rng.random() < 0.5 else ()
    d.graph.op(op, d.tensor([2, 3]), [h, d.tensor([2, 5])] if "lstm" in name else h, d.tensor([rows, 3]), d.tensor([rows, 5]), *bias)


@case("aten.lstm.input", "aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input", n=4)
def recurrent(d, op):
    name = str(op).split(".")[1]
    gates, layers, both, first, biases = {"lstm": 4, "gru": 3}.get(name, 1), d.pick(1, 2), d.pick(False, True), d.pick(False, True), d.pick(True, False)
    weights = []
    for layer in range(layers):
        for _ in range(1 + both):
            weights += [d.tensor([gates * 5, 3 if layer == 0 else 5 * (1 + both)], low=-0.7, high=0.7), d.tensor([gates * 5, 5], low=-0.7, high=0.7)]
            weights += [d.tensor([gates * 5]), d.tensor([gates * 5])] if biases else []
    states = [d.tensor([layers * (1 + both), 2, 5]) for _ in range(2)]
    d.graph.op(op, d.tensor([2, 6, 3] if first else [6, 2, 3]), states if name == "lstm" else states[0], weights, biases, layers, 0.0, False, both, first)
