//! Maps whose channels stand in blocks of sixteen: the channels of a position are brought side by side, in the caches, so
//! that the sums over windows are those of vectors that are read a channel apart.

use std::ops::Range;

use super::pass::{Backward, Forward, Line, finish, shares};
use super::power::Power;
use super::window::{BLOCK, Reach};
use crate::desc::{Lrn, Order};
use crate::kernel::scratch::{self, Lent, Use};
use crate::kernel::sixteen::{Sixteen, vectors, vectors_mut};
use crate::simd::Simd;

/// Floats, about, of all channels of the positions that are worked on together.
const STAGED: usize = 1 << 13;

/// Positions that are worked on together.
fn together(d: &Lrn) -> usize {
    (STAGED / d.map.c).clamp(8, BLOCK / Order::BLOCK)
}

/// Where the vectors of some positions stand in a block of channels; all have about as many.
#[inline(always)]
fn stretches(d: &Lrn) -> impl Iterator<Item = Range<usize>> {
    let plane = d.map.plane();
    let count = plane.div_ceil(together(d));
    (0..count).map(move |i| plane * i / count * Order::BLOCK..plane * (i + 1) / count * Order::BLOCK)
}

/// The channels of each position side by side, between zeros for windows that reach out.
struct Stage {
    rows: Lent,
    /// Floats of a position's row, and those before its first channel.
    pitch: usize,
    before: usize,
    reach: Reach,
}

impl Stage {
    #[inline(always)]
    fn new(d: &Lrn, reach: Reach) -> Self {
        let reach = Reach { before: reach.before.min(d.map.c), after: reach.after.min(d.map.c) };
        // Whole cache lines, so that each vector is brought to one.
        let before = reach.before.next_multiple_of(Order::BLOCK);
        let channels = before..before + d.map.c;
        let pitch = (channels.end + reach.after).next_multiple_of(Order::BLOCK);
        let mut rows = scratch::lend(Use::Task, together(d) * pitch);
        for row in rows.chunks_exact_mut(pitch) {
            row[..channels.start].fill(0.0);
            row[channels.end..].fill(0.0);
        }
        Stage { rows, pitch, before, reach }
    }

    /// Brings the values of a block to the rows of their positions, squared or as they are.
    #[inline(always)]
    fn bring<S: Simd, const SQUARE: bool>(&mut self, simd: S, block: usize, values: &[f32]) {
        for (row, x) in self.rows.chunks_exact_mut(self.pitch).zip(vectors(values)) {
            let x = Sixteen::load(simd, x);
            let to = &mut row[self.before + block * Order::BLOCK..];
            (if SQUARE { x * x } else { x }).store(&mut vectors_mut(to)[0]);
        }
    }

    /// The sums over the windows of a block's channels.
    #[inline(always)]
    fn sums<S: Simd>(&self, simd: S, block: usize, sums: &mut [f32]) {
        let size = self.reach.before + 1 + self.reach.after;
        match size {
            // A constant, so that its loop is unrolled.
            5 => self.sums_of(simd, block, 5, sums),
            size => self.sums_of(simd, block, size, sums),
        }
    }

    #[inline(always)]
    fn sums_of<S: Simd>(&self, simd: S, block: usize, size: usize, sums: &mut [f32]) {
        for (row, to) in self.rows.chunks_exact(self.pitch).zip(vectors_mut(sums)) {
            let row = &row[self.before - self.reach.before + block * Order::BLOCK..][..size + Order::BLOCK - 1];
            let mut sum = Sixteen::load(simd, &vectors(row)[0]);
            for k in 1..size {
                sum = sum + Sixteen::load(simd, &vectors(&row[k..])[0]);
            }
            sum.store(to);
        }
    }
}

impl Forward<'_> {
    /// The forward pass over a sample.
    #[inline(always)]
    pub(super) fn blocks<S: Simd, const KEEP: bool>(&mut self, simd: S, power: impl Power) {
        let (d, len) = (self.d, Order::BLOCK * self.d.map.plane());
        let (mut stage, mut sums) = (Stage::new(d, Reach::of(d)), [0.0; BLOCK]);
        for stretch in stretches(d) {
            let span = |block: usize| block * len + stretch.start..block * len + stretch.end;
            for block in 0..d.map.c / Order::BLOCK {
                stage.bring::<S, true>(simd, block, &self.input[span(block)]);
            }
            for block in 0..d.map.c / Order::BLOCK {
                let sums = &mut sums[..stretch.len()];
                stage.sums(simd, block, sums);
                let scale = if KEEP { &mut self.scale[span(block)] } else { &mut [][..] };
                let line = Line { k: d.k, alpha: d.alpha / d.size as f32, squares: sums };
                line.normalise::<KEEP>(power, &self.input[span(block)], &mut self.output[span(block)], scale);
            }
        }
    }
}

impl Backward<'_> {
    /// The backward pass over a sample.
    #[inline(always)]
    pub(super) fn blocks<S: Simd, const ADD: bool>(&mut self, simd: S, power: impl Power) {
        let (d, len) = (self.d, Order::BLOCK * self.d.map.plane());
        let factor = 2.0 * d.alpha / d.size as f32 * d.beta;
        let (mut stage, mut sums) = (Stage::new(d, Reach::of(d).back()), [0.0; BLOCK]);
        let mut own = scratch::lend(Use::Outer, d.map.c / Order::BLOCK * BLOCK);
        for stretch in stretches(d) {
            let span = |block: usize| block * len + stretch.start..block * len + stretch.end;
            let sums = &mut sums[..stretch.len()];
            for (block, own) in own.chunks_exact_mut(BLOCK).enumerate() {
                let of = [self.input, self.scale, self.d_output].map(|x| &x[span(block)]);
                shares(power, of, &mut own[..stretch.len()], sums);
                stage.bring::<S, false>(simd, block, sums);
            }
            for (block, own) in own.chunks_exact(BLOCK).enumerate() {
                stage.sums(simd, block, sums);
                let (input, d_input) = (&self.input[span(block)], &mut self.d_input[span(block)]);
                finish::<ADD>(factor, input, &own[..stretch.len()], sums, d_input);
            }
        }
    }
}
