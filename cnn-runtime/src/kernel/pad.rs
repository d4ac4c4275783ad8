//! Zero padding around a map.

use super::pieces::{each, part};
use crate::desc::{Pad, Write};

/// Rows and columns of one output plane.
fn padded(d: &Pad) -> [usize; 2] {
    let [top, left, bottom, right] = d.pad;
    [top + d.input.h + bottom, left + d.input.w + right]
}

/// Checks lengths against `n` samples and returns the output's rows and columns.
fn check(d: &Pad, n: usize, input: usize, output: usize) -> [usize; 2] {
    let [h, w] = padded(d);
    assert_eq!(input, n * d.input.len(), "pad: input side of {n} samples");
    assert_eq!(output, n * d.input.c * h * w, "pad: output side of {n} samples");
    [h, w]
}

/// Copies each plane into the middle of a larger one of zeros.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn forward(d: &Pad, n: usize, input: &[f32], output: &mut [f32]) {
    let [h, w] = check(d, n, input.len(), output.len());
    let [top, left, ..] = d.pad;
    each(output, h * w, n * d.input.c * h * w, |i, output| {
        let input = part(input, i, d.input.plane());
        output.fill(0.0);
        for (row, output) in input.chunks_exact(d.input.w).zip(output.chunks_exact_mut(w).skip(top)) {
            output[left..left + d.input.w].copy_from_slice(row);
        }
    });
}

/// The middle of each plane of the gradient by the output.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn backward(d: &Pad, n: usize, d_output: &[f32], d_input: &mut [f32], write: Write) {
    let [h, w] = check(d, n, d_input.len(), d_output.len());
    let [top, left, ..] = d.pad;
    each(d_input, d.input.plane(), n * d.input.len(), |i, d_input| {
        let d_output = part(d_output, i, h * w);
        for (row, d_output) in d_input.chunks_exact_mut(d.input.w).zip(d_output.chunks_exact(w).skip(top)) {
            let d_output = &d_output[left..left + d.input.w];
            match write {
                Write::Set => row.copy_from_slice(d_output),
                Write::Add => row.iter_mut().zip(d_output).for_each(|(d, g)| *d += g),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desc::Map;
    use crate::kernel::pieces::PARALLEL;
    use crate::testing::{assert_same_bits, same_on_any_threads, set_and_add, uniform};

    /// Runs [`forward`].
    fn run(d: &Pad, n: usize, x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NAN; n * d.input.c * padded(d).into_iter().product::<usize>()];
        forward(d, n, x, &mut y);
        y
    }

    /// The input under each output, or none in the padding.
    fn sources(d: &Pad, n: usize) -> Vec<Option<usize>> {
        let ([h, w], [top, left, ..]) = (padded(d), d.pad);
        let source = |i: usize| {
            let (plane, row, column) = (i / (h * w), (i / w % h).wrapping_sub(top), (i % w).wrapping_sub(left));
            (row < d.input.h && column < d.input.w).then(|| (plane * d.input.h + row) * d.input.w + column)
        };
        (0..n * d.input.c * h * w).map(source).collect()
    }

    #[test]
    fn a_known_case() {
        let d = Pad { input: Map::new(1, 1, 2), pad: [1, 2, 0, 1] };
        assert_eq!(run(&d, 1, &[3.0, 4.0]), [0., 0., 0., 0., 0., 0., 0., 3., 4., 0.]);
    }

    #[test]
    fn forward_and_backward_follow_each_element() {
        for pad in [[0; 4], [1, 1, 1, 1], [0, 3, 2, 1], [2, 0, 0, 0]] {
            for (n, input) in [(1, Map::new(2, 3, 5)), (3, Map::new(3, 7, 1)), (3, Map::new(1, 1, 1))] {
                let d = Pad { input, pad };
                let x = uniform(1, n * input.len());
                let sources = sources(&d, n);
                let expected: Vec<f32> = sources.iter().map(|s| s.map_or(0.0, |s| x[s])).collect();
                assert_same_bits("forward", &run(&d, n, &x), &expected);
                let d_output = uniform(2, expected.len());
                let mut expected = vec![f32::NAN; x.len()];
                for (source, &g) in sources.iter().zip(&d_output) {
                    if let Some(s) = source {
                        expected[*s] = g;
                    }
                }
                let got = set_and_add("pad", x.len(), |d_input, write| backward(&d, n, &d_output, d_input, write));
                assert_same_bits("backward", &got, &expected);
            }
        }
    }

    #[test]
    fn a_large_batch_is_the_same_on_any_threads() {
        let d = Pad { input: Map::new(3, 61, 67), pad: [1, 2, 3, 4] };
        let n = PARALLEL / d.input.len() + 2;
        let x = uniform(1, n * d.input.len());
        let y = same_on_any_threads("forward", || run(&d, n, &x));
        let mut back = vec![f32::NAN; x.len()];
        backward(&d, n, &y, &mut back, Write::Set);
        assert_same_bits("there and back", &back, &x);
    }
}
