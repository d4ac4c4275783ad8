//! Sums with a fixed tree: sixteen lanes, then pairs of lanes, whatever the processor; and the greatest value likewise.

/// Lanes of a sum.
pub(crate) const LANES: usize = 16;

/// The sum of the lanes, in pairs.
#[inline(always)]
pub(crate) fn tree(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The sum of `f(a)` over a slice.
#[inline(always)]
pub(crate) fn sum(a: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (blocks, rest) = a.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in blocks {
        for (lane, &a) in lanes.iter_mut().zip(block) {
            *lane += f(a);
        }
    }
    for (lane, &a) in lanes.iter_mut().zip(rest) {
        *lane += f(a);
    }
    tree(lanes)
}

/// The sum of `f(a, b)` over two slices of one length.
#[inline(always)]
pub(crate) fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    add2(&mut lanes, a, b, f);
    tree(lanes)
}

/// Adds `f(a, b)` over two slices of one length to the lanes.
#[inline(always)]
pub(crate) fn add2(lanes: &mut [f32; LANES], a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for (lane, (&a, &b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += f(a, b);
        }
    }
    for (lane, (&a, &b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += f(a, b);
    }
}

/// A long sum: in single precision within a block of [`Running::BLOCK`] values or a few more, in double over blocks.
pub(crate) struct Running {
    total: f64,
    lanes: [f32; LANES],
    /// Values in the lanes.
    pending: usize,
}

impl Running {
    /// Values, at least, that are summed in single precision before their sum joins the others in double; and most that
    /// are added at once.
    pub(crate) const BLOCK: usize = 1024;

    /// The sum of nothing.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Running { total: 0.0, lanes: [0.0; LANES], pending: 0 }
    }

    /// Adds `f(a, b)` over two slices of one length.
    #[inline(always)]
    pub(crate) fn add(&mut self, a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) {
        add2(&mut self.lanes, a, b, f);
        self.pending += a.len();
        if self.pending >= Self::BLOCK {
            self.total += f64::from(tree(self.lanes));
            (self.lanes, self.pending) = ([0.0; LANES], 0);
        }
    }

    /// All of it.
    #[inline(always)]
    pub(crate) fn total(self) -> f32 {
        (self.total + f64::from(tree(self.lanes))) as f32
    }
}

/// The largest element; NaN is passed over. Negative infinity for an empty slice.
#[inline(always)]
pub(crate) fn max(a: &[f32]) -> f32 {
    let larger = |m: f32, v: f32| if v > m { v } else { m };
    let (blocks, rest) = a.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for block in blocks {
        for (lane, &a) in lanes.iter_mut().zip(block) {
            *lane = larger(*lane, a);
        }
    }
    let of_blocks = lanes.into_iter().fold(f32::NEG_INFINITY, larger);
    rest.iter().copied().fold(of_blocks, larger)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::uniform;

    #[test]
    fn sums_and_maxima_cover_blocks_and_remainders() {
        for len in [0, 1, 15, 16, 17, 31, 33, 100] {
            let (a, b) = (uniform(1, len), uniform(2, len));
            let expected: f64 = a.iter().map(|&a| f64::from(a) * 2.0).sum();
            assert!((f64::from(sum(&a, |a| 2.0 * a)) - expected).abs() < 1e-5, "length {len}");
            let expected: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert!((f64::from(sum2(&a, &b, |a, b| a * b)) - expected).abs() < 1e-5, "length {len}");
            assert_eq!(max(&a), a.iter().copied().fold(f32::NEG_INFINITY, f32::max), "length {len}");
        }
    }
}
