//! Convolution as its definition says, in plain loops: what the fast paths are tested against.

use crate::desc::{Conv, Write};
use crate::kernel::scalar::Scalar;

/// Calls `tap(input, weight, output)` with the three indices of every product of the convolution of `n` samples.
///
/// Taps that fall on padding are left out. For one output, taps come in the order of its weights.
fn for_each_tap(d: &Conv, n: usize, mut tap: impl FnMut(usize, usize, usize)) {
    let icg = d.input.c / d.groups;
    let ocg = d.output.c / d.groups;
    let [kernel_h, kernel_w] = d.window.kernel;
    let [top, left, ..] = d.window.pad;
    for n in 0..n {
        for oc in 0..d.output.c {
            for oh in 0..d.output.h {
                for ow in 0..d.output.w {
                    let output = ((n * d.output.c + oc) * d.output.h + oh) * d.output.w + ow;
                    for i in 0..icg {
                        let ic = oc / ocg * icg + i;
                        for kh in 0..kernel_h {
                            let ih = oh * d.window.stride[0] + kh * d.window.dilation[0];
                            if ih < top || ih - top >= d.input.h {
                                continue;
                            }
                            for kw in 0..kernel_w {
                                let iw = ow * d.window.stride[1] + kw * d.window.dilation[1];
                                if iw < left || iw - left >= d.input.w {
                                    continue;
                                }
                                let input = ((n * d.input.c + ic) * d.input.h + ih - top) * d.input.w + iw - left;
                                tap(input, ((oc * icg + i) * kernel_h + kh) * kernel_w + kw, output);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `output = input * weight + bias`.
pub fn forward<T: Scalar>(d: &Conv, n: usize, input: &[T], weight: &[T], bias: Option<&[T]>, output: &mut [T]) {
    for (index, y) in output.iter_mut().enumerate() {
        *y = bias.map_or(T::default(), |bias| bias[index / d.output.plane() % d.output.c]);
    }
    for_each_tap(d, n, |i, w, o| output[o] += input[i] * weight[w]);
}

/// The gradient by the input: each tap carries its output's gradient back to its input.
pub fn backward_data<T: Scalar>(d: &Conv, n: usize, weight: &[T], d_output: &[T], d_input: &mut [T], write: Write) {
    if write == Write::Set {
        d_input.fill(T::default());
    }
    for_each_tap(d, n, |i, w, o| d_input[i] += d_output[o] * weight[w]);
}

/// The gradients by the weights and the bias.
pub fn backward_weights<T: Scalar>(
    d: &Conv,
    n: usize,
    input: &[T],
    d_output: &[T],
    d_weight: &mut [T],
    d_bias: Option<&mut [T]>,
) {
    d_weight.fill(T::default());
    for_each_tap(d, n, |i, w, o| d_weight[w] += input[i] * d_output[o]);
    if let Some(d_bias) = d_bias {
        d_bias.fill(T::default());
        for (index, &g) in d_output.iter().enumerate() {
            d_bias[index / d.output.plane() % d.output.c] += g;
        }
    }
}
