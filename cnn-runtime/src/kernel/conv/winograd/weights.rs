//! The transform of the weights: once for many passes, or on the way of each.

#![allow(clippy::needless_range_loop)] // factors are counted as in the formula

use std::marker::PhantomData;
use std::ops::Range;

use super::points::{self, MAX_A, MAX_TAPS, Points};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::gemm::MAX_MR;
use crate::kernel::parallel::{self, Shared, part};
use crate::simd::{Kernel, Simd};

/// Most lanes of a vector.
const MAX_LANES: usize = 16;
const _: () = assert!(MAX_MR <= MAX_LANES);
/// Most taps of a kernel.
const MOST: usize = MAX_TAPS * MAX_TAPS;
/// Multiply-adds that take as long as transforming the weights of a pair of channels, roughly.
pub(super) const PAIR: usize = 100;
/// Output channels that are turned round at a time.
const TURNED: usize = 16;
/// Floats behind each factor of a band: the last vector spills there, and the same place in each factor falls into
/// another set of the cache.
const GAP: usize = 16;

/// Rows cut into nearly equal bands, to be transformed one at a time.
#[derive(Clone, Copy)]
pub(super) struct Bands {
    rows: usize,
    most: usize,
}

impl Bands {
    /// As many rows as a register tile has at most: the least time for products.
    pub(super) const fn thin(rows: usize) -> Self {
        Bands { rows, most: MAX_MR }
    }

    /// The [`Blocks`] that weights stand in: each is read as it stands, the least time to transform it.
    pub(super) const fn blocks(rows: usize) -> Self {
        Bands { rows, most: Blocks::MOST }
    }

    /// Most rows of a band.
    pub(super) const fn most(self) -> usize {
        self.most
    }

    /// Bands.
    pub(super) const fn count(self) -> usize {
        self.rows.div_ceil(self.most)
    }

    /// The rows of a band.
    #[inline(always)]
    pub(super) fn rows(self, index: usize) -> Range<usize> {
        if self.most == Blocks::MOST {
            Blocks::of(self.rows).rows(index)
        } else {
            part(self.rows, self.count(), 1, index)
        }
    }
}

/// Where the factors of a band of rows stand in the transformed weights, `[band][factor][depth][row]`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The first factor.
    pub first: usize,
    /// Distance between factors.
    pub factor: usize,
}

impl Place {
    /// The place of a band of a product with so many factors and this depth.
    pub(super) fn of(factors: usize, depth: usize, bands: Bands, index: usize) -> Self {
        let rows = bands.rows(index);
        Place { first: factors * (rows.start * depth + index * GAP), factor: Place::factor(rows.len(), depth) }
    }

    /// Distance between the factors of so many rows and steps.
    pub(super) const fn factor(rows: usize, steps: usize) -> usize {
        rows * steps + GAP
    }

    /// Floats of so many steps of one band, the longest one.
    pub(super) const fn most(factors: usize, steps: usize, bands: Bands) -> usize {
        factors * Place::factor(bands.most, steps)
    }

    /// Floats of all bands.
    pub(super) const fn all(factors: usize, depth: usize, bands: Bands) -> usize {
        factors * (bands.rows * depth + bands.count() * GAP)
    }
}

/// The weights of a convolution, or of its backward pass by the inputs.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// The taps of each pair of channels, in [`Blocks`] of output channels.
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

    /// Transforms them into `u`, in these bands of rows.
    pub(super) fn transform<P: Points>(self, isa: Isa, bands: Bands, u: &mut [f32]) {
        let (rows, depth) = self.sizes();
        let factors = P::A * P::A;
        assert_eq!(u.len(), Place::all(factors, depth, bands), "length of the transformed weights");
        let u = Shared::new(u);
        parallel::for_each(bands.count(), PAIR * rows * depth, |index| {
            let Place { first, factor } = Place::of(factors, depth, bands, index);
            // SAFETY: the bands follow one another in `u`.
            let u = unsafe { u.part(first..first + factors * factor) };
            let (rows, lines) = (bands.rows(index), 0..P::A);
            isa.run(Band::<P> { weights: self, rows, steps: 0..depth, lines, u, points: PhantomData });
        });
    }
}

/// Some steps of a band of rows, to transform to `u`: `[factor][step][row]`.
pub(super) struct Band<'a, P> {
    pub weights: Weights<'a>,
    pub rows: Range<usize>,
    pub steps: Range<usize>,
    /// The lines of factors to make, `P::A` each; only they are in `u`.
    pub lines: Range<usize>,
    pub u: &'a mut [f32],
    pub points: PhantomData<P>,
}

impl<P: Points> Kernel for Band<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Band { weights, rows, steps, lines, u, .. } = self;
        let (all, depth) = weights.sizes();
        let factor = Place::factor(rows.len(), steps.len());
        assert!(
            weights.data.len() == all * depth * P::TAPS * P::TAPS && rows.end <= all && steps.end <= depth,
            "the band is one of the weights"
        );
        let to = To { u: &mut u[..lines.len() * P::A * factor], factor, lines };
        if weights.turned {
            turned::<S, P>(simd, weights, rows, steps, to);
        } else {
            straight::<S, P>(simd, weights, rows, steps, to);
        }
    }
}

/// Where factors go.
struct To<'a> {
    /// `[factor][step][row]`.
    u: &'a mut [f32],
    /// Distance between factors.
    factor: usize,
    /// The lines of factors.
    lines: Range<usize>,
}

/// Transforms a band of output channels.
#[inline(always)]
fn straight<S: Simd, P: Points>(
    simd: S,
    weights: Weights<'_>,
    rows: Range<usize>,
    steps: Range<usize>,
    mut to: To<'_>,
) {
    let Weights { data, channels: [output, input], .. } = weights;
    let (len, blocks, all) = (rows.len(), Blocks::of(output), P::TAPS * P::TAPS);
    let [first, last] = [rows.start, rows.end - 1].map(|row| blocks.rows(row / Blocks::MOST));
    let mut taps = [[0.0; MAX_LANES]; MOST];
    for ic in steps.clone() {
        let of = |block: &Range<usize>| &data[(block.start * input + ic * block.len()) * all..][..block.len() * all];
        let (from, tap) = if first == last {
            (of(&first)[rows.start - first.start..].as_ptr(), first.len())
        } else {
            // The band begins in one block and ends in the next.
            let (before, after) = (of(&first), of(&last));
            let split = first.end - rows.start;
            for (tap, taps) in taps.iter_mut().enumerate().take(all) {
                let before = before[(tap + 1) * first.len() - split..].as_ptr();
                let after = after[tap * last.len()..].as_ptr();
                for begin in (0..len).step_by(S::LANES) {
                    let [split, end] = [split, len].map(|at| at.saturating_sub(begin).min(S::LANES));
                    // SAFETY: the rows before the split end their block, those behind it begin theirs; a tap has room for
                    // sixteen.
                    unsafe {
                        let low = simd.load_part(before.wrapping_add(begin), 0, split);
                        let high = after.wrapping_sub(first.end - rows.start).wrapping_add(begin);
                        let high = simd.load_part(high, split, end);
                        simd.store(taps.as_mut_ptr().add(begin), simd.add(low, high));
                    }
                }
            }
            (taps.as_flattened().as_ptr(), MAX_LANES)
        };
        // SAFETY: `len` floats follow for each tap; [`Band`] has measured `u`.
        unsafe { one::<S, P>(simd, (from, tap), len, ic - steps.start, &mut to) };
    }
}

/// Transforms a band of input channels, their taps turned round.
#[inline(always)]
fn turned<S: Simd, P: Points>(simd: S, weights: Weights<'_>, rows: Range<usize>, steps: Range<usize>, mut to: To<'_>) {
    let Weights { data, channels: [out, input], .. } = weights;
    let (len, all) = (rows.len(), P::TAPS * P::TAPS);
    let mut taps = [[[0.0; Blocks::MOST]; MOST]; TURNED];
    for ocs in Blocks::of(out).iter() {
        let from = &data[(ocs.start * input + rows.start * ocs.len()) * all..][..len * ocs.len() * all];
        let of_block = steps.start.max(ocs.start)..steps.end.min(ocs.end);
        for first in of_block.clone().step_by(TURNED) {
            let count = (of_block.end - first).min(TURNED);
            for tap in 0..all {
                let from = &from[tap * ocs.len() + first - ocs.start..];
                let to = &mut taps.as_flattened_mut().as_flattened_mut()[(all - 1 - tap) * Blocks::MOST..];
                simd.transposed([len, count], (from, all * ocs.len()), (to, MOST * Blocks::MOST));
            }
            for (oc, taps) in (first..).zip(&taps[..count]) {
                let taps = taps.as_flattened().as_ptr();
                // SAFETY: a row of `Blocks::MOST` floats for each tap; [`Band`] has measured `u`.
                unsafe { one::<S, P>(simd, (taps, Blocks::MOST), len, oc - steps.start, &mut to) };
            }
        }
    }
}

/// Transforms the weights of `rows` pairs of channels, whose taps are a distance apart, to step `k` of all factors.
///
/// Vectors spill over the rows, into what the next step fills in, or the gap.
///
/// # Safety
/// All taps can be read; each factor has room for the steps up to this one and `GAP` floats more.
#[inline(always)]
unsafe fn one<S: Simd, P: Points>(simd: S, (taps, tap): (*const f32, usize), rows: usize, k: usize, to: &mut To<'_>) {
    for begin in (0..rows).step_by(S::LANES) {
        let count = (rows - begin).min(S::LANES);
        let mut columns = [[simd.splat(0.0); MAX_A]; MAX_TAPS];
        for (kw, column) in columns.iter_mut().enumerate().take(P::TAPS) {
            let mut g = [simd.splat(0.0); MAX_TAPS];
            for (kh, g) in g.iter_mut().enumerate().take(P::TAPS) {
                let from = taps.wrapping_add((kh * P::TAPS + kw) * tap + begin);
                // SAFETY: the caller's promise.
                *g = unsafe { if count == S::LANES { simd.load(from) } else { simd.load_part(from, 0, count) } };
            }
            *column = P::weight(simd, g);
        }
        // Written out line by line, so that the columns stay in registers.
        macro_rules! lines {
            ($($down:literal)+) => {
                $(if $down < P::A && to.lines.contains(&$down) {
                    let across = P::weight(simd, points::line(simd, &columns, P::TAPS, $down));
                    for (right, &v) in across.iter().enumerate().take(P::A) {
                        let factor = (($down - to.lines.start) * P::A + right) * to.factor;
                        // SAFETY: the caller's promise: a vector ends no more than its length behind the rows.
                        unsafe { simd.store(to.u.as_mut_ptr().add(factor + k * rows + begin), v) };
                    }
                })+
            };
        }
        const { assert!(MAX_A == 8) };
        lines!(0 1 2 3 4 5 6 7);
    }
}
