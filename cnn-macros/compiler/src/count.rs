//! Counting: trainable parameters and multiply-accumulates, in checked arithmetic.

use crate::ir::{Graph, Op};

/// The most trainable parameters a network may have: 2^33, or 32 GiB of weights.
pub const MAX_PARAMS: u64 = 1 << 33;

/// What one layer costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Trainable parameters.
    pub params: u64,
    /// Multiply-accumulates per sample of a convolution or matrix product; biases and cheaper layers count nothing,
    /// as is common practice.
    pub macs: u64,
}

/// What a network costs, layer by layer and in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// One entry per node.
    pub layers: Vec<Cost>,
    /// Their sum.
    pub total: Cost,
}

/// The layer at which a count left its bounds, and which count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// Index of the node.
    pub node: usize,
    /// What became too large: `parameters` or `multiply-accumulates`.
    pub what: &'static str,
}

/// Counts parameters and multiply-accumulates.
///
/// # Errors
/// The first layer with which the parameters exceed [`MAX_PARAMS`], or the multiply-accumulates a `u64`.
pub fn count(graph: &Graph) -> Result<Costs, Overflow> {
    let mut costs = Costs::default();
    for node in 0..graph.nodes.len() {
        let too_many = |what| Overflow { node, what };
        let params = params(graph, node).and_then(|own| Some((own, own.checked_add(costs.total.params)?)));
        let (own_params, all_params) = params.filter(|&(_, all)| all <= MAX_PARAMS).ok_or(too_many("parameters"))?;
        let macs = macs(graph, node).and_then(|own| Some((own, own.checked_add(costs.total.macs)?)));
        let (own_macs, all_macs) = macs.ok_or(too_many("multiply-accumulates"))?;
        costs.layers.push(Cost { params: own_params, macs: own_macs });
        costs.total = Cost { params: all_params, macs: all_macs };
    }
    Ok(costs)
}

fn params(graph: &Graph, node: usize) -> Option<u64> {
    let bias_of = |bias: bool, outputs: usize| if bias { outputs as u64 } else { 0 };
    let output = graph.nodes[node].output;
    match graph.nodes[node].op {
        Op::Conv { bias, .. } => weights(graph, node)?.checked_add(bias_of(bias, output.to_map().c)),
        Op::Fc { bias } => weights(graph, node)?.checked_add(bias_of(bias, output.len())),
        Op::BatchNorm { .. } => (output.to_map().c as u64).checked_mul(2),
        _ => Some(0),
    }
}

fn macs(graph: &Graph, node: usize) -> Option<u64> {
    let weights = weights(graph, node)?;
    match (graph.nodes[node].op, graph.nodes[node].output.to_map()) {
        (Op::Conv { .. }, map) => weights.checked_mul(map.h as u64)?.checked_mul(map.w as u64),
        _ => Some(weights),
    }
}

/// Elements of a layer's weight tensor.
fn weights(graph: &Graph, node: usize) -> Option<u64> {
    let node = &graph.nodes[node];
    let Some(&input) = node.inputs.first() else { return Some(0) };
    let input = graph.shape(input);
    match node.op {
        Op::Conv { window, groups, .. } => {
            let in_channels = (input.to_map().c / groups) as u64;
            let taps = (window.kernel[0] as u64).checked_mul(window.kernel[1] as u64)?;
            in_channels.checked_mul(taps)?.checked_mul(node.output.to_map().c as u64)
        }
        Op::Fc { .. } => (input.len() as u64).checked_mul(node.output.len() as u64),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, lenet5};

    #[test]
    fn lenet5_has_the_published_counts() {
        let costs = count(&lenet5()).expect("small");
        assert_eq!(costs.layers[0], Cost { params: 156, macs: 28 * 28 * 6 * 25 });
        assert_eq!(costs.total, Cost { params: 61_706, macs: 416_520 });
    }

    #[test]
    fn groups_divide_the_weights() {
        let mut net = Builder::new(6, 5, 7);
        net.conv(0, 9, 3, 1, 1, 3);
        assert_eq!(count(net.graph()).expect("small").total, Cost { params: 9 * 2 * 9 + 9, macs: 9 * 2 * 9 * 35 });
    }

    #[test]
    fn a_count_out_of_bounds_names_its_layer() {
        let mut net = Builder::new(1, 1 << 16, 1 << 15);
        let small = net.fc(0, 2);
        net.fc(small, 1 << 31);
        let overflow = count(net.graph()).expect_err("2^33 parameters and more");
        assert_eq!(overflow, Overflow { node: 1, what: "parameters" });
    }
}
