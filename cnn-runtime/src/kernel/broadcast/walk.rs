//! The way through several values at once: which axes all go on along, which repeat one of them, and which are one.

use std::ops::Range;

use crate::desc::{Map, Order};

/// A value that takes part in a walk.
#[derive(Clone, Copy)]
pub(crate) struct Operand {
    map: Map,
    /// Whether each sample has its own; else one is repeated for all.
    batched: bool,
}

impl Operand {
    /// A value with samples of this shape.
    pub(crate) fn of_samples(map: Map) -> Self {
        Operand { map, batched: true }
    }

    /// A tensor that all samples share.
    pub(crate) fn shared(map: Map) -> Self {
        Operand { map, batched: false }
    }

    /// How far apart neighbours along each axis stand: samples, channels, rows and columns; where some value has its
    /// channels in blocks, samples, blocks, positions and the channels of a block.
    fn steps(self, in_blocks: bool) -> [usize; 4] {
        let Map { c, h, w, .. } = self.map;
        let step = |len: usize, step| if len == 1 { 0 } else { step };
        let sample = if self.batched { self.map.len() } else { 0 };
        if !in_blocks {
            return [sample, step(c, h * w), step(h, w), step(w, 1)];
        }
        assert!(self.map.is_blocked() || c == 1 || h * w == 1, "{:?} beside channels in blocks", self.map);
        let position = if self.map.is_blocked() { Order::BLOCK } else { step(h * w, 1) };
        [sample, step(c, Order::BLOCK * h * w), position, step(c, 1)]
    }
}

/// Axes along which all values go on alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) len: usize,
    /// How far apart neighbours stand in each value; 0 where it is repeated.
    pub(super) steps: [usize; 3],
}

/// Up to four axes, the outermost first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    all: [Axis; 4],
    count: usize,
}

impl Axes {
    pub(super) const NONE: Axes = Axes { all: [Axis { len: 1, steps: [1; 3] }; 4], count: 0 };

    pub(super) fn push(&mut self, axis: Axis) {
        self.all[self.count] = axis;
        self.count += 1;
    }

    pub(super) fn as_slice(&self) -> &[Axis] {
        &self.all[..self.count]
    }
}

/// The way through three values at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    pub(super) outer: Axes,
    /// The innermost axis.
    pub(super) run: Axis,
}

impl Walk {
    /// The way through `n` samples of values whose axes are equal or 1. Where one has its channels in blocks, so has each
    /// that has several channels and positions.
    pub(crate) fn new(n: usize, operands: [Operand; 3]) -> Self {
        let in_blocks = operands.iter().any(|operand| operand.map.is_blocked());
        let (steps, mut axes) = (operands.map(|operand| operand.steps(in_blocks)), Axes::NONE);
        let longest = |len: fn(Map) -> usize| operands.iter().map(|operand| len(operand.map)).max().unwrap_or(1);
        let lens = if in_blocks {
            [n, longest(|map| map.c) / Order::BLOCK, longest(|map| map.plane()), Order::BLOCK]
        } else {
            [n, longest(|map| map.c), longest(|map| map.h), longest(|map| map.w)]
        };
        for (at, len) in lens.into_iter().enumerate().filter(|&(_, len)| len != 1) {
            let axis = Axis { len, steps: steps.map(|steps| steps[at]) };
            match axes.all[..axes.count].last_mut() {
                Some(last) if (0..3).all(|value| last.steps[value] == axis.steps[value] * len) => {
                    *last = Axis { len: last.len * len, ..axis };
                }
                _ => axes.push(axis),
            }
        }
        axes.count = axes.count.saturating_sub(1);
        Walk { outer: axes, run: axes.all[axes.count] }
    }

    /// Calls `f(elements of the first value, where they start in the others)` for each run of elements `range` of the
    /// first value, which is repeated along no axis.
    #[inline(always)]
    pub(super) fn runs(&self, range: Range<usize>, mut f: impl FnMut(Range<usize>, [usize; 2])) {
        if range.is_empty() {
            return;
        }
        let Axis { len: run, steps: [_, a, b] } = self.run;
        let (mut at, mut place) = (range.start, Odometer::new(self.outer, range.start / self.run.len));
        while at < range.end {
            let skip = at % run;
            let len = (run - skip).min(range.end - at);
            f(at..at + len, [place.at[1] + skip * a, place.at[2] + skip * b]);
            at += len;
            place.advance();
        }
    }

    /// What the second and the third value hold along a run of `len` elements from places that [`runs`](Self::runs) gave.
    #[inline(always)]
    pub(super) fn along<'a>(&self, values: [&'a [f32]; 2], at: [usize; 2], len: usize) -> [Along<'a>; 2] {
        let [a, b] = values;
        [Along::new(a, at[0], self.run.steps[1], len), Along::new(b, at[1], self.run.steps[2], len)]
    }
}

/// A value along a run.
#[derive(Clone, Copy)]
pub(crate) enum Along<'a> {
    /// An element for each.
    Each(&'a [f32]),
    /// One element for all.
    All(f32),
}

impl<'a> Along<'a> {
    /// What stands from `at` on, so far apart.
    #[inline(always)]
    pub(super) fn new(values: &'a [f32], at: usize, step: usize, len: usize) -> Self {
        if step == 0 { Along::All(values[at]) } else { Along::Each(&values[at..at + len]) }
    }
}

/// Counts through axes, and where that is in each value.
pub(super) struct Odometer {
    axes: Axes,
    index: [usize; 4],
    pub(super) at: [usize; 3],
}

impl Odometer {
    /// Stands at the `position`th place.
    #[inline(always)]
    pub(super) fn new(axes: Axes, mut position: usize) -> Self {
        let (mut index, mut at) = ([0; 4], [0; 3]);
        for (index, axis) in index.iter_mut().zip(axes.as_slice()).rev() {
            *index = position % axis.len;
            position /= axis.len;
            (0..3).for_each(|value| at[value] += *index * axis.steps[value]);
        }
        Odometer { axes, index, at }
    }

    /// Goes to the next place, and behind the last one to the first.
    #[inline(always)]
    pub(super) fn advance(&mut self) {
        for (index, axis) in self.index.iter_mut().zip(self.axes.as_slice()).rev() {
            *index += 1;
            (0..3).for_each(|value| self.at[value] += axis.steps[value]);
            if *index < axis.len {
                return;
            }
            *index = 0;
            (0..3).for_each(|value| self.at[value] -= axis.len * axis.steps[value]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_go_on_alike_are_one() {
        let map = Map::new(3, 5, 7);
        let lens = |b: Operand| {
            let walk = Walk::new(2, [Operand::of_samples(map), Operand::of_samples(map), b]);
            let mut lens: Vec<usize> = walk.outer.as_slice().iter().map(|axis| axis.len).collect();
            lens.push(walk.run.len);
            lens
        };
        assert_eq!(lens(Operand::of_samples(map)), [210]);
        assert_eq!(lens(Operand::of_samples(Map::new(3, 1, 1))), [6, 35]);
        assert_eq!(lens(Operand::of_samples(Map::new(1, 5, 1))), [2, 3, 5, 7]);
        assert_eq!(lens(Operand::of_samples(Map::new(1, 1, 1))), [2, 105]);
        assert_eq!(lens(Operand::shared(map)), [2, 105]);
        assert_eq!(lens(Operand::shared(Map::new(1, 1, 7))), [30, 7]);
        assert_eq!(lens(Operand::shared(Map::new(1, 1, 1))), [210]);
    }
}
