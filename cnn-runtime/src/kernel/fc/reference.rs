//! The fully connected layer as its definition says, in plain loops: what the fast paths are tested against.

use crate::desc::{Fc, Write};
use crate::kernel::scalar::Scalar;

/// `output[s][o] = sum over i of weight[o][i] * input[s][i], + bias[o]`.
pub fn forward<T: Scalar>(d: &Fc, n: usize, input: &[T], weight: &[T], bias: Option<&[T]>, output: &mut [T]) {
    for s in 0..n {
        for o in 0..d.outputs {
            let mut sum = bias.map_or(T::default(), |bias| bias[o]);
            for i in 0..d.inputs {
                sum += weight[o * d.inputs + i] * input[s * d.inputs + i];
            }
            output[s * d.outputs + o] = sum;
        }
    }
}

/// The gradient by the input.
pub fn backward_data<T: Scalar>(d: &Fc, n: usize, weight: &[T], d_output: &[T], d_input: &mut [T], write: Write) {
    for s in 0..n {
        for i in 0..d.inputs {
            let mut sum = T::default();
            for o in 0..d.outputs {
                sum += weight[o * d.inputs + i] * d_output[s * d.outputs + o];
            }
            let slot = &mut d_input[s * d.inputs + i];
            *slot = if write == Write::Add { *slot + sum } else { sum };
        }
    }
}

/// The gradients by the weights and the bias.
pub fn backward_weights<T: Scalar>(
    d: &Fc,
    n: usize,
    input: &[T],
    d_output: &[T],
    d_weight: &mut [T],
    d_bias: Option<&mut [T]>,
) {
    for o in 0..d.outputs {
        for i in 0..d.inputs {
            let mut sum = T::default();
            for s in 0..n {
                sum += d_output[s * d.outputs + o] * input[s * d.inputs + i];
            }
            d_weight[o * d.inputs + i] = sum;
        }
    }
    if let Some(d_bias) = d_bias {
        for (o, slot) in d_bias.iter_mut().enumerate() {
            *slot = T::default();
            for s in 0..n {
                *slot += d_output[s * d.outputs + o];
            }
        }
    }
}
