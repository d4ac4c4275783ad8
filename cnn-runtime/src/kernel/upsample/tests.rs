use super::{backward, forward, reference};
use crate::desc::{Map, Resample, Upsample, Write};
use crate::kernel::pieces::PARALLEL;
use crate::testing::{
    assert_close, assert_same_bits, finite_differences, same_on_any_threads, set_and_add, uniform, widen,
};

/// Both kinds over tiny and prime maps and one wider than a block, by equal and unequal factors.
fn layers() -> Vec<Upsample> {
    let shapes =
        [([2, 3, 5], [2, 2]), ([1, 1, 1], [3, 2]), ([2, 5, 3], [1, 4]), ([3, 2, 7], [3, 1]), ([1, 2, 131], [2, 2])];
    let kinds = [Resample::Nearest, Resample::Bilinear];
    let layer = |([c, h, w], scale): ([usize; 3], [usize; 2])| {
        kinds.map(|resample| Upsample { input: Map::new(c, h, w), scale, resample })
    };
    shapes.into_iter().flat_map(layer).collect()
}

/// Elements of an output of `n` samples.
fn outputs(d: &Upsample, n: usize) -> usize {
    n * d.input.len() * d.scale[0] * d.scale[1]
}

/// Runs [`forward`].
fn run(d: &Upsample, n: usize, x: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; outputs(d, n)];
    forward(d, n, x, &mut y);
    y
}

#[test]
fn forward_agrees_with_the_definition() {
    for d in layers() {
        for n in [1, 3] {
            let x = uniform(1, n * d.input.len());
            assert_close(&format!("{d:?}"), &run(&d, n, &x), &reference::forward(&d, n, &widen(&x)), 1e-6);
        }
    }
}

#[test]
fn backward_agrees_with_finite_differences() {
    for d in layers() {
        for n in [1, 3] {
            let (x, d_output) = (uniform(2, n * d.input.len()), uniform(3, outputs(&d, n)));
            let got =
                set_and_add(&format!("{d:?}"), x.len(), |d_input, write| backward(&d, n, &d_output, d_input, write));
            let expected = finite_differences(&widen(&x), &widen(&d_output), 1e-2, |x| reference::forward(&d, n, x));
            assert_close(&format!("gradient of {d:?}"), &got, &expected, 2e-6);
        }
    }
}

#[test]
fn known_values() {
    let map = Map::new(1, 1, 3);
    let d = Upsample { input: map, scale: [2, 2], resample: Resample::Nearest };
    assert_eq!(run(&d, 1, &[1.0, 5.0, 9.0]), [1., 1., 5., 5., 9., 9., 1., 1., 5., 5., 9., 9.]);
    let d = Upsample { input: map, scale: [1, 2], resample: Resample::Bilinear };
    assert_eq!(run(&d, 1, &[1.0, 5.0, 9.0]), [1.0, 2.0, 4.0, 6.0, 8.0, 9.0]);
}

#[test]
fn a_large_batch_is_its_samples_on_any_threads() {
    for resample in [Resample::Nearest, Resample::Bilinear] {
        let d = Upsample { input: Map::new(3, 29, 31), scale: [2, 2], resample };
        let n = PARALLEL / d.input.len() + 2;
        let x = uniform(4, n * d.input.len());
        let y = same_on_any_threads("forward", || run(&d, n, &x));
        assert_same_bits("last sample", &y[outputs(&d, n - 1)..], &run(&d, 1, &x[(n - 1) * d.input.len()..]));
        same_on_any_threads("backward", || {
            let mut d_input = vec![0.0; x.len()];
            backward(&d, n, &y, &mut d_input, Write::Set);
            d_input
        });
    }
}
