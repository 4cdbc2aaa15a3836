"""Each example gives NumPy's numbers: fused and unfused, and with one thread and two the same bits."""
import dataclasses
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "examples"))
import cases  # noqa: E402

CASES = cases.make_cases()


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_example(case):
    if os.environ.get("KDSL_TEST_GPU") and any(word in case.name for word in ("matmul", "attention", "convolution")):
        # LANGUAGE.md: products of f32 may go through tf32, which keeps 11 bits of a factor
        case = dataclasses.replace(case, rtol=max(case.rtol, 2e-3), atol=max(case.atol, 4e-2))
    outcome = cases.run(case)
    assert outcome.ok, outcome.message


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_example_without_fusion(case):
    outcome = cases.run(case, extra=["--no-fusion"])
    assert outcome.ok, outcome.message
