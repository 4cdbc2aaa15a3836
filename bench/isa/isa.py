#!/usr/bin/env python3
"""Compiles kernels with Intel's offline compiler and shows what became of them: `./dev isa`.

usage: ./dev isa [--json FILE] [--devices bmg,pvc,dg2] [--filter TEXT] [--bookworm] [--update] [--peer] [--times] [-j N]
       ./dev isa --list FILE [--sources DIR] [--sample N] [--spirv-only] [--seconds S] [--json FILE] [--devices ...] [--filter TEXT] [-j N]

No GPU is needed: ocloc makes the machine code of a named device. A row is ok where everything compiled, nothing is called (a builtin that
Intel's compiler does not know becomes a call of nothing, without a word) and no message is used that the device lacks.

--json FILE  the rows as JSON: {"rows": [{"kernel", "device", "instructions", ... , "ok", "why", "compiler"}]}
--bookworm   Debian 12's compiler for the devices it knows (pvc, dg2, tgl); it does not know the names of 2D block messages
--update     writes reference.json, with which the rows are compared elsewhere (of the same version of ocloc only)
--peer       also what PyPI's triton-xpu makes of the kernels that are marked so, for pvc, through the same ocloc: a second table, with both
--times      nothing of that, but the CPU time that kdsl takes to compile each kernel: for this machine, and to SPIR-V for the first device

--list FILE  kernels of FILE in place of the examples; of the rows only the bad ones are shown, and what became of all in sum. Those that the CPU
             target refuses too count neither way. --sources: the folder of the repositories that FILE speaks of (its own folder);
             --sample N: N of them, spread over the repositories; --spirv-only: valid SPIR-V is enough, no ocloc; --seconds S: the limit for
             kdsl, and for ocloc, for one kernel (300). The format of FILE:
%s
`./dev isa` says where ocloc is: KDSL_OCLOC_SID and KDSL_OCLOC_BOOKWORM are the roots of Debian packages, or a reason why there is none.
"""
import argparse
import concurrent.futures
import dataclasses
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import peer
import records

__doc__ %= records.__doc__.split("\n\n", 1)[1]        # the format of lists

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "..", "examples")
REFERENCE = os.path.join(HERE, "reference.json")
COLUMNS = ("instructions", "dpas", "block2d", "sends", "barriers", "slm", "grf", "spills", "simd", "loop", "loop_loads")
# Names of ocloc, and what the device has: base/gpu_devices.def.
DEVICES = {"tgl": ("tgllp", False, False), "dg2": ("acm-g10", True, False), "mtl": ("mtl", False, False), "arl-h": ("arl-h", True, False),
           "pvc": ("pvc", True, True), "bmg": ("bmg", True, True), "lnl": ("lnl-m", True, True), "ptl": ("ptl-h", True, True)}
OLD_NAMES = {"acm-g10": "dg2"}          # of Debian 12's ocloc
OLD_DEVICES = ("tgl", "dg2", "pvc")     # that it knows


class Ocloc:
    """ocloc of another Debian, run with that Debian's own libraries."""

    def __init__(self, root, program, is_old):
        self.is_old = is_old
        folders = [os.path.join(root, f) for f in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/intel-opencl")]
        loader = next(f for f in (os.path.join(d, "ld-linux-x86-64.so.2") for d in folders) if os.path.exists(f))
        self.command = [loader, "--library-path", ":".join(folders), os.path.join(root, "usr/bin", program)]
        self.version = program + "/" + os.path.basename(os.path.realpath(next(
            os.path.join(folders[0], f) for f in sorted(os.listdir(folders[0])) if f.startswith("libigc.so"))))

    def name(self, device):
        name = DEVICES[device][0]
        return OLD_NAMES.get(name, name) if self.is_old else name

    def compile(self, spirv, device, flags, folder, seconds=300):
        """Returns the text of the listing, or raises with ocloc's words."""
        options = "%s -igc_opts 'ShaderDumpEnable=1,DumpToCustomDir=%s'" % (flags, folder)
        done = subprocess.run([*self.command, "compile", "-file", spirv, "-spirv_input", "-device", self.name(device), "-output",
                               os.path.join(folder, "out"), "-out_dir", folder, "-options", options], capture_output=True, text=True,
                              errors="replace", timeout=seconds, cwd=folder)
        listings = [f for f in os.listdir(folder) if f.endswith(".asm")]
        if done.returncode != 0 or not listings:
            raise RuntimeError("ocloc ended with status %d: %s" % (done.returncode, " ".join((done.stdout + done.stderr).split())[-300:]))
        texts = []
        for name in sorted(listings, key=lambda f: os.stat(os.path.join(folder, f)).st_mtime_ns):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                texts.append((name, file.read()))
        # Where the compiler tried several sub-group sizes or register modes, the last listing counts; a table of symbols is no kernel.
        return [t for t in texts if not t[1].startswith("//.kernel Intel_Symbol_Table")][-1]


def find_oclocs():
    """By name: an Ocloc, or the reason why there is none."""
    out = {}
    for name, variable, old in (("sid", "KDSL_OCLOC_SID", False), ("bookworm", "KDSL_OCLOC_BOOKWORM", True)):
        root = os.environ.get(variable, "not set up: run ./dev isa")
        if not os.path.isdir(root):
            out[name] = root
            continue
        program = next(f for f in sorted(os.listdir(os.path.join(root, "usr/bin"))) if f.startswith("ocloc"))
        out[name] = Ocloc(root, program, old)
    return out


OPCODE = r"\s*(\([^)]*\)\s*)?"          # what may stand before it: a predicate


def shortest_dpas_loop(code):
    """Of the loops with uses of the systolic array the one with the fewest instructions: these, and its loads of rectangles (prefetches are none)."""
    labels, lines, best = {}, [], (0, 0)
    for line in code:
        label = re.fullmatch(r"(\w+):", line.strip())
        if label:
            labels[label.group(1)] = len(lines)
            continue
        lines.append(line)
        jump = re.match(OPCODE + r"(jmpi|goto|while|brc|brd)\b(.*)", line)
        for name in re.findall(r"\w+", jump.group(3)) if jump else ():
            body = lines[labels.get(name, len(lines)):]
            if any(re.match(OPCODE + r"dpasw?\.", inner) for inner in body) and (not best[0] or len(body) < best[0]):
                best = len(body), sum(1 for inner in body if re.match(OPCODE + r"load_block2d", inner) and "null:" not in inner)
    return best


def measure(listing_name, text):
    """The figures of a listing of IGC."""
    def number(pattern, default=0):
        found = re.search(pattern, text, re.M)
        return int(found.group(1)) if found else default

    code = [line.split("//")[0] for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("//", "."))]
    def count(pattern):
        return sum(1 for line in code if re.match(pattern, line))

    loop, loop_loads = shortest_dpas_loop(code)
    return {"loop": loop, "loop_loads": loop_loads, "instructions": number(r"^//\.instCount (\d+)"), "dpas": count(OPCODE + r"dpasw?\."),
            "block2d": count(OPCODE + r"\w*block2d"), "sends": count(OPCODE + r"(send|load|store|atomic|fence)"),
            "barriers": sum(1 for line in text.splitlines() if re.match(OPCODE + "send", line) and "signal barrier" in line),
            "grf": number(r"numGRF=(\d+)", 128), "spills": number(r"^//\.spill size (\d+)"),
            "simd": int(re.search(r"simd(\d+)", listing_name).group(1)), "calls": count(OPCODE + r"f?calla?\b")}


@dataclasses.dataclass
class Row:
    kernel: str
    device: str
    ok: bool
    why: str = ""
    compiler: str = ""
    outcome: str = "ok"     # of records.OUTCOMES
    figures: dict = dataclasses.field(default_factory=dict)

    def as_json(self):
        return {"kernel": self.kernel, "device": self.device, **{c: self.figures.get(c) for c in COLUMNS}, "ok": self.ok,
                **({"why": self.why} if self.why else {}), "compiler": self.compiler}


def defined(header, name):
    found = re.search(name + r' (?:= )?"?([^",\n]*)', header)
    return found.group(1) if found else ""


def compile_command(kernel, target, output):
    name = kernel["file"] + (":" + kernel["kernel"] if kernel["kernel"] else "")
    return ["kdsl", "compile", name, "--no-cache", "-s", kernel["signature"], "--target", target, "-o", output, *kernel["options"]]


def cpu_takes(kernel, seconds):
    try:
        return subprocess.run(compile_command(kernel, "cpu", os.devnull) + ["--emit", "obj"], capture_output=True, timeout=seconds).returncode == 0
    except subprocess.TimeoutExpired:
        return True


def fail(row, outcome, why):
    row.outcome, row.why = outcome, why
    return row


def refusal(kernel, done, seconds):
    """Outcome and reason where kdsl made no SPIR-V."""
    said = " ".join(done.stderr.split())[:300]
    if done.returncode < 0 or done.returncode >= 128 or "the SPIR-V translator" in said:
        outcome = "crashed"
    elif "SPIR-V's validator" in said:
        outcome = "invalid"
    else:
        outcome = "refused" if cpu_takes(kernel, seconds) else "refused by both"
    return outcome, "kdsl ended with status %d: %s" % (done.returncode, said)


def make_row(kernel, device, ocloc, seconds=300):
    """ocloc None: only SPIR-V."""
    row = Row(kernel["name"], device, False, compiler=ocloc.version if ocloc else "")
    with tempfile.TemporaryDirectory(prefix="kdsl-isa-") as folder:
        spirv = os.path.join(folder, "kernel.spv")
        try:
            done = subprocess.run(compile_command(kernel, "spirv:" + device, spirv), capture_output=True, text=True, errors="replace",
                                  timeout=seconds, env=dict(os.environ, KDSL_SPIRV_VAL="1"))
        except subprocess.TimeoutExpired:
            return fail(row, "late", "kdsl takes more than %g s" % seconds)
        if done.returncode != 0:
            return fail(row, *refusal(kernel, done, seconds))
        row.ok = True
        if not ocloc:
            return row
        with open(os.path.join(folder, "kernel.h"), encoding="utf-8") as file:
            header = file.read()
        dump = os.path.join(folder, "dump")
        os.mkdir(dump)
        row.ok = False
        try:
            row.figures = measure(*ocloc.compile(spirv, device, defined(header, "_BUILD_FLAGS"), dump, seconds))
        except subprocess.TimeoutExpired:
            return fail(row, "late", "ocloc takes more than %g s" % seconds)
        except (RuntimeError, OSError) as error:
            return fail(row, "ocloc", str(error)[:400])
    row.figures["slm"] = int(defined(header, "_SLM_BYTES") or 0)
    _, has_dpas, has_block2d = DEVICES[device]
    faults = [(row.figures["calls"], "calls what Intel's compiler does not know"), (row.figures["dpas"] and not has_dpas, "dpas on a device without it"),
              (row.figures["block2d"] and not has_block2d, "2D blocks on a device without them")]
    why = "; ".join(text for fault, text in faults if fault)
    row.ok = not why
    return fail(row, "isa", why) if why else row


def differences(row, old):
    """What of a row is worse than in the reference. Other versions of the compiler make other code."""
    name = "%s, %s: " % (row.kernel, row.device)
    if not row.ok:
        return [name + "was ok"] if old["ok"] else []
    if not old["ok"] or old["compiler"] != row.compiler:
        return []
    most = {c: old[c] * 1.05 + 2 for c in ("instructions", "sends", "loop")} | {c: old[c] for c in ("spills", "barriers", "slm", "loop_loads")}
    out = [c for c in most if row.figures[c] > most[c]] + [c for c in ("dpas", "block2d") if row.figures[c] < old[c]]
    return [name + "%s %d, were %d" % (c, row.figures[c], old[c]) for c in out]


def compare(rows):
    """Differences from the reference table."""
    if not os.path.exists(REFERENCE):
        return []
    with open(REFERENCE, encoding="utf-8") as file:
        known = {(r["kernel"], r["device"]): r for r in json.load(file)["rows"]}
    return [text for row in rows if (row.kernel, row.device) in known for text in differences(row, known[row.kernel, row.device])]


def the_kernels(options):
    if options.list:
        found = records.read(options.list, options.sources or os.path.dirname(os.path.abspath(options.list)))
    else:
        sys.path.insert(0, HERE)
        import kernels
        found = [{"name": k.name, "file": os.path.join(EXAMPLES, k.kernel.split(":")[0]), "kernel": k.kernel.split(":")[1],
                  "signature": k.signature, "options": list(k.options), "peer": k.peer, "only": k.only} for k in kernels.KERNELS]
    found = [k for k in found if options.filter in k["name"]]
    return records.sample(found, options.sample) if options.sample else found


def peer_rows(folder, oclocs, rows, pool):
    """Our rows beside those of triton-xpu, whose answers are in the folder."""
    with open(os.path.join(folder, "answers.json"), encoding="utf-8") as file:
        answers = {answer["name"]: answer for answer in json.load(file)}

    def one(row):
        if not row.ok or isinstance(oclocs["sid"], str):
            return row.kernel, row.figures, row.why or oclocs["sid"], []
        try:
            theirs = peer.compile_answer(answers[row.kernel], folder, oclocs["sid"], measure)
        except (RuntimeError, subprocess.TimeoutExpired, OSError) as error:
            return row.kernel, row.figures, str(error)[:200], []
        return row.kernel, row.figures, theirs, peer.losses(row.figures, theirs)

    return list(pool.map(one, [row for row in rows if row.device == peer.DEVICE and row.kernel in answers]))


def width_of(column):
    return max(8, len(column))


def print_row(row):
    figures = "".join(" %*s" % (width_of(c), row.figures.get(c, "")) for c in COLUMNS)
    print("%-40s %-5s%s  %s" % (row.kernel[:40], row.device, figures, "yes" if row.ok else "NO: " + row.why), flush=True)


def write_tables(options, rows, beside):
    table = ['{"rows": [\n' + ",\n".join(json.dumps(row.as_json()) for row in rows) + "\n]"]
    if options.update:
        with open(REFERENCE, "w", encoding="utf-8") as file:
            file.write(table[0] + "}\n")
    if beside:
        table.append('"peer": [\n' + ",\n".join(json.dumps(
            {"kernel": kernel, "kdsl": ours, **({"why": theirs} if isinstance(theirs, str) else {"triton-xpu": theirs, "worse": worse})})
            for kernel, ours, theirs, worse in beside) + "\n]")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(",\n".join(table) + "}\n")


def compile_seconds(kernel, target, runs=3):
    """The least CPU time of some runs, helper processes included."""
    times = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="kdsl-isa-") as folder:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(compile_command(kernel, target, os.path.join(folder, "kernel")), capture_output=True, timeout=300, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def print_times(options):
    target, ratios = "spirv:" + options.devices.split(",", maxsplit=1)[0], []
    print("%-40s %8s %10s   seconds" % ("kernel", "cpu", target))
    for kernel in the_kernels(options):
        cpu, gpu = compile_seconds(kernel, "cpu"), compile_seconds(kernel, target)
        ratios.append(gpu / cpu)
        print("%-40s %8.3f %10.3f   x %.2f" % (kernel["name"][:40], cpu, gpu, ratios[-1]), flush=True)
    if ratios:
        print("median x %.2f, most x %.2f" % (statistics.median(ratios), max(ratios)))


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, usage=argparse.SUPPRESS, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json")
    parser.add_argument("--devices", default="pvc,bmg,dg2")
    parser.add_argument("--filter", default="")
    parser.add_argument("--list")
    parser.add_argument("--sources")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--spirv-only", action="store_true")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--bookworm", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--peer-requests", metavar="FILE", help="only write what triton_xpu.py is to be asked")
    parser.add_argument("-j", type=int, default=os.cpu_count())
    options = parser.parse_args()
    for device in options.devices.split(","):
        if device not in DEVICES:
            parser.error("there is no device '%s': expected some of %s" % (device, ", ".join(DEVICES)))
    return options


def the_work(options, oclocs):
    """What to compile, as make_row() takes it, and why some devices are left out."""
    work, skipped, kernels = [], [], the_kernels(options)
    for device in options.devices.split(","):
        if options.spirv_only:
            work += [(k, device, None) for k in kernels]
            continue
        ocloc = oclocs["bookworm" if options.bookworm else "sid"]
        if device in OLD_DEVICES and isinstance(ocloc, str):
            ocloc = oclocs["bookworm"]
        if isinstance(ocloc, str) or (ocloc.is_old and device not in OLD_DEVICES):
            ocloc = ocloc if isinstance(ocloc, str) else "not known to Debian 12's ocloc"
            skipped.append("%s: %s" % (device, ocloc))
            continue
        work += [(k, device, ocloc) for k in kernels if device in k.get("only", ()) or not k.get("only")]
    return work, skipped


def run_list(options, work, skipped):
    """Kernels of a list: bad rows as they come, the sum at the end."""
    rows, shown = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        for done in concurrent.futures.as_completed([pool.submit(make_row, *w, options.seconds) for w in work]):
            rows.append(done.result())
            if not records.is_good(rows[-1]):
                print("%s, %s: %s" % (rows[-1].kernel, rows[-1].device, rows[-1].why), flush=True)
            if time.monotonic() > shown + 10:
                shown = time.monotonic()
                print("%d of %d" % (len(rows), len(work)), file=sys.stderr, flush=True)
    rows.sort(key=lambda row: (row.device, row.kernel))
    records.print_summary(rows)
    write_tables(options, rows, [])
    for text in skipped:
        print("skipped: " + text)
    bad = sum(not records.is_good(row) for row in rows)
    print("%d passed, %d failed%s" % (len(rows) - bad, bad, ", %d skipped" % len(skipped) if skipped else ""))
    return 1 if bad else 0


def main():
    options = parse_options()
    if options.peer_requests:
        peer.write_requests([k for k in the_kernels(options) if k["peer"]], options.peer_requests)
        return 0
    if options.times:
        print_times(options)
        return 0
    oclocs = find_oclocs()
    work, skipped = the_work(options, oclocs)
    if options.list:
        return run_list(options, work, skipped)
    answers, beside = os.environ.get("KDSL_TRITON_XPU", "not set up: run ./dev isa --peer"), []
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        rows = []
        print("%-40s %-5s" % ("kernel", "dev") + "".join(" %*s" % (width_of(c), c) for c in COLUMNS) + "  ok")
        for row in pool.map(lambda w: make_row(*w), work):
            rows.append(row)
            print_row(row)
        if options.peer and os.path.isdir(answers):
            beside = peer_rows(answers, oclocs, rows, pool)
        elif options.peer:
            skipped.append("triton-xpu: " + answers)
    write_tables(options, rows, beside)
    if beside:
        peer.print_table(beside)
    for text in skipped:
        print("skipped: " + text)
    bad = [row for row in rows if not row.ok]
    worse = compare(rows) if not options.update else []
    for text in worse:
        print("worse: " + text)
    print("%d passed, %d failed%s" % (len(rows) - len(bad), len(bad) + len(worse), ", %d skipped" % len(skipped) if skipped else ""))
    return 1 if bad or worse else 0


if __name__ == "__main__":
    sys.exit(main())
