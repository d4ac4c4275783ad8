use super::{backward, backward_inplace, backward_tensor, forward, forward_inplace, reference};
use crate::desc::{Apply, Map, Trained, Write};
use crate::kernel::pieces::PARALLEL;
use crate::testing::{
    assert_close, assert_same_bits, distinct, finite_differences, same_on_any_threads, set_and_add, uniform, widen,
};

/// Per channel, shared, per row and column, per element; flat, tiny and prime.
fn layers() -> Vec<Trained> {
    let shapes = [
        ([3, 5, 7], [3, 1, 1]),
        ([3, 5, 7], [1, 1, 1]),
        ([2, 3, 19], [1, 1, 19]),
        ([2, 13, 3], [1, 13, 1]),
        ([3, 5, 7], [3, 5, 7]),
        ([5, 1, 1], [5, 1, 1]),
        ([37, 1, 1], [37, 1, 1]),
        ([37, 1, 1], [1, 1, 1]),
        ([1, 1, 1], [1, 1, 1]),
    ];
    let map = |[c, h, w]: [usize; 3]| Map::new(c, h, w);
    let layer = |apply| move |(input, tensor)| Trained { apply, input: map(input), tensor: map(tensor) };
    [Apply::Slope, Apply::Scale, Apply::Shift].into_iter().flat_map(|apply| shapes.map(layer(apply))).collect()
}

#[test]
fn forward_agrees_with_the_definition_and_with_itself_in_place() {
    for (d, n) in layers().into_iter().flat_map(|d| [(d, 1), (d, 3)]) {
        let (x, t) = (uniform(1, n * d.input.len()), uniform(2, d.tensor.len()));
        let mut y = vec![f32::NAN; x.len()];
        forward(&d, n, &x, &t, &mut y);
        assert_close(&format!("{d:?}"), &y, &reference::forward(&d, &widen(&x), &widen(&t)), 2e-7);
        let mut io = x;
        forward_inplace(&d, n, &mut io, &t);
        assert_same_bits("in place", &io, &y);
    }
}

#[test]
fn backward_agrees_with_finite_differences_and_with_itself_in_place() {
    for (d, n) in layers().into_iter().flat_map(|d| [(d, 1), (d, 3)]) {
        let (x, t) = (distinct(1, n * d.input.len()), uniform(2, d.tensor.len()));
        let d_output = uniform(3, x.len());
        let [xs, ts, ds] = [&x, &t, &d_output].map(|values| widen(values));
        let step = 0.1 / x.len() as f64;

        let got = set_and_add(&format!("{d:?}"), x.len(), |d_input, write| {
            backward(&d, n, &x, &t, &d_output, d_input, write);
        });
        let expected = finite_differences(&xs, &ds, step, |x| reference::forward(&d, x, &ts));
        assert_close(&format!("gradient of {d:?}"), &got, &expected, 2e-6);
        let mut io = d_output.clone();
        backward_inplace(&d, n, &x, &t, &mut io);
        assert_same_bits("gradient in place", &io, &got);

        let mut d_tensor = vec![f32::NAN; t.len()];
        let read = if d.apply == Apply::Shift { &[][..] } else { &x };
        backward_tensor(&d, n, read, &d_output, &mut d_tensor);
        let expected = finite_differences(&ts, &ds, step, |t| reference::forward(&d, &xs, t));
        assert_close(&format!("gradient by the tensor of {d:?}"), &d_tensor, &expected, 2e-6);
    }
}

#[test]
fn large_values_are_the_same_on_any_threads() {
    for (apply, tensor) in
        [(Apply::Slope, Map::new(5, 1, 1)), (Apply::Slope, Map::new(1, 1, 1)), (Apply::Scale, Map::new(1, 61, 67))]
    {
        let d = Trained { apply, input: Map::new(5, 61, 67), tensor };
        let n = PARALLEL / d.input.len() + 2;
        let (x, t) = (uniform(1, n * d.input.len()), uniform(2, tensor.len()));
        let y = same_on_any_threads("forward", || {
            let mut y = vec![f32::NAN; x.len()];
            forward(&d, n, &x, &t, &mut y);
            y
        });
        assert_close("forward", &y, &reference::forward(&d, &widen(&x), &widen(&t)), 2e-7);
        same_on_any_threads("by the input", || {
            let mut d_input = vec![f32::NAN; x.len()];
            backward(&d, n, &x, &t, &y, &mut d_input, Write::Set);
            d_input
        });
        same_on_any_threads("by the tensor", || {
            let mut d_tensor = vec![f32::NAN; t.len()];
            backward_tensor(&d, n, &x, &y, &mut d_tensor);
            d_tensor
        });
    }
}

#[test]
fn nan_passes() {
    for d in layers() {
        let mut io = vec![f32::NAN; d.input.len()];
        forward_inplace(&d, 1, &mut io, &vec![0.5; d.tensor.len()]);
        assert!(io.iter().all(|value| value.is_nan()), "{d:?}");
    }
}
