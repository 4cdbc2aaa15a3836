"""What callers hand to a compiled model and get from it, in the modes that PyTorch has, and what else they do with it."""
import copy
import gc
import pickle
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import kdsl
from kdsl.part import Part


def compiled(model, **more):
    return torch.compile(model, backend="kdsl", **more)


def layers():
    return nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8)).eval()


def same(got, want, tolerance=1e-5):
    """Structure, kinds and layout exactly, numbers nearly."""
    found, wanted = torch.utils._pytree.tree_flatten(got), torch.utils._pytree.tree_flatten(want)
    assert found[1] == wanted[1]
    for g, w in zip(found[0], wanted[0]):
        if isinstance(w, torch.Tensor):
            assert (g.dtype, g.shape, g.stride()) == (w.dtype, w.shape, w.stride())
            torch.testing.assert_close(g, w, rtol=tolerance, atol=tolerance)
        else:
            assert g == w and type(g) is type(w)


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.calls, self.last = nn.Linear(8, 8), 0, None

    def forward(self, x, *, scale=1.0, flag=True, mask=None):
        self.calls += 1
        self.last = y = self.linear(x) * scale
        if mask is not None:
            y = y.masked_fill(mask, 0)
        return {"y": y, "none": None, "more": (y + 1, [x, "text", 3]), "flag": flag}


# ---- arguments and results ----

def test_names_dicts_and_none():
    model, x = Nested().eval(), torch.randn(4, 8)
    fast = compiled(model)
    for names in ({}, {"scale": 2.0}, {"scale": 2.5}, {"scale": 3, "flag": False}, {"mask": torch.rand(4, 8) > 0.5}):
        want = model(x, **names)
        same(fast(x, **names), want)
        assert model.last is not None
    assert model.calls == 10 and kdsl.counters.fallback_nodes == 0


def test_lists_and_numpy():
    x = torch.ones(2)
    same(compiled(lambda xs, d: xs[0] + d["a"] + sum(xs))([x, x], {"a": x}), torch.full((2,), 4.0))
    same(compiled(lambda a: torch.from_numpy(a) * 2)(np.ones(3, np.float32)), torch.full((3,), 2.0))


def test_numbers():
    def model(x, i, f, b):
        return (x * i + f, i + 1) if b else (x - i, f)

    fast, x = compiled(model), torch.randn(5)
    for numbers in ((1, 0.5, True), (2, 0.5, True), (2, 0.25, True), (2, 0.125, True), (3, 0.25, False), (7, 1.0, True), (1 << 40, 0.1, True)):
        same(fast(x, *numbers), model(x, *numbers))


def test_results_that_share_memory():
    def model(x):
        y = x + 1
        return y, y.t(), y[0], y

    got = compiled(model)(torch.randn(4, 4))
    got[0].fill_(7)
    assert all(bool((t == 7).all()) for t in got) and got[3] is got[0]


def test_results_that_are_arguments():
    layer, x, y = nn.Linear(4, 4), torch.randn(2, 4), torch.randn(2, 4)
    got = compiled(lambda x, y: (x, y[1:], x + y, layer.weight))(x, y)
    assert got[0] is x and got[3] is layer.weight
    got[1].zero_()
    assert not y[1:].any() and y[0].any()


def test_written_arguments_and_buffers():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", torch.zeros(4))

        def forward(self, x, out, state):
            self.n.add_(1)
            state[1:] = x[1:]
            torch.add(x, self.n, out=out)
            return out * 2

    model, reference = Counter(), Counter()
    fast, x = compiled(model), torch.randn(4)
    (out, state), (want_out, want_state) = [[torch.ones(4), torch.ones(4)] for _ in range(2)]
    for _ in range(3):
        same(fast(x, out, state), reference(x, want_out, want_state))
        same((out, state, model.n), (want_out, want_state, reference.n))


def test_no_elements():
    model = layers()
    fast = compiled(model)
    for n in (0, 3, 0, 1, 4):
        x = torch.randn(n, 8)
        same(fast(x), model(x))

    def sums(x):
        return x.sum(), x.sum(0), x.mean(1), torch.cat([x, x]), x @ x.t(), x.t() @ x
    same(compiled(sums)(torch.randn(0, 4)), sums(torch.randn(0, 4)))


def test_channels_last():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)).eval()
    fast, x = compiled(model), torch.randn(2, 3, 16, 16)
    for form in (torch.contiguous_format, torch.channels_last):
        same(fast(x.to(memory_format=form)), model(x.to(memory_format=form)), 1e-4)
    model.to(memory_format=torch.channels_last)
    same(fast(x).contiguous(), model(x).contiguous(), 1e-4)     # PyTorch foretells other strides than it gives


def test_complex_numbers_are_left_to_pytorch():
    x = torch.randn(4, dtype=torch.complex64)
    with pytest.warns(UserWarning, match=r"aten\.mul\.Tensor, 1 time: .*'%arg0_1' is a tensor of complex64"):
        got = compiled(lambda x: torch.view_as_real(x * x).abs() + 1)(x)
    same(got, torch.view_as_real(x * x).abs() + 1)
    assert kdsl.counters.compiled == 1


def test_random_numbers_are_pytorchs():
    def model(x):
        return nn.functional.dropout(x, 0.5, True) + torch.rand(4)
    torch.manual_seed(3)
    want = model(torch.ones(4))
    torch.manual_seed(3)
    with pytest.warns(UserWarning):
        same(compiled(model)(torch.ones(4)), want)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_norms_that_train(layout):
    """In training mode without gradients: by the statistics of the batch, and the kept ones follow."""
    norms = nn.BatchNorm2d(8), nn.BatchNorm2d(8, momentum=0.3, affine=False), nn.InstanceNorm2d(8, affine=True, track_running_stats=True)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), norms[0], nn.ReLU(), norms[1], nn.BatchNorm2d(8, track_running_stats=False), norms[2]).train()
    other = copy.deepcopy(model)
    fast = compiled(other, options={"fallback": "error"})
    for i in range(3):
        x = (torch.randn(4, 3, 9, 9) * (i + 1) + i).to(memory_format=layout)
        with torch.no_grad():
            same(fast(x), model(x), 2e-5)
        same(dict(other.state_dict()), dict(model.state_dict()), 2e-5)


# ---- modes ----

def test_modes():
    """Each has code of its own, and keeps it."""
    model, x = layers(), torch.randn(2, 8)
    fast = compiled(model)
    for _ in range(3):
        same(fast(x), model(x))
        with torch.inference_mode():
            got = fast(x)
            assert got.is_inference()
            same(got, model(x))
        with torch.autocast("cpu", torch.bfloat16):
            assert fast(x).dtype == torch.bfloat16
            with torch.inference_mode(), torch.autocast("cpu", enabled=False):
                same(fast(x), model(x))
    assert kdsl.counters.graphs == 3 and kdsl.counters.recompiles == 0


@pytest.mark.parametrize("more", [{"fullgraph": True}, {"mode": "default"}, {"mode": "max-autotune"}, {"dynamic": False}], ids=str)
def test_arguments_of_torch_compile(more):
    model, x = layers(), torch.randn(2, 8)
    fast = compiled(model, **more)
    if more.get("mode") == "max-autotune":
        with pytest.warns(UserWarning, match="the mode 'max-autotune' has no effect here"):
            fast(x)
    same(fast(x), model(x))


def test_gradients_of_some():
    """Where nothing that needs a gradient comes in, the graph is compiled with gradients switched on, too."""
    model, x = layers().requires_grad_(False), torch.randn(2, 8)
    fast = compiled(model)
    with torch.enable_grad():
        assert not fast(x).requires_grad and kdsl.counters.compiled == 1
        x.requires_grad_()
        with pytest.warns(UserWarning, match="gradients are needed"):
            fast(x).sum().backward()
    assert x.grad is not None


# ---- weights ----

def test_weights_change_in_every_way():
    model, x = layers(), torch.randn(4, 8)
    model[3].weight = model[0].weight           # tied
    fast, big = compiled(model, options={"max_recompiles": 100}), torch.randn(16, 16)

    def step():
        with torch.enable_grad():
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            model(x).sum().backward()
            optimizer.step()

    def load():
        model.load_state_dict({name: torch.rand_like(t) + 0.5 if t.is_floating_point() else t for name, t in model.state_dict().items()})

    changes = [lambda: None, load, lambda: model[0].weight.add_(1), lambda: model[1].running_mean.add_(1), lambda: model[1].running_var.mul_(2), step,
               lambda: setattr(model[0], "weight", nn.Parameter(big[2:10, 3:11])), lambda: big.mul_(2),
               lambda: setattr(model[0].weight, "data", torch.randn(8, 8)), lambda: setattr(model[0].weight, "data", torch.randn(8, 8).t()),
               lambda: setattr(model[3], "bias", None)]
    for change in changes:
        change()
        same(fast(x), model(x), 1e-4)
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        model.to(dtype)
        same(fast(x.to(dtype)), model(x.to(dtype)), 2e-2 if dtype == torch.bfloat16 else 1e-4)


class Attention(nn.Module):
    """Products with one argument in common, an embedding, norms, a convolution with its batch norm, numbers of a buffer."""

    def __init__(self):
        super().__init__()
        self.words, self.norm, self.scale = nn.Embedding(11, 16), nn.LayerNorm(16), nn.Buffer(torch.tensor(0.25))
        self.q, self.k, self.v = (nn.Linear(16, 16) for _ in range(3))
        self.conv, self.batch = nn.Conv1d(16, 16, 3, padding=1), nn.BatchNorm1d(16)

    def forward(self, tokens):
        x = self.norm(self.words(tokens))
        x = x + nn.functional.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x)) * self.scale
        return torch.relu(self.batch(self.conv(x.transpose(1, 2)))) + self.batch.weight.cumsum(0)[:, None]


@pytest.mark.parametrize("autocast", [False, True], ids=["f32", "bf16"])
def test_each_weight_is_taken_over(autocast):
    """After a change in place of any one, whatever it became part of, and without compiling again."""
    model, tokens = Attention().eval(), torch.randint(11, (2, 7))
    fast = compiled(model, options={"max_recompiles": 100})
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = fast(tokens)
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name == "batch.num_batches_tracked":
                continue
            tensor.mul_(torch.rand_like(tensor) + 1.5).add_(0.125)
            got = fast(tokens)
            assert not torch.equal(got, before) or name == "k.bias", name
            if not autocast:
                same(got, model(tokens), 1e-4)
            before = got
        assert kdsl.counters.recompiles == 0 and kdsl.counters.compiled == 1
        assert torch.equal(compiled(copy.deepcopy(model))(tokens), before), "the same bits as when it is compiled for these weights"


def test_a_weight_that_is_transposed_where_it_is():
    """TorchDynamo of PyTorch 2.6 does not look at it again, 2.13 does; address, version and elements are as they were."""
    model, x = layers(), torch.randn(2, 8)
    fast = compiled(model)
    fast(x)
    for _ in range(3):
        model[3].weight.data = model[3].weight.data.t()
        same(fast(x), model(x))
    with pytest.raises(Exception, match=r"a value is torch.float32\[3, 8\] on cpu, but the graph was compiled for torch.float32\[8, 8\]|broadcast"):
        model[3].weight.data = torch.randn(3, 8)
        fast(x)


@pytest.mark.skipif(not hasattr(torch.compiler, "skip_guard_on_inbuilt_nn_modules_unsafe"), reason="this PyTorch has no filters of guards")
def test_weights_change_where_no_guard_looks():
    model, x = layers(), torch.randn(4, 8)
    fast = compiled(model, options={"guard_filter_fn": torch.compiler.skip_guard_on_inbuilt_nn_modules_unsafe})
    same(fast(x), model(x))
    model[0].weight.mul_(2)
    same(fast(x), model(x))
    model[3].weight = nn.Parameter(torch.randn(8, 8))
    same(fast(x), model(x))
    with torch.compiler.set_stance("default", skip_guard_eval_unsafe=True):
        model[0].bias.add_(1)
        same(fast(x), model(x))
        model[0].weight = nn.Parameter(torch.randn(8, 8))
        same(fast(x), model(x))


def test_weights_in_odd_strides():
    model, x = nn.Linear(8, 8).eval(), torch.randn(2, 8)
    fast = compiled(model)
    for weight in (torch.randn(8, 8).t(), torch.randn(1, 8).expand(8, 8), torch.randn(20, 20)[1:17:2, 2:18:2]):
        model.weight = nn.Parameter(weight)
        same(fast(x), model(x))


def test_copies():
    """Copies have weights of their own; what is compiled does not travel."""
    model, x = layers(), torch.randn(2, 8)
    fast = compiled(model)
    fast(x)
    other, third = copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))
    same([other(x), third(x)], [model(x)] * 2)
    other._orig_mod[0].weight.zero_()
    assert not torch.equal(other(x), fast(x))
    same([fast(x), third(x)], [model(x)] * 2)
    model.compile(backend="kdsl")
    same(model(x), third(x))


# ---- shapes and threads ----

@pytest.mark.parametrize("model, shapes", [
    (lambda x, y: torch.cat([x, y], 1) * x.shape[0], [(2, 3), (3, 4), (4, 5)]),
    (lambda x, y: x.reshape(-1, x.shape[-1] // 2).sum(1) + y.numel(), [(2, 4), (3, 6), (4, 8)]),
    (lambda x, y: (x.shape[0] * 2, x * 2, None), [(2, 2), (3, 2), (4, 2)]),
    (lambda x, y: torch.arange(x.shape[0])[None] + y.long()[:, :1], [(2, 2), (3, 2), (4, 2)])], ids=["cat", "reshape", "sizes", "arange"])
def test_sizes_in_the_model(model, shapes):
    fast = compiled(model, dynamic=True)
    for shape in shapes:
        x = torch.randn(shape)
        same(fast(x, x), model(x, x))


def test_mark_dynamic():
    model = layers()
    fast = compiled(model)
    for n in (4, 6, 9, 4):
        x = torch.randn(n, 8)
        torch._dynamo.mark_dynamic(x, 0)
        same(fast(x), model(x))
    assert (kdsl.counters.graphs, kdsl.counters.specializations) == (1, 3)


def test_weights_are_packed_for_a_few_shapes_only(monkeypatch):
    """For more, memory would grow by all weights with each."""
    monkeypatch.setattr("kdsl.backend.PACKED_BYTES", 1000)
    model = layers()
    fast = compiled(model, dynamic=True)
    for n in range(2, 10):
        x = torch.randn(n, 8)
        same(fast(x), model(x))
    known, = (o.known for o in gc.get_objects() if type(o) is kdsl.backend.Specializer and len(o.known) == 8)
    parts = [o for o in gc.get_objects() if type(o) is Part and any(o.runner is run for run in known.values())]
    assert sorted(part.as_inputs for part in parts) == [False] * 4 + [True] * 4


def test_threads_with_shapes_of_their_own():
    model, wrong = layers(), []
    fast = compiled(model)                      # with dynamic=True PyTorch changes what all threads read

    def work(first):
        try:
            with torch.no_grad():
                for i in range(8):
                    x = torch.randn(first + i % 3, 8)
                    same(fast(x), model(x))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(first,)) for first in (2, 3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    torch._dynamo.reset()
    kdsl.counters.reset()
    same(compiled(model)(torch.randn(2, 8)).shape, torch.Size([2, 8]))
    assert kdsl.counters.compiled == 1, "threads left TorchDynamo switched off"


# ---- processes ----

PROCESS = """
import sys, torch
from torch import nn
torch.manual_seed(0)
model, x = nn.Sequential(nn.Linear(16, 24), nn.GELU(), nn.LayerNorm(24), nn.Linear(24, 8), nn.Softmax(-1)).eval(), torch.randn(5, 16)
print("compiling", flush=True)
with torch.no_grad():
    got = torch.compile(model, backend="kdsl", options={"cache_dir": sys.argv[1], "fallback": "error"})(x)
torch.testing.assert_close(got, model(x))
import kdsl
print("loaded:", kdsl.counters.loaded, file=sys.stderr)
print(got.numpy().tobytes().hex())
"""


def begin(folder):
    return subprocess.Popen([sys.executable, "-c", PROCESS, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_and_one_that_is_killed(tmp_path):
    """All with one cache."""
    killed = begin(tmp_path)
    killed.stdout.readline()
    time.sleep(0.5)
    killed.kill()
    killed.communicate()
    both = [begin(tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert all(process.returncode == 0 for process in both) and said[0] == said[1]
    again = begin(tmp_path)
    output, errors = again.communicate(timeout=300)
    assert output == said[0] and again.returncode == 0 and "loaded: 1\n" in errors


# ---- the cache of executables ----

@pytest.fixture
def load(tmp_path, monkeypatch):
    """Compiles a model as another process would, and compares it with PyTorch. Returns it, and how many executables were in the cache."""
    monkeypatch.setattr(Part, "keeps", True)

    def run(model, x, **options):
        torch._dynamo.reset()
        kdsl.counters.reset()
        fast = torch.compile(model, backend="kdsl", options={"cache_dir": tmp_path, "fallback": "error", **options})
        torch.testing.assert_close(fast(x), model(x), rtol=1e-4, atol=1e-5)
        assert kdsl.counters.compiled == 1
        return fast, kdsl.counters.loaded
    return run


class Folded(nn.Module):
    """Weights that are packed, folded, joined, and read as they are."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.key, self.value = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(6, 8), nn.Linear(6, 8)
        self.scale = nn.Parameter(torch.rand(8))

    def forward(self, x):
        y = self.norm(self.conv(x))
        return torch.sigmoid(self.key(y)) * self.value(y) * self.scale


def test_executables_are_loaded(load, tmp_path):
    model, x = Folded().eval(), torch.randn(2, 3, 8, 8)
    assert load(model, x)[1] == 0
    assert load(model, x)[1] == 1
    twin = Folded().eval()
    assert load(twin, x)[1] == 0            # other weights
    twin.load_state_dict(model.state_dict())
    assert load(twin, x)[1] == 1            # the same elsewhere
    assert load(model, torch.randn(3, 3, 8, 8))[1] == 0
    assert load(model, x, fusion=False)[1] == 0 and load(model, x, threads=3)[1] == 0
    assert load(model, x, cache=False)[1] == 0
    assert len(list((tmp_path / "graphs").iterdir())) == 5


def test_weights_change_after_loading(load):
    model, x = Folded().eval(), torch.randn(2, 3, 8, 8)
    load(model, x)
    fast, n_loaded = load(model, x)
    assert n_loaded == 1
    for tensor in (*model.parameters(), model.norm.running_mean, model.norm.running_var):
        tensor.mul_(1.5).add_(0.1)
        torch.testing.assert_close(fast(x), model(x), rtol=1e-4, atol=1e-4)
    assert (kdsl.counters.compiled, kdsl.counters.loaded, kdsl.counters.recompiles) == (2, 1, 1)    # from then on they are packed again


def test_damaged_executables_are_replaced(load, tmp_path):
    model, x = Folded().eval(), torch.randn(2, 3, 8, 8)
    load(model, x)
    entry, = (tmp_path / "graphs").iterdir()
    whole = entry.read_bytes()
    for damaged in (b"", whole[:-64], whole[:-1] + bytes([whole[-1] ^ 1]), whole[:4000] + b"x" + whole[4001:]):
        entry.write_bytes(damaged)
        assert load(model, x)[1] == 0 and entry.read_bytes() == whole
    entry.chmod(0o666)                      # anybody may have put code there
    assert load(model, x)[1] == 0
