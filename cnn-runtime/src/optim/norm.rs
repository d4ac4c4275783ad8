//! The length of a gradient, and gradients made shorter.

use super::rule::ranges;
use crate::info::TensorInfo;
use crate::kernel::pieces::{CHUNK, each};
use crate::kernel::sums::sum;
use crate::kernel::wide::wide;

/// The Euclidean norm of the gradients of all trained tensors together. Its sums do not depend on the threads.
fn norm(gradients: &[f32], tensors: &[TensorInfo]) -> f64 {
    let pieces = ranges(tensors).flat_map(|range| gradients[range].chunks(CHUNK));
    let squares = pieces.map(|piece| {
        let mut squares = 0.0;
        wide(
            #[inline(always)]
            || squares = sum(piece, |d| d * d),
        );
        if squares.is_finite() {
            return f64::from(squares);
        }
        // What single precision cannot square, double can.
        piece.iter().map(|&d| f64::from(d).powi(2)).sum()
    });
    squares.sum::<f64>().sqrt()
}

/// Multiplies the gradients of all trained tensors.
pub(crate) fn scale(gradients: &mut [f32], tensors: &[TensorInfo], by: f32) {
    for range in ranges(tensors) {
        let len = range.len();
        each(&mut gradients[range], CHUNK, len, |_, piece| piece.iter_mut().for_each(|d| *d *= by));
    }
}

/// Makes gradients shorter if their norm is above `longest`, and returns the norm they had (Pascanu et al. 2013). A norm
/// that is not finite leaves them as they are.
pub(crate) fn clip(gradients: &mut [f32], tensors: &[TensorInfo], longest: f32) -> f64 {
    let norm = norm(gradients, tensors);
    // PyTorch's arithmetic, its small number against division by zero included.
    let by = f64::from(longest) / (norm + 1e-6);
    if by < 1.0 && norm.is_finite() {
        scale(gradients, tensors, by as f32);
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_gradients_are_cut_and_short_ones_kept() {
        let tensors = [TensorInfo::alone("w", &[2])];
        let mut d = [3.0, -4.0, 100.0];
        assert_eq!(clip(&mut d, &tensors, 10.0), 5.0);
        assert_eq!(d, [3.0, -4.0, 100.0]);
        assert_eq!(clip(&mut d, &tensors, 1.0), 5.0);
        assert!((d[0] - 0.6).abs() < 1e-6 && (d[1] + 0.8).abs() < 1e-6 && d[2] == 100.0, "{d:?}");
        assert!(clip(&mut [f32::NAN, 1.0], &tensors, 1.0).is_nan());
    }

    #[test]
    fn gradients_whose_squares_overflow_are_cut_too() {
        let tensors = [TensorInfo::alone("w", &[2])];
        for huge in [1e20, -3e38] {
            let mut d = [huge, 0.0];
            let norm = clip(&mut d, &tensors, 1.0);
            assert!((norm / f64::from(huge.abs()) - 1.0).abs() < 1e-6, "{norm}");
            assert!((d[0].abs() - 1.0).abs() < 1e-6, "{d:?}");
        }
    }

    #[test]
    fn squares_of_many_values_are_summed_well() {
        let tensors = [TensorInfo::alone("w", &[100_000])];
        let d: Vec<f32> = (0..100_000).map(|i| (i as f32 * 0.37).sin()).collect();
        let exact = d.iter().map(|&d| f64::from(d) * f64::from(d)).sum::<f64>().sqrt();
        assert!((norm(&d, &tensors) / exact - 1.0).abs() < 1e-6);
    }
}
