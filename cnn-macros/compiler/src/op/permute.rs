//! Axes in another order.

use super::args::Signature;
use super::text::either;
use super::{Cx, Outcome};
use crate::ir::{Map, Op, Shape};

/// The words for all orders, as the axes of the input that the output's are.
const ORDERS: [&str; 6] = ["chw", "cwh", "hcw", "hwc", "wch", "whc"];

/// `permute(hwc)`.
pub(super) const SIGNATURE: Signature =
    Signature { usage: "permute(hwc)", slots: &[], by_position: 0, letters: "", words: &ORDERS, arrow: false };

/// The input's sizes in the order of the word.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let given: Vec<_> = ORDERS.iter().filter_map(|word| Some((*word, cx.args.has(word)?))).collect();
    let map = cx.map();
    let &[(word, _)] = given.as_slice() else {
        match given.get(1) {
            Some((_, site)) => cx.report.option(*site, "two orders exclude each other: keep one".into()),
            None => {
                let others: Vec<String> = ORDERS[1..].iter().map(|word| format!("`permute({word})`")).collect();
                cx.args.missing("the order of the axes", Some(either(&others).trim_matches('`').into()));
            }
        }
        return Outcome::Failed(None);
    };
    let Some(Map { c, h, w }) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let mut order = [0; 3];
    for (at, letter) in order.iter_mut().zip(word.chars()) {
        *at = "chw".find(letter).unwrap_or(0);
    }
    if order == [0, 1, 2] {
        return Outcome::Same;
    }
    let [c, h, w] = order.map(|axis| [c, h, w][axis]);
    Outcome::node(Op::Permute(order), Shape::Map(Map { c, h, w }), format!("permute({word})"))
}
