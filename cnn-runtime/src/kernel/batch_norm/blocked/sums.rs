//! Sums of which each lane is a channel's.

use crate::desc::Order;
use crate::kernel::sixteen::{Lanes, Sixteen};
use crate::simd::Simd;

/// `N` sums of each channel in single precision, in several ways side by side: one alone would wait for each of its
/// additions.
pub(super) struct Singles<S: Simd, const N: usize, const WAYS: usize>([[Sixteen<S>; N]; WAYS]);

impl<S: Simd, const N: usize, const WAYS: usize> Singles<S, N, WAYS> {
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        Singles([[Sixteen::splat(simd, 0.0); N]; WAYS])
    }

    /// Adds what `terms` makes of each vector of both slices, which are equally long, to what the sums are.
    #[inline(always)]
    pub(super) fn add(
        &mut self,
        simd: S,
        [a, b]: [&[Lanes]; 2],
        terms: impl Fn([Sixteen<S>; N], [Sixteen<S>; 2]) -> [Sixteen<S>; N],
    ) {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<WAYS>(), b.as_chunks::<WAYS>());
        for (a, b) in a.iter().zip(b) {
            for way in 0..WAYS {
                let pair = [Sixteen::load(simd, &a[way]), Sixteen::load(simd, &b[way])];
                self.0[way] = terms(self.0[way], pair);
            }
        }
        for (a, b) in a_rest.iter().zip(b_rest) {
            self.0[0] = terms(self.0[0], [Sixteen::load(simd, a), Sixteen::load(simd, b)]);
        }
    }

    /// The sums of all ways.
    #[inline(always)]
    pub(super) fn total(&self) -> [Lanes<f64>; N] {
        let mut total = [[0.0; Order::BLOCK]; N];
        for sums in self.0 {
            for (total, sum) in total.iter_mut().zip(sums) {
                for (total, sum) in total.iter_mut().zip(sum.lanes()) {
                    *total += f64::from(sum);
                }
            }
        }
        total
    }
}

/// What the parts of a block are summed up in.
pub(super) trait Sum: Copy + Send + Sync {
    /// The sum of nothing.
    const EMPTY: Self;

    /// Adds another part.
    fn join(&mut self, other: &Self);

    /// The sum of parts, one after the other.
    fn of(parts: impl Iterator<Item = Self>) -> Self {
        let mut sum = Self::EMPTY;
        parts.for_each(|part| sum.join(&part));
        sum
    }
}

/// Mean of values, and the sum of their squares about it.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    pub(super) count: f64,
    pub(super) mean: Lanes<f64>,
    pub(super) squares: Lanes<f64>,
}

impl Sum for Moments {
    const EMPTY: Self = Moments { count: 0.0, mean: [0.0; Order::BLOCK], squares: [0.0; Order::BLOCK] };

    #[inline(always)]
    fn join(&mut self, other: &Self) {
        let (before, count) = (self.count, self.count + other.count);
        let part = other.count / count;
        for c in 0..Order::BLOCK {
            let apart = other.mean[c] - self.mean[c];
            self.mean[c] += apart * part;
            self.squares[c] += other.squares[c] + apart * apart * (before * part);
        }
        self.count = count;
    }
}

/// The sums of gradients, and of gradients times distances from the mean.
#[derive(Clone, Copy)]
pub(super) struct Gradients {
    pub(super) by_shift: Lanes<f64>,
    pub(super) by_scale: Lanes<f64>,
}

impl Sum for Gradients {
    const EMPTY: Self = Gradients { by_shift: [0.0; Order::BLOCK], by_scale: [0.0; Order::BLOCK] };

    #[inline(always)]
    fn join(&mut self, other: &Self) {
        for c in 0..Order::BLOCK {
            self.by_shift[c] += other.by_shift[c];
            self.by_scale[c] += other.by_scale[c];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Moments, Order, Sum};

    #[test]
    fn moments_of_parts_are_those_of_the_whole() {
        let of = |values: &[f64]| {
            let (count, mean) = (values.len() as f64, values.iter().sum::<f64>() / values.len() as f64);
            let squares = values.iter().map(|x| (x - mean).powi(2)).sum();
            Moments { count, mean: [mean; Order::BLOCK], squares: [squares; Order::BLOCK] }
        };
        let values: Vec<f64> = (0..20).map(|i| f64::from(i * i % 7) + 1e6).collect();
        let parts = [&values[..3], &values[3..4], &values[4..]];
        let (joined, whole) = (Moments::of(parts.iter().map(|part| of(part))), of(&values));
        assert_eq!(joined.count, 20.0);
        assert!((joined.mean[3] - whole.mean[3]).abs() < 1e-9);
        assert!((joined.squares[5] / whole.squares[5] - 1.0).abs() < 1e-9);
    }
}
