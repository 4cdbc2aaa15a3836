"""Fixtures for the Python tests.

    def test_add(run_kernel):
        x = np.arange(100, dtype=np.float32)
        out = run_kernel(SOURCE, grid="cdiv(n, 64)", x=x, out="empty:f32[100]", n=100, BLOCK=64, save=["out"])["out"]
        np.testing.assert_array_equal(out, x + 1)
"""
import os
import subprocess
import sys

import numpy as np
import pytest

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def pytest_configure(config):
    if os.environ.get("KDSL_TEST_GPU"):
        import gpu_plugin
        config.pluginmanager.register(gpu_plugin.OnGpu())


def pytest_collection_modifyitems(config, items):
    filters = [part for part in os.environ.get("KDSL_TEST_FILTER", "").split("\n") if part]
    if filters:
        def name(item):
            return f"{os.path.relpath(item.path, PROJECT)}: {item.name}"
        config.hook.pytest_deselected(items=[item for item in items if not any(part in name(item) for part in filters)])
        items[:] = [item for item in items if any(part in name(item) for part in filters)]


@pytest.fixture
def kdsl(tmp_path):
    """Runs the kdsl command: kdsl("run", path, ..., status=0). The result has returncode, stdout and stderr, as text."""
    def run(*arguments, status=0, timeout=60, **options):
        result = subprocess.run(["kdsl", *map(str, arguments)], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=timeout, check=False, **options)
        if status is not None:
            assert result.returncode == status, f"kdsl {' '.join(map(str, arguments))}\n{result.stdout}{result.stderr}"
        return result
    return run


@pytest.fixture
def run_kernel(kdsl, tmp_path):
    """Runs a kernel on arrays and returns the saved ones by name. source: kernel text, or a path, with :KERNEL where it has several."""
    def run(source, *options, grid="1", save=(), kernel=None, **arguments):
        if "\n" in source:
            path = tmp_path / "kernel.py"
            path.write_text(source if "import triton" in source else
                            "import triton\nimport triton.language as tl\n" + source, encoding="utf-8")
            source = str(path)
        if kernel:
            source += f":{kernel}"
        values = []
        for name, value in arguments.items():
            if isinstance(value, np.ndarray):
                np.save(tmp_path / f"{name}.npy", value)
                value = f"@{tmp_path}/{name}.npy"
            values.append(f"{name}={value}")
        for name in save:
            values += ["--save", f"{name}={tmp_path}/{name}.out.npy"]
        kdsl("run", source, *values, "--grid", grid, *options)
        return {name: np.load(tmp_path / f"{name}.out.npy") for name in save}
    return run
