//! Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3), as in PyTorch: the window of a
//! channel reaches `size / 2` channels before and `(size - 1) / 2` after it, and `alpha` is divided by `size`.

mod blocked;
mod pass;
mod power;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod window;

use self::pass::{Backward, Forward};
use super::order::check_order;
use super::pieces::{each, each2, part};
use crate::desc::{Lrn, Order, Write};
use crate::dispatch::Isa;

/// `output = input * scale^-beta` with `scale = k + alpha / size * sum of squares`.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward(d: &Lrn, n: usize, input: &[f32], output: &mut [f32]) {
    forward_on(Isa::active(), d, n, input, output);
}

/// As [`forward`], and keeps each element's scale for the backward pass.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward_train(d: &Lrn, n: usize, input: &[f32], output: &mut [f32], scale: &mut [f32]) {
    forward_train_on(Isa::active(), d, n, input, output, scale);
}

/// The gradient by the input:
/// `d_input[j] = d_output[j] * scale[j]^-beta - 2 * alpha / size * beta * input[j] * sum of terms`, where the terms
/// `d_output[i] * input[i] * scale[i]^(-beta - 1)` are those of the channels `i` whose windows hold `j`.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward(d: &Lrn, n: usize, input: &[f32], scale: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    backward_on(Isa::active(), d, n, [input, scale, d_output], d_input, write);
}

fn forward_on(isa: Isa, d: &Lrn, n: usize, input: &[f32], output: &mut [f32]) {
    check(d, n, [input.len(), output.len(), input.len(), input.len()]);
    let len = d.map.len();
    each(output, len, input.len(), |n, output| {
        isa.run(Forward { d, input: part(input, n, len), output, scale: &mut [] });
    });
}

fn forward_train_on(isa: Isa, d: &Lrn, n: usize, input: &[f32], output: &mut [f32], scale: &mut [f32]) {
    check(d, n, [input.len(), output.len(), scale.len(), input.len()]);
    let len = d.map.len();
    each2((output, len), (scale, len), input.len(), |n, output, scale| {
        isa.run(Forward { d, input: part(input, n, len), output, scale });
    });
}

fn backward_on(isa: Isa, d: &Lrn, n: usize, [input, scale, d_output]: [&[f32]; 3], d_input: &mut [f32], write: Write) {
    check(d, n, [input.len(), scale.len(), d_output.len(), d_input.len()]);
    let len = d.map.len();
    each(d_input, len, input.len(), |n, d_input| {
        let [input, scale, d_output] = [input, scale, d_output].map(|all| part(all, n, len));
        isa.run(Backward { d, input, scale, d_output, d_input, write });
    });
}

/// Checks lengths against `n` samples, and the order.
fn check(d: &Lrn, n: usize, lengths: [usize; 4]) {
    assert_eq!(lengths, [n * d.map.len(); 4], "lrn: values of {n} samples");
    check_order("lrn", d.map.order, &[Order::Nchw, Order::Nchw16c]);
}
