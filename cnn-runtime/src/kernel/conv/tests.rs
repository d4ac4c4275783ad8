//! The fast paths against the reference, on every instruction set of the machine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::checks::{
    check_backward_data, check_backward_weights, check_forward, check_post, check_threads, conv, in_every_order,
    packed, plain, window,
};
use super::{
    backward_data, backward_data_on, backward_weights, backward_weights_on, direct, forward, forward_on, forward_then,
    pass, reference,
};
use crate::desc::{Act, Conv, Map, Order, Window, Write};
use crate::dispatch::Isa;
use crate::kernel::fc;
use crate::kernel::parallel::SERIAL_MACS;
use crate::kernel::post::Post;
use crate::layout::Layout;
use crate::testing::{
    assert_close, assert_same_bits, finite_differences, nchw, on_threads, relative_error, stored, uniform, widen,
};

/// Prime, odd, tiny, strided, padded unevenly, dilated, grouped, depthwise; deep enough for several chunks of depth.
fn shapes() -> Vec<Conv> {
    let one = [1, 1];
    [
        conv([1, 28, 28], 6, window([5, 5], one, one, [2; 4]), 1),
        conv([6, 14, 14], 16, window([5, 5], one, one, [0; 4]), 1),
        conv([16, 5, 5], 120, window([5, 5], one, one, [0; 4]), 1),
        conv([3, 23, 29], 17, window([7, 7], [2, 2], one, [3; 4]), 1),
        conv([3, 35, 31], 19, window([11, 11], [4, 4], one, [0; 4]), 1),
        conv([5, 11, 13], 7, window([3, 2], [1, 2], one, [0, 1, 1, 0]), 1),
        conv([2, 7, 1], 3, window([3, 1], [2, 1], one, [1, 0, 2, 0]), 1),
        conv([1, 1, 1], 1, window(one, one, one, [0; 4]), 1),
        conv([3, 2, 2], 5, window([5, 5], one, one, [3, 2, 1, 4]), 1),
        conv([67, 7, 7], 65, window([3, 3], one, one, [1; 4]), 1),
        conv([61, 9, 7], 53, window(one, one, one, [0; 4]), 1),
        conv([13, 9, 11], 11, window(one, [2, 2], one, [0; 4]), 1),
        conv([4, 13, 17], 6, window([3, 3], one, [2, 3], [2, 3, 1, 0]), 2),
        conv([6, 17, 13], 9, window([3, 5], [3, 2], [2, 2], [1, 4, 3, 2]), 3),
        conv([7, 10, 9], 7, window([3, 3], one, one, [1; 4]), 7),
        conv([5, 11, 37], 10, window([3, 3], [2, 2], [1, 2], [1, 2, 0, 1]), 5),
        conv([2, 19, 70], 33, window([3, 3], one, one, [1; 4]), 1),
        conv([403, 5, 3], 3, window(one, one, one, [1, 0, 0, 1]), 1),
        // Deep enough for output channels in the lanes: long lines, short ones, none, and whole maps.
        conv([16, 9, 31], 29, window([3, 3], one, [2, 1], [2; 4]), 1),
        conv([16, 13, 11], 47, window([3, 3], [2, 2], one, [1; 4]), 1),
        conv([24, 9, 7], 32, window([3, 2], one, one, [1, 0, 0, 1]), 1),
        conv([131, 6, 5], 48, window(one, [2, 2], one, [0; 4]), 1),
        conv([130, 9, 13], 16, window(one, one, one, [0; 4]), 1),
        conv([64, 8, 9], 64, window([2, 2], one, one, [1, 0, 0, 1]), 2),
        conv([12, 19, 23], 31, window([4, 3], [3, 2], one, [0, 2, 1, 1]), 1),
        // Of whole blocks of channels, on both sides or one: each in every order.
        conv([32, 9, 7], 48, window([3, 3], one, one, [1; 4]), 1),
        conv([16, 13, 11], 32, window([3, 3], [2, 2], one, [1; 4]), 1),
        conv([16, 19, 17], 16, window([3, 3], one, one, [0, 1, 2, 2]), 1),
        conv([48, 7, 7], 16, window(one, one, one, [0; 4]), 1),
        conv([16, 23, 9], 80, window(one, one, one, [0; 4]), 1),
        conv([32, 9, 8], 16, window(one, [2, 2], one, [0; 4]), 1),
        conv([16, 11, 13], 16, window([5, 2], [1, 3], [2, 1], [3, 1, 0, 2]), 1),
        conv([16, 2, 1], 32, window([3, 3], one, one, [1; 4]), 1),
        conv([3, 23, 29], 32, window([7, 7], [2, 2], one, [3; 4]), 1),
        conv([3, 35, 31], 16, window([11, 11], [4, 4], one, [0; 4]), 1),
        conv([5, 9, 13], 48, window([3, 3], one, [1, 2], [1, 2, 1, 2]), 1),
        conv([3, 67, 67], 48, window([11, 11], [4, 4], one, [0; 4]), 1),
        conv([4, 19, 18], 32, window([4, 5], [1, 2], [2, 1], [3, 2, 0, 1]), 1),
        conv([1, 17, 37], 32, window([9, 7], one, one, [4, 0, 4, 5]), 1),
        // Few channels and lines that fill steps of a matrix unit.
        conv([3, 21, 103], 48, window([7, 7], [2, 2], one, [3; 4]), 1),
        conv([4, 13, 211], 32, window([3, 5], [1, 4], [2, 1], [2, 0, 1, 3]), 1),
        conv([1, 12, 70], 32, window([9, 7], one, [1, 2], [4, 5, 4, 0]), 1),
        conv([3, 9, 110], 32, window([4, 4], one, one, [1, 2, 1, 2]), 1),
        // Backwards these read few channels: from inside their lines, too.
        conv([32, 23, 29], 3, window([7, 7], one, one, [3; 4]), 1),
        conv([32, 27, 19], 2, window([5, 7], one, one, [2, 8, 0, 1]), 1),
        conv([32, 9, 11], 10, window([3, 3], one, one, [1; 4]), 1),
        // Backwards their outputs are written one by one, or in other lines than are read.
        conv([1, 19, 74], 16, window([2, 2], [3, 4], [2, 1], [2, 0, 0, 0]), 1),
        conv([16, 130, 5], 16, window(one, [2, 1], one, [0; 4]), 1),
        // Backwards each output sets those behind it to zero: of one tap, and of some that meet the same inputs.
        conv([32, 12, 10], 48, window(one, [2, 2], one, [0; 4]), 1),
        conv([16, 12, 7], 32, window(one, [3, 1], one, [0; 4]), 1),
        conv([16, 14, 12], 48, window([3, 2], [2, 3], [4, 3], [4, 0, 0, 3]), 1),
        // Two blocks of output channels in a tile, or of input channels on the way back.
        conv([16, 11, 13], 64, window(one, one, one, [0; 4]), 1),
        conv([64, 9, 11], 16, window(one, one, one, [0; 4]), 1),
        conv([16, 19, 23], 64, window([3, 3], [2, 2], one, [1; 4]), 1),
    ]
    .into_iter()
    .flat_map(|shape| in_every_order(shape.expect("the kernel fits")))
    .chain(of_a_matrix_unit())
    .collect()
}

/// In blocks on both sides, and large enough for a matrix unit: parts of a step and half a block left over, maps whose lines
/// end within tiles, strides, gradients of every other input, kernels that Winograd's way would take.
fn of_a_matrix_unit() -> impl Iterator<Item = Conv> {
    let one = [1, 1];
    [
        conv([48, 13, 11], 80, window(one, one, one, [0; 4]), 1),
        conv([64, 25, 23], 48, window(one, [2, 2], one, [0; 4]), 1),
        conv([64, 24, 22], 48, window(one, [2, 2], one, [0; 4]), 1),
        // Positions behind the map's end, of kernels of one tap.
        conv([64, 17, 23], 48, window(one, one, one, [0, 0, 2, 1]), 1),
        conv([64, 23, 21], 48, window(one, [2, 2], one, [0, 0, 2, 1]), 1),
        conv([112, 13, 15], 48, window([3, 2], one, [2, 1], [2, 1, 1, 0]), 1),
        conv([64, 25, 21], 32, window([3, 3], [2, 2], one, [1; 4]), 1),
        conv([48, 29, 17], 48, window([2, 5], [1, 3], one, [0, 2, 1, 3]), 1),
        conv([128, 11, 13], 32, window([3, 3], one, one, [1; 4]), 1),
        conv([48, 12, 11], 32, window([5, 5], one, one, [2; 4]), 1),
        conv([64, 67, 3], 32, window([1, 3], one, one, [0, 1, 0, 1]), 1),
    ]
    .into_iter()
    .filter_map(|shape| in_every_order(shape.expect("the kernel fits")).pop())
}

#[test]
fn forward_agrees_with_the_reference() {
    for d in shapes() {
        for n in [1, 3] {
            check_forward(&d, n);
        }
    }
}

/// Of weights that stand as a fully connected layer's do, a pass is that layer's.
#[test]
fn a_kernel_that_covers_its_input_is_fully_connected() {
    let covers = |[c, h, w]: [usize; 3], out| {
        conv([c, h, w], out, window([h, w], [2, 1], [1, 1], [0; 4]), 1).expect("the kernel fits")
    };
    for d in [covers([16, 5, 5], 120), covers([3, 4, 7], 33), covers([64, 1, 1], 16)] {
        let layer = d.as_fc().expect("a fully connected layer");
        assert_eq!(Layout::of_conv(&d), Layout::of_fc(&layer));
        for (isa, n) in Isa::available().flat_map(|isa| [(isa, 1), (isa, 3), (isa, 70)]) {
            let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
            let (d_output, bias) = (uniform(3, n * d.output.len()), uniform(4, d.output.c));
            let (mut got, mut expected) = (vec![f32::NAN; d_output.len()], vec![f32::NAN; d_output.len()]);
            let (post, write) = (Post::new().bias(&bias).act(Act::Relu), Write::Set);
            forward_on(pass::Forward { isa, d: &d, n, input: &input, weight: &weight, post, write }, &mut got);
            fc::forward_on(isa, &layer, n, &input, &weight, post, &mut expected);
            assert_same_bits(&format!("{n} x {d:?} on {isa:?}"), &got, &expected);
            for write in [Write::Set, Write::Add] {
                let (mut got, mut expected) = (input.clone(), input.clone());
                let pass = pass::BackwardData { isa, d: &d, n, weight: &weight, d_output: &d_output, write };
                backward_data_on(pass, &mut got, &mut vec![f32::NAN; weight.len()]);
                fc::backward_data_on(isa, &layer, n, &weight, &d_output, &mut expected, write);
                assert_same_bits(&format!("{write:?} by the input of {n} x {d:?} on {isa:?}"), &got, &expected);
            }
            let (mut got, mut expected) = (vec![f32::NAN; weight.len()], vec![f32::NAN; weight.len()]);
            let pass = pass::BackwardWeights { isa, d: &d, n, input: &input, d_output: &d_output };
            backward_weights_on(pass, &mut got, None);
            fc::backward_weights_on(isa, &layer, n, &input, &d_output, &mut expected, None);
            assert_same_bits(&format!("by the weights of {n} x {d:?} on {isa:?}"), &got, &expected);
        }
    }
    let d = covers([16, 5, 5], 120);
    let blocked = Conv { input: Map { order: Order::Nchw16c, ..d.input }, ..d };
    let padded = Conv { window: Window { pad: [1; 4], ..d.window }, ..d };
    assert!([blocked, padded].iter().all(|d| d.as_fc().is_none()));
}

/// So many for one thread that a matrix unit's tiles, which end in other lines, are all that a task may have.
#[test]
fn many_lines_agree_with_the_reference() {
    let one = [1, 1];
    for (input, kernel) in
        [([48, 55, 55], window(one, [2, 2], one, [0; 4])), ([48, 20, 19], window([3, 3], one, one, [1; 4]))]
    {
        let d =
            in_every_order(conv(input, 32, kernel, 1).expect("the kernel fits")).pop().expect("blocks on both sides");
        on_threads(1, || {
            check_forward(&d, 9);
            check_backward_data(&d, 9);
        });
    }
}

/// Lines of more positions than a task has tiles for: with the ends of some among them, written one by one, and by tiles of
/// two blocks.
#[test]
fn wide_maps_agree_with_the_reference() {
    let one = [1, 1];
    for (input, out, kernel) in [
        ([16, 1, 4000], 16, window([1, 9], one, one, [0; 4])),
        ([16, 2, 4001], 16, window([2, 3], one, one, [0, 1, 1, 0])),
        ([16, 2, 4000], 32, window([3, 3], [1, 3], one, [1; 4])),
        ([16, 1, 8003], 16, window([1, 5], [1, 2], one, [0; 4])),
        ([16, 1, 4000], 32, window([1, 9], one, one, [0; 4])),
        ([32, 1, 4000], 16, window([1, 9], one, one, [0; 4])),
    ] {
        for d in in_every_order(conv(input, out, kernel, 1).expect("the kernel fits")) {
            check_forward(&d, 1);
            check_backward_data(&d, 1);
            check_backward_weights(&d, 1);
            check_threads(Isa::active(), &d, 3);
        }
    }
}

/// What a matrix unit's digits leave out matters about as little as the rounding of sums on vectors: less where all inputs are
/// about as large, and up to twice as much where a few are much larger than the others.
#[test]
fn a_matrix_unit_is_about_as_exact_as_vectors() {
    let kernels = [window([1, 1], [1, 1], [1, 1], [0; 4]), window([3, 3], [2, 2], [1, 1], [1; 4])];
    let image = window([7, 7], [2, 2], [1, 1], [3; 4]);
    let of_channels = [64, 512].into_iter().flat_map(|c| kernels.map(|k| (c, k)));
    for (channels, kernel, power) in of_channels.chain([(3, image)]).flat_map(|(c, k)| [(c, k, 1), (c, k, 9)]) {
        let d = conv([channels, 14 * kernel.stride[0], 14 * kernel.stride[1]], 64, kernel, 1).expect("the kernel fits");
        let d = in_every_order(d).pop().expect("blocks on both sides");
        let input: Vec<f32> = uniform(1, d.input.len()).iter().map(|x| x.powi(power)).collect();
        let weight: Vec<f32> = uniform(2, d.weight_len()).iter().map(|x| x.powi(power)).collect();
        let mut expected = vec![0.0; d.output.len()];
        reference::forward(&d, 1, &widen(&input), &widen(&weight), None, &mut expected);
        let (from, weights) = (stored(&d.input, 1, &input), packed(&d, &weight));
        for isa in Isa::available() {
            let of = |d: &Conv, isa| {
                let mut got = vec![f32::NAN; d.output.len()];
                let (post, write) = (Post::new(), Write::Set);
                forward_on(pass::Forward { isa, d, n: 1, input: &from, weight: &weights, post, write }, &mut got);
                got
            };
            let error = relative_error(&nchw(&d.output, 1, &of(&d, isa)), &expected);
            eprintln!("{error:.1e}: {channels} channels to the power {power} by {:?} on {isa:?}", kernel.kernel);
            assert!(error < 2e-6, "{d:?} to the power {power} on {isa:?}: an error of {error:e}");
            let direct = Conv { direct: true, ..d };
            assert_same_bits("direct", &of(&direct, isa), &of(&d, isa.without_matrix()));
        }
    }
}

/// Scales of two sides, each of which a float holds beside whole sums, cancel out; one of them with its sums may be too much.
#[test]
fn large_inputs_and_small_weights_make_numbers() {
    let powers = [[116, -67], [-67, 116]].map(|powers| powers.map(|power: i32| 2.0_f32.powi(power)));
    let of = |c: usize, k: Window| conv([c, 16, 16], 32, k, 1).expect("the kernel fits");
    let kernels = [of(64, window([1, 1], [1, 1], [1, 1], [0; 4])), of(64, window([3, 3], [1, 1], [1, 1], [1; 4]))];
    let image = of(3, window([7, 7], [2, 2], [1, 1], [3; 4]));
    for (d, [large, small]) in kernels.into_iter().chain([image]).flat_map(|d| powers.map(|powers| (d, powers))) {
        let d = in_every_order(d).pop().expect("blocks on both sides");
        let of = |seed, len, factor: f32| uniform(seed, len).iter().map(|x| x * factor).collect::<Vec<f32>>();
        let (input, weight) = (of(1, d.input.len(), large), of(2, d.weight_len(), small));
        let d_output = of(3, d.output.len(), small);
        // What is held against the definition comes back to about one.
        let back = |values: &[f32]| values.iter().map(|y| y / (large * small)).collect::<Vec<f32>>();
        let wide = |values: &[f32], factor: f32| values.iter().map(|x| f64::from(x / factor)).collect::<Vec<f64>>();
        let (mut output, mut gradient) = (vec![0.0; d_output.len()], vec![0.0; weight.len()]);
        reference::forward(&d, 1, &wide(&input, large), &wide(&weight, small), None, &mut output);
        reference::backward_weights(&d, 1, &wide(&input, large), &wide(&d_output, small), &mut gradient, None);
        let (from, weights) = (stored(&d.input, 1, &input), packed(&d, &weight));
        let gradients = stored(&d.output, 1, &d_output);
        for isa in Isa::available() {
            let (mut got, mut d_weight) = (vec![f32::NAN; output.len()], vec![f32::NAN; weight.len()]);
            let (post, write) = (Post::new(), Write::Set);
            forward_on(pass::Forward { isa, d: &d, n: 1, input: &from, weight: &weights, post, write }, &mut got);
            let pass = pass::BackwardWeights { isa, d: &d, n: 1, input: &from, d_output: &gradients };
            backward_weights_on(pass, &mut d_weight, None);
            let name = format!("{large:e} by {small:e}, {d:?} on {isa:?}");
            assert_close(&name, &back(&nchw(&d.output, 1, &got)), &output, 1e-4);
            assert_close(&name, &back(&plain(&d, &d_weight)), &gradient, 1e-4);
        }
    }
}

#[test]
fn what_is_not_finite_does_not_pass_for_a_number() {
    for (d, worst) in shapes().into_iter().flat_map(|d| [(d, f32::NAN), (d, f32::INFINITY)]) {
        let (mut input, weight) = (uniform(1, d.input.len()), uniform(2, d.weight_len()));
        let at = d.input.plane() / 2;
        input[at] = worst;
        let (from, weights) = (stored(&d.input, 1, &input), packed(&d, &weight));
        let mut expected = vec![0.0; d.output.len()];
        reference::forward(&d, 1, &widen(&input), &widen(&weight), None, &mut expected);
        for isa in Isa::available() {
            let mut got = vec![0.0; d.output.len()];
            let (post, write) = (Post::new(), Write::Set);
            forward_on(pass::Forward { isa, d: &d, n: 1, input: &from, weight: &weights, post, write }, &mut got);
            let got = nchw(&d.output, 1, &got);
            let silent = got.iter().zip(&expected).filter(|(g, e)| g.is_finite() && !e.is_finite()).count();
            assert_eq!(silent, 0, "{worst} in {d:?} on {isa:?}");
        }
        let mut d_output = uniform(3, d.output.len());
        d_output[d.output.plane() / 2] = worst;
        let gradients = stored(&d.output, 1, &d_output);
        let mut expected = vec![0.0; d.weight_len()];
        reference::backward_weights(&d, 1, &widen(&input), &widen(&d_output), &mut expected, None);
        for isa in Isa::available() {
            let mut got = vec![0.0; d.weight_len()];
            let pass = pass::BackwardWeights { isa, d: &d, n: 1, input: &from, d_output: &gradients };
            backward_weights_on(pass, &mut got, None);
            let silent = plain(&d, &got).iter().zip(&expected).filter(|(g, e)| g.is_finite() && !e.is_finite()).count();
            assert_eq!(silent, 0, "{worst} in the gradients of {d:?} on {isa:?}");
        }
    }
}

#[test]
fn what_follows_a_convolution_agrees_with_the_layers_one_by_one() {
    for d in shapes() {
        for n in [1, 3] {
            check_post(&d, n);
        }
    }
}

#[test]
fn a_nan_passes_through_what_follows() {
    for d in shapes() {
        let (input, weight) = (vec![f32::NAN; d.input.len()], vec![1.0; d.weight_len()]);
        let mut output = vec![0.0; d.output.len()];
        forward_then(&d, 1, &input, &weight, Post::new().act(Act::Relu), &mut output);
        let middle = d.output.plane() / 2;
        assert!(output[middle].is_nan(), "{d:?}");
    }
}

#[test]
fn backward_data_agrees_with_the_reference() {
    for d in shapes() {
        for n in [1, 3] {
            check_backward_data(&d, n);
        }
    }
}

#[test]
fn backward_weights_agree_with_the_reference() {
    for d in shapes() {
        for n in [1, 3, 11] {
            check_backward_weights(&d, n);
        }
    }
}

/// More than caches hold, so that the next positions are asked for: of samples that no group of positions ends with.
#[test]
fn weights_of_many_positions_agree_with_the_reference() {
    let d = conv([32, 71, 83], 48, window([1, 1], [1, 1], [1, 1], [0; 4]), 1).expect("a valid shape");
    let blocked = |map: Map| Map { order: Order::Nchw16c, ..map };
    check_backward_weights(&Conv { input: blocked(d.input), output: blocked(d.output), ..d }, 2);
}

#[test]
fn an_empty_batch_has_no_gradient() {
    let d = shapes()[1];
    let (mut weight, mut bias) = (vec![f32::NAN; d.weight_len()], vec![f32::NAN; d.output.c]);
    backward_weights(&d, 0, &[], &[], &mut weight, Some(&mut bias));
    assert!(weight.iter().chain(&bias).all(|&g| g == 0.0));
    forward(&d, 0, &[], &weight, None, &mut []);
    backward_data(&d, 0, &weight, &[], &mut [], &mut vec![0.0; d.weight_len()], Write::Set);
}

#[test]
fn gradients_agree_with_finite_differences() {
    let all = [
        conv([2, 7, 5], 3, window([3, 3], [1, 1], [1, 1], [1; 4]), 1),
        conv([3, 7, 11], 5, window([3, 2], [2, 3], [1, 2], [1, 0, 2, 1]), 1),
        conv([4, 5, 7], 6, window([3, 3], [2, 1], [1, 1], [1; 4]), 2),
        conv([3, 5, 7], 6, window([3, 3], [1, 2], [2, 1], [2, 1, 0, 1]), 3),
    ];
    for d in all.map(|d| d.expect("the kernel fits")) {
        let n = 2;
        let (input, weight, bias) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()), uniform(3, d.output.c));
        let d_output = uniform(4, n * d.output.len());
        let output = |input: &[f64], weight: &[f64], bias: &[f64]| {
            let mut output = vec![0.0; d_output.len()];
            reference::forward(&d, n, input, weight, Some(bias), &mut output);
            output
        };
        let (x, w, b, g) = (&widen(&input), &widen(&weight), &widen(&bias), &widen(&d_output));
        let mut d_input = vec![0.0; input.len()];
        let (mut d_weight, mut d_bias) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
        backward_data(&d, n, &packed(&d, &weight), &d_output, &mut d_input, &mut vec![0.0; weight.len()], Write::Set);
        backward_weights(&d, n, &input, &d_output, &mut d_weight, Some(&mut d_bias));
        let d_weight = plain(&d, &d_weight);
        assert_close("d_input", &d_input, &finite_differences(x, g, 1e-2, |x| output(x, w, b)), 1e-5);
        assert_close("d_weight", &d_weight, &finite_differences(w, g, 1e-2, |w| output(x, w, b)), 1e-5);
        assert_close("d_bias", &d_bias, &finite_differences(b, g, 1e-2, |b| output(x, w, b)), 1e-5);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let all = [
        conv([17, 29, 31], 61, window([3, 3], [1, 1], [1, 1], [1; 4]), 1),
        conv([16, 28, 28], 16, window([3, 3], [2, 2], [1, 1], [1; 4]), 1),
        conv([130, 7, 7], 260, window([3, 3], [1, 1], [1, 1], [1; 4]), 1),
        conv([64, 31, 29], 64, window([3, 3], [1, 1], [1, 1], [1; 4]), 64),
        conv([32, 29, 31], 48, window([3, 3], [1, 1], [1, 1], [1; 4]), 1),
        conv([3, 29, 103], 64, window([7, 7], [2, 2], [1, 1], [3; 4]), 1),
        conv([64, 14, 14], 96, window([1, 1], [1, 1], [1, 1], [0; 4]), 1),
        // Of some gradients by the input, half of the batch has too few for a matrix unit.
        conv([32, 24, 6], 96, window([2, 2], [3, 3], [1, 1], [1; 4]), 1),
    ];
    // Instead of Winograd's way, blocks line by line.
    let direct = conv([32, 29, 31], 48, window([3, 3], [1, 1], [1, 1], [1; 4]), 1).map(|d| Conv { direct: true, ..d });
    for d in all.into_iter().chain([direct]).flat_map(|d| in_every_order(d.expect("the kernel fits"))) {
        for isa in Isa::available() {
            let each = d.output.plane() * d.weight_len();
            // Without vectors, which takes long, no more than are worth sharing.
            let n = if isa.name() == "portable" { SERIAL_MACS / each + 2 } else { 11 };
            assert!(n * each > SERIAL_MACS, "large enough to matter");
            check_threads(isa, &d, n);
        }
    }
}

/// Of so many output channels that what they read is brought together first.
#[test]
fn weights_of_strided_kernels_of_one_tap_agree_with_the_reference() {
    for stride in [[2, 2], [3, 1], [1, 2]] {
        let d = conv([32, 7, 9], 528, window([1, 1], stride, [1, 1], [0; 4]), 1).expect("the kernel fits");
        for d in in_every_order(d) {
            check_backward_weights(&d, 3);
        }
        let d = in_every_order(d).pop().expect("blocks on both sides");
        Isa::available().for_each(|isa| check_threads(isa, &d, 3));
    }
}

/// So many for their inputs that a matrix unit's digits of their gradients have to be cut for the caches.
#[test]
fn many_output_channels_agree_with_the_reference() {
    for kernel in [window([1, 1], [1, 1], [1, 1], [0; 4]), window([3, 3], [1, 1], [1, 1], [1; 4])] {
        let d = conv([64, 16, 16], 704, kernel, 1).expect("the kernel fits");
        let d = in_every_order(d).pop().expect("blocks on both sides");
        check_backward_weights(&d, 2);
        check_threads(Isa::active(), &d, 2);
    }
}

#[test]
#[should_panic(expected = "length of the weights")]
fn a_wrong_length_panics_with_its_name() {
    let d = shapes()[0];
    forward(&d, 1, &vec![0.0; d.input.len()], &[0.0; 7], None, &mut vec![0.0; d.output.len()]);
}

#[test]
#[should_panic(expected = "orders of the maps")]
fn an_order_that_is_not_there_panics() {
    let d = conv([4, 7, 7], 4, window([3, 3], [2, 2], [1, 1], [1; 4]), 1).expect("the kernel fits");
    let d = Conv { input: Map { order: Order::Chwn16, ..d.input }, ..d };
    forward(&d, 1, &vec![0.0; d.input.len()], &vec![0.0; d.weight_len()], None, &mut vec![0.0; d.output.len()]);
}

#[test]
fn a_depthwise_convolution_has_blocks_on_both_sides_or_none() {
    let of =
        |size: usize| conv([16, size, 7], 16, window([3, 7], [1, 1], [1, 1], [0; 4]), 16).expect("the kernel fits");
    let blocked = |map: Map| Map { order: Order::Nchw16c, ..map };
    let (several, one) = (of(5), of(3));
    let both = Conv { input: blocked(several.input), output: blocked(several.output), ..several };
    let lone = Conv { input: blocked(one.input), ..one };
    assert!(both.fits_orders() && lone.fits_orders(), "one position is in either order");
    check_forward(&lone, 2);
    for d in [Conv { output: several.output, ..both }, Conv { input: several.input, ..both }] {
        assert!(!d.fits_orders(), "{d:?}");
    }
}

/// Each would have a kernel read or write what is not there.
#[test]
fn sizes_that_no_kernel_can_rely_on_panic() {
    let good = conv([32, 4, 4], 32, window([1, 1], [1, 1], [1, 1], [0; 4]), 1).expect("the kernel fits");
    let map = |c, order| Map { order, ..Map::new(c, 4, 4) };
    let window = good.window;
    let bad = [
        Conv { output: map(8, Order::Nchw16c), ..good },
        Conv { input: map(24, Order::Nchw16c), ..good },
        Conv { input: map(0, Order::Nchw), output: map(32, Order::Nchw16c), ..good },
        Conv { output: map(0, Order::Nchw), ..good },
        Conv { window: Window { kernel: [0, 1], ..window }, ..good },
        Conv { window: Window { stride: [1, 0], ..window }, ..good },
        Conv { groups: 0, ..good },
        Conv { groups: 3, ..good },
        Conv { output: Map::new(16, 1 << 60, 16), ..good },
        // Distances whose products come round to small numbers.
        Conv { window: Window { kernel: [17, 1], dilation: [1 << 60, 1], ..window }, ..good },
        Conv { window: Window { stride: [1 << 56, 1], ..window }, output: Map::blocked(32, 257, 4), ..good },
        Conv { window: Window { pad: [usize::MAX, 0, 1, 0], ..window }, ..good },
    ];
    for d in bad {
        let [input, output] = [d.input, d.output].map(|map| vec![0.0; map.len_of(1).unwrap_or(0)]);
        let weight = vec![0.0; 32 * 32];
        let (mut d_input, mut d_output, mut d_weight) = (input.clone(), output.clone(), weight.clone());
        let passes: [&mut dyn FnMut(); 4] = [
            &mut || forward(&d, 1, &input, &weight, None, &mut d_output),
            &mut || direct(&d, 1, &input, &weight, Post::new(), &mut output.clone()),
            &mut || backward_data(&d, 1, &weight, &output, &mut d_input, &mut weight.clone(), Write::Set),
            &mut || backward_weights(&d, 1, &input, &output, &mut d_weight, None),
        ];
        for (index, pass) in passes.into_iter().enumerate() {
            let outcome = catch_unwind(AssertUnwindSafe(pass)).expect_err(&format!("pass {index} of {d:?}"));
            let message = outcome.downcast_ref::<String>().expect("a message of its own");
            assert!(message.contains(" of Conv {"), "{message}");
        }
    }
    let (far, samples) = (Map::new(1 << 31, 1, 1), 1 << 33);
    let d = Conv { input: far, output: far, groups: 1 << 31, ..good };
    let outcome = catch_unwind(|| forward(&d, samples, &[], &vec![0.0; 1 << 20], None, &mut []));
    assert!(outcome.is_err(), "more samples than can be addressed");
}
