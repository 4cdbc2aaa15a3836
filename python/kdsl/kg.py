"""From PyTorch's graphs (torch.fx, at the level of aten ops) to the kg format (docs/kg.md), as text."""
import json
import operator
import re

import torch

TYPES = {torch.bool: "i1", torch.int8: "i8", torch.int16: "i16", torch.int32: "i32", torch.int64: "i64", torch.uint8: "u8", torch.float16: "f16",
         torch.bfloat16: "bf16", torch.float32: "f32", torch.float64: "f64"}
TYPES.update({getattr(torch, name): short for name, short in (("uint16", "u16"), ("uint32", "u32"), ("uint64", "u64")) if hasattr(torch, name)})
WORDS = (torch.layout, torch.memory_format, torch.device)
EXACT = 1 << 53                             # whole numbers up to here are numbers in JSON


def describe(value):
    """Type, shape and strides of a tensor; None for anything that a graph cannot hold."""
    if not isinstance(value, torch.Tensor) or value.dtype not in TYPES or value.layout != torch.strided or value.device.type != "cpu":
        return None
    shape, strides = list(value.shape), list(value.stride())
    if not all(type(n) is int for n in shape + strides):
        return None
    return {"t": TYPES[value.dtype], "s": shape, "st": strides}


def unknown(value):
    """What a graph cannot hold, for messages."""
    if not isinstance(value, torch.Tensor):
        return f"of the type {type(value).__name__}"
    if value.dtype not in TYPES:
        return f"a tensor of {str(value.dtype).removeprefix('torch.')}"
    if value.layout != torch.strided:
        return f"a tensor with the layout {str(value.layout).removeprefix('torch.')}"
    return f"a tensor on {value.device}" if value.device.type != "cpu" else "a tensor whose sizes are not known"


def describe_or_say(value):
    """For kdsl's check of a graph: also what makes it refuse a value."""
    return describe(value) or {"unknown": unknown(value)}


def is_dense(value):
    """Whether a tensor's elements lie next to one another, each once. True for what is no tensor."""
    if not isinstance(value, torch.Tensor) or value.numel() == 0:
        return True
    expected = 1
    for stride, extent in sorted((s, n) for n, s in zip(value.shape, value.stride()) if n != 1):
        if stride != expected:
            return False
        expected *= extent
    return True


def has_own_places(value):
    """Whether each element of a tensor has a place of its own."""
    end = 1
    for stride, extent in sorted((s, n) for n, s in zip(value.shape, value.stride()) if n != 1):
        if stride < end:
            return False
        end = (extent - 1) * stride + end
    return True


def is_conversion(node):
    """TorchDynamo's own op for aten._to_copy, for numbers that it makes tensors."""
    return node.target is torch.ops.prims.convert_element_type.default


def op_name(node):
    """"aten.add.Tensor"; None for what is no op."""
    if is_conversion(node):
        return "aten._to_copy.default"
    if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):
        return str(node.target)
    return None


def is_getitem(node):
    return node.op == "call_function" and node.target is operator.getitem


def line_of(node):
    """"model.py:31: x = self.conv(x)": where in the model's source a node comes from; None where nobody knows."""
    frames = re.findall(r'File "([^"]+)", line (\d+), in [^\n]*\n\s*([^\n]*)', node.meta.get("stack_trace") or "")
    frames = [frame for frame in frames if "/torch/_dynamo/" not in frame[0]]
    if not frames:
        return None
    path, number, code = ([frame for frame in frames if "/torch/nn/" not in frame[0]] or frames)[-1]
    return f"{path.rsplit('/', 1)[-1]}:{number}: {code.strip()}"


def name_of(node):
    """A value's name. Results of an op that has several are read by getitem nodes."""
    if is_getitem(node):
        return f"{name_of(node.args[0])}.{node.args[1]}"
    return f"%{node.name}"


def argument(value):
    if isinstance(value, torch.fx.Node):
        return name_of(value)
    if isinstance(value, (list, tuple)):
        return [argument(item) for item in value]
    if isinstance(value, torch.dtype):
        return TYPES.get(value, str(value))
    if isinstance(value, WORDS):
        return str(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT:
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"unknown": str(value)}          # a symbolic size, a complex number: the node is refused


def node_json(node):
    """A node as the format has it. Nothing is said of results that nobody reads: what PyTorch claims of some of them is not so."""
    value = node.meta.get("val")
    args, kwargs = (node.args[:1], {"dtype": node.args[1]}) if is_conversion(node) else (node.args, node.kwargs)
    several = isinstance(value, (list, tuple))
    if several:
        read = {user.args[1] for user in node.users if is_getitem(user)}
        value = [v if i in read else None for i, v in enumerate(value)]
    item = {"o": [f"%{node.name}.{i}" for i in range(len(value))] if several else f"%{node.name}", "op": op_name(node) or str(node.target),
            "in": [argument(a) for a in args], "kw": {k: argument(a) for k, a in kwargs.items()},
            "out": [None if v is None else describe_or_say(v) for v in (value if several else [value])]}
    if not item["kw"]:
        del item["kw"]
    line = line_of(node)
    if line:
        item["at"] = line
    return item


def input_json(node, role, memory=None):
    item = {"n": name_of(node), **describe_or_say(node.meta.get("val")), "role": role}
    if memory is not None:
        item["data"] = {"memory": memory}
    return item


def graph_text(inputs, nodes, outputs):
    """inputs: from input_json; nodes, outputs: of the fx graph."""
    lines = ",\n ".join(json.dumps(node_json(node)) for node in nodes if not is_getitem(node))
    return (f'{{"kg": 1, "torch": {json.dumps(torch.__version__)},\n"inputs": [\n {",".join(chr(10) + " " + json.dumps(i) for i in inputs)[1:].strip()}],\n'
            f'"nodes": [\n {lines}],\n"outputs": {json.dumps([name_of(node) for node in outputs])}}}\n')
