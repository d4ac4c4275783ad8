//! Convolution and depthwise convolution.

use super::args::Signature;
use super::text::{either, full, joined, window_options};
use super::{Cx, Outcome, window};
use crate::ir::{Map, Node, Op, Shape};
use crate::lower::Layer;

/// `conv(out, KxK, options)`.
pub(super) const CONV: Signature = Signature {
    usage: "conv(6, 5x5, s1, p2)",
    slots: &["out", "kernel"],
    by_position: 2,
    letters: "spdg",
    words: &["same", "valid", "bias", "nobias", "direct"],
    arrow: false,
};

/// `dwconv(KxK, options)`.
pub(super) const DWCONV: Signature = Signature {
    usage: "dwconv(3x3, s1, p1)",
    slots: &["kernel"],
    by_position: 1,
    letters: "spdm",
    words: &["same", "valid", "bias", "nobias"],
    arrow: false,
};

/// Output channels are what was asked for; each axis is `(size + padding - span) / stride + 1`.
pub(super) fn conv(cx: &Cx<'_>) -> Outcome {
    let (out, kernel) = out_and_kernel(cx);
    let options = window::options(cx, kernel, [1, 1]);
    let groups = cx.args.option('g', 1);
    let bias = bias(cx);
    let map = cx.map();
    let (Ok(out), Ok(options), Ok(groups), Ok(bias)) = (out, options, groups, bias) else {
        return Outcome::Failed(None);
    };
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let Some((window, [h, w])) = window::resolve(cx, &options, map) else { return Outcome::Failed(None) };
    let output = Shape::Map(Map { c: out, h, w });
    let (count, site) = groups.map_or((1, None), |([count, _], site)| (count, Some(site)));
    if let Some(message) = uneven_groups(count, map.c, out) {
        cx.report.shape_at(site, message);
        return Outcome::Failed(Some(output));
    }
    let mut text = format!("conv({out}, {}{}", full(window.kernel), window_options(&window));
    if count != 1 {
        text += &format!(", g{count}");
    }
    let (direct, direct_text) = direct(cx);
    Outcome::node(Op::Conv { window, groups: count, bias, direct }, output, text + direct_text + ")")
}

/// Whether there is a bias, as far as the layer says.
pub(super) fn bias(cx: &Cx<'_>) -> Result<bool, ()> {
    let (with, without) = (cx.args.has("bias"), cx.args.has("nobias"));
    if let (Some(with), Some(without)) = (with, without) {
        let (first, second) = if with.key() < without.key() { (with, without) } else { (without, with) };
        let place = first.line_col();
        cx.report.option(second, format!("`bias` and `nobias` exclude each other, first at {place}: keep one of them"));
        return Err(());
    }
    Ok(without.is_none())
}

/// Decides whether a convolution has a bias, and ends its text. Batch normalisation subtracts the mean of each channel, and
/// any bias with it (Ioffe and Szegedy, 2015, section 3.2), so there is none where `bn` alone reads it unless asked for.
pub(crate) fn settle_bias(node: &mut Node, layer: &Layer<'_>, normalised: bool) {
    let (Op::Conv { bias, .. } | Op::ConvTranspose { bias, .. }) = &mut node.op else { return };
    *bias = if normalised { layer.says("bias") } else { *bias };
    let word = match (*bias, normalised) {
        (true, true) => ", bias",
        (false, false) => ", nobias",
        _ => "",
    };
    node.text.insert_str(node.text.len() - 1, word);
}

/// Whether every product is to be computed, as the layer or its network says, and how the layer's text shows it.
pub(super) fn direct(cx: &Cx<'_>) -> (bool, &'static str) {
    let direct = cx.direct || cx.args.has("direct").is_some();
    (direct, if direct { ", direct" } else { "" })
}

/// What the layer's first two arguments say.
pub(super) fn out_and_kernel(cx: &Cx<'_>) -> (Result<usize, ()>, Result<[usize; 2], ()>) {
    use crate::lower::eval::Value;
    if let (Some(first), None) = (cx.args.slot("out"), cx.args.slot("kernel"))
        && let Value::Dims(sizes) = first.value
    {
        let shown = joined(sizes);
        if !cx.args.is_bad() {
            let label = cx.kind.label();
            let message = format!(
                "the number of output channels is missing: write it before the kernel, like `{label}(6, {shown})`"
            );
            cx.report.option(first.site, message);
        }
        return (Err(()), Err(()));
    }
    let out = cx
        .args
        .size("out", 1)
        .and_then(|out| out.ok_or_else(|| cx.args.missing("the number of output channels", None)));
    let fix = out.ok().map(|out| format!("{}({out}, 3x3, p1)", cx.kind.label()));
    let kernel = cx.args.pair("kernel", 1).and_then(|kernel| kernel.ok_or_else(|| cx.args.missing("the kernel", fix)));
    (out, kernel)
}

/// Depthwise convolution: as many groups as channels.
pub(super) fn dwconv(cx: &Cx<'_>) -> Outcome {
    let kernel = cx.args.pair("kernel", 1).and_then(|kernel| kernel.ok_or_else(|| cx.args.missing("the kernel", None)));
    let options = window::options(cx, kernel, [1, 1]);
    let multiplier = cx.args.option('m', 1);
    let bias = bias(cx);
    let map = cx.map();
    let (Ok(options), Ok(multiplier), Ok(bias)) = (options, multiplier, bias) else {
        return Outcome::Failed(None);
    };
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    let Some((window, [h, w])) = window::resolve(cx, &options, map) else { return Outcome::Failed(None) };
    let (times, site) = multiplier.map_or((1, None), |([times, _], site)| (times, Some(site)));
    let Some(out) = map.c.checked_mul(times) else {
        cx.report.shape_at(site, format!("{} channels times {times} is too large", map.c));
        return Outcome::Failed(None);
    };
    let mut text = format!("dwconv({}{}", full(window.kernel), window_options(&window));
    if times != 1 {
        text += &format!(", m{times}");
    }
    let output = Shape::Map(Map { c: out, h, w });
    // On one channel it is a convolution as any other, which may save products.
    Outcome::node(Op::Conv { window, groups: map.c, bias, direct: cx.direct }, output, text + ")")
}

/// Says what is wrong where groups do not divide both channel counts, with the nearest ones that do.
pub(super) fn uneven_groups(groups: usize, input: usize, output: usize) -> Option<String> {
    let mut wrong = Vec::new();
    for (channels, what) in [(input, "input"), (output, "output")] {
        let (each, rest) = (channels / groups, channels % groups);
        if rest != 0 {
            wrong.push(format!("the {channels} {what} channels ({channels} = {groups} * {each} + {rest})"));
        }
    }
    if wrong.is_empty() {
        return None;
    }
    let common = gcd(input, output);
    let (below, above) = nearest_divisors(common, groups);
    let uses: Vec<String> = [below, above].into_iter().flatten().map(|groups| format!("`g{groups}`")).collect();
    Some(format!("{groups} groups do not divide {}: use {}", wrong.join(" or "), either(&uses)))
}

fn gcd(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The divisors of `number` on either side of `wanted`.
fn nearest_divisors(number: usize, wanted: usize) -> (Option<usize>, Option<usize>) {
    let (mut below, mut above) = (None, None);
    let mut small = 1;
    while small <= number / small {
        if number.is_multiple_of(small) {
            for divisor in [small, number / small] {
                if divisor < wanted {
                    below = below.max(Some(divisor));
                } else if above.is_none_or(|best| divisor < best) {
                    above = Some(divisor);
                }
            }
        }
        small += 1;
    }
    (below, above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_on_either_side() {
        assert_eq!(nearest_divisors(12, 5), (Some(4), Some(6)));
        assert_eq!(nearest_divisors(7, 3), (Some(1), Some(7)));
        assert_eq!(nearest_divisors(8, 9), (Some(8), None));
    }

    #[test]
    fn uneven_groups_show_the_division() {
        assert_eq!(uneven_groups(2, 6, 16), None);
        let message = uneven_groups(4, 6, 16).expect("4 does not divide 6");
        assert_eq!(message, "4 groups do not divide the 6 input channels (6 = 4 * 1 + 2): use `g2`");
    }
}
