//! Concatenation of channels: each input is a contiguous part of every output sample.

use super::pieces::each;
use crate::desc::{Part, Write};

/// Checks the sizes of a part against its slices.
fn check(part: &Part, n: usize, of_part: usize, of_whole: usize) {
    assert_eq!(of_part, n * part.len, "concat: {n} samples of the part");
    assert_eq!(of_whole, n * part.total, "concat: {n} samples of the whole");
    assert!(part.offset + part.len <= part.total, "concat: the part lies inside the whole");
}

/// Copies one input of `n` samples into its place in the output.
///
/// # Panics
/// If the lengths do not fit `part` and `n`.
pub fn forward(part: &Part, n: usize, input: &[f32], output: &mut [f32]) {
    check(part, n, input.len(), output.len());
    each(output, part.total, input.len(), |n, sample| {
        sample[part.offset..][..part.len].copy_from_slice(&input[n * part.len..][..part.len]);
    });
}

/// Copies or adds one input's share of the gradient by the output.
///
/// # Panics
/// If the lengths do not fit `part` and `n`.
pub fn backward(part: &Part, n: usize, d_output: &[f32], d_input: &mut [f32], write: Write) {
    check(part, n, d_input.len(), d_output.len());
    each(d_input, part.len, n * part.len, |n, d_input| {
        let share = &d_output[n * part.total + part.offset..][..part.len];
        match write {
            Write::Set => d_input.copy_from_slice(share),
            Write::Add => d_input.iter_mut().zip(share).for_each(|(d, g)| *d += g),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pieces::PARALLEL;
    use crate::testing::{assert_same_bits, same_on_any_threads, set_and_add, uniform};

    const A: Part = Part { offset: 0, len: 5, total: 8 };
    const B: Part = Part { offset: 5, len: 3, total: 8 };

    #[test]
    fn parts_stand_side_by_side_in_each_sample() {
        let a: Vec<f32> = (0..10).map(|i| i as f32).collect();
        let b: Vec<f32> = (100..106).map(|i| i as f32).collect();
        let mut y = [f32::NAN; 16];
        forward(&A, 2, &a, &mut y);
        forward(&B, 2, &b, &mut y);
        let expected = [0., 1., 2., 3., 4., 100., 101., 102., 5., 6., 7., 8., 9., 103., 104., 105.];
        assert_eq!(y, expected);
        let d_a = set_and_add("first part", 10, |d, write| backward(&A, 2, &y, d, write));
        assert_same_bits("first part", &d_a, &a);
        let d_b = set_and_add("second part", 6, |d, write| backward(&B, 2, &y, d, write));
        assert_same_bits("second part", &d_b, &b);
    }

    #[test]
    fn large_parts_are_the_same_on_any_threads() {
        let part = Part { offset: 11, len: PARALLEL / 3 + 5, total: PARALLEL / 2 };
        let x = uniform(1, 3 * part.len);
        let y = same_on_any_threads("forward", || {
            let mut y = vec![0.0; 3 * part.total];
            forward(&part, 3, &x, &mut y);
            y
        });
        let mut back = vec![0.0; x.len()];
        backward(&part, 3, &y, &mut back, Write::Set);
        assert_same_bits("there and back", &back, &x);
    }
}
