"""Runs IR text of the simt level: the work-items of a work-group in step, each value an array with one row a work-item.

Accesses are checked: what one work-item writes, no other may touch before the next barrier, nor write what another has read.
"""
import math
import re

import numpy as np

from build import NUMPY

TYPES = {k: np.dtype(v) for k, v in NUMPY.items()} | {"i1": np.dtype(bool)}
FLOATS = ("f16", "f32", "f64")


def scalar(type):
    """The NumPy type of a scalar, and its name: pointers are integers."""
    return (np.dtype(np.int64), "ptr") if type.startswith("ptr") else (TYPES[type], type)


def extent(type):
    m = re.match(r"(?:tile|buffer)<(\d+)x(.*)>$", type)
    return (int(m[1]), m[2]) if m else (0, type)


class Op:
    LINE = re.compile(r"(?:(%.*?) = )?([\w.]+)(?: ([a-z]\w*))?((?: ?(?:%[\w.$]+|_),?)*)(?: \{(.*?)\})?(?: : (.*?))?( \{)?$")

    def __init__(self, line):
        m = self.LINE.match(line)
        assert m, line
        self.results = [r.strip() for r in m[1].split(",")] if m[1] else []
        self.name, self.key = m[2], m[3]
        self.operands = re.findall(r"%[\w.$]+|\b_\b|(?<= )_", m[4])
        self.attrs = dict((a.split(" = ") + [True])[:2] for a in re.split(r", (?=[a-z]\w*(?: =|,|$))", m[5])) if m[5] else {}
        if self.name == "kd.constant":
            self.attrs["value"] = m[3]
        self.types = self.split_types(m[6]) if m[6] else []
        self.regions = []
        self.opens = bool(m[7])

    @staticmethod
    def split_types(text):
        return re.split(r", (?![^<]*>)", text)


def parse(text):
    """The parameters and ops of the first function."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    head = next(i for i, line in enumerate(lines) if line.startswith("func"))
    params = re.findall(r"(%[\w.$]+): ((?:[^,{(]|<[^>]*>)+?)(?= \{|,|\))", lines[head])
    at = head + 1

    def block():
        nonlocal at
        args, ops = [], []
        while not lines[at].startswith("}"):
            line = lines[at]
            at += 1
            if line.startswith("^("):
                args = re.findall(r"(%[\w.$]+): (\S+?)(?=, %|\):)", line)
                continue
            if re.match(r"(%\S+ = )?kd.constant ", line):
                m = re.match(r"(%\S+) = kd.constant (\S+) : (\S+)$", line)
                op = Op(f"{m[1]} = kd.poison : {m[3]}")
                op.name, op.attrs = "kd.constant", {"value": m[2]}
            else:
                op = Op(line)
            ops.append(op)
            while op.opens:
                op.regions.append(block())
                op.opens = lines[at] != "}"
                at += 1
        return args, ops
    return params, block()


def trunc_divide(a, b):
    b = np.where(b == 0, b.dtype.type(1), b)
    if a.dtype.kind == "f":
        return a / b
    if a.dtype.kind == "u":
        return a // b
    q = np.floor_divide(a, b)
    return q + ((q * b != a) & ((a < 0) != (b < 0))).astype(a.dtype)


def high_product(a, b):
    bits = a.dtype.itemsize * 8
    return np.array([(int(x) * int(y)) >> bits for x, y in zip(a.ravel(), b.ravel())], object).astype(a.dtype).reshape(a.shape)


BINARY = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "and": lambda a, b: a & b, "or": lambda a, b: a | b,
          "xor": lambda a, b: a ^ b, "mulhi": high_product,
          "shl": lambda a, b: a << (b & b.dtype.type(a.dtype.itemsize * 8 - 1)), "shr": lambda a, b: a >> (b & b.dtype.type(a.dtype.itemsize * 8 - 1))}
COMPARE = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
MATH = {"exp": np.exp, "exp2": np.exp2, "log": np.log, "log2": np.log2, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "floor": np.floor, "ceil": np.ceil,
        "pow": np.power, "erf": np.vectorize(math.erf)}


def bf16_bits(v, truncate):
    bits = v.astype(np.float32).view(np.uint32)
    kept = bits >> 16
    rounded = kept if truncate else (bits + 0x7fff + (kept & 1)) >> 16
    return np.where(np.isnan(v), (kept | 0x40), rounded).astype(np.uint16)


def cast(v, source, to, truncate=False):
    if source == "bf16":
        v, source = (v.astype(np.uint32) << 16).view(np.float32), "f32"
    if source == "f8e5":
        v, source = (v.astype(np.uint16) << 8).view(np.float16).astype(np.float32), "f32"
    assert not source.startswith("f8") and not to.startswith("f8"), "no arithmetic for this type here"
    if to == "bf16":
        return bf16_bits(v, truncate)
    if to == "i1":
        return v != 0
    out = v.astype(TYPES[to])
    if truncate and to == "f16":
        out = np.where(np.abs(out.astype(np.float64)) > np.abs(v.astype(np.float64)), np.nextafter(out, np.float16(0)), out)
    return out


class Races:
    """Who has touched which byte since the last barrier."""

    def __init__(self, n_bytes):
        self.writer = np.full(n_bytes, -1)
        self.reader = np.full(n_bytes, -1)  # -2: several
        self.atomic = np.zeros(n_bytes, bool)

    def read(self, at, items):
        owner = self.writer[at]
        assert ((owner == -1) | (owner == items[:, None])).all() and not self.atomic[at].any(), "reads what another writes"
        seen = self.reader[at]
        self.reader[at] = np.where((seen == -1) | (seen == items[:, None]), items[:, None], -2)
        self.reader[at[self.reader[at] != np.where(seen == -2, -2, items[:, None])]] = -2  # several of these

    def write(self, at, items):
        for table in (self.reader, self.writer):
            owner = table[at]
            assert ((owner == -1) | (owner == items[:, None])).all(), "writes what another uses"
        assert not self.atomic[at].any(), "writes what is changed atomically"
        self.writer[at] = items[:, None]

    def change(self, at):
        assert (self.writer[at] == -1).all() and (self.reader[at] == -1).all(), "an atomic between other accesses"
        self.atomic[at] = True


class WorkGroup:
    """One run of a kernel's text: memory is a dict of arrays by parameter, scalars numbers."""

    def __init__(self, text, args, lanes, sub_groups, slm_bytes, grid=(1, 1, 1)):
        self.params, (_, self.ops) = parse(text)
        self.lanes, self.n, self.grid = lanes, lanes * sub_groups, grid
        self.item = np.arange(self.n)
        self.memory = np.full(4096, 0xcd, np.uint8)
        self.args, self.places, self.printed = {}, {}, []
        for (name, type), value in zip(self.params, args, strict=True):
            if isinstance(value, np.ndarray):
                at = len(self.memory)
                room = -(-value.nbytes // 4096) * 4096 + 4096
                self.memory = np.concatenate([self.memory, np.full(room, 0xcd, np.uint8)])
                self.memory[at:at + value.nbytes] = value.reshape(-1).view(np.uint8)
                self.places[at] = value
                value = at
            self.args[name] = np.full(self.n, value).astype(scalar(type)[0])
        self.slm_bytes = slm_bytes

    def run(self):
        with np.errstate(all="ignore"):
            for z in range(self.grid[2]):
                for y in range(self.grid[1]):
                    for x in range(self.grid[0]):
                        self.program = (x, y, z)
                        self.slm = np.full(self.slm_bytes + 64, 0xcd, np.uint8)
                        self.barrier(True)
                        self.env = dict(self.args)
                        self.block(self.ops)
        for at, array in self.places.items():
            array.reshape(-1).view(np.uint8)[:] = self.memory[at:at + array.nbytes]

    # ---- SLM ----

    def barrier(self, with_global=False):
        self.slm_races = Races(len(self.slm))
        if with_global:
            self.races = Races(len(self.memory))

    def slm_bytes_at(self, op, mask):
        buffer, index = self.value(op.operands[0]), self.value(op.operands[1])
        offset, elem_bytes, size, n = buffer
        at = index.astype(np.int64)[mask, None] * elem_bytes + np.arange(n * elem_bytes if n else elem_bytes)
        assert (at >= 0).all() and (at < size).all(), f"outside its buffer: {op.name} {op.operands}"
        return at + offset

    # ---- ops ----

    def value(self, name):
        return self.env[name]

    def optional(self, op, i, default=None):
        return self.value(op.operands[i]) if i < len(op.operands) and op.operands[i] != "_" else default

    def everyone(self):
        return np.ones(self.n, bool)

    def block(self, ops):
        for op in ops:
            if op.name in ("kd.yield", "kd.condition", "kd.return"):
                return [self.value(v) for v in op.operands]
            self.op(op)
        return []

    def enter(self, region, values):
        for (name, _), value in zip(region[0], values, strict=True):
            self.env[name] = value
        return self.block(region[1])

    def blend(self, mask, a, b):
        return [np.where(mask if x.ndim == 1 else mask[:, None], x, y) for x, y in zip(a, b)]

    def control(self, op):
        v = [self.value(o) for o in op.operands]
        if op.name == "kd.if":
            c = v[0]
            if c.all() or not c.any():
                return self.enter(op.regions[0 if c.all() else 1], [])
            return self.blend(c, self.enter(op.regions[0], []), self.enter(op.regions[1], []))
        if op.name == "kd.for":
            i, upper, step, carried = v[0], v[1], v[2], v[3:]
            while True:
                go = i < upper
                if not go.any():
                    return carried
                carried = self.blend(go, self.enter(op.regions[0], [i] + carried), carried)
                i = i + step
        carried, passed, active = v, None, self.everyone()
        while True:
            go, *out = self.enter(op.regions[0], carried)
            passed = out if passed is None else self.blend(active, out, passed)
            active = active & go
            if not active.any():
                return passed
            carried = self.blend(active, self.enter(op.regions[1], out), carried)

    def op(self, op):
        if op.regions:
            out = self.control(op)
        else:
            name = op.name.replace(".", "_")
            if hasattr(self, name):
                out = getattr(self, name)(op)
            else:
                out = self.arithmetic(op)
        out = out if isinstance(out, list) else [] if out is None else [out]
        self.env.update(zip(op.results, out, strict=True))

    def arithmetic(self, op):
        v = [self.value(o) for o in op.operands]
        name = op.name.split(".")[1]
        if name in BINARY:
            return BINARY[name](*v).astype(v[0].dtype)
        if name in ("div", "rem"):
            q = trunc_divide(*v)
            return q if name == "div" else np.fmod(*v) if v[0].dtype.kind == "f" else v[0] - q * v[1]
        if name in ("min", "max"):
            return {"min": (np.fmin, np.minimum), "max": (np.fmax, np.maximum)}[name]["propagate_nan" in op.attrs](*v)
        if name == "neg":
            return np.negative(v[0])
        if name == "abs":
            return np.abs(v[0])
        if name == "fma":
            return (v[0].astype(np.float64) * v[1] + v[2]).astype(v[0].dtype)
        if name == "math":
            return MATH[op.key](*v).astype(v[0].dtype)
        if name == "cmp":
            return COMPARE[op.key](*v)
        if name == "select":
            return np.where(v[0], v[1], v[2])
        assert False, op.name

    def kd_constant(self, op):
        type, text = scalar(op.types[0])[0], op.attrs["value"]
        if op.types[0] == "bf16":
            return cast(np.full(self.n, float(text), np.float32), "f32", "bf16")
        if type.kind == "f":
            return np.full(self.n, float(text), type)
        return np.full(self.n, int(text) & 2 ** (8 * type.itemsize) - 1, np.uint64).astype(f"u{type.itemsize}" if type.itemsize < 8 else "u8").view(
            type) if type.kind != "b" else np.full(self.n, int(text) != 0)

    def kd_poison(self, op):
        return np.full(self.n, 77).astype(scalar(op.types[0])[0])

    def kd_program_id(self, op):
        return np.full(self.n, self.program[int(op.attrs.get("axis", 0))], np.int32)

    def kd_num_programs(self, op):
        return np.full(self.n, self.grid[int(op.attrs.get("axis", 0))], np.int32)

    def kd_cast(self, op):
        return cast(self.value(op.operands[0]), self.types_of[op.operands[0]], op.types[0], op.attrs.get("rounding") == "rtz")

    def kd_bitcast(self, op):
        return self.value(op.operands[0]).view(scalar(op.types[0])[0])

    def kd_addptr(self, op):
        elem = op.types[0][4:-1]
        return self.value(op.operands[0]) + self.value(op.operands[1]).astype(np.int64) * (8 if elem.startswith("ptr") else TYPES[elem].itemsize)

    def gpu_lane_id(self, op):
        return (self.item % self.lanes).astype(np.int32)

    def gpu_sub_group_id(self, op):
        return (self.item // self.lanes).astype(np.int32)

    def gpu_shuffle(self, op):
        v, lane = self.value(op.operands[0]), self.value(op.operands[1])
        assert (lane >= 0).all() and (lane < self.lanes).all(), "shuffle from a lane that does not exist"
        return v[self.item // self.lanes * self.lanes + lane]

    def gpu_shuffle_xor(self, op):
        assert int(op.attrs["mask"]) < self.lanes
        return self.value(op.operands[0])[self.item ^ int(op.attrs["mask"])]

    def gpu_barrier(self, op):
        self.barrier("global" in op.attrs)

    def gpu_slm(self, op):
        n, elem = extent(op.types[0])
        size = TYPES[elem].itemsize
        return [(int(op.attrs.get("offset_bytes", 0)), size, n * size, 0)]

    def gpu_slm_read(self, op):
        n, elem = extent(op.types[0])
        offset, elem_bytes, size, _ = self.value(op.operands[0])
        self.env["%"] = (offset, elem_bytes, size, n)
        op2 = Op("gpu.slm_read")
        op2.operands = ["%", op.operands[1]]
        at = self.slm_bytes_at(op2, self.everyone())
        assert not n or (at[:, 0] % min(n * elem_bytes, 16) == 0).all(), "a vector that is not aligned"
        self.slm_races.read(at, self.item)
        out = np.ascontiguousarray(self.slm[at]).view(TYPES[elem])
        return out if n else out[:, 0]

    def gpu_slm_write(self, op):
        v, mask = self.value(op.operands[2]), self.optional(op, 3, self.everyone())
        offset, elem_bytes, size, _ = self.value(op.operands[0])
        self.env["%"] = (offset, elem_bytes, size, v.shape[1] if v.ndim == 2 else 0)
        op2 = Op("gpu.slm_write")
        op2.operands = ["%", op.operands[1]]
        at = self.slm_bytes_at(op2, mask)
        assert v.ndim < 2 or (at[:, 0] % min(v.shape[1] * elem_bytes, 16) == 0).all(), "a vector that is not aligned"
        self.slm_races.write(at, self.item[mask])
        self.slm[at] = np.ascontiguousarray(v.reshape(self.n, -1)[mask]).view(np.uint8).reshape(at.shape)

    def gpu_slm_atomic(self, op):
        v, mask = self.value(op.operands[2]), self.optional(op, 3, self.everyone())
        at = self.slm_bytes_at(op, mask)
        self.slm_races.change(at)
        return self.atomically(self.slm, at, mask, v, op.key)

    def atomically(self, memory, at, mask, v, kind):
        old = np.zeros_like(v)
        fn = {"add": np.add, "min": np.fmin, "max": np.fmax, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
              "xchg": lambda a, b: b}[kind]
        for place, item in zip(at, self.item[mask]):
            old[item] = memory[place].view(v.dtype)[0]
            memory[place] = np.array([fn(old[item], v[item])], v.dtype).view(np.uint8)
        return old

    def global_bytes(self, ptr, mask, n_bytes, align):
        at = ptr[mask, None] + np.arange(n_bytes)
        assert (at >= 4096).all() and (at < len(self.memory)).all(), "an access outside memory"
        assert (ptr[mask] % align == 0).all(), "an access that is not aligned"
        return at

    def gpu_load(self, op):
        n, elem = extent(op.types[0])
        type, mask = TYPES[elem], self.optional(op, 1, self.everyone())
        at = self.global_bytes(self.value(op.operands[0]), mask, max(n, 1) * type.itemsize, int(op.attrs.get("align_bytes", type.itemsize)))
        self.races.read(at, self.item[mask])
        out = np.zeros((self.n, max(n, 1)), type)
        other = self.optional(op, 2)
        if other is not None:
            out[:] = other.reshape(self.n, -1)
        if mask.any():
            out[mask] = np.ascontiguousarray(self.memory[at]).view(type)
        return out if n else out[:, 0]

    def gpu_store(self, op):
        v, mask = self.value(op.operands[1]), self.optional(op, 2, self.everyone())
        v = v.reshape(self.n, -1)
        at = self.global_bytes(self.value(op.operands[0]), mask, v.shape[1] * v.itemsize, int(op.attrs.get("align_bytes", v.itemsize)))
        self.races.write(at, self.item[mask])
        self.memory[at] = np.ascontiguousarray(v[mask]).view(np.uint8).reshape(at.shape)

    def kd_atomic(self, op):
        v, mask = self.value(op.operands[1]), self.optional(op, 2, self.everyone())
        at = self.global_bytes(self.value(op.operands[0]), mask, v.itemsize, v.itemsize)
        self.races.change(at)
        return self.atomically(self.memory, at, mask, v, op.key)

    def gpu_atomic_cas(self, op):
        ptr, expected, desired = (self.value(o) for o in op.operands[:3])
        mask = self.optional(op, 3, self.everyone())
        old = np.zeros_like(desired)
        for place, item in zip(self.global_bytes(ptr, mask, desired.itemsize, desired.itemsize), self.item[mask]):
            old[item] = self.memory[place].view(desired.dtype)[0]
            if old[item] == expected[item]:
                self.memory[place] = desired[item:item + 1].view(np.uint8)
        return old

    def gpu_print(self, op):
        mask, *values = (self.value(o) for o in op.operands)
        for i in np.flatnonzero(mask):
            index = ", ".join(str(v[i]) for v in values[1:])
            value = values[0][i] if values else ""
            self.printed.append(f"pid {self.program} idx ({index}) {op.attrs.get('prefix', '').strip(chr(34))}"
                                + (f"{value:f}" if isinstance(value, np.floating) else str(value)))

    def gpu_pack(self, op):
        parts = [np.ascontiguousarray(self.value(o).reshape(self.n, -1)).view(np.uint8) for o in op.operands]
        n, elem = extent(op.types[0])
        out = np.concatenate(parts, 1).view(scalar(elem)[0])
        return out if n else out[:, 0]

    def gpu_unpack(self, op):
        v, at, out = np.ascontiguousarray(self.value(op.operands[0]).reshape(self.n, -1)).view(np.uint8), 0, []
        for type in op.types:
            n, elem = extent(type)
            size = scalar(elem)[0].itemsize * max(n, 1)
            part = np.ascontiguousarray(v[:, at:at + size]).view(scalar(elem)[0])
            out.append(part if n else part[:, 0])
            at += size
        return out

    # ---- matrix engines: as Intel documents cl_intel_subgroup_matrix_multiply_accumulate and cl_intel_subgroup_2d_block_io ----

    def gpu_dpas(self, op):
        """A row of a is 32 bytes, side by side in the lanes (2 bytes each of 16, 4 bytes each of 8); a dword of b holds what is below one
        another in its lane's column."""
        elem, lanes, groups = op.attrs["elem"].strip('"'), self.lanes, self.n // self.lanes
        a, b, acc = (np.ascontiguousarray(self.value(o).reshape(self.n, -1)) for o in op.operands)
        n_rows = acc.shape[1]
        rows = a.reshape(groups, lanes, a.shape[1]).transpose(0, 2, 1).copy().view(np.uint8).reshape(groups, n_rows, 32)
        dwords = b.reshape(groups, lanes, 8).transpose(0, 2, 1).copy().view(np.uint8).reshape(groups, 8, lanes, 4)

        def numbers(v):
            if elem == "bf16":
                return (v.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
            if elem == "tf32":
                return (v.view(np.uint32) & 0xffffe000).view(np.float32)
            return v.view({"f16": np.float16, "i8": np.int8, "u8": np.uint8}[elem])
        wide = np.int32 if elem in ("i8", "u8") else np.float64
        left, columns = numbers(rows).astype(wide), numbers(dwords).astype(wide)
        right = columns.transpose(0, 1, 3, 2).reshape(groups, -1, lanes)
        product = left @ right + acc.reshape(groups, lanes, n_rows).transpose(0, 2, 1)
        out = product.transpose(0, 2, 1).reshape(self.n, n_rows).astype(acc.dtype)
        return out if extent(op.types[0])[0] else out[:, 0]

    def rectangle(self, op, first):
        """By lane 0 of each sub-group: the surface and the place in it, checked against what hardware asks for."""
        base, *surface = (self.value(o)[::self.lanes].astype(np.int64) for o in [op.operands[0]] + op.operands[first:])
        for o in [op.operands[0]] + op.operands[first:]:
            v = self.value(o).reshape(-1, self.lanes)
            assert (v == v[:, :1]).all(), "a rectangle that is not one"
        width, height, pitch, x, y = surface
        bits, (w, rows, count) = int(op.attrs["elem_bits"]), (int(v) for v in re.findall(r"\d+", op.attrs["width_rows_count"]))
        assert (base % 64 == 0).all(), "base is not aligned to 64 bytes"
        assert (width >= 64).all() and (width <= pitch).all() and (pitch < 1 << 24).all(), "a surface too narrow or too wide"
        assert (width % max(4, bits // 8) == 0).all() and (pitch % 16 == 0).all() and (x * bits // 8 % 4 == 0).all(), "alignment of a surface"
        assert w * count * bits // 8 <= 64 and rows <= 32, "a rectangle too large"
        return base, width, height, pitch, x, y, bits // 8, w, rows, count

    def gpu_block2d_load(self, op):
        base, width, height, pitch, x, y, size, w, rows, count = self.rectangle(op, 1)
        mode, groups = op.attrs.get("mode", "plain"), self.n // self.lanes
        tile = np.zeros((groups, count, rows, w, size), np.uint8)
        for g in range(groups):
            for c in range(count):
                for r in range(rows):
                    for i in range(w):
                        col, row = (x[g] + c * w + i) * size, y[g] + r
                        if 0 <= row < height[g] and 0 <= col < width[g]:
                            at = base[g] + row * pitch[g] + col
                            tile[g, c, r, i] = self.memory[at:at + size]
        if mode == "transpose":
            assert size == 4 and w <= 8 and count == 1, "no such transposed rectangle"
            tile = tile.transpose(0, 1, 3, 2, 4)
        if mode == "transform":
            assert size < 4 and rows % (4 // size) == 0 and w == 16, "no such transformed rectangle"
            tile = tile.reshape(groups, count, rows * size // 4, 4 // size, w, size).transpose(0, 1, 2, 4, 3, 5)
        n, elem = extent(op.types[0])
        flat = np.ascontiguousarray(tile).reshape(groups, count, -1).reshape(groups, -1, self.lanes, scalar(elem)[0].itemsize)
        return np.ascontiguousarray(flat.transpose(0, 2, 1, 3)).reshape(self.n, -1).view(scalar(elem)[0]).reshape(self.n, n)

    def gpu_block2d_store(self, op):
        base, width, height, pitch, x, y, size, w, rows, count = self.rectangle(op, 2)
        v = self.value(op.operands[1])
        assert rows <= 8 and count == 1, "no such rectangle to store"
        tile = np.ascontiguousarray(v.reshape(-1, self.lanes, v.shape[1]).transpose(0, 2, 1)).view(np.uint8).reshape(-1, rows, w, size)
        for g in range(len(tile)):
            for r in range(rows):
                for i in range(w):
                    col, row = (x[g] + i) * size, y[g] + r
                    if 0 <= row < height[g] and 0 <= col < width[g]:
                        at = base[g] + row * pitch[g] + col
                        self.memory[at:at + size] = tile[g, r, i]

    def gpu_block2d_prefetch(self, op):
        self.rectangle(op, 1)

    @property
    def types_of(self):
        if not hasattr(self, "_types"):
            self._types = dict(self.params)

            def walk(ops):
                for op in ops:
                    self._types.update(zip(op.results, op.types))
                    for args, inner in op.regions:
                        self._types.update(args)
                        walk(inner)
            walk(self.ops)
        return self._types
