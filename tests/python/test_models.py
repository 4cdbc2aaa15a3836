"""Whole models with random weights against PyTorch alone. Tolerances: sums in another order, f32; the error is set against the largest output."""
import os
import re
import subprocess
import sys

import pytest
import torch
import torchvision
from torch import nn

import kdsl


def perturb(model):
    """Weights and statistics that are not all alike: zeros hide mistakes."""
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.is_floating_point():
            if tensor.ndim < 2:
                tensor.add_(torch.rand_like(tensor) * 0.1)
            elif not tensor.any():
                tensor.normal_(std=0.02)
    return model.eval()


def compare(model, *args, tolerance, autocast=False, options=None):
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        want = model(*args)
        got = torch.compile(model, backend="kdsl", options=options)(*args)
    assert got.dtype == want.dtype and got.shape == want.shape
    error = (got.float() - want.float()).abs().max() / want.float().abs().max()
    assert error < tolerance, f"relative error {error:.2g}"
    assert kdsl.counters.compiled == 1 and kdsl.counters.fallback_nodes == 0, kdsl.counters


class Attention(nn.Module):
    """Causal, written out as GPT does it."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in self.qkv(x).split(c, -1))
        scores = (q @ k.transpose(-2, -1)) * (c // self.heads) ** -0.5
        mask = torch.ones(t, t, dtype=torch.bool).tril()
        y = scores.masked_fill(~mask, float("-inf")).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, c))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, words=200, width=64, heads=4, layers=2, longest=32):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(longest, width)
        self.blocks, self.norm = nn.ModuleList(Block(width, heads) for _ in range(layers)), nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.words.weight.t()


def encoder():
    layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, activation="gelu", batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


@pytest.mark.parametrize("autocast", [False, True], ids=["f32", "bf16"])
def test_resnet50(autocast):
    compare(perturb(torchvision.models.resnet50()), torch.randn(1, 3, 64, 64), tolerance=3e-2 if autocast else 2e-5, autocast=autocast)


def test_mobilenet_v3_small():
    compare(perturb(torchvision.models.mobilenet_v3_small()), torch.randn(1, 3, 64, 64), tolerance=2e-5)


def test_vit_b_16():
    compare(perturb(torchvision.models.VisionTransformer(64, 16, 2, 4, 64, 128)), torch.randn(2, 3, 64, 64), tolerance=2e-5)


@pytest.mark.parametrize("autocast", [False, True], ids=["f32", "bf16"])
def test_transformer_encoder(autocast):
    compare(perturb(encoder()), torch.randn(2, 24, 64), tolerance=2e-2 if autocast else 1e-5, autocast=autocast)


@pytest.mark.parametrize("autocast", [False, True], ids=["f32", "bf16"])
def test_gpt(autocast):
    compare(perturb(Gpt()), torch.randint(200, (2, 32)), tolerance=2e-2 if autocast else 1e-5, autocast=autocast)


def test_the_example():
    project = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    said = subprocess.run([sys.executable, os.path.join(project, "examples", "model.py")], capture_output=True, text=True, check=True).stdout
    assert re.match(r'torch\.compile\(resnet50, backend="kdsl"\): ok, relative error \S+; [\d.]+ ms a call', said), said
