"""The models of the benchmark, with random weights and inputs that are always the same.

What PyTorch draws at random differs between its versions: the export's weights and inputs are for all engines."""
import pathlib

import torch
import torch.nn.functional as F
from torch import nn


class BertLayer(nn.Module):
    """Attention and an MLP with gelu, a layer norm behind each."""

    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, mask):
        q, k, v = (split_heads(f(x), self.heads) for f in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.norm1(x + self.out(mixed.transpose(1, 2).reshape(x.shape)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


def split_heads(x, heads):
    batch, time, width = x.shape
    return x.view(batch, time, heads, width // heads).transpose(1, 2)


class Bert(nn.Module):
    def __init__(self, layers=12, width=768, heads=12, inner=3072, words=30522, places=512):
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(words, width), nn.Embedding(places, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList([BertLayer(width, heads, inner) for _ in range(layers)])
        self.pool, self.classes = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, words, mask):
        places = torch.arange(words.shape[1], device=words.device)
        x = self.norm(self.words(words) + self.places(places) + self.kinds(torch.zeros_like(words)))
        mask = (1.0 - mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        for layer in self.layers:
            x = layer(x, mask)
        return self.classes(torch.tanh(self.pool(x[:, 0])))


class GptLayer(nn.Module):
    """A layer norm before causal attention, and before an MLP with gelu."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        q, k, v = (split_heads(t, self.heads) for t in self.qkv(self.norm1(x)).split(x.shape[2], 2))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, layers=6, width=512, heads=8, words=50257, places=1024):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(places, width)
        self.layers = nn.ModuleList([GptLayer(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, words):
        x = self.words(words) + self.places(torch.arange(words.shape[1], device=words.device))
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class LlamaLayer(nn.Module):
    """Root-mean-square norms, rotary positions, fewer heads of keys and values than of queries, and a gated MLP."""

    def __init__(self, width, heads, kept, inner):
        super().__init__()
        self.heads, self.kept, each = heads, kept, width // heads
        self.q, self.out = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.k, self.v = nn.Linear(width, kept * each, bias=False), nn.Linear(width, kept * each, bias=False)
        self.gate, self.up, self.down = (nn.Linear(*size, bias=False) for size in ((width, inner), (width, inner), (inner, width)))
        self.norm1, self.norm2 = RmsNorm(width), RmsNorm(width)

    def forward(self, x, cosines, sines):
        y = self.norm1(x)
        q, k, v = split_heads(self.q(y), self.heads), split_heads(self.k(y), self.kept), split_heads(self.v(y), self.kept)
        k, v = (t[:, :, None].expand(-1, -1, self.heads // self.kept, -1, -1).reshape(q.shape) for t in (turned(k, cosines, sines), v))
        mixed = F.scaled_dot_product_attention(turned(q, cosines, sines), k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


def turned(x, cosines, sines):
    half = x.shape[-1] // 2
    return x * cosines + torch.cat((-x[..., half:], x[..., :half]), -1) * sines


class Llama(nn.Module):
    def __init__(self, layers=4, width=1024, heads=16, kept=4, inner=2816):
        super().__init__()
        self.layers = nn.ModuleList([LlamaLayer(width, heads, kept, inner) for _ in range(layers)])

    def forward(self, x, cosines, sines):
        for layer in self.layers:
            x = layer(x, cosines, sines)
        return x


def llama_inputs(time=128, width=1024, each=64):
    angles = torch.outer(torch.arange(time), 10000 ** (-torch.arange(0, each, 2) / each)).repeat(1, 2)
    return torch.rand(1, time, width), angles.cos(), angles.sin()


def vision(name):
    import torchvision
    model = getattr(torchvision.models, name)(weights=None)
    for module in model.modules():      # as after training: no batch norm that does nothing
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
            nn.init.uniform_(module.weight, 0.8, 1.2)
        if isinstance(module, nn.Linear):       # ViT begins with a last layer of zeros
            nn.init.normal_(module.weight, std=0.02)
    return model


def image(batch):
    return (torch.rand(batch, 3, 224, 224),)


WEIGHTS = "weights.pt"
MODELS = {
    "resnet50-b1": lambda: (vision("resnet50"), image(1)),
    "resnet50-b8": lambda: (vision("resnet50"), image(8)),
    "mobilenetv3-b1": lambda: (vision("mobilenet_v3_small"), image(1)),
    "vit-b1": lambda: (vision("vit_b_16"), image(1)),
    "bert-128": lambda: (Bert(), (torch.randint(0, 30000, (1, 128)), torch.ones(1, 128, dtype=torch.long))),
    "gpt-256": lambda: (Gpt(), (torch.randint(0, 50000, (1, 256)),)),
    "llama-128": lambda: (Llama(), llama_inputs()),
}


def make(name):
    """A model in inference mode, and its inputs."""
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    return model.eval(), inputs


def load(name, folder):
    """The same with the weights that were exported, which are in memory once."""
    with torch.device("meta"):
        model, _ = MODELS[name]()
    model.load_state_dict(torch.load(pathlib.Path(folder) / WEIGHTS, weights_only=True), assign=True)
    return model.eval()


def in_bf16(inputs):
    return tuple(t.bfloat16() if t.is_floating_point() else t for t in inputs)
