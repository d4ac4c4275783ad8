//! Zero padding.

use super::args::Signature;
use super::text::short;
use super::{Cx, Outcome};
use crate::ir::{Map, Op, Shape};

/// `pad(1)`, `pad(1x2)`.
pub(super) const SIGNATURE: Signature = Signature {
    usage: "pad(1) or pad(1x2)",
    slots: &["padding"],
    by_position: 1,
    letters: "",
    words: &[],
    arrow: false,
};

/// Rows and columns grow by twice the padding.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let pair = cx.args.pair("padding", 0).and_then(|pair| pair.ok_or_else(|| cx.args.missing("the padding", None)));
    let map = cx.map();
    let Ok([v, h]) = pair else { return Outcome::Failed(None) };
    if [v, h] == [0, 0] {
        cx.report.shape_at(
            cx.args.slot("padding").map(|arg| arg.site),
            "padding by 0 adds nothing: remove the layer".into(),
        );
        return Outcome::Failed(cx.input);
    }
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let output = Shape::Map(Map { c: map.c, h: map.h + 2 * v, w: map.w + 2 * h });
    Outcome::node(Op::Pad([v, h, v, h]), output, format!("pad({})", short([v, h])))
}
