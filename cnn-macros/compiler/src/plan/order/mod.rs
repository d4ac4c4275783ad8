//! The order in which each value stands in memory: NCHW, its channels in blocks of sixteen, or samples in groups of sixteen.
//!
//! A layer reads and writes some orders and not others, and often has the same one on all sides. Values that must have one
//! order make a class, and a class leaves NCHW unless something in it cannot, or nothing is gained by it. `blocks` are
//! chosen first; what they leave may stand in `groups`.

mod blocks;
mod groups;

use crate::ir::{Graph, Op, ValueId};

/// The order of a value's elements in memory; its gradient has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `[channel][row][column]`.
    Nchw,
    /// `[channel / 16][row][column][channel % 16]`.
    Nchw16c,
    /// `[sample / 16][channel][row][column][sample % 16]`, and the samples behind the last whole sixteen as [`Order::Nchw`].
    Chwn16,
}

/// How a layer's input and output depend on each other in whether they leave NCHW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bond {
    /// Not at all; a pool's as [`Classes::pools`] says.
    Free,
    /// Both do or neither.
    Same,
    /// Neither does.
    Plain,
}

/// What decides which values leave NCHW for another order.
trait Choice {
    /// Whether a value can.
    fn fits(&self, value: ValueId) -> bool;
    /// How the output of a layer depends on an input.
    fn bond(&self, index: usize, input: ValueId) -> Bond;
    /// The values of a layer for which the order is worth it.
    fn wanted(&self, index: usize) -> Vec<ValueId>;
    /// Pairs of values: where it is worth it for the first, it is so for the second.
    fn handed_on(&self, index: usize) -> Vec<[ValueId; 2]>;
}

/// The order of every value, in inference and training alike.
pub fn orders(graph: &Graph) -> Vec<Order> {
    let mut orders = vec![Order::Nchw; graph.nodes.len() + 1];
    for value in chosen(graph, &blocks::Blocks(graph)) {
        orders[value] = Order::Nchw16c;
    }
    for value in chosen(graph, &groups::Groups { graph, orders: &orders }) {
        orders[value] = Order::Chwn16;
    }
    orders
}

/// The values that leave NCHW.
fn chosen(graph: &Graph, choice: &impl Choice) -> Vec<ValueId> {
    let values = graph.nodes.len() + 1;
    let mut classes = Classes { parent: (0..values).collect(), plain: vec![false; values] };
    classes.plain(0);
    classes.plain(values - 1);
    for value in (0..values).filter(|&value| !choice.fits(value)) {
        classes.plain(value);
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        for &input in &node.inputs {
            match choice.bond(index, input) {
                Bond::Free => {}
                Bond::Same => classes.tie(input, index + 1),
                Bond::Plain => {
                    classes.plain(input);
                    classes.plain(index + 1);
                }
            }
        }
    }
    classes.pools(graph);
    for value in unwanted(graph, choice, &mut classes) {
        classes.plain(value);
    }
    (0..values).filter(|&value| !classes.is_plain(value)).collect()
}

fn is_pool(graph: &Graph, index: usize) -> bool {
    matches!(graph.nodes[index].op, Op::MaxPool { .. } | Op::AvgPool { .. })
}

/// The values for which the order is not worth it.
fn unwanted(graph: &Graph, choice: &impl Choice, classes: &mut Classes) -> Vec<ValueId> {
    let mut wanted = vec![false; graph.nodes.len() + 1];
    let mut handed_on = Vec::new();
    for index in 0..graph.nodes.len() {
        for value in choice.wanted(index) {
            wanted[classes.find(value)] = true;
        }
        handed_on.extend(choice.handed_on(index));
        if let (true, Some(&input)) = (is_pool(graph, index), graph.nodes[index].inputs.first()) {
            // A pool hands an order on, and makes none.
            handed_on.extend([[input, index + 1], [index + 1, input]]);
        }
    }
    let mut changed = true;
    while changed {
        changed = false;
        for ends in &handed_on {
            let [from, to] = ends.map(|value| classes.find(value));
            if wanted[from] && !classes.plain[from] && !wanted[to] {
                wanted[to] = true;
                changed = true;
            }
        }
    }
    (0..wanted.len()).filter(|&value| !wanted[classes.find(value)]).collect()
}

/// Classes of values that have one order.
struct Classes {
    /// A value of the same class, nearer to the one that stands for it; that one is its own.
    parent: Vec<ValueId>,
    /// Whether the class is NCHW; counts at the value that stands for it.
    plain: Vec<bool>,
}

impl Classes {
    /// The value that stands for the class of `value`.
    fn find(&mut self, mut value: ValueId) -> ValueId {
        while self.parent[value] != value {
            self.parent[value] = self.parent[self.parent[value]];
            value = self.parent[value];
        }
        value
    }

    fn tie(&mut self, a: ValueId, b: ValueId) {
        let (a, b) = (self.find(a), self.find(b));
        self.plain[b] |= self.plain[a];
        self.parent[a] = b;
    }

    fn plain(&mut self, value: ValueId) {
        let class = self.find(value);
        self.plain[class] = true;
    }

    fn is_plain(&mut self, value: ValueId) -> bool {
        let class = self.find(value);
        self.plain[class]
    }

    /// Makes the output of every pool plain whose input is, until all are: that may be the input of an earlier one. The
    /// other way round, a pool may well write NCHW.
    fn pools(&mut self, graph: &Graph) {
        let pools: Vec<usize> = (0..graph.nodes.len()).filter(|&node| is_pool(graph, node)).collect();
        let mut changed = true;
        while changed {
            changed = false;
            for &pool in &pools {
                if self.is_plain(graph.nodes[pool].inputs[0]) && !self.is_plain(pool + 1) {
                    self.plain(pool + 1);
                    changed = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
