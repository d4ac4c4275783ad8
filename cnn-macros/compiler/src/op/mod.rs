//! The layers: one file per kind or family, each with the arguments it takes, its shape rule and its error texts.

mod act;
pub mod args;
mod arith;
mod conv;
mod conv_transpose;
mod dropout;
mod expand;
mod fc;
mod join;
mod norm;
mod pad;
mod permute;
mod pool;
mod reshape;
mod resize;
mod shortcut;
pub(crate) mod sizes;
mod softmax;
mod text;
mod trained;
mod upsample;
mod window;

pub(crate) use conv::settle_bias;
pub(crate) use text::{as_whole, fraction, full, joined, thousands};
pub(crate) use window::padding_for;

use crate::infer::report::Report;
use crate::ir::{Arith, Map, Op, Shape};
use crate::lower::Layer;
use args::{Bound, Signature};

/// Every layer of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the layer of its name")]
pub enum Kind {
    Conv,
    DwConv,
    ConvTranspose,
    Pool,
    AvgPool,
    Fc,
    Relu,
    LeakyRelu,
    Relu6,
    Elu,
    Gelu,
    Silu,
    HardSwish,
    Tanh,
    Sigmoid,
    Selu,
    Clip,
    HardSigmoid,
    Affine,
    Reciprocal,
    Prelu,
    Scale,
    Shift,
    Softmax,
    LogSoftmax,
    Bn,
    Lrn,
    Dropout,
    Flatten,
    Reshape,
    Expand,
    Permute,
    Add,
    Concat,
    Mul,
    Sub,
    Div,
    Shortcut,
    Pad,
    Upsample,
    Resize,
}

/// The layers' names. The first name of a kind is the one shown.
pub const LAYERS: [(&str, Kind); 42] = [
    ("conv", Kind::Conv),
    ("dwconv", Kind::DwConv),
    ("conv_transpose", Kind::ConvTranspose),
    ("pool", Kind::Pool),
    ("maxpool", Kind::Pool),
    ("avgpool", Kind::AvgPool),
    ("fc", Kind::Fc),
    ("relu", Kind::Relu),
    ("leaky_relu", Kind::LeakyRelu),
    ("relu6", Kind::Relu6),
    ("elu", Kind::Elu),
    ("gelu", Kind::Gelu),
    ("silu", Kind::Silu),
    ("hardswish", Kind::HardSwish),
    ("tanh", Kind::Tanh),
    ("sigmoid", Kind::Sigmoid),
    ("selu", Kind::Selu),
    ("clip", Kind::Clip),
    ("hardsigmoid", Kind::HardSigmoid),
    ("affine", Kind::Affine),
    ("reciprocal", Kind::Reciprocal),
    ("prelu", Kind::Prelu),
    ("scale", Kind::Scale),
    ("shift", Kind::Shift),
    ("softmax", Kind::Softmax),
    ("log_softmax", Kind::LogSoftmax),
    ("bn", Kind::Bn),
    ("lrn", Kind::Lrn),
    ("dropout", Kind::Dropout),
    ("flatten", Kind::Flatten),
    ("reshape", Kind::Reshape),
    ("expand", Kind::Expand),
    ("permute", Kind::Permute),
    ("add", Kind::Add),
    ("concat", Kind::Concat),
    ("mul", Kind::Mul),
    ("sub", Kind::Sub),
    ("div", Kind::Div),
    ("shortcut", Kind::Shortcut),
    ("pad", Kind::Pad),
    ("upsample", Kind::Upsample),
    ("resize", Kind::Resize),
];

impl Kind {
    /// The layer of a name.
    pub fn named(name: &str) -> Option<Kind> {
        LAYERS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// The name of the layer.
    pub fn label(self) -> &'static str {
        LAYERS.iter().find(|(_, kind)| *kind == self).map_or("layer", |(name, _)| name)
    }

    /// Whether the layer joins branches.
    pub fn is_join(self) -> bool {
        matches!(self, Kind::Add | Kind::Concat | Kind::Mul | Kind::Sub | Kind::Div)
    }

    /// Whether the layer can have tensors, which its name is a part of.
    pub fn has_tensors(self) -> bool {
        use Kind::{Bn, Conv, ConvTranspose, DwConv, Fc, Prelu, Scale, Shift, Shortcut};
        matches!(self, Conv | DwConv | ConvTranspose | Fc | Prelu | Scale | Shift | Bn | Shortcut)
    }

    /// Whether the layer has an option of this letter, like `s2`.
    pub fn takes(self, letter: char) -> bool {
        self.signature().letters.contains(letter)
    }

    /// Whether an argument of the layer may be given as `name = value`.
    pub fn has_key(self, name: &str) -> bool {
        self.signature().slots.contains(&name)
    }

    /// Whether the layer has an option of this name, like `same`.
    pub fn has_word(self, name: &str) -> bool {
        self.signature().words.contains(&name)
    }

    fn signature(self) -> Signature {
        match self {
            Kind::Conv => conv::CONV,
            Kind::DwConv => conv::DWCONV,
            Kind::ConvTranspose => conv_transpose::SIGNATURE,
            Kind::Pool => pool::MAX,
            Kind::AvgPool => pool::AVG,
            Kind::Fc => fc::SIGNATURE,
            Kind::LeakyRelu => act::LEAKY_RELU,
            Kind::Elu => act::ELU,
            Kind::Selu => act::SELU,
            Kind::Clip => act::CLIP,
            Kind::HardSigmoid => act::HARDSIGMOID,
            Kind::Affine => act::AFFINE,
            Kind::Gelu => act::GELU,
            Kind::Prelu => trained::PRELU,
            Kind::Scale => trained::SCALE,
            Kind::Shift => trained::SHIFT,
            Kind::Bn => norm::BN,
            Kind::Lrn => norm::LRN,
            Kind::Dropout => dropout::SIGNATURE,
            Kind::Reshape => reshape::SIGNATURE,
            Kind::Expand => expand::SIGNATURE,
            Kind::Permute => permute::SIGNATURE,
            Kind::Shortcut => shortcut::SIGNATURE,
            Kind::Pad => pad::SIGNATURE,
            Kind::Upsample => upsample::SIGNATURE,
            Kind::Resize => resize::SIGNATURE,
            _ => Signature { usage: self.label(), slots: &[], by_position: 0, letters: "", words: &[], arrow: false },
        }
    }
}

/// A node before it has a name.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) op: Op,
    pub(crate) output: Shape,
    pub(crate) text: String,
}

/// What became of a layer.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A node.
    Node(Built),
    /// Nothing: the output is the input.
    Same,
    /// Two nodes in a row, with the last parts of their names.
    Pair(Box<[(Built, &'static str); 2]>),
    /// Nodes of two inputs in a row: the first joins the first two branches, each other the one before and the next branch.
    Fold(Vec<Built>),
    /// An error has been reported, or the input is unknown. The output's shape, where it is certain nevertheless.
    Failed(Option<Shape>),
    /// An error has been reported that may be about the output's shape, which is this one if it is not.
    Doubtful(Shape),
}

impl Outcome {
    fn node(op: Op, output: Shape, text: impl Into<String>) -> Self {
        Outcome::Node(Built { op, output, text: text.into() })
    }
}

/// What a layer's rule works with.
pub(crate) struct Cx<'c> {
    /// Which layer.
    pub(crate) kind: Kind,
    /// Its arguments.
    pub(crate) args: Bound<'c>,
    /// The shape it reads, where that is certain.
    pub(crate) input: Option<Shape>,
    /// Whether its network says `direct`.
    pub(crate) direct: bool,
    /// Where errors go.
    pub(crate) report: &'c Report<'c>,
}

impl Cx<'_> {
    /// The input of a layer that works on maps; an error where it is flat.
    fn map(&self) -> Option<Map> {
        match self.input? {
            Shape::Map(map) => Some(map),
            Shape::Flat(features) => {
                let label = self.kind.label();
                let fix = self.report.flattened_by().map_or_else(
                    || "a map `<CxHxW>` is needed".to_string(),
                    |by| format!("move it before {by}, which flattened the map"),
                );
                self.report.shape(format!("{label} works on maps, and its input is flat, {features} features: {fix}"));
                None
            }
        }
    }
}

/// Applies the rule of a layer with one input.
pub(crate) fn infer(layer: &Layer<'_>, input: Option<Shape>, report: &Report<'_>) -> Outcome {
    let args = Bound::new(layer, layer.kind.signature(), report);
    let cx = Cx { kind: layer.kind, args, input, direct: report.direct(), report };
    match layer.kind {
        Kind::Conv => conv::conv(&cx),
        Kind::DwConv => conv::dwconv(&cx),
        Kind::ConvTranspose => conv_transpose::infer(&cx),
        Kind::Pool | Kind::AvgPool => pool::infer(&cx),
        Kind::Fc => fc::infer(&cx),
        Kind::Prelu | Kind::Scale | Kind::Shift => trained::infer(&cx),
        Kind::Softmax | Kind::LogSoftmax => softmax::infer(&cx),
        Kind::Bn => norm::bn(&cx),
        Kind::Lrn => norm::lrn(&cx),
        Kind::Dropout => dropout::infer(&cx),
        Kind::Flatten => reshape::flatten(&cx),
        Kind::Reshape => reshape::infer(&cx),
        Kind::Expand => expand::infer(&cx),
        Kind::Permute => permute::infer(&cx),
        Kind::Shortcut => shortcut::infer(&cx),
        Kind::Pad => pad::infer(&cx),
        Kind::Upsample => upsample::infer(&cx),
        Kind::Resize => resize::infer(&cx),
        _ => act::infer(&cx),
    }
}

/// Applies the rule of a layer that joins branches; an input that is not certain is `None`.
pub(crate) fn infer_join(layer: &Layer<'_>, inputs: &[Option<Shape>], report: &Report<'_>) -> Outcome {
    match layer.kind {
        Kind::Concat => join::concat(layer, inputs, report),
        Kind::Mul => arith::infer(Arith::Mul, layer, inputs, report),
        Kind::Sub => arith::infer(Arith::Sub, layer, inputs, report),
        Kind::Div => arith::infer(Arith::Div, layer, inputs, report),
        _ => join::add(layer, inputs, report),
    }
}
