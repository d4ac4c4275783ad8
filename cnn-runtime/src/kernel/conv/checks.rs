//! How the passes of a convolution are held against the reference, on every instruction set of the machine, and to the same
//! bits on any number of threads.

use super::{backward_data_on, backward_weights_on, forward_on, pass, reference};
use crate::desc::{Act, BatchNorm, Conv, Map, Order, Window, Write};
use crate::dispatch::Isa;
use crate::kernel::post::Post;
use crate::layout::Layout;
use crate::testing::{assert_close, nchw, same_on_any_threads, stored, tolerance, uniform, widen};

/// A convolution by its sizes, or `None` where the kernel does not fit.
pub(super) fn conv(input: [usize; 3], out: usize, window: Window, groups: usize) -> Option<Conv> {
    let [c, h, w] = input;
    let size = |axis: usize, size: usize| {
        let padded = size + window.pad[axis] + window.pad[axis + 2];
        let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        Some(padded.checked_sub(reach)? / window.stride[axis] + 1)
    };
    let output = Map::new(out, size(0, h)?, size(1, w)?);
    Some(Conv { input: Map::new(c, h, w), output, window, groups, direct: false })
}

/// OIHW weights as the kernels take them.
pub(super) fn packed(d: &Conv, weight: &[f32]) -> Vec<f32> {
    let mut packed = vec![f32::NAN; weight.len()];
    Layout::of_conv(d).pack(d.output.c, weight, &mut packed);
    packed
}

/// The kernels' gradient as OIHW.
pub(super) fn plain(d: &Conv, d_weight: &[f32]) -> Vec<f32> {
    let mut plain = vec![f32::NAN; d_weight.len()];
    Layout::of_conv(d).unpack(d.output.c, d_weight, &mut plain);
    plain
}

pub(super) fn window(kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2], pad: [usize; 4]) -> Window {
    Window { kernel, stride, dilation, pad }
}

/// A convolution with its maps in each order that they can have.
pub(super) fn in_every_order(d: Conv) -> Vec<Conv> {
    let orders = |map: Map| {
        let blocked = d.groups == 1 && map.c.is_multiple_of(Order::BLOCK);
        [Order::Nchw, Order::Nchw16c].into_iter().take(if blocked { 2 } else { 1 })
    };
    let with =
        |input, output| Conv { input: Map { order: input, ..d.input }, output: Map { order: output, ..d.output }, ..d };
    orders(d.input).flat_map(|input| orders(d.output).map(move |output| with(input, output))).collect()
}

pub(super) fn check_forward(d: &Conv, n: usize) {
    check_forward_within(1.0, d, n);
}

/// As [`check_forward`], where so many times the usual error is no mistake.
pub(super) fn check_forward_within(times: f64, d: &Conv, n: usize) {
    let (input, weight, bias) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()), uniform(3, d.output.c));
    let (from, weights) = (stored(&d.input, n, &input), packed(d, &weight));
    for bias in [None, Some(&bias[..])] {
        let mut expected = vec![0.0; n * d.output.len()];
        reference::forward(d, n, &widen(&input), &widen(&weight), bias.map(widen).as_deref(), &mut expected);
        for isa in Isa::available() {
            let mut got = vec![f32::NAN; expected.len()];
            let (post, write) = (Post::from(bias), Write::Set);
            forward_on(pass::Forward { isa, d, n, input: &from, weight: &weights, post, write }, &mut got);
            let got = nchw(&d.output, n, &got);
            assert_close(&format!("{n} x {d:?} on {isa:?}"), &got, &expected, times * tolerance(d.taps()));
        }
    }
}

/// All that may follow a convolution, against the layers one by one in double precision.
pub(super) fn check_post(d: &Conv, n: usize) {
    let (c, plane) = (d.output.c, d.output.plane());
    let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
    let residual = uniform(3, n * d.output.len());
    let added = stored(&d.output, n, &residual);
    let [bias, scale, shift, mean] = [4, 5, 6, 7].map(|seed| uniform(seed, c));
    let var: Vec<f32> = uniform(8, c).iter().map(|x| x.abs() + 0.5).collect();
    let norm = BatchNorm { channels: c, plane, order: Order::Nchw, eps: 1e-3, momentum: 0.1 };
    let posts = [
        Post::new().norm(&norm, &scale, &shift, &mean, &var),
        Post::new().bias(&bias).act(Act::Clip { lo: -0.5, hi: 0.75 }),
        Post::new().add(&added).act(Act::Relu),
        Post::new().bias(&bias).norm(&norm, &scale, &shift, &mean, &var).add(&added).act(Act::Relu),
    ];
    let (from, weights) = (stored(&d.input, n, &input), packed(d, &weight));
    let mut sums = vec![0.0; n * d.output.len()];
    reference::forward(d, n, &widen(&input), &widen(&weight), None, &mut sums);
    for (index, post) in posts.into_iter().enumerate() {
        let (with_bias, with_norm, with_residual) = (index % 2 == 1, index % 3 == 0, index >= 2);
        let mut expected = sums.clone();
        for (at, y) in expected.iter_mut().enumerate() {
            let channel = at / plane % c;
            *y += if with_bias { f64::from(bias[channel]) } else { 0.0 };
            if with_norm {
                let deviation = (f64::from(var[channel]) + f64::from(norm.eps)).sqrt();
                *y =
                    (*y - f64::from(mean[channel])) / deviation * f64::from(scale[channel]) + f64::from(shift[channel]);
            }
            *y += if with_residual { f64::from(residual[at]) } else { 0.0 };
            *y = match index {
                0 => *y,
                1 => y.clamp(-0.5, 0.75),
                _ => y.max(0.0),
            };
        }
        for isa in Isa::available() {
            let mut got = vec![f32::NAN; expected.len()];
            let pass = pass::Forward { isa, d, n, input: &from, weight: &weights, post, write: Write::Set };
            forward_on(pass, &mut got);
            let got = nchw(&d.output, n, &got);
            let what = format!("post {index} of {n} x {d:?} on {isa:?}");
            assert_close(&what, &got, &expected, 4.0 * tolerance(d.taps()));
        }
    }
}

pub(super) fn check_backward_data(d: &Conv, n: usize) {
    check_backward_data_within(1.0, d, n);
}

/// As [`check_forward_within`].
pub(super) fn check_backward_data_within(times: f64, d: &Conv, n: usize) {
    let (d_output, weight) = (uniform(4, n * d.output.len()), uniform(5, d.weight_len()));
    let before = uniform(6, n * d.input.len());
    let (gradients, weights) = (stored(&d.output, n, &d_output), packed(d, &weight));
    for write in [Write::Set, Write::Add] {
        let mut expected = widen(&before);
        reference::backward_data(d, n, &widen(&weight), &widen(&d_output), &mut expected, write);
        for isa in Isa::available() {
            let mut got = if write == Write::Set { vec![f32::NAN; before.len()] } else { stored(&d.input, n, &before) };
            let mut scratch = vec![f32::NAN; d.weight_len()];
            let pass = pass::BackwardData { isa, d, n, weight: &weights, d_output: &gradients, write };
            backward_data_on(pass, &mut got, &mut scratch);
            let got = nchw(&d.input, n, &got);
            let terms = d.weight_len() / d.input.c;
            assert_close(&format!("{write:?} of {n} x {d:?} on {isa:?}"), &got, &expected, times * tolerance(terms));
        }
    }
}

pub(super) fn check_backward_weights(d: &Conv, n: usize) {
    let (input, d_output) = (uniform(7, n * d.input.len()), uniform(8, n * d.output.len()));
    let (from, gradients) = (stored(&d.input, n, &input), stored(&d.output, n, &d_output));
    let (mut d_weight, mut d_bias) = (vec![0.0; d.weight_len()], vec![0.0; d.output.c]);
    reference::backward_weights(d, n, &widen(&input), &widen(&d_output), &mut d_weight, Some(&mut d_bias));
    for isa in Isa::available() {
        let (mut weight, mut bias) = (vec![f32::NAN; d_weight.len()], vec![f32::NAN; d_bias.len()]);
        let pass = pass::BackwardWeights { isa, d, n, input: &from, d_output: &gradients };
        backward_weights_on(pass, &mut weight, Some(&mut bias));
        let (weight, terms) = (plain(d, &weight), n * d.output.plane());
        assert_close(&format!("d_weight of {n} x {d:?} on {isa:?}"), &weight, &d_weight, tolerance(terms));
        assert_close(&format!("d_bias of {n} x {d:?} on {isa:?}"), &bias, &d_bias, tolerance(terms));
    }
}

/// All passes, on each number of threads.
pub(super) fn check_threads(isa: Isa, d: &Conv, n: usize) {
    let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
    let (bias, d_output) = (uniform(3, d.output.c), uniform(4, n * d.output.len()));
    same_on_any_threads(&format!("{n} x {d:?} on {isa:?}"), || {
        let mut output = vec![f32::NAN; d_output.len()];
        let (mut d_input, mut scratch) = (vec![f32::NAN; input.len()], vec![f32::NAN; weight.len()]);
        let (mut d_weight, mut d_bias) = (vec![f32::NAN; weight.len()], vec![f32::NAN; bias.len()]);
        let (input, weight, d_output, post, write) =
            (&input, &weight, &d_output, Post::from(Some(&bias[..])), Write::Set);
        forward_on(pass::Forward { isa, d, n, input, weight, post, write }, &mut output);
        backward_data_on(pass::BackwardData { isa, d, n, weight, d_output, write }, &mut d_input, &mut scratch);
        backward_weights_on(pass::BackwardWeights { isa, d, n, input, d_output }, &mut d_weight, Some(&mut d_bias));
        [output, d_input, d_weight, d_bias].concat()
    });
}
