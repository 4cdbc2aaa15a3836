"""Random graphs: ops of the whole table on one another's results, on views of them and on reductions, in all types and strides.

    make(seed)                  a graph; the same for the same seed
    ./dev python tests/graph/random_graphs.py FIRST LAST [OPTIONS of kdsl graph run]     checks seeds; of a graph that differs it shows a small part

Beside PyTorch's result each value has one in f64, computed from the inputs: how far the two are apart tells what may differ. Nodes whose result
rounding alone can change much (comparisons of sums, quotients by what is nearly 0) are left out.
"""
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch

import expanded_cases  # noqa: F401
import test_ops  # noqa: F401
from aten import TOLERANCES, AtenGraph, Value
from draw import CASES, Draw, aten, bf16, f16, f32, f64, i1, i32, i64, u8

MOST_ELEMS, LARGEST = 20000, 1e4
# What they compute is not settled by their operands, or PyTorch has it wrong (bags of indices that lie apart).
# A little less or more of an operand makes a large difference.
IN_STEPS = re.compile(r"aten\.(floor|ceil|trunc|round|frac|fix|sign|sgn|remainder|fmod|floor_divide|div\w*\.\w+_mode|heaviside|threshold|hardshrink)")
LEFT_OUT = re.compile(r"aten\.(empty|new_empty|native_dropout|rrelu|empty_like|_?embedding_bag\w*)\.|kdsl\.")
VIEWS = "permute view unsqueeze squeeze select slice expand flip roll transpose diagonal flatten as_strided repeat unfold split cast clone".split()
REDUCTIONS = ["sum.dim_IntList", "mean.dim", "amax.default", "amin.default", "softmax.int", "cumsum.default", "logsumexp.default", "argmax.default",
              "sum.default", "var.correction", "any.dim", "max.dim"]
UNARY = "neg abs relu sigmoid tanh sin gelu silu exp square floor logical_not".split()
BINARY = ["add.Tensor", "sub.Tensor", "mul.Tensor", "maximum.default", "lt.Tensor", "where.self", "logical_and.default"]


class Rejected(Exception):
    """A node that is not for comparing; it is as if it had not been drawn."""


def tree_map(fn, *trees):
    return torch.utils._pytree.tree_map(lambda a: fn(a) if isinstance(a, Value) else a, *trees)


def wide(tensor):
    return tensor.double() if tensor.dtype.is_floating_point else tensor


def apart(a, b):
    """How far two tensors are apart at most."""
    return (a.double() - b.double()).abs().max().item() if a.numel() else 0.0


class RandomGraph(AtenGraph):
    """Values have also: exact, the same in f64, and is_exact, whether rounding has nothing to do with it; steps keeps what made each node."""

    def __init__(self):
        super().__init__()
        self.pool, self.steps = [], []

    def input(self, tensor, name=None):
        value = super().input(tensor, name or f"in{len(self.inputs)}")
        value.exact, value.is_exact = wide(tensor), True
        return value

    def weight(self, tensor, name=None):
        value = super().weight(tensor, name or f"w{len(self.inputs)}")
        value.exact, value.is_exact = wide(tensor), True
        return value

    def op(self, op, *args, **kwargs):
        n_nodes, n_outputs = len(self.nodes), len(self.outputs)
        try:
            made = super().op(op, *args, **kwargs)
            self.judge(op, args, kwargs, made)
        except Exception as why:
            del self.nodes[n_nodes:], self.outputs[n_outputs:]
            raise Rejected(f"{op}: {why}") from why
        self.steps.append((op, args, kwargs, made, self.nodes[-1]))
        self.pool += made if isinstance(made, list) else [made]
        return made

    def judge(self, op, args, kwargs, made):
        are_exact = all(v.is_exact for v in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(v, Value))
        args, kwargs = torch.utils._pytree.tree_map(
            lambda a: a.exact if isinstance(a, Value) else f64 if isinstance(a, torch.dtype) and a.is_floating_point else a, (args, kwargs))
        exact = op(*args, **kwargs)
        for value, wanted in zip(made if isinstance(made, list) else [made], exact if isinstance(made, list) else [exact]):
            t = value.tensor
            if t.numel() > MOST_ELEMS or t.dim() > 8 or t.dtype not in (f32, f64, f16, bf16, i64, i32, u8, i1, torch.int8):
                raise Rejected("too large")
            if t.dtype.is_floating_point and not (t.isfinite().all() and wanted.isfinite().all()):
                raise Rejected("not finite")
            if t.numel() and t.dtype != i1 and t.double().abs().max() > LARGEST:
                raise Rejected("too large numbers")
            value.exact = wide(wanted)
            value.is_exact = are_exact and (wanted.dtype != f32) and torch.equal(wide(t), value.exact)
            if not are_exact and (not t.dtype.is_floating_point or IN_STEPS.match(str(op))):
                raise Rejected("rounding decides")
            if not value.is_exact and (not t.dtype.is_floating_point or apart(t, wanted) > 0.02 * (t.double().abs().mean().item() + 1e-3)):
                raise Rejected("rounding decides")

    def finish(self, rng):
        """Chooses what the graph gives back: what nobody reads, and some of the rest."""
        read = set()
        for _, args, kwargs, *_ in self.steps:
            tree_map(lambda v: read.add(v.name), (args, kwargs))
        self.outputs = [v for v in self.pool if v.name not in read or rng.random() < 0.15]


class PoolDraw(Draw):
    """Draws what the graph has computed already, where that fits, in place of new inputs."""

    def fits(self, value, dtype, low, high):
        t = value.tensor
        if t.dtype != dtype:
            return False
        return t.numel() == 0 or dtype == i1 or (t.double().min() >= low and t.double().max() <= high)

    def shape(self, least=0, most=4, low=1, high=7):
        known = [list(v.tensor.shape) for v in self.graph.pool[-12:] if least <= v.tensor.dim() <= most and all(n >= low for n in v.tensor.shape)]
        return known[self.rng.integers(len(known))] if known and self.rng.random() < 0.8 else super().shape(least, most, low, high)

    def new(self, shape, dtype, low, high):
        tensor = self.memory(self.values(shape, dtype, low, high))
        return self.graph.weight(tensor) if self.rng.random() < 0.2 else self.graph.input(tensor)

    def tensor(self, shape=None, dtype=f32, low=-3.0, high=3.0):
        pool = self.graph.pool
        shape = self.shape() if shape is None else list(shape)
        n = int(np.prod(shape))
        same = [v for v in pool if list(v.tensor.shape) == shape]
        fitting = [v for v in same if self.fits(v, dtype, low, high)]
        if fitting and self.rng.random() < 0.9:
            return fitting[self.rng.integers(len(fitting))]
        others = same or [v for v in pool if v.tensor.numel() >= n > 0]
        if not others or self.rng.random() < 0.15:
            return self.new(shape, dtype, low, high)
        try:
            return self.adapt(others[self.rng.integers(len(others))], shape, n, dtype, low, high)
        except Rejected:
            return self.new(shape, dtype, low, high)

    def adapt(self, x, shape, n, dtype, low, high):
        op = self.graph.op
        if list(x.tensor.shape) != shape:
            flat = op(aten.reshape.default, x, [x.tensor.numel()])
            at = int(self.rng.integers(0, x.tensor.numel() - n + 1))
            x = op(aten.reshape.default, op(aten.narrow.default, flat, 0, at, n), shape)
        if dtype == i1:
            return op(aten.gt.Scalar, x, 0)
        if x.tensor.dtype != dtype:
            x = op(aten._to_copy.default, x, dtype=dtype)
        if not self.fits(x, dtype, low, high):
            bounds = (low, high) if dtype.is_floating_point else (max(int(np.ceil(low)), 0 if dtype == u8 else -128), int(high))
            x = op(aten.clamp.default, x, *bounds)
        if not self.fits(x, dtype, low, high):
            raise Rejected("does not fit")
        return x


# ---- nodes on any value ----------------------------------------------------------------------------------------------------------------------


def view(d, x):
    t, op, rng = x.tensor, d.graph.op, d.rng
    n, kind = t.dim(), VIEWS[rng.integers(len(VIEWS))]
    k = int(rng.integers(0, max(n, 1)))
    extent = t.shape[k] if n else 1
    if kind == "cast":
        return op(aten._to_copy.default, x, dtype=d.pick(f32, f32, bf16, f16, f64, i32, i1))
    if kind == "clone":
        return op(aten.clone.default, x)
    if kind == "unsqueeze":
        return op(aten.unsqueeze.default, x, int(rng.integers(-n - 1, n + 1)))
    if kind == "flatten":
        return op(aten.reshape.default, x, [-1] if t.numel() else [0])
    if kind == "view":
        factors = [f for f in (2, 3, 5, 4, 7) if extent % f == 0 and extent > 0]
        f = d.pick(*factors) if factors else 1
        shape = list(t.shape)
        return op(aten.reshape.default, x, shape[:k] + d.pick([f, extent // f], [extent // f, f]) + shape[k + 1:] if n else [1])
    if kind == "repeat":
        return op(aten.repeat.default, x, [d.pick(1, 2, 3) for _ in range(n + d.pick(0, 1))])
    if kind == "expand":
        return op(aten.expand.default, x, [d.pick(2, 3)] + [d.pick(2, 5) if e == 1 else -1 for e in t.shape])
    if not n:
        raise Rejected("no dimensions")
    if kind == "permute":
        return op(aten.permute.default, x, [int(i) for i in rng.permutation(n)])
    if kind == "transpose":
        return op(aten.transpose.int, x, d.dim(n), d.dim(n))
    if kind == "squeeze":
        return op(aten.squeeze.dim, x, k)
    if kind == "select":
        return op(aten.select.int, x, k, int(rng.integers(-extent, extent)))
    if kind == "slice":
        end = d.pick(1 << 62, int(rng.integers(-extent, extent + 2)))
        return op(aten.slice.Tensor, x, k, int(rng.integers(-extent - 1, extent + 1)), end, d.pick(1, 1, 2, 3))
    if kind == "flip":
        return op(aten.flip.default, x, d.dims(n))
    if kind == "roll":
        return op(aten.roll.default, x, [int(rng.integers(-9, 9))], [k])
    if kind == "diagonal":
        return op(aten.diagonal.default, x, int(rng.integers(-2, 3)), *[int(i) for i in rng.permutation(n)[:2]])
    if kind == "unfold":
        size = int(rng.integers(1, min(extent, 5) + 1))
        return op(aten.unfold.default, x, k, size, d.pick(1, 2, 3))
    if kind == "split":
        return op(aten.split.Tensor, x, int(rng.integers(1, extent + 1)), k)[0]
    raise Rejected("not here")


def reduction(d, x):
    name = REDUCTIONS[d.rng.integers(len(REDUCTIONS))]
    op, n = test_ops.find("aten." + name), x.tensor.dim()
    if name == "sum.default":
        return d.graph.op(op, x)
    dims, keep = d.dims(n), bool(d.rng.integers(2))
    if name in ("softmax.int", "cumsum.default"):
        return d.graph.op(op, x, d.dim(n))
    if name in ("argmax.default", "any.dim", "max.dim"):
        made = d.graph.op(op, x, d.dim(n), keep)
        return made[0] if isinstance(made, list) else made
    if name == "var.correction":
        return d.graph.op(op, x, dims, correction=0, keepdim=keep)
    return d.graph.op(op, x, dims, keep)


def other_operand(d, x):
    """A value that broadcasts with x."""
    pool = [v for v in d.graph.pool[-20:] if broadcasts(v.tensor.shape, x.tensor.shape)]
    if pool and d.rng.random() < 0.7:
        return pool[d.rng.integers(len(pool))]
    return d.new(d.broadcast(list(x.tensor.shape)), d.pick(f32, f32, x.tensor.dtype), -3.0, 3.0)


def broadcasts(a, b):
    return all(m == n or 1 in (m, n) for m, n in zip(reversed(a), reversed(b)))


def pointwise(d, x):
    if d.rng.random() < 0.4:
        return d.graph.op(test_ops.find(f"aten.{UNARY[d.rng.integers(len(UNARY))]}.default"), x)
    name = BINARY[d.rng.integers(len(BINARY))]
    op, y = test_ops.find("aten." + name), other_operand(d, x)
    if name == "where.self":
        return d.graph.op(op, d.graph.op(aten.gt.Scalar, x, 0), x, y)
    return d.graph.op(op, x, y) if d.rng.random() < 0.5 else d.graph.op(op, y, x)


def product(d, x):
    if x.tensor.dim() < 1 or not x.tensor.dtype.is_floating_point:
        raise Rejected("no matrix")
    weight = d.new([x.tensor.shape[-1], int(d.rng.integers(1, 20))], x.tensor.dtype, -0.5, 0.5)
    return d.graph.op(aten.matmul.default, x, weight)


def from_table(d, _):
    """A case of test_ops.py, on values of the graph."""
    names = sorted(name for name in CASES if not LEFT_OUT.match(name))
    name = names[d.rng.integers(len(names))]
    fn, _ = CASES[name][d.rng.integers(len(CASES[name]))]
    n_known = len(d.graph.pool)
    fn(d, test_ops.find(name))
    d.graph.pool[n_known:] = [v for v in d.graph.pool[n_known:] if any(v is o for o in d.graph.outputs)]       # not what the case does not compare


def start(d):
    """An input of a size that invites trouble, now and then."""
    odd = d.rng.random()
    shape = [] if odd < 0.08 else [0] + d.shape(0, 2) if odd < 0.12 else d.shape(8, 8, 1, 3) if odd < 0.16 else \
        d.shape(1, 2, 30, 130) if odd < 0.3 else Draw.shape(d, 1, 5)
    d.graph.pool.append(d.new(shape, d.pick(f32, f32, f32, f32, bf16, f16, f64, i64, i32, u8, i1), -3.0, 3.0))


def make(seed):
    g = RandomGraph()
    d = PoolDraw(seed, g)
    wanted = int(d.rng.integers(3, 36))
    start(d)
    for _ in range(4 * wanted):
        if len(g.nodes) >= wanted:
            break
        if d.rng.random() < 0.06:
            start(d)
        recent = g.pool[-int(d.rng.integers(1, 9)):]
        x = recent[d.rng.integers(len(recent))]
        kind = d.rng.random()
        with contextlib.suppress(Rejected, ValueError):        # ValueError: no such place in an extent of 0
            add = view if kind < 0.3 else reduction if kind < 0.42 else pointwise if kind < 0.7 else product if kind < 0.75 else from_table
            add(d, x)
    g.finish(d.rng)
    return g


# ---- comparing -------------------------------------------------------------------------------------------------------------------------------


def difference(value, got):
    """What is wrong with a result; None: nothing."""
    t = value.tensor
    if got.dtype != t.dtype or got.shape != t.shape:
        return f"{got.dtype}{list(got.shape)}, expected {t.dtype}{list(t.shape)}"
    if not t.dtype.is_floating_point:
        return None if torch.equal(got, t) else f"{(got != t).sum()} of {got.numel()} differ: {got.flatten()[:8]} {t.flatten()[:8]}"
    if not t.numel():
        return None
    a, b = got.double(), value.exact
    limit = TOLERANCES[t.dtype] * (b.abs() + b.abs().mean()) + 40 * apart(t, b) + 1e-30
    bad = ~((a - b).abs() <= limit)
    if not bad.any():
        return None
    i = bad.flatten().nonzero()[0].item()
    return f"{bad.sum()} of {bad.numel()} differ, as element {i}: {a.flatten()[i]}, expected {b.flatten()[i]} (PyTorch {t.flatten()[i].item()})"


def check(g, kdsl, folder, options=()):
    """The outputs that differ, and how."""
    got = g.run(kdsl, folder, options)
    return [(value, why) for value, result in zip(g.outputs, got) if (why := difference(value, result))]


# ---- making small ----------------------------------------------------------------------------------------------------------------------------


def part(g, outputs, cut):
    """A graph of what these outputs need, where the values in cut are inputs."""
    made, small = {}, RandomGraph()
    by_name = {}
    for step in g.steps:
        for value in step[3] if isinstance(step[3], list) else [step[3]]:
            by_name[value.name] = step
    known = {v["n"][1:]: v for v in g.inputs}

    def get(value):
        if value.name in made:
            return made[value.name]
        if value.name in cut or value.name not in by_name:
            is_weight = "data" in known.get(value.name, {})
            made[value.name] = small.weight(value.tensor, value.name) if is_weight else small.input(value.tensor, value.name)
            return made[value.name]
        op, args, kwargs, results, node = by_name[value.name]
        args, kwargs = tree_map(get, (args, kwargs))
        several = isinstance(results, list)
        values = results if several else [results]
        small.node(op, args, kwargs, [v.tensor for v in values], [v.name for v in values], several)
        small.nodes[-1]["out"] = node["out"]
        small.steps.append((op, args, kwargs, results, node))
        made.update({v.name: v for v in values})
        return made[value.name]

    small.outputs = [get(output) for output in outputs]
    return small


def shrink(g, is_bad):
    """The smallest graph found that still has the difference."""
    outputs, cut, small = list(g.outputs), set(), g
    for output in g.outputs:
        fewer = [v for v in outputs if v is not output]
        if fewer and is_bad(tried := part(g, fewer, cut)):
            outputs, small = fewer, tried
    again = True
    while again:
        again = False
        for value in [v for step in small.steps for v in (step[3] if isinstance(step[3], list) else [step[3]]) if v.name not in cut]:
            if any(value is output for output in outputs):
                continue
            tried = part(g, outputs, cut | {value.name})
            if len(tried.nodes) < len(small.nodes) and is_bad(tried):
                cut, small, again = cut | {value.name}, tried, True
                break
    return small


class Failed(Exception):
    pass


def run_kdsl(*arguments, timeout=60):
    result = subprocess.run(["kdsl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
    if result.returncode:
        raise Failed(f"exit status {result.returncode}: {result.stderr[-1500:]}")


def why_bad(g, folder, options):
    """What is wrong with a graph; None: nothing."""
    try:
        wrong = check(g, run_kdsl, folder, options)
        return f"{wrong[0][0].name}: {wrong[0][1]}" if wrong else None
    except (Failed, subprocess.TimeoutExpired) as why:
        return str(why)


def kind_of(why):
    """The same for messages that tell of the same."""
    return re.sub(r"[-\d.e_]+|%\w+|/\S+", "", why.partition(": ")[2] if why.startswith("exit") else "differs")[:60] if why else None


def main():
    options = ["--no-cache", *sys.argv[3:]]
    for seed in range(int(sys.argv[1]), int(sys.argv[2])):
        g = make(seed)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            why = why_bad(g, folder, options)
            if why:
                kind = kind_of(why)
                small = shrink(g, lambda s: kind_of(why_bad(s, folder, options)) == kind)       # noqa: B023
                print(f"seed {seed}, {len(g.nodes)} nodes: {why_bad(small, folder, options)}\n{small.write(folder).read_text()}", flush=True)


if __name__ == "__main__":
    main()
