//! Channels in blocks of sixteen, for convolutions that work on vectors of channels, and for what those hand on.
//!
//! A convolution without groups reads either order and writes either, so that it is where orders change; most layers have
//! the same one on all sides; some know NCHW alone.

use super::{Bond, Choice, is_pool};
use crate::ir::{Graph, Op, ValueId};

/// Channels of a block.
const BLOCK: usize = 16;

/// The choice of [`Order::Nchw16c`](super::Order::Nchw16c).
pub(super) struct Blocks<'a>(pub(super) &'a Graph);

impl Choice for Blocks<'_> {
    /// At one position both orders are the same, and every layer reads it.
    fn fits(&self, value: ValueId) -> bool {
        let map = self.0.shape(value).to_map();
        map.c.is_multiple_of(BLOCK) && map.h * map.w > 1
    }

    fn bond(&self, index: usize, input: ValueId) -> Bond {
        let Blocks(graph) = *self;
        let node = &graph.nodes[index];
        match node.op {
            // What a pool makes can be in either order; what a fully connected layer reads, in one.
            Op::Conv { groups: 1, .. } if covers(graph, index) && input > 0 && is_pool(graph, input - 1) => Bond::Plain,
            Op::Conv { groups: 1, .. } | Op::MaxPool { .. } | Op::AvgPool { .. } => Bond::Free,
            Op::Conv { groups, .. } => {
                let channels = [graph.shape(node.inputs[0]), node.output].map(|shape| shape.to_map().c);
                // Depthwise, with as many outputs as inputs.
                if channels == [groups; 2] { Bond::Same } else { Bond::Plain }
            }
            Op::Arith(_) => join(graph, index, input),
            Op::Act(_) | Op::BatchNorm { .. } | Op::Lrn { .. } | Op::Dropout { .. } | Op::Add | Op::Concat => {
                Bond::Same
            }
            Op::ConvTranspose { .. }
            | Op::Fc { .. }
            | Op::Trained { .. }
            | Op::Softmax { .. }
            | Op::Reshape
            | Op::Expand
            | Op::Permute(_)
            | Op::Pad { .. }
            | Op::Upsample { .. }
            | Op::Resize { .. } => Bond::Plain,
        }
    }

    /// What convolutions read, unless they are fully connected layers.
    fn wanted(&self, index: usize) -> Vec<ValueId> {
        let node = &self.0.nodes[index];
        let is_conv = matches!(node.op, Op::Conv { .. }) && !covers(self.0, index);
        let input = node.inputs.first().filter(|_| is_conv);
        input.into_iter().copied().collect()
    }

    /// What they make of others in blocks.
    fn handed_on(&self, index: usize) -> Vec<[ValueId; 2]> {
        self.wanted(index).into_iter().map(|input| [input, index + 1]).collect()
    }
}

/// Whether a layer is a convolution without groups whose kernel covers its input: the runtime has it computed as a fully
/// connected layer, if its input is NCHW.
fn covers(graph: &Graph, index: usize) -> bool {
    let node = &graph.nodes[index];
    let Op::Conv { window, groups: 1, .. } = node.op else { return false };
    let [input, output] = [graph.shape(node.inputs[0]), node.output].map(|shape| shape.to_map());
    let whole = window.kernel == [input.h, input.w] && window.dilation == [1, 1] && window.pad == [0; 4];
    whole && output.h * output.w == 1
}

/// As [`Blocks::bond`], of two values that are joined element by element: what is repeated along all channels or all
/// positions of the other is read beside it in either order.
fn join(graph: &Graph, index: usize, input: ValueId) -> Bond {
    let node = &graph.nodes[index];
    let [own, whole] = [graph.shape(input), node.output].map(|shape| shape.to_map());
    if own == whole {
        Bond::Same
    } else if node.inputs.iter().any(|&input| graph.shape(input).to_map() == whole)
        && (own.c == 1 || own.h * own.w == 1)
    {
        Bond::Free
    } else {
        Bond::Plain
    }
}
