"""The same Python tests on a GPU: `./dev test` runs them a second time with KDSL_TEST_GPU=1, and every 'kdsl run' of theirs goes to level_zero
(ze_pocl/bin/kdsl), which tests/ze_pocl plays on the CPU.

Each test runs with one sub-group size and number of sub-groups, some with several (gpu_plan.py); KDSL_GPU_MATRIX=1: each with all. Which of them the
kinds of tests have seen goes to the file $KDSL_GPU_SEEN. PoCL takes a second or more for a kernel that it has not seen, so a file's tests run for
KDSL_GPU_TEST_SECONDS (600) at most, in an order that is spread over the file; what PoCL has compiled it keeps, and the next run gets further.
"""
import collections
import json
import os
import subprocess
import tempfile
import time
import zlib

import gpu_plan
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
# By sub-group size; all have fp64. The devices whose dots go to the systolic array come first: arl-h with 8 lanes, the others with 16.
DEVICES = {8: ("arl-h", "mtl"), 16: ("bmg", "pvc", "lnl", "mtl", "arl-h"), 32: ("bmg", "pvc", "arl-h")}


def known_failures():
    """NAME: REASON lines of level_zero.txt, for tests that cannot pass on a GPU or do not yet."""
    with open(os.path.join(HERE, "ze_pocl", "not_on_gpus.txt"), encoding="utf-8") as file:
        return dict(line.strip().split(": ", 1) for line in file if line.strip() and line[0] != "#")


def with_pair(item, pair):
    """The same test once more, for one size and number."""
    name = "%s@%dx%d" % (item.name, *pair)
    more = {"callspec": item.callspec} if hasattr(item, "callspec") else {}
    again = pytest.Function.from_parent(item.parent, name=name, callobj=item.obj, fixtureinfo=item._fixtureinfo,       # pylint: disable=protected-access
                                        originalname=item.originalname, **more)
    again.own_markers = list(item.own_markers)
    again.gpu_pair = pair
    return again


def happened(what):
    """Whether ze_pocl/bin/kdsl has left this file since it was asked for last."""
    path = os.environ["KDSL_GPU_" + what]
    if os.path.exists(path):
        os.unlink(path)
        return True
    return False


class OnGpu:
    def __init__(self):
        self.began = time.monotonic()
        for what in ("LATE", "RAN"):
            os.environ["KDSL_GPU_" + what] = os.path.join(tempfile.gettempdir(), "kdsl-gpu-%s-%d" % (what.lower(), os.getpid()))
        self.seen = collections.defaultdict(set)
        self.n_tests = collections.Counter()
        self.seconds = float(os.environ.get("KDSL_GPU_TEST_SECONDS", "600"))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config, items):
        known = known_failures()
        kept = []
        for item in items:
            file = os.path.relpath(item.path, HERE)
            if "without_fusion" not in item.name:
                kept.append(item)
                reason = known.get(f"{file}::{item.name}") or known.get(f"{file}::{item.originalname}")
                if reason:
                    item.add_marker(pytest.mark.skip(reason="not on GPUs: " + reason))
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        self.n_tests.update(kind for item in kept for kind in gpu_plan.kinds_of(item))
        plan = {} if os.environ.get("KDSL_GPU_MATRIX") else gpu_plan.make_plan(kept)
        items[:] = sorted((with_pair(item, pair) for item in kept for pair in plan.get(item.nodeid, gpu_plan.PAIRS)),
                          key=lambda item: zlib.crc32(item.nodeid.encode()))

    def pytest_runtest_setup(self, item):
        if time.monotonic() - self.began > self.seconds:
            pytest.skip("out of time")
        size, n_sub_groups = item.gpu_pair
        os.environ["ZE_POCL"] = "device=" + DEVICES[size][zlib.crc32(item.name.encode()) % len(DEVICES[size])]
        os.environ["KDSL_GPU_OPTIONS"] = f"--device level_zero --sub-group-size {size} --num-warps {n_sub_groups}"

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        outcome = yield
        late, ran = happened("LATE"), happened("RAN")
        if outcome.excinfo and (late or isinstance(outcome.excinfo[1], subprocess.TimeoutExpired)):
            outcome.force_exception(pytest.skip.Exception("PoCL takes too long for a kernel of this test"))
        elif outcome.excinfo and "elements is too large for" in str(outcome.excinfo[1]):
            outcome.force_exception(pytest.skip.Exception("a tile of this test needs more sub-groups"))
        elif outcome.excinfo and not isinstance(outcome.excinfo[1], pytest.skip.Exception):
            print("with ZE_POCL=%s KDSL_GPU_OPTIONS='%s'" % (os.environ["ZE_POCL"], os.environ["KDSL_GPU_OPTIONS"]))
        elif not outcome.excinfo and ran:
            for kind in gpu_plan.kinds_of(item):
                self.seen[kind].add(item.gpu_pair)

    def pytest_sessionfinish(self):
        if os.environ.get("KDSL_GPU_SEEN"):
            with open(os.environ["KDSL_GPU_SEEN"], "w", encoding="utf-8") as file:
                json.dump({"seen": {kind: sorted(pairs) for kind, pairs in self.seen.items()}, "n_tests": self.n_tests}, file)
