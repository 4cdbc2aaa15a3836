"""Cases of test_ops.py for ops on images: sampling, adaptive pools, windows put back, boxes."""
import torch
import torchvision  # noqa: F401

from draw import bf16, case, f32, f64, i32, i64


def grid(d, shape, dtype=f32):
    """Places inside and far outside of an image, some of them at the very edges."""
    x = d.values(shape, dtype, -2.5, 2.5)
    x[d.values(shape, torch.bool)] *= 0.5
    x.flatten()[::7] = d.pick(-1.0, 1.0, 0.0)
    return x


@case("aten.grid_sampler.default", "aten.grid_sampler_2d.default", n=9)
def grid_sampler_2d(d, op):
    dtype, how = d.pick(f32, f32, f64), d.pick(0, 1, 2)
    x = d.tensor([int(d.rng.integers(1, 3)), d.pick(1, 3, 4), d.pick(1, 5), d.pick(1, 2, 7)], dtype)
    places = grid(d, [x.tensor.shape[0], d.pick(1, 4), 6, 2], dtype)
    if how == 1:    # between two elements, rounding errors decide
        places += 0.013
    d.graph.op(op, x, d.graph.input(d.memory(places)), how, d.pick(0, 1, 2), d.pick(True, False))


@case("aten.grid_sampler_2d.default", n=3)
def grid_sampler_specials(d, op):
    x, places = d.values([1, 2, 4, 5], f32), grid(d, [1, 3, 4, 2])
    x[0, 0, 1, 2], x[0, 1, 0, 0] = float("inf"), float("nan")
    places[0, 0, 0, 0], places[0, 1, 0, 1] = 1e30, -float("inf")
    d.graph.op(op, d.graph.input(x), d.graph.input(places), d.pick(0, 1), 0, d.pick(True, False))


@case("aten.grid_sampler_3d.default", n=6)
def grid_sampler_3d(d, op):
    x = d.tensor([2, 3, d.pick(1, 4), 5, d.pick(1, 3)], d.pick(f32, f64))
    d.graph.op(op, x, d.graph.input(grid(d, [2, 3, 2, 4, 3], x.tensor.dtype) + 0.013), d.pick(0, 1), d.pick(0, 1, 2), d.pick(True, False))


@case("aten.affine_grid_generator.default", n=6)
def affine_grid(d, op):
    n = d.pick(2, 3)
    d.graph.op(op, d.tensor([2, n, n + 1]), [2, 3, d.pick(1, 4), 5, 6][:n + 2], d.pick(True, False))


@case("aten.upsample_bicubic2d.default", n=8)
def upsample_bicubic(d, op):
    size, scales = d.pick(([8, 9], (None, None)), ([3, 2], (None, None)), ([1, 1], (None, None)), ([10, 13], (2.0, 2.6)))
    d.graph.op(op, d.tensor([2, 3, 5, d.pick(5, 5, 1)] if scales[0] is None else [1, 2, 5, 5], d.pick(f32, f64, bf16)), size, d.pick(True, False), *scales)


@case("aten.upsample_bicubic2d.vec", n=4)
def upsample_bicubic_vec(d, op):
    d.graph.op(op, d.tensor([2, 3, 5, 4]), *d.pick(([7, 9], True, None), (None, False, [2.0, 1.5]), (None, True, [0.6, 2.0])))


@case("aten.adaptive_max_pool1d.default", "aten.adaptive_max_pool2d.default", "aten.adaptive_max_pool3d.default", n=8)
def adaptive_max_pool(d, op):
    n = int(str(op).split("pool")[1][0])
    sizes = [int(d.rng.integers(1, 10)) for _ in range(n)]
    x = d.values(d.pick([2, 3], [4]) + sizes, d.pick(f32, f64, bf16))
    x.flatten()[::3] = d.pick(-float("inf"), 0.5)
    d.graph.op(op, d.graph.input(d.memory(x)), [d.pick(s, 1, max(1, s // 2), s + 2, 3) for s in sizes])


@case("aten.max_unpool2d.default", "aten.max_unpool3d.default", n=3)
def max_unpool(d, op):
    n = int(str(op).split("pool")[1][0])
    x = d.values([2, 3] + [6, 4, 8][:n], f32)
    values, places = (torch.nn.functional.max_pool2d if n == 2 else torch.nn.functional.max_pool3d)(x, 2, return_indices=True)
    d.graph.op(op, d.graph.input(values), d.graph.input(places), [6, 4, 8][:n], *([] if n == 2 else [[2] * 3, [0] * 3]))


@case("aten.col2im.default", n=8)
def col2im(d, op):
    size, dilation, padding, stride = [d.pick(1, 2, 3), 2], [1, d.pick(1, 2)], [d.pick(0, 1), 1], [d.pick(1, 2), d.pick(1, 3)]
    image = [int(d.rng.integers(5, 9)), int(d.rng.integers(5, 9))]
    windows = [(image[i] + 2 * padding[i] - dilation[i] * (size[i] - 1) - 1) // stride[i] + 1 for i in range(2)]
    columns = d.tensor([*d.pick([], [2]), 3 * size[0] * size[1], windows[0] * windows[1]], d.pick(f32, f64, bf16))
    d.graph.op(op, columns, image, size, dilation, padding, stride)


@case("torchvision.roi_align.default", n=6)
def roi_align(d, op):
    x = d.tensor([2, 3, 7, 9], d.pick(f32, f64))
    boxes = d.values([4, 5], x.tensor.dtype, -4.0, 20.0)
    boxes[:, 0], boxes[:, 3:] = torch.tensor([0, 1, 1, 0]), boxes[:, 1:3] + d.values([4, 2], x.tensor.dtype, -0.5, 9.0)
    d.graph.op(op, x, d.graph.input(boxes), d.pick(1.0, 0.5), d.pick(1, 3), 2, d.pick(1, 2, 3), d.pick(True, False))


@case("aten.tril_indices.default", "aten.triu_indices.default", n=8)
def triangle_indices(d, op):
    d.graph.op(op, int(d.rng.integers(0, 7)), int(d.rng.integers(0, 7)), int(d.rng.integers(-8, 9)), dtype=d.pick(i64, i32))


@case("aten.isin.Tensor_Tensor", n=5)
def isin(d, op):
    dtype = d.pick(i64, i32, f32)
    some = d.values(d.pick([], [3], [2, 2], [0]), dtype)
    d.graph.op(op, d.tensor(d.shape(0, 3), dtype), d.graph.input(some), invert=d.pick(True, False))


@case("aten.isin.Tensor_Scalar", n=2)
def isin_scalar(d, op):
    d.graph.op(op, d.tensor(dtype=i64), 2, invert=d.pick(True, False))
