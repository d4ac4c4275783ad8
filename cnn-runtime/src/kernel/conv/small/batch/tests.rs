//! Groups of samples against the reference: each order on each side, samples left over, lines shared by threads.

use crate::desc::{Conv, Map, Order, Write};
use crate::dispatch::Isa;
use crate::kernel::conv::checks::{
    check_backward_data, check_backward_weights, check_forward, check_post, check_threads, packed,
};
use crate::kernel::conv::small::tests::conv;
use crate::kernel::conv::{forward_on, pass};
use crate::kernel::post::Post;
use crate::testing::{assert_same_bits, nchw, stored, uniform};

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
        Isa::available().for_each(|isa| check_threads(isa, &d, 5 * 16 + 3));
    }
}

#[test]
fn a_sample_gives_the_same_bits_in_a_group_and_behind_it() {
    for d in shapes() {
        let (x, weight) = (uniform(1, d.input.len()), packed(&d, &uniform(2, d.weight_len())));
        let input = stored(&d.input, 17, &x.repeat(17));
        for isa in Isa::available() {
            let mut output = vec![f32::NAN; 17 * d.output.len()];
            let (post, write) = (Post::new(), Write::Set);
            forward_on(pass::Forward { isa, d: &d, n: 17, input: &input, weight: &weight, post, write }, &mut output);
            let output = nchw(&d.output, 17, &output);
            let (first, last) = (&output[..d.output.len()], &output[16 * d.output.len()..]);
            assert_same_bits(&format!("{d:?} on {isa:?}"), first, last);
        }
    }
}
