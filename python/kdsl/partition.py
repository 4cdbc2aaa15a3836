"""Splits a graph of aten ops into parts that kdsl compiles and nodes that PyTorch runs.

Each node gets a kind and a level. A level is that of the nodes it reads, and one more where their kind is another; so the nodes of one kind and
one level never wait for one another through a node of the other kind, and all of them are one part. This needs one walk over the graph.
"""
import dataclasses

import torch

from kdsl import kg
from kdsl.options import without_overload

KDSL, HOST = "kdsl", "host"


@dataclasses.dataclass
class Group:
    """Nodes that run together, in order."""
    kind: str
    level: int
    nodes: list


def is_input(node):
    return node.op in ("placeholder", "get_attr")


def computed_nodes(gm):
    return [node for node in gm.graph.nodes if not is_input(node) and node.op != "output"]


def find_refused(gm, native, name, disabled=()):
    """Why kdsl cannot compile a node, for those that it cannot, by the node's name: the library is asked about all at once."""
    nodes = computed_nodes(gm)
    inputs = [kg.input_json(node, "user") for node in gm.graph.nodes if is_input(node)]
    refused = {}
    for first, why in native.check(kg.graph_text(inputs, nodes, []), name):
        refused.setdefault(first, why)
    for node in nodes:
        op = kg.op_name(node)
        if op is None and not kg.is_getitem(node):
            refused[node.name] = f"{name}: %{node.name} = {node.target}: not an op that kdsl knows"
        elif op and (op in disabled or without_overload(op) in disabled):
            refused[node.name] = f"{name}: %{node.name} = {op}: is among the disabled ops"
    # Results of an op with several are named "%split.0" by the library.
    return {node.name: refused.get(node.name) or refused[f"{node.name}.0"] for node in nodes
            if node.name in refused or f"{node.name}.0" in refused}


def is_view(node):
    return kg.is_getitem(node) or (isinstance(node.target, torch._ops.OpOverload) and
                                   (node.target.is_view or node.target is torch.ops.aten._unsafe_view.default))


def is_random(node):
    tags = getattr(node.target, "tags", ())
    return torch.Tag.nondeterministic_seeded in tags or node.is_impure()


def choose_kinds(nodes, refused):
    """Which side runs a node. A view that only PyTorch reads stays there, where it costs nothing, if kdsl would have to copy for it."""
    kinds = {}
    for node in nodes:
        kinds[node] = kinds.get(node.args[0], HOST) if kg.is_getitem(node) else HOST if node.name in refused else KDSL
    for node in reversed(nodes):
        if kinds[node] != KDSL or kg.is_getitem(node) or not is_view(node) or any(kinds.get(user) == KDSL for user in node.users):
            continue
        base = node.args[0]
        if not kg.is_dense(node.meta.get("val")) or is_input(base) or any(kinds.get(user, HOST) == HOST for user in base.users if user is not node):
            kinds[node] = HOST
    return kinds


def assign_levels(nodes, kinds):
    levels, random_level = {}, 0
    for node in nodes:
        level = max((levels[p] + (kinds[p] != kinds[node]) for p in node.all_input_nodes if p in levels), default=0)
        if kinds[node] == HOST and is_random(node):     # their order decides what they draw
            random_level = level = max(level, random_level)
        levels[node] = level
    return levels


def split(gm, refused):
    """Groups in an order in which they can run."""
    nodes = computed_nodes(gm)
    kinds = choose_kinds(nodes, refused)
    while True:
        levels = assign_levels(nodes, kinds)
        groups = {}
        for node in nodes:
            groups.setdefault((levels[node], kinds[node]), []).append(node)
        idle = [part for (_, kind), part in groups.items() if kind == KDSL and all(is_view(node) for node in part)]
        if not idle:
            return [Group(kind, level, part) for (level, kind), part in sorted(groups.items(), key=lambda item: item[0][0])]
        for part in idle:               # parts that compute nothing
            for node in part:
                kinds[node] = HOST
