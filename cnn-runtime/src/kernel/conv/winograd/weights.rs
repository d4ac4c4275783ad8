//! The transform of the weights, once for many forward passes.

#![allow(clippy::needless_range_loop)] // factors are counted as in the formula

use std::marker::PhantomData;

use super::points::{MAX_A, Points};
use crate::dispatch::Isa;
use crate::kernel::gemm::MAX_MR;
use crate::kernel::parallel::{self, Shared, part};
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
    /// 3 x 3 taps for each pair of channels.
    pub data: &'a [f32],
    /// Channels of the result, and distance between their taps.
    pub rows: (usize, usize),
    /// Channels that are summed up, and distance between their taps.
    pub depth: (usize, usize),
    /// Whether the taps are turned round.
    pub turned: bool,
}

impl<'a> Weights<'a> {
    /// OIHW weights as they are.
    pub(super) fn forward(out_channels: usize, in_channels: usize, data: &'a [f32]) -> Self {
        Weights { data, rows: (out_channels, in_channels * TAPS), depth: (in_channels, TAPS), turned: false }
    }

    /// OIHW weights with inputs and outputs exchanged.
    pub(super) fn backward(out_channels: usize, in_channels: usize, data: &'a [f32]) -> Self {
        Weights { data, rows: (in_channels, TAPS), depth: (out_channels, in_channels * TAPS), turned: true }
    }

    /// Collects the taps of `rows` rows from `first` on, for `count` steps of the depth from `begin` on.
    #[inline(always)]
    fn collect(&self, first: usize, rows: usize, begin: usize, count: usize, taps: &mut [Taps; STEPS]) {
        for r in 0..rows {
            let row = &self.data[(first + r) * self.rows.1 + begin * self.depth.1..];
            for (step, taps) in taps.iter_mut().enumerate().take(count) {
                let from = &row[step * self.depth.1..][..TAPS];
                if self.turned {
                    (0..TAPS).for_each(|tap| taps[TAPS - 1 - tap][r] = from[tap]);
                } else {
                    (0..TAPS).for_each(|tap| taps[tap][r] = from[tap]);
                }
            }
        }
    }

    /// Transforms them into `u`: `[block of rows][factor][depth][row]`.
    pub(super) fn transform<P: Points>(self, isa: Isa, u: &mut [f32]) {
        let (rows, depth) = (self.rows.0, self.depth.0);
        assert_eq!(self.data.len(), rows * depth * TAPS, "length of the weights");
        assert_eq!(u.len(), P::A * P::A * rows * depth, "length of the transformed weights");
        let blocks = rows.div_ceil(isa.tile().1);
        let u = Shared::new(u);
        // One pair of channels takes as long as some five hundred multiply-adds.
        parallel::for_each(blocks, 500 * rows * depth, |index| {
            let block = part(rows, blocks, 1, index);
            let at = P::A * P::A * depth * block.start;
            // SAFETY: the blocks follow one another in `u`.
            let u = unsafe { u.at(at) };
            isa.run(Block::<P> { weights: self, first: block.start, rows: block.len(), u, points: PhantomData });
        });
    }
}

/// A block of rows to transform to `u`.
struct Block<'a, P> {
    weights: Weights<'a>,
    first: usize,
    rows: usize,
    u: *mut f32,
    points: PhantomData<P>,
}

impl<P: Points> Kernel for Block<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Block { weights, first, rows, u, .. } = self;
        let depth = weights.depth.0;
        // Factors stand too far apart to be written a row at a time: their lines would drive one another from the cache.
        let mut taps = [[[0.0; MAX_LANES]; TAPS]; STEPS];
        let mut steps = [0.0; MAX_A * MAX_A * FACTOR];
        for begin in (0..depth).step_by(STEPS) {
            let count = STEPS.min(depth - begin);
            weights.collect(first, rows, begin, count, &mut taps);
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
