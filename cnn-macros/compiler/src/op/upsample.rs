//! Enlarging maps by whole factors.

use super::args::Signature;
use super::text::short;
use super::{Cx, Outcome};
use crate::ir::{Map, Op, Resample, Shape};

/// `upsample(2)`, `upsample(2x1, bilinear)`.
pub(super) const SIGNATURE: Signature = Signature {
    usage: "upsample(2, nearest)",
    slots: &["scale"],
    by_position: 1,
    letters: "",
    words: &["nearest", "bilinear"],
    arrow: false,
};

/// Rows and columns are multiplied; `nearest` unless `bilinear` is asked for.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let scale = cx.args.pair("scale", 1).and_then(|scale| scale.ok_or_else(|| cx.args.missing("the factor", None)));
    let map = cx.map();
    let (nearest, bilinear) = (cx.args.has("nearest"), cx.args.has("bilinear"));
    if let (Some(_), Some(site)) = (nearest, bilinear) {
        cx.report.option(site, "`nearest` and `bilinear` exclude each other: keep one".into());
    }
    let Ok(scale) = scale else { return Outcome::Failed(None) };
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let (Some(h), Some(w)) = (map.h.checked_mul(scale[0]), map.w.checked_mul(scale[1])) else {
        cx.report.shape(format!("{}x{} enlarged {} times is too large", map.h, map.w, short(scale)));
        return Outcome::Failed(None);
    };
    let output = Shape::Map(Map { c: map.c, h, w });
    if nearest.is_some() && bilinear.is_some() {
        return Outcome::Failed(Some(output));
    }
    let (resample, word) =
        if bilinear.is_some() { (Resample::Bilinear, "bilinear") } else { (Resample::Nearest, "nearest") };
    Outcome::node(Op::Upsample { scale, resample }, output, format!("upsample({}, {word})", short(scale)))
}
