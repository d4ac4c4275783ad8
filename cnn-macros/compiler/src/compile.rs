//! The phases between a checked graph and its tokens, in one place.

use crate::backward::{Tape, differentiate};
use crate::ir::Graph;
use crate::layout::Layout;
use crate::plan::order::{Order, orders};
use crate::plan::{self, Plan};

/// Everything that the later phases find out about a graph.
#[derive(Clone, Debug)]
pub struct Compiled {
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

/// Differentiates and plans a graph.
pub fn compile(graph: &Graph) -> Compiled {
    let (tape, orders) = (differentiate(graph), orders(graph));
    let infer = plan::inference(graph, &orders, &tape);
    Compiled {
        layout: Layout::of(graph),
        part: plan::part::part(graph.cost(), &orders, infer.per_sample),
        infer,
        train: plan::training(graph, &orders, &tape),
        tape,
        orders,
    }
}
