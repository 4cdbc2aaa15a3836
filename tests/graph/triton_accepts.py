"""Whether Triton's own front end takes kernels; runs in a Python that has Triton, and needs no GPU.

usage: triton_accepts.py DIR ...      all .py files below these folders, as `kdsl graph source` wrote them
Exit status 1: it refuses one."""
import importlib.util
import inspect
import pathlib
import re
import sys

from triton._C.libtriton import ir
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.compiler.compiler import make_backend

TYPES = {"f16": "fp16", "bf16": "bf16", "f32": "fp32", "f64": "fp64"}
TARGET = GPUTarget("cuda", 90, 32)


def accept(path):
    """A kernel's pointers have the types that its comment tells; constants have their defaults."""
    text = path.read_text(encoding="utf-8")
    spec = importlib.util.spec_from_file_location("kernel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kernel = getattr(module, re.findall(r"^def (\w+)\(", text, re.M)[-1])
    types = dict(re.findall(r"^    (\w+): %[^,\n]*, (\w+)\[", text, re.M))
    signature = {name: "*" + TYPES.get(types[name], types[name]) if name in types else "constexpr" for name in kernel.arg_names}
    defaults = dict(re.findall(r"(\w+): tl.constexpr = (\d+)", text))
    constants = {(i,): int(defaults[name]) for i, name in enumerate(kernel.arg_names) if name not in types}
    backend, context = make_backend(TARGET), ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    options = backend.parse_options({})
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    target = [TARGET] if "target" in inspect.signature(source.make_ir).parameters else []     # since Triton 3.4
    ir_module = source.make_ir(*target, options, backend.get_codegen_implementation(options), backend.get_module_map(), context)
    assert ir_module.verify()


def main(folders):
    refused = 0
    for path in (path for folder in folders for path in sorted(pathlib.Path(folder).rglob("*.py"))):
        try:
            accept(path)
        except Exception as error:      # its own, of many kinds
            refused += 1
            print(f"{path}: {type(error).__name__}: {error}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
