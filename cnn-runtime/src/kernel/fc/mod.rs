//! Fully connected layers: `output = weight * input + bias`, weights `[outputs, inputs]`.

pub mod reference;

use crate::desc::{Fc, Write};

/// Applies the layer to `n` samples: `input` is `[n, inputs]`, `output` is `[n, outputs]`.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn forward(d: &Fc, n: usize, input: &[f32], weight: &[f32], bias: Option<&[f32]>, output: &mut [f32]) {
    check(d, n, input, weight, output);
    assert!(bias.is_none_or(|bias| bias.len() == d.outputs), "one bias per output");
    reference::forward(d, n, input, weight, bias, output);
}

/// The gradient by the input of `n` samples, written or added to `d_input`.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn backward_data(d: &Fc, n: usize, weight: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    check(d, n, d_input, weight, d_output);
    reference::backward_data(d, n, weight, d_output, d_input, write);
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
    check(d, n, input, d_weight, d_output);
    assert!(d_bias.as_ref().is_none_or(|bias| bias.len() == d.outputs), "one bias per output");
    reference::backward_weights(d, n, input, d_output, d_weight, d_bias);
}

fn check(d: &Fc, n: usize, input: &[f32], weight: &[f32], output: &[f32]) {
    assert_eq!(input.len(), n * d.inputs, "length of the input of {n} samples");
    assert_eq!(weight.len(), d.inputs * d.outputs, "length of the weights");
    assert_eq!(output.len(), n * d.outputs, "length of the output of {n} samples");
}
