//! The phases between a checked graph and its tokens, in one place.

use crate::backward::{Tape, differentiate};
use crate::count::{Costs, Overflow, count};
use crate::ir::Graph;
use crate::layout::Layout;
use crate::plan::order::{Order, orders};
use crate::plan::{self, Plan};

/// Everything that the later phases find out about a graph.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Parameters and multiply-accumulates.
    pub costs: Costs,
    /// Where the parameter tensors stand.
    pub layout: Layout,
    /// The backward pass.
    pub tape: Tape,
    /// The order of each value in memory.
    pub orders: Vec<Order>,
    /// The most samples that are inferred together, if not all of a batch are.
    pub part: Option<usize>,
    /// The arena of inference.
    pub infer: Plan,
    /// The arena of training.
    pub train: Plan,
}

/// Counts, differentiates and plans a graph.
///
/// # Errors
/// If the network has more parameters or multiply-accumulates than can be counted.
pub fn compile(graph: &Graph) -> Result<Compiled, Overflow> {
    let costs = count(graph)?;
    let tape = differentiate(graph);
    Ok(Compiled {
        layout: Layout::of(graph),
        orders: orders(graph),
        part: plan::part::part(costs.total),
        infer: plan::inference(graph, &tape),
        train: plan::training(graph, &tape),
        tape,
        costs,
    })
}
