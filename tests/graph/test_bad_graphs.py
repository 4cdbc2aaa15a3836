"""What is wrong with a graph is said in a sentence that names the place."""
import json

import numpy as np
import pytest

X = {"n": "%x", "t": "f32", "s": [2, 3]}


def graph(*nodes, inputs=(X,), outputs=("%y",), **more):
    return {"kg": 1, "inputs": list(inputs), "nodes": list(nodes), "outputs": list(outputs), **more}


def relu(**changes):
    return {"o": "%y", "op": "aten.relu.default", "in": ["%x"], **changes}


BAD = {
    "no JSON": ("{", "no JSON"),
    "no graph": ("\x93NUMPY", "neither a program of torch.export.save, nor an executable, nor a graph in JSON"),
    "empty": ("", "neither a program of torch.export.save, nor an executable, nor a graph in JSON"),
    "another format": ({"inputs": []}, "no graph in the kg format"),
    "a newer version": ({"kg": 2}, "version 2 of the kg format; this kdsl reads version 1"),
    "unknown op": (graph(relu(op="aten.frobnicate.default")), "%y = aten.frobnicate.default: kdsl does not know this op"),
    "an op of kdsl's own": (graph({"o": "%y", "op": "kdsl.windows.default", "in": ["%x", [1], [0], [1]]}), "%y = kdsl.windows.default: kdsl does not know this op"),
    "many extents": (graph({"o": "%y", "op": "aten.view.default", "in": ["%x", [1, 1, 1, 1, 1, 1, 2, 3, 7]]}),
                     "the argument 'size' has 9 numbers; at most 8 are possible"),
    "many strides": (graph({"o": "%y", "op": "aten.max_pool2d.default", "in": ["%x", [2, 2], [1, 1, 7]]}, inputs=({**X, "s": [1, 1, 4, 4]},)),
                     "stride, padding or dilation do not fit the input"),
    "indices beyond i32": (graph({"o": "%y", "op": "aten.add.Tensor", "in": ["%x", "%b"]},
                                 inputs=({"n": "%x", "t": "i8", "s": [65536, 65536]}, {"n": "%b", "t": "i8", "s": [65536]})),
                           "%y = aten.add.Tensor: a tensor of more than 2^31 elements is not supported yet"),
    "places in i32": (graph({"o": "%y", "op": "aten.scaled_dot_product_attention.default", "in": ["%x", "%x", "%x"]},
                            inputs=({"n": "%x", "t": "f32", "s": [8, 16, 262144, 64]},)),
                      "a tensor of more than 2^31 elements is not supported yet"),
    "huge extents": (graph({"o": "%y", "op": "aten.full.default", "in": [[1 << 62, 1 << 62, 4], 1]}, inputs=()), "is too large"),
    "huge step": (graph({"o": "%y", "op": "aten.slice.Tensor", "in": ["%x", 0, 0, 9, (1 << 31) - 1]}, inputs=({"n": "%x", "t": "f32", "s": [2], "st": [1 << 39]},)),
                  "the step 2147483647 is too large"),
    "huge groups": (graph({"o": "%y", "op": "aten.conv2d.default", "in": ["%x", "%w", None, [1, 1], [0, 0], [1, 1], 1 << 38]},
                          inputs=({**X, "s": [1, 0, 4, 4]}, {"n": "%w", "t": "f32", "s": [0, 1 << 38, 1, 1]})), "does not fit the input"),
    "huge dilation": (graph({"o": "%y", "op": "aten.conv1d.default", "in": ["%x", "%w", None, [1], [0], [(1 << 31) - 1]]},
                            inputs=({**X, "s": [1, 1, 4]}, {"n": "%w", "t": "f32", "s": [1, 1, 1 << 39]})), "is larger than the padded input"),
    "huge on the way": (graph({"o": "%y", "op": "aten.avg_pool2d.default", "in": ["%x", [1024, 1024], [1, 1]]},
                              inputs=({**X, "s": [1, 1, 1 << 19, 1 << 19]},)), "what it is made of, f32"),
    "unknown value": (graph(relu(**{"in": ["%z"]})), "the value '%z' is not defined before it is used"),
    "defined twice": (graph(relu(), relu()), "the value '%y' is defined twice"),
    "missing argument": (graph(relu(**{"in": []})), "the argument 'self' is missing"),
    "wrong kind": (graph(relu(**{"in": [3]})), "the argument 'self' must be of the kind Tensor, not 3"),
    "unknown name": (graph(relu(kw={"other": 1})), "\"kw\" has 'other', which is no parameter of this op"),
    "wrong kind of list": (graph({"o": "%y", "op": "aten.view.default", "in": ["%x", [2, 1.5]]}),
                           "the argument 'size' must be of the kind SymInt[], not [2, 1.5]"),
    "what the format cannot say": (graph({"o": "%y", "op": "aten.view.default", "in": ["%x", [{"unknown": "s0"}]]}), "the argument s0 is not supported"),
    "an unknown input": (graph(relu(), inputs=({"n": "%x", "unknown": "a tensor of complex64"},)), "input '%x': a tensor of complex64 is not supported"),
    "bias": (graph({"o": "%y", "op": "aten.conv2d.default", "in": ["%x", "%w", "%b"]},
                   inputs=({**X, "s": [1, 3, 8, 8]}, {"n": "%w", "t": "f32", "s": [4, 3, 1, 1]}, {"n": "%b", "t": "f32", "s": [3]})),
             "the bias f32[3] does not fit the weight f32[4, 3, 1, 1]"),
    "part": (graph({"o": "%y", "op": "aten.slice_scatter.default", "in": ["%x", "%b", 0, 0, 1]}, inputs=(X, {"n": "%b", "t": "f32", "s": [2, 3]})),
             "the part of f32[2, 3] has the shape [1, 3], but src is f32[2, 3]"),
    "given twice": (graph(relu(kw={"self": "%x"})), "the argument 'self' is given twice"),
    "wrong shape": (graph(relu(out=[{"t": "f32", "s": [3, 2]}])), "%y = aten.relu.default: the result is f32[2, 3], but the file says f32[3, 2]"),
    "wrong type": (graph(relu(out=[{"t": "f16", "s": [2, 3]}])), "but the file says f16[2, 3]"),
    "a word": (graph({"o": "%y", "op": "aten.gelu.default", "in": ["%x"], "kw": {"approximate": "erf"}}),
               "%y = aten.gelu.default: approximate must be 'none' or 'tanh'"),
    "another word": (graph({"o": "%y", "op": "aten.scatter_reduce.two", "in": ["%x", 0, "%i", "%x", "median"]}, inputs=(X, {**X, "n": "%i", "t": "i64"})),
                     "%y = aten.scatter_reduce.two: reduce must be 'sum', 'prod', 'mean', 'amax' or 'amin'"),
    "a state without a beginning": (graph(relu(), inputs=({**X, "becomes": "%y"},)), "input '%x': \"becomes\" needs a value, and \"data\" for the first run"),
    "a grid": (graph({"o": "%y", "op": "aten.grid_sampler.default", "in": ["%x", "%x", 2, 0, False]}, inputs=({**X, "s": [1, 1, 2, 2, 3]},)),
               "there is no interpolation 2 of 3 dimensions with padding 0"),
    "samples by size": (graph({"o": "%y", "op": "torchvision.roi_align.default", "in": ["%x", "%b", 1.0, 2, 2, 0, False]},
                              inputs=({**X, "s": [1, 1, 4, 4]}, {**X, "n": "%b", "s": [3, 5]})), "sampling_ratio must be above 0"),
    "broadcast": (graph({"o": "%y", "op": "aten.add.Tensor", "in": ["%x", "%b"]}, inputs=(X, {"n": "%b", "t": "f32", "s": [2]})),
                  "shapes [2, 3] and [2] do not broadcast"),
    "products": (graph({"o": "%y", "op": "aten.mm.default", "in": ["%x", "%x"]}), "f32[2, 3] and f32[2, 3] do not multiply"),
    "view": (graph({"o": "%y", "op": "aten.view.default", "in": ["%x", [4, -1]]}), "f32[2, 3] has 6 elements, which the shape [4, -1] has not"),
    "negative extent": (graph(inputs=({**X, "s": [-2, 3]},)), "input '%x': \"s\" must hold numbers from 0 to 2^40"),
    "huge": (graph(inputs=({**X, "s": [1 << 39, 1 << 39]},)), "is too large"),
    "huge repetition": (graph({"o": "%y", "op": "aten.repeat_interleave.self_int", "in": ["%x", 2000000000, 0]},
                              inputs=({**X, "s": [1 << 36]},)), "is too large"),
    "huge product": (graph({"o": "%y", "op": "aten.kron.default", "in": ["%x", "%x"]}, inputs=({**X, "s": [1 << 39]},)), "is too large"),
    "huge batch": (graph({"o": "%y", "op": "aten.einsum.default", "in": ["abcde,abcde->abcd", ["%x", "%z"]]},
                         inputs=({**X, "s": [1 << 18, 1 << 18, 1, 1, 2]}, {**X, "n": "%z", "s": [1, 1, 1 << 18, 1 << 18, 2]})), "is too large"),
    "huge result": (graph({"o": "%y", "op": "aten.expand.default", "in": ["%x", [1 << 38, 1 << 38, 2, 3]]}), "is too large"),
    "many dimensions": (graph(inputs=({**X, "s": [1] * 9},)), "at most 8 numbers"),
    "output": (graph(relu(), outputs=["%z"]), "the output '%z' is not defined"),
    "no outputs": (graph(relu(), outputs=[]), "the graph has no outputs"),
    "a path out of the folder": (graph(relu(), inputs=({**X, "data": {"file": "../w.bin", "at": 0}},)), "must lie beside the graph"),
    "an absolute path": (graph(relu(), inputs=({**X, "data": {"file": "/etc/passwd", "at": 0}},)), "must lie beside the graph"),
    "beyond the end": (graph(relu(), inputs=({**X, "data": {"file": "w.bin", "at": 8}},)), "24 bytes at 8 lie beyond the end of 'w.bin', which has 24"),
    "crooked offset": (graph(relu(), inputs=({**X, "s": [2], "data": {"file": "w.bin", "at": 3}},)), "no multiple of the element's size"),
    "training": (graph({"o": ["%y", "%i", "%j"], "op": "aten._native_batch_norm_legit_no_training.default",
                        "in": ["%x", None, None, "%m", "%m", 0.1, 1e-5]}, inputs=({**X, "s": [1, 1, 4, 4]}, {"n": "%m", "t": "f32", "s": [1]}),
                       outputs=["%i"]), "the output '%i', which its op has in training only"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_graph(kdsl, tmp_path, name):
    content, expected = BAD[name]
    (tmp_path / "w.bin").write_bytes(bytes(24))
    path = tmp_path / "bad.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    result = kdsl("graph", "explain", path, status=1)
    assert result.stderr.startswith("kdsl: error: ") and result.stderr.count("\n") == 1
    assert expected in result.stderr


def test_command_line(kdsl, tmp_path):
    path = tmp_path / "g.json"
    path.write_text(json.dumps(graph(relu())), encoding="utf-8")
    np.save(tmp_path / "x.npy", np.zeros((3, 2), np.float32))
    assert "the input 'x' is missing: --in x=@x.npy, or =randn:f32[2,3]" in kdsl("graph", "run", path, status=2).stderr
    assert "input 'x' is f32[3,2], but the graph wants f32[2,3]" in kdsl("graph", "run", path, "--in", "x=@x.npy", status=2).stderr
    assert "the graph has no input 'xx'" in kdsl("graph", "run", path, "--in", "xx=@x.npy", status=2).stderr
    assert "the graph has no output 'z'" in kdsl("graph", "run", path, "--in", "x=ones:f32[2,3]", "--save", "z=z.npy", status=2).stderr
    assert "the graph has no output 'z'; it has 'y'" in kdsl("graph", "run", path, "--in", "x=ones:f32[2,3]", "--print", "z", status=2).stderr
    assert "--in: 'x' is given twice" in kdsl("graph", "run", path, "--in", "x=ones:f32[2,3]", "--in", "x0=ones:f32[2,3]", status=2).stderr
    assert "input 'x': there is no array 'ons'; did you mean 'ones'?" in kdsl("graph", "run", path, "--in", "x=ons:f32[2,3]", status=2).stderr
    assert "which file? Expected a .pt2, .json or .kx file" in kdsl("graph", "run", status=2).stderr
    assert "one file at a time, but 'b.json' is a second one" in kdsl("graph", "run", path, "b.json", status=2).stderr
    assert "'--html' goes with 'kdsl graph explain', not with 'run'" in kdsl("graph", "run", path, "--html", "a.html", status=2).stderr
    assert "'-o' goes with 'kdsl graph source' and 'compile', not with 'text'" in kdsl("graph", "text", path, "-o", "a", status=2).stderr
    kdsl("graph", "compile", path, "-o", tmp_path / "g.kx")
    assert "g.kx: this is an executable already: the graph that it was made from is not in it" in kdsl("graph", "text", tmp_path / "g.kx", status=1).stderr
    assert "unknown action 'walk'" in kdsl("graph", "walk", path, status=2).stderr
    assert "there is no device 'tpu'; expected cpu, level_zero or level_zero:N" in kdsl("graph", "explain", path, "--device", "tpu", status=2).stderr
    assert "No such file" in kdsl("graph", "run", tmp_path / "none.json", status=3).stderr
