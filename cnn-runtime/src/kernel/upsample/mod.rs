//! Enlarging a map by whole factors: nearest neighbour, or bilinear with corners not aligned, as in PyTorch.
//!
//! Output `o` of a factor `s` lies at `(o + 0.5) / s - 0.5` in the input. Outputs `i * s + p` of one phase `p` have the
//! same weights for every `i`, so that rows are worked on a phase at a time; beyond the edge its pixel repeats.

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use super::order::check_order;
use super::pieces::{each, part};
use super::wide::wide;
use crate::desc::{Order, Resample, Upsample, Write};

/// Columns of input that are blended on the stack together.
const BLOCK: usize = 128;

/// Enlarges each plane.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward(d: &Upsample, n: usize, input: &[f32], output: &mut [f32]) {
    let plane = check(d, n, input.len(), output.len());
    each(output, plane, n * d.input.c * plane, |i, output| {
        let input = part(input, i, d.input.plane());
        wide(
            #[inline(always)]
            || match d.resample {
                Resample::Nearest => nearest(d, input, output),
                Resample::Bilinear => bilinear(d, input, output),
            },
        );
    });
}

/// Gathers at each input the gradients of the outputs it fed.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward(d: &Upsample, n: usize, d_output: &[f32], d_input: &mut [f32], write: Write) {
    let plane = check(d, n, d_input.len(), d_output.len());
    each(d_input, d.input.plane(), n * d.input.c * plane, |i, d_input| {
        let d_output = part(d_output, i, plane);
        if write == Write::Set {
            d_input.fill(0.0);
        }
        wide(
            #[inline(always)]
            || match d.resample {
                Resample::Nearest => nearest_backward(d, d_output, d_input),
                Resample::Bilinear => bilinear_backward(d, d_output, d_input),
            },
        );
    });
}

/// Checks lengths against `n` samples and returns the elements of an output plane.
fn check(d: &Upsample, n: usize, input: usize, output: usize) -> usize {
    let plane = d.input.plane() * d.scale[0] * d.scale[1];
    assert_eq!(input, n * d.input.len(), "upsample: input side of {n} samples");
    check_order("upsample", d.input.order, &[Order::Nchw]);
    assert_eq!(output, n * d.input.c * plane, "upsample: output side of {n} samples");
    plane
}

/// One plane by nearest neighbour.
#[inline(always)]
fn nearest(d: &Upsample, input: &[f32], output: &mut [f32]) {
    let width = d.input.w * d.scale[1];
    for (row, rows) in input.chunks_exact(d.input.w).zip(output.chunks_exact_mut(d.scale[0] * width)) {
        let (first, rest) = rows.split_at_mut(width);
        match first.as_chunks_mut::<2>() {
            (pairs, []) if d.scale[1] == 2 => pairs.iter_mut().zip(row).for_each(|(pair, &x)| *pair = [x; 2]),
            _ => first.chunks_exact_mut(d.scale[1]).zip(row).for_each(|(group, &x)| group.fill(x)),
        }
        rest.chunks_exact_mut(width).for_each(|copy| copy.copy_from_slice(first));
    }
}

/// Adds the backward pass of [`nearest`].
#[inline(always)]
fn nearest_backward(d: &Upsample, d_output: &[f32], d_input: &mut [f32]) {
    let width = d.input.w * d.scale[1];
    for (d_row, rows) in d_input.chunks_exact_mut(d.input.w).zip(d_output.chunks_exact(d.scale[0] * width)) {
        for row in rows.chunks_exact(width) {
            match row.as_chunks::<2>() {
                (pairs, []) if d.scale[1] == 2 => d_row.iter_mut().zip(pairs).for_each(|(d, [a, b])| *d += a + b),
                _ => d_row.iter_mut().zip(row.chunks_exact(d.scale[1])).for_each(|(d, g)| *d += g.iter().sum::<f32>()),
            }
        }
    }
}

/// Where the outputs of one phase lie: between input `i - 1 + skip` and the next, at this share of the way.
#[derive(Clone, Copy)]
struct Phase {
    skip: usize,
    share: f32,
}

impl Phase {
    #[inline(always)]
    fn new(p: usize, scale: usize) -> Self {
        let position = (p as f32 + 0.5) / scale as f32 - 0.5;
        if position < 0.0 { Phase { skip: 0, share: position + 1.0 } } else { Phase { skip: 1, share: position } }
    }

    /// The two inputs that output `i * scale + p` lies between; `size` is the number of inputs.
    #[inline(always)]
    fn around(self, i: usize, size: usize) -> [usize; 2] {
        [(i + self.skip).saturating_sub(1), (i + self.skip).min(size - 1)]
    }
}

/// One plane, bilinear.
#[inline(always)]
fn bilinear(d: &Upsample, input: &[f32], output: &mut [f32]) {
    let width = d.input.w * d.scale[1];
    for (oh, out) in output.chunks_exact_mut(width).enumerate() {
        let vertical = Phase::new(oh % d.scale[0], d.scale[0]);
        let [above, below] =
            vertical.around(oh / d.scale[0], d.input.h).map(|ih| &input[ih * d.input.w..][..d.input.w]);
        for (block, out) in out.chunks_mut(BLOCK * d.scale[1]).enumerate() {
            // The blended row of the block, with a pixel to each side.
            let (start, count) = (block * BLOCK, out.len() / d.scale[1]);
            let mut blended = [0.0; BLOCK + 2];
            let (a, b) = (&above[start..][..count], &below[start..][..count]);
            for (v, (&a, &b)) in blended[1..].iter_mut().zip(a.iter().zip(b)) {
                *v = a * (1.0 - vertical.share) + b * vertical.share;
            }
            let side = |iw: usize| above[iw] * (1.0 - vertical.share) + below[iw] * vertical.share;
            blended[0] = side(start.saturating_sub(1));
            blended[count + 1] = side((start + count).min(d.input.w - 1));
            match d.scale[1] {
                2 => stretch(2, &blended, out),
                scale => stretch(scale, &blended, out),
            }
        }
    }
}

/// Blends neighbours of a row: `blended` has one more pixel to each side than `out` covers.
#[inline(always)]
fn stretch(scale: usize, blended: &[f32], out: &mut [f32]) {
    for p in 0..scale {
        let phase = Phase::new(p, scale);
        let pairs = blended[phase.skip..].iter().zip(&blended[phase.skip + 1..]);
        for (group, (&a, &b)) in out.chunks_exact_mut(scale).zip(pairs) {
            group[p] = a * (1.0 - phase.share) + b * phase.share;
        }
    }
}

/// Adds the backward pass of [`bilinear`].
#[inline(always)]
fn bilinear_backward(d: &Upsample, d_output: &[f32], d_input: &mut [f32]) {
    let (width, w) = (d.input.w * d.scale[1], d.input.w);
    for (oh, gradients) in d_output.chunks_exact(width).enumerate() {
        let vertical = Phase::new(oh % d.scale[0], d.scale[0]);
        let [above, below] = vertical.around(oh / d.scale[0], d.input.h);
        for (block, gradients) in gradients.chunks(BLOCK * d.scale[1]).enumerate() {
            let (start, count) = (block * BLOCK, gradients.len() / d.scale[1]);
            let mut blended = [0.0; BLOCK + 2];
            match d.scale[1] {
                2 => shrink(2, gradients, &mut blended),
                scale => shrink(scale, gradients, &mut blended),
            }
            for (ih, share) in [(above, 1.0 - vertical.share), (below, vertical.share)] {
                let row = &mut d_input[ih * w..][..w];
                row[start.saturating_sub(1)] += share * blended[0];
                for (d, &g) in row[start..start + count].iter_mut().zip(&blended[1..]) {
                    *d += share * g;
                }
                row[(start + count).min(w - 1)] += share * blended[count + 1];
            }
        }
    }
}

/// Adds the backward pass of [`stretch`].
#[inline(always)]
fn shrink(scale: usize, gradients: &[f32], blended: &mut [f32]) {
    for p in 0..scale {
        let phase = Phase::new(p, scale);
        for (weight, skip) in [(1.0 - phase.share, phase.skip), (phase.share, phase.skip + 1)] {
            for (v, group) in blended[skip..].iter_mut().zip(gradients.chunks_exact(scale)) {
                *v += weight * group[p];
            }
        }
    }
}
