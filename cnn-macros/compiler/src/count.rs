//! Counting over a whole network: trainable parameters and multiply-accumulates, in checked arithmetic.

use crate::infer::cost::{self, MAX_PARAMS};
use crate::ir::Graph;

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
        let own = layer(graph, node).ok_or(Overflow { node, what: "multiply-accumulates" })?;
        let params = costs.total.params.checked_add(own.params).filter(|&all| u128::from(all) <= MAX_PARAMS);
        let macs = costs.total.macs.checked_add(own.macs);
        costs.total = Cost {
            params: params.ok_or(Overflow { node, what: "parameters" })?,
            macs: macs.ok_or(Overflow { node, what: "multiply-accumulates" })?,
        };
        costs.layers.push(own);
    }
    Ok(costs)
}

fn layer(graph: &Graph, node: usize) -> Option<Cost> {
    let node = &graph.nodes[node];
    let Some(&input) = node.inputs.first() else { return Some(Cost::default()) };
    let cost::Cost { params, macs } = cost::cost(&node.op, graph.shape(input), node.output)?;
    // More parameters than fit are above the limit all the same.
    Some(Cost { params: u64::try_from(params).unwrap_or(u64::MAX), macs })
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
