//! One layer as nodes. Maps are `[N, C, H, W]` and flat values `[N, F]`.

use super::attribute::{float, int, ints, text};
use super::graph::Layer;
use crate::desc::{Act, Apply, Arith, BatchNorm, Conv, LayerOp, Lrn, Map, Resample, Trained, Upsample};

impl Layer<'_> {
    /// Puts the layer's nodes into the graph.
    pub fn write(&mut self) {
        let input = self.input();
        match self.info.op {
            LayerOp::Conv(conv) => self.conv(&conv),
            LayerOp::ConvTranspose(conv) => self.conv_transpose(&conv),
            LayerOp::MaxPool(pool) => self.max_pool(&pool),
            LayerOp::AvgPool(pool) => self.avg_pool(&pool),
            LayerOp::Fc(_) => self.fc(),
            LayerOp::Act(act) => self.act(act),
            LayerOp::Trained(trained) => self.trained(&trained),
            LayerOp::Softmax(softmax) => {
                self.node(if softmax.log { "LogSoftmax" } else { "Softmax" }, &[input], [int("axis", 1)]);
            }
            LayerOp::BatchNorm(norm) => self.batch_norm(&norm),
            LayerOp::Lrn(lrn) => self.lrn(&lrn),
            LayerOp::Dropout(rate) => {
                let rate = self.float("ratio", rate);
                self.node("Dropout", &[input, rate], []);
            }
            LayerOp::Reshape => self.reshape(),
            LayerOp::Expand(_) => {
                let shape = self.ints("shape", &[&[1], self.info.output].concat());
                self.node("Expand", &[input, shape], []);
            }
            LayerOp::Permute(permute) => {
                let [a, b, c] = permute.order;
                self.node("Transpose", &[input], [ints("perm", &[0, 1 + a, 1 + b, 1 + c])]);
            }
            LayerOp::Add => {
                let op = if self.inputs.len() == 2 { "Add" } else { "Sum" };
                self.node(op, &self.inputs.clone(), []);
            }
            LayerOp::Concat => self.node("Concat", &self.inputs.clone(), [int("axis", 1)]),
            LayerOp::Join(join) => self.node(operator(join.arith), &self.inputs.clone(), []),
            LayerOp::Pad(pad) => self.pad(&pad),
            LayerOp::Resize(resize) => self.resize(&resize),
            LayerOp::Upsample(upsample) => self.upsample(&upsample),
        }
    }

    fn conv(&mut self, conv: &Conv) {
        let inputs = self.with_tensors(self.input(), &["weight", "bias"]);
        let window = conv.window;
        self.node(
            "Conv",
            &inputs,
            [
                ints("kernel_shape", &window.kernel),
                ints("strides", &window.stride),
                ints("dilations", &window.dilation),
                ints("pads", &window.pad),
                int("group", conv.groups),
            ],
        );
    }

    /// ONNX's matrices do not flatten.
    fn fc(&mut self) {
        let mut input = self.input();
        if self.shapes[0].len() == 3 {
            input = self.part("flatten", "Flatten", &[input], [int("axis", 1)]);
        }
        let inputs = self.with_tensors(input, &["weight", "bias"]);
        self.node("Gemm", &inputs, [int("transB", 1)]);
    }

    fn act(&mut self, act: Act) {
        let x = self.input();
        match act {
            Act::Relu => self.node("Relu", &[x], []),
            Act::LeakyRelu(slope) => self.node("LeakyRelu", &[x], [float("alpha", slope)]),
            Act::Relu6 => {
                let (min, max) = (self.float("min", 0.0), self.float("max", 6.0));
                self.node("Clip", &[x, min, max], []);
            }
            Act::Elu(alpha) => self.node("Elu", &[x], [float("alpha", alpha)]),
            Act::Gelu => self.node("Gelu", &[x], []),
            Act::Silu => {
                let sigmoid = self.part("sigmoid", "Sigmoid", &[self.input()], []);
                self.node("Mul", &[x, sigmoid], []);
            }
            Act::HardSwish => self.node("HardSwish", &[x], []),
            Act::Tanh => self.node("Tanh", &[x], []),
            Act::Sigmoid => self.node("Sigmoid", &[x], []),
            Act::Selu { alpha, gamma } => self.node("Selu", &[x], [float("alpha", alpha), float("gamma", gamma)]),
            Act::Clip { lo, hi } => {
                // An input that is left out has no name.
                let bound = |(part, bound): (&str, f32)| {
                    if bound.is_finite() { self.float(part, bound) } else { String::new() }
                };
                let [min, max] = [("min", lo), ("max", hi)].map(bound);
                self.node("Clip", &[x, min, max], []);
            }
            Act::HardSigmoid { alpha, beta } => {
                self.node("HardSigmoid", &[x], [float("alpha", alpha), float("beta", beta)]);
            }
            Act::GeluTanh => self.node("Gelu", &[x], [text("approximate", "tanh")]),
            Act::Affine { mul, add } => {
                let (mul, add) = (self.float("mul", mul), self.float("add", add));
                let product = self.part("product", "Mul", &[x, mul], []);
                self.node("Add", &[product, add], []);
            }
            Act::Reciprocal => self.node("Reciprocal", &[x], []),
        }
    }

    /// The last axes of the tensor are matched with those of the value.
    fn trained(&mut self, trained: &Trained) {
        let (op, part) = match trained.apply {
            Apply::Slope => ("PRelu", "weight"),
            Apply::Scale => ("Mul", "weight"),
            Apply::Shift => ("Add", "bias"),
        };
        let Map { c, h, w, .. } = trained.tensor;
        let shape = if self.is_map() { vec![c, h, w] } else { vec![c] };
        self.view(part, shape);
        let inputs = self.with_tensors(self.input(), &[part]);
        self.node(op, &inputs, []);
    }

    /// The momentum is the weight of what was there before, not of the newest batch.
    fn batch_norm(&mut self, norm: &BatchNorm) {
        let inputs = self.with_tensors(self.input(), &["weight", "bias", "running_mean", "running_var"]);
        self.node("BatchNormalization", &inputs, [float("epsilon", norm.eps), float("momentum", 1.0 - norm.momentum)]);
    }

    /// Sizes are odd: of an even one ONNX would take one more channel behind, we (and PyTorch) one more before.
    fn lrn(&mut self, lrn: &Lrn) {
        let inputs = [self.input()];
        self.node(
            "LRN",
            &inputs,
            [int("size", lrn.size), float("alpha", lrn.alpha), float("beta", lrn.beta), float("bias", lrn.k)],
        );
    }

    fn reshape(&mut self) {
        let input = self.input();
        if !self.is_map() && self.shapes[0].len() == 3 {
            return self.node("Flatten", &[input], [int("axis", 1)]);
        }
        // A zero stands for the size that the input has there: the batch's.
        let shape = self.ints("shape", &[&[0], self.info.output].concat());
        self.node("Reshape", &[input, shape], []);
    }

    fn upsample(&mut self, upsample: &Upsample) {
        let [vertical, horizontal] = upsample.scale.map(|scale| scale as f32);
        let scales = self.floats("scales", &[4], &[1.0, 1.0, vertical, horizontal]);
        let inputs = [self.input(), String::new(), scales];
        match upsample.resample {
            Resample::Nearest => self.node(
                "Resize",
                &inputs,
                [
                    text("mode", "nearest"),
                    text("coordinate_transformation_mode", "asymmetric"),
                    text("nearest_mode", "floor"),
                ],
            ),
            Resample::Bilinear => self.node(
                "Resize",
                &inputs,
                [text("mode", "linear"), text("coordinate_transformation_mode", "half_pixel")],
            ),
        }
    }
}

/// The operator that joins two elements.
fn operator(arith: Arith) -> &'static str {
    match arith {
        Arith::Mul => "Mul",
        Arith::Sub => "Sub",
        Arith::Div => "Div",
    }
}

/// Padding of a map as ONNX has it, for each axis of a batch: before all of them, then behind.
pub(super) fn around([top, left, bottom, right]: [usize; 4]) -> [usize; 8] {
    [0, 0, top, left, 0, 0, bottom, right]
}
