//! Mean squared error.

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use super::by_element::loss_by_element;

/// Mean squared error over all values of the batch, samples and outputs alike: PyTorch's `MSELoss`. Its gradient is
/// `2 (output - target) / count`.
///
/// Targets are a value per output in a flat slice, array or vector, sample after sample, or an `ndarray` array with a
/// row per sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mse;

loss_by_element!(Mse, squares);

fn squares(output: ArrayView2<'_, f32>, targets: ArrayView2<'_, f32>, mut d_output: ArrayViewMut2<'_, f32>) -> f32 {
    let count = output.len();
    let slope = 2.0 / count as f32;
    let mut total = 0.0f64;
    Zip::from(&mut d_output).and(&output).and(&targets).for_each(|d, &y, &t| {
        let difference = y - t;
        total += f64::from(difference) * f64::from(difference);
        *d = slope * difference;
    });
    (total / count as f64) as f32
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::loss::Loss;

    #[test]
    fn averages_over_all_values() {
        let output = array![[1.0, 2.0], [3.0, 5.0]];
        let targets = array![[1.0, 0.0], [6.0, 5.0]];
        let mut d = Array2::zeros((2, 2));
        assert_eq!(Mse.evaluate(output.view(), &targets, d.view_mut()).unwrap(), (4.0 + 9.0) / 4.0);
        assert_eq!(d, array![[0.0, 1.0], [-1.5, 0.0]]);
    }

    #[test]
    fn slices_and_strided_arrays_mean_the_same() {
        let output = array![[1.0, 2.0, 3.0], [3.0, 5.0, 7.0]];
        let transposed = array![[1.0, 6.0], [0.0, 5.0], [2.0, 2.0]];
        let (mut a, mut b) = (Array2::zeros((2, 3)), Array2::zeros((2, 3)));
        let from_array = Mse.evaluate(output.view(), &transposed.t(), a.view_mut()).unwrap();
        let flat = vec![1.0, 0.0, 2.0, 6.0, 5.0, 2.0];
        assert_eq!(from_array, Mse.evaluate(output.view(), &flat, b.view_mut()).unwrap());
        assert_eq!(a, b);
    }

    #[test]
    fn wrong_targets_are_named() {
        let output: Array2<f32> = Array2::zeros((2, 3));
        let mut d = output.clone();
        let error = Mse.evaluate(output.view(), &[0.0; 5], d.view_mut()).unwrap_err();
        assert_eq!(error.to_string(), "the batch calls for 6 target values, found 5");
        let error = Mse.evaluate(output.view(), &Array2::<f32>::zeros((3, 2)), d.view_mut()).unwrap_err();
        assert_eq!(error.to_string(), "shape of the targets: expected [2, 3], found [3, 2]");
    }
}
