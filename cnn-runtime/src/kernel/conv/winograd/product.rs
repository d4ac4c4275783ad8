//! The register tile of the products: both sides packed, so that all operands follow from two pointers.

#![allow(clippy::needless_range_loop)] // rows and columns of the tile are counted as in the formula

use crate::simd::{Kernel, Simd};

/// A product of `depth` steps: at each, `rows` floats of `a` by the vectors of `b`.
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// `depth` times `rows` floats.
    pub a: *const f32,
    /// `depth` times one or two vectors.
    pub b: *const f32,
    /// Steps.
    pub depth: usize,
    /// Rows of one or two vectors, one after the other.
    pub c: *mut f32,
}

/// Computes a product of `rows` rows and one or two vectors.
///
/// # Safety
/// `1 <= rows <= S::MR`, `vectors` is 1 or 2, both sides can be read and the result written, which nobody else does.
pub(super) unsafe fn compute<S: Simd>(simd: S, rows: usize, vectors: usize, product: Product) {
    macro_rules! dispatch {
        ($($mr:literal)+) => {
            match rows {
                $($mr => if const { $mr <= S::MR } {
                    if vectors == 1 {
                        simd.call(Sized::<$mr, 1>(product));
                    } else {
                        simd.call(Sized::<$mr, 2>(product));
                    }
                })+
                _ => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// A product whose tile is known to the compiler. Made by [`compute`] alone, under its conditions.
struct Sized<const MR: usize, const NV: usize>(Product);

impl<const MR: usize, const NV: usize> Kernel for Sized<MR, NV> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Product { mut a, mut b, depth, c } = self.0;
        let mut sums = [[simd.splat(0.0); NV]; MR];
        for _ in 0..depth {
            // SAFETY: `compute` was promised `depth` steps of both sides.
            unsafe {
                let mut right = [simd.splat(0.0); NV];
                for v in 0..NV {
                    right[v] = simd.load(b.add(v * S::LANES));
                }
                for r in 0..MR {
                    let left = simd.splat(*a.add(r));
                    for v in 0..NV {
                        sums[r][v] = simd.mul_add(left, right[v], sums[r][v]);
                    }
                }
                a = a.add(MR);
                b = b.add(NV * S::LANES);
            }
        }
        for r in 0..MR {
            for v in 0..NV {
                // SAFETY: `compute` was promised the memory of the tile.
                unsafe { simd.store(c.add((r * NV + v) * S::LANES), sums[r][v]) };
            }
        }
    }
}
