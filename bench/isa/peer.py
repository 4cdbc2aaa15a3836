"""The same kernels through triton-xpu (triton_xpu.py), for isa.py: what to ask of it, and the table with both columns."""
import ast
import json
import os
import re
import tempfile

# What kdsl must not exceed, and what it must reach.
LOW_IS_GOOD, HIGH_IS_GOOD = ("instructions", "sends", "spills"), ("dpas", "block2d")
DEVICE = "pvc"      # the one that triton_xpu.py pretends to have


def entries(signature):
    """NAME=SPEC, NAME=SPEC ...: by name; commas in quotes and brackets divide nothing."""
    for part in re.findall(r"\w+=(?:'[^']*'|\([^)]*\)|[^,]*)", signature):
        yield part.strip().split("=", 1)


def option(options, name, default):
    return int(options[options.index(name) + 1]) if name in options else default


def request(kernel):
    """For triton_xpu.py, of a kernel as isa.py has it."""
    args, aligned = {}, []
    for name, spec in entries(kernel["signature"]):
        type_, _, multiple = spec.partition(":")
        if re.fullmatch(r"\*?(fp|bf|i|u)\d+\w*", type_):
            args[name] = type_
            if multiple == "16":
                aligned.append(name)
        else:
            args[name] = {"value": ast.literal_eval(spec)}
    return {"name": kernel["name"], "file": kernel["file"], "kernel": kernel["kernel"], "args": args, "aligned": aligned,
            "num_warps": option(kernel["options"], "--num-warps", 4)}


def write_requests(kernels, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump([request(kernel) for kernel in kernels], file)


def compile_answer(answer, folder, ocloc, measure):
    """The figures; with 256 registers where 128 spill, as Triton's launcher does. Raises with the reason."""
    if not answer["ok"]:
        raise RuntimeError("triton-xpu: " + answer["error"])
    spirv, tries = os.path.join(folder, answer["name"] + ".spv"), []
    for flags in ("", "-cl-intel-256-GRF-per-thread"):
        dump = tempfile.mkdtemp(dir=folder)     # a comma in its name would end ocloc's option
        tries.append(measure(*ocloc.compile(spirv, DEVICE, flags, dump)))
        if not tries[-1]["spills"]:
            break
    figures = min(tries, key=lambda f: f["spills"])
    return dict(figures, slm=answer["slm"], seconds=answer["seconds"])


def losses(ours, theirs):
    """What of a row is worse than the peer's: texts."""
    out = ["%s %d > %d" % (c, ours[c], theirs[c]) for c in LOW_IS_GOOD if ours[c] > theirs[c]]
    return out + ["%s %d < %d" % (c, ours[c], theirs[c]) for c in HIGH_IS_GOOD if ours[c] < theirs[c]]


def print_table(rows):
    """rows: (kernel, our figures, the peer's or why there are none, losses)."""
    columns = LOW_IS_GOOD + HIGH_IS_GOOD
    print("\nkdsl | triton-xpu, %s" % DEVICE)
    print("%-40s" % "kernel" + "".join(" %15s" % c for c in columns) + "  worse than the peer")
    for kernel, ours, theirs, worse in rows:
        if isinstance(theirs, str):
            print("%-40s %s" % (kernel[:40], theirs))
            continue
        print("%-40s" % kernel[:40] + "".join(" %7d|%7d" % (ours[c], theirs[c]) for c in columns) + "  " + ("; ".join(worse) or "-"))
