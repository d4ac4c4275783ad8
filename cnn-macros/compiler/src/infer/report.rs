//! Errors of layers, with the shapes that led there.

use std::cell::Cell;

use cnn_model::window::{explicit, span};

use super::Value;
use crate::diag::{Diagnostic, Diagnostics, SHOWN, Site};
use crate::ir::{Map, Op, Shape};
use crate::lower::{Layer, Lowered, call_notes};
use crate::op::{Kind, padding_for};

/// Where the rule of one layer sends its errors, and asks about the layers before.
pub(crate) struct Report<'c> {
    lowered: &'c Lowered<'c>,
    values: &'c [Value<'c>],
    diagnostics: &'c Diagnostics,
    layer: &'c Layer<'c>,
    /// Whether another expansion of the same source has reported its errors.
    mute: bool,
    errors: Cell<usize>,
}

impl<'c> Report<'c> {
    pub(super) fn new(
        lowered: &'c Lowered<'c>,
        values: &'c [Value<'c>],
        diagnostics: &'c Diagnostics,
        layer: &'c Layer<'c>,
        mute: bool,
    ) -> Self {
        Self { lowered, values, diagnostics, layer, mute, errors: Cell::new(0) }
    }

    /// Whether an error was reported.
    pub(super) fn any(&self) -> bool {
        self.errors.get() > 0
    }

    fn push(&self, site: Site, message: String, notes: impl IntoIterator<Item = String>) {
        self.errors.set(self.errors.get() + 1);
        if self.mute {
            return;
        }
        let message = format!("`{}`: {message}", self.layer.name);
        let mut notes: Vec<String> = notes.into_iter().collect();
        notes.extend(call_notes(&self.lowered.frames, self.layer.frame));
        self.diagnostics.push(Diagnostic { site, message, notes });
    }

    /// An argument that is wrong whatever the input is.
    pub(crate) fn option(&self, site: Site, message: String) {
        self.push(site, message, None);
    }

    /// A layer that does not go with its input.
    pub(crate) fn shape(&self, message: String) {
        self.shape_at(None, message);
    }

    /// An argument that does not go with the input; the whole layer where the argument was not written.
    pub(crate) fn shape_at(&self, site: Option<Site>, message: String) {
        let note = self.layer.inputs.first().map(|input| format!("shapes: {}", self.trail(*input)));
        self.push(site.unwrap_or(self.layer.call.site), message, note);
    }

    /// A branch that does not go with another.
    pub(crate) fn branch(&self, site: Site, message: String, notes: [String; 2]) {
        self.push(site, message, notes);
    }

    /// The layer's name and parentheses.
    pub(crate) fn call(&self) -> Site {
        self.layer.call.site
    }

    /// Whether the layer reads the input of the network.
    pub(crate) fn reads_the_input(&self) -> bool {
        self.layer.inputs.first().is_some_and(|input| self.values[*input].from.is_none())
    }

    /// How many rounds of the repeat around the layer went well.
    pub(crate) fn rounds(&self) -> usize {
        self.layer.rounds
    }

    /// The parameters of the block around the layer.
    pub(crate) fn params(&self) -> Vec<String> {
        self.lowered.frames[self.layer.frame].params.iter().map(|param| param.to_string()).collect()
    }

    /// Whether a network around the layer says `direct`.
    pub(crate) fn direct(&self) -> bool {
        self.lowered.frames[self.layer.frame].direct
    }

    /// The shapes from the network's input to a value.
    pub(crate) fn trail(&self, value: usize) -> String {
        if self.is_unread() { String::new() } else { trail(self.values, value) }
    }

    /// Whether nobody reads what an error here says: it need not be found out.
    pub(crate) fn is_unread(&self) -> bool {
        self.mute || self.diagnostics.len() >= SHOWN
    }

    /// The layer that made the input flat.
    pub(crate) fn flattened_by(&self) -> Option<String> {
        let mut value = *self.layer.inputs.first()?;
        loop {
            let this = &self.values[value];
            let before = this.from?;
            let shape = self.values[before].shape;
            if !matches!(shape, Some(Shape::Flat(_))) {
                // Behind an unknown value an annotation may be what says so.
                let flattens = |layer: &&Layer<'_>| {
                    shape.is_some() || matches!(layer.kind, Kind::Fc | Kind::Flatten | Kind::Reshape | Kind::Expand)
                };
                return this.layer.filter(flattens).map(|layer| format!("`{}` (layer {})", layer.name, this.number));
            }
            value = before;
        }
    }

    /// The padding of the last window before a value that would make the value's rows and columns those of `wanted`, which
    /// are those of the value `other`: nothing where that window is before both.
    pub(crate) fn padding_fix(&self, mut value: usize, other: usize, wanted: Map) -> Option<String> {
        loop {
            let (at, this) = (value, &self.values[value]);
            value = this.from?;
            match this.op {
                Some(op @ (Op::Conv { .. } | Op::MaxPool { .. } | Op::AvgPool { .. })) => {
                    if self.is_before(at, other) {
                        return None;
                    }
                    let Some(Shape::Map(map)) = self.values[value].shape else { return None };
                    let layer = this.layer?;
                    let padding = padding_for(layer, &op, [map.h, map.w], [wanted.h, wanted.w])?;
                    return Some(format!("give `{}` the padding `{padding}`", layer.name));
                }
                Some(Op::Act(_) | Op::Trained { .. } | Op::BatchNorm { .. } | Op::Lrn { .. } | Op::Dropout { .. }) => {}
                _ => return None,
            }
        }
    }

    /// Whether a value is made from another one, or is that one.
    fn is_before(&self, first: usize, last: usize) -> bool {
        let mut reached = vec![false; last.max(first) + 1];
        reached[last] = true;
        for (at, value) in self.values.iter().enumerate().take(last + 1).skip(first + 1).rev() {
            if reached[at] {
                let inputs = value.layer.map_or(value.from.as_slice(), |layer| &layer.inputs);
                inputs.iter().for_each(|input| reached[*input] = true);
            }
        }
        reached[first]
    }

    /// The last pool before this layer, where a window of `spans` would fit without it.
    pub(crate) fn droppable_pool(&self, spans: [usize; 2], pad: [usize; 4]) -> Option<String> {
        let mut value = *self.layer.inputs.first()?;
        let mut windows = Vec::new();
        loop {
            let this = &self.values[value];
            value = this.from?;
            match this.op {
                Some(Op::MaxPool { .. } | Op::AvgPool { .. }) => {
                    let Some(Shape::Map(map)) = self.values[value].shape else { return None };
                    let size = windows.iter().rev().try_fold([map.h, map.w], slide)?;
                    let fits = (0..2)
                        .all(|axis| size[axis].saturating_add(pad[axis]).saturating_add(pad[axis + 2]) >= spans[axis]);
                    return this
                        .layer
                        .filter(|_| fits)
                        .map(|layer| format!("`{}` (layer {})", layer.name, this.number));
                }
                Some(Op::Conv { window, .. }) => windows.push(window),
                None if this.layer.is_none() => {}
                Some(
                    Op::Act(_)
                    | Op::Trained { .. }
                    | Op::BatchNorm { .. }
                    | Op::Lrn { .. }
                    | Op::Dropout { .. }
                    | Op::Softmax { .. },
                ) => {}
                _ => return None,
            }
        }
    }
}

/// The size behind a window, with the padding that it has.
fn slide(size: [usize; 2], window: &crate::ir::Window) -> Option<[usize; 2]> {
    let along = |axis: usize| {
        let (span, pad) = (span(window.kernel[axis], window.dilation[axis]), [window.pad[axis], window.pad[axis + 2]]);
        explicit(size[axis], span, window.stride[axis], pad, false).map(|(windows, _)| windows)
    };
    Some([along(0)?, along(1)?])
}

/// The shapes from the input to a value, each with the layer that made it; long trails are cut in the middle.
pub(super) fn trail(values: &[Value<'_>], value: usize) -> String {
    trail_to(values, value, values[value].shape)
}

/// As [`trail`], for a value whose shape has just been withdrawn.
pub(super) fn trail_to(values: &[Value<'_>], value: usize, last: Option<Shape>) -> String {
    const ENDS: usize = 3;
    let mut parts = Vec::new();
    let text = |shape: Option<Shape>| shape.map_or_else(|| "?".into(), |shape| shape.to_string());
    let (mut at, mut shape) = (value, last);
    loop {
        let this = &values[at];
        let Some(before) = this.from else {
            parts.push(text(shape));
            break;
        };
        let earlier = values[before].shape;
        if earlier != shape || shape.is_none() {
            let name = this.layer.map_or("?", |layer| layer.name.as_str());
            parts.push(format!("{name} {}", text(shape)));
        }
        (at, shape) = (before, earlier);
    }
    parts.reverse();
    if parts.len() > 2 * ENDS + 1 {
        let cut = parts.len() - ENDS;
        parts.splice(ENDS..cut, ["...".to_string()]);
    }
    parts.join(" -> ")
}
