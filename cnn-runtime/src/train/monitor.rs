//! Which of two epochs did better.

use crate::metrics::Summary;

/// What makes one epoch's network better than another's, by the data to validate on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Monitor {
    /// A higher accuracy.
    #[default]
    Accuracy,
    /// A lower loss.
    Loss,
}

impl Monitor {
    /// The number that is compared.
    pub(super) fn of(self, found: &Summary) -> f64 {
        match self {
            Monitor::Accuracy => found.accuracy(),
            Monitor::Loss => f64::from(found.loss),
        }
    }

    /// Whether `found` is better than `best`, if there is one, by more than its part `threshold`. NaN never is.
    pub(super) fn is_better(self, found: f64, best: Option<f64>, threshold: f64) -> bool {
        let Some(best) = best else { return !found.is_nan() };
        match self {
            Monitor::Accuracy => found > best * (1.0 + threshold),
            Monitor::Loss => found < best * (1.0 - threshold),
        }
    }
}
