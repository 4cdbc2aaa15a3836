"""Objects and headers of `kdsl compile`: a C and a C++ program run them with one thread and several, and need nothing of kdsl."""
import dataclasses
import os
import subprocess

import numpy as np
import pytest
from kernel import call, folder, write

WARNINGS = ["-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# Reads the arrays from files, runs the grid (N threads: in N parts, else at once), writes the arrays back.
DRIVER = """
#include "%(name)s.h"
#include "%(name)s.h" /* twice does no harm */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static %(name)s_grid grid = {%(grid)s};
static %(name)s_args args;
static uint32_t n_parts;

static void *load(const char *path, long *n)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END))
        exit(3);
    *n = ftell(f);
    rewind(f);
    void *data = aligned_alloc(64, ((size_t)*n + 127) / 64 * 64);
    if (fread(data, 1, (size_t)*n, f) != (size_t)*n)
        exit(4);
    fclose(f);
    return data;
}

static void *part(void *which)
{
    void *scratch = aligned_alloc(64, (%(name)s_SCRATCH_BYTES + 127) / 64 * 64);
    if (%(name)s_part(grid, &args, (uint32_t)(uintptr_t)which, n_parts, scratch) != 0)
        exit(5);
    free(scratch);
    return NULL;
}

int main(int argc, char **argv)
{
    long bytes[%(n)d];
    void *data[%(n)d];
    if (argc != %(n)d + 2)
        return 2;
    for (int i = 0; i < %(n)d; i++)
        data[i] = load(argv[i + 2], &bytes[i]);
    %(set)s
    n_parts = (uint32_t)atoi(argv[1]);
    if (n_parts == 0) {
        if (%(name)s_launch(grid, &args) != 0)
            return 6;
    } else {
        pthread_t threads[16];
        for (uint32_t i = 0; i < n_parts; i++)
            if (pthread_create(&threads[i], NULL, part, (void *)(uintptr_t)i))
                return 7;
        for (uint32_t i = 0; i < n_parts; i++)
            pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < %(n)d; i++) {
        FILE *f = fopen(argv[i + 2], "wb");
        if (!f || fwrite(data[i], 1, (size_t)bytes[i], f) != (size_t)bytes[i] || fclose(f))
            return 8;
        free(data[i]);
    }
    return 0;
}
"""


@dataclasses.dataclass
class Program:
    name: str
    source: str
    signature: str
    grid: tuple
    arrays: dict          # as they are before
    scalars: dict
    want: dict            # as they must be afterwards
    tolerance: float = 0


def programs():
    r = np.random.default_rng(0)
    x, y = r.standard_normal(10_007).astype(np.float32), r.standard_normal(10_007).astype(np.float32)
    yield Program("add", """
@triton.jit
def add(x, y, out, n, s, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    m = offs < n
    tl.store(out + offs, tl.load(x + offs, mask=m) + tl.load(y + offs, mask=m) * s, mask=m)
""", "*fp32:16, *fp32:16, *fp32:16, i32, fp32, 512", (20, 1, 1), {"x": x, "y": y, "out": np.zeros_like(x)}, {"n": 10_007, "s": "0.5f"},
                  {"out": x + y * np.float32(0.5)})
    x = r.standard_normal((33, 200)).astype(np.float32)
    e = np.exp(x.astype(np.float64))
    yield Program("soft", """
@triton.jit
def soft(x, out, n, BLOCK: tl.constexpr):
    cols = tl.arange(0, BLOCK)
    row = tl.program_id(1) * n
    v = tl.load(x + row + cols, mask=cols < n, other=-float('inf'))
    e = tl.exp(v - tl.max(v, axis=0))
    tl.store(out + row + cols, e / tl.sum(e, axis=0), mask=cols < n)
""", "x=*fp32, out=*fp32, n=i64, BLOCK=256", (1, 33, 1), {"x": x, "out": np.zeros_like(x)}, {"n": "INT64_C(200)"}, {"out": e / e.sum(1, keepdims=True)}, 1e-5)
    a, b = r.integers(-8, 8, (70, 45)).astype(np.float16), r.integers(-8, 8, (45, 50)).astype(np.float16)
    yield Program("matmul", """
@triton.jit
def matmul(a, b, c, M, N, K):
    i = tl.program_id(0) * 32 + tl.arange(0, 32)
    j = tl.program_id(1) * 32 + tl.arange(0, 32)
    acc = tl.zeros((32, 32), tl.float32)
    for k0 in range(0, K, 16):
        k = k0 + tl.arange(0, 16)
        p = tl.load(a + i[:, None] * K + k[None, :], mask=(i[:, None] < M) & (k[None, :] < K), other=0.0)
        q = tl.load(b + k[:, None] * N + j[None, :], mask=(k[:, None] < K) & (j[None, :] < N), other=0.0)
        acc = tl.dot(p, q, acc)
    tl.store(c + i[:, None] * N + j[None, :], acc, mask=(i[:, None] < M) & (j[None, :] < N))
""", "*fp16, *fp16, *fp32, i32, i32, i32", (3, 2, 1), {"a": a, "b": b, "c": np.zeros((70, 50), np.float32)}, {"M": 70, "N": 50, "K": 45},
                  {"c": (a.astype(np.float64) @ b)})
    x = r.integers(0, 64, 5000).astype(np.int16)
    big = r.standard_normal(8192)
    yield Program("mixed", """
@triton.jit
def mixed(x, counts, d, sorted, flag, bias, n):
    offs = tl.program_id(0) * 1024 + tl.arange(0, 1024)
    tl.atomic_add(counts + tl.load(x + offs, mask=offs < n), 1, mask=offs < n)
    v = tl.load(d + offs)
    if flag:
        v = tl.cumsum(v, 0) + bias
    tl.store(sorted + offs, libdevice.tanh(v) + tl.math.log(tl.abs(v) + 1))
""", "*i16, *i32, *fp64, *fp64, i1, fp64, i32", (8, 1, 1), {"x": x, "counts": np.zeros(64, np.int32), "d": big, "sorted": np.zeros_like(big)},
                  {"flag": 1, "bias": 0.25, "n": 5000},
                  {"counts": np.bincount(x, minlength=64), "sorted": (lambda v: np.tanh(v) + np.log(np.abs(v) + 1))(np.cumsum(big.reshape(8, 1024), 1) + 0.25).reshape(-1)},
                  1e-9)


PROGRAMS = list(programs())


def compile_object(p, *options):
    where = folder()
    source = write(p.source, where, "source.py")
    call("compile", source + ":" + p.name, "--signature", p.signature, "-o", os.path.join(where, p.name + ".o"), *options, status=0)
    return where


def build(p, where, compiler, *options):
    n = len(p.arrays)
    sets = ["args.%s = (%s)data[%d];" % (name, "const %s *" % c if "const" in qualifier else c + " *", i)
            for i, (name, (c, qualifier)) in enumerate((name, c_type(a)) for name, a in p.arrays.items())]
    sets += ["args.%s = %s;" % item for item in p.scalars.items()]
    language = "cc" if "++" in compiler else "c"
    path = os.path.join(where, "driver." + language)
    with open(path, "w", encoding="utf-8") as file:
        file.write(DRIVER % {"name": p.name, "grid": ", ".join(map(str, p.grid)), "n": n, "set": "\n    ".join(sets)})
    program = os.path.join(where, "program-" + compiler)
    done = subprocess.run([compiler, *WARNINGS, "-std=c++17" if language == "cc" else "-std=c11", "-o", program, path, os.path.join(where, p.name + ".o"), *options,
                           "-lm", "-lmvec", "-lpthread"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def c_type(array):
    return {"f4": "float", "f8": "double", "f2": "uint16_t", "i2": "int16_t", "i4": "int32_t"}[array.dtype.str[1:]], ""


def check(p, program, where, n_threads):
    paths = []
    for name, array in p.arrays.items():
        paths.append(os.path.join(where, name + ".bin"))
        np.ascontiguousarray(array).tofile(paths[-1])
    done = subprocess.run([program, str(n_threads), *paths], capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, "exit status %d\n%s" % (done.returncode, done.stderr)
    results = {}
    for path, (name, array) in zip(paths, p.arrays.items()):
        got = results[name] = np.fromfile(path, array.dtype).reshape(array.shape)
        if name in p.want:
            np.testing.assert_allclose(got, p.want[name], rtol=p.tolerance, atol=p.tolerance, err_msg=name)
        else:
            np.testing.assert_array_equal(got, array)
    return results


@pytest.mark.parametrize("p", PROGRAMS, ids=lambda p: p.name)
def test_c_and_cpp_programs(p):
    where = compile_object(p)
    for compiler in ("gcc", "g++"):
        program = build(p, where, compiler)
        results = [check(p, program, where, n) for n in (0, 1, 2, 5)]
        for other in results[1:]:
            for name in p.want:
                assert (other[name] == results[0][name]).all(), "%s depends on the number of threads" % name
    needs = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    assert "kdsl" not in needs and "LLVM" not in needs, needs


@pytest.mark.parametrize("target", ["x86-64-v2", "x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("p", PROGRAMS, ids=lambda p: p.name)
def test_targets(p, target):
    flags = set(open("/proc/cpuinfo", encoding="utf-8").read().split())
    where = compile_object(p, "--target", "cpu:" + target)
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", os.path.join(where, p.name + ".o")], capture_output=True, text=True).stdout
    assert text
    assert ("%zmm" in text or target != "x86-64-v4") and ("%zmm" not in text or target == "x86-64-v4")
    assert target != "x86-64-v2" or "%ymm" not in text
    needed = {"x86-64-v2": "sse4_2", "x86-64-v3": "avx2", "x86-64-v4": "avx512vl"}[target]
    if needed not in flags:
        pytest.skip("this processor has no %s: the object is compiled and looked at, but not run" % needed)
    check(p, build(p, where, "gcc"), where, 2)


def test_position_independent_and_static():
    """The same object goes into a shared library and into a static program."""
    p = PROGRAMS[1]
    where = compile_object(p)
    done = subprocess.run(["gcc", "-shared", "-o", os.path.join(where, "lib.so"), os.path.join(where, p.name + ".o"), "-Wl,-z,defs", "-Wl,-z,text", "-lm", "-lmvec"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    check(p, build(p, where, "gcc", "-no-pie"), where, 0)


def test_two_kernels_in_one_program():
    a, b = PROGRAMS[0], PROGRAMS[1]
    where = compile_object(a)
    source = write(b.source, where, "other.py")
    call("compile", source, "--signature", b.signature, "-o", os.path.join(where, "soft.o"), status=0)
    path = os.path.join(where, "both.c")
    with open(path, "w", encoding="utf-8") as file:
        file.write('#include "add.h"\n#include "soft.h"\nint main(void) { add_grid g = {0, 1, 1}; add_args x = {0}; soft_grid h = {0, 0, 0}; soft_args y = {0};\n'
                   "return add_launch(g, &x) + soft_launch(h, &y); }\n")
    done = subprocess.run(["gcc", "-Wall", "-Werror", "-o", os.path.join(where, "both"), path, os.path.join(where, "add.o"), os.path.join(where, "soft.o"), "-lm", "-lmvec"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([os.path.join(where, "both")]).returncode == 0


def test_the_same_input_gives_the_same_bytes():
    p = PROGRAMS[3]
    objects = []
    for _ in range(2):
        where = compile_object(p, "--no-cache")
        objects.append(open(os.path.join(where, p.name + ".o"), "rb").read())
    assert objects[0] == objects[1]


def test_forms_of_output():
    p = PROGRAMS[0]
    source = write(p.source)
    said = {}
    for emit in ("ast", "kd", "cpu", "llvm", "asm", "header"):
        said[emit] = call("compile", source, "-s", p.signature, "--emit", emit, status=0).stdout
        assert said[emit].strip(), emit
    assert "kd.load" in said["kd"] and "define" in said["llvm"] and "add:" in said["asm"] and "add_args" in said["header"]
    done = call("compile", source, "-s", p.signature, "--emit", "object")
    assert done.returncode == 2 and "obj" in done.stderr
    done = call("compile", source, "-s", p.signature, "--emit", "spirv")
    assert done.returncode == 2 and "spirv:bmg" in done.stderr
