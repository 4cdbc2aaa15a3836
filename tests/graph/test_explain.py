"""What 'kdsl graph explain' tells: of steps, of nodes, and as a page."""
import html.parser
import json
import re

import numpy as np
import pytest
from test_models import mlp


@pytest.fixture
def graph(kdsl, tmp_path):
    g, y = mlp(np.random.default_rng(30))
    path = g.write(tmp_path, y)
    text = json.loads(path.read_text())
    for i, node in enumerate(text["nodes"]):
        node["at"] = f"mlp.py:{i + 1}: y = f(x) & <more>"
    path.write_text(json.dumps(text), encoding="utf-8")
    np.save(tmp_path / "x.npy", g.arrays["x"])
    return path


def test_steps(kdsl, graph):
    lines = kdsl("graph", "explain", graph).stdout.splitlines()
    assert lines[0].split() == ["step", "kind", "name", "reads", "writes", "programs", "flops", "estimate", "time", "nodes"]
    up = next(line for line in lines if "%addmm" in line and "%relu" in line)
    # 32 rows, 64 to 128: two flops for each product, and relu; reads x and the bias and the packed weights, writes the result
    assert f"{(32 * 64 * 128 * 2 + 32 * 128) / 1000:.0f} k" in up and "40.50 KiB  16.00 KiB" in up
    assert not re.search(r"\d (ns|us|ms)  %addmm", up) or "us" in up
    timed = kdsl("graph", "explain", graph, "--time").stdout.splitlines()
    assert all(len(re.findall(r"[\d.]+ (?:ns|us|ms|s)\b", line)) == 2 for line in timed[1:]) # estimate and time


def test_nodes(kdsl, graph):
    table = {line.split()[0]: line for line in kdsl("graph", "explain", graph, "--nodes").stdout.splitlines()[1:]}
    assert re.search(r"aten.relu.default +f32\[32, 128\] +primitive +0 +mlp.py:5: ", next(v for k, v in table.items() if "relu" in k))
    assert all(" view " in v for k, v in table.items() if k.startswith(("%view", "%t_")))
    assert len(table) == 11


def test_nodes_of_an_executable(kdsl, graph, tmp_path):
    """A .kx file knows the model's nodes, though its graph is another one."""
    kdsl("graph", "compile", graph, "-o", tmp_path / "mlp.kx", "--embed-weights")
    assert kdsl("graph", "explain", tmp_path / "mlp.kx", "--nodes").stdout == kdsl("graph", "explain", graph, "--nodes").stdout


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.text = set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get("id"))
        self.links.add(attributes.get("href"))

    def handle_data(self, data):
        self.text += data


def test_page(kdsl, graph, tmp_path):
    for options in [[], ["--time"], ["--in", f"x=@{tmp_path}/x.npy"]]:
        kdsl("graph", "explain", graph, "--html", tmp_path / "report.html", *options)
        text = (tmp_path / "report.html").read_text()
        page = Page(text)
        assert "http" not in text and "src=" not in text # it needs no other file
        assert {link[1:] for link in page.links if link} <= page.ids
        assert "mlp.py:5: y = f(x) & <more>" in page.text and "@triton.jit" in page.text
        assert ("measured" in page.text) == bool(options)
    assert "No such file" in kdsl("graph", "explain", graph, "--html", tmp_path / "none" / "r.html", status=3).stderr
