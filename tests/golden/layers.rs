//! Every layer by itself: results in inference and in training, gradients by its input and parameters, statistics.

use std::sync::LazyLock;

use cnn_runtime::prelude::*;

use crate::record::{Record, assert_close};

static LAYERS: LazyLock<Record> = LazyLock::new(|| Record::new(include_bytes!("layers.safetensors")));

/// The goldens are rounded from f64: what is left is our rounding over sums of at most a few hundred terms. The worst
/// found, over all instruction sets, is 5.3e-7 of a tensor's largest magnitude; three times that is the bound.
const TOLERANCE: f32 = 1.5e-6;

/// Runs a network of one layer against the record's `case`.
fn check<N: Network>(case: &str) {
    let prefix = format!("{case}/");
    let golden = |name: &str| LAYERS.get(&format!("{prefix}{name}"));
    let input = LAYERS.batch(&format!("{prefix}input"));
    let mut net = N::new(1);
    let names: Vec<_> = net.tensors().map(|(name, _)| name).collect();
    for name in LAYERS.names(&prefix).filter(|name| name.contains('.')) {
        let name = name.trim_start_matches("d_").trim_start_matches("after_");
        assert!(names.contains(&name), "{case}: the network lacks `{name}`, it has {names:?}");
    }
    for name in &names {
        net.set_tensor(name, golden(name).view()).unwrap();
    }

    let mut workspace = net.workspace(4);
    let output = net.forward_batch(&mut workspace, input.view()).unwrap();
    let infer = LAYERS.find(&format!("{prefix}infer")).unwrap_or_else(|| golden("output"));
    assert_close("inference", output.into_dyn(), infer, TOLERANCE);

    let mut workspace = net.train_workspace(4);
    workspace.set_input_gradient(true);
    let output = net.forward_train(&mut workspace, input.view(), 0).unwrap();
    assert_close("output", output.into_dyn(), golden("output"), TOLERANCE);
    let mut d_output = workspace.output_gradient_mut().unwrap();
    let flat = golden("d_output").to_shape(d_output.raw_dim()).unwrap();
    d_output.assign(&flat);
    net.backward(&mut workspace).unwrap();
    assert_close("d_input", workspace.input_gradient().unwrap().into_dyn(), golden("d_input"), TOLERANCE);
    for name in &names {
        if name.contains("running") {
            assert_close(name, net.tensor(name).unwrap().view(), golden(&format!("after_{name}")), TOLERANCE);
        } else {
            let gradient = workspace.gradient(name).unwrap();
            assert_close(&format!("d_{name}"), gradient.view(), golden(&format!("d_{name}")), TOLERANCE);
        }
    }
}

/// A test per case of the record: its name there, and a network of that layer.
macro_rules! cases {
    ($($case:ident { $($network:tt)* })*) => {
        $(
            #[test]
            fn $case() {
                cnn! { Net $($network)* }
                check::<Net>(stringify!($case));
            }
        )*

        #[test]
        fn every_case_of_the_record_is_tested() {
            let tested = [$(stringify!($case)),*];
            for name in LAYERS.names("") {
                let case = name.split('/').next().unwrap();
                assert!(tested.contains(&case), "`{case}` has no test");
            }
        }
    };
}

cases! {
    conv_plain { <3x11x7> -> conv(5, 3x3) }
    conv_strided { <3x11x13> -> conv(7, 3x5, s2x3) }
    conv_padded { <3x7x11> -> conv(5, 5x3, p2x1) }
    conv_same { <3x11x7> -> conv(5, 4x3, s2, same) }
    conv_dilated { <2x13x11> -> conv(5, 3x3, p2, d2) }
    conv_grouped { <6x7x11> -> conv(9, 3x3, p1, g3) }
    conv_nobias { <5x7x11> -> conv(19, 1x1, s2, nobias) }
    conv_wide { <17x7x13> -> conv(37, 3x3, p1) }
    dwconv { <5x11x7> -> dwconv(3x3, s2, p1) }
    dwconv_multiplier { <5x7x11> -> dwconv(3x3, p1, m2) }
    fc { <2x3x7> -> fc(11) }
    fc_nobias { <13x1x1> -> fc(17, nobias) }
    max_pool { <3x11x7> -> pool(2) }
    max_pool_overlapping { <3x11x7> -> pool(3, s2) }
    max_pool_padded { <3x11x7> -> maxpool(3, s2, p1) }
    max_pool_dilated { <3x11x7> -> pool(2, s1, d3) }
    max_pool_global { <3x11x7> -> pool(global) }
    avg_pool { <3x11x7> -> avgpool(2x3) }
    avg_pool_overlapping { <3x11x7> -> avgpool(3, s2) }
    avg_pool_padded { <3x11x7> -> avgpool(3, s2, p1) }
    avg_pool_global { <3x11x7> -> avgpool(global) }
    pad { <3x11x7> -> pad(2x1) }
    upsample_nearest { <3x11x7> -> upsample(2x3, nearest) }
    upsample_bilinear { <3x11x7> -> upsample(2x3, bilinear) }
    relu { <3x5x7> -> relu }
    leaky_relu { <3x5x7> -> leaky_relu(slope = 0.1) }
    relu6 { <3x5x7> -> relu6 }
    elu { <3x5x7> -> elu(alpha = 0.7) }
    gelu { <3x5x7> -> gelu }
    silu { <3x5x7> -> silu }
    hardswish { <3x5x7> -> hardswish }
    tanh { <3x5x7> -> tanh }
    sigmoid { <3x5x7> -> sigmoid }
    selu { <3x5x7> -> selu }
    clip { <3x5x7> -> clip(-1, 2.5) }
    clip_above { <3x5x7> -> clip(hi = 0.5) }
    hardsigmoid { <3x5x7> -> hardsigmoid }
    hardsigmoid_options { <3x5x7> -> hardsigmoid(0.3, beta = 0.4) }
    gelu_tanh { <3x5x7> -> gelu(tanh) }
    affine { <3x5x7> -> affine(mul = -1.5, add = 0.25) }
    reciprocal { <3x5x7> -> reciprocal }
    prelu { <3x5x7> -> prelu }
    prelu_shared { <3x5x7> -> prelu(shared) }
    prelu_flat { <7x1x1> -> flatten -> prelu }
    scale { <3x5x7> -> scale }
    scale_shaped { <3x5x7> -> scale(1x5x1) }
    shift { <3x5x7> -> tanh -> shift }
    shift_shaped { <3x5x7> -> shift(3x1x7) -> tanh }
    softmax { <11x3x2> -> softmax }
    log_softmax { <11x3x2> -> log_softmax }
    softmax_flat { <13x1x1> -> flatten -> softmax }
    bn { <5x7x3> -> bn }
    bn_options { <3x5x7> -> bn(eps = 0.01, momentum = 0.3) }
    lrn { <11x5x3> -> lrn(size = 5, alpha = 1e-4, beta = 0.75, k = 2) }
    lrn_options { <7x3x5> -> lrn(size = 3, alpha = 0.5, beta = 0.6, k = 1.5) }
    add { <3x7x5> -> add(conv(5, 3x3, p1), conv(5, 1x1)) }
    concat { <3x7x5> -> concat(conv(5, 3x3, p1), id, pool(3, s1, p1)) }
    conv_four_sides { <3x7x11> -> conv(5, 3x3, s1x2, p0x1x2x3) }
    dwconv_four_sides { <3x11x7> -> dwconv(3x3, s2, p2x0x1x1) }
    max_pool_four_sides { <3x11x7> -> pool(3, s2, p1x0x0x1) }
    avg_pool_four_sides { <3x11x7> -> avgpool(3, s2, p0x1x1x0) }
    max_pool_ceil { <3x12x7> -> pool(3, s2, p1, ceil) }
    avg_pool_ceil { <3x12x7> -> avgpool(3, s2, p1x0, ceil) }
    avg_pool_ceil_excludepad { <3x12x9> -> avgpool(3x4, s2x3, p1x2, ceil, excludepad) }
    avg_pool_excludepad { <3x11x7> -> avgpool(3, s1, p1, excludepad) }
    conv_transpose { <5x5x7> -> conv_transpose(3, 3x3, s2, p1, o1) }
    conv_transpose_dilated { <6x5x3> -> conv_transpose(9, 3x2, s1x2, p0x1, d2x3, g3) }
    conv_transpose_depthwise { <5x3x5> -> conv_transpose(10, 4, s3, g5, nobias) }
    conv_transpose_before_bn { <4x5x3> -> conv_transpose(6, 2x2, s2) -> bn }
    resize_nearest { <3x11x7> -> resize(7x4, asymmetric, floor) }
    resize_nearest_exact { <3x11x7> -> resize(7x4, round_prefer_ceil) }
    resize_bilinear { <3x11x7> -> resize(17x4, bilinear) }
    resize_align_corners { <3x11x7> -> resize(5x13, bilinear, align_corners) }
    resize_halves_down { <3x11x7> -> resize(22x14) }
    resize_halves_up { <3x12x8> -> resize(6x4, round_prefer_ceil) }
    resize_one_row { <3x11x7> -> resize(1x5, bilinear, pytorch_half_pixel) }
    resize_asymmetric { <3x11x7> -> resize(4x9, bilinear, asymmetric) }
    resize_scale { <3x11x7> -> resize(6x4, bilinear, scale_h = 0.6, scale_w = 0.6) }
    resize_scale_corners { <3x11x7> -> resize(6x4, bilinear, align_corners, scale_h = 0.6, scale_w = 0.6) }
    resize_scale_ceil { <3x11x7> -> resize(6x4, asymmetric, ceil, scale_h = 0.6, scale_w = 0.6) }
    pad_four_sides { <3x11x7> -> pad(0x1x2x3) }
    pad_value { <3x11x7> -> pad(0x1x2x3, value = -2.5) }
    pad_reflect { <3x5x7> -> pad(1x6x4x0, reflect) }
    pad_edge { <3x5x7> -> pad(1x9x2x0, edge) }
    mul_gate { <6x5x7> -> mul(id, avgpool(global) -> conv(3, 1x1) -> relu -> conv(6, 1x1) -> sigmoid) }
    mul_three { <3x2x2> -> mul(fc(7), fc(1, nobias), fc(7) -> tanh) }
    mul_itself { <3x5x7> -> mul(id, id) }
    expand { <3x5x7> -> avgpool(5x1) -> expand(3x4x7) }
    reshape { <3x4x7> -> reshape(2x6x7) -> tanh }
    permute { <3x5x7> -> permute(hwc) -> tanh }
    sub { <3x7x5> -> sub(conv(5, 3x3, p1), conv(5, 1x1)) }
    sub_rows_and_columns { <3x7x5> -> sub(avgpool(7x1), avgpool(1x5)) }
    div { <3x5x7> -> div(conv(4, 1x1), conv(1, 3x3, p1) -> sigmoid) }
}
