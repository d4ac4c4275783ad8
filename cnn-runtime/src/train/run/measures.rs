//! What a run is made of, counted.

use std::ops::Range;
use std::time::Duration;

use crate::train::{Length, Position};

/// How many of what make a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measures {
    pub batch: usize,
    pub accumulate: usize,
    /// Batches of an epoch.
    pub batches: usize,
    /// Steps of an epoch.
    pub per_epoch: usize,
    pub epochs: usize,
    pub steps: u64,
}

/// What steps brought.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub loss: f64,
    pub correct: usize,
    pub images: usize,
    pub time: Duration,
}

impl Measures {
    pub fn new(samples: usize, batch: usize, accumulate: usize, length: Length) -> Self {
        let batch = batch.min(samples);
        let batches = samples.div_ceil(batch);
        let per_epoch = batches.div_ceil(accumulate);
        let (epochs, steps) = match length {
            Length::Epochs(epochs) => (epochs, (epochs as u64).saturating_mul(per_epoch as u64)),
            Length::Steps(steps) => (steps.div_ceil(per_epoch as u64) as usize, steps),
        };
        Measures { batch, accumulate, batches, per_epoch, epochs, steps }
    }

    pub fn position(&self, step: u64) -> Position {
        let epoch = (step / self.per_epoch as u64) as usize;
        Position { epoch, epochs: self.epochs, step, steps: self.steps, per_epoch: self.per_epoch as u64 }
    }

    /// The batches of its epoch that make the step.
    pub fn batches_of(&self, position: Position) -> Range<usize> {
        let step = self.in_epoch(position);
        step * self.accumulate..self.batches.min((step + 1) * self.accumulate)
    }

    /// The step counted from the start of its epoch.
    pub fn in_epoch(&self, position: Position) -> usize {
        (position.step % self.per_epoch as u64) as usize
    }
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.images += other.images;
        self.time += other.time;
    }

    pub fn mean_loss(&self) -> f32 {
        (self.loss / self.images as f64) as f32
    }

    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_epochs_follow_from_the_batches() {
        let measures = |length, accumulate| Measures::new(100, 8, accumulate, length);
        let plain = measures(Length::Epochs(3), 1);
        assert_eq!((plain.batches, plain.per_epoch, plain.epochs, plain.steps), (13, 13, 3, 39));
        let together = measures(Length::Epochs(3), 4);
        assert_eq!((together.batches, together.per_epoch, together.epochs, together.steps), (13, 4, 3, 12));
        assert_eq!(together.batches_of(together.position(7)), 12..13);
        let cut = measures(Length::Steps(30), 1);
        assert_eq!((cut.epochs, cut.steps, cut.position(29).epoch, cut.in_epoch(cut.position(29))), (3, 30, 2, 3));
        assert_eq!(Measures::new(3, 8, 1, Length::Epochs(0)).steps, 0);
        assert_eq!(measures(Length::Epochs(usize::MAX), 1).steps, u64::MAX);
    }
}
