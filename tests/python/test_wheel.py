"""The package as pip installs it, in an environment of its own."""
import os
import subprocess
import sys

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TRY = """
import torch, kdsl
assert kdsl.__file__.startswith({folder!r}), kdsl.__file__
x = torch.randn(4, 4)
torch.testing.assert_close(torch.compile(lambda x: torch.softmax(x @ x, -1), backend="kdsl", options={{"fallback": "error"}})(x), torch.softmax(x @ x, -1))
"""


def test_pip_install(tmp_path):
    """Without a network: what the build needs is in the environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_"))}
    environment["OMP_NUM_THREADS"] = "1"

    def run(*words):
        done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    folder = str(tmp_path / "venv")
    run(sys.executable, "-m", "venv", "--system-site-packages", folder)
    run(f"{folder}/bin/pip", "install", "--no-index", "--no-build-isolation", "--no-deps", f"-Cbuild-dir={tmp_path}/build", PROJECT)
    run(f"{folder}/bin/python", "-c", TRY.format(folder=folder))
    assert run(f"{folder}/bin/kdsl", "version").startswith("kdsl ")
    assert not [name for name in os.listdir(PROJECT) if name.startswith(".mesonpy")]
