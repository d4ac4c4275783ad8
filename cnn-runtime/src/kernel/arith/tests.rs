use super::{backward, forward, forward_inplace, reference};
use crate::desc::{Arith, Join, Map, Write};
use crate::kernel::pieces::PARALLEL;
use crate::testing::{
    assert_close, assert_same_bits, finite_differences, nchw, same_on_any_threads, set_and_add, stored, uniform, widen,
};

const ALL: [Arith; 3] = [Arith::Mul, Arith::Sub, Arith::Div];

/// Equal, per channel, per row, per column, per position, one for all, both repeated; flat, tiny and prime.
fn shapes() -> Vec<[Map; 2]> {
    let map = Map::new;
    vec![
        [map(3, 5, 7), map(3, 5, 7)],
        [map(3, 5, 7), map(3, 1, 1)],
        [map(2, 1, 1), map(2, 13, 3)],
        [map(3, 5, 7), map(1, 1, 7)],
        [map(3, 5, 19), map(1, 5, 1)],
        [map(5, 3, 2), map(1, 3, 2)],
        [map(3, 5, 7), map(1, 1, 1)],
        [map(3, 1, 7), map(1, 5, 1)],
        [map(1, 5, 1), map(3, 1, 1)],
        [map(23, 1, 1), map(23, 1, 1)],
        [map(23, 1, 1), map(1, 1, 1)],
        [map(1, 1, 1), map(1, 1, 1)],
        [map(2, 41, 53), map(2, 1, 1)],
    ]
}

/// Inputs, the second kept away from zero, by which may be divided.
fn inputs(d: &Join, n: usize) -> [Vec<f32>; 2] {
    let [a, b] = d.inputs.map(|map| n * map.len());
    let away = |v: f32| if v < 0.0 { v - 0.5 } else { v + 0.5 };
    [uniform(1, a), uniform(2, b).into_iter().map(away).collect()]
}

#[test]
fn forward_agrees_with_the_definition_and_with_itself_in_place() {
    for arith in ALL {
        for (inputs_of, n) in shapes().into_iter().flat_map(|inputs| [(inputs, 1), (inputs, 3)]) {
            let d = Join { arith, inputs: inputs_of };
            let [a, b] = inputs(&d, n);
            let mut y = vec![f32::NAN; n * d.output().len()];
            forward(&d, n, &a, &b, &mut y);
            assert_close(&format!("{d:?}"), &y, &reference::forward(&d, n, &widen(&a), &widen(&b)), 2e-7);
            for (which, (io, other)) in [(&a, &b), (&b, &a)].into_iter().enumerate() {
                if io.len() == y.len() {
                    let mut io = io.clone();
                    forward_inplace(&d, n, which, &mut io, other);
                    assert_same_bits("in place", &io, &y);
                }
            }
        }
    }
}

/// The same with channels in blocks: equal, per channel, per position, one for all.
#[test]
fn blocks_give_what_plain_maps_give() {
    for (other, n) in
        [[48, 5, 7], [48, 1, 1], [1, 5, 7], [1, 1, 1]].into_iter().flat_map(|other| [(other, 1), (other, 3)])
    {
        let [whole, other] = [[48, 5, 7], other].map(|[c, h, w]| Map::new(c, h, w));
        let in_blocks = |map: Map| if map == whole { Map::blocked(48, 5, 7) } else { map };
        for (arith, inputs_of) in ALL.into_iter().flat_map(|arith| [(arith, [whole, other]), (arith, [other, whole])]) {
            let d = Join { arith, inputs: inputs_of };
            let blocked = Join { inputs: inputs_of.map(in_blocks), ..d };
            let values = inputs(&d, n);
            let [a, b] = [0, 1].map(|at| stored(&blocked.inputs[at], n, &values[at]));
            let [mut y, mut expected] = [(); 2].map(|()| vec![f32::NAN; n * whole.len()]);
            forward(&d, n, &values[0], &values[1], &mut expected);
            forward(&blocked, n, &a, &b, &mut y);
            assert_same_bits(&format!("{blocked:?}"), &nchw(&blocked.output(), n, &y), &expected);
            let d_output = uniform(3, expected.len());
            for which in [0, 1] {
                let map = blocked.inputs[which];
                let (stored_output, len) = (stored(&blocked.output(), n, &d_output), n * map.len());
                let got = set_and_add("a gradient", len, |d_input, write| {
                    backward(&blocked, n, which, &a, &b, &stored_output, d_input, write);
                });
                let mut expected = vec![f32::NAN; len];
                backward(&d, n, which, &values[0], &values[1], &d_output, &mut expected, Write::Set);
                let what = format!("by input {which} of {blocked:?}");
                assert_close(&what, &nchw(&map, n, &got), &widen(&expected), 2e-5);
            }
            let which = usize::from(inputs_of[0] != whole);
            let mut io = [&a, &b][which].clone();
            forward_inplace(&blocked, n, which, &mut io, [&b, &a][which]);
            assert_same_bits("in place", &io, &y);
        }
    }
}

#[test]
fn backward_agrees_with_finite_differences() {
    for arith in ALL {
        for (inputs_of, n) in shapes().into_iter().flat_map(|inputs| [(inputs, 1), (inputs, 2)]) {
            let d = Join { arith, inputs: inputs_of };
            if d.output().len() > 1000 {
                continue;
            }
            let [a, b] = inputs(&d, n);
            let d_output = uniform(3, n * d.output().len());
            for which in [0, 1] {
                let own = if which == 0 { &a } else { &b };
                let got = set_and_add(&format!("{d:?}"), own.len(), |d_input, write| {
                    backward(&d, n, which, &a, &b, &d_output, d_input, write);
                });
                let (a, b) = (widen(&a), widen(&b));
                let expected = finite_differences(&widen(own), &widen(&d_output), 1e-3, |moved| match which {
                    0 => reference::forward(&d, n, moved, &b),
                    _ => reference::forward(&d, n, &a, moved),
                });
                assert_close(&format!("gradient {which} of {d:?}"), &got, &expected, 2e-6);
            }
        }
    }
}

#[test]
fn a_divisor_whose_square_is_no_number_has_a_gradient() {
    let d = Join { arith: Arith::Div, inputs: [Map::new(1, 1, 1); 2] };
    for (a, b, d_output, expected) in
        [(1e-23, 1e-23, 1.0, -1e23), (1e-23, 1e-23, 0.0, 0.0), (1e20, 1e20, 1.0, -1e-20), (1e38, 2e19, 1.0, -0.25)]
    {
        let mut d_input = [f32::NAN];
        backward(&d, 1, 1, &[a], &[b], &[d_output], &mut d_input, Write::Set);
        assert!((d_input[0] - expected).abs() <= 2e-7 * expected.abs(), "{a} / {b}: {}", d_input[0]);
    }
}

#[test]
fn a_difference_needs_no_values_for_its_gradients() {
    let d = Join { arith: Arith::Sub, inputs: [Map::new(2, 3, 1), Map::new(2, 1, 1)] };
    let mut d_input = [f32::NAN; 2];
    backward(&d, 1, 1, &[], &[], &[1., 2., 3., 4., 5., 6.], &mut d_input, crate::desc::Write::Set);
    assert_eq!(d_input, [-6., -15.]);
}

#[test]
fn large_values_are_the_same_on_any_threads_and_long_sums_exact() {
    for small in [Map::new(5, 1, 1), Map::new(1, 61, 67), Map::new(1, 1, 1), Map::new(5, 61, 67)] {
        let d = Join { arith: Arith::Mul, inputs: [Map::new(5, 61, 67), small] };
        let n = PARALLEL / d.output().len() + 2;
        let [a, b] = inputs(&d, n);
        let y = same_on_any_threads("forward", || {
            let mut y = vec![f32::NAN; n * d.output().len()];
            forward(&d, n, &a, &b, &mut y);
            y
        });
        assert_close("forward", &y, &reference::forward(&d, n, &widen(&a), &widen(&b)), 2e-7);
        let d_output = vec![1.0; y.len()];
        let got = same_on_any_threads("backward", || {
            let mut d_input = vec![f32::NAN; b.len()];
            backward(&d, n, 1, &a, &b, &d_output, &mut d_input, crate::desc::Write::Set);
            d_input
        });
        let mut expected = vec![0.0; b.len()];
        for (i, &a) in a.iter().enumerate() {
            expected[reference::repeated(d.output(), small, i)] += f64::from(a);
        }
        assert_close("backward", &got, &expected, 5e-6);
    }
}
