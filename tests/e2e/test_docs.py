"""What the documents tell people to type works: every line of their sh blocks is run, in a copy of the examples; so is their C, and every
entry of a signature that they name."""
import fnmatch
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


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def shown_kernel():
    return re.search(r"^```python\n(.*?)^```", read("README.md"), re.M | re.S).group(1)


def test_documents_have_commands():
    assert any(path == "README.md" for path, _ in COMMANDS)


@pytest.mark.parametrize("path,line", COMMANDS, ids=["%s: %s" % (p, l[:50]) for p, l in COMMANDS])
def test_command(path, line, tmp_path):
    shutil.copytree(os.path.join(ROOT, "examples"), tmp_path / "examples")
    if path == "README.md":
        (tmp_path / "softmax.py").write_text(shown_kernel(), encoding="utf-8")
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "KDSL_CACHE_DIR": str(tmp_path / "cache")})
    assert done.returncode == 0, done.stderr
    assert "rror:" not in done.stderr


def test_examples_are_in_the_readme():
    text = open(os.path.join(ROOT, "README.md"), encoding="utf-8").read()
    for name in os.listdir(os.path.join(ROOT, "examples")):
        if name.endswith(".py") and name != "cases.py":
            assert "(examples/%s)" % name in text, name


def test_files_of_the_stages_of_graphs():
    """The table of docs/graph.md names all of graph/*.c, by name or by pattern."""
    patterns = re.findall(r"`([\w*]+\.c)`", read("docs/graph.md"))
    for name in os.listdir(os.path.join(ROOT, "graph")):
        if name.endswith(".c"):
            assert any(fnmatch.fnmatch(name, pattern) for pattern in patterns), name
    for pattern in patterns:
        assert fnmatch.filter(os.listdir(os.path.join(ROOT, "graph")), pattern), pattern


def indented(text):
    return [re.sub("^    ", "", block, flags=re.M) for block in re.findall(r"(?<=\n\n)((?:    .*\n|\n(?=    ))+)", text)]


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


def test_the_example_in_the_header(tmp_path):
    """The first comment of kdsl.h compiles, and with it the kernel that it names."""
    lines = "".join(line[7:] for line in read("dsl/kdsl.h").split("*/")[0].splitlines(True) if line.startswith(" *     "))
    (tmp_path / "program.c").write_text("#include <kdsl.h>\nint main(void)\n{\n%s\nreturn s;\n}\n" % lines, encoding="utf-8")
    build = os.environ.get("KDSL_BUILD", os.path.join(ROOT, "build"))
    done = subprocess.run(["gcc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-o", "program", "program.c", "-I", os.path.join(build, "include", "public"), "-L", build,
                           "-lkdsl", "-Wl,-rpath," + build], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shutil.copy(os.path.join(ROOT, "examples", "softmax.py"), tmp_path)
    assert subprocess.run(["./program"], cwd=tmp_path).returncode == 0


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


def test_the_kernel_that_is_shown(tmp_path):
    """README's command runs it on the file that it shows, and the result is a softmax."""
    import numpy as np
    line, = [line for path, line in COMMANDS if path == "README.md" and line.startswith("kdsl run softmax.py:")]
    (tmp_path / "softmax.py").write_text(shown_kernel(), encoding="utf-8")
    x = np.random.default_rng(1).standard_normal((4096, 781), dtype=np.float32)
    np.save(tmp_path / "x.npy", x)
    subprocess.run(["bash", "-c", re.sub(r" x=\S+", " x=@x.npy", line)], cwd=tmp_path, check=True, capture_output=True)
    want = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), want / want.sum(1, keepdims=True), rtol=1e-5)


def test_the_answer_of_a_mistake_in_the_readme(tmp_path):
    """The mistake that is shown gives the message that is shown."""
    text = read("README.md")
    (tmp_path / "softmax.py").write_text(shown_kernel().replace("axis=0))", "axes=0))", 1), encoding="utf-8")
    done = subprocess.run(["kdsl", "check", "softmax.py"], cwd=tmp_path, capture_output=True, text=True)
    message = re.search(r"^    (softmax\.py:.*error:.*)$", text, re.M).group(1)
    assert done.returncode == 1 and done.stderr.splitlines()[0] == message


def test_the_test_of_an_error_in_contributing(tmp_path):
    """It is a test that passes, and it fails where its message is another one."""
    source, = [block for block in indented(read("CONTRIBUTING.md")) if "expected-error" in block]
    verify = os.path.join(ROOT, "tests", "bin", "verify-diagnostics")
    for text, status in ((source, 0), (source.replace("'load'", "'store'"), 1)):
        (tmp_path / "kernel.py").write_text(text, encoding="utf-8")
        assert subprocess.run([verify, "kernel.py", "kdsl", "check", "kernel.py"], cwd=tmp_path, capture_output=True).returncode == status


def test_every_example_has_a_case():
    """Each file of the README's table is run by test_examples.py; examples/model.py is no kernel, and tests/python runs it."""
    import sys
    sys.path.insert(0, os.path.join(ROOT, "examples"))
    import cases
    tested = {case.kernel.split(":")[0] for case in cases.make_cases()}
    listed = set(re.findall(r"\]\(examples/(\w+\.py)\)", read("README.md")))
    assert listed - {"model.py"} == tested
