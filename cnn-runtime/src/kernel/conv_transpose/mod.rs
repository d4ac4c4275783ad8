//! Transposed 2-D convolution, as PyTorch's and ONNX's `ConvTranspose`: every input is spread over the window of outputs
//! that a convolution would have read it from. Forward is that convolution's gradient by its input, the gradient by the
//! input is the convolution itself, and the weights stand in memory as the convolution's do.

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use super::conv;
use super::order::check_order;
use super::pieces::each;
use super::wide::wide;
use crate::desc::{ConvTranspose, Order, Write};

/// Floats of scratch that [`forward`] needs: room for the weights, rearranged.
pub const fn scratch_len(d: &ConvTranspose) -> usize {
    conv::scratch_len(&d.conv())
}

/// Spreads `n` samples: `output = weight^T * input + bias`. `scratch` holds [`scratch_len`] floats of no lasting value.
///
/// # Panics
/// If a slice has another length, or a map stands in an order that the layer does not know.
pub fn forward(
    d: &ConvTranspose,
    n: usize,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
    scratch: &mut [f32],
) {
    check(d);
    conv::backward_data(&d.conv(), n, weight, input, output, scratch, Write::Set);
    let Some(bias) = bias else { return };
    assert_eq!(bias.len(), d.output.c, "one bias per output channel");
    let work = output.len();
    each(output, d.output.plane(), work, |plane, output| {
        let bias = bias[plane % d.output.c];
        wide(
            #[inline(always)]
            || output.iter_mut().for_each(|y| *y += bias),
        );
    });
}

/// The gradient by the input of `n` samples, written or added to `d_input`.
///
/// # Panics
/// If a slice has another length, or a map stands in an order that the layer does not know.
pub fn backward_data(d: &ConvTranspose, n: usize, weight: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    check(d);
    conv::accumulate(&d.conv(), n, d_output, weight, d_input, write);
}

/// The gradients by weights and bias, summed over `n` samples; both are overwritten.
///
/// # Panics
/// If a slice has another length, or a map stands in an order that the layer does not know.
pub fn backward_weights(
    d: &ConvTranspose,
    n: usize,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
    d_bias: Option<&mut [f32]>,
) {
    check(d);
    conv::backward_weights(&d.conv(), n, d_output, input, d_weight, None);
    if let Some(d_bias) = d_bias {
        assert_eq!(d_bias.len(), d.output.c, "one bias per output channel");
        conv::backward_bias(d.output, n, d_output, d_bias);
    }
}

/// Asserts that outputs stand in NCHW, as the bias meets them. The convolution knows the orders of inputs.
fn check(d: &ConvTranspose) {
    check_order("conv_transpose", d.output.order, &[Order::Nchw]);
}
