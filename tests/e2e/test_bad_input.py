"""What the world may do to kdsl: damaged files, no room, no memory, kills, and others at work in the same places. Each ends with one clear
sentence and the right exit status, or does not matter; nothing is left behind."""
import os
import resource
import shutil
import signal
import subprocess

import numpy as np
import pytest
from kernel import folder, write

KERNELS = """
@triton.jit
def one(x):
    tl.store(x + tl.program_id(0), 1)

@triton.jit
def two(x):
    tl.store(x + tl.program_id(0), 2)
"""

# Ends the process at the N-th call of a function, as a kill from outside would; before it, half of what was to be written is.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_time(const char *name)
{
    const char *at = getenv("KILL_AT");
    return at && strcmp(at, name) == 0;
}

ssize_t write(int fd, const void *data, size_t n)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (fd > 2 && is_time("write")) {
        real(fd, data, n / 2);
        raise(SIGKILL);
    }
    return real(fd, data, n);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
    if (fd > 2 && is_time("write")) {
        struct iovec half = {parts[0].iov_base, parts[0].iov_len / 2};
        real(fd, &half, 1);
        raise(SIGKILL);
    }
    return real(fd, parts, n);
}

int linkat(int from, const char *name, int to, const char *new_name, int flags)
{
    if (is_time("link"))
        raise(SIGKILL);
    return ((int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat"))(from, name, to, new_name, flags);
}
"""


def environment(where, **more):
    return {**os.environ, "KDSL_CACHE_DIR": os.path.join(where, "cache"), **more}


def kdsl(where, *words, limits=(), **env):
    def limit():
        for which, value in limits:
            resource.setrlimit(which, (value, value))
    return subprocess.run(["kdsl", *map(str, words)], cwd=where, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=120,
                          env=environment(where, **env), preexec_fn=limit if limits else None)


def start():
    where = folder()
    return where, write(KERNELS, where)


def values(where, kernel, *words, **more):
    """Runs a kernel and gives the number that it stored."""
    done = kdsl(where, "run", kernel, "x=zeros:i32[1]", "--grid", 1, "--print", "x", *words, **more)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split("[")[-1].strip("]\n"))


def says(done, status, *pieces):
    assert done.returncode == status, "exit status %d\n%s" % (done.returncode, done.stderr)
    assert done.stderr.count("error:") == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    for piece in pieces:
        assert piece in done.stderr, done.stderr


def files_under(where):
    return sorted(os.path.join(path, name) for path, _, names in os.walk(where) for name in names)


def entries(where):
    return [path for path in files_under(os.path.join(where, "cache")) if path.endswith(".kdk")]


# ---- sizes and memory ----

@pytest.mark.parametrize("shape", ["10**12", "99999999, 99999999", "2**40, 2**40", "2**63", "2**100", "2**61, 8"])
@pytest.mark.parametrize("generator", ["empty", "zeros", "randn"])
def test_absurd_sizes(generator, shape):
    where, source = start()
    says(kdsl(where, "run", source + ":one", "x=%s:f32[%s]" % (generator, shape), "--grid", 1), 3, "argument 'x': an array of this size does not fit into memory")


@pytest.mark.parametrize("words,pieces", [
    (["x=zeros:i32[1]", "--grid", "2**31"], ["extent 0 of the grid '2**31' is not a whole number from 0 to 2147483647"]),
    (["x=zeros:i32[1]", "--grid", "2147483647, 2147483647, 2147483647"], ["more than 2^63 - 1"]),
    (["x=zeros:f32[1.5]", "--grid", "1"], ["an extent is a whole number from 0 on, but '1.5' is 1.5"])])
def test_absurd_grids_and_extents(words, pieces):
    where, source = start()
    says(kdsl(where, "run", source + ":one", *words), 2, *pieces)


@pytest.mark.parametrize("mib", [20, 60, 120, 160])
def test_no_memory_for_the_compiler(mib):
    where, source = start()
    for words in (["run", source + ":one", "x=zeros:i32[1]", "--grid", 1], ["compile", source + ":one", "-s", "*i32", "-o", "one.o"]):
        done = kdsl(where, *words, limits=[(resource.RLIMIT_AS, mib << 20)])
        says(done, 3, "kdsl: error: ")
    assert files_under(where) == [source]


def test_no_memory_for_an_array():
    where, source = start()
    assert values(where, source + ":one") == 1                                   # now the compiler is not needed
    done = kdsl(where, "run", source + ":one", "x=zeros:i32[50000000]", "--grid", 1, limits=[(resource.RLIMIT_AS, 150 << 20)])
    says(done, 3, "argument 'x': an array of this size does not fit into memory")
    np.save(os.path.join(where, "x.npy"), np.zeros(50_000_000, np.int32))
    done = kdsl(where, "run", source + ":one", "x=@x.npy", "--grid", 1, limits=[(resource.RLIMIT_AS, 150 << 20)])
    says(done, 3, "argument 'x': ")


# ---- files ----

NOISE = np.random.default_rng(5).bytes(5000)


@pytest.mark.parametrize("content,piece", [(b"", "is not an .npy file: it is empty"), (b"\x93NUMPY", "x.npy"), (NOISE, "is not an .npy file"),
                                           (b"\x93NUMPY\x01\x00\xff\xff" + b"{" * 80, "x.npy")], ids=["empty", "magic", "noise", "header"])
def test_damaged_arrays(content, piece):
    where, source = start()
    with open(os.path.join(where, "x.npy"), "wb") as file:
        file.write(content)
    says(kdsl(where, "run", source + ":one", "x=@x.npy", "--grid", 1), 3, "argument 'x': 'x.npy'", piece.replace("x.npy", ""))


def test_arrays_that_no_kernel_takes():
    where, source = start()
    for array in (np.array(["text"]), np.array([1 + 2j]), np.zeros(3, [("a", "i4")]), np.arange(4, dtype=">i4")):
        np.save(os.path.join(where, "x.npy"), array)
        done = kdsl(where, "run", source + ":one", "x=@x.npy", "--grid", 1)
        assert done.returncode in (2, 3) and len(done.stderr.splitlines()) == 1 and "argument 'x': " in done.stderr, (done.returncode, done.stderr)


NESTED = b"@triton.jit\ndef f(x):\n" + b"".join(b" " * n + b"if x:\n" for n in range(1, 3000))
SOURCES = {"empty": b"", "control characters": b"\x00\x01\x02", "UTF-16": b"\xff\xfe@\x00", "brackets": b"(" * 100_000, "nested": NESTED, "noise": NOISE}


@pytest.mark.parametrize("content", SOURCES.values(), ids=SOURCES.keys())
def test_damaged_sources(content):
    where, source = start()
    with open(source, "wb") as file:
        file.write(content)
    for words in (["check", source], ["list", source], ["run", source, "--grid", 1], ["compile", source, "-s", "*i32"]):
        done = kdsl(where, *words)
        good = words[0] in ("check", "list") and not content or words[0] == "list" and content == NESTED     # list reads no bodies
        assert done.returncode in ((0,) if good else (1, 2)), (words, done.returncode, done.stderr)
        assert done.returncode == 0 or "error: " in done.stderr
        assert len(done.stderr) < 20_000
    assert files_under(where) == [source]


@pytest.mark.parametrize("path,why", [("no/one.o", "No such file or directory"), (".", "Is a directory"), ("/dev/full", "No space left on device"),
                                      ("kernel.py/one.o", "Not a directory"), ("x" * 300, "File name too long")])
def test_unwritable_paths(path, why):
    where, source = start()
    says(kdsl(where, "compile", source + ":one", "-s", "*i32", "-o", path), 3, "kdsl: error: cannot write '", why)
    says(kdsl(where, "run", source + ":one", "x=zeros:i32[1]", "--grid", 1, "--save", "x=" + path), 3, "kdsl: error: --save x: cannot write '", why)
    assert [path for path in files_under(where) if "/cache/" not in path] == [source]


def test_a_full_disk():
    """Writes stop at a limit: the old files stay as they were, the cache does without the entry."""
    where, source = start()
    for name in ("one.o", "x.npy"):
        with open(os.path.join(where, name), "w", encoding="utf-8") as file:
            file.write("old")
    limits = [(resource.RLIMIT_FSIZE, 512)]
    says(kdsl(where, "compile", source + ":one", "-s", "*i32", "-o", "one.o", limits=limits), 3, "cannot write 'one.o': File too large")
    says(kdsl(where, "run", source + ":one", "x=zeros:i32[1000]", "--grid", 1, "--save", "x=x.npy", limits=limits), 3, "cannot write 'x.npy': File too large")
    assert values(where, source + ":one", limits=limits) == 1 and entries(where) == []
    for name in ("one.o", "x.npy"):
        with open(os.path.join(where, name), encoding="utf-8") as file:
            assert file.read() == "old"
    assert [path for path in files_under(where) if "/cache/" not in path] == sorted([source, os.path.join(where, "one.o"), os.path.join(where, "x.npy")])


# ---- kills ----

@pytest.fixture(scope="module")
def shim():
    where = folder()
    path = os.path.join(where, "shim.c")
    with open(path, "w", encoding="utf-8") as file:
        file.write(SHIM)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", path + ".so", path, "-ldl"], check=True)
    return path + ".so"


@pytest.mark.parametrize("moment", ["write", "link"])
@pytest.mark.parametrize("old", [False, True])
def test_killed_while_writing(shim, moment, old):
    where, source = start()
    work = {"one.o": ["compile", source + ":one", "-s", "*i32", "-o", "one.o"],
            "x.npy": ["run", source + ":one", "x=zeros:i32[1]", "--grid", 1, "--no-cache", "--save", "x=x.npy"]}
    for name, words in work.items():
        if old:
            with open(os.path.join(where, name), "w", encoding="utf-8") as file:
                file.write("old")
        done = kdsl(where, *words, LD_PRELOAD=shim, KILL_AT=moment)
        assert done.returncode == -signal.SIGKILL, (done.returncode, done.stderr)
        left = {os.path.basename(path): open(path, encoding="utf-8", errors="replace").read() for path in files_under(where)}
        left.pop("kernel.py")
        assert left == ({name: "old"} if old else {}), left
        assert kdsl(where, *words).returncode == 0 and os.path.getsize(os.path.join(where, name)) > 64
        for path in files_under(where):
            if path != source:
                os.unlink(path)


@pytest.mark.parametrize("moment", ["write", "link"])
def test_killed_while_storing_in_the_cache(shim, moment):
    where, source = start()
    done = kdsl(where, "run", source + ":one", "x=zeros:i32[1]", "--grid", 1, LD_PRELOAD=shim, KILL_AT=moment)
    assert done.returncode == -signal.SIGKILL and entries(where) == []
    assert values(where, source + ":one") == 1 and len(entries(where)) == 1
    assert kdsl(where, "cache", "clear").stdout == "removed 1 kernel\n" and entries(where) == []


# ---- the cache ----

def from_cache(where, kernel):
    done = kdsl(where, "run", kernel, "x=zeros:i32[1]", "--grid", 1, "--json")
    assert done.returncode == 0, done.stderr
    return '"from_cache": true' in done.stdout


def test_entries_of_others():
    """Good bytes under a wrong name, of another kernel: not taken for what was asked."""
    where, source = start()
    assert values(where, source + ":one") == 1
    (one,) = entries(where)
    assert values(where, source + ":two") == 2
    (two,) = set(entries(where)) - {one}
    shutil.copy(one, two)
    assert values(where, source + ":two") == 2 and from_cache(where, source + ":two")
    assert values(where, source + ":one") == 1 and from_cache(where, source + ":one")


@pytest.mark.parametrize("damage", ["cut", "empty", "random", "flipped", "longer", "folder", "pipe", "link"])
def test_damaged_entries(damage):
    where, source = start()
    assert values(where, source + ":one") == 1 and from_cache(where, source + ":one")
    (path,) = entries(where)
    good = open(path, "rb").read()
    os.unlink(path)
    if damage == "folder":
        os.mkdir(path)
    elif damage == "pipe":
        os.mkfifo(path)
    elif damage == "link":
        os.symlink("/dev/zero", path)
    else:
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 0x40
        with open(path, "wb") as file:
            file.write({"cut": good[:-1], "empty": b"", "random": np.random.default_rng(1).bytes(len(good)), "flipped": bytes(bad), "longer": good + b"x"}[damage])
    done = kdsl(where, "run", source + ":one", "x=zeros:i32[1]", "--grid", 1, "--print", "x", "--json")
    assert done.returncode == 0 and '"from_cache": false' in done.stdout and done.stderr == "", (done.returncode, done.stdout, done.stderr)
    if damage != "folder":                                                       # it is in the way, and nobody's to remove
        assert from_cache(where, source + ":one")
    assert kdsl(where, "cache").returncode == 0


def test_every_byte_of_an_entry_matters():
    where, source = start()
    assert values(where, source + ":one") == 1
    (path,) = entries(where)
    good = open(path, "rb").read()
    for at in range(0, len(good), max(1, len(good) // 40)):
        with open(path, "wb") as file:
            file.write(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
        assert values(where, source + ":one") == 1 and open(path, "rb").read() == good, "byte %d" % at


def test_many_processes_one_entry():
    where, source = start()
    command = ["kdsl", "run", source + ":one", "x=zeros:i32[1]", "--grid", "1", "--print", "x"]
    for round in range(3):
        running = [subprocess.Popen(command, env=environment(where), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(8)]
        for process in running:
            out, err = process.communicate(timeout=120)
            assert (process.returncode, out, err) == (0, "x: i32[1]\n[1]\n", "")
        assert len(entries(where)) == 1 and from_cache(where, source + ":one")
        names = {os.path.basename(path) for path in files_under(os.path.join(where, "cache"))}
        assert all(name.endswith(".kdk") or name == "size" for name in names), names
        kdsl(where, "cache", "clear")


def test_a_cache_that_is_open_to_others():
    """Code from a folder that others may write to is not run."""
    where, source = start()
    assert values(where, source + ":one") == 1
    os.chmod(os.path.join(where, "cache", "kernels"), 0o777)
    assert not from_cache(where, source + ":one") and not from_cache(where, source + ":one")
    says(kdsl(where, "cache"), 3, "kdsl: error: ", os.path.join(where, "cache", "kernels"))
