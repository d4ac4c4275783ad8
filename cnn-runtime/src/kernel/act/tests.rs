use super::{backward, backward_inplace, forward, forward_inplace, reference};
use crate::desc::Act;
use crate::kernel::pieces::PARALLEL;
use crate::testing::{
    assert_close, assert_same_bits, finite_differences, same_on_any_threads, set_and_add, uniform, widen,
};

const ALL: [Act; 22] = [
    Act::Relu,
    Act::LeakyRelu(0.01),
    Act::LeakyRelu(0.0),
    Act::LeakyRelu(-0.5),
    Act::Relu6,
    Act::Elu(1.0),
    Act::Elu(0.3),
    Act::Elu(-0.7),
    Act::Gelu,
    Act::Silu,
    Act::HardSwish,
    Act::Tanh,
    Act::Sigmoid,
    Act::Selu { alpha: 1.6732632, gamma: 1.050701 },
    Act::Selu { alpha: -0.4, gamma: 1.3 },
    Act::Selu { alpha: 0.4, gamma: -1.3 },
    Act::Clip { lo: -3.0, hi: 6.0 },
    Act::Clip { lo: f32::NEG_INFINITY, hi: 3.0 },
    Act::Clip { lo: -3.0, hi: f32::INFINITY },
    Act::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 },
    Act::GeluTanh,
    Act::Affine { mul: -1.5, add: 0.25 },
];

/// Values in `[-7, 7)` that keep away from the kinks at -3, 0, 3 and 6.
fn inputs(seed: u64, len: usize) -> Vec<f32> {
    let kinks = [-3.0, 0.0, 3.0, 6.0];
    let mut values: Vec<f32> = uniform(seed, len).iter().map(|v| 7.0 * v).collect();
    for v in &mut values {
        if kinks.iter().any(|k| (*v - k).abs() < 0.01) {
            *v += 0.05;
        }
    }
    values
}

#[test]
fn forward_agrees_with_the_definition_and_with_itself_in_place() {
    for a in ALL {
        for len in [0, 1, 7, 16, 61] {
            let x = inputs(3, len);
            let mut y = vec![f32::NAN; len];
            forward(a, &x, &mut y);
            assert_close(&format!("{a:?} of {len}"), &y, &reference::forward(a, &widen(&x)), 5e-7);
            let mut io = x.clone();
            forward_inplace(a, &mut io);
            assert_same_bits(&format!("{a:?} in place"), &io, &y);
        }
    }
}

#[test]
fn backward_agrees_with_finite_differences_and_with_itself_in_place() {
    for a in ALL {
        let x = inputs(5, 61);
        let d_output = uniform(6, 61);
        let mut y = vec![0.0; 61];
        forward(a, &x, &mut y);
        let saved = if a.saves_output() { &y } else { &x };
        let got = set_and_add(&format!("{a:?}"), 61, |d_input, write| backward(a, saved, &d_output, d_input, write));
        let expected = finite_differences(&widen(&x), &widen(&d_output), 1e-3, |x| reference::forward(a, x));
        assert_close(&format!("gradient of {a:?}"), &got, &expected, 2e-6);
        let mut d = d_output.clone();
        backward_inplace(a, saved, &mut d);
        assert_same_bits(&format!("gradient of {a:?} in place"), &d, &got);
    }
}

#[test]
fn large_inputs_are_the_same_on_any_threads() {
    let len = PARALLEL + 4099;
    let (x, d) = (inputs(8, len), uniform(9, len));
    for a in [Act::Relu, Act::Gelu] {
        let y = same_on_any_threads("forward", || {
            let mut y = vec![0.0; len];
            forward(a, &x, &mut y);
            y
        });
        assert_close("large forward", &y, &reference::forward(a, &widen(&x)), 5e-7);
        let saved = if a.saves_output() { &y } else { &x };
        same_on_any_threads("backward", || {
            let mut d = d.clone();
            backward_inplace(a, saved, &mut d);
            d
        });
    }
}

#[test]
fn nan_passes_and_extremes_saturate() {
    for a in ALL {
        let mut io = [f32::NAN];
        forward_inplace(a, &mut io);
        assert!(io[0].is_nan(), "{a:?} of NaN");
    }
    let mut io = [-1e30, 1e30];
    forward_inplace(Act::Gelu, &mut io);
    assert_eq!(io, [0.0, 1e30]);
    forward_inplace(Act::Relu6, &mut io);
    assert_eq!(io, [0.0, 6.0]);
    let mut io = [-1e30, 1e30];
    let mut d = [1.0, 1.0];
    backward_inplace(Act::GeluTanh, &io, &mut d);
    assert_eq!(d, [0.0, 1.0]);
    forward_inplace(Act::GeluTanh, &mut io);
    assert_eq!(io, [0.0, 1e30]);
}

#[test]
fn the_reciprocal_away_from_zero() {
    let x: Vec<f32> = uniform(7, 61).iter().map(|v| if *v < 0.0 { v - 0.5 } else { v + 0.5 }).collect();
    let mut y = vec![f32::NAN; 61];
    forward(Act::Reciprocal, &x, &mut y);
    assert_close("reciprocal", &y, &reference::forward(Act::Reciprocal, &widen(&x)), 2e-7);
    let d_output = uniform(8, 61);
    let got = set_and_add("reciprocal", 61, |d_input, write| backward(Act::Reciprocal, &y, &d_output, d_input, write));
    let expected = finite_differences(&widen(&x), &widen(&d_output), 1e-3, |x| reference::forward(Act::Reciprocal, x));
    assert_close("gradient of reciprocal", &got, &expected, 2e-6);
}

#[test]
fn known_values() {
    let mut io = [-1.0, 0.0, 2.0, 7.0];
    forward_inplace(Act::LeakyRelu(0.25), &mut io);
    assert_eq!(io, [-0.25, 0.0, 2.0, 7.0]);
    let mut io = [-4.0, -1.0, 1.0, 4.0];
    forward_inplace(Act::HardSwish, &mut io);
    assert_close("hardswish", &io, &[0.0, -1.0 / 3.0, 2.0 / 3.0, 4.0], 1e-7);
}
