//! Weights in blocks of output channels: `[tap][row]`, so that a tile finds the weights of its rows side by side.

use std::ops::Range;

use crate::kernel::parallel::part;
use crate::kernel::scratch;

/// Most rows of a block.
const MOST_ROWS: usize = 14;

/// The weights of all groups.
pub(super) struct Blocks {
    data: scratch::Lent,
    /// Rows of a group.
    rows: usize,
    taps: usize,
}

impl Blocks {
    /// Sorts weights that stand row by row.
    pub(super) fn of_oihw(rows: usize, groups: usize, taps: usize, weight: &[f32]) -> Self {
        let mut blocks = Blocks { data: scratch::lend(scratch::Use::Sums, weight.len()), rows, taps };
        for group in 0..groups {
            for block in 0..blocks.blocks() {
                let range = blocks.rows(block);
                let from = &weight[(group * rows + range.start) * taps..][..range.len() * taps];
                let first = (group * rows + range.start) * taps;
                let to = &mut blocks.data[first..first + from.len()];
                for (row, from) in from.chunks_exact(taps).enumerate() {
                    for (to, &value) in to.chunks_exact_mut(range.len()).zip(from) {
                        to[row] = value;
                    }
                }
            }
        }
        blocks
    }

    /// Blocks of a group.
    pub(super) fn blocks(&self) -> usize {
        self.rows.div_ceil(MOST_ROWS)
    }

    /// The rows of a block, within its group.
    pub(super) fn rows(&self, block: usize) -> Range<usize> {
        part(self.rows, self.blocks(), 1, block)
    }

    /// The weight of the first tap of a row of a block, and the distance between taps.
    pub(super) fn of(&self, group: usize, block: usize, row: usize) -> (*const f32, usize) {
        let range = self.rows(block);
        assert!(row < range.len(), "a row of the block");
        let first = (group * self.rows + range.start) * self.taps;
        (self.data[first..first + range.len() * self.taps][row..].as_ptr(), range.len())
    }
}
