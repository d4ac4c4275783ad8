//! What the unit tests need: graphs for the back end, built by hand, and a count of work that must not grow.

use std::cell::Cell;

use proc_macro2::Span;

use crate::infer::cost::cost;
use crate::ir::{Act, Graph, Map, Node, Op, Shape, ValueId, Window};

thread_local! {
    static COMPARED: Cell<usize> = const { Cell::new(0) };
}

/// Counts names that are compared with a wrong one, to find the one that was meant.
pub fn compare(names: usize) {
    COMPARED.set(COMPARED.get() + names);
}

/// How many were in this thread.
pub fn compared() -> usize {
    COMPARED.get()
}

/// Builds graphs layer by layer; each method returns the new value.
pub struct Builder {
    graph: Graph,
}

impl Builder {
    pub fn new(c: usize, h: usize, w: usize) -> Self {
        Builder { graph: Graph { input: Map { c, h, w }, nodes: Vec::new() } }
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn push(&mut self, op: Op, inputs: &[ValueId], output: Shape) -> ValueId {
        let kind = kind(op);
        let number = 1 + self.graph.nodes.iter().filter(|node| self::kind(node.op) == kind).count();
        let name = format!("{kind}{number}");
        let cost = cost(&op, self.graph.shape(inputs[0]), output).expect("small");
        let (inputs, text, span) = (inputs.to_vec(), kind.into(), Span::call_site());
        let node = Node { op, inputs, output, text, name, span, cost };
        self.graph.nodes.push(node);
        self.graph.nodes.len()
    }

    /// A square kernel with the same stride and padding in both directions.
    pub fn conv(&mut self, x: ValueId, c: usize, kernel: usize, stride: usize, pad: usize, groups: usize) -> ValueId {
        let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1; 2], pad: [pad; 4] };
        let output = self.slide(x, c, window);
        self.push(Op::Conv { window, groups, bias: true, direct: false }, &[x], output)
    }

    pub fn max_pool(&mut self, x: ValueId, kernel: usize, stride: usize) -> ValueId {
        let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1; 2], pad: [0; 4] };
        let output = self.slide(x, self.graph.shape(x).to_map().c, window);
        self.push(Op::MaxPool { window }, &[x], output)
    }

    pub fn fc(&mut self, x: ValueId, features: usize) -> ValueId {
        self.push(Op::Fc { bias: true }, &[x], Shape::Flat(features))
    }

    pub fn act(&mut self, x: ValueId, act: Act) -> ValueId {
        self.same(Op::Act(act), x)
    }

    pub fn relu(&mut self, x: ValueId) -> ValueId {
        self.act(x, Act::Relu)
    }

    pub fn bn(&mut self, x: ValueId) -> ValueId {
        self.same(Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, x)
    }

    /// A layer whose output has the shape of its input.
    pub fn same(&mut self, op: Op, x: ValueId) -> ValueId {
        self.push(op, &[x], self.graph.shape(x))
    }

    pub fn flatten(&mut self, x: ValueId) -> ValueId {
        self.push(Op::Reshape, &[x], Shape::Flat(self.graph.shape(x).len()))
    }

    pub fn add(&mut self, branches: &[ValueId]) -> ValueId {
        self.push(Op::Add, branches, self.graph.shape(branches[0]))
    }

    pub fn concat(&mut self, branches: &[ValueId]) -> ValueId {
        let first = self.graph.shape(branches[0]).to_map();
        let c = branches.iter().map(|&x| self.graph.shape(x).to_map().c).sum();
        self.push(Op::Concat, branches, Shape::Map(Map { c, ..first }))
    }

    fn slide(&self, x: ValueId, c: usize, w: Window) -> Shape {
        let map = self.graph.shape(x).to_map();
        let out = |len: usize, axis: usize| {
            (len + w.pad[axis] + w.pad[axis + 2] - w.dilation[axis] * (w.kernel[axis] - 1) - 1) / w.stride[axis] + 1
        };
        Shape::Map(Map { c, h: out(map.h, 0), w: out(map.w, 1) })
    }
}

fn kind(op: Op) -> &'static str {
    match op {
        Op::Conv { .. } => "conv",
        Op::ConvTranspose { .. } => "conv_transpose",
        Op::MaxPool { .. } => "pool",
        Op::AvgPool { .. } => "avgpool",
        Op::Fc { .. } => "fc",
        Op::Act(_) => "act",
        Op::Trained { .. } => "trained",
        Op::Softmax { .. } => "softmax",
        Op::BatchNorm { .. } => "bn",
        Op::Lrn { .. } => "lrn",
        Op::Dropout { .. } => "dropout",
        Op::Reshape => "flatten",
        Op::Expand => "expand",
        Op::Permute(_) => "permute",
        Op::Add => "add",
        Op::Concat => "concat",
        Op::Arith(_) => "arith",
        Op::Pad { .. } => "pad",
        Op::Upsample { .. } => "upsample",
        Op::Resize { .. } => "resize",
    }
}

/// The modern LeNet-5 on 1x28x28.
pub fn lenet5() -> Graph {
    let mut net = Builder::new(1, 28, 28);
    let mut x = net.conv(0, 6, 5, 1, 2, 1);
    x = net.relu(x);
    x = net.max_pool(x, 2, 2);
    x = net.conv(x, 16, 5, 1, 0, 1);
    x = net.relu(x);
    x = net.max_pool(x, 2, 2);
    x = net.fc(x, 120);
    x = net.relu(x);
    x = net.fc(x, 84);
    x = net.relu(x);
    net.fc(x, 10);
    net.graph
}

/// conv-bn-relu, a residual block of two convolutions, and a classifier.
pub fn residual() -> Graph {
    let mut net = Builder::new(3, 8, 8);
    let stem = net.conv(0, 4, 3, 1, 1, 1);
    let stem = net.bn(stem);
    let block = net.relu(stem);
    let mut x = net.conv(block, 4, 3, 1, 1, 1);
    x = net.bn(x);
    x = net.relu(x);
    x = net.conv(x, 4, 3, 1, 1, 1);
    x = net.bn(x);
    x = net.add(&[x, block]);
    x = net.relu(x);
    net.fc(x, 5);
    net.graph
}
