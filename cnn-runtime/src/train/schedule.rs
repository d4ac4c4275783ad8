//! Learning rates over a run.

use std::f32::consts::PI;

use super::{Epoch, Monitor};
use crate::error::Error;

/// Where a run stands, for a schedule to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// Epochs of the run.
    pub epochs: usize,
    /// The step, counted from 0 over the whole run.
    pub step: u64,
    /// Steps of the run.
    pub steps: u64,
    /// Steps of an epoch.
    pub per_epoch: u64,
}

/// A learning rate for every step.
///
/// A closure `|at: Position| ..` is one. [`StepDecay`], [`Cosine`], [`OneCycle`] and [`Plateau`] give the rates of PyTorch's
/// `StepLR`, `CosineAnnealingLR`, `OneCycleLR` and `ReduceLROnPlateau`. Unlike there, the rate that they go from is theirs
/// and not the optimiser's, which counts for nothing beside a schedule.
pub trait Schedule {
    /// The learning rate of the step at `at`. Asked once before each step, in order.
    fn lr(&mut self, at: Position) -> f32;

    /// Told of each epoch once it is over.
    fn epoch(&mut self, epoch: &Epoch) {
        let _ = epoch;
    }

    /// Whether [`epoch`](Schedule::epoch) looks at [`Epoch::validation`], which needs data to validate on.
    fn needs_validation(&self) -> bool {
        false
    }

    /// What it remembers of earlier epochs, as numbers for a checkpoint to keep.
    fn memory(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Remembers what [`memory`](Schedule::memory) said.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if a schedule of another kind said it.
    fn restore(&mut self, memory: &[f64]) -> Result<(), Error> {
        expect(memory, 0)
    }
}

fn expect(memory: &[f64], len: usize) -> Result<(), Error> {
    if memory.len() == len {
        return Ok(());
    }
    let (expected, found) = (len.to_string(), memory.len().to_string());
    Err(Error::DataMismatch { what: "numbers that a schedule remembers", expected, found })
}

impl<F: FnMut(Position) -> f32> Schedule for F {
    fn lr(&mut self, at: Position) -> f32 {
        self(at)
    }
}

/// One rate for all steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    lr: f32,
}

impl Constant {
    /// `lr` in every step.
    pub const fn new(lr: f32) -> Self {
        Constant { lr }
    }
}

impl Schedule for Constant {
    fn lr(&mut self, _: Position) -> f32 {
        self.lr
    }
}

/// A rate that is multiplied by a factor every few epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    lr: f32,
    every: usize,
    factor: f32,
}

impl StepDecay {
    /// Starts at `lr` and divides it by 10 after each `every` epochs; 0 is taken as 1.
    pub const fn new(lr: f32, every: usize) -> Self {
        StepDecay { lr, every, factor: 0.1 }
    }

    /// Multiplies by this instead.
    #[must_use]
    pub const fn factor(mut self, factor: f32) -> Self {
        self.factor = factor;
        self
    }
}

impl Schedule for StepDecay {
    fn lr(&mut self, at: Position) -> f32 {
        self.lr * self.factor.powi((at.epoch / self.every.max(1)) as i32)
    }
}

/// A rate that falls along half a cosine, from `lr` in the first step to `floor` after the last (Loshchilov and Hutter
/// 2017, without restarts).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    lr: f32,
    floor: f32,
}

impl Cosine {
    /// Falls from `lr` to 0.
    pub const fn new(lr: f32) -> Self {
        Cosine { lr, floor: 0.0 }
    }

    /// Falls to `floor` instead.
    #[must_use]
    pub const fn floor(mut self, floor: f32) -> Self {
        self.floor = floor;
        self
    }
}

impl Schedule for Cosine {
    fn lr(&mut self, at: Position) -> f32 {
        between(self.lr, self.floor, at.step as f32 / at.steps as f32)
    }
}

/// From `from` at part 0 to `to` at part 1 along half a cosine.
fn between(from: f32, to: f32, part: f32) -> f32 {
    to + (from - to) * 0.5 * (1.0 + (PI * part).cos())
}

/// One cycle: up to the highest rate and down again to nearly nothing, both along half a cosine (Smith and Topin 2019).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    lr: f32,
    rise: f32,
}

impl OneCycle {
    /// Starts at a 25th of `lr`, reaches it after 30 % of the steps, and ends at a 250,000th.
    pub const fn new(lr: f32) -> Self {
        OneCycle { lr, rise: 0.3 }
    }

    /// Rises for this part of the steps instead, from 0 to 1. A part beyond that is taken as the nearer end.
    #[must_use]
    pub const fn rise(mut self, rise: f32) -> Self {
        self.rise = rise.clamp(0.0, 1.0);
        self
    }
}

impl Schedule for OneCycle {
    fn lr(&mut self, at: Position) -> f32 {
        let (first, last) = (self.lr / 25.0, self.lr / 25e4);
        let (step, end) = (at.step as f32, at.steps as f32 - 1.0);
        let top = self.rise * at.steps as f32 - 1.0;
        if step <= top {
            between(first, self.lr, step / top.max(1.0))
        } else {
            between(self.lr, last, (step - top) / (end - top))
        }
    }
}

/// Another schedule with a start in which the rate rises evenly (Goyal et al. 2017, section 2.2). The other schedule
/// covers the steps after it, from which on it counts steps and epochs. Made by [`warm_up`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp<S> {
    steps: u64,
    then: S,
}

/// Lets the rate rise evenly over the first `steps`, up to where `then` takes over.
pub const fn warm_up<S: Schedule>(steps: u64, then: S) -> WarmUp<S> {
    WarmUp { steps, then }
}

impl<S: Schedule> Schedule for WarmUp<S> {
    fn lr(&mut self, at: Position) -> f32 {
        let warm = self.steps.min(at.steps.saturating_sub(1));
        let (step, steps, per_epoch) = (at.step.saturating_sub(warm), at.steps - warm, at.per_epoch.max(1));
        let (epoch, epochs) = ((step / per_epoch) as usize, steps.div_ceil(per_epoch) as usize);
        let after = Position { epoch, epochs, step, steps, per_epoch };
        let rate = self.then.lr(after);
        if at.step < warm { rate * (at.step + 1) as f32 / (warm + 1) as f32 } else { rate }
    }

    fn epoch(&mut self, epoch: &Epoch) {
        self.then.epoch(epoch);
    }

    fn needs_validation(&self) -> bool {
        self.then.needs_validation()
    }

    fn memory(&self) -> Vec<f64> {
        self.then.memory()
    }

    fn restore(&mut self, memory: &[f64]) -> Result<(), Error> {
        self.then.restore(memory)
    }
}

/// A rate that is multiplied by a factor whenever the validation has not become better for some epochs, as AlexNet was
/// trained: "divide by 10 when the validation error stops improving" (Krizhevsky et al. 2012, section 5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    /// The rate of the first epochs.
    given: f32,
    lr: f32,
    factor: f32,
    patience: usize,
    monitor: Monitor,
    best: Option<f64>,
    /// Epochs since the best one, or since the last change.
    waited: usize,
}

impl Plateau {
    /// Starts at `lr` and divides it by 10 once more than 10 epochs in a row have not brought a better accuracy.
    pub const fn new(lr: f32) -> Self {
        Plateau { given: lr, lr, factor: 0.1, patience: 10, monitor: Monitor::Accuracy, best: None, waited: 0 }
    }

    /// Multiplies by this instead.
    #[must_use]
    pub const fn factor(mut self, factor: f32) -> Self {
        self.factor = factor;
        self
    }

    /// Epochs without a better result that change nothing; the one after them does, as in PyTorch.
    /// [`Trainer::stop_early`](super::Trainer::stop_early) counts otherwise: the last of its epochs is the end.
    #[must_use]
    pub const fn patience(mut self, patience: usize) -> Self {
        self.patience = patience;
        self
    }

    /// What has to become better.
    #[must_use]
    pub const fn monitor(mut self, monitor: Monitor) -> Self {
        self.monitor = monitor;
        self
    }
}

impl Schedule for Plateau {
    fn lr(&mut self, _: Position) -> f32 {
        self.lr
    }

    fn epoch(&mut self, epoch: &Epoch) {
        let Some(validation) = &epoch.validation else { return };
        let found = self.monitor.of(validation);
        // PyTorch's threshold: an improvement by less than a part in 10,000 does not count.
        if self.monitor.is_better(found, self.best, 1e-4) {
            (self.best, self.waited) = (Some(found), 0);
        } else {
            self.waited += 1;
        }
        if self.waited > self.patience {
            (self.lr, self.waited) = (self.lr * self.factor, 0);
        }
    }

    fn needs_validation(&self) -> bool {
        true
    }

    fn memory(&self) -> Vec<f64> {
        vec![f64::from(self.lr), self.best.unwrap_or(f64::NAN), self.waited as f64, f64::from(self.given)]
    }

    fn restore(&mut self, memory: &[f64]) -> Result<(), Error> {
        expect(memory, 4)?;
        // So that it can still grow; a double tells whole numbers apart up to here.
        let waited = 0.0..=(1u64 << 53) as f64;
        if !waited.contains(&memory[2]) {
            let (what, expected) = ("epochs that a plateau has waited", format!("from 0 to {}", waited.end()));
            return Err(Error::DataMismatch { what, expected, found: memory[2].to_string() });
        }
        // A plateau that was made with another rate is to have that one.
        self.lr = if memory[3] as f32 == self.given { memory[0] as f32 } else { self.given };
        self.waited = memory[2] as usize;
        self.best = Some(memory[1]).filter(|best| !best.is_nan());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Summary;

    fn at(step: u64, steps: u64) -> Position {
        Position { epoch: step as usize / 10, epochs: steps as usize / 10, step, steps, per_epoch: 10 }
    }

    /// An epoch after which so many of 100 samples were found.
    fn epoch(correct: usize) -> Epoch {
        let validation = Some(Summary { loss: 1.0, samples: 100, correct, in_top5: 100 });
        let time = Duration::ZERO;
        Epoch { epoch: 0, epochs: 1, loss: 1.0, accuracy: 1.0, images: 1, skipped: vec![], time, lr: 0.1, validation }
    }

    #[test]
    fn a_cosine_falls_from_all_over_half_to_its_floor() {
        let mut rate = Cosine::new(0.2);
        assert_eq!(rate.lr(at(0, 100)), 0.2);
        assert!((rate.lr(at(50, 100)) - 0.1).abs() < 1e-6);
        assert!(rate.lr(at(99, 100)) > 0.0 && rate.lr(at(99, 100)) < 1e-4);
        assert!((rate.floor(0.05).lr(at(99, 100)) - 0.05).abs() < 1e-4);
    }

    #[test]
    fn one_cycle_rises_and_falls_to_its_end_at_any_length() {
        for steps in [1, 2, 3, 10, 1000] {
            let rates: Vec<f32> = (0..steps).map(|step| OneCycle::new(1.0).lr(at(step, steps))).collect();
            assert!(rates.iter().all(|rate| (4e-6..=1.0).contains(rate)), "{rates:?}");
            assert!(rates[steps as usize - 1] < 1e-5, "{rates:?}");
            assert!(steps < 10 || rates.contains(&1.0), "{rates:?}");
        }
        for (rise, steps) in [(0.0, 5), (0.9, 5), (0.95, 10), (0.3, 1)] {
            let last = OneCycle::new(1.0).rise(rise).lr(at(steps - 1, steps));
            assert!((4e-6..1e-5).contains(&last), "{rise} of {steps}: {last}");
        }
        assert_eq!(OneCycle::new(1.0).rise(2.0), OneCycle::new(1.0).rise(1.0));
    }

    #[test]
    fn a_warm_up_rises_to_where_the_other_schedule_starts() {
        let mut rate = warm_up(4, Cosine::new(1.0));
        let rates: Vec<f32> = (0..12).map(|step| rate.lr(at(step, 12))).collect();
        assert_eq!(rates[..5], [0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(rates[5..], std::array::from_fn::<f32, 7, _>(|step| Cosine::new(1.0).lr(at(step as u64 + 1, 8))));
        assert_eq!(warm_up(100, Constant::new(1.0)).lr(at(0, 1)), 1.0);
        // Ten steps are an epoch.
        let mut rate = warm_up(20, StepDecay::new(1.0, 1));
        let rates: Vec<f32> = (0..50).map(|step| rate.lr(at(step, 50))).collect();
        assert!(rates[..=20].is_sorted() && rates[20..30] == [1.0; 10], "{rates:?}");
        assert_eq!(rates[30..], [[0.1; 10], [0.1f32.powi(2); 10]].concat());
    }

    #[test]
    fn steps_fall_every_few_epochs() {
        let mut rate = StepDecay::new(1.0, 2).factor(0.5);
        let rates = [0, 10, 20, 30, 40].map(|step| rate.lr(at(step, 50)));
        assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.25]);
    }

    #[test]
    fn a_plateau_waits_out_its_patience() {
        let mut plateau = Plateau::new(1.0).patience(1);
        let mut rates = Vec::new();
        for correct in [50, 60, 60, 59, 60, 61, 61, 61] {
            plateau.epoch(&epoch(correct));
            rates.push(plateau.lr(at(0, 1)));
        }
        assert_eq!(rates, [1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.1 * 0.1]);
    }

    #[test]
    fn the_patience_of_a_plateau_is_ten_epochs() {
        let mut plateau = Plateau::new(1.0);
        let rates: Vec<f32> = (0..12)
            .map(|_| {
                plateau.epoch(&epoch(50));
                plateau.lr(at(0, 1))
            })
            .collect();
        assert_eq!((&rates[..11], rates[11]), (&[1.0; 11][..], 0.1));
    }

    #[test]
    fn a_plateau_holds_nothing_against_nan() {
        let mut plateau = Plateau::new(1.0).patience(1).monitor(Monitor::Loss);
        let mut told = |loss| {
            let mut epoch = epoch(50);
            epoch.validation.as_mut().unwrap().loss = loss;
            plateau.epoch(&epoch);
            plateau.lr(at(0, 1))
        };
        assert_eq!([f32::NAN, 3.0, 2.0, f32::NAN, 1.0].map(&mut told), [1.0; 5]);
        assert_eq!([f32::NAN; 2].map(told), [1.0, 0.1]);
    }

    #[test]
    fn what_a_plateau_remembers_can_be_restored() {
        let mut plateau = Plateau::new(1.0).patience(1);
        let mut restored = plateau;
        for correct in [50, 50, 50, 70] {
            plateau.epoch(&epoch(correct));
            restored.restore(&plateau.memory()).unwrap();
            assert_eq!(restored, plateau);
        }
        let mut other = Plateau::new(0.5).patience(1);
        other.restore(&plateau.memory()).unwrap();
        assert_eq!((other.lr, other.best, other.waited), (0.5, plateau.best, plateau.waited));
        restored.restore(&Plateau::new(1.0).memory()).unwrap();
        assert_eq!(restored, Plateau::new(1.0).patience(1));
        for wrong in [-1.0, f64::NAN, 1e19] {
            let error = restored.restore(&[0.1, 0.5, wrong, 1.0]).unwrap_err().to_string();
            assert!(
                error.starts_with("epochs that a plateau has waited: expected from 0 to 9007199254740992"),
                "{error}"
            );
        }
        let error = Cosine::new(1.0).restore(&plateau.memory()).unwrap_err();
        assert_eq!(error.to_string(), "numbers that a schedule remembers: expected 0, found 4");
    }
}
