//! The transforms of Winograd's algorithm in one dimension, a vector per coefficient.
//!
//! The matrices are those of Lavin and Gray (2015, arXiv 1509.09308, sections 4.1 and 4.3), their common terms shared.

use crate::simd::Simd;

/// Most inputs of a tile in one direction.
pub(super) const MAX_A: usize = 6;
/// Most outputs of a tile in one direction.
pub(super) const MAX_M: usize = 4;

/// A minimal algorithm for `M` outputs of a filter of three taps: `output(input(d) * weight(g))`, element by element.
///
/// Two-dimensional transforms are these along one direction and then along the other. Arrays longer than `A` or `M` are
/// filled with anything.
pub(super) trait Points: Copy + Send + Sync {
    /// Outputs of a tile in one direction.
    const M: usize;
    /// Inputs of a tile in one direction, and products.
    const A: usize;

    /// `A` inputs to `A` factors.
    fn input<S: Simd>(simd: S, d: [S::V; MAX_A]) -> [S::V; MAX_A];
    /// Three taps to `A` factors.
    fn weight<S: Simd>(simd: S, g: [S::V; 3]) -> [S::V; MAX_A];
    /// `A` products to `M` outputs.
    fn output<S: Simd>(simd: S, m: [S::V; MAX_A]) -> [S::V; MAX_M];
}

/// `x * factor`.
#[inline(always)]
fn times<S: Simd>(simd: S, x: S::V, factor: f32) -> S::V {
    simd.mul_add(x, simd.splat(factor), simd.splat(0.0))
}

/// `F(2, 3)`: four products for two outputs, at the points 0, 1, -1 and infinity.
#[derive(Clone, Copy)]
pub(super) struct F2;

impl Points for F2 {
    const M: usize = 2;
    const A: usize = 4;

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::V; MAX_A]) -> [S::V; MAX_A] {
        let zero = simd.splat(0.0);
        [simd.sub(d[0], d[2]), simd.add(d[1], d[2]), simd.sub(d[2], d[1]), simd.sub(d[1], d[3]), zero, zero]
    }

    #[inline(always)]
    fn weight<S: Simd>(simd: S, g: [S::V; 3]) -> [S::V; MAX_A] {
        let zero = simd.splat(0.0);
        let (outer, middle) = (times(simd, simd.add(g[0], g[2]), 0.5), times(simd, g[1], 0.5));
        [g[0], simd.add(outer, middle), simd.sub(outer, middle), g[2], zero, zero]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::V; MAX_A]) -> [S::V; MAX_M] {
        let zero = simd.splat(0.0);
        [simd.add(m[0], simd.add(m[1], m[2])), simd.sub(simd.sub(m[1], m[2]), m[3]), zero, zero]
    }
}

/// `F(4, 3)`: six products for four outputs, at the points 0, 1, -1, 2, -2 and infinity.
#[derive(Clone, Copy)]
pub(super) struct F4;

impl Points for F4 {
    const M: usize = 4;
    const A: usize = 6;

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::V; MAX_A]) -> [S::V; MAX_A] {
        let [two, four] = [2.0, 4.0].map(|x| simd.splat(x));
        let [minus_two, minus_four, minus_five] = [-2.0, -4.0, -5.0].map(|x| simd.splat(x));
        let (even1, odd1) = (simd.mul_add(minus_four, d[2], d[4]), simd.mul_add(minus_four, d[1], d[3]));
        let (even2, odd2) = (simd.sub(d[4], d[2]), simd.sub(d[3], d[1]));
        [
            simd.mul_add(four, d[0], simd.mul_add(minus_five, d[2], d[4])),
            simd.add(even1, odd1),
            simd.sub(even1, odd1),
            simd.mul_add(two, odd2, even2),
            simd.mul_add(minus_two, odd2, even2),
            simd.mul_add(four, d[1], simd.mul_add(minus_five, d[3], d[5])),
        ]
    }

    #[inline(always)]
    fn weight<S: Simd>(simd: S, g: [S::V; 3]) -> [S::V; MAX_A] {
        let (outer1, middle1) = (times(simd, simd.add(g[0], g[2]), -1.0 / 6.0), times(simd, g[1], -1.0 / 6.0));
        let outer2 = simd.mul_add(g[2], simd.splat(1.0 / 6.0), times(simd, g[0], 1.0 / 24.0));
        let middle2 = times(simd, g[1], 1.0 / 12.0);
        [
            times(simd, g[0], 0.25),
            simd.add(outer1, middle1),
            simd.sub(outer1, middle1),
            simd.add(outer2, middle2),
            simd.sub(outer2, middle2),
            g[2],
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::V; MAX_A]) -> [S::V; MAX_M] {
        let (sum1, difference1) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
        let (sum2, difference2) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
        [
            simd.add(simd.add(m[0], sum1), sum2),
            simd.mul_add(simd.splat(2.0), difference2, difference1),
            simd.mul_add(simd.splat(4.0), sum2, sum1),
            simd.add(simd.mul_add(simd.splat(8.0), difference2, difference1), m[5]),
        ]
    }
}
