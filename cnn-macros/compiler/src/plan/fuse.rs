//! Fusion: what follows a convolution or a fully connected layer, element by element, is done as that layer writes its
//! output: the bias, batch normalisation by running statistics, the sum with another value, and an activation that is
//! a clamp. And a convolution writes the largest outputs alone where a pool takes them. The values between are never
//! written.

use std::collections::HashMap;

use crate::backward::saves_output;
use crate::ir::{Act, Graph, Op, ValueId};

use super::order::Order;
use super::storage::Mode;

/// Most output channels and most weights of a convolution in NCHW that is not computed as a product of matrices, and input
/// channels from which kernels of 3x3 are left to Winograd: the runtime's `small`.
const SMALL: (usize, usize, usize) = (32, 1 << 13, 8);

/// Most outputs of a channel where a convolution by Winograd's way makes whole maps for a pool.
const MOST_OF_MAP: usize = 32 * 32;

/// What a layer does to its output as it writes it, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fusion {
    /// The node that normalises it.
    pub norm: Option<usize>,
    /// The value that is added to it.
    pub residual: Option<ValueId>,
    /// The node that activates it.
    pub act: Option<usize>,
    /// The node that takes the largest outputs of windows.
    pub pool: Option<usize>,
}

/// The fusions of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fusions {
    /// By the layer that does the work.
    pub of: HashMap<usize, Fusion>,
    /// For every node the one that does its work: itself, unless it is fused into another.
    pub owner: Vec<usize>,
}

/// Finds the fusions of a graph, whose values stand in these orders. In training only activations, whose input the backward
/// pass does not read.
pub fn fusions(graph: &Graph, orders: &[Order], mode: Mode) -> Fusions {
    let mut fusions = Fusions { of: HashMap::new(), owner: (0..graph.nodes.len()).collect() };
    let followers = graph.followers();
    for (index, node) in graph.nodes.iter().enumerate() {
        let is_conv = matches!(node.op, Op::Conv { .. });
        if !is_conv && !matches!(node.op, Op::Fc { .. }) {
            continue;
        }
        let (mut fusion, mut last) = (Fusion::default(), index);
        if mode == Mode::Inference && is_conv {
            if let Some(next) = followers[last].filter(|&next| matches!(graph.nodes[next].op, Op::BatchNorm { .. })) {
                (fusion.norm, last) = (Some(next), next);
            }
            if let Some((next, other)) = followers[last].and_then(|next| Some((next, addend(graph, next, last)?)))
                && other <= index
            {
                (fusion.residual, last) = (Some(other), next);
            }
        }
        if let Some(next) = followers[last].filter(|&next| is_clamp(graph.nodes[next].op)) {
            (fusion.act, last) = (Some(next), next);
        }
        if let Some(next) = followers[last].filter(|_| mode == Mode::Inference && fusion.residual.is_none())
            && pools(graph, orders, index, next)
        {
            (fusion.pool, last) = (Some(next), next);
        }
        let mut node = index;
        while node != last {
            node = followers[node].unwrap_or(last);
            fusions.owner[node] = index;
        }
        if fusion != Fusion::default() {
            fusions.of.insert(index, fusion);
        }
    }
    fusions
}

/// What `sum` adds to the output of `node`, if it is a sum of two values.
fn addend(graph: &Graph, sum: usize, node: usize) -> Option<ValueId> {
    match (graph.nodes[sum].op, &graph.nodes[sum].inputs[..]) {
        (Op::Add, &[a, b]) => Some(if a == node + 1 { b } else { a }),
        _ => None,
    }
}

/// Whether a convolution writes no more than what a pool makes of its outputs: where it is the faster for it, and the
/// runtime has a way that needs no memory for the map between.
fn pools(graph: &Graph, orders: &[Order], conv: usize, pool: usize) -> bool {
    let (Op::Conv { window, groups, direct, .. }, Op::MaxPool { window: windows }) =
        (graph.nodes[conv].op, graph.nodes[pool].op)
    else {
        return false;
    };
    let from = graph.nodes[conv].inputs[0];
    let [input, output] = [from, conv + 1].map(|value| graph.shape(value).to_map());
    let plain = window.stride == [1, 1] && window.dilation == [1, 1];
    match orders[conv + 1] {
        Order::Nchw => {
            let (most_channels, most_weights, winograd) = SMALL;
            let (channels, depth, taps) = (output.c / groups, input.c / groups, window.kernel[0] * window.kernel[1]);
            let few = channels <= most_channels && channels * depth * taps <= most_weights;
            let depthwise = groups > 1 && input.c == groups;
            let winograd = window.kernel == [3, 3] && depth >= winograd;
            orders[from] == Order::Nchw && few && window.stride == [1, 1] && !depthwise && !winograd
        }
        Order::Chwn16 => true,
        Order::Nchw16c if groups > 1 => false,
        Order::Nchw16c => {
            let square = [[3, 3], [5, 5]].contains(&window.kernel);
            let winograd = square && plain && !direct && orders[from] == Order::Nchw16c;
            let side_by_side = windows.kernel == [2, 2] && windows.stride == [2, 2];
            let in_tiles = side_by_side && windows.dilation == [1, 1] && windows.pad == [0; 4];
            // Tiles of Winograd's hold whole windows of 2 x 2; others are taken from whole maps, of which a task has to make all.
            // What is computed line by line may have any, but a kernel of one position reads its input where it stands.
            if winograd {
                (in_tiles && orders[pool + 1] == Order::Nchw16c) || output.h * output.w <= MOST_OF_MAP
            } else {
                window.kernel != [1, 1]
            }
        }
    }
}

/// Whether a layer cuts values off below, and perhaps above.
fn is_clamp(op: Op) -> bool {
    matches!(op, Op::Act(act @ (Act::Relu | Act::Relu6 | Act::Clip { .. })) if saves_output(act))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::order::orders;
    use crate::testing::{Builder, lenet5, residual};

    fn of(graph: &Graph, mode: Mode) -> Fusions {
        fusions(graph, &orders(graph), mode)
    }

    #[test]
    fn a_residual_block_is_two_convolutions() {
        let found = of(&residual(), Mode::Inference);
        // conv bn relu | conv bn relu | conv bn add relu | fc
        assert_eq!(found.owner, [0, 0, 0, 3, 3, 3, 6, 6, 6, 6, 10]);
        assert_eq!(found.of[&0], Fusion { norm: Some(1), residual: None, act: Some(2), pool: None });
        assert_eq!(found.of[&6], Fusion { norm: Some(7), residual: Some(3), act: Some(9), pool: None });
        assert_eq!(found.of.len(), 3);
    }

    #[test]
    fn training_fuses_activations_alone() {
        let found = of(&residual(), Mode::Training);
        assert!(found.of.is_empty());
        let mut net = Builder::new(3, 2, 2);
        let x = net.conv(0, 4, 1, 1, 0, 1);
        let x = net.relu(x);
        let x = net.fc(x, 7);
        let x = net.act(x, Act::Gelu);
        let x = net.fc(x, 5);
        net.act(x, Act::Clip { lo: -1.0, hi: f32::INFINITY });
        assert_eq!(of(net.graph(), Mode::Training).owner, [0, 0, 2, 3, 4, 4]);
        assert_eq!(of(net.graph(), Mode::Inference).owner, [0, 0, 2, 3, 4, 4]);
    }

    #[test]
    fn few_channels_are_pooled_as_they_are_made() {
        let found = of(&lenet5(), Mode::Inference);
        assert_eq!(found.owner, [0, 0, 0, 3, 3, 3, 6, 6, 8, 8, 10]);
        assert_eq!(found.of[&3], Fusion { act: Some(4), pool: Some(5), ..Fusion::default() });
        assert_eq!(of(&lenet5(), Mode::Training).owner, [0, 0, 2, 3, 3, 5, 6, 6, 8, 8, 10]);
    }

    #[test]
    fn blocks_of_channels_are_pooled_line_by_line_in_winograds_tiles_or_map_by_map() {
        // The pool of a stem, then one of a whole number of windows in a tile, and one of small maps and of large ones.
        for (kernel, size, fused) in [(2, 256, true), (3, 64, true), (3, 256, false)] {
            let mut net = Builder::new(3, size, size);
            let x = net.conv(0, 32, 7, 2, 3, 1);
            let x = net.bn(x);
            let x = net.relu(x);
            let x = net.max_pool(x, 3, 2);
            let x = net.conv(x, 32, 3, 1, 1, 1);
            let x = net.max_pool(x, kernel, 2);
            let x = net.conv(x, 32, 3, 1, 1, 1);
            net.fc(x, 10);
            let found = of(net.graph(), Mode::Inference);
            assert_eq!(found.of[&0], Fusion { norm: Some(1), act: Some(2), pool: Some(3), residual: None });
            assert_eq!(found.owner[5], if fused { 4 } else { 5 });
        }
    }

    #[test]
    fn a_pool_may_leave_the_blocks() {
        for (kernel, fused) in [(1, false), (3, true), (7, true)] {
            let mut net = Builder::new(32, 14, 14);
            let x = net.conv(0, 32, 3, 1, 1, 1);
            let x = net.conv(x, 32, kernel, 1, kernel / 2, 1);
            let x = net.max_pool(x, 3, 2);
            let x = net.fc(x, 10);
            let orders = orders(net.graph());
            assert_eq!([orders[x - 2], orders[x - 1]], [Order::Nchw16c, Order::Nchw]);
            assert_eq!(of(net.graph(), Mode::Inference).owner[2], if fused { 1 } else { 2 });
        }
    }

    #[test]
    fn the_later_branch_takes_the_sum() {
        let mut net = Builder::new(3, 4, 4);
        let a = net.conv(0, 5, 3, 1, 1, 1);
        let a = net.bn(a);
        let b = net.conv(0, 5, 1, 1, 0, 1);
        let b = net.bn(b);
        let sum = net.add(&[a, b]);
        net.relu(sum);
        let found = of(net.graph(), Mode::Inference);
        assert_eq!(found.owner, [0, 0, 2, 2, 2, 2]);
        assert_eq!(found.of[&2], Fusion { norm: Some(3), residual: Some(2), act: Some(5), pool: None });
    }

    #[test]
    fn a_value_that_others_read_is_written() {
        let mut net = Builder::new(3, 4, 4);
        let a = net.conv(0, 3, 1, 1, 0, 1);
        let b = net.relu(a);
        net.add(&[a, b]);
        let found = of(net.graph(), Mode::Inference);
        assert_eq!(found.owner, [0, 1, 2]);
        let mut net = Builder::new(3, 4, 4);
        let a = net.conv(0, 3, 1, 1, 0, 1);
        net.add(&[a, a]);
        assert_eq!(of(net.graph(), Mode::Inference).owner, [0, 1]);
    }
}
