"""The backend of torch.compile: torch.compile(model, backend="kdsl", options={...}).

TorchDynamo hands over a graph of a model's Python; trace.py, or AOTAutograd where that cannot, makes a functional graph of aten ops of it, in which
ops that kdsl has no row for are written out where PyTorch knows how (decompositions.py); what kdsl knows of that is compiled (part.py), and PyTorch
runs the rest (partition.py, program.py).
"""
import contextlib
import dataclasses
import gc
import itertools
import threading
import warnings

import torch
from torch._functorch.aot_autograd import aot_module_simplified, make_boxed_func
from torch._subclasses.fake_tensor import FakeTensor

from kdsl import _kdsl, kg
from kdsl.counters import count, counters
from kdsl.decompositions import decompositions
from kdsl.memory import Memory
from kdsl.options import read_options
from kdsl.part import Part, culprits
from kdsl.partition import HOST, KDSL, find_refused, split
from kdsl.program import get_attribute, write_program
from kdsl.trace import trace

MAX_ROUNDS = 4                              # of splitting again because a part did not compile
PACKED_SHAPES, PACKED_BYTES = 4, 256 << 20  # for so many shapes, or in so many bytes, weights are packed
graph_numbers = itertools.count()


def kdsl(gm, example_inputs, *, options=None, mode=None, report=None):
    """Compiles what TorchDynamo found. mode: torch.compile's. report: a list that gets a Compiled for each graph, for kdsl.explain."""
    options = read_options(options, mode)
    counters.graphs += 1
    if torch.is_grad_enabled() and any(isinstance(x, torch.Tensor) and x.requires_grad for x in example_inputs):
        return without_kdsl(gm, options, "gradients are needed, which kdsl does not compute yet; call the model under torch.no_grad()")
    places = [i for i, node in enumerate(gm.graph.find_nodes(op="placeholder")) if is_static(node, example_inputs[i])]
    if any(is_symbolic(x) for x in example_inputs):
        return Specializer(gm, places, options, report)
    return specialize(gm, example_inputs, places, options, report, Memory())


def without_kdsl(gm, options, why):
    if options.fallback == "error":
        raise _kdsl.UnsupportedError(f"{why} (the option fallback is 'error')")
    counters.eager_graphs += 1
    warnings.warn(f"kdsl: a graph runs in PyTorch: {why}", stacklevel=3)
    return gm.forward


def is_static(placeholder, example):
    """Whether an argument is a parameter or a buffer of a module."""
    return isinstance(example, torch.nn.Parameter) or bool((placeholder.meta.get("tensor_dict") or {}).get("_dynamo_static_input_type"))


def is_symbolic(x):
    return isinstance(x, torch.SymInt) or (isinstance(x, torch.Tensor) and
                                           any(isinstance(n, torch.SymInt) for n in (*x.shape, *x.stride(), x.storage_offset())))


class Specializer:
    """A graph whose shapes vary: compiled for each combination of shapes and numbers when it is first called with it."""

    def __init__(self, gm, places, options, report):
        self.gm, self.places, self.options, self.report = gm, places, options, report
        self.known, self.bound, self.eager, self.memory = {}, options.max_specializations, None, Memory()
        self.lock = threading.Lock()
        placeholders = gm.graph.find_nodes(op="placeholder")
        # Numbers with a fraction come as tensors of one element.
        self.numbers = [i for i, node in enumerate(placeholders) if node.users and all(is_item(user) for user in node.users)]
        self.varying = [i for i in range(len(placeholders)) if i not in places and i not in self.numbers]

    def __call__(self, *args):
        key = tuple([(x.shape, x.stride(), x.dtype) if isinstance(x, torch.Tensor) else x for x in [args[i] for i in self.varying]] +
                    [args[i].item() for i in self.numbers])
        run = self.known.get(key) or self.make(key, args)
        return run(*args)

    def make(self, key, args):
        with self.lock:                     # several threads may come with one shape
            return self.known.get(key) or self.make_new(key, args)

    def make_new(self, key, args):
        if len(self.known) >= self.bound:
            if self.eager is None:
                self.eager = without_kdsl(self.gm, self.options, f"it was compiled for {self.bound} combinations of shapes already "
                                                                 "(the option max_specializations)")
            return self.eager
        counters.specializations += 1
        with torch.no_grad():
            run = self.known[key] = specialize(self.with_numbers(args), args, self.places, self.choose_options(args), self.report, self.memory)
        return run

    def choose_options(self, args):
        """Each shape has packed weights of its own. Where that is too much, the next ones read them where they are."""
        n_bytes = sum(args[i].numel() * args[i].element_size() for i in self.places)
        if len(self.known) < PACKED_SHAPES or (len(self.known) + 1) * n_bytes <= PACKED_BYTES:
            return self.options
        return dataclasses.replace(self.options, weights="inputs")

    def with_numbers(self, args):
        """The graph with numbers written out."""
        if not self.numbers:
            return self.gm
        graph = torch.fx.Graph()
        graph.output(graph.graph_copy(self.gm.graph, {}))
        placeholders = graph.find_nodes(op="placeholder")
        for i in self.numbers:
            number = args[i].item()
            for item in list(placeholders[i].users):
                for user in list(item.users):
                    user.args, user.kwargs = torch.fx.map_arg((user.args, user.kwargs), lambda n, item=item, number=number: number if n is item else n)
                graph.erase_node(item)
        return torch.fx.GraphModule(self.gm, graph)


def is_item(node):
    return node.op == "call_method" and node.target == "item"


@contextlib.contextmanager
def no_garbage_collection():
    """Compiling makes many objects that stay; looking through all of the process's again and again for garbage takes as long as the rest."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def specialize(gm, example_inputs, places, options, report, memory):
    """Compiles a graph for the shapes of these inputs. Returns a function of the same arguments."""
    compiled = Compiled(example_inputs, places, options, memory)
    if report is not None:
        report.append(compiled)
    with no_garbage_collection():
        functional = trace(gm, example_inputs)
        if functional:
            compiled.compile_graph(functional)
            run = compiled.run
        else:
            run = aot_module_simplified(gm, list(example_inputs), fw_compiler=compiled.compile, inference_compiler=compiled.compile,
                                        decompositions=decompositions())
    if options.explain:
        from kdsl.report import describe
        print(describe(compiled))
    return compiled.direct() or run


class Compiled:
    """What became of one graph: steps, each a Part or a node that PyTorch runs."""

    def __init__(self, example_inputs, places, options, memory):
        self.examples, self.places, self.options, self.memory = list(example_inputs), places, options, memory
        self.name = f"graph{next(graph_numbers)}"
        self.gm, self.steps, self.refused, self.run, self.needs_wrapper = None, [], {}, None, True

    def compile(self, gm, fake_inputs):
        """AOTAutograd's compiler."""
        self.compile_graph(gm)
        return make_boxed_func(self.run)

    def compile_graph(self, gm):
        self.gm = gm
        placeholders = gm.graph.find_nodes(op="placeholder")
        weights = self.find_weights(placeholders)
        results = list(gm.graph.find_nodes(op="output")[0].args[0])
        refused = find_refused(gm, _kdsl, self.name, self.options.disabled_ops)
        for rounds in range(MAX_ROUNDS + 1):
            failed = self.build(placeholders, results, weights, refused)
            if not failed:
                break
            for part, why in failed:
                found = culprits(part) if rounds < MAX_ROUNDS - 2 else {}
                refused |= found or {node.name: why for node in part.nodes}
            if rounds == MAX_ROUNDS - 1:
                refused |= {node.name: failed[0][1] for part in self.parts() for node in part.nodes if node.name not in refused}
        self.refused = refused
        self.tell_fallbacks()
        self.needs_wrapper = not is_plain(gm, placeholders, self.examples)
        self.examples = None

    def find_weights(self, placeholders):
        """The arguments that are parameters or buffers and that the graph does not write to, with their tensors."""
        context = torch._guards.TracingContext.try_get()
        metadata = context.fw_metadata if context else None
        if len(placeholders) != len(self.examples):
            return {}
        changed = set(metadata.mutated_inp_runtime_indices) if metadata else set()
        return {placeholders[i]: self.examples[i] for i in self.places if i not in changed}

    def build(self, placeholders, results, weights, refused):
        """Makes steps of the graph. Returns the parts that do not compile, each with why."""
        groups = split(self.gm, refused)
        constants = {node: get_attribute(self.gm, node.target) for node in self.gm.graph.find_nodes(op="get_attr")}
        self.steps, failed = [], []
        known = {None, *placeholders, *(node for group in groups for node in group.nodes)}
        whole = len(groups) == 1 and groups[0].kind == KDSL and known.issuperset(results)
        for group in groups:
            if group.kind == HOST:
                self.steps += group.nodes
                continue
            inside = set(group.nodes)
            if whole:
                part = Part(self.name, group.nodes, placeholders, results, weights, constants, self.options, self.memory)
            else:
                wanted = [n for n in group.nodes if any(user not in inside for user in n.users)]
                args = [n for n in dict.fromkeys(p for n in group.nodes for p in n.all_input_nodes) if n not in inside and n not in constants]
                part = Part(f"{self.name}_{len(self.parts())}", group.nodes, args, wanted, weights, constants, self.options,
                            self.memory)
            self.steps.append(part)
            why = warm_up(part, weights)
            if why:
                failed.append((part, why))
        if whole:
            self.run = self.steps[0].runner
        else:
            self.run = write_program(self.gm, placeholders, self.steps, results)
        return failed

    def parts(self):
        return [step for step in self.steps if isinstance(step, Part)]

    def host_nodes(self):
        return [step for step in self.steps if not isinstance(step, Part)]

    def direct(self):
        """The runner itself, where AOTAutograd's wrapper has nothing to do around it."""
        return self.run if self.parts() and not self.host_nodes() and not self.needs_wrapper else None

    def tell_fallbacks(self):
        counters.nodes += sum(not kg.is_getitem(node) for part in self.parts() for node in part.nodes)
        left = [node for node in self.host_nodes() if node.name in self.refused]
        counters.fallback_nodes += len(left)
        if not left:
            return
        by_op, by_reason = {}, {}
        for node in left:
            by_op.setdefault(kg.op_name(node) or str(node.target), []).append(node)
        for op, nodes in by_op.items():
            counters.fallbacks[op] = counters.fallbacks.get(op, 0) + len(nodes)
            by_reason.setdefault(self.refused[nodes[0].name], []).append(f"{op}, {count(len(nodes), 'time')}")
        said = "".join(f"\n  {'; '.join(ops)}: {why}" for why, ops in by_reason.items())
        if self.options.fallback == "error":
            raise _kdsl.UnsupportedError(f"kdsl cannot compile {count(len(left), 'node')} of {self.name} (the option fallback is 'error'):{said}")
        warnings.warn(f"kdsl: {count(len(left), 'node')} of {self.name} left to PyTorch:{said}", stacklevel=2)


def warm_up(part, weights):
    """Compiles a part while the graph can still be split another way. Returns why it does not compile, though the library knows all its nodes."""
    tensors = [weights.get(node) for node in part.args]
    if any(isinstance(tensor, FakeTensor) for tensor in tensors):
        return None
    try:
        part.runner.prepare(tuple(tensors))
    except (_kdsl.Error, ValueError, MemoryError) as error:
        return str(error) or type(error).__name__
    return None


def is_plain(gm, placeholders, examples):
    """Whether calling the compiled graph is all that there is to do: AOTAutograd neither copies to inputs nor makes views of them after it."""
    context = torch._guards.TracingContext.try_get()
    metadata = context.fw_metadata if context else None
    if metadata is None or len(placeholders) != len(examples):
        return False
    plain_output = type(metadata.output_info[0].output_type).non_alias if metadata.output_info else None
    return (not metadata.mutated_inp_runtime_indices and not metadata.num_intermediate_bases and not metadata.tokens and
            all(info.output_type == plain_output for info in metadata.output_info) and
            all(issubclass(info.raw_type, torch.Tensor) for info in metadata.output_info) and
            len(gm.graph.find_nodes(op="output")[0].args[0]) == len(metadata.output_info))
