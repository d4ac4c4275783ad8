//! The innermost loop of batches: a tile of scalars times vectors, held in registers.

#![allow(clippy::needless_range_loop)] // rows and vectors of the tile are counted as in the formula

use crate::simd::Simd;

/// The sums of a tile: `MR` rows of `NV` vectors.
pub(super) type Sums<S, const MR: usize, const NV: usize> = [[<S as Simd>::V; NV]; MR];

/// What a tile multiplies, step by step.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    /// The first scalar.
    pub scalars: *const f32,
    /// Distance between the scalars of one row and the next.
    pub row: usize,
    /// Distance between the scalars of one step and the next.
    pub step: usize,
    /// The first vector.
    pub vectors: *const f32,
    /// Distance between the vectors of one step and the next.
    pub stride: usize,
    /// Floats that the vectors of a step have together: fewer than would fill them, where `PART` says so.
    pub width: usize,
}

/// What a tile asks for ahead of time: a cache line at each step.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    /// Where to start.
    pub from: *const f32,
    /// Floats to go on by.
    pub step: usize,
}

/// Rows that a tile's scalars take up in memory: whole vectors.
pub(super) const fn padded<S: Simd>() -> usize {
    S::MR.next_multiple_of(S::LANES)
}

/// Adds `steps` products to `sums`. `NEAR` is for vectors that stream in from further away than the first-level cache: they
/// are asked for so many steps ahead.
///
/// # Safety
/// All scalars of `MR` rows, and the vectors up to the width, can be read at all steps.
#[inline(always)]
pub(super) unsafe fn accumulate<S: Simd, const MR: usize, const NV: usize, const PART: bool, const NEAR: usize>(
    simd: S,
    steps: usize,
    operands: Operands,
    ahead: Ahead,
    mut sums: Sums<S, MR, NV>,
) -> Sums<S, MR, NV> {
    let Operands { mut scalars, row, step, mut vectors, stride, width } = operands;
    let mut line = ahead.from;
    for _ in 0..steps {
        simd.prefetch(line);
        line = line.wrapping_add(ahead.step);
        let mut right = [simd.splat(0.0); NV];
        for v in 0..NV {
            if NEAR > 0 {
                simd.prefetch(vectors.wrapping_add(NEAR * stride + v * S::LANES));
            }
            let from = vectors.wrapping_add(v * S::LANES);
            // SAFETY: the caller's promise.
            right[v] = unsafe {
                if PART { simd.load_part(from, 0, (width - v * S::LANES).min(S::LANES)) } else { simd.load(from) }
            };
        }
        for r in 0..MR {
            // SAFETY: the caller's promise.
            let left = simd.splat(unsafe { *scalars.wrapping_add(r * row) });
            for v in 0..NV {
                sums[r][v] = simd.mul_add(left, right[v], sums[r][v]);
            }
        }
        scalars = scalars.wrapping_add(step);
        vectors = vectors.wrapping_add(stride);
    }
    sums
}
