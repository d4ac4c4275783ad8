//! The register tile of the products: both sides packed, so that all operands follow from two pointers.

#![allow(clippy::needless_range_loop)] // rows and columns of the tile are counted as in the formula

use crate::kernel::gemm::{MAX_MR, rows};
use crate::simd::{Kernel, Simd};

/// Steps that both sides are asked for ahead of time: they stream in from the second-level cache.
const AHEAD: usize = 12;

/// The product of some rows and some panels of two vectors, the last of which may be of one.
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// The rows of the first step.
    pub a: *const f32,
    /// Distance between steps.
    pub a_step: usize,
    /// The panels: `depth` times one or two vectors.
    pub b: *const f32,
    /// Distance between panels of two vectors.
    pub b_panel: usize,
    /// Steps.
    pub depth: usize,
    /// Vectors of all panels.
    pub vectors: usize,
    /// The rows of the first panel, one after the other.
    pub c: *mut f32,
    /// Distance between the first rows of panels.
    pub c_panel: usize,
    /// Whether the sums of earlier steps stand in the result, to go on from.
    pub resumed: bool,
}

/// Computes a product of `rows` rows.
///
/// # Safety
/// `1 <= rows <= S::MR`, both sides can be read and the result written, which nobody else does, and read if it is resumed.
#[inline(always)]
pub(super) unsafe fn compute<S: Simd>(simd: S, rows: usize, product: Product) {
    const { assert!(S::MR <= MAX_MR) };
    rows!(simd, rows, MR => Rows::<MR>(product));
}

/// A product whose rows are known to the compiler. Made by [`compute`] alone, under its conditions.
struct Rows<const MR: usize>(Product);

impl<const MR: usize> Kernel for Rows<MR> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Product { a, a_step, mut b, b_panel, depth, vectors, mut c, c_panel, resumed } = self.0;
        for _ in 0..vectors / 2 {
            // SAFETY: `compute` was promised that all panels are there.
            unsafe {
                tile::<S, MR, 2>(simd, (a, a_step), b, depth, c, resumed);
                b = b.wrapping_add(b_panel);
                c = c.add(c_panel);
            }
        }
        if vectors % 2 == 1 {
            // SAFETY: as above.
            unsafe { tile::<S, MR, 1>(simd, (a, a_step), b, depth, c, resumed) };
        }
    }
}

/// One panel.
///
/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    (mut a, a_step): (*const f32, usize),
    mut b: *const f32,
    depth: usize,
    c: *mut f32,
    resumed: bool,
) {
    let mut sums = [[simd.splat(0.0); NV]; MR];
    if resumed {
        for r in 0..MR {
            for v in 0..NV {
                // SAFETY: the caller vouches for the memory of the tile.
                sums[r][v] = unsafe { simd.load(c.add((r * NV + v) * S::LANES)) };
            }
        }
    }
    for _ in 0..depth {
        // SAFETY: the caller vouches for `depth` steps of both sides.
        unsafe {
            let mut right = [simd.splat(0.0); NV];
            for v in 0..NV {
                right[v] = simd.load(b.add(v * S::LANES));
                simd.prefetch(b.wrapping_add((AHEAD * NV + v) * S::LANES));
            }
            simd.prefetch(a.wrapping_add(AHEAD * a_step));
            for r in 0..MR {
                let left = simd.splat(*a.add(r));
                for v in 0..NV {
                    sums[r][v] = simd.mul_add(left, right[v], sums[r][v]);
                }
            }
            a = a.add(a_step);
            b = b.add(NV * S::LANES);
        }
    }
    for r in 0..MR {
        for v in 0..NV {
            // SAFETY: the caller vouches for the memory of the tile.
            unsafe { simd.store(c.add((r * NV + v) * S::LANES), sums[r][v]) };
        }
    }
}
