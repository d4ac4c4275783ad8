//! Values of different shapes together: an axis along which one has size 1 is repeated along the others'.
//!
//! Axes along which all values go on alike are taken as one, so that equal shapes are one long row, and a value per
//! channel is a row per plane. Sums over repeated axes are in single precision within a block and in double over
//! blocks, in an order that depends on the shapes only.

#![allow(unsafe_code)] // tasks write parts of one slice

mod walk;

use std::ops::Range;

pub(crate) use self::walk::{Along, Operand, Walk};
use self::walk::{Axes, Axis, Odometer};
use super::parallel::{self, Shared};
use super::pieces::{CHUNK, each, put};
use super::sums::{LANES, Running};
use super::wide::wide;
use crate::desc::Write;

/// What one value of a sum costs, in multiply-adds.
const COST: usize = 8;

/// Sets or adds `f(a, b)` for each element of the output, the walk's first value.
pub(crate) fn map<const ADD: bool>(
    walk: &Walk,
    values: [&[f32]; 2],
    output: &mut [f32],
    f: impl Fn(f32, f32) -> f32 + Sync,
) {
    map_at::<ADD>(walk, values, output, |_, a, b| f(a, b));
}

/// As [`map`], where `f` is told the place of each element first.
fn map_at<const ADD: bool>(
    walk: &Walk,
    values: [&[f32]; 2],
    output: &mut [f32],
    f: impl Fn(usize, f32, f32) -> f32 + Sync,
) {
    for_runs(
        walk,
        values,
        output,
        #[inline(always)]
        |range, output, values| row::<ADD>(output, range.start, values, &f),
    );
}

/// One run of [`map_at`] from place `start` on.
#[inline(always)]
fn row<const ADD: bool>(output: &mut [f32], start: usize, values: [Along<'_>; 2], f: impl Fn(usize, f32, f32) -> f32) {
    let output = output.iter_mut().zip(start..);
    match values {
        [Along::Each(a), Along::Each(b)] => {
            output.zip(a.iter().zip(b)).for_each(|((y, at), (&a, &b))| put::<ADD>(y, f(at, a, b)));
        }
        [Along::Each(a), Along::All(b)] => output.zip(a).for_each(|((y, at), &a)| put::<ADD>(y, f(at, a, b))),
        [Along::All(a), Along::Each(b)] => output.zip(b).for_each(|((y, at), &b)| put::<ADD>(y, f(at, a, b))),
        [Along::All(a), Along::All(b)] => output.for_each(|(y, at)| put::<ADD>(y, f(at, a, b))),
    }
}

/// Sets `f(io, b)` for each element of the walk's first value, in place; the second and the third are both `b`.
pub(crate) fn map_inplace(walk: &Walk, io: &mut [f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) {
    for_runs(
        walk,
        [b, b],
        io,
        #[inline(always)]
        |_, io, [_, b]| match b {
            Along::Each(b) => io.iter_mut().zip(b).for_each(|(x, &b)| *x = f(*x, b)),
            Along::All(b) => io.iter_mut().for_each(|x| *x = f(*x, b)),
        },
    );
}

/// Calls `f(elements, run of the output, what the others hold along it)` for each run of the walk's first value. `f` is
/// always inlined (`#[inline(always)]`), or it keeps the base instruction set.
pub(crate) fn for_runs(
    walk: &Walk,
    values: [&[f32]; 2],
    output: &mut [f32],
    f: impl Fn(Range<usize>, &mut [f32], [Along<'_>; 2]) + Sync,
) {
    let work = output.len();
    each(output, CHUNK, work, |piece, output| {
        let start = piece * CHUNK;
        wide(
            #[inline(always)]
            || {
                walk.runs(
                    start..start + output.len(),
                    #[inline(always)]
                    |range, at| {
                        let values = walk.along(values, at, range.len());
                        let run = range.start - start..range.end - start;
                        f(range, &mut output[run], values);
                    },
                );
            },
        );
    });
}

/// What is mapped, and summed, by name: so that all that map or sum the same share its code.
#[inline(always)]
pub(crate) fn product(a: f32, b: f32) -> f32 {
    a * b
}

/// As [`product`], the quotient.
#[inline(always)]
pub(crate) fn quotient(a: f32, b: f32) -> f32 {
    a / b
}

/// As [`product`], the first of two.
#[inline(always)]
pub(crate) fn first(a: f32, _: f32) -> f32 {
    a
}

/// The sum of a [`reduce`] with a sign.
pub(crate) fn signed(sign: f32) -> impl Fn(usize, f32) -> f32 + Sync {
    #[inline(always)]
    move |_, sum| sign * sum
}

/// Sets or adds, for each element of the target, `finish` of its index and of the sum of `f(a, b)` over the axes along
/// which it is repeated. The target is the walk's first value; the second is repeated along no axis.
pub(crate) fn reduce(
    walk: &Walk,
    [a, b]: [&[f32]; 2],
    target: &mut [f32],
    write: Write,
    f: impl Fn(f32, f32) -> f32 + Sync,
    finish: impl Fn(usize, f32) -> f32 + Sync,
) {
    if target.len() == a.len() {
        let f = |at, a, b| finish(at, f(a, b));
        return match write {
            Write::Set => map_at::<false>(walk, [a, b], target, f),
            Write::Add => map_at::<true>(walk, [a, b], target, f),
        };
    }
    if a.is_empty() {
        return target.iter_mut().enumerate().for_each(|(at, target)| set_or_add(write, target, finish(at, 0.0)));
    }
    let (mut kept, mut repeated) = (Axes::NONE, Axes::NONE);
    for axis in walk.outer.as_slice() {
        if axis.steps[0] == 0 { repeated.push(*axis) } else { kept.push(*axis) }
    }
    let sums = Sums { run: walk.run, kept, repeated, values: [a, b] };
    let terms = a.len() / target.len();
    let group = (CHUNK / terms).max(1).next_multiple_of(LANES.min(sums.together()));
    let (len, shared) = (target.len(), Shared::new(target));
    parallel::for_each(len.div_ceil(group), COST * a.len(), |task| {
        let range = task * group..((task + 1) * group).min(len);
        // SAFETY: tasks have disjoint ranges of the target.
        let target = unsafe { shared.part(range.clone()) };
        wide(
            #[inline(always)]
            || sums.run(range, target, write, &f, &finish),
        );
    });
}

/// As [`put`], for what is not within a loop that becomes vectors.
#[inline(always)]
fn set_or_add(write: Write, target: &mut f32, value: f32) {
    match write {
        Write::Set => put::<false>(target, value),
        Write::Add => put::<true>(target, value),
    }
}

/// The sums of a [`reduce`].
struct Sums<'a> {
    run: Axis,
    /// Outer axes along which the target goes on.
    kept: Axes,
    /// Outer axes along which it is repeated.
    repeated: Axes,
    values: [&'a [f32]; 2],
}

impl Sums<'_> {
    /// Elements of the target that stand side by side in a run of the others.
    fn together(&self) -> usize {
        if self.run.steps[0] == 0 { 1 } else { self.run.len }
    }

    #[inline(always)]
    fn run(
        &self,
        range: Range<usize>,
        target: &mut [f32],
        write: Write,
        f: impl Fn(f32, f32) -> f32,
        finish: impl Fn(usize, f32) -> f32,
    ) {
        let together = self.together();
        let (mut at, mut place) = (range.start, Odometer::new(self.kept, range.start / together));
        while at < range.end {
            let skip = at % together;
            let len = (together - skip).min(range.end - at).min(LANES);
            let start = [1, 2].map(|value| place.at[value] + skip * self.run.steps[value]);
            let targets = target[at - range.start..].iter_mut().zip(at..at + len);
            if self.run.steps[0] == 0 {
                let sum = self.along_runs(start, &f);
                targets.for_each(|(target, at)| set_or_add(write, target, finish(at, sum)));
            } else {
                let sums = self.across_runs(start, len, &f);
                targets.zip(sums).for_each(|((target, at), sum)| set_or_add(write, target, finish(at, sum as f32)));
            }
            at += len;
            if skip + len == together {
                place.advance();
            }
        }
    }

    /// How many runs go into each element.
    fn count(&self) -> usize {
        self.repeated.as_slice().iter().map(|axis| axis.len).product()
    }

    /// The sum of whole runs, one for each place along the repeated axes.
    #[inline(always)]
    fn along_runs(&self, [a, b]: [usize; 2], f: impl Fn(f32, f32) -> f32) -> f32 {
        let mut running = Running::new();
        let mut place = Odometer::new(self.repeated, 0);
        for _ in 0..self.count() {
            let (mut first, end) = (a + place.at[1], a + place.at[1] + self.run.len);
            let mut other = b + place.at[2];
            while first < end {
                let len = Running::BLOCK.min(end - first);
                let values = &self.values[0][first..first + len];
                match Along::new(self.values[1], other, self.run.steps[2], len) {
                    Along::Each(others) => running.add(values, others, &f),
                    Along::All(other) => running.add(values, values, |value, _| f(value, other)),
                }
                (first, other) = (first + len, other + len * self.run.steps[2]);
            }
            place.advance();
        }
        running.total()
    }

    /// The sums of `len` elements of a run, over all places along the repeated axes.
    #[inline(always)]
    fn across_runs(&self, [a, b]: [usize; 2], len: usize, f: impl Fn(f32, f32) -> f32) -> [f64; LANES] {
        let mut sums = [0.0f64; LANES];
        let mut place = Odometer::new(self.repeated, 0);
        for _ in 0..self.count() {
            let values = &self.values[0][a + place.at[1]..][..len];
            match Along::new(self.values[1], b + place.at[2], self.run.steps[2], len) {
                Along::Each(others) => {
                    sums.iter_mut().zip(values.iter().zip(others)).for_each(|(s, (&a, &b))| *s += f64::from(f(a, b)));
                }
                Along::All(other) => {
                    sums.iter_mut().zip(values).for_each(|(s, &a)| *s += f64::from(f(a, other)));
                }
            }
            place.advance();
        }
        sums
    }
}
