//! Networks as ONNX models, which `check.py` holds against ONNX's checker and ONNX Runtime. The runtime's own tests look
//! at the files without Python.

use std::path::Path;

use cnn_runtime::info::Role;
use cnn_runtime::prelude::*;
use cnn_runtime::testing::uniform;
use cnn_runtime::weights::{self, Tensor};
use ndarray::{Array4, ArrayD};

cnn! {
    block stem(c) = conv(c, 7x7, s2, p3) -> bn -> relu -> pool(3, s2, p1);

    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    block bottleneck(c, s = 1) =
        add(conv(c, 1x1) -> bn -> relu -> conv(c, 3x3, s, p1) -> bn -> relu -> conv(4 * c, 1x1) -> bn,
            shortcut(4 * c, s))
        -> relu;

    LeNet5 <1x28x28>
        -> conv(6, 5x5, p2) -> relu -> pool(2) -> conv(16, 5x5) -> relu -> pool(2)
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);

    AlexNet <3x224x224>
        -> conv(64, 11x11, s4, p2) -> relu -> pool(3, s2) -> conv(192, 5x5, p2) -> relu -> pool(3, s2)
        -> conv(384, 3x3, p1) -> relu -> conv(256, 3x3, p1) -> relu -> conv(256, 3x3, p1) -> relu -> pool(3, s2)
        -> dropout -> fc(4096) -> relu -> dropout -> fc(4096) -> relu -> fc(1000);

    ResNet18 <3x224x224>
        -> stem(64) -> basic(64) * 2 -> basic(128, s2) -> basic(128) -> basic(256, s2) -> basic(256)
        -> basic(512, s2) -> basic(512)
        -> avgpool(global) -> fc(1000);

    ResNet50 <3x224x224>
        -> stem(64) -> bottleneck(64) * 3 -> bottleneck(128, s2) -> bottleneck(128) * 3
        -> bottleneck(256, s2) -> bottleneck(256) * 5 -> bottleneck(512, s2) -> bottleneck(512) * 2
        -> avgpool(global) -> fc(1000);

    /// Inception's way: branches of several kernels, side by side.
    Branches <3x65x65>
        -> conv(16, 3x3, s2) -> relu
        -> concat(conv(8, 1x1), conv(8, 3x3, p1) -> relu, conv(8, 5x5, p2) -> relu, pool(3, s1, p1) -> conv(8, 1x1))
        -> concat(id, avgpool(3, s1, p1)) -> pool(2) -> avgpool(global) -> fc(10);

    /// Down and up again, with what was fine beside what was coarse.
    UNet <1x32x32>
        -> fine = conv(8, 3x3, same) -> relu -> pool(2) -> middle = conv(16, 3x3, same) -> relu -> pool(2)
        -> conv(32, 3x3, same) -> relu -> upsample(2, bilinear) -> concat(id, middle)
        -> conv(16, 3x3, same) -> relu -> upsample(2) -> concat(id, fine) -> conv(1, 1x1);

    /// Windows of every kind.
    Windows <4x23x22>
        -> pad(1x2x3x4) -> conv(6, 4x3, s2x1, d2x1, p0x1x2x0, g2) -> dwconv(3x3, same, s2, m2)
        -> concat(
            pool(3, s2, p1), pool(3, s2, ceil), pool(3, s2, p1x0x0x1), avgpool(3, s2, p1),
            avgpool(3, s2, p1, excludepad), avgpool(3, s2, p1, ceil) -> pool(2, s1),
            avgpool(2, s2, p1, ceil, excludepad) -> pool(2, s1),
            avgpool(2, s1, d3, same, excludepad) -> pool(2), pool(2, s1, d3, same) -> pool(2),
            avgpool(2, s1, d3, same) -> pool(2),
            conv_transpose(6, 3x4, s2x3, p1x0x1x2, d2x1, o1x2, g3) -> avgpool(4x7, s5x6)
        ) -> add(id, pool(3, s1, p2, d2), avgpool(3, s1, p1)) -> pool(global) -> fc(7);

    /// Maps of other sizes, and of other surroundings.
    Resized <3x11x9>
        -> concat(
            pad(2x1x0x3, value = -1.5), pad(2x1x0x3, reflect), pad(2x1x0x3, edge), resize(13x13),
            resize(13x13, asymmetric, floor), resize(13x13, align_corners, ceil),
            resize(13x13, pytorch_half_pixel, round_prefer_ceil), resize(13x13, bilinear),
            resize(13x13, bilinear, asymmetric), resize(13x13, bilinear, align_corners),
            resize(13x13, bilinear, scale_h = 1.2), resize(5x4, bilinear) -> resize(13x13, bilinear, pytorch_half_pixel)
        );

    /// Layers that look at one element, or at one position.
    Pointwise <5x9x8>
        -> conv(6, 3x3) -> lrn(size = 3) -> bn(eps = 1e-3)
        -> concat(
            relu6, leaky_relu(0.2), elu(0.7), gelu, silu, hardswish, tanh, sigmoid, softmax, log_softmax,
            selu(1.5, 0.9), clip(-1, 2), clip(lo = -0.5), clip(hi = 0.5), hardsigmoid, gelu(tanh), affine(2, 0.5),
            sigmoid -> reciprocal, prelu, prelu(shared), scale, scale(1x1x6), shift, shift(6x7x1),
            add(id, relu, conv(6, 1x1))
        );

    /// Values in other shapes, and joined with fewer of them.
    Shapes <6x8x5>
        -> mul(id, avgpool(global) -> conv(6, 1x1) -> sigmoid) -> sub(id, conv(6, 8x5) -> expand(6x1x5))
        -> div(id, conv(1, 1x1) -> sigmoid) -> permute(hwc) -> reshape(5x16x3) -> permute(whc)
        -> flatten -> fc(12) -> add(reshape(3x2x2) -> conv(3, 1x1) -> reshape(12), dropout(0.3)) -> sub(id, fc(1))
        -> prelu -> scale -> shift(1) -> bn -> concat(softmax, log_softmax, elu, fc(1)) -> reshape(37x1x1)
}

/// A network in which no bias and no statistic is as it starts.
fn random<N: Network>() -> N {
    let mut net = N::new(2);
    for (seed, tensor) in (0..).zip(N::INFO.tensors) {
        let centre = match tensor.role {
            Role::Weight => continue,
            Role::Bias | Role::Shift | Role::RunningMean => 0.0,
            _ => 1.0,
        };
        let values = uniform(seed, tensor.len()).iter().map(|value| centre + 0.2 * value).collect();
        net.set_tensor(tensor.name, ArrayD::from_shape_vec(tensor.shape, values).unwrap().view()).unwrap();
    }
    net
}

/// Leaves a network's model in a folder, and beside it images and the scores that it gives them.
fn leave<N: Network>(folder: &Path) {
    const IMAGES: usize = 3;
    let net: N = random();
    let name = N::INFO.name;
    net.export_onnx(folder.join(format!("{name}.onnx"))).unwrap();
    let [c, h, w] = N::INFO.input;
    let images = Array4::from_shape_vec((IMAGES, c, h, w), uniform(9, IMAGES * c * h * w)).unwrap();
    let mut workspace = net.workspace(IMAGES);
    let scores = net.forward_batch(&mut workspace, images.view()).unwrap();
    let scores_shape = [&[IMAGES], N::INFO.output].concat();
    let tensors = [
        Tensor::floats("images", images.shape(), images.as_slice().unwrap()),
        Tensor::floats("scores", scores_shape, scores.as_slice().unwrap()),
    ];
    weights::write(folder.join(format!("{name}.safetensors")), &Default::default(), &tensors).unwrap();
}

#[test]
#[ignore = "writes models of 400 MB into the folder CNN_ONNX_EXPORTS; check.py runs it and looks at them"]
fn exports() {
    let folder = std::env::var_os("CNN_ONNX_EXPORTS").expect("CNN_ONNX_EXPORTS names the folder");
    let folder = Path::new(&folder);
    leave::<LeNet5>(folder);
    leave::<AlexNet>(folder);
    leave::<ResNet18>(folder);
    leave::<ResNet50>(folder);
    leave::<Branches>(folder);
    leave::<UNet>(folder);
    leave::<Windows>(folder);
    leave::<Resized>(folder);
    leave::<Pointwise>(folder);
    leave::<Shapes>(folder);
}
