//! Pointwise activations.

use super::args::Signature;
use super::{Cx, Kind, Outcome};
use crate::ir::{Act, Op};

/// `leaky_relu(slope = 0.01)`.
pub(super) const LEAKY_RELU: Signature = Signature {
    usage: "leaky_relu or leaky_relu(slope = 0.1)",
    slots: &["slope"],
    by_position: 1,
    letters: "",
    words: &[],
    arrow: false,
};

/// `elu(alpha = 1.0)`.
pub(super) const ELU: Signature = Signature {
    usage: "elu or elu(alpha = 0.5)",
    slots: &["alpha"],
    by_position: 1,
    letters: "",
    words: &[],
    arrow: false,
};

/// The shape stays.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let label = cx.kind.label();
    let (act, text) = match cx.kind {
        Kind::LeakyRelu => match cx.args.number("slope", 0.01, "a finite number", f64::is_finite) {
            Ok(slope) => (Act::LeakyRelu(slope), format!("{label}(slope={slope})")),
            Err(()) => return Outcome::Failed(cx.input),
        },
        Kind::Elu => match cx.args.number("alpha", 1.0, "a finite number", f64::is_finite) {
            Ok(alpha) => (Act::Elu(alpha), format!("{label}(alpha={alpha})")),
            Err(()) => return Outcome::Failed(cx.input),
        },
        Kind::Relu6 => (Act::Relu6, label.into()),
        Kind::Gelu => (Act::Gelu, label.into()),
        Kind::Silu => (Act::Silu, label.into()),
        Kind::HardSwish => (Act::HardSwish, label.into()),
        Kind::Tanh => (Act::Tanh, label.into()),
        Kind::Sigmoid => (Act::Sigmoid, label.into()),
        _ => (Act::Relu, label.into()),
    };
    match cx.input {
        Some(shape) if !cx.args.is_bad() => Outcome::node(Op::Act(act), shape, text),
        input => Outcome::Failed(input),
    }
}
