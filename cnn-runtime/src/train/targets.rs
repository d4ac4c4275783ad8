//! What the network's scores of a batch should say: labels, softened and mixed.

use ndarray::ArrayView2;
use rand::RngExt;
use rand_distr::{Beta, Distribution};

use crate::error::Error;
use crate::loss::class;
use crate::random;

/// Probabilities of classes for every sample of a batch, made from its labels.
#[derive(Debug)]
pub(super) struct Targets {
    values: Vec<f32>,
    classes: usize,
    smoothing: f32,
}

impl Targets {
    /// For batches of up to `batch` samples. Memory is needed only if labels are changed at all.
    pub(super) fn new(batch: usize, classes: usize, smoothing: f32) -> Self {
        Targets { values: vec![0.0; batch * classes], classes, smoothing }
    }

    /// Writes the label of each sample, of which the part `smoothing` is spread over all classes (Szegedy et al. 2016,
    /// section 7).
    ///
    /// # Errors
    /// [`Error::LabelOutOfRange`] for a label that is no class.
    pub(super) fn set(&mut self, labels: &[usize]) -> Result<(), Error> {
        let (rest, spread) = (1.0 - self.smoothing, self.smoothing / self.classes as f32);
        for (index, (row, &label)) in self.values.chunks_exact_mut(self.classes).zip(labels).enumerate() {
            row.fill(spread);
            row[class(label as i128, index, self.classes)?] += rest;
        }
        Ok(())
    }

    /// A row per sample.
    pub(super) fn rows(&self, samples: usize) -> ArrayView2<'_, f32> {
        let values = &self.values[..samples * self.classes];
        ArrayView2::from_shape((samples, self.classes), values).expect("a row per sample")
    }

    /// The rows, one after the other.
    pub(super) fn values_mut(&mut self, samples: usize) -> &mut [f32] {
        &mut self.values[..samples * self.classes]
    }
}

/// The part of each sample that mixup keeps, from 0.5 to 1, drawn for batch number `batch` of a step: Beta(alpha, alpha), its larger side, so
/// that a sample's own label stays the larger one (Zhang et al. 2018).
pub(super) fn kept_part(alpha: f32, seed: u64, step: u64, batch: u64) -> f32 {
    let mut rng = random::stream(seed, "mixup", step, batch);
    let part = match Beta::new(alpha, alpha) {
        Ok(beta) => beta.sample(&mut rng),
        Err(_) => rng.random(),
    };
    part.max(1.0 - part)
}

/// Mixes the rows of a batch in place: each with the one as far from the end as it is from the start, `kept` of itself.
/// Batches are shuffled, so any pairs are random pairs.
pub(super) fn mix(rows: &mut [f32], samples: usize, kept: f32) {
    let len = rows.len() / samples;
    let (low, high) = rows.split_at_mut(samples / 2 * len);
    // With an odd number, the row in the middle would be mixed with itself.
    let high = &mut high[samples % 2 * len..];
    for (a, b) in low.chunks_exact_mut(len).zip(high.chunks_exact_mut(len).rev()) {
        for (a, b) in a.iter_mut().zip(b) {
            (*a, *b) = (kept * *a + (1.0 - kept) * *b, kept * *b + (1.0 - kept) * *a);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_spread_over_all_classes() {
        let mut targets = Targets::new(3, 4, 0.2);
        targets.set(&[2, 0]).unwrap();
        let rows = targets.rows(2);
        let expected = ndarray::array![[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]];
        assert!((&rows - &expected).iter().all(|d: &f32| d.abs() < 1e-6), "{rows}");
        let error = targets.set(&[0, 4]).unwrap_err();
        assert_eq!(error.to_string(), "label 4 of sample 1 is out of range: expected 0 to 3");
    }

    #[test]
    fn rows_are_mixed_in_pairs() {
        let mut rows = [1.0, 2.0, 10.0, 20.0, 100.0, 200.0];
        mix(&mut rows, 3, 0.75);
        assert_eq!(rows, [25.75, 51.5, 10.0, 20.0, 75.25, 150.5]);
        let mut rows = [0.0, 8.0, 4.0, 12.0];
        mix(&mut rows, 4, 0.75);
        assert_eq!(rows, [3.0, 7.0, 5.0, 9.0]);
        mix(&mut rows[..2], 1, 0.75);
        assert_eq!(rows, [3.0, 7.0, 5.0, 9.0]);
    }

    #[test]
    fn the_part_kept_is_the_larger_one_and_spread_as_beta_says() {
        let parts: Vec<f32> = (0..2000).map(|batch| kept_part(1.0, 7, batch, 0)).collect();
        assert!(parts.iter().all(|part| (0.5..=1.0).contains(part)));
        // Beta(1, 1) is uniform: so is its larger side, from a half to 1.
        let mean = parts.iter().sum::<f32>() / 2000.0;
        assert!((mean - 0.75).abs() < 0.01, "{mean}");
        assert_eq!(kept_part(1.0, 7, 3, 0), parts[3]);
        let timid: f32 = (0..500).map(|batch| kept_part(0.1, 7, batch, 0)).sum::<f32>() / 500.0;
        assert!(timid > 0.9, "{timid}");
    }
}
