"""The tests of test_ops.py once more: layouts are assigned by our passes, and a work-group is run that does what its work-items do."""
import numpy as np
import pytest

import test_ops
from build import NUMPY, Func
from simt import lower
from test_ops import *  # noqa: F403
from work_group import WorkGroup

CONFIGS = [("pvc", 16, 4), ("pvc", 32, 1), ("dg2", 8, 2), ("pvc", 32, 32)]


@pytest.fixture(autouse=True, params=CONFIGS, ids=lambda c: f"{c[0]}-{c[1]}x{c[2]}")
def on_a_work_group(request, monkeypatch):
    device, lanes, sub_groups = request.param

    def run(f, inputs, outputs, grid=(1,), exact=True):
        text = f.text() if isinstance(f, Func) else f
        code, slm_bytes, _ = lower(text, device=device, sub_group_size=lanes, n_sub_groups=sub_groups, passes="canonicalize,cse,split-addresses,cse,licm,dce",
                                   first="default,lower-block-access,canonicalize,cse,licm,dce,gpu")
        arrays = {n: a.copy() if isinstance(a, np.ndarray) else a for n, a in inputs.items()}
        arrays |= {n: np.zeros(shape, NUMPY[elem]) for n, (shape, elem) in outputs.items()}
        WorkGroup(code, arrays.values(), lanes, sub_groups, slm_bytes, (tuple(grid) + (1, 1))[:3]).run()
        return {n: a for n, a in arrays.items() if isinstance(a, np.ndarray)}
    monkeypatch.setattr(test_ops, "run", run)


# As in test_simt.py: what the interpreter of work-items lacks, and tests of an order that only the CPU has.
del test_all_ops_are_covered, test_assert, test_print, test_f16_all, test_f8, test_bf16, test_atomic  # noqa: F821


@pytest.mark.parametrize("elem, sums", [("f32", "f32"), ("i8", "i32")])
@pytest.mark.parametrize("m, n, k", [(32, 64, 32), (64, 32, 16), (16, 16, 16), (128, 8, 4)])
def test_dot_direct(elem, sums, m, n, k):
    """Without SLM where a and b are loaded for the dot; a product of a product."""
    f = Func(a=f"ptr<{elem}>", b=f"ptr<{elem}>", o=f"ptr<{sums}>")
    zero = f.const(0 if sums == "i32" else 0.0, tile((m, n), sums))
    f.store("o", (m, n), sums, f("kd.dot", f.load("a", (m, k), elem), f.load("b", (k, n), elem), zero, type=tile((m, n), sums)))
    a, b = (rng.integers(-4, 5, s).astype(NUMPY[elem]) for s in ((m, k), (k, n)))
    got = test_ops.run(f, {"a": a, "b": b}, {"o": ((m, n), sums)})
    np.testing.assert_array_equal(got["o"], a.astype(NUMPY[sums]) @ b.astype(NUMPY[sums]))
