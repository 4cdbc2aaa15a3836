"""Runs all tests and sums them up in one closing line. `./dev test` calls it inside the environment, after building.

usage: run.py [--quick] [--times] [--again] [FILTER ...]
       run.py --matrix [--times] [FILTER ...]

text      files under tests/ with RUN lines, by lit                              tests/lit.cfg.py
unit      C programs with cmocka, one for each tests/FOLDER/test_*.c
python    pytest files tests/FOLDER/test_*.py, mostly numbers against NumPy      tests/conftest.py
          and those about numbers again on a GPU that tests/ze_pocl plays        tests/gpu_plugin.py
text and unit again in build-san, under AddressSanitizer and UndefinedBehaviorSanitizer
fuzz      libFuzzer targets tests/fuzz/fuzz_*.c from tests/fuzz/corpus/* and SEED_TESTS, for KDSL_FUZZ_SECONDS (default 5) each; only from the corpus
          where the program is the one that passed before

A FILTER is a part of a test's name; a test runs that contains one of them. --quick leaves out what needs build-san. --matrix: only the tests on a GPU,
each with every sub-group size and number of sub-groups. That takes hours, spread at random, KDSL_GPU_TEST_SECONDS (3600) for each file.

A kind of tests that passed runs anew only where something has changed since: a file of the project, what was built, the environment. It
counts as it did. --again, --times and filters run it anyway.
"""
import collections
import concurrent.futures
import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

import gpu_plan

TESTS = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(TESTS)
TIMEOUT_S = 300
# The Python tests about numbers, which run on a GPU too (gpu_plugin.py).
GPU_FILES = ("dsl/test_elementwise.py", "dsl/test_language.py", "dsl/test_memory.py", "dsl/test_tiles.py", "e2e/test_arithmetic.py", "e2e/test_casts.py",
             "e2e/test_control_flow.py", "e2e/test_dot.py", "e2e/test_examples.py", "e2e/test_math.py", "e2e/test_memory.py", "e2e/test_random.py",
             "e2e/test_reductions.py", "e2e/test_shapes.py")


class Report:
    """Counts results, prints failures as they come, and keeps one progress line."""

    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []
        self.unchanged = []
        self.times = []
        self.phase = ""
        self.in_phase = 0
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.last_line = ""
        self.last_shown = 0.0
        self.began = time.monotonic()

    def line(self, text):
        self.clear()
        print(text, flush=True)

    def clear(self):
        if self.terminal and self.last_line:
            print("\r\033[K", end="", flush=True)
            self.last_line = ""

    def progress(self, final=False):
        text = f"{self.phase}: {self.in_phase} done" + (f", {self.failed} failed" if self.failed else "")
        now = time.monotonic()
        if self.terminal:
            if final or now > self.last_shown + 0.1:
                self.last_shown = now
                self.last_line = text
                print("\r\033[K" + text, end="", flush=True)
        elif final or now > self.last_shown + 10:
            self.last_shown = now
            print(text, flush=True)

    def begin(self, phase):
        self.phase, self.in_phase, self.last_shown = phase, 0, time.monotonic()

    def end(self):
        if self.in_phase:
            self.progress(final=True)

    def result(self, name, outcome, text="", seconds=0.0):
        self.in_phase += 1
        self.times.append((seconds, name))
        if outcome == "pass":
            self.passed += 1
        elif outcome == "skip":
            self.skipped.append((name, text.strip() or "no reason given"))
        else:
            self.failed += 1
            lines = text.rstrip().splitlines()
            most = 200 if self.failed <= 10 else 5      # when everything fails, the first few tell why
            if len(lines) > most:
                lines = lines[:most] + [f"... and {len(lines) - most} lines more" + ("" if most > 5 else "; run this test alone to see them")]
            self.line(f"FAIL: {name}")
            for line in lines:
                print("    " + line)
        self.progress()

    def close(self):
        self.clear()
        for name, reason in self.skipped:
            print(f"skipped: {name}: {reason}")
        if self.unchanged:
            print(f"nothing has changed since these passed (--again runs them): {'; '.join(self.unchanged)}")
        closing = f"{self.passed} passed, {self.failed} failed"
        if self.skipped:
            closing += f", {len(self.skipped)} skipped"
        print(closing, flush=True)


def environment(build):
    env = dict(os.environ)
    env["KDSL_BUILD"] = build
    env["PATH"] = os.pathsep.join([build, os.path.join(TESTS, "bin"), env["PATH"]])
    env["PYTHONPATH"] = os.path.join(build, "python")
    env["XDG_CACHE_HOME"] = os.path.join(build, "test-cache")
    env["POCL_CACHE_DIR"] = os.path.join(build, "test-cache", "pocl")
    env["ASAN_OPTIONS"] = "detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1"
    env["LSAN_OPTIONS"] = "print_suppressions=0:suppressions=" + os.path.join(TESTS, "ze_pocl", "leaks_of_others.supp")
    env["UBSAN_OPTIONS"] = "print_stacktrace=1"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


def wanted(name, filters):
    return not filters or any(part in name for part in filters)


running, stopped = set(), False        # sessions of commands; whether no more are to begin


def stop(*_):
    """At ^C and SIGTERM. The commands have sessions of their own, which no signal of the terminal's reaches."""
    global stopped
    stopped = True
    for pid in list(running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    raise KeyboardInterrupt


def run(command, env, cwd=PROJECT, timeout=TIMEOUT_S):
    """The exit status and output of a command. It and its children end with the time limit."""
    if stopped:
        raise KeyboardInterrupt
    with subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as process:
        running.add(process.pid)
        try:
            out, _ = process.communicate(timeout=timeout)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            out += f"\nstopped after {timeout} s".encode()
            status = 1
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            running.discard(process.pid)
    return status, out.decode("utf-8", "replace")


def died(status):
    return f"died of signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def in_parallel(jobs):
    """Runs functions and yields what they return, as they end."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            raise


# ---- text --------------------------------------------------------------------------------------------------------------------------

def find_lit():
    found = shutil.which("lit")
    if found:
        return [found]
    for path in sorted(glob.glob("/usr/lib/llvm-*/build/utils/lit/lit.py"), reverse=True):
        return [sys.executable, path]
    return None


def text_tests(report, build, label, filters):
    report.begin(label)
    lit = find_lit()
    if not lit:
        report.result(label, "fail", "lit was found neither on PATH nor under /usr/lib/llvm-*/build/utils/lit")
        return
    with tempfile.TemporaryDirectory() as scratch:
        results = os.path.join(scratch, "results.json")
        command = [*lit, "-v", f"-j{os.cpu_count()}", "--no-progress-bar", "--allow-empty-runs", f"--timeout={TIMEOUT_S}", "-o", results]
        if filters:
            command += ["--filter", "|".join(re.escape(part) for part in filters)]
        with subprocess.Popen([*command, TESTS], env=environment(build), cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace") as process:
            said = []
            for line in process.stdout:
                said.append(line)
                if re.match(r"[A-Z]+: \S+ :: .* \(\d+ of \d+\)$", line):
                    report.in_phase += 1
                    report.progress()
        report.in_phase = 0
        try:
            with open(results, encoding="utf-8") as file:
                tests = json.load(file)["tests"]
        except (OSError, ValueError):
            if process.returncode != 0 and not any("did not discover any tests" in line for line in said):
                report.result(label, "fail", "".join(said))
            return
    for test in sorted(tests, key=lambda test: test["name"]):
        suite, _, name = test["name"].partition(" :: ")
        name = f"{name} (sanitized)" if suite.endswith("-san") else name
        if test["code"] in ("PASS", "XFAIL", "FLAKYPASS"):
            report.result(name, "pass", seconds=test["elapsed"] or 0)
        elif test["code"] in ("UNSUPPORTED", "SKIPPED"):
            report.result(name, "skip", test["output"].replace("\n", " ").replace("Test requires the following unavailable features", "needs"))
        elif test["code"] != "EXCLUDED":
            report.result(name, "fail", test["code"] + "\n" + test["output"])
    report.end()


# ---- unit --------------------------------------------------------------------------------------------------------------------------

def unit_tests(report, build, label, filters, suffix=""):
    report.begin(label)

    def job(source):
        folder, name = os.path.basename(os.path.dirname(source)), os.path.splitext(os.path.basename(source))[0]
        program = os.path.join(build, "tests", f"{folder}-{name}")
        began = time.monotonic()
        env = environment(build)
        env["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
        if not os.path.exists(program):
            return source, 1, f"{program} was not built", 0
        return (source, *run([program], env), time.monotonic() - began)

    sources = [source for source in sorted(glob.glob("tests/*/test_*.c", root_dir=PROJECT)) if wanted(source, filters)]
    for source, status, out, seconds in in_parallel([lambda s=s: job(s) for s in sources]):
        name = source.removeprefix("tests/")
        cases = re.findall(r"^(ok|not ok) \d+ - (\S+)(.*)$", out, flags=re.M)
        for verdict, case, rest in cases:
            if verdict == "not ok":
                report.result(f"{name}: {case}{suffix}", "fail", out)
            elif "# SKIP" in rest:
                report.result(f"{name}: {case}{suffix}", "skip", rest.replace("# SKIP", ""))
            else:
                report.result(f"{name}: {case}{suffix}", "pass", seconds=seconds / len(cases))
        if status != 0 and not any(verdict == "not ok" for verdict, *_ in cases):
            report.result(name + suffix, "fail", f"{out}\n{died(status)}")
        elif not cases and status == 0:
            report.result(name + suffix, "fail", f"{out}\nit reported no test")
    report.end()


# ---- python ------------------------------------------------------------------------------------------------------------------------

def add_case(report, name, case):
    """Reports a test case of pytest's file. Returns whether it had no time to run."""
    bad = [child for child in case if child.tag in ("failure", "error")]
    skipped = case.find("skipped")
    if skipped is not None and skipped.get("message") == "out of time":
        return True
    if bad:
        report.result(name, "fail", "\n".join(child.text or child.get("message", "") for child in bad))
    elif skipped is not None and skipped.get("type") != "pytest.xfail":
        report.result(name, "skip", skipped.get("message", ""))
    else:
        report.result(name, "pass", seconds=float(case.get("time", 0)))
    return False


def check_pairs(report, label, files):
    """Did the kinds of tests on a GPU see every sub-group size and number of sub-groups?"""
    seen, n_tests = collections.defaultdict(list), collections.Counter()
    for path in files:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        n_tests.update(found["n_tests"])
        for kind, pairs in found["seen"].items():
            seen[kind] += pairs
    absent = gpu_plan.missing(seen, n_tests)
    report.result(f"{label}: all sub-group sizes and numbers of sub-groups", "fail" if absent else "pass", "\n".join(absent))


def python_tests(report, build, label, filters, on_gpu=False):
    report.begin(label)
    suffix = " (level_zero)" if on_gpu else ""
    late, slow = 0, len(report.skipped)
    limit = 4 * TIMEOUT_S
    if on_gpu:
        limit = max(limit, float(os.environ.get("KDSL_GPU_TEST_SECONDS", "600")) + TIMEOUT_S)

    def job(path, scratch):
        results = os.path.join(scratch, path.replace("/", "-") + ".xml")
        env = environment(build)
        env["KDSL_TEST_FILTER"] = "\n".join(filters)
        if on_gpu:
            env.update(KDSL_TEST_GPU="1", ZE_ENABLE_ALT_DRIVERS=os.path.join(build, "tests", "libze_pocl.so"), KDSL_GPU_SEEN=results + ".seen",
                       PATH=os.path.join(TESTS, "ze_pocl", "bin") + os.pathsep + env["PATH"])
        status, out = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "-c", os.devnull, "--rootdir", PROJECT,
                           "--confcutdir", PROJECT, f"--junit-xml={results}", path], env, timeout=limit)
        return path, status, out, results

    with tempfile.TemporaryDirectory() as scratch:
        paths = sorted(glob.glob("tests/*/test_*.py", root_dir=PROJECT))
        if on_gpu:
            paths = [path for path in paths if path.removeprefix("tests/") in GPU_FILES]
        for path, status, out, results in in_parallel([lambda p=p: job(p, scratch) for p in paths]):
            name = path.removeprefix("tests/")
            cases = list(xml.parse(results).getroot().iter("testcase")) if os.path.exists(results) else []
            for case in cases:
                late += add_case(report, f"{name}: {case.get('name')}{suffix}", case)
            if status not in (0, 1, 5) or (status == 1 and not cases):      # 5: nothing in this file passes the filter
                report.result(name + suffix, "fail", f"{out}\n{died(status)}")
        too_slow = any("PoCL takes too long" in reason for _, reason in report.skipped[slow:])
        files = glob.glob(os.path.join(scratch, "*.seen"))
        if files and not filters and not late and not too_slow:
            check_pairs(report, label, files)
    if late:
        report.result(label, "skip", f"{late} more: out of time (KDSL_GPU_TEST_SECONDS for each file); the next run gets further")
    report.end()


# ---- fuzz --------------------------------------------------------------------------------------------------------------------------

def digest_of(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


# What the fuzzers start from besides tests/fuzz/corpus/NAME: folders of tests whose files are what the fuzzed reader reads.
SEED_TESTS = {"parser": ["parser/cases"], "kernel": ["dsl"], "ir": ["ir", "passes"]}


def seeds_of(fuzzer):
    folders = [os.path.join(TESTS, folder) for folder in ["fuzz/corpus/" + fuzzer, *SEED_TESTS.get(fuzzer, [])]]
    return [folder for folder in folders if os.path.isdir(folder) and os.listdir(folder)]


def fuzz_tests(report, build, label, filters):
    report.begin(label)
    seconds = int(os.environ.get("KDSL_FUZZ_SECONDS", "5"))
    libraries = sorted(glob.glob(os.path.join(build, "libkdsl*.so*[!p]")))
    code = digest_of(path for path in libraries if os.path.isfile(path))

    def job(source):
        name = os.path.splitext(os.path.basename(source))[0]
        program = os.path.join(build, "tests", name)
        short = name.removeprefix("fuzz_")
        seeds = seeds_of(short)
        if not os.path.exists(program):
            return source, 1, f"{program} was not built", 0
        if not seeds:
            return source, 1, f"there is no seed in tests/fuzz/corpus/{short}", 0
        work = os.path.join(build, "fuzz", short)
        corpus = os.path.join(work, "corpus")
        os.makedirs(corpus, exist_ok=True)
        stamp = os.path.join(work, "passed")
        state = code + digest_of([program])
        again = os.path.exists(stamp) and open(stamp, encoding="utf-8").read() == state
        command = [program, "-timeout=10", "-rss_limit_mb=3000", "-print_final_stats=0", f"-artifact_prefix={work}/"]
        command.append("-runs=0" if again else f"-max_total_time={seconds}")
        words = os.path.join(TESTS, "fuzz", short + ".dict")
        if os.path.exists(words):
            command.append(f"-dict={words}")
        began = time.monotonic()
        status, out = run([*command, corpus, *seeds], environment(build))
        if status == 0:
            with open(stamp, "w", encoding="utf-8") as file:
                file.write(state)
        else:
            out = "\n".join(line for line in out.splitlines() if not re.match(r"#\d+\s+(NEW|REDUCE|pulse|RELOAD|INITED|READ)", line))
            out += f"\n{died(status)}; to see it again: ./dev run {os.path.relpath(program, PROJECT)} FILE, with the file named above"
        return source, status, out, time.monotonic() - began

    sources = [source for source in sorted(glob.glob("tests/fuzz/fuzz_*.c", root_dir=PROJECT)) if wanted(source, filters)]
    for source, status, out, took in in_parallel([lambda s=s: job(s) for s in sources]):
        report.result(source.removeprefix("tests/"), "pass" if status == 0 else "fail", out, took)
    report.end()


# ---- what passed before ------------------------------------------------------------------------------------------------------------

def files_of_the_project():
    for folder, folders, names in os.walk(PROJECT):
        folders[:] = sorted(name for name in folders if not name.startswith(("build", ".")) and name != "__pycache__")
        yield from (os.path.join(folder, name) for name in sorted(names) if not name.startswith("."))


def state_of(build):
    """Everything that decides how tests end: sources and tests, programs and libraries, the environment."""
    digest = hashlib.sha256()
    programs = [os.path.join(build, name) for name in ("kdsl", ".stamp")] + sorted(glob.glob(os.path.join(build, "lib*.so*")))
    for path in [*files_of_the_project(), *programs]:
        if os.path.isfile(path):
            digest.update(f"{path} {digest_of([path])}\n".encode())
    digest.update(repr(sorted(item for item in os.environ.items() if item[0].startswith(("KDSL_", "TRITON_")))).encode())
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        digest.update("".join(line for line in file if line.startswith(("flags", "model name"))).encode())
    return digest.hexdigest()


def run_kind(report, tests, build, label, filters, fresh, state, *more):
    """Runs a kind of tests, or counts what it gave where nothing has changed since it passed."""
    memory = os.path.join(build, f".passed {label}")
    if not filters and not fresh:
        try:
            with open(memory, encoding="utf-8") as file:
                before = json.load(file)
        except (OSError, ValueError):
            before = {}
        if before.get("state") == state:
            report.passed += before["passed"]
            report.skipped += [tuple(item) for item in before["skipped"]]
            report.unchanged.append(label)
            return
    passed, failed, skipped = report.passed, report.failed, len(report.skipped)
    tests(report, build, label, filters, *more)
    if not filters and report.failed == failed and report.passed > passed and os.path.isdir(build):
        with open(memory, "w", encoding="utf-8") as file:
            json.dump({"state": state, "passed": report.passed - passed, "skipped": report.skipped[skipped:]}, file)


def main(arguments):
    quick, times, matrix = ("--" + option in arguments for option in ("quick", "times", "matrix"))
    fresh = times or matrix or "--again" in arguments
    filters = [argument for argument in arguments if not argument.startswith("-")]
    report = Report()
    build, sanitized = os.path.join(PROJECT, "build"), os.path.join(PROJECT, "build-san")
    on_gpu = (python_tests, "python tests on a GPU", True)
    kinds = [(build, [(text_tests, "text tests"), (unit_tests, "unit tests"), (python_tests, "python tests"),
                      on_gpu])]
    if matrix:
        os.environ["KDSL_GPU_MATRIX"] = "1"
        os.environ.setdefault("KDSL_GPU_TEST_SECONDS", "3600")
        kinds = [(build, [on_gpu])]
    elif not quick:
        kinds.append((sanitized, [(text_tests, "text tests, sanitized"), (unit_tests, "unit tests, sanitized", " (sanitized)"),
                                  (fuzz_tests, "fuzzers")]))
    for folder, tests in kinds:
        state = state_of(folder)
        for test, label, *more in tests:
            run_kind(report, test, folder, label, filters, fresh, state, *more)
    if times:
        report.clear()
        for seconds, name in sorted(report.times, reverse=True)[:20]:
            print(f"{seconds:8.2f} s  {name}")
    none = report.passed + report.failed + len(report.skipped) == 0
    if none:
        report.line(f"no test has a name with {' or '.join(map(repr, filters))} in it" if filters else "there are no tests")
    report.close()
    return 1 if report.failed or none else 0


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
try:
    sys.exit(main(sys.argv[1:]))
except KeyboardInterrupt:
    print("\nstopped", file=sys.stderr)
    sys.exit(130)
except BrokenPipeError:         # our reader went away
    os._exit(141)
