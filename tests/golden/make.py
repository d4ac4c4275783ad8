#!/usr/bin/env python3
"""Writes the golden values that the tests beside it hold the networks against, out of PyTorch on one CPU thread.

    python3 make.py [--mnist FOLDER]

Needs torch, numpy, onnx and safetensors; the tests need none of them. Tensors have the names that `cnn!` gives them.

layers.safetensors    per case: `CASE/input`, parameters, `CASE/output` in training, `CASE/infer` where inference differs,
                      the given `CASE/d_output`, `CASE/d_input` and `CASE/d_NAME` of each parameter, `CASE/after_NAME` of
                      running statistics. Computed in f64 from f32 values, then rounded.
lenet5.safetensors    ten steps of training: `init/NAME`, `inputs`, `targets`, `outputs` and `d_NAME` of the first step,
residual.safetensors  `losses` and `losses64` (the same run in f64), `after/NAME`. Targets are labels, and values in the
smooth.safetensors    last file. The header's metadata says how far the f32 run ended from the f64 run, each tensor by
                      its largest magnitude: what the tests' tolerances are chosen by.
rules.safetensors     `initial` parameters and `gradients` of 20 steps, `path/CASE`: the parameters after each step of an
                      optimiser; `lr/CASE`: the learning rate of each of 40 steps, or of each epoch after `accuracies`;
                      `scores`, `labels` and `mixed` with `smoothed/loss`, `mixed/loss`, `binary/loss` and their gradients
                      `/d_scores`.
"""

import argparse
import copy
import gzip
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx.reference import ReferenceEvaluator
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).resolve().parent
STEPS = 10


def named(**layers):
    """Layers under the names of `cnn!`, as one module."""
    return nn.ModuleDict(layers)


def chain(net):
    """A forward pass that calls a network's layers one after the other."""

    def forward(x):
        for layer in net.values():
            x = layer(x)
        return x

    return forward


class Function(nn.Module):
    """A layer without parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Pointwise(nn.Module):
    """A function of the input and of a parameter, which is viewed in a shape that broadcasts."""

    def __init__(self, name, function, *shape, view=None):
        super().__init__()
        self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
        self.name, self.function, self.view = name, function, view or shape

    def forward(self, x):
        return self.function(x, getattr(self, self.name).view(self.view))


def spread(layer):
    """A layer whose parameters are random."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-0.5, 1.5)
    return layer


def same(kernel, stride):
    """TensorFlow's padding: the output is the input's size over the stride, rounded up; the odd row goes last."""

    def pad(x):
        sides = []
        for size, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1]):
            total = max((-(-size // s) - 1) * s + k - size, 0)
            sides += [total // 2, total - total // 2]
        return F.pad(x, sides)

    return Function(pad)


def random_norm(channels, **options):
    """Batch normalisation whose parameters and statistics are neither 0 nor 1."""
    norm = nn.BatchNorm2d(channels, **options)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.5, 0.5)
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 1.5)
    return norm


def conv_cases():
    yield "conv_plain", (3, 11, 7), named(conv1=nn.Conv2d(3, 5, 3))
    yield "conv_strided", (3, 11, 13), named(conv1=nn.Conv2d(3, 7, (3, 5), stride=(2, 3)))
    yield "conv_padded", (3, 7, 11), named(conv1=nn.Conv2d(3, 5, (5, 3), padding=(2, 1)))
    yield "conv_same", (3, 11, 7), named(pad=same((4, 3), (2, 2)), conv1=nn.Conv2d(3, 5, (4, 3), stride=2))
    yield "conv_dilated", (2, 13, 11), named(conv1=nn.Conv2d(2, 5, 3, padding=2, dilation=2))
    yield "conv_grouped", (6, 7, 11), named(conv1=nn.Conv2d(6, 9, 3, padding=1, groups=3))
    yield "conv_nobias", (5, 7, 11), named(conv1=nn.Conv2d(5, 19, 1, stride=2, bias=False))
    yield "conv_wide", (17, 7, 13), named(conv1=nn.Conv2d(17, 37, 3, padding=1))
    yield "dwconv", (5, 11, 7), named(dwconv1=nn.Conv2d(5, 5, 3, stride=2, padding=1, groups=5))
    yield "dwconv_multiplier", (5, 7, 11), named(dwconv1=nn.Conv2d(5, 10, 3, padding=1, groups=5))
    yield "fc", (2, 3, 7), named(flatten=nn.Flatten(), fc1=nn.Linear(42, 11))
    yield "fc_nobias", (13, 1, 1), named(flatten=nn.Flatten(), fc1=nn.Linear(13, 17, bias=False))


def pool_cases():
    pools = {
        "max_pool": nn.MaxPool2d(2),
        "max_pool_overlapping": nn.MaxPool2d(3, stride=2),
        "max_pool_padded": nn.MaxPool2d(3, stride=2, padding=1),
        "max_pool_dilated": nn.MaxPool2d(2, stride=1, dilation=3),
        "max_pool_global": nn.AdaptiveMaxPool2d(1),
        "avg_pool": nn.AvgPool2d((2, 3)),
        "avg_pool_overlapping": nn.AvgPool2d(3, stride=2),
        "avg_pool_padded": nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=AVERAGE_COUNTS_PADDING),
        "avg_pool_global": nn.AdaptiveAvgPool2d(1),
        "pad": nn.ZeroPad2d((1, 1, 2, 2)),
        "upsample_nearest": nn.Upsample(scale_factor=(2, 3), mode="nearest"),
        "upsample_bilinear": nn.Upsample(scale_factor=(2, 3), mode="bilinear", align_corners=False),
    }
    for name, pool in pools.items():
        yield name, (3, 11, 7), named(step=pool)


def pointwise_cases():
    acts = {
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(0.1),
        "relu6": nn.ReLU6(),
        "elu": nn.ELU(0.7),
        "gelu": nn.GELU(),
        "silu": nn.SiLU(),
        "hardswish": nn.Hardswish(),
        "tanh": nn.Tanh(),
        "sigmoid": nn.Sigmoid(),
        "selu": nn.SELU(),
        "clip": Function(lambda x: x.clamp(-1, 2.5)),
        "clip_above": Function(lambda x: x.clamp(max=0.5)),
        "hardsigmoid": nn.Hardsigmoid(),
        "hardsigmoid_options": Function(lambda x: (0.3 * x + 0.4).clamp(0, 1)),
        "gelu_tanh": nn.GELU(approximate="tanh"),
        "affine": Function(lambda x: -1.5 * x + 0.25),
        "reciprocal": Function(lambda x: 1 / x),
    }
    for name, act in acts.items():
        yield name, (3, 5, 7), named(step=act)
    yield "prelu", (3, 5, 7), named(prelu1=spread(nn.PReLU(3)))
    yield "prelu_shared", (3, 5, 7), named(prelu1=spread(nn.PReLU()))
    yield "prelu_flat", (7, 1, 1), named(step=nn.Flatten(), prelu1=spread(nn.PReLU(7)))
    yield "scale", (3, 5, 7), named(scale1=spread(Pointwise("weight", torch.mul, 3, view=(3, 1, 1))))
    yield "scale_shaped", (3, 5, 7), named(scale1=spread(Pointwise("weight", torch.mul, 1, 5, 1)))
    yield "shift", (3, 5, 7), named(step=nn.Tanh(), shift1=spread(Pointwise("bias", torch.add, 3, view=(3, 1, 1))))
    yield "shift_shaped", (3, 5, 7), named(shift1=spread(Pointwise("bias", torch.add, 3, 1, 7)), then=nn.Tanh())
    yield "softmax", (11, 3, 2), named(step=nn.Softmax(1))
    yield "log_softmax", (11, 3, 2), named(step=nn.LogSoftmax(1))
    yield "softmax_flat", (13, 1, 1), named(step=nn.Flatten(), then=nn.Softmax(1))
    yield "bn", (5, 7, 3), named(bn1=random_norm(5))
    yield "bn_options", (3, 5, 7), named(bn1=random_norm(3, eps=0.01, momentum=0.3))
    yield "lrn", (11, 5, 3), named(step=nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0))
    yield "lrn_options", (7, 3, 5), named(step=nn.LocalResponseNorm(3, 0.5, 0.6, 1.5))


def graph_cases():
    add = named(conv1=nn.Conv2d(3, 5, 3, padding=1), conv2=nn.Conv2d(3, 5, 1))
    yield "add", (3, 7, 5), add, lambda x: add["conv1"](x) + add["conv2"](x)
    concat = named(conv1=nn.Conv2d(3, 5, 3, padding=1))
    pool = nn.MaxPool2d(3, stride=1, padding=1)
    yield "concat", (3, 7, 5), concat, lambda x: torch.cat([concat["conv1"](x), x, pool(x)], 1)


def padded(top, left, bottom, right, value=0.0):
    """Padding in the order of `cnn!`."""
    return Function(lambda x: F.pad(x, (left, right, top, bottom), value=value))


def onnx_resize(sizes, outputs, scale=None, **attributes):
    """ONNX's own resizing as two matrices: what it makes of the unit vectors of each axis."""

    def axis(inputs, outputs):
        names = ["x", "", "", "size"] if scale is None else ["x", "", "scale"]
        feeds = {"size": np.array([outputs])} if scale is None else {"scale": np.array([scale], np.float32)}
        node = onnx.helper.make_node("Resize", names, ["y"], axes=[1], **attributes)
        (matrix,) = ReferenceEvaluator(node).run(None, feeds | {"x": np.eye(inputs, dtype=np.float32)})
        assert matrix.shape == (inputs, outputs)
        return torch.from_numpy(matrix)

    rows, columns = (axis(*pair) for pair in zip(sizes, outputs))
    return Function(lambda x: torch.einsum("nchw,hr,wk->ncrk", x, rows.to(x), columns.to(x)))


def spatial_cases():
    conv = nn.Conv2d(3, 5, 3, stride=(1, 2))
    yield "conv_four_sides", (3, 7, 11), named(pad=padded(0, 1, 2, 3), conv1=conv)
    dwconv = nn.Conv2d(3, 3, 3, stride=2, groups=3)
    yield "dwconv_four_sides", (3, 11, 7), named(pad=padded(2, 0, 1, 1), dwconv1=dwconv)
    pool = nn.MaxPool2d(3, stride=2)
    yield "max_pool_four_sides", (3, 11, 7), named(pad=padded(1, 0, 0, 1, -torch.inf), step=pool)
    pool = nn.AvgPool2d(3, stride=2)
    yield "avg_pool_four_sides", (3, 11, 7), named(pad=padded(0, 1, 1, 0), step=pool)
    pool = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)
    yield "max_pool_ceil", (3, 12, 7), named(step=pool)
    yield "avg_pool_ceil", (3, 12, 7), named(step=nn.AvgPool2d(3, stride=2, padding=(1, 0), ceil_mode=True))
    pool = nn.AvgPool2d((3, 4), stride=(2, 3), padding=(1, 2), ceil_mode=True, count_include_pad=False)
    yield "avg_pool_ceil_excludepad", (3, 12, 9), named(step=pool)
    pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    yield "avg_pool_excludepad", (3, 11, 7), named(step=pool)
    conv = nn.ConvTranspose2d(5, 3, 3, stride=2, padding=1, output_padding=1)
    yield "conv_transpose", (5, 5, 7), named(conv_transpose1=conv)
    conv = nn.ConvTranspose2d(6, 9, (3, 2), stride=(1, 2), padding=(0, 1), dilation=(2, 3), groups=3)
    yield "conv_transpose_dilated", (6, 5, 3), named(conv_transpose1=conv)
    conv = nn.ConvTranspose2d(5, 10, 4, stride=3, groups=5, bias=False)
    yield "conv_transpose_depthwise", (5, 3, 5), named(conv_transpose1=conv)
    conv = nn.ConvTranspose2d(4, 6, 2, stride=2, bias=False)
    yield "conv_transpose_before_bn", (4, 5, 3), named(conv_transpose1=conv, bn1=random_norm(6))
    for name, size, options in [
        ("nearest", (7, 4), {"mode": "nearest"}),
        ("nearest_exact", (7, 4), {"mode": "nearest-exact"}),
        ("bilinear", (17, 4), {"mode": "bilinear", "align_corners": False}),
        ("align_corners", (5, 13), {"mode": "bilinear", "align_corners": True}),
    ]:
        yield f"resize_{name}", (3, 11, 7), named(step=nn.Upsample(size, **options))
    sizes, rounding = (11, 7), {"mode": "nearest", "coordinate_transformation_mode": "half_pixel"}
    for name, step in {
        "halves_down": onnx_resize(sizes, (22, 14), **rounding, nearest_mode="round_prefer_floor"),
        "halves_up": onnx_resize((12, 8), (6, 4), **rounding, nearest_mode="round_prefer_ceil"),
        "one_row": onnx_resize(sizes, (1, 5), mode="linear", coordinate_transformation_mode="pytorch_half_pixel"),
        "asymmetric": onnx_resize(sizes, (4, 9), mode="linear", coordinate_transformation_mode="asymmetric"),
        "scale": onnx_resize(sizes, (6, 4), 0.6, mode="linear"),
        "scale_corners": onnx_resize(sizes, (6, 4), 0.6, mode="linear", coordinate_transformation_mode="align_corners"),
        "scale_ceil": onnx_resize(
            sizes, (6, 4), 0.6, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="ceil"
        ),
    }.items():
        yield f"resize_{name}", (3, 12, 8) if name == "halves_up" else (3, 11, 7), named(step=step)
    yield "pad_four_sides", (3, 11, 7), named(step=padded(0, 1, 2, 3))
    yield "pad_value", (3, 11, 7), named(step=padded(0, 1, 2, 3, value=-2.5))
    yield "pad_reflect", (3, 5, 7), named(step=nn.ReflectionPad2d((6, 0, 1, 4)))
    yield "pad_edge", (3, 5, 7), named(step=nn.ReplicationPad2d((9, 0, 1, 2)))


def broadcast_cases():
    gate = named(conv1=nn.Conv2d(6, 3, 1), conv2=nn.Conv2d(3, 6, 1))

    def squeeze_and_excite(x):
        return x * torch.sigmoid(gate["conv2"](F.relu(gate["conv1"](x.mean((2, 3), keepdim=True)))))

    yield "mul_gate", (6, 5, 7), gate, squeeze_and_excite
    mul = named(fc1=nn.Linear(12, 7), fc2=nn.Linear(12, 1, bias=False), fc3=nn.Linear(12, 7))

    def product(x):
        return mul["fc1"](x.flatten(1)) * mul["fc2"](x.flatten(1)) * torch.tanh(mul["fc3"](x.flatten(1)))

    yield "mul_three", (3, 2, 2), mul, product
    yield "mul_itself", (3, 5, 7), named(), lambda x: x * x
    yield "expand", (3, 5, 7), named(), lambda x: x.mean(2, keepdim=True).expand(-1, -1, 4, -1)
    yield "reshape", (3, 4, 7), named(), lambda x: torch.tanh(x.reshape(-1, 2, 6, 7))
    yield "permute", (3, 5, 7), named(), lambda x: torch.tanh(x.permute(0, 2, 3, 1))
    sub = named(conv1=nn.Conv2d(3, 5, 3, padding=1), conv2=nn.Conv2d(3, 5, 1))
    yield "sub", (3, 7, 5), sub, lambda x: sub["conv1"](x) - sub["conv2"](x)
    yield "sub_rows_and_columns", (3, 7, 5), named(), lambda x: x.mean(2, keepdim=True) - x.mean(3, keepdim=True)
    div = named(conv1=nn.Conv2d(3, 4, 1), conv2=nn.Conv2d(3, 1, 3, padding=1))
    yield "div", (3, 5, 7), div, lambda x: div["conv1"](x) / torch.sigmoid(div["conv2"](x))


# Ours follows PyTorch's default: a padded window divides by its whole size.
AVERAGE_COUNTS_PADDING = True


def drawn(families):
    """The cases of all families, each made when the one before is done with and each family from a seed of its own."""
    for seed, family in enumerate(families, 2):
        torch.manual_seed(seed)
        yield from family()


def layer_goldens():
    """Every layer once or more, on three samples of small, mostly prime, sizes. A new case changes none before it."""
    families = [conv_cases, pool_cases, pointwise_cases, graph_cases, spatial_cases, broadcast_cases]
    goldens = {}
    for case, shape, net, *forward in drawn(families):
        forward = forward[0] if forward else chain(net)
        x = torch.randn(3, *shape) * 2.5
        record = {"input": x, **net.state_dict()}
        record = {name: value.clone() for name, value in record.items() if "num_batches" not in name}
        net.double()
        x = x.double().requires_grad_()
        net.eval()
        infer = forward(x).detach()
        net.train()
        y = forward(x)
        d_output = torch.randn(y.shape).double()
        y.backward(d_output)
        record |= {"output": y, "d_output": d_output, "d_input": x.grad}
        record |= {f"d_{name}": p.grad for name, p in net.named_parameters()}
        record |= {f"after_{name}": b for name, b in net.named_buffers() if "num_batches" not in name}
        if not torch.equal(infer, y):
            record["infer"] = infer
        goldens |= {f"{case}/{name}": value.detach().float().contiguous() for name, value in record.items()}
    return goldens


def train(net, forward, criterion, inputs, targets, lr):
    """Ten steps of SGD. Returns losses, first outputs and first gradients; `net` keeps its last weights."""
    sgd = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    losses, outputs, gradients = [], None, None
    for x, target in zip(inputs, targets):
        y = forward(x)
        loss = criterion(y, target)
        sgd.zero_grad()
        loss.backward()
        if not losses:
            outputs = y.detach().clone()
            gradients = {name: p.grad.clone() for name, p in net.named_parameters()}
        sgd.step()
        losses.append(loss.item())
    return losses, outputs, gradients


def tensors(net):
    return {name: t.detach().clone() for name, t in net.state_dict().items() if "num_batches" not in name}


def training_record(net, build_forward, criterion, inputs, targets, lr=0.05):
    """The record of a run in f32, with the losses of the same run in f64 and the distance between the two."""
    double = copy.deepcopy(net).double()
    inputs64, targets64 = inputs.double(), targets.double() if targets.is_floating_point() else targets
    init = tensors(net)
    losses, outputs, gradients = train(net, build_forward(net), criterion, inputs, targets, lr)
    losses64, outputs64, gradients64 = train(double, build_forward(double), criterion, inputs64, targets64, lr)
    after, after64 = tensors(net), tensors(double)
    record = {f"init/{name}": value for name, value in init.items()}
    record |= {f"d_{name}": value for name, value in gradients.items()}
    record |= {f"after/{name}": value for name, value in after.items()}
    losses, losses64 = torch.tensor(losses), torch.tensor(losses64, dtype=torch.float64)
    record |= {"outputs": outputs, "losses": losses, "losses64": losses64}

    def distance(a, b):
        return float((a - b).abs().max() / b.abs().max())

    distances = {
        "outputs": distance(outputs, outputs64),
        "gradients": max(distance(gradients[name], gradients64[name]) for name in gradients),
        "losses": distance(losses, losses64),
        "after": max(distance(after[name], after64[name]) for name in after),
    }
    return record, {"f32 to f64": ", ".join(f"{name} {value:.1e}" for name, value in distances.items())}


def lenet5(mnist):
    """LeNet-5's modern form on the first 80 training digits of the subset in examples/data/mnist."""
    pixels = gzip.decompress((mnist / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((mnist / "train-labels-idx1-ubyte.gz").read_bytes())[8:]
    count = 8 * STEPS
    pixels = torch.from_numpy(np.frombuffer(pixels, np.uint8, count * 784).reshape(STEPS, 8, 1, 28, 28).copy())
    labels = torch.from_numpy(np.frombuffer(labels, np.uint8, count).reshape(STEPS, 8).copy())
    torch.manual_seed(5)
    net = named(
        conv1=nn.Conv2d(1, 6, 5, padding=2),
        conv2=nn.Conv2d(6, 16, 5),
        fc1=nn.Linear(400, 120),
        fc2=nn.Linear(120, 84),
        fc3=nn.Linear(84, 10),
    )
    for layer in net.values():
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def build_forward(net):
        def forward(x):
            x = F.max_pool2d(F.relu(net["conv1"](x)), 2)
            x = F.max_pool2d(F.relu(net["conv2"](x)), 2).flatten(1)
            return net["fc3"](F.relu(net["fc2"](F.relu(net["fc1"](x)))))

        return forward

    record, distance = training_record(net, build_forward, F.cross_entropy, pixels.float() / 255, labels.long())
    return record | {"inputs": pixels, "targets": labels}, distance


def residual():
    """A residual network with a projection, local response normalisation and a concatenation, on random images."""
    torch.manual_seed(6)
    inputs, labels = torch.randn(STEPS, 5, 3, 13, 11), torch.randint(7, (STEPS, 5))

    def conv(channels, out, kernel, bias=False, **options):
        return nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=bias, **options)

    def unit(channels, out, stride=1):
        return {
            "conv1": conv(channels, out, 3, stride=stride),
            "bn1": random_norm(out),
            "conv2": conv(out, out, 3),
            "bn2": random_norm(out),
        }

    net = named(
        conv1=conv(3, 8, 3),
        bn1=random_norm(8),
        unit1=named(**unit(8, 8)),
        unit2=named(**unit(8, 16, 2), shortcut1=named(conv=conv(8, 16, 1, stride=2), bn=random_norm(16))),
        conv2=conv(16, 5, 1, bias=True),
        conv3=conv(16, 3, 3, bias=True),
        fc1=nn.Linear(8, 7),
    )

    def build_forward(net):
        lrn = nn.LocalResponseNorm(3, 0.5, 0.75, 1.0)

        def unit(layers, x, shortcut=lambda x: x):
            y = F.relu(layers["bn1"](layers["conv1"](x)))
            return F.relu(layers["bn2"](layers["conv2"](y)) + shortcut(x))

        def forward(x):
            x = lrn(F.relu(net["bn1"](net["conv1"](x))))
            x = unit(net["unit2"], unit(net["unit1"], x), chain(net["unit2"]["shortcut1"]))
            x = F.relu(torch.cat([net["conv2"](x), net["conv3"](x)], 1))
            return net["fc1"](x.mean((2, 3)))

        return forward

    record, distance = training_record(net, build_forward, F.cross_entropy, inputs, labels)
    return record | {"inputs": inputs, "targets": labels.to(torch.uint8)}, distance


def smooth():
    """A network of smooth activations and average pooling that fits values, on random images, by mean squared error."""
    torch.manual_seed(7)
    inputs, targets = torch.randn(STEPS, 4, 2, 13, 11), torch.randn(STEPS, 4, 3)
    net = named(
        conv1=nn.Conv2d(2, 6, 5, padding=2),
        conv2=nn.Conv2d(6, 9, 3, stride=2, groups=3),
        fc1=nn.Linear(36, 11),
        fc2=nn.Linear(11, 3),
    )

    def build_forward(net):
        def forward(x):
            x = F.avg_pool2d(torch.tanh(net["conv1"](x)), 2)
            x = F.silu(net["conv2"](x)).flatten(1)
            return net["fc2"](torch.sigmoid(net["fc1"](x)))

        return forward

    record, distance = training_record(net, build_forward, F.mse_loss, inputs, targets)
    return record | {"inputs": inputs, "targets": targets}, distance


# Weights and biases of what optimisers are tried on.
PARTS = [64, 33]


def optimiser_paths():
    """Where 20 steps of each optimiser take the same parameters by the same gradients."""
    torch.manual_seed(8)
    initial, gradients = torch.randn(97), torch.randn(20, 97)
    cases = {
        "sgd": lambda w: torch.optim.SGD(w, 0.1),
        "momentum": lambda w: torch.optim.SGD(w, 0.05, momentum=0.9, weight_decay=5e-3),
        "nesterov": lambda w: torch.optim.SGD(w, 0.05, momentum=0.9, weight_decay=5e-3, nesterov=True),
        "adam": lambda w: torch.optim.Adam(w, 0.01, weight_decay=0.02),
        "adam_betas": lambda w: torch.optim.Adam(w, 0.01, betas=(0.8, 0.95), eps=1e-4),
        "adamw": lambda w: torch.optim.AdamW(w, 0.01, weight_decay=0.1),
        "adamw_weights_only": lambda w: torch.optim.AdamW(
            [{"params": w[:1]}, {"params": w[1:], "weight_decay": 0.0}], 0.01, weight_decay=0.1
        ),
        "rmsprop": lambda w: torch.optim.RMSprop(w, 0.01, alpha=0.9, weight_decay=0.02),
        "rmsprop_momentum": lambda w: torch.optim.RMSprop(w, 0.01, momentum=0.8),
    }
    record = {"initial": initial, "gradients": gradients}
    for case, build in cases.items():
        w = [part.clone().requires_grad_() for part in initial.split(PARTS)]
        optimiser, path = build(w), []
        for gradient in gradients:
            for part, part_gradient in zip(w, gradient.split(PARTS)):
                part.grad = part_gradient.clone()
            optimiser.step()
            path.append(torch.cat(w).detach())
        record[f"path/{case}"] = torch.stack(path)
    return record


def schedule_rates():
    """The rates of the schedules that PyTorch has too."""
    schedules, steps = torch.optim.lr_scheduler, 40

    def rates(lr, build, values=None):
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
        schedule, found = build(optimiser), []
        for value in values or [None] * steps:
            found.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step(*([] if value is None else [value]))
        return torch.tensor(found + [optimiser.param_groups[0]["lr"]][: int(values is not None)])

    accuracies = [0.3, 0.5, 0.5, 0.49, 0.5, 0.52, 0.52, 0.52, 0.52, 0.6, 0.6, 0.6, 0.6]
    return {
        "lr/step": rates(0.4, lambda o: schedules.StepLR(o, 3, 0.5)),
        "lr/cosine": rates(0.4, lambda o: schedules.CosineAnnealingLR(o, steps, 0.01)),
        "lr/warm_up": rates(
            0.4,
            lambda o: schedules.SequentialLR(
                o, [schedules.LinearLR(o, 1 / 5, total_iters=4), schedules.CosineAnnealingLR(o, steps - 4)], [4]
            ),
        ),
        "lr/one_cycle": rates(0.4, lambda o: schedules.OneCycleLR(o, 0.4, steps, cycle_momentum=False)),
        "lr/plateau": rates(0.4, lambda o: schedules.ReduceLROnPlateau(o, "max", 0.1, 2), accuracies),
        "accuracies": torch.tensor(accuracies),
    }


def soft_losses():
    """Cross-entropy against softened labels and against probabilities, and that of each class by itself."""
    torch.manual_seed(9)
    scores, labels = torch.randn(5, 7) * 3, torch.randint(7, (5,))
    mixed = torch.softmax(torch.randn(5, 7), 1)
    record = {"scores": scores, "labels": labels.to(torch.uint8), "mixed": mixed}
    for case, loss in {
        "smoothed": lambda x: F.cross_entropy(x, labels, label_smoothing=0.1),
        "mixed": lambda x: F.cross_entropy(x, mixed),
        "binary": lambda x: F.binary_cross_entropy_with_logits(x, mixed),
    }.items():
        x = scores.clone().requires_grad_()
        value = loss(x)
        value.backward()
        record |= {f"{case}/loss": value.detach().reshape(1), f"{case}/d_scores": x.grad}
    return record


def rules():
    return optimiser_paths() | schedule_rates() | soft_losses()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, default=HERE.parent.parent / "examples/data/mnist")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    files = {
        "layers": (layer_goldens(), {}),
        "lenet5": lenet5(args.mnist),
        "residual": residual(),
        "smooth": smooth(),
        "rules": (rules(), {}),
    }
    for name, (record, distance) in files.items():
        save_file({key: value.contiguous() for key, value in record.items()}, HERE / f"{name}.safetensors", distance)
        print(name, distance)


if __name__ == "__main__":
    main()
