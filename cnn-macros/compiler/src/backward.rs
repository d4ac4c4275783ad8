//! Reverse-mode differentiation: the schedule of the backward pass, and what the forward pass keeps for it.
//!
//! Gradients are tracked per value; a reshaped value shares that of what it was made from. `add` hands its gradient on without a copy: its
//! branches then share one buffer, counted, and whoever has to change a shared buffer first takes a copy of its own.
//!
//! Where max pooling alone reads an activation, the winner of a window is the pool's output. So the slope of the activation is
//! applied to the gradient of the pool's output, which is smaller than that of its input, and nobody has to keep the
//! activated map.

use crate::ir::{Act, Apply, Arith, Graph, Op, ValueId};

/// Index of a gradient buffer of a [`Tape`].
pub type GradId = usize;

/// What a node's forward pass keeps for its backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Nothing: the gradient needs no values, or they are made anew (dropout's mask).
    Nothing,
    /// Its input.
    Input,
    /// All of its inputs.
    Inputs,
    /// Its output.
    Output,
    /// Where in each window the maximum stood.
    Argmax,
    /// Where in each window the maximum stood, and its output: the slope of the activation before it follows from that.
    ArgmaxAndOutput,
    /// Its input, and the batch's mean and inverse standard deviation.
    Stats,
    /// Its input, and the sums of squares of local response normalisation.
    Scale,
}

impl Saved {
    /// The values that a node keeps, of those it reads and the one it makes.
    pub fn values(self, graph: &Graph, node: usize) -> impl Iterator<Item = ValueId> {
        let inputs = &graph.nodes[node].inputs;
        let (inputs, output) = match self {
            Saved::Nothing | Saved::Argmax => (&[][..], None),
            Saved::Input | Saved::Stats | Saved::Scale => (&inputs[..1], None),
            Saved::Inputs => (&inputs[..], None),
            Saved::Output | Saved::ArgmaxAndOutput => (&[][..], Some(node + 1)),
        };
        inputs.iter().copied().chain(output)
    }
}

/// Whether a step overwrites a gradient or adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Overwrites.
    Set,
    /// Adds.
    Add,
}

/// What a step of the backward pass does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// The gradients of a layer's parameters, by themselves.
    Params {
        /// Gradient of the node's output.
        d_output: GradId,
    },
    /// The gradient of one of the node's inputs; for batch normalisation also of its parameters.
    Data {
        /// Which input, as an index into the node's inputs.
        input: usize,
        /// Gradient of the node's output.
        d_output: GradId,
        /// Gradient of the input.
        d_input: GradId,
        /// How the gradient of the input is written.
        write: Write,
    },
    /// The gradient of the input of the activation before a max pool, by way of both; overwrites it. That of the pool's output
    /// is changed on the way.
    Activated {
        /// The activation's node.
        act: usize,
        /// Gradient of the pool's output.
        d_output: GradId,
        /// Gradient of the activation's input.
        d_input: GradId,
    },
    /// Turns the gradient of the node's output into that of its input, where it stands.
    InPlace {
        /// The gradient.
        d: GradId,
    },
    /// Hands a gradient over.
    Copy {
        /// The gradient that is read.
        from: GradId,
        /// The gradient that is written.
        to: GradId,
        /// How.
        write: Write,
    },
}

impl Task {
    /// The gradients that the task reads or writes; `None` stands for no second one.
    pub fn gradients(self) -> (GradId, Option<GradId>) {
        match self {
            Task::Params { d_output: d } | Task::InPlace { d } => (d, None),
            Task::Data { d_output, d_input, .. } | Task::Activated { d_output, d_input, .. } => {
                (d_output, Some(d_input))
            }
            Task::Copy { from, to, .. } => (from, Some(to)),
        }
    }
}

/// A step of the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The node it belongs to.
    pub node: usize,
    /// What it does.
    pub task: Task,
    /// Whether it only serves the gradient of the network's input: nothing before it has parameters.
    pub on_demand: bool,
}

/// The backward pass of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tape {
    /// What each node keeps.
    pub saved: Vec<Saved>,
    /// The value that each gradient buffer was first made for.
    pub gradients: Vec<ValueId>,
    /// The steps in the order of their execution.
    pub steps: Vec<Step>,
    /// The gradient of the network's output, written by the loss.
    pub d_output: GradId,
    /// The gradient of the network's input.
    pub d_input: GradId,
}

/// Differentiates a graph.
pub fn differentiate(graph: &Graph) -> Tape {
    let roots = graph.roots(|op| op == Op::Reshape);
    let output = roots[graph.nodes.len()];
    let mut builder = Builder {
        graph,
        trainable: trainable(graph),
        followers: graph.followers(),
        saved: graph.nodes.iter().map(|node| saved(node.op)).collect(),
        gradient: vec![None; graph.nodes.len() + 1],
        holders: Vec::new(),
        gradients: Vec::new(),
        steps: Vec::new(),
        roots,
    };
    let d_output = builder.fresh(output);
    for node in (0..graph.nodes.len()).rev() {
        builder.node(node);
    }
    // Every value reaches the output, so the input has its gradient; a graph that breaks this promise gets an own,
    // unwritten one.
    let d_input = builder.gradient[0].unwrap_or_else(|| builder.fresh(0));
    Tape { saved: builder.saved, gradients: builder.gradients, steps: builder.steps, d_output, d_input }
}

/// Whether an activation's derivative follows from its output alone. The runtime's `saves_output` is the same rule.
pub fn saves_output(act: Act) -> bool {
    match act {
        Act::Relu | Act::Relu6 | Act::Tanh | Act::Sigmoid => true,
        Act::Clip { .. } | Act::HardSigmoid { .. } | Act::Affine { .. } | Act::Reciprocal => true,
        Act::LeakyRelu(slope) => slope > 0.0,
        Act::Elu(alpha) => alpha > 0.0,
        Act::Selu { alpha, gamma } => alpha > 0.0 && gamma > 0.0,
        Act::Gelu | Act::GeluTanh | Act::Silu | Act::HardSwish => false,
    }
}

fn saved(op: Op) -> Saved {
    match op {
        Op::Conv { .. } | Op::ConvTranspose { .. } | Op::Fc { .. } => Saved::Input,
        Op::MaxPool { .. } => Saved::Argmax,
        Op::Act(act) if saves_output(act) => Saved::Output,
        Op::Act(_) => Saved::Input,
        Op::Trained { apply: Apply::Slope | Apply::Scale, .. } => Saved::Input,
        Op::Trained { apply: Apply::Shift, .. } => Saved::Nothing,
        Op::Softmax { .. } => Saved::Output,
        Op::BatchNorm { .. } => Saved::Stats,
        Op::Lrn { .. } => Saved::Scale,
        Op::Arith(Arith::Mul | Arith::Div) => Saved::Inputs,
        Op::AvgPool { .. }
        | Op::Dropout { .. }
        | Op::Reshape
        | Op::Expand
        | Op::Permute(_)
        | Op::Add
        | Op::Concat
        | Op::Arith(Arith::Sub)
        | Op::Pad { .. }
        | Op::Upsample { .. }
        | Op::Resize { .. } => Saved::Nothing,
    }
}

/// Whether a layer has parameters whose gradient is a step of its own.
fn is_weighted(op: Op) -> bool {
    matches!(op, Op::Conv { .. } | Op::ConvTranspose { .. } | Op::Fc { .. } | Op::Trained { .. })
}

/// For every value whether a parameter stands before it.
fn trainable(graph: &Graph) -> Vec<bool> {
    let mut trainable = vec![false];
    for node in &graph.nodes {
        let own = is_weighted(node.op) || matches!(node.op, Op::BatchNorm { .. });
        trainable.push(own || node.inputs.iter().any(|&input| trainable[input]));
    }
    trainable
}

struct Builder<'a> {
    graph: &'a Graph,
    roots: Vec<ValueId>,
    trainable: Vec<bool>,
    /// For every node the one that alone reads its output.
    followers: Vec<Option<usize>>,
    /// What each node keeps.
    saved: Vec<Saved>,
    /// The gradient of each root value, once a reader of the value has written it.
    gradient: Vec<Option<GradId>>,
    /// How many values, and the node at work, hold each buffer.
    holders: Vec<usize>,
    gradients: Vec<ValueId>,
    steps: Vec<Step>,
}

impl Builder<'_> {
    fn node(&mut self, node: usize) {
        let graph = self.graph;
        let op = graph.nodes[node].op;
        if op == Op::Reshape {
            return;
        }
        // From here on this node holds the gradient in the place of its output.
        let Some(d_output) = self.gradient[node + 1].take() else { return };
        if let Some((act, value)) = self.activation_before(node, d_output) {
            let d_input = self.fresh(value);
            self.push(node, value, Task::Activated { act, d_output, d_input });
            (self.saved[node], self.saved[act]) = (Saved::ArgmaxAndOutput, Saved::Nothing);
            self.holders[d_output] -= 1;
            return;
        }
        if is_weighted(op) {
            self.steps.push(Step { node, task: Task::Params { d_output }, on_demand: false });
        }
        for input in 0..graph.nodes[node].inputs.len() {
            let value = self.roots[graph.nodes[node].inputs[input]];
            match op {
                Op::Add | Op::Trained { apply: Apply::Shift, .. } => self.hand_over(node, d_output, value),
                Op::Act(_) | Op::Trained { .. } | Op::Dropout { .. } if self.may_change(d_output, value) => {
                    self.push(node, value, Task::InPlace { d: d_output });
                    self.gradient[value] = Some(d_output);
                    return;
                }
                _ => {
                    let (d_input, write) = self.target(node, value);
                    self.push(node, value, Task::Data { input, d_output, d_input, write });
                }
            }
        }
        self.holders[d_output] -= 1;
    }

    /// The activation whose gradient goes together with a max pool's, and the value that it activates: one whose slope follows
    /// from its output, which nobody else reads.
    fn activation_before(&self, pool: usize, d_output: GradId) -> Option<(usize, ValueId)> {
        let Op::MaxPool { .. } = self.graph.nodes[pool].op else { return None };
        let act = self.graph.nodes[pool].inputs[0].checked_sub(1)?;
        let suits = matches!(self.graph.nodes[act].op, Op::Act(act) if saves_output(act));
        if !suits || self.followers[act] != Some(pool) {
            return None;
        }
        let value = self.roots[self.graph.nodes[act].inputs[0]];
        self.may_change(d_output, value).then_some((act, value))
    }

    /// Whether the gradient of a node's output may become that of its input where it stands.
    fn may_change(&self, d_output: GradId, value: ValueId) -> bool {
        self.gradient[value].is_none() && self.holders[d_output] == 1
    }

    fn hand_over(&mut self, node: usize, d_output: GradId, value: ValueId) {
        if self.gradient[value].is_none() {
            self.gradient[value] = Some(d_output);
            self.holders[d_output] += 1;
        } else {
            let (to, write) = self.target(node, value);
            self.push(node, value, Task::Copy { from: d_output, to, write });
        }
    }

    /// The buffer into which the gradient of `value` can be written, its own alone, and how.
    fn target(&mut self, node: usize, value: ValueId) -> (GradId, Write) {
        match self.gradient[value] {
            None => (self.fresh(value), Write::Set),
            Some(own) if self.holders[own] == 1 => (own, Write::Add),
            Some(shared) => {
                self.holders[shared] -= 1;
                let own = self.fresh(value);
                self.push(node, value, Task::Copy { from: shared, to: own, write: Write::Set });
                (own, Write::Add)
            }
        }
    }

    fn fresh(&mut self, value: ValueId) -> GradId {
        self.gradients.push(value);
        self.holders.push(1);
        self.gradient[value] = Some(self.gradients.len() - 1);
        self.gradients.len() - 1
    }

    fn push(&mut self, node: usize, value: ValueId, task: Task) {
        let own_params = matches!((self.graph.nodes[node].op, task), (Op::BatchNorm { .. }, Task::Data { .. }));
        self.steps.push(Step { node, task, on_demand: !self.trainable[value] && !own_params });
    }
}

#[cfg(test)]
mod tests;
