"""Kernels written inside a test, run by the `kdsl` command on NumPy arrays.

    got = run(SOURCE, x=np.arange(8), out=zeros("f32", 8), n=8, BLOCK=8)      # SOURCE: text, the imports may be left out
    got.out                                                                   # every array comes back

    fails(SOURCE, 1, "'tl.lod'", x=...)                                       # exit status, and a piece of the message

Types that NumPy lacks travel as unsigned integers: Typed(bits, "bf16"), zeros("bf16", 8); they come back as unsigned integers.

    t = Table(x=..., y=...)             # many element-wise expressions over the same arrays, in few kernels
    t.add("x + y", "f32", want)         # the type of the expression, and its numbers
    t.check()
"""
import dataclasses
import itertools
import os
import re
import subprocess
import tempfile

import numpy as np

SCRATCH = tempfile.TemporaryDirectory(prefix="kdsl-e2e-")
ENV = {"KDSL_CACHE_DIR": os.path.join(SCRATCH.name, "cache")}
COUNT = itertools.count()

NUMPY = {"i1": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "u8": np.uint8, "u16": np.uint16, "u32": np.uint32,
         "u64": np.uint64, "f16": np.float16, "f32": np.float32, "f64": np.float64, "bf16": np.uint16, "fp8e4nv": np.uint8,
         "fp8e5": np.uint8, "fp8e4b8": np.uint8, "fp8e5b16": np.uint8, "fp8e4b15": np.uint8}
TL = {"i1": "tl.int1", "i8": "tl.int8", "i16": "tl.int16", "i32": "tl.int32", "i64": "tl.int64", "u8": "tl.uint8", "u16": "tl.uint16",
      "u32": "tl.uint32", "u64": "tl.uint64", "f16": "tl.float16", "bf16": "tl.bfloat16", "f32": "tl.float32", "f64": "tl.float64",
      "fp8e4nv": "tl.float8e4nv", "fp8e5": "tl.float8e5", "fp8e4b8": "tl.float8e4b8", "fp8e5b16": "tl.float8e5b16",
      "fp8e4b15": "tl.float8e4b15"}
PRELUDE = "import triton\nimport triton.language as tl\nfrom triton.language.extra import libdevice\n\n"


@dataclasses.dataclass
class Typed:
    """An array of a type that NumPy lacks (or of bytes that stand for booleans): its bits as unsigned integers."""
    bits: np.ndarray
    type: str


@dataclasses.dataclass
class Fresh:
    """An array that kdsl makes: zeros:f32[8]."""
    text: str
    type: str


def zeros(type, *shape):
    return Fresh("zeros:%s[%s]" % (type, ",".join(map(str, shape))), type)


class Got:
    """What a run left: arrays as attributes (and by [name]), stdout and stderr."""

    def __init__(self, done):
        self.status, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr

    def __getitem__(self, name):
        return getattr(self, name)


def folder():
    path = os.path.join(SCRATCH.name, str(next(COUNT)))
    os.mkdir(path)
    return path


def write(source, where=None, name="kernel.py"):
    """Writes kernel source, with its imports, and returns the path."""
    path = os.path.join(where or folder(), name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(source if "import triton" in source else PRELUDE + source)
    return path


def call(*words, status=None, env=None, timeout=120, **options):
    """Runs the kdsl command; the result is text."""
    done = subprocess.run(["kdsl", *map(str, words)], capture_output=True, text=True, errors="replace", timeout=timeout, stdin=subprocess.DEVNULL,
                          env={**os.environ, **ENV, **(env or {})}, **options)
    if status is not None:
        assert done.returncode == status, "kdsl %s\nexit status %d\n%s%s" % (" ".join(map(str, words)), done.returncode, done.stdout, done.stderr)
    return done


def spelled(value):
    if isinstance(value, float):
        return repr(float(value)) if np.isfinite(value) else "float('%s')" % value
    return str(value)


def words_of(where, arguments, save):
    """NAME=VALUE words for values, and --save words for arrays."""
    words, saves = [], []
    for name, value in arguments.items():
        array = value.bits if isinstance(value, Typed) else value
        if isinstance(array, np.ndarray):
            path = os.path.join(where, name + ".npy")
            np.save(path, array)
            words.append("%s=@%s%s" % (name, path, ":" + value.type if isinstance(value, Typed) else ""))
        elif isinstance(value, Fresh):
            words.append("%s=%s" % (name, value.text))
        else:
            words.append("%s=%s" % (name, spelled(value)))
            continue
        if save is None or name in save:
            saves += ["--save", "%s=%s" % (name, os.path.join(where, name + ".out.npy"))]
    return words, saves


def unsigned(array):
    return array.view("u%d" % array.dtype.itemsize) if array.dtype.kind == "V" else array


def run(source, *options, grid=1, save=None, kernel=None, status=0, env=None, timeout=120, **arguments):
    """Runs a kernel once. save: the names of the arrays to read back (all)."""
    where = folder()
    path = source if source.endswith(".py") and "\n" not in source else write(source, where)
    words, saves = words_of(where, arguments, save)
    if isinstance(grid, tuple):
        grid = ", ".join(map(str, grid))
    done = call("run", path + (":" + kernel if kernel else ""), *words, "--grid", grid, *saves, *options, env=env, timeout=timeout)
    shown = "" if path == source else "".join("%4d  %s\n" % (i + 1, line) for i, line in enumerate(open(path, encoding="utf-8").read().split("\n")))
    assert done.returncode == status, "exit status %d instead of %d\n%s%s\n%s" % (done.returncode, status, done.stdout, done.stderr[:6000], shown[:6000])
    got = Got(done)
    for word in saves[1::2]:
        name, _, file = word.partition("=")
        if os.path.exists(file):
            setattr(got, name, unsigned(np.load(file)))
            os.unlink(file)
    return got


def fails(source, status, *pieces, grid=1, **arguments):
    """Runs a kernel that must not run: its exit status, and pieces of what it says."""
    got = run(source, grid=grid, status=status, **arguments)
    for piece in pieces:
        assert piece in got.stderr, "expected %r in:\n%s" % (piece, got.stderr)
    return got


# ---- comparing ----

def ordered(array):
    """Floats as integers whose distance is the number of floats between them."""
    bits = array.view("i%d" % array.dtype.itemsize).astype(np.int64)
    if array.dtype.itemsize == 8:
        return np.where(bits < 0, np.int64(-2 ** 63) - bits, bits)
    top = 1 << (8 * array.dtype.itemsize - 1)
    return np.where(bits < 0, -top - bits, bits)


def wrong(got, want, ulps=0, rtol=0, atol=0):
    """Which elements differ. ulps=0, rtol=0, atol=0: bits must agree (any NaN is as good as another)."""
    if got.dtype.kind != "f":
        return got != want
    nan = np.isnan(got) & np.isnan(want)
    if rtol or atol:
        with np.errstate(all="ignore"):
            far = ~((np.abs(got.astype(np.float64) - want) <= atol + rtol * np.abs(want.astype(np.float64))) | (got == want))
    elif ulps:
        with np.errstate(all="ignore"):
            far = np.abs(ordered(got) - ordered(want)) > ulps
            far[np.isnan(got) | np.isnan(want)] = True
    else:
        far = got.view("u%d" % got.dtype.itemsize) != want.view("u%d" % want.dtype.itemsize)
    return far & ~nan


def difference(got, want, inputs=(), **tolerance):
    """None, or a line about the first element that differs."""
    want = np.ascontiguousarray(np.broadcast_to(np.asarray(want), got.shape))
    if want.dtype != got.dtype:
        want = want.astype(got.dtype)
    bad = wrong(np.ascontiguousarray(got), want, **tolerance)
    if not bad.any():
        return None
    at = tuple(int(i) for i in np.argwhere(bad)[0]) if got.ndim else ()
    given = "".join(", %s = %r" % (name, array[at]) for name, array in inputs if array.shape == got.shape)
    return "%d of %d differ; at %s: %r instead of %r%s" % (bad.sum(), bad.size, list(at), got[at], want[at], given)


def same(got, want, **tolerance):
    assert got.shape == np.shape(want), "shape %s instead of %s" % (got.shape, np.shape(want))
    problem = difference(got, want, **tolerance)
    assert problem is None, problem


# ---- many expressions ----

@dataclasses.dataclass
class Row:
    expr: str
    type: str
    want: object
    tolerance: dict


class Table:
    """Element-wise expressions over arrays of one length. A row is checked for its type and its numbers."""

    def __init__(self, block=None, per_kernel=40, globals="", **inputs):
        self.inputs, self.rows, self.globals, self.per_kernel = inputs, [], globals, per_kernel
        arrays = [v.bits if isinstance(v, Typed) else v for v in inputs.values() if isinstance(v, (Typed, np.ndarray))]
        self.n = len(arrays[0]) if arrays else 1
        self.block = block or min(1024, 1 << max(0, self.n - 1).bit_length())

    def add(self, expr, type, want, **tolerance):
        self.rows.append(Row(expr, type, want, tolerance))

    def source(self, rows):
        types = list(dict.fromkeys(row.type for row in rows))
        arrays = [name for name, value in self.inputs.items() if isinstance(value, (Typed, np.ndarray))]
        scalars = [name for name in self.inputs if name not in arrays]
        params = [name + "_ptr" for name in arrays] + [s + (": tl.constexpr" if s.isupper() else "") for s in scalars]
        lines = ["@triton.jit", "def table(%s):" % ", ".join(params + ["out_" + t for t in types] + ["types", "N: tl.constexpr", "BLOCK: tl.constexpr"]),
                 "    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)", "    mask = offs < N"]
        lines += ["    %s = tl.load(%s_ptr + offs, mask=mask)" % (name, name) for name in arrays]
        used = dict.fromkeys(types, 0)
        for i, row in enumerate(rows):
            lines += ["    v%d = %s" % (i, row.expr), "    tl.store(out_%s + %d * N + offs, v%d, mask=mask)" % (row.type, used[row.type], i),
                      "    tl.store(types + %d, v%d.dtype == %s)" % (i, i, TL[row.type])]
            used[row.type] += 1
        return self.globals + "\n".join(lines) + "\n", used

    def check(self, *options):
        assert self.rows
        problems = []
        for first in range(0, len(self.rows), self.per_kernel):
            rows = self.rows[first:first + self.per_kernel]
            source, used = self.source(rows)
            arguments = {name + ("_ptr" if isinstance(value, (Typed, np.ndarray)) else ""): value for name, value in self.inputs.items()}
            for t, count in used.items():
                arguments["out_" + t] = zeros(t, count, self.n)
            got = run(source, *options, grid=-(-self.n // self.block), save=["types"] + ["out_" + t for t in used], N=self.n, BLOCK=self.block,
                      types=zeros("u8", len(rows)), **arguments)
            at = dict.fromkeys(used, 0)
            shown = [(k, v.bits if isinstance(v, Typed) else v) for k, v in self.inputs.items() if isinstance(v, (Typed, np.ndarray))]
            for i, row in enumerate(rows):
                if not got.types[i]:
                    problems.append("%s: its type is not %s" % (row.expr, row.type))
                values = got["out_" + row.type][at[row.type]]
                at[row.type] += 1
                problem = None if row.want is None else difference(values, row.want, [i for i in shown if re.search(r"\b%s\b" % i[0], row.expr)], **row.tolerance)
                if problem:
                    problems.append("%s (%s): %s" % (row.expr, row.type, problem))
        assert not problems, "\n" + "\n".join(problems)


def one_value(expr_lines, type, globals="", **arguments):
    """A kernel of one program that computes `v` and stores it: for control flow and scalars."""
    params = [k + (": tl.constexpr" if k.isupper() else "") for k in arguments]
    body = "\n".join("    " + line for line in expr_lines.strip("\n").split("\n"))
    source = globals + "@triton.jit\ndef kernel(%s):\n%s\n    tl.store(out, v)\n" % (", ".join(params + ["out"]), body)
    return run(source, save=["out"], out=zeros(type, 1), **arguments).out[0]

