"""Views are index maps: no kernel of their own, whatever is computed before and behind them."""
import numpy as np
import pytest
from kg import Graph

f32 = np.float32
VIEWS = {
    "view": ((4, 6, 10), "aten.view.default", ([24, 10],), lambda x: x.reshape(24, 10)),
    "view_open": ((4, 6, 10), "aten.view.default", ([2, -1, 5],), lambda x: x.reshape(2, -1, 5)),
    "view_odd": ((6, 10), "aten.reshape.default", ([4, 15],), lambda x: x.reshape(4, 15)),
    "permute": ((4, 6, 10), "aten.permute.default", ([2, 0, 1],), lambda x: x.transpose(2, 0, 1)),
    "transpose": ((4, 6, 10), "aten.transpose.int", (1, -1), lambda x: x.swapaxes(1, 2)),
    "t": ((40, 6), "aten.t.default", (), lambda x: x.T),
    "expand": ((4, 1, 10), "aten.expand.default", ([3, -1, 5, 10],), lambda x: np.broadcast_to(x, (3, 4, 5, 10))),
    "unsqueeze": ((4, 6), "aten.unsqueeze.default", (-1,), lambda x: x[..., None]),
    "squeeze": ((4, 1, 6), "aten.squeeze.dim", (1,), lambda x: x[:, 0]),
    "squeeze_dims": ((1, 4, 1, 6), "aten.squeeze.dims", ([0, 2],), lambda x: x.reshape(4, 6)),
    "select": ((4, 6, 10), "aten.select.int", (1, -2), lambda x: x[:, -2]),
    "slice": ((4, 60), "aten.slice.Tensor", (1, 3, 9223372036854775807, 4), lambda x: x[:, 3::4]),
    "slice_end": ((40, 6), "aten.slice.Tensor", (0, -9, -2), lambda x: x[-9:-2]),
    "slice_none": ((4, 6), "aten.slice.Tensor", (0, 3, 1), lambda x: x[3:1]),
    "detach": ((4, 6), "aten.detach.default", (), lambda x: x),
}


@pytest.mark.parametrize("name", VIEWS)
def test_view(kdsl, tmp_path, name):
    shape, op, args, fn = VIEWS[name]
    rng = np.random.default_rng(10)
    g = Graph()
    x = g.input("x", rng.standard_normal(shape).astype(f32))
    before = g.op("aten.exp.default", x, is_=np.exp)
    view = g.op(op, before, *args, is_=fn)
    behind = g.op("aten.neg.default", view, is_=lambda v: -v)
    g.check(kdsl, tmp_path, behind, kernels=2 if name == "expand" else 1)    # what is repeated is computed once
    g.check(kdsl, tmp_path, view, behind)
    g.check(kdsl, tmp_path, g.op(op, x, *args, is_=fn), kernels=1)


def test_split(kdsl, tmp_path):
    rng = np.random.default_rng(11)
    g = Graph()
    x = g.input("x", rng.standard_normal((5, 96)).astype(f32))
    a, b, c = g.op("aten.split.Tensor", x, 40, -1, is_=lambda x: (x[:, :40], x[:, 40:80], x[:, 80:]))
    d, e = g.op("aten.split_with_sizes.default", x, [40, 56], 1, is_=lambda x: (x[:, :40], x[:, 40:]))
    g.check(kdsl, tmp_path, g.op("aten.mul.Tensor", a, b, is_=np.multiply), g.op("aten.add.Tensor", d, a, is_=np.add), c, e)


def test_heads(kdsl, tmp_path):
    """[batch, time, heads * width] to heads and back, with work between."""
    rng = np.random.default_rng(12)
    g = Graph()
    x = g.input("x", rng.standard_normal((2, 8, 48)).astype(f32))
    e = g.op("aten.exp.default", x, is_=np.exp)
    v = g.op("aten.view.default", e, [2, 8, 3, 16], is_=lambda x: x.reshape(2, 8, 3, 16))
    p = g.op("aten.permute.default", v, [0, 2, 1, 3], is_=lambda x: x.transpose(0, 2, 1, 3))
    m = g.op("aten.mean.dim", p, [-1], True, is_=lambda x: x.mean(-1, keepdims=True))
    c = g.op("aten.sub.Tensor", p, m, is_=np.subtract)
    q = g.op("aten.permute.default", c, [0, 2, 1, 3], is_=lambda x: x.transpose(0, 2, 1, 3))
    r = g.op("aten.clone.default", q, is_=np.ascontiguousarray)
    y = g.op("aten.view.default", r, [2, 8, 48], is_=lambda x: x.reshape(2, 8, 48))
    g.check(kdsl, tmp_path, g.op("aten.add.Tensor", y, x, is_=np.add))


def test_many_reshapes(kdsl, tmp_path):
    """Each pair of views puts the index of the one before into all dimensions of the next."""
    g = Graph()
    v = g.input("x", np.arange(64 * 81 * 25, dtype=np.float32).reshape(64, 81, 25))
    for i in range(16):
        v = g.op("aten.permute.default", v, [2, 0, 1], is_=lambda v: v.transpose(2, 0, 1))
        shape = [(64, 81, 25), (27, 100, 48), (75, 32, 54)][(i + 1) % 3]
        v = g.op("aten.reshape.default", v, shape, is_=lambda v, s=shape: v.reshape(s))
    g.check(kdsl, tmp_path, g.op("aten.neg.default", v, is_=np.negative))
