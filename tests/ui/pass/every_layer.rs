//! Every layer once, in inference and in a training step.

use cnn_runtime::prelude::*;

cnn! {
    pub Every <2x24x24>
        -> pad(1) -> conv(4, 3x3, s1, p1, d1, g2) -> bn(eps = 1e-4) -> relu
        -> dwconv(3x3, same, m2, nobias) -> relu6 -> maxpool(3, s2, p1) -> leaky_relu(0.1)
        -> concat(conv(4, 1x1) -> elu, id -> gelu) -> lrn(size = 3) -> avgpool(2) -> silu
        -> add(conv(6, 3x3, p1) -> hardswish, shortcut(6)) -> upsample(2x1, bilinear) -> dropout(0.25)
        -> conv_transpose(6, 2x2, s2, direct) -> resize(11x4, bilinear) -> pad(0x1x1x1, reflect)
        -> pool(2, valid) -> prelu -> mul(id, avgpool(global) -> hardsigmoid) -> sub(id, scale(6x1x1) -> gelu(tanh))
        -> div(id, clip(0.5, 2)) -> shift -> permute(hwc) -> permute(whc) -> selu -> affine(mul = 0.5) -> prelu(shared)
        -> add(id, avgpool(global) -> affine(add = 2) -> reciprocal -> expand(6x3x6)) -> reshape(27x2x2) -> flatten -> fc(20) -> tanh -> fc(12, nobias) -> sigmoid -> bn -> softmax -> log_softmax
}

pub fn main() {
    let batch = ndarray::Array4::from_elem((3, 2, 24, 24), 0.5);
    let mut net = Every::new(3);
    let mut workspace = net.workspace(3);
    assert_eq!(net.forward_batch(&mut workspace, batch.view()).expect("the batch fits").dim(), (3, 12));
    let mut training = net.train_workspace(3);
    net.forward_train(&mut training, batch.view(), 1).expect("the batch fits");
    training.loss(&SoftmaxCrossEntropy, [0_usize, 5, 11].as_slice()).expect("the labels exist");
    net.backward(&mut training).expect("a loss stands before");
    let gradient = training.gradient("conv1.weight").expect("the tensor exists");
    assert!(gradient.iter().all(|value| value.is_finite()));
}
