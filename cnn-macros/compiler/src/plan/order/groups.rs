//! Samples in groups of sixteen, for convolutions with too few channels to fill a vector of them: those of small networks.
//!
//! A batch smaller than a group stands as in NCHW, and nothing is lost by this order there.

use super::{Bond, Choice, Order};
use crate::ir::{Graph, Op, ValueId};

/// Most elements of a sample: a group of them stays in a second-level cache.
const MOST_ELEMENTS: usize = 1 << 14;

/// Most weights of a convolution: their gradient has a vector for each while it is summed up.
const MOST_WEIGHTS: usize = 1 << 16;

/// Channels on both sides from which Winograd's way saves more than idle lanes cost.
const LEAST_OF_WINOGRAD: usize = 24;

/// The choice of [`Order::Chwn16`].
pub(super) struct Groups<'a> {
    pub(super) graph: &'a Graph,
    /// The orders chosen before.
    pub(super) orders: &'a [Order],
}

impl Groups<'_> {
    /// Whether a layer is a convolution that gains by groups on either side.
    fn gains(&self, index: usize) -> bool {
        let node = &self.graph.nodes[index];
        let Op::Conv { window, groups: 1, direct, .. } = node.op else { return false };
        let ends = [node.inputs[0], index + 1];
        let [input, output] = ends.map(|value| self.graph.shape(value).to_map());
        let winograd = !direct && window.kernel == [3, 3] && input.c.min(output.c) >= LEAST_OF_WINOGRAD;
        let weights = input.c * output.c * window.kernel[0] * window.kernel[1];
        // A kernel that covers the whole input makes a fully connected layer.
        !winograd
            && weights <= MOST_WEIGHTS
            && window.stride == [1, 1]
            && output.h * output.w > 1
            && ends.into_iter().all(|value| self.orders[value] == Order::Nchw)
    }
}

impl Choice for Groups<'_> {
    fn fits(&self, value: ValueId) -> bool {
        self.orders[value] == Order::Nchw && self.graph.shape(value).len() <= MOST_ELEMENTS
    }

    fn bond(&self, index: usize, _: ValueId) -> Bond {
        match self.graph.nodes[index].op {
            Op::Conv { .. } if self.gains(index) => Bond::Free,
            Op::MaxPool { .. } | Op::AvgPool { .. } => Bond::Free,
            Op::Act(_) | Op::Dropout { .. } | Op::Add => Bond::Same,
            _ => Bond::Plain,
        }
    }

    fn wanted(&self, index: usize) -> Vec<ValueId> {
        if self.gains(index) { vec![self.graph.nodes[index].inputs[0], index + 1] } else { Vec::new() }
    }

    fn handed_on(&self, _: usize) -> Vec<[ValueId; 2]> {
        Vec::new()
    }
}
