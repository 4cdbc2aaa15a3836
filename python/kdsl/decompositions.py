"""Ops that kdsl has no row for, in terms of others: PyTorch's own decompositions, as its compilers use them.

An op of kdsl's table stays as it is: what it becomes there is faster and rounds less. So do ops that draw random numbers, whose order matters.
"""
import functools

import torch
from torch._decomp import core_aten_decompositions, decomposition_table

from kdsl import _kdsl

# Beyond PyTorch's core set: what these become is made of ops that kdsl has.
ALSO = """_native_batch_norm_legit.default _native_batch_norm_legit.no_stats _native_batch_norm_legit_functional.default
    diagonal_scatter.default as_strided_scatter.default max_pool3d_with_indices.default native_batch_norm.default upsample_bilinear2d.default
    upsample_bilinear2d.vec upsample_nearest2d.vec upsample_trilinear3d.default _addmm_activation.default dist.default""".split()


def find_op(name):
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet, None), overload, None)


def is_decomposed(op, known):
    return isinstance(op, torch._ops.OpOverload) and str(op) not in known and torch.Tag.nondeterministic_seeded not in op.tags


@functools.cache
def decompositions():
    """{op: function}, for AOTAutograd."""
    known = frozenset(_kdsl.ops())
    table = dict(core_aten_decompositions().items())
    also = {op: decomposition_table[op] for op in map(find_op, ALSO) if op in decomposition_table}
    return {op: function for op, function in (table | also).items() if is_decomposed(op, known)}
