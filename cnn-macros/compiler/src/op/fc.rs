//! Fully connected layers.

use super::args::Signature;
use super::conv::bias;
use super::{Cx, Outcome};
use crate::ir::{Map, Op, Shape};
use crate::lower::eval::Value;

/// `fc(out)`, `fc(in -> out)`.
pub(super) const SIGNATURE: Signature = Signature {
    usage: "fc(120)",
    slots: &["out"],
    by_position: 1,
    letters: "",
    words: &["bias", "nobias"],
    arrow: true,
};

/// `out` features, from any shape; a map is read in CHW order.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let Some(arg) = cx.args.slot("out") else {
        cx.args.missing("the number of outputs", None);
        return Outcome::Failed(None);
    };
    let (wanted, out) = match arg.target {
        Some(target) => (Some(arg.value), target),
        None => (None, arg.value),
    };
    let Ok(out) = cx.args.whole(out, "the number of outputs", 1, arg.site) else { return Outcome::Failed(None) };
    let output = Shape::Flat(out);
    if let Some(wanted) = wanted
        && wrong_inputs(cx, wanted, out)
    {
        return Outcome::Failed(Some(output));
    }
    let Ok(bias) = bias(cx) else { return Outcome::Failed(Some(output)) };
    if cx.input.is_none() || cx.args.is_bad() {
        return Outcome::Failed(Some(output));
    }
    let text = if bias { format!("fc({out})") } else { format!("fc({out}, nobias)") };
    Outcome::node(Op::Fc { bias }, output, text)
}

/// Holds the stated number of inputs against the input's shape.
fn wrong_inputs(cx: &Cx<'_>, wanted: Value<'_>, out: usize) -> bool {
    let Some(arg) = cx.args.slot("out") else { return false };
    let Ok(wanted) = cx.args.whole(wanted, "the number of inputs", 1, arg.site) else { return true };
    let (found, sum) = match cx.input {
        Some(Shape::Flat(features)) => (features, features.to_string()),
        Some(shape @ Shape::Map(Map { c, h, w })) => {
            let features = c * h * w;
            (features, format!("{} = {features}", shape.to_string().replace('x', " * ")))
        }
        None => return false,
    };
    if found != wanted {
        let message = format!("it expects {wanted} inputs and gets {sum}: write `fc({found} -> {out})` or `fc({out})`");
        cx.report.shape_at(Some(arg.site), message);
    }
    found != wanted
}
