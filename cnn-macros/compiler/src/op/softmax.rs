//! Softmax and its logarithm.

use super::{Cx, Kind, Outcome};
use crate::ir::Op;

/// The shape stays; a map is normalised over its channels at each pixel.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    match cx.input {
        Some(shape) if !cx.args.is_bad() => {
            Outcome::node(Op::Softmax { log: cx.kind == Kind::LogSoftmax }, shape, cx.kind.label())
        }
        input => Outcome::Failed(input),
    }
}
