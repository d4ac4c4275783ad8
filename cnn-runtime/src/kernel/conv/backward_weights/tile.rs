//! The innermost loop: some taps by two vectors of output channels, summed over positions.
//!
//! A tile's left side is read where the input is staged. So many places would not fit in registers if each were a pointer,
//! so taps come in groups of neighbours: one pointer each, and one distance for all.

#![allow(clippy::needless_range_loop)] // rows and columns of the tile are counted as in the formula

use crate::simd::{Kernel, Simd};

/// Most groups of a tile.
pub(super) const MAX_GROUPS: usize = 14;

/// How the taps of a tile are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Each tap on its own.
    Ones,
    /// Three neighbours.
    Threes,
    /// Five neighbours.
    Fives,
    /// Seven neighbours.
    Sevens,
}

impl Shape {
    /// The shape for a kernel on this instruction set.
    #[inline(always)]
    pub(super) fn of<S: Simd>(_: S, kernel: [usize; 2]) -> Self {
        match kernel[1] {
            _ if kernel == [1, 1] => Shape::Threes,
            3 => Shape::Threes,
            5 if S::MR >= 10 => Shape::Fives,
            7 if S::MR >= 14 => Shape::Sevens,
            _ => Shape::Ones,
        }
    }

    /// Groups of a tile, and taps of a group.
    #[inline(always)]
    pub(super) fn sizes<S: Simd>(self, _: S) -> (usize, usize) {
        match self {
            Shape::Ones => (S::MR, 1),
            Shape::Threes => (S::MR / 3, 3),
            Shape::Fives => (2, 5),
            Shape::Sevens => (2, 7),
        }
    }
}

/// Sums of products over some lines of positions.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// The input, staged.
    pub base: *const f32,
    /// Where each group's first tap meets the first position.
    pub groups: &'a [usize; MAX_GROUPS],
    /// Distance between the taps of a group.
    pub inner: usize,
    /// Lines.
    pub lines: usize,
    /// Distance between lines.
    pub line: usize,
    /// Positions of a line.
    pub positions: usize,
    /// Distance between positions.
    pub step: usize,
    /// A row of one or two vectors of output channels for each position.
    pub b: *const f32,
    /// A row of as many vectors for each tap, which the products are added to.
    pub sums: *mut f32,
}

/// Computes a tile one or two vectors wide.
///
/// # Safety
/// All taps of the shape can be read at all positions, and `b` for them; the sums of all taps can be written, and nobody
/// else does.
#[inline(always)]
pub(super) unsafe fn compute<S: Simd>(simd: S, shape: Shape, vectors: usize, tile: Tile<'_>) {
    macro_rules! call {
        ($groups:literal of $taps:literal) => {
            if vectors == 1 {
                simd.call(Sized::<$groups, $taps, 1>(tile));
            } else {
                simd.call(Sized::<$groups, $taps, 2>(tile));
            }
        };
    }
    if const { S::MR == 14 } {
        match shape {
            Shape::Ones => call!(14 of 1),
            Shape::Threes => call!(4 of 3),
            Shape::Fives => call!(2 of 5),
            Shape::Sevens => call!(2 of 7),
        }
    } else {
        const { assert!(S::MR == 14 || S::MR == 6) };
        match shape {
            Shape::Threes => call!(2 of 3),
            _ => call!(6 of 1),
        }
    }
}

/// A tile whose shape is known to the compiler. Made by [`compute`] alone, under its conditions.
struct Sized<'a, const G: usize, const W: usize, const NV: usize>(Tile<'a>);

impl<const G: usize, const W: usize, const NV: usize> Kernel for Sized<'_, G, W, NV> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Tile { base, groups, inner, lines, line, positions, step, mut b, sums } = self.0;
        let mut acc = [[[simd.splat(0.0); NV]; W]; G];
        // SAFETY: `compute` was promised all that is read and written here.
        unsafe {
            for y in 0..lines {
                let mut rows = [base; G];
                for g in 0..G {
                    rows[g] = base.add(groups[g] + y * line);
                }
                for x in 0..positions {
                    let mut right = [simd.splat(0.0); NV];
                    for v in 0..NV {
                        right[v] = simd.load(b.add(v * S::LANES));
                    }
                    for g in 0..G {
                        for w in 0..W {
                            let left = simd.splat(*rows[g].add(x * step + w * inner));
                            for v in 0..NV {
                                acc[g][w][v] = simd.mul_add(left, right[v], acc[g][w][v]);
                            }
                        }
                    }
                    b = b.add(NV * S::LANES);
                }
            }
            for g in 0..G {
                for w in 0..W {
                    for v in 0..NV {
                        let sum = sums.add(((g * W + w) * NV + v) * S::LANES);
                        simd.store(sum, simd.add(simd.load(sum), acc[g][w][v]));
                    }
                }
            }
        }
    }
}
