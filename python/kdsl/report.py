"""kdsl.explain(model, *args): what torch.compile(model, backend="kdsl") makes of a model."""
import contextlib
import functools
import time

import torch
from torch._C._dynamo.eval_frame import _debug_get_cache_entry_list as entries_of

from kdsl import kg
from kdsl.backend import kdsl
from kdsl.counters import count
from kdsl.part import Part


class Explanation:
    """text, or str(): a report for people. graphs: a dict for each graph, with the steps of each of its parts and their times."""

    def __init__(self, graphs, text):
        self.graphs, self.text = graphs, text

    def __str__(self):
        return self.text

    __repr__ = __str__


def guards_of(code):
    """The guards of what TorchDynamo has compiled of some Python code."""
    return [entry.guard_manager for entry in entries_of(code)]


def forget(guards):
    """What TorchDynamo has compiled under these guards is used no more."""
    if guards.extra_state is not None:
        guards.extra_state.invalidate(guards.cache_entry, torch._dynamo.guards.DeletedGuardManagerWrapper("made by kdsl.explain"))


@contextlib.contextmanager
def own_cache():
    """What TorchDynamo compiles meanwhile is forgotten after it; what it compiled before neither counts nor goes."""
    config, before = torch._dynamo.config, {}

    def note(code, _):
        before.setdefault(code, guards_of(code))

    limits = {name: 1 << 30 for name in ("cache_size_limit", "accumulated_cache_size_limit", "recompile_limit", "accumulated_recompile_limit")
              if hasattr(config, name)}
    handle = torch._dynamo.convert_frame.register_bytecode_hook(note)
    try:
        with config.patch(automatic_dynamic_shapes=False, **limits):
            yield
    finally:
        handle.remove()
        for code, known in before.items():
            for guards in guards_of(code):
                if all(guards is not other for other in known):
                    forget(guards)


def explain(model, *args, options=None, **kwargs):
    """Compiles a model, calls it twice without gradients, and tells what became of each node."""
    if not callable(model):
        raise TypeError(f"kdsl.explain needs a model or a function, not {model!r}")
    compiled = []
    fast = torch.compile(model, backend=functools.partial(kdsl, options=options, report=compiled))
    with torch.no_grad(), own_cache():
        fast(*args, **kwargs)
        began = time.perf_counter()
        fast(*args, **kwargs)
        seconds = time.perf_counter() - began
    graphs = [facts(c) for c in compiled]
    said = [describe(c) for c in compiled] or ["No graph was compiled."]
    for part in (part for c in compiled for part in c.parts()):
        part.runner.drop()
    return Explanation(graphs, "\n\n".join(said) + f"\n\nA call took {1e3 * seconds:.3f} ms.")


def facts(compiled):
    parts = []
    for part in compiled.parts():
        for executable in part.runner.executables[:1]:
            times = time_steps(executable, part)
            parts.append({"name": part.name, "nodes": len(part.nodes), "arena_bytes": executable.arena_bytes,
                          "steps": [{**step, "ns": ns} for step, ns in zip(executable.steps, times)]})
    host = [{"node": node.name, "op": kg.op_name(node) or str(node.target), "line": kg.line_of(node), "why": compiled.refused.get(node.name)}
            for node in compiled.host_nodes() if not kg.is_getitem(node)]
    return {"name": compiled.name, "parts": parts, "host": host}


def time_steps(executable, part, runs=5):
    """The fastest of some runs on zeros, step by step."""
    inputs = [torch.zeros(n_bytes + 64, dtype=torch.uint8) for *_, n_bytes in executable.inputs]
    outputs = [torch.empty(n_bytes + 64, dtype=torch.uint8) for *_, n_bytes in executable.outputs]
    addresses = [[tensor.data_ptr() + -tensor.data_ptr() % 64 for tensor in tensors] for tensors in (inputs, outputs)]
    times = [executable.run(*addresses) for _ in range(runs)]
    return [min(each) for each in zip(*times)]


def size(n_bytes):
    for unit in ("B", "KiB", "MiB"):
        if n_bytes < 1024:
            break
        n_bytes /= 1024
    else:
        unit = "GiB"
    return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"


def describe(compiled):
    """A report about one graph."""
    fact = facts(compiled)
    n_steps = sum(len(part["steps"]) for part in fact["parts"])
    lines = [f"{fact['name']}: {count(sum(isinstance(s, Part) for s in compiled.steps), 'part')} with {count(n_steps, 'step')}; "
             f"{count(len(fact['host']), 'node')} left to PyTorch"]
    for part in fact["parts"]:
        total = sum(step["ns"] for step in part["steps"])
        lines.append(f"\n{part['name']}: {count(part['nodes'], 'node')}, {count(len(part['steps']), 'step')}, {1e-6 * total:.3f} ms, "
                     f"{size(part['arena_bytes'])} for values between")
        lines.append("       time  share  kind       read        written     what, and its nodes")
        for step in part["steps"]:
            share = 100 * step["ns"] / total if total else 0
            lines.append(f"{1e-3 * step['ns']:8.1f} us {share:5.1f}%  {step['kind']:<9}  {size(step['read_bytes']):<10}  {size(step['written_bytes']):<10}  "
                         f"{step['name']}: {step['nodes']}")
    if fact["host"]:
        lines.append("\nin PyTorch:")
        lines += [f"  %{host['node']} = {host['op']}" + (f"   ({host['line']})" if host["line"] else "") + (f"\n      {host['why']}" if host["why"] else "")
                  for host in fact["host"]]
    return "\n".join(lines)
