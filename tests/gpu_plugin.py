"""The same Python tests on a GPU: `./dev test` runs them a second time with KDSL_TEST_GPU=1, and every 'kdsl run' of theirs goes to level_zero
(ze_pocl/bin/kdsl), which tests/ze_pocl plays on the CPU.

Each test runs with one kind of device, sub-group size and number of sub-groups, chosen by its name; together they cover all of them. PoCL takes
a second or more for a kernel that it has not seen, so a file's tests run for KDSL_GPU_TEST_SECONDS (600) at most, in an order that is spread over
the file; what PoCL has compiled it keeps, and the next run gets further.
"""
import os
import subprocess
import tempfile
import time
import zlib

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
DEVICES = (("bmg", 32), ("bmg", 16), ("arl-h", 8), ("pvc", 32), ("mtl", 16), ("lnl", 16), ("arl-h", 32))     # all with fp64
SUB_GROUPS = (4, 1, 8, 2, 16, 32)


def known_failures():
    """NAME: REASON lines of level_zero.txt, for tests that cannot pass on a GPU or do not yet."""
    with open(os.path.join(HERE, "ze_pocl", "not_on_gpus.txt"), encoding="utf-8") as file:
        return dict(line.strip().split(": ", 1) for line in file if line.strip() and line[0] != "#")


class OnGpu:
    def __init__(self):
        self.began = time.monotonic()
        os.environ["KDSL_GPU_LATE"] = os.path.join(tempfile.gettempdir(), "kdsl-gpu-late-%d" % os.getpid())
        self.seconds = float(os.environ.get("KDSL_GPU_TEST_SECONDS", "600"))

    @pytest.hookimpl(trylast=True)
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
        items[:] = sorted(kept, key=lambda item: zlib.crc32(item.nodeid.encode()))

    def pytest_runtest_setup(self, item):
        if time.monotonic() - self.began > self.seconds:
            pytest.skip("out of time")
        number = zlib.crc32(item.name.encode())
        device, lanes = DEVICES[number % len(DEVICES)]
        groups = SUB_GROUPS[number // 64 % len(SUB_GROUPS)]
        os.environ["ZE_POCL"] = "device=" + device
        os.environ["KDSL_GPU_OPTIONS"] = f"--device level_zero --sub-group-size {lanes} --num-warps {min(groups, 512 // lanes)}"

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        outcome = yield
        late = os.path.exists(os.environ["KDSL_GPU_LATE"])
        if late:
            os.unlink(os.environ["KDSL_GPU_LATE"])
        if outcome.excinfo and (late or isinstance(outcome.excinfo[1], subprocess.TimeoutExpired)):
            outcome.force_exception(pytest.skip.Exception("PoCL takes too long for a kernel of this test"))
        elif outcome.excinfo and not isinstance(outcome.excinfo[1], pytest.skip.Exception):
            print("with ZE_POCL=%s KDSL_GPU_OPTIONS='%s'" % (os.environ["ZE_POCL"], os.environ["KDSL_GPU_OPTIONS"]))
