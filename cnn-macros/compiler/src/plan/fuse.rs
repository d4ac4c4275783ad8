//! Fusion: what follows a convolution or a fully connected layer, element by element, is done as that layer writes its
//! output: the bias, batch normalisation by running statistics, the sum with another value, and an activation that is
//! a clamp. The values between are never written.

use std::collections::HashMap;

use crate::backward::saves_output;
use crate::ir::{Act, Graph, Op, ValueId};

use super::storage::Mode;

/// What a layer does to its output as it writes it, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fusion {
    /// The node that normalises it.
    pub norm: Option<usize>,
    /// The value that is added to it.
    pub residual: Option<ValueId>,
    /// The node that activates it.
    pub act: Option<usize>,
}

/// The fusions of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fusions {
    /// By the layer that does the work.
    pub of: HashMap<usize, Fusion>,
    /// For every node the one that does its work: itself, unless it is fused into another.
    pub owner: Vec<usize>,
}

/// Finds the fusions of a graph. In training only activations, whose input the backward pass does not read.
pub fn fusions(graph: &Graph, mode: Mode) -> Fusions {
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

/// Whether a layer cuts values off below, and perhaps above.
fn is_clamp(op: Op) -> bool {
    matches!(op, Op::Act(act @ (Act::Relu | Act::Relu6 | Act::Clip { .. })) if saves_output(act))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, residual};

    #[test]
    fn a_residual_block_is_two_convolutions() {
        let found = fusions(&residual(), Mode::Inference);
        // conv bn relu | conv bn relu | conv bn add relu | fc
        assert_eq!(found.owner, [0, 0, 0, 3, 3, 3, 6, 6, 6, 6, 10]);
        assert_eq!(found.of[&0], Fusion { norm: Some(1), residual: None, act: Some(2) });
        assert_eq!(found.of[&6], Fusion { norm: Some(7), residual: Some(3), act: Some(9) });
        assert_eq!(found.of.len(), 3);
    }

    #[test]
    fn training_fuses_activations_alone() {
        let found = fusions(&residual(), Mode::Training);
        assert!(found.of.is_empty());
        let mut net = Builder::new(3, 2, 2);
        let x = net.conv(0, 4, 1, 1, 0, 1);
        let x = net.relu(x);
        let x = net.fc(x, 7);
        let x = net.act(x, Act::Gelu);
        let x = net.fc(x, 5);
        net.act(x, Act::Clip { lo: -1.0, hi: f32::INFINITY });
        assert_eq!(fusions(net.graph(), Mode::Training).owner, [0, 0, 2, 3, 4, 4]);
        assert_eq!(fusions(net.graph(), Mode::Inference).owner, [0, 0, 2, 3, 4, 4]);
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
        let found = fusions(net.graph(), Mode::Inference);
        assert_eq!(found.owner, [0, 0, 2, 2, 2, 2]);
        assert_eq!(found.of[&2], Fusion { norm: Some(3), residual: Some(2), act: Some(5) });
    }

    #[test]
    fn a_value_that_others_read_is_written() {
        let mut net = Builder::new(3, 4, 4);
        let a = net.conv(0, 3, 1, 1, 0, 1);
        let b = net.relu(a);
        net.add(&[a, b]);
        let found = fusions(net.graph(), Mode::Inference);
        assert_eq!(found.owner, [0, 1, 2]);
        let mut net = Builder::new(3, 4, 4);
        let a = net.conv(0, 3, 1, 1, 0, 1);
        net.add(&[a, a]);
        assert_eq!(fusions(net.graph(), Mode::Inference).owner, [0, 1]);
    }
}
