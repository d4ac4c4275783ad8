//! The layers of the networks measured, each shape once, with the networks that have it.

use cnn_runtime::desc::{BatchNorm, Conv, Fc, Lrn, Map, Order, Pool, Window};
use cnn_runtime::testing::pool;

use crate::layer::Layer;

/// `(networks, in_channels, size, out_channels, kernel, stride, padding, groups)`.
type ConvRow = (&'static str, usize, usize, usize, usize, usize, usize, usize);

const CONVS: [ConvRow; 54] = [
    ("lenet5", 1, 28, 6, 5, 1, 2, 1),
    ("lenet5", 6, 14, 16, 5, 1, 0, 1),
    ("resnet20", 3, 32, 16, 3, 1, 1, 1),
    ("resnet20", 16, 32, 16, 3, 1, 1, 1),
    ("resnet20", 16, 32, 32, 3, 2, 1, 1),
    ("resnet20", 16, 32, 32, 1, 2, 0, 1),
    ("resnet20", 32, 16, 32, 3, 1, 1, 1),
    ("resnet20", 32, 16, 64, 3, 2, 1, 1),
    ("resnet20", 32, 16, 64, 1, 2, 0, 1),
    ("resnet20", 64, 8, 64, 3, 1, 1, 1),
    ("alexnet", 3, 227, 96, 11, 4, 0, 1),
    ("alexnet", 96, 27, 256, 5, 1, 2, 1),
    ("alexnet", 256, 13, 384, 3, 1, 1, 1),
    ("alexnet", 384, 13, 384, 3, 1, 1, 1),
    ("alexnet", 384, 13, 256, 3, 1, 1, 1),
    ("resnet18 resnet50", 3, 224, 64, 7, 2, 3, 1),
    ("resnet18 resnet50", 64, 56, 64, 3, 1, 1, 1),
    ("resnet18 resnet50", 128, 28, 128, 3, 1, 1, 1),
    ("resnet18 resnet50", 256, 14, 256, 3, 1, 1, 1),
    ("resnet18 resnet50", 512, 7, 512, 3, 1, 1, 1),
    ("resnet18", 64, 56, 128, 3, 2, 1, 1),
    ("resnet18", 128, 28, 256, 3, 2, 1, 1),
    ("resnet18", 256, 14, 512, 3, 2, 1, 1),
    ("resnet18", 64, 56, 128, 1, 2, 0, 1),
    ("resnet18", 128, 28, 256, 1, 2, 0, 1),
    ("resnet18", 256, 14, 512, 1, 2, 0, 1),
    ("resnet50", 128, 56, 128, 3, 2, 1, 1),
    ("resnet50", 256, 28, 256, 3, 2, 1, 1),
    ("resnet50", 512, 14, 512, 3, 2, 1, 1),
    ("resnet50", 64, 56, 64, 1, 1, 0, 1),
    ("resnet50", 64, 56, 256, 1, 1, 0, 1),
    ("resnet50", 256, 56, 64, 1, 1, 0, 1),
    ("resnet50", 256, 56, 128, 1, 1, 0, 1),
    ("resnet50", 128, 28, 512, 1, 1, 0, 1),
    ("resnet50", 512, 28, 128, 1, 1, 0, 1),
    ("resnet50", 512, 28, 256, 1, 1, 0, 1),
    ("resnet50", 256, 14, 1024, 1, 1, 0, 1),
    ("resnet50", 1024, 14, 256, 1, 1, 0, 1),
    ("resnet50", 1024, 14, 512, 1, 1, 0, 1),
    ("resnet50", 512, 7, 2048, 1, 1, 0, 1),
    ("resnet50", 2048, 7, 512, 1, 1, 0, 1),
    ("resnet50", 256, 56, 512, 1, 2, 0, 1),
    ("resnet50", 512, 28, 1024, 1, 2, 0, 1),
    ("resnet50", 1024, 14, 2048, 1, 2, 0, 1),
    ("vgg16", 3, 224, 64, 3, 1, 1, 1),
    ("vgg16", 64, 224, 64, 3, 1, 1, 1),
    ("vgg16", 64, 112, 128, 3, 1, 1, 1),
    ("vgg16", 128, 112, 128, 3, 1, 1, 1),
    ("vgg16", 128, 56, 256, 3, 1, 1, 1),
    ("vgg16", 256, 56, 256, 3, 1, 1, 1),
    ("vgg16", 256, 28, 512, 3, 1, 1, 1),
    ("vgg16", 512, 28, 512, 3, 1, 1, 1),
    ("vgg16", 512, 14, 512, 3, 1, 1, 1),
    ("mobilenet", 128, 56, 128, 3, 1, 1, 128),
];

/// `(networks, inputs, outputs)`.
const FCS: [(&str, usize, usize); 9] = [
    ("lenet5", 400, 120),
    ("lenet5", 120, 84),
    ("lenet5", 84, 10),
    ("resnet20", 64, 10),
    ("alexnet", 9216, 4096),
    ("alexnet", 4096, 4096),
    ("alexnet", 4096, 1000),
    ("resnet18", 512, 1000),
    ("resnet50", 2048, 1000),
];

/// `(networks, channels, size, kernel, stride, padding)`.
const MAX_POOLS: [(&str, usize, usize, usize, usize, usize); 6] = [
    ("lenet5", 6, 28, 2, 2, 0),
    ("lenet5", 16, 10, 2, 2, 0),
    ("alexnet", 96, 55, 3, 2, 0),
    ("alexnet", 256, 27, 3, 2, 0),
    ("alexnet", 256, 13, 3, 2, 0),
    ("resnet18 resnet50", 64, 112, 3, 2, 1),
];

/// `(networks, channels, size)` of what is averaged over the whole map.
const AVG_POOLS: [(&str, usize, usize); 3] = [("resnet20", 64, 8), ("resnet18", 512, 7), ("resnet50", 2048, 7)];

/// `(networks, channels, size)`.
const LRNS: [(&str, usize, usize); 2] = [("alexnet", 96, 27), ("alexnet", 256, 13)];

/// `(networks, channels, size)` of maps that batch normalisation and `relu` work on.
const NORMED: [(&str, usize, usize); 15] = [
    ("resnet20", 16, 32),
    ("resnet20", 32, 16),
    ("resnet20", 64, 8),
    ("resnet18 resnet50", 64, 112),
    ("resnet18 resnet50", 64, 56),
    ("resnet18 resnet50", 128, 28),
    ("resnet18 resnet50", 256, 14),
    ("resnet18 resnet50", 512, 7),
    ("resnet50", 128, 56),
    ("resnet50", 256, 56),
    ("resnet50", 256, 28),
    ("resnet50", 512, 28),
    ("resnet50", 512, 14),
    ("resnet50", 1024, 14),
    ("resnet50", 2048, 7),
];

/// `(networks, channels, size)` of maps that only `relu` works on.
const PLAIN: [(&str, usize, usize); 9] = [
    ("lenet5", 6, 28),
    ("lenet5", 16, 10),
    ("lenet5", 120, 1),
    ("lenet5", 84, 1),
    ("alexnet", 96, 55),
    ("alexnet", 256, 27),
    ("alexnet", 384, 13),
    ("alexnet", 256, 13),
    ("alexnet", 4096, 1),
];

/// `(networks, channels, size)` of residual sums.
const SUMS: [(&str, usize, usize); 11] = [
    ("resnet20", 16, 32),
    ("resnet20", 32, 16),
    ("resnet20", 64, 8),
    ("resnet18", 64, 56),
    ("resnet18", 128, 28),
    ("resnet18", 256, 14),
    ("resnet18", 512, 7),
    ("resnet50", 256, 56),
    ("resnet50", 512, 28),
    ("resnet50", 1024, 14),
    ("resnet50", 2048, 7),
];

/// `(networks, parameters)` that an optimiser steps.
const STEPS: [(&str, usize); 5] = [
    ("lenet5", 61_706),
    ("resnet20", 272_474),
    ("alexnet", 62_378_344),
    ("resnet18", 11_689_512),
    ("resnet50", 25_557_032),
];

/// All layers, kind by kind, each with the networks that have it.
pub fn all() -> impl Iterator<Item = (&'static str, Layer)> {
    let convs = CONVS.map(|row| (row.0, Layer::Conv(conv(row))));
    let fcs = FCS.map(|(nets, inputs, outputs)| (nets, Layer::Fc(Fc { inputs, outputs })));
    let max_pools = MAX_POOLS.map(|(nets, c, size, kernel, stride, pad)| {
        (nets, Layer::MaxPool(window(nets, [c, size], kernel, stride, pad)))
    });
    let avg_pools = AVG_POOLS.map(|(nets, c, size)| (nets, Layer::AvgPool(window(nets, [c, size], size, size, 0))));
    let lrns = LRNS.map(|(nets, c, size)| (nets, Layer::Lrn(lrn(c, size))));
    let norms = NORMED.map(|(nets, c, size)| (nets, Layer::BatchNorm(batch_norm(c, size))));
    let relu = |(nets, c, size)| (nets, Layer::Relu(Map::new(c, size, size)));
    let sums = SUMS.map(|(nets, c, size)| (nets, Layer::Add(Map::new(c, size, size))));
    let steps = STEPS.map(|(nets, parameters)| (nets, Layer::Sgd(parameters)));
    let rectifiers = PLAIN.map(relu).into_iter().chain(NORMED.map(relu));
    let windows = max_pools.into_iter().chain(avg_pools).chain(lrns);
    convs.into_iter().chain(fcs).chain(windows).chain(norms).chain(rectifiers).chain(sums).chain(steps)
}

fn conv((networks, channels, size, out, kernel, stride, pad, groups): ConvRow) -> Conv {
    let outputs = (size + 2 * pad - kernel) / stride + 1;
    let map = maps_of(networks);
    Conv {
        input: map(channels, size, size),
        output: map(out, outputs, outputs),
        window: Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1, 1], pad: [pad; 4] },
        groups,
        direct: false,
    }
}

/// A map in the order that networks have it in: in blocks of channels where there are whole ones, unless it is one position.
fn map(c: usize, h: usize, w: usize) -> Map {
    if c.is_multiple_of(Order::BLOCK) && h * w > 1 { Map::blocked(c, h, w) } else { Map::new(c, h, w) }
}

/// As [`map`], in LeNet-5: samples in groups, but for the network's input and what fully connected layers read.
fn lenet5_map(c: usize, h: usize, w: usize) -> Map {
    if [[1, 28, 28], [16, 5, 5]].contains(&[c, h, w]) { Map::new(c, h, w) } else { Map::batched(c, h, w) }
}

/// How the maps of a network stand.
fn maps_of(networks: &str) -> fn(usize, usize, usize) -> Map {
    if networks == "lenet5" { lenet5_map } else { map }
}

fn window(networks: &str, [c, size]: [usize; 2], kernel: usize, stride: usize, pad: usize) -> Pool {
    let map = maps_of(networks);
    let plain = pool([c, size, size], [kernel; 2], [stride; 2], [1, 1], [pad; 4]);
    let [input, output] = [plain.input, plain.output].map(|Map { c, h, w, .. }| map(c, h, w));
    Pool { input, output, ..plain }
}

fn lrn(channels: usize, size: usize) -> Lrn {
    Lrn { map: map(channels, size, size), size: 5, alpha: 1e-4, beta: 0.75, k: 2.0 }
}

fn batch_norm(channels: usize, size: usize) -> BatchNorm {
    BatchNorm { channels, plane: size * size, order: map(channels, size, size).order, eps: 1e-5, momentum: 0.1 }
}
