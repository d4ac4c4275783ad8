//! Epochs as they stand in files.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Epoch;
use crate::metrics::Summary;

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
    pub epoch: usize,
    epochs: usize,
    loss: Exact,
    accuracy: Exact,
    images: usize,
    skipped: Vec<String>,
    seconds: Exact,
    lr: Exact,
    validation: Option<SummaryRecord>,
}

/// A [`Summary`].
#[derive(Debug, Serialize, Deserialize)]
struct SummaryRecord {
    loss: Exact,
    samples: usize,
    correct: usize,
    in_top5: usize,
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
            validation: epoch.validation.map(SummaryRecord::from),
        }
    }
}

impl From<Summary> for SummaryRecord {
    fn from(Summary { loss, samples, correct, in_top5 }: Summary) -> Self {
        SummaryRecord { loss: Exact(f64::from(loss)), samples, correct, in_top5 }
    }
}

impl From<EpochRecord> for Epoch {
    fn from(record: EpochRecord) -> Self {
        let summary = |SummaryRecord { loss, samples, correct, in_top5 }| Summary {
            loss: loss.0 as f32,
            samples,
            correct,
            in_top5,
        };
        Epoch {
            epoch: record.epoch,
            epochs: record.epochs,
            loss: record.loss.0 as f32,
            accuracy: record.accuracy.0,
            images: record.images,
            skipped: record.skipped,
            time: record.seconds.time(),
            lr: record.lr.0 as f32,
            validation: record.validation.map(summary),
        }
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
        let epoch = Epoch {
            epoch: 3,
            epochs: 9,
            loss: 0.1,
            accuracy: 1.0 / 3.0,
            images: 100,
            skipped: vec!["a \"file\"".into()],
            time: Duration::from_millis(1234),
            lr: 1e-3,
            validation: Some(Summary { loss: f32::INFINITY, samples: 3, correct: 1, in_top5: 2 }),
        };
        let text = serde_json::to_string(&EpochRecord::from(&epoch)).unwrap();
        assert_eq!(Epoch::from(serde_json::from_str::<EpochRecord>(&text).unwrap()), epoch);
    }
}
