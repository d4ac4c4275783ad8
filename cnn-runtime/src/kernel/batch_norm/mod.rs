//! Batch normalisation (Ioffe and Szegedy 2015), with PyTorch's conventions: the biased variance normalises, the
//! unbiased one goes into the running statistics.
//!
//! Statistics are taken in two passes (mean, then squares about it); blocks are summed in single precision, blocks of
//! a channel in double, in an order that depends on the shape only.

mod channels;
pub mod reference;
#[cfg(test)]
mod tests;

use channels::{Channels, GROUP, together};

use super::pieces::{each, each2, part, put};
use super::wide::wide;
use crate::desc::{BatchNorm, Write};

/// Normalises with running statistics: `output = (input - mean) / sqrt(var + eps) * scale + shift`.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
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
    let inference = |c: usize| Affine { mean: mean[c], factor: scale[c] / (var[c] + d.eps).sqrt(), shift: shift[c] };
    affine(d, input, inference, output);
}

/// As [`forward`], in place.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
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
    let (group, len) = (together(d), io.len());
    each(io, group * d.plane, len, |i, io| {
        let first = i * group % d.channels;
        wide(
            #[inline(always)]
            || {
                for (c, plane) in (first..).zip(io.chunks_exact_mut(d.plane)) {
                    let a = Affine { mean: mean[c], factor: scale[c] / (var[c] + d.eps).sqrt(), shift: shift[c] };
                    plane.iter_mut().for_each(|x| *x = a.of(*x));
                }
            },
        );
    });
}

/// Normalises with the batch's own statistics, saves them for the backward pass, and moves the running statistics
/// towards them: `running = (1 - momentum) * running + momentum * batch`.
///
/// With a single value per channel the variance is zero and the running variance takes it as it is. Statistics that are
/// not finite are not taken over: one bad batch, whose loss is refused, would leave the network unusable.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
#[expect(clippy::too_many_arguments)]
pub fn forward_train(
    d: &BatchNorm,
    n: usize,
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
    let (all, count) = (Channels::new(d, n), n * d.plane);
    each2((&mut *saved_mean, GROUP), (&mut *saved_inv_std, GROUP), input.len(), |i, mean, var| {
        wide(
            #[inline(always)]
            || {
                all.sums(i * GROUP, [input, input], |_, x, _| x, mean);
                mean.iter_mut().for_each(|m| *m /= count as f32);
                all.sums(i * GROUP, [input, input], |k, x, _| (x - mean[k]) * (x - mean[k]), var);
                var.iter_mut().for_each(|v| *v /= count as f32);
            },
        );
    });
    let unbiased = count as f32 / (count - 1).max(1) as f32;
    for c in 0..d.channels {
        let var = saved_inv_std[c];
        if saved_mean[c].is_finite() && (var * unbiased).is_finite() {
            running_mean[c] += d.momentum * (saved_mean[c] - running_mean[c]);
            running_var[c] += d.momentum * (var * unbiased - running_var[c]);
        }
        saved_inv_std[c] = 1.0 / (var + d.eps).sqrt();
    }
    let batch = |c: usize| Affine { mean: saved_mean[c], factor: scale[c] * saved_inv_std[c], shift: shift[c] };
    affine(d, input, batch, output);
}

/// The gradients by the input, and by scale and shift (which are overwritten), through the batch's statistics.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
#[expect(clippy::too_many_arguments)]
pub fn backward(
    d: &BatchNorm,
    n: usize,
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
    each2((&mut *d_scale, GROUP), (&mut *d_shift, GROUP), input.len(), |i, d_scale, d_shift| {
        let first = i * GROUP;
        let (mean, inv_std) = (&saved_mean[first..], &saved_inv_std[first..]);
        wide(
            #[inline(always)]
            || {
                all.sums(first, [input, d_output], |_, _, dy| dy, d_shift);
                all.sums(first, [input, d_output], |k, x, dy| (x - mean[k]) * dy, d_scale);
                d_scale.iter_mut().zip(inv_std).for_each(|(s, r)| *s *= r);
            },
        );
    });
    let per_value = 1.0 / (n * d.plane) as f32;
    let slope = |c: usize| Slope {
        mean: saved_mean[c],
        factor: scale[c] * saved_inv_std[c],
        by_shift: d_shift[c] * per_value,
        by_scale: d_scale[c] * per_value * saved_inv_std[c],
    };
    match write {
        Write::Set => slopes::<false>(d, input, d_output, slope, d_input),
        Write::Add => slopes::<true>(d, input, d_output, slope, d_input),
    }
}

/// Checks the lengths of values of `n` samples and of values per channel.
fn check(d: &BatchNorm, n: usize, values: [usize; 2], per_channel: [usize; 4]) {
    assert_eq!(values, [n * d.channels * d.plane; 2], "batch_norm: values of {n} samples");
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

/// What turns one channel's gradient by the output into that by the input.
#[derive(Clone, Copy)]
struct Slope {
    mean: f32,
    factor: f32,
    by_shift: f32,
    by_scale: f32,
}

/// The gradient by the input of each channel of each sample.
fn slopes<const ADD: bool>(
    d: &BatchNorm,
    input: &[f32],
    d_output: &[f32],
    of_channel: impl Fn(usize) -> Slope + Sync,
    d_input: &mut [f32],
) {
    let group = together(d);
    each(d_input, group * d.plane, input.len(), |i, d_input| {
        let first = i * group % d.channels;
        let (input, d_output) = (part(input, i, group * d.plane), part(d_output, i, group * d.plane));
        wide(
            #[inline(always)]
            || {
                let planes = input.chunks_exact(d.plane).zip(d_output.chunks_exact(d.plane));
                for (c, (d_input, (input, d_output))) in (first..).zip(d_input.chunks_exact_mut(d.plane).zip(planes)) {
                    let s = of_channel(c);
                    for (dx, (&x, &dy)) in d_input.iter_mut().zip(input.iter().zip(d_output)) {
                        put::<ADD>(dx, s.factor * ((dy - s.by_shift) - (x - s.mean) * s.by_scale));
                    }
                }
            },
        );
    });
}
