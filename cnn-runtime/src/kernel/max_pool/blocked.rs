//! Maps whose channels stand in blocks of sixteen: a vector of windows at each position.
//!
//! The winners' places stand in blocks too, whichever order the outputs have.

use std::ops::Range;

use super::walk::{CODE, Walk};
use crate::desc::Write;
use crate::kernel::axis::Axis;
use crate::kernel::sixteen::{Lanes, Sixteen, lanes};
use crate::simd::{Kernel, Simd};

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
        let Walk { rows, columns, .. } = self.walk;
        match [rows.kernel, columns.kernel, rows.dilation, columns.dilation] {
            [2, 2, 1, 1] => self.rows::<S, 2>(simd),
            [3, 3, 1, 1] => self.rows::<S, 3>(simd),
            _ => self.rows::<S, 0>(simd),
        }
    }
}

impl<const TRACK: bool> Block<'_, TRACK> {
    /// Pools the block. Its windows have `K` by `K` taps side by side, or `K` is zero.
    #[inline(always)]
    fn rows<S: Simd, const K: usize>(&mut self, simd: S) {
        let Walk { rows, columns, whole: [_, whole] } = self.walk;
        for oh in 0..rows.outputs {
            let down = rows.taps(oh);
            for ow in (0..whole.start).chain(whole.end..columns.outputs) {
                self.window(simd, [oh, ow], down.clone(), columns.taps(ow));
            }
            if K > 0 && down == (0..K) {
                self.squares::<S, K>(simd, oh);
            } else {
                for ow in whole.clone() {
                    self.window(simd, [oh, ow], down.clone(), 0..columns.kernel);
                }
            }
        }
    }

    /// Pools those windows of a line that lie inside the map, each of whose taps the compiler sees.
    #[inline(always)]
    fn squares<S: Simd, const K: usize>(&mut self, simd: S, oh: usize) {
        let Walk { rows, columns, whole: [_, whole] } = self.walk;
        let mut lines = [&[][..]; K];
        for (kh, line) in lines.iter_mut().enumerate() {
            *line = &self.input[rows.at(oh, kh) * columns.inputs..][..columns.inputs];
        }
        let outputs = oh * columns.outputs + whole.start..oh * columns.outputs + whole.end;
        let mut argmax = if TRACK { self.argmax[outputs.clone()].iter_mut() } else { [].iter_mut() };
        for (ow, output) in whole.clone().zip(&mut self.output[outputs]) {
            let first = columns.at(ow, 0);
            let mut best = Sixteen::load(simd, &lines[0][first]);
            let mut place = Sixteen::splat(simd, CODE);
            for (kh, line) in lines.iter().enumerate() {
                let taps = &line[first..first + K];
                for (kw, tap) in taps.iter().enumerate().skip(usize::from(kh == 0)) {
                    let value = Sixteen::load(simd, tap);
                    if TRACK {
                        place = value.if_wins(best, Sixteen::splat(simd, CODE + (kh * K + kw) as f32), place);
                    }
                    best = value.if_wins(best, value, best);
                }
            }
            best.store(output);
            if let Some(argmax) = argmax.next() {
                *argmax = codes(place);
            }
        }
    }

    /// Pools a vector of windows over the taps that lie inside the map.
    #[inline(always)]
    fn window<S: Simd>(&mut self, simd: S, [oh, ow]: [usize; 2], down: Range<usize>, across: Range<usize>) {
        let Walk { rows, columns, .. } = self.walk;
        let Axis { kernel: width, dilation, .. } = *columns;
        let mut best = Sixteen::splat(simd, f32::NEG_INFINITY);
        let mut place = Sixteen::splat(simd, CODE + (down.start * width + across.start) as f32);
        if !across.is_empty() {
            let first = columns.at(ow, across.start);
            for kh in down {
                // One check for a row of taps.
                let row = &self.input[rows.at(oh, kh) * columns.inputs + first..][..(across.len() - 1) * dilation + 1];
                for kw in across.clone() {
                    let value = Sixteen::load(simd, &row[(kw - across.start) * dilation]);
                    if TRACK {
                        place = value.if_wins(best, Sixteen::splat(simd, CODE + (kh * width + kw) as f32), place);
                    }
                    best = value.if_wins(best, value, best);
                }
            }
        }
        let at = oh * columns.outputs + ow;
        best.store(&mut self.output[at]);
        if TRACK {
            self.argmax[at] = codes(place);
        }
    }
}

/// The places of winners, whose code is [`CODE`] and more.
#[inline(always)]
fn codes<S: Simd>(place: Sixteen<S>) -> Lanes<u16> {
    let places = place.lanes();
    lanes(
        #[inline(always)]
        |c| places[c].to_bits() as u16,
    )
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
        let Walk { rows, columns, whole: [_, whole] } = self.walk;
        // Windows side by side: the first that reads a row sets it, and nothing has to be cleared.
        let is_tiled = [columns.kernel, 1] == [columns.stride, columns.dilation] && *whole == (0..columns.outputs);
        for (ih, d_input) in self.d_input.chunks_exact_mut(columns.inputs).enumerate() {
            let mut readers = rows.readers(ih);
            let won = |(oh, kh): (usize, usize)| {
                let outputs = oh * columns.outputs..(oh + 1) * columns.outputs;
                Won {
                    columns,
                    first: kh * all.end,
                    argmax: &self.argmax[outputs.clone()],
                    d_output: &self.d_output[outputs],
                }
            };
            if self.write == Write::Set {
                let first = if is_tiled { readers.next() } else { None };
                let set = first.map_or(0, |_| columns.outputs * all.end);
                d_input[set..].as_flattened_mut().fill(0.0);
                if let Some(first) = first {
                    won(first).set(simd, all.end, d_input);
                }
            }
            for reader in readers {
                let won = won(reader);
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
    /// Sets the row of inputs to the gradients that it won, where windows of `taps` columns stand side by side.
    #[inline(always)]
    fn set<S: Simd>(&self, simd: S, taps: usize, d_input: &mut [Lanes]) {
        for (ow, d_input) in d_input.chunks_exact_mut(taps).enumerate().take(self.columns.outputs) {
            let (place, gradient) = self.gradient(simd, ow);
            for (kw, d) in d_input.iter_mut().enumerate() {
                let tap = Sixteen::splat(simd, CODE + (self.first + kw) as f32);
                gradient.if_equal(place, tap).store(d);
            }
        }
    }

    /// The winner's place in a window, and the gradient by its output.
    #[inline(always)]
    fn gradient<S: Simd>(&self, simd: S, ow: usize) -> (Sixteen<S>, Sixteen<S>) {
        let argmax = &self.argmax[ow];
        let place = lanes(|c| f32::from_bits(CODE.to_bits() | u32::from(argmax[c])));
        (Sixteen::load(simd, &place), Sixteen::load(simd, &self.d_output[ow]))
    }

    /// Hands an output's gradient to the row of inputs where its taps `across` won.
    #[inline(always)]
    fn hand_over<S: Simd>(&self, simd: S, ow: usize, across: Range<usize>, d_input: &mut [Lanes]) {
        let (place, gradient) = self.gradient(simd, ow);
        for kw in across {
            let tap = Sixteen::splat(simd, CODE + (self.first + kw) as f32);
            let d = &mut d_input[self.columns.at(ow, kw)];
            (Sixteen::load(simd, d) + gradient.if_equal(place, tap)).store(d);
        }
    }
}
