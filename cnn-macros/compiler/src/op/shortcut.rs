//! The shortcut of a residual block (He et al., 2015, option B): the identity, or a 1x1 projection where the shape
//! changes.

use super::args::Signature;
use super::conv::direct;
use super::text::window_options;
use super::{Built, Cx, Outcome};
use crate::ir::{Map, Op, Shape, Window};

/// `shortcut(c, s)`.
pub(super) const SIGNATURE: Signature =
    Signature { usage: "shortcut(64, s2)", slots: &["out"], by_position: 1, letters: "s", words: &[], arrow: false };

/// Identity where channels and stride change nothing, else `conv(c, 1x1, s) -> bn`.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let out = cx
        .args
        .size("out", 1)
        .and_then(|out| out.ok_or_else(|| cx.args.missing("the number of output channels", None)));
    let stride = cx.args.option('s', 1);
    let map = cx.map();
    let (Ok(c), Ok(stride)) = (out, stride) else { return Outcome::Failed(None) };
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let stride = stride.map_or([1, 1], |(sizes, _)| sizes);
    let output = Map { c, h: (map.h - 1) / stride[0] + 1, w: (map.w - 1) / stride[1] + 1 };
    if output == map {
        return Outcome::Same;
    }
    let window = Window { kernel: [1, 1], stride, dilation: [1, 1], pad: [0; 4] };
    let (direct, direct_text) = direct(cx);
    let text = format!("conv({c}, 1x1{}{direct_text})", window_options(&window));
    let output = Shape::Map(output);
    let conv = Built { op: Op::Conv { window, groups: 1, bias: false, direct }, output, text };
    let bn = Built { op: Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, output, text: "bn".into() };
    Outcome::Pair(Box::new([(conv, "conv"), (bn, "bn")]))
}
