"""Archives that are damaged, hostile, or of programs that kdsl cannot run: a sentence that says what is wrong, and where."""
import io
import json
import os
import pickle
import zipfile

import pytest

torch = pytest.importorskip("torch")

from pt2 import aligned_zip, export, new_archive, new_files, old_archive  # noqa: E402

nn = torch.nn
X = torch.linspace(-1, 1, 12).reshape(2, 6)


def program():
    torch.manual_seed(0)
    return export(nn.Sequential(nn.Linear(6, 3), nn.ReLU()), X)


def refused(kdsl, folder, data, status=1):
    (folder / "bad.pt2").write_bytes(data)
    result = kdsl("graph", "text", folder / "bad.pt2", status=status)
    assert result.stderr.startswith("kdsl: error: ") and "bad.pt2" in result.stderr and result.stderr.count("\n") == 1
    return result.stderr


# ---- programs ------------------------------------------------------------------------------------------------------------------------------


class Function(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f
        self.register_buffer("count", torch.zeros(6))

    def forward(self, x):
        return self.f(self, x)


def changed_base(self, x):
    base = x * 2
    flat = base.view(12)
    base.add_(1)
    return flat


PROGRAMS = {
    "unknown op": (lambda self, x: torch.linalg.det(x[:, :2]), "kdsl does not know this op (", "in_the_line"),
    "a view of what is changed": (changed_base, "while 'view' is another view of that memory and read later", "base.add_(1)"),
    "dropout": (lambda self, x: torch.nn.functional.dropout(x, 0.5, True), "dropout of a model in training mode: export it after model.eval()", ""),
    "complex numbers": (lambda self, x: torch.fft.fft(x).real, "has a type that kdsl does not know (number 10", ""),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(kdsl, tmp_path, name):
    f, expected, line = PROGRAMS[name]
    message = refused(kdsl, tmp_path, new_archive(export(Function(f), X.clone())))
    assert expected in message and "test_bad_pt2.py:" in message
    assert line in message or line == "in_the_line"


# ---- files ---------------------------------------------------------------------------------------------------------------------------------


def changed_program(change):
    files = new_files(program())
    text = json.loads(files["models/model.json"])
    change(text)
    return aligned_zip({**files, "models/model.json": json.dumps(text)})


def without(name):
    return aligned_zip({k: v for k, v in new_files(program()).items() if k != name})


def with_file(name, data):
    return aligned_zip({**new_files(program()), name: data})


def compressed():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in new_files(program()).items():
            z.writestr("model/" + name, data)
    return file.getvalue()


def set_sizes(text):
    text["graph_module"]["graph"]["tensor_values"]["linear"]["sizes"][1]["as_int"] = 4


def set_version(text):
    text["schema_version"]["major"] = 9


def misspell(text):
    text["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"]["as_tensor"]["name"] = "nobody"


def twice(text):
    nodes = text["graph_module"]["graph"]["nodes"]
    nodes.append(nodes[-1])


FILES = {
    "another archive": (lambda: aligned_zip({"readme.txt": "hello"}), "a zip archive, but no program of torch.export.save"),
    "another format": (lambda: with_file("archive_format", "pt3"), "an archive of another format than pt2"),
    "no model": (lambda: without("models/model.json"), "the archive has no model"),
    "no weight": (lambda: without("data/weights/weight_0"), "the archive has no file 'model/data/weights/weight_0'"),
    "no list of weights": (lambda: without("data/weights/model_weights_config.json"), "the archive has no data for the tensor '0.weight'"),
    "a short weight": (lambda: with_file("data/weights/weight_0", bytes(8)), "the tensor '0.weight' has 8 bytes, but the program needs 72"),
    "compressed": (compressed, "compressed"),
    "no JSON": (lambda: with_file("models/model.json", "{"), "the program is no JSON"),
    "an empty program": (lambda: with_file("models/model.json", "{}"), "the program does not tell its version"),
    "a newer version": (lambda: changed_program(set_version), "version 9 of exported programs; this kdsl reads version 8"),
    "other sizes": (lambda: changed_program(set_sizes), "but the file says f32[2, 4]"),
    "an unknown value": (lambda: changed_program(misspell), "%linear = aten.linear.default: "),
    "a value twice": (lambda: changed_program(twice), "is defined twice"),
}


@pytest.mark.parametrize("name", FILES)
def test_file(kdsl, tmp_path, name):
    make, expected = FILES[name]
    assert expected in refused(kdsl, tmp_path, make())


@pytest.mark.parametrize("make", [new_archive, old_archive])
def test_cut_short(kdsl, tmp_path, make):
    data = make(program())
    for n in [4, 30, 100, len(data) // 2, len(data) - 40, len(data) - 1]:
        refused(kdsl, tmp_path, data[:n])


# ---- pickles -------------------------------------------------------------------------------------------------------------------------------


def with_pickle(data, order="little"):
    """An archive of torch 2.6 whose weights are this pickle."""
    weights = aligned_zip({"data.pkl": data, "byteorder": order, "data/0": bytes(72), "data/1": bytes(12)}, "archive")
    with zipfile.ZipFile(io.BytesIO(old_archive(program()))) as z:
        files = {name: z.read(name) for name in z.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        for name, content in {**files, "serialized_state_dict.pt": weights}.items():
            z.writestr(name, content)
    return file.getvalue()


class Evil:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


PICKLES = {
    "a command": (lambda: pickle.dumps({"0.weight": Evil(os.system, "touch was_run")}, 2), "the pickle calls 'posix.system', but tensors alone are read, and nothing is run"),
    "eval": (lambda: pickle.dumps({"0.weight": Evil(eval, "1")}, 4), "the pickle calls 'builtins.eval'"),
    "a number for a tensor": (lambda: pickle.dumps({"0.weight": 3}), "'0.weight' is no tensor"),
    "a list": (lambda: pickle.dumps([1, 2]), "the pickle is no dictionary of tensors"),
    "nothing": (lambda: b"", "the pickle is damaged: it is cut short"),
    "no end": (lambda: pickle.dumps({"a": 1})[:-1], "the pickle is damaged: it is cut short"),
    "text": (lambda: b"?hello", "the pickle has the opcode 0x3f, which tensors do not need"),
    "an empty stack": (lambda: b"\x80\x02R.", "it calls what is no function"),
    "a memory that is not there": (lambda: b"\x80\x02h\x07.", "a value is missing, or of another kind"),
    "a far place in memory": (lambda: b"\x80\x02}r\xff\xff\xff\x7f.", "a value is missing, or of another kind"),
    "long text": (lambda: b"\x80\x02X\xff\xff\xff\x7fab.", "a value is missing, or of another kind"),
}


@pytest.mark.parametrize("name", PICKLES)
def test_pickle(kdsl, tmp_path, name):
    make, expected = PICKLES[name]
    assert expected in refused(kdsl, tmp_path, with_pickle(make()))
    assert not list(tmp_path.glob("was_run"))


def test_big_endian(kdsl, tmp_path):
    assert "the numbers are in big-endian order" in refused(kdsl, tmp_path, with_pickle(pickle.dumps({}), "big"))
