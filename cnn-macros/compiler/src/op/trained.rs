//! Pointwise layers that train a tensor: `prelu`, `scale` and `shift`.

use super::args::Signature;
use super::arith::broadcast;
use super::{Cx, Kind, Outcome};
use crate::ir::{Apply, Map, Op, Shape};

/// `prelu`, `prelu(shared)` (He et al., 2015).
pub(super) const PRELU: Signature = Signature {
    usage: "prelu or prelu(shared)",
    slots: &[],
    by_position: 0,
    letters: "",
    words: &["shared"],
    arrow: false,
};

/// `scale`, `scale(1x1x8)`.
pub(super) const SCALE: Signature = shaped("scale or scale(1x4x4)");

/// `shift`, `shift(1x1x8)`.
pub(super) const SHIFT: Signature = shaped("shift or shift(1x4x4)");

const fn shaped(usage: &'static str) -> Signature {
    Signature { usage, slots: &["shape"], by_position: 1, letters: "", words: &[], arrow: false }
}

/// The shape stays; one number per channel, or per feature of a flat value, unless another shape is asked for.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let shape = cx.args.shape("shape");
    let (Ok(shape), Some(input)) = (shape, cx.input) else { return Outcome::Failed(cx.input) };
    if cx.args.is_bad() {
        return Outcome::Failed(cx.input);
    }
    let channels = Shape::Flat(input.to_map().c);
    let tensor = match shape {
        Some(shape) if broadcast(input, shape) == Some(input) => shape,
        Some(shape) => {
            let message = mismatch(cx.kind.label(), input, shape);
            cx.report.shape_at(cx.args.slot("shape").map(|arg| arg.site), message);
            return Outcome::Failed(cx.input);
        }
        None if cx.args.has("shared").is_some() => Shape::Flat(1),
        None => channels,
    };
    let label = cx.kind.label();
    let (apply, text) = match cx.kind {
        _ if tensor == channels => (apply(cx.kind), label.into()),
        Kind::Prelu => (Apply::Slope, "prelu(shared)".into()),
        kind => (apply(kind), format!("{label}({tensor})")),
    };
    Outcome::node(Op::Trained { apply, tensor }, input, text)
}

fn apply(kind: Kind) -> Apply {
    match kind {
        Kind::Prelu => Apply::Slope,
        Kind::Scale => Apply::Scale,
        _ => Apply::Shift,
    }
}

/// A tensor that is larger than the input, or differs from it along an axis.
fn mismatch(label: &str, input: Shape, tensor: Shape) -> String {
    let differ = format!("a tensor {tensor} cannot be repeated to {input}");
    let axis = |input: usize, tensor: usize| if tensor == 1 { 1 } else { input };
    let fits = match (input, tensor) {
        (Shape::Map(a), Shape::Map(b)) => Shape::Map(Map { c: axis(a.c, b.c), h: axis(a.h, b.h), w: axis(a.w, b.w) }),
        (Shape::Map(map), Shape::Flat(features)) if features == map.c => {
            return format!("{differ}: write `{label}` for one number per channel");
        }
        (Shape::Map(map), Shape::Flat(_)) => Shape::Map(Map { h: 1, w: 1, ..map }),
        (Shape::Flat(_), _) => input,
    };
    format!("{differ}: along each axis it has the input's size or 1: write `{label}({fits})`")
}
