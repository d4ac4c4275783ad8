//! The rows that the window of a channel holds: one of each channel, a block of positions wide.

use crate::desc::Lrn;

/// Positions of a map that are worked on together: the rows of usual windows stay in the first-level cache.
pub(super) const BLOCK: usize = 1024;

/// How far windows reach, in channels.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    pub(super) before: usize,
    pub(super) after: usize,
}

impl Reach {
    /// Of the window of a channel.
    pub(super) fn of(d: &Lrn) -> Self {
        Reach { before: d.size / 2, after: (d.size - 1) / 2 }
    }

    /// Of the channels whose windows hold a channel.
    pub(super) fn back(self) -> Self {
        Reach { before: self.after, after: self.before }
    }
}

/// The rows of as many channels as a window has, each in the place of one that no later window holds, and one for sums.
pub(super) struct Window<'a> {
    rows: &'a mut [f32],
    width: usize,
    kept: usize,
    channels: usize,
    reach: Reach,
}

impl<'a> Window<'a> {
    /// Floats of a window's rows.
    pub(super) fn len(d: &Lrn) -> usize {
        (Self::kept(d) + 1) * BLOCK
    }

    fn kept(d: &Lrn) -> usize {
        d.size.min(d.map.c)
    }

    /// A window on `width` positions in [`len`](Self::len) floats of any value.
    #[inline(always)]
    pub(super) fn new(d: &Lrn, reach: Reach, width: usize, rows: &'a mut [f32]) -> Self {
        Window { rows, width, kept: Self::kept(d), channels: d.map.c, reach }
    }

    /// The first channel that the window of channel `c` does not hold any more.
    #[inline(always)]
    pub(super) fn end(&self, c: usize) -> usize {
        self.channels.min(c + self.reach.after + 1)
    }

    /// The row of channel `c`.
    #[inline(always)]
    pub(super) fn of(&self, c: usize) -> &[f32] {
        &self.rows[c % self.kept * BLOCK..][..self.width]
    }

    /// The row of channel `c`, to be written.
    #[inline(always)]
    pub(super) fn of_mut(&mut self, c: usize) -> &mut [f32] {
        &mut self.rows[c % self.kept * BLOCK..][..self.width]
    }

    /// The sums over the window of channel `c`.
    #[inline(always)]
    pub(super) fn sums(&mut self, c: usize) -> &[f32] {
        let channels = c.saturating_sub(self.reach.before)..self.end(c);
        let (rows, rest) = self.rows.split_at_mut(self.kept * BLOCK);
        let sums = &mut rest[..self.width];
        sums.fill(0.0);
        for channel in channels {
            let row = &rows[channel % self.kept * BLOCK..][..sums.len()];
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        sums
    }
}
