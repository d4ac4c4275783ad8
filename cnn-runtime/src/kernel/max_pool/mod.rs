//! Max pooling. Padding never wins; NaN does, as in PyTorch; of equal values the first in the window.

pub mod reference;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::axis::Axis;
use super::pieces::{each, each2, part};
use super::wide::wide;
use crate::desc::{Pool, Write};

/// Rows narrower than this are not worth a pass per tap; the width of a block of outputs of common windows.
const NARROW: usize = 8;

/// The largest value of each window.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn forward(d: &Pool, n: usize, input: &[f32], output: &mut [f32]) {
    check(d, n, input.len(), output.len());
    let walk = Walk::new(d);
    each(output, d.output.plane(), input.len(), |i, output| {
        let input = part(input, i, d.input.plane());
        wide(
            #[inline(always)]
            || walk.plane::<false>(input, output, &mut []),
        );
    });
}

/// As [`forward`], and the winner's place in each window: `kh * KW + kw` for a kernel of `KW` columns.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or the kernel has more than 65,536 taps.
pub fn forward_train(d: &Pool, n: usize, input: &[f32], output: &mut [f32], argmax: &mut [u16]) {
    check(d, n, input.len(), output.len());
    assert_eq!(argmax.len(), output.len(), "max_pool: output and argmax");
    let [kh, kw] = d.window.kernel;
    assert!(kh * kw <= 1 << 16, "max_pool: a kernel of {kh}x{kw} has more taps than an argmax can name");
    let (walk, plane) = (Walk::new(d), d.output.plane());
    each2((output, plane), (argmax, plane), input.len(), |i, output, argmax| {
        let input = part(input, i, d.input.plane());
        wide(
            #[inline(always)]
            || walk.plane::<true>(input, output, argmax),
        );
    });
}

/// Hands the gradient of each output to the input that won its window.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn backward(d: &Pool, n: usize, argmax: &[u16], d_output: &[f32], d_input: &mut [f32], write: Write) {
    check(d, n, d_input.len(), d_output.len());
    assert_eq!(argmax.len(), d_output.len(), "max_pool: gradient by the output and argmax");
    let (walk, plane) = (Walk::new(d), d.output.plane());
    each(d_input, d.input.plane(), n * d.input.len(), |i, d_input| {
        let (argmax, d_output) = (&argmax[i * plane..][..plane], part(d_output, i, plane));
        if write == Write::Set {
            d_input.fill(0.0);
        }
        match walk.columns.kernel {
            2 => walk.scatter(2, argmax, d_output, d_input),
            3 => walk.scatter(3, argmax, d_output, d_input),
            columns => walk.scatter(columns, argmax, d_output, d_input),
        }
    });
}

/// Checks lengths against `n` samples.
fn check(d: &Pool, n: usize, input: usize, output: usize) {
    assert_eq!(input, n * d.input.len(), "max_pool: input side of {n} samples");
    assert_eq!(output, n * d.output.len(), "max_pool: output side of {n} samples");
}

/// Whether a value replaces the best so far.
#[inline(always)]
fn wins(value: f32, best: f32) -> bool {
    (value > best) | value.is_nan()
}

/// How the windows walk over a plane. With `TRACK` the winners' places are written too, else `argmax` is empty.
struct Walk {
    rows: Axis,
    columns: Axis,
}

impl Walk {
    fn new(d: &Pool) -> Self {
        let [rows, columns] = Axis::both(&d.window, d.input, d.output);
        Walk { rows, columns }
    }

    /// Pools one plane.
    #[inline(always)]
    fn plane<const TRACK: bool>(&self, input: &[f32], output: &mut [f32], argmax: &mut [u16]) {
        let shape = |a: &Axis| (a.kernel, a.stride, a.dilation);
        let width = self.columns.outputs;
        for (oh, out) in output.chunks_exact_mut(width).enumerate() {
            let arg = if TRACK { &mut argmax[oh * width..][..width] } else { &mut [][..] };
            match (shape(&self.rows), shape(&self.columns)) {
                ((2, _, 1), (2, 2, 1)) => self.common_row::<TRACK, 2, 2>(oh, input, out, arg),
                ((3, _, 1), (3, 2, 1)) => self.common_row::<TRACK, 3, 2>(oh, input, out, arg),
                ((3, _, 1), (3, 1, 1)) => self.common_row::<TRACK, 3, 1>(oh, input, out, arg),
                _ if width < NARROW => self.windows::<TRACK>(oh, 0, input, out, arg),
                _ => self.taps_row::<TRACK>(oh, input, out, arg),
            }
        }
    }

    /// One row of outputs of a KxK kernel that steps by `S` columns: the inside as vectors, the edges one by one.
    #[inline(always)]
    fn common_row<const TRACK: bool, const K: usize, const S: usize>(
        &self,
        oh: usize,
        input: &[f32],
        out: &mut [f32],
        arg: &mut [u16],
    ) {
        let inner = if self.rows.taps(oh) == (0..K) { self.columns.inner() } else { 0..0 };
        let (left, right) = (inner.start, inner.end);
        let (edge, end) = if TRACK { (left, right) } else { (0, 0) };
        self.windows::<TRACK>(oh, 0, input, &mut out[..left], &mut arg[..edge]);
        if left < right {
            let rows: [&[[f32; S]]; K] = std::array::from_fn(|kh| {
                let row = &input[self.rows.at(oh, kh) * self.columns.inputs..][..self.columns.inputs];
                row[self.columns.at(left, 0)..].as_chunks().0
            });
            inside::<TRACK, K, S>(rows, &mut out[left..right], &mut arg[edge..end]);
        }
        self.windows::<TRACK>(oh, right, input, &mut out[right..], &mut arg[end..]);
    }

    /// Outputs `first_ow..` of a row, a window at a time.
    #[inline(always)]
    fn windows<const TRACK: bool>(&self, oh: usize, first_ow: usize, input: &[f32], out: &mut [f32], arg: &mut [u16]) {
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
                match self.columns.stride {
                    1 => offer::<TRACK, 1>(row, tap, &mut out[span], arg),
                    2 => offer::<TRACK, 2>(row, tap, &mut out[span], arg),
                    3 => offer::<TRACK, 3>(row, tap, &mut out[span], arg),
                    stride => offer_strided::<TRACK>(row, stride, tap, &mut out[span], arg),
                }
            }
        }
    }

    /// Adds each gradient to its winner. `columns` is the kernel's width, here so that callers can make it a constant.
    #[inline(always)]
    fn scatter(&self, columns: usize, argmax: &[u16], d_output: &[f32], d_input: &mut [f32]) {
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

/// KxK windows at every `S`-th column of `rows`, which hold groups of `S` columns.
///
/// Outputs are made [`NARROW`] at a time, or half of that; the last ones again with those before, not one by one.
#[inline(always)]
fn inside<const TRACK: bool, const K: usize, const S: usize>(rows: [&[[f32; S]]; K], out: &mut [f32], arg: &mut [u16]) {
    let m = out.len();
    let rows = rows.map(|row| &row[..m + (K - 1) / S]);
    let arg = if TRACK { &mut arg[..m] } else { arg };
    if m < NARROW / 2 {
        span::<TRACK, K, S>(0..m, rows, out, arg);
    } else if m < NARROW {
        span::<TRACK, K, S>(0..NARROW / 2, rows, out, arg);
        span::<TRACK, K, S>(m - NARROW / 2..m, rows, out, arg);
    } else {
        for start in (0..m).step_by(NARROW) {
            let start = start.min(m - NARROW);
            span::<TRACK, K, S>(start..start + NARROW, rows, out, arg);
        }
    }
}

/// A span of the outputs of [`inside`].
#[inline(always)]
fn span<const TRACK: bool, const K: usize, const S: usize>(
    span: Range<usize>,
    rows: [&[[f32; S]]; K],
    out: &mut [f32],
    arg: &mut [u16],
) {
    let m = span.len();
    let rows = rows.map(|row| &row[span.start..span.end + (K - 1) / S]);
    let arg = if TRACK { &mut arg[span.clone()] } else { arg };
    let out = &mut out[span];
    for i in 0..m {
        let mut best = f32::NEG_INFINITY;
        let mut tap = 0;
        for (kh, row) in rows.iter().enumerate() {
            for kw in 0..K {
                let value = row[i + kw / S][kw % S];
                let won = wins(value, best);
                best = if won { value } else { best };
                tap = if won { (kh * K + kw) as u32 } else { tap };
            }
        }
        out[i] = best;
        if TRACK {
            arg[i] = tap as u16;
        }
    }
}

/// Offers every `S`-th value of `row` to the outputs as their tap `tap`.
#[inline(always)]
fn offer<const TRACK: bool, const S: usize>(row: &[f32], tap: u16, out: &mut [f32], arg: &mut [u16]) {
    let last = out.len() - 1;
    let (groups, _) = row[..last * S].as_chunks::<S>();
    let arg = if TRACK { &mut arg[..last + 1] } else { arg };
    for i in 0..last {
        let won = wins(groups[i][0], out[i]);
        out[i] = if won { groups[i][0] } else { out[i] };
        if TRACK {
            arg[i] = if won { tap } else { arg[i] };
        }
    }
    let arg = if TRACK { &mut arg[last..] } else { arg };
    offer_strided::<TRACK>(&row[last * S..], 1, tap, &mut out[last..], arg);
}

/// Offers every `stride`-th value of `row` to the outputs as their tap `tap`.
#[inline(always)]
fn offer_strided<const TRACK: bool>(row: &[f32], stride: usize, tap: u16, out: &mut [f32], arg: &mut [u16]) {
    for (i, (out, &value)) in out.iter_mut().zip(row.iter().step_by(stride)).enumerate() {
        if wins(value, *out) {
            *out = value;
            if TRACK {
                arg[i] = tap;
            }
        }
    }
}
