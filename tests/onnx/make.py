#!/usr/bin/env python3
"""Writes the small models of this folder, which PyTorch exports, and the results that belong to them.

    python3 tests/onnx/make.py

Needs torch, onnx, onnxscript, numpy and safetensors; the tests need none of them. `traced.onnx` and `exported.onnx` are one
network by both of PyTorch's exporters; `results.safetensors` has two images and what PyTorch makes of them. The network has
as many kinds of layers as its few weights allow. `einsum.onnx` has an operator that cannot be imported.
"""

from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent


class Mixed(nn.Module):
    """Odd sizes everywhere, so that no two can be mistaken for each other."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.squeeze = nn.Conv2d(6, 3, 1)
        self.excite = nn.Conv2d(3, 6, 1)
        self.slopes = nn.PReLU(6)
        self.up = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1)
        self.head = nn.Linear(10 * 5 * 6, 7)
        self.shift = nn.Parameter(torch.randn(1, 6, 1, 1))

    def forward(self, x):
        x = F.hardswish(self.norm(self.stem(x)))  # 6x9x11
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        x = x + self.slopes(self.depthwise(x * gate) - self.shift)
        low = F.avg_pool2d(x, 3, 2, padding=1, ceil_mode=True, count_include_pad=False)  # 6x5x6
        high = F.max_pool2d(self.up(x), 4, 4, ceil_mode=True)  # 4x18x22, then 4x5x6
        wide = F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)  # 6x10x12
        x = torch.cat([low + F.max_pool2d(wide, 2), F.elu(high)], 1)
        return F.log_softmax(self.head(torch.flatten(F.dropout(x, 0.25, self.training), 1)), 1)


def mixed():
    torch.manual_seed(7)
    net = Mixed().eval()
    net.norm.running_mean.normal_(0, 0.3)
    net.norm.running_var.uniform_(0.5, 2)
    images = torch.randn(2, 2, 17, 21)
    axes = {"images": {0: "n"}, "scores": {0: "n"}}
    names = {"input_names": ["images"], "output_names": ["scores"]}
    options = {"dynamo": False, "dynamic_axes": axes, "do_constant_folding": False}
    # Normalisation stays a node of its own.
    keep = torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(net, images, str(HERE / "traced.onnx"), **names, **options, training=keep)
    shapes = ({0: torch.export.Dim("n", min=1, max=64)},)
    torch.onnx.export(
        net, (images,), str(HERE / "exported.onnx"), dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False
    )
    strip(HERE / "exported.onnx")
    with torch.no_grad():
        save_file({"images": images, "scores": net(images)}, HERE / "results.safetensors")


def strip(path):
    """Removes what the exporter notes of where in Python each node comes from."""
    model = onnx.load(path)
    for part in [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output]:
        del part.metadata_props[:]
        part.doc_string = ""
    del model.graph.value_info[:]
    onnx.save(model, path)


def einsum():
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, 4, 4]) for name in "xy")
    node = helper.make_node("Einsum", ["x"], ["y"], name="trace", equation="nchw->nchw")
    graph = helper.make_graph([node], "einsum", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), HERE / "einsum.onnx")


if __name__ == "__main__":
    mixed()
    einsum()
