"""From TorchDynamo's graph of a model's Python to a functional graph of aten ops, in one walk over it.

What AOTAutograd does in two walks through several layers of dispatch, which take longer than all of kdsl. What needs its care is left to it:
graphs that write to their arguments or to views, results that share memory, ops of other libraries.
"""
import contextlib
import logging
import operator
import types

import torch
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from kdsl.decompositions import decompositions

log = logging.getLogger(__name__)
aten = torch.ops.aten
QUERIES = {torch.ops.prim.device.default, aten.dim.default, aten.is_contiguous.default, aten.is_contiguous.memory_format,
           aten.is_strides_like_format.default, aten.is_non_overlapping_and_dense.default,
           *(getattr(aten, prefix + name).default for prefix in ("", "sym_") for name in ("size", "stride", "storage_offset", "numel"))}
FOREIGN = ("torch._functorch", "torch._C._functorch", "torch._higher_order_ops")       # where functions are that change what ops do


class Unclear(Exception):
    """AOTAutograd must look at the graph."""


def functional_twin(op):
    """The op that computes what another one writes to its first argument."""
    schema = op._schema
    name = op.overloadpacket.__name__
    writes = [argument.alias_info is not None and argument.alias_info.is_write for argument in schema.arguments]
    packet = getattr(aten, name[:-1], None) if name.endswith("_") and not name.endswith("__") else None
    twin = getattr(packet, op._overloadname, None)
    if twin is None or writes != [True] + [False] * (len(writes) - 1) or len(schema.returns) != 1 or torch.Tag.nondeterministic_seeded in op.tags:
        raise Unclear(f"{op} writes to an argument")
    return twin


def looks_like(a, b):
    return (a.dtype, a.shape, a.stride(), a.storage_offset(), a.device) == (b.dtype, b.shape, b.stride(), b.storage_offset(), b.device)


class Recorder(TorchDispatchMode):
    """Writes down the ops that run while it is active."""

    def __init__(self):
        super().__init__()
        self.graph, self.nodes = torch.fx.Graph(), {}
        self.memory = {}                    # whose memory a tensor lies in, by its id: for each memory a list of all tensors there
        self.fixed = set()                  # the memory of arguments, by its id
        self.source = None                  # the node of TorchDynamo's graph that runs

    @classmethod
    def is_infra_mode(cls):
        """As PyTorch's own modes: otherwise it notes, for all threads, that TorchDynamo is to compile nothing; two threads can leave it so."""
        return True

    ignore_compile_internals = is_infra_mode

    def bind(self, tensor, node, base=None):
        """From now on the node stands for the tensor. base: whose memory it shares, as far as its op says so."""
        if id(tensor) not in self.nodes:
            there = self.memory[id(tensor)] = [] if base is None else self.memory[id(base)]
            there.append(tensor)            # it stays, so no other gets its id
        self.nodes[id(tensor)] = node

    def add_input(self, name, value):
        node = self.graph.placeholder(name)
        node.meta["val"] = value
        if isinstance(value, torch.Tensor):
            self.bind(value, node)
            self.fixed.add(id(self.memory[id(value)]))

    def is_fixed(self, tensor):
        """Whether it lies in an argument's memory."""
        return id(self.memory[id(tensor)]) in self.fixed

    def argument(self, value):
        if isinstance(value, torch.Tensor):
            if id(value) not in self.nodes:
                raise Unclear("a tensor that comes from nowhere")
            return self.nodes[id(value)]
        if isinstance(value, (list, tuple)):
            return type(value)([self.argument(item) for item in value])
        if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
            raise Unclear("a symbolic size")
        return value

    def record(self, op, args, kwargs, result):
        node = self.graph.create_node("call_function", op, tuple(self.argument(a) for a in args), {k: self.argument(v) for k, v in kwargs.items()},
                                      name=op.overloadpacket.__name__)
        node.meta["val"] = result
        for key in ("stack_trace", "nn_module_stack"):
            if self.source is not None and key in self.source.meta:
                node.meta[key] = self.source.meta[key]
        return node

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if op in QUERIES:
            return op(*args, **kwargs)
        if not isinstance(op, torch._ops.OpOverload) or op.namespace not in ("aten", "prims"):
            raise Unclear(f"{op} is not an op of PyTorch")
        with self:                          # first what is always written out, as AOTAutograd does; ops in place become others before that
            result = op.decompose(*args, **kwargs)
            decomposition = None if op._schema.is_mutable else decompositions().get(op)
            if result is NotImplemented and decomposition:
                result = decomposition(*args, **kwargs)
        if result is not NotImplemented:
            return result
        if op is aten.detach.default:       # kept apart from its argument by gradients only
            result = op(*args, **kwargs)
            self.bind(result, self.argument(args[0]), args[0])
            return result
        if op._schema.is_mutable:
            return self.write(op, args, kwargs)
        result = op(*args, **kwargs)
        node = self.record(op, args, kwargs, result)
        base = args[0] if any(r.alias_info is not None for r in op._schema.returns) else None       # as all views have it
        if isinstance(result, torch.Tensor):
            self.bind(result, node, base)
        elif isinstance(result, (list, tuple)):
            for i, item in enumerate(result):
                if isinstance(item, torch.Tensor):
                    part = self.graph.create_node("call_function", operator.getitem, (node, i), name="getitem")
                    part.meta["val"] = item
                    self.bind(item, part, base)
        else:
            raise Unclear(f"{op} gives no tensor")
        return result

    def write(self, op, args, kwargs):
        """An op in place, on a tensor whose memory no other one shares: from here on the tensor is what the op computes."""
        twin, tensor = functional_twin(op), args[0]
        self.argument(tensor)
        if self.is_fixed(tensor) or len(self.memory[id(tensor)]) != 1:
            raise Unclear(f"{op} writes to memory that is not a tensor's own")
        if twin in decompositions():
            with self:
                result = twin(*args, **kwargs)
            node = self.argument(result)
        else:
            result = twin(*args, **kwargs)
            node = self.record(twin, args, kwargs, result)
        if torch.Tag.inplace_view in op.tags and twin._schema.returns[0].alias_info is not None:    # not elements, but how they lie
            self.argument(tensor).meta["val"] = aten.alias.default(tensor)                          # as it was
            op(*args, **kwargs)
        if not looks_like(result, tensor):
            raise Unclear(f"{op} changes what it computes to another type")
        self.bind(tensor, node)
        return tensor


@contextlib.contextmanager
def without_autocast_cache():
    before = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(before)


def check_target(node):
    if node.op in ("call_module", "get_attr") or isinstance(node.target, torch._ops.HigherOrderOperator):
        raise Unclear("a module or a function inside the graph")
    if node.op == "call_function" and ((getattr(node.target, "__module__", None) or "").startswith(FOREIGN) or
                                       getattr(node.target, "__name__", None) == "_enter_inference_mode"):
        raise Unclear("functions that are transformed, or another mode")


def run_node(node, values):
    args, kwargs = torch.fx.map_arg((node.args, node.kwargs), values.__getitem__)
    if node.op == "call_method":
        return getattr(args[0], node.target)(*args[1:], **kwargs)
    return node.target(*args, **kwargs)


def run_graph(gm, recorder, fakes):
    """Runs TorchDynamo's graph on tensors without data. Returns what it returns."""
    values, fakes, entered = {}, iter(fakes), []
    grad = torch.is_grad_enabled()
    try:
        for node in gm.graph.nodes:
            check_target(node)
            recorder.source = node
            if node.op == "placeholder":
                values[node] = next(fakes)
            elif node.op == "output":
                return torch.fx.map_arg(node.args[0], values.__getitem__)
            else:
                values[node] = run_node(node, values)
                if node.target is torch.amp.autocast_mode._enter_autocast:
                    entered.append(values[node])
                elif node.target is torch.amp.autocast_mode._exit_autocast:
                    entered.pop()
    finally:
        for mode in reversed(entered):
            torch.amp.autocast_mode._exit_autocast(mode)
        torch._C._set_grad_enabled(grad)


def make_fakes(examples):
    """Tensors like the arguments, without data, and the mode that they belong to; AOTAutograd would get the same from it."""
    context = torch._guards.TracingContext.try_get()
    if context is None:
        mode = FakeTensorMode()
        return mode, [mode.from_tensor(x, static_shapes=True) if isinstance(x, torch.Tensor) else x for x in examples]
    fakes = []
    for x in examples:
        if isinstance(x, torch.Tensor):
            known = context.tensor_to_context.get(x)
            x = context.fake_mode.from_tensor(x, static_shapes=False, symbolic_context=known, source=known and known.tensor_source, trace=known is None)
        fakes.append(x)
    return context.fake_mode, fakes


def add_output(recorder, results):
    """Ends the graph. None of the results may lie in an argument's memory or in another's: whoever writes to one would change the other."""
    seen = {}
    for result in results:
        if result is None:
            continue
        if not isinstance(result, torch.Tensor) or result.requires_grad and torch.is_grad_enabled():
            raise Unclear("a result is no tensor, or one with a gradient")
        recorder.argument(result)
        memory = recorder.memory[id(result)]
        if seen.setdefault(id(memory), result) is not result or recorder.is_fixed(result) and memory[0] is not result:
            raise Unclear("results share memory")
    recorder.graph.output([None if result is None else recorder.argument(result) for result in results])


def trace(gm, examples):
    """The graph of aten ops, in an object like a GraphModule; None where only AOTAutograd can make it."""
    simple = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer, int, float, bool)
    if any(type(x) not in simple for x in examples) or _get_current_dispatch_mode_stack() or torch._C._is_torch_function_mode_enabled():
        return None
    recorder = Recorder()
    try:
        mode, fakes = make_fakes(examples)
        for i, fake in enumerate(fakes):
            recorder.add_input(f"arg{i}_1", fake)
        with without_autocast_cache(), mode, enable_python_dispatcher(), recorder:
            results = run_graph(gm, recorder, fakes)
        add_output(recorder, results)
    except Exception as why:                # AOTAutograd tells what is wrong with the graph, if anything is
        log.debug("AOTAutograd makes the graph: %s", why)
        return None
    recorder.graph.eliminate_dead_code()
    return types.SimpleNamespace(graph=recorder.graph)
