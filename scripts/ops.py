"""Writes the reference of operations in ir/IR.md from the tables that define them.

usage: ops.py --write | --check | --untested        (in the project's root)

--untested lists the kd ops that tests/ir/round_trip.kir has no case of, and fails if there are any
"""
import re
import sys

from generated import read, update

TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
# The lines of a table that say something, in order: comments (headings are "---- name ----"), and rows.
ITEM = re.compile(r"^/\*(.*?)\*/$|^(KD_OP|BINARY|KD_ENUM)\((.*?)\)\n(?=KD_|BINARY|\n|#|/\*|$)", re.M | re.S)
HEADING = re.compile(r"----\s*(.*?)\s*----")
TRAITS = {"KD_PURE": "pure", "KD_ELEMENTWISE": "elementwise", "KD_SAME_TYPES": "one type", "KD_COMMUTES": "commutes", "KD_READS": "reads",
          "KD_WRITES": "writes", "KD_TERMINATOR": "terminator", "KD_FREE": "free"}


def prose(comment):
    return re.sub(r"\s+", " ", re.sub(r"^ \* ?", "", comment, flags=re.M)).strip()


def calls(text, *names):
    """The arguments of NAME(..) in a text: (name, [arguments])."""
    for name, arguments in re.findall(rf"\b({'|'.join(names)})\(([^()]*)\)", text):
        yield name, [a.strip() for a in arguments.split(",")]


def expanded(row):
    """A row of the BINARY shorthand as the KD_OP that it stands for."""
    name, constraint, more, summary = [part.strip() for part in row.split(",", 3)]
    return (f'{name}, "kd.{name}", IN({name}, a, {constraint}) IN({name}, b, {constraint}), OUT(result, SAME_AS(a)), 0,\n'
            f"KD_PURE | KD_ELEMENTWISE | KD_SAME_TYPES | ({more}), {summary}")


def form(row, mnemonic):
    """What the op looks like in text, with names for what is to be filled in."""
    results = [f"%{name}" + "..." * bool(many) for many, name in re.findall(r"\bOUT(S?)\((\w+)", row)]
    key, operands, attributes = "", "", []
    for kind, (_, name, *_) in calls(row, "IN", "OPT", "VAR"):
        one = {"IN": f"%{name}", "OPT": f"[%{name}]", "VAR": f"%{name}..."}[kind]
        operands += (", " if operands else " ") + one
    for kind, (_, type_, name) in calls(row, "ATTR", "KEY"):
        if kind == "KEY" and type_ not in ("kd_int", "kd_ints"):
            key = f" @{name}" if name == "callee" else f" {name.upper()}"
        else:
            attributes.append(name)
    return f"{', '.join(results)}{' = ' if results else ''}{mnemonic}{key}{operands}" + (f" {{{', '.join(attributes)}}}" if attributes else "")


def constraints(row):
    return ", ".join(f"{a[1]}: {a[2]}" for _, a in calls(row, "IN", "OPT", "VAR"))


def op_line(row, note):
    mnemonic, summary = TEXT.findall(row)[0], TEXT.findall(row)[-1]
    traits = [text for name, text in TRAITS.items() if re.search(rf"\b{name}\b", row)]
    what = summary + (". " + note if note else "")
    cells = (f"`{form(row, mnemonic)}`", constraints(row), what, ", ".join(traits))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def operations():
    out, note = [], ""
    table = read("ir/ops.def").split("#define NONE\n", 1)[1]
    for comment, kind, row in ITEM.findall(table):
        heading = HEADING.search(comment)
        if heading:
            out += ["", f"### {heading[1][0].upper()}{heading[1][1:]}", ""]
            rest = prose(comment[heading.end():])
            out += [rest, ""] * bool(rest)
            out += ["| op | operands | what it does | traits |", "|---|---|---|---|"]
        elif comment:
            note = prose(comment)
            continue
        elif kind != "KD_ENUM":
            out.append(op_line(expanded(row) if kind == "BINARY" else row, note))
        note = ""
    return out[1:]


def enums():
    out, note = ["### Values of attributes", "", "The first is the default and is not printed.", "", "| attribute | values | what it says |", "|---|---|---|"], ""
    for comment, kind, row in ITEM.findall(read("ir/enums.def")):
        if kind == "KD_ENUM":
            out.append(f"| `{row.split(',')[0][3:]}` | {', '.join(f'`{v}`' for v in TEXT.findall(row) if v)} | {note} |")
        note = "" if kind else prose(comment)
    functions = re.findall(r'^KD_MATH\(\w+, "(\w+)", (\d)\)(?:\s*/\* (.*?) \*/)?', read("ir/math.def"), re.M)
    out += ["", "### Functions of kd.math", ""]
    for n, text in (("1", "Of one operand"), ("2", "Of two")):
        out.append(f"{text}: " + ", ".join(f"`{name}`" + (f" ({note})" if note else "") for name, arity, note in functions if arity == n) + ".\n")
    return out[:-1] + [out[-1].rstrip()]


def untested():
    cases, table = read("tests/ir/round_trip.kir"), read("ir/ops.def")
    names = re.findall(r'^KD_OP\(\w+, "(kd\.\w+)"', table, re.M) + ["kd." + name for name in re.findall(r"^BINARY\((\w+)", table, re.M)]
    return [name for name in names if not re.search(rf"(?<!// ){re.escape(name)}\b", cases)]


def main(*arguments):
    if arguments == ("--untested",):
        missing = untested()
        print(f"{len(missing)} kd ops have no case", *missing, sep="\n")
        return 1 if missing else 0
    if arguments not in (("--write",), ("--check",)):
        print(__doc__, file=sys.stderr)
        return 2
    return update("ir/IR.md", "operations", "\n".join(operations() + [""] + enums()) + "\n", arguments == ("--check",), "scripts/ops.py")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
