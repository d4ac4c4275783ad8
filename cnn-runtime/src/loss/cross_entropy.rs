//! Softmax and cross-entropy in one.

use ndarray::{ArrayBase, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Data, Ix2, Zip};

use super::{Labels, Loss};
use crate::error::Error;

/// Cross-entropy of the softmax of a network's scores against class labels, averaged over the batch: PyTorch's
/// `CrossEntropyLoss`. The network ends in its last fully connected layer; softmax is part of the loss.
///
/// With scores `x` and label `t`, a sample's loss is `log(sum_j exp(x_j)) - x_t`, computed from the largest score down
/// so that no exponential overflows, and its gradient is `(softmax(x) - onehot(t)) / n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftmaxCrossEntropy;

impl<T: Labels + ?Sized> Loss<T> for SoftmaxCrossEntropy {
    /// # Errors
    /// [`Error::TargetCount`] unless there is a label per sample, [`Error::LabelOutOfRange`] for a label that is not
    /// below the number of columns.
    fn evaluate(
        &self,
        output: ArrayView2<'_, f32>,
        targets: &T,
        mut d_output: ArrayViewMut2<'_, f32>,
    ) -> Result<f32, Error> {
        let (n, classes) = output.dim();
        if targets.count() != n {
            return Err(Error::TargetCount { what: "labels", expected: n, found: targets.count() });
        }
        let mut total = 0.0;
        for (index, (scores, d_scores)) in output.outer_iter().zip(d_output.outer_iter_mut()).enumerate() {
            let label = class(targets.label(index), index, classes)?;
            total += sample(scores, label, 1.0 / n as f32, d_scores);
        }
        Ok((total / n as f64) as f32)
    }
}

/// Targets are a row of probabilities per sample, as of softened or mixed labels: a sample's loss is
/// `sum_j t_j (log(sum_k exp(x_k)) - x_j)`, and its gradient `(softmax(x) sum_j t_j - t) / n`.
impl<S: Data<Elem = f32>> Loss<ArrayBase<S, Ix2>> for SoftmaxCrossEntropy {
    /// # Errors
    /// [`Error::DataMismatch`] unless the targets have the shape of the output.
    fn evaluate(
        &self,
        output: ArrayView2<'_, f32>,
        targets: &ArrayBase<S, Ix2>,
        mut d_output: ArrayViewMut2<'_, f32>,
    ) -> Result<f32, Error> {
        if targets.dim() != output.dim() {
            let (expected, found) = (format!("{:?}", output.shape()), format!("{:?}", targets.shape()));
            return Err(Error::DataMismatch { what: "shape of the targets", expected, found });
        }
        let n = output.nrows();
        let mut total = 0.0;
        for ((scores, targets), d_scores) in
            output.outer_iter().zip(targets.outer_iter()).zip(d_output.outer_iter_mut())
        {
            total += soft_sample(scores, targets, 1.0 / n as f32, d_scores);
        }
        Ok((total / n as f64) as f32)
    }
}

/// The loss of one sample against probabilities; writes its gradient times `weight`.
fn soft_sample(
    scores: ArrayView1<'_, f32>,
    targets: ArrayView1<'_, f32>,
    weight: f32,
    mut d_scores: ArrayViewMut1<'_, f32>,
) -> f64 {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0f32;
    Zip::from(&mut d_scores).and(&scores).for_each(|d, &score| {
        *d = (score - largest).exp();
        sum += *d;
    });
    let (log_sum, certain) = (f64::from(sum.ln()), targets.sum());
    let mut loss = 0.0;
    Zip::from(&mut d_scores).and(&scores).and(&targets).for_each(|d, &score, &target| {
        // A class that is not asked for costs nothing, also if its score is minus infinity.
        if target != 0.0 || score.is_nan() {
            loss += f64::from(target) * (log_sum + f64::from(largest - score));
        }
        *d = weight * (certain * *d / sum - target);
    });
    loss
}

/// A label as an index below `classes`.
pub(crate) fn class(label: i128, index: usize, classes: usize) -> Result<usize, Error> {
    match usize::try_from(label) {
        Ok(class) if class < classes => Ok(class),
        _ => Err(Error::LabelOutOfRange { index, label, classes }),
    }
}

/// The loss of one sample.
pub(crate) fn cross_entropy(scores: ArrayView1<'_, f32>, label: usize) -> f64 {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = scores.iter().map(|score| (score - largest).exp()).sum();
    f64::from(sum.ln() + (largest - scores[label]))
}

/// The loss of one sample; writes its gradient times `weight`.
fn sample(scores: ArrayView1<'_, f32>, label: usize, weight: f32, mut d_scores: ArrayViewMut1<'_, f32>) -> f64 {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0f32;
    Zip::from(&mut d_scores).and(&scores).for_each(|d, &score| {
        *d = (score - largest).exp();
        sum += *d;
    });
    d_scores.map_inplace(|d| *d *= weight / sum);
    d_scores[label] -= weight;
    f64::from(sum.ln() + (largest - scores[label]))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn evaluate(scores: &Array2<f32>, labels: &[i64]) -> (Result<f32, Error>, Array2<f32>) {
        let mut d_output = Array2::from_elem(scores.dim(), f32::NAN);
        let loss = SoftmaxCrossEntropy.evaluate(scores.view(), labels, d_output.view_mut());
        (loss, d_output)
    }

    #[test]
    fn equal_scores_cost_the_logarithm_of_the_number_of_classes() {
        let (loss, d_output) = evaluate(&Array2::zeros((2, 4)), &[1, 3]);
        assert!((loss.unwrap() - 4.0f32.ln()).abs() < 1e-6);
        let expected = array![[0.125, -0.375, 0.125, 0.125], [0.125, 0.125, 0.125, -0.375]];
        assert_eq!(cross_entropy(array![0.0, 0.0].view(), 1), f64::from(2.0f32.ln()));
        assert!((d_output - expected).iter().all(|d| d.abs() < 1e-6));
    }

    #[test]
    fn gradient_is_the_slope_of_the_loss() {
        let scores = array![[0.3, -1.2, 2.1], [1.7, 0.2, -0.4]];
        let labels = [2, 1];
        let (_, d_output) = evaluate(&scores, &labels);
        let step = 1e-2;
        for index in ndarray::indices(scores.dim()) {
            let at = |delta: f32| {
                let mut moved = scores.clone();
                moved[index] += delta;
                evaluate(&moved, &labels).0.unwrap()
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            assert!((slope - d_output[index]).abs() < 1e-4, "{index:?}: {slope} against {}", d_output[index]);
        }
    }

    #[test]
    fn probabilities_that_are_certain_mean_the_same_as_labels() {
        let scores = array![[0.3, -1.2, 2.1], [1.7, 0.2, -0.4]];
        let (loss, d_output) = evaluate(&scores, &[2, 1]);
        let certain = array![[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]];
        let mut d = Array2::zeros((2, 3));
        let soft = SoftmaxCrossEntropy.evaluate(scores.view(), &certain, d.view_mut()).unwrap();
        assert!((soft - loss.unwrap()).abs() < 1e-6);
        assert!((&d - &d_output).iter().all(|d: &f32| d.abs() < 1e-7), "{d} against {d_output}");
    }

    #[test]
    fn gradient_by_probabilities_is_the_slope_of_the_loss() {
        let scores = array![[0.3, -1.2, 2.1], [1.7, 0.2, -0.4]];
        let targets = array![[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]];
        let evaluate = |scores: &Array2<f32>| {
            let mut d = Array2::zeros((2, 3));
            (SoftmaxCrossEntropy.evaluate(scores.view(), &targets, d.view_mut()).unwrap(), d)
        };
        let (_, d_output) = evaluate(&scores);
        for index in ndarray::indices(scores.dim()) {
            let at = |delta: f32| {
                let mut moved = scores.clone();
                moved[index] += delta;
                evaluate(&moved).0
            };
            let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!((slope - d_output[index]).abs() < 1e-4, "{index:?}: {slope} against {}", d_output[index]);
        }
        let mut d = Array2::zeros((2, 3));
        let error =
            SoftmaxCrossEntropy.evaluate(scores.view(), &Array2::<f32>::zeros((3, 2)), d.view_mut()).unwrap_err();
        assert_eq!(error.to_string(), "shape of the targets: expected [2, 3], found [3, 2]");
    }

    #[test]
    fn huge_scores_do_not_overflow() {
        let (loss, d_output) = evaluate(&array![[1e30, 0.0, -1e30]], &[0]);
        assert_eq!(loss.unwrap(), 0.0);
        assert_eq!(d_output, array![[0.0, 0.0, 0.0]]);
        assert_eq!(evaluate(&array![[1e4, 0.0]], &[1]).0.unwrap(), 1e4);
    }

    #[test]
    fn scores_that_are_not_finite_give_a_loss_that_is_not() {
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(evaluate(&array![[0.0, bad, 1.0]], &[0]).0.unwrap().is_nan());
        }
        assert_eq!(evaluate(&array![[f32::NEG_INFINITY, 0.0]], &[0]).0.unwrap(), f32::INFINITY);
        assert!(evaluate(&array![[f32::NEG_INFINITY, f32::NEG_INFINITY]], &[0]).0.unwrap().is_nan());
    }

    #[test]
    fn wrong_labels_are_named() {
        let scores = Array2::zeros((2, 10));
        let message = |labels: &[i64]| evaluate(&scores, labels).0.unwrap_err().to_string();
        assert_eq!(message(&[0, 10]), "label 10 of sample 1 is out of range: expected 0 to 9");
        assert_eq!(message(&[-1, 0]), "label -1 of sample 0 is out of range: expected 0 to 9");
        assert_eq!(message(&[1, 2, 3]), "the batch calls for 2 labels, found 3");
    }

    #[test]
    fn takes_lists_of_any_integers() {
        let scores: Array2<f32> = Array2::zeros((1, 2));
        let mut d = Array2::zeros((1, 2));
        let expected = 2.0f32.ln();
        assert_eq!(SoftmaxCrossEntropy.evaluate(scores.view(), &[1u8], d.view_mut()).unwrap(), expected);
        assert_eq!(SoftmaxCrossEntropy.evaluate(scores.view(), &vec![1usize], d.view_mut()).unwrap(), expected);
        assert_eq!(SoftmaxCrossEntropy.evaluate(scores.view(), &[1i32][..], d.view_mut()).unwrap(), expected);
    }
}
