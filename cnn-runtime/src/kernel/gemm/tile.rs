//! The innermost loop: a tile of the product, held in registers from its first to its last multiply-add.

#![allow(clippy::needless_range_loop)] // rows and columns of the tile are counted as in the formula

use crate::simd::{Kernel, Simd};

/// Most rows of a tile on any instruction set.
pub(crate) const MAX_MR: usize = 14;

/// Rows of the left side: row `r` at step `(y, x)` is `base[offsets[r] + y * y_step + x * x_step]`, and
/// the depth runs over `x` within `y`. A plain matrix has one `y`.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    /// Where the offsets count from.
    pub base: *const f32,
    /// First element of each row.
    pub offsets: [usize; MAX_MR],
    /// Outer steps.
    pub ys: usize,
    /// Distance between outer steps.
    pub y_step: isize,
    /// Inner steps.
    pub xs: usize,
    /// Distance between inner steps.
    pub x_step: isize,
}

/// What the tile starts from.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// One value per row, or zeros.
    Rows(Option<&'a [f32]>),
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

/// One tile: `rows` x (`vectors` registers) of the product of [`Rows`] and a packed panel.
///
/// The panel is `ys * xs` rows of exactly `vectors * LANES` floats.
pub(crate) struct Tile<'a> {
    /// Left side.
    pub a: &'a Rows,
    /// Packed right side.
    pub b: *const f32,
    /// First element of the result.
    pub c: *mut f32,
    /// Distance between rows of the result.
    pub c_stride: usize,
    /// What to start from.
    pub start: Start<'a>,
    /// What to end with.
    pub finish: Option<&'a Finish>,
    /// The first element of what `finish` adds, which stands as the result does.
    pub residual: Option<*const f32>,
}

/// Computes a tile of `rows` rows and one or two vectors.
///
/// # Safety
/// `1 <= rows <= S::MR` and `vectors` is 1 or 2. All elements of `a` for the first `rows` rows and of the panel `b` can
/// be read; `rows` rows of `vectors * LANES` floats at `c` can be written, and nobody else does; a start by rows has
/// at least `rows` values; a residual can be read where the result is written.
pub(crate) unsafe fn compute<S: Simd>(simd: S, rows: usize, vectors: usize, tile: Tile<'_>) {
    macro_rules! dispatch {
        ($($mr:literal)+) => {
            match rows {
                $($mr => if const { $mr <= S::MR } {
                    if vectors == 1 {
                        simd.call(Sized::<$mr, 1>(tile));
                    } else {
                        simd.call(Sized::<$mr, 2>(tile));
                    }
                })+
                _ => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// A tile whose size is known to the compiler. Made by [`compute`] alone, under its conditions.
struct Sized<'a, const MR: usize, const NV: usize>(Tile<'a>);

impl<const MR: usize, const NV: usize> Kernel for Sized<'_, MR, NV> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Tile { a, b, c, c_stride, start, finish, residual } = self.0;
        // SAFETY: `compute` was promised all that is read and written here.
        unsafe {
            let mut acc = initial::<S, MR, NV>(simd, c, c_stride, start);
            let mut b = b;
            let mut y = a.base;
            for _ in 0..a.ys {
                let mut rows = [y; MR];
                for r in 0..MR {
                    rows[r] = y.add(a.offsets[r]);
                }
                b = accumulate(simd, rows, a.xs, a.x_step, b, &mut acc);
                y = y.wrapping_offset(a.y_step);
            }
            if let Some(finish) = finish {
                finished(simd, &mut acc, finish, residual, c_stride);
            }
            for r in 0..MR {
                for v in 0..NV {
                    simd.store(c.add(r * c_stride + v * S::LANES), acc[r][v]);
                }
            }
        }
    }
}

/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn initial<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    c: *const f32,
    c_stride: usize,
    start: Start<'_>,
) -> [[S::V; NV]; MR] {
    let mut acc = [[simd.splat(0.0); NV]; MR];
    for r in 0..MR {
        for v in 0..NV {
            // SAFETY: the tile's memory and the values of its rows can be read.
            acc[r][v] = unsafe {
                match start {
                    Start::Rows(None) => simd.splat(0.0),
                    Start::Rows(Some(values)) => simd.splat(*values.get_unchecked(r)),
                    Start::Memory => simd.load(c.add(r * c_stride + v * S::LANES)),
                }
            };
        }
    }
    acc
}

/// # Safety
/// As for [`compute`]; where the residual goes on as the result does, it can be read.
#[inline(always)]
unsafe fn finished<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    acc: &mut [[S::V; NV]; MR],
    finish: &Finish,
    residual: Option<*const f32>,
    stride: usize,
) {
    let (low, high) = (simd.splat(finish.clamp.0), simd.splat(finish.clamp.1));
    for r in 0..MR {
        let (factor, offset) = (simd.splat(finish.factors[r]), simd.splat(finish.offsets[r]));
        for v in 0..NV {
            let mut value = simd.mul_add(acc[r][v], factor, offset);
            if let Some(residual) = residual {
                // SAFETY: the caller's promise.
                value = simd.add(value, unsafe { simd.load(residual.add(r * stride + v * S::LANES)) });
            }
            // In this order NaN passes through.
            acc[r][v] = simd.min(high, simd.max(low, value));
        }
    }
}

/// One run of inner steps; returns where the panel goes on.
///
/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn accumulate<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    rows: [*const f32; MR],
    xs: usize,
    x_step: isize,
    mut b: *const f32,
    acc: &mut [[S::V; NV]; MR],
) -> *const f32 {
    let mut at = 0;
    for _ in 0..xs {
        // SAFETY: within the rows and the panel that the caller of `compute` vouched for.
        unsafe {
            let mut right = [simd.splat(0.0); NV];
            for v in 0..NV {
                right[v] = simd.load(b.add(v * S::LANES));
            }
            for r in 0..MR {
                let left = simd.splat(*rows[r].offset(at));
                for v in 0..NV {
                    acc[r][v] = simd.mul_add(left, right[v], acc[r][v]);
                }
            }
            b = b.add(NV * S::LANES);
        }
        at += x_step;
    }
    b
}
