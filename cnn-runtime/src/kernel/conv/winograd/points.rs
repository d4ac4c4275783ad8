//! The transforms of Winograd's algorithm in one dimension, a vector per coefficient.
//!
//! The matrices are those of Lavin and Gray (2015, arXiv 1509.09308, sections 4.1 and 4.3), their common terms shared.

use crate::simd::Simd;

/// Most inputs of a tile in one direction.
pub(super) const MAX_A: usize = 8;
/// Most outputs of a tile in one direction.
pub(super) const MAX_M: usize = 6;
/// Most taps of a filter.
pub(super) const MAX_TAPS: usize = 5;

/// A minimal algorithm for `M` outputs of a filter of some taps: `output(input(d) * weight(g))`, element by element.
///
/// Two-dimensional transforms are these along one direction and then along the other. Arrays longer than `A`, `M` or
/// `TAPS` are filled with anything.
pub(super) trait Points: Copy + Send + Sync {
    /// Outputs of a tile in one direction.
    const M: usize;
    /// Inputs of a tile in one direction, and products.
    const A: usize;
    /// Taps of the filter.
    const TAPS: usize = 3;

    /// `A` inputs to `A` factors.
    fn input<S: Simd>(simd: S, d: [S::V; MAX_A]) -> [S::V; MAX_A];
    /// What the factors of the weights are yet to be multiplied by: after a sum over channels as well as before.
    const SCALES: [f32; MAX_A];

    /// The taps to `A` factors, but for the scales.
    fn unscaled<S: Simd>(simd: S, g: [S::V; MAX_TAPS]) -> [S::V; MAX_A];
    /// The taps to `A` factors.
    #[inline(always)]
    fn weight<S: Simd>(simd: S, g: [S::V; MAX_TAPS]) -> [S::V; MAX_A] {
        let mut factors = Self::unscaled(simd, g);
        for (factor, scale) in factors.iter_mut().zip(Self::SCALES) {
            if scale != 1.0 {
                *factor = times(simd, *factor, scale);
            }
        }
        factors
    }

    /// `A` products to `M` outputs.
    fn output<S: Simd>(simd: S, m: [S::V; MAX_A]) -> [S::V; MAX_M];
}

/// The scales of some factors; there is nothing behind them.
const fn scales<const N: usize>(of: [f32; N]) -> [f32; MAX_A] {
    let (mut all, mut at) = ([1.0; MAX_A], 0);
    while at < N {
        all[at] = of[at];
        at += 1;
    }
    all
}

/// `values`, and zeros behind them.
#[inline(always)]
pub(super) fn filled<S: Simd, const N: usize, const ALL: usize>(simd: S, values: [S::V; N]) -> [S::V; ALL] {
    let mut all = [simd.splat(0.0); ALL];
    all[..N].copy_from_slice(&values);
    all
}

/// A tile between the transforms downwards and across: `[column][line]`, so many columns.
///
/// Each tile overwrites what it reads of it. Whoever transforms many tiles makes one for all: the compiler does not see that
/// it is overwritten, and would clear it for each, in an eighth of the time that tiles of 6 x 6 take.
pub(super) type Columns<V, const N: usize> = [[V; MAX_A]; N];

/// A line of the first `count` columns, and zeros behind them.
#[inline(always)]
pub(super) fn line<S: Simd, const N: usize>(
    simd: S,
    columns: &Columns<S::V, N>,
    count: usize,
    line: usize,
) -> [S::V; N] {
    let mut values = [simd.splat(0.0); N];
    for (value, column) in values.iter_mut().zip(columns).take(count) {
        *value = column[line];
    }
    values
}

/// `x * factor`.
#[inline(always)]
fn times<S: Simd>(simd: S, x: S::V, factor: f32) -> S::V {
    simd.mul(x, simd.splat(factor))
}

/// `F(2, 3)`: four products for two outputs, at the points 0, 1, -1 and infinity.
#[derive(Clone, Copy)]
pub(super) struct F2;

impl Points for F2 {
    const M: usize = 2;
    const A: usize = 4;
    const SCALES: [f32; MAX_A] = scales([1.0, 0.5, 0.5, 1.0]);

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::V; MAX_A]) -> [S::V; MAX_A] {
        filled(simd, [simd.sub(d[0], d[2]), simd.add(d[1], d[2]), simd.sub(d[2], d[1]), simd.sub(d[1], d[3])])
    }

    #[inline(always)]
    fn unscaled<S: Simd>(simd: S, g: [S::V; MAX_TAPS]) -> [S::V; MAX_A] {
        let outer = simd.add(g[0], g[2]);
        filled(simd, [g[0], simd.add(outer, g[1]), simd.sub(outer, g[1]), g[2]])
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::V; MAX_A]) -> [S::V; MAX_M] {
        filled(simd, [simd.add(m[0], simd.add(m[1], m[2])), simd.sub(simd.sub(m[1], m[2]), m[3])])
    }
}

/// `F(4, 3)`: six products for four outputs, at the points 0, `-A, A, -B, B` and infinity.
///
/// With `A * B = 1` powers of the points neither grow nor vanish, which loses less to rounding than 1 and 2 do.
#[derive(Clone, Copy)]
pub(super) struct F4;

const A: f32 = std::f32::consts::FRAC_1_SQRT_2;
const B: f32 = std::f32::consts::SQRT_2;

impl Points for F4 {
    const M: usize = 4;
    const A: usize = 6;
    const SCALES: [f32; MAX_A] = scales([1.0, -1.0 / 3.0, -1.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0, 1.0]);

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::V; MAX_A]) -> [S::V; MAX_A] {
        let (outer, minus_a2, minus_b2) = (simd.splat(-2.5), simd.splat(-0.5), simd.splat(-2.0));
        let (even_a, odd_a) = (simd.mul_add(minus_b2, d[2], d[4]), simd.mul_add(minus_b2, d[1], d[3]));
        let (even_b, odd_b) = (simd.mul_add(minus_a2, d[2], d[4]), simd.mul_add(minus_a2, d[1], d[3]));
        let factors = [
            simd.mul_add(outer, d[2], simd.add(d[0], d[4])),
            simd.mul_add(simd.splat(A), odd_a, even_a),
            simd.mul_add(simd.splat(-A), odd_a, even_a),
            simd.mul_add(simd.splat(B), odd_b, even_b),
            simd.mul_add(simd.splat(-B), odd_b, even_b),
            simd.mul_add(outer, d[3], simd.add(d[1], d[5])),
        ];
        filled(simd, factors)
    }

    #[inline(always)]
    fn unscaled<S: Simd>(simd: S, g: [S::V; MAX_TAPS]) -> [S::V; MAX_A] {
        // Twice those of `A`: so both pairs have the same odd part.
        let two = simd.splat(2.0);
        let (even_a, even_b) = (simd.mul_add(g[0], two, g[2]), simd.mul_add(g[2], two, g[0]));
        let odd = times(simd, g[1], B);
        let (plus_a, minus_a) = (simd.add(even_a, odd), simd.sub(even_a, odd));
        let (plus_b, minus_b) = (simd.add(even_b, odd), simd.sub(even_b, odd));
        filled(simd, [g[0], plus_a, minus_a, plus_b, minus_b, g[2]])
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::V; MAX_A]) -> [S::V; MAX_M] {
        let (sum_a, difference_a) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
        let (sum_b, difference_b) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
        let outputs = [
            simd.add(m[0], simd.add(sum_a, sum_b)),
            simd.mul_add(simd.splat(B), difference_b, times(simd, difference_a, A)),
            simd.mul_add(simd.splat(2.0), sum_b, times(simd, sum_a, 0.5)),
            simd.mul_add(simd.splat(B * 2.0), difference_b, simd.mul_add(simd.splat(A * 0.5), difference_a, m[5])),
        ];
        filled(simd, outputs)
    }
}

/// `F(2, 5)`: six products for two outputs, at the points of [`F4`]: so inputs are transformed alike.
#[derive(Clone, Copy)]
pub(super) struct F2Of5;

impl Points for F2Of5 {
    const M: usize = 2;
    const A: usize = 6;
    const TAPS: usize = 5;
    const SCALES: [f32; MAX_A] = scales([1.0, -2.0 / 3.0, -2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0, 1.0]);

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::V; MAX_A]) -> [S::V; MAX_A] {
        F4::input(simd, d)
    }

    #[inline(always)]
    fn unscaled<S: Simd>(simd: S, g: [S::V; MAX_TAPS]) -> [S::V; MAX_A] {
        let even = |square: f32| {
            let outer = simd.mul_add(g[4], simd.splat(square), g[2]);
            simd.mul_add(outer, simd.splat(square), g[0])
        };
        let odd = |square: f32| simd.mul_add(g[3], simd.splat(square), g[1]);
        let (even_a, even_b) = (even(0.5), even(2.0));
        let (odd_a, odd_b) = (times(simd, odd(0.5), A), times(simd, odd(2.0), B));
        let (plus_a, minus_a) = (simd.add(even_a, odd_a), simd.sub(even_a, odd_a));
        let (plus_b, minus_b) = (simd.add(even_b, odd_b), simd.sub(even_b, odd_b));
        filled(simd, [g[0], plus_a, minus_a, plus_b, minus_b, g[4]])
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::V; MAX_A]) -> [S::V; MAX_M] {
        let sums = simd.add(simd.add(m[1], m[2]), simd.add(m[3], m[4]));
        let (difference_a, difference_b) = (simd.sub(m[1], m[2]), simd.sub(m[3], m[4]));
        let odd = simd.mul_add(simd.splat(A), difference_a, m[5]);
        filled(simd, [simd.add(m[0], sums), simd.mul_add(simd.splat(B), difference_b, odd)])
    }
}

/// `F(6, 3)`: eight products for six outputs, at the points 0, -1, 1, -1/2, 1/2, -2, 2 and infinity.
///
/// No other points in pairs lose less to rounding but by a few percent, and powers of two need no rounding themselves. Still
/// its outputs lose six times as much as those of [`F4`].
#[derive(Clone, Copy)]
pub(super) struct F6;

impl Points for F6 {
    const M: usize = 6;
    const A: usize = 8;
    // Of each point, one over the product of its differences to the others.
    const SCALES: [f32; MAX_A] = [1.0, -2.0 / 9.0, -2.0 / 9.0, 32.0 / 45.0, 32.0 / 45.0, 1.0 / 90.0, 1.0 / 90.0, 1.0];

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::V; MAX_A]) -> [S::V; MAX_A] {
        let c = |value: f32| simd.splat(value);
        let (even_1, odd_1) =
            (simd.mul_add(c(-4.25), d[4], simd.add(d[2], d[6])), simd.mul_add(c(-4.25), d[3], simd.add(d[1], d[5])));
        // `d[far] + a * d[middle] + b * d[near]`.
        let three = |far: usize, a: f32, b: f32| simd.mul_add(c(b), d[far - 4], simd.mul_add(c(a), d[far - 2], d[far]));
        let (even_half, odd_half) = (three(6, -5.0, 4.0), three(5, -5.0, 4.0));
        let (even_2, odd_2) = (three(6, -1.25, 0.25), three(5, -1.25, 0.25));
        let factors = [
            simd.mul_add(c(5.25), simd.sub(d[4], d[2]), simd.sub(d[0], d[6])),
            simd.add(even_1, odd_1),
            simd.sub(even_1, odd_1),
            simd.mul_add(c(0.5), odd_half, even_half),
            simd.mul_add(c(-0.5), odd_half, even_half),
            simd.mul_add(c(2.0), odd_2, even_2),
            simd.mul_add(c(-2.0), odd_2, even_2),
            simd.mul_add(c(5.25), simd.sub(d[3], d[5]), simd.sub(d[7], d[1])),
        ];
        filled(simd, factors)
    }

    #[inline(always)]
    fn unscaled<S: Simd>(simd: S, g: [S::V; MAX_TAPS]) -> [S::V; MAX_A] {
        let pair = |p: f32| {
            let even = simd.mul_add(g[2], simd.splat(p * p), g[0]);
            [simd.mul_add(g[1], simd.splat(p), even), simd.sub(even, times(simd, g[1], p))]
        };
        let [plus_1, minus_1] = pair(1.0);
        let [plus_half, minus_half] = pair(0.5);
        let [plus_2, minus_2] = pair(2.0);
        filled(simd, [g[0], plus_1, minus_1, plus_half, minus_half, plus_2, minus_2, g[2]])
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::V; MAX_A]) -> [S::V; MAX_M] {
        let powers = Powers::of(simd, m);
        let outputs = [
            simd.add(simd.add(m[0], powers.sum_1), simd.add(powers.sum_half, powers.sum_2)),
            powers.odd(simd, 2.0, powers.difference_1),
            powers.even(simd, 4.0, powers.sum_1),
            powers.odd(simd, 8.0, powers.difference_1),
            powers.even(simd, 16.0, powers.sum_1),
            powers.odd(simd, 32.0, simd.add(powers.difference_1, m[7])),
        ];
        filled(simd, outputs)
    }
}

/// The products at the points `p` and `-p`, added and subtracted.
struct Powers<V> {
    sum_1: V,
    sum_half: V,
    sum_2: V,
    difference_1: V,
    difference_half: V,
    difference_2: V,
}

impl<V: Copy> Powers<V> {
    /// Of the products of [`F6`] and [`F4Of5`].
    #[inline(always)]
    fn of<S: Simd<V = V>>(simd: S, m: [V; MAX_A]) -> Self {
        Powers {
            sum_1: simd.add(m[1], m[2]),
            sum_half: simd.add(m[3], m[4]),
            sum_2: simd.add(m[5], m[6]),
            difference_1: simd.sub(m[1], m[2]),
            difference_half: simd.sub(m[3], m[4]),
            difference_2: simd.sub(m[5], m[6]),
        }
    }

    /// The products times an even power of their points, of which that of 2 is given, and the `first` that it is one of.
    #[inline(always)]
    fn even<S: Simd<V = V>>(&self, simd: S, power: f32, first: V) -> V {
        let halves = simd.mul_add(simd.splat(1.0 / power), self.sum_half, first);
        simd.mul_add(simd.splat(power), self.sum_2, halves)
    }

    /// The same of an odd power.
    #[inline(always)]
    fn odd<S: Simd<V = V>>(&self, simd: S, power: f32, first: V) -> V {
        let halves = simd.mul_add(simd.splat(1.0 / power), self.difference_half, first);
        simd.mul_add(simd.splat(power), self.difference_2, halves)
    }
}

/// `F(4, 5)`: eight products for four outputs, at the points of [`F6`]: so inputs are transformed alike.
#[derive(Clone, Copy)]
pub(super) struct F4Of5;

impl Points for F4Of5 {
    const M: usize = 4;
    const A: usize = 8;
    const TAPS: usize = 5;
    const SCALES: [f32; MAX_A] = F6::SCALES;

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::V; MAX_A]) -> [S::V; MAX_A] {
        F6::input(simd, d)
    }

    #[inline(always)]
    fn unscaled<S: Simd>(simd: S, g: [S::V; MAX_TAPS]) -> [S::V; MAX_A] {
        let pair = |p: f32| {
            let square = simd.splat(p * p);
            let even = simd.mul_add(simd.mul_add(g[4], square, g[2]), square, g[0]);
            let odd = times(simd, simd.mul_add(g[3], square, g[1]), p);
            [simd.add(even, odd), simd.sub(even, odd)]
        };
        let [plus_1, minus_1] = pair(1.0);
        let [plus_half, minus_half] = pair(0.5);
        let [plus_2, minus_2] = pair(2.0);
        filled(simd, [g[0], plus_1, minus_1, plus_half, minus_half, plus_2, minus_2, g[4]])
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::V; MAX_A]) -> [S::V; MAX_M] {
        let powers = Powers::of(simd, m);
        let outputs = [
            simd.add(simd.add(m[0], powers.sum_1), simd.add(powers.sum_half, powers.sum_2)),
            powers.odd(simd, 2.0, powers.difference_1),
            powers.even(simd, 4.0, powers.sum_1),
            powers.odd(simd, 8.0, simd.add(powers.difference_1, m[7])),
        ];
        filled(simd, outputs)
    }
}
