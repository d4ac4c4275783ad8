use std::panic::catch_unwind;

use super::{backward, backward_on, forward, forward_on, forward_train, forward_train_on, reference};
use crate::desc::{Map, Pool, Window, Write};
use crate::dispatch::Isa;
use crate::kernel::pieces::PARALLEL;
use crate::testing::{
    assert_close, assert_same_bits, batched_pools, blocked_pools, distinct, finite_differences, nchw, pool, pools,
    same_on_any_threads, set_and_add, stored, uniform, widen,
};

/// Runs [`forward_train`].
fn train(d: &Pool, n: usize, x: &[f32]) -> (Vec<f32>, Vec<u16>) {
    let mut y = vec![f32::NAN; n * d.output.len()];
    let mut argmax = vec![u16::MAX; y.len()];
    forward_train(d, n, x, &mut y, &mut argmax);
    (y, argmax)
}

/// Holds both forward passes against the definition.
fn check_forward(d: &Pool, n: usize, x: &[f32]) {
    let (expected, expected_argmax) = reference::forward(d, n, &widen(x));
    for isa in Isa::available() {
        let mut y = vec![f32::NAN; n * d.output.len()];
        forward_on(isa, d, n, x, &mut y);
        assert_close(&format!("{d:?} on {isa:?}"), &y, &expected, 0.0);
        let (mut y, mut argmax) = (vec![f32::NAN; y.len()], vec![u16::MAX; y.len()]);
        forward_train_on(isa, d, n, x, &mut y, &mut argmax);
        assert_close(&format!("training, {d:?} on {isa:?}"), &y, &expected, 0.0);
        assert_eq!(argmax, expected_argmax, "argmax, {d:?} on {isa:?}");
    }
}

#[test]
fn forward_agrees_with_the_definition() {
    for d in pools() {
        for n in [1, 3] {
            check_forward(&d, n, &uniform(1, n * d.input.len()));
        }
    }
}

#[test]
fn first_of_equals_wins_and_nan_and_infinities_are_numbers_like_others() {
    for d in pools() {
        let coarse: Vec<f32> = uniform(2, d.input.len()).iter().map(|v| (v * 2.0).round()).collect();
        check_forward(&d, 1, &coarse);
        check_forward(&d, 1, &vec![f32::NEG_INFINITY; d.input.len()]);
        let mut rare = coarse;
        rare.iter_mut().step_by(5).for_each(|v| *v = f32::NAN);
        rare.iter_mut().step_by(3).for_each(|v| *v = f32::NEG_INFINITY);
        check_forward(&d, 1, &rare);
    }
}

#[test]
fn backward_agrees_with_finite_differences() {
    for d in pools() {
        for n in [1, 3] {
            let x = distinct(3, n * d.input.len());
            let d_output = uniform(4, n * d.output.len());
            let (_, argmax) = train(&d, n, &x);
            let expected = finite_differences(&widen(&x), &widen(&d_output), 1e-5, |x| reference::forward(&d, n, x).0);
            let what = format!("{d:?}");
            let got = set_and_add(&what, x.len(), |d_input, write| backward(&d, n, &argmax, &d_output, d_input, write));
            assert_close(&what, &got, &expected, 1e-6);
        }
    }
}

/// Holds maps in another order against NCHW ones: all passes give the same bits.
fn check_order(isa: Isa, d: &Pool, n: usize, x: &[f32]) {
    let (plain, what) = (d.plain(), format!("{n} x {d:?} on {isa:?}"));
    let (expected, places) = train(&plain, n, x);
    let x = stored(&d.input, n, x);
    let [mut y, mut trained] = [(); 2].map(|()| vec![f32::NAN; expected.len()]);
    let mut argmax = vec![u16::MAX; y.len()];
    forward_on(isa, d, n, &x, &mut y);
    assert_close(&what, &nchw(&d.output, n, &y), &widen(&expected), 0.0);
    forward_train_on(isa, d, n, &x, &mut trained, &mut argmax);
    assert_close(&what, &nchw(&d.output, n, &trained), &widen(&expected), 0.0);
    let floats: Vec<f32> = argmax.iter().map(|&place| f32::from(place)).collect();
    let as_inputs = Map { order: d.input.order, ..d.output };
    let got: Vec<u16> = nchw(&as_inputs, n, &floats).iter().map(|&place| place as u16).collect();
    assert_eq!(got, places, "{what}");

    let (d_output, before) = (uniform(4, y.len()), uniform(5, x.len()));
    for write in [Write::Set, Write::Add] {
        let (mut expected, mut d_input) = (before.clone(), stored(&d.input, n, &before));
        backward(&plain, n, &places, &d_output, &mut expected, write);
        backward_on(isa, d, n, &argmax, &stored(&d.output, n, &d_output), &mut d_input, write);
        assert_same_bits(&format!("{write:?} of {what}"), &nchw(&d.input, n, &d_input), &expected);
    }
}

#[test]
fn every_order_gives_the_same() {
    let blocked = pools().into_iter().flat_map(|d| blocked_pools(&d).map(|d| (d, [1, 3])));
    let batched = pools().into_iter().flat_map(|d| batched_pools(&d).map(|d| (d, [3, 35])));
    let all: Vec<_> = blocked.chain(batched).collect();
    for isa in Isa::available() {
        for &(d, batches) in &all {
            for n in batches {
                let mut x: Vec<f32> = uniform(1, n * d.input.len()).iter().map(|v| (v * 9.0).round()).collect();
                check_order(isa, &d, n, &x);
                x.iter_mut().step_by(5).for_each(|v| *v = f32::NAN);
                x.iter_mut().step_by(3).for_each(|v| *v = f32::NEG_INFINITY);
                check_order(isa, &d, n, &x);
            }
        }
    }
}

/// Up to as many taps as there are places to name.
#[test]
fn large_windows_agree_with_the_definition() {
    for d in [
        pool([2, 23, 41], [9, 8], [2, 3], [1, 1], [4, 0, 3, 2]),
        pool([2, 19, 90], [2, 37], [2, 1], [1, 2], [1, 0, 0, 5]),
        pool([1, 256, 256], [256, 256], [1, 1], [1, 1], [0; 4]),
    ] {
        let mut x = uniform(1, d.input.len());
        check_forward(&d, 1, &x);
        x.fill(0.0);
        x[d.input.len() - 1] = 1.0;
        check_forward(&d, 1, &x);
    }
}

#[test]
#[should_panic(expected = "a kernel of 257x256 has more taps than an argmax can name")]
fn more_taps_than_there_are_places_panic() {
    let d = pool([1, 257, 256], [257, 256], [1, 1], [1, 1], [0; 4]);
    train(&d, 1, &vec![0.0; d.input.len()]);
}

#[test]
fn a_window_wholly_in_the_padding_has_no_gradient() {
    // Taps at -1 and 2 of an input of two columns.
    let d = pool([1, 1, 2], [1, 2], [1, 1], [1, 3], [0, 1, 0, 1]);
    let (y, argmax) = train(&d, 1, &[5.0, 7.0]);
    assert_eq!(y, [f32::NEG_INFINITY]);
    let mut d_input = [f32::NAN; 2];
    backward(&d, 1, &argmax, &[1.0], &mut d_input, Write::Set);
    assert_eq!(d_input, [0.0, 0.0]);
}

#[test]
fn the_lecture_s_example() {
    let d = pool([1, 4, 4], [2, 2], [2, 2], [1, 1], [0; 4]);
    let x = [12., 20., 30., 0., 8., 12., 2., 0., 34., 70., 37., 4., 112., 100., 25., 12.];
    let (y, argmax) = train(&d, 1, &x);
    assert_eq!(y, [20., 30., 112., 37.]);
    assert_eq!(argmax, [1, 0, 2, 0]);
}

#[test]
fn a_large_batch_is_its_samples_on_any_threads() {
    for d in [
        pool([5, 31, 45], [2, 2], [2, 2], [1, 1], [0; 4]),
        pool([5, 31, 45], [3, 3], [2, 2], [1, 1], [1; 4]),
        pool([5, 31, 45], [3, 3], [1, 1], [1, 1], [1; 4]),
        blocked_pools(&pool([1, 31, 45], [3, 3], [2, 2], [1, 1], [1; 4]))[0],
        blocked_pools(&pool([1, 31, 45], [2, 2], [2, 2], [1, 1], [0; 4]))[1],
        batched_pools(&pool([5, 31, 45], [2, 2], [2, 2], [1, 1], [0; 4]))[1],
    ] {
        let n = PARALLEL / d.input.len() + 2;
        let x = uniform(5, n * d.input.len());
        let y = same_on_any_threads("training", || train(&d, n, &x).0);
        let (_, argmax) = train(&d, n, &x);
        let d_input = same_on_any_threads("backward", || {
            let mut d_input = vec![0.0; x.len()];
            backward(&d, n, &argmax, &y, &mut d_input, Write::Set);
            d_input
        });
        let ((ins, outs), last) = ((d.input.len(), d.output.len()), n - 1);
        let (y_last, argmax_last) = train(&d, 1, &x[last * ins..]);
        assert_same_bits("last sample", &y[last * outs..], &y_last);
        let mut d_last = vec![0.0; ins];
        backward(&d, 1, &argmax_last, &y_last, &mut d_last, Write::Set);
        assert_same_bits("gradient of the last sample", &d_input[last * ins..], &d_last);
    }
}

/// Each would have a kernel read what is not there.
#[test]
fn sizes_that_no_kernel_can_rely_on_panic() {
    let window = Window { kernel: [17, 2], stride: [1, 1], dilation: [1, 1], pad: [0; 4] };
    let good = Pool { input: Map::new(1, 3, 5), output: Map::new(1, 3, 4), window, counted: [0; 4] };
    let bad = [
        // A distance whose product comes round to a small number.
        Pool { window: Window { dilation: [1 << 60, 1], ..window }, ..good },
        Pool { window: Window { stride: [0, 1], ..window }, ..good },
        Pool { counted: [0, 1, 0, 0], ..good },
        Pool { output: Map::new(2, 3, 2), ..good },
        Pool { output: Map::batched(1, 3, 4), ..good },
    ];
    for d in bad {
        let pass = || forward(&d, 1, &vec![0.0; d.input.len()], &mut vec![0.0; d.output.len()]);
        let outcome = catch_unwind(pass).expect_err(&format!("{d:?}"));
        let message = outcome.downcast_ref::<String>().expect("a message of its own");
        assert!(message.contains(" of Pool {"), "{message}");
    }
}
