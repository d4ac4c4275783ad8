//! The fast paths against the reference, on every instruction set of the machine.

use proptest::prelude::*;

use super::{backward_data, backward_data_on, backward_weights, backward_weights_on, forward, forward_on, reference};
use crate::buffer::Buffer;
use crate::desc::{Act, Fc, Write};
use crate::dispatch::Isa;
use crate::kernel::post::Post;
use crate::layout::Layout;
use crate::testing::{assert_close, finite_differences, random, same_on_any_threads, tolerance, uniform, widen};

const SHAPES: [Fc; 8] = [
    Fc { inputs: 1, outputs: 1 },
    Fc { inputs: 7, outputs: 3 },
    Fc { inputs: 33, outputs: 41 },
    Fc { inputs: 400, outputs: 120 },
    Fc { inputs: 1009, outputs: 131 },
    Fc { inputs: 16, outputs: 64 },
    Fc { inputs: 37, outputs: 10 },
    Fc { inputs: 5, outputs: 300 },
];

/// One, a few, a vector's worth, several tiles, and more samples than are worked on together.
const BATCHES: [usize; 9] = [1, 2, 3, 4, 7, 13, 16, 67, 131];

/// Plain weights as the kernels read them.
fn stored(d: &Fc, weight: &[f32]) -> Vec<f32> {
    let mut stored = vec![f32::NAN; weight.len()];
    Layout::of_fc(d).pack(d.outputs, weight, &mut stored);
    stored
}

/// What a kernel wrote, as plain weights.
fn plain(d: &Fc, stored: &[f32]) -> Vec<f32> {
    let mut plain = vec![f32::NAN; stored.len()];
    Layout::of_fc(d).unpack(d.outputs, stored, &mut plain);
    plain
}

fn for_each_case(check: impl Fn(Isa, &Fc, usize)) {
    for isa in Isa::available() {
        for d in SHAPES {
            for n in BATCHES {
                check(isa, &d, n);
            }
        }
    }
}

fn check_forward(isa: Isa, d: &Fc, n: usize) {
    let (input, weight, bias) = (uniform(1, n * d.inputs), uniform(2, d.inputs * d.outputs), uniform(3, d.outputs));
    for bias in [None, Some(&bias[..])] {
        let (mut found, mut expected) = (vec![f32::NAN; n * d.outputs], vec![0.0; n * d.outputs]);
        let post = Post::from(bias);
        forward_on(isa, d, n, &input, &stored(d, &weight), post, &mut found);
        reference::forward(d, n, &widen(&input), &widen(&weight), bias.map(widen).as_deref(), &mut expected);
        assert_close(&format!("{d:?} x {n} on {isa:?}"), &found, &expected, tolerance(d.inputs));
        forward_on(isa, d, n, &input, &stored(d, &weight), post.act(Act::Relu), &mut found);
        expected.iter_mut().for_each(|y| *y = y.max(0.0));
        assert_close(&format!("relu of {d:?} x {n} on {isa:?}"), &found, &expected, tolerance(d.inputs));
    }
}

#[test]
fn forward_agrees_with_the_reference() {
    for_each_case(check_forward);
}

#[test]
fn backward_data_agrees_with_the_reference() {
    for_each_case(check_backward_data);
}

#[test]
fn backward_weights_agree_with_the_reference() {
    for_each_case(check_backward_weights);
}

proptest! {
    #![proptest_config(random(40))]

    #[test]
    fn any_sizes_agree_with_the_reference(inputs in 1..700_usize, outputs in 1..300_usize, n in 1..180_usize) {
        let d = Fc { inputs, outputs };
        for isa in Isa::available() {
            check_forward(isa, &d, n);
            check_backward_data(isa, &d, n);
            check_backward_weights(isa, &d, n);
        }
        check_threads(&d, n);
    }
}

#[test]
fn what_is_added_comes_before_the_activation() {
    for_each_case(|isa, d, n| {
        let (input, weight) = (uniform(1, n * d.inputs), uniform(2, d.inputs * d.outputs));
        let added = uniform(3, n * d.outputs);
        let (mut found, mut expected) = (vec![f32::NAN; n * d.outputs], vec![0.0; n * d.outputs]);
        forward_on(isa, d, n, &input, &stored(d, &weight), Post::new().add(&added).act(Act::Relu), &mut found);
        reference::forward(d, n, &widen(&input), &widen(&weight), None, &mut expected);
        expected.iter_mut().zip(&added).for_each(|(y, &added)| *y = (*y + f64::from(added)).max(0.0));
        assert_close(&format!("{d:?} x {n} on {isa:?}"), &found, &expected, tolerance(d.inputs));
    });
}

fn check_backward_data(isa: Isa, d: &Fc, n: usize) {
    let (d_output, weight) = (uniform(4, n * d.outputs), uniform(5, d.inputs * d.outputs));
    let before = uniform(6, n * d.inputs);
    for write in [Write::Set, Write::Add] {
        let mut got = if write == Write::Set { vec![f32::NAN; before.len()] } else { before.clone() };
        let mut expected = widen(&before);
        backward_data_on(isa, d, n, &stored(d, &weight), &d_output, &mut got, write);
        reference::backward_data(d, n, &widen(&weight), &widen(&d_output), &mut expected, write);
        assert_close(&format!("{write:?} of {d:?} x {n} on {isa:?}"), &got, &expected, tolerance(d.outputs));
    }
}

fn check_backward_weights(isa: Isa, d: &Fc, n: usize) {
    let (input, d_output) = (uniform(7, n * d.inputs), uniform(8, n * d.outputs));
    let (mut weight, mut bias) = (vec![f32::NAN; d.inputs * d.outputs], vec![f32::NAN; d.outputs]);
    let (mut d_weight, mut d_bias) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
    backward_weights_on(isa, d, n, &input, &d_output, &mut weight, Some(&mut bias));
    let weight = plain(d, &weight);
    reference::backward_weights(d, n, &widen(&input), &widen(&d_output), &mut d_weight, Some(&mut d_bias));
    assert_close(&format!("{d:?} x {n} on {isa:?}"), &weight, &d_weight, tolerance(n));
    assert_close(&format!("{d:?} x {n} on {isa:?}"), &bias, &d_bias, tolerance(n));
}

/// Scales of two sides, each of which a float holds beside whole sums, cancel out; one of them with its sums may be too much.
#[test]
fn large_inputs_and_small_weights_make_numbers() {
    let (d, n) = (Fc { inputs: 256, outputs: 64 }, 70);
    for [large, small] in [[116, -67], [-67, 116]].map(|powers| powers.map(|power: i32| 2.0_f32.powi(power))) {
        let (input, weight) = (uniform(1, n * d.inputs), uniform(2, d.inputs * d.outputs));
        let mut expected = vec![0.0; n * d.outputs];
        reference::forward(&d, n, &widen(&input), &widen(&weight), None, &mut expected);
        let [input, weight] =
            [(input, large), (weight, small)].map(|(x, factor)| x.iter().map(|x| x * factor).collect());
        let (input, weight): (Vec<f32>, Vec<f32>) = (input, weight);
        for isa in Isa::available() {
            let mut found = vec![f32::NAN; expected.len()];
            forward_on(isa, &d, n, &input, &stored(&d, &weight), Post::new(), &mut found);
            found.iter_mut().for_each(|y| *y /= large * small);
            assert_close(&format!("{large:e} by {small:e} on {isa:?}"), &found, &expected, tolerance(d.inputs));
        }
    }
}

/// So deep that inputs are taken in chunks, also of a few samples: what follows comes once, after the last of them.
#[test]
fn deep_layers_agree_with_the_reference() {
    for d in [Fc { inputs: 9300, outputs: 37 }, Fc { inputs: 2100, outputs: 40 }] {
        for n in [1, 4, 8, 37] {
            let (input, weight) = (uniform(1, n * d.inputs), uniform(2, d.inputs * d.outputs));
            let (bias, added) = (uniform(3, d.outputs), uniform(4, n * d.outputs));
            let (mut expected, weights) = (vec![0.0; n * d.outputs], stored(&d, &weight));
            reference::forward(&d, n, &widen(&input), &widen(&weight), Some(&widen(&bias)), &mut expected);
            expected.iter_mut().zip(&added).for_each(|(y, &added)| *y = (*y + f64::from(added)).max(0.0));
            for isa in Isa::available() {
                let mut found = vec![f32::NAN; expected.len()];
                let post = Post::new().bias(&bias).add(&added).act(Act::Relu);
                forward_on(isa, &d, n, &input, &weights, post, &mut found);
                assert_close(&format!("{d:?} x {n} on {isa:?}"), &found, &expected, tolerance(d.inputs));
            }
        }
    }
}

/// So many that gradients are taken in groups or chunks of them, on vectors and on a matrix unit.
#[test]
fn many_outputs_and_samples_agree_with_the_reference() {
    for isa in Isa::available() {
        check_backward_data(isa, &Fc { inputs: 40, outputs: 4100 }, 70);
        check_backward_weights(isa, &Fc { inputs: 37, outputs: 40 }, 1100);
        check_backward_weights(isa, &Fc { inputs: 130, outputs: 130 }, 1100);
    }
}

/// So large that it is written past the caches, from a cache line on as that asks for.
#[test]
fn a_large_gradient_agrees_with_the_reference() {
    let (d, n) = (Fc { inputs: 2053, outputs: 1031 }, 3);
    let (input, d_output) = (uniform(7, n * d.inputs), uniform(8, n * d.outputs));
    let mut d_weight = vec![0.0; d.inputs * d.outputs];
    reference::backward_weights(&d, n, &widen(&input), &widen(&d_output), &mut d_weight, None);
    for isa in Isa::available() {
        let mut weight = Buffer::zeroed(d_weight.len());
        backward_weights_on(isa, &d, n, &input, &d_output, &mut weight, None);
        assert_close(&format!("{d:?} x {n} on {isa:?}"), &plain(&d, &weight), &d_weight, tolerance(n));
    }
}

/// A matrix unit writes larger ones past the caches, and a last panel that is not whole through them.
#[test]
fn a_huge_gradient_agrees_with_its_definition() {
    let (d, n) = (Fc { inputs: 4100, outputs: 2053 }, 64);
    let (input, d_output) = (uniform(7, n * d.inputs), uniform(8, n * d.outputs));
    let mut d_weight = Buffer::zeroed(d.inputs * d.outputs);
    d_weight.fill(f32::NAN);
    backward_weights(&d, n, &input, &d_output, &mut d_weight, None);
    let d_weight = plain(&d, &d_weight);
    assert!(d_weight.iter().all(|value| value.is_finite()), "all are written");
    for at in (0..d_weight.len()).step_by(9973) {
        let (to, from) = (at / d.inputs, at % d.inputs);
        let products = (0..n).map(|i| f64::from(input[i * d.inputs + from]) * f64::from(d_output[i * d.outputs + to]));
        assert_close(&format!("the gradient at {at}"), &d_weight[at..=at], &[products.sum()], tolerance(n));
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let d = Fc { inputs: 13, outputs: 7 };
    for n in [1, 11] {
        let (input, weight, bias) = (uniform(1, n * 13), uniform(2, 13 * 7), uniform(3, 7));
        let d_output = uniform(4, n * 7);
        let output = |input: &[f64], weight: &[f64], bias: &[f64]| {
            let mut output = vec![0.0; d_output.len()];
            reference::forward(&d, n, input, weight, Some(bias), &mut output);
            output
        };
        let (x, w, b, g) = (&widen(&input), &widen(&weight), &widen(&bias), &widen(&d_output));
        let (mut d_input, mut d_weight, mut d_bias) = (vec![0.0; n * 13], vec![0.0; 13 * 7], vec![0.0; 7]);
        backward_data(&d, n, &stored(&d, &weight), &d_output, &mut d_input, Write::Set);
        backward_weights(&d, n, &input, &d_output, &mut d_weight, Some(&mut d_bias));
        let d_weight = plain(&d, &d_weight);
        assert_close("d_input", &d_input, &finite_differences(x, g, 1e-2, |x| output(x, w, b)), 1e-5);
        assert_close("d_weight", &d_weight, &finite_differences(w, g, 1e-2, |w| output(x, w, b)), 1e-5);
        assert_close("d_bias", &d_bias, &finite_differences(b, g, 1e-2, |b| output(x, w, b)), 1e-5);
    }
}

/// All passes, on each number of threads.
fn check_threads(d: &Fc, n: usize) {
    let (input, weight) = (uniform(1, n * d.inputs), uniform(2, d.inputs * d.outputs));
    let d_output = uniform(3, n * d.outputs);
    same_on_any_threads(&format!("{d:?} x {n}"), || {
        let (mut output, mut d_input) = (vec![0.0; d_output.len()], vec![0.0; input.len()]);
        let mut d_weight = vec![0.0; weight.len()];
        forward(d, n, &input, &weight, None, &mut output);
        backward_data(d, n, &weight, &d_output, &mut d_input, Write::Set);
        backward_weights(d, n, &input, &d_output, &mut d_weight, None);
        [output, d_input, d_weight].concat()
    });
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    [1, 5, 37, 70].into_iter().for_each(|n| check_threads(&Fc { inputs: 2053, outputs: 1031 }, n));
}

/// A sample's sums must not depend on what stands in another's place, whatever they are computed on.
#[test]
fn a_sample_that_is_not_finite_leaves_the_others_alone() {
    let (d, n) = (Fc { inputs: 203, outputs: 90 }, 70);
    let (mut input, weight) = (uniform(1, n * d.inputs), stored(&d, &uniform(2, d.inputs * d.outputs)));
    let mut d_output = uniform(3, n * d.outputs);
    input[5 * d.inputs + 199] = f32::NAN;
    d_output[5 * d.outputs + 7] = f32::INFINITY;
    for isa in Isa::available() {
        let (mut output, mut d_input) = (vec![0.0; d_output.len()], vec![0.0; input.len()]);
        forward_on(isa, &d, n, &input, &weight, Post::new(), &mut output);
        backward_data_on(isa, &d, n, &weight, &d_output, &mut d_input, Write::Set);
        for sample in 0..n {
            let found = [&output[sample * d.outputs..][..d.outputs], &d_input[sample * d.inputs..][..d.inputs]];
            for values in found {
                let spoilt = sample == 5;
                assert!(values.iter().all(|value| value.is_finite() != spoilt), "sample {sample} on {isa:?}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "length of the weights")]
fn a_wrong_length_panics_with_its_name() {
    super::forward(&Fc { inputs: 3, outputs: 2 }, 1, &[0.0; 3], &[0.0; 5], None, &mut [0.0; 2]);
}
