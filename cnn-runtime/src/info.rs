//! What is known of a network at compile time: its layers, its tensors, and the plan of its arenas.

use std::fmt;

use crate::desc::LayerOp;
use crate::error::Error;
use crate::layout::Layout;
use crate::params::known;

/// A value's place in an arena, planned at compile time.
///
/// An arena for batches of up to `capacity` samples is `capacity * per_sample + fixed` floats long. The batch part
/// comes first: a batch slot of one sample's `offset` and `len` stands at `offset * capacity`, its `n` samples one
/// after the other. Fixed slots stand behind it, at `per_sample * capacity + offset`. Offsets and totals are multiples
/// of 16 floats (64 bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Offset in floats: per sample for a batch slot, from the end of the batch part for a fixed one.
    pub offset: usize,
    /// Length in floats, per sample for a batch slot.
    pub len: usize,
    /// Whether the slot's size is independent of the batch.
    pub fixed: bool,
}

impl Slot {
    /// A slot that grows with the batch.
    pub const fn batch(offset: usize, len: usize) -> Self {
        Slot { offset, len, fixed: false }
    }

    /// A slot of one size.
    pub const fn fixed(offset: usize, len: usize) -> Self {
        Slot { offset, len, fixed: true }
    }
}

/// The plan of one arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaPlan {
    /// Floats per sample of capacity.
    pub per_sample: usize,
    /// Floats whatever the capacity.
    pub fixed: usize,
    /// Most samples that pass through all layers together; those of a larger capacity do so in parts (inference only).
    pub part: usize,
    /// Where the input is written.
    pub input: Slot,
    /// Where the output stands after a forward pass.
    pub output: Slot,
    /// Where the gradient of the loss by the output is written before a backward pass (training only, else empty).
    pub d_output: Slot,
    /// Where the gradient by the input stands after a backward pass that asked for it (training only, else empty).
    pub d_input: Slot,
}

impl ArenaPlan {
    /// Floats of the memory for up to `capacity` samples.
    pub const fn floats(&self, capacity: usize) -> usize {
        match self.parts(capacity) {
            Some(Parts { inputs, outputs, arena, arenas }) => {
                inputs.saturating_add(outputs).saturating_add(arena * arenas)
            }
            // An overflowing size becomes one that no allocator grants, rather than a small one.
            None => self.per_sample.saturating_mul(capacity).saturating_add(self.fixed),
        }
    }

    /// How the memory for up to `capacity` samples is divided, if they pass in parts.
    pub(crate) const fn parts(&self, capacity: usize) -> Option<Parts> {
        if capacity <= self.part {
            return None;
        }
        let count = capacity.div_ceil(self.part);
        Some(Parts {
            inputs: in_lines(self.input.len.saturating_mul(capacity)),
            outputs: in_lines(self.output.len.saturating_mul(capacity)),
            arena: in_lines(self.per_sample * self.part + self.fixed),
            arenas: if count < MOST_ARENAS { count } else { MOST_ARENAS },
        })
    }
}

/// Parts of a batch that are under way at once, at most.
const MOST_ARENAS: usize = 16;

/// The memory of inference in parts: all inputs, all outputs, then the arenas. In floats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// All inputs.
    pub inputs: usize,
    /// All outputs.
    pub outputs: usize,
    /// One arena.
    pub arena: usize,
    /// Arenas.
    pub arenas: usize,
}

/// Floats rounded up to whole cache lines.
const fn in_lines(floats: usize) -> usize {
    match floats.checked_next_multiple_of(16) {
        Some(floats) => floats,
        None => floats,
    }
}

/// What a tensor of parameters is for; decides how it is initialised and whether weight decay may touch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Weights of a convolution or a fully connected layer.
    Weight,
    /// A bias.
    Bias,
    /// What values are multiplied by, as in a normalisation (gamma).
    Scale,
    /// What is added to values, as in a normalisation (beta).
    Shift,
    /// The slopes of negative values.
    Slope,
    /// A running mean: state, not trained.
    RunningMean,
    /// A running variance: state, not trained.
    RunningVar,
}

/// One tensor of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Unique name: the layer's and `weight`, `bias`, `running_mean` or `running_var`, as in `conv1.weight`.
    pub name: &'static str,
    /// Shape. Weights of convolutions are OIHW, `[out, in / groups, kh, kw]`, of transposed ones
    /// `[in, out / groups, kh, kw]`, of fully connected layers `[out, in]`. What `prelu`, `scale` and `shift` train is
    /// `[channels]` or as declared: `[1]`, `[c, h, w]` or `[features]`. All else is `[channels]`.
    pub shape: &'static [usize],
    /// First float inside the buffer of parameters (of state, for running statistics); a multiple of 16.
    pub offset: usize,
    /// Values that feed one output.
    pub fan_in: usize,
    /// Outputs fed by one input.
    pub fan_out: usize,
    /// What it is for.
    pub role: Role,
    /// How it stands in the buffer.
    pub layout: Layout,
}

impl Role {
    /// Whether this is a running statistic, which training updates but no optimiser does.
    pub const fn is_state(self) -> bool {
        matches!(self, Role::RunningMean | Role::RunningVar)
    }
}

impl TensorInfo {
    /// Weights of `shape` that are a buffer by themselves: to try an optimiser on.
    pub const fn alone(name: &'static str, shape: &'static [usize]) -> Self {
        TensorInfo { name, shape, offset: 0, fan_in: 1, fan_out: 1, role: Role::Weight, layout: Layout::Plain }
    }

    /// Floats of the tensor.
    pub const fn len(&self) -> usize {
        let (mut len, mut axis) = (1, 0);
        while axis < self.shape.len() {
            len *= self.shape[axis];
            axis += 1;
        }
        len
    }

    /// Length of the outermost axis; 1 if it has none.
    pub(crate) const fn rows(&self) -> usize {
        if self.shape.is_empty() { 1 } else { self.shape[0] }
    }

    /// Whether the tensor has no float.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One layer of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerInfo {
    /// Unique name, the prefix of its tensors.
    pub name: &'static str,
    /// The layer as written, options spelled out.
    pub text: &'static str,
    /// What it computes.
    pub op: LayerOp,
    /// Indices of the layers it reads; `usize::MAX` is the input of the network.
    pub inputs: &'static [usize],
    /// Shape of one output sample: `[c, h, w]` or `[features]`.
    pub output: &'static [usize],
    /// Trainable parameters.
    pub params: usize,
    /// Multiply-accumulates per sample of its convolution or matrix product.
    pub macs: u64,
}

/// All that is known of a network at compile time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NetInfo {
    /// The network's name.
    pub name: &'static str,
    /// Channels, height and width of one input sample.
    pub input: [usize; 3],
    /// Shape of one output sample: `[c, h, w]` or `[features]`.
    pub output: &'static [usize],
    /// Trainable parameters.
    pub params: usize,
    /// Multiply-accumulates of one forward pass of one sample.
    pub macs: u64,
    /// The layers in execution order.
    pub layers: &'static [LayerInfo],
    /// The tensors in the order of their layers.
    pub tensors: &'static [TensorInfo],
    /// Floats of the buffer of trainable parameters, padding between tensors included.
    pub param_floats: usize,
    /// Floats of the buffer of running statistics, padding included.
    pub state_floats: usize,
    /// The plan for inference.
    pub infer: ArenaPlan,
    /// The plan for training.
    pub train: ArenaPlan,
    /// A table of layers, shapes, parameters and multiply-accumulates.
    pub summary: &'static str,
    /// The graph in Graphviz's language.
    pub dot: &'static str,
    /// The graph in Mermaid's language.
    pub mermaid: &'static str,
    /// A hash of the architecture, stable between builds: layers, options and shapes, not names of the struct.
    pub hash: u64,
    /// The file of weights that is a part of the binary, if one was declared so.
    pub weights: Option<Embedded>,
}

/// A file that is a part of the binary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// The file as the declaration names it.
    pub path: &'static str,
    /// Its bytes, the first of which stands at a multiple of 64.
    pub bytes: &'static [u8],
}

impl Embedded {
    /// The file at `path`, whose bytes these are.
    pub const fn new(path: &'static str, bytes: &'static Aligned<[u8]>) -> Self {
        Embedded { path, bytes: &bytes.0 }
    }
}

/// The path and the length: there can be hundreds of megabytes.
impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("path", &self.path).field("bytes", &self.bytes.len()).finish()
    }
}

/// What stands at a multiple of 64 bytes: then the numbers in an embedded file are read where they are.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Aligned<T: ?Sized>(pub T);

impl LayerInfo {
    /// The layer's word: `conv`, `dwconv`, `fc`, `relu`.
    pub fn kind(&self) -> &'static str {
        self.text.split_once('(').map_or(self.text, |(word, _)| word)
    }
}

/// Whether a layer or a tensor is of the layer called `layer`, or in the block called so.
pub(crate) fn is_of(name: &str, layer: &str) -> bool {
    name.strip_prefix(layer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Refuses the name of a layer or a block that the network does not have.
pub(crate) fn check_layer(network: &'static NetInfo, layer: &str) -> Result<(), Error> {
    let is_there = network.layers.iter().any(|info| is_of(info.name, layer));
    if is_there { Ok(()) } else { Err(unknown_layer(network, layer)) }
}

/// The error on a layer that the network does not have.
pub(crate) fn unknown_layer(network: &'static NetInfo, name: &str) -> Error {
    let known = known(network.layers.iter().map(|layer| layer.name));
    Error::UnknownLayer { network: network.name, name: name.to_owned(), known }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: ArenaPlan = ArenaPlan {
        per_sample: 100,
        fixed: 7,
        part: 16,
        input: Slot::batch(0, 5),
        output: Slot::batch(16, 3),
        d_output: Slot::batch(0, 0),
        d_input: Slot::batch(0, 0),
    };

    #[test]
    fn a_batch_in_parts_has_all_inputs_and_outputs_and_some_arenas() {
        assert_eq!(PLAN.floats(16), 16 * 100 + 7);
        // 17 inputs and outputs, in whole cache lines, and two arenas.
        assert_eq!(PLAN.floats(17), 96 + 64 + 2 * 1616);
        // However large the batch is, no more than 16 parts are under way.
        assert_eq!(PLAN.floats(1600), 8000 + 4800 + 16 * 1616);
        assert_eq!(ArenaPlan { part: usize::MAX, ..PLAN }.floats(17), 1707);
    }

    crate::cnn! { Kinds <2x4x4> -> dwconv(3x3, p1) -> avgpool(2) -> conv_transpose(2, 2x2) -> relu -> fc(3) }

    #[test]
    fn a_layer_is_of_the_kind_that_its_first_word_says() {
        let kinds: Vec<_> = Kinds::LAYERS.iter().map(LayerInfo::kind).collect();
        assert_eq!(kinds, ["dwconv", "avgpool", "conv_transpose", "relu", "fc"]);
    }

    #[test]
    fn sizes_that_overflow_are_too_large_and_not_too_small() {
        for part in [16, usize::MAX] {
            assert!(ArenaPlan { part, ..PLAN }.floats(usize::MAX) > usize::MAX / 2);
        }
    }
}
