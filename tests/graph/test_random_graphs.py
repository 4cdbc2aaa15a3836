"""Random graphs against PyTorch: what random_graphs.py makes of some seeds, and what others have found, made small by it."""
import json

import pytest
import random_graphs
import torch
from aten import AtenGraph
from draw import aten, f16, f64, i32, i64, u8


@pytest.mark.parametrize("first", range(0, 40, 8))
def test_random_graphs(kdsl, tmp_path, first):
    for seed in range(first, first + 8):
        wrong = random_graphs.check(random_graphs.make(seed), kdsl, tmp_path)
        assert not wrong, f"python3 tests/graph/random_graphs.py {seed} {seed + 1}: {wrong[0][0].name}: {wrong[0][1]}"


def test_output_beside_its_reshape(kdsl, tmp_path):
    """Both are outputs, each with memory of its own."""
    g = AtenGraph()
    for shape, other in (([6], [2, 3]), ([5, 1, 4], [5, 4]), ([], [1, 1])):
        x = g.op(aten.neg.default, g.input(torch.randn(shape)))
        g.op(aten.reshape.default, x, other)
        g.op(aten.reshape.default, x, [-1])
    g.check(kdsl, tmp_path)


def test_truth_values_as_numbers(kdsl, tmp_path):
    """A sum of truth values is their or, a square a number; u8 was the type of truth values once."""
    g = AtenGraph()
    a, b = g.input(torch.tensor([True, True, False])), g.input(torch.tensor([True, False, False]))
    x = g.input(torch.tensor([0, 2, 255], dtype=u8))
    g.op(aten.add.Tensor, a, b)
    g.op(aten.add.Tensor, a, b, alpha=2)
    g.op(aten.add.Scalar, a, True)
    g.op(aten.add.Scalar, a, 1)
    g.op(aten.add.Tensor, a, x, alpha=3)
    g.op(aten.mul.Tensor, a, b)
    g.op(aten.square.default, a)
    for op in (aten.any, aten.all):
        g.op(op.default, x)
        g.op(op.dim, x, 0, True)
        g.op(op.dims, x, [0])
    g.check(kdsl, tmp_path)


@pytest.mark.parametrize("dtype", [torch.bool, u8, i32, i64, f16, f64])
def test_logsumexp(kdsl, tmp_path, dtype):
    g = AtenGraph()
    g.op(aten.logsumexp.default, g.input(torch.tensor([[0, 1, 2], [1, 0, 1]]).to(dtype)), [1])
    g.op(aten.logsumexp.default, g.input(torch.tensor(1).to(dtype)), [])
    g.check(kdsl, tmp_path)


@pytest.mark.parametrize("op", ["var", "std", "var_mean"])
def test_spread_of_one_number(kdsl, tmp_path, op):
    g = AtenGraph()
    for shape, dims in (([], []), ([], [0]), ([3, 1], [1]), ([1, 1], [0, 1])):
        g.op(getattr(aten, op).correction, g.input(torch.randn(shape)), dims, correction=0, keepdim=True)
    g.check(kdsl, tmp_path)


def test_largest_of_no_rows(kdsl, tmp_path):
    """Rows that are not there have no largest element, which is no mistake; a row of nothing is one."""
    g = AtenGraph()
    x = g.input(torch.zeros([0, 3, 4]))
    for op in (aten.argmax.default, aten.argmin.default, aten.max.dim, aten.min.dim):
        g.op(op, x, 1, True)
        g.op(op, x, -1)
    g.check(kdsl, tmp_path)
    node = {"o": "%y", "op": "aten.argmax.default", "in": ["%x", 0]}
    graph = {"kg": 1, "inputs": [{"n": "%x", "t": "f32", "s": [0, 3, 4]}], "nodes": [node], "outputs": ["%y"]}
    (tmp_path / "none.json").write_text(json.dumps(graph), encoding="utf-8")
    assert "dim is out of range, or has no elements, for f32[0, 3, 4]" in kdsl("graph", "text", "none.json", status=1).stderr


@pytest.mark.parametrize("dtype", [torch.float32, f16, f64, i64])
def test_numbers_alone(kdsl, tmp_path, dtype):
    """What has numbers alone to choose from has the type of its operand."""
    g = AtenGraph()
    x = g.input(torch.tensor([-3, 0, 5]).to(dtype))
    sign = g.op(aten.sign.default, x)
    g.op(aten.sigmoid.default, sign)
    if dtype == i64:
        g.op(aten.mul.Tensor, g.op(aten.__rshift__.Scalar, x, 64), 1 << 40)
    g.check(kdsl, tmp_path)
