//! 2-D convolution: strided, padded, dilated, grouped; NCHW maps and OIHW weights.

pub mod reference;

use crate::desc::{Conv, Write};

/// Floats of scratch that [`backward_data`] needs: room for the rotated weights.
pub const fn scratch_len(d: &Conv) -> usize {
    d.weight_len()
}

/// Convolves `n` samples: `output = input * weight + bias`.
///
/// `input` is `n x input`, `weight` is OIHW, `bias` one value per output channel, `output` is `n x output`.
///
/// # Panics
/// If a slice has another length.
pub fn forward(d: &Conv, n: usize, input: &[f32], weight: &[f32], bias: Option<&[f32]>, output: &mut [f32]) {
    check(d, n, input, weight, output);
    assert!(bias.is_none_or(|bias| bias.len() == d.output.c), "one bias per output channel");
    reference::forward(d, n, input, weight, bias, output);
}

/// The gradient by the input of `n` samples, written or added to `d_input`.
///
/// `scratch` holds [`scratch_len`] floats of no lasting value.
///
/// # Panics
/// If a slice has another length.
pub fn backward_data(
    d: &Conv,
    n: usize,
    weight: &[f32],
    d_output: &[f32],
    d_input: &mut [f32],
    scratch: &mut [f32],
    write: Write,
) {
    check(d, n, d_input, weight, d_output);
    assert_eq!(scratch.len(), scratch_len(d), "scratch");
    reference::backward_data(d, n, weight, d_output, d_input, write);
}

/// The gradients by weights and bias, summed over `n` samples; both are overwritten.
///
/// # Panics
/// If a slice has another length.
pub fn backward_weights(
    d: &Conv,
    n: usize,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
    d_bias: Option<&mut [f32]>,
) {
    check(d, n, input, d_weight, d_output);
    assert!(d_bias.as_ref().is_none_or(|bias| bias.len() == d.output.c), "one bias per output channel");
    reference::backward_weights(d, n, input, d_output, d_weight, d_bias);
}

fn check(d: &Conv, n: usize, input: &[f32], weight: &[f32], output: &[f32]) {
    assert_eq!(input.len(), n * d.input.len(), "length of the input of {n} samples");
    assert_eq!(weight.len(), d.weight_len(), "length of the weights");
    assert_eq!(output.len(), n * d.output.len(), "length of the output of {n} samples");
}
