"""A part of a graph that kdsl compiles, and what calls it."""
import os
import weakref

import torch

from kdsl import kg
from kdsl._kdsl import Error, Runner, UnsupportedError, compile as compile_text, use_torch
from kdsl.counters import counters
from kdsl.memory import LEAST_BYTES

use_torch(torch._C.TensorBase, (torch.Tensor, torch.nn.Parameter), getattr(torch._C._dynamo.guards, "_torchinductor_pyobject_tensor_data_ptr", 0))
empty_strided = getattr(torch._C._dynamo.guards, "_empty_strided_cpu", None)


def empty_maker(value, memory):
    """A function and its arguments that make the tensor which a node's result is written to."""
    size, stride, n_bytes = tuple(value.shape), tuple(value.stride()), span_bytes(value)
    if n_bytes > LEAST_BYTES:
        return memory.empty, (n_bytes, size, stride, value.dtype)
    if empty_strided is not None and value.dtype != torch.bool:
        return empty_strided, (size, stride, value.dtype)
    return (lambda size, stride, dtype: torch.empty_strided(size, stride, dtype=dtype)), (size, stride, value.dtype)


def span_bytes(tensor):
    if tensor.numel() == 0:
        return 0
    return (1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride()))) * tensor.element_size()


def can_be_constant(tensor, value):
    """Whether a weight lies as the graph has it, and whether a change in place would show: tensors that were made in inference mode do not
    count theirs."""
    return not tensor.is_inference() and (tensor.dtype, tensor.shape, tensor.stride()) == (value.dtype, value.shape, value.stride())


def relayout(tensor, dtype, shape, stride):
    """An argument whose strides are not those that PyTorch foretold."""
    if tensor.dtype != dtype or tuple(tensor.shape) != shape or tensor.device.type != "cpu":
        raise Error(f"a value is {tensor.dtype}{list(tensor.shape)} on {tensor.device}, but the graph was compiled for {dtype}{list(shape)} on the CPU")
    if all(n == 1 or have == want for n, have, want in zip(shape, tensor.stride(), stride)) or tensor.numel() == 0:
        return tensor
    copy = torch.empty_strided(shape, stride, dtype=dtype)
    if not kg.has_own_places(copy):
        raise Error(f"a value has the strides {list(tensor.stride())}, but the graph was compiled for {list(stride)}")
    return copy.copy_(tensor)


def check_strides(executable, outputs):
    """The library writes results where nodes say that they lie; it must agree on how."""
    for node, (_, shape, strides, _) in zip(outputs, executable.outputs):
        wanted = tuple(node.meta["val"].stride())
        if 0 not in shape and any(n > 1 and have != want for n, have, want in zip(shape, strides, wanted)):
            raise UnsupportedError(f"%{node.name}: PyTorch expects the strides {list(wanted)}, but kdsl gives {list(strides)}")


class Part:
    """Nodes that run as one compiled graph. Called with the values of args, it returns a list of those of results.

    args and results are nodes; a result may be an argument or None. weights: which args are parameters, that change seldom. constants: the
    tensors of get_attr nodes among the inputs. memory: the graph's, for large results."""

    keeps = True                            # what is compiled, in the cache

    def __init__(self, name, nodes, args, results, weights, constants, options, memory):
        inside = set(nodes)
        self.name, self.options, self.memory, self.nodes, self.args = name, options, memory, nodes, args
        self.outputs = [node for node in dict.fromkeys(results) if node in inside]
        self.reads = [node for node in dict.fromkeys(p for n in nodes for p in n.all_input_nodes) if node not in inside]
        self.places = {node: i for i, node in enumerate(args)}
        self.weights = [node for node in self.reads if node in weights]
        self.constants = {node: constants[node] for node in self.reads if node in constants}
        self.changes = 0                    # of weights: in place, or because those that were compiled for are gone
        self.as_inputs = options.weights == "inputs"
        numbers = {node: i for i, node in enumerate(self.outputs)}
        this = weakref.ref(self)

        def on_death(ref):
            part = this()
            if part is not None:
                part.changes += part.runner.forget(ref)

        self.runner = Runner(len(args), self.make, on_death, relayout, [empty_maker(node.meta["val"], memory) for node in self.outputs],
                             [None if node is None else numbers[node] if node in numbers else ~self.places[node] for node in results])

    def text(self, constants):
        """The graph in the kg format; constants: which inputs it holds."""
        inputs = [kg.input_json(node, "constant" if node in constants else "user", node.name if node in constants else None)
                  for node in self.reads]
        return kg.graph_text(inputs, self.nodes, self.outputs)

    def make(self, args, changed):
        """Compiles for the weights among the arguments. changed: again, because they are no longer what they were."""
        self.changes += changed
        counters.recompiles += changed
        if self.changes > self.options.max_recompiles:
            self.as_inputs = True
        weights = [] if self.as_inputs else [node for node in self.weights if can_be_constant(args[self.places[node]], node.meta["val"])]
        tensors = {node: args[self.places[node]] for node in weights} | self.constants
        memory = [(node.name, tensor.data_ptr(), span_bytes(tensor)) for node, tensor in tensors.items()]
        inputs = [(self.places[node], v.dtype, tuple(v.shape), tuple(v.stride())) for node in self.reads if node not in tensors
                  for v in [node.meta["val"]]]
        executable = self.compile(self.text(tensors), memory, self.keeps and not changed)
        return executable, [(self.places[node], span_bytes(tensors[node]), node.name) for node in weights], inputs

    def compile(self, text, memory, keep):
        """keep: in the cache. Weights from there cannot change, and those that have changed once may do so again."""
        options = self.options
        threads = options.threads or torch.get_num_threads()
        executable = compile_text(text, self.name, memory, options.device, threads, options.cache, options.fusion, options.cache_dir, keep)
        check_strides(executable, self.outputs)
        counters.compiled += 1
        counters.loaded += executable.is_loaded
        if options.dump_dir:
            self.dump(text, executable)
        return executable

    def dump(self, text, executable):
        os.makedirs(self.options.dump_dir, exist_ok=True)
        path = os.path.join(self.options.dump_dir, self.name)
        with open(f"{path}.json", "w", encoding="utf-8") as file:
            file.write(text)
        for step in executable.steps:
            if step["source"]:
                with open(f"{path}.{step['name']}.py", "w", encoding="utf-8") as file:
                    file.write(step["source"])


def culprits(part):
    """Why single nodes of a part do not compile, where it does not as a whole: {node's name: why}."""
    refused = {}
    for node in part.nodes:
        if kg.is_getitem(node):
            continue
        value = node.meta["val"]
        results = [user for user in node.users if kg.is_getitem(user)] if isinstance(value, (list, tuple)) else [node]
        try:
            alone = Part(part.name, [node, *(r for r in results if r is not node)], node.all_input_nodes, results, (), part.constants, part.options,
                         part.memory)
            options = part.options
            executable = compile_text(alone.text({}), part.name, (), options.device, 1, options.cache, options.fusion, options.cache_dir)
            check_strides(executable, results)
        except (Error, ValueError, MemoryError) as error:
            refused[node.name] = str(error)
    return refused

