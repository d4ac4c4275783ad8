//! Maps whose channels stand in blocks of sixteen: a vector of windows at each position.

use std::ops::Range;

use super::{Walk, weights};
use crate::desc::Write;
use crate::kernel::axis::Axis;
use crate::kernel::sixteen::{Lanes, Sixteen};
use crate::simd::{Kernel, Simd};

/// Sums of a whole map that go on side by side: one alone would wait for each of its additions.
const WAYS: usize = 4;

/// The forward pass over a block of channels.
pub(super) struct Block<'a> {
    pub(super) walk: &'a Walk,
    pub(super) input: &'a [Lanes],
    pub(super) output: &'a mut [Lanes],
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        if self.walk.is_global() {
            let mean = total(simd, self.input) * Sixteen::splat(simd, self.walk.weight);
            return mean.store(&mut self.output[0]);
        }
        match self.walk.columns.kernel {
            2 => self.rows(simd, 0..2),
            3 => self.rows(simd, 0..3),
            columns => self.rows(simd, 0..columns),
        }
    }
}

/// The sum of all vectors.
#[inline(always)]
fn total<S: Simd>(simd: S, input: &[Lanes]) -> Sixteen<S> {
    let (groups, rest) = input.as_chunks::<WAYS>();
    let mut sums = [Sixteen::splat(simd, 0.0); WAYS];
    for group in groups {
        for way in 0..WAYS {
            sums[way] = sums[way] + Sixteen::load(simd, &group[way]);
        }
    }
    let mut sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for x in rest {
        sum = sum + Sixteen::load(simd, x);
    }
    sum
}

impl Block<'_> {
    /// Pools the block. `all` are the taps of a row, here so that callers can make them constant.
    #[inline(always)]
    fn rows<S: Simd>(&mut self, simd: S, all: Range<usize>) {
        let columns = &self.walk.columns;
        let whole = columns.whole();
        for oh in 0..self.walk.rows.outputs {
            for ow in (0..whole.start).chain(whole.end..columns.outputs) {
                self.window(simd, [oh, ow], columns.taps(ow));
            }
            for ow in whole.clone() {
                self.window(simd, [oh, ow], all.clone());
            }
            if let Some(counted) = &self.walk.counted {
                let output = &mut self.output[oh * columns.outputs..][..columns.outputs];
                for (span, weight) in weights(counted, oh) {
                    let weight = Sixteen::splat(simd, weight);
                    for y in &mut output[span] {
                        (Sixteen::load(simd, y) * weight).store(y);
                    }
                }
            }
        }
    }

    /// The mean of a vector of windows, or their sum where means are made later, over these taps of each row.
    #[inline(always)]
    fn window<S: Simd>(&mut self, simd: S, [oh, ow]: [usize; 2], across: Range<usize>) {
        let Walk { rows, columns, weight, .. } = self.walk;
        let mut sum = Sixteen::splat(simd, 0.0);
        for kh in rows.taps(oh) {
            let row = &self.input[rows.at(oh, kh) * columns.inputs..][..columns.inputs];
            for kw in across.clone() {
                sum = sum + Sixteen::load(simd, &row[columns.at(ow, kw)]);
            }
        }
        (sum * Sixteen::splat(simd, *weight)).store(&mut self.output[oh * columns.outputs + ow]);
    }
}

/// The backward pass over a block of channels.
pub(super) struct Spread<'a> {
    pub(super) walk: &'a Walk,
    pub(super) d_output: &'a [Lanes],
    pub(super) d_input: &'a mut [Lanes],
    pub(super) write: Write,
}

impl Kernel for Spread<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (walk, d_output) = (self.walk, self.d_output);
        if walk.is_global() {
            return self.global(simd);
        }
        // A row of inputs takes all its shares while it is in the first-level cache.
        for (ih, d_input) in self.d_input.chunks_exact_mut(walk.columns.inputs).enumerate() {
            if self.write == Write::Set {
                d_input.as_flattened_mut().fill(0.0);
            }
            for (oh, _) in walk.rows.readers(ih) {
                let d_output = &d_output[oh * walk.columns.outputs..][..walk.columns.outputs];
                match &walk.counted {
                    None => add_row(simd, &walk.columns, 0..walk.columns.outputs, walk.weight, d_output, d_input),
                    Some(counted) => {
                        for (span, weight) in weights(counted, oh) {
                            add_row(simd, &walk.columns, span, weight, d_output, d_input);
                        }
                    }
                }
            }
        }
    }
}

impl Spread<'_> {
    /// The only window is the whole map.
    #[inline(always)]
    fn global<S: Simd>(self, simd: S) {
        let share = Sixteen::load(simd, &self.d_output[0]) * Sixteen::splat(simd, self.walk.weight);
        match self.write {
            Write::Set => self.d_input.fill(share.lanes()),
            Write::Add => {
                for d in self.d_input {
                    (Sixteen::load(simd, d) + share).store(d);
                }
            }
        }
    }
}

/// Adds the shares of some outputs of a row to one row of inputs.
#[inline(always)]
fn add_row<S: Simd>(
    simd: S,
    columns: &Axis,
    outputs: Range<usize>,
    weight: f32,
    d_output: &[Lanes],
    d_input: &mut [Lanes],
) {
    let weight = Sixteen::splat(simd, weight);
    for kw in 0..columns.kernel {
        let span = columns.outputs_of(kw);
        let span = span.start.max(outputs.start)..span.end.min(outputs.end);
        if !span.is_empty() {
            let d_input = d_input[columns.at(span.start, kw)..].iter_mut().step_by(columns.stride);
            for (d, gradient) in d_input.zip(&d_output[span]) {
                Sixteen::load(simd, gradient).mul_add(weight, Sixteen::load(simd, d)).store(d);
            }
        }
    }
}
