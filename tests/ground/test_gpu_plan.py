"""Which tests run with which sub-group sizes and numbers of sub-groups on a GPU."""
import os
import sys
import types

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import gpu_plan  # noqa: E402


def run(text):
    return text


def test_of_sums():
    run("tl.sum(x)")


def test_of_gathers():
    run("tl.gather(x, i, 0)")


def test_of_messages():
    return "tl.sort(x)"


def items(function, n):
    return [types.SimpleNamespace(function=function, name=f"{function.__name__}[{i}]", nodeid=f"a.py::{function.__name__}[{i}]", path="test_a.py")
            for i in range(n)]


def seen(plan, kinds):
    pairs = [pair for name, pairs in plan.items() if kinds in name for pair in pairs]
    return {size for size, _ in pairs}, {n for _, n in pairs}, set(pairs)


@pytest.mark.parametrize("n_sums, n_gathers", [(1, 1), (7, 2), (40, 3), (100, 17)])
def test_every_kind_sees_all_sizes_and_numbers(n_sums, n_gathers):
    tests = items(test_of_sums, n_sums) + items(test_of_gathers, n_gathers) + items(test_of_messages, 3)
    plan = gpu_plan.make_plan(tests)
    assert set(plan) == {item.nodeid for item in tests}
    for kind in ("sums", "gathers"):
        sizes, numbers, _ = seen(plan, kind)
        assert (sizes, numbers) == (set(gpu_plan.SIZES), set(gpu_plan.NUMBERS))
    assert n_sums < 40 or seen(plan, "sums")[2] == set(gpu_plan.PAIRS)
    assert sum(map(len, plan.values())) <= len(tests) + 12
    assert all(len(plan[item.nodeid]) == 1 for item in items(test_of_messages, 3))


def test_what_is_missing_is_said():
    some, most = [(8, 1), (16, 2), (32, 4), (8, 8), (16, 16)], [pair for pair in gpu_plan.PAIRS if pair != (32, 8)]
    assert gpu_plan.missing({"scan": [*some, (8, 32)]}, {"scan": 6}) == []
    assert gpu_plan.missing({"scan": some, "dot": most}, {"scan": 6, "dot": 50}) == [
        "dot: no test ran with 8 sub-groups of 32", "scan: no test ran with 32 sub-groups"]
    assert gpu_plan.missing({}, {"gather": 1}) == [
        "gather: no test ran with sub-groups of 8, sub-groups of 16, sub-groups of 32, 1 sub-groups, 2 sub-groups, 4 sub-groups, 8 sub-groups, "
        "16 sub-groups, 32 sub-groups"]
