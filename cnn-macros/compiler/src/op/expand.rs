//! Repetition along axes of size 1.

use super::args::Signature;
use super::arith::broadcast;
use super::{Cx, Outcome};
use crate::ir::{Map, Op, Shape};

/// `expand(8x4x4)`.
pub(super) const SIGNATURE: Signature =
    Signature { usage: "expand(8x4x4)", slots: &["shape"], by_position: 1, letters: "", words: &[], arrow: false };

/// The shape given, where the input's axes are the same or 1.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let shape = cx.args.shape("shape").and_then(|shape| shape.ok_or_else(|| cx.args.missing("the shape", None)));
    let Ok(wanted) = shape else { return Outcome::Failed(None) };
    let Some(input) = cx.input.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(Some(wanted)) };
    if input == wanted {
        return Outcome::Same;
    }
    if broadcast(input, wanted) == Some(wanted) {
        return Outcome::node(Op::Expand, wanted, format!("expand({wanted})"));
    }
    let message =
        format!("{input} cannot be repeated to {wanted}: only an axis of size 1 grows: {}", fix(input, wanted));
    cx.report.shape_at(cx.args.slot("shape").map(|arg| arg.site), message);
    Outcome::Doubtful(wanted)
}

/// The nearest shape that is possible, or the layer that makes a value of the other kind.
fn fix(input: Shape, wanted: Shape) -> String {
    let axis = |from: usize, to: usize| if from == 1 { to } else { from };
    match (input, wanted) {
        (Shape::Map(a), Shape::Map(b)) => {
            let map = Map { c: axis(a.c, b.c), h: axis(a.h, b.h), w: axis(a.w, b.w) };
            if map == a {
                return "leave the layer out".into();
            }
            format!("write `expand({map})`")
        }
        (Shape::Flat(features), Shape::Map(wanted)) => match axes_of(features, wanted) {
            Some(map) => format!("write `reshape({map})` before it"),
            None => "leave the layer out".into(),
        },
        (Shape::Map(_), Shape::Flat(_)) if broadcast(Shape::Flat(input.len()), wanted) == Some(wanted) => {
            "write `flatten` before it".into()
        }
        _ => "leave the layer out".into(),
    }
}

/// The axes of a map that hold this many elements, where the others are 1.
fn axes_of(elements: usize, Map { c, h, w }: Map) -> Option<Map> {
    let axes = [1, c].into_iter().flat_map(|c| [1, h].map(|h| [1, w].map(|w| Map { c, h, w })));
    // From the left: channels alone come before rows alone.
    axes.flatten().filter(|map| Shape::Map(*map).len() == elements).max_by_key(|map| (map.c, map.h))
}
