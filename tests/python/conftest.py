"""Fixtures for the tests of the Python package."""
import os
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")       # a second thread of libgomp's waits for a processor that other tests keep busy

import pytest  # noqa: E402
import torch  # noqa: E402

import kdsl  # noqa: E402
from kdsl.part import Part  # noqa: E402


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Each test has its own random numbers, compiled code and counters; none finds an executable of another test's in the cache."""
    monkeypatch.setattr(Part, "keeps", False)
    torch.manual_seed(0)
    torch._dynamo.reset()
    torch.backends.mha.set_fastpath_enabled(False)
    kdsl.counters.reset()
    with torch.no_grad():
        yield


@pytest.fixture
def check():
    """Compares a model through kdsl with PyTorch alone. whole: kdsl compiles all of it. Returns the compiled model."""
    def run(model, *args, rtol=1e-5, atol=1e-5, whole=True, options=None):
        want = model(*args)
        fast = torch.compile(model, backend="kdsl", options=options)
        with warnings.catch_warnings():
            warnings.simplefilter("error" if whole else "ignore", UserWarning)
            got = fast(*args)
        assert torch.utils._pytree.tree_structure(got) == torch.utils._pytree.tree_structure(want)
        for g, w in zip(torch.utils._pytree.tree_leaves(got), torch.utils._pytree.tree_leaves(want)):
            if isinstance(w, torch.Tensor):
                assert (g.dtype, g.shape, g.stride()) == (w.dtype, w.shape, w.stride())
                torch.testing.assert_close(g, w, rtol=rtol, atol=atol)
            else:
                assert g == w
        assert kdsl.counters.compiled > 0
        if whole:
            assert kdsl.counters.fallback_nodes == 0, kdsl.counters
        return fast
    return run
