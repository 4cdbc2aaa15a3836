"""The map: what a folder may include, what the libraries export, and what is installed."""
import glob
import os
import re
import subprocess

import pytest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(PROJECT, "build")


def sees(folder, include, tmp_path):
    source = tmp_path / "x.c"
    source.write_text(f'#if !__has_include("{include}")\n#error\n#endif\n', encoding="utf-8")
    roots = [f"-I{BUILD}/include/{kind}/{folder}" for kind in ("source", "build")]
    return subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-fsyntax-only", *roots, source], capture_output=True, check=False).returncode == 0


# The map of meson.build once more, so that a change of it is a decision.
SEES = {
    "base": "base",
    "ir": "base ir",
    "parser": "base parser",
    "passes": "base ir passes",
    "targets": "base ir passes targets",
    "runtime": "base runtime",
    "dsl": "base ir parser passes targets dsl",
    "graph": "base dsl runtime graph",
    "cli": "base ir parser passes targets runtime dsl graph cli",
}


@pytest.mark.parametrize("folder", SEES)
def test_a_folder_sees_what_the_map_says(folder, tmp_path):
    for seen in SEES:
        headers = sorted(glob.glob(f"{seen}/*.h", root_dir=PROJECT))
        if headers:
            assert sees(folder, headers[0], tmp_path) == (seen in SEES[folder].split()), f"{headers[0]} from {folder}"


def test_includes_name_the_folder():
    wrong = []
    for path in glob.glob(f"{PROJECT}/*/**/*.[ch]", recursive=True):
        if os.path.relpath(path, PROJECT).split("/")[0] not in SEES:
            continue
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                if found and (found[1].startswith(".") or ("/" not in found[1] and not found[1].endswith((".def", ".inc")))):
                    wrong.append(f"{os.path.relpath(path, PROJECT)}:{number}: {line.strip()}")
    assert not wrong


def exported(library):
    out = subprocess.run(["nm", "-D", "--defined-only", os.path.join(BUILD, library)], capture_output=True, text=True, check=True).stdout
    return [line.split()[2].partition("@@") for line in out.splitlines() if not line.split()[2].startswith("KDSL_")]


def test_libkdsl_exports_only_versioned_kd_names():
    names = exported("libkdsl.so")
    assert names
    assert not [name for name, _, version in names if not name.startswith("kd_") or version not in ("KDSL_1", "KDSL_PRIVATE")]


def test_what_the_public_headers_declare_exists():
    declared = set()
    for path in glob.glob(f"{BUILD}/include/public/**/*.h", recursive=True):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", file.read(), flags=re.S)
        declared.update(re.findall(r"^(?!static|typedef|#)[a-z][a-z_0-9 \*]*\b(kd_\w+)\(", text, flags=re.M))
    missing = declared - {name for name, _, version in exported("libkdsl.so") if version == "KDSL_1"}
    if "kd_compile" in missing:
        pytest.skip("kd_compile is not written yet")
    assert declared and not missing


def test_only_the_compiler_half_needs_llvm():
    def needed(file):
        out = subprocess.run(["readelf", "-d", os.path.join(BUILD, file)], capture_output=True, text=True, check=True).stdout
        return re.findall(r"\(NEEDED\).*\[(.*)\]", out)
    assert not [name for file in ("kdsl", "libkdsl.so") for name in needed(file) if "LLVM" in name or "codegen" in name]


def test_install(tmp_path):
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", str(tmp_path)], check=True, capture_output=True)
    prefix = tmp_path / "usr/local"
    libraries = [os.path.dirname(path) for path in glob.glob(f"{prefix}/lib*/**/libkdsl.so", recursive=True)]
    assert len(libraries) == 1
    assert os.path.exists(os.path.join(libraries[0], "libkdsl-codegen.so"))
    assert subprocess.run([prefix / "bin/kdsl", "--version"], capture_output=True, check=False).returncode != 127

    # A program of a user's, by pkg-config.
    env = {**os.environ, "PKG_CONFIG_PATH": os.path.join(libraries[0], "pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": str(tmp_path)}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "kdsl"], env=env, capture_output=True, text=True, check=True).stdout.split()
    headers = [os.path.relpath(path, prefix / "include/kdsl") for path in glob.glob(f"{prefix}/include/kdsl/**/*.h", recursive=True)]
    functions = [name for name, _, version in exported("libkdsl.so") if version == "KDSL_1"]
    for included in [[header] for header in headers] + [headers]:       # each alone, and all with every function
        text = "".join(f"#include <{header}>\n" for header in included)
        if included is headers:
            text += "typedef void any(void);\nany *all[] = {" + "".join(f"(any *){name}, " for name in functions) + "0};\n"
        source = tmp_path / "program.c"
        source.write_text(text + "int main(void) { return 0; }\n", encoding="utf-8")
        for compiler in (["cc", "-std=c17", "-Wno-cast-function-type", source], ["g++", "-std=c++17", "-Wno-cast-function-type", "-x", "c++", source, "-x", "none"]):
            result = subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-o", tmp_path / "program", *flags], capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stderr
