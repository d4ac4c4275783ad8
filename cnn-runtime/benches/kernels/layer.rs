//! The kinds of layers, and the kernels of each.

use std::fmt;

use cnn_runtime::__v1::conv::{self, winograd};
use cnn_runtime::__v1::post::Post;
use cnn_runtime::__v1::{act, add, avg_pool, batch_norm, fc, lrn, max_pool};
use cnn_runtime::Buffer;
use cnn_runtime::desc::{Act, BatchNorm, Conv, Fc, Lrn, Map, Pool, Statistics, Write};
use cnn_runtime::info::TensorInfo;
use cnn_runtime::optim::{Optimizer, Sgd};
use cnn_runtime::testing::uniform;

use crate::report::Row;
use crate::stream::Traffic;

/// One layer of one size.
#[derive(Clone, Copy)]
pub enum Layer {
    Conv(Conv),
    Fc(Fc),
    MaxPool(Pool),
    AvgPool(Pool),
    Lrn(Lrn),
    BatchNorm(BatchNorm),
    Relu(Map),
    Add(Map),
    Sgd(usize),
}

impl Layer {
    /// The kind's name, and the titles of what is measured of it.
    pub fn kind(&self) -> (&'static str, &'static [&'static str]) {
        match self {
            Layer::Conv(_) => {
                let ways = &[
                    "forward",
                    "training",
                    "d_input",
                    "d_weight",
                    "direct",
                    "F(2x2, 3x3)",
                    "F(4x4, 3x3)",
                    "F(6x6, 3x3)",
                    "F(2x2, 5x5)",
                    "F(4x4, 5x5)",
                ];
                ("conv", ways)
            }
            Layer::Fc(_) => ("fc", &["forward", "d_input", "d_weight"]),
            Layer::MaxPool(_) => ("max pool", &["forward", "training", "backward"]),
            Layer::AvgPool(_) => ("avg pool", &["forward", "backward"]),
            Layer::Lrn(_) => ("lrn", &["forward", "training", "backward"]),
            Layer::BatchNorm(_) => ("bn", &["forward", "training", "backward"]),
            Layer::Relu(_) => ("relu", &["forward", "backward"]),
            Layer::Add(_) => ("add", &["forward", "in place"]),
            Layer::Sgd(_) => ("sgd", &["momentum"]),
        }
    }

    /// Times every kernel of the layer on `n` samples.
    pub fn measure(&self, n: usize, row: &mut Row<'_>) {
        match self {
            Layer::Conv(d) => {
                directions(d, n, row);
                ways(d, n, row);
            }
            Layer::Fc(d) => fully_connected(d, n, row),
            Layer::MaxPool(d) => maximum(d, n, row),
            Layer::AvgPool(d) => average(d, n, row),
            Layer::Lrn(d) => response(d, n, row),
            Layer::BatchNorm(d) => normalisation(d, n, row),
            Layer::Relu(map) => rectifier(n * map.len(), row),
            Layer::Add(map) => sum(n * map.len(), row),
            Layer::Sgd(parameters) => momentum(*parameters, row),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let map = |map: Map| format!("{}x{}x{}", map.c, map.h, map.w);
        match self {
            Layer::Conv(d) => {
                let ([kh, kw], s) = (d.window.kernel, d.window.stride[0]);
                write!(f, "{} -> {} {kh}x{kw}", map(d.input), d.output.c)?;
                let (stride, groups) = (if s > 1 { format!(" s{s}") } else { String::new() }, d.groups);
                write!(f, "{stride}{}", if groups > 1 { format!(" g{groups}") } else { String::new() })
            }
            Layer::Fc(d) => write!(f, "{} -> {}", d.inputs, d.outputs),
            Layer::MaxPool(d) | Layer::AvgPool(d) => {
                let [kh, kw] = d.window.kernel;
                write!(f, "{} {kh}x{kw} s{}", map(d.input), d.window.stride[0])
            }
            Layer::Lrn(d) => write!(f, "{} of {}", map(d.map), d.size),
            Layer::BatchNorm(d) => write!(f, "{} x {}", d.channels, d.plane),
            Layer::Relu(d) | Layer::Add(d) => f.write_str(&map(*d)),
            Layer::Sgd(parameters) => write!(f, "{parameters}"),
        }
    }
}

/// A buffer as networks use them, with values that no kernel finds special.
fn random(len: usize) -> Buffer {
    Buffer::from_slice(&uniform(len as u64, len))
}

/// Operations of a product: two per multiply-add.
fn flops(n: usize, d: &Conv) -> f64 {
    2.0 * (n * d.output.plane() * d.weight_len()) as f64
}

/// What inference computes, by weights that it keeps transformed where that pays, and the three passes of training.
fn directions(d: &Conv, n: usize, row: &mut Row<'_>) {
    let (input, weight, mut output) = (random(n * d.input.len()), random(d.weight_len()), random(n * d.output.len()));
    let mut scratch = Buffer::zeroed(conv::scratch_len(d));
    let moves = |read: [&[f32]; 2], written: &[f32]| Traffic {
        read: read.iter().map(|side| side.len()).sum(),
        written: written.len(),
        ..Traffic::default()
    };
    let traffic = moves([&input, &weight], &output);
    let transformed = winograd::kept(d).map(|tile| {
        let mut u = Buffer::zeroed(winograd::transformed_len(d, tile));
        winograd::transform(d, tile, &weight, &mut u);
        (tile, u)
    });
    let kept = transformed.as_ref().map(|(tile, u)| winograd::Transformed { tile: *tile, u });
    row.time("forward", flops(n, d), traffic, || {
        conv::forward_kept(d, n, &input, &weight, kept, Post::new(), &mut output);
    });
    row.time("training", flops(n, d), traffic, || conv::forward(d, n, &input, &weight, None, &mut output));
    let mut d_input = random(input.len());
    let traffic = moves([&weight, &output], &d_input);
    row.time("d_input", flops(n, d), traffic, || {
        conv::backward_data(d, n, &weight, &output, &mut d_input, &mut scratch, Write::Set)
    });
    let mut d_weight = random(weight.len());
    let traffic = moves([&input, &output], &d_weight);
    row.time("d_weight", flops(n, d), traffic, || conv::backward_weights(d, n, &input, &output, &mut d_weight, None));
}

/// Where the forward pass has a choice, its ways one by one: the direct one, and Winograd's with weights transformed
/// beforehand, by the outputs of a tile and the kernel. The operations counted are those of the direct way.
fn ways(d: &Conv, n: usize, row: &mut Row<'_>) {
    let tiles = [
        ("F(2x2, 3x3)", winograd::Tile::F2),
        ("F(4x4, 3x3)", winograd::Tile::F4),
        ("F(6x6, 3x3)", winograd::Tile::F6),
        ("F(2x2, 5x5)", winograd::Tile::F2Of5),
        ("F(4x4, 5x5)", winograd::Tile::F4Of5),
    ];
    let (input, weight, mut output) = (random(n * d.input.len()), random(d.weight_len()), random(n * d.output.len()));
    if tiles.iter().any(|(_, tile)| tile.fits(d)) {
        row.computes("direct", flops(n, d), || conv::direct(d, n, &input, &weight, Post::new(), &mut output));
    }
    for (title, tile) in tiles.into_iter().filter(|(_, tile)| tile.fits(d)) {
        let mut u = Buffer::zeroed(winograd::transformed_len(d, tile));
        winograd::transform(d, tile, &weight, &mut u);
        row.computes(title, flops(n, d), || winograd::forward(d, tile, n, &input, &u, Post::new(), &mut output));
    }
}

fn fully_connected(d: &Fc, n: usize, row: &mut Row<'_>) {
    let (flops, weights) = (2.0 * (n * d.inputs * d.outputs) as f64, d.inputs * d.outputs);
    let (mut input, mut weight, mut output) = (random(n * d.inputs), random(weights), random(n * d.outputs));
    let traffic = Traffic { read: weights + input.len(), written: output.len(), updated: 0 };
    row.time("forward", flops, traffic, || fc::forward(d, n, &input, &weight, None, &mut output));
    let traffic = Traffic { read: weights + output.len(), written: input.len(), updated: 0 };
    row.time("d_input", flops, traffic, || fc::backward_data(d, n, &weight, &output, &mut input, Write::Set));
    let traffic = Traffic { read: input.len() + output.len(), written: weights, updated: 0 };
    row.time("d_weight", flops, traffic, || fc::backward_weights(d, n, &input, &output, &mut weight, None));
}

fn maximum(d: &Pool, n: usize, row: &mut Row<'_>) {
    let (mut input, mut output) = (random(n * d.input.len()), random(n * d.output.len()));
    let mut argmax = vec![0; output.len()];
    let (inputs, outputs) = (input.len(), output.len());
    let traffic = Traffic { read: inputs, written: outputs, updated: 0 };
    row.moves("forward", traffic, || max_pool::forward(d, n, &input, &mut output));
    let traffic = Traffic { read: inputs, written: outputs + outputs / 2, updated: 0 };
    row.moves("training", traffic, || max_pool::forward_train(d, n, &input, &mut output, &mut argmax));
    let traffic = Traffic { read: outputs + outputs / 2, written: inputs, updated: 0 };
    row.moves("backward", traffic, || max_pool::backward(d, n, &argmax, &output, &mut input, Write::Set));
}

fn average(d: &Pool, n: usize, row: &mut Row<'_>) {
    let (mut input, mut output) = (random(n * d.input.len()), random(n * d.output.len()));
    let traffic = Traffic { read: input.len(), written: output.len(), updated: 0 };
    row.moves("forward", traffic, || avg_pool::forward(d, n, &input, &mut output));
    let traffic = Traffic { read: output.len(), written: input.len(), updated: 0 };
    row.moves("backward", traffic, || avg_pool::backward(d, n, &output, &mut input, Write::Set));
}

fn response(d: &Lrn, n: usize, row: &mut Row<'_>) {
    let len = n * d.map.len();
    let [input, mut output, mut scale, mut d_input] = [(); 4].map(|()| random(len));
    let traffic = |read, written| Traffic { read: read * len, written: written * len, updated: 0 };
    row.moves("forward", traffic(1, 1), || lrn::forward(d, n, &input, &mut output));
    row.moves("training", traffic(1, 2), || lrn::forward_train(d, n, &input, &mut output, &mut scale));
    row.moves("backward", traffic(3, 1), || {
        lrn::backward(d, n, &input, &scale, &output, &mut d_input, Write::Set);
    });
}

fn normalisation(d: &BatchNorm, n: usize, row: &mut Row<'_>) {
    let len = n * d.channels * d.plane;
    let [input, mut output, mut d_input] = [(); 3].map(|()| random(len));
    let [mean, scale, mut d_scale, mut d_shift, mut saved_mean, mut saved_inv_std] =
        [0.5; 6].map(|x| per_channel(d, x));
    let [mut running_mean, mut running_var] = [0.5, 1.0].map(|x| per_channel(d, x));
    let traffic = |read| Traffic { read: read * len, written: len, updated: 0 };
    row.moves("forward", traffic(1), || batch_norm::forward(d, n, &input, &scale, &mean, &mean, &scale, &mut output));
    row.moves("training", traffic(1), || {
        let (mean, var) = (&mut running_mean, &mut running_var);
        let saved = (&mut saved_mean, &mut saved_inv_std);
        batch_norm::forward_train(
            d,
            n,
            Statistics::Batch,
            &input,
            &scale,
            &scale,
            mean,
            var,
            saved.0,
            saved.1,
            &mut output,
        );
    });
    row.moves("backward", traffic(2), || {
        let by = (&mut d_scale, &mut d_shift, &mut d_input);
        let saved = (&saved_mean, &saved_inv_std);
        batch_norm::backward(
            d,
            n,
            Statistics::Batch,
            &input,
            &scale,
            saved.0,
            saved.1,
            &output,
            by.0,
            by.1,
            by.2,
            Write::Set,
        );
    });
}

fn per_channel(d: &BatchNorm, value: f32) -> Buffer {
    Buffer::from_slice(&vec![value; d.channels])
}

/// Forward out of place: in place a second call would find nothing to change.
fn rectifier(len: usize, row: &mut Row<'_>) {
    let [input, mut output, mut d] = [(); 3].map(|()| random(len));
    let traffic = Traffic { read: len, written: len, updated: 0 };
    row.moves("forward", traffic, || act::forward(Act::Relu, &input, &mut output));
    let traffic = Traffic { read: len, updated: len, written: 0 };
    row.moves("backward", traffic, || act::backward_inplace(Act::Relu, &output, &mut d));
}

fn sum(len: usize, row: &mut Row<'_>) {
    let [a, b, mut output] = [(); 3].map(|()| random(len));
    let traffic = Traffic { read: 2 * len, written: len, updated: 0 };
    row.moves("forward", traffic, || add::forward(&a, &b, &mut output));
    let traffic = Traffic { read: len, updated: len, written: 0 };
    row.moves("in place", traffic, || add::accumulate(&mut output, &a));
}

/// A step with momentum and decay, which does not depend on the batch.
fn momentum(len: usize, row: &mut Row<'_>) {
    let [mut values, gradients] = [(); 2].map(|()| random(len));
    let tensors = [TensorInfo::alone("w", Box::leak(Box::new([len])))];
    let mut sgd = Sgd::new(1e-3).momentum(0.9).weight_decay(5e-4);
    let traffic = Traffic { read: len, updated: 2 * len, written: 0 };
    row.moves("momentum", traffic, || {
        sgd.update(&mut values, &gradients, &tensors).expect("sizes and settings are right")
    });
}
