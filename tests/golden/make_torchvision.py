#!/usr/bin/env python3
"""Writes state dicts of torchvision's networks, as PyTorch saves them, and the logits that belong to them.

    python3 make_torchvision.py                  # narrow networks, into the folder torchvision beside this file
    python3 make_torchvision.py --full FOLDER    # AlexNet, VGG-16, ResNet-18 and ResNet-50 as they are: 1 GB
    python3 make_torchvision.py --check FOLDER   # loads what the test `torchvision_at_full_size` has saved there

Needs torch, torchvision, numpy and safetensors; the tests need none of them. The full-size test is run between the last
two lines, on the folder that the first of them made:

    CNN_TORCHVISION=FOLDER cargo test --release --test golden -- --ignored

Weights are random, and so are running statistics, around those of random images. Logits are of two images whose pixels
follow from their place alone, so that they need not be stored; they are computed in f64 from f32 values, then rounded.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file as load_numpy
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import models

HERE = Path(__file__).resolve().parent
# How far logits may lie from each other, by the largest of them.
TOLERANCE = 1e-4
FULL = {
    "alexnet": models.alexnet,
    "vgg16": models.vgg16,
    "resnet18": models.resnet18,
    "resnet50": models.resnet50,
}


def images():
    """Two images, of which the test makes the same."""
    index = np.arange(2 * 3 * 224 * 224, dtype=np.uint64)
    bits = (index * 2654435761 % 2**32) >> 8
    return torch.from_numpy(bits.astype(np.float32) / 2**23 - 1).reshape(2, 3, 224, 224)


def narrow(module, by, hidden, classes):
    """The network with its channels divided and its classifier cut, in torchvision's own modules."""
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]

    def divided(channels):
        return channels if channels == 3 else channels // by

    def replaced(layer):
        if isinstance(layer, nn.Conv2d):
            bias, window = layer.bias is not None, (layer.kernel_size, layer.stride, layer.padding)
            return nn.Conv2d(divided(layer.in_channels), divided(layer.out_channels), *window, bias=bias)
        if isinstance(layer, nn.BatchNorm2d):
            return nn.BatchNorm2d(layer.num_features // by)
        if isinstance(layer, nn.Linear):
            inputs = layer.in_features // by if layer is linear[0] else hidden
            return nn.Linear(inputs, classes if layer is linear[-1] else hidden)
        for name, child in layer.named_children():
            setattr(layer, name, replaced(child))
        return layer

    return replaced(module)


def randomise(net):
    """Weights that keep the variance, and running statistics that are near those of noise, but not the same."""
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -0.1, 0.1)
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        norm.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.randn(4, 3, 224, 224))
        for norm in norms:
            norm.momentum = 0.1
            norm.running_mean += torch.empty_like(norm.running_mean).uniform_(-0.1, 0.1)
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.8, 1.2)
    return net.eval()


def logits(net):
    """What the network says of both images, and how far it is from that in f32."""
    with torch.no_grad():
        single = net(images())
        double = net.double()(images().double())
        net.float()
    largest, apart = double.abs().max(), (double[0] - double[1]).abs().max()
    assert apart > 10 * TOLERANCE * largest, "the images have to make a difference"
    print(f"  logits up to {largest:.3g}, images {apart:.2g} apart, f32 {(single - double).abs().max() / largest:.1e} off")
    return double.float()


def write(folder, networks):
    folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, build in networks.items():
        torch.manual_seed(11)
        print(name)
        net = randomise(build())
        save_file(net.state_dict(), folder / f"{name}.safetensors")
        results[name] = logits(net)
    save_file(results, folder / "logits.safetensors")


def check(folder):
    """Loads networks that the test saved, strictly, and holds their logits against those that it saved beside them."""
    for name, build in FULL.items():
        net = build()
        print(name, net.load_state_dict(load_file(folder / "ours" / f"{name}.safetensors"), strict=True))
        theirs, ours = logits(net.eval()), load_file(folder / "ours" / f"{name}.logits.safetensors")["logits"]
        distance = (theirs - ours).abs().max() / theirs.abs().max()
        print(f"  ours are {distance:.1e} of the largest apart")
        assert distance < TOLERANCE, name
    with np.load(folder / "ours/resnet18.npz") as arrays:
        same = load_numpy(folder / "ours/resnet18.safetensors")
        assert arrays.keys() == same.keys() and all((arrays[name] == same[name]).all() for name in same)
        print("resnet18.npz has the same", len(arrays), "arrays")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", type=Path, metavar="FOLDER")
    parser.add_argument("--check", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    if args.full:
        write(args.full, FULL)
    if args.check:
        check(args.check)
    if not args.full and not args.check:
        bottlenecks = lambda: models.ResNet(models.resnet.Bottleneck, [1, 2, 1, 1])
        small = {
            "alexnet": lambda: narrow(models.alexnet(), 32, 32, 10),
            "vgg11_bn": lambda: narrow(models.vgg11_bn(), 32, 32, 10),
            "resnet18": lambda: narrow(models.resnet18(), 16, 32, 10),
            "bottlenecks": lambda: narrow(bottlenecks(), 16, 32, 10),
        }
        folder = HERE / "torchvision"
        write(folder, small)
        np.savez_compressed(folder / "alexnet.npz", **load_numpy(folder / "alexnet.safetensors"))


if __name__ == "__main__":
    main()
