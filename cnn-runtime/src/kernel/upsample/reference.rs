//! Upsampling by definition, in double precision.

use crate::desc::{Resample, Upsample};

/// Enlarges `n` samples.
pub fn forward(d: &Upsample, n: usize, input: &[f64]) -> Vec<f64> {
    let [scale_h, scale_w] = d.scale;
    let mut output = Vec::new();
    for plane in 0..n * d.input.c {
        let at = |ih: usize, iw: usize| input[(plane * d.input.h + ih) * d.input.w + iw];
        for (oh, ow) in (0..d.input.h * scale_h).flat_map(|oh| (0..d.input.w * scale_w).map(move |ow| (oh, ow))) {
            output.push(match d.resample {
                Resample::Nearest => at(oh / scale_h, ow / scale_w),
                Resample::Bilinear => {
                    let (top, bottom, v) = neighbours(oh, scale_h, d.input.h);
                    let (left, right, u) = neighbours(ow, scale_w, d.input.w);
                    let row = |ih: usize| at(ih, left) * (1.0 - u) + at(ih, right) * u;
                    row(top) * (1.0 - v) + row(bottom) * v
                }
            });
        }
    }
    output
}

/// The inputs beside output `o` and its share of the way from the first to the second.
fn neighbours(o: usize, scale: usize, size: usize) -> (usize, usize, f64) {
    let position = ((o as f64 + 0.5) / scale as f64 - 0.5).max(0.0);
    let first = position.floor() as usize;
    (first, (first + 1).min(size - 1), position - first as f64)
}
