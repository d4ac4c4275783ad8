//! Transposed convolution.

use cnn_model::window::span;

use super::args::Signature;
use super::conv::{bias, direct, out_and_kernel, uneven_groups};
use super::text::{full, short, sides, window_options};
use super::window::{Options, Padding, options};
use super::{Cx, Outcome};
use crate::ir::{Map, Op, Shape, Window};

/// `conv_transpose(out, KxK, options)`.
pub(super) const SIGNATURE: Signature = Signature {
    usage: "conv_transpose(6, 2x2, s2)",
    slots: &["out", "kernel"],
    by_position: 2,
    letters: "spdgo",
    words: &["bias", "nobias", "direct"],
    arrow: false,
};

/// Output channels are what was asked for; each axis is what a convolution would turn into the input's, with `o` more
/// behind: `(size - 1) * stride - padding + span + o`.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    let (out, kernel) = out_and_kernel(cx);
    let options = options(cx, kernel, [1, 1]);
    let groups = cx.args.option('g', 1);
    let extra = cx.args.option('o', 0);
    let bias = bias(cx);
    let map = cx.map();
    let (Ok(out), Ok(options), Ok(groups), Ok(extra), Ok(bias)) = (out, options, groups, extra, bias) else {
        return Outcome::Failed(None);
    };
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let extra = extra.map_or([0, 0], |(sizes, _)| sizes);
    // There is no word for padding that depends on the input.
    let Padding::Explicit(pad) = options.padding else { return Outcome::Failed(None) };
    let [Some(h), Some(w)] = [0, 1].map(|axis| rows([map.h, map.w][axis], &options, pad, extra[axis], axis)) else {
        cx.report.shape_at(options.padding_site, nothing_left(map, &options, pad, extra));
        return Outcome::Failed(None);
    };
    let output = Shape::Map(Map { c: out, h, w });
    let (count, site) = groups.map_or((1, None), |([count, _], site)| (count, Some(site)));
    if let Some(message) = uneven_groups(count, map.c, out) {
        cx.report.shape_at(site, message);
        return Outcome::Failed(Some(output));
    }
    let window = Window { kernel: options.kernel, stride: options.stride, dilation: options.dilation, pad };
    let mut text = format!("conv_transpose({out}, {}{}", full(window.kernel), window_options(&window));
    if extra != [0, 0] {
        text += &format!(", o{}", short(extra));
    }
    if count != 1 {
        text += &format!(", g{count}");
    }
    let (direct, direct_text) = direct(cx);
    Outcome::node(Op::ConvTranspose { window, groups: count, bias, direct }, output, text + direct_text + ")")
}

/// Rows or columns before padding is taken away.
fn reach(size: usize, options: &Options, extra: usize, axis: usize) -> Option<usize> {
    let span = span(options.kernel[axis], options.dilation[axis]);
    (size - 1).checked_mul(options.stride[axis])?.checked_add(span)?.checked_add(extra)
}

/// Rows or columns of the output, if any are left.
fn rows(size: usize, options: &Options, pad: [usize; 4], extra: usize, axis: usize) -> Option<usize> {
    let padding = pad[axis].checked_add(pad[axis + 2])?;
    reach(size, options, extra, axis)?.checked_sub(padding).filter(|rows| *rows > 0)
}

/// Says by how much the padding is too large, with the most that leaves a row.
fn nothing_left(map: Map, options: &Options, pad: [usize; 4], extra: [usize; 2]) -> String {
    let reach = [0, 1].map(|axis| reach([map.h, map.w][axis], options, extra[axis], axis));
    let [Some(h), Some(w)] = reach else {
        return format!("{}x{} spread by {} is too large", map.h, map.w, full(options.kernel));
    };
    let most = [h, w].map(|size| (size - 1) / 2);
    let fix = if most == [0, 0] { "remove it".to_string() } else { format!("use at most `p{}`", short(most)) };
    format!("padding {} leaves nothing of {h}x{w}: {fix}", sides(pad))
}
