//! Convolutions that write the largest of their outputs alone, against both layers one after the other by definition.

use std::panic::catch_unwind;

use super::checks::{in_every_order, packed};
use super::{forward_on, forward_pooled, pass, pooled_on, reference};
use crate::desc::{Act, BatchNorm, Conv, Map, Order, Pool, Window, Write};
use crate::dispatch::Isa;
use crate::kernel::max_pool::{forward_on as forward_max_pool, reference as max_pool};
use crate::kernel::post::Post;
use crate::testing::{assert_close, assert_same_bits, nchw, pool, same_on_any_threads, stored, uniform, widen};

/// A convolution of square kernels, and the pool that follows.
fn both(
    [c, h, w]: [usize; 3],
    out: usize,
    [kernel, stride, pad]: [usize; 3],
    [pool_kernel, pool_stride, pool_pad]: [usize; 3],
) -> (Conv, Pool) {
    let size = |size: usize| (size + 2 * pad - kernel) / stride + 1;
    let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1, 1], pad: [pad; 4] };
    let output = Map::new(out, size(h), size(w));
    let d = Conv { input: Map::new(c, h, w), output, window, groups: 1, direct: false };
    (d, pool([out, output.h, output.w], [pool_kernel; 2], [pool_stride; 2], [1, 1], [pool_pad; 4]))
}

/// Lines that fill vectors and such that do not, of odd lengths and numbers, windows that overlap and such that reach into
/// padding; few channels and many, stems, and maps in every order.
fn shapes() -> Vec<(Conv, Pool)> {
    let pairs = [[2, 2, 0], [3, 2, 1], [3, 2, 0], [2, 1, 0]];
    let of = |input: [usize; 3], out, conv| pairs.map(|pool| both(input, out, conv, pool));
    let plain = [
        of([1, 28, 28], 6, [5, 1, 2]),
        of([6, 14, 14], 16, [5, 1, 0]),
        of([2, 15, 17], 13, [3, 1, 1]),
        of([1, 67, 93], 5, [3, 1, 1]),
        of([5, 9, 47], 7, [2, 1, 0]),
        of([3, 9, 8], 40, [5, 1, 2]),
    ];
    let blocked = [
        of([3, 31, 37], 32, [7, 2, 3]),
        of([3, 47, 43], 16, [11, 4, 0]),
        of([16, 13, 15], 48, [3, 1, 1]),
        of([16, 28, 29], 16, [3, 1, 1]),
        of([32, 9, 11], 16, [5, 1, 2]),
        of([16, 9, 8], 64, [1, 1, 0]),
        of([16, 19, 6], 32, [2, 2, 0]),
    ];
    let plain = plain.into_iter().flatten().flat_map(|(d, pool)| {
        let groups = |map: Map| Map { order: Order::Chwn16, ..map };
        let batched = Conv { input: groups(d.input), output: groups(d.output), ..d };
        let mixed = Conv { input: d.input, ..batched };
        [
            (d, pool),
            (batched, Pool { input: batched.output, output: groups(pool.output), ..pool }),
            (mixed, Pool { input: mixed.output, ..pool }),
        ]
    });
    let blocked = blocked.into_iter().flatten().flat_map(|(d, pool)| {
        in_every_order(d).into_iter().flat_map(move |d| {
            let orders = if d.output.is_blocked() { vec![Order::Nchw16c, Order::Nchw] } else { vec![Order::Nchw] };
            let with = move |order| Pool { input: d.output, output: Map { order, ..pool.output }, ..pool };
            orders.into_iter().map(move |order| (d, with(order)))
        })
    });
    plain.chain(blocked).collect()
}

/// What both layers make of `n` samples, between them normalised, shifted and cut off below.
fn expected(d: &Conv, pool: &Pool, n: usize, input: &[f32], weight: &[f32], affine: &[[f32; 2]]) -> Vec<f64> {
    let mut map = vec![0.0; n * d.output.len()];
    reference::forward(d, n, &widen(input), &widen(weight), None, &mut map);
    for (plane, &[factor, offset]) in map.chunks_exact_mut(d.output.plane()).zip(affine.iter().cycle()) {
        plane.iter_mut().for_each(|y| *y = (*y * f64::from(factor) + f64::from(offset)).max(-0.5));
    }
    max_pool::forward(pool, n, &map).0
}

/// Both layers at once, on every instruction set of the machine, where so many times the usual error is no mistake.
pub(super) fn check_within(times: f64, d: &Conv, pool: &Pool, n: usize) {
    let tolerance = times * (1e-5 + 2e-6 * (d.taps() as f64).sqrt());
    let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
    let [bias, scale, mean] = [3, 4, 5].map(|seed| uniform(seed, d.output.c));
    let (ones, zeros) = (vec![1.0; d.output.c], vec![0.0; d.output.c]);
    let norm =
        BatchNorm { channels: d.output.c, plane: d.output.plane(), eps: 0.0, momentum: 0.0, order: d.output.order };
    let shifted: Vec<_> = bias.iter().map(|&bias| [1.0, bias]).collect();
    // Factors of both signs: the largest sum is not the largest output.
    let scaled: Vec<_> = scale.iter().zip(&mean).map(|(&scale, &mean)| [scale, -mean * scale]).collect();
    let act = Act::Clip { lo: -0.5, hi: f32::INFINITY };
    let posts = [
        (Post::new().bias(&bias).act(act), expected(d, pool, n, &input, &weight, &shifted)),
        (
            Post::new().norm(&norm, &scale, &zeros, &mean, &ones).act(act),
            expected(d, pool, n, &input, &weight, &scaled),
        ),
    ];
    let (from, weights) = (stored(&d.input, n, &input), packed(d, &weight));
    for isa in Isa::available() {
        for (post, expected) in &posts {
            let mut got = vec![f32::NAN; n * pool.output.len()];
            let pass = pass::Forward { isa, d, n, input: &from, weight: &weights, post: *post, write: Write::Set };
            pooled_on(pass, pool, None, &mut got);
            let what = format!("{n} x {d:?}, {pool:?} on {isa:?}");
            assert_close(&what, &nchw(&pool.output, n, &got), expected, tolerance);
        }
    }
}

#[test]
fn both_layers_at_once_agree_with_the_reference() {
    for (d, pool) in shapes() {
        check_within(1.0, &d, &pool, if d.is_batched() { 19 } else { 2 });
    }
}

/// Where a matrix unit computes the convolution alone, it does so before a pool too: it rounds as no vector does. A whole number
/// of blocks of channels and half a one more, strides and none, windows in padding.
#[test]
fn a_pool_does_not_keep_a_convolution_off_the_matrix_unit() {
    let n = 3;
    for (d, pool) in [
        both([64, 49, 47], 32, [3, 2, 1], [2, 2, 0]),
        both([128, 13, 11], 48, [3, 1, 1], [3, 2, 0]),
        both([48, 12, 15], 80, [5, 1, 2], [3, 2, 1]),
    ] {
        let d = in_every_order(d).pop().expect("blocks on both sides");
        let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
        let (from, weights) = (stored(&d.input, n, &input), packed(&d, &weight));
        for (isa, order) in Isa::available().flat_map(|isa| [(isa, Order::Nchw16c), (isa, Order::Nchw)]) {
            let pool = Pool { input: d.output, output: Map { order, ..pool.output }, ..pool };
            let pass =
                pass::Forward { isa, d: &d, n, input: &from, weight: &weights, post: Post::new(), write: Write::Set };
            let mut got = vec![f32::NAN; n * pool.output.len()];
            pooled_on(pass, &pool, None, &mut got);
            let (mut map, mut expected) = (vec![f32::NAN; n * d.output.len()], vec![f32::NAN; got.len()]);
            forward_on(pass, &mut map);
            forward_max_pool(isa, &pool, n, &map, &mut expected);
            assert_same_bits(&format!("{isa:?}, {pool:?}"), &got, &expected);
        }
        Isa::available().for_each(|isa| check_threads(isa, &d, &Pool { input: d.output, ..pool }, n));
    }
}

/// Lines of more positions than a task has tiles for.
#[test]
fn wide_maps_agree_with_the_reference() {
    let (d, pool) = both([16, 5, 7400], 32, [3, 2, 1], [2, 2, 0]);
    let d = in_every_order(d).pop().expect("blocks on both sides");
    check_within(1.0, &d, &Pool { input: d.output, output: Map { order: Order::Nchw16c, ..pool.output }, ..pool }, 1);
}

#[test]
fn a_nan_wins_its_windows() {
    for isa in Isa::available() {
        for (d, pool) in shapes() {
            // Winograd's tiles hand it on to all their outputs.
            let (d, n) = (Conv { direct: true, ..d }, if d.is_batched() { 16 } else { 1 });
            let (mut input, weight) = (uniform(1, n * d.input.len()), packed(&d, &uniform(2, d.weight_len())));
            input.iter_mut().step_by(97).for_each(|x| *x = f32::NAN);
            let input = stored(&d.input, n, &input);
            let pass = pass::Forward {
                isa,
                d: &d,
                n,
                input: &input,
                weight: &weight,
                post: Post::new().act(Act::Relu),
                write: Write::Set,
            };
            let (mut map, mut expected) = (vec![0.0; n * d.output.len()], vec![0.0; n * pool.output.len()]);
            super::forward_on(pass, &mut map);
            super::max_pool::forward_on(isa, &pool, n, &map, &mut expected);
            let mut got = vec![0.0; expected.len()];
            pooled_on(pass, &pool, None, &mut got);
            let nans = |values: &[f32]| values.iter().map(|y| y.is_nan() as u8 as f32).collect::<Vec<_>>();
            assert_same_bits(&format!("{d:?}, {pool:?} on {isa:?}"), &nans(&got), &nans(&expected));
        }
    }
}

/// Each would have a kernel read what is not there, or write another order than is asked for.
#[test]
fn pools_that_no_kernel_can_rely_on_panic() {
    let (d, pool) = both([1, 8, 16], 16, [5, 1, 2], [2, 2, 0]);
    let with = |order| {
        let d = Conv { output: Map { order, ..d.output }, ..d };
        (d, Pool { input: d.output, output: Map { order, ..pool.output }, ..pool })
    };
    for (d, good) in [Order::Nchw, Order::Nchw16c, Order::Chwn16].map(with) {
        let (output, window) = (good.output, good.window);
        let other = if d.output.order == Order::Nchw16c { Order::Chwn16 } else { Order::Nchw16c };
        let bad = [
            Pool { output: Map { h: output.h + 1, ..output }, ..good },
            Pool { output: Map { w: output.w + 1, ..output }, ..good },
            Pool { output: Map { h: 9, ..output }, window: Window { stride: [1, 2], ..window }, ..good },
            Pool { output: Map { order: other, ..output }, ..good },
            Pool { window: Window { kernel: [0, 2], ..window }, ..good },
            Pool { window: Window { stride: [2, 0], ..window }, ..good },
            Pool { window: Window { pad: [2, 0, 0, 0], ..window }, ..good },
        ];
        for pool in bad {
            let n = 16;
            let (input, weight) = (vec![0.0; n * d.input.len()], vec![0.0; d.weight_len()]);
            let pass = || {
                let mut output = vec![0.0; n * pool.output.len()];
                forward_pooled(&d, &pool, n, &input, &weight, None, Post::new(), &mut output);
            };
            let outcome = catch_unwind(pass).expect_err(&format!("{d:?}, {pool:?}"));
            let message = outcome.downcast_ref::<String>().expect("a message of its own");
            assert!(message.contains(" of Pool {"), "{message}");
        }
    }
}

/// On each number of threads.
pub(super) fn check_threads(isa: Isa, d: &Conv, pool: &Pool, n: usize) {
    let (input, weight) = (uniform(1, n * d.input.len()), packed(d, &uniform(2, d.weight_len())));
    same_on_any_threads(&format!("{n} x {d:?}, {pool:?} on {isa:?}"), || {
        let mut output = vec![f32::NAN; n * pool.output.len()];
        let (post, write) = (Post::new(), Write::Set);
        let pass = pass::Forward { isa, d, n, input: &input, weight: &weight, post, write };
        pooled_on(pass, pool, None, &mut output);
        output
    });
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for (d, pool) in shapes() {
        check_threads(Isa::active(), &d, &pool, if d.is_batched() { 51 } else { 3 });
    }
}
