//! Groups of samples against the reference: each order on each side, samples left over, lines shared by threads.

use crate::desc::{Act, Conv, Map, Order, Write};
use crate::kernel::conv::checks::{check_backward_data, check_backward_weights, check_forward, check_post, packed};
use crate::kernel::conv::small::tests::conv;
use crate::kernel::conv::{backward_data, backward_weights, forward_then};
use crate::kernel::post::Post;
use crate::testing::{assert_same_bits, same_on_any_threads, stored, uniform};

/// A convolution with samples in groups on both sides, or on one.
fn in_groups(d: Conv) -> [Conv; 3] {
    let with =
        |input, output| Conv { input: Map { order: input, ..d.input }, output: Map { order: output, ..d.output }, ..d };
    [with(Order::Chwn16, Order::Chwn16), with(Order::Nchw, Order::Chwn16), with(Order::Chwn16, Order::Nchw)]
}

/// Several blocks of channels and single ones, lines of all lengths of a tile, padding beyond the kernel's reach, dilation,
/// one position.
fn shapes() -> Vec<Conv> {
    [
        conv([1, 13, 12], 6, [5, 5], [1, 1], [2; 4], 1),
        conv([6, 9, 11], 16, [5, 5], [1, 1], [0; 4], 1),
        conv([3, 5, 7], 33, [3, 2], [1, 1], [1, 0, 1, 1], 1),
        conv([2, 2, 2], 5, [5, 5], [1, 1], [3, 2, 1, 4], 1),
        conv([2, 11, 17], 3, [3, 3], [2, 3], [2, 3, 1, 0], 1),
        conv([3, 5, 4], 7, [5, 4], [1, 1], [0; 4], 1),
        conv([1, 3, 1], 2, [3, 1], [1, 1], [5, 7, 6, 8], 1),
        conv([5, 1, 1], 9, [1, 1], [1, 1], [0; 4], 1),
    ]
    .into_iter()
    .flat_map(in_groups)
    .collect()
}

#[test]
fn all_passes_agree_with_the_reference() {
    for d in shapes() {
        for n in [3, 16, 37] {
            check_forward(&d, n);
            check_backward_data(&d, n);
            check_backward_weights(&d, n);
        }
        check_post(&d, 19);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for d in in_groups(conv([5, 19, 17], 11, [5, 5], [1, 1], [2; 4], 1)) {
        let n = 5 * 16 + 3;
        let (input, weight) = (uniform(1, n * d.input.len()), packed(&d, &uniform(2, d.weight_len())));
        let d_output = uniform(3, n * d.output.len());
        same_on_any_threads(&format!("{d:?}"), || {
            let (mut output, mut d_input) = (vec![f32::NAN; d_output.len()], vec![f32::NAN; input.len()]);
            let (mut d_weight, mut d_bias) = (vec![f32::NAN; weight.len()], vec![f32::NAN; d.output.c]);
            forward_then(&d, n, &input, &weight, Post::new().act(Act::Relu), &mut output);
            backward_data(&d, n, &weight, &d_output, &mut d_input, &mut vec![0.0; weight.len()], Write::Set);
            backward_weights(&d, n, &input, &d_output, &mut d_weight, Some(&mut d_bias));
            [output, d_input, d_weight, d_bias].concat()
        });
    }
}

#[test]
fn a_sample_gives_the_same_bits_in_a_group_and_behind_it() {
    for d in shapes() {
        let (x, weight) = (uniform(1, d.input.len()), packed(&d, &uniform(2, d.weight_len())));
        let input = stored(&d.input, 17, &x.repeat(17));
        let mut output = vec![f32::NAN; 17 * d.output.len()];
        forward_then(&d, 17, &input, &weight, Post::new(), &mut output);
        let output = crate::testing::nchw(&d.output, 17, &output);
        let (first, last) = (&output[..d.output.len()], &output[16 * d.output.len()..]);
        assert_same_bits(&format!("{d:?}"), first, last);
    }
}
