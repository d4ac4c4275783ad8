//! The common windows, two or three columns wide at every column or every other, a vector of outputs at a time.
//!
//! Maxima of vectors lose NaN. So the values of all windows are also added up, times zero: unless that sum stays zero
//! there was a NaN, or an infinity, and the plane is done again window by window.

use std::ops::Range;

use super::walk::{CODE, Walk};
use crate::simd::shuffle::{EVEN, ODD};
use crate::simd::{Kernel, Simd};

/// One plane. With `TRACK` the winners' places are written too, else `argmax` is empty.
pub(super) struct Rows<'a, const TRACK: bool> {
    pub(super) walk: &'a Walk,
    pub(super) input: &'a [f32],
    pub(super) output: &'a mut [f32],
    pub(super) argmax: &'a mut [u16],
}

impl<const TRACK: bool> Kernel for Rows<'_, TRACK> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let columns = &self.walk.columns;
        let finite = match (columns.kernel, columns.stride, columns.dilation) {
            (2, 1, 1) => self.rows::<S, 2, 1>(simd),
            (2, 2, 1) => self.rows::<S, 2, 2>(simd),
            (3, 1, 1) => self.rows::<S, 3, 1>(simd),
            (3, 2, 1) => self.rows::<S, 3, 2>(simd),
            _ => false,
        };
        if !finite {
            self.walk.plane::<TRACK>(self.input, self.output, self.argmax);
        }
    }
}

/// A vector of outputs.
struct Span {
    oh: usize,
    /// The taps of this row that lie inside the plane.
    taps: Range<usize>,
    /// The first output's place in its row.
    ow: usize,
    /// How many of them there are.
    count: usize,
}

impl<const TRACK: bool> Rows<'_, TRACK> {
    /// Pools the plane, windows of `K` columns at every `STRIDE`-th; returns whether all values were finite.
    #[inline(always)]
    fn rows<S: Simd, const K: usize, const STRIDE: usize>(&mut self, simd: S) -> bool {
        let Walk { rows, columns, whole: [whole_rows, whole] } = self.walk;
        let width = columns.outputs;
        if !TRACK && width <= S::LANES && *whole == (0..width) && *whole_rows == (0..rows.outputs) {
            return self.narrow::<S, K, STRIDE>(simd);
        }
        let mut zero = simd.splat(0.0);
        for oh in 0..rows.outputs {
            let taps = if whole_rows.contains(&oh) { 0..rows.kernel } else { rows.taps(oh) };
            if whole.is_empty() || taps.is_empty() {
                self.edge(oh, 0, width);
                continue;
            }
            self.edge(oh, 0, whole.start);
            // The last vector of a row begins earlier, so that it is full too, where the row is long enough.
            let last = whole.start.max(whole.end.saturating_sub(S::LANES));
            let mut ow = whole.start;
            loop {
                let span = Span { oh, ow, taps: taps.clone(), count: S::LANES.min(whole.end - ow) };
                let total = self.vector::<S, K, STRIDE>(simd, &span);
                zero = simd.mul_add(total, simd.splat(0.0), zero);
                if ow == last {
                    break;
                }
                ow = last.min(ow + S::LANES);
            }
            self.edge(oh, whole.end, width);
        }
        simd.sum(zero) == 0.0
    }

    /// Pools a plane whose windows all lie inside it, a vector of them in each row: most of the time of small networks'
    /// pools would else go to finding out where rows end. Returns whether all values were finite.
    #[inline(always)]
    fn narrow<S: Simd, const K: usize, const STRIDE: usize>(&mut self, simd: S) -> bool {
        let Walk { rows, columns, .. } = self.walk;
        let (width, down, step) = (columns.outputs, rows.dilation * columns.inputs, rows.stride * columns.inputs);
        // Values of a row that windows read; the first vector has at most a whole one's.
        let reach = (width - 1) * STRIDE + K;
        let ends: [usize; VECTORS] =
            std::array::from_fn(|i| reach.saturating_sub(offset::<S, STRIDE>(i)).min(S::LANES));
        assert!((rows.outputs - 1) * step + (rows.kernel - 1) * down + reach <= self.input.len(), "all windows inside");
        assert!(rows.outputs * width <= self.output.len(), "a value for each window");
        let mut zero = simd.splat(0.0);
        let (mut input, mut output) = (self.input.as_ptr(), self.output.as_mut_ptr());
        for _ in 0..rows.outputs {
            let (mut best, mut total) = ([simd.splat(f32::NEG_INFINITY); VECTORS], simd.splat(0.0));
            for kh in 0..rows.kernel {
                for (i, best) in best.iter_mut().enumerate().take(vectors::<K, STRIDE>()) {
                    let from = input.wrapping_add(kh * down + offset::<S, STRIDE>(i));
                    // SAFETY: just measured: these values of all rows are in the plane.
                    let value = unsafe { simd.load_part(from, 0, ends[i]) };
                    total = simd.add(total, value);
                    *best = simd.max(value, *best);
                }
            }
            zero = simd.mul_add(total, simd.splat(0.0), zero);
            let mut highest = tap::<S, STRIDE>(simd, &best, 0);
            for kw in 1..K {
                highest = simd.max(tap::<S, STRIDE>(simd, &best, kw), highest);
            }
            // SAFETY: just measured: there is room for a row.
            unsafe { simd.store_part(output, highest, 0, width) };
            input = input.wrapping_add(step);
            output = output.wrapping_add(width);
        }
        simd.sum(zero) == 0.0
    }

    /// The outputs `from..to` of a row, window by window.
    #[inline(always)]
    fn edge(&mut self, oh: usize, from: usize, to: usize) {
        if from < to {
            let width = self.walk.columns.outputs;
            let range = oh * width + from..oh * width + to;
            let argmax = if TRACK { &mut self.argmax[range.clone()] } else { &mut [][..] };
            self.walk.windows::<TRACK>(oh, from, self.input, &mut self.output[range], argmax);
        }
    }

    /// Pools a vector of windows that lie inside the plane; returns the sums of their values.
    #[inline(always)]
    fn vector<S: Simd, const K: usize, const STRIDE: usize>(&mut self, simd: S, span: &Span) -> S::V {
        let Walk { rows, columns, .. } = self.walk;
        let (mut best, mut place, mut total) = (simd.splat(0.0), simd.splat(CODE), simd.splat(0.0));
        for kh in span.taps.clone() {
            let at = rows.at(span.oh, kh) * columns.inputs + columns.at(span.ow, 0);
            let values = values::<S, K, STRIDE>(simd, &self.input[at..]);
            for (kw, &value) in values.iter().enumerate() {
                total = simd.add(total, value);
                let code = simd.splat(CODE + (kh * K + kw) as f32);
                if kh == span.taps.start && kw == 0 {
                    (best, place) = (value, code);
                } else {
                    if TRACK {
                        place = simd.select_gt(value, best, code, place);
                    }
                    best = simd.max(value, best);
                }
            }
        }
        self.store(simd, span, best, place);
        total
    }

    /// Writes a vector of outputs. What it spills past the last one is overwritten by the rows that follow.
    #[inline(always)]
    fn store<S: Simd>(&mut self, simd: S, span: &Span, best: S::V, place: S::V) {
        let at = span.oh * self.walk.columns.outputs + span.ow;
        let output = &mut self.output[at..];
        let full = output.len() >= S::LANES;
        // SAFETY: as many floats are left as are written.
        unsafe {
            if full {
                simd.store(output.as_mut_ptr(), best);
            } else {
                simd.store_part(output.as_mut_ptr(), best, 0, span.count);
            }
        }
        if TRACK {
            let (mut floats, mut places) = ([0.0_f32; 16], [0_u16; 16]);
            // SAFETY: no vector is longer.
            unsafe { simd.store(floats.as_mut_ptr(), place) };
            for i in 0..S::LANES {
                places[i] = floats[i].to_bits() as u16;
            }
            let count = if full { S::LANES } else { span.count };
            self.argmax[at..at + count].copy_from_slice(&places[..count]);
        }
    }
}

/// Most vectors that hold a row's values of a vector of windows: one for each tap, or two for each two taps if windows
/// stand at every other column.
const VECTORS: usize = 4;

/// How many of them there are.
const fn vectors<const K: usize, const STRIDE: usize>() -> usize {
    if STRIDE == 1 { K } else { K.next_multiple_of(2) }
}

/// Where in a row the `i`-th of them begins.
const fn offset<S: Simd, const STRIDE: usize>(i: usize) -> usize {
    if STRIDE == 1 { i } else { i / 2 * 2 + i % 2 * S::LANES }
}

/// A tap's values, from the vectors of a row.
#[inline(always)]
fn tap<S: Simd, const STRIDE: usize>(simd: S, row: &[S::V; VECTORS], tap: usize) -> S::V {
    if STRIDE == 1 {
        return row[tap];
    }
    // Taps two apart are the same elements, one output further on.
    let pair = tap / 2 * 2;
    simd.pick(row[pair], row[pair + 1], if tap.is_multiple_of(2) { &EVEN } else { &ODD })
}

/// Under each of `K` taps the values of a vector of windows, the first of which begins `input`. Lanes past its end are
/// zero.
#[inline(always)]
fn values<S: Simd, const K: usize, const STRIDE: usize>(simd: S, input: &[f32]) -> [S::V; K] {
    let reach = STRIDE * S::LANES + K;
    let mut values = [simd.splat(0.0); K];
    let mut row = [simd.splat(0.0); VECTORS];
    for (i, vector) in row.iter_mut().enumerate().take(vectors::<K, STRIDE>()) {
        *vector = read(simd, input, offset::<S, STRIDE>(i), reach);
    }
    for (kw, value) in values.iter_mut().enumerate() {
        *value = tap::<S, STRIDE>(simd, &row, kw);
    }
    values
}

/// A vector from the `at`-th float on, with zeros past the end, which is not near if `reach` floats are left.
#[inline(always)]
fn read<S: Simd>(simd: S, input: &[f32], at: usize, reach: usize) -> S::V {
    let left = input.len().saturating_sub(at);
    // SAFETY: no more is read than is left.
    unsafe {
        let from = input.as_ptr().wrapping_add(at);
        if input.len() >= reach { simd.load(from) } else { simd.load_part(from, 0, left.min(S::LANES)) }
    }
}
