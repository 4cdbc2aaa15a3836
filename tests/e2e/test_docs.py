"""What the documents tell people to type works: every line of their sh blocks is run, in a copy of the examples; so is their C, and every
entry of a signature that they name."""
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


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def indented(text):
    return [re.sub("^    ", "", block, flags=re.M) for block in re.findall(r"(?<=\n\n)((?:    .*\n)+)", text)]


C_PROGRAM = """
#include <kdsl.h>
#include <runtime/runtime.h>
#include <stdio.h>

enum { N = 5000 };
static _Alignas(64) float x[N], y[N], out[N];

int main(void)
{
    size_t n_bytes_of_x = sizeof x, n_bytes_of_y = sizeof y, n_bytes_of_out = sizeof out;
    long n = N;
    uint32_t n_programs = (N + 1023) / 1024;
    for (int i = 0; i < N; i++)
        x[i] = (float)i, y[i] = 0.5f;
%s
    for (int i = 0; i < N; i++)
        if (out[i] != (float)i + 0.5f)
            return 1;
    kd_kernel_destroy(kernel);
    kd_queue_destroy(queue);
    kd_device_close(device);
    kd_compiled_destroy(add);
    kd_compiler_destroy(compiler);
    return 0;
}
"""


def test_code_of_the_c_api(tmp_path):
    blocks = indented(read("docs/c-api.md"))
    assert len(blocks) == 2, "one block compiles, one runs"
    (tmp_path / "program.c").write_text(C_PROGRAM % "".join(blocks), encoding="utf-8")
    build = os.environ.get("KDSL_BUILD", os.path.join(ROOT, "build"))
    done = subprocess.run(["gcc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-o", "program", "program.c", "-I", os.path.join(build, "include", "public"), "-L", build,
                           "-lkdsl", "-Wl,-rpath," + build], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shutil.copy(os.path.join(ROOT, "examples", "vector_add.py"), tmp_path)
    done = subprocess.run(["./program"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_of_embedding():
    build = os.environ.get("KDSL_BUILD", os.path.join(ROOT, "build"))
    done = subprocess.run([os.path.join(build, "examples", "embed"), os.path.join(ROOT, "examples", "vector_add.py")], capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "1000003 elements, 0 wrong\n")


def compiles(tmp_path, source, signature, *pieces):
    (tmp_path / "k.py").write_text("import triton\nimport triton.language as tl\n\n@triton.jit\ndef relu(x):\n    return x\n\n@triton.jit\n" + source, encoding="utf-8")
    done = subprocess.run(["kdsl", "compile", "k.py:k", "--signature", signature, "--emit", "kd"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, (signature, done.stderr)
    for piece in pieces:
        assert piece in done.stdout, (signature, piece, done.stdout)


def test_signatures_of_the_page(tmp_path):
    """Whole signatures, every entry of the table, every type of the list."""
    text = read("docs/signature.md")
    by_position, by_name = indented(text)[0].split("\n")[:2]
    for signature in (by_position, by_name):
        compiles(tmp_path, "def k(x, out, n, BLOCK: tl.constexpr):\n    tl.store(out + n, tl.load(x + BLOCK))\n", signature, "%x: ptr<f32>", "%out: ptr<f32>", "%n: i32", "1024")
    types = re.search(r"^Types: `([^`]+)`", text, re.M).group(1).split()
    assert len(types) >= 18
    for t in types:
        compiles(tmp_path, "def k(p, v):\n    tl.store(p, v)\n", "*%s, %s" % (t, t), "kd.store %p, %v")
    table = [row for row in re.findall(r"^\| (`.*?) \|", text, re.M)]
    assert len(table) >= 8
    for row in table:
        for entry in re.findall(r"`([^`]+)`", row):
            if entry.startswith("fn:"):
                compiles(tmp_path, "def k(p, v, f: tl.constexpr):\n    tl.store(p, f(v))\n", "*fp32, fp32, " + entry)
            elif entry == "tl.float16":
                compiles(tmp_path, "def k(p, v, t: tl.constexpr):\n    tl.store(p, v.to(t))\n", "*fp16, fp32, " + entry, "f16")
            else:
                compiles(tmp_path, "def k(p, v):\n    tl.store(p, 1.0)\n", "*fp32, " + entry)


def test_the_answer_of_a_mistake_in_the_readme(tmp_path):
    """The kernel that is shown runs, and the mistake that is shown gives the message that is shown."""
    text = read("README.md")
    source = re.search(r"^```python\n(.*?)^```", text, re.M | re.S).group(1)
    (tmp_path / "softmax.py").write_text(source.replace("axis=0))", "axes=0))", 1), encoding="utf-8")
    done = subprocess.run(["kdsl", "check", "softmax.py"], cwd=tmp_path, capture_output=True, text=True)
    message = re.search(r"^    (softmax\.py:.*error:.*)$", text, re.M).group(1)
    assert done.returncode == 1 and done.stderr.splitlines()[0] == message


def test_every_example_has_a_case():
    """Each file of the README's table is run by test_examples.py."""
    import sys
    sys.path.insert(0, os.path.join(ROOT, "examples"))
    import cases
    tested = {case.kernel.split(":")[0] for case in cases.make_cases()}
    listed = set(re.findall(r"\]\(examples/(\w+\.py)\)", read("README.md")))
    assert listed and listed == tested
