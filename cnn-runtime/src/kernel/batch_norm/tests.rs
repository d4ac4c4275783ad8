use super::{backward, forward, forward_inplace, forward_train, reference};
use crate::desc::Statistics::{Batch, Running};
use crate::desc::{BatchNorm, Order, Write};
use crate::kernel::pieces::PARALLEL;
use crate::testing::{
    assert_close, assert_same_bits, finite_differences, same_on_any_threads, set_and_add, uniform, widen,
};

/// A layer with uncommon constants, so that mixing them up shows.
fn layer(channels: usize, plane: usize) -> BatchNorm {
    BatchNorm { channels, plane, order: Order::Nchw, eps: 1e-3, momentum: 0.25 }
}

/// Flat, tiny, prime and large planes; channels fewer and more than a group.
fn layers() -> [BatchNorm; 6] {
    [layer(1, 1), layer(19, 1), layer(3, 2), layer(17, 5), layer(5, 35), layer(2, 289)]
}

/// What [`forward_train`] writes.
struct Trained {
    output: Vec<f32>,
    running_mean: Vec<f32>,
    running_var: Vec<f32>,
    mean: Vec<f32>,
    inv_std: Vec<f32>,
}

/// Runs [`forward_train`] from running mean 0.5 and variance 2.
fn train(d: &BatchNorm, n: usize, x: &[f32], scale: &[f32], shift: &[f32]) -> Trained {
    let per_channel = |value: f32| vec![value; d.channels];
    let mut t = Trained {
        output: vec![f32::NAN; x.len()],
        running_mean: per_channel(0.5),
        running_var: per_channel(2.0),
        mean: per_channel(f32::NAN),
        inv_std: per_channel(f32::NAN),
    };
    let (running, saved) = ((&mut t.running_mean, &mut t.running_var), (&mut t.mean, &mut t.inv_std));
    forward_train(d, n, Batch, x, scale, shift, running.0, running.1, saved.0, saved.1, &mut t.output);
    t
}

/// Values away from mean zero, and parameters.
fn data(d: &BatchNorm, n: usize) -> [Vec<f32>; 3] {
    let x = uniform(1, n * d.channels * d.plane).iter().map(|v| 2.0 * v + 3.0).collect();
    [x, uniform(2, d.channels), uniform(3, d.channels)]
}

#[test]
fn inference_agrees_with_the_definition_and_with_itself_in_place() {
    for d in layers() {
        for n in [1, 3] {
            let [x, scale, shift] = data(&d, n);
            let (mean, var) = (uniform(4, d.channels), vec![0.7; d.channels]);
            let mut y = vec![f32::NAN; x.len()];
            forward(&d, n, &x, &scale, &shift, &mean, &var, &mut y);
            let [xs, scales, shifts, means, vars] = [&x, &scale, &shift, &mean, &var].map(|v| widen(v));
            assert_close(&format!("{d:?}"), &y, &reference::forward(&d, &xs, &scales, &shifts, &means, &vars), 2e-6);
            let mut io = x;
            forward_inplace(&d, n, &mut io, &scale, &shift, &mean, &var);
            assert_same_bits("in place", &io, &y);
        }
    }
}

#[test]
fn an_empty_batch_moves_no_statistics_and_has_no_gradient() {
    for order in [Order::Nchw, Order::Nchw16c] {
        let d = BatchNorm { order, ..layer(32, 5) };
        let (scale, shift) = (uniform(2, 32), uniform(3, 32));
        let t = train(&d, 0, &[], &scale, &shift);
        assert!(t.running_mean.iter().all(|&mean| mean == 0.5) && t.running_var.iter().all(|&var| var == 2.0));
        let (mut d_scale, mut d_shift) = (vec![f32::NAN; 32], vec![f32::NAN; 32]);
        let (ones, write) = (vec![1.0; 32], Write::Set);
        backward(&d, 0, Batch, &[], &scale, &ones, &ones, &[], &mut d_scale, &mut d_shift, &mut [], write);
        assert!(d_scale.iter().chain(&d_shift).all(|&g| g == 0.0), "{d_scale:?}, {d_shift:?}");
    }
}

#[test]
fn training_agrees_with_the_definition() {
    for d in layers() {
        for n in [2, 3, 7] {
            let [x, scale, shift] = data(&d, n);
            let t = train(&d, n, &x, &scale, &shift);
            let [xs, scales, shifts] = [&x, &scale, &shift].map(|v| widen(v));
            let what = format!("{d:?}, n = {n}");
            assert_close(&what, &t.output, &reference::forward_train(&d, n, &xs, &scales, &shifts), 1e-5);
            let (mean, var) = reference::statistics(&d, n, &xs);
            assert_close(&format!("mean, {what}"), &t.mean, &mean, 1e-6);
            let inv_std: Vec<f64> = var.iter().map(|v| 1.0 / (v + f64::from(d.eps)).sqrt()).collect();
            assert_close(&format!("inverse deviation, {what}"), &t.inv_std, &inv_std, 1e-5);
            let running: Vec<f64> = mean.iter().map(|m| 0.75 * 0.5 + 0.25 * m).collect();
            assert_close(&format!("running mean, {what}"), &t.running_mean, &running, 1e-6);
            let count = (n * d.plane) as f64;
            let running: Vec<f64> = var.iter().map(|v| 0.75 * 2.0 + 0.25 * v * count / (count - 1.0)).collect();
            assert_close(&format!("running variance, {what}"), &t.running_var, &running, 1e-6);
        }
    }
}

#[test]
fn backward_agrees_with_finite_differences() {
    for d in layers() {
        for n in [2, 3] {
            let [x, scale, shift] = data(&d, n);
            let d_output = uniform(5, x.len());
            let t = train(&d, n, &x, &scale, &shift);
            let (mut d_scale, mut d_shift) = (vec![f32::NAN; d.channels], vec![f32::NAN; d.channels]);
            let what = format!("{d:?}, n = {n}");
            let d_input = set_and_add(&what, x.len(), |d_input, write| {
                let d_params = (&mut d_scale, &mut d_shift);
                backward(
                    &d, n, Batch, &x, &scale, &t.mean, &t.inv_std, &d_output, d_params.0, d_params.1, d_input, write,
                )
            });
            let [xs, scales, shifts, ds] = [&x, &scale, &shift, &d_output].map(|v| widen(v));
            let by = |v: &[f64], f: &dyn Fn(&[f64]) -> Vec<f64>| finite_differences(v, &ds, 1e-4, f);
            let by_input = by(&xs, &|x| reference::forward_train(&d, n, x, &scales, &shifts));
            assert_close(&format!("gradient by input, {what}"), &d_input, &by_input, 2e-5);
            let by_scale = by(&scales, &|s| reference::forward_train(&d, n, &xs, s, &shifts));
            assert_close(&format!("gradient by scale, {what}"), &d_scale, &by_scale, 1e-5);
            let by_shift = by(&shifts, &|s| reference::forward_train(&d, n, &xs, &scales, s));
            assert_close(&format!("gradient by shift, {what}"), &d_shift, &by_shift, 1e-5);
        }
    }
}

#[test]
fn a_large_mean_does_not_swallow_the_variance() {
    let d = layer(2, 2000);
    let noise = uniform(6, 3 * 2 * 2000);
    let x: Vec<f32> = noise.iter().map(|v| 1000.0 + v).collect();
    let t = train(&d, 3, &x, &[1.0; 2], &[0.0; 2]);
    let (_, var) = reference::statistics(&d, 3, &widen(&x));
    let inv_std: Vec<f64> = var.iter().map(|v| 1.0 / (v + f64::from(d.eps)).sqrt()).collect();
    assert_close("inverse deviation", &t.inv_std, &inv_std, 1e-5);
}

#[test]
fn a_single_value_has_no_variance() {
    let d = layer(1, 1);
    let t = train(&d, 1, &[4.0], &[3.0], &[0.25]);
    assert_eq!((t.output[0], t.running_mean[0], t.running_var[0]), (0.25, 1.375, 1.5));
}

#[test]
fn running_statistics_stay_finite() {
    let d = layer(3, 1);
    for bad in [f32::NAN, f32::INFINITY, f32::MAX] {
        let t = train(&d, 2, &[1.0, bad, 4.0, 3.0, 1.0, 4.0], &[1.0; 3], &[0.0; 3]);
        assert_eq!((t.running_mean, t.running_var), (vec![0.875, 0.5, 1.375], vec![2.0, 2.0, 1.5]), "{bad}");
    }
}

#[test]
fn a_large_batch_is_the_same_on_any_threads() {
    for d in [layer(37, 1), layer(19, 49), layer(3, 1025)] {
        let n = PARALLEL / (d.channels * d.plane) + 2;
        let [x, scale, shift] = data(&d, n);
        let t = train(&d, n, &x, &scale, &shift);
        let y = same_on_any_threads("training", || train(&d, n, &x, &scale, &shift).output);
        let [xs, scales, shifts] = [&x, &scale, &shift].map(|v| widen(v));
        assert_close("large batch", &y, &reference::forward_train(&d, n, &xs, &scales, &shifts), 1e-5);
        same_on_any_threads("backward", || {
            let (mut d_scale, mut d_shift) = (vec![0.0; d.channels], vec![0.0; d.channels]);
            let mut d_input = vec![0.0; x.len()];
            let d_params = (&mut d_scale, &mut d_shift);
            let (mean, inv_std) = (&t.mean, &t.inv_std);
            backward(&d, n, Batch, &x, &scale, mean, inv_std, &y, d_params.0, d_params.1, &mut d_input, Write::Set);
            [d_input, d_scale, d_shift].concat()
        });
    }
}

#[test]
fn running_statistics_are_constants() {
    for d in layers() {
        let n = 2;
        let [x, scale, shift] = data(&d, n);
        let (mut mean, mut var) = (uniform(4, d.channels), vec![0.7; d.channels]);
        let (kept_mean, kept_var) = (mean.clone(), var.clone());
        let mut saved = [vec![f32::NAN; d.channels], vec![f32::NAN; d.channels]];
        let [saved_mean, inv_std] = &mut saved;
        let mut y = vec![f32::NAN; x.len()];
        forward_train(&d, n, Running, &x, &scale, &shift, &mut mean, &mut var, saved_mean, inv_std, &mut y);
        let mut inferred = vec![f32::NAN; x.len()];
        forward(&d, n, &x, &scale, &shift, &mean, &var, &mut inferred);
        assert_same_bits("as at inference", &y, &inferred);
        assert_eq!((&mean, &var), (&kept_mean, &kept_var));

        let d_output = uniform(5, x.len());
        let [mut d_scale, mut d_shift] = [(); 2].map(|()| vec![f32::NAN; d.channels]);
        let mut d_input = vec![f32::NAN; x.len()];
        let write = Write::Set;
        backward(
            &d,
            n,
            Running,
            &x,
            &scale,
            saved_mean,
            inv_std,
            &d_output,
            &mut d_scale,
            &mut d_shift,
            &mut d_input,
            write,
        );
        let [xs, scales, shifts, means, vars] = [&x, &scale, &shift, &mean, &var].map(|v| widen(v));
        let what = format!("{d:?}");
        let infer = |x: &[f64], scale: &[f64], shift: &[f64]| reference::forward(&d, x, scale, shift, &means, &vars);
        let ds = widen(&d_output);
        let by = |values: &[f64], f: &dyn Fn(&[f64]) -> Vec<f64>| finite_differences(values, &ds, 1e-4, f);
        assert_close(&what, &d_input, &by(&xs, &|x| infer(x, &scales, &shifts)), 1e-5);
        assert_close(&what, &d_scale, &by(&scales, &|s| infer(&xs, s, &shifts)), 1e-5);
        assert_close(&what, &d_shift, &by(&shifts, &|s| infer(&xs, &scales, s)), 1e-5);
    }
}
