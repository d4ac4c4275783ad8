//! Average pooling by definition, in double precision.

use crate::desc::Pool;

/// The mean of each window of `n` samples; the padding that counts is zeros.
pub fn forward(d: &Pool, n: usize, input: &[f64]) -> Vec<f64> {
    let ([kernel_h, kernel_w], [stride_h, stride_w]) = (d.window.kernel, d.window.stride);
    let [dilation_h, dilation_w] = d.window.dilation;
    let ([top, left, ..], [above, before, below, behind]) = (d.window.pad, d.counted);
    let counts = |at: usize, pad: usize, size: usize, [before, behind]: [usize; 2]| {
        (pad - before..pad + size + behind).contains(&at)
    };
    let mut output = Vec::new();
    for plane in 0..n * d.input.c {
        for (oh, ow) in (0..d.output.h).flat_map(|oh| (0..d.output.w).map(move |ow| (oh, ow))) {
            let (mut sum, mut count) = (0.0, 0);
            for (kh, kw) in (0..kernel_h).flat_map(|kh| (0..kernel_w).map(move |kw| (kh, kw))) {
                let (row, column) = (oh * stride_h + kh * dilation_h, ow * stride_w + kw * dilation_w);
                let inside = counts(row, top, d.input.h, [above, below]);
                count += usize::from(inside && counts(column, left, d.input.w, [before, behind]));
                let (ih, iw) = (row.wrapping_sub(top), column.wrapping_sub(left));
                if ih < d.input.h && iw < d.input.w {
                    sum += input[(plane * d.input.h + ih) * d.input.w + iw];
                }
            }
            output.push(sum / count.max(1) as f64);
        }
    }
    output
}
