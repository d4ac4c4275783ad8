//! Reading a value as one of another shape, in CHW order.

use super::args::Signature;
use super::{Cx, Outcome};
use crate::infer::cost::elements;
use crate::ir::{Map, Op, Shape};

/// `reshape(8x4x4)`, `reshape(128)`.
pub(super) const SIGNATURE: Signature = Signature {
    usage: "reshape(8x4x4) or reshape(128)",
    slots: &["shape"],
    by_position: 1,
    letters: "",
    words: &[],
    arrow: false,
};

/// `c * h * w` features in CHW order; a flat value stays as it is.
pub(super) fn flatten(cx: &Cx<'_>) -> Outcome {
    match cx.input {
        Some(shape) if !cx.args.is_bad() => to(shape, Shape::Flat(shape.len())),
        _ => Outcome::Failed(None),
    }
}

/// The shape given, of as many elements.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let shape = cx.args.shape("shape").and_then(|shape| shape.ok_or_else(|| cx.args.missing("the shape", None)));
    let Ok(wanted) = shape else { return Outcome::Failed(None) };
    let Some(input) = cx.input.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(Some(wanted)) };
    if elements(wanted) == elements(input) {
        return to(input, wanted);
    }
    let message = format!("{} cannot be read as {}: {}", product(input), product(wanted), fix(input, wanted));
    cx.report.shape_at(cx.args.slot("shape").map(|arg| arg.site), message);
    Outcome::Doubtful(wanted)
}

fn to(input: Shape, output: Shape) -> Outcome {
    let text = match output {
        _ if input == output => return Outcome::Same,
        Shape::Map(_) => format!("reshape({output})"),
        Shape::Flat(_) => "flatten".into(),
    };
    Outcome::node(Op::Reshape, output, text)
}

/// `4 * 8 * 8 = 256 elements`.
fn product(shape: Shape) -> String {
    let count = elements(shape).map_or_else(|| "too many".into(), |count| count.to_string());
    match shape {
        Shape::Map(_) => format!("{} = {count} elements", shape.to_string().replace('x', " * ")),
        Shape::Flat(_) => format!("{count} elements"),
    }
}

/// The wanted shape with as many channels as its rows and columns leave, else a flat one.
fn fix(input: Shape, wanted: Shape) -> String {
    let len = input.len();
    match wanted {
        Shape::Map(Map { h, w, .. }) if h.checked_mul(w).is_some_and(|plane| len.is_multiple_of(plane)) => {
            format!("write `reshape({}x{h}x{w})`", len / (h * w))
        }
        _ => format!("write `reshape({len})`"),
    }
}
