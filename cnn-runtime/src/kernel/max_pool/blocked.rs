//! Maps whose channels stand in blocks of sixteen: a vector of windows at each position.
//!
//! The winners' places stand in blocks too, whichever order the outputs have.

use std::ops::Range;

use super::walk::Walk;
use crate::desc::Write;
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
    /// A row of inputs at a time takes the gradients of all windows that it won, while it is in the first-level cache.
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Walk { rows, columns } = self.walk;
        for (ih, d_input) in self.d_input.chunks_exact_mut(columns.inputs).enumerate() {
            if self.write == Write::Set {
                d_input.as_flattened_mut().fill(0.0);
            }
            for (oh, kh) in rows.readers(ih) {
                let outputs = oh * columns.outputs..(oh + 1) * columns.outputs;
                let (argmax, d_output) = (&self.argmax[outputs.clone()], &self.d_output[outputs]);
                for kw in (0..columns.kernel).rev() {
                    let span = columns.outputs_of(kw);
                    if !span.is_empty() {
                        let tap = Sixteen::splat(simd, CODE + (kh * columns.kernel + kw) as f32);
                        let d_input = d_input[columns.at(span.start, kw)..].iter_mut().step_by(columns.stride);
                        let won = argmax[span.clone()].iter().zip(&d_output[span]);
                        for (d, (argmax, gradient)) in d_input.zip(won) {
                            hand_over(simd, tap, argmax, gradient, d);
                        }
                    }
                }
            }
        }
    }
}

/// Adds the gradients of windows that tap `tap` won.
#[inline(always)]
fn hand_over<S: Simd>(simd: S, tap: Sixteen<S>, argmax: &Lanes<u16>, gradient: &Lanes, d_input: &mut Lanes) {
    let place = lanes(|c| f32::from_bits(CODE.to_bits() | u32::from(argmax[c])));
    let won = Sixteen::load(simd, gradient).if_equal(Sixteen::load(simd, &place), tap);
    (Sixteen::load(simd, d_input) + won).store(d_input);
}
