//! Padding.

use super::args::Signature;
use super::text::{full, number, short, sides};
use super::{Cx, Outcome};
use crate::ir::{Fill, Map, Op, Shape};

/// `pad(1)`, `pad(1x2, value = 2.0)`, `pad(0x1x2x3, reflect)`.
pub(super) const SIGNATURE: Signature = Signature {
    usage: "pad(1) or pad(1x2)",
    slots: &["padding", "value"],
    by_position: 1,
    letters: "",
    words: &["reflect", "edge"],
    arrow: false,
};

/// Rows and columns grow by the padding of both their sides.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let pad = cx.args.sides("padding").and_then(|pad| pad.ok_or_else(|| cx.args.missing("the padding", None)));
    let fill = fill(cx);
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
    let Ok((fill, text)) = fill else { return Outcome::Failed(Some(output)) };
    if fill == Fill::Reflect
        && let Some(message) = reflects_too_much(pad, map)
    {
        cx.report.shape_at(cx.args.slot("padding").map(|arg| arg.site), message);
        return Outcome::Failed(Some(output));
    }
    Outcome::node(Op::Pad { pad, fill }, output, format!("pad({}{text})", sides(pad)))
}

/// What stands in the padding, and how the layer's text says so.
fn fill(cx: &Cx<'_>) -> Result<(Fill, String), ()> {
    let value = cx.args.slot("value").map(|arg| ("value", arg.site));
    let words = ["reflect", "edge"].into_iter().filter_map(|word| Some((word, cx.args.has(word)?)));
    let mut given: Vec<_> = words.chain(value).collect();
    given.sort_by_key(|(_, site)| site.key());
    match given[..] {
        [(first, _), (second, site), ..] => {
            cx.report.option(site, format!("`{first}` and `{second}` exclude each other: keep one"));
            Err(())
        }
        [("reflect", _)] => Ok((Fill::Reflect, ", reflect".into())),
        [("edge", _)] => Ok((Fill::Edge, ", edge".into())),
        _ => match cx.args.number("value", 0.0, "a finite number", f64::is_finite)? {
            0.0 => Ok((Fill::Constant(0.0), String::new())),
            value => Ok((Fill::Constant(value), format!(", value={}", number(value)))),
        },
    }
}

/// A reflection ends at the opposite outer pixel.
fn reflects_too_much(pad: [usize; 4], map: Map) -> Option<String> {
    let most = [map.h - 1, map.w - 1];
    if (0..4).all(|side| pad[side] <= most[side % 2]) {
        return None;
    }
    let size = full([map.h, map.w]);
    let fix = if most == [0, 0] { "use `edge`".to_string() } else { format!("use at most {}, or `edge`", short(most)) };
    Some(format!("padding {} reflects more than there is beside the outer pixels of {size}: {fix}", sides(pad)))
}
