//! The innermost loop: some positions by one or two vectors of output channels, held in registers from the first tap to
//! the last.
//!
//! Weights come as whole vectors, inputs one by one, broadcast: so neither the distance between positions nor the ends of
//! lines cost a lane, and for each step there are as many loads as half the multiply-adds.

use crate::desc::Order;
use crate::simd::{Kernel, Simd};

/// Most positions of a tile on any instruction set.
pub(super) const MOST: usize = 14;
/// Steps that weights are asked for ahead of time: they stream in from the second-level cache.
const WEIGHTS_AHEAD: usize = 12;
/// Most positions of a tile on an instruction set: a vector holds them, once they are turned into the lanes.
#[inline(always)]
pub(super) const fn most<S: Simd>() -> usize {
    if S::MR < S::LANES { S::MR } else { S::LANES }
}

/// Where the input of each step stands from the first one's, and what is asked for ahead of time.
#[derive(Clone, Copy)]
pub(super) struct Steps<'a> {
    at: &'a [u32],
    ahead: &'a [u32],
}

impl<'a> Steps<'a> {
    /// Places for so many steps.
    pub(super) const fn places(depth: usize) -> usize {
        2 * depth
    }

    /// Steps that stand at `at`, of which each asks for the one so many behind it.
    pub(super) fn new(depth: usize, places: &'a mut [u32], reach: usize, fill: impl FnOnce(&mut [u32])) -> Self {
        let (at, ahead) = places.split_at_mut(depth);
        fill(at);
        ahead.iter_mut().enumerate().for_each(|(k, next)| *next = at[(k + reach).min(depth - 1)]);
        Steps { at, ahead }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.at.len()
    }

    /// Channels in blocks that have so many positions. Each asks for another position in the next block.
    pub(super) fn of_blocks(depth: usize, positions: usize, places: &'a mut [u32]) -> Self {
        let (at, ahead) = places.split_at_mut(depth);
        let step = |k: usize| (k / Order::BLOCK * positions * Order::BLOCK + k % Order::BLOCK) as u32;
        for (k, (at, next)) in at.iter_mut().zip(ahead.iter_mut()).enumerate() {
            *at = step(k);
            *next = step((k + Order::BLOCK).min(depth - 1)) + (k % Order::BLOCK * (Order::BLOCK - 1)) as u32;
        }
        Steps { at, ahead }
    }
}

/// A tile to compute.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// The weights of the first step: one or two vectors.
    pub weights: *const f32,
    /// Distance between steps of the weights.
    pub weight_step: usize,
    /// The input of the first position.
    pub input: *const f32,
    /// Where each step stands from there.
    pub steps: Steps<'a>,
    /// Distance between the lines of a tile of two.
    pub line: usize,
    /// What is asked for into the second-level cache, a place at each step: weights that come next.
    pub later: *const f32,
    /// Distance between those places.
    pub later_step: usize,
    /// Where the sums go: a row of one or two vectors for each position.
    pub sums: *mut f32,
}

/// Computes a tile of `lines` times `positions`, `vectors` wide, whose positions stand `APART` floats apart.
///
/// # Safety
/// `lines * positions` is at most [`most`], `positions` at least one, and `lines` and `vectors` are one or two; the input
/// can be read at all positions and steps, and all vectors of weights; the sums can be written.
#[inline(always)]
pub(super) unsafe fn compute<S: Simd, const APART: usize>(
    simd: S,
    lines: usize,
    positions: usize,
    vectors: usize,
    tile: Tile<'_>,
) {
    macro_rules! dispatch {
        ($($lines:literal x $positions:literal)+) => {
            match (lines, positions) {
                $(($lines, $positions) => if const { $lines * $positions <= most::<S>() } {
                    if vectors == 1 {
                        simd.call(Sized::<$lines, $positions, 1, APART>(tile));
                    } else {
                        simd.call(Sized::<$lines, $positions, 2, APART>(tile));
                    }
                })+
                _ => unreachable!("a tile of {lines} x {positions}"),
            }
        };
    }
    dispatch!(
        1 x 1 1 x 2 1 x 3 1 x 4 1 x 5 1 x 6 1 x 7 1 x 8 1 x 9 1 x 10 1 x 11 1 x 12 1 x 13 1 x 14
        2 x 2 2 x 3 2 x 4 2 x 5 2 x 6 2 x 7
    );
}

/// A tile whose sizes are known to the compiler. Made by [`compute`] alone, under its conditions.
struct Sized<'a, const L: usize, const P: usize, const NV: usize, const APART: usize>(Tile<'a>);

impl<const L: usize, const P: usize, const NV: usize, const APART: usize> Kernel for Sized<'_, L, P, NV, APART> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Tile { mut weights, weight_step, input, steps, line, mut later, later_step, sums } = self.0;
        let mut acc = [[[simd.splat(0.0); NV]; P]; L];
        // SAFETY: `compute` was promised all that is read and written here; a prefetch touches nothing.
        unsafe {
            for (&step, &ahead) in steps.at.iter().zip(steps.ahead) {
                let first = input.add(step as usize);
                // A lone vector has a load for each multiply-add as it is, and little memory behind it.
                if NV > 1 {
                    simd.prefetch(input.wrapping_add(ahead as usize));
                    simd.prefetch_later(later);
                    later = later.wrapping_add(later_step);
                }
                let mut right = [simd.splat(0.0); NV];
                for (v, right) in right.iter_mut().enumerate() {
                    *right = simd.load(weights.add(v * S::LANES));
                    if v * S::LANES % 16 == 0 {
                        simd.prefetch(weights.wrapping_add(WEIGHTS_AHEAD * weight_step + v * S::LANES));
                    }
                }
                weights = weights.add(weight_step);
                for (l, acc) in acc.iter_mut().enumerate() {
                    let first = first.add(l * line);
                    for (p, acc) in acc.iter_mut().enumerate() {
                        let left = simd.splat(*first.add(p * APART));
                        for (acc, &right) in acc.iter_mut().zip(&right) {
                            *acc = simd.mul_add(left, right, *acc);
                        }
                    }
                }
            }
            for (p, row) in acc.as_flattened().iter().enumerate() {
                for (v, &sum) in row.iter().enumerate() {
                    simd.store(sums.add((p * NV + v) * S::LANES), sum);
                }
            }
        }
    }
}
