//! Maps of any other size, larger or smaller: ONNX's `Resize` by nearest neighbour or bilinear, without antialiasing.
//!
//! Along each axis an output lies between two inputs. What columns are made of is computed once for a block of them,
//! which all rows of a plane then use. Planes are independent, and the outputs of one are walked in order, forward and
//! backward.

mod axis;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use self::axis::{Axis, Tap};
use super::order::check_order;
use super::pieces::{each, part};
use super::wide::wide;
use crate::desc::{Order, Resize, Sampling, Write};

/// Columns of output that are worked on together: their taps stand on the stack.
const BLOCK: usize = 128;

/// Resizes each plane.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward(d: &Resize, n: usize, input: &[f32], output: &mut [f32]) {
    check(d, n, input.len(), output.len());
    let walk = Walk::new(d);
    let work = input.len().max(output.len());
    each(output, d.output.plane(), work, |i, output| {
        let input = part(input, i, d.input.plane());
        wide(
            #[inline(always)]
            || match d.sampling {
                Sampling::Nearest(_) => walk.nearest(input, output),
                Sampling::Bilinear => walk.bilinear(input, output),
            },
        );
    });
}

/// Scatters the gradient of each output over the inputs that it was made of.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward(d: &Resize, n: usize, d_output: &[f32], d_input: &mut [f32], write: Write) {
    check(d, n, d_input.len(), d_output.len());
    let walk = Walk::new(d);
    let work = d_input.len().max(d_output.len());
    each(d_input, d.input.plane(), work, |i, d_input| {
        let d_output = part(d_output, i, d.output.plane());
        if write == Write::Set {
            d_input.fill(0.0);
        }
        wide(
            #[inline(always)]
            || match d.sampling {
                Sampling::Nearest(_) => walk.nearest_backward(d_output, d_input),
                Sampling::Bilinear => walk.bilinear_backward(d_output, d_input),
            },
        );
    });
}

fn check(d: &Resize, n: usize, input: usize, output: usize) {
    assert_eq!(input, n * d.input.len(), "resize: input side of {n} samples");
    [d.input, d.output].iter().for_each(|map| check_order("resize", map.order, &[Order::Nchw]));
    assert_eq!(output, n * d.output.len(), "resize: output side of {n} samples");
}

/// How outputs lie on a plane.
struct Walk {
    rows: Axis,
    columns: Axis,
}

impl Walk {
    fn new(d: &Resize) -> Self {
        let Resize { coordinates, sampling, scale, .. } = *d;
        let axis = |inputs, outputs, scale| Axis { inputs, outputs, scale, coordinates, sampling };
        Walk { rows: axis(d.input.h, d.output.h, scale[0]), columns: axis(d.input.w, d.output.w, scale[1]) }
    }

    /// What the columns from `first` on are made of.
    #[inline(always)]
    fn block(&self, first: usize, taps: &mut [Tap; BLOCK]) -> usize {
        let count = (self.columns.outputs - first).min(BLOCK);
        for (i, tap) in taps[..count].iter_mut().enumerate() {
            *tap = self.columns.tap(first + i);
        }
        count
    }

    #[inline(always)]
    fn nearest(&self, input: &[f32], output: &mut [f32]) {
        let mut taps = [Tap::default(); BLOCK];
        for first in (0..self.columns.outputs).step_by(BLOCK) {
            let count = self.block(first, &mut taps);
            for (oh, out) in output.chunks_exact_mut(self.columns.outputs).enumerate() {
                let row = row(input, self.rows.tap(oh).first, self.columns.inputs);
                for (out, tap) in out[first..first + count].iter_mut().zip(&taps) {
                    *out = row[tap.first];
                }
            }
        }
    }

    /// Adds the backward pass of [`nearest`](Walk::nearest).
    #[inline(always)]
    fn nearest_backward(&self, d_output: &[f32], d_input: &mut [f32]) {
        let (mut taps, width) = ([Tap::default(); BLOCK], self.columns.inputs);
        for first in (0..self.columns.outputs).step_by(BLOCK) {
            let count = self.block(first, &mut taps);
            for (oh, gradients) in d_output.chunks_exact(self.columns.outputs).enumerate() {
                let row = &mut d_input[self.rows.tap(oh).first * width..][..width];
                for (gradient, tap) in gradients[first..first + count].iter().zip(&taps) {
                    row[tap.first] += gradient;
                }
            }
        }
    }

    #[inline(always)]
    fn bilinear(&self, input: &[f32], output: &mut [f32]) {
        let mut taps = [Tap::default(); BLOCK];
        for first in (0..self.columns.outputs).step_by(BLOCK) {
            let count = self.block(first, &mut taps);
            for (oh, out) in output.chunks_exact_mut(self.columns.outputs).enumerate() {
                let Tap { first: above, second: below, share } = self.rows.tap(oh);
                let [above, below] = [above, below].map(|ih| row(input, ih, self.columns.inputs));
                for (out, tap) in out[first..first + count].iter_mut().zip(&taps) {
                    let top = above[tap.first] * (1.0 - tap.share) + above[tap.second] * tap.share;
                    let bottom = below[tap.first] * (1.0 - tap.share) + below[tap.second] * tap.share;
                    *out = top * (1.0 - share) + bottom * share;
                }
            }
        }
    }

    /// Adds the backward pass of [`bilinear`](Walk::bilinear).
    #[inline(always)]
    fn bilinear_backward(&self, d_output: &[f32], d_input: &mut [f32]) {
        let (mut taps, width) = ([Tap::default(); BLOCK], self.columns.inputs);
        for first in (0..self.columns.outputs).step_by(BLOCK) {
            let count = self.block(first, &mut taps);
            for (oh, gradients) in d_output.chunks_exact(self.columns.outputs).enumerate() {
                let Tap { first: above, second: below, share } = self.rows.tap(oh);
                for (ih, share) in [(above, 1.0 - share), (below, share)] {
                    let row = &mut d_input[ih * width..][..width];
                    for (gradient, tap) in gradients[first..first + count].iter().zip(&taps) {
                        row[tap.first] += gradient * share * (1.0 - tap.share);
                        row[tap.second] += gradient * share * tap.share;
                    }
                }
            }
        }
    }
}

/// A row of a plane.
#[inline(always)]
fn row(input: &[f32], ih: usize, width: usize) -> &[f32] {
    &input[ih * width..][..width]
}
