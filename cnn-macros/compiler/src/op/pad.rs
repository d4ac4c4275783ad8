//! Zero padding.

use super::args::Signature;
use super::text::sides;
use super::{Cx, Outcome};
use crate::ir::{Map, Op, Shape};

/// `pad(1)`, `pad(1x2)`, `pad(0x1x2x3)`.
pub(super) const SIGNATURE: Signature = Signature {
    usage: "pad(1) or pad(1x2)",
    slots: &["padding"],
    by_position: 1,
    letters: "",
    words: &[],
    arrow: false,
};

/// Rows and columns grow by the padding of both their sides.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let pad = cx.args.sides("padding").and_then(|pad| pad.ok_or_else(|| cx.args.missing("the padding", None)));
    let map = cx.map();
    let Ok(pad) = pad else { return Outcome::Failed(None) };
    if pad == [0; 4] {
        cx.report.shape_at(
            cx.args.slot("padding").map(|arg| arg.site),
            "padding by 0 adds nothing: remove the layer".into(),
        );
        return Outcome::Failed(cx.input);
    }
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let [top, left, bottom, right] = pad;
    let output = Shape::Map(Map { c: map.c, h: map.h + top + bottom, w: map.w + left + right });
    Outcome::node(Op::Pad(pad), output, format!("pad({})", sides(pad)))
}
