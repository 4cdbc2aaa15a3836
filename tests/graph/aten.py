"""PyTorch's operators and graphs of them in the kg format, run by kdsl.

    g = AtenGraph()
    y = g.op(torch.ops.aten.add.Tensor, g.input(a), 2.0)     # one node; y.tensor is what PyTorch says
    g.check(kdsl, tmp_path)                                  # every result is an output

    check_model(kdsl, tmp_path, model, x)                    # a module, through torch.compile's graph at AOTAutograd's level
"""
import ast
import json
import operator
import re

import numpy as np
import torch

TYPES = {torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16", torch.int64: "i64", torch.int32: "i32",
         torch.int16: "i16", torch.int8: "i8", torch.uint8: "u8", torch.bool: "i1"}
# How far a result may be from PyTorch's, relative to its size: the order of sums differs, and half types are rounded less often here.
TOLERANCES = {torch.float32: 2e-5, torch.float64: 1e-12, torch.float16: 4e-3, torch.bfloat16: 3e-2}


class Value:
    def __init__(self, name, tensor):
        self.name, self.tensor = name, tensor


def describe(tensor):
    return {"t": TYPES[tensor.dtype], "s": list(tensor.shape), "st": list(tensor.stride())}


def save(path, tensor):
    tensor = tensor.detach().contiguous()
    np.save(path, tensor.view(torch.int16).numpy().view("V2") if tensor.dtype == torch.bfloat16 else tensor.numpy())


def load(path, like):
    array = np.load(path)
    if like.dtype == torch.bfloat16:
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array)


def argument(a):
    if isinstance(a, Value):
        return f"%{a.name}"
    if isinstance(a, (list, tuple)):
        return [argument(v) for v in a]
    if isinstance(a, torch.dtype):
        return TYPES[a]
    if isinstance(a, float) and not np.isfinite(a):
        return str(a)
    if isinstance(a, (torch.device, torch.layout)):
        return None
    return str(a).split(".")[-1] if isinstance(a, torch.memory_format) else a


class AtenGraph:
    def __init__(self):
        self.inputs, self.nodes, self.values, self.outputs, self.weights = [], [], [], [], b""

    def input(self, tensor, name=None):
        value = Value(name or f"in{len(self.values)}", tensor)
        self.inputs.append({"n": f"%{value.name}", **describe(tensor)})
        self.values.append(value)
        return value

    def weight(self, tensor, name):
        memory = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype).copy_(tensor.detach())
        n = sum((s - 1) * t for s, t in zip(tensor.shape, tensor.stride())) + 1 if tensor.numel() else 0
        flat = memory.as_strided((n,), (1,))
        self.weights += bytes(-len(self.weights) % 64)
        self.inputs.append({"n": f"%{name}", **describe(tensor), "role": "param", "data": {"file": "weights.bin", "at": len(self.weights)}})
        self.weights += (flat.view(torch.int16) if tensor.dtype == torch.bfloat16 else flat).numpy().tobytes()
        return Value(name, tensor)

    def node(self, op, args, kwargs, results, names, is_list):
        names = [f"%{n}" for n in names]
        node = {"o": names if is_list else names[0], "op": str(op),
                "in": [argument(a) for a in args], "out": [None if r is None else describe(r) for r in results]}
        named = {k: argument(v) for k, v in kwargs.items()}
        if named:
            node["kw"] = named
        self.nodes.append(node)

    def op(self, op, *args, **kwargs):
        """A node whose results are outputs."""
        plain, named = torch.utils._pytree.tree_map(lambda a: a.tensor if isinstance(a, Value) else a, (args, kwargs))
        result = op(*plain, **named)
        several = isinstance(result, (list, tuple))
        name = f"{str(op).split('.')[1].strip('_')}_{len(self.nodes)}"
        values = [Value(f"{name}_{i}" if several else name, r) for i, r in enumerate(result if several else [result])]
        self.node(op, args, kwargs, [v.tensor for v in values], [v.name for v in values], several)
        self.outputs += values
        return values if several else values[0]

    def write(self, folder):
        (folder / "weights.bin").write_bytes(self.weights)
        lines = ",\n".join(json.dumps(n) for n in self.nodes)
        text = f'{{"kg": 1, "inputs": {json.dumps(self.inputs)},\n"nodes": [\n{lines}\n],\n"outputs": {json.dumps([f"%{o.name}" for o in self.outputs])}}}\n'
        (folder / "graph.json").write_text(text, encoding="utf-8")
        return folder / "graph.json"

    def run(self, kdsl, folder, options=()):
        words = []
        for value in self.values:
            save(folder / f"{value.name}.npy", value.tensor)
            words += ["--in", f"{value.name}=@{folder}/{value.name}.npy" + (":bf16" if value.tensor.dtype == torch.bfloat16 else "")]
        for value in self.outputs:
            words += ["--save", f"{value.name}={folder}/{value.name}.out.npy"]
        kdsl("graph", "run", self.write(folder), *words, *options, timeout=600)
        return [load(folder / f"{v.name}.out.npy", v.tensor) for v in self.outputs]

    def check(self, kdsl, folder, limit=None, options=()):
        got = self.run(kdsl, folder, options)
        wrong = [f"{v.name}: {why}" for v, r in zip(self.outputs, got) if (why := difference(r, v.tensor.detach(), limit))]
        assert not wrong, "\n".join(wrong[:40])


def difference(got, expected, limit=None):
    """What is wrong with a result; None: nothing. limit: how far it may be, instead of TOLERANCES."""
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return f"{got.dtype}{list(got.shape)}, expected {expected.dtype}{list(expected.shape)}"
    if not expected.dtype.is_floating_point:
        return None if torch.equal(got, expected) else f"{(got != expected).sum()} of {got.numel()} differ: {got.flatten()[:8]} {expected.flatten()[:8]}"
    a, b = got.double(), expected.double()
    limit = limit or TOLERANCES[expected.dtype]
    scale = b[b.isfinite()].abs().mean().item() if b.isfinite().any() else 0.0
    bad = ~(((a - b).abs() <= limit * (b.abs() + scale) + 1e-30) | (a == b) | (a.isnan() & b.isnan()))
    if not bad.any():
        return None
    i = bad.flatten().nonzero()[0].item()
    return f"{bad.sum()} of {bad.numel()} differ, as element {i}: {a.flatten()[i]}, expected {b.flatten()[i]}"


# Names of triton.language and of its libdevice that generated kernels use; all are in Triton 3.3 too.
TRITON = set("""load store arange program_id full where maximum minimum PropagateNan ALL sum max min reduce cumsum cumprod dot exp exp2 log log2 sqrt
    rsqrt sin cos abs erf sigmoid floor ceil constexpr float16 bfloat16 float32 float64 int1 int8 int16 int32 int64 uint8 uint16 uint32 uint64
    to dtype jit language extra trunc rint fmod pow tanh tan sinh cosh asin acos atan atan2 asinh acosh atanh expm1 log1p log10 erfc""".split())


def check_source(text):
    """Kernels are Python, and use Triton's names only."""
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, ast.Attribute) or node.attr in TRITON, node.attr


def kernels(kdsl, folder, options=()):
    """The kernels and the primitives of the graph written last."""
    steps = kdsl("graph", "explain", folder / "graph.json", *options, timeout=600).stdout
    check_source(kdsl("graph", "source", folder / "graph.json", *options, timeout=600).stdout)
    return len(re.findall(r"^ *\d+ +kernel", steps, re.M)), len(re.findall(r"^ *\d+ +primitive", steps, re.M)), steps


# ---- models ----

def trace(model, *inputs):
    """The graph that torch.compile gives a backend at AOTAutograd's level, and its inputs."""
    from functorch.compile import make_boxed_func
    from torch._dynamo.backends.common import aot_autograd
    found = []

    def keep(gm, example):
        def run(*args):
            found.append((gm, args))
            return gm(*args)
        return make_boxed_func(run)

    torch._dynamo.reset()
    with torch.no_grad():
        torch.compile(model, backend=aot_autograd(fw_compiler=keep, inference_compiler=keep), fullgraph=True)(*inputs)
    assert len(found) == 1
    return found[0]


def from_fx(gm, example, inputs):
    """The graph as kg: tensors that are among the inputs stay inputs, the others are constants."""
    g, made = AtenGraph(), {}
    given = {t.untyped_storage().data_ptr() for t in inputs}
    examples = iter(example)
    for node in gm.graph.nodes:
        if node.op == "placeholder":
            tensor = next(examples)
            is_input = tensor.untyped_storage().data_ptr() in given
            made[node] = g.input(tensor, node.name) if is_input else g.weight(tensor, node.name)
        elif node.op == "get_attr":
            made[node] = g.weight(getattr(gm, node.target), node.name)
        elif node.op == "call_function" and node.target is operator.getitem:
            made[node] = made[node.args[0]][node.args[1]]
        elif node.op == "call_function":
            value = node.meta["val"]
            several = isinstance(value, (list, tuple))
            read = {u.args[1] for u in node.users if u.target is operator.getitem} if several else {0}
            results = [v if i in read else None for i, v in enumerate(value)] if several else [value]
            values = [Value(f"{node.name}_{i}" if several else node.name, r) for i, r in enumerate(results)]
            to = lambda a: torch.fx.node.map_arg(a, lambda n: made[n])
            args = [to(a) for a in node.args]
            g.node(node.target, args, {k: to(v) for k, v in node.kwargs.items()}, results, [v.name for v in values], several)
            made[node] = values if several else values[0]
        elif node.op == "output":
            g.outputs = [made[n] for n in torch.utils._pytree.tree_leaves(node.args)]
    return g


def check_model(kdsl, folder, model, *inputs, limit, options=()):
    """Compares with eager; returns how many kernels and primitives there are, and the steps."""
    kept = [*model.buffers(), *inputs]
    before = [t.clone() for t in kept]
    gm, example = trace(model, *inputs)
    for tensor, old in zip(kept, before):       # what the model has written goes back
        tensor.copy_(old)
    g = from_fx(gm, example, inputs)
    with torch.no_grad():
        expected = model(*[t.clone() for t in inputs])
    expected = list(expected) if isinstance(expected, (list, tuple)) else [expected]
    g.outputs = g.outputs[len(g.outputs) - len(expected):]       # what is written back to buffers comes first
    for value, tensor in zip(g.outputs, expected):
        value.tensor = tensor
    g.check(kdsl, folder, limit, options)
    return kernels(kdsl, folder, options)
