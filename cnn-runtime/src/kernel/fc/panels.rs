//! How the weights of a fully connected layer stand in memory.

use std::ops::Range;

use crate::kernel::blocks::Blocks;

/// Outputs that stand side by side: those of a block.
pub(super) const WIDTH: usize = Blocks::MOST;

/// Weights in [`Blocks`] of outputs, as a matrix: each is a panel, `[input][output of the panel]`, and the last one narrower.
///
/// A pass over a batch reads or writes a panel from its first to its last float: forward as vectors of outputs, and so the
/// gradient by the weights; the gradient by the input has all it needs of an input in one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panels {
    inputs: usize,
    outputs: usize,
}

impl Panels {
    /// The panels of a layer.
    pub(super) const fn new(inputs: usize, outputs: usize) -> Self {
        Panels { inputs, outputs }
    }

    /// Panels.
    pub(super) const fn count(self) -> usize {
        self.outputs.div_ceil(WIDTH)
    }

    /// The outputs of a panel.
    #[inline(always)]
    pub(super) fn outputs(self, index: usize) -> Range<usize> {
        index * WIDTH..self.outputs.min((index + 1) * WIDTH)
    }

    /// The first float of a panel.
    #[inline(always)]
    pub(super) const fn start(self, index: usize) -> usize {
        index * WIDTH * self.inputs
    }
}
