//! Which classes are taken for which.

use ndarray::{Array2, ArrayView2};

/// How often samples of each class were taken for each class: a row per true class, a column per class found.
///
/// ```
/// use cnn_runtime::metrics::Confusion;
///
/// let mut confusion = Confusion::new(2);
/// for (label, found) in [(0, 0), (0, 1), (1, 1), (1, 1)] {
///     confusion.add(label, found);
/// }
/// assert_eq!(confusion.recall(0), Some(0.5)); // half of class 0 was found
/// assert_eq!(confusion.precision(0), Some(1.0)); // and nothing else was taken for it
/// assert_eq!(confusion.accuracy(), 0.75);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    counts: Array2<u64>,
}

impl Confusion {
    /// No samples yet, of so many classes.
    pub fn new(classes: usize) -> Self {
        Confusion { counts: Array2::zeros((classes, classes)) }
    }

    /// These counts: a row per true class, a column per class found.
    ///
    /// # Panics
    /// If there are not as many columns as rows.
    pub fn from_counts(counts: Array2<u64>) -> Self {
        assert_eq!(counts.nrows(), counts.ncols(), "a row and a column per class");
        Confusion { counts }
    }

    /// Counts a sample of class `label` that was taken for `found`.
    ///
    /// # Panics
    /// If either is not below the number of classes.
    pub fn add(&mut self, label: usize, found: usize) {
        self.counts[[label, found]] += 1;
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.counts.nrows()
    }

    /// The counts: a row per true class, a column per class found.
    pub fn counts(&self) -> ArrayView2<'_, u64> {
        self.counts.view()
    }

    /// Samples counted.
    pub fn samples(&self) -> u64 {
        self.counts.sum()
    }

    /// Samples whose class was found.
    pub fn correct(&self) -> u64 {
        self.counts.diag().sum()
    }

    /// The part of all samples whose class was found, from 0 to 1; NaN without samples.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.samples() as f64
    }

    /// The part of what was taken for `class` that is of it, from 0 to 1; none if nothing was.
    ///
    /// # Panics
    /// If `class` is not below the number of classes, as the other measures of one class.
    pub fn precision(&self, class: usize) -> Option<f64> {
        part(self.counts[[class, class]], self.counts.column(class).sum())
    }

    /// The part of the samples of `class` that were found, from 0 to 1; none if there are no such samples.
    pub fn recall(&self, class: usize) -> Option<f64> {
        part(self.counts[[class, class]], self.counts.row(class).sum())
    }

    /// The harmonic mean of precision and recall, from 0 to 1; none if the class neither occurs nor was found.
    pub fn f1(&self, class: usize) -> Option<f64> {
        part(2 * self.counts[[class, class]], self.counts.row(class).sum() + self.counts.column(class).sum())
    }
}

fn part(count: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| count as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_follow_their_definitions() {
        let mut confusion = Confusion::new(3);
        let counts = [[5, 2, 0], [1, 3, 0], [4, 0, 0]];
        for (label, row) in counts.iter().enumerate() {
            for (found, &count) in row.iter().enumerate() {
                (0..count).for_each(|_| confusion.add(label, found));
            }
        }
        assert_eq!(confusion.counts(), ndarray::arr2(&counts));
        assert_eq!((confusion.samples(), confusion.correct(), confusion.accuracy()), (15, 8, 8.0 / 15.0));
        assert_eq!((confusion.precision(0), confusion.recall(0)), (Some(0.5), Some(5.0 / 7.0)));
        let (precision, recall) = (0.5, 5.0 / 7.0);
        assert!((confusion.f1(0).unwrap() - 2.0 * precision * recall / (precision + recall)).abs() < 1e-12);
        assert_eq!((confusion.precision(2), confusion.recall(2), confusion.f1(2)), (None, Some(0.0), Some(0.0)));
    }

    #[test]
    fn a_class_nobody_saw_has_no_measures() {
        let confusion = Confusion::new(1);
        assert_eq!((confusion.precision(0), confusion.recall(0), confusion.f1(0)), (None, None, None));
        assert!(confusion.accuracy().is_nan());
    }
}
