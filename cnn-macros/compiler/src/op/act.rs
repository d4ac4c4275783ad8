//! Pointwise activations.

use super::args::Signature;
use super::text::number;
use super::{Cx, Kind, Outcome};
use crate::ir::{Act, Op};

/// A layer of these numbers, in order or by name.
const fn numbers(usage: &'static str, slots: &'static [&'static str]) -> Signature {
    Signature { usage, slots, by_position: slots.len(), letters: "", words: &[], arrow: false }
}

/// `leaky_relu(slope = 0.01)`.
pub(super) const LEAKY_RELU: Signature = numbers("leaky_relu or leaky_relu(slope = 0.1)", &["slope"]);

/// `elu(alpha = 1.0)`.
pub(super) const ELU: Signature = numbers("elu or elu(alpha = 0.5)", &["alpha"]);

/// `selu(alpha = 1.6732632, gamma = 1.050701)`.
pub(super) const SELU: Signature = numbers("selu or selu(alpha = 1.67, gamma = 1.05)", &["alpha", "gamma"]);

/// `clip(lo, hi)`.
pub(super) const CLIP: Signature = numbers("clip(0, 6) or clip(lo = 0) or clip(hi = 6)", &["lo", "hi"]);

/// `hardsigmoid(alpha = 0.16666667, beta = 0.5)`.
pub(super) const HARDSIGMOID: Signature =
    numbers("hardsigmoid or hardsigmoid(alpha = 0.2, beta = 0.5)", &["alpha", "beta"]);

/// `affine(mul = 1, add = 0)`.
pub(super) const AFFINE: Signature = numbers("affine(mul = 2, add = 0.5)", &["mul", "add"]);

/// `gelu`, `gelu(tanh)`.
pub(super) const GELU: Signature = Signature { words: &["tanh"], ..numbers("gelu or gelu(tanh)", &[]) };

/// The shape stays.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    match (act(cx), cx.input) {
        (Ok((act, text)), Some(shape)) if !cx.args.is_bad() => Outcome::node(Op::Act(act), shape, text),
        (_, input) => Outcome::Failed(input),
    }
}

/// The function and how it is written.
fn act(cx: &Cx<'_>) -> Result<(Act, String), ()> {
    let label = cx.kind.label();
    let finite = |name: &str, default: f64| cx.args.number(name, default, "a finite number", f64::is_finite);
    let two = |names: [&str; 2], defaults: [f64; 2]| -> Result<([f32; 2], String), ()> {
        let (a, b) = (finite(names[0], defaults[0]), finite(names[1], defaults[1]));
        let values = [a?, b?];
        let [a, b] = values.map(number);
        Ok((values, format!("{label}({}={a}, {}={b})", names[0], names[1])))
    };
    Ok(match cx.kind {
        Kind::LeakyRelu => {
            let slope = finite("slope", 0.01)?;
            (Act::LeakyRelu(slope), format!("{label}(slope={})", number(slope)))
        }
        Kind::Elu => {
            let alpha = finite("alpha", 1.0)?;
            (Act::Elu(alpha), format!("{label}(alpha={})", number(alpha)))
        }
        Kind::Selu => {
            // Klambauer et al. 2017, "Self-Normalizing Neural Networks".
            let ([alpha, gamma], text) = two(["alpha", "gamma"], [1.673_263_242_354_377_2, 1.050_700_987_355_480_5])?;
            (Act::Selu { alpha, gamma }, text)
        }
        Kind::HardSigmoid => {
            let ([alpha, beta], text) = two(["alpha", "beta"], [1.0 / 6.0, 0.5])?;
            (Act::HardSigmoid { alpha, beta }, text)
        }
        Kind::Affine => {
            let ([mul, add], text) = two(["mul", "add"], [1.0, 0.0])?;
            (Act::Affine { mul, add }, text)
        }
        Kind::Clip => clip(cx)?,
        Kind::Gelu if cx.args.has("tanh").is_some() => (Act::GeluTanh, "gelu(tanh)".into()),
        Kind::Relu6 => (Act::Relu6, label.into()),
        Kind::Gelu => (Act::Gelu, label.into()),
        Kind::Silu => (Act::Silu, label.into()),
        Kind::HardSwish => (Act::HardSwish, label.into()),
        Kind::Tanh => (Act::Tanh, label.into()),
        Kind::Sigmoid => (Act::Sigmoid, label.into()),
        Kind::Reciprocal => (Act::Reciprocal, label.into()),
        _ => (Act::Relu, label.into()),
    })
}

/// Either bound may be left out, but not both.
fn clip(cx: &Cx<'_>) -> Result<(Act, String), ()> {
    let bound = |name: &str, open: f32| match cx.args.slot(name) {
        Some(_) => cx.args.number(name, 0.0, "a finite number", f64::is_finite),
        None => Ok(open),
    };
    let (lo, hi) = (bound("lo", f32::NEG_INFINITY), bound("hi", f32::INFINITY));
    let (lo, hi) = (lo?, hi?);
    if lo > hi {
        let site = cx.args.slot("hi").map_or(cx.report.call(), |arg| arg.site);
        let (lo, hi) = (number(lo), number(hi));
        cx.report.option(site, format!("lo = {lo} is above hi = {hi}: write `clip({hi}, {lo})`"));
        return Err(());
    }
    let text = match (lo.is_finite(), hi.is_finite()) {
        (true, true) => format!("clip(lo={}, hi={})", number(lo), number(hi)),
        (true, false) => format!("clip(lo={})", number(lo)),
        (false, true) => format!("clip(hi={})", number(hi)),
        (false, false) => {
            cx.args.missing("a bound", None);
            return Err(());
        }
    };
    Ok((Act::Clip { lo, hi }, text))
}
