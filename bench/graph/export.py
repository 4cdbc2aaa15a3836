"""Writes a model for all engines: PyTorch's program, which kdsl reads, an ONNX file, its weights, inputs, and what PyTorch computes of them."""
import models
import numpy as np
import torch


def export(name, folder):
    folder.mkdir(parents=True, exist_ok=True)
    model, inputs = models.make(name)
    for i, t in enumerate(inputs):
        np.save(folder / f"input{i}.npy", t.numpy())
    torch.save(model.state_dict(), folder / models.WEIGHTS)
    with torch.no_grad():
        np.save(folder / "expected.npy", model(*inputs).numpy())
        torch.export.save(torch.export.export(model, inputs), folder / "model.pt2")
        torch.onnx.export(model, inputs, folder / "model.onnx", dynamo=True, optimize=True, external_data=True)
        half = (model.bfloat16(), models.in_bf16(inputs))
        torch.export.save(torch.export.export(*half), folder / "model-bf16.pt2")
