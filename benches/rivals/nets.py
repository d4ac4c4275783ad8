"""The networks of benches/networks, as data that every tool's format is made from.

A network is a chain: a list of layers. A layer is a tuple of its kind and its options; `add` holds two chains.
"""

from dataclasses import dataclass, field

import numpy as np


def conv(out, kernel, stride=1, pad=0, bias=True):
    return ("conv", out, kernel, stride, pad, bias)


def pool(kernel, stride, pad=0):
    return ("pool", kernel, stride, pad)


def fc(out):
    return ("fc", out)


RELU, BN, LRN, DROPOUT, MEAN = ("relu",), ("bn",), ("lrn",), ("dropout",), ("mean",)


def conv_bn(out, kernel, stride=1, pad=0):
    return [conv(out, kernel, stride, pad, bias=False), BN]


def residual(body, channels, out, stride):
    same = stride == 1 and channels == out
    return [("add", body, [] if same else conv_bn(out, 1, stride)), RELU]


def basic(channels, width, stride):
    body = conv_bn(width, 3, stride, 1) + [RELU] + conv_bn(width, 3, 1, 1)
    return residual(body, channels, width, stride), width


def bottleneck(channels, width, stride):
    body = conv_bn(width, 1) + [RELU] + conv_bn(width, 3, stride, 1) + [RELU] + conv_bn(4 * width, 1)
    return residual(body, channels, 4 * width, stride), 4 * width


def resnet(stem, block, channels, stages, classes):
    chain = list(stem)
    for stage, (width, repeats) in enumerate(stages):
        for i in range(repeats):
            layers, channels = block(channels, width, 2 if stage > 0 and i == 0 else 1)
            chain += layers
    return chain + [MEAN, fc(classes)]


def imagenet(block, *repeats):
    stem = conv_bn(64, 7, 2, 3) + [RELU, pool(3, 2, 1)]
    return resnet(stem, block, 64, zip((64, 128, 256, 512), repeats), 1000)


CLASSIFIER = [fc(4096), RELU, DROPOUT, fc(4096), RELU, DROPOUT, fc(1000)]


def vgg(*repeats):
    chain = []
    for width, times in zip((64, 128, 256, 512, 512), repeats):
        chain += [conv(width, 3, 1, 1), RELU] * times + [pool(2, 2)]
    return chain + CLASSIFIER


LENET5 = [conv(6, 5, 1, 2), RELU, pool(2, 2), conv(16, 5), RELU, pool(2, 2), fc(120), RELU, fc(84), RELU, fc(10)]
ALEXNET = [
    *[conv(96, 11, 4), RELU, pool(3, 2), LRN],
    *[conv(256, 5, 1, 2), RELU, pool(3, 2), LRN],
    *[conv(384, 3, 1, 1), RELU, conv(384, 3, 1, 1), RELU, conv(256, 3, 1, 1), RELU, pool(3, 2)],
    *CLASSIFIER,
]
RESNET20 = resnet(conv_bn(16, 3, 1, 1) + [RELU], basic, 16, [(16, 3), (32, 3), (64, 3)], 10)

# Shape of an image, and the chain.
NETS = {
    "lenet5": ((1, 28, 28), LENET5),
    "resnet20": ((3, 32, 32), RESNET20),
    "alexnet": ((3, 227, 227), ALEXNET),
    "resnet18": ((3, 224, 224), imagenet(basic, 2, 2, 2, 2)),
    "resnet50": ((3, 224, 224), imagenet(bottleneck, 3, 4, 6, 3)),
    "resnet152": ((3, 224, 224), imagenet(bottleneck, 3, 8, 36, 3)),
    "vgg16": ((3, 224, 224), vgg(2, 2, 3, 3, 3)),
    "vgg19": ((3, 224, 224), vgg(2, 2, 4, 4, 4)),
}


@dataclass
class Layer:
    """A layer with its weights, the same for every tool."""

    kind: str
    options: tuple = ()
    arrays: list = field(default_factory=list)
    branches: list = field(default_factory=list)


def layers(name):
    """The network with weights drawn: a list of Layer."""
    shape, chain = NETS[name]
    return draw(chain, shape, np.random.default_rng(1))[0]


def draw(chain, shape, rng):
    """Gives a chain its weights; returns it and the shape of its output."""
    made = []
    for kind, *options in chain:
        channels, size = shape[0], shape[-1]
        arrays, branches = [], []
        if kind == "conv":
            out, kernel, stride, pad, bias = options
            arrays = [he(rng, (out, channels, kernel, kernel))] + [small(rng, out)] * bias
            size = (size + 2 * pad - kernel) // stride + 1
            shape = (out, size, size)
        elif kind == "fc":
            arrays = [he(rng, (options[0], int(np.prod(shape)))), small(rng, options[0])]
            options, shape = [shape], (options[0],)
        elif kind == "bn":
            positive = [rng.uniform(0.5, 1, channels).astype(np.float32) for _ in range(2)]
            arrays = [positive[0], small(rng, channels), small(rng, channels), positive[1]]
        elif kind == "pool":
            kernel, stride, pad = options
            size = (size + 2 * pad - kernel) // stride + 1
            shape = (channels, size, size)
        elif kind == "mean":
            shape = (channels,)
        elif kind == "add":
            (body, after), (shortcut, _) = (draw(branch, shape, rng) for branch in options)
            options, branches, shape = [], [body, shortcut], after
        made.append(Layer(kind, tuple(options), arrays, branches))
    return made, shape


def he(rng, shape):
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))


def small(rng, length):
    return rng.uniform(-0.1, 0.1, length).astype(np.float32)


def images(name, batch):
    """The same images for every tool."""
    return np.random.default_rng(2).standard_normal((batch, *NETS[name][0]), dtype=np.float32)
