"""Compiles kernels of this project with PyPI's triton-xpu (Intel's own Triton backend) to SPIR-V, on a machine without a GPU.

usage: triton_xpu.py REQUESTS.json FOLDER

REQUESTS   [{"name", "file", "kernel", "args": {NAME: "*fp32" | "i32" | {"value": ...}}, "aligned": [NAME, ...], "num_warps", "num_stages"}]
FOLDER     gets NAME.spv for each, and answers.json: [{"name", "ok", "seconds", "num_warps", "sub_group_size", "slm", "flags", "error"}]

Runs in an environment of its own (bench/isa/requirements.txt); what the backend asks of a device is answered with the fixed properties of
Ponte Vecchio.
"""
import importlib.util
import json
import os
import sys
import time
import types

import triton
from triton.backends import backends
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

PVC = {"name": "pvc", "platform_name": "Level-Zero", "vendor": "Intel", "version": "12.60.7", "architecture": 0, "gpu_eu_count": 512,
       "gpu_subslice_count": 64, "max_work_group_size": 1024, "max_num_sub_groups": 64, "sub_group_sizes": [16, 32], "has_fp64": True,
       "has_subgroup_matrix_multiply_accumulate": True, "has_subgroup_matrix_multiply_accumulate_tensor_float32": True,
       "has_subgroup_2d_block_io": True, "has_bfloat16_conversions": True}

# The backend builds a C extension that names the device's architecture (only used to ask ocloc about it), and one that launches.
module = backends["intel"].compiler.__init__.__globals__        # Triton loads its backends by path: not the module of that name
module["compile_module_from_src"] = lambda text, name: types.SimpleNamespace(parse_device_arch=lambda number: "")
triton.runtime.driver.set_active(types.SimpleNamespace(launcher_cls=lambda *args: None, get_current_target=lambda: GPUTarget("xpu", PVC, 32),
                                                       get_benchmarker=lambda: None))


def load(path, cache={}):
    if path not in cache:
        sys.path.insert(0, os.path.dirname(path))
        spec = importlib.util.spec_from_file_location("kernels_%d" % len(cache), path)
        cache[path] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(cache[path])
        sys.path.pop(0)
    return cache[path]


def compile_one(request):
    kernel = getattr(load(request["file"]), request["kernel"])
    while hasattr(kernel, "fn") and not isinstance(kernel, triton.JITFunction):    # autotuners and heuristics around it
        kernel = kernel.fn
    names = kernel.arg_names
    signature, constants, attributes = {}, {}, {}
    for i, name in enumerate(names):
        given = request["args"].get(name, {"value": kernel.params[i].default})
        if isinstance(given, dict):
            signature[name] = "constexpr"
            constants[(i,)] = given["value"]
        else:
            signature[name] = given
            if name in request.get("aligned", []):
                attributes[(i,)] = [["tt.divisibility", 16]]
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attributes)
    options = {"num_warps": request.get("num_warps", 4), "num_stages": request.get("num_stages", 2)}
    began = time.perf_counter()
    done = triton.compile(source, target=GPUTarget("xpu", PVC, 32), options=options)
    seconds = time.perf_counter() - began
    meta = done.metadata
    answer = {"seconds": seconds, "num_warps": meta.num_warps, "sub_group_size": meta.threads_per_warp, "slm": meta.shared, "flags": meta.build_flags}
    return done.asm["spv"], answer


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    os.environ["TRITON_ALWAYS_COMPILE"] = "1"
    with open(arguments[0], encoding="utf-8") as file:
        requests = json.load(file)
    answers = []
    for request in requests:
        answer = {"name": request["name"], "ok": True}
        try:
            spirv, more = compile_one(request)
            answer |= more
            with open(os.path.join(arguments[1], request["name"] + ".spv"), "wb") as file:
                file.write(spirv)
        except Exception as error:                  # whatever a compiler of another project may throw
            answer |= {"ok": False, "error": "%s: %s" % (type(error).__name__, error)}
        answers.append(answer)
    with open(os.path.join(arguments[1], "answers.json"), "w", encoding="utf-8") as file:
        json.dump(answers, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
