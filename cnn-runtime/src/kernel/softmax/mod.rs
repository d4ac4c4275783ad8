//! Softmax and its logarithm over the channels of each position, with the maximum taken off first so that no input
//! overflows.

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use super::math::exp;
use super::order::check_order;
use super::pieces::{each, part, put};
use super::sums;
use super::wide::wide;
use crate::desc::{Order, Softmax, Write};

/// Positions of a map that are worked on together; their sums stand on the stack.
const BLOCK: usize = 64;

/// `output = exp(input) / sum(exp(input))`, or its logarithm, over channels.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward(d: &Softmax, n: usize, input: &[f32], output: &mut [f32]) {
    let len = d.map.len();
    check_order("softmax", d.map.order, &[Order::Nchw]);
    assert_eq!(input.len(), n * len, "softmax: input of {n} samples");
    assert_eq!(output.len(), n * len, "softmax: output of {n} samples");
    each(output, len, input.len(), |n, output| {
        let input = part(input, n, len);
        wide(
            #[inline(always)]
            || match (d.map.plane(), d.log) {
                (1, false) => row(input, output),
                (1, true) => log_row(input, output),
                (plane, log) => {
                    for start in (0..plane).step_by(BLOCK) {
                        block(plane, start, log, input, output);
                    }
                }
            },
        );
    });
}

/// The gradient by the input from the forward pass's output.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward(d: &Softmax, n: usize, output: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    let len = d.map.len();
    check_order("softmax", d.map.order, &[Order::Nchw]);
    assert_eq!(output.len(), n * len, "softmax: output of {n} samples");
    assert_eq!(d_output.len(), n * len, "softmax: gradient by the output of {n} samples");
    assert_eq!(d_input.len(), n * len, "softmax: gradient by the input of {n} samples");
    each(d_input, len, output.len(), |n, d_input| {
        let (output, d_output) = (part(output, n, len), part(d_output, n, len));
        wide(
            #[inline(always)]
            || match (write, d.log) {
                (Write::Set, false) => sample_backward::<false, false>(d, output, d_output, d_input),
                (Write::Set, true) => sample_backward::<false, true>(d, output, d_output, d_input),
                (Write::Add, false) => sample_backward::<true, false>(d, output, d_output, d_input),
                (Write::Add, true) => sample_backward::<true, true>(d, output, d_output, d_input),
            },
        );
    });
}

/// Softmax of one position.
#[inline(always)]
fn row(input: &[f32], output: &mut [f32]) {
    let max = sums::max(input);
    for (y, &x) in output.iter_mut().zip(input) {
        *y = exp(x - max);
    }
    let scale = 1.0 / sums::sum(output, |y| y);
    output.iter_mut().for_each(|y| *y *= scale);
}

/// Logarithm of the softmax of one position.
#[inline(always)]
fn log_row(input: &[f32], output: &mut [f32]) {
    let max = sums::max(input);
    let log_sum = sums::sum(input, |x| exp(x - max)).ln();
    for (y, &x) in output.iter_mut().zip(input) {
        *y = (x - max) - log_sum;
    }
}

/// Up to [`BLOCK`] positions of one sample from `start`.
#[inline(always)]
fn block(plane: usize, start: usize, log: bool, input: &[f32], output: &mut [f32]) {
    let width = BLOCK.min(plane - start);
    let (mut max, mut sum) = ([f32::NEG_INFINITY; BLOCK], [0.0f32; BLOCK]);
    for x in input.chunks_exact(plane) {
        for (m, &x) in max.iter_mut().zip(&x[start..start + width]) {
            *m = if x > *m { x } else { *m };
        }
    }
    for (y, x) in output.chunks_exact_mut(plane).zip(input.chunks_exact(plane)) {
        let (y, x) = (&mut y[start..start + width], &x[start..start + width]);
        for ((y, &x), (&m, s)) in y.iter_mut().zip(x).zip(max.iter().zip(&mut sum)) {
            let shifted = x - m;
            let e = exp(shifted);
            *s += e;
            *y = if log { shifted } else { e };
        }
    }
    for s in &mut sum[..width] {
        *s = if log { s.ln() } else { 1.0 / *s };
    }
    for y in output.chunks_exact_mut(plane) {
        for (y, &s) in y[start..start + width].iter_mut().zip(&sum) {
            *y = if log { *y - s } else { *y * s };
        }
    }
}

/// The backward pass of one sample.
#[inline(always)]
fn sample_backward<const ADD: bool, const LOG: bool>(
    d: &Softmax,
    output: &[f32],
    d_output: &[f32],
    d_input: &mut [f32],
) {
    // What is summed over channels, and the gradient from that sum.
    let term = |y: f32, dy: f32| if LOG { dy } else { y * dy };
    let gradient = |y: f32, dy: f32, sum: f32| if LOG { dy - exp(y) * sum } else { y * (dy - sum) };
    let plane = d.map.plane();
    if plane == 1 {
        let sum = sums::sum2(output, d_output, term);
        for (dx, (&y, &dy)) in d_input.iter_mut().zip(output.iter().zip(d_output)) {
            put::<ADD>(dx, gradient(y, dy, sum));
        }
        return;
    }
    for start in (0..plane).step_by(BLOCK) {
        let span = start..plane.min(start + BLOCK);
        let mut sum = [0.0f32; BLOCK];
        for (y, dy) in output.chunks_exact(plane).zip(d_output.chunks_exact(plane)) {
            for (s, (&y, &dy)) in sum.iter_mut().zip(y[span.clone()].iter().zip(&dy[span.clone()])) {
                *s += term(y, dy);
            }
        }
        let channels = output.chunks_exact(plane).zip(d_output.chunks_exact(plane));
        for (dx, (y, dy)) in d_input.chunks_exact_mut(plane).zip(channels) {
            let pairs = y[span.clone()].iter().zip(&dy[span.clone()]);
            for ((dx, &s), (&y, &dy)) in dx[span.clone()].iter_mut().zip(&sum).zip(pairs) {
                put::<ADD>(dx, gradient(y, dy, s));
            }
        }
    }
}
