//! Dropout (Srivastava et al., 2014).

use super::args::Signature;
use super::text::number;
use super::{Cx, Outcome};
use crate::ir::Op;

/// `dropout(0.5)`.
pub(super) const SIGNATURE: Signature =
    Signature { usage: "dropout(0.5)", slots: &["rate"], by_position: 1, letters: "", words: &[], arrow: false };

/// The shape stays.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let range = "at least 0 and below 1, like `dropout(0.5)`, the share of features that is dropped";
    let rate = cx.args.number("rate", 0.5, range, |rate| (0.0..1.0).contains(&rate));
    match (rate, cx.input) {
        (Ok(rate), Some(shape)) if !cx.args.is_bad() => {
            Outcome::node(Op::Dropout { rate }, shape, format!("dropout({})", number(rate)))
        }
        (_, input) => Outcome::Failed(input),
    }
}
