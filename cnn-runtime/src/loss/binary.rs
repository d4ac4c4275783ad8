//! Sigmoid and binary cross-entropy in one.

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use super::by_element::loss_by_element;

/// Binary cross-entropy of the sigmoid of a network's scores, for classes that do not exclude each other: PyTorch's
/// `BCEWithLogitsLoss`, averaged over all values of the batch, samples and classes alike. The network ends in its last
/// fully connected layer; the sigmoid is part of the loss.
///
/// Targets are a number from 0 to 1 per class, 1 where it is there, in a flat slice, array or vector, sample after sample,
/// or an `ndarray` array with a row per sample. With score `x` and target `t`, the loss of one is
/// `max(x, 0) - x t + ln(1 + exp(-|x|))`, which no score makes overflow, and its gradient `(sigmoid(x) - t) / count`.
///
/// ```
/// use cnn_runtime::ndarray::Array4;
/// use cnn_runtime::prelude::*;
///
/// cnn! { Tags <1x4x4> -> conv(4, 3x3) -> relu -> fc(3) }
///
/// let mut net = Tags::new(1);
/// let mut workspace = net.train_workspace(2);
/// net.forward_train(&mut workspace, Array4::zeros((2, 1, 4, 4)).view(), 0)?;
/// // The first sample has two of the three tags, the second has none.
/// let loss = workspace.loss(&BinaryCrossEntropy, &[1.0, 0.0, 1.0, 0.0, 0.0, 0.0])?;
/// net.backward(&mut workspace)?;
/// assert!((loss - 2.0f32.ln()).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinaryCrossEntropy;

loss_by_element!(BinaryCrossEntropy, entropy);

fn entropy(scores: ArrayView2<'_, f32>, targets: ArrayView2<'_, f32>, mut d_scores: ArrayViewMut2<'_, f32>) -> f32 {
    let count = scores.len();
    let mut total = 0.0f64;
    Zip::from(&mut d_scores).and(&scores).and(&targets).for_each(|d, &x, &t| {
        // At most 1.
        let power = (-x.abs()).exp();
        total += f64::from(x.max(0.0) - x * t + power.ln_1p());
        let sigmoid = if x < 0.0 { power } else { 1.0 } / (1.0 + power);
        *d = (sigmoid - t) / count as f32;
    });
    (total / count as f64) as f32
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::loss::Loss;

    fn evaluate(scores: &Array2<f32>, targets: &Array2<f32>) -> (f32, Array2<f32>) {
        let mut d = Array2::from_elem(scores.dim(), f32::NAN);
        (BinaryCrossEntropy.evaluate(scores.view(), targets, d.view_mut()).unwrap(), d)
    }

    #[test]
    fn gradients_are_slopes() {
        let (scores, targets) = (array![[1.0, -2.0, 0.0], [0.5, 3.0, -0.1]], array![[1.0, 0.0, 0.3], [0.0, 1.0, 1.0]]);
        let (_, d) = evaluate(&scores, &targets);
        for index in ndarray::indices(scores.dim()) {
            let at = |delta: f32| {
                let mut moved = scores.clone();
                moved[index] += delta;
                evaluate(&moved, &targets).0
            };
            let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!((slope - d[index]).abs() < 1e-4, "{index:?}: {slope} against {}", d[index]);
        }
    }

    #[test]
    fn nothing_known_costs_ln_2_and_nothing_overflows() {
        assert_eq!(evaluate(&array![[0.0, 0.0]], &array![[0.0, 1.0]]), (2.0f32.ln(), array![[0.25, -0.25]]));
        assert_eq!(evaluate(&array![[1e30, -1e30]], &array![[1.0, 0.0]]), (0.0, array![[0.0, 0.0]]));
        assert_eq!(evaluate(&array![[1e4, -1e4]], &array![[0.0, 1.0]]), (1e4, array![[0.5, -0.5]]));
        assert!(evaluate(&array![[f32::NAN, 0.0]], &array![[0.0, 1.0]]).0.is_nan());
    }

    #[test]
    fn wrong_targets_are_named() {
        let mut d = Array2::zeros((2, 3));
        let error = BinaryCrossEntropy.evaluate(d.clone().view(), &vec![0.0; 5], d.view_mut()).unwrap_err();
        assert_eq!(error.to_string(), "the batch calls for 6 target values, found 5");
    }
}
