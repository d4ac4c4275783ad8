//! Transposed convolution, padding, and maps of another size.

use super::attribute::{int, ints, text};
use super::graph::Layer;
use super::layer::around;
use crate::desc::{ConvTranspose, Fill, LayerOp, Pad, Resize, Sampling};
use crate::error::Error;
use crate::info::LayerInfo;

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

    pub(super) fn pad(&mut self, d: &Pad) {
        let mut inputs = vec![self.input(), self.ints("pads", &around(d.pad))];
        let mode = match d.fill {
            Fill::Constant(0.0) => return self.node("Pad", &inputs, []),
            Fill::Constant(value) => {
                inputs.push(self.float("value", value));
                "constant"
            }
            Fill::Reflect => "reflect",
            Fill::Edge => "edge",
        };
        self.node("Pad", &inputs, [text("mode", mode)]);
    }

    /// Given sizes, ONNX takes its scales from them; so it has either.
    pub(super) fn resize(&mut self, d: &Resize) {
        let sizes = sizes(d);
        let mut inputs = vec![self.input(), String::new()];
        if d.scale == [None; 2] {
            inputs.extend([String::new(), self.ints("sizes", &sizes.map(|(_, output)| output))]);
        } else {
            let scales = [0, 1].map(|axis| d.scale[axis].unwrap_or_else(|| ratio(sizes[axis])));
            inputs.push(self.floats("scales", &[2], &scales));
        }
        let mut attributes = vec![text("coordinate_transformation_mode", d.coordinates.word()), ints("axes", &[2, 3])];
        match d.sampling {
            Sampling::Nearest(rounding) => {
                attributes.extend([text("mode", "nearest"), text("nearest_mode", rounding.word())]);
            }
            Sampling::Bilinear => attributes.push(text("mode", "linear")),
        }
        self.node_with("Resize", &inputs, attributes);
    }
}

/// Refuses a scale of a resized map that ONNX would make another size of.
pub(super) fn check_scale(layer: &LayerInfo) -> Result<(), Error> {
    let LayerOp::Resize(d) = layer.op else { return Ok(()) };
    for (axis, (inputs, outputs)) in sizes(&d).into_iter().enumerate() {
        let Some(scale) = d.scale[axis] else { continue };
        let made = (scale * inputs as f32).floor();
        if made != outputs as f32 {
            let (option, what) = [("scale_h", "rows"), ("scale_w", "columns")][axis];
            return Err(Error::DataMismatch {
                what: "layer to be exported",
                expected: format!("a `{option}` that makes {outputs} {what} of {inputs} in ONNX, which rounds down"),
                found: format!("{scale} in `{}`, which makes {made}: leave `{option}` out", layer.name),
            });
        }
    }
    Ok(())
}

/// Inputs and outputs of both axes.
fn sizes(d: &Resize) -> [(usize, usize); 2] {
    [(d.input.h, d.output.h), (d.input.w, d.output.w)]
}

/// The scale that makes so many outputs, rounded down, of so many inputs: also for readers that multiply in `f64`.
fn ratio((inputs, outputs): (usize, usize)) -> f32 {
    let scale = outputs as f32 / inputs as f32;
    if f64::from(scale) * (inputs as f64) < outputs as f64 { scale.next_up() } else { scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_make_the_sizes_that_they_are_of() {
        for inputs in 1..200 {
            for outputs in 1..200 {
                let scale = ratio((inputs, outputs));
                assert_eq!((scale * inputs as f32) as usize, outputs, "{inputs}");
                assert_eq!((f64::from(scale) * inputs as f64) as usize, outputs, "{inputs}");
            }
        }
    }
}
