"""Reads the tables of builtins: writes their reference into LANGUAGE.md, and tells which rows no test names.

usage: builtins.py --write | --check | --untested        (in the project's root)

--write     brings the tables between the marks of dsl/LANGUAGE.md up to date
--check     fails where they are not
--untested  lists the rows without a test case under tests/dsl, and fails if there are any
"""
import glob
import os
import re
import sys

from generated import ROOT, read, update

TABLES = ["dsl/builtins.def", "dsl/builtins_objects.def", "dsl/builtins_libdevice.def", "dsl/builtins_python.def"]
GUIDE = "dsl/LANGUAGE.md"
ROW = re.compile(r'^KD_(BUILTIN|PROPERTY|STD|NAMESPACE|INT|FLOAT|DTYPE)\("([^"]+)", "([^"]+)"(.*?)\)\n(?=KD_|\n|#|/|$)', re.M | re.S)
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
TITLES = {"tl": "triton.language", "tl.extra": "triton.language.extra.VENDOR", "tl.target_info": "triton.language.target_info",
          "tl.PropagateNan": "tl.PropagateNan", "tensor": "Tensors: attributes and methods", "tensor.math": "Tensors: functions as methods",
          "dtype": "Types: attributes and methods", "block_ptr": "Block pointers", "desc": "Tensor descriptors", "libdevice": "libdevice",
          "python": "Python's own functions", "triton": "triton", "math": "math, at compile time", "numpy": "numpy, at compile time",
          "torch": "torch, at compile time", "int": "Compile-time integers", "str": "Compile-time strings", "torch.version": "torch.version"}
SAME = {"tl.core": "triton.language", "tl.standard": "triton.language", "tl.random": "triton.language", "tl.extra.any": "libdevice"}
HIDDEN = ("tl.extra.any", "tl.extra.other")


def rows():
    """(kind, namespace, name, parameters or None, summary) of each row, in order."""
    for table in TABLES:
        for kind, space, name, rest in ROW.findall(read(table)):
            texts = TEXT.findall(rest)
            if kind == "NAMESPACE":
                target = SAME.get(texts[0], texts[0])
                yield kind, space, name, None, "the names of " + TITLES.get(target, target)
            elif kind == "BUILTIN":
                yield kind, space, name, "".join(texts[:-1]), texts[-1]
            else:
                yield kind, space, name, None, texts[-1]


def std_parameters():
    """Parameters of the functions of std/, by name."""
    found = {}
    for path in glob.glob(os.path.join(ROOT, "dsl/std/*.py")):
        for name, parameters in re.findall(r"^def (\w+)\((.*?)\):\n", read(os.path.relpath(path, ROOT)), re.M | re.S):
            found[name] = re.sub(r"\s+", " ", re.sub(r": tl\.constexpr", "", parameters))
    return found


def tables():
    spaces, std = {}, std_parameters()
    for kind, space, name, parameters, summary in rows():
        if space in HIDDEN or name == "*" or name.startswith("_"):
            continue
        if kind == "STD":
            parameters = std[name]
        if parameters is not None and space in ("tensor", "tensor.math", "dtype", "block_ptr", "desc", "int", "str"):
            parameters = re.sub(r"^\w+(, )?", "", parameters)
        call = name if parameters is None else f"{name}({parameters})"
        spaces.setdefault(space, []).append(f"| `{call}` | {summary} |".replace("\\n", "\\\\n"))
    out = []
    for space, lines in spaces.items():
        out += [f"### {TITLES.get(space, space)}", "", "| name | what it is |", "|---|---|", *lines, ""]
    return "\n".join(out)


def untested():
    tests = "\n".join(read(os.path.relpath(path, ROOT)) for pattern in ("tests/dsl/**/*.py", "tests/dsl/**/*.test")
                      for path in glob.glob(os.path.join(ROOT, pattern), recursive=True))
    for way in ("rn", "rd", "ru", "rz"):       # names that tests put together
        tests += "".join(f" libdevice.{a}2{b}_{way} " for a in ("float", "double") for b in ("int", "uint", "ll", "ull"))
        tests += "".join(f" libdevice.{a}2{b}_{way} " for a in ("int", "uint", "ll", "ull") for b in ("float", "double"))
        tests += "".join(f" libdevice.{name}_{way} " for name in ("add", "sub", "mul", "div", "sqrt", "rcp", "fma", "double2float"))
    if "tl.atomic_{name}(" in tests:
        tests += "".join(f" tl.atomic_{name} x.atomic_{name}( " for name in ("add", "max", "min", "and", "or", "xor", "xchg"))
    missing = []
    for kind, space, name, _, _ in rows():
        if name == "*" or space in HIDDEN:
            continue
        if space == "libdevice":
            pattern = rf'libdevice\.{name}\b|"{name}", [A-Z]'
        elif space in ("python",):
            pattern = rf"\b{name}\b\("
        elif space in ("tensor", "tensor.math", "dtype", "block_ptr", "desc", "int", "str"):
            pattern = rf"\.{name}\b"
        elif space in ("numpy",):
            pattern = rf"\bnp\.{name}\b"
        elif name.startswith("_"):
            pattern = rf"\b{name}\b"
        elif space == "tl.extra":
            pattern = rf"\btl\.extra\.(cuda\.)?{name}\b"
        else:
            pattern = rf"\b{re.escape(space)}\.{name}\b"
        if not re.search(pattern, tests):
            missing.append(f"{space}.{name}")
    return missing


def main(*arguments):
    if arguments == ("--untested",):
        missing = untested()
        print(f"{len(missing)} of {len(list(rows()))} rows have no test", *missing, sep="\n")
        return 1 if missing else 0
    if arguments not in (("--write",), ("--check",)):
        print(__doc__, file=sys.stderr)
        return 2
    return update(GUIDE, "builtins", tables(), arguments == ("--check",), "scripts/builtins.py")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
