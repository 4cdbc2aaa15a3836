"""Text tests: a file under tests/ with RUN lines (*.test, *.kir, *.c, and kernel sources *.py) is a test. See CONTRIBUTING.md.

KDSL_BUILD names the build folder whose kdsl is tested.
"""
import os
import sys

tests = os.path.dirname(os.path.abspath(__file__))
build = os.path.abspath(os.environ.get("KDSL_BUILD", os.path.join(tests, "..", "build")))
sys.path.insert(0, tests)
from lit_format import TextTests        # in a module of its own, because lit's workers look it up by name

sanitized = os.path.basename(build) == "build-san"

config.name = "kdsl-san" if sanitized else "kdsl"
config.test_format = TextTests(execute_external=False)
config.suffixes = [".test", ".kir", ".py", ".c"]
config.excludes = ["Inputs", "bin", "e2e", "fuzz", "lit.cfg.py", "lit_format.py", "conftest.py", "gpu_plugin.py", "ze_pocl", "run.py"]
config.test_source_root = tests
config.test_exec_root = os.path.join(build, "text-tests")

config.environment["PATH"] = os.pathsep.join([build, os.path.join(tests, "bin"), config.environment["PATH"]])
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
config.environment["KDSL_BUILD"] = build
config.environment["LC_ALL"] = "C.UTF-8"
for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "POCL_CACHE_DIR", "HOME", "TMPDIR"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

# %project: the folder of the sources, for tests that look at those.  %tests: the folder of the tests.  %ze_pocl: the test driver of GPUs
config.substitutions.append(("%project", os.path.dirname(tests)))
config.substitutions.append(("%tests", tests))
config.substitutions.append(("%ze_pocl", os.path.join(build, "tests", "libze_pocl.so")))

# REQUIRES: sanitizers, or a CPU feature by the kernel's name for it (avx2, avx512f, ...)
if sanitized:
    config.available_features.add("sanitizers")
with open("/proc/cpuinfo", encoding="utf-8") as file:
    for line in file:
        if line.startswith("flags"):
            config.available_features.update(line.split(":")[1].split())
            break
