//! Windows one by one or tap by tap: any kernel, stride, dilation and padding.

use std::ops::Range;

use crate::desc::Pool;
use crate::kernel::axis::{Axis, NARROW};

/// What the places of winners are counted from in a float: its last bits are then the place.
pub(super) const CODE: f32 = (1_u32 << 23) as f32;

/// Whether a value replaces the best so far.
#[inline(always)]
fn wins(value: f32, best: f32) -> bool {
    (value > best) | value.is_nan()
}

/// Lines from the first that so many lines of windows read to the last, padding among them.
pub(super) fn reach(d: &Pool, lines: usize) -> usize {
    (lines - 1) * d.window.stride[0] + (d.window.kernel[0] - 1) * d.window.dilation[0] + 1
}

/// How the windows walk over a plane.
pub(super) struct Walk {
    pub(super) rows: Axis,
    pub(super) columns: Axis,
    /// The rows and the columns of windows that lie inside the plane: found once for all planes.
    pub(super) whole: [Range<usize>; 2],
}

impl Walk {
    pub(super) fn new(d: &Pool) -> Self {
        Walk::over(Axis::both(&d.window, d.input, d.output))
    }

    fn over([rows, columns]: [Axis; 2]) -> Self {
        Walk { rows, columns, whole: [rows.whole(), columns.whole()] }
    }

    /// The walk to some lines of outputs, over the lines of inputs that they read, and which these are.
    pub(super) fn band(d: &Pool, outputs: Range<usize>) -> (Self, Range<usize>) {
        let [rows, columns] = Axis::both(&d.window, d.input, d.output);
        let begin = outputs.start * rows.stride;
        let first = begin.saturating_sub(rows.pad).min(rows.inputs);
        let end = (begin + reach(d, outputs.len())).saturating_sub(rows.pad).clamp(first, rows.inputs);
        let pad = (first + rows.pad).saturating_sub(begin);
        let rows = Axis { pad, inputs: end - first, outputs: outputs.len(), ..rows };
        (Walk::over([rows, columns]), first..end)
    }

    /// Pools one plane.
    #[inline(always)]
    pub(super) fn plane<const TRACK: bool>(&self, input: &[f32], output: &mut [f32], argmax: &mut [u16]) {
        let width = self.columns.outputs;
        for (oh, out) in output.chunks_exact_mut(width).enumerate() {
            let arg = if TRACK { &mut argmax[oh * width..][..width] } else { &mut [][..] };
            if width < NARROW {
                self.windows::<TRACK>(oh, 0, input, out, arg);
            } else {
                self.taps_row::<TRACK>(oh, input, out, arg);
            }
        }
    }

    /// Outputs `first_ow..` of a row, a window at a time.
    #[inline(always)]
    pub(super) fn windows<const TRACK: bool>(
        &self,
        oh: usize,
        first_ow: usize,
        input: &[f32],
        out: &mut [f32],
        arg: &mut [u16],
    ) {
        let rows = self.rows.taps(oh);
        for (i, out) in out.iter_mut().enumerate() {
            let ow = first_ow + i;
            let columns = self.columns.taps(ow);
            let mut best = f32::NEG_INFINITY;
            let mut tap = rows.start * self.columns.kernel + columns.start;
            for kh in rows.clone() {
                let row = &input[self.rows.at(oh, kh) * self.columns.inputs..][..self.columns.inputs];
                for kw in columns.clone() {
                    let value = row[self.columns.at(ow, kw)];
                    if wins(value, best) {
                        (best, tap) = (value, kh * self.columns.kernel + kw);
                    }
                }
            }
            *out = best;
            if TRACK {
                arg[i] = tap as u16;
            }
        }
    }

    /// One row of outputs, a pass per tap.
    #[inline(always)]
    fn taps_row<const TRACK: bool>(&self, oh: usize, input: &[f32], out: &mut [f32], arg: &mut [u16]) {
        out.fill(f32::NEG_INFINITY);
        let rows = self.rows.taps(oh);
        if TRACK {
            // The first tap inside wins where every value is negative infinity.
            for (ow, arg) in arg.iter_mut().enumerate() {
                *arg = (rows.start * self.columns.kernel + self.columns.taps(ow).start) as u16;
            }
        }
        for kh in rows {
            let row = &input[self.rows.at(oh, kh) * self.columns.inputs..][..self.columns.inputs];
            for kw in 0..self.columns.kernel {
                let span = self.columns.outputs_of(kw);
                if span.is_empty() {
                    continue;
                }
                let row = &row[self.columns.at(span.start, kw)..];
                let tap = (kh * self.columns.kernel + kw) as u16;
                let arg = if TRACK { &mut arg[span.clone()] } else { &mut [][..] };
                offer::<TRACK>(row, self.columns.stride, tap, &mut out[span], arg);
            }
        }
    }

    /// Adds each gradient to its winner. `columns` is the kernel's width, here so that callers can make it a constant.
    #[inline(always)]
    pub(super) fn scatter(&self, columns: usize, argmax: &[u16], d_output: &[f32], d_input: &mut [f32]) {
        let width = self.columns.outputs;
        for (oh, (args, gradients)) in argmax.chunks_exact(width).zip(d_output.chunks_exact(width)).enumerate() {
            for (ow, (&arg, &gradient)) in args.iter().zip(gradients).enumerate() {
                let (kh, kw) = (usize::from(arg) / columns, usize::from(arg) % columns);
                let ih = (oh * self.rows.stride + kh * self.rows.dilation).wrapping_sub(self.rows.pad);
                let iw = (ow * self.columns.stride + kw * self.columns.dilation).wrapping_sub(self.columns.pad);
                // Outside only if the whole window lay in the padding.
                if ih < self.rows.inputs && iw < self.columns.inputs {
                    d_input[ih * self.columns.inputs + iw] += gradient;
                }
            }
        }
    }
}

/// Offers every `stride`-th value of `row` to the outputs as their tap `tap`.
#[inline(always)]
fn offer<const TRACK: bool>(row: &[f32], stride: usize, tap: u16, out: &mut [f32], arg: &mut [u16]) {
    let m = out.len();
    let arg = if TRACK { &mut arg[..m] } else { arg };
    let mut one = |i: usize, value: f32| {
        let won = wins(value, out[i]);
        out[i] = if won { value } else { out[i] };
        if TRACK {
            arg[i] = if won { tap } else { arg[i] };
        }
    };
    if stride == 1 {
        row[..m].iter().enumerate().for_each(|(i, &value)| one(i, value));
    } else {
        row.iter().step_by(stride).take(m).enumerate().for_each(|(i, &value)| one(i, value));
    }
}
