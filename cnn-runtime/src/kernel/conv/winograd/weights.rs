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
/// Floats behind each factor of a block: the last vector spills there, and the same place in each factor falls into
/// another set of the cache.
const GAP: usize = 16;

/// Where the factors of a block of rows stand in the transformed weights, `[block][factor][depth][row]`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The first factor.
    pub first: usize,
    /// Distance between factors.
    pub factor: usize,
}

impl Place {
    /// The place of a block of a product with so many factors and this depth.
    pub(super) fn of(factors: usize, depth: usize, blocks: Blocks, index: usize) -> Self {
        let rows = blocks.rows(index);
        Place { first: factors * (rows.start * depth + index * GAP), factor: rows.len() * depth + GAP }
    }

    /// Floats of one block, the longest one.
    pub(super) const fn most(factors: usize, depth: usize) -> usize {
        factors * (MAX_MR * depth + GAP)
    }

    /// Floats of all blocks.
    pub(super) const fn all(factors: usize, depth: usize, blocks: Blocks) -> usize {
        factors * (blocks.len() * depth + blocks.count() * GAP)
    }
}

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

    /// Transforms them into `u`.
    pub(super) fn transform<P: Points>(self, isa: Isa, u: &mut [f32]) {
        let (rows, depth) = self.sizes();
        let (blocks, factors) = (Blocks::of(rows), P::A * P::A);
        assert_eq!(u.len(), Place::all(factors, depth, blocks), "length of the transformed weights");
        let u = Shared::new(u);
        // One pair of channels takes as long as some hundred multiply-adds.
        parallel::for_each(blocks.count(), 100 * rows * depth, |index| {
            let Place { first, factor } = Place::of(factors, depth, blocks, index);
            // SAFETY: the blocks follow one another in `u`.
            let u = unsafe { u.part(first..first + factors * factor) };
            isa.run(Block::<P> { weights: self, rows: blocks.rows(index), u, points: PhantomData });
        });
    }
}

/// A block of rows to transform to `u`: `[factor][depth][row]`.
pub(super) struct Block<'a, P> {
    pub weights: Weights<'a>,
    pub rows: Range<usize>,
    pub u: &'a mut [f32],
    pub points: PhantomData<P>,
}

impl<P: Points> Kernel for Block<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Block { weights, rows, u, .. } = self;
        let (all, depth) = weights.sizes();
        let factor = rows.len() * depth + GAP;
        assert!(weights.data.len() == all * depth * TAPS && rows.end <= all, "the block is one of the weights");
        let u = &mut u[..P::A * P::A * factor];
        if weights.turned {
            turned::<S, P>(simd, weights, rows, u, factor);
        } else {
            straight::<S, P>(simd, weights, rows, u, factor);
        }
    }
}

/// Transforms a block of output channels.
#[inline(always)]
fn straight<S: Simd, P: Points>(simd: S, weights: Weights<'_>, rows: Range<usize>, u: &mut [f32], factor: usize) {
    let Weights { data, channels: [_, input], .. } = weights;
    let len = rows.len();
    for ic in 0..input {
        let taps = &data[(rows.start * input + ic * len) * TAPS..][..len * TAPS];
        // SAFETY: the taps follow one another, a row of `len` floats for each; [`Block`] has measured `u`.
        unsafe { one::<S, P>(simd, (taps.as_ptr(), len), len, (u.as_mut_ptr().add(ic * len), factor)) };
    }
}

/// Transforms a block of input channels, their taps turned round.
#[inline(always)]
fn turned<S: Simd, P: Points>(simd: S, weights: Weights<'_>, rows: Range<usize>, u: &mut [f32], factor: usize) {
    let Weights { data, channels: [out, input], .. } = weights;
    let len = rows.len();
    let mut taps = [[[0.0; MAX_LANES]; TAPS]; MAX_MR];
    for ocs in Blocks::of(out).iter() {
        let from = &data[(ocs.start * input + rows.start * ocs.len()) * TAPS..][..len * ocs.len() * TAPS];
        for (index, from) in from.chunks_exact(ocs.len()).enumerate() {
            let (row, tap) = (index / TAPS, index % TAPS);
            for (taps, &value) in taps.iter_mut().zip(from) {
                taps[TAPS - 1 - tap][row] = value;
            }
        }
        for (oc, taps) in ocs.zip(&taps) {
            let taps = taps.as_flattened().as_ptr();
            // SAFETY: a row of `MAX_LANES` floats for each tap; [`Block`] has measured `u`.
            unsafe { one::<S, P>(simd, (taps, MAX_LANES), len, (u.as_mut_ptr().add(oc * len), factor)) };
        }
    }
}

/// Transforms the weights of `rows` pairs of channels, whose taps are a distance apart, to factors a distance apart.
///
/// Vectors spill over the rows, into what the next step fills in, or the gap.
///
/// # Safety
/// All taps can be read; each factor has room for the rows and `GAP` floats more.
#[inline(always)]
unsafe fn one<S: Simd, P: Points>(
    simd: S,
    (taps, tap): (*const f32, usize),
    rows: usize,
    (to, factor): (*mut f32, usize),
) {
    for begin in (0..rows).step_by(S::LANES) {
        let count = (rows - begin).min(S::LANES);
        let mut columns = [[simd.splat(0.0); MAX_A]; 3];
        for (kw, column) in columns.iter_mut().enumerate() {
            let mut g = [simd.splat(0.0); 3];
            for (kh, g) in g.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                *g = unsafe { simd.load_part(taps.add((kh * 3 + kw) * tap + begin), 0, count) };
            }
            *column = P::weight(simd, g);
        }
        for down in 0..P::A {
            let across = P::weight(simd, [columns[0][down], columns[1][down], columns[2][down]]);
            for (right, &v) in across.iter().enumerate().take(P::A) {
                // SAFETY: the caller's promise: a vector ends no more than its length behind the rows.
                unsafe { simd.store(to.add((down * P::A + right) * factor + begin), v) };
            }
        }
    }
}
