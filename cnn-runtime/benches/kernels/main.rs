//! Speed of the convolutions of LeNet-5, ResNet-20, ResNet-18 and AlexNet beside the processor's own limit.
//!
//! `cargo bench -p cnn-runtime --bench kernels -- [FILTER] [--batch N] [--threads N]` prints GFLOP/s (two operations per
//! multiply-add) of each direction, and in brackets the part of what a loop of multiply-adds in registers reaches in the
//! same run on as many threads. Where the forward pass has a choice, three more columns show its ways one by one;
//! fewer products than the direct way has can bring more than all of what the processor can do.

mod peak;
mod shapes;

use std::time::{Duration, Instant};

use cnn_runtime::desc::{Conv, Write};
use cnn_runtime::dispatch::Isa;
use cnn_runtime::kernel::conv::{self, winograd};
use cnn_runtime::kernel::post::Post;
use cnn_runtime::testing::{on_threads, uniform};

/// The best of repeated calls within about a fifth of a second, in seconds; a call before them warms the caches.
fn seconds(mut call: impl FnMut()) -> f64 {
    call();
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    while start.elapsed() < Duration::from_millis(200) {
        let each = Instant::now();
        call();
        best = best.min(each.elapsed().as_secs_f64());
    }
    best
}

/// GFLOP/s of forward, backward-data and backward-weights.
fn measure(d: &Conv, n: usize) -> [f64; 3] {
    let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
    let mut output = uniform(3, n * d.output.len());
    let (mut d_input, mut d_weight, mut scratch) = (input.clone(), weight.clone(), weight.clone());
    let flops = 2.0 * (n * d.output.plane() * d.weight_len()) as f64;
    let forward = seconds(|| conv::forward(d, n, &input, &weight, None, &mut output));
    let data = seconds(|| conv::backward_data(d, n, &weight, &output, &mut d_input, &mut scratch, Write::Set));
    let weights = seconds(|| conv::backward_weights(d, n, &input, &output, &mut d_weight, None));
    [forward, data, weights].map(|seconds| flops / seconds / 1e9)
}

/// GFLOP/s of the ways of a forward pass where there is a choice: direct, and Winograd's with weights transformed
/// beforehand and tiles of 2 x 2 and of 4 x 4 outputs. The operations counted are those of the direct way.
fn measure_ways(d: &Conv, n: usize) -> [Option<f64>; 3] {
    let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
    let mut output = uniform(3, n * d.output.len());
    let flops = 2.0 * (n * d.output.plane() * d.weight_len()) as f64;
    let [f2, f4] = [winograd::Tile::F2, winograd::Tile::F4].map(|tile| {
        tile.fits(d).then(|| {
            let mut u = vec![0.0; winograd::transformed_len(d, tile)];
            winograd::transform(d, tile, &weight, &mut u);
            flops / seconds(|| winograd::forward(d, tile, n, &input, &u, Post::new(), &mut output)) / 1e9
        })
    });
    let direct = f4.map(|_| flops / seconds(|| conv::direct(d, n, &input, &weight, Post::new(), &mut output)) / 1e9);
    [direct, f2, f4]
}

fn option(arguments: &[String], name: &str, default: usize) -> usize {
    let at = arguments.iter().position(|argument| argument == name);
    at.and_then(|at| arguments.get(at + 1)).and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let filter = arguments.first().filter(|argument| !argument.starts_with("--")).cloned().unwrap_or_default();
    let (n, threads) = (option(&arguments, "--batch", 8), option(&arguments, "--threads", 1));
    on_threads(threads, || {
        let peak = peak::gflops(threads);
        println!("{:?}, {threads} threads, batch {n}; peak {peak:.1} GFLOP/s", Isa::active());
        let titles = ["forward", "d_input", "d_weight", "direct", "F(2x2, 3x3)", "F(4x4, 3x3)"];
        println!("{:<24}{}", "convolution", titles.map(|title| format!("{title:>15}")).concat());
        for (name, d) in shapes::all().into_iter().filter(|(name, _)| name.contains(&filter)) {
            let found = measure(&d, n).map(Some).into_iter().chain(measure_ways(&d, n));
            let cell = |gflops: f64| format!("{gflops:.1} ({:.0}%)", 100.0 * gflops / peak);
            let cells: String = found.map(|gflops| format!("{:>15}", gflops.map_or(String::new(), cell))).collect();
            println!("{name:<24}{cells}");
        }
    });
}
