//! Weights in blocks of output channels: `[tap][row]`, so that a tile finds the weights of its rows side by side.

use std::ops::Range;

use crate::kernel::blocks::Blocks;

/// The weights of all groups.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// Blocks of a group, one group after the other.
    pub data: &'a [f32],
    /// Rows of a group.
    pub rows: usize,
    /// Weights of a row.
    pub taps: usize,
}

impl Weights<'_> {
    /// Blocks of a group.
    pub(super) fn blocks(&self) -> usize {
        Blocks::of(self.rows).count()
    }

    /// The rows of a block, within its group.
    pub(super) fn rows(&self, block: usize) -> Range<usize> {
        Blocks::of(self.rows).rows(block)
    }

    /// The weight of the first tap of a row of a block, and the distance between taps.
    pub(super) fn of(&self, group: usize, block: usize, row: usize) -> (*const f32, usize) {
        let range = self.rows(block);
        assert!(row < range.len(), "a row of the block");
        let first = (group * self.rows + range.start) * self.taps;
        (self.data[first..first + range.len() * self.taps][row..].as_ptr(), range.len())
    }
}
