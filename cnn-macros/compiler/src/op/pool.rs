//! Max and average pooling.

use cnn_model::window::span;

use super::args::Signature;
use super::text::{full, short, sides, window_options};
use super::window::{self, Options, Padding};
use super::{Cx, Kind, Outcome};
use crate::ir::{Map, Op, Shape, Window};

/// `pool(K, options)`, `pool(global)`.
pub(super) const MAX: Signature = Signature {
    usage: "pool(2, s2) or pool(global)",
    slots: &["kernel"],
    by_position: 1,
    letters: "spd",
    words: &["same", "valid", "global", "ceil"],
    arrow: false,
};

/// `avgpool(K, options)`, `avgpool(global)`.
pub(super) const AVG: Signature = Signature {
    usage: "avgpool(2, s2) or avgpool(global)",
    words: &["same", "valid", "global", "ceil", "excludepad"],
    ..MAX
};

/// The training pass keeps the place of each maximum in its window as a `u16`.
const LARGEST_WINDOW: usize = 1 << 16;

/// Channels stay; each axis as in convolution, with the kernel as default stride.
pub(super) fn infer(cx: &Cx<'_>) -> Outcome {
    if let Some(site) = cx.args.has("global") {
        return global(cx, site);
    }
    let kernel = cx.args.pair("kernel", 1).and_then(|kernel| kernel.ok_or_else(|| cx.args.missing("the kernel", None)));
    let options = window::options(cx, kernel, kernel.unwrap_or([1, 1]));
    let map = cx.map();
    let Ok(options) = options else { return Outcome::Failed(None) };
    let Some(map) = map.filter(|_| !cx.args.is_bad()) else { return Outcome::Failed(None) };
    if let Some(message) = too_much_padding(&options) {
        cx.report.shape_at(options.padding_site, message);
        return Outcome::Failed(None);
    }
    let Some((window, [h, w])) = window::resolve(cx, &options, map) else { return Outcome::Failed(None) };
    let output = Shape::Map(Map { c: map.c, h, w });
    if let Some(message) = reads_only_padding(&window, map) {
        cx.report.shape(message);
        return Outcome::Failed(Some(output));
    }
    let declared = match options.padding {
        Padding::Explicit(pad) => pad,
        Padding::Same => window.pad,
    };
    let counted = if cx.args.has("excludepad").is_some() { [0; 4] } else { declared };
    let label = cx.kind.label();
    let mut text = format!("{label}({}{}", short(window.kernel), window_options(&Window { pad: declared, ..window }));
    if window.pad != declared {
        text += ", ceil";
    }
    if counted != declared {
        text += ", excludepad";
    }
    finish(cx, window, counted, output, text + ")")
}

fn global(cx: &Cx<'_>, site: crate::diag::Site) -> Outcome {
    let others = cx.args.slot("kernel").map(|arg| arg.site);
    let letters = ['s', 'd'].into_iter().filter_map(|letter| cx.args.option(letter, 0).ok().flatten());
    let padding = cx.args.padding().ok().flatten().map(|(_, site)| site);
    let others = others.into_iter().chain(letters.map(|(_, site)| site)).chain(padding);
    let words = ["same", "valid", "ceil", "excludepad"].into_iter().filter_map(|word| cx.args.has(word));
    let others = others.chain(words).next();
    if let Some(other) = others {
        let label = cx.kind.label();
        cx.report.option(other, format!("`global` takes the whole map as its window: write `{label}(global)`"));
    }
    let Some(map) = cx.map() else { return Outcome::Failed(None) };
    let output = Shape::Map(Map { c: map.c, h: 1, w: 1 });
    if others.is_some() || cx.args.is_bad() {
        return Outcome::Failed(Some(output));
    }
    let kernel = [map.h, map.w];
    let window = Window { kernel, stride: [1, 1], dilation: [1, 1], pad: [0; 4] };
    if is_too_large(cx.kind, kernel) {
        cx.report.option(site, large_window(kernel));
        return Outcome::Failed(Some(output));
    }
    finish(cx, window, [0; 4], output, format!("{}(global)", cx.kind.label()))
}

fn finish(cx: &Cx<'_>, window: Window, counted: [usize; 4], output: Shape, text: String) -> Outcome {
    if cx.kind == Kind::AvgPool {
        return Outcome::node(Op::AvgPool { window, counted }, output, text);
    }
    if is_too_large(cx.kind, window.kernel) {
        cx.report.shape_at(cx.args.slot("kernel").map(|arg| arg.site), large_window(window.kernel));
        return Outcome::Failed(Some(output));
    }
    Outcome::node(Op::MaxPool { window }, output, text)
}

/// Whether a pool takes a window that fits.
pub(super) fn takes(kind: Kind, options: &Options, window: &Window, map: Map) -> bool {
    too_much_padding(options).is_none()
        && reads_only_padding(window, map).is_none()
        && !is_too_large(kind, window.kernel)
}

/// Whether a window has more pixels than can be numbered.
pub(super) fn is_too_large(kind: Kind, [rows, columns]: [usize; 2]) -> bool {
    kind == Kind::Pool && rows.saturating_mul(columns) > LARGEST_WINDOW
}

fn large_window(kernel: [usize; 2]) -> String {
    format!("a max pooling window of {} has more than {LARGEST_WINDOW} pixels: pool in two steps", full(kernel))
}

/// More than half a window of padding would let windows read nothing else.
fn too_much_padding(options: &Options) -> Option<String> {
    let Padding::Explicit(pad) = options.padding else { return None };
    let most = [0, 1].map(|axis| span(options.kernel[axis], options.dilation[axis]) / 2);
    if (0..4).all(|side| pad[side] <= most[side % 2]) {
        return None;
    }
    let fix = if most == [0, 0] { "remove it".to_string() } else { format!("use at most `p{}`", short(most)) };
    Some(format!("padding {} is more than half of the {} window: {fix}", sides(pad), full(options.kernel)))
}

/// With dilation, all taps of a window can fall beside an input that is narrower than the gap between taps.
fn reads_only_padding(window: &Window, map: Map) -> Option<String> {
    let size = [map.h, map.w];
    let most = [0, 1].map(|axis| match window.kernel[axis] {
        1 => window.dilation[axis],
        _ => window.dilation[axis].min(size[axis]),
    });
    (most != window.dilation).then(|| {
        let (gaps, input, most) = (short(window.dilation), full(size), short(most));
        format!("dilation {gaps} steps over the whole {input} input: use at most `d{most}`")
    })
}
