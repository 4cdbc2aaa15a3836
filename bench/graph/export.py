"""Writes a model for all engines: a graph in kg format with its weights, an ONNX file, inputs, and what PyTorch computes of them."""
import contextlib
import json
import operator

import models
import numpy as np
import torch
from torch._functorch.aot_autograd import aot_export_module

TYPES = {torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16", torch.int64: "i64", torch.int32: "i32",
         torch.bool: "i1"}


class ResultAsTuple(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        return (self.model(*inputs),)


def describe(t):
    return {"t": TYPES[t.dtype], "s": list(t.shape), "st": list(t.stride())}


class Writer:
    def __init__(self, folder, suffix):
        self.folder, self.suffix, self.inputs, self.nodes, self.renamed = folder, suffix, [], [], {}
        self.weights = open(folder / f"weights{suffix}.bin", "wb")

    def weight(self, name, t):
        t = t.detach().contiguous()
        self.weights.write(bytes(-self.weights.tell() % 64))
        self.inputs.append({"n": f"%{name}", **describe(t), "role": "param",
                            "data": {"file": f"weights{self.suffix}.bin", "at": self.weights.tell()}})
        self.weights.write((t.view(torch.int16) if t.dtype == torch.bfloat16 else t).numpy().tobytes())

    def reference(self, a):
        if isinstance(a, torch.fx.Node):
            return "%" + self.renamed.get(a.name, a.name)
        if isinstance(a, (list, tuple)):
            return [self.reference(i) for i in a]
        if isinstance(a, torch.dtype):
            return TYPES[a]
        if isinstance(a, (torch.memory_format, torch.layout, torch.device)):
            return None
        if isinstance(a, float) and (a != a or abs(a) == float("inf")) or type(a) is int and abs(a) > 2 ** 53:
            return str(a)
        return a

    def node(self, n):
        values = n.meta["val"]
        several = isinstance(values, (tuple, list))
        self.nodes.append({"o": [f"%{n.name}.{i}" for i in range(len(values))] if several else "%" + n.name, "op": str(n.target),
                           "in": self.reference(n.args), "kw": {k: self.reference(a) for k, a in n.kwargs.items()},
                           "out": [describe(t) if t is not None else None for t in (values if several else [values])]})

    def write(self, outputs):
        nodes = ",\n".join(json.dumps(n) for n in self.nodes)
        (self.folder / f"graph{self.suffix}.json").write_text(
            f'{{"kg": 1, "inputs": {json.dumps(self.inputs)},\n"nodes": [\n{nodes}],\n"outputs": {json.dumps(outputs)}}}\n')
        self.weights.close()


def write_graph(model, inputs, folder, suffix):
    model = ResultAsTuple(model)
    module, signature = aot_export_module(model, inputs, trace_joint=False)
    tensors = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    w = Writer(folder, suffix)
    for n in module.graph.nodes:
        if n.op == "placeholder":
            source = signature.inputs_to_parameters.get(n.name) or signature.inputs_to_buffers.get(n.name)
            if source:
                w.weight(n.name, tensors[source])
            else:
                w.inputs.append({"n": f"%{n.name}", **describe(n.meta["val"]), "role": "user"})
        elif n.op == "get_attr":
            w.weight(n.name, getattr(module, n.target))
        elif n.op == "output":
            w.write(w.reference(n.args[0]))
        elif n.target is operator.getitem:
            w.renamed[n.name] = f"{n.args[0].name}.{n.args[1]}"
        else:
            w.node(n)


def export(name, folder):
    folder.mkdir(parents=True, exist_ok=True)
    model, inputs = models.make(name)
    with torch.no_grad():
        np.save(folder / "expected.npy", model(*inputs).numpy())
        for suffix in ("", "-bf16"):
            with torch.autocast("cpu", torch.bfloat16) if suffix else contextlib.nullcontext():
                write_graph(model, inputs, folder, suffix)
        torch.onnx.export(model, inputs, folder / "model.onnx", dynamo=True, optimize=True, external_data=True)
    for i, t in enumerate(inputs):
        np.save(folder / f"input{i}.npy", t.numpy())
