//! Tiles of two lines of outputs, one below the other: where lines fill whole vectors, or nearly so.
//!
//! The input is read where it stands once it is padded, so that it is staged once and not for each horizontal tap. And two
//! lines are what windows of 2 x 2 pool: then the largest of each is all that is written.

#![allow(clippy::needless_range_loop)] // rows, lines and vectors of the tile are counted as in the formula

use super::tile::{Finish, Reach, Sums, accumulate, most_rows, most_vectors};
use crate::simd::shuffle::{EVEN, ODD};
use crate::simd::{Kernel, Simd};

/// Lines of a tile; tasks share none.
pub(super) const LINES: usize = 2;

/// Whether lines of so many outputs lose less in idle lanes than staging them for each horizontal tap takes.
pub(super) const fn applies<S: Simd>(_: S, width: usize) -> bool {
    8 * width >= 7 * width.next_multiple_of(S::LANES)
}

/// Vectors of a line that a tile has at most.
const fn vectors<S: Simd>() -> usize {
    if S::LANES == 16 { 2 } else { 1 }
}

/// Rows that a tile has at most.
pub(super) const fn rows<S: Simd>(simd: S) -> usize {
    let mut rows = most_rows(simd);
    while most_vectors::<S>(rows) < LINES * vectors::<S>() {
        rows -= 1;
    }
    rows
}

/// Some lines of the outputs of some channels.
pub(super) struct Lines {
    /// What each output reads.
    pub reach: Reach,
    /// The input of the first tap of the first output; those of a line follow one another.
    pub input: *const f32,
    /// Distance between the inputs of two lines.
    pub pitch: usize,
    /// The weight of the first tap and row; rows are neighbours.
    pub weight: *const f32,
    /// What is done to the sums.
    pub finish: Finish,
    /// The first output; all lines follow one another.
    pub output: *mut f32,
    /// What is added to the first output, if anything is.
    pub residual: Option<*const f32>,
    /// Distance between the outputs of consecutive rows.
    pub plane: usize,
    /// Lines and columns that are written.
    pub grid: [usize; 2],
    /// Whether each is the largest of 2 x 2 outputs. Then nothing is added to them.
    pub pooled: bool,
}

/// Computes lines of `rows` rows.
///
/// # Safety
/// `1 <= rows <= rows(simd)`. The input holds the taps of all outputs, or of two lines of inputs for each that is written if
/// they are pooled, in lines of a pitch that fits them, and a vector behind the last line; there is a weight for each tap and
/// row, and the outputs can be written and nobody else does; the residual can be read where outputs are written.
pub(super) unsafe fn compute<S: Simd>(simd: S, rows: usize, lines: &Lines) {
    macro_rules! dispatch {
        ($($r:literal)+) => {
            match (rows, lines.pooled) {
                $(($r, false) => sized::<S, $r, false>(simd, lines),
                ($r, true) => sized::<S, $r, true>(simd, lines),)+
                _ => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    dispatch!(1 2 3 4 5 6);
}

/// Leaves out sizes that are never asked for.
#[inline(always)]
fn sized<S: Simd, const R: usize, const POOLED: bool>(simd: S, lines: &Lines) {
    if const { most_vectors::<S>(R) >= LINES * vectors::<S>() } {
        simd.call(Sized::<R, POOLED>(lines));
    } else {
        unreachable!("a tile of {R} rows");
    }
}

/// Tiles of rows known to the compiler. Made by [`compute`] alone, under its conditions.
struct Sized<'a, const R: usize, const POOLED: bool>(&'a Lines);

impl<const R: usize, const POOLED: bool> Kernel for Sized<'_, R, POOLED> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let [height, width] = self.0.grid;
        let (down, across) = if POOLED { (2, 2) } else { (1, 1) };
        for line in (0..height).step_by(LINES / down) {
            let last = !POOLED && line + 1 == height;
            for column in (0..width).step_by(vectors::<S>() * S::LANES / across) {
                let left = (width - column) * across;
                // SAFETY: the promises to `compute`.
                unsafe {
                    match (left > S::LANES && vectors::<S>() == 2, last) {
                        (false, false) => self.tile::<S, LINES, 1>(simd, line, column),
                        (true, false) => self.tile::<S, LINES, 2>(simd, line, column),
                        (false, true) => self.tile::<S, 1, 1>(simd, line, column),
                        (true, true) => self.tile::<S, 1, 2>(simd, line, column),
                    }
                }
            }
        }
    }
}

impl<const R: usize, const POOLED: bool> Sized<'_, R, POOLED> {
    /// The tile whose first output is written to a line and column.
    ///
    /// # Safety
    /// As for [`compute`].
    #[inline(always)]
    unsafe fn tile<S: Simd, const L: usize, const V: usize>(&self, simd: S, line: usize, column: usize) {
        let Lines { reach, input, pitch, weight, ref finish, output, residual, plane, grid: [_, width], .. } = *self.0;
        let first = if POOLED { 2 * (line * pitch + column) } else { line * pitch + column };
        let mut inputs = [input.wrapping_add(first); L];
        for l in 0..L {
            inputs[l] = inputs[l].wrapping_add(l * pitch);
        }
        // SAFETY: the caller's promise.
        let mut sums: Sums<S, R, L, V> = unsafe { accumulate(simd, reach, weight, inputs, finish) };
        let at = line * width + column;
        let count = |v: usize| (width - column).saturating_sub(v * S::LANES).min(S::LANES);
        if POOLED {
            finish.clamp(simd, &mut sums);
            for r in 0..R {
                // SAFETY: as above.
                unsafe { simd.store_part(output.add(r * plane + at), largest(simd, &sums[r]), 0, count(0)) };
            }
            return;
        }
        if let Some(residual) = residual {
            for r in 0..R {
                for l in 0..L {
                    for v in 0..V {
                        let from = residual.wrapping_add(r * plane + at + l * width + v * S::LANES);
                        // SAFETY: as above.
                        sums[r][l][v] = simd.add(sums[r][l][v], unsafe { simd.load_part(from, 0, count(v)) });
                    }
                }
            }
        }
        finish.clamp(simd, &mut sums);
        for r in 0..R {
            for l in 0..L {
                for v in 0..V {
                    let to = output.wrapping_add(r * plane + at + l * width + v * S::LANES);
                    // SAFETY: as above.
                    unsafe { simd.store_part(to, sums[r][l][v], 0, count(v)) };
                }
            }
        }
    }
}

/// The largest of each window of 2 x 2: a vector of them, of which one vector of columns fills half.
#[inline(always)]
fn largest<S: Simd, const L: usize, const V: usize>(simd: S, values: &[[S::V; V]; L]) -> S::V {
    let mut columns = [simd.splat(0.0); 2];
    for v in 0..V {
        columns[v] = simd.max_or_nan(values[L - 1][v], values[0][v]);
    }
    let [even, odd] = [simd.pick(columns[0], columns[1], &EVEN), simd.pick(columns[0], columns[1], &ODD)];
    simd.max_or_nan(odd, even)
}
