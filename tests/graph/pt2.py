"""Archives of torch.export.save: as the environment's PyTorch writes them, and in the layout of torch 2.8 and newer, written here."""
import io
import json
import struct
import zipfile

import torch

SCALAR_TYPES = {torch.uint8: 1, torch.int8: 2, torch.int16: 3, torch.int32: 4, torch.int64: 5, torch.float16: 6, torch.float32: 7, torch.float64: 8,
                torch.bool: 12, torch.bfloat16: 13}


class Function(torch.nn.Module):
    """A function as a model."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *args):
        return self.f(*args)


def export(model, *inputs):
    torch._dynamo.reset() # it counts the models that it saw, and gives up
    return torch.export.export(model.eval(), inputs)


def old_archive(program):
    """The bytes of an archive as the environment's PyTorch writes it."""
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def aligned_zip(files, root="model"):
    """A zip archive of stored files whose bytes lie at multiples of 64, as PyTorch's own writer makes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        for name, data in files.items():
            info = zipfile.ZipInfo(f"{root}/{name}")
            n_pad = -(file.tell() + 30 + len(info.filename) + 4) % 64
            info.extra = struct.pack("<HH", 0x4246, n_pad) + bytes(n_pad)
            z.writestr(info, data)
    return file.getvalue()


def raw_bytes(tensor):
    return torch.empty(0, dtype=torch.uint8).set_(tensor.detach().untyped_storage()).numpy().tobytes()


def tensor_meta(tensor):
    return {"dtype": SCALAR_TYPES[tensor.dtype], "sizes": [{"as_int": n} for n in tensor.shape], "requires_grad": tensor.requires_grad,
            "device": {"type": "cpu", "index": None}, "strides": [{"as_int": n} for n in tensor.stride()],
            "storage_offset": {"as_int": tensor.storage_offset()}, "layout": 7}


def payload(files, kind, prefix, tensors):
    """Raw storages, one for tensors that share it, and the list of what lies in them."""
    config, paths = {}, {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage().data_ptr()
        if storage not in paths:
            paths[storage] = f"{prefix}_{len(paths)}"
            files[f"data/{kind}/{paths[storage]}"] = raw_bytes(tensor)
        config[name] = {"path_name": paths[storage], "is_param": tensor.requires_grad, "use_pickle": False, "tensor_meta": tensor_meta(tensor)}
    files[f"data/{kind}/model_{kind}_config.json"] = json.dumps({"config": config})


def new_files(program):
    """The files of an archive in the newer layout."""
    with zipfile.ZipFile(io.BytesIO(old_archive(program))) as z:
        text = json.loads(z.read("serialized_exported_program.json"))
    text["schema_version"] = {"major": 8, "minor": 20}
    text["guards_code"] = []
    for node in text["graph_module"]["graph"]["nodes"]:
        node["name"] = None
        for argument in node["inputs"]:
            argument["kind"] = 1
    files = {}
    payload(files, "weights", "weight", program.state_dict)
    payload(files, "constants", "tensor", {k: v for k, v in program.constants.items() if isinstance(v, torch.Tensor)})
    files["models/model.json"] = json.dumps(text)
    files["archive_format"] = "pt2"
    files["archive_version"] = "0"
    files["byteorder"] = "little"
    return files


def new_archive(program):
    return aligned_zip(new_files(program))


LAYOUTS = {"torch 2.6": old_archive, "newer": new_archive}
