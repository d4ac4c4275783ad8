//! The innermost loop: a tile of the product, held in registers from its first to its last multiply-add.

#![allow(clippy::needless_range_loop)] // rows and columns of the tile are counted as in the formula

use super::places::{Piece, Places};
use crate::simd::{Kernel, Simd};

/// Most rows of a tile on any instruction set.
pub(crate) const MAX_MR: usize = 14;

/// Steps that the left side is asked for ahead of time: weights stream in from memory, and may start a page at each step.
const AHEAD: usize = 24;

/// Calls a kernel with the rows of a tile, at most `S::MR`, as a constant of that name:
/// `rows!(simd, rows, MR => Strip::<MR>(strip))`.
macro_rules! rows {
    ($simd:expr, $rows:expr, $name:ident => $kernel:expr) => {
        $crate::kernel::gemm::rows!(@ $simd, $rows, $name, $kernel, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    (@ $simd:expr, $rows:expr, $name:ident, $kernel:expr, $($count:literal)+) => {
        match $rows {
            $($count => if const { $count <= S::MR } {
                const $name: usize = $count;
                $simd.call($kernel);
            })+
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}

pub(crate) use rows;

/// What the tile starts from.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Zeros.
    Zeros,
    /// One value per row.
    Rows(&'a [f32]),
    /// What the memory holds: the product is added to it.
    Memory,
}

/// What a tile does to the product before it writes it: `clamp(product * factor + offset + residual)`.
#[derive(Clone, Copy)]
pub(crate) struct Finish {
    /// What each row is multiplied by.
    pub factors: [f32; MAX_MR],
    /// What is added to each row.
    pub offsets: [f32; MAX_MR],
    /// Least and greatest value.
    pub clamp: (f32, f32),
}

/// A strip of tiles: some rows of the product of a left side and packed panels.
///
/// A panel has two vectors for each step, the last one has one or two.
pub(crate) struct Strip<'a> {
    /// The left side: the element of row `r` at step `k` is `a[k * a_step + r]`.
    pub a: *const f32,
    /// Distance between its steps.
    pub a_step: usize,
    /// The first packed panel.
    pub b: *const f32,
    /// Distance between panels.
    pub pitch: usize,
    /// Where the steps of the depth stand in a panel.
    pub steps: &'a [u32],
    /// The first element of the first row of the result.
    pub c: *mut f32,
    /// Distance between rows of the result.
    pub c_stride: usize,
    /// Where the columns stand in a row of the result.
    pub places: &'a Places,
    /// What to start from.
    pub start: Start<'a>,
    /// What to end with.
    pub finish: Option<&'a Finish>,
    /// The first element of what `finish` adds, which stands as the result does.
    pub residual: Option<*const f32>,
}

/// Computes a strip of `rows` rows.
///
/// # Safety
/// `1 <= rows <= S::MR`. All elements of `a` for the first `rows` rows and of the panels can be read; `rows` rows can be
/// written at all places, and nobody else does; a start by rows has at least `rows` values; a residual can be read where
/// the result is written.
#[inline(always)]
pub(crate) unsafe fn compute<S: Simd>(simd: S, rows: usize, strip: Strip<'_>) {
    rows!(simd, rows, MR => Sized::<MR>(strip));
}

/// A strip whose rows are known to the compiler. Made by [`compute`] alone, under its conditions.
struct Sized<'a, const MR: usize>(Strip<'a>);

impl<const MR: usize> Kernel for Sized<'_, MR> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let vectors = self.0.places.vectors();
        for panel in 0..vectors / 2 {
            // SAFETY: `compute` was promised that all panels are there.
            unsafe { tile::<S, MR, 2>(simd, &self.0, panel) };
        }
        if vectors % 2 == 1 {
            // SAFETY: as above.
            unsafe { tile::<S, MR, 1>(simd, &self.0, vectors / 2) };
        }
    }
}

/// The tile of one panel.
///
/// # Safety
/// As for [`compute`]; the panel exists.
#[inline(always)]
unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(simd: S, strip: &Strip<'_>, panel: usize) {
    let first = strip.places.of(2 * panel);
    let second = if NV == 2 { strip.places.of(2 * panel + 1) } else { &[] };
    for piece in first.iter().chain(second) {
        for r in 0..MR {
            simd.prefetch(strip.c.wrapping_offset(piece.at).wrapping_add(r * strip.c_stride));
        }
    }
    // SAFETY: the caller's promises.
    unsafe {
        let sums = product::<S, MR, NV>(simd, strip, panel);
        if let ([first], [second]) = (first, if NV == 2 { second } else { first })
            && first.is_whole::<S>()
            && second.is_whole::<S>()
        {
            whole(simd, strip, sums, [first.at, second.at]);
        } else {
            let mut rows = [[[0.0; 16]; 2]; MAX_MR];
            for r in 0..MR {
                for v in 0..NV {
                    simd.store(rows[r][v].as_mut_ptr(), sums[r][v]);
                }
            }
            simd.call(InPieces { strip, rows: &rows[..MR], places: [first, second] });
        }
    }
}

/// The innermost loop.
///
/// # Safety
/// As for [`compute`]; the panel exists.
#[inline(always)]
unsafe fn product<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    strip: &Strip<'_>,
    panel: usize,
) -> [[S::V; NV]; MR] {
    let &Strip { a, a_step, .. } = strip;
    let left = |k: usize, r: usize| a.wrapping_add(k * a_step + r);
    let mut sums = [[simd.splat(0.0); NV]; MR];
    // SAFETY: the caller's promises.
    unsafe {
        let b = strip.b.add(panel * strip.pitch);
        for (k, &step) in strip.steps.iter().enumerate() {
            simd.prefetch(left(k + AHEAD, 0));
            let mut right = [simd.splat(0.0); NV];
            for v in 0..NV {
                right[v] = simd.load(b.add(step as usize + v * S::LANES));
            }
            for r in 0..MR {
                let left = simd.splat(*left(k, r));
                for v in 0..NV {
                    sums[r][v] = simd.mul_add(left, right[v], sums[r][v]);
                }
            }
        }
    }
    sums
}

/// Ends a tile both of whose vectors stand in memory as they are.
///
/// # Safety
/// As for [`compute`]; `at` are the places of its vectors.
#[inline(always)]
unsafe fn whole<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    strip: &Strip<'_>,
    mut sums: [[S::V; NV]; MR],
    at: [isize; 2],
) {
    let &Strip { c, c_stride, start, finish, residual, .. } = strip;
    // SAFETY: the caller's promises.
    unsafe {
        match start {
            Start::Zeros => {}
            Start::Rows(values) => {
                for r in 0..MR {
                    let value = simd.splat(*values.get_unchecked(r));
                    for v in 0..NV {
                        sums[r][v] = simd.add(sums[r][v], value);
                    }
                }
            }
            Start::Memory => add(simd, &mut sums, c, c_stride, at),
        }
        if let Some(finish) = finish {
            for r in 0..MR {
                let (factor, offset) = (simd.splat(finish.factors[r]), simd.splat(finish.offsets[r]));
                for v in 0..NV {
                    sums[r][v] = simd.mul_add(sums[r][v], factor, offset);
                }
            }
            if let Some(residual) = residual {
                add(simd, &mut sums, residual, c_stride, at);
            }
            let (low, high) = (simd.splat(finish.clamp.0), simd.splat(finish.clamp.1));
            for r in 0..MR {
                for v in 0..NV {
                    sums[r][v] = simd.clamp(sums[r][v], low, high);
                }
            }
        }
        for r in 0..MR {
            for v in 0..NV {
                simd.store(c.wrapping_offset(at[v]).wrapping_add(r * c_stride), sums[r][v]);
            }
        }
    }
}

/// Adds what stands in memory to a tile.
///
/// # Safety
/// All rows can be read at both places.
#[inline(always)]
unsafe fn add<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    sums: &mut [[S::V; NV]; MR],
    from: *const f32,
    stride: usize,
    at: [isize; 2],
) {
    for r in 0..MR {
        for v in 0..NV {
            // SAFETY: the caller's promise.
            let values = unsafe { simd.load(from.wrapping_offset(at[v]).wrapping_add(r * stride)) };
            sums[r][v] = simd.add(sums[r][v], values);
        }
    }
}

/// Ends a tile whose vectors are broken up in memory. Made by [`tile`] alone, under the conditions of [`compute`].
struct InPieces<'a> {
    strip: &'a Strip<'a>,
    rows: &'a [[[f32; 16]; 2]],
    places: [&'a [Piece]; 2],
}

impl Kernel for InPieces<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let InPieces { strip, rows, places } = self;
        let &Strip { c, c_stride, start, finish, residual, .. } = strip;
        for (r, row) in rows.iter().enumerate() {
            for (sums, pieces) in row.iter().zip(places) {
                for &Piece { from, to, at, step } in pieces {
                    let load = |p: *const f32| {
                        // SAFETY: the promises to `compute`: all rows can be read at all places.
                        unsafe { if step == 1 { simd.load_part(p, from, to) } else { simd.load_apart(p, from, to) } }
                    };
                    let at = at + (r * c_stride) as isize;
                    let c = c.wrapping_offset(at);
                    // SAFETY: the promises to `compute`; a row of sums is as long as the longest vector.
                    unsafe {
                        let mut value = simd.load(sums.as_ptr());
                        match start {
                            Start::Zeros => {}
                            Start::Rows(values) => value = simd.add(value, simd.splat(values[r])),
                            Start::Memory => value = simd.add(value, load(c)),
                        }
                        if let Some(finish) = finish {
                            let (factor, offset) = (simd.splat(finish.factors[r]), simd.splat(finish.offsets[r]));
                            value = simd.mul_add(value, factor, offset);
                            if let Some(residual) = residual {
                                value = simd.add(value, load(residual.wrapping_offset(at)));
                            }
                            let (low, high) = (simd.splat(finish.clamp.0), simd.splat(finish.clamp.1));
                            value = simd.clamp(value, low, high);
                        }
                        if step == 1 {
                            simd.store_part(c, value, from, to);
                        } else {
                            simd.store_apart(c, value, from, to);
                        }
                    }
                }
            }
        }
    }
}
