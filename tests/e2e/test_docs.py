"""What the documents tell people to type works: every line of their sh blocks is run, in a copy of the examples."""
import os
import re
import shutil
import subprocess

import pytest

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")


def commands():
    for folder, _, files in os.walk(ROOT):
        if os.path.relpath(folder, ROOT).split(os.sep)[0] in ("build", "build-san", ".git"):
            continue
        for name in sorted(files):
            if name.endswith(".md"):
                path = os.path.relpath(os.path.join(folder, name), ROOT)
                text = open(os.path.join(ROOT, path), encoding="utf-8").read()
                for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
                    for line in block.replace("\\\n", " ").splitlines():
                        if line.strip() and not line.startswith("#"):
                            yield path, line


COMMANDS = list(commands())


def test_documents_have_commands():
    assert any(path == "README.md" for path, _ in COMMANDS)


@pytest.mark.parametrize("path,line", COMMANDS, ids=["%s: %s" % (p, l[:50]) for p, l in COMMANDS])
def test_command(path, line, tmp_path):
    shutil.copytree(os.path.join(ROOT, "examples"), tmp_path / "examples")
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "KDSL_CACHE_DIR": str(tmp_path / "cache")})
    assert done.returncode == 0, done.stderr
    assert "rror:" not in done.stderr


def test_examples_are_in_the_readme():
    text = open(os.path.join(ROOT, "README.md"), encoding="utf-8").read()
    for name in os.listdir(os.path.join(ROOT, "examples")):
        if name.endswith(".py") and name != "cases.py":
            assert "(examples/%s)" % name in text, name
