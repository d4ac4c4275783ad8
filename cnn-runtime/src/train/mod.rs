//! Training: epochs of shuffled batches.
//!
//! [`Trainer`] is the plain loop: shuffle, read a batch, forward, loss, backward, step. Whoever needs another loop
//! writes it with the same calls: [`Network::forward_train`], [`TrainWorkspace::loss`], [`Network::backward`] and
//! [`Optimizer::step`].

mod callback;
#[cfg(test)]
mod tests;

use std::time::Instant;

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::data::{Dataset, Draw, check_input, fill_batch};
use crate::error::Error;
use crate::loss::SoftmaxCrossEntropy;
use crate::metrics;
use crate::network::Network;
use crate::optim::Optimizer;
use crate::random;
use crate::workspace::TrainWorkspace;

pub use callback::{ByRef, Callback, Epoch, Step};

/// Where a run stands, for a learning-rate schedule to decide by.
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
}

/// A learning rate for every step.
type Schedule = Box<dyn FnMut(Position) -> f32 + Send>;

/// Trains networks that classify, with softmax cross-entropy.
///
/// The seed decides the order of the samples, their augmentation and what dropout drops; the same seed gives the same
/// run, bit for bit, on any number of threads.
///
/// ```no_run
/// use cnn_runtime::prelude::*;
///
/// fn train<N: Network>(network: &mut N, digits: &impl Dataset) -> Result<(), Error> {
///     let sgd = Sgd::new(0.05).momentum(0.9).weight_decay(5e-4);
///     let mut trainer = Trainer::new(sgd)
///         .epochs(10)
///         .batch(64)
///         .seed(1)
///         .schedule(|at| if at.epoch < 8 { 0.05 } else { 0.005 });
///     let history = trainer.fit(network, digits, |step: &Step| println!("loss {}", step.mean_loss))?;
///     println!("{:.1} % of the training digits", 100.0 * history.epochs[9].accuracy);
///     Ok(())
/// }
/// ```
pub struct Trainer<'d, O> {
    optimizer: O,
    epochs: usize,
    batch: usize,
    seed: u64,
    schedule: Option<Schedule>,
    validation: Option<&'d dyn Dataset>,
}

/// What became of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The epochs, in order.
    pub epochs: Vec<Epoch>,
}

impl<'d, O: Optimizer> Trainer<'d, O> {
    /// One epoch in batches of 32 under seed 0, unless told otherwise.
    pub fn new(optimizer: O) -> Self {
        Trainer { optimizer, epochs: 1, batch: 32, seed: 0, schedule: None, validation: None }
    }

    /// How often the network sees every sample.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Samples a step learns from. The last batch of an epoch is smaller if the data do not divide.
    #[must_use]
    pub fn batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// What order, augmentation and dropout depend on.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the learning rate before each step. Without a schedule it stays as the optimiser has it.
    #[must_use]
    pub fn schedule(mut self, schedule: impl FnMut(Position) -> f32 + Send + 'static) -> Self {
        self.schedule = Some(Box::new(schedule));
        self
    }

    /// Data to evaluate the network on after each epoch: what it finds stands in [`Epoch::validation`].
    #[must_use]
    pub fn validate(mut self, data: &'d dyn Dataset) -> Self {
        self.validation = Some(data);
        self
    }

    /// The optimiser.
    pub fn optimizer(&self) -> &O {
        &self.optimizer
    }

    /// Trains `network` on `data`. The network keeps what it learned also if this fails.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a batch of 0; [`Error::DataMismatch`] if the data are not of the network's input
    /// shape or there are none; [`Error::LossNotFinite`] naming the step at which the loss became NaN or infinite, with
    /// the network as it was before that step; what the data, the optimiser or the callback find wrong.
    pub fn fit<N: Network>(
        &mut self,
        network: &mut N,
        data: &(impl Dataset + ?Sized),
        mut callback: impl Callback<N>,
    ) -> Result<History, Error> {
        if self.batch == 0 {
            let (option, expected) = ("batch size", "at least 1");
            return Err(Error::InvalidOption { option, expected, found: "0".into() });
        }
        check_input(data, N::INFO)?;
        let mut run = Run::new(network, data.len(), self.batch);
        let mut history = History::default();
        for epoch in 0..self.epochs {
            let mut report = self.epoch(network, data, epoch, &mut run, &mut callback)?;
            if let Some(validation) = self.validation {
                report.validation = Some(metrics::evaluate(network, &mut network.workspace(256), validation)?);
            }
            let flow = callback.epoch(network, &report)?;
            history.epochs.push(report);
            if flow.is_break() {
                break;
            }
        }
        Ok(history)
    }

    /// One pass over the data.
    fn epoch<N: Network>(
        &mut self,
        network: &mut N,
        data: &(impl Dataset + ?Sized),
        epoch: usize,
        run: &mut Run<N>,
        callback: &mut impl Callback<N>,
    ) -> Result<Epoch, Error> {
        let start = Instant::now();
        run.shuffle(self.seed, epoch);
        let steps = data.len().div_ceil(run.batch());
        let (mut total_loss, mut correct, mut images) = (0.0, 0, 0);
        for step in 0..steps {
            let position = Position {
                epoch,
                epochs: self.epochs,
                step: epoch as u64 * steps as u64 + step as u64,
                steps: self.epochs as u64 * steps as u64,
            };
            if let Some(schedule) = &mut self.schedule {
                self.optimizer.set_lr(schedule(position));
            }
            let made = run.step(network, data, &mut self.optimizer, self.seed, position)?;
            total_loss += f64::from(made.loss) * made.samples as f64;
            correct += made.correct;
            images += made.samples;
            callback.step(&Step {
                epoch,
                step,
                steps,
                lr: self.optimizer.lr(),
                loss: made.loss,
                mean_loss: (total_loss / images as f64) as f32,
                accuracy: correct as f64 / images as f64,
                images,
                total_images: data.len(),
            });
        }
        let (loss, accuracy) = ((total_loss / images as f64) as f32, correct as f64 / images as f64);
        let (time, lr) = (start.elapsed(), self.optimizer.lr());
        Ok(Epoch { epoch, epochs: self.epochs, loss, accuracy, images, time, lr, validation: None })
    }
}

/// The memory of a run: all of it is made before the first step.
struct Run<N> {
    workspace: TrainWorkspace<N>,
    /// The samples in this epoch's order.
    order: Vec<usize>,
    labels: Vec<usize>,
    /// The running statistics before the current step.
    kept_state: Vec<f32>,
}

/// What one step did.
struct Made {
    samples: usize,
    correct: usize,
    loss: f32,
}

impl<N: Network> Run<N> {
    fn new(network: &N, samples: usize, batch: usize) -> Self {
        let batch = batch.min(samples);
        Run {
            workspace: network.train_workspace(batch),
            order: (0..samples).collect(),
            labels: vec![0; batch],
            kept_state: network.params().state().to_vec(),
        }
    }

    fn batch(&self) -> usize {
        self.labels.len()
    }

    /// Puts the samples in the order of `epoch`, which depends on no epoch before it.
    fn shuffle(&mut self, seed: u64, epoch: usize) {
        self.order.iter_mut().enumerate().for_each(|(at, index)| *index = at);
        self.order.shuffle(&mut random::stream(seed, "shuffle", epoch as u64, 0));
    }

    /// One step on the batch at `position`.
    fn step(
        &mut self,
        network: &mut N,
        data: &(impl Dataset + ?Sized),
        optimizer: &mut impl Optimizer,
        seed: u64,
        position: Position,
    ) -> Result<Made, Error> {
        let epoch = position.epoch as u64;
        let batches = self.order.len().div_ceil(self.batch()) as u64;
        let first = (position.step % batches) as usize * self.batch();
        let indices = &self.order[first..self.order.len().min(first + self.batch())];
        let samples = indices.len();
        let labels = &mut self.labels[..samples];
        let draw = |at: usize| Draw { index: indices[at], epoch, seed };
        fill_batch(data, draw, self.workspace.samples_mut(samples), labels)?;

        let dropout_seed = random::stream(seed, "dropout", position.step, 0).random();
        self.kept_state.copy_from_slice(network.params().state());
        self.workspace.run_forward(network, samples, dropout_seed);
        let outcome = self.learn(network, optimizer, samples);
        if outcome.is_err() {
            network.params_mut().state_mut().copy_from_slice(&self.kept_state);
        }
        outcome.map_err(|error| match error {
            Error::LossNotFinite { loss, .. } => Error::LossNotFinite { loss, step: Some(position.step) },
            other => other,
        })
    }

    /// The half of a step that follows the forward pass.
    fn learn(&mut self, network: &mut N, optimizer: &mut impl Optimizer, samples: usize) -> Result<Made, Error> {
        let labels = &self.labels[..samples];
        let loss = self.workspace.loss(&SoftmaxCrossEntropy, labels)?;
        let correct = metrics::correct(self.workspace.output()?, labels)?;
        network.backward(&mut self.workspace)?;
        optimizer.step(network, &self.workspace)?;
        Ok(Made { samples, correct, loss })
    }
}
