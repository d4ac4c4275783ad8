//! `mul`, `sub` and `div`: branches joined element by element, where an axis of size 1 is repeated.

use super::join::{add_fix, add_padding, report_branches, too_few};
use super::{Built, Outcome};
use crate::infer::report::Report;
use crate::ir::{Arith, Map, Op, Shape};
use crate::lower::Layer;

/// The shape in which all axes have the size that is not 1.
pub(super) fn infer(arith: Arith, layer: &Layer<'_>, inputs: &[Option<Shape>], report: &Report<'_>) -> Outcome {
    if too_few(layer, report) || too_many(arith, layer, report) {
        return Outcome::Failed(None);
    }
    let (mut known, mut nodes) = (Vec::new(), Vec::new());
    for (branch, shape) in inputs.iter().enumerate().filter_map(|(branch, shape)| Some((branch, (*shape)?))) {
        if let Some(&(other, with)) = known.iter().find(|(_, with)| broadcast(*with, shape).is_none()) {
            let message = message(layer, report, [other, branch], [with, shape]);
            report_branches(layer, report, [other, branch], [with, shape], message);
            return Outcome::Failed(None);
        }
        known.push((branch, shape));
    }
    if inputs.contains(&None) {
        return Outcome::Failed(None);
    }
    let mut output = known[0].1;
    for &(_, shape) in &known[1..] {
        output = broadcast(output, shape).unwrap_or(output);
        nodes.push(Built { op: Op::Arith(arith), output, text: layer.kind.label().into() });
    }
    Outcome::Fold(nodes)
}

/// The shape of two values together.
pub(super) fn broadcast(a: Shape, b: Shape) -> Option<Shape> {
    let axis = |a: usize, b: usize| match (a, b) {
        (1, size) | (size, 1) => Some(size),
        (a, b) => (a == b).then_some(a),
    };
    match (a, b) {
        (Shape::Map(a), Shape::Map(b)) => {
            Some(Shape::Map(Map { c: axis(a.c, b.c)?, h: axis(a.h, b.h)?, w: axis(a.w, b.w)? }))
        }
        (Shape::Flat(a), Shape::Flat(b)) => axis(a, b).map(Shape::Flat),
        _ => None,
    }
}

/// `sub` and `div` take two branches.
fn too_many(arith: Arith, layer: &Layer<'_>, report: &Report<'_>) -> bool {
    let (label, count) = (layer.kind.label(), layer.branches.len());
    let surplus = arith != Arith::Mul && count > 2;
    if surplus {
        let message = format!("{label} takes two branches and has {count}: write `{label}({label}(a, b), c)`");
        report.option(layer.branches[2], message);
    }
    surplus
}

fn message(layer: &Layer<'_>, report: &Report<'_>, branches: [usize; 2], [first, second]: [Shape; 2]) -> String {
    let differ = format!("the branches of {} differ: {second} here, {first} in the other", layer.kind.label());
    let Some((axis, a, b)) = difference(first, second) else {
        return format!("{differ}: {}", of_one_kind(first, second));
    };
    let fix = match (first, second) {
        (Shape::Map(a), Shape::Map(b)) if broadcast(first, Shape::Map(Map { c: a.c, ..b })).is_some() => Some(format!(
            "write `-> conv({0}, 1x1)` at the end of this branch, or let its last layer give {0} channels",
            a.c
        )),
        _ => add_padding(report, branches.map(|branch| layer.inputs[branch]), first, second)
            .or_else(|| add_fix(first, second)),
    };
    let fix = fix.unwrap_or_else(|| "both need one size, or one of them 1".into());
    format!("{differ}, where {b} and {a} {axis} are neither equal nor 1: {fix}")
}

/// The first axis of two values of one kind whose sizes do not go together.
pub(super) fn difference(a: Shape, b: Shape) -> Option<(&'static str, usize, usize)> {
    let names: &[&str] = match (a, b) {
        (Shape::Map(_), Shape::Map(_)) => &["channels", "rows", "columns"],
        (Shape::Flat(_), Shape::Flat(_)) => &["features"],
        _ => return None,
    };
    let sizes = a.dims().into_iter().zip(b.dims());
    names.iter().zip(sizes).map(|(name, (a, b))| (*name, a, b)).find(|&(_, a, b)| a != b && a != 1 && b != 1)
}

/// How a map and a flat value become of one kind.
fn of_one_kind(first: Shape, second: Shape) -> String {
    match (first, second) {
        (Shape::Map(map), Shape::Flat(features)) | (Shape::Flat(features), Shape::Map(map))
            if features == map.c || features == 1 =>
        {
            format!("write `-> reshape({features}x1x1)` at the end of the branch that is flat")
        }
        _ if broadcast(Shape::Flat(first.len()), Shape::Flat(second.len())).is_some() => {
            "write `-> flatten` at the end of the branch that is a map".into()
        }
        _ => "both need to be maps, or both flat, of sizes that are equal or 1".into(),
    }
}
