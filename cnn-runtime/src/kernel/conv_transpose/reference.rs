//! Transposed convolution as its definition says: every input adds its products to the outputs of its window.

use crate::desc::ConvTranspose;

/// `output = weight^T * input + bias` of `n` samples.
pub fn forward(d: &ConvTranspose, n: usize, input: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
    let (icg, ocg) = (d.input.c / d.groups, d.output.c / d.groups);
    let ([kernel_h, kernel_w], [top, left, ..]) = (d.window.kernel, d.window.pad);
    let bias_of = |index: usize| bias.map_or(0.0, |bias| bias[index / d.output.plane() % d.output.c]);
    let mut output: Vec<f64> = (0..n * d.output.len()).map(bias_of).collect();
    for (index, &x) in input.iter().enumerate() {
        let (iw, ih) = (index % d.input.w, index / d.input.w % d.input.h);
        let (ic, sample) = (index / d.input.plane() % d.input.c, index / d.input.len());
        for o in 0..ocg {
            let channel = sample * d.output.c + ic / icg * ocg + o;
            for kh in 0..kernel_h {
                let oh = (ih * d.window.stride[0] + kh * d.window.dilation[0]).wrapping_sub(top);
                for kw in 0..kernel_w {
                    let ow = (iw * d.window.stride[1] + kw * d.window.dilation[1]).wrapping_sub(left);
                    if oh < d.output.h && ow < d.output.w {
                        output[(channel * d.output.h + oh) * d.output.w + ow] +=
                            x * weight[((ic * ocg + o) * kernel_h + kh) * kernel_w + kw];
                    }
                }
            }
        }
    }
    output
}
