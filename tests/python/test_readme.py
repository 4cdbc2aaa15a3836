"""What README.md shows of models, with a smaller one: the lines of Python in one process, then the commands on the file that they wrote."""
import os
import re
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_first_model(tmp_path):
    text = open(os.path.join(ROOT, "README.md"), encoding="utf-8").read().partition("## A first model")[2].partition("## What works")[0]
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.M | re.S))
    small = code.replace("resnet50()", "resnet18()").replace("224, 224", "64, 64")
    assert small != code
    said = subprocess.run([sys.executable, "-c", small], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert float(re.fullmatch(r"tensor\((.*)\)\n", said).group(1)) < 1e-4
    commands = re.findall(r"^    (kdsl graph .*)$", text, re.M)
    assert len(commands) == 4
    for command in commands:
        subprocess.run(shlex.split(command), cwd=tmp_path, stdout=subprocess.DEVNULL, check=True)
    assert {"y.npy", "resnet50.kx"} <= set(os.listdir(tmp_path))
