"""Kernels that lie elsewhere, for `./dev isa --list`: reading the list, choosing from it, and what became of them in sum.

A list has a JSON object a line:
    repo "owner/name", path    the file is SOURCES/owner+name/path
    kernel, line, defs         the function; defs > 1: so many have that name in the file, and line says which
    args                       a list of {name, kind, type, value, divisible16}; kind "constexpr": with a value (a scalar, null, {"dtype": "fp32"} or
                               {"fn": "name"}), else with a type, as signatures spell it
    num_warps                  and, where there are some, include: folders of imports below the repository's; variant: tells specializations apart
"""
import collections
import json
import os
import re


def quoted(text):
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")


def value(v):
    if isinstance(v, dict):
        return v["dtype"] if "dtype" in v else "fn:" + v["fn"]
    return quoted(v) if isinstance(v, str) else repr(v)


def signature(args):
    return ", ".join("%s=%s" % (a["name"], value(a["value"]) if a["kind"] == "constexpr" else a["type"] + (":16" if a["divisible16"] else ""))
                     for a in args)


def kernel_of(record, sources):
    root = os.path.join(sources, record["repo"].replace("/", "+"))
    options = ["--num-warps", str(record["num_warps"])]
    for folder in ["", *record.get("include", [])]:
        options += ["-I", os.path.join(root, folder)]
    return {"name": "%s %s:%d %s %d" % (record["repo"], record["path"], record["line"], record["kernel"], record.get("variant", 0)),
            "repo": record["repo"], "file": os.path.join(root, record["path"]), "signature": signature(record["args"]), "options": options,
            "kernel": record["kernel"] + ("@%d" % record["line"] if record.get("defs", 1) > 1 else "")}


def read(file, sources):
    with open(file, encoding="utf-8") as lines:
        return [kernel_of(json.loads(line), sources) for line in lines if line.strip()]


def sample(kernels, n):
    """n of them at most, of each repository its share but one at least, spread over its files."""
    by_repo = collections.defaultdict(list)
    for kernel in kernels:
        by_repo[kernel["repo"]].append(kernel)
    out = []
    for found in by_repo.values():
        share = max(1, n * len(found) // len(kernels)) if len(kernels) > n else len(found)
        out += [found[i * len(found) // share] for i in range(share)]
    return out


# What may become of a kernel, as said in the summary. The first two are as they should be.
OUTCOMES = {"ok": "ok", "refused by both": "refused, by the CPU target too", "refused": "refused, but the CPU target takes it",
            "invalid": "not valid SPIR-V", "crashed": "crashes of kdsl or the translator", "ocloc": "refused by ocloc, or a crash of it",
            "isa": "calls, or messages that the device lacks", "late": "out of time"}


def is_good(row):
    return row.outcome in ("ok", "refused by both")


def shape(text):
    """A message without what differs between kernels."""
    return re.sub(r"\d+", "N", re.sub(r"'[^']*'", "'_'", re.sub(r"\S*\.py:\d+:\d+: ", "", text)))[:160]


def print_summary(rows):
    for device in dict.fromkeys(row.device for row in rows):
        mine = [row for row in rows if row.device == device]
        counts = collections.Counter(row.outcome for row in mine)
        taken = len(mine) - counts["refused by both"]
        print("\n%s: %d of the %d that the CPU target takes are ok (%.1f %%)" % (device, counts["ok"], taken, 100 * counts["ok"] / max(1, taken)))
        for outcome, text in OUTCOMES.items():
            if counts[outcome]:
                print("  %6d  %s" % (counts[outcome], text))
        spilled = sum(1 for row in mine if row.figures.get("spills"))
        if any(row.figures for row in mine):
            print("  %6d  of those compiled spill" % spilled)
        for text, n in collections.Counter(shape(row.why) for row in mine if not is_good(row)).most_common(12):
            print("  %6d x %s" % (n, text))
