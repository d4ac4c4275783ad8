//! Batch normalisation (Ioffe and Szegedy 2015), with PyTorch's conventions: the biased variance normalises, the
//! unbiased one goes into the running statistics.
//!
//! A channel is done with before the next is begun, so that memory is read once and the passes after the first find
//! the channel in the caches. Statistics are taken in two passes (mean, then squares about it); blocks are summed in single
//! precision, blocks of a channel in double, in an order that depends on the shape only.

#![allow(unsafe_code)] // tasks write the planes of their channels

mod blocked;
mod channels;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::ops::Range;

use channels::{Channels, together};

use super::order::check_order;
use super::parallel::{self, Shared};
use super::pieces::{each, part, put};
use super::wide::wide;
use crate::desc::{BatchNorm, Order, Statistics, Write};
use crate::dispatch::Isa;

/// What a value of a batch costs in training, in multiply-adds.
const COST: usize = 8;

/// Normalises with running statistics: `output = (input - mean) / sqrt(var + eps) * scale + shift`.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
#[expect(clippy::too_many_arguments)]
pub fn forward(
    d: &BatchNorm,
    n: usize,
    input: &[f32],
    scale: &[f32],
    shift: &[f32],
    mean: &[f32],
    var: &[f32],
    output: &mut [f32],
) {
    check(d, n, [input.len(), output.len()], [scale.len(), shift.len(), mean.len(), var.len()]);
    if blocked::applies(d) {
        return blocked::forward(Isa::active(), d, Some(input), [scale, shift, mean, var], output);
    }
    affine(d, input, |c| Affine::running(d, [scale, shift, mean, var], c), output);
}

/// As [`forward`], in place.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward_inplace(
    d: &BatchNorm,
    n: usize,
    io: &mut [f32],
    scale: &[f32],
    shift: &[f32],
    mean: &[f32],
    var: &[f32],
) {
    check(d, n, [io.len(), io.len()], [scale.len(), shift.len(), mean.len(), var.len()]);
    if blocked::applies(d) {
        return blocked::forward(Isa::active(), d, None, [scale, shift, mean, var], io);
    }
    let (group, len) = (together(d), io.len());
    each(io, group * d.plane, len, |i, io| {
        let first = i * group % d.channels;
        wide(
            #[inline(always)]
            || {
                for (c, plane) in (first..).zip(io.chunks_exact_mut(d.plane)) {
                    let a = Affine::running(d, [scale, shift, mean, var], c);
                    plane.iter_mut().for_each(|x| *x = a.of(*x));
                }
            },
        );
    });
}

/// Normalises with the batch's own statistics, saves them for the backward pass, and moves the running statistics
/// towards them: `running = (1 - momentum) * running + momentum * batch`. Or normalises with the running statistics, and
/// saves those.
///
/// With a single value per channel the variance is zero and the running variance takes it as it is. Statistics that are
/// not finite are not taken over: one bad batch, whose loss is refused, would leave the network unusable.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
#[expect(clippy::too_many_arguments)]
pub fn forward_train(
    d: &BatchNorm,
    n: usize,
    statistics: Statistics,
    input: &[f32],
    scale: &[f32],
    shift: &[f32],
    running_mean: &mut [f32],
    running_var: &mut [f32],
    saved_mean: &mut [f32],
    saved_inv_std: &mut [f32],
    output: &mut [f32],
) {
    check(d, n, [input.len(), output.len()], [scale.len(), shift.len(), saved_mean.len(), saved_inv_std.len()]);
    check(d, n, [input.len(), input.len()], [running_mean.len(), running_var.len(), d.channels, d.channels]);
    if statistics == Statistics::Running {
        saved_mean.copy_from_slice(running_mean);
        saved_inv_std.iter_mut().zip(&*running_var).for_each(|(inv_std, var)| *inv_std = 1.0 / (var + d.eps).sqrt());
        return forward(d, n, input, scale, shift, running_mean, running_var, output);
    }
    let targets = [&mut *saved_mean, &mut *saved_inv_std, output];
    if blocked::applies(d) {
        blocked::train(Isa::active(), d, n, input, [scale, shift], targets);
    } else {
        by_channels(d, n, input, [scale, shift], targets);
    }
    let count = n * d.plane;
    let unbiased = count as f32 / count.saturating_sub(1).max(1) as f32;
    for c in 0..d.channels {
        let var = saved_inv_std[c];
        if saved_mean[c].is_finite() && (var * unbiased).is_finite() {
            running_mean[c] += d.momentum * (saved_mean[c] - running_mean[c]);
            running_var[c] += d.momentum * (var * unbiased - running_var[c]);
        }
        saved_inv_std[c] = 1.0 / (var + d.eps).sqrt();
    }
}

/// Normalises plane by plane with the batch's statistics; `targets` are their means, their variances, and the output.
fn by_channels(d: &BatchNorm, n: usize, input: &[f32], [scale, shift]: [&[f32]; 2], targets: [&mut [f32]; 3]) {
    let (all, count) = (Channels::new(d, n), n * d.plane);
    let shared = targets.map(Shared::new);
    let group = all.group();
    parallel::for_each(d.channels.div_ceil(group), COST * input.len(), |task| {
        let channels = task * group..d.channels.min((task + 1) * group);
        // SAFETY: each channel is in one task.
        let [mean, var] = unsafe { [shared[0].part(channels.clone()), shared[1].part(channels.clone())] };
        wide(
            #[inline(always)]
            || {
                all.sums(channels.start, [input, input], |_, x, _| x, mean);
                mean.iter_mut().for_each(|m| *m /= count as f32);
                all.sums(channels.start, [input, input], |k, x, _| (x - mean[k]) * (x - mean[k]), var);
                var.iter_mut().for_each(|v| *v /= count as f32);
                for (k, c) in channels.enumerate() {
                    let factor = scale[c] * (1.0 / (var[k] + d.eps).sqrt());
                    let a = Affine { mean: mean[k], factor, shift: shift[c] };
                    for plane in all.planes(c) {
                        // SAFETY: a plane of this task's channel.
                        let output = unsafe { shared[2].part(plane.clone()) };
                        output.iter_mut().zip(&input[plane]).for_each(|(y, &x)| *y = a.of(x));
                    }
                }
            },
        );
    });
}

/// The gradients by the input, and by scale and shift (which are overwritten), through the batch's statistics if those
/// normalised.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
#[expect(clippy::too_many_arguments)]
pub fn backward(
    d: &BatchNorm,
    n: usize,
    statistics: Statistics,
    input: &[f32],
    scale: &[f32],
    saved_mean: &[f32],
    saved_inv_std: &[f32],
    d_output: &[f32],
    d_scale: &mut [f32],
    d_shift: &mut [f32],
    d_input: &mut [f32],
    write: Write,
) {
    check(d, n, [input.len(), d_input.len()], [scale.len(), saved_mean.len(), saved_inv_std.len(), d_scale.len()]);
    check(d, n, [d_output.len(), input.len()], [d_shift.len(), d.channels, d.channels, d.channels]);
    let all = Channels::new(d, n);
    // Every value moves the batch's statistics a little, and the running ones not at all.
    let per_value = if statistics == Statistics::Batch { 1.0 / all.count() as f32 } else { 0.0 };
    if blocked::applies(d) {
        let (isa, values, tensors) = (Isa::active(), [input, d_output], [scale, saved_mean, saved_inv_std]);
        let targets = [d_scale, d_shift, d_input];
        return match write {
            Write::Set => blocked::backward::<false>(isa, d, n, per_value, values, tensors, targets),
            Write::Add => blocked::backward::<true>(isa, d, n, per_value, values, tensors, targets),
        };
    }
    let gradient = Gradient { all, per_value, input, scale, saved_mean, saved_inv_std, d_output };
    match write {
        Write::Set => gradient.run::<false>([d_scale, d_shift, d_input]),
        Write::Add => gradient.run::<true>([d_scale, d_shift, d_input]),
    }
}

/// Checks the lengths of values of `n` samples and of values per channel.
fn check(d: &BatchNorm, n: usize, values: [usize; 2], per_channel: [usize; 4]) {
    assert_eq!(values, [n * d.channels * d.plane; 2], "batch_norm: values of {n} samples");
    check_order("batch_norm", d.order, &[Order::Nchw, Order::Nchw16c]);
    assert!(d.order == Order::Nchw || d.channels.is_multiple_of(Order::BLOCK), "batch_norm: whole blocks of channels");
    assert_eq!(per_channel, [d.channels; 4], "batch_norm: values per channel");
}

/// What normalises one channel.
#[derive(Clone, Copy)]
struct Affine {
    mean: f32,
    factor: f32,
    shift: f32,
}

impl Affine {
    /// By running statistics.
    #[inline(always)]
    fn running(d: &BatchNorm, [scale, shift, mean, var]: [&[f32]; 4], c: usize) -> Self {
        Affine { mean: mean[c], factor: scale[c] / (var[c] + d.eps).sqrt(), shift: shift[c] }
    }

    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        (x - self.mean) * self.factor + self.shift
    }
}

/// Normalises each channel of each sample.
fn affine(d: &BatchNorm, input: &[f32], of_channel: impl Fn(usize) -> Affine + Sync, output: &mut [f32]) {
    let group = together(d);
    each(output, group * d.plane, input.len(), |i, output| {
        let (first, input) = (i * group % d.channels, part(input, i, group * d.plane));
        wide(
            #[inline(always)]
            || {
                let planes = output.chunks_exact_mut(d.plane).zip(input.chunks_exact(d.plane));
                for (c, (output, input)) in (first..).zip(planes) {
                    let a = of_channel(c);
                    output.iter_mut().zip(input).for_each(|(y, &x)| *y = a.of(x));
                }
            },
        );
    });
}

/// What the backward pass reads.
struct Gradient<'a> {
    all: Channels,
    /// A value's part in the statistics.
    per_value: f32,
    input: &'a [f32],
    scale: &'a [f32],
    saved_mean: &'a [f32],
    saved_inv_std: &'a [f32],
    d_output: &'a [f32],
}

impl Gradient<'_> {
    /// Writes the gradients by scale, shift and input, a channel after the other.
    fn run<const ADD: bool>(&self, targets: [&mut [f32]; 3]) {
        let shared = targets.map(Shared::new);
        let (group, channels) = (self.all.group(), self.scale.len());
        parallel::for_each(channels.div_ceil(group), COST * self.input.len(), |task| {
            let channels = task * group..channels.min((task + 1) * group);
            // SAFETY: each channel is in one task.
            let [d_scale, d_shift] = unsafe { [shared[0].part(channels.clone()), shared[1].part(channels.clone())] };
            wide(
                #[inline(always)]
                || self.channels::<ADD>(channels, d_scale, d_shift, shared[2]),
            );
        });
    }

    #[inline(always)]
    fn channels<const ADD: bool>(&self, channels: Range<usize>, d_scale: &mut [f32], d_shift: &mut [f32], to: Shared) {
        let Gradient { all, per_value, input, scale, saved_mean, saved_inv_std, d_output } = *self;
        let (mean, inv_std) = (&saved_mean[channels.clone()], &saved_inv_std[channels.clone()]);
        all.sums(channels.start, [input, d_output], |_, _, dy| dy, d_shift);
        all.sums(channels.start, [input, d_output], |k, x, dy| (x - mean[k]) * dy, d_scale);
        d_scale.iter_mut().zip(inv_std).for_each(|(s, r)| *s *= r);
        for (k, c) in channels.enumerate() {
            let (mean, factor) = (mean[k], scale[c] * inv_std[k]);
            let (by_shift, by_scale) = (d_shift[k] * per_value, d_scale[k] * per_value * inv_std[k]);
            for plane in all.planes(c) {
                // SAFETY: a plane of this task's channel.
                let d_input = unsafe { to.part(plane.clone()) };
                for (dx, (&x, &dy)) in d_input.iter_mut().zip(input[plane.clone()].iter().zip(&d_output[plane])) {
                    put::<ADD>(dx, factor * ((dy - by_shift) - (x - mean) * by_scale));
                }
            }
        }
    }
}
