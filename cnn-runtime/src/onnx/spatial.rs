//! Transposed convolution.

use super::attribute::{int, ints};
use super::graph::Layer;
use crate::desc::ConvTranspose;

impl Layer<'_> {
    pub(super) fn conv_transpose(&mut self, d: &ConvTranspose) {
        let inputs = self.with_tensors(self.input(), &["weight", "bias"]);
        let (window, sizes) = (d.window, [(d.input.h, d.output.h), (d.input.w, d.output.w)]);
        // Rows behind those that the windows reach.
        let extra = [0, 1].map(|axis| {
            let (input, output) = sizes[axis];
            let span = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
            output + window.pad[axis] + window.pad[axis + 2] - (input - 1) * window.stride[axis] - span
        });
        self.node(
            "ConvTranspose",
            &inputs,
            [
                ints("kernel_shape", &window.kernel),
                ints("strides", &window.stride),
                ints("dilations", &window.dilation),
                ints("pads", &window.pad),
                ints("output_padding", &extra),
                int("group", d.groups),
            ],
        );
    }
}
