//! Epochs as they stand in files.

use std::time::Duration;

use ndarray::Array2;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Epoch;
use crate::metrics::{Confusion, Evaluation};

/// What a count in a file may be at most: no run gets there, and it still has to grow.
pub(super) const MOST: u64 = 1 << 53;

/// A number that reads back as it was, to the last bit, also if it is not finite: JSON has it as a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Exact(pub f64);

impl Exact {
    /// So many seconds; none if that is no time, or one to which none can be added.
    pub(super) fn time(self) -> Duration {
        Duration::try_from_secs_f64(self.0).ok().filter(|time| time.as_secs() <= MOST).unwrap_or_default()
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:?}", self.0))
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Exact).map_err(|_| D::Error::custom(format_args!("expected a number, found {text:?}")))
    }
}

/// An [`Epoch`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EpochRecord {
    epoch: usize,
    epochs: usize,
    loss: Exact,
    accuracy: Exact,
    images: usize,
    skipped: Vec<String>,
    seconds: Exact,
    lr: Exact,
    validation: Option<EvaluationRecord>,
}

/// An [`Evaluation`].
#[derive(Debug, Serialize, Deserialize)]
struct EvaluationRecord {
    loss: Exact,
    in_top5: usize,
    classes: usize,
    /// The counts that are not 0: label, class found, count.
    confusion: Vec<(usize, usize, u64)>,
}

impl From<&Epoch> for EpochRecord {
    fn from(epoch: &Epoch) -> Self {
        EpochRecord {
            epoch: epoch.epoch,
            epochs: epoch.epochs,
            loss: Exact(f64::from(epoch.loss)),
            accuracy: Exact(epoch.accuracy),
            images: epoch.images,
            skipped: epoch.skipped.clone(),
            seconds: Exact(epoch.time.as_secs_f64()),
            lr: Exact(f64::from(epoch.lr)),
            validation: epoch.validation.as_ref().map(EvaluationRecord::from),
        }
    }
}

impl From<&Evaluation> for EvaluationRecord {
    fn from(evaluation: &Evaluation) -> Self {
        let counts = evaluation.confusion.counts();
        let some = counts.indexed_iter().filter(|&(_, &count)| count > 0);
        EvaluationRecord {
            loss: Exact(f64::from(evaluation.loss)),
            in_top5: evaluation.in_top5,
            classes: evaluation.confusion.classes(),
            confusion: some.map(|((label, found), &count)| (label, found, count)).collect(),
        }
    }
}

impl EpochRecord {
    /// The epoch of a network with `classes` outputs; none if a validation has other classes or counts more samples
    /// than there can be, or no epoch can come after it.
    pub(super) fn into_epoch(self, classes: usize) -> Option<Epoch> {
        if self.epoch as u64 > MOST {
            return None;
        }
        let validation = match self.validation {
            Some(validation) => Some(validation.into_evaluation(classes)?),
            None => None,
        };
        Some(Epoch {
            epoch: self.epoch,
            epochs: self.epochs,
            loss: self.loss.0 as f32,
            accuracy: self.accuracy.0,
            images: self.images,
            skipped: self.skipped,
            time: self.seconds.time(),
            lr: self.lr.0 as f32,
            validation,
        })
    }
}

impl EvaluationRecord {
    fn into_evaluation(self, classes: usize) -> Option<Evaluation> {
        if self.classes != classes {
            return None;
        }
        let (mut counts, mut all) = (Array2::zeros((classes, classes)), 0u64);
        for (label, found, count) in self.confusion {
            all = all.checked_add(count).filter(|&all| all <= MOST)?;
            *counts.get_mut((label, found))? = count;
        }
        let confusion = Confusion::from_counts(counts);
        Some(Evaluation { loss: self.loss.0 as f32, in_top5: self.in_top5, confusion })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_to_the_last_bit() {
        for value in [0.1, f64::from(0.1f32), 1.0 / 3.0, -0.0, 5e-324, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
            let text = serde_json::to_string(&Exact(value)).unwrap();
            let read: Exact = serde_json::from_str(&text).unwrap();
            assert_eq!(read.0.to_bits(), value.to_bits(), "{text}");
        }
        let nan: Exact = serde_json::from_str(&serde_json::to_string(&Exact(f64::NAN)).unwrap()).unwrap();
        assert!(nan.0.is_nan());
        assert!(serde_json::from_str::<Exact>("\"much\"").is_err());
        assert_eq!(Exact(f64::NAN).time(), Duration::ZERO);
        assert!(Exact(1e19).time().checked_add(Duration::from_secs(1 << 53)).is_some());
    }

    #[test]
    fn epochs_read_back_as_they_were() {
        let mut confusion = Confusion::new(3);
        [(0, 0), (1, 2), (1, 2)].into_iter().for_each(|(label, found)| confusion.add(label, found));
        let epoch = Epoch {
            epoch: 3,
            epochs: 9,
            loss: 0.1,
            accuracy: 1.0 / 3.0,
            images: 100,
            skipped: vec!["a \"file\"".into()],
            time: Duration::from_millis(1234),
            lr: 1e-3,
            validation: Some(Evaluation { loss: f32::INFINITY, in_top5: 3, confusion }),
        };
        let text = serde_json::to_string(&EpochRecord::from(&epoch)).unwrap();
        let read = |classes| serde_json::from_str::<EpochRecord>(&text).unwrap().into_epoch(classes);
        assert_eq!(read(3), Some(epoch));
        assert_eq!(read(2), None);
        let many = u64::MAX / 2;
        for (entry, wrong) in [
            ("[1,2,2]", "[1,3,2]".to_owned()),
            ("[1,2,2]", format!("[1,2,{many}],[2,1,{many}],[2,2,{many}]")),
            ("\"epoch\":3", format!("\"epoch\":{}", usize::MAX)),
        ] {
            assert!(text.contains(entry), "{text}");
            let broken: EpochRecord = serde_json::from_str(&text.replace(entry, &wrong)).unwrap();
            assert_eq!(broken.into_epoch(3), None, "{wrong}");
        }
    }
}
