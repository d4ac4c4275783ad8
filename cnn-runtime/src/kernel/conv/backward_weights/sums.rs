//! Where the gradients go that a matrix unit sums up.

use crate::desc::{Conv, Order};
use crate::kernel::blocks::Blocks;
use crate::kernel::parallel::Shared;
use crate::simd::Simd;
use crate::simd::amx::{Exact, in_steps};

/// The gradients by the weights of a convolution without groups.
pub(super) struct Sums<'a> {
    pub d: &'a Conv,
    /// All of them.
    pub all: Shared,
    /// Whether they begin here, else there is something to add to.
    pub fresh: bool,
}

/// Rows of a tile: input channels and their taps.
pub(super) struct Rows {
    /// The first.
    pub first: usize,
    /// Rows.
    pub count: usize,
    /// Distance between them, in rows of the weights.
    pub apart: usize,
}

impl Sums<'_> {
    /// Adds the sums of some rows and a block of output channels, times what all rows, and each channel's, are multiplied by.
    ///
    /// # Safety
    /// The rows of these channels are there, and nobody else has them.
    #[inline(always)]
    pub(super) unsafe fn add<S: Simd>(
        &self,
        simd: S,
        exact: &Exact,
        block: usize,
        rows: Rows,
        (down, downs): (f32, S::V),
    ) {
        let first = block * Order::BLOCK;
        let channels = Blocks::of(self.d.output.c).rows(first / Blocks::MOST);
        let at = channels.start * self.d.taps() + rows.first * channels.len() + first - channels.start;
        let [down, rest] = in_steps(down);
        let downs = simd.mul(downs, simd.splat(rest));
        for row in 0..rows.count {
            // Scales are powers of two; one after the other, lest their product be too small a float.
            let mut sums = simd.mul(exact.row(simd, row, down), downs);
            // SAFETY: the caller's promise: a vector of channels stands at each row.
            unsafe {
                let into = self.all.at(at + row * rows.apart * channels.len());
                if !self.fresh {
                    sums = simd.add(simd.load(into), sums);
                }
                simd.store(into, sums);
            }
        }
    }
}
