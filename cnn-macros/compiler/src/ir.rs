//! The checked graph: what `infer` promises to every later phase.
//!
//! A [`Graph`] is a list of [`Node`]s in execution order. Value 0 is the network's input; value `i + 1` is the output
//! of node `i`. Every node's inputs stand before it, every shape is known and non-zero, every product of sizes that a
//! later phase forms fits in a `usize`, and every value reaches the output.

use std::fmt;

pub use cnn_model::resize::{Coordinates, Rounding};
use proc_macro2::Span;

/// Index of a value: 0 is the input of the network, `i + 1` the output of node `i`.
pub type ValueId = usize;

/// The shape of a value, for one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A feature map: channels, height, width (CHW).
    Map(Map),
    /// A flat vector of features.
    Flat(usize),
}

/// Channels, height and width of a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Map {
    /// Channels.
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

impl Shape {
    /// Elements of one sample.
    pub fn len(self) -> usize {
        match self {
            Shape::Map(map) => map.len(),
            Shape::Flat(features) => features,
        }
    }

    /// Whether the shape has no element; never so in a [`Graph`].
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The sizes: `[c, h, w]`, or `[features]`.
    pub fn dims(self) -> Vec<usize> {
        match self {
            Shape::Map(Map { c, h, w }) => vec![c, h, w],
            Shape::Flat(features) => vec![features],
        }
    }

    /// The shape as a map; a flat vector of `n` features is `n x 1 x 1`.
    pub fn to_map(self) -> Map {
        match self {
            Shape::Map(map) => map,
            Shape::Flat(c) => Map { c, h: 1, w: 1 },
        }
    }
}

impl Map {
    /// Elements of one sample. Saturates, which no map of a [`Graph`] does.
    pub fn len(self) -> usize {
        self.c.saturating_mul(self.h).saturating_mul(self.w)
    }

    /// Whether the map has no element; never so in a [`Graph`].
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Written as users write it: `6x28x28`, or `400`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Map(map) => map.fmt(f),
            Shape::Flat(features) => write!(f, "{features}"),
        }
    }
}

/// Written as users write it: `6x28x28`.
impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.c, self.h, self.w)
    }
}

/// A sliding window with its resolved padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Vertical and horizontal step.
    pub stride: [usize; 2],
    /// Vertical and horizontal distance between taps.
    pub dilation: [usize; 2],
    /// Zero rows and columns added: top, left, bottom, right.
    pub pad: [usize; 4],
}

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive, else `slope * x`.
    LeakyRelu(f32),
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` where positive, else `alpha * (exp(x) - 1)`.
    Elu(f32),
    /// `x * Phi(x)`, with the exact normal distribution function.
    Gelu,
    /// `x * sigmoid(x)`.
    Silu,
    /// `x * relu6(x + 3) / 6`.
    HardSwish,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `gamma * x` where positive, else `gamma * alpha * (exp(x) - 1)`.
    Selu {
        /// How far below zero it goes, in units of `gamma`.
        alpha: f32,
        /// Slope of the positive part.
        gamma: f32,
    },
    /// `min(max(x, lo), hi)`; a bound that is not asked for is infinite.
    Clip {
        /// The least value.
        lo: f32,
        /// The greatest value.
        hi: f32,
    },
    /// `max(0, min(1, alpha * x + beta))`.
    HardSigmoid {
        /// Slope between 0 and 1.
        alpha: f32,
        /// Value at zero.
        beta: f32,
    },
    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`, which is near `Gelu`.
    GeluTanh,
    /// `mul * x + add`.
    Affine {
        /// Factor.
        mul: f32,
        /// What is added then.
        add: f32,
    },
    /// `1 / x`.
    Reciprocal,
}

/// How `upsample` fills new pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resample {
    /// Repeats the nearest pixel.
    Nearest,
    /// Linear in both directions, corners not aligned (half-pixel centres).
    Bilinear,
}

/// What `mul`, `sub` and `div` make of two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arith {
    /// The product.
    Mul,
    /// The first less the second.
    Sub,
    /// The first divided by the second.
    Div,
}

/// What a pointwise layer does with the tensor that it trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Apply {
    /// Multiplies what is negative by it.
    Slope,
    /// Multiplies by it.
    Scale,
    /// Adds it.
    Shift,
}

/// What stands in padding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// One value.
    Constant(f32),
    /// The map mirrored at its outer pixels, which are not repeated.
    Reflect,
    /// The nearest pixel.
    Edge,
}

/// How `resize` makes a pixel of those around its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// One of them.
    Nearest(Rounding),
    /// All of them, by their distances in both directions.
    Bilinear,
}

/// What a node computes. Input and output shapes stand in the [`Node`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Cross-correlation. Depthwise where `groups` equals the input channels.
    Conv {
        /// Kernel, stride, dilation, padding.
        window: Window,
        /// Channel groups.
        groups: usize,
        /// Whether a bias is added to each output channel.
        bias: bool,
        /// Whether every product is computed, and in single precision: neither Winograd's way, which saves some, nor a matrix
        /// unit, which splits them; both round more.
        direct: bool,
    },
    /// Transposed convolution: the way back through the convolution that turns the output's shape into the input's.
    ConvTranspose {
        /// Kernel, stride, dilation, padding of that convolution.
        window: Window,
        /// Channel groups.
        groups: usize,
        /// Whether a bias is added to each output channel.
        bias: bool,
        /// Whether every product is computed, and in single precision: neither Winograd's way, which saves some, nor a matrix
        /// unit, which splits them; both round more.
        direct: bool,
    },
    /// Max pooling; padding never wins.
    MaxPool {
        /// Kernel, stride, dilation, padding.
        window: Window,
    },
    /// Average pooling over the input and the padding that counts, as zeros.
    AvgPool {
        /// Kernel, stride, dilation, padding.
        window: Window,
        /// The part of the padding, next to the input, that counts: top, left, bottom, right. All of it in PyTorch's
        /// default.
        counted: [usize; 4],
    },
    /// Fully connected layer; a feature map is read in CHW order.
    Fc {
        /// Whether a bias is added.
        bias: bool,
    },
    /// A pointwise activation.
    Act(Act),
    /// A pointwise layer with a trained tensor, which is repeated along axes of size 1.
    Trained {
        /// What is done with the tensor.
        apply: Apply,
        /// The tensor's shape; flat for one value per channel of a map, or one for all.
        tensor: Shape,
    },
    /// Softmax over channels (over all features of a flat value).
    Softmax {
        /// Whether its logarithm is the result.
        log: bool,
    },
    /// Batch normalisation over batch and plane, per channel.
    BatchNorm {
        /// Added to the variance.
        eps: f32,
        /// Weight of the newest batch in the running statistics.
        momentum: f32,
    },
    /// Local response normalisation across channels.
    Lrn {
        /// Number of neighbouring channels.
        size: usize,
        /// Scale, divided by `size`.
        alpha: f32,
        /// Exponent.
        beta: f32,
        /// Offset.
        k: f32,
    },
    /// Inverted dropout; the identity at inference.
    Dropout {
        /// Probability that a feature is dropped.
        rate: f32,
    },
    /// Reads a value in CHW order as one of another shape and as many elements.
    Reshape,
    /// Repeats a value along axes of size 1.
    Expand,
    /// A map whose axes are these of the input's, 0 to 2 for channels, rows and columns.
    Permute([usize; 3]),
    /// Sum of two or more values of one shape.
    Add,
    /// Joins two or more values along the channels.
    Concat,
    /// Joins two values element by element; along an axis where only one has size 1, that one is repeated.
    Arith(Arith),
    /// Padding.
    Pad {
        /// Rows and columns added: top, left, bottom, right.
        pad: [usize; 4],
        /// What they hold.
        fill: Fill,
    },
    /// Enlarges a map by whole factors (vertical, horizontal).
    Upsample {
        /// Vertical and horizontal factor.
        scale: [usize; 2],
        /// How new pixels are filled.
        resample: Resample,
    },
    /// A map of another size, larger or smaller; ONNX's `Resize`.
    Resize {
        /// How pixels are made.
        sampling: Sampling,
        /// Of which.
        coordinates: Coordinates,
        /// Outputs by inputs, vertically and horizontally, where that is not what the sizes say.
        scale: [Option<f32>; 2],
    },
}

/// What a layer costs, or a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Trained numbers: weights, biases, scales and shifts.
    pub params: u64,
    /// Multiply-accumulates per sample of a convolution or matrix product; biases and cheaper layers count nothing,
    /// as is common practice.
    pub macs: u64,
}

/// One layer of the flat network.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// The values it reads, all earlier than its own.
    pub inputs: Vec<ValueId>,
    /// The shape of its output.
    pub output: Shape,
    /// A unique name, the prefix of its tensors: `conv1`, `fc3`, or inside blocks `basic2.conv1`; the user's own where
    /// the step was named.
    pub name: String,
    /// The layer as a user would write it, every option that matters spelled out: `conv(6, 5x5, s1, p2)`.
    pub text: String,
    /// Where it was written.
    pub span: Span,
    /// What it costs; the sum over the network is within bounds.
    pub cost: Cost,
}

/// A network whose every shape is known and consistent.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The shape of one input sample.
    pub input: Map,
    /// The layers in execution order; the last one's output is the network's.
    pub nodes: Vec<Node>,
}

impl Graph {
    /// The shape of a value. Precondition: `value` belongs to this graph.
    pub fn shape(&self, value: ValueId) -> Shape {
        match value {
            0 => Shape::Map(self.input),
            node => self.nodes[node - 1].output,
        }
    }

    /// The shape of the network's output.
    pub fn output(&self) -> Shape {
        self.shape(self.nodes.len())
    }

    /// What all layers cost together.
    pub fn cost(&self) -> Cost {
        self.nodes.iter().fold(Cost::default(), |Cost { params, macs }, node| Cost {
            params: params + node.cost.params,
            macs: macs + node.cost.macs,
        })
    }

    /// For every value the one whose elements it shares, where the output of an alias is its input.
    pub fn roots(&self, is_alias: impl Fn(Op) -> bool) -> Vec<ValueId> {
        let mut roots: Vec<ValueId> = vec![0];
        for (index, node) in self.nodes.iter().enumerate() {
            roots.push(if is_alias(node.op) { roots[node.inputs[0]] } else { index + 1 });
        }
        roots
    }

    /// For every node the one that alone reads its output, once.
    pub fn followers(&self) -> Vec<Option<usize>> {
        let mut readers = vec![(0_usize, 0); self.nodes.len() + 1];
        for (index, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                readers[input] = (readers[input].0 + 1, index);
            }
        }
        readers[1..].iter().map(|&(count, reader)| (count == 1).then_some(reader)).collect()
    }
}
