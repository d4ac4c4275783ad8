//! What a training run tells while it runs.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::error::Error;

/// One step that was just made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// The step in the epoch, counted from 0.
    pub step: usize,
    /// Steps in each epoch.
    pub steps: usize,
    /// Learning rate of the step.
    pub lr: f32,
    /// Loss of the batch, before the step.
    pub loss: f32,
    /// Mean loss of the epoch so far.
    pub mean_loss: f32,
    /// Part of the epoch's images so far whose class was found in training, from 0 to 1.
    pub accuracy: f64,
    /// Images of the epoch so far.
    pub images: usize,
    /// Images in each epoch.
    pub total_images: usize,
}

/// One epoch that was just finished.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// Epochs of the run.
    pub epochs: usize,
    /// Mean loss over the epoch, each batch's before its step.
    pub loss: f32,
    /// Part of the images whose class was found in training, from 0 to 1.
    pub accuracy: f64,
    /// Images of the epoch.
    pub images: usize,
    /// Time the epoch took.
    pub time: Duration,
}

/// Looks on while a network of type `N` is trained: progress bars, tests after each epoch, early ends.
///
/// `()` looks away, and a closure `|step: &Step| ..` is called after each step.
pub trait Callback<N> {
    /// Called after each step.
    fn step(&mut self, step: &Step) {
        let _ = step;
    }

    /// Called after each epoch; `Break` ends the run.
    ///
    /// # Errors
    /// Whatever makes the run fail.
    fn epoch(&mut self, network: &N, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        let _ = (network, epoch);
        Ok(ControlFlow::Continue(()))
    }
}

impl<N> Callback<N> for () {}

impl<N, F: FnMut(&Step)> Callback<N> for F {
    fn step(&mut self, step: &Step) {
        self(step);
    }
}
