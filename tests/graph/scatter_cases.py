"""Cases of test_ops.py for ops that write where indices say: few of them, which are compared with each place, and many, which are gone over."""
import numpy as np
import torch

from draw import bf16, case, f16, f32, f64, i1, i32, i64


def some_indices(d, shape, used):
    broadcast = d.shape(0, 2)
    return [d.indices(d.broadcast(broadcast) if i else broadcast, shape[k], low=-shape[k]) if k in used else None for i, k in enumerate(range(max(used) + 1))]


@case("aten.index_put.default", n=12)
def index_put(d, op):
    shape, accumulate = d.shape(2, 4, 2), bool(d.rng.random() < 0.4)
    by = some_indices(d, shape, d.pick([0], [1], [0, 1], [0, len(shape) - 1]))
    plain = [b.tensor if b else None for b in by]
    x = d.tensor(shape)
    # Which of several writes to one place wins is not said; so each place is named once, or sums are made.
    if not accumulate and len({tuple(t) for t in zip(*[b.expand(torch.broadcast_shapes(*[p.shape for p in plain if p is not None])).flatten().tolist() for b in plain if b is not None])}) \
            != int(np.prod(torch.broadcast_shapes(*[p.shape for p in plain if p is not None]))):
        accumulate = True
    result = torch.ops.aten.index.Tensor(x.tensor, plain)
    d.graph.op(op, x, by, d.tensor(d.broadcast(list(result.shape))), accumulate)


@case("aten.index_put.default")
def index_put_wrapping(d, op):
    index_put(d, op)
    x = d.tensor([4, 5, 6])
    d.graph.op(op, x, [None, d.graph.input(torch.tensor([3, -4]))], d.tensor([4, 2, 6]))
    d.graph.op(op, x, [d.tensor([4, 5], i1)], d.tensor([]))


@case("aten.scatter.src", "aten.scatter.value", "aten.scatter_add.default")
def scatter(d, op):
    shape = d.shape(1, 3, 3)
    dim = d.dim(len(shape)) % len(shape)
    index = [int(d.rng.integers(1, s + 1)) for s in shape]
    order = torch.from_numpy(np.argsort(d.rng.random(shape), dim))[tuple(slice(0, i) for i in index)].contiguous()   # each place once
    src = [s + int(d.rng.integers(0, 2)) for s in index]
    d.graph.op(op, d.tensor(shape), dim, d.graph.input(order), 2.5 if "value" in str(op) else d.tensor(src))


@case("aten.scatter_reduce.two", n=12)
def scatter_reduce(d, op):
    shape = d.shape(1, 3, 3)
    dim = d.dim(len(shape)) % len(shape)
    index = [int(d.rng.integers(1, s + 1)) for s in shape]
    kind, dtype = d.pick("sum", "prod", "mean", "amax", "amin"), d.pick(f32, i64)
    d.graph.op(op, d.tensor(shape, f32 if kind == "mean" else dtype), dim, d.indices(index, shape[dim]),
               d.tensor(index, f32 if kind == "mean" else dtype), kind, include_self=bool(d.rng.random() < 0.5))


@case("aten.masked_scatter.default")
def masked_scatter(d, op):
    shape = d.shape(1, 3)
    d.graph.op(op, d.tensor(shape), d.tensor(d.broadcast(shape), i1), d.tensor([int(np.prod(shape))]))


LARGE = [([90], 0), ([70, 5], 0), ([3, 60, 33], 1), ([2, 80], 1), ([2, 3, 50], -1), ([40, 2, 300], 0), ([60, 1, 1], 0)]


def large_index(d, shape, dim, n):
    """Of n places along dim, in all of a shape's other extents: one for all of them, or one for each."""
    index = [1 if i != dim % len(shape) and d.rng.random() < 0.4 else s for i, s in enumerate(shape)]
    index[dim] = n
    values = torch.from_numpy(d.rng.integers(0, shape[dim], index))
    wanted = [n if i == dim % len(shape) else s for i, s in enumerate(shape)]
    return d.graph.op(torch.ops.aten.expand.default, d.graph.input(d.memory(values)), wanted)


@case("aten.scatter.src", "aten.scatter.value", "aten.scatter_add.default", n=10)
def large_scatter(d, op):
    shape, dim = d.pick(*LARGE)
    adds, many = "add" in str(op), [40 if i == dim % len(shape) else s for i, s in enumerate(shape)]
    dtype = d.pick(f32, f64, i64, i32, *((f16, bf16) if not adds else ()))
    places = torch.from_numpy(np.argsort(d.rng.random(shape), dim)).narrow(dim, 0, 40).contiguous()      # each once
    index = large_index(d, shape, dim, 40) if adds else d.graph.input(d.memory(places))
    src = [s + int(d.rng.integers(0, 2)) for s in many]
    d.graph.op(op, d.tensor(shape, dtype), dim, index, 2 if "value" in str(op) else d.tensor(src, dtype))


@case("aten.scatter_reduce.two", n=20)
def large_scatter_reduce(d, op):
    shape, dim = d.pick(*LARGE)
    kind = d.pick("sum", "prod", "mean", "amax", "amin")
    dtype = f32 if kind == "mean" else d.pick(f32, f64, i64)
    values = d.values([50 if i == dim % len(shape) else s for i, s in enumerate(shape)], dtype, -1.2, 1.2)
    if kind in ("amax", "amin") and dtype != i64:
        values.flatten()[::17] = d.pick(float("nan"), float("inf"), 0.0)
    d.graph.op(op, d.tensor(shape, dtype, -1.2, 1.2), dim, large_index(d, shape, dim, 50), d.graph.input(d.memory(values)), kind,
               include_self=d.pick(False, True))


@case("aten.index_put.default", n=12)
def large_index_put(d, op):
    shape = d.pick([90], [60, 7], [5, 60, 33], [8, 9, 21], [3, 60, 2, 18])
    used = d.pick([0], [0, 1], [1]) if len(shape) > 1 else [0]
    accumulate = bool(d.rng.random() < 0.6)
    n_places = int(np.prod([shape[k] for k in used]))
    places = d.rng.integers(0, n_places, [8, 9]) if accumulate else d.rng.permutation(n_places)[:40].reshape(5, -1) if n_places >= 40 else d.rng.permutation(n_places)
    by, left = [None] * (max(used) + 1), places
    for k in reversed(used):
        by[k] = d.graph.input(torch.from_numpy(left % shape[k] - (shape[k] if d.rng.random() < 0.5 else 0)))
        left = left // shape[k]
    x = d.tensor(shape, d.pick(f32, i64))
    result = torch.ops.aten.index.Tensor(x.tensor, [b.tensor if b else None for b in by])
    d.graph.op(op, x, by, d.tensor(d.broadcast(list(result.shape)), x.tensor.dtype), accumulate)
