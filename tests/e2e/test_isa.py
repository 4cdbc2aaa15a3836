"""What Intel's compiler makes of some kernels, beside bench/isa/reference.json. Skipped where `./dev isa` never fetched the compiler."""
import json
import os
import subprocess
import sys

import pytest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SID = os.environ.get("KDSL_OCLOC_SID", "")
ISA = os.path.join(ROOT, "bench", "isa", "isa.py")
needs_ocloc = pytest.mark.skipif(not os.path.isdir(SID), reason="Intel's compiler is not here: ./dev isa fetches it")


def isa(*words):
    return subprocess.run([sys.executable, ISA, *words], capture_output=True, text=True,
                          timeout=300)


@needs_ocloc
@pytest.mark.parametrize("kernel", ["vector add", "gelu bf16", "softmax 1024", "partial sums", "histogram"])
def test_figures_are_no_worse_than_the_reference(kernel):
    done = isa("--filter", kernel, "--devices", "bmg,dg2")
    assert done.returncode == 0, done.stdout + done.stderr


@needs_ocloc
def test_rows_as_json(tmp_path):
    done = isa("--filter", "vector add bf16", "--devices", "pvc", "--json", str(tmp_path / "rows.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert row["ok"] and row["simd"] == 32 and row["spills"] == 0 and row["dpas"] == row["block2d"] == row["slm"] == 0


def test_a_call_of_an_unknown_builtin_is_no_good_row():
    sys.path.insert(0, os.path.dirname(ISA))
    import isa as module
    text = "//.kernel k\n//.instCount 2\n(W)     calla (1|M0)  r1.0<1>:ud  0x0:ud // what\n        dpas.8x8 (16|M0) r1:f r2:f r3:bf r4.0:bf\n"
    figures = module.measure("a_simd16_entry_0001.asm", text)
    assert figures["calls"] == 1 and figures["dpas"] == 1 and figures["simd"] == 16


def test_without_a_compiler_every_device_says_why():
    done = subprocess.run([sys.executable, ISA, "--filter", "vector add", "--devices", "bmg,pvc"], capture_output=True, text=True,
                          env=dict(os.environ, KDSL_OCLOC_SID="no network", KDSL_OCLOC_BOOKWORM="no network"), timeout=60)
    assert done.returncode == 0 and "skipped: bmg: no network" in done.stdout and done.stdout.endswith("0 passed, 0 failed, 2 skipped\n")
