//! Average pooling by definition, in double precision.

use crate::desc::Pool;

/// The mean of each window of `n` samples; padding counts as zeros.
pub fn forward(d: &Pool, n: usize, input: &[f64]) -> Vec<f64> {
    let ([kernel_h, kernel_w], [stride_h, stride_w]) = (d.window.kernel, d.window.stride);
    let [dilation_h, dilation_w] = d.window.dilation;
    let mut output = Vec::new();
    for plane in 0..n * d.input.c {
        for (oh, ow) in (0..d.output.h).flat_map(|oh| (0..d.output.w).map(move |ow| (oh, ow))) {
            let mut sum = 0.0;
            for (kh, kw) in (0..kernel_h).flat_map(|kh| (0..kernel_w).map(move |kw| (kh, kw))) {
                let ih = (oh * stride_h + kh * dilation_h).wrapping_sub(d.window.pad[0]);
                let iw = (ow * stride_w + kw * dilation_w).wrapping_sub(d.window.pad[1]);
                if ih < d.input.h && iw < d.input.w {
                    sum += input[(plane * d.input.h + ih) * d.input.w + iw];
                }
            }
            output.push(sum / (kernel_h * kernel_w) as f64);
        }
    }
    output
}
