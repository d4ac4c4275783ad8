use super::{backward, forward, reference};
use crate::desc::{Coordinates, Map, Resize, Rounding, Sampling, Write};
use crate::kernel::pieces::PARALLEL;
use crate::testing::{
    assert_close, assert_same_bits, finite_differences, same_on_any_threads, set_and_add, uniform, widen,
};

const COORDINATES: [Coordinates; 4] =
    [Coordinates::HalfPixel, Coordinates::Asymmetric, Coordinates::AlignCorners, Coordinates::PytorchHalfPixel];

const SAMPLINGS: [Sampling; 5] = [
    Sampling::Bilinear,
    Sampling::Nearest(Rounding::PreferFloor),
    Sampling::Nearest(Rounding::PreferCeil),
    Sampling::Nearest(Rounding::Floor),
    Sampling::Nearest(Rounding::Ceil),
];

/// Every way to sample, from and to tiny, odd and prime sizes, one wider than a block, and by a scale of its own.
fn layers() -> Vec<Resize> {
    let sizes = [
        ([2, 3, 5], [7, 11], [None; 2]),
        ([1, 1, 1], [3, 2], [None; 2]),
        ([2, 11, 7], [3, 5], [None; 2]),
        ([1, 7, 6], [1, 3], [None; 2]),
        ([3, 4, 4], [2, 8], [None; 2]),
        ([1, 2, 3], [3, 131], [None; 2]),
        ([2, 4, 7], [2, 4], [Some(0.6), Some(0.6)]),
        ([1, 3, 5], [7, 5], [Some(2.5), None]),
    ];
    let mut layers = Vec::new();
    for ([c, h, w], [oh, ow], scale) in sizes {
        for coordinates in COORDINATES {
            for sampling in SAMPLINGS {
                let (input, output) = (Map::new(c, h, w), Map::new(c, oh, ow));
                layers.push(Resize { input, output, coordinates, sampling, scale });
            }
        }
    }
    layers
}

/// Runs [`forward`].
fn run(d: &Resize, n: usize, x: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; n * d.output.len()];
    forward(d, n, x, &mut y);
    y
}

#[test]
fn forward_agrees_with_the_definition() {
    for d in layers() {
        for n in [1, 3] {
            let x = uniform(1, n * d.input.len());
            assert_close(&format!("{d:?}"), &run(&d, n, &x), &reference::forward(&d, n, &widen(&x)), 4e-6);
        }
    }
}

#[test]
fn backward_agrees_with_finite_differences() {
    for d in layers() {
        let n = 2;
        let (x, d_output) = (uniform(2, n * d.input.len()), uniform(3, n * d.output.len()));
        let got = set_and_add(&format!("{d:?}"), x.len(), |d_input, write| backward(&d, n, &d_output, d_input, write));
        let expected = finite_differences(&widen(&x), &widen(&d_output), 1e-2, |x| reference::forward(&d, n, x));
        assert_close(&format!("gradient of {d:?}"), &got, &expected, 2e-5);
    }
}

#[test]
fn known_values() {
    let resize = |coordinates, sampling| Resize {
        input: Map::new(1, 1, 4),
        output: Map::new(1, 1, 2),
        coordinates,
        sampling,
        scale: [None; 2],
    };
    let x = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(run(&resize(Coordinates::HalfPixel, Sampling::Bilinear), 1, &x), [1.5, 3.5]);
    assert_eq!(run(&resize(Coordinates::AlignCorners, Sampling::Bilinear), 1, &x), [1.0, 4.0]);
    assert_eq!(run(&resize(Coordinates::Asymmetric, Sampling::Nearest(Rounding::Floor)), 1, &x), [1.0, 3.0]);
}

#[test]
fn a_large_batch_is_its_samples_on_any_threads() {
    for sampling in [SAMPLINGS[0], SAMPLINGS[1]] {
        let (input, output) = (Map::new(3, 29, 31), Map::new(3, 37, 23));
        let d = Resize { input, output, coordinates: Coordinates::HalfPixel, sampling, scale: [None; 2] };
        let n = PARALLEL / d.input.len() + 2;
        let x = uniform(4, n * d.input.len());
        let y = same_on_any_threads("forward", || run(&d, n, &x));
        let last = &x[(n - 1) * d.input.len()..];
        assert_same_bits("last sample", &y[(n - 1) * d.output.len()..], &run(&d, 1, last));
        same_on_any_threads("backward", || {
            let mut d_input = vec![0.0; x.len()];
            backward(&d, n, &y, &mut d_input, Write::Set);
            d_input
        });
    }
}
