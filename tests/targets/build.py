"""Writes IR text for tests: a kernel that loads tiles, computes and stores tiles."""
import math

import numpy as np

NUMPY = {"i1": np.uint8, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "u8": np.uint8, "u16": np.uint16,
         "u32": np.uint32, "u64": np.uint64, "f16": np.float16, "f32": np.float32, "f64": np.float64, "bf16": np.uint16,
         "f8e4nv": np.uint8, "f8e5": np.uint8, "f8e4b8": np.uint8, "f8e5b16": np.uint8, "f8e4b15": np.uint8}


def tile(shape, elem):
    return f"tile<{'x'.join(map(str, shape))}x{elem}>" if shape else elem


class Func:
    """f = Func(x="ptr<f32>", n="i32"); v = f("kd.add", a, b, type="tile<4xf32>"); f.text()"""

    def __init__(self, **params):
        self.params = params
        self.lines = []
        self.count = 0
        self.indent = "  "

    def fresh(self):
        self.count += 1
        return f"%v{self.count}"

    def line(self, text):
        self.lines.append(self.indent + text)

    def __call__(self, op, *operands, type=None, attrs="", n=1):
        head = ", ".join(operands)
        text = f"{op} {head}".rstrip() + (f" {{{attrs}}}" if attrs else "")
        if type is None:
            return self.line(text)
        names = [self.fresh() for _ in range(n)]
        types = [type] * n if isinstance(type, str) else type
        self.line(f"{', '.join(names)} = {text} : {', '.join(types)}")
        return names[0] if n == 1 else names

    def const(self, value, type):
        return self("kd.constant " + str(value), type=type)

    def offsets(self, shape):
        n = math.prod(shape)
        flat = self("kd.arange", type=tile([n], "i32"), attrs="start = 0")
        return self("kd.reshape", flat, type=tile(shape, "i32")) if len(shape) != 1 else flat

    def pointers(self, name, shape, elem):
        base = self("kd.splat", f"%{name}", type=tile(shape, f"ptr<{elem}>"))
        return self("kd.addptr", base, self.offsets(shape), type=tile(shape, f"ptr<{elem}>"))

    def load(self, name, shape, elem):
        if not shape:
            return self("kd.load", f"%{name}", "_", "_", type=elem)
        return self("kd.load", self.pointers(name, shape, elem), "_", "_", type=tile(shape, elem))

    def store(self, name, shape, elem, value):
        if not shape:
            return self("kd.store", f"%{name}", value, "_")
        return self("kd.store", self.pointers(name, shape, elem), value, "_")

    def text(self):
        params = ", ".join(f"%{name}: {type}" for name, type in self.params.items())
        return "\n".join([f"func @k({params}) kernel {{"] + self.lines + ["  kd.return", "}", ""])
