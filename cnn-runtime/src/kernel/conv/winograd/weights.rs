//! The transform of the weights, once for many forward passes.

#![allow(clippy::needless_range_loop)] // factors are counted as in the formula

use std::marker::PhantomData;
use std::ops::Range;

use super::points::{MAX_A, Points};
use crate::dispatch::Isa;
use crate::kernel::gemm::{Blocks, MAX_MR};
use crate::kernel::parallel::{self, Shared};
use crate::simd::{Kernel, Simd};

/// Taps of a kernel.
const TAPS: usize = 9;
/// Most lanes of a vector.
const MAX_LANES: usize = 16;
/// Steps of the depth that are transformed before they are written.
const STEPS: usize = 16;
/// Floats of so many steps of a factor, and what the last vector spills.
const FACTOR: usize = STEPS * MAX_MR + MAX_LANES;

/// The taps of some rows at one step of the depth.
type Taps = [[f32; MAX_LANES]; TAPS];

/// The weights of a convolution, or of its backward pass by the inputs.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// 3 x 3 taps for each pair of channels, in [`Blocks`] of output channels.
    pub data: &'a [f32],
    /// Output and input channels.
    pub channels: [usize; 2],
    /// Whether inputs and outputs are exchanged and the taps turned round.
    pub turned: bool,
}

impl<'a> Weights<'a> {
    /// Weights as they are.
    pub(super) fn forward(out_channels: usize, in_channels: usize, data: &'a [f32]) -> Self {
        Weights { data, channels: [out_channels, in_channels], turned: false }
    }

    /// Weights with inputs and outputs exchanged.
    pub(super) fn backward(out_channels: usize, in_channels: usize, data: &'a [f32]) -> Self {
        Weights { data, channels: [out_channels, in_channels], turned: true }
    }

    /// Rows and depth of the products.
    fn sizes(&self) -> (usize, usize) {
        let [out, input] = self.channels;
        if self.turned { (input, out) } else { (out, input) }
    }

    /// Collects the taps of a block of rows, for `count` steps of the depth from `begin` on.
    #[inline(always)]
    fn collect(&self, rows: &Range<usize>, begin: usize, count: usize, taps: &mut [Taps; STEPS]) {
        let [out, input] = self.channels;
        if self.turned {
            let steps = begin..begin + count;
            for ocs in Blocks::of(out).iter().filter(|ocs| ocs.start < steps.end && steps.start < ocs.end) {
                for oc in ocs.start.max(steps.start)..ocs.end.min(steps.end) {
                    let from = &self.data[(ocs.start * input + rows.start * ocs.len()) * TAPS + oc - ocs.start..];
                    for r in 0..rows.len() {
                        for tap in 0..TAPS {
                            taps[oc - begin][TAPS - 1 - tap][r] = from[(r * TAPS + tap) * ocs.len()];
                        }
                    }
                }
            }
        } else {
            let from = &self.data[(rows.start * input + begin * rows.len()) * TAPS..][..count * TAPS * rows.len()];
            let (taps, _) = taps.as_flattened_mut().split_at_mut(count * TAPS);
            for (to, from) in taps.iter_mut().zip(from.chunks_exact(rows.len())) {
                to[..rows.len()].copy_from_slice(from);
            }
        }
    }

    /// Transforms them into `u`: `[block of rows][factor][depth][row]`.
    pub(super) fn transform<P: Points>(self, isa: Isa, u: &mut [f32]) {
        let (rows, depth) = self.sizes();
        assert_eq!(self.data.len(), rows * depth * TAPS, "length of the weights");
        assert_eq!(u.len(), P::A * P::A * rows * depth, "length of the transformed weights");
        let blocks = Blocks::of(rows);
        let u = Shared::new(u);
        // One pair of channels takes as long as some five hundred multiply-adds.
        parallel::for_each(blocks.count(), 500 * rows * depth, |index| {
            let block = blocks.rows(index);
            let at = P::A * P::A * depth * block.start;
            // SAFETY: the blocks follow one another in `u`.
            let u = unsafe { u.at(at) };
            isa.run(Block::<P> { weights: self, rows: block, u, points: PhantomData });
        });
    }
}

/// A block of rows to transform to `u`.
struct Block<'a, P> {
    weights: Weights<'a>,
    rows: Range<usize>,
    u: *mut f32,
    points: PhantomData<P>,
}

impl<P: Points> Kernel for Block<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Block { weights, rows: block, u, .. } = self;
        let (depth, rows) = (weights.sizes().1, block.len());
        // Factors stand too far apart to be written a row at a time: their lines would drive one another from the cache.
        let mut taps = [[[0.0; MAX_LANES]; TAPS]; STEPS];
        let mut steps = [0.0; MAX_A * MAX_A * FACTOR];
        for begin in (0..depth).step_by(STEPS) {
            let count = STEPS.min(depth - begin);
            weights.collect(&block, begin, count, &mut taps);
            for (step, taps) in taps.iter().enumerate().take(count) {
                one::<S, P>(simd, taps, rows, &mut steps[step * rows..]);
            }
            for (factor, from) in steps.chunks_exact(FACTOR).enumerate().take(P::A * P::A) {
                let from = &from[..count * rows];
                // SAFETY: the block has `A * A * depth * rows` floats, which are this task's alone.
                let to = unsafe { std::slice::from_raw_parts_mut(u.add((factor * depth + begin) * rows), from.len()) };
                to.copy_from_slice(from);
            }
        }
    }
}

/// Transforms the weights of `rows` pairs of channels; factor `f` of row `r` goes to `f * FACTOR + r`.
///
/// Vectors spill over the rows, into what the next step fills in.
#[inline(always)]
fn one<S: Simd, P: Points>(simd: S, taps: &Taps, rows: usize, to: &mut [f32]) {
    for begin in (0..rows).step_by(S::LANES) {
        let mut columns = [[simd.splat(0.0); MAX_A]; 3];
        for (kw, column) in columns.iter_mut().enumerate() {
            let mut g = [simd.splat(0.0); 3];
            for (kh, g) in g.iter_mut().enumerate() {
                // SAFETY: a vector that begins among the rows ends within `MAX_LANES`, a multiple of its length.
                *g = unsafe { simd.load(taps[kh * 3 + kw].as_ptr().add(begin)) };
            }
            *column = P::weight(simd, g);
        }
        for down in 0..P::A {
            let across = P::weight(simd, [columns[0][down], columns[1][down], columns[2][down]]);
            for (right, &v) in across.iter().enumerate().take(P::A) {
                let at = (down * P::A + right) * FACTOR + begin;
                let to = &mut to[at..at + S::LANES];
                // SAFETY: just measured.
                unsafe { simd.store(to.as_mut_ptr(), v) };
            }
        }
    }
}
