"""Random arguments for ops, and the list of the functions that make them."""
import numpy as np
import torch

aten = torch.ops.aten
f32, f64, f16, bf16 = torch.float32, torch.float64, torch.float16, torch.bfloat16
i64, i32, u8, i1 = torch.int64, torch.int32, torch.uint8, torch.bool
FLOATS, INTS = (f32, f32, f16, bf16, f64), (i64, i32, u8)
ALL = FLOATS + INTS


class Draw:
    """Random arguments."""

    def __init__(self, seed, graph):
        self.rng, self.graph = np.random.default_rng(seed), graph

    def shape(self, least=0, most=4, low=1, high=7):
        shape = [int(self.rng.integers(low, high + 1)) for _ in range(self.rng.integers(least, most + 1))]
        if shape and self.rng.random() < 0.3:
            shape[-1] = int(self.rng.choice([16, 33, 64, 130]))
        return shape

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def memory(self, tensor):
        """The same elements in other strides: dimensions in another order, or with gaps."""
        kind = self.rng.random()
        if tensor.dim() > 1 and kind < 0.3:
            order = list(self.rng.permutation(tensor.dim()))
            return tensor.permute(order).contiguous().permute([int(i) for i in np.argsort(order)])
        if tensor.dim() and kind < 0.45 and tensor.numel():
            gaps = torch.zeros([2 * s for s in tensor.shape], dtype=tensor.dtype)[tuple(slice(0, None, 2) for _ in tensor.shape)]
            return gaps.copy_(tensor)
        return tensor

    def values(self, shape, dtype, low=-3.0, high=3.0):
        if dtype == i1:
            return torch.from_numpy(np.asarray(self.rng.random(shape) > 0.5))
        x = torch.from_numpy(np.asarray(self.rng.uniform(low, high, shape)))
        return x.to(dtype) if dtype.is_floating_point else (x * 3).round().to(i64).abs().to(dtype) if dtype == u8 else (x * 3).round().to(dtype)

    def tensor(self, shape=None, dtype=f32, low=-3.0, high=3.0):
        x = self.values(self.shape() if shape is None else shape, dtype, low, high)
        return self.graph.input(self.memory(x))

    def indices(self, shape, n, dtype=i64, low=None):
        return self.graph.input(self.memory(torch.from_numpy(np.asarray(self.rng.integers(0 if low is None else low, n, shape))).to(dtype)))

    def broadcast(self, shape):
        """A shape that broadcasts to this one."""
        shape = [1 if self.rng.random() < 0.3 else s for s in shape]
        return shape[int(self.rng.integers(0, len(shape) + 1)):] if self.rng.random() < 0.3 else shape

    def dim(self, n):
        return int(self.rng.integers(-n, n)) if n else 0

    def dims(self, n):
        return sorted({int(d) for d in self.rng.integers(0, max(n, 1), int(self.rng.integers(1, 3)))}) if n else []


CASES = {}


def case(*names, n=6):
    """Registers a function that adds nodes to a graph: fn(draw, op)."""
    def register(fn):
        for name in names:
            CASES.setdefault(name, []).append((fn, n))
        return fn
    return register


def unary(names, dtypes=FLOATS, low=-3.0, high=3.0, args=lambda d: ()):
    def fn(d, op):
        d.graph.op(op, d.tensor(dtype=d.pick(*dtypes), low=low, high=high), *args(d))
    for name in names.split():
        case(f"aten.{name}" if "." in name else f"aten.{name}.default")(fn)


def binary(names, dtypes=ALL, low=-3.0, high=3.0, mixed=True, args=lambda d: {}):
    def fn(d, op):
        shape, a, b = d.shape(), d.pick(*dtypes), d.pick(*dtypes)
        one, two = (d.broadcast(shape), shape) if d.rng.random() < 0.4 else (shape, d.broadcast(shape))
        d.graph.op(op, d.tensor(one, a, low, high), d.tensor(two, b if mixed else a, low, high), **args(d))
    for name in names.split():
        case(f"aten.{name}", n=8)(fn)
