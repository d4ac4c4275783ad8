//! Batch normalisation (Ioffe and Szegedy, 2015) and local response normalisation (Krizhevsky et al., 2012).

use super::args::{LARGEST, Signature};
use super::text::number;
use super::{Cx, Outcome};
use crate::ir::{Op, Shape};

/// `bn(eps = 1e-5, momentum = 0.1)`.
pub(super) const BN: Signature = Signature {
    usage: "bn or bn(eps = 1e-5, momentum = 0.1)",
    slots: &["eps", "momentum"],
    by_position: 0,
    letters: "",
    words: &[],
    arrow: false,
};

/// `lrn(size = 5, alpha = 1e-4, beta = 0.75, k = 2)`.
pub(super) const LRN: Signature = Signature {
    usage: "lrn or lrn(size = 5, alpha = 1e-4, beta = 0.75, k = 2)",
    slots: &["size", "alpha", "beta", "k"],
    by_position: 1,
    letters: "",
    words: &[],
    arrow: false,
};

/// The shape stays; one scale and shift per channel, or per feature of a flat value.
pub(super) fn bn(cx: &Cx<'_>) -> Outcome {
    let eps = cx.args.number("eps", 1e-5, "positive", |value| value > 0.0);
    let momentum = cx.args.number("momentum", 0.1, "between 0 and 1", |value| (0.0..=1.0).contains(&value));
    let (Ok(eps), Ok(momentum), Some(shape)) = (eps, momentum, cx.input) else { return Outcome::Failed(cx.input) };
    if cx.args.is_bad() {
        return Outcome::Failed(cx.input);
    }
    let mut parts = Vec::new();
    if eps != 1e-5 {
        parts.push(format!("eps={}", number(eps)));
    }
    if momentum != 0.1 {
        parts.push(format!("momentum={}", number(momentum)));
    }
    let text = if parts.is_empty() { "bn".into() } else { format!("bn({})", parts.join(", ")) };
    Outcome::node(Op::BatchNorm { eps, momentum }, shape, text)
}

/// The shape stays; each pixel is divided by a function of its `size` neighbouring channels.
pub(super) fn lrn(cx: &Cx<'_>) -> Outcome {
    let size = cx.args.size("size", 1).map(|size| size.unwrap_or(5));
    let alpha = cx.args.number("alpha", 1e-4, "zero or positive", |value| value >= 0.0);
    let beta = cx.args.number("beta", 0.75, "positive", |value| value > 0.0);
    let k = cx.args.number("k", 2.0, "positive", |value| value > 0.0);
    let map = cx.map();
    let (Ok(size), Ok(alpha), Ok(beta), Ok(k)) = (size, alpha, beta, k) else { return Outcome::Failed(cx.input) };
    if size.is_multiple_of(2) {
        let site = cx.args.slot("size").map(|arg| arg.site);
        let larger = if size < LARGEST { format!(" or {}", size + 1) } else { String::new() };
        let message = format!("size {size} has no middle channel: use {}{larger}", size - 1);
        cx.report.shape_at(site, message);
        return Outcome::Failed(cx.input);
    }
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let [alpha_text, beta_text, k_text] = [alpha, beta, k].map(number);
    let text = format!("lrn(size={size}, alpha={alpha_text}, beta={beta_text}, k={k_text})");
    Outcome::node(Op::Lrn { size, alpha, beta, k }, Shape::Map(map), text)
}
