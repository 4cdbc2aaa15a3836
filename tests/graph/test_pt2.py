"""Programs of torch.export.save, run without Python, beside PyTorch."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from pt2 import LAYOUTS, Function, export, new_archive  # noqa: E402

nn, F = torch.nn, torch.nn.functional


def run(kdsl, folder, data, inputs, n_outputs=1, options=()):
    (folder / "model.pt2").write_bytes(data)
    words = []
    for i, x in enumerate(inputs):
        np.save(folder / f"x{i}.npy", x.numpy())
        words += ["--in", f"x{i}=@{folder}/x{i}.npy"]
    for i in range(n_outputs):
        words += ["--save", f"y{i}={folder}/y{i}.npy"]
    kdsl("graph", "run", folder / "model.pt2", *words, *options)
    return [np.load(folder / f"y{i}.npy") for i in range(n_outputs)]


def check(kdsl, folder, model, *inputs, layout="newer", rtol=1e-4, atol=1e-5, options=()):
    """Compares what kdsl makes of the exported model with what PyTorch makes of the model itself."""
    with torch.no_grad():
        expected = model.eval()(*[x.clone() for x in inputs])
    expected = list(expected) if isinstance(expected, (tuple, list)) else [expected]
    got = run(kdsl, folder, LAYOUTS[layout](export(model, *inputs)), inputs, len(expected), options)
    for g, e in zip(got, expected):
        assert g.shape == tuple(e.shape) and str(g.dtype) == str(e.dtype).removeprefix("torch.")
        np.testing.assert_allclose(g, e.numpy(), rtol=rtol, atol=atol)


class Bert(nn.Module):
    """Embeddings, positions, and an encoder as nn.Transformer builds it."""

    def __init__(self, width=64, layers=2, words=100, time=16):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.places = nn.Parameter(torch.randn(time, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, ids):
        return self.encoder(self.words(ids) + self.places)


def randomize(model):
    """Statistics of batch norms as training leaves them."""
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.5, 1.5)
    return model


def test_buffers_with_attributes(kdsl, tmp_path):
    """torch.compile notes what it knows of a buffer in an attribute, and torch.save writes such tensors in another way."""
    model = nn.BatchNorm1d(8)
    model.running_mean.normal_()
    model.running_mean._dynamo_static_input_type = "guarded"
    model.weight._dynamo_static_input_type = "guarded"
    data = LAYOUTS["torch 2.6"](export(model, torch.randn(4, 8)))
    assert b"_rebuild_from_type_v2" in data
    check(kdsl, tmp_path, model, torch.randn(4, 8), layout="torch 2.6")


VISION = {"resnet50": torchvision.models.resnet50, "mobilenet_v3_small": torchvision.models.mobilenet_v3_small}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", VISION)
def test_vision(kdsl, tmp_path, name, layout):
    torch.manual_seed(0)
    check(kdsl, tmp_path, randomize(VISION[name](weights=None)), torch.randn(1, 3, 224, 224), layout=layout, rtol=1e-3, atol=1e-3)


def test_vision_transformer(kdsl, tmp_path):
    torch.manual_seed(3)
    model = torchvision.models.VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=4, hidden_dim=64, mlp_dim=128)
    check(kdsl, tmp_path, model, torch.randn(1, 3, 32, 32), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bert(kdsl, tmp_path, layout):
    torch.manual_seed(1)
    check(kdsl, tmp_path, Bert(), torch.randint(0, 100, (2, 16)), layout=layout)


# ---- one thing at a time -------------------------------------------------------------------------------------------------------------------


@torch.library.custom_op("transformers::grouped_mm_fallback", mutates_args=())
def grouped_mm(input: torch.Tensor, weight: torch.Tensor, offs: torch.Tensor) -> torch.Tensor:
    """As the library of transformers has it: rows in groups, each group with a matrix of its own."""
    parts = torch.tensor_split(input, offs.tolist())[:-1]
    rest = input.shape[0] - int(offs[-1])
    return torch.cat([part @ w for part, w in zip(parts, weight)] + [input.new_zeros(rest, weight.shape[2])])


@grouped_mm.register_fake
def _(input, weight, offs):
    return input.new_empty(input.shape[0], weight.shape[2])


class Experts(nn.Module):
    """A mixture of experts: each row takes two of them."""

    def __init__(self, n_experts=4, width=16):
        super().__init__()
        self.gate = nn.Linear(width, n_experts)
        self.up, self.down = nn.Parameter(torch.randn(n_experts, 24, width)), nn.Parameter(torch.randn(n_experts, 24, width))

    def forward(self, x):
        share, expert = self.gate(x).softmax(-1).topk(2)
        expert, order = expert.reshape(-1).sort()
        ends = torch.histc(expert.float(), bins=self.up.shape[0], min=0, max=self.up.shape[0] - 1).cumsum(0, dtype=torch.int32)
        y = grouped_mm(F.silu(grouped_mm(x[order // 2], self.up.transpose(-2, -1), ends)), self.down, ends)
        return (y * share.reshape(-1)[order, None])[order.argsort()].view(x.shape[0], 2, -1).sum(1), ends


def test_mixture_of_experts(kdsl, tmp_path):
    check(kdsl, tmp_path, Experts(), torch.randn(11, 16))


def shared_storage():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            whole = torch.randn(4, 6)
            self.a, self.b = nn.Parameter(whole[:2]), nn.Parameter(whole[2:].t())
            self.c = self.a
            self.register_buffer("kept", torch.arange(6.0))
            self.register_buffer("lost", torch.ones(6), persistent=False)

        def forward(self, x):
            return x @ self.a.t() @ self.c + x @ self.b @ self.b.t() + self.kept + self.lost + torch.tensor([1.5])

    return Tied()


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.lstm = nn.GRUCell(6, 4), nn.LSTMCell(4, 3)

    def forward(self, x):
        h, state = x.new_zeros(2, 4), None
        for t in range(2):
            h = self.gru(x[:, t], h)
            state = self.lstm(h, state)
        return torch.cat((h, *state), 1)


X, Y = torch.linspace(-2, 2, 24).reshape(4, 6), torch.linspace(1, 3, 24).reshape(4, 6)
Q = torch.sin(torch.arange(2 * 3 * 5 * 8.0)).reshape(2, 3, 5, 8)
IMAGE = torch.cos(torch.arange(2 * 4 * 9 * 9.0)).reshape(2, 4, 9, 9)



def changed_slices(x):
    y, z = x * 2, x.clone()
    y[1:, ::2] = 3
    y[0].add_(z[0])
    z[:, 1].zero_()
    z[:, 1:3].mul_(y[:, 1:3])
    return y, z + y


def changed_views(x):
    y = x * 2
    y.view(3, 8)[1].add_(1)
    y.t()[2].mul_(3)
    y.permute(1, 0).unsqueeze(0)[:, 1:3].sub_(0.5)
    y.unbind(0)[1].zero_()
    y.split([1, 3])[1].view(-1)[4:6].fill_(7)
    y.chunk(2, 1)[1].transpose(0, 1)[0, 1:].copy_(x[0, :3])
    y[1:, 2].index_put_((torch.tensor([2, 0]),), torch.tensor([5.0, 6.0]))
    return y


def changed_input(x, y):
    x[1:].add_(1)
    y.t().mul_(2)
    return x + y


MODELS = {
    "weights in one storage, buffers, constants": (shared_storage, X),
    "in place": (lambda: Function(lambda x: (x + 1).relu_().mul_(2).add_(x, alpha=3)), X),
    "in place, under all its names": (lambda: Function(lambda x: [y := x * 2, z := y.detach(), z.add_(1), y + z][-1]), X),
    "in place, through a view that alone is read": (lambda: Function(lambda x: (x * 2).view(24).add_(1)), X),
    "in place, a slice of what is read later": (lambda: Function(changed_slices), X),
    "in place, through views of what is read later": (lambda: Function(changed_views), X),
    "several outputs": (lambda: Function(lambda x, y: (x + y, x - y, x * y)), X, Y),
    "numbers and none": (lambda: Function(lambda x, y: torch.clamp(x, max=0.5) + torch.clamp(y, min=2)), X, Y),
    "infinity": (lambda: Function(lambda x: x.masked_fill(x > 1, float("-inf"))), X),
    "linear": (lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3, bias=False)), X.reshape(2, 2, 6)),
    "convolutions": (lambda: nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3, padding="same", groups=4),
                                           nn.Conv2d(8, 4, (1, 2), padding="valid", bias=False)), IMAGE),
    "batch norm, pools, flatten": (lambda: randomize(nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU6(inplace=True), nn.MaxPool2d(2),
                                                                   nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout())), IMAGE),
    "softmax": (lambda: Function(lambda x: torch.softmax(x, 0) + F.log_softmax(x, dim=-1)), X),
    "layer norm": (lambda: nn.LayerNorm(6), X),
    "reshapes": (lambda: Function(lambda x: x.t().reshape(3, 8).flatten().unflatten(0, (2, 12)).unsqueeze(1).squeeze().contiguous()), X),
    "pieces": (lambda: Function(lambda x: [c := x.chunk(3, dim=1), u := x.unbind(0), c[0] * c[2] + u[1][0] - x.split([1, 3])[1].sum()][-1]), X),
    "fills": (lambda: Function(lambda x: x + torch.zeros_like(x) + torch.full_like(x, 2.5) + x.new_ones(6) + torch.arange(6)), X),
    "norms": (lambda: nn.Sequential(nn.RMSNorm(6), nn.Linear(6, 6), nn.RMSNorm(6, eps=1e-3), nn.GroupNorm(2, 6)), X),
    "norms of images": (lambda: nn.Sequential(nn.InstanceNorm2d(4, track_running_stats=True), nn.LocalResponseNorm(3)), IMAGE),
    "repetitions": (lambda: Function(lambda x: x.repeat_interleave(3, 1).tile(2, 1) + x.rot90().roll(1, 0).sum()), X),
    "einsum": (lambda: Function(lambda q, k: torch.einsum("bhqd,bhkd->bhqk", q, k) + torch.einsum("...ij,...ij->...", q, k)[..., None, None]), Q, Q.flip(-1)),
    "dimensions that move": (lambda: Function(lambda q: q.movedim(1, -1).swapaxes(0, 1).adjoint().narrow(-1, 1, 2) + q.T.flatten()[0]), Q),
    "split in another way": (lambda: Function(lambda x: [a := torch.hsplit(x, 3), b := torch.tensor_split(x, (1, 4), 1), a[1].sum() + b[1]][-1]), X),
    "stacks and grids": (lambda: Function(lambda x, y: torch.hstack((x, y)).sum() + torch.meshgrid(x[0], y[0], indexing="ij")[1] +
                                          torch.broadcast_tensors(x[0], y[:, :1])[1].sum()), X, Y),
    "spreads": (lambda: Function(lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True) + x.var(unbiased=False) + torch.std_mean(x, 0)[0]), X),
    "products of vectors": (lambda: Function(lambda x, y: torch.inner(x, y).sum() + torch.mv(x, y[0]).sum() + torch.outer(x[0], y[0]) + torch.dot(x[1], y[1])), X, Y),
    "windows": (lambda: nn.Sequential(nn.Unfold(3), nn.Flatten(), nn.Unflatten(1, (36, 7, 7)), nn.PixelShuffle(3)), IMAGE),
    "one image, odd windows": (lambda: nn.Sequential(nn.Conv2d(4, 6, 4, padding="same"), nn.ConvTranspose2d(6, 4, 3)), IMAGE[0]),
    "operators in place": (lambda: Function(lambda x: [m := x > 0, m.__iand__(x < 1), m.__ior__(x < -1), torch.where(m, x, 0.5)][-1]), X),
    "other names": (lambda: Function(lambda x: torch.clip(torch.negative(x), max=1).absolute().multiply(2).true_divide(3).nan_to_num() + F.selu(x) +
                                     F.one_hot(torch.arange(6) % 3, 6).sum(0) + torch.where(torch.isfinite(x).logical_and(x.greater(0)), 1, 0)), X),
    "recurrent cells": (Recurrent, X.reshape(2, 2, 6)),
    "losses": (lambda: Function(lambda x, y: F.mse_loss(x, y) + F.cross_entropy(x, torch.tensor([1, 0, 3, 2])) + F.cosine_similarity(x, y).sum()), X, Y),
    "types": (lambda: Function(lambda x: (x.to(torch.float64) * 2).float() + x.to(torch.int32).to(torch.float32).type_as(x)), X),
    "products": (lambda: Function(lambda q, k: (q @ k.mT) @ q + (q[0, 0] @ k[0].mT).sum() + q @ k[0, 0].mT @ q[0]), Q, Q.flip(-1)),
    "attention": (lambda: Function(lambda q, k: F.scaled_dot_product_attention(q, k, q)), Q, Q.flip(-1)),
    "causal attention": (lambda: Function(lambda q, k: F.scaled_dot_product_attention(q, k, q, is_causal=True, scale=0.3)), Q, Q.flip(-1)),
    "masked attention": (lambda: Function(lambda q, k, m: F.scaled_dot_product_attention(q, k, q, attn_mask=m) +
                                                  F.scaled_dot_product_attention(q, k, q, attn_mask=m * 0.5)), Q, Q.flip(-1),
                         torch.ones(5, 5).tril().bool()),
}


@pytest.mark.parametrize("name", MODELS)
def test_op(kdsl, tmp_path, name):
    torch.manual_seed(2)
    model, *inputs = MODELS[name]
    check(kdsl, tmp_path, model(), *inputs, atol=1e-4 if name in ("linear", "convolutions", "products") else 1e-5)


class Cache(nn.Module):
    """Rows of each call behind those of the calls before, and how many there were."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rows", torch.full((6, 6), 0.5).t())
        self.register_buffer("count", torch.tensor(3))

    def forward(self, x):
        self.count.add_(1)
        self.rows[1:3].copy_(x[:2] + self.rows[2:4])
        self.rows.t()[4].mul_(2)
        return x @ self.rows + self.count


@pytest.mark.parametrize("functional", (False, True))
def test_buffers_that_change_stay_so_for_the_session(kdsl, tmp_path, functional):
    model, n = Cache().eval(), 3
    program = torch.export.export(model, (X,), strict=False)
    torch.export.save(program.run_decompositions() if functional else program, tmp_path / "m.pt2")
    expected = [model(X) for _ in range(n)]
    np.save(tmp_path / "x.npy", X.numpy())
    for i in (1, n):
        kdsl("graph", "run", tmp_path / "m.pt2", "--in", f"x=@{tmp_path}/x.npy", "--save", f"y={tmp_path}/y.npy", "--repeat", i, "--no-cache")
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected[i - 1].numpy(), rtol=1e-5)
    result = kdsl("graph", "compile", tmp_path / "m.pt2", "-o", tmp_path / "m.kx", status=1)
    assert "an executable whose runs change its buffers is not saved yet" in result.stderr


@pytest.mark.parametrize("functional", (False, True))
def test_inputs_that_change_are_results_too(kdsl, tmp_path, functional):
    program = torch.export.export(Function(changed_input), (X, Y), strict=False)
    torch.export.save(program.run_decompositions() if functional else program, tmp_path / "m.pt2")
    x, y = X.clone(), Y.clone()
    expected = [changed_input(x, y), x, y]
    words = []
    for i, value in enumerate((X, Y)):
        np.save(tmp_path / f"x{i}.npy", value.numpy())
        words += ["--in", f"x{i}=@{tmp_path}/x{i}.npy"]
    words += [word for i in range(3) for word in ("--save", f"y{i}={tmp_path}/y{i}.npy")]
    kdsl("graph", "run", tmp_path / "m.pt2", *words, "--no-cache")
    for i, value in enumerate(expected):
        np.testing.assert_allclose(np.load(tmp_path / f"y{i}.npy"), value.numpy(), rtol=1e-5)
