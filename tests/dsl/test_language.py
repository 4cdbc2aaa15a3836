"""The kernels in LANGUAGE.md compile."""
import os
import re

import pytest

PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "dsl", "LANGUAGE.md")
with open(PAGE, encoding="utf-8") as page:
    BLOCKS = re.findall(r"^```python\n# signature: ([^\n]*)\n(.*?)^```", page.read(), re.M | re.S)


def last_function(source):
    return re.findall(r"^def (\w+)", source, re.M)[-1]


def test_there_are_some():
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("signature, source", BLOCKS, ids=[last_function(source) for _, source in BLOCKS])
def test_compiles(kdsl, tmp_path, signature, source):
    path = tmp_path / "kernel.py"
    path.write_text(source, encoding="utf-8")
    kdsl("compile", f"{path}:{last_function(source)}", "--signature", signature, "-o", tmp_path / "kernel.o")
