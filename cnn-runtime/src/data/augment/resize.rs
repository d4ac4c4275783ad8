//! A part of a picture, scaled.

use super::crop::Window;
use super::scratch;

/// Scales the part of `from`, an image of `shape`, that `window` shows to `to` of `size` (height, width): bilinear, and
/// where it shrinks, by the mean of what becomes one pixel, weighted by a triangle. A part of that size is copied.
pub(super) fn resize(from: &[f32], [c, h, w]: [usize; 3], window: Window, to: &mut [f32], [oh, ow]: [usize; 2]) {
    let Window { top, left, height, width } = window;
    // Memory as for all of the picture, so that no larger window calls for more. Along rows first.
    scratch::lend(c * h * ow, |rows| {
        let rows = &mut rows[..c * height * ow];
        scratch::lend(taps(w, ow), |weights| {
            for x in 0..ow {
                let (first, weights) = weigh(x, width, ow, weights);
                for (at, value) in rows.iter_mut().skip(x).step_by(ow).enumerate() {
                    let row = (at / height * h + top + at % height) * w + left;
                    *value = from[row + first..].iter().zip(weights).map(|(value, weight)| value * weight).sum();
                }
            }
        });
        scratch::lend(taps(h, oh), |weights| {
            for y in 0..oh {
                let (first, weights) = weigh(y, height, oh, weights);
                for channel in 0..c {
                    let row = &mut to[(channel * oh + y) * ow..][..ow];
                    row.fill(0.0);
                    let sources = rows[(channel * height + first) * ow..].chunks_exact(ow);
                    for (source, &weight) in sources.zip(weights) {
                        row.iter_mut().zip(source).for_each(|(sum, value)| *sum += value * weight);
                    }
                }
            }
        });
    });
}

/// Input pixels one output pixel is made of, at most, where `len` become `size`.
fn taps(len: usize, size: usize) -> usize {
    2 * len.div_ceil(size).max(1) + 1
}

/// The first input pixel that output pixel `at` is made of, and the weights of it and those behind it.
fn weigh(at: usize, len: usize, size: usize, weights: &mut [f32]) -> (usize, &[f32]) {
    let scale = len as f64 / size as f64;
    let reach = scale.max(1.0);
    let centre = (at as f64 + 0.5) * scale;
    // Saturates at 0.
    let first = (centre - reach + 0.5) as usize;
    let end = ((centre + reach + 0.5) as usize).min(len);
    let weights = &mut weights[..end - first];
    for (tap, weight) in weights.iter_mut().enumerate() {
        let distance = ((first + tap) as f64 + 0.5 - centre).abs() / reach;
        *weight = (1.0 - distance).max(0.0) as f32;
    }
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    (first, weights)
}
