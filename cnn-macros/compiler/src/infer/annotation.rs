//! Shapes that the user wrote behind a step.

use cnn_model::window::span;

use super::cost::{MAX_ELEMENTS, elements};
use super::{Inference, Value, report};
use crate::ast::Dims;
use crate::diag::Diagnostic;
use crate::ir::{Map, Op, Shape, Window};
use crate::lower::{Layer, call_notes};
use crate::op::{Kind, padding_for};

impl Inference<'_> {
    /// Holds an annotation against what was inferred. Where nothing is known, the annotation is believed.
    pub(super) fn annotate(&mut self, value: usize, dims: &Dims, frame: usize) {
        let wanted = match dims.sizes[..] {
            [c, h, w] => Shape::Map(Map { c, h, w }),
            [features] => Shape::Flat(features),
            // Reported by the parser.
            _ => return,
        };
        match self.values[value].shape {
            Some(found) if found == wanted => {}
            Some(found) => {
                self.failed = true;
                self.values[value].shape = None;
                if self.seen.sites.insert(std::ptr::from_ref(dims)) {
                    let message = message(&self.values, value, found, wanted);
                    let mut notes = vec![format!("shapes: {}", report::trail_to(&self.values, value, Some(found)))];
                    notes.extend(call_notes(&self.lowered.frames, frame));
                    self.diagnostics.push(Diagnostic { site: dims.site, message, notes });
                }
            }
            None if elements(wanted).is_some_and(|elements| elements <= MAX_ELEMENTS) => {
                self.values[value].shape = Some(wanted);
            }
            None => {}
        }
    }
}

fn message(values: &[Value<'_>], value: usize, found: Shape, wanted: Shape) -> String {
    let Some(layer) = values[value].layer else {
        return format!("the shape here is {found}, not {wanted}: write `<{found}>`");
    };
    let mut fixes = vec![format!("write `<{found}>`")];
    let mut why = String::new();
    let input = values[value].from.and_then(|from| values[from].shape);
    match (found, wanted) {
        (Shape::Map(a), Shape::Map(b)) => {
            if let (Some(window), Some(Shape::Map(before))) = (window(values[value].op.as_ref()), input) {
                why = arithmetic(&window, before, a, b);
                let padding = values[value].op.and_then(|op| padding_for(layer, &op, [before.h, before.w], [b.h, b.w]));
                let rows = ((a.h, a.w) != (b.h, b.w)).then(|| padding.map(|padding| format!("use `{padding}`")));
                let channels = (a.c != b.c).then(|| channels(layer, values[value].op.as_ref(), before.c, b.c));
                // Where both differ neither is enough alone.
                let both: Option<Vec<String>> = rows.into_iter().chain(channels).collect();
                fixes.extend(both.map(|both| both.join(" and ")));
            }
        }
        (Shape::Map(map), Shape::Flat(features)) if map.c * map.h * map.w == features => {
            fixes.push("add `-> flatten` before the annotation".into());
        }
        (Shape::Flat(_), Shape::Flat(features)) if matches!(values[value].op, Some(Op::Fc { .. })) => {
            fixes.push(format!("ask for {features} outputs"));
        }
        _ => {}
    }
    format!("`{}` gives {found}, not {wanted}{why}: {}", layer.name, fixes.join(", or "))
}

/// The window of a layer.
fn window(op: Option<&Op>) -> Option<Window> {
    match op? {
        Op::Conv { window, .. } | Op::MaxPool { window } | Op::AvgPool { window, .. } => Some(*window),
        _ => None,
    }
}

/// How a convolution of `input` channels gets `wanted` output channels, which its groups must divide.
fn channels(layer: &Layer<'_>, op: Option<&Op>, input: usize, wanted: usize) -> Option<String> {
    let Some(&Op::Conv { groups, .. }) = op else { return None };
    match layer.kind {
        Kind::DwConv => wanted.is_multiple_of(input).then(|| format!("give it `m{}`", wanted / input)),
        _ => wanted.is_multiple_of(groups).then(|| format!("ask for {wanted} output channels")),
    }
}

/// The sums behind the rows and columns that differ.
fn arithmetic(window: &Window, before: Map, found: Map, wanted: Map) -> String {
    let [top, left, bottom, right] = window.pad;
    let line = |axis: usize, size: usize, pads: [usize; 2], out: usize| {
        let span = span(window.kernel[axis], window.dilation[axis]);
        format!("({size} + {} + {} - {span}) / {} + 1 = {out}", pads[0], pads[1], window.stride[axis])
    };
    let mut lines = Vec::new();
    if found.h != wanted.h {
        lines.push(format!("rows {}", line(0, before.h, [top, bottom], found.h)));
    }
    if found.w != wanted.w {
        let columns = line(1, before.w, [left, right], found.w);
        match lines.first_mut() {
            Some(rows) if rows.ends_with(&columns) => *rows = format!("rows and columns {columns}"),
            _ => lines.push(format!("columns {columns}")),
        }
    }
    if lines.is_empty() { String::new() } else { format!(" ({})", lines.join(", ")) }
}
