"""Programs exported with variable shapes: compiled for those of the inputs, beside PyTorch; what a program does not take is refused in a sentence."""
import functools
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pt2 import LAYOUTS, Function, aligned_zip, new_archive, new_files  # noqa: E402

nn = torch.nn
Dim = torch.export.Dim


class Net(nn.Module):
    """Extents that are sums, quotients and products of those of the inputs, as shapes and as numbers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.linear = nn.Linear(8, 5)
        self.words = nn.Embedding(10, 8)

    def forward(self, x, ids):
        h = torch.relu(self.conv(x)).mean(3).permute(0, 2, 1).contiguous()
        b, n, c = h.shape
        h = torch.cat([h, h[:, :1]], 1)
        y = self.linear(h.reshape(-1, c)).view(b, n + 1, 5)
        e = self.words(ids)
        weights = torch.softmax(e @ e.transpose(1, 2), -1).mean(-1)
        return y * (x.shape[2] // 2) + torch.arange(n + 1)[None, :, None].float(), weights


def net_inputs(batch, height, length):
    return torch.cos(torch.arange(batch * 3 * height * 24.0)).reshape(batch, 3, height, 24), torch.arange(batch * length).reshape(batch, length) % 10


@functools.cache
def net():
    torch.manual_seed(0)
    torch._dynamo.reset()
    model = Net().eval()
    batch, height, length = Dim("batch", min=1, max=64), Dim("height", min=4, max=256), Dim("length", min=2, max=512)
    return model, torch.export.export(model, net_inputs(2, 16, 7), dynamic_shapes=({0: batch, 2: height}, {0: batch, 1: length}), strict=False)


def words_for(folder, inputs):
    words = []
    for i, x in enumerate(inputs):
        np.save(folder / f"x{i}.npy", x.numpy())
        words += ["--in", f"x{i}=@{folder}/x{i}.npy"]
    return words


def check(kdsl, folder, file, model, inputs):
    with torch.no_grad():
        expected = model(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    saves = [word for i in range(len(expected)) for word in ("--save", f"y{i}={folder}/y{i}.npy")]
    result = kdsl("graph", "run", file, *words_for(folder, inputs), *saves, "--time")
    for i, e in enumerate(expected):
        got = np.load(folder / f"y{i}.npy")
        assert got.shape == tuple(e.shape)
        np.testing.assert_allclose(got, e.numpy(), rtol=1e-4, atol=1e-5)
    return result.stdout


@pytest.mark.parametrize("layout", LAYOUTS)
def test_shapes(kdsl, tmp_path, layout):
    model, program = net()
    (tmp_path / "net.pt2").write_bytes(LAYOUTS[layout](program))
    for shape in [(2, 16, 7), (5, 31, 2), (1, 4, 30), (64, 9, 3)]:
        check(kdsl, tmp_path, tmp_path / "net.pt2", model, net_inputs(*shape))


def test_example(kdsl, tmp_path):
    """Where nothing is said, the shapes are those that the program was exported with; what is said of one input holds for the others."""
    (tmp_path / "net.pt2").write_bytes(new_archive(net()[1]))
    text = kdsl("graph", "text", tmp_path / "net.pt2").stdout
    assert "input %x: f32[2, 3, 16, 24]\ninput %ids: i64[2, 7]\n" in text
    text = kdsl("graph", "text", tmp_path / "net.pt2", "--in", "x=zeros:f32[5,3,20,24]").stdout
    assert "input %x: f32[5, 3, 20, 24]\ninput %ids: i64[5, 7]\n" in text
    text = kdsl("graph", "text", tmp_path / "net.pt2", "--in", "x1=zeros:i64[4,3]").stdout
    assert "input %x: f32[4, 3, 16, 24]\ninput %ids: i64[4, 3]\n" in text
    steps = kdsl("graph", "explain", tmp_path / "net.pt2", "--in", "x=zeros:f32[3,3,20,24]").stdout
    assert "16.88 KiB" in steps and "%conv2d, %relu" in steps # what x takes in this shape


def test_cache(kdsl, tmp_path, monkeypatch):
    """Each shape is an executable of its own, found again."""
    monkeypatch.setenv("KDSL_CACHE_DIR", str(tmp_path / "cache"))
    model, program = net()
    (tmp_path / "net.pt2").write_bytes(new_archive(program))
    for first in ["compile ", "load "]:
        for shape in [(2, 16, 7), (3, 16, 7), (3, 18, 7)]:
            assert check(kdsl, tmp_path, tmp_path / "net.pt2", model, net_inputs(*shape)).startswith(first)
    kdsl("graph", "explain", tmp_path / "net.pt2")
    assert check(kdsl, tmp_path, tmp_path / "net.pt2", model, net_inputs(2, 16, 7)).startswith("load ")


@pytest.mark.parametrize("embed", [[], ["--embed-weights"]])
def test_executable(kdsl, tmp_path, embed):
    model, program = net()
    (tmp_path / "net.pt2").write_bytes(new_archive(program))
    inputs = net_inputs(3, 18, 5)
    kdsl("graph", "compile", tmp_path / "net.pt2", *words_for(tmp_path, inputs), "-o", tmp_path / "net.kx", *embed)
    check(kdsl, tmp_path, tmp_path / "net.kx", model, inputs)
    words = words_for(tmp_path, net_inputs(4, 18, 5))
    assert "input 'x' is f32[4,3,18,24], but the graph wants f32[3,3,18,24]" in kdsl("graph", "run", tmp_path / "net.kx", *words, status=2).stderr


# ---- expressions ---------------------------------------------------------------------------------------------------------------------------


def positive(*shape):
    return torch.cos(torch.arange(float(np.prod(shape)))).reshape(shape).abs() + 1


AUTO = Dim.AUTO
PROGRAMS = { # function, shapes of the example, which dimensions vary, other shapes
    "quotients": (lambda x: x[: x.shape[0] // 2] * (x.shape[1] / 3.0), [(8, 6)], [{0: AUTO, 1: AUTO}], [[(13, 5)], [(9, 2)]]),
    "products": (lambda x: x.flatten() * x.shape[0] ** 2, [(3, 4, 5)], [{0: AUTO, 1: AUTO, 2: AUTO}], [[(7, 2, 3)], [(2, 9, 4)]]),
    "remainders": (lambda x: x + x.shape[0] % 4, [(7, 2)], [{0: AUTO}], [[(9, 2)], [(12, 2)]]),
    "largest": (lambda x: x * torch.sym_max(x.shape[0], 5) - torch.sym_min(x.shape[0], 4), [(8, 2)], [{0: AUTO}], [[(5, 2)], [(60, 2)]]),
    "roots": (lambda x: x * torch.sym_float(x.shape[0]) * 0.5, [(9, 2)], [{0: AUTO}], [[(3, 2)], [(16, 2)]]),
    "several": (lambda x, y: torch.cat([x, y]).sum(0) / (x.shape[0] + y.shape[0]), [(3, 2), (4, 2)], [{0: AUTO}, {0: AUTO}], [[(5, 2), (2, 2)]]),
    "a check": (lambda x: (torch._check(x.shape[0] < 2 * x.shape[1]), x * 2)[1], [(8, 6)], [{0: AUTO, 1: AUTO}], [[(5, 3)], [(2, 9)]]),
}


@functools.cache
def exported(name):
    f, example, dims, _ = PROGRAMS[name]
    torch._dynamo.reset()
    return torch.export.export(Function(f).eval(), tuple(positive(*s) for s in example), dynamic_shapes=(tuple(dims),), strict=False)


@pytest.mark.parametrize("name", PROGRAMS)
def test_expression(kdsl, tmp_path, name):
    f, example, _, others = PROGRAMS[name]
    (tmp_path / "net.pt2").write_bytes(new_archive(exported(name)))
    for shapes in [example, *others]:
        check(kdsl, tmp_path, tmp_path / "net.pt2", Function(f), [positive(*s) for s in shapes])


def test_derived_dimension(kdsl, tmp_path):
    """The extent of an input that is an expression itself."""
    half = Dim("half", min=2, max=100)
    model = Function(lambda x: x.view(x.shape[0] // 2, 2, 3).sum(1))
    program = torch.export.export(model, (positive(8, 3),), dynamic_shapes=(({0: 2 * half},),), strict=False)
    (tmp_path / "net.pt2").write_bytes(new_archive(program))
    for n in 8, 14, 4:
        check(kdsl, tmp_path, tmp_path / "net.pt2", model, [positive(n, 3)])
    message = kdsl("graph", "run", tmp_path / "net.pt2", "--in", "x=zeros:f32[7,3]", status=2).stderr
    assert "the input 'args_0' of the shape [7, 3]: no extent of the program makes 7" in message


# ---- what is refused -----------------------------------------------------------------------------------------------------------------------

WRONG = {
    "another batch": (["x=zeros:f32[5,3,16,24]", "ids=zeros:i64[4,7]"], "the input 'ids' of the shape [4, 7]: the program wants [5, 7]"),
    "too large": (["x=zeros:f32[65,3,16,24]"], "the input 'x' of the shape [65, 3, 16, 24]: the program takes at most 64 where this has 65"),
    "too small": (["x=zeros:f32[5,3,3,24]"], "the input 'x' of the shape [5, 3, 3, 24]: the program takes 4 to 256 where this has 3"),
    "an extent that does not vary": (["x=zeros:f32[5,3,16,25]"], "the input 'x' of the shape [5, 3, 16, 25]: the program wants [5, 3, 16, 24]"),
    "dimensions": (["ids=zeros:i64[5]"], "the input 'ids' of the shape [5]: the program wants 2 dimensions"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_shape(kdsl, tmp_path, name):
    values, expected = WRONG[name]
    (tmp_path / "net.pt2").write_bytes(new_archive(net()[1]))
    words = [word for value in values for word in ("--in", value)]
    result = kdsl("graph", "run", tmp_path / "net.pt2", *words, status=2)
    assert expected in result.stderr and result.stderr.count("\n") == 1


def test_failing_check(kdsl, tmp_path):
    (tmp_path / "net.pt2").write_bytes(new_archive(exported("a check")))
    result = kdsl("graph", "run", tmp_path / "net.pt2", "--in", "x=zeros:f32[8,4]", status=2)
    assert "a check of the program fails for these shapes: \"Runtime assertion failed for expression s1 < 2*s0" in result.stderr or \
           "a check of the program fails for these shapes: \"Runtime assertion failed for expression s0 < 2*s1" in result.stderr


def changed(change):
    files = new_files(exported("products"))
    text = json.loads(files["models/model.json"])
    change(text)
    return aligned_zip({**files, "models/model.json": json.dumps(text)})


def extent(expression):
    def change(text):
        text["graph_module"]["graph"]["tensor_values"]["view" if "view" in text["graph_module"]["graph"]["tensor_values"] else "mul"]["sizes"] = [
            {"as_expr": {"expr_str": expression, "hint": None}}]
    return change


HOSTILE = {
    "no symbol": ("Symbol('u0', integer=True)", "depends on 'u0', which is known at run time only"),
    "no function": ("Zeta(Integer(3))", "depends on 'Zeta', which is known at run time only"),
    "cut": ("Mul(Integer(3), Integer(4)", "which makes no sense"),
    "nothing": ("", "which makes no sense"),
    "no numbers": ("Mul()", "which makes no sense"),
    "divided by zero": ("FloorDiv(Integer(3), Integer(0))", "which makes no sense"),
    "huge": ("Pow(Integer(10), Integer(400))", "which makes no sense"),
    "negative": ("Integer(-3)", "is no number from 0 to 2^40"),
    "broken": ("Rational(1, 2)", "is no number from 0 to 2^40"),
    "deep": ("Add(" * 100000 + "Integer(1)" + ")" * 100000, "which makes no sense"),
    "long": ("Add(" + "Integer(1), " * 100 + "Integer(1))", "which makes no sense"),
    "a lie": ("Integer(59)", ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_expression(kdsl, tmp_path, name):
    expression, expected = HOSTILE[name]
    (tmp_path / "bad.pt2").write_bytes(changed(extent(expression)))
    result = kdsl("graph", "text", tmp_path / "bad.pt2", status=1)
    assert result.stderr.startswith("kdsl: error: ") and expected in result.stderr


def test_number_that_varies(kdsl, tmp_path):
    def add_input(text):
        module = text["graph_module"]
        module["signature"]["input_specs"].append({"user_input": {"arg": {"as_sym_int": {"as_name": "n"}}}})
        module["graph"]["sym_int_values"]["n"] = {"as_expr": {"expr_str": "Symbol('s9', integer=True)", "hint": {"as_int": 5}}}

    (tmp_path / "bad.pt2").write_bytes(changed(add_input))
    message = kdsl("graph", "text", tmp_path / "bad.pt2", status=1).stderr
    assert "the input 'n' is a number that varies: export the model with a constant there" in message


def test_number_of_a_run(kdsl, tmp_path):
    program = torch.export.export(Function(lambda x: x * x.argmax().item()), (positive(3),), strict=False)
    (tmp_path / "bad.pt2").write_bytes(new_archive(program))
    message = kdsl("graph", "text", tmp_path / "bad.pt2", status=1).stderr
    assert "its result is a number that is known at run time only" in message and "pt2.py:" in message
