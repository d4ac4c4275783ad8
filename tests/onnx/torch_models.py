#!/usr/bin/env python3
"""Exports networks from PyTorch by both of its exporters, imports and compiles each, and compares the logits.

    python3 tests/onnx/torch_models.py                 # all nine, which takes some minutes
    python3 tests/onnx/torch_models.py resnet18 vgg11  # these

Needs torch, torchvision, onnx, onnxscript, onnxruntime and numpy. Weights are PyTorch's random ones under a fixed seed, and
so are the statistics of batch normalisation, which are not trivial. For each model the largest difference between our
logits and PyTorch's is printed by the largest logit (at most 1e-4 is right), the seconds that a release build of a program
with this network takes with its dependencies built, and milliseconds for one image on one thread, ours and ONNX Runtime's,
medians of rounds in turns.
"""

import contextlib
import io
import statistics
import sys
import time
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn
from torchvision import models

import harness

TOLERANCE = 1e-4
ROUNDS = 3
SECONDS = 0.6


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.classifier = nn.Sequential(
            nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


NETWORKS = {
    "lenet5": (LeNet5, [1, 28, 28]),
    "alexnet": (models.alexnet, [3, 224, 224]),
    "vgg11": (models.vgg11, [3, 224, 224]),
    "resnet18": (models.resnet18, [3, 224, 224]),
    "resnet50": (models.resnet50, [3, 224, 224]),
    "squeezenet1_0": (models.squeezenet1_0, [3, 224, 224]),
    "mobilenet_v2": (models.mobilenet_v2, [3, 224, 224]),
    "densenet121": (models.densenet121, [3, 224, 224]),
    "efficientnet_b0": (models.efficientnet_b0, [3, 224, 224]),
}


def network(name):
    make, size = NETWORKS[name]
    torch.manual_seed(0)
    net = make().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    return net, torch.randn(1, *size)


def export(net, images, path, dynamo):
    """By the exporter that traces (`dynamo=False`), or by the one of torch.export, as the README has it."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if dynamo:
            shapes = ({0: "batch"},)
            torch.onnx.export(net, (images,), str(path), dynamo=True, external_data=False, dynamic_shapes=shapes)
        else:
            axes = {"images": {0: "batch"}, "logits": {0: "batch"}}
            names = {"input_names": ["images"], "output_names": ["logits"]}
            torch.onnx.export(net, images, str(path), dynamo=False, dynamic_axes=axes, **names)


def median_of_onnxruntime(path, images):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = {session.get_inputs()[0].name: images.numpy()}
    times, start = [], time.time()
    while time.time() - start < SECONDS or len(times) < 5:
        before = time.perf_counter()
        session.run(None, inputs)
        times.append(time.perf_counter() - before)
    return statistics.median(times)


def main():
    names = sys.argv[1:] or list(NETWORKS)
    folder, expected, rows, wrong = harness.crate("torch-models"), {}, [], False
    for network_name in names:
        net, images = network(network_name)
        for exporter in ["trace", "dynamo"]:
            name = f"{network_name}-{exporter}"
            export(net, images, folder / "models" / f"{name}.onnx", exporter == "dynamo")
            harness.save(folder, name, images)
            (folder / "src" / "bin" / f"{name}.rs").write_text(harness.program([name]))
            expected[name] = (net(images).detach().numpy().ravel(), images)
    # Dependencies are built first; then each program by itself.
    (folder / "src" / "bin" / "empty.rs").write_text("use cnn_runtime as _;\nfn main() {}\n")
    harness.build(folder, "--bin", "empty")
    print(f"{'model':24} {'difference':>10} {'compiled':>9} {'ours':>9} {'ONNX Runtime':>13} {'ratio':>6}")
    for name, (logits, images) in expected.items():
        compiled = harness.build(folder, "--bin", name)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            run = harness.run(folder, name, name, RAYON_NUM_THREADS="1", SECONDS_TO_TIME=str(SECONDS))
            found = harness.load(folder, name)
            if run.returncode != 0 or found is None or found.size != logits.size:
                sys.exit(f"{name}: {run.stdout}{run.stderr}")
            ours.append(float(run.stdout))
            theirs.append(median_of_onnxruntime(folder / "models" / f"{name}.onnx", images))
        difference = np.abs(found - logits).max() / np.abs(logits).max()
        wrong |= not difference <= TOLERANCE
        our_ms, their_ms = 1e3 * statistics.median(ours), 1e3 * statistics.median(theirs)
        print(
            f"{name:24} {difference:10.1e} {compiled:7.1f} s {our_ms:6.3f} ms {their_ms:10.3f} ms {their_ms / our_ms:6.2f}",
            flush=True,
        )
    sys.exit(wrong)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
