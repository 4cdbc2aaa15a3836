"""Builds graphs in the kg format, beside what NumPy says that they compute.

    g = Graph()
    x = g.input("x", np.ones((2, 3), np.float32))
    y = g.op("aten.relu.default", x, is_=lambda x: np.maximum(x, 0))
    g.check(kdsl, tmp_path, y)
"""
import json
import re

import numpy as np

TYPES = {"float32": "f32", "float64": "f64", "float16": "f16", "int64": "i64", "int32": "i32", "int8": "i8", "uint8": "u8", "bool": "i1"}


class Value:
    def __init__(self, name, array):
        self.name, self.array = name, array


def describe(array):
    """Type, shape and strides, of memory as NumPy has it."""
    return {"t": TYPES[str(array.dtype)], "s": list(array.shape), "st": [s // array.itemsize for s in array.strides]}


class Graph:
    def __init__(self):
        self.inputs, self.nodes, self.arrays, self.weights, self.n = [], [], {}, b"", 0

    def input(self, name, array):
        self.inputs.append({"n": f"%{name}", **describe(array), "role": "user"})
        self.arrays[name] = array
        return Value(name, array)

    def weight(self, name, array):
        array = np.ascontiguousarray(array)
        self.weights += bytes(-len(self.weights) % 64)
        self.inputs.append({"n": f"%{name}", **describe(array), "role": "param", "data": {"file": "weights.bin", "at": len(self.weights)}})
        self.weights += array.tobytes()
        return Value(name, array)

    def op(self, op, *args, is_, name=None, **kw):
        """Adds a node; is_ computes its result, or a tuple of them, from the arrays of the tensor arguments."""
        self.n += 1
        name = name or f"{re.sub('^_+', '', op.split('.')[1])}_{self.n}"
        flat = [a for arg in args for a in (arg if isinstance(arg, (list, tuple)) else [arg])]
        arrays = is_(*[a.array for a in flat if isinstance(a, Value)])
        several = isinstance(arrays, tuple)
        values = [Value(f"{name}_{i}" if several else name, a) for i, a in enumerate(arrays if several else [arrays])]
        names = [f"%{v.name}" for v in values]
        node = {"o": names if several else names[0], "op": op, "in": [reference(a) for a in args]}
        if kw:
            node["kw"] = kw
        if all(v.array is not None for v in values):
            node["out"] = [{"t": TYPES[str(v.array.dtype)], "s": list(v.array.shape)} for v in values]
        self.nodes.append(node)
        return tuple(values) if several else values[0]

    def write(self, folder, *outputs):
        if self.weights:
            (folder / "weights.bin").write_bytes(self.weights)
        path = folder / "graph.json"
        lines = ",\n".join(json.dumps(n) for n in self.nodes)
        path.write_text(f'{{"kg": 1, "inputs": {json.dumps(self.inputs)},\n"nodes": [\n{lines}\n],\n'
                        f'"outputs": {json.dumps([f"%{o.name}" for o in outputs])}}}\n', encoding="utf-8")
        return path

    def run(self, kdsl, folder, *outputs, options=()):
        path = self.write(folder, *outputs)
        words = []
        for name, array in self.arrays.items():
            np.save(folder / f"{name}.npy", array)
            words += ["--in", f"{name}=@{folder}/{name}.npy"]
        for i, o in enumerate(outputs):
            words += ["--save", f"{o.name}={folder}/out{i}.npy"]
        kdsl("graph", "run", path, *words, *options)
        return [np.load(folder / f"out{i}.npy") for i in range(len(outputs))]

    def check(self, kdsl, folder, *outputs, rtol=1e-5, atol=1e-6, kernels=None, options=()):
        """Runs the graph, and compares with NumPy; kernels: how many it takes."""
        for got, o in zip(self.run(kdsl, folder, *outputs, options=options), outputs):
            assert got.dtype == o.array.dtype and got.shape == o.array.shape, (got.dtype, got.shape, o.array.dtype, o.array.shape)
            np.testing.assert_allclose(got.astype(np.float64), o.array.astype(np.float64), rtol=rtol, atol=atol)
        if kernels is not None:
            steps = kdsl("graph", "explain", folder / "graph.json").stdout
            assert len(re.findall(r"^ *\d+ +kernel", steps, re.M)) == kernels, steps


def reference(arg):
    if isinstance(arg, Value):
        return f"%{arg.name}"
    if isinstance(arg, (list, tuple)):
        return [reference(a) for a in arg]
    if isinstance(arg, float) and (arg != arg or arg in (float("inf"), -float("inf"))):
        return str(arg)
    return arg
