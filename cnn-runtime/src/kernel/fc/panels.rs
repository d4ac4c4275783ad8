//! How the weights of a fully connected layer stand in memory.

use std::ops::Range;

/// Outputs that stand side by side: two vectors of the widest instruction set.
pub(crate) const WIDTH: usize = 32;

/// Weights cut into panels of [`WIDTH`] outputs, the last one narrower: each is `[input][output of the panel]`.
///
/// A pass over a batch reads or writes a panel from its first to its last float: forward as vectors of outputs, and so the
/// gradient by the weights; the gradient by the input has all it needs of an input in one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panels {
    inputs: usize,
    outputs: usize,
}

impl Panels {
    /// The panels of a layer.
    pub(crate) const fn new(inputs: usize, outputs: usize) -> Self {
        Panels { inputs, outputs }
    }

    /// Panels.
    pub(crate) const fn count(self) -> usize {
        self.outputs.div_ceil(WIDTH)
    }

    /// The outputs of a panel.
    #[inline(always)]
    pub(crate) fn outputs(self, index: usize) -> Range<usize> {
        index * WIDTH..self.outputs.min((index + 1) * WIDTH)
    }

    /// The first float of a panel.
    #[inline(always)]
    pub(crate) const fn start(self, index: usize) -> usize {
        index * WIDTH * self.inputs
    }

    /// Calls `pair(plain, packed)` with both places of every weight.
    pub(crate) fn for_each(self, mut pair: impl FnMut(usize, usize)) {
        for index in 0..self.count() {
            let outputs = self.outputs(index);
            for i in 0..self.inputs {
                for o in outputs.clone() {
                    pair(o * self.inputs + i, self.start(index) + i * outputs.len() + o - outputs.start);
                }
            }
        }
    }
}
