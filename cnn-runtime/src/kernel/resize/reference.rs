//! Resizing by definition, in double precision: ONNX's formulas for the place of an output, and the pixels around it.

use crate::desc::{Coordinates, Resize, Rounding, Sampling};

/// Resizes `n` samples.
pub fn forward(d: &Resize, n: usize, input: &[f64]) -> Vec<f64> {
    let mut output = Vec::new();
    for plane in input.chunks_exact(d.input.plane()).take(n * d.input.c) {
        for (oh, ow) in (0..d.output.h).flat_map(|oh| (0..d.output.w).map(move |ow| (oh, ow))) {
            let rows = around(d, oh, [d.input.h, d.output.h], d.scale[0]);
            let columns = around(d, ow, [d.input.w, d.output.w], d.scale[1]);
            let mut sum = 0.0;
            for (ih, vertical) in rows {
                for (iw, horizontal) in columns {
                    sum += plane[ih * d.input.w + iw] * vertical * horizontal;
                }
            }
            output.push(sum);
        }
    }
    output
}

/// Two inputs, and the weight of each.
fn around(d: &Resize, output: usize, [inputs, outputs]: [usize; 2], scale: Option<f32>) -> [(usize, f64); 2] {
    let scale = scale.map_or(outputs as f64 / inputs as f64, f64::from);
    let (resized, o) = (scale * inputs as f64, output as f64);
    let one = (resized - 1.0).abs() < 1e-6;
    // A place that should be on an input or halfway between two is not moved by the rounding error of a scale.
    let place = (1e6 * place(d.coordinates, o, scale, resized, inputs as f64, one)).round() / 1e6;
    let inside = |place: f64| place.max(0.0).min((inputs - 1) as f64) as usize;
    let nearest = |place: f64| [(inside(place), 1.0), (0, 0.0)];
    match d.sampling {
        Sampling::Bilinear => {
            let share = place - place.floor();
            [(inside(place.floor()), 1.0 - share), (inside(place.floor() + 1.0), share)]
        }
        Sampling::Nearest(Rounding::Floor) => nearest(place.floor()),
        Sampling::Nearest(Rounding::Ceil) => nearest(place.ceil()),
        Sampling::Nearest(Rounding::PreferFloor) => nearest((place - 0.5).ceil()),
        Sampling::Nearest(Rounding::PreferCeil) => nearest((place + 0.5).floor()),
    }
}

fn place(coordinates: Coordinates, o: f64, scale: f64, resized: f64, inputs: f64, one: bool) -> f64 {
    match coordinates {
        Coordinates::AlignCorners | Coordinates::PytorchHalfPixel if one => 0.0,
        Coordinates::AlignCorners => o * (inputs - 1.0) / (resized - 1.0),
        Coordinates::Asymmetric => o / scale,
        Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (o + 0.5) / scale - 0.5,
    }
}
