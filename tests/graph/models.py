"""Small models in the manner of well-known ones, for tests: random weights, few channels, all their kinds of nodes."""
import math

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


def heads(x, n):
    batch, time, width = x.shape
    return x.view(batch, time, n, width // n).transpose(1, 2)


def joined(x):
    batch, n, time, width = x.shape
    return x.transpose(1, 2).reshape(batch, time, n * width)


class Mlp(nn.Module):
    def __init__(self, width=48, depth=3):
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.last = nn.Linear(width, 10)

    def forward(self, x):
        for linear, norm in zip(self.linears, self.norms):
            x = norm(F.silu(linear(x)) + x)
        return F.softmax(self.last(x), -1)


class BertLayer(nn.Module):
    def __init__(self, width, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, mask):
        query, key, value = (heads(linear(x), self.n_heads) for linear in (self.query, self.key, self.value))
        x = self.norm1(x + self.out(joined(F.scaled_dot_product_attention(query, key, value, attn_mask=mask))))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    """Written by hand: norms behind, an additive mask, a classifier on the first token."""

    def __init__(self, width=64, n_heads=4, depth=2, words=99):
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(words, width), nn.Embedding(64, width), nn.Embedding(2, width)
        self.norm, self.layers = nn.LayerNorm(width), nn.ModuleList(BertLayer(width, n_heads) for _ in range(depth))
        self.pool, self.classes = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, ids, present):
        x = self.norm(self.words(ids) + self.places(torch.arange(ids.shape[1])) + self.kinds(torch.zeros_like(ids)))
        mask = (1.0 - present[:, None, None, :].to(x.dtype)) * torch.finfo(torch.float32).min
        for layer in self.layers:
            x = layer(x, mask)
        return self.classes(torch.tanh(self.pool(x[:, 0])))


class Encoder(nn.Module):
    """nn.TransformerEncoder, its fused path switched off."""

    def __init__(self, width=64, n_heads=4, depth=2):
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, n_heads, 2 * width, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, x):
        return self.encoder(x)


class GptBlock(nn.Module):
    def __init__(self, width, n_heads):
        super().__init__()
        self.n_heads, self.norm1, self.norm2 = n_heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        query, key, value = (heads(part, self.n_heads) for part in self.qkv(self.norm1(x)).split(x.shape[-1], 2))
        x = x + self.out(joined(F.scaled_dot_product_attention(query, key, value, is_causal=True)))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, width=64, n_heads=4, depth=2, words=101):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(64, width)
        self.blocks, self.norm = nn.ModuleList(GptBlock(width, n_heads) for _ in range(depth)), nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.words.weight

    def forward(self, ids):
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Llama(nn.Module):
    """A block with root-mean-square norms, rotary positions, fewer heads of keys and values, which it writes to a cache, and a gated MLP."""

    def __init__(self, width=64, n_heads=8, n_kept=2, hidden=96):
        super().__init__()
        self.n_heads, self.n_kept, each = n_heads, n_kept, width // n_heads
        self.query, self.out = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.key, self.value = (nn.Linear(width, n_kept * each, bias=False) for _ in range(2))
        self.gate, self.up = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, width, bias=False)
        self.weight1, self.weight2 = nn.Parameter(torch.rand(width) + 0.5), nn.Parameter(torch.rand(width) + 0.5)

    @staticmethod
    def normed(x, weight):
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).type_as(x) * weight

    @staticmethod
    def turned(x, cosines, sines):
        half = x.shape[-1] // 2
        return x * cosines + torch.cat((-x[..., half:], x[..., :half]), -1) * sines

    def forward(self, x, cosines, sines, mask, keys, values, places):
        y = self.normed(x, self.weight1)
        query, key, value = heads(self.query(y), self.n_heads), heads(self.key(y), self.n_kept), heads(self.value(y), self.n_kept)
        keys[:, :, places] = self.turned(key, cosines, sines)
        values[:, :, places] = value
        all_keys, all_values = (kept.repeat_interleave(self.n_heads // self.n_kept, 1) for kept in (keys, values))
        mixed = F.scaled_dot_product_attention(self.turned(query, cosines, sines), all_keys, all_values, attn_mask=mask)
        x = x + self.out(joined(mixed))
        y = self.normed(x, self.weight2)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


def llama_inputs(dtype, time=4, kept=16, each=8):
    angles = torch.rand(time, each)
    mask = torch.zeros(1, 1, time, kept).masked_fill(torch.arange(kept)[None] > torch.arange(time)[:, None], -math.inf)
    return (torch.rand(1, time, 64).to(dtype), angles.cos().to(dtype), angles.sin().to(dtype), mask.to(dtype),
            torch.zeros(1, 2, kept, each, dtype=dtype), torch.zeros(1, 2, kept, each, dtype=dtype), torch.arange(time))


def words(n=2, time=16):
    return torch.randint(0, 99, (n, time))


def image(size, n=1):
    return torch.rand(n, 3, size, size)


# Each model and its inputs; seeded by the caller.
MODELS = {
    "resnet50": lambda: (torchvision.models.resnet50(), (image(64),)),
    "mobilenet_v3_small": lambda: (torchvision.models.mobilenet_v3_small(), (image(64),)),
    "vit": lambda: (torchvision.models.VisionTransformer(32, 8, 12, 4, 64, 128, num_classes=10), (image(32),)),
    "bert": lambda: (Bert(), (words(), (torch.arange(16)[None] < torch.tensor([[16], [11]])).long())),
    "encoder": lambda: (Encoder(), (torch.rand(2, 12, 64),)),
    "gpt": lambda: (Gpt(), (words(),)),
    "llama": lambda: (Llama(), llama_inputs(torch.float32)),
    "mlp": lambda: (Mlp(), (torch.rand(32, 48),)),
    "densenet121": lambda: (torchvision.models.densenet121(), (image(64),)),
    "shufflenet": lambda: (torchvision.models.shufflenet_v2_x0_5(), (image(64),)),
}
