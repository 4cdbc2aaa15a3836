"""Memory of large results, which is used again (kdsl/memory.py)."""
import copy
import gc
import pickle
import subprocess
import sys
import threading

import pytest
import torch

from kdsl.memory import LARGE_PAGE, MAX_KEPT, Memory

KEEPERS = {
    "view": lambda y: y[1:].t(),
    "numpy": lambda y: y.numpy(),
    "dlpack": torch.utils.dlpack.to_dlpack,
    "storage": lambda y: y.untyped_storage(),
    "memoryview": lambda y: memoryview(y.numpy()),
    "graph": lambda y: (y * torch.ones(8, requires_grad=True)).sum(),
}


@pytest.fixture
def fast(monkeypatch):
    """A compiled x + 1, whose results are large ones."""
    monkeypatch.setattr("kdsl.part.LEAST_BYTES", 0)
    return torch.compile(lambda x: x + 1, backend="kdsl")


def ask(x):
    return torch.full((4, 8), float(x))


def test_results_that_live_share_no_memory(fast):
    results = [fast(ask(i)) for i in range(3 * MAX_KEPT)]
    assert len({y.data_ptr() for y in results}) == len(results)
    for i, y in enumerate(results):
        assert torch.equal(y, ask(i + 1)) and y.stride() == (8, 1) and y.untyped_storage().nbytes() == 128


def test_memory_is_used_again(fast):
    y = fast(ask(0))
    seen = set()
    for i in range(10):
        y = fast(ask(i))            # while the last one lives
        seen.add(y.data_ptr())
    assert len(seen) == 2


@pytest.mark.parametrize("keeper", KEEPERS)
def test_what_refers_to_a_result_keeps_its_memory(fast, keeper):
    y = fast(ask(0))
    place = y.data_ptr()
    with torch.enable_grad():
        kept = KEEPERS[keeper](y)
    del y
    for i in range(1, 4):
        assert fast(ask(i)).data_ptr() != place
    if keeper == "view":
        assert torch.equal(kept, ask(1)[1:].t())
    del kept
    gc.collect()
    assert place in {y.data_ptr() for y in [fast(ask(i)) for i in range(MAX_KEPT)]}


def test_results_are_tensors_like_others(fast):
    y = fast(ask(1))
    y.add_(1)[0].zero_()
    assert y.sum() == 3 * 8 * 3 and not y._is_view()
    again, other = pickle.loads(pickle.dumps(y)), copy.deepcopy(y)
    y.share_memory_()               # in other memory now
    place = y.data_ptr()
    assert fast(ask(5)).data_ptr() != place and torch.equal(y, again) and torch.equal(y, other)
    with torch.inference_mode():
        assert torch.equal(fast(ask(1)), ask(2))


def test_a_result_outlives_its_model(fast):
    y = fast(ask(7))
    del fast
    torch._dynamo.reset()
    gc.collect()
    assert torch.equal(y, ask(8))


def test_threads(fast):
    fast(ask(0))
    wrong = []

    def call(number):
        for i in range(50):
            y = fast(ask(100 * number + i))
            if not torch.equal(y, ask(100 * number + i + 1)):
                wrong.append((number, i))

    threads = [threading.Thread(target=call, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_what_nobody_has_goes_before_more_is_mapped():
    memory = Memory()
    results = [memory.empty(100, (100,), (1,), torch.uint8) for _ in range(2 * MAX_KEPT)]
    assert len(memory.kept) == MAX_KEPT
    del results[1:]
    large = memory.empty(4 * LARGE_PAGE, (100,), (1,), torch.uint8)
    assert [len(block) for block in memory.kept] == [LARGE_PAGE, 4 * LARGE_PAGE]        # that of results[0], and the new one
    del large


def test_many_calls_take_no_more_memory():
    """With what is large in earnest, and nothing at the end that the interpreter complains about."""
    program = """
import gc, torch
def resident():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) >> 10
fast = torch.compile(lambda x: x + 1, backend="kdsl", options={"cache": False})
x = torch.zeros(9 << 20)
with torch.no_grad():
    y = fast(x)
    y = fast(x)
    before, places = resident(), set()
    for _ in range(100):
        y = fast(x)
        places.add(y.data_ptr())
    assert len(places) == 2, places
    assert resident() < before + 20, (before, resident())
    fast(x[:-(2 << 20)]), fast(x[1 << 20:])
    del fast
    torch._dynamo.reset()
    gc.collect()
    assert resident() < before - 20, (before, resident())
print("end", y.sum().item() == x.numel())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and done.stdout == "end True\n" and "rror" not in done.stderr, done.stderr
