//! Channels in blocks against channels apart, on every instruction set of the machine.

use super::{backward, forward, train};
use crate::desc::Statistics::{Batch, Running};
use crate::desc::{BatchNorm, Map, Order, Statistics, Write};
use crate::dispatch::Isa;
use crate::kernel::batch_norm;
use crate::kernel::pieces::PARALLEL;
use crate::testing::{assert_close, nchw, same_on_any_threads, set_and_add, stored, uniform, widen};

/// A layer whose channels stand in blocks.
fn layer(channels: usize, plane: usize) -> BatchNorm {
    BatchNorm { channels, plane, order: Order::Nchw16c, eps: 1e-3, momentum: 0.25 }
}

/// The same with its channels apart.
fn apart(d: &BatchNorm) -> BatchNorm {
    BatchNorm { order: Order::Nchw, ..*d }
}

/// Flat and tiny planes, prime ones, and some larger than a chunk.
fn layers() -> [BatchNorm; 6] {
    [layer(16, 1), layer(48, 2), layer(16, 5), layer(48, 49), layer(16, 289), layer(32, 1025)]
}

fn map(d: &BatchNorm) -> Map {
    Map { order: d.order, ..Map::new(d.channels, d.plane, 1) }
}

/// NCHW values away from mean zero, gradients, and scale, shift, mean and variance.
fn data(d: &BatchNorm, n: usize) -> ([Vec<f32>; 2], [Vec<f32>; 4]) {
    let len = n * d.channels * d.plane;
    let x = uniform(1, len).iter().map(|v| 2.0 * v + 3.0).collect();
    let var = uniform(6, d.channels).iter().map(|v| v.abs() + 0.5).collect();
    ([x, uniform(2, len)], [uniform(3, d.channels), uniform(4, d.channels), uniform(5, d.channels), var])
}

/// Everything that the public functions write with a batch's statistics or the running ones, in NCHW order.
fn all(d: &BatchNorm, n: usize, statistics: Statistics) -> Vec<Vec<f32>> {
    let ([x, dy], [scale, shift, mut mean, mut var]) = data(d, n);
    let map = map(d);
    let [x, dy] = [x, dy].map(|values| stored(&map, n, &values));
    let [mut y, mut inferred] = [(); 2].map(|()| vec![f32::NAN; x.len()]);
    let mut inplace = x.clone();
    let [mut saved_mean, mut inv_std, mut d_scale, mut d_shift] = [(); 4].map(|()| vec![f32::NAN; d.channels]);
    batch_norm::forward(d, n, &x, &scale, &shift, &mean, &var, &mut inferred);
    batch_norm::forward_inplace(d, n, &mut inplace, &scale, &shift, &mean, &var);
    let (running, saved) = ((&mut mean, &mut var), (&mut saved_mean, &mut inv_std));
    batch_norm::forward_train(d, n, statistics, &x, &scale, &shift, running.0, running.1, saved.0, saved.1, &mut y);
    let dx = set_and_add(&format!("{d:?}"), x.len(), |dx, write| {
        let by = (&mut d_scale, &mut d_shift);
        batch_norm::backward(d, n, statistics, &x, &scale, &saved_mean, &inv_std, &dy, by.0, by.1, dx, write);
    });
    let values = [y, inferred, inplace, dx].map(|values| nchw(&map, n, &values));
    values.into_iter().chain([mean, var, saved_mean, inv_std, d_scale, d_shift]).collect()
}

#[test]
fn orders_agree() {
    for (d, statistics) in layers().into_iter().flat_map(|d| [(d, Batch), (d, Running)]) {
        for n in [2, 3, 7] {
            for (i, (got, expected)) in all(&d, n, statistics).iter().zip(all(&apart(&d), n, statistics)).enumerate() {
                let what = format!("result {i} of {n} x {d:?}, {statistics:?}");
                assert_close(&what, got, &widen(&expected), 3e-5);
            }
        }
    }
}

#[test]
fn instruction_sets_agree() {
    let expected: Vec<_> = layers().iter().map(|d| all(&apart(d), 3, Batch)).collect();
    for isa in Isa::available() {
        for (d, expected) in layers().iter().zip(&expected) {
            let (n, what) = (3, format!("{d:?} on {isa:?}"));
            let ([x, dy], [scale, shift, mean, var]) = data(d, n);
            let [x, dy] = [x, dy].map(|values| stored(&map(d), n, &values));
            let check = |got: &[f32], expected: &[f32]| {
                assert_close(&what, &nchw(&map(d), n, got), &widen(expected), 1e-5);
            };
            let mut y = vec![f32::NAN; x.len()];
            forward(isa, d, Some(&x), [&scale, &shift, &mean, &var], &mut y);
            check(&y, &expected[1]);
            let [mut mean, mut var, mut d_scale, mut d_shift] = [(); 4].map(|()| vec![f32::NAN; d.channels]);
            train(isa, d, n, &x, [&scale, &shift], [&mut mean, &mut var, &mut y]);
            check(&y, &expected[0]);
            let inv_std: Vec<f32> = var.iter().map(|var| 1.0 / (var + d.eps).sqrt()).collect();
            let (per_value, mut dx) = (1.0 / (n * d.plane) as f32, vec![f32::NAN; x.len()]);
            let targets = [&mut d_scale[..], &mut d_shift, &mut dx];
            backward::<false>(isa, d, n, per_value, [&x, &dy], [&scale, &mean, &inv_std], targets);
            check(&dx, &expected[3]);
            for (got, expected) in [mean, inv_std, d_scale, d_shift].iter().zip(&expected[6..]) {
                assert_close(&what, got, &widen(expected), 3e-5);
            }
        }
    }
}

#[test]
fn a_large_mean_does_not_swallow_the_variance() {
    let (d, n) = (layer(16, 2000), 3);
    let x: Vec<f32> = uniform(6, n * 16 * 2000).iter().map(|v| 1000.0 + v).collect();
    let [mut mean, mut var, mut y] = [16, 16, x.len()].map(|len| vec![f32::NAN; len]);
    train(Isa::active(), &d, n, &x, [&[1.0; 16], &[0.0; 16]], [&mut mean, &mut var, &mut y]);
    let (_, expected) = batch_norm::reference::statistics(&apart(&d), n, &widen(&nchw(&map(&d), n, &x)));
    assert_close("variance", &var, &expected, 1e-5);
}

#[test]
fn a_large_batch_is_the_same_on_any_threads() {
    // One block, cut into parts; as many as threads; three.
    for d in [layer(16, 1024), layer(112, 49), layer(48, 2)] {
        let n = PARALLEL / (d.channels * d.plane) + 5;
        let ([x, dy], [scale, shift, ..]) = data(&d, n);
        let write = Write::Set;
        let got = same_on_any_threads(&format!("{d:?}"), || {
            let [mut mean, mut var, mut saved, mut inv_std, mut d_scale, mut d_shift] =
                [0.5; 6].map(|value| vec![value; d.channels]);
            let [mut y, mut dx] = [(); 2].map(|()| vec![f32::NAN; x.len()]);
            let to = (&mut mean, &mut var, &mut saved, &mut inv_std);
            batch_norm::forward_train(&d, n, Batch, &x, &scale, &shift, to.0, to.1, to.2, to.3, &mut y);
            let by = (&mut d_scale, &mut d_shift);
            batch_norm::backward(&d, n, Batch, &x, &scale, &saved, &inv_std, &dy, by.0, by.1, &mut dx, write);
            [y, dx, mean, var, saved, inv_std, d_scale, d_shift].concat()
        });
        let plain = nchw(&map(&d), n, &x);
        let [plain, scale, shift] = [&plain, &scale, &shift].map(|values| widen(values));
        let expected = batch_norm::reference::forward_train(&apart(&d), n, &plain, &scale, &shift);
        assert_close("output", &nchw(&map(&d), n, &got[..x.len()]), &expected, 1e-5);
    }
}
