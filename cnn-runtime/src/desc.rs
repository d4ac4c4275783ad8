//! Layers as constants: the sizes a kernel needs, computed by the macro and handed over as `const` descriptors.
//!
//! Kernels are ordinary functions over these, compiled once inside this crate, so that a network adds a call per layer
//! to the user's build and no monomorphised copy of a kernel.

use cnn_model::window;

mod map;
mod resize;

pub use map::{Map, Order};
pub use resize::{Coordinates, Resize, Rounding, Sampling};

/// A sliding window: `[vertical, horizontal]` sizes, and padding as `[top, left, bottom, right]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Step between outputs.
    pub stride: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
    /// Rows and columns added around the input.
    pub pad: [usize; 4],
}

impl Window {
    /// Whether no size is zero, and a kernel can trust whatever it adds up to walk over both maps with their padding, from
    /// the first tap of the first output to the last of the last, in blocks of channels: it can be addressed.
    pub(crate) fn is_sound(&self, input: &Map, output: &Map) -> bool {
        let Window { kernel, stride, dilation, pad } = self;
        let walk = |axis: usize, inputs, outputs| {
            window::walk(kernel[axis], dilation[axis], stride[axis], outputs, inputs, [pad[axis], pad[axis + 2]])
        };
        let pixels = walk(0, input.h, output.h).saturating_mul(walk(1, input.w, output.w));
        let positive = [kernel, stride, dilation].into_iter().flatten().all(|&size| size > 0);
        positive && pixels <= window::MOST_WALKED
    }

    /// Whether windows of 2 x 2 stand side by side, without padding.
    pub(crate) const fn is_two_by_two(&self) -> bool {
        let Window { kernel: [height, width], stride: [down, across], dilation, pad: [top, left, bottom, right] } =
            *self;
        let side_by_side = height == 2 && width == 2 && down == 2 && across == 2;
        side_by_side && dilation[0] == 1 && dilation[1] == 1 && top + left + bottom + right == 0
    }
}

/// A 2-D convolution (cross-correlation). Weights are OIHW: `[out_channels, in_channels / groups, kh, kw]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Shape of one input sample.
    pub input: Map,
    /// Shape of one output sample.
    pub output: Map,
    /// Kernel, stride, dilation, padding.
    pub window: Window,
    /// Channel groups.
    pub groups: usize,
    /// Whether every product is computed, and in single precision: neither Winograd's way, which saves some, nor a matrix
    /// unit, which splits them; both round more.
    pub direct: bool,
}

impl Conv {
    /// Elements of the weights: `out_channels * in_channels / groups * kh * kw`.
    pub const fn weight_len(&self) -> usize {
        self.output.c * self.taps()
    }

    /// Whether each group has one input channel, and there are several.
    pub const fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.input.c
    }

    /// Whether the maps stand in orders that this convolution reads and writes. One without groups has channels in blocks on any
    /// side; a depthwise one with as many outputs as inputs, on both, where one position is in either order. Samples stand in
    /// groups at stride 1 without groups of channels, and no side is in blocks then.
    pub(crate) const fn fits_orders(&self) -> bool {
        let [down, across] = self.window.stride;
        let blocked = self.input.is_blocked() || self.output.is_blocked();
        let both = (self.input.is_blocked() || self.input.plane() == 1)
            && (self.output.is_blocked() || self.output.plane() == 1);
        let ungrouped = self.groups == 1;
        if self.is_batched() {
            ungrouped && down == 1 && across == 1 && !blocked
        } else {
            ungrouped || !blocked || both && self.is_depthwise() && self.input.c == self.output.c
        }
    }

    /// The fully connected layer that a convolution is whose kernel covers its input: with its inputs in their order, the same
    /// weights stand at the same places in memory.
    pub(crate) fn as_fc(&self) -> Option<Fc> {
        let Conv { input, output, window: Window { kernel, dilation, pad, .. }, groups, .. } = *self;
        let ordered = !self.is_batched() && (!input.is_blocked() || input.plane() == 1);
        let covers = kernel == [input.h, input.w] && dilation == [1, 1] && pad == [0; 4] && output.plane() == 1;
        (ordered && covers && groups == 1).then(|| Fc { inputs: input.len(), outputs: output.c })
    }

    /// Holds the sizes against one another: a kernel relies on them.
    ///
    /// # Panics
    /// If the maps stand in orders that the convolution does not have, a size is zero, groups are of unequal size, or there
    /// are more weights, or places from a first tap to a last, than can be addressed.
    pub(crate) fn check(&self) {
        assert!(self.fits_orders(), "orders of the maps of {self:?}");
        let Conv { input, output, window, groups, .. } = self;
        let sound = input.is_sound() && output.is_sound() && window.is_sound(input, output);
        assert!(sound && *groups > 0, "sizes of {self:?}");
        let kernel = window.kernel;
        let even = [input.c, output.c].iter().all(|channels| channels.is_multiple_of(*groups));
        let weights = [input.c / groups, kernel[0], kernel[1]].iter().try_fold(output.c, |len, &n| len.checked_mul(n));
        assert!(even && weights.is_some(), "channels of {self:?}");
    }

    /// Whether neither side has channels in blocks.
    pub(crate) const fn is_plain(&self) -> bool {
        !self.input.is_blocked() && !self.output.is_blocked()
    }

    /// Whether a side has samples in groups.
    pub(crate) const fn is_batched(&self) -> bool {
        self.input.is_batched() || self.output.is_batched()
    }

    /// The same convolution in NCHW order.
    pub(crate) const fn plain(self) -> Self {
        Conv { input: self.input.plain(), output: self.output.plain(), ..self }
    }

    /// Products that make one output: `in_channels / groups * kh * kw`.
    pub const fn taps(&self) -> usize {
        self.input.c / self.groups * self.window.kernel[0] * self.window.kernel[1]
    }
}

/// A transposed 2-D convolution: the way back through the convolution from its output to its input. Weights are
/// `[in_channels, out_channels / groups, kh, kw]`, as that convolution's OIHW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose {
    /// Shape of one input sample.
    pub input: Map,
    /// Shape of one output sample.
    pub output: Map,
    /// Kernel, stride, dilation, padding of the convolution.
    pub window: Window,
    /// Channel groups.
    pub groups: usize,
    /// Whether every product is computed, and in single precision: neither Winograd's way, which saves some, nor a matrix
    /// unit, which splits them; both round more.
    pub direct: bool,
}

impl ConvTranspose {
    /// The convolution that leads from the output to the input.
    pub const fn conv(&self) -> Conv {
        Conv { input: self.output, output: self.input, window: self.window, groups: self.groups, direct: self.direct }
    }
}

/// A pooling layer, maximum or average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Shape of one input sample.
    pub input: Map,
    /// Shape of one output sample.
    pub output: Map,
    /// Kernel, stride, dilation, padding.
    pub window: Window,
    /// The part of the padding, next to the input, that counts in averages: top, left, bottom, right. Maxima
    /// ignore it.
    pub counted: [usize; 4],
}

impl Pool {
    /// Holds the sizes against one another: a kernel relies on them.
    ///
    /// # Panics
    /// If the output stands in an order that is neither its input's nor NCHW, a size is zero, the maps have unequal channels, more
    /// padding counts than there is, or there are more places from a first tap to a last than can be addressed.
    pub(crate) fn check(&self) {
        let Pool { input, output, window, counted } = self;
        assert!(output.order == Order::Nchw || output.order == input.order, "orders of the maps of {self:?}");
        let sound = input.is_sound() && output.is_sound() && window.is_sound(input, output);
        let padded = counted.iter().zip(&window.pad).all(|(counted, pad)| counted <= pad);
        assert!(sound && padded && input.c == output.c, "sizes of {self:?}");
    }

    /// As [`check`](Pool::check), and both sides against `n` samples.
    ///
    /// # Panics
    /// As there, or if a side of the layer has another length.
    pub(crate) fn check_sides(&self, layer: &str, n: usize, input: usize, output: usize) {
        self.check();
        assert_eq!(Some(input), self.input.len_of(n), "{layer}: input side of {n} samples");
        assert_eq!(Some(output), self.output.len_of(n), "{layer}: output side of {n} samples");
    }

    /// Floats of a block of channels of the input and of the output.
    pub(crate) fn block_lens(&self) -> (usize, usize) {
        (Order::BLOCK * self.input.plane(), Order::BLOCK * self.output.plane())
    }

    /// The same layer in NCHW order.
    pub(crate) const fn plain(self) -> Self {
        Pool { input: self.input.plain(), output: self.output.plain(), ..self }
    }

    /// The same layer over a group of samples as one: a block of channels for each channel.
    pub(crate) const fn group(self) -> Self {
        Pool { input: self.input.group(), output: self.output.group(), ..self }
    }
}

/// A fully connected layer. Weights are `[outputs, inputs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fc {
    /// Features in.
    pub inputs: usize,
    /// Features out.
    pub outputs: usize,
}

/// Batch normalisation over `n` samples of `channels` planes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Channels.
    pub channels: usize,
    /// Elements of one channel's plane.
    pub plane: usize,
    /// The order in which inputs and outputs stand in memory.
    pub order: Order,
    /// Added to the variance.
    pub eps: f32,
    /// Weight of the newest batch in the running statistics.
    pub momentum: f32,
}

/// Local response normalisation across channels: `y = x / (k + alpha / size * sum of squares)^beta`
/// (Krizhevsky et al. 2012, section 3.3, with `alpha` divided by `size` as in PyTorch and ONNX).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lrn {
    /// Shape of one sample.
    pub map: Map,
    /// Number of neighbouring channels in the sum: `size / 2` before, `(size - 1) / 2` after the channel, as in PyTorch.
    pub size: usize,
    /// Scale, divided by `size`.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Offset.
    pub k: f32,
}

/// A pointwise activation function.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
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

impl Act {
    /// Whether the backward pass reads the output rather than the input: where the slope follows from the output, so
    /// that the activation may overwrite its input.
    pub const fn saves_output(self) -> bool {
        match self {
            Act::Relu | Act::Relu6 | Act::Tanh | Act::Sigmoid => true,
            Act::Clip { .. } | Act::HardSigmoid { .. } | Act::Affine { .. } | Act::Reciprocal => true,
            Act::LeakyRelu(slope) => slope > 0.0,
            Act::Elu(alpha) => alpha > 0.0,
            Act::Selu { alpha, gamma } => alpha > 0.0 && gamma > 0.0,
            Act::Gelu | Act::GeluTanh | Act::Silu | Act::HardSwish => false,
        }
    }
}

/// Softmax, or its logarithm, over the channels of each position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// Shape of one sample.
    pub map: Map,
    /// Whether the logarithm is the result.
    pub log: bool,
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

/// Padding around a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pad {
    /// Shape of one input sample.
    pub input: Map,
    /// Rows and columns added: top, left, bottom, right.
    pub pad: [usize; 4],
    /// What they hold. Reflected ones are fewer than the map's own on each side.
    pub fill: Fill,
}

/// How `upsample` fills new pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// Repeats the nearest pixel.
    Nearest,
    /// Linear in both directions, corners not aligned (half-pixel centres).
    Bilinear,
}

/// Enlarges a map by whole factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upsample {
    /// Shape of one input sample.
    pub input: Map,
    /// Vertical and horizontal factor.
    pub scale: [usize; 2],
    /// How new pixels are filled.
    pub resample: Resample,
}

/// Where one input of a `concat` stands inside each output sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// First element inside the output sample.
    pub offset: usize,
    /// Elements of the part.
    pub len: usize,
    /// Elements of a whole output sample.
    pub total: usize,
}

/// What `mul`, `sub` and `div` make of two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arith {
    /// The product.
    Mul,
    /// The first less the second.
    Sub,
    /// The first divided by the second.
    Div,
}

/// Two values joined element by element. Along each axis they are equally long, or one has size 1 and is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    /// What is made of two elements.
    pub arith: Arith,
    /// Shapes of one sample of both.
    pub inputs: [Map; 2],
}

impl Join {
    /// Shape of one output sample. If an input has its channels in blocks, so has the output.
    pub const fn output(&self) -> Map {
        let [a, b] = self.inputs;
        let order = if a.is_blocked() { a.order } else { b.order };
        Map { c: longer(a.c, b.c), h: longer(a.h, b.h), w: longer(a.w, b.w), order }
    }
}

const fn longer(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// A value that is repeated along axes in which it has size 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expand {
    /// Shape of one input sample.
    pub input: Map,
    /// Shape of one output sample.
    pub output: Map,
}

/// A map with its axes in another order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permute {
    /// Shape of one input sample.
    pub input: Map,
    /// The input's axis, 0 to 2 for channels, rows and columns, that each of the output's is.
    pub order: [usize; 3],
}

impl Permute {
    /// Shape of one output sample.
    pub const fn output(&self) -> Map {
        let (sizes, order) = ([self.input.c, self.input.h, self.input.w], self.order);
        Map::new(sizes[order[0]], sizes[order[1]], sizes[order[2]])
    }
}

/// What a pointwise layer does with the tensor that it trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Apply {
    /// Multiplies what is negative by it: PReLU (He et al. 2015, "Delving Deep into Rectifiers").
    Slope,
    /// Multiplies by it.
    Scale,
    /// Adds it.
    Shift,
}

/// A pointwise layer with a trained tensor, which all samples share and which is repeated along axes of size 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trained {
    /// What is done with the tensor.
    pub apply: Apply,
    /// Shape of one sample.
    pub input: Map,
    /// Shape of the tensor.
    pub tensor: Map,
}

/// By what batch normalisation normalises in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// The batch's own, towards which the running ones move.
    Batch,
    /// The running ones, which stay as they are: in a layer that is frozen, or a network that is looked at.
    Running,
}

/// Whether a backward kernel overwrites a gradient or adds to what other readers of the value left there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Overwrite.
    Set,
    /// Add.
    Add,
}

/// What a layer computes, for those who read the graph rather than run it. Its tensors say what else it has: a bias.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum LayerOp {
    /// A convolution.
    Conv(Conv),
    /// A transposed convolution.
    ConvTranspose(ConvTranspose),
    /// Max pooling; padding never wins.
    MaxPool(Pool),
    /// Average pooling.
    AvgPool(Pool),
    /// A fully connected layer; a map is read in CHW order.
    Fc(Fc),
    /// An activation.
    Act(Act),
    /// A pointwise layer with a trained tensor.
    Trained(Trained),
    /// Softmax or its logarithm.
    Softmax(Softmax),
    /// Batch normalisation.
    BatchNorm(BatchNorm),
    /// Local response normalisation.
    Lrn(Lrn),
    /// Dropout at this rate; the identity at inference.
    Dropout(f32),
    /// The value in CHW order as one of another shape.
    Reshape,
    /// Repetition along axes of size 1.
    Expand(Expand),
    /// Axes in another order.
    Permute(Permute),
    /// The sum of all inputs.
    Add,
    /// All inputs, one after the other along the channels.
    Concat,
    /// Two inputs joined element by element.
    Join(Join),
    /// Padding.
    Pad(Pad),
    /// A map enlarged by whole factors.
    Upsample(Upsample),
    /// A map of another size.
    Resize(Resize),
}
