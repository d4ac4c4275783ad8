//! `add` and `concat`: several branches become one value.

use super::Outcome;
use crate::infer::report::Report;
use crate::ir::{Map, Op, Shape};
use crate::lower::Layer;

/// The sum of values of one shape.
pub(super) fn add(layer: &Layer<'_>, inputs: &[Option<Shape>], report: &Report<'_>) -> Outcome {
    if too_few(layer, report) {
        return Outcome::Failed(inputs.first().copied().flatten());
    }
    let Some((first, shape)) = first_known(inputs) else { return Outcome::Failed(None) };
    for (branch, other) in inputs.iter().enumerate().skip(first + 1) {
        let Some(other) = other.filter(|other| *other != shape) else { continue };
        let message = format!("the branches of add differ: {other} here, {shape} in the other");
        let values = [layer.inputs[first], layer.inputs[branch]];
        let fix = add_padding(report, values, shape, other).or_else(|| add_fix(shape, other));
        let fix = fix.map_or_else(|| ": both need one shape".into(), |fix| format!(": {fix}"));
        report_branches(layer, report, [first, branch], [shape, other], message + &fix);
        return Outcome::Failed(None);
    }
    if inputs.contains(&None) {
        return Outcome::Failed(Some(shape));
    }
    Outcome::node(Op::Add, shape, "add")
}

/// The channels of all branches, one after the other.
pub(super) fn concat(layer: &Layer<'_>, inputs: &[Option<Shape>], report: &Report<'_>) -> Outcome {
    if too_few(layer, report) {
        return Outcome::Failed(None);
    }
    let Some((first, shape)) = first_known(inputs) else { return Outcome::Failed(None) };
    let mut channels: usize = 0;
    for (branch, other) in inputs.iter().enumerate().skip(first) {
        let Some(other) = *other else { continue };
        let joined = match (shape, other) {
            (Shape::Map(a), Shape::Map(b)) if (a.h, a.w) == (b.h, b.w) => channels.checked_add(b.c),
            (Shape::Flat(_), Shape::Flat(features)) => channels.checked_add(features),
            _ => {
                report_branches(layer, report, [first, branch], [shape, other], concat_message(shape, other));
                return Outcome::Failed(None);
            }
        };
        let Some(sum) = joined else {
            report.shape("the channels of the branches together are too many".into());
            return Outcome::Failed(None);
        };
        channels = sum;
    }
    if inputs.contains(&None) {
        return Outcome::Failed(None);
    }
    let output = match shape {
        Shape::Map(map) => Shape::Map(Map { c: channels, ..map }),
        Shape::Flat(_) => Shape::Flat(channels),
    };
    Outcome::node(Op::Concat, output, "concat")
}

fn first_known(inputs: &[Option<Shape>]) -> Option<(usize, Shape)> {
    inputs.iter().enumerate().find_map(|(branch, shape)| shape.map(|shape| (branch, shape)))
}

pub(super) fn too_few(layer: &Layer<'_>, report: &Report<'_>) -> bool {
    let label = layer.kind.label();
    if layer.branches.len() < 2 {
        let count = if layer.branches.is_empty() { "no branch" } else { "one branch" };
        let message = format!("{label} joins at least two branches and has {count}: write `{label}(id, ...)`");
        report.option(report.call(), message);
    }
    layer.branches.len() < 2
}

pub(super) fn report_branches(
    layer: &Layer<'_>,
    report: &Report<'_>,
    branches: [usize; 2],
    shapes: [Shape; 2],
    message: String,
) {
    let [first, second] = branches.map(|branch| layer.branches[branch]);
    let notes = [(first, branches[0], shapes[0]), (second, branches[1], shapes[1])].map(|(site, branch, shape)| {
        let trail = report.trail(layer.inputs[branch]);
        format!("branch {} at {}: {shape} ({trail})", branch + 1, site.line_col())
    });
    report.branch(second, message, notes);
}

/// The padding that keeps the smaller branch as large as the other, where only rows and columns differ.
pub(super) fn add_padding(report: &Report<'_>, values: [usize; 2], first: Shape, second: Shape) -> Option<String> {
    let (Shape::Map(a), Shape::Map(b)) = (first, second) else { return None };
    if a.c != b.c {
        return None;
    }
    let (small, large, wanted) = if a.h < b.h { (values[0], values[1], b) } else { (values[1], values[0], a) };
    report.padding_fix(small, large, wanted)
}

/// The layer that gives one branch the shape of the other.
pub(super) fn add_fix(first: Shape, second: Shape) -> Option<String> {
    let (a, b) = match (first, second) {
        (Shape::Map(a), Shape::Map(b)) => (a, b),
        (Shape::Map(map), Shape::Flat(features)) | (Shape::Flat(features), Shape::Map(map))
            if map.c * map.h * map.w == features =>
        {
            return Some("write `-> flatten` at the end of the branch that is a map".into());
        }
        _ => return None,
    };
    if (a.h, a.w) == (b.h, b.w) {
        return Some(format!(
            "write `-> conv({}, 1x1)` at the end of this branch, or let its last layer give {} channels",
            a.c, a.c
        ));
    }
    let (large, small, place) = if a.h >= b.h { (a, b, "the other branch") } else { (b, a, "this branch") };
    let stride = large.h.div_ceil(small.h);
    let fits = |size: usize| (size - 1) / stride + 1;
    ((fits(large.h), fits(large.w)) == (small.h, small.w))
        .then(|| format!("write `-> shortcut({}, s{stride})` at the end of {place}", small.c))
}

fn concat_message(first: Shape, second: Shape) -> String {
    match (first, second) {
        (Shape::Map(a), Shape::Map(b)) => {
            let same = format!(
                "concat joins channels of maps of one size: {}x{} here, {}x{} in the other",
                b.h, b.w, a.h, a.w
            );
            let (large, small, place) = if a.h >= b.h { (a, b, "the other branch") } else { (b, a, "this branch") };
            let scale = large.h / small.h;
            if scale > 1 && (small.h * scale, small.w * scale) == (large.h, large.w) {
                let other = if place == "this branch" { "the other branch" } else { "this branch" };
                format!(
                    "{same}: write `-> pool({scale})` at the end of {place}, or `-> upsample({scale})` at the end of {other}"
                )
            } else {
                format!("{same}: both need one height and width")
            }
        }
        _ => "concat cannot join a map and a flat value: write `-> flatten` at the end of the branch that is a map"
            .into(),
    }
}
