//! Fully connected layers: `output = weight * input + bias`.
//!
//! Weights and their gradients stand in memory as [`Layout::of_fc`](crate::layout::Layout::of_fc) says, not as
//! `[outputs, inputs]`: every pass over a batch reads or writes them once, in order.

#![allow(unsafe_code)] // writes tiles of shared outputs from several threads

mod backward_data;
mod backward_weights;
mod dot;
mod ends;
mod forward;
#[cfg(target_arch = "x86_64")]
mod matrix;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod tile;

use crate::desc::{Fc, Write};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::post::Post;

/// Outputs of a panel, as a block of weights is called here: `[input][output of the panel]`, the last one narrower.
///
/// A pass over a batch reads or writes a panel from its first to its last float: forward as vectors of outputs, and so the
/// gradient by the weights; the gradient by the input has all it needs of an input in one place.
const WIDTH: usize = Blocks::MOST;

/// Applies the layer to `n` samples: `input` is `[n, inputs]`, `output` is `[n, outputs]`.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn forward(d: &Fc, n: usize, input: &[f32], weight: &[f32], bias: Option<&[f32]>, output: &mut [f32]) {
    forward_then(d, n, input, weight, bias.into(), output);
}

/// As `forward`, with more than a bias done to each output as it is written.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn forward_then(d: &Fc, n: usize, input: &[f32], weight: &[f32], post: Post<'_>, output: &mut [f32]) {
    forward_on(Isa::active(), d, n, input, weight, post, output);
}

/// The gradient by the input of `n` samples, written or added to `d_input`.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn backward_data(d: &Fc, n: usize, weight: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    backward_data_on(Isa::active(), d, n, weight, d_output, d_input, write);
}

/// The gradients by weights and bias, summed over `n` samples; both are overwritten.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn backward_weights(
    d: &Fc,
    n: usize,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
    d_bias: Option<&mut [f32]>,
) {
    backward_weights_on(Isa::active(), d, n, input, d_output, d_weight, d_bias);
}

fn check(d: &Fc, n: usize, input: &[f32], weight: &[f32], output: &[f32]) {
    assert_eq!(Some(input.len()), n.checked_mul(d.inputs), "length of the input of {n} samples");
    assert_eq!(Some(weight.len()), d.inputs.checked_mul(d.outputs), "length of the weights");
    assert_eq!(Some(output.len()), n.checked_mul(d.outputs), "length of the output of {n} samples");
}

pub(super) fn forward_on(
    isa: Isa,
    d: &Fc,
    n: usize,
    input: &[f32],
    weight: &[f32],
    post: Post<'_>,
    output: &mut [f32],
) {
    check(d, n, input, weight, output);
    post.check(d.outputs, output.len());
    #[cfg(target_arch = "x86_64")]
    if let Some(amx) = matrix::applies_forward(isa, d, n) {
        return matrix::forward((isa, amx), d, n, input, weight, post, output);
    }
    forward::run(isa, d, n, input, weight, post, output);
}

pub(super) fn backward_data_on(
    isa: Isa,
    d: &Fc,
    n: usize,
    weight: &[f32],
    d_output: &[f32],
    d_input: &mut [f32],
    write: Write,
) {
    check(d, n, d_input, weight, d_output);
    #[cfg(target_arch = "x86_64")]
    if let Some(amx) = matrix::applies(isa, d, n) {
        return matrix::backward_data((isa, amx), d, n, weight, d_output, d_input, write);
    }
    if n >= backward_data::MIN_SAMPLES {
        backward_data::run(isa, d, n, weight, d_output, d_input, write);
    } else {
        dot::run(isa, d, n, weight, d_output, d_input, write);
    }
}

pub(super) fn backward_weights_on(
    isa: Isa,
    d: &Fc,
    n: usize,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
    d_bias: Option<&mut [f32]>,
) {
    check(d, n, input, d_weight, d_output);
    assert!(d_bias.as_ref().is_none_or(|bias| bias.len() == d.outputs), "one bias per output");
    if let Some(d_bias) = d_bias {
        d_bias.fill(0.0);
        for sample in d_output.chunks_exact(d.outputs) {
            d_bias.iter_mut().zip(sample).for_each(|(sum, g)| *sum += g);
        }
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(amx) = matrix::applies(isa, d, n) {
        return matrix::backward_weights((isa, amx), d, n, input, d_output, d_weight);
    }
    backward_weights::run(isa, d, n, input, d_output, d_weight);
}
