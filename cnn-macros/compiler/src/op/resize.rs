//! Maps of any other size.

use super::args::Signature;
use super::text::{full, number};
use super::{Cx, Outcome};
use crate::ir::{Coordinates, Map, Op, Rounding, Sampling, Shape};

/// `resize(224x224, bilinear)`, `resize(7x5, asymmetric, floor, scale_h = 0.6)`.
pub(super) const SIGNATURE: Signature = Signature {
    usage: "resize(224x224, bilinear)",
    slots: &["size", "scale_h", "scale_w"],
    by_position: 1,
    letters: "",
    words: &[
        "nearest",
        "bilinear",
        "half_pixel",
        "asymmetric",
        "align_corners",
        "pytorch_half_pixel",
        "round_prefer_floor",
        "round_prefer_ceil",
        "floor",
        "ceil",
    ],
    arrow: false,
};

/// Rows and columns are what was asked for. The text shows what is not the default.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let size = cx.args.pair("size", 1).and_then(|size| size.ok_or_else(|| cx.args.missing("the size", None)));
    let scales = ["scale_h", "scale_w"].map(|name| scale(cx, name));
    let how = how(cx);
    let map = cx.map();
    let Ok(size) = size else { return Outcome::Failed(None) };
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let output = Shape::Map(Map { c: map.c, h: size[0], w: size[1] });
    let ([Ok(scale_h), Ok(scale_w)], Ok((sampling, coordinates))) = (scales, how) else {
        return Outcome::Failed(Some(output));
    };
    let mut text =
        format!("resize({}, {}", full(size), if sampling == Sampling::Bilinear { "bilinear" } else { "nearest" });
    if coordinates != Coordinates::HalfPixel {
        text += &format!(", {}", coordinates.word());
    }
    if let Sampling::Nearest(rounding) = sampling
        && rounding != Rounding::PreferFloor
    {
        text += &format!(", {}", rounding.word());
    }
    for (name, scale) in [("scale_h", scale_h), ("scale_w", scale_w)] {
        text += &scale.map_or_else(String::new, |scale| format!(", {name}={}", number(scale)));
    }
    Outcome::node(Op::Resize { sampling, coordinates, scale: [scale_h, scale_w] }, output, text + ")")
}

fn scale(cx: &Cx<'_>, name: &str) -> Result<Option<f32>, ()> {
    if cx.args.slot(name).is_none() {
        return Ok(None);
    }
    cx.args.number(name, 1.0, "positive", |scale| scale > 0.0).map(Some)
}

/// How pixels are made, and of which.
fn how(cx: &Cx<'_>) -> Result<(Sampling, Coordinates), ()> {
    let bilinear = one_of(cx, ["nearest", "bilinear"].map(|word| (word, word == "bilinear")));
    let coordinates = one_of(cx, Coordinates::ALL.map(|coordinates| (coordinates.word(), coordinates)));
    let rounding = one_of(cx, Rounding::ALL.map(|rounding| (rounding.word(), rounding)));
    let (bilinear, coordinates, rounding) = (bilinear?.unwrap_or(false), coordinates?, rounding?);
    if let (true, Some(rounding)) = (bilinear, rounding) {
        let word = rounding.word();
        let site = cx.args.has(word).unwrap_or_else(|| cx.report.call());
        cx.report.option(site, format!("`{word}` says how `nearest` rounds: remove it, or `bilinear`"));
        return Err(());
    }
    let sampling =
        if bilinear { Sampling::Bilinear } else { Sampling::Nearest(rounding.unwrap_or(Rounding::PreferFloor)) };
    Ok((sampling, coordinates.unwrap_or(Coordinates::HalfPixel)))
}

/// The value of the only one of some words that was written, if any was.
fn one_of<T: Copy, const N: usize>(cx: &Cx<'_>, words: [(&'static str, T); N]) -> Result<Option<T>, ()> {
    let mut given: Vec<_> = words.iter().filter_map(|&(word, value)| Some((cx.args.has(word)?, word, value))).collect();
    given.sort_by_key(|(site, ..)| site.key());
    if let [(_, first, _), (site, second, _), ..] = given[..] {
        cx.report.option(site, format!("`{first}` and `{second}` exclude each other: keep one"));
        return Err(());
    }
    Ok(given.first().map(|&(.., value)| value))
}
