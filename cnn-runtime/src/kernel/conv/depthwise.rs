//! Convolutions with one input channel per group: too little to multiply matrices for, so rows of outputs are made
//! directly, a vector at a time over all taps where windows are short and near one another, else a tap at a time.

mod blocked;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::desc::{Conv, Write};
use crate::kernel::axis::Axis;
use crate::kernel::conv::pass;
use crate::kernel::parallel::{self, Shared};
use crate::kernel::post::Post;
use crate::simd::{Kernel, Simd};

/// Calls `row(tap, output_row, input_row)` for every row of outputs and tap: the index of the tap, where the outputs that
/// read inside of the map stand in their plane, and where the input of the first of them stands.
#[inline(always)]
fn for_each_row(d: &Conv, mut row: impl FnMut(usize, Range<usize>, usize)) {
    let [down, across] = Axis::both(&d.window, d.input, d.output);
    for kh in 0..down.kernel {
        for oh in down.outputs_of(kh) {
            let ih = down.at(oh, kh);
            for kw in 0..across.kernel {
                let columns = across.outputs_of(kw);
                if columns.is_empty() {
                    continue;
                }
                let iw = across.at(columns.start, kw);
                let outputs = oh * across.outputs + columns.start..oh * across.outputs + columns.end;
                row(kh * across.kernel + kw, outputs, ih * across.inputs + iw);
            }
        }
    }
}

/// See [`super::forward`].
pub(super) fn forward(pass: pass::Forward<'_>, output: &mut [f32]) {
    let pass::Forward { isa, d, n, input, weight, post, write } = pass;
    if !d.is_plain() {
        return blocked::forward(pass, output);
    }
    let (plane, taps, multiplier) = (d.output.plane(), d.taps(), d.output.c / d.groups);
    let output = Shared::new(output);
    parallel::for_each(n * d.output.c, n * d.output.len() * taps, |index| {
        let (sample, oc) = (index / d.output.c, index % d.output.c);
        isa.run(Forward {
            d,
            input: &input[(sample * d.input.c + oc / multiplier) * d.input.plane()..][..d.input.plane()],
            weight: &weight[oc * taps..][..taps],
            post,
            write,
            channel: oc,
            first: index * plane,
            // SAFETY: one plane for each task.
            output: unsafe { output.part(index * plane..(index + 1) * plane) },
        });
    });
}

struct Forward<'a> {
    d: &'a Conv,
    input: &'a [f32],
    weight: &'a [f32],
    post: Post<'a>,
    write: Write,
    channel: usize,
    /// Where the plane stands in the whole output.
    first: usize,
    output: &'a mut [f32],
}

/// Taps in a row at most for which vectors of outputs are summed.
const MOST_TAPS: usize = 16;

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        match self.d.window.stride[1] {
            _ if self.d.window.kernel[1] > MOST_TAPS => self.by_taps(),
            // Constants, so that each gets loops of its own.
            1 => self.by_vectors::<S, 1>(simd),
            2 => self.by_vectors::<S, 2>(simd),
            _ => self.by_taps(),
        }
        self.post.finish_channel(self.channel, self.first, self.output);
    }
}

/// What a vector of outputs reads at a tap: the lanes that are inside of the row, and how far from its beginning the first
/// lane is; columns before the row wrap round.
#[derive(Clone, Copy, Default)]
struct Reads {
    from: usize,
    to: usize,
    start: usize,
}

impl Forward<'_> {
    /// A tap at a time over whole rows.
    #[inline(always)]
    fn by_taps(&mut self) {
        if self.write == Write::Set {
            self.output.fill(0.0);
        }
        for_each_row(self.d, |tap, outputs, from| {
            let inputs = self.input[from..].iter().step_by(self.d.window.stride[1]);
            let weight = self.weight[tap];
            self.output[outputs].iter_mut().zip(inputs).for_each(|(y, x)| *y += weight * x);
        });
    }

    /// A vector of outputs at a time, whose sum over all taps stays in a register.
    #[inline(always)]
    fn by_vectors<S: Simd, const STRIDE: usize>(&mut self, simd: S) {
        let Conv { input: map, window, .. } = self.d;
        let [height, width] = [self.d.output.h, self.d.output.w];
        let taps = window.kernel[1];
        for first in (0..width).step_by(S::LANES) {
            let lanes = S::LANES.min(width - first);
            let mut reads = [Reads::default(); MOST_TAPS];
            for (kw, read) in reads[..taps].iter_mut().enumerate() {
                let begin = first * STRIDE + kw * window.dilation[1];
                let from = window.pad[1].saturating_sub(begin).div_ceil(STRIDE).min(lanes);
                let to = (map.w + window.pad[1]).saturating_sub(begin).div_ceil(STRIDE).clamp(from, lanes);
                *read = Reads { from, to, start: begin.wrapping_sub(window.pad[1]) };
            }
            let reads = &reads[..taps];
            let whole = STRIDE == 1 && reads.iter().all(|read| read.to - read.from == S::LANES);
            for oh in 0..height {
                let outputs = self.output[oh * width + first..][..lanes].as_mut_ptr();
                let before = match self.write {
                    Write::Set => simd.splat(0.0),
                    // SAFETY: there are as many outputs as lanes.
                    Write::Add => unsafe { simd.load_part(outputs, 0, lanes) },
                };
                let sum = match whole {
                    true => self.sum(simd, oh, reads, before, |row, read| {
                        // SAFETY: all lanes stand in the row.
                        unsafe { simd.load(row.wrapping_add(read.start)) }
                    }),
                    false => self.sum(simd, oh, reads, before, |row, read| {
                        let start = row.wrapping_add(read.start);
                        // SAFETY: the lanes `from..to` stand in the row.
                        unsafe {
                            match STRIDE {
                                1 => simd.load_part(start, read.from, read.to),
                                _ => simd.load_apart(start, read.from, read.to),
                            }
                        }
                    }),
                };
                // SAFETY: there are as many outputs as lanes.
                unsafe { simd.store_part(outputs, sum, 0, lanes) };
            }
        }
    }

    /// A vector of sums in row `oh`, on top of `sum`; `load` reads a row's inputs at a tap.
    #[inline(always)]
    fn sum<S: Simd>(
        &self,
        simd: S,
        oh: usize,
        reads: &[Reads],
        mut sum: S::V,
        load: impl Fn(*const f32, Reads) -> S::V,
    ) -> S::V {
        let Conv { input: map, window, .. } = self.d;
        for (kh, weights) in self.weight.chunks_exact(reads.len()).enumerate() {
            // Rows before the map wrap round to numbers far behind it.
            let ih = (oh * window.stride[0] + kh * window.dilation[0]).wrapping_sub(window.pad[0]);
            if ih >= map.h {
                continue;
            }
            let row = self.input[ih * map.w..][..map.w].as_ptr();
            for (&weight, &read) in weights.iter().zip(reads) {
                sum = simd.mul_add(load(row, read), simd.splat(weight), sum);
            }
        }
        sum
    }
}

/// See [`super::backward_data`].
pub(super) fn backward_data(pass: pass::BackwardData<'_>, d_input: &mut [f32]) {
    let pass::BackwardData { isa, d, n, weight, d_output, write } = pass;
    if !d.is_plain() {
        return blocked::backward_data(pass, d_input);
    }
    let (plane, multiplier) = (d.input.plane(), d.output.c / d.groups);
    let (weights, outputs) = (multiplier * d.taps(), multiplier * d.output.plane());
    let d_input = Shared::new(d_input);
    parallel::for_each(n * d.input.c, n * d.output.len() * d.taps(), |index| {
        isa.run(BackwardData {
            d,
            weight: &weight[index % d.input.c * weights..][..weights],
            d_output: &d_output[index * outputs..][..outputs],
            // SAFETY: one plane for each task.
            d_input: unsafe { d_input.part(index * plane..(index + 1) * plane) },
            write,
        });
    });
}

struct BackwardData<'a> {
    d: &'a Conv,
    weight: &'a [f32],
    d_output: &'a [f32],
    d_input: &'a mut [f32],
    write: Write,
}

impl Kernel for BackwardData<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let stride = self.d.window.stride[1];
        if self.write == Write::Set {
            self.d_input.fill(0.0);
        }
        let maps = self.d_output.chunks_exact(self.d.output.plane());
        for (weight, map) in self.weight.chunks_exact(self.d.taps()).zip(maps) {
            for_each_row(self.d, |tap, outputs, from| {
                let weight = weight[tap];
                let outputs = &map[outputs];
                let inputs = &mut self.d_input[from..];
                if stride == 1 {
                    inputs.iter_mut().zip(outputs).for_each(|(x, y)| *x += weight * y);
                } else {
                    inputs.iter_mut().step_by(stride).zip(outputs).for_each(|(x, y)| *x += weight * y);
                }
            });
        }
    }
}

/// See [`super::backward_weights`].
pub(super) fn backward_weights(pass: pass::BackwardWeights<'_>, d_weight: &mut [f32]) {
    let pass::BackwardWeights { isa, d, n, input, d_output } = pass;
    if !d.is_plain() {
        return blocked::backward_weights(pass, d_weight);
    }
    let taps = d.taps();
    let d_weight = Shared::new(d_weight);
    parallel::for_each(d.output.c, n * d.output.len() * taps, |oc| {
        // SAFETY: one filter for each task.
        let d_weight = unsafe { d_weight.part(oc * taps..(oc + 1) * taps) };
        isa.run(BackwardWeights { d, n, oc, input, d_output, d_weight });
    });
}

struct BackwardWeights<'a> {
    d: &'a Conv,
    n: usize,
    oc: usize,
    input: &'a [f32],
    d_output: &'a [f32],
    d_weight: &'a mut [f32],
}

impl Kernel for BackwardWeights<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let d = self.d;
        let ic = self.oc / (d.output.c / d.groups);
        self.d_weight.fill(0.0);
        for sample in 0..self.n {
            let input = &self.input[(sample * d.input.c + ic) * d.input.plane()..][..d.input.plane()];
            let map = &self.d_output[(sample * d.output.c + self.oc) * d.output.plane()..][..d.output.plane()];
            for_each_row(d, |tap, outputs, from| {
                self.d_weight[tap] += dot(simd, &map[outputs], &input[from..], d.window.stride[1]);
            });
        }
    }
}

/// The sum of `a[i] * b[i * stride]`.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32], stride: usize) -> f32 {
    if stride > 1 {
        return a.iter().zip(b.iter().step_by(stride)).map(|(a, b)| a * b).sum();
    }
    let b = &b[..a.len()];
    let (a, b) = (a.chunks_exact(S::LANES), b.chunks_exact(S::LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = simd.splat(0.0);
    for (a, b) in a.zip(b) {
        // SAFETY: both chunks are a vector long.
        sums = unsafe { simd.mul_add(simd.load(a.as_ptr()), simd.load(b.as_ptr()), sums) };
    }
    simd.sum(sums) + rest
}
