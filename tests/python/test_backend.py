"""torch.compile(model, backend="kdsl"): what it compiles, what it leaves to PyTorch, and when it compiles again."""
import gc
import json
import os
import subprocess
import sys
import threading
import warnings
import weakref

import numpy as np
import pytest
import torch
from torch import nn

import kdsl
import kdsl.backend
from kdsl.part import Part


def mlp(width=64):
    return nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.LayerNorm(width), nn.Linear(width, 10), nn.Softmax(-1)).eval()


class Odd(nn.Module):
    """A model in the middle of which an op is that kdsl does not know, torch.mode."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x):
        x = torch.relu(self.first(x))
        values, places = torch.mode(x, 0)
        return self.last(values + x), places


# ---- what is compiled ----

def test_whole_model(check):
    check(mlp(), torch.randn(8, 32))
    assert (kdsl.counters.graphs, kdsl.counters.compiled, kdsl.counters.fallback_nodes) == (1, 1, 0)


def test_gpu(check, monkeypatch):
    monkeypatch.setenv("ZE_ENABLE_ALT_DRIVERS", os.path.join(os.environ["KDSL_BUILD"], "tests", "libze_pocl.so"))
    check(mlp(16), torch.randn(4, 32), options={"device": "level_zero"})


def test_mixed_model(check):
    model, x = Odd().eval(), torch.randn(8, 16)
    fast = torch.compile(model, backend="kdsl")
    with pytest.warns(UserWarning, match=r"aten\.mode\.default, 1 time: .*does not know this op \(test_backend\.py:\d+: values, places"):
        got = fast(x)
    for g, w in zip(got, model(x)):
        torch.testing.assert_close(g, w)
    assert kdsl.counters.compiled == 2 and kdsl.counters.fallbacks == {"aten.mode.default": 1}


def test_types_that_graphs_do_not_have():
    """Each node behind a complex number is told of by that, not as one that reads nothing."""
    fast = torch.compile(lambda z: torch.abs(torch.neg(z)) + 1, backend="kdsl", options={"fallback": "error"})
    with pytest.raises(Exception, match=r"'%arg0_1' is a tensor of complex64, which is not supported") as failure:
        fast(torch.randn(8, dtype=torch.complex64))
    assert "not defined" not in str(failure.value)


def test_strict_mode_refuses():
    fast = torch.compile(Odd().eval(), backend="kdsl", options={"fallback": "error"})
    with pytest.raises(Exception, match=r"cannot compile 1 node of graph(.|\n)*aten\.mode\.default, 1 time"):
        fast(torch.randn(8, 16))


def test_disabled_ops(check):
    check(mlp(), torch.randn(8, 32), whole=False, options={"disabled_ops": ["aten.relu"]})
    assert kdsl.counters.fallbacks == {"aten.relu.default": 1} and kdsl.counters.compiled == 2


def test_disabled_ops_that_are_none():
    from kdsl.options import read_options
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_options({"disabled_ops": ["aten.relu", "aten.add", "aten.add.Tensor"]})
    with pytest.warns(UserWarning, match="'disabled_ops' names 'aten.rellu', which is no op of kdsl's; did you mean 'aten.relu'?"):
        read_options({"disabled_ops": ["aten.rellu"]})


def test_known_op_that_does_not_compile(check):
    """The library knows scatter, but not of so many elements into a part of the columns: found out when the part is compiled."""
    check(lambda x, i: torch.relu(x).scatter(0, i, 2.0), torch.randn(20000, 2), torch.randperm(20000)[:, None], whole=False)
    assert list(kdsl.counters.fallbacks) == ["aten.scatter.value"]


class Rare(nn.Module):
    """Ops that kdsl has no row for, and that PyTorch writes out in others."""

    def forward(self, x, y):
        padded = torch.nn.functional.pad(x[None], (1, 2), mode="reflect")[0]
        shuffled = torch.nn.functional.pixel_shuffle(x.reshape(1, 4, 4, 8), 2)
        return torch.logaddexp(x, y), torch.nan_to_num(x / 0), padded, shuffled, torch.nn.functional.huber_loss(x, y), torch.isin(x.round(), y.round())


def test_ops_that_pytorch_writes_out(check):
    check(Rare(), torch.randn(8, 16), torch.randn(8, 16))
    assert kdsl.counters.compiled == 1


@pytest.mark.parametrize("error", [kdsl.UnsupportedError, kdsl.Error, MemoryError])
def test_parts_that_never_compile(monkeypatch, error):
    """However many there are, PyTorch runs them in the end."""
    def refuse(*_):
        raise error("no room for this")

    def model(x):
        for _ in range(7):
            x = torch.mode(x.exp() - 1, 0, keepdim=True)[0] + x
        return x

    monkeypatch.setattr("kdsl.part.Part.compile", refuse)
    x = torch.rand(4, 4) / 8
    with pytest.warns(UserWarning, match="no room for this"):
        got = torch.compile(model, backend="kdsl")(x)
    assert torch.equal(got, model(x)) and kdsl.counters.compiled == 0


def test_trying_nodes_alone_heeds_the_options(monkeypatch, tmp_path):
    monkeypatch.setenv("KDSL_CACHE_DIR", str(tmp_path / "default"))
    fast = torch.compile(lambda x, i: torch.relu(x).scatter(0, i, 2.0), backend="kdsl", options={"cache_dir": tmp_path / "mine"})
    with pytest.warns(UserWarning, match="scatter"):
        fast(torch.randn(20000, 2), torch.randperm(20000)[:, None])
    assert (tmp_path / "mine").exists() and not (tmp_path / "default").exists()


def test_gradients_are_left_to_pytorch():
    model, x = mlp(), torch.randn(8, 32)
    with torch.enable_grad():
        with pytest.warns(UserWarning, match="gradients are needed"):
            torch.compile(model, backend="kdsl")(x).sum().backward()
        assert model[0].weight.grad is not None
        with pytest.raises(Exception, match="gradients are needed"):
            torch.compile(model, backend="kdsl", options={"fallback": "error"})(torch.randn(9, 32))
    assert kdsl.counters.compiled == 0 and kdsl.counters.eager_graphs == 1


def test_autocast(check):
    model, x = mlp(), torch.randn(8, 32)
    with torch.autocast("cpu", torch.bfloat16):
        fast = check(model, x, rtol=2e-2, atol=1e-2)
        assert fast(x).dtype == model(x).dtype
    torch.testing.assert_close(fast(x), model(x), rtol=1e-5, atol=1e-5)       # without autocast it is another graph
    assert kdsl.counters.graphs == 2


def test_truth_values(check):
    check(lambda x: ~torch.ones(4, 4, dtype=torch.bool).tril() & (x > 0), torch.randn(4, 4))


# ---- memory ----

@pytest.mark.parametrize("change", [lambda x: x.t(), lambda x: x[::2, ::3], lambda x: x[1:, 1:], lambda x: x[:1].expand(6, -1)],
                         ids=["transposed", "steps", "offset", "expanded"])
def test_strides_of_inputs(check, change):
    check(lambda x: torch.exp(x) + 1, change(torch.randn(12, 12)))


def test_outputs_keep_their_strides_and_storage(check):
    check(lambda x: ((x + 1).t(), (x * 2).unsqueeze(0).expand(3, -1, -1), x, x[0], None, 5), torch.randn(4, 6))
    x = torch.randn(4)
    assert torch.compile(lambda x: (x + 1, x), backend="kdsl")(x)[1] is x


@pytest.mark.parametrize("op, shapes, more", [
    ("linear", [(6, 5), (4, 5), (4,)], []), ("mm", [(6, 5), (5, 4)], []), ("matmul", [(3, 6, 5), (3, 5, 4)], []),
    ("conv2d", [(2, 3, 8, 7), (4, 3, 3, 3)], []), ("max_pool2d", [(2, 3, 8, 8), ], [2]), ("relu", [(3, 4, 5)], []),
    ("scaled_dot_product_attention", [(2, 3, 16, 8)] * 3, [])])
def test_results_lie_as_the_graph_says(op, shapes, more):
    """Whatever order of the dimensions that is, and whatever a step would like to write."""
    tensors = [torch.randn(shape) for shape in shapes]
    expected = getattr(torch.ops.aten, op)(*tensors, *more)
    result = torch.empty(expected.permute(*reversed(range(expected.ndim))).shape).permute(*reversed(range(expected.ndim)))
    from kdsl import kg, part

    inputs = [{"n": f"%x{i}", **kg.describe(t)} for i, t in enumerate(tensors)]
    node = {"o": "%y", "op": str(getattr(torch.ops.aten, op).default), "in": [f"%x{i}" for i in range(len(tensors))] + more,
            "out": [kg.describe(result)]}
    text = json.dumps({"kg": 1, "inputs": inputs, "nodes": [node], "outputs": ["%y"]})
    executable = part.compile_text(text, op, (), "cpu", 1, True, True, None)
    [(_, _, strides, _)] = executable.outputs
    assert tuple(strides) == result.stride()
    executable.run([t.data_ptr() for t in tensors], [result.data_ptr()])
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


def test_other_strides_than_pytorch_expects(monkeypatch):
    """A result that the library lays out in another way is not taken for what it is not."""
    node_json = kdsl.backend.kg.node_json

    def contiguous(node):
        item = node_json(node)
        item["out"][0]["st"] = [4, 1]
        return item

    monkeypatch.setattr(kdsl.backend.kg, "node_json", contiguous)
    x = torch.randn(4, 4).t()
    with pytest.warns(UserWarning, match=r"%add: PyTorch expects the strides \[1, 4\], but kdsl gives \[4, 1\]"):
        got = torch.compile(lambda x: x + 1, backend="kdsl")(x)
    assert torch.equal(got, x + 1)


@pytest.mark.parametrize("name", ["linear", "matmul", "mm", "conv2d", "batch_norm", "mean", "attention"])
def test_results_in_the_strides_that_a_graph_names(name):
    """Those of a graph's outputs, whatever the op becomes."""
    f, x, w, image, kernel = nn.functional, torch.randn(4, 5), torch.randn(6, 5), torch.randn(2, 3, 8, 8), torch.randn(8, 3, 3, 3)
    rows, n = torch.randn(1, 2, 8, 16), torch.rand(4, 8) + 0.5
    convolution = ("conv2d", "aten.conv2d.default", [image, kernel], f.conv2d(image, kernel))
    nodes = {"linear": [("linear", "aten.linear.default", [x, w], x @ w.t())],
             "matmul": [("matmul", "aten.matmul.default", [x, w.t()], x @ w.t())],
             "mm": [("mm", "aten.mm.default", [x, w.t()], x @ w.t())],
             "conv2d": [convolution],
             "batch_norm": [convolution, ("batch_norm", "aten.batch_norm.default", ["%conv2d", *n, False, 0.1, 1e-5, True],
                                          f.batch_norm(convolution[3], n[2], n[3], n[0], n[1]))],
             "mean": [convolution, ("mean", "aten.mean.dim", ["%conv2d", [2, 3]], convolution[3].mean((2, 3)))],
             "attention": [("attention", "aten.scaled_dot_product_attention.default", [rows] * 3, f.scaled_dot_product_attention(rows, rows, rows))]}[name]
    want, tensors, written = nodes[-1][3], {}, []
    for node, op, args, result in nodes:
        for a in args:
            if isinstance(a, torch.Tensor):
                tensors.setdefault(id(a), (f"%a{len(tensors)}", a))
        out = torch.empty(result.shape[::-1]).permute(*reversed(range(result.dim()))) if node == name else result
        written.append({"o": f"%{node}", "op": op, "in": [tensors[id(a)][0] if isinstance(a, torch.Tensor) else a for a in args],
                        "out": [{"t": "f32", "s": list(out.shape), "st": list(out.stride())}]})
    inputs = [{"n": n, "t": "f32", "s": list(t.shape), "st": list(t.stride()), "data": {"memory": n}} if t is not image and t is not x else
              {"n": n, "t": "f32", "s": list(t.shape)} for n, t in tensors.values()]
    text = json.dumps({"kg": 1, "inputs": inputs, "nodes": written, "outputs": [f"%{name}"]})
    executable = kdsl._kdsl.compile(text, name, [(n, t.data_ptr(), 4 * t.numel()) for n, t in tensors.values()], None, 1, False)
    assert executable.outputs[0][2] == out.stride()
    executable.run([t.data_ptr() for _, t in tensors.values() if t is image or t is x], [out.data_ptr()])
    torch.testing.assert_close(out, want, rtol=1e-4, atol=1e-4)


def test_mutated_inputs(check):
    def step(x, state):
        state.mul_(0.5).add_(x)
        return state * 2

    x, state, reference = torch.randn(8), torch.ones(8), torch.ones(8)
    fast = torch.compile(step, backend="kdsl")
    for _ in range(3):
        torch.testing.assert_close(fast(x, state), step(x, reference))
        torch.testing.assert_close(state, reference)


def test_empty_and_scalar_tensors(check):
    check(lambda x, s: x * s + 1, torch.randn(0, 4), torch.tensor(3.0))
    check(lambda x, s: x * s + 1, torch.randn(2, 4), torch.tensor(3.0))


# ---- weights ----

def test_weights_that_change_in_place():
    model, x = mlp(), torch.randn(8, 32)
    fast = torch.compile(model, backend="kdsl")
    fast(x)
    model[0].weight.mul_(2)
    torch.testing.assert_close(fast(x), model(x), rtol=1e-5, atol=1e-5)
    model[0].bias.add_(1)
    torch.testing.assert_close(fast(x), model(x), rtol=1e-5, atol=1e-5)
    assert (kdsl.counters.compiled, kdsl.counters.recompiles) == (1, 0)
    for i in range(1, 6):                       # another memory, with no new version; weights that move all the time become inputs
        model[3].bias.data = torch.randn(10)
        torch.testing.assert_close(fast(x), model(x), rtol=1e-5, atol=1e-5)
        assert kdsl.counters.recompiles == min(i, 4)


def test_weights_that_are_joined_or_folded_change():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.key, self.value = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(6, 8), nn.Linear(6, 8)

        def forward(self, x):
            y = self.norm(self.conv(x))
            return torch.sigmoid(self.key(y)) * self.value(y)

    model, x = Model().eval(), torch.randn(2, 3, 8, 8)
    fast = torch.compile(model, backend="kdsl")
    fast(x)
    for tensor in (*model.parameters(), model.norm.running_mean, model.norm.running_var):
        tensor.mul_(1.5).add_(0.1)
        torch.testing.assert_close(fast(x), model(x), rtol=1e-4, atol=1e-4)
    assert (kdsl.counters.compiled, kdsl.counters.recompiles) == (1, 0)


def test_weights_that_change_without_a_new_version():
    model, x = mlp(), torch.randn(8, 32)
    fast = torch.compile(model, backend="kdsl")
    fast(x)
    for change in (lambda: model[0].weight.data.mul_(2), lambda: model[3].bias.detach().numpy().fill(3)):
        change()
        torch.testing.assert_close(fast(x), model(x), rtol=1e-5, atol=1e-5)
    assert (kdsl.counters.compiled, kdsl.counters.recompiles) == (1, 0)


def test_modules_are_no_changes():
    """More modules on one graph than weights may change: each keeps what was compiled for it, also when the weights of one become inputs."""
    layers, x = [nn.Linear(16, 16).eval() for _ in range(7)], torch.randn(4, 16)
    fast = [torch.compile(layer, backend="kdsl") for layer in layers]
    for _ in range(2):
        for f, layer in zip(fast, layers):
            torch.testing.assert_close(f(x), layer(x))
    assert (kdsl.counters.compiled, kdsl.counters.recompiles) == (7, 0)
    for _ in range(6):
        layers[0].weight.data = layers[0].weight * 0.9
        torch.testing.assert_close(fast[0](x), layers[0](x))
    assert (kdsl.counters.compiled, kdsl.counters.recompiles) == (11, 4)
    part, = (o for o in gc.get_objects() if type(o) is Part and len(o.runner.executables) == 7)
    first = layers[1].weight.data
    layers[1].weight.data = torch.zeros(16, 16)     # were it an input, nothing would be dropped
    fast[1](x)
    assert len(part.runner.executables) == 6
    layers[1].weight.data = first
    torch.testing.assert_close(fast[1](x), layers[1](x))


def test_a_weight_that_dies_while_another_is_looked_at():
    """Of two variants the second goes while the first is compared. Freed memory is overwritten, so that its use shows."""
    code = """if True:
        import numpy, weakref
        from kdsl import _kdsl
        class Tensor:
            dtype, shape, number, action = 'f32', (4,), 0, None
            def __init__(self): self.memory = numpy.ones(16, numpy.float32)
            def data_ptr(self): return self.memory.ctypes.data
            def stride(self): return (1,)
            def is_contiguous(self): return True
            @property
            def _version(self):
                if self.action: self.action.clear()
                return self.number
        text = ('{"kg": 1, "inputs": [{"n": "%x", "t": "f32", "s": [4], "role": "user"}], '
                '"nodes": [{"o": "%y", "op": "aten.relu.default", "in": ["%x"]}], "outputs": ["%y"]}')
        made = []
        def make(args, changed):
            made.append(changed)
            return _kdsl.compile(text, 'g'), [(0, 64, 'x')], [(1, 'f32', (4,), (1,))]
        r = _kdsl.Runner(2, make, lambda ref: r.forget(ref), None, [(Tensor, ())], [0])
        x, old, new = Tensor(), [Tensor()], Tensor()
        r(old[0], x); r(new, x)
        new.action, new.number = old, 1
        r(new, x)
        assert made == [False, False] and len(r.executables) == 1, made
    """
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONMALLOC": "debug"})


def test_one_graph_serves_several_modules():
    layers, x = [nn.Linear(16, 16).eval() for _ in range(3)], torch.randn(4, 16)
    fast = [torch.compile(layer, backend="kdsl") for layer in layers]
    for _ in range(2):
        for f, layer in zip(fast, layers):
            torch.testing.assert_close(f(x), layer(x))
    assert kdsl.counters.compiled == 3


def test_a_dropped_model_is_freed():
    model, x = nn.Linear(16, 16).eval(), torch.randn(4, 16)
    weight = weakref.ref(model.weight)
    torch.compile(model, backend="kdsl")(x)
    del model
    gc.collect()
    assert weight() is None


def test_weights_made_in_inference_mode():
    with torch.inference_mode():
        model, x = mlp(), torch.randn(8, 32)
        fast = torch.compile(model, backend="kdsl")
        for _ in range(2):
            torch.testing.assert_close(fast(x), model(x), rtol=1e-5, atol=1e-5)
            model[0].weight.mul_(2)


# ---- shapes ----

def test_shapes_that_vary():
    model = mlp()
    fast = torch.compile(model, backend="kdsl")
    for n in (3, 5, 7, 5, 3, 9):
        x = torch.randn(n, 32)
        torch.testing.assert_close(fast(x), model(x), rtol=1e-5, atol=1e-5)
    assert kdsl.counters.graphs == 2 and kdsl.counters.specializations == 4     # 3, and then one graph for 5, 7, 3, 9


def test_bound_on_specializations():
    model = mlp()
    fast = torch.compile(model, backend="kdsl", dynamic=True, options={"max_specializations": 2})
    for n in (2, 3):
        fast(torch.randn(n, 32))
    with pytest.warns(UserWarning, match="compiled for 2 combinations of shapes already"):
        x = torch.randn(4, 32)
        torch.testing.assert_close(fast(x), model(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fast(torch.randn(5, 32))                # said once
    assert kdsl.counters.specializations == 2
    assert max(len(o.known) for o in gc.get_objects() if type(o) is kdsl.backend.Specializer and o.bound == 2) == 2


def test_numbers_as_arguments():
    fast = torch.compile(lambda x, n: x.reshape(n, -1) * n, backend="kdsl", dynamic=True)
    for n in (2, 3, 4):
        x = torch.randn(12)
        torch.testing.assert_close(fast(x, n), x.reshape(n, -1) * n)


# ---- threads and processes ----

def test_several_threads():
    model, inputs = mlp(), [torch.randn(8, 32) for _ in range(4)]
    fast = torch.compile(model, backend="kdsl")
    fast(inputs[0])
    want, wrong = [model(x) for x in inputs], []

    def work(i):
        with torch.no_grad():
            for _ in range(30):
                if not torch.allclose(fast(inputs[i]), want[i], rtol=1e-5, atol=1e-5):
                    wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and kdsl.counters.compiled == 1


def test_after_a_fork():
    model, x = mlp(), torch.randn(8, 32)
    fast = torch.compile(model, backend="kdsl")
    want = fast(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(fast(x), want) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_c_path_gives_the_same_bits(tmp_path, kdsl):
    """The graph that the backend writes with dump_dir, with its weights in a file, through the kdsl command."""
    model, x = mlp(), torch.randn(8, 32)
    got = torch.compile(model, backend="kdsl", options={"dump_dir": tmp_path})(x)
    path, = tmp_path.glob("*.json")
    graph = json.loads(path.read_text(encoding="utf-8"))
    parameters, weights = list(model.parameters()), b""
    for item in graph["inputs"]:
        if "data" in item:                      # no two parameters of this model have the same shape but for those of the norm
            at = next(i for i, p in enumerate(parameters) if list(p.shape) == item["s"])
            tensor = parameters.pop(at)
            item["data"] = {"file": "w.bin", "at": len(weights)}
            weights += tensor.detach().numpy().tobytes() + bytes(-tensor.nbytes % 64)
    (tmp_path / "w.bin").write_bytes(weights)
    path.write_text(json.dumps(graph), encoding="utf-8")
    name, = (item["n"][1:] for item in graph["inputs"] if "data" not in item)
    np.save(tmp_path / "x.npy", x.numpy())
    kdsl("graph", "run", path, "--in", f"{name}=@x.npy", "--save", f"{graph['outputs'][0][1:]}=y.npy")
    assert np.load(tmp_path / "y.npy").tobytes() == got.numpy().tobytes()
    assert list(tmp_path.glob("*.py")), "the kernels are there too"


# ---- options, messages ----

def test_options_and_their_aliases(monkeypatch):
    from kdsl.options import read_options
    assert read_options({"device": "CPU", "model_caching": True, "config": {"CACHE_DIR": "x", "INFERENCE_NUM_THREADS": 3}}) == \
        read_options({"cache_dir": "x", "threads": 3})
    for name, ours in (("GPU", "level_zero"), ("gpu.1", "level_zero:1"), ("Level_Zero:1", "level_zero:1"), ("NPU", "npu")):
        assert read_options({"device": name}).device == ours
    monkeypatch.setenv("OPENVINO_TORCH_BACKEND_DEVICE", "GPU.0")
    assert read_options().device == "level_zero:0"
    monkeypatch.setenv("OPENVINO_TORCH_BACKEND_DEVICE", "CPU")
    monkeypatch.setenv("OPENVINO_TORCH_CACHE_DIR", "there")
    monkeypatch.setenv("OPENVINO_TORCH_MODEL_CACHING", "False")
    options = read_options()
    assert (options.device, options.cache_dir, options.cache) == ("cpu", "there", False)
    monkeypatch.setenv("KDSL_CACHE", "1")
    assert read_options().cache and not read_options({"cache": "off"}).cache
    with pytest.warns(UserWarning, match="'aot_autograd' has no effect"):
        read_options({"aot_autograd": True})
    with pytest.raises(ValueError, match="kdsl has no option 'cachedir'; did you mean 'cache_dir'"):
        read_options({"cachedir": "x"})
    with pytest.raises(ValueError, match="the option 'fallback' must be 'host' or 'error', not 'never'"):
        read_options({"fallback": "never"})
    with pytest.raises(ValueError, match="the option 'threads' must be a whole number from 0 on, not -1"):
        read_options({"threads": -1})


def test_another_device_runs_in_pytorch():
    model, x = mlp(), torch.randn(8, 32)
    with pytest.warns(UserWarning, match="there is no device 'npu'; expected cpu") as said:
        torch.testing.assert_close(torch.compile(model, backend="kdsl", options={"device": "NPU"})(x), model(x))
    text = str(said[0].message)
    assert text.count("no device") == 1 and "aten.relu.default, 1 time; " in text       # one reason, said once


def test_cache_dir(tmp_path):
    torch.compile(mlp(), backend="kdsl", options={"cache_dir": tmp_path})(torch.randn(8, 32))
    assert any((tmp_path / "kernels").iterdir())


def test_explain(capsys):
    report = kdsl.explain(Odd().eval(), torch.randn(8, 16))
    graph, = report.graphs
    assert [len(graph["parts"]), [host["op"] for host in graph["host"]]] == [2, ["aten.mode.default"]]
    assert "; 1 node left to PyTorch" in str(report) and "primitive" in str(report) and "values, places = torch.mode(x, 0)" in str(report)
    torch.compile(mlp(), backend="kdsl", options={"explain": True})(torch.randn(8, 32))
    assert "0 nodes left to PyTorch" in capsys.readouterr().out


def test_explain_needs_something_to_call():
    with pytest.raises(TypeError, match="kdsl.explain needs a model or a function, not 3"):
        kdsl.explain(3)


def test_explain_leaves_others_alone():
    """What torch.compile has compiled is not compiled again, whatever is explained; and what was explained takes no memory."""
    model, x, calls = mlp(), torch.randn(8, 32), []
    eager = torch.compile(model, backend=lambda gm, _: calls.append(gm) or gm.forward)
    fast = torch.compile(model, backend="kdsl")
    for again in range(3):
        eager(x)
        fast(x)
        assert len(calls) == 1 and kdsl.counters.graphs == 1 + 2 * again
        alive = len([o for o in gc.get_objects() if type(o) is Part and o.runner.executables])
        for n in (8, 9 + again):                # each time the graph of a shape of its own
            assert len(kdsl.explain(model, torch.randn(n, 32)).graphs) == 1
        assert len([o for o in gc.get_objects() if type(o) is Part and o.runner.executables]) == alive


def test_errors_of_the_library():
    from kdsl import _kdsl
    with pytest.raises(kdsl.Error, match="net: no JSON"):
        _kdsl.compile("{", "net")
    with pytest.raises(kdsl.UnsupportedError, match=r"net: %y = aten.odd.default: kdsl does not know this op \(net.py:3: odd\(x\)\)"):
        _kdsl.compile('{"kg": 1, "inputs": [], "nodes": [{"o": "%y", "op": "aten.odd.default", "in": [], "at": "net.py:3: odd(x)"}], "outputs": []}', "net")


def test_import_without_torch():
    code = ("import sys; sys.modules['torch'] = None; import kdsl; kdsl.counters\n"
            "try: kdsl.explain\nexcept ImportError as e: print(e)")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("kdsl.explain needs PyTorch 2.6 or newer, but 'import torch' failed: ")


def test_found_without_an_import():
    code = "import torch, sys; torch.compile(lambda x: x + 1, backend='kdsl')(torch.ones(2)); print('kdsl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"
