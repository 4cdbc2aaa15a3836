"""Executables in files, and the cache of executables: the same bits as a fresh compilation, and a sentence where a file is no good."""
import functools
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import time

import numpy as np
import pytest
from test_models import mlp, transformer

torch = pytest.importorskip("torch")

from pt2 import export, new_archive  # noqa: E402


def net():
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(8, 5), nn.Softmax(-1))


X = torch.cos(torch.arange(3 * 12 * 12.0)).reshape(1, 3, 12, 12)


@functools.cache
def archive():
    return new_archive(export(net(), X))


@pytest.fixture
def model(tmp_path):
    """A program and its input."""
    (tmp_path / "net.pt2").write_bytes(archive())
    np.save(tmp_path / "x.npy", X.numpy())
    return tmp_path / "net.pt2"


def run(kdsl, folder, file, *options, **more):
    result = kdsl("graph", "run", file, "--in", f"x=@{folder}/x.npy", "--save", f"y={folder}/y.npy", *options, **more)
    return result, (np.load(folder / "y.npy") if result.returncode == 0 else None)


@pytest.mark.parametrize("embed", [[], ["--embed-weights"]])
def test_archive(kdsl, tmp_path, model, embed):
    _, expected = run(kdsl, tmp_path, model, "--no-cache")
    kdsl("graph", "compile", model, "-o", tmp_path / "net.kx", *embed)
    result, y = run(kdsl, tmp_path, tmp_path / "net.kx", "--time")
    assert "load" in result.stdout
    np.testing.assert_array_equal(y, expected)
    model.rename(tmp_path / "elsewhere.pt2")
    result, y = run(kdsl, tmp_path, tmp_path / "net.kx", status=None)
    if embed:
        np.testing.assert_array_equal(y, expected)
    else:
        assert result.returncode == 3 and "the model that it was made from: cannot open" in result.stderr


@pytest.mark.parametrize("make", [mlp, transformer])
@pytest.mark.parametrize("options", [[], ["--no-fusion"]])
def test_text(kdsl, tmp_path, make, options):
    """Graphs as text, with weights in a file: fused and not, embedded and not."""
    g, y = make(np.random.default_rng(3))
    [expected] = g.run(kdsl, tmp_path, y, options=options)
    for embed in [[], ["--embed-weights"]]:
        kdsl("graph", "compile", tmp_path / "graph.json", "-o", tmp_path / "g.kx", *options, *embed)
        _, got = run(kdsl, tmp_path, tmp_path / "g.kx")
        np.testing.assert_array_equal(got, expected)
    steps = [re.sub(r" *[\d.]+ [mnu]s", "", kdsl("graph", "explain", tmp_path / file, *options).stdout) for file in ("graph.json", "g.kx")]  # times vary
    assert steps[0] == steps[1]


def test_default_name_and_copies(kdsl, tmp_path, model):
    assert kdsl("graph", "compile", model, "--embed-weights").stdout == "net.kx\n"
    shutil.copy(tmp_path / "net.kx", tmp_path / "copy.kx")
    assert run(kdsl, tmp_path, tmp_path / "copy.kx")[0].returncode == 0


def test_changed_model(kdsl, tmp_path, model):
    kdsl("graph", "compile", model, "-o", tmp_path / "net.kx")
    data = bytearray(model.read_bytes())
    data[100] ^= 1 # in the first weight
    model.write_bytes(data)
    result, _ = run(kdsl, tmp_path, tmp_path / "net.kx", status=1)
    assert "net.kx: the model" in result.stderr and "has changed since: compile it again" in result.stderr


def changed(data, at, mask=0x40):
    data = bytearray(data)
    data[at] ^= mask
    return bytes(data)


def test_damaged(kdsl, tmp_path, model):
    """Whatever byte is changed, whatever is cut off or added: a sentence, never a wrong result or a crash."""
    kdsl("graph", "compile", model, "-o", tmp_path / "net.kx", "--embed-weights")
    good = (tmp_path / "net.kx").read_bytes()
    dice = random.Random(5)
    cases = {"empty": b"", "a text": b"hello", "one byte too few": good[:-1], "one byte too many": good + b"\0", "the header alone": good[:64],
             "half": good[:len(good) // 2]}
    for at in [*range(8, 200, 16), *(dice.randrange(len(good)) for _ in range(25)), len(good) - 1]:
        cases[f"byte {at}"] = changed(good, at)
    for name, data in cases.items():
        (tmp_path / "bad.kx").write_bytes(data)
        result, _ = run(kdsl, tmp_path, tmp_path / "bad.kx", status=None)
        assert result.returncode == 1 and result.stderr.count("\n") == 1 and "bad.kx: " in result.stderr, (name, result)
    (tmp_path / "bad.kx").write_bytes(good[:8] + struct.pack("<Q", 77) + good[16:])
    assert "version 77 of the format; this kdsl reads version 5" in run(kdsl, tmp_path, tmp_path / "bad.kx", status=1)[0].stderr
    (tmp_path / "bad.kx").write_bytes(good[:-64])
    assert f"the file has {len(good) - 64} bytes instead of {len(good)}" in run(kdsl, tmp_path, tmp_path / "bad.kx", status=1)[0].stderr


# ---- the cache -----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path):
    return {"env": {**os.environ, "KDSL_CACHE_DIR": str(tmp_path / "cache")}}


def entries(folder):
    return sorted((folder / "cache" / "graphs").glob("*")) if (folder / "cache" / "graphs").exists() else []


def test_cache(kdsl, tmp_path, model, cache):
    result, expected = run(kdsl, tmp_path, model, "--time", **cache)
    assert "compile" in result.stdout and len(entries(tmp_path)) == 1
    result, y = run(kdsl, tmp_path, model, "--time", **cache)
    assert "load" in result.stdout
    np.testing.assert_array_equal(y, expected)
    assert "compile" in run(kdsl, tmp_path, model, "--time", "--no-cache", **cache)[0].stdout
    assert "compile" in run(kdsl, tmp_path, model, "--time", "--no-fusion", **cache)[0].stdout and len(entries(tmp_path)) == 2


def test_processors_in_cache(kdsl, tmp_path, model, cache):
    """Weights are packed for a number of threads: that of all processors is not that of one."""
    one, every = sorted(os.sched_getaffinity(0))[:1], os.sched_getaffinity(0)
    run(kdsl, tmp_path, model, **cache)
    run(kdsl, tmp_path, model, preexec_fn=lambda: os.sched_setaffinity(0, one), **cache)
    assert len(entries(tmp_path)) == min(len(every), 2)
    run(kdsl, tmp_path, model, **{"env": {**cache["env"], "KDSL_NUM_THREADS": "1"}})
    assert len(entries(tmp_path)) == min(len(every), 2)


def test_number_of_threads(kdsl, tmp_path, model):
    """A file counts only where its weights are packed for a number of threads."""
    env = {**os.environ, "KDSL_NUM_THREADS": "many"}
    kdsl("graph", "compile", model, "-o", tmp_path / "packed.kx", "--embed-weights")
    kdsl("graph", "compile", model, "-o", tmp_path / "net.kx")
    run(kdsl, tmp_path, tmp_path / "packed.kx", env=env)
    result, _ = run(kdsl, tmp_path, tmp_path / "net.kx", env=env, status=None)
    assert "KDSL_NUM_THREADS is 'many'" in result.stderr


def test_clear(kdsl, tmp_path, model, cache):
    run(kdsl, tmp_path, model, **cache)
    assert " and 1 graph\n" in kdsl("cache", "clear", **cache).stdout
    assert not entries(tmp_path)


def test_damaged_cache(kdsl, tmp_path, model, cache):
    """A damaged entry is like none, and is replaced; one that others could have written is not used."""
    _, expected = run(kdsl, tmp_path, model, **cache)
    [entry] = entries(tmp_path)
    good = entry.read_bytes()
    for bad in [b"", good[:1000], changed(good, len(good) // 2)]:
        entry.write_bytes(bad)
        result, y = run(kdsl, tmp_path, model, "--time", **cache)
        assert "compile" in result.stdout and entry.read_bytes() == good
        np.testing.assert_array_equal(y, expected)
    entry.chmod(0o666)
    assert "compile" in run(kdsl, tmp_path, model, "--time", **cache)[0].stdout


def test_changed_model_in_cache(kdsl, tmp_path, model, cache):
    _, before = run(kdsl, tmp_path, model, **cache)
    data = model.read_bytes()
    stat = model.stat()
    model.write_bytes(changed(data, data.index(b"weight_0") + 60, 0x7f)) # inside the first weight
    os.utime(model, ns=(stat.st_atime_ns, stat.st_mtime_ns)) # as if it were the same
    _, after = run(kdsl, tmp_path, model, **cache)
    assert not np.array_equal(before, after)


def test_no_space(kdsl, tmp_path, model, cache):
    """Where nothing can be kept the result is there nevertheless."""
    def full_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
    _, expected = run(kdsl, tmp_path, model, "--no-cache")
    _, y = run(kdsl, tmp_path, model, preexec_fn=full_disk, **cache)
    np.testing.assert_array_equal(y, expected)
    assert not entries(tmp_path)
    result = kdsl("graph", "compile", model, "-o", tmp_path / "net.kx", preexec_fn=full_disk, status=3)
    assert "net.kx" in result.stderr and not (tmp_path / "net.kx").exists()
    (tmp_path / "file").write_text("")
    result, y = run(kdsl, tmp_path, model, env={**os.environ, "KDSL_CACHE_DIR": str(tmp_path / "file")})
    np.testing.assert_array_equal(y, expected)


def test_limit(kdsl, tmp_path, model, cache):
    """The cache stays below its size."""
    run(kdsl, tmp_path, model, **cache)
    [entry] = entries(tmp_path)
    size = entry.stat().st_size
    cache["env"]["KDSL_CACHE_SIZE"] = str(int(2.5 * size))
    for i in range(4):
        shutil.copy(model, tmp_path / f"copy{i}.pt2")
        run(kdsl, tmp_path, tmp_path / f"copy{i}.pt2", **cache)
        assert sum(e.stat().st_size for e in entries(tmp_path)) <= 2.5 * size
    assert len(entries(tmp_path)) == 2
    cache["env"]["KDSL_CACHE_SIZE"] = str(size)
    run(kdsl, tmp_path, tmp_path / "copy0.pt2", **cache)
    assert len(entries(tmp_path)) <= 1


def test_list(kdsl, tmp_path, model, cache):
    run(kdsl, tmp_path, model, **cache)
    [entry] = entries(tmp_path)
    listed = json.loads(kdsl("cache", "list", "--json", **cache).stdout)
    assert (listed["graphs"], listed["graph_bytes"]) == (1, entry.stat().st_size)
    assert "\n1 graph, " in kdsl("cache", **cache).stdout
    assert kdsl("cache", "clear", **cache).stdout.endswith(" and 1 graph\n") and not entries(tmp_path)
    assert "graph" not in kdsl("cache", **cache).stdout


def command(folder, model, output):
    return ["kdsl", "graph", "run", str(model), "--in", f"x=@{folder}/x.npy", "--save", f"y={output}"]


def test_at_once(kdsl, tmp_path, model, cache):
    """Processes that compile the same model at the same time."""
    _, expected = run(kdsl, tmp_path, model, "--no-cache")
    several = [subprocess.Popen(command(tmp_path, model, tmp_path / f"y{i}.npy"), **cache) for i in range(4)]
    assert [p.wait(timeout=120) for p in several] == [0] * 4
    for i in range(4):
        np.testing.assert_array_equal(np.load(tmp_path / f"y{i}.npy"), expected)
    assert len(entries(tmp_path)) == 1
    assert "load" in run(kdsl, tmp_path, model, "--time", **cache)[0].stdout


def test_killed(kdsl, tmp_path, model, cache):
    """A compilation that is killed, whenever that is, leaves nothing that disturbs the next one."""
    _, expected = run(kdsl, tmp_path, model, "--no-cache")
    for i in range(8):
        process = subprocess.Popen(command(tmp_path, model, tmp_path / "killed.npy"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **cache)
        time.sleep(0.01 * 1.6 ** i)
        process.kill()
        process.wait()
    _, y = run(kdsl, tmp_path, model, **cache)
    np.testing.assert_array_equal(y, expected)


def test_example(tmp_path, model):
    """The C program in examples/: a model on several threads."""
    program = os.path.join(os.path.dirname(os.path.realpath(shutil.which("kdsl"))), "examples", "resnet50")
    result = subprocess.run([program, model], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0 and "3 threads, 4 runs each, 0 results differ" in result.stdout, result
    assert "input  input: 1 3 12 12" in result.stdout
    result = subprocess.run([program, tmp_path / "none.pt2"], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1 and "No such file" in result.stderr
