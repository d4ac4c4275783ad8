//! Maps whose channels stand in blocks of sixteen: a vector of windows at each position.
//!
//! The winners' places stand in blocks too, whichever order the outputs have.

use std::ops::Range;

use super::walk::Walk;
use crate::desc::Write;
use crate::kernel::axis::Axis;
use crate::kernel::sixteen::{Lanes, Sixteen, lanes};
use crate::simd::{Kernel, Simd};

/// What the places of winners are counted from in a float: its last bits are then the place.
const CODE: f32 = (1_u32 << 23) as f32;

/// A block of channels. With `TRACK` the winners' places are written too, else `argmax` is empty.
pub(super) struct Block<'a, const TRACK: bool> {
    pub(super) walk: &'a Walk,
    pub(super) input: &'a [Lanes],
    pub(super) output: &'a mut [Lanes],
    pub(super) argmax: &'a mut [Lanes<u16>],
}

impl<const TRACK: bool> Kernel for Block<'_, TRACK> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        match self.walk.columns.kernel {
            2 => self.rows(simd, 0..2),
            3 => self.rows(simd, 0..3),
            columns => self.rows(simd, 0..columns),
        }
    }
}

impl<const TRACK: bool> Block<'_, TRACK> {
    /// Pools the block. `all` are the taps of a row, here so that callers can make them constant.
    #[inline(always)]
    fn rows<S: Simd>(&mut self, simd: S, all: Range<usize>) {
        let Walk { rows, columns } = self.walk;
        let whole = columns.whole();
        for oh in 0..rows.outputs {
            let taps = rows.taps(oh);
            for ow in (0..whole.start).chain(whole.end..columns.outputs) {
                self.window(simd, [oh, ow], taps.clone(), columns.taps(ow), all.end);
            }
            for ow in whole.clone() {
                self.window(simd, [oh, ow], taps.clone(), all.clone(), all.end);
            }
        }
    }

    /// Pools a vector of windows over the taps that lie inside the map.
    #[inline(always)]
    fn window<S: Simd>(
        &mut self,
        simd: S,
        [oh, ow]: [usize; 2],
        down: Range<usize>,
        across: Range<usize>,
        width: usize,
    ) {
        let Walk { rows, columns } = self.walk;
        let mut best = Sixteen::splat(simd, f32::NEG_INFINITY);
        let mut place = Sixteen::splat(simd, CODE + (down.start * width + across.start) as f32);
        for kh in down {
            let row = &self.input[rows.at(oh, kh) * columns.inputs..][..columns.inputs];
            for kw in across.clone() {
                let value = Sixteen::load(simd, &row[columns.at(ow, kw)]);
                if TRACK {
                    place = value.if_wins(best, Sixteen::splat(simd, CODE + (kh * width + kw) as f32), place);
                }
                best = value.if_wins(best, value, best);
            }
        }
        let at = oh * columns.outputs + ow;
        best.store(&mut self.output[at]);
        if TRACK {
            let places = place.lanes();
            self.argmax[at] = lanes(|c| places[c].to_bits() as u16);
        }
    }
}

/// The backward pass over a block of channels.
pub(super) struct Scatter<'a> {
    pub(super) walk: &'a Walk,
    pub(super) argmax: &'a [Lanes<u16>],
    pub(super) d_output: &'a [Lanes],
    pub(super) d_input: &'a mut [Lanes],
    pub(super) write: Write,
}

impl Kernel for Scatter<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.walk.columns.kernel {
            2 => self.rows(simd, 0..2),
            3 => self.rows(simd, 0..3),
            columns => self.rows(simd, 0..columns),
        }
    }
}

impl Scatter<'_> {
    /// A row of inputs at a time takes the gradients of all windows that it won, while it is in the first-level cache. `all`
    /// are the taps of a row, here so that callers can make them constant.
    #[inline(always)]
    fn rows<S: Simd>(self, simd: S, all: Range<usize>) {
        let Walk { rows, columns } = self.walk;
        let whole = columns.whole();
        for (ih, d_input) in self.d_input.chunks_exact_mut(columns.inputs).enumerate() {
            if self.write == Write::Set {
                d_input.as_flattened_mut().fill(0.0);
            }
            for (oh, kh) in rows.readers(ih) {
                let outputs = oh * columns.outputs..(oh + 1) * columns.outputs;
                let won = Won {
                    columns,
                    first: kh * all.end,
                    argmax: &self.argmax[outputs.clone()],
                    d_output: &self.d_output[outputs],
                };
                for ow in 0..whole.start {
                    won.hand_over(simd, ow, columns.taps(ow), d_input);
                }
                for ow in whole.clone() {
                    won.hand_over(simd, ow, all.clone(), d_input);
                }
                for ow in whole.end..columns.outputs {
                    won.hand_over(simd, ow, columns.taps(ow), d_input);
                }
            }
        }
    }
}

/// A row of outputs, and the first of the taps in a row of inputs that may have won.
struct Won<'a> {
    columns: &'a Axis,
    first: usize,
    argmax: &'a [Lanes<u16>],
    d_output: &'a [Lanes],
}

impl Won<'_> {
    /// Hands an output's gradient to the row of inputs where its taps `across` won.
    #[inline(always)]
    fn hand_over<S: Simd>(&self, simd: S, ow: usize, across: Range<usize>, d_input: &mut [Lanes]) {
        let (argmax, gradient) = (&self.argmax[ow], Sixteen::load(simd, &self.d_output[ow]));
        let place = Sixteen::load(simd, &lanes(|c| f32::from_bits(CODE.to_bits() | u32::from(argmax[c]))));
        for kw in across {
            let tap = Sixteen::splat(simd, CODE + (self.first + kw) as f32);
            let d = &mut d_input[self.columns.at(ow, kw)];
            (Sixteen::load(simd, d) + gradient.if_equal(place, tap)).store(d);
        }
    }
}
