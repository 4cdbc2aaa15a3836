"""Writes docs/ops.md from graph/ops.def: each op that graphs may have, and what it becomes.

usage: graph_ops.py --write | --check        (in the project's root)

--write     brings the tables between the marks of docs/ops.md up to date
--check     fails where they are not
"""
import glob
import os
import re
import sys

from generated import ROOT, read, update

TABLE, GUIDE = "graph/ops.def", "docs/ops.md"
SECTION = re.compile(r"^/\* ---- (.*?) ---- \*/$|^KD_GOP\((.*?)\)\n(?=KD_GOP|\n|/|#)", re.M | re.S)
ROW = re.compile(r'\w+, "([^"]+)",\s*(.*?),\s*\w+,\s*(\w+)(?:\((.*)\))?', re.S)
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
COMPUTE = {"RESULT": "", "OPERANDS": ", in the type that the operands promote to", "EACH": ", each operand in its own type"}
REDUCED = {"sum": "sum", "prod": "product", "max": "maximum", "min": "minimum", "peak": "maximum, where a NaN does not matter",
           "spread": "the sum of the squares of the distances from the mean", "order": "the elements from the least on"}
ONEDNN = "a oneDNN primitive, with what follows it element by element"


def function_files(kind):
    """{which: file} of the functions kd_<kind>_<which>."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "graph/*.c"))):
        for which in re.findall(rf"^(?:void|bool|const char \*) ?\*?kd_{kind}_(\w+)\(", read(os.path.relpath(path, ROOT)), re.M):
            found[which] = os.path.basename(path)
    return found


def becomes(lowering, arguments, files):
    """What the last column of a row means, in words."""
    if lowering == "POINTWISE":
        compute, expression = arguments.split(", ", 1)
        expression = "".join(TEXT.findall(expression))
        return f"`{expression}`{COMPUTE[compute]}".replace("|", "\\|")
    if lowering == "CHOICE":
        compute, which = arguments.split(", ")
        return f"an expression by its arguments, [{which}](../graph/{files['expression'][which]}){COMPUTE[compute]}"
    if lowering == "FORMULA":
        return f"`{''.join(TEXT.findall(arguments))}`"
    if lowering in ("PIECES", "PICKED", "VIEW", "COMPOSITE", "EXPANDED"):
        kind, words = {"PIECES": ("piece", "element by element, put together from pieces: "), "PICKED": ("pick", "element by element, picked by index: "),
                       "VIEW": ("view", "no work, other places of the same elements: "), "COMPOSITE": ("decompose", "other ops: "), "EXPANDED": ("expand", "other ops, as the graph is read: ")}[lowering]
        return f"{words}[{arguments}](../graph/{files[kind][arguments]})"
    if lowering in ("REDUCTION", "SCAN"):
        return f"{'a reduction' if lowering == 'REDUCTION' else 'a running value'}: {REDUCED[arguments]}"
    return {"PRIMITIVE": ONEDNN, "KERNEL": "a kernel of its own"}[lowering]


def sections():
    """[(title, [(name, parameters, what it becomes)])]"""
    files = {kind: function_files(kind) for kind in ("expression", "piece", "pick", "view", "decompose", "expand")}
    text = read(TABLE)
    options = "".join(TEXT.findall(re.search(r"#define KD_OPTIONS (.*)", text).group(1)))
    found = []
    for title, row in SECTION.findall(text):
        if title:
            found.append((title, []))
            continue
        name, parameters, lowering, arguments = ROW.fullmatch(row).groups()
        parameters = "".join(TEXT.findall(parameters.replace("KD_OPTIONS", f'"{options}"')))
        found[-1][1].append((name, parameters, becomes(lowering, arguments, files)))
    assert sum(len(rows) for _, rows in found) == len(re.findall(r"^KD_GOP\(", text, re.M)), f"a row of {TABLE} is written in a new way"
    return found


def from_files():
    """Ops of exported programs that become others when they are read."""
    rules = re.findall(r'^    \{"(aten\.[^"]+)", (\w+), KD_PT2', read("graph/pt2_ops.c"), re.M)
    return sorted({op for op, translate in rules if translate != "NULL"})


def tables():
    out = []
    for title, rows in sections():
        out += [f"## {title[0].upper()}{title[1:]}", "", "| op | parameters | becomes |", "|---|---|---|",
                *(f"| `{name}` | `{parameters}` | {what} |" for name, parameters, what in rows), ""]
    out += ["## In `.pt2` files also", "", "Read as ops of the tables above ([pt2_ops.c](../graph/pt2_ops.c)):",
            ", ".join(f"`{op}`" for op in from_files()) + ".", ""]
    return "\n".join(out)


def main(*arguments):
    if arguments not in (("--write",), ("--check",)):
        print(__doc__, file=sys.stderr)
        return 2
    return update(GUIDE, "ops", tables(), arguments == ("--check",), "scripts/graph_ops.py")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
