//! Where every parameter tensor stands in the buffers of parameters and of running statistics.

use std::ops::Range;

use crate::ir::{Apply, Graph, Op};

/// Tensors start at multiples of this many floats: 64 bytes, a cache line and an AVX-512 register.
pub const ALIGN: usize = 16;

/// What a tensor is for. The runtime's `Role` has the same variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Weights of a convolution or a fully connected layer.
    Weight,
    /// A bias.
    Bias,
    /// What values are multiplied by, as in a normalisation.
    Scale,
    /// What is added to values, as in a normalisation.
    Shift,
    /// The slopes of negative values.
    Slope,
    /// A running mean: state.
    RunningMean,
    /// A running variance: state.
    RunningVar,
}

impl Role {
    /// The part of a tensor's name after the layer's.
    pub fn suffix(self) -> &'static str {
        match self {
            Role::Weight | Role::Scale | Role::Slope => "weight",
            Role::Bias | Role::Shift => "bias",
            Role::RunningMean => "running_mean",
            Role::RunningVar => "running_var",
        }
    }

    /// Whether the tensor stands in the buffer of running statistics.
    pub fn is_state(self) -> bool {
        matches!(self, Role::RunningMean | Role::RunningVar)
    }
}

/// One tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The node it belongs to.
    pub node: usize,
    /// What it is for.
    pub role: Role,
    /// OIHW (IOHW of a transposed convolution), `[out, in]`, `[channels]`, or as it was written.
    pub shape: Vec<usize>,
    /// First float inside its buffer.
    pub offset: usize,
    /// Values that feed one output.
    pub fan_in: usize,
    /// Outputs fed by one input.
    pub fan_out: usize,
}

impl Tensor {
    /// Elements of the tensor.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no element; never so in a checked graph.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its floats inside its buffer.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// All tensors of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// In the order of their layers.
    pub tensors: Vec<Tensor>,
    /// Floats of the buffer of parameters, padding included.
    pub param_floats: usize,
    /// Floats of the buffer of running statistics, padding included.
    pub state_floats: usize,
    first: Vec<usize>,
}

impl Layout {
    /// Lays out the tensors of a graph whose counts are known to be in bounds.
    pub fn of(graph: &Graph) -> Self {
        let mut layout = Layout::default();
        for node in 0..graph.nodes.len() {
            layout.first.push(layout.tensors.len());
            for (role, shape, fan_in, fan_out) in tensors_of(graph, node) {
                let end = if role.is_state() { &mut layout.state_floats } else { &mut layout.param_floats };
                let tensor = Tensor { node, role, shape, offset: *end, fan_in, fan_out };
                *end += tensor.len().next_multiple_of(ALIGN);
                layout.tensors.push(tensor);
            }
        }
        layout
    }

    /// The tensors of a node.
    pub fn of_node(&self, node: usize) -> &[Tensor] {
        let end = self.first.get(node + 1).copied().unwrap_or(self.tensors.len());
        &self.tensors[self.first[node]..end]
    }

    /// The floats of a node's tensor of one role.
    pub fn range(&self, node: usize, role: Role) -> Option<Range<usize>> {
        self.of_node(node).iter().find(|tensor| tensor.role == role).map(Tensor::range)
    }
}

type Parts = (Role, Vec<usize>, usize, usize);

fn tensors_of(graph: &Graph, node: usize) -> Vec<Parts> {
    let node = &graph.nodes[node];
    let Some(&input) = node.inputs.first() else { return Vec::new() };
    let (input, output) = (graph.shape(input), node.output);
    let (shape, fan_in, fan_out, bias) = match node.op {
        Op::Conv { window: w, groups, bias, .. } => {
            let (ic, oc, [kh, kw]) = (input.to_map().c / groups, output.to_map().c, w.kernel);
            (vec![oc, ic, kh, kw], ic * kh * kw, oc / groups * kh * kw, bias)
        }
        Op::ConvTranspose { window: w, groups, bias, .. } => {
            let (ic, oc, [kh, kw]) = (input.to_map().c, output.to_map().c / groups, w.kernel);
            // Of the taps of a window, an output meets every `stride`-th.
            let fan_in = (ic / groups * kh * kw).div_ceil(w.stride[0] * w.stride[1]);
            (vec![ic, oc, kh, kw], fan_in, oc * kh * kw, bias)
        }
        Op::Fc { bias } => (vec![output.len(), input.len()], input.len(), output.len(), bias),
        Op::BatchNorm { .. } => {
            let tensor = |role| (role, vec![output.to_map().c], 1, 1);
            return [Role::Scale, Role::Shift, Role::RunningMean, Role::RunningVar].map(tensor).to_vec();
        }
        Op::Trained { apply, tensor } => {
            let role = match apply {
                Apply::Slope => Role::Slope,
                Apply::Scale => Role::Scale,
                Apply::Shift => Role::Shift,
            };
            return vec![(role, tensor.dims(), 1, 1)];
        }
        _ => return Vec::new(),
    };
    let mut tensors = vec![(Role::Weight, shape, fan_in, fan_out)];
    if bias {
        tensors.push((Role::Bias, vec![output.to_map().c], fan_in, fan_out));
    }
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;

    #[test]
    fn tensors_are_aligned_and_state_stands_apart() {
        let mut net = Builder::new(4, 5, 7);
        let conv = net.conv(0, 6, 3, 1, 1, 2);
        let bn = net.bn(conv);
        net.fc(bn, 11);
        let layout = Layout::of(net.graph());
        let offsets: Vec<_> = layout.tensors.iter().map(|t| (t.role, t.range())).collect();
        assert_eq!(
            offsets,
            [
                (Role::Weight, 0..108),
                (Role::Bias, 112..118),
                (Role::Scale, 128..134),
                (Role::Shift, 144..150),
                (Role::RunningMean, 0..6),
                (Role::RunningVar, 16..22),
                (Role::Weight, 160..160 + 11 * 210),
                (Role::Bias, 2480..2491),
            ]
        );
        assert_eq!((layout.param_floats, layout.state_floats), (2496, 32));
        assert_eq!(layout.range(1, Role::Shift), Some(144..150));
        assert_eq!(layout.range(1, Role::Weight), None);
    }

    #[test]
    fn fans_count_the_neighbours_within_a_group() {
        let mut net = Builder::new(4, 5, 7);
        net.conv(0, 6, 3, 1, 1, 2);
        let tensor = &Layout::of(net.graph()).tensors[0];
        assert_eq!((&tensor.shape[..], tensor.fan_in, tensor.fan_out), (&[6, 2, 3, 3][..], 18, 27));
    }
}
