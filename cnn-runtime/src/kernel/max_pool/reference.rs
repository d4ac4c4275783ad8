//! Max pooling by definition, in double precision.

use crate::desc::Pool;

/// The largest value of each window of `n` samples, and its tap `kh * KW + kw`; padding counts as negative infinity,
/// NaN as larger than any number.
pub fn forward(d: &Pool, n: usize, input: &[f64]) -> (Vec<f64>, Vec<u16>) {
    let ([kernel_h, kernel_w], [stride_h, stride_w]) = (d.window.kernel, d.window.stride);
    let [dilation_h, dilation_w] = d.window.dilation;
    let (mut output, mut argmax) = (Vec::new(), Vec::new());
    for plane in 0..n * d.input.c {
        for (oh, ow) in (0..d.output.h).flat_map(|oh| (0..d.output.w).map(move |ow| (oh, ow))) {
            let (mut best, mut tap) = (f64::NEG_INFINITY, None);
            for (kh, kw) in (0..kernel_h).flat_map(|kh| (0..kernel_w).map(move |kw| (kh, kw))) {
                let ih = (oh * stride_h + kh * dilation_h).wrapping_sub(d.window.pad[0]);
                let iw = (ow * stride_w + kw * dilation_w).wrapping_sub(d.window.pad[1]);
                if ih < d.input.h && iw < d.input.w {
                    let value = input[(plane * d.input.h + ih) * d.input.w + iw];
                    if tap.is_none() || value > best || value.is_nan() {
                        (best, tap) = (value, Some((kh * kernel_w + kw) as u16));
                    }
                }
            }
            output.push(best);
            argmax.push(tap.unwrap_or(0));
        }
    }
    (output, argmax)
}
