"""A graph of which kdsl runs some parts and PyTorch the other nodes, as one Python function.

    def run(a0, a1):
        v0, = part0(a0, a1)
        v1 = op0(v0, -1)
        v0 = None
        v2, = part1(v1)
        return [v2]
"""
import torch

from kdsl import kg


def get_attribute(gm, target):
    for name in target.split("."):
        gm = getattr(gm, name)
    return gm


class Writer:
    def __init__(self, gm):
        self.gm, self.lines, self.scope, self.names = gm, [], {}, {}

    def name(self, node):
        if node not in self.names:
            self.names[node] = f"v{len(self.names)}"
        return self.names[node]

    def keep(self, prefix, value):
        """A name for an object that has no text."""
        name = f"{prefix}{len(self.scope)}"
        self.scope[name] = value
        return name

    def argument(self, value):
        if isinstance(value, torch.fx.Node):
            return self.name(value)
        if isinstance(value, (list, tuple)):
            text = "".join(self.argument(item) + ", " for item in value)
            return f"[{text}]" if isinstance(value, list) else f"({text})"
        if value is None or isinstance(value, (bool, int, str)):
            return repr(value)
        return self.keep("c", value)

    def node(self, node):
        if kg.is_getitem(node):
            self.lines.append(f"{self.name(node)} = {self.name(node.args[0])}[{node.args[1]}]")
            return
        if node.op == "call_function":
            function = self.keep("op", node.target)
        elif node.op == "call_module":
            function = self.keep("op", self.gm.get_submodule(node.target))
        else:                               # call_method
            function = f"{self.argument(node.args[0])}.{node.target}"
        args = node.args[1:] if node.op == "call_method" else node.args
        words = [self.argument(a) for a in args] + [f"{k}={self.argument(a)}" for k, a in node.kwargs.items()]
        self.lines.append(f"{self.name(node)} = {function}({', '.join(words)})")

    def part(self, part):
        results = "".join(self.name(node) + ", " for node in part.outputs)
        self.lines.append(f"{results}= {self.keep('part', part.runner)}({', '.join(self.name(node) for node in part.args)})")

    def release(self, nodes):
        if nodes:
            self.lines.append(" = ".join(self.name(node) for node in nodes) + " = None")


def last_reads(steps, results):
    """Which values nobody reads after a step: for each step a list of nodes."""
    last = {}
    for i, (defined, read) in enumerate(steps):
        for node in [*defined, *read]:
            last[node] = i
    keep = {node for node in results if isinstance(node, torch.fx.Node)}
    ends = [[] for _ in steps]
    for node, i in last.items():
        if node not in keep:
            ends[i].append(node)
    return ends


def without_autocast(run):
    """The graph has all casts already."""
    def guarded(*args):
        with torch._C._DisableAutocast():
            return run(*args)
    return guarded


def write_program(gm, placeholders, steps, results):
    """steps: Parts and nodes, in order. Returns a function of the placeholders' values that returns a list."""
    writer = Writer(gm)
    for node in gm.graph.nodes:
        if node.op == "get_attr":
            writer.names[node] = writer.keep("constant", get_attribute(gm, node.target))
    constants = set(writer.names)
    arguments = ", ".join(writer.name(node) for node in placeholders)
    uses = [((step.outputs, step.args) if hasattr(step, "runner") else ([step], step.all_input_nodes)) for step in steps]
    for step, ends in zip(steps, last_reads(uses, results)):
        if hasattr(step, "runner"):
            writer.part(step)
        else:
            writer.node(step)
        writer.release([node for node in ends if node not in constants])
    writer.lines.append(f"return [{', '.join(writer.argument(result) for result in results)}]")
    source = f"def run({arguments}):\n    " + "\n    ".join(writer.lines) + "\n"
    exec(compile(source, "<kdsl program>", "exec"), writer.scope)
    run = writer.scope["run"]
    return without_autocast(run) if torch._C._is_any_autocast_enabled() else run
