use super::{backward, backward_on, forward, forward_on, forward_train, forward_train_on, reference};
use crate::desc::{Lrn, Map, Write};
use crate::dispatch::Isa;
use crate::kernel::pieces::PARALLEL;
use crate::testing::{
    assert_close, assert_same_bits, finite_differences, nchw, same_on_any_threads, set_and_add, stored, uniform, widen,
};

/// Odd and even windows, wider than the channels and than the ring, planes wider than a block; `alpha` is large so
/// that the sum of squares matters.
fn layers() -> Vec<Lrn> {
    let layer = |size: usize, beta: f32, [c, h, w]: [usize; 3]| {
        let map = Map::new(c, h, w);
        Lrn { map, size, alpha: 1.5, beta, k: 0.7 }
    };
    vec![
        layer(5, 0.75, [7, 3, 5]),
        layer(4, 0.75, [7, 3, 5]),
        layer(1, 0.5, [3, 2, 2]),
        layer(2, 0.6, [3, 1, 1]),
        layer(9, 0.75, [3, 2, 7]),
        layer(5, 0.75, [2, 11, 13]),
        layer(16, 0.75, [19, 1, 3]),
        layer(17, 0.75, [23, 1, 3]),
        layer(18, 0.4, [23, 1, 2]),
    ]
}

/// Runs [`forward_train`].
fn train(d: &Lrn, n: usize, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut y, mut scale) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
    forward_train(d, n, x, &mut y, &mut scale);
    (y, scale)
}

#[test]
fn forward_agrees_with_the_definition() {
    for d in layers() {
        for n in [1, 3] {
            let x: Vec<f32> = uniform(1, n * d.map.len()).iter().map(|v| 2.0 * v).collect();
            let mut y = vec![f32::NAN; x.len()];
            forward(&d, n, &x, &mut y);
            assert_close(&format!("{d:?}"), &y, &reference::forward(&d, n, &widen(&x)), 2e-6);
            assert_same_bits("training", &train(&d, n, &x).0, &y);
        }
    }
}

#[test]
fn backward_agrees_with_finite_differences() {
    for d in layers() {
        for n in [1, 3] {
            let (x, d_output) = (uniform(2, n * d.map.len()), uniform(3, n * d.map.len()));
            let (_, scale) = train(&d, n, &x);
            let got = set_and_add(&format!("{d:?}"), x.len(), |d_input, write| {
                backward(&d, n, &x, &scale, &d_output, d_input, write)
            });
            let expected = finite_differences(&widen(&x), &widen(&d_output), 1e-3, |x| reference::forward(&d, n, x));
            assert_close(&format!("gradient of {d:?}"), &got, &expected, 5e-6);
        }
    }
}

#[test]
fn instruction_sets_agree_bit_for_bit() {
    for d in layers() {
        let (x, d_output) = (uniform(2, d.map.len()), uniform(3, d.map.len()));
        let (y, scale) = train(&d, 1, &x);
        let mut expected = vec![f32::NAN; x.len()];
        backward(&d, 1, &x, &scale, &d_output, &mut expected, Write::Set);
        for isa in Isa::available() {
            let [mut inferred, mut trained, mut kept, mut d_input] = [(); 4].map(|()| vec![f32::NAN; x.len()]);
            forward_on(isa, &d, 1, &x, &mut inferred);
            forward_train_on(isa, &d, 1, &x, &mut trained, &mut kept);
            backward_on(isa, &d, 1, [&x, &scale, &d_output], &mut d_input, Write::Set);
            for (got, expected) in [(&inferred, &y), (&trained, &y), (&kept, &scale), (&d_input, &expected)] {
                assert_same_bits(&format!("{d:?} on {isa:?}"), got, expected);
            }
        }
    }
}

/// The layers with more channels, and the same with these in blocks.
fn layers_and_blocks() -> impl Iterator<Item = [Lrn; 2]> {
    layers().into_iter().map(|d| {
        let Map { c, h, w, .. } = d.map;
        let c = if c > 5 { 48 } else { 16 };
        [Map::new(c, h, w), Map::blocked(c, h, w)].map(|map| Lrn { map, ..d })
    })
}

#[test]
fn maps_in_blocks_give_what_others_do() {
    for (isa, n) in Isa::available().flat_map(|isa| [(isa, 1), (isa, 3)]) {
        for [plain, d] in layers_and_blocks() {
            let (len, what) = (n * d.map.len(), format!("{n} x {d:?} on {isa:?}"));
            let (x, d_output, before) = (uniform(1, len), uniform(2, len), uniform(3, len));
            let (y, scale) = train(&plain, n, &x);
            let check = |got: &[f32], expected: &[f32]| {
                assert_close(&what, &nchw(&d.map, n, got), &widen(expected), 0.0);
            };
            let [input, d_output_stored] = [&x, &d_output].map(|values| stored(&d.map, n, values));
            let [mut inferred, mut trained, mut kept] = [(); 3].map(|()| vec![f32::NAN; len]);
            forward_on(isa, &d, n, &input, &mut inferred);
            forward_train_on(isa, &d, n, &input, &mut trained, &mut kept);
            check(&inferred, &y);
            check(&trained, &y);
            check(&kept, &scale);
            for write in [Write::Set, Write::Add] {
                let (mut expected, mut d_input) = (before.clone(), stored(&d.map, n, &before));
                backward(&plain, n, &x, &scale, &d_output, &mut expected, write);
                backward_on(isa, &d, n, [&input, &kept, &d_output_stored], &mut d_input, write);
                check(&d_input, &expected);
            }
        }
    }
}

#[test]
fn windows_reach_as_far_as_pytorch_s() {
    // With size 2 a channel sees itself and the one before: 1 + 2 / 2 * squares, to the power -1.
    let d = Lrn { map: Map::new(3, 1, 1), size: 2, alpha: 2.0, beta: 1.0, k: 1.0 };
    let mut y = [f32::NAN; 3];
    forward(&d, 1, &[1.0, 2.0, 3.0], &mut y);
    assert_close("size 2", &y, &[1.0 / 2.0, 2.0 / 6.0, 3.0 / 14.0], 1e-7);
}

#[test]
fn a_large_batch_is_the_same_on_any_threads() {
    let d = Lrn { map: Map::new(96, 13, 13), size: 5, alpha: 1e-4, beta: 0.75, k: 2.0 };
    check_threads(&d);
    check_threads(&Lrn { map: Map::blocked(96, 13, 13), ..d });
}

fn check_threads(d: &Lrn) {
    let n = PARALLEL / d.map.len() + 2;
    let x = uniform(4, n * d.map.len());
    let y = same_on_any_threads("forward", || train(d, n, &x).0);
    let expected = reference::forward(d, n, &widen(&nchw(&d.map, n, &x)));
    assert_close("large batch", &nchw(&d.map, n, &y), &expected, 2e-6);
    let (_, scale) = train(d, n, &x);
    same_on_any_threads("backward", || {
        let mut d_input = vec![0.0; x.len()];
        backward(d, n, &x, &scale, &y, &mut d_input, Write::Set);
        d_input
    });
}
