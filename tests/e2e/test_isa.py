"""What Intel's compiler makes of some kernels, beside bench/isa/reference.json. Skipped where `./dev isa` never fetched the compiler."""
import json
import os
import subprocess
import sys

import pytest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SID = os.environ.get("KDSL_OCLOC_SID", "")
ISA = os.path.join(ROOT, "bench", "isa", "isa.py")
sys.path.insert(0, os.path.dirname(ISA))
import isa as module        # noqa: E402
import peer                 # noqa: E402
import records              # noqa: E402
needs_ocloc = pytest.mark.skipif(not os.path.isdir(SID), reason="Intel's compiler is not here: ./dev isa fetches it")


def isa(*words):
    return subprocess.run([sys.executable, ISA, *words], capture_output=True, text=True, timeout=900)


@needs_ocloc
@pytest.mark.parametrize("device", ["pvc", "bmg", "dg2"])
def test_figures_are_no_worse_than_the_reference(device):
    done = isa("--devices", device)
    assert done.returncode == 0, "\n".join(line for line in done.stdout.splitlines() if "worse: " in line or "NO: " in line) + done.stderr


@needs_ocloc
def test_rows_as_json(tmp_path):
    done = isa("--filter", "vector add bf16", "--devices", "pvc", "--json", str(tmp_path / "rows.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert row["ok"] and row["simd"] == 32 and row["spills"] == 0 and row["dpas"] == row["block2d"] == row["slm"] == 0


def test_what_counts_as_worse():
    row = {"kernel": "k", "device": "bmg", "ok": True, "compiler": "c", "instructions": 100, "sends": 10, "spills": 0, "barriers": 1, "slm": 64,
           "dpas": 8, "block2d": 4, "loop": 60, "loop_loads": 3}
    def worse(**figures):
        return module.differences(module.Row("k", "bmg", True, compiler="c", figures=dict(row, **figures)), row)
    assert worse() == worse(instructions=107, sends=12, dpas=9, block2d=5, slm=0) == []
    assert worse(spills=64) == ["k, bmg: spills 64, were 0"]
    for column, value in (("instructions", 108), ("sends", 13), ("barriers", 2), ("slm", 128), ("dpas", 7), ("block2d", 3), ("loop", 66),
                          ("loop_loads", 4)):
        assert worse(**{column: value}) == ["k, bmg: %s %d, were %d" % (column, value, row[column])]
    assert module.differences(module.Row("k", "bmg", False), row) == ["k, bmg: was ok"]
    assert module.differences(module.Row("k", "bmg", True, compiler="another one", figures={}), row) == []


def test_the_loop_of_dots():
    listing = """
loads_and_dots:
(W)     load_block2d.ugm.d16.a64 (1|M0)  r50:16  [r5:1]
(W)     load_block2d.ugm.d16.a64 (1|M0)  null:0  [r6:1]
        dpas.8x8 (16|M0)         r10:f         r10:f             r50:bf         r58.0:bf
(W&f0.0) jmpi                                loads_and_dots
        dpas.8x8 (16|M0)         r10:f         r10:f             r50:bf         r58.0:bf
other:
        add (16|M0)              r1.0<1>:d     r1.0<1;1,0>:d     1:w
(W&f0.0) jmpi                                other
"""
    figures = module.measure("k_simd16.asm", listing)
    assert (figures["loop"], figures["loop_loads"], figures["dpas"], figures["block2d"]) == (4, 1, 2, 2)


def test_what_the_peer_is_asked():
    assert peer.request({"name": "k", "file": "f.py", "kernel": "k", "options": ["--num-warps", "8"],
                         "signature": "x=*bf16:16, n=i32:16, m=i32, eps=fp32, B=64, act='a, b', none=None"}) == {
        "name": "k", "file": "f.py", "kernel": "k", "num_warps": 8, "aligned": ["x", "n"],
        "args": {"x": "*bf16", "n": "i32", "m": "i32", "eps": "fp32", "B": {"value": 64}, "act": {"value": "a, b"}, "none": {"value": None}}}
    ours = {"instructions": 10, "sends": 2, "spills": 0, "dpas": 4, "block2d": 0}
    assert peer.losses(ours, ours) == []
    assert peer.losses(ours, dict(ours, sends=1, dpas=8)) == ["sends 2 > 1", "dpas 4 < 8"]


def test_a_call_of_an_unknown_builtin_is_no_good_row():
    text = "//.kernel k\n//.instCount 2\n(W)     calla (1|M0)  r1.0<1>:ud  0x0:ud // what\n        dpas.8x8 (16|M0) r1:f r2:f r3:bf r4.0:bf\n"
    figures = module.measure("a_simd16_entry_0001.asm", text)
    assert figures["calls"] == 1 and figures["dpas"] == 1 and figures["simd"] == 16


def test_without_a_compiler_every_device_says_why():
    done = subprocess.run([sys.executable, ISA, "--filter", "vector add", "--devices", "bmg,pvc"], capture_output=True, text=True,
                          env=dict(os.environ, KDSL_OCLOC_SID="no network", KDSL_OCLOC_BOOKWORM="no network"), timeout=60)
    assert done.returncode == 0 and "skipped: bmg: no network" in done.stdout and done.stdout.endswith("0 passed, 0 failed, 2 skipped\n")


# ---- lists of kernels ----

KERNELS = '''import triton
import triton.language as tl


@triton.jit
def copy(x, y, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(y + i, tl.load(x + i))


@triton.jit
def wide(x, B: tl.constexpr, TYPE: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(x + i, (tl.load(x + i).to(TYPE) + 1).to(tl.float32))


@triton.jit
def wrong(x):
    tl.store(x, no_such_name)
'''


def write_list(folder):
    """copy fits all, wide uses fp64, wrong is wrong."""
    (folder / "owner+name").mkdir()
    (folder / "owner+name" / "k.py").write_text(KERNELS)
    def pointer(name):
        return {"name": name, "kind": "ptr", "type": "*fp32", "divisible16": True}
    def constant(name, value):
        return {"name": name, "kind": "constexpr", "value": value}
    args = {"copy": [pointer("x"), pointer("y"), constant("B", 64)], "wrong": [pointer("x")],
            "wide": [pointer("x"), constant("B", 64), constant("TYPE", {"dtype": "fp64"})]}
    common = {"repo": "owner/name", "path": "k.py", "line": 1, "num_warps": 4}
    (folder / "list.jsonl").write_text("".join(json.dumps(dict(common, kernel=name, args=a)) + "\n" for name, a in args.items()))
    return str(folder / "list.jsonl")


def test_a_list_of_kernels(tmp_path):
    done = isa("--list", write_list(tmp_path), "--spirv-only", "--devices", "pvc,dg2", "--json", str(tmp_path / "rows.json"))
    assert done.returncode == 1 and done.stdout.endswith("5 passed, 1 failed\n"), done.stdout + done.stderr
    assert "owner/name k.py:1 wide 0, dg2: kdsl ended with status 1: " in done.stdout and "fp64 is used here" in done.stdout
    assert "pvc: 2 of the 2 that the CPU target takes are ok (100.0 %)" in done.stdout
    assert "dg2: 1 of the 2 that the CPU target takes are ok (50.0 %)" in done.stdout
    rows = {(row["kernel"].split()[2], row["device"]): row for row in json.loads((tmp_path / "rows.json").read_text())["rows"]}
    assert len(rows) == 6 and rows["copy", "dg2"]["ok"] and rows["wide", "pvc"]["ok"]
    assert not rows["wide", "dg2"]["ok"] and not rows["wrong", "pvc"]["ok"] and "no_such_name" in rows["wrong", "pvc"]["why"]


@needs_ocloc
def test_a_list_of_kernels_to_machine_code(tmp_path):
    done = isa("--list", write_list(tmp_path), "--filter", "copy", "--devices", "pvc,dg2", "--json", str(tmp_path / "rows.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["spills"] for row in json.loads((tmp_path / "rows.json").read_text())["rows"]] == [0, 0]


def test_a_kernel_that_takes_too_long_is_said(tmp_path):
    done = isa("--list", write_list(tmp_path), "--filter", "copy", "--spirv-only", "--devices", "pvc", "--seconds", "0.001")
    assert done.returncode == 1 and "copy 0, pvc: kdsl takes more than 0.001 s" in done.stdout, done.stdout + done.stderr


def test_how_lists_spell_arguments():
    args = [{"name": "x", "kind": "ptr", "type": "*bf16", "divisible16": True}, {"name": "n", "kind": "int", "type": "i32", "divisible16": False},
            *({"name": name, "kind": "constexpr", "value": value} for name, value in
              (("B", 64), ("f", True), ("none", None), ("act", "it's"), ("t", {"dtype": "fp16"}), ("fn", {"fn": "relu"})))]
    assert records.signature(args) == "x=*bf16:16, n=i32, B=64, f=True, none=None, act='it\\'s', t=fp16, fn=fn:relu"


def test_samples_of_lists_have_all_repositories():
    kernels = [{"repo": "large", "name": str(i)} for i in range(90)] + [{"repo": "small", "name": "s"}]
    assert records.sample(kernels, 1000) == kernels
    chosen = records.sample(kernels, 10)
    assert [k["name"] for k in chosen] == ["0", "10", "20", "30", "40", "50", "60", "70", "80", "s"]
