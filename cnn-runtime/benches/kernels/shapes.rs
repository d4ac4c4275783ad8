//! The different convolutions of four networks.

use cnn_runtime::desc::{Conv, Map, Window};

/// `(name, in_channels, size, out_channels, kernel, stride, padding, groups)`.
type Row = (&'static str, usize, usize, usize, usize, usize, usize, usize);

const ROWS: [Row; 26] = [
    ("lenet5 conv1", 1, 28, 6, 5, 1, 2, 1),
    ("lenet5 conv2", 6, 14, 16, 5, 1, 0, 1),
    ("resnet20 stem", 3, 32, 16, 3, 1, 1, 1),
    ("resnet20 16", 16, 32, 16, 3, 1, 1, 1),
    ("resnet20 16-32 s2", 16, 32, 32, 3, 2, 1, 1),
    ("resnet20 32", 32, 16, 32, 3, 1, 1, 1),
    ("resnet20 32-64 s2", 32, 16, 64, 3, 2, 1, 1),
    ("resnet20 64", 64, 8, 64, 3, 1, 1, 1),
    ("resnet18 stem", 3, 224, 64, 7, 2, 3, 1),
    ("resnet18 64", 64, 56, 64, 3, 1, 1, 1),
    ("resnet18 64-128 s2", 64, 56, 128, 3, 2, 1, 1),
    ("resnet18 64-128 1x1 s2", 64, 56, 128, 1, 2, 0, 1),
    ("resnet18 128", 128, 28, 128, 3, 1, 1, 1),
    ("resnet18 128-256 s2", 128, 28, 256, 3, 2, 1, 1),
    ("resnet18 256", 256, 14, 256, 3, 1, 1, 1),
    ("resnet18 256-512 s2", 256, 14, 512, 3, 2, 1, 1),
    ("resnet18 512", 512, 7, 512, 3, 1, 1, 1),
    ("resnet50 64-256 1x1", 64, 56, 256, 1, 1, 0, 1),
    ("resnet50 512-128 1x1", 512, 28, 128, 1, 1, 0, 1),
    ("resnet50 2048-512 1x1", 2048, 7, 512, 1, 1, 0, 1),
    ("mobilenet depthwise 128", 128, 56, 128, 3, 1, 1, 128),
    ("alexnet conv1", 3, 227, 96, 11, 4, 0, 1),
    ("alexnet conv2", 96, 27, 256, 5, 1, 2, 1),
    ("alexnet conv3", 256, 13, 384, 3, 1, 1, 1),
    ("alexnet conv4", 384, 13, 384, 3, 1, 1, 1),
    ("alexnet conv5", 384, 13, 256, 3, 1, 1, 1),
];

/// All of them, by name.
pub fn all() -> Vec<(&'static str, Conv)> {
    ROWS.iter().map(|&row| (row.0, conv(row))).collect()
}

fn conv((_, channels, size, out, kernel, stride, pad, groups): Row) -> Conv {
    let outputs = (size + 2 * pad - kernel) / stride + 1;
    Conv {
        input: Map::new(channels, size, size),
        output: Map::new(out, outputs, outputs),
        window: Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1, 1], pad: [pad; 4] },
        groups,
    }
}
