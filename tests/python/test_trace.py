"""The walk that makes a functional graph (kdsl.trace) gives what AOTAutograd gives, and leaves to it what needs its care."""
import pytest
import torch
from torch import nn
from torch._functorch.aot_autograd import aot_module_simplified
from torch._subclasses.fake_tensor import FakeTensor


from kdsl import backend, kg
from kdsl.decompositions import decompositions


class Net(nn.Module):
    """Ops in place, a sum in place, a convolution, norms, views, several results."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.act, self.last, self.layer = nn.ReLU(inplace=True), nn.Linear(8, 6), nn.LayerNorm(6)

    def forward(self, x):
        y = self.act(self.norm(self.conv(x)))
        z = nn.functional.hardswish(self.conv(x), inplace=True)
        z += y
        z = nn.functional.max_pool2d(z, 2).mean((2, 3))
        a, b = self.layer(self.last(z)).chunk(2, 1)
        return {"sum": torch.where(a > b, a, 0.5), "rest": (b.t().contiguous(), None, torch.arange(4, dtype=torch.int64))}


def attention(q, k):
    mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(diagonal=0)
    y = nn.functional.scaled_dot_product_attention(q, k, k, attn_mask=mask)
    return nn.functional.gelu(y).transpose(1, 2).reshape(q.shape[0], -1) * 0.5 + torch.tensor_split(q, 2)[0].sum()


def casts(x, w):
    with torch.autocast("cpu", torch.bfloat16):
        y = x @ w
        with torch.autocast("cpu", enabled=False):
            z = torch.sigmoid_(y.float() @ w)
    return y, z + x @ w


def turned_in_place(x):
    """Averaging over all places of channels that are last makes other strides in place."""
    y = nn.functional.adaptive_avg_pool2d((x + 1).contiguous(memory_format=torch.channels_last), 1)
    z = (x * 2).unsqueeze_(0)
    return y.flatten(1), z.squeeze_(0) + 1


def lines(graph):
    """A graph's nodes, without their names, and without what keeps gradients apart: there are none."""
    names, said = {}, []
    for node in graph.nodes:
        if node.target is torch.ops.aten.detach.default:
            names[node] = names[node.args[0]]
            continue
        if kg.is_getitem(node):
            names[node] = f"{names[node.args[0]]}.{node.args[1]}"
            continue
        names[node] = f"v{len(names)}"
        value = node.meta.get("val")
        types = [(v.dtype, v.shape, v.stride()) if isinstance(v, torch.Tensor) else v for v in (value if isinstance(value, (list, tuple)) else [value])]
        args = list(node.args[0]) if node.op == "output" else node.args
        said.append(f"{names[node] if node.op == 'placeholder' else node.target} {torch.fx.map_arg((args, node.kwargs), names.get)} {types} {kg.line_of(node)}")
    return said


@pytest.fixture
def traced(monkeypatch):
    """For each graph: what kdsl.trace made of it, or None, and the lines that AOTAutograd gives for it."""
    found, walk = [], backend.trace

    def both(gm, examples):
        other = []

        def keep(graph_module, _):
            other.extend(lines(graph_module.graph))
            return lambda *_: ()
        aot_module_simplified(gm, list(examples), fw_compiler=keep, inference_compiler=keep, decompositions=decompositions())
        functional = walk(gm, examples)
        found.append((functional and lines(functional.graph), other))
        return functional
    monkeypatch.setattr(backend, "trace", both)
    return found


@pytest.mark.parametrize("autocast", [False, True], ids=["f32", "bf16"])
@pytest.mark.parametrize("model, args", [
    (Net().eval(), [torch.randn(2, 3, 8, 8)]), (attention, [torch.randn(2, 4, 16, 8), torch.randn(2, 4, 16, 8)]), (casts, [torch.randn(8, 8)] * 2),
    (turned_in_place, [torch.randn(2, 4, 3, 5)]),
    (nn.Sequential(nn.Conv1d(4, 4, 3), nn.GroupNorm(2, 4), nn.SiLU(True), nn.Dropout()).eval(), [torch.randn(2, 4, 9)])],
    ids=["net", "attention", "casts", "turned", "sequence"])
def test_the_same_as_aotautograd(check, traced, model, args, autocast):
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        check(model, *args, rtol=3e-2 if autocast else 1e-4, atol=3e-2 if autocast or model is casts else 1e-5, whole=False)
    (mine, other), = traced
    assert mine == other
    assert not torch.is_autocast_enabled("cpu")


def test_in_inference_mode(traced):
    with torch.inference_mode():
        model, x = Net().eval(), torch.randn(2, 3, 8, 8)
        torch.testing.assert_close(torch.compile(model, backend="kdsl")(x), model(x), rtol=1e-4, atol=1e-5)
    (mine, other), = traced
    assert mine == other


def fill_a_part(x):
    y = torch.zeros(8, 4)
    y[2:6] = x
    return y + 1


def write_to_an_argument(x):
    x.mul_(2)
    return x + 1


def write_to_a_base(x):
    y = x + 1
    z = y[:2]
    y.mul_(3)
    return z * 2, y


def two_views(x):
    y = x + 1
    return y, y.t()


def change_a_type(x):
    y = (x * 4).to(torch.int32)
    y.div_(2, rounding_mode="floor")
    return y


def other_modes(x):
    with torch.autocast("cpu", torch.bfloat16):
        y = x @ x
        x.add_(1)
    return y


def write_in_other_strides(x):
    a, b = torch.unsafe_chunk(x + 1, 2, 1)          # as nn.LSTMCell does
    return a.sigmoid_() * b


@pytest.mark.parametrize("model", [fill_a_part, write_in_other_strides, write_to_an_argument, write_to_a_base, two_views, lambda x: x[1:], lambda x: x.view(-1),
                                   torch.vmap(lambda row: row.sum() * row), lambda x: torch.empty_like(x).uniform_() * 0 + x,
                                   lambda x: torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,)), other_modes],
                         ids=["part", "strides", "argument", "base", "views", "slice", "view", "vmap", "random", "cond", "modes"])
def test_left_to_aotautograd(monkeypatch, model):
    made, walk = [], backend.trace
    monkeypatch.setattr(backend, "trace", lambda gm, examples: made.append(walk(gm, examples)))
    x, reference = torch.randn(4, 4), torch.empty(4, 4)
    reference.copy_(x)
    got = torch.compile(model, backend="kdsl")(x)
    torch.testing.assert_close(got, model(reference), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(x, reference)
    assert made == [None] and not torch.is_autocast_enabled("cpu")


def test_no_tensor_without_data_is_left_behind(check):
    """Not even in what autocast keeps of weights."""
    layer, x = nn.Linear(8, 8), torch.randn(4, 8)
    with torch.autocast("cpu", torch.bfloat16):
        check(layer, x, rtol=2e-2, atol=2e-2)
        assert not isinstance(layer(x), FakeTensor)


def test_ops_of_pytorch_know_no_autocast():
    """All casts are in the graph, also where PyTorch runs an op of it."""
    def model(x, w):
        with torch.autocast("cpu", enabled=False):
            return torch.relu(x @ w)

    x, w = torch.randn(8, 64), torch.randn(64, 8)
    with torch.autocast("cpu", torch.bfloat16), pytest.warns(UserWarning, match=r"aten\.mm\.default, 1 time"):
        got = torch.compile(model, backend="kdsl", options={"disabled_ops": ["aten.mm"]})(x, w)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, torch.relu(x @ w), rtol=1e-5, atol=1e-5)
