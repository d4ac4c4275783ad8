//! Sliding windows: kernel, stride, padding, dilation, and the sizes they lead to.

use cnn_model::window::{explicit, same, span};

use super::text::{either, full, short};
use super::{Cx, Kind, pool};
use crate::diag::Site;
use crate::ir::{Map, Op, Window};
use crate::lower::Layer;

/// How a window is padded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Padding {
    /// Top, left, bottom and right.
    Explicit([usize; 4]),
    /// As much as makes the output `ceil(input / stride)`, the odd one at the bottom and right.
    Same,
}

/// A window before its input is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    pub(super) padding: Padding,
    pub(super) padding_site: Option<Site>,
    /// Whether a last window may begin inside the input and end behind its padding.
    pub(super) ceil: bool,
}

/// Reads stride, dilation and padding. All of them are looked at before the first error ends it.
pub(super) fn options(cx: &Cx<'_>, kernel: Result<[usize; 2], ()>, stride: [usize; 2]) -> Result<Options, ()> {
    let given_stride = cx.args.option('s', 1);
    let dilation = cx.args.option('d', 1);
    let padding = padding(cx);
    let (padding, padding_site) = padding?;
    Ok(Options {
        kernel: kernel?,
        stride: given_stride?.map_or(stride, |(sizes, _)| sizes),
        dilation: dilation?.map_or([1, 1], |(sizes, _)| sizes),
        padding,
        padding_site,
        ceil: cx.args.has("ceil").is_some(),
    })
}

fn padding(cx: &Cx<'_>) -> Result<(Padding, Option<Site>), ()> {
    let explicit = cx.args.padding()?;
    let (same, valid) = (cx.args.has("same"), cx.args.has("valid"));
    let mut given: Vec<Site> = explicit.iter().map(|(_, site)| *site).chain(same).chain(valid).collect();
    given.sort_by_key(|site| site.key());
    if let [first, second, ..] = given[..] {
        let place = first.line_col();
        cx.report.option(second, format!("the padding is given twice, first at {place}: keep one of the two"));
        return Err(());
    }
    Ok(match (explicit, same) {
        (Some((sizes, site)), _) => (Padding::Explicit(sizes), Some(site)),
        (None, Some(site)) => (Padding::Same, Some(site)),
        (None, None) => (Padding::Explicit([0; 4]), None),
    })
}

/// Padding before and after, and the output size, along one axis; `None` where the kernel does not fit.
fn axis(input: usize, options: &Options, axis: usize) -> Option<(usize, usize, usize)> {
    let (stride, span) = (options.stride[axis], span(options.kernel[axis], options.dilation[axis]));
    match options.padding {
        Padding::Explicit(pad) => {
            let (before, after) = (pad[axis], pad[axis + 2]);
            let (windows, behind) = explicit(input, span, stride, [before, after], options.ceil)?;
            Some((before, after + behind, windows))
        }
        Padding::Same => {
            let (windows, total) = same(input, span, stride)?;
            Some((total / 2, total - total / 2, windows))
        }
    }
}

/// The window on an input and the size of its output; reports a kernel that does not fit.
pub(super) fn resolve(cx: &Cx<'_>, options: &Options, input: Map) -> Option<(Window, [usize; 2])> {
    let placed = place(options, input);
    if placed.is_none() {
        cx.report.shape_at(cx.args.slot("kernel").map(|arg| arg.site), misfit(cx, options, input));
    }
    placed
}

fn place(options: &Options, input: Map) -> Option<(Window, [usize; 2])> {
    let (top, bottom, h) = axis(input.h, options, 0)?;
    let (left, right, w) = axis(input.w, options, 1)?;
    let pad = [top, left, bottom, right];
    Some((Window { kernel: options.kernel, stride: options.stride, dilation: options.dilation, pad }, [h, w]))
}

/// What does not fit, and every way out that really works.
fn misfit(cx: &Cx<'_>, options: &Options, input: Map) -> String {
    let size = [input.h, input.w];
    let spans = [0, 1].map(|axis| span(options.kernel[axis], options.dilation[axis]));
    let pad = match options.padding {
        Padding::Explicit(pad) => pad,
        Padding::Same => [0; 4],
    };
    let padded = [0, 1].map(|axis| size[axis].saturating_add(pad[axis]).saturating_add(pad[axis + 2]));
    let mut text = full(options.kernel);
    if options.dilation != [1, 1] {
        text += &format!(" with dilation {} spans {}, which", short(options.dilation), full(spans));
    }
    text += &format!(" does not fit {}", full(size));
    if pad != [0; 4] {
        text += &format!(" padded to {}", full(padded));
    }
    let ways = ways_out(cx.kind, options, input, padded);
    let uses = if ways.is_empty() { "a smaller window".into() } else { either(&ways) };
    let drop = cx.report.droppable_pool(spans, pad).map_or_else(String::new, |pool| format!(", or drop {pool}"));
    let fewer = match cx.report.rounds() {
        0 => String::new(),
        1 => ", or do not repeat it".into(),
        rounds => format!(", or repeat it at most {rounds} times"),
    };
    // An input whose rows look like channels was probably declared in the order of image files.
    let last = match input {
        Map { c, h, w: w @ ..=4 } if c == h && w < c && cx.report.reads_the_input() => {
            format!(", or declare `<{w}x{c}x{h}>`: channels come first")
        }
        _ => String::new(),
    };
    format!("{text}: use {uses}{drop}{fewer}{last}")
}

/// The kernel, dilation or padding with which the window fits in the place of the one written, and what else a pool has.
fn ways_out(kind: Kind, options: &Options, input: Map, padded: [usize; 2]) -> Vec<String> {
    let Options { kernel, dilation, .. } = *options;
    let size = [input.h, input.w];
    let pool = matches!(kind, Kind::Pool | Kind::AvgPool);
    let fitting = [0, 1].map(|axis| largest(padded[axis], kernel[axis], dilation[axis], !pool));
    let gap = [0, 1].map(|axis| {
        let fits = (padded[axis] - 1) / kernel[axis].saturating_sub(1).max(1);
        // All taps of a pool may not fall beside its input.
        fits.min(if pool { size[axis] } else { fits }).clamp(1, dilation[axis])
    });
    let needed = [0, 1].map(|axis| span(kernel[axis], dilation[axis]).saturating_sub(size[axis]).div_ceil(2));
    // More padding than a map or a kernel has pixels is hardly what was meant.
    let little = (0..2).all(|axis| needed[axis] <= size[axis].max(kernel[axis]));
    let explicit = Padding::Explicit([needed[0], needed[1], needed[0], needed[1]]);
    let ways = [
        Some((if pool { short(fitting) } else { full(fitting) }, Options { kernel: fitting, ..*options })),
        Some((format!("`d{}`", short(gap)), Options { dilation: gap, ..*options })),
        Some(("`same`".into(), Options { padding: Padding::Same, ..*options })),
        (pool || little).then(|| (format!("`p{}`", short(needed)), Options { padding: explicit, ..*options })),
    ];
    let works = |options: &Options| {
        place(options, input).is_some_and(|(window, _)| !pool || pool::takes(kind, options, &window, input))
    };
    let mut ways: Vec<String> =
        ways.into_iter().flatten().filter(|(_, options)| works(options)).map(|(text, _)| text).collect();
    if pool && !pool::is_too_large(kind, size) {
        ways.push("`global`".into());
    }
    ways
}

/// The largest kernel, no larger than the one written, whose span fits; odd unless it is the one written.
fn largest(room: usize, kernel: usize, dilation: usize, odd: bool) -> usize {
    let fits = (room.saturating_sub(1) / dilation + 1).min(kernel);
    if !odd || fits == kernel || !fits.is_multiple_of(2) { fits } else { fits - 1 }
}

/// The symmetric padding with which a layer turns `input` into `output`, if there is one that it allows: less than a
/// window, or half of one for a pool.
pub(crate) fn padding_for(layer: &Layer<'_>, op: &Op, input: [usize; 2], output: [usize; 2]) -> Option<String> {
    if layer.says("global") { None } else { least_padding(op, layer.says("ceil"), input, output) }
}

/// With `ceil`, a last window may end behind the padding.
fn least_padding(op: &Op, ceil: bool, input: [usize; 2], output: [usize; 2]) -> Option<String> {
    let (window, pool) = match op {
        Op::Conv { window, .. } => (window, false),
        Op::MaxPool { window } | Op::AvgPool { window, .. } => (window, true),
        _ => return None,
    };
    let Window { kernel, stride, dilation, .. } = *window;
    let mut pads = [0; 2];
    for at in 0..2 {
        let span = span(kernel[at], dilation[at]);
        let last = (output[at] - 1).checked_mul(stride[at])?;
        let least = |pixels: usize| pixels.saturating_sub(input[at]);
        pads[at] = if ceil {
            // The windows before the last one leave a pixel, and the last one begins on the input.
            let before = last.checked_add(span)?.checked_add(1)?.saturating_sub(stride[at]);
            least(before).div_ceil(2).max(least(last + 1))
        } else {
            least(last.checked_add(span)?).div_ceil(2)
        };
        let padding = Padding::Explicit([pads[at]; 4]);
        let options = Options { kernel, stride, dilation, padding, padding_site: None, ceil };
        let most = if pool { span / 2 } else { span - 1 };
        if pads[at] > most || axis(input[at], &options, at)?.2 != output[at] {
            return None;
        }
    }
    Some(format!("p{}", short(pads)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options_of(kernel: usize, stride: usize, dilation: usize, padding: Padding) -> Options {
        let (kernel, stride, dilation) = ([kernel; 2], [stride; 2], [dilation; 2]);
        Options { kernel, stride, dilation, padding, padding_site: None, ceil: false }
    }

    #[test]
    fn each_side_has_its_own_padding() {
        let options = options_of(3, 2, 1, Padding::Explicit([0, 1, 2, 3]));
        assert_eq!(axis(6, &options, 0), Some((0, 2, 3)));
        assert_eq!(axis(6, &options, 1), Some((1, 3, 4)));
        // A last window behind the padding reads more of it.
        let options = Options { ceil: true, ..options_of(3, 2, 1, Padding::Explicit([0, 1, 0, 1])) };
        assert_eq!((axis(8, &options, 0), axis(9, &options, 1)), (Some((0, 1, 4)), Some((1, 1, 5))));
    }

    #[test]
    fn same_puts_the_odd_row_behind() {
        assert_eq!(axis(28, &options_of(5, 1, 1, Padding::Same), 0), Some((2, 2, 28)));
        assert_eq!(axis(6, &options_of(3, 2, 1, Padding::Same), 0), Some((0, 1, 3)));
        assert_eq!(axis(5, &options_of(2, 1, 1, Padding::Same), 0), Some((0, 1, 5)));
    }

    #[test]
    fn the_fix_for_a_misfit_fits() {
        for room in 1..40 {
            for kernel in 1..12 {
                for dilation in 1..4 {
                    let fix = largest(room, kernel, dilation, true);
                    assert!(fix >= 1 && span(fix, dilation) <= room && fix <= kernel, "{room} {kernel} {dilation}");
                }
            }
        }
    }

    #[test]
    fn the_padding_for_an_annotation_gives_it() {
        let window = Window { kernel: [5, 5], stride: [1, 1], dilation: [1, 1], pad: [0; 4] };
        let conv = |window| Op::Conv { window, groups: 1, bias: true, direct: false };
        assert_eq!(least_padding(&conv(window), false, [28, 28], [28, 28]), Some("p2".into()));
        assert_eq!(least_padding(&conv(window), false, [28, 28], [27, 27]), None);
        assert_eq!(least_padding(&conv(window), false, [28, 28], [32, 30]), Some("p4x3".into()));
        assert_eq!(least_padding(&Op::MaxPool { window }, false, [28, 28], [32, 30]), None);
        let window = Window { stride: [2, 2], ..window };
        assert_eq!(least_padding(&conv(window), false, [28, 28], [14, 14]), Some("p2".into()));
        assert_eq!(least_padding(&conv(window), false, [28, 28], [10, 10]), None);
    }

    #[test]
    fn the_least_padding_is_found_if_there_is_one() {
        let sizes = |most: usize| 1..=most;
        for (input, kernel, stride, dilation) in sizes(8)
            .flat_map(|input| sizes(5).map(move |kernel| (input, kernel)))
            .flat_map(|(input, kernel)| sizes(3).map(move |stride| (input, kernel, stride)))
            .flat_map(|(input, kernel, stride)| sizes(2).map(move |dilation| (input, kernel, stride, dilation)))
        {
            let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [dilation; 2], pad: [0; 4] };
            for (ceil, output) in [false, true].into_iter().flat_map(|ceil| sizes(12).map(move |output| (ceil, output)))
            {
                let gives = |pad: &usize| {
                    let options =
                        Options { ceil, ..options_of(kernel, stride, dilation, Padding::Explicit([*pad; 4])) };
                    axis(input, &options, 0).is_some_and(|(_, _, size)| size == output)
                };
                let least = (0..=span(kernel, dilation) / 2).find(gives).map(|pad| format!("p{pad}"));
                let found = least_padding(&Op::MaxPool { window }, ceil, [input; 2], [output; 2]);
                assert_eq!(found, least, "{input} {kernel} {stride} {dilation} {ceil} {output}");
            }
        }
    }
}
