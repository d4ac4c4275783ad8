//! Reading a map as a flat value.

use super::{Cx, Outcome};
use crate::ir::{Map, Op, Shape};

/// `c * h * w` features in CHW order; a flat value stays as it is.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    match cx.input {
        Some(Shape::Map(Map { c, h, w })) if !cx.args.is_bad() => {
            Outcome::node(Op::Flatten, Shape::Flat(c * h * w), "flatten")
        }
        Some(Shape::Flat(_)) if !cx.args.is_bad() => Outcome::Same,
        _ => Outcome::Failed(None),
    }
}
