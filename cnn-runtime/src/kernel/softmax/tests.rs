use super::{backward, forward, reference};
use crate::desc::{Map, Softmax};
use crate::kernel::pieces::PARALLEL;
use crate::testing::{assert_close, finite_differences, same_on_any_threads, set_and_add, uniform, widen};

/// Softmax and its logarithm over flat values and maps, narrower and wider than a block.
fn layers() -> Vec<Softmax> {
    let shapes = [[1, 1, 1], [10, 1, 1], [37, 1, 1], [3, 5, 7], [2, 1, 3], [5, 7, 19]];
    let both = |[c, h, w]: [usize; 3]| [false, true].map(|log| Softmax { map: Map::new(c, h, w), log });
    shapes.into_iter().flat_map(both).collect()
}

/// Runs [`forward`].
fn run(d: &Softmax, n: usize, x: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; x.len()];
    forward(d, n, x, &mut y);
    y
}

#[test]
fn forward_agrees_with_the_definition() {
    for d in layers() {
        for n in [1, 3] {
            let x: Vec<f32> = uniform(1, n * d.map.len()).iter().map(|v| 9.0 * v).collect();
            assert_close(&format!("{d:?}"), &run(&d, n, &x), &reference::forward(&d, n, &widen(&x)), 1e-6);
        }
    }
}

#[test]
fn backward_agrees_with_finite_differences() {
    for d in layers() {
        for n in [1, 3] {
            let (x, d_output) = (uniform(2, n * d.map.len()), uniform(3, n * d.map.len()));
            let y = run(&d, n, &x);
            let got = set_and_add(&format!("{d:?}"), x.len(), |d_input, write| {
                backward(&d, n, &y, &d_output, d_input, write)
            });
            let expected = finite_differences(&widen(&x), &widen(&d_output), 1e-3, |x| reference::forward(&d, n, x));
            assert_close(&format!("gradient of {d:?}"), &got, &expected, 2e-6);
        }
    }
}

#[test]
fn large_logits_do_not_overflow_and_equal_ones_share() {
    let d = Softmax { map: Map::new(4, 1, 1), log: false };
    assert_eq!(run(&d, 1, &[1e30, 1e30, -1e30, 0.0]), [0.5, 0.5, 0.0, 0.0]);
    assert_eq!(run(&d, 1, &[-1e30; 4]), [0.25; 4]);
    let d = Softmax { map: Map::new(2, 1, 1), log: true };
    assert_close("log", &run(&d, 1, &[1000.0, 0.0]), &[0.0, -1000.0], 1e-7);
}

#[test]
fn a_large_batch_is_the_same_on_any_threads() {
    for shape in [Map::new(1000, 1, 1), Map::new(7, 31, 37)] {
        let d = Softmax { map: shape, log: false };
        let n = PARALLEL / shape.len() + 2;
        let x = uniform(4, n * shape.len());
        let y = same_on_any_threads("forward", || run(&d, n, &x));
        assert_close("large batch", &y, &reference::forward(&d, n, &widen(&x)), 1e-6);
        same_on_any_threads("backward", || {
            let mut d_input = vec![0.0; x.len()];
            backward(&d, n, &y, &x, &mut d_input, crate::desc::Write::Set);
            d_input
        });
    }
}
