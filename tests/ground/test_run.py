"""The test runner: the closing line, what it says about failures and skips, filters and exit status."""
import os
import shutil
import subprocess
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

FILES = {
    "a/good.test": "RUN: true\n",
    "a/bad.test": "RUN: echo what it said; false\n",
    "a/needs.test": "REQUIRES: a-machine-with-legs\nRUN: true\n",
    "a/input.py": "x = 1\n",
    "b/test_py.py": """
import pytest
def test_good(): pass
def test_bad(): assert 1 + 1 == 3
@pytest.mark.skip("the moon is full")
def test_skipped(): pass
""",
}


@pytest.fixture
def run(tmp_path):
    tests = tmp_path / "tests"
    tests.mkdir()
    for name in ("run.py", "gpu_plan.py", "lit.cfg.py", "lit_format.py", "conftest.py"):
        shutil.copy(os.path.join(TESTS, name), tests)
    for name, text in FILES.items():
        (tests / name).parent.mkdir(exist_ok=True)
        (tests / name).write_text(text, encoding="utf-8")

    def run(*arguments):
        result = subprocess.run([sys.executable, tests / "run.py", "--quick", *arguments], capture_output=True, text=True, timeout=60,
                                check=False)
        return result.returncode, result.stdout.splitlines()
    return run


def test_sums_up(run):
    status, lines = run()
    assert (status, lines[-1]) == (1, "2 passed, 2 failed, 2 skipped")
    assert "FAIL: a/bad.test" in lines and "FAIL: b/test_py.py: test_bad" in lines
    assert "skipped: b/test_py.py: test_skipped: the moon is full" in lines
    assert any(line.startswith("skipped: a/needs.test: needs: a-machine-with-legs") for line in lines)
    assert any("what it said" in line for line in lines) and any("assert (1 + 1) == 3" in line for line in lines)


def test_filters(run):
    assert run("good")[1][-1] == "2 passed, 0 failed"
    assert run("good")[0] == 0
    assert run("a/good", "test_skipped")[1][-1] == "1 passed, 0 failed, 1 skipped"


def test_nothing_to_run_is_no_success(run):
    status, lines = run("nothing-like-it")
    assert (status, lines[-2:]) == (1, ["no test has a name with 'nothing-like-it' in it", "0 passed, 0 failed"])


def test_what_passed_runs_again_only_after_a_change(run, tmp_path):
    """By kind: text tests with a failure run each time; Python tests that passed count as they did until a file changes."""
    python, mark = tmp_path / "tests" / "b" / "test_py.py", tmp_path / ".runs"
    (tmp_path / "build").mkdir()
    python.write_text(f"def test_good():\n    open({str(mark)!r}, 'a').write('x')\n", encoding="utf-8")
    unchanged = "nothing has changed since these passed (--again runs them): python tests"
    for arguments, runs, said in (((), 1, False), ((), 1, True), (("test_good",), 2, False), (("--again",), 3, False), ((), 3, True)):
        status, lines = run(*arguments)
        assert (len(mark.read_text(encoding="utf-8")), unchanged in lines) == (runs, said), (arguments, lines)
        if not arguments or arguments == ("--again",):
            assert status == 1 and lines[-1] == "2 passed, 1 failed, 1 skipped" and "FAIL: a/bad.test" in lines
    (tmp_path / "tests" / "a" / "input.py").write_text("x = 2\n", encoding="utf-8")
    assert unchanged not in run()[1] and len(mark.read_text(encoding="utf-8")) == 4
