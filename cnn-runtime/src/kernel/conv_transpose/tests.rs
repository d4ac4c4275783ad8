use proptest::prelude::*;

use super::{backward_data, backward_weights, forward, reference, scratch_len};
use crate::desc::{ConvTranspose, Map, Window};
use crate::layout::Layout;
use crate::testing::{
    assert_close, finite_differences, random, same_on_any_threads, set_and_add, tolerance, uniform, widen, windows,
};

/// A layer by its sizes; `extra` rows and columns are added behind.
fn layer(input: [usize; 3], out: usize, window: Window, extra: [usize; 2], groups: usize) -> ConvTranspose {
    try_layer(input, out, window, extra, groups).expect("padding leaves something")
}

/// As [`layer`], or `None` where padding leaves nothing.
fn try_layer(
    [c, h, w]: [usize; 3],
    out: usize,
    window: Window,
    extra: [usize; 2],
    groups: usize,
) -> Option<ConvTranspose> {
    let size = |i: usize, size: usize| {
        let span = (window.kernel[i] - 1) * window.dilation[i] + 1;
        let whole = (size - 1) * window.stride[i] + span + extra[i];
        whole.checked_sub(window.pad[i] + window.pad[i + 2]).filter(|&size| size > 0)
    };
    let output = Map::new(out, size(0, h)?, size(1, w)?);
    Some(ConvTranspose { input: Map::new(c, h, w), output, window, groups, direct: false })
}

/// Tiny, prime, strided, padded on one side and by more than a kernel, dilated, grouped, depthwise, with rows behind;
/// shapes for each way that a convolution has.
fn layers() -> Vec<ConvTranspose> {
    let window = |kernel, stride, dilation, pad| Window { kernel, stride, dilation, pad };
    let one = [1, 1];
    vec![
        layer([1, 1, 1], 1, window(one, one, one, [0; 4]), [0, 0], 1),
        layer([5, 7, 3], 3, window([2, 2], [2, 2], one, [0; 4]), [0, 0], 1),
        layer([7, 5, 11], 5, window([3, 3], [2, 2], one, [1; 4]), [1, 1], 1),
        layer([3, 5, 7], 2, window([4, 3], [3, 2], one, [0, 1, 2, 0]), [2, 0], 1),
        layer([2, 5, 3], 3, window([3, 2], one, [2, 3], [1, 0, 0, 2]), [0, 2], 1),
        layer([6, 5, 7], 9, window([3, 3], [2, 1], one, [1, 0, 1, 2]), [0, 0], 3),
        layer([5, 6, 7], 5, window([3, 3], [2, 2], one, [1; 4]), [1, 0], 5),
        layer([10, 5, 3], 5, window([3, 2], [1, 2], [2, 1], [0; 4]), [0, 1], 5),
        layer([3, 9, 11], 2, window([3, 3], one, one, [3, 4, 3, 3]), [0, 0], 1),
        layer([67, 7, 7], 65, window([3, 3], one, one, [1; 4]), [0, 0], 1),
        layer([403, 3, 3], 3, window([2, 2], [2, 2], one, [0; 4]), [0, 0], 1),
    ]
}

fn weights(d: &ConvTranspose) -> Vec<f32> {
    uniform(2, d.conv().weight_len())
}

/// Row-major weights as the kernels take them.
fn packed(d: &ConvTranspose, weight: &[f32]) -> Vec<f32> {
    let mut packed = vec![f32::NAN; weight.len()];
    Layout::of_conv_transpose(d).pack(d.input.c, weight, &mut packed);
    packed
}

/// Runs [`forward`].
fn run(d: &ConvTranspose, n: usize, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let (mut y, mut scratch) = (vec![f32::NAN; n * d.output.len()], vec![f32::NAN; scratch_len(d)]);
    forward(d, n, x, &packed(d, weight), bias, &mut y, &mut scratch);
    y
}

fn check_forward(d: &ConvTranspose, n: usize) {
    let (x, weight, bias) = (uniform(1, n * d.input.len()), weights(d), uniform(3, d.output.c));
    for bias in [None, Some(&bias[..])] {
        let expected = reference::forward(d, n, &widen(&x), &widen(&weight), bias.map(widen).as_deref());
        let terms = weight.len() / d.output.c;
        assert_close(&format!("{n} x {d:?}"), &run(d, n, &x, &weight, bias), &expected, tolerance(terms));
    }
}

fn check_backward_data(d: &ConvTranspose, n: usize) {
    let (x, weight) = (uniform(4, n * d.input.len()), weights(d));
    let d_output = uniform(5, n * d.output.len());
    let got = set_and_add(&format!("{d:?}"), x.len(), |d_input, write| {
        backward_data(d, n, &packed(d, &weight), &d_output, d_input, write);
    });
    // The layer is linear in its input, so that the gradient is the same everywhere: few inputs show it.
    let shown = x.len().min(100);
    let (at, wide) = (widen(&x), widen(&weight));
    let expected = finite_differences(&at[..shown], &widen(&d_output), 1e-2, |moved| {
        reference::forward(d, n, &[moved, &at[shown..]].concat(), &wide, None)
    });
    assert_close(&format!("gradient of {d:?}"), &got[..shown], &expected, tolerance(weight.len() / d.input.c));
}

fn check_backward_weights(d: &ConvTranspose, n: usize) {
    let (x, weight) = (widen(&uniform(6, n * d.input.len())), widen(&weights(d)));
    let d_output = uniform(7, n * d.output.len());
    let (mut d_weight, mut d_bias) = (vec![f32::NAN; weight.len()], vec![f32::NAN; d.output.c]);
    let input: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    backward_weights(d, n, &input, &d_output, &mut d_weight, Some(&mut d_bias));
    let mut got = vec![f32::NAN; weight.len()];
    Layout::of_conv_transpose(d).unpack(d.input.c, &d_weight, &mut got);
    let shown = weight.len().min(60);
    let expected = finite_differences(&weight[..shown], &widen(&d_output), 1e-2, |moved| {
        reference::forward(d, n, &x, &[moved, &weight[shown..]].concat(), None)
    });
    let terms = tolerance(n * d.input.plane());
    assert_close(&format!("d_weight of {d:?}"), &got[..shown], &expected, terms);
    let bias = vec![0.0; d.output.c];
    let expected = finite_differences(&bias, &widen(&d_output), 1e-2, |moved| {
        reference::forward(d, n, &vec![0.0; x.len()], &weight, Some(moved))
    });
    assert_close(&format!("d_bias of {d:?}"), &d_bias, &expected, tolerance(n * d.output.plane()));
}

#[test]
fn forward_agrees_with_the_definition() {
    for d in layers() {
        [1, 3].into_iter().for_each(|n| check_forward(&d, n));
    }
}

#[test]
fn backward_data_agrees_with_finite_differences() {
    for d in layers() {
        check_backward_data(&d, if d.input.len() > 1000 { 1 } else { 3 });
    }
}

#[test]
fn backward_weights_agree_with_finite_differences() {
    layers().iter().for_each(|d| check_backward_weights(d, 3));
}

proptest! {
    #![proptest_config(random(60))]

    #[test]
    fn any_layer_agrees_with_the_definition(
        (inputs, outputs, groups, n) in (1..5_usize, 1..5_usize, 1..4_usize, 1..3_usize),
        (h, w) in (1..8_usize, 1..10_usize),
        window in windows(4, 3, 3),
        extra in [0..3_usize, 0..3],
    ) {
        if let Some(d) = try_layer([inputs * groups, h, w], outputs * groups, window, extra, groups) {
            check_forward(&d, n);
            check_backward_data(&d, n);
            check_backward_weights(&d, n);
        }
    }
}

#[test]
fn known_values() {
    let window = Window { kernel: [2, 2], stride: [2, 2], dilation: [1, 1], pad: [0; 4] };
    let d = layer([1, 1, 2], 1, window, [0, 0], 1);
    let y = run(&d, 1, &[1.0, 10.0], &[1.0, 2.0, 3.0, 4.0], Some(&[0.5]));
    assert_eq!(y, [1.5, 2.5, 10.5, 20.5, 3.5, 4.5, 30.5, 40.5]);
}

#[test]
fn results_are_the_same_on_any_threads() {
    let window = Window { kernel: [3, 3], stride: [2, 2], dilation: [1, 1], pad: [1; 4] };
    let d = layer([13, 31, 37], 11, window, [1, 1], 1);
    let (n, weight) = (5, weights(&d));
    let (x, bias) = (uniform(8, n * d.input.len()), uniform(9, d.output.c));
    let y = same_on_any_threads("forward", || run(&d, n, &x, &weight, Some(&bias)));
    same_on_any_threads("backward", || {
        let mut d_input = vec![0.0; x.len()];
        backward_data(&d, n, &packed(&d, &weight), &y, &mut d_input, crate::desc::Write::Set);
        let mut d_weight = vec![0.0; weight.len()];
        backward_weights(&d, n, &x, &y, &mut d_weight, None);
        [d_input, d_weight].concat()
    });
}
