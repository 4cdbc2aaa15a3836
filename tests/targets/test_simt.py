"""The tests of test_ops.py once more: tiles get layouts, are lowered to work-items, and a work-group of them is run (work_group.py)."""
import random
import re

import numpy as np
import pytest

import test_ops
from build import NUMPY, Func
from simt import lower
from test_ops import *  # noqa: F403
from work_group import WorkGroup

# lanes, sub-groups, how tiles lie in them
CONFIGS = [(16, 4, "coalesced"), (32, 1, "coalesced"), (8, 2, "shuffled"), (16, 8, "mixed"), (32, 32, "shuffled")]


def layout(n_elems, lanes, sub_groups, kind, rng):
    """Text of a layout: the bits of positions are dealt to registers, lanes and sub-groups."""
    bits = [1 << i for i in range(n_elems.bit_length() - 1)]
    n_lanes, n_sub_groups = lanes.bit_length() - 1, sub_groups.bit_length() - 1
    if kind == "coalesced":
        n_vector = min(2, max(0, len(bits) - n_lanes))
    else:
        rng.shuffle(bits)
        n_vector = rng.randrange(3)
    vector, bits = bits[:n_vector], bits[n_vector:]
    inputs = [vector, bits[:n_lanes], bits[n_lanes:n_lanes + n_sub_groups]]
    inputs[0] += bits[n_lanes + n_sub_groups:]
    for i, n in ((1, n_lanes), (2, n_sub_groups)):
        inputs[i] += [0] * (n - len(inputs[i]))
        if kind != "coalesced":
            rng.shuffle(inputs[i])
    if kind == "mixed":  # bits of others in, in an order that can be undone
        every = [(i, k) for i in range(3) for k in range(len(inputs[i])) if inputs[i][k]]
        for a in range(1, len(every)):
            i, k = every[a]
            if rng.random() < 0.4:
                j, m = every[rng.randrange(a)]
                inputs[i][k] ^= inputs[j][m]
    return "|".join(f"{name}:{','.join(map(str, basis))}" for name, basis in zip("rls", inputs) if basis) or "r:"


def read_layout(text):
    return {part[0]: [int(v) for v in part[2:].split(",") if v] for part in text.split("|")}


def write_layout(inputs):
    return "|".join(f"{name}:{','.join(map(str, inputs[name]))}" for name in "rls" if inputs.get(name)) or "r:"


def map_positions(text, fn):
    return write_layout({name: [fn(v) for v in basis] for name, basis in read_layout(text).items()})


def without_register_copies(text):
    inputs, rows, kept = read_layout(text), [], []
    for v in inputs.get("r", []):
        rest = v
        for row in rows:
            rest = min(rest, rest ^ row)
        if rest:
            rows = sorted(rows + [rest], reverse=True)
            kept.append(v)
    return write_layout(inputs | {"r": kept})


def coords(position, shape):
    out = []
    for extent in reversed(shape):
        out.insert(0, position % extent)
        position //= extent
    return out


def position_of(coords, shape):
    out = 0
    for c, extent in zip(coords, shape):
        out = out * extent + c
    return out


TILE = re.compile(r"tile<((?:\d+x)+)((?:ptr<)*\w+>*?)(?:, ([^>]*))?>(?!>)")


class Layouts:
    """Gives every tile of a kernel's text a layout, the same for the same shape, with conversions where an op moves no elements."""

    def __init__(self, lanes, sub_groups, kind):
        self.lanes, self.sub_groups, self.kind = lanes, sub_groups, kind
        self.known, self.shapes, self.count = {}, {}, 0

    def wanted(self, shape):
        if shape not in self.known:
            n = int(np.prod(shape))
            self.known[shape] = layout(n, self.lanes, self.sub_groups, self.kind, random.Random(f"{shape} {self.kind} {self.lanes}"))
        return self.known[shape]

    def add(self, match):
        return f"tile<{match[1]}{match[2]}, {self.wanted(self.shape(match))}>"

    @staticmethod
    def shape(match):
        return tuple(int(d) for d in match[1].split("x") if d)

    def convert(self, out, type, text):
        """The value of that type in another layout."""
        self.count += 1
        out.append(f"%conv{self.count} = gpu.convert_layout {text} : {type}")
        return f"%conv{self.count}"

    def moved(self, op, order, source, result, axis):
        """Layout of the operand of an op, or of its results, at which it moves nothing: (operand, result)."""
        at = self.wanted(source)
        if op == "permute":
            return at, map_positions(at, lambda v: position_of([coords(v, source)[i] for i in order], result))
        if op == "broadcast":
            back = lambda v: position_of([c if s == r else 0 for c, s, r in zip(coords(v, result), source, result)], source)
            return without_register_copies(map_positions(self.wanted(result), back)), self.wanted(result)
        if op == "reshape":
            return at, at
        if op == "reduce":
            rest = [i for i in range(len(source)) if i != axis]
            return at, without_register_copies(map_positions(at, lambda v: position_of([coords(v, source)[i] for i in rest], result)))
        joined = lambda l: (lambda i: write_layout(i | {"r": [1] + i.get("r", [])}))(read_layout(map_positions(l, lambda v: 2 * v)))
        return (at, joined(at)) if op == "join" else (joined(self.wanted(result)), self.wanted(result))

    def apply(self, text):
        out, pending = [], []
        for line in text.splitlines():
            for m in re.finditer(r"(%\w+): (tile<[^>]*>+)", line):
                self.shapes[m[1]] = m[2]
            m = re.match(r"\s*(%.*?) = kd\.(\w+) (.*?)(?: \{([^}]*)\})? : (.*?)( \{)?$", line)
            types = re.findall(r"(?:tile<[^>]*>+|[^, ]+)(?=, |$)", m[5]) if m else []
            names = m[1].split(", ") if m else []
            self.shapes.update(zip(names, types))
            source = TILE.match(self.shapes.get(m[3].split(", ")[0], "")) if m else None
            result = TILE.match(types[0]) if types else None
            if m and m[2] in ("permute", "broadcast", "reshape", "join", "split", "reduce") and source and result:
                order = [int(v) for v in re.findall(r"\d+", m[4] or "")]
                at, to = self.moved(m[2], order, self.shape(source), self.shape(result), order[0] if order else 0)
                operands = m[3]
                if m[2] in ("broadcast", "split"):
                    operands = self.convert(out, f"tile<{source[1]}{source[2]}, {at}>", operands)
                typed = [TILE.sub(lambda t: f"tile<{t[1]}{t[2]}, {to}>", t) for t in types]
                fresh = [f"{n}_nat" for n in names]
                out.append(f"{', '.join(fresh)} = kd.{m[2]} {operands}{' {' + m[4] + '}' if m[4] else ''} : {', '.join(typed)}{m[6] or ''}")
                after = [f"{n} = gpu.convert_layout {f} : {TILE.sub(self.add, t)}" for n, f, t in zip(names, fresh, types)]
                if m[6]:
                    pending = after
                else:
                    out += after
                continue
            out.append(TILE.sub(self.add, line))
            if pending and line.strip() == "}":
                out, pending = out + pending, []
        return "\n".join(out)


# Ops that look at one element at a time: one layout is as good as another.
ELEMENTWISE = ("int_binary", "float_binary", "unary", "cmp", "select", "cast", "fma", "bitcast", "min_max_nan")


def pytest_generate_tests(metafunc):
    some = metafunc.function.__name__.removeprefix("test_") in ELEMENTWISE
    metafunc.parametrize("on_a_work_group", CONFIGS[3:4] if some else CONFIGS, indirect=True, ids=lambda c: f"{c[0]}x{c[1]}-{c[2]}")


@pytest.fixture(autouse=True)
def on_a_work_group(request, monkeypatch):
    lanes, sub_groups, kind = request.param

    def run(f, inputs, outputs, grid=(1,), exact=True):
        text = Layouts(lanes, sub_groups, kind).apply(f.text() if isinstance(f, Func) else f)
        device = "dg2" if lanes == 8 else "pvc"
        code, slm_bytes, _ = lower(text, device=device, sub_group_size=lanes, n_sub_groups=sub_groups, passes="canonicalize,cse,licm,dce")
        arrays = {n: a.copy() if isinstance(a, np.ndarray) else a for n, a in inputs.items()}
        arrays |= {n: np.zeros(shape, NUMPY[elem]) for n, (shape, elem) in outputs.items()}
        try:
            WorkGroup(code, arrays.values(), lanes, sub_groups, slm_bytes, (tuple(grid) + (1, 1))[:3]).run()
        except Exception:
            print(text, code)
            raise
        return {n: a for n, a in arrays.items() if isinstance(a, np.ndarray)}
    monkeypatch.setattr(test_ops, "run", run)


# What the interpreter of work-items lacks, and tests of an order that only the CPU has.
del test_all_ops_are_covered, test_assert, test_print, test_f16_all, test_f8, test_bf16, test_atomic  # noqa: F821


@pytest.mark.parametrize("kind, elem", [("add", "i32"), ("add", "f32"), ("max", "u32"), ("xor", "u64")])
def test_atomic_unordered(kind, elem):
    """Copies of an element do it once; the old value comes back to all of them."""
    f = Func(x=f"ptr<{elem}>", j="ptr<i32>", p=f"ptr<{elem}>", o=f"ptr<{elem}>", q=f"ptr<{elem}>")
    s = (64,)
    at = f("kd.addptr", f("kd.splat", "%p", type=tile(s, f"ptr<{elem}>")), f.load("j", s, "i32"), type=tile(s, f"ptr<{elem}>"))
    mask = f("kd.cmp lt", f.offsets(s), f.const(60, tile(s, "i32")), type=tile(s, "i1"))
    old = f(f"kd.atomic {kind}", at, f.load("x", s, elem), mask, type=tile(s, elem))
    f.store("o", s, elem, f("kd.sort", old, type=tile(s, elem)))
    f.store("q", (), elem, f(f"kd.atomic {kind}", "%q", f.const(3, elem), "_", type=elem))
    x, p, q = rng.integers(0, 100, 64).astype(NUMPY[elem]), np.full(64, 3, NUMPY[elem]), np.full(1, 5, NUMPY[elem])
    fn = {"add": np.add, "max": np.maximum, "xor": np.bitwise_xor}[kind]
    got = test_ops.run(f, {"x": x, "j": rng.permutation(64).astype("i4"), "p": p}, {"o": (s, elem), "q": ((1,), elem)})
    np.testing.assert_array_equal(np.sort(got["p"]), np.sort(np.append(fn(x[:60], p[:60]), p[60:])))
    np.testing.assert_array_equal(got["o"], np.sort(np.append(p[:60], np.zeros(4, NUMPY[elem]))))
    many = rng.integers(0, 4, 64).astype("i4")
    want = p.copy()
    fn.at(want, many[:60], x[:60])
    np.testing.assert_array_equal(test_ops.run(f, {"x": x, "j": many, "p": p}, {"o": (s, elem), "q": ((1,), elem)})["p"], want)


# x -> a * x + b, one function after another: associative, and the order matters.
AFFINE = ["%a = kd.mul %l0, %r0 : i32", "%m = kd.mul %l1, %r0 : i32", "%b = kd.add %m, %r1 : i32", "kd.yield %a, %b"]


def compose(a, b, axis, reverse):
    a, b = (np.moveaxis(np.flip(v, axis) if reverse else v, axis, 0).copy() for v in (a, b))
    for i in range(1, len(a)):
        a[i], b[i] = a[i - 1] * a[i], b[i - 1] * a[i] + b[i]
    return [np.flip(v, axis) if reverse else v for v in (np.moveaxis(v, 0, axis) for v in (a, b))]


@pytest.mark.parametrize("shape, axis", [((256,), 0), ((8, 64), 1), ((64, 8), 0), ((2, 4), 1), ((4, 32, 8), 1)])
def test_order_of_folds(shape, axis):
    out = tuple(d for i, d in enumerate(shape) if i != axis)
    for reverse in (None, False, True):
        f = Func(x="ptr<i32>", y="ptr<i32>", o="ptr<i32>", p="ptr<i32>")
        operands = [f.load("x", shape, "i32"), f.load("y", shape, "i32")]
        results = reduce_text(f, operands, shape, ["i32"] * 2, axis, AFFINE)
        result_shape = out
        if reverse is not None:
            result_shape = shape
            line = next(i for i, text in enumerate(f.lines) if "kd.reduce" in text)
            types = ", ".join([tile(shape, "i32")] * 2)
            f.lines[line] = f"{', '.join(results)} = kd.scan {', '.join(operands)} {{axis = {axis}{', reverse' if reverse else ''}}} : {types} {{"
        for name, value in zip("op", results):
            f.store(name, result_shape, "i32", value)
        x, y = rng.integers(-2, 3, shape).astype("i4") | 1, ints("i32", shape)
        got = test_ops.run(f, {"x": x, "y": y}, {"o": (result_shape or (1,), "i32"), "p": (result_shape or (1,), "i32")})
        with np.errstate(over="ignore"):
            want = compose(x, y, axis, bool(reverse))
        for name, w in zip("op", want):
            np.testing.assert_array_equal(got[name].ravel(), (np.take(w, -1, axis) if reverse is None else w).ravel())


@pytest.mark.parametrize("m, n, k", [(64, 64, 256), (128, 32, 128)])
def test_dot_in_parts(m, n, k):
    """More than SLM holds at once."""
    f = Func(a="ptr<f32>", b="ptr<f32>", o="ptr<f32>")
    zero = f.const(0.0, tile((m, n), "f32"))
    f.store("o", (m, n), "f32", f("kd.dot", f.load("a", (m, k), "f32"), f.load("b", (k, n), "f32"), zero, type=tile((m, n), "f32")))
    a, b = (rng.integers(-4, 5, s).astype("f4") for s in ((m, k), (k, n)))
    np.testing.assert_array_equal(test_ops.run(f, {"a": a, "b": b}, {"o": ((m, n), "f32")})["o"], a @ b)


def test_convert_in_rounds():
    f = Func(x="ptr<i64>", o="ptr<i64>")
    s = (128, 128)
    v = f.load("x", s, "i64")
    for _ in range(2):
        v = f("kd.permute", v, type=tile(s, "i64"), attrs="order = [1, 0]")
    f.store("o", s, "i64", f("kd.permute", v, type=tile(s, "i64"), attrs="order = [1, 0]"))
    x = ints("i64", s)
    np.testing.assert_array_equal(test_ops.run(f, {"x": x}, {"o": (s, "i64")})["o"], x.T)


@pytest.mark.parametrize("bad", [None, 20])
def test_print_and_assert(bad):
    """Each element is printed once; the first failure takes the status, and says which program it was."""
    f = Func(x="ptr<f32>")
    x = f.load("x", (4, 8), "f32")
    f("kd.print", x, attrs='prefix = "v: "')
    f("kd.assert", f("kd.cmp lt", x, f.const(100.0, tile((4, 8), "f32")), type=tile((4, 8), "i1")), "_", attrs='message = "too big"')
    f("kd.assert", f("kd.cmp ge", x, f.const(0.0, tile((4, 8), "f32")), type=tile((4, 8), "i1")), "_", attrs='message = "negative"')
    values, status = np.arange(32, dtype="f4"), np.zeros(4, "u4")
    if bad is not None:
        values[bad] = -1
    lanes, sub_groups, kind = CONFIGS[4]
    code, slm_bytes, messages = lower(Layouts(lanes, sub_groups, kind).apply(f.text()), sub_group_size=lanes, n_sub_groups=sub_groups)
    group = WorkGroup(code, [values, status], lanes, sub_groups, slm_bytes, (1, 3, 1))
    group.run()
    assert [m.split(": ")[-1] for m in messages] == ["too big", "negative"] and messages[0].startswith("test.kir:")
    assert list(status) == ([0, 0, 0, 0] if bad is None else [2, 0, 0, 0])
    want = [f"pid (0, {y}, 0) idx ({i // 8}, {i % 8}) v: {v:f}" for y in range(3) for i, v in enumerate(values)]
    assert sorted(group.printed) == sorted(want)
