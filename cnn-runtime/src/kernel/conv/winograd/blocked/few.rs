//! The products of so few tiles that the sums of a line of factors fit in the registers: the weights of each step are made
//! there, multiplied with all tiles, and never written.
//!
//! Where there are many tiles, each weight's factors pay for going through memory; for four, writing them and reading them
//! again would take longer than their products. Each line begins with the taps again, which takes less.

use std::marker::PhantomData;
use std::ops::Range;

use super::Factors;
use crate::desc::Order;
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::winograd::points::{MAX_A, MAX_TAPS, Points};
use crate::kernel::conv::winograd::weights::Weights;
use crate::kernel::parallel::part;
use crate::simd::{Kernel, Simd};

/// Most tiles.
const MOST: usize = 4;
/// Steps at a time: their weights stay in the second-level cache for all lines, their inputs' factors of a line in the
/// first.
const STEPS: usize = 128;
/// Taps in one direction: with more, what is made again for each line is too much.
const TAPS: usize = 3;
/// Most sums: with the factors of a step, they fit in 32 registers.
const SUMS: usize = 24;

/// Whether this is the way for so many tiles, of all samples, each of so many factors, where vectors have `lanes`: sixteen,
/// of which there are 32 registers.
pub(in super::super) const fn applies(lanes: usize, taps: usize, factors: usize, tiles: usize) -> bool {
    lanes == Order::BLOCK && taps == TAPS && tiles <= MOST && factors * tiles * tiles <= SUMS * SUMS
}

/// All products of a band of output channels.
pub(super) struct Few<'a, P> {
    pub weights: Weights<'a>,
    /// The output channels.
    pub rows: Range<usize>,
    pub inputs: Factors<'a>,
    pub tiles: usize,
    /// `[factor][tile][output channel]`.
    pub products: &'a mut [f32],
    /// Distance between their factors.
    pub product_len: usize,
    pub points: PhantomData<P>,
}

impl<P: Points> Few<'_, P> {
    /// Computes them.
    #[inline(always)]
    pub(super) fn multiply<S: Simd>(self, simd: S) {
        match self.tiles {
            1 => sized::<S, P, 1>(simd, self),
            2 => sized::<S, P, 2>(simd, self),
            3 => sized::<S, P, 3>(simd, self),
            4 => sized::<S, P, 4>(simd, self),
            tiles => unreachable!("{tiles} tiles are not few"),
        }
    }
}

/// Leaves out the instruction sets and tiles for which this is not the way.
#[inline(always)]
fn sized<S: Simd, P: Points, const T: usize>(simd: S, few: Few<'_, P>) {
    if const { applies(S::LANES, P::TAPS, P::A * P::A, T) } {
        simd.call(Sized::<P, T>(few));
    } else {
        unreachable!("{T} tiles are not few");
    }
}

/// As many tiles as the compiler knows of.
struct Sized<'a, P, const T: usize>(Few<'a, P>);

impl<P: Points, const T: usize> Kernel for Sized<'_, P, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Few { weights, rows, inputs, products, product_len, .. } = self.0;
        let ([output, depth], len, taps) = (weights.channels, rows.len(), P::TAPS * P::TAPS);
        let factors = P::A * P::A;
        assert!(
            weights.data.len() == output * depth * taps
                && rows.start.is_multiple_of(Blocks::MOST)
                && Blocks::of(output).rows(rows.start / Blocks::MOST) == rows
                && len.is_multiple_of(S::LANES)
                && depth.is_multiple_of(Order::BLOCK),
            "a block of the weights"
        );
        assert!(inputs.v.len() >= (factors - 1) * inputs.len + depth * T && inputs.len >= depth * T, "all inputs");
        assert!(products.len() >= (factors - 1) * product_len + len * T && product_len >= len * T, "all products");
        let block = weights.data[rows.start * depth * taps..].as_ptr();
        let chunks = depth.div_ceil(STEPS);
        for steps in (0..chunks).map(|chunk| part(depth, chunks, Order::BLOCK, chunk)) {
            for begin in (0..len).step_by(S::LANES) {
                let line = Line::<T> {
                    from: block.wrapping_add(steps.start * taps * len + begin),
                    tap: len,
                    steps: steps.len(),
                    v: inputs.v[steps.start * T..].as_ptr(),
                    factor: inputs.len,
                    products: products[begin..].as_mut_ptr(),
                    position: len,
                    product: product_len,
                    resumed: steps.start > 0,
                };
                // By number, not in a loop: what a line does not need of a transform is left out.
                macro_rules! lines {
                    ($($line:literal)+) => {
                        $(if $line < P::A {
                            // SAFETY: just measured.
                            unsafe { line.compute::<S, P, $line>(simd) };
                        })+
                    };
                }
                const { assert!(MAX_A == 8) };
                lines!(0 1 2 3 4 5 6 7);
            }
        }
    }
}

/// What a line of factors of a vector of output channels is computed from.
struct Line<const T: usize> {
    /// The first tap of the first step, and the distance between taps; steps follow one another.
    from: *const f32,
    tap: usize,
    steps: usize,
    /// The inputs' factors, and the distance between them.
    v: *const f32,
    factor: usize,
    /// Where the first product goes, and the distances between tiles and between factors.
    products: *mut f32,
    position: usize,
    product: usize,
    /// Whether the products of earlier steps stand there, to go on from.
    resumed: bool,
}

impl<const T: usize> Line<T> {
    /// Computes it.
    ///
    /// # Safety
    /// All taps of all steps can be read, and `T` tiles of all factors of the inputs; the products can be written,
    /// and read if they are resumed.
    #[inline(always)]
    unsafe fn compute<S: Simd, P: Points, const LINE: usize>(&self, simd: S) {
        let Line { from, tap, steps, v, factor, products, position, product, resumed } = *self;
        let taps = P::TAPS * P::TAPS;
        let at = |right: usize, tile: usize| products.wrapping_add((LINE * P::A + right) * product + tile * position);
        let mut sums = [[simd.splat(0.0); T]; MAX_A];
        // The steps of the next chunk, of this block or the next one, or of what stands behind them all.
        let later = steps * taps * tap;
        let (mut from, mut v) = (from, v.wrapping_add(LINE * P::A * factor));
        for _ in 0..steps / Order::BLOCK {
            for channel in 0..Order::BLOCK {
                let mut across = [simd.splat(0.0); MAX_TAPS];
                for (kw, across) in across.iter_mut().enumerate().take(P::TAPS) {
                    let mut down = [simd.splat(0.0); MAX_TAPS];
                    for (kh, down) in down.iter_mut().enumerate().take(P::TAPS) {
                        // SAFETY: the caller's promise.
                        *down = unsafe { simd.load(from.wrapping_add((kh * P::TAPS + kw) * tap)) };
                    }
                    *across = P::unscaled(simd, down)[LINE];
                }
                // All lines together ask for all taps.
                for kept in (LINE..taps).step_by(P::A) {
                    simd.prefetch_later(from.wrapping_add(later + kept * tap));
                }
                let weights = P::unscaled(simd, across);
                for (right, (sums, &weight)) in sums.iter_mut().zip(&weights).enumerate().take(P::A) {
                    for (tile, sum) in sums.iter_mut().enumerate() {
                        let at = v.wrapping_add(right * factor + tile * Order::BLOCK + channel);
                        // SAFETY: the caller's promise.
                        *sum = simd.mul_add(simd.splat(unsafe { *at }), weight, *sum);
                    }
                }
                from = from.wrapping_add(taps * tap);
            }
            v = v.wrapping_add(T * Order::BLOCK);
        }
        for (right, sums) in sums.iter().enumerate().take(P::A) {
            let scale = simd.splat(P::SCALES[LINE] * P::SCALES[right]);
            for (tile, &sum) in sums.iter().enumerate() {
                let at = at(right, tile);
                // SAFETY: the caller's promise.
                unsafe {
                    let earlier = if resumed { simd.load(at) } else { simd.splat(0.0) };
                    simd.store(at, simd.mul_add(sum, scale, earlier));
                }
            }
        }
    }
}
