//! Maps in blocks against NCHW ones, on every instruction set of the machine.

use super::{backward_data, backward_weights, forward};
use crate::desc::{Act, BatchNorm, Conv, Map, Order, Pool, Write};
use crate::dispatch::Isa;
use crate::kernel::conv::{pass, reference};
use crate::kernel::post::Post;
use crate::testing::{assert_close, assert_same_bits, nchw, pool, same_on_any_threads, stored, uniform, widen};

/// A convolution between maps in blocks, whose windows are a pooling layer's.
fn conv(c: usize, Pool { input, output, window, .. }: Pool) -> Conv {
    let [input, output] = [input, output].map(|map| Map::blocked(c, map.h, map.w));
    Conv { input, output, window, groups: c, direct: false }
}

/// The same between NCHW maps.
fn plain(d: &Conv) -> Conv {
    let [input, output] = [d.input, d.output].map(|map| Map { order: Order::Nchw, ..map });
    Conv { input, output, ..*d }
}

/// Odd, tiny, strided, dilated; padded unevenly, by more than windows reach, and not at all.
fn shapes() -> Vec<Conv> {
    let one = [1, 1];
    let shape =
        |size: [usize; 2], kernel, stride, dilation, pad| pool([1, size[0], size[1]], kernel, stride, dilation, pad);
    vec![
        conv(16, shape([7, 11], [3, 3], one, one, [1; 4])),
        conv(48, shape([13, 9], [3, 3], [2, 2], one, [1; 4])),
        conv(48, shape([7, 7], [7, 7], one, one, [0; 4])),
        conv(16, shape([11, 23], [5, 5], one, one, [2; 4])),
        conv(16, shape([9, 14], [3, 2], [1, 2], [2, 3], [1, 0, 2, 3])),
        conv(32, shape([2, 1], [3, 3], one, one, [1; 4])),
        conv(16, shape([5, 6], [2, 1], one, one, [1, 2, 0, 1])),
        conv(16, shape([12, 10], [4, 8], [3, 1], one, [2, 3, 1, 4])),
    ]
}

#[test]
fn forward_agrees_with_the_reference() {
    for (isa, n) in Isa::available().flat_map(|isa| [(isa, 1), (isa, 3)]) {
        for d in shapes() {
            let (c, len) = (d.output.c, n * d.output.len());
            let (x, weight, residual) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()), uniform(3, len));
            let [bias, scale, shift, mean] = [4, 5, 6, 7].map(|seed| uniform(seed, c));
            let var: Vec<f32> = uniform(8, c).iter().map(|x| x.abs() + 0.5).collect();
            let norm = BatchNorm { channels: c, plane: 1, order: Order::Nchw, eps: 1e-3, momentum: 0.1 };
            let added = stored(&d.output, n, &residual);
            let all = |residual| {
                Post::new().bias(&bias).norm(&norm, &scale, &shift, &mean, &var).add(residual).act(Act::Relu6)
            };
            let posts = [[Post::new(); 2], [Post::new().bias(&bias); 2], [all(&added), all(&residual)]];
            let input = &stored(&d.input, n, &x);
            let pass = pass::Forward { isa, d: &d, n, input, weight: &weight, post: Post::new(), write: Write::Set };
            for [post, plain_post] in posts {
                let [mut y, mut expected] = [(); 2].map(|()| vec![f32::NAN; len]);
                forward(pass::Forward { post, ..pass }, &mut y);
                forward(pass::Forward { d: &plain(&d), input: &x, post: plain_post, ..pass }, &mut expected);
                assert_close(&format!("{n} x {d:?} on {isa:?}"), &nchw(&d.output, n, &y), &widen(&expected), 1e-5);
            }
            let mut sum = stored(&d.output, n, &residual);
            forward(pass::Forward { write: Write::Add, ..pass }, &mut sum);
            let mut expected = vec![0.0; len];
            reference::forward(&plain(&d), n, &widen(&x), &widen(&weight), None, &mut expected);
            expected.iter_mut().zip(&residual).for_each(|(sum, &before)| *sum += f64::from(before));
            assert_close(&format!("{n} x {d:?} on {isa:?}"), &nchw(&d.output, n, &sum), &expected, 1e-5);
        }
    }
}

#[test]
fn the_direct_way_is_this_one() {
    for d in shapes() {
        let (x, weight) = (uniform(1, d.input.len()), uniform(2, d.weight_len()));
        let [mut y, mut expected] = [(); 2].map(|()| vec![f32::NAN; d.output.len()]);
        super::super::direct(&d, 1, &x, &weight, Post::new(), &mut y);
        super::super::forward_then(&d, 1, &x, &weight, Post::new(), &mut expected);
        assert_same_bits(&format!("{d:?}"), &y, &expected);
    }
}

#[test]
fn gradients_agree_with_the_reference() {
    for (isa, n) in Isa::available().flat_map(|isa| [(isa, 1), (isa, 3)]) {
        for d in shapes() {
            let (x, weight, dy) =
                (uniform(1, n * d.input.len()), uniform(2, d.weight_len()), uniform(3, n * d.output.len()));
            let [input, d_output] = [(&d.input, &x), (&d.output, &dy)].map(|(map, values)| stored(map, n, values));
            let what = format!("{n} x {d:?} on {isa:?}");
            for write in [Write::Set, Write::Add] {
                let (mut got, mut expected) = (stored(&d.input, n, &x), widen(&x));
                backward_data(
                    pass::BackwardData { isa, d: &d, n, weight: &weight, d_output: &d_output, write },
                    &mut got,
                );
                reference::backward_data(&plain(&d), n, &widen(&weight), &widen(&dy), &mut expected, write);
                assert_close(&format!("{write:?} of {what}"), &nchw(&d.input, n, &got), &expected, 1e-5);
            }
            let (mut got, mut expected) = (vec![f32::NAN; weight.len()], vec![0.0; weight.len()]);
            backward_weights(pass::BackwardWeights { isa, d: &d, n, input: &input, d_output: &d_output }, &mut got);
            reference::backward_weights(&plain(&d), n, &widen(&x), &widen(&dy), &mut expected, None);
            assert_close(&format!("d_weight of {what}"), &got, &expected, 3e-5);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (d, n) = (conv(48, pool([1, 31, 29], [3, 3], [1, 1], [1, 1], [1; 4])), 11);
    let (x, weight, dy) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()), uniform(3, n * d.output.len()));
    assert!(dy.len() * d.taps() > crate::kernel::parallel::SERIAL_MACS, "large enough to matter");
    for isa in Isa::available() {
        same_on_any_threads(&format!("all passes on {isa:?}"), || {
            let [mut y, mut dx, mut d_weight] = [dy.len(), x.len(), weight.len()].map(|len| vec![f32::NAN; len]);
            forward(
                pass::Forward { isa, d: &d, n, input: &x, weight: &weight, post: Post::new(), write: Write::Set },
                &mut y,
            );
            backward_data(
                pass::BackwardData { isa, d: &d, n, weight: &weight, d_output: &dy, write: Write::Set },
                &mut dx,
            );
            backward_weights(pass::BackwardWeights { isa, d: &d, n, input: &x, d_output: &dy }, &mut d_weight);
            [y, dx, d_weight].concat()
        });
    }
}
