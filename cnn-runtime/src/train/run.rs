//! One run of a trainer, from its first step to its last.

#[cfg(feature = "safetensors")]
mod checkpoint;
mod measures;

use std::mem;
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::seq::SliceRandom;

use super::average::Average;
use super::targets::{Targets, kept_part, mix};
use super::{Callback, Epoch, History, Position, Settings, Step, Trainer};
use crate::buffer::Buffer;
use crate::data::{Batch, Batches, Dataset, Labelled, Plan};
use crate::error::Error;
use crate::info::{TensorInfo, check_layer, is_of};
use crate::kernel::pieces::{CHUNK, each, part};
use crate::loss::SoftmaxCrossEntropy;
use crate::metrics::{self, Summary};
use crate::network::Network;
use crate::optim::{Optimizer, clip, scale};
use crate::random;
use crate::workspace::{TrainWorkspace, Workspace};
use measures::{Measures, Tally};

/// A run: the trainer, what it works on, and all the memory it needs, made before the first step.
pub(super) struct Run<'r, 'd, N, O, D: ?Sized> {
    trainer: &'r mut Trainer<'d, O>,
    network: &'r mut N,
    data: &'r D,
    length: Measures,
    /// Steps made.
    step: u64,
    /// What they brought in the current epoch.
    tally: Tally,
    /// The samples in this epoch's order.
    order: Vec<usize>,
    /// What was wrong with samples of the epoch.
    skipped: Vec<String>,
    /// Softened or mixed labels, if the settings ask for them.
    targets: Option<Targets>,
    workspace: TrainWorkspace<N>,
    evaluation: Option<Workspace<N>>,
    /// The gradients of a step's batches so far, times their samples.
    sum: Option<Buffer>,
    /// What is not frozen.
    trained: Vec<TensorInfo>,
    /// The running statistics before the current step.
    kept_state: Vec<f32>,
    average: Option<Average>,
    best: Best,
    history: History,
}

/// The best epoch so far.
#[derive(Debug, Default)]
struct Best {
    score: Option<f64>,
    /// Epochs since then.
    waited: usize,
    /// Parameters and running statistics, if they are to be kept.
    kept: Option<(Buffer, Buffer)>,
}

impl<'r, 'd, N: Network, O: Optimizer, D: Dataset + ?Sized> Run<'r, 'd, N, O, D> {
    pub(super) fn new(trainer: &'r mut Trainer<'d, O>, network: &'r mut N, data: &'r D) -> Result<Self, Error> {
        let settings = &trainer.settings;
        let length = Measures::new(data.len(), settings.batch, settings.accumulate, settings.length);
        let soften = settings.smoothing > 0.0 || settings.mixup > 0.0;
        let is_frozen = freezer::<N>(settings)?;
        let mut workspace = network.train_workspace(length.batch);
        workspace.set_frozen(N::INFO.layers.iter().map(|layer| is_frozen(layer.name)).collect());
        let trained = N::INFO.tensors.iter().copied().filter(|tensor| !is_frozen(tensor.name)).collect();
        Ok(Run {
            length,
            step: 0,
            tally: Tally::default(),
            order: (0..data.len()).collect(),
            skipped: Vec::new(),
            targets: soften.then(|| Targets::new(length.batch, N::INFO.train.output.len, settings.smoothing)),
            workspace,
            evaluation: trainer.validation.map(|_| network.workspace(length.batch)),
            sum: (settings.accumulate > 1).then(|| Buffer::zeroed(N::INFO.param_floats)),
            trained,
            kept_state: network.params().state().to_vec(),
            average: settings.average.map(|decay| Average::new(network, decay)),
            best: Best::default(),
            history: History::default(),
            trainer,
            network,
            data,
        })
    }

    /// The whole run.
    pub(super) fn fit(mut self, mut callback: impl Callback<N>) -> Result<History, Error> {
        #[cfg(feature = "safetensors")]
        if let Some(path) = self.trainer.checkpoints.resume.clone() {
            self.restore(&path)?;
        }
        let outcome = self.epochs(&mut callback);
        if let Some((values, state)) = &self.best.kept {
            self.network.params_mut().values_mut().copy_from_slice(values);
            self.network.params_mut().state_mut().copy_from_slice(state);
        } else if outcome.is_ok() {
            self.swap_average();
        }
        outcome.map(|()| self.history)
    }

    /// The epochs that are left.
    fn epochs(&mut self, callback: &mut impl Callback<N>) -> Result<(), Error> {
        while (self.step < self.length.steps || self.is_in_epoch()) && !self.is_patience_over() {
            self.epoch(callback)?;
            // A longer run goes on inside an epoch that this one cuts short: the file has it as it is before its end.
            let is_cut = self.is_in_epoch();
            #[cfg(feature = "safetensors")]
            if is_cut {
                self.write_checkpoint()?;
            }
            let flow = self.close_epoch(callback)?;
            #[cfg(feature = "safetensors")]
            if !is_cut {
                self.write_checkpoint()?;
            }
            if is_cut || flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Whether some steps of an epoch are made, and not all.
    fn is_in_epoch(&self) -> bool {
        !self.step.is_multiple_of(self.length.per_epoch as u64)
    }

    /// The steps of the current epoch that are left.
    fn epoch(&mut self, callback: &mut impl Callback<N>) -> Result<(), Error> {
        let position = self.length.position(self.step);
        self.order_of(position.epoch);
        let order = mem::take(&mut self.order);
        let mut ahead = mem::take(&mut self.trainer.ahead);
        let plan = Plan {
            order: &order,
            batch: self.length.batch,
            first: self.length.batches_of(position).start,
            epoch: position.epoch as u64,
            seed: self.trainer.settings.seed,
        };
        let data = Labelled { data: self.data, classes: N::INFO.train.output.len };
        let outcome = ahead.run(&data, plan, |batches| {
            let end = self.length.steps.min((position.epoch as u64 + 1) * self.length.per_epoch as u64);
            (self.step..end).try_for_each(|_| self.step(batches, callback))
        });
        (self.order, self.trainer.ahead) = (order, ahead);
        outcome
    }

    /// One step and its report. If it fails, the network is as it was before.
    fn step(&mut self, batches: &mut Batches<'_>, callback: &mut impl Callback<N>) -> Result<(), Error> {
        let start = Instant::now();
        let position = self.length.position(self.step);
        if let Some(schedule) = &mut self.trainer.schedule {
            self.trainer.optimizer.set_lr(schedule.lr(position));
        }
        self.kept_state.copy_from_slice(self.network.params().state());
        let made = self.learn(position, batches).map_err(|error| {
            self.network.params_mut().state_mut().copy_from_slice(&self.kept_state);
            match error {
                Error::LossNotFinite { loss, .. } => Error::LossNotFinite { loss, step: Some(position.step) },
                other => other,
            }
        })?;
        self.step += 1;
        self.tally.add(made);
        self.tally.time += start.elapsed();
        self.skipped.extend(batches.take_skipped().into_iter().map(|sample| sample.error.to_string()));
        if made.images > 0 {
            callback.step(&Step {
                epoch: position.epoch,
                step: self.length.in_epoch(position),
                steps: self.length.per_epoch,
                lr: self.trainer.optimizer.lr(),
                loss: made.mean_loss(),
                mean_loss: self.tally.mean_loss(),
                accuracy: self.tally.accuracy(),
                images: self.tally.images,
                total_images: self.data.len(),
            });
        }
        #[cfg(feature = "safetensors")]
        self.write_checkpoint_in_epoch()?;
        Ok(())
    }

    /// Passes over the batches of a step, and the update. No update if every sample was left out.
    fn learn(&mut self, position: Position, batches: &mut Batches<'_>) -> Result<Tally, Error> {
        let Range { start: first, end } = self.length.batches_of(position);
        let mut made = Tally::default();
        if let Some(sum) = &mut self.sum {
            sum.fill(0.0);
        }
        while let Some(batch) = batches.next_before(end)? {
            made.add(self.pass(batch, position.step, (batch.number() - first) as u64)?);
        }
        if made.images > 0 {
            self.update(position.step, made.images)?;
        }
        Ok(made)
    }

    /// Both passes over a batch, which is number `turn` of its step.
    fn pass(&mut self, batch: &Batch, step: u64, turn: u64) -> Result<Tally, Error> {
        let settings = &self.trainer.settings;
        let (samples, labels) = (batch.len(), batch.labels());
        let images = self.workspace.samples_mut(samples);
        images.copy_from_slice(batch.images());
        if let Some(targets) = &mut self.targets {
            targets.set(labels)?;
            if settings.mixup > 0.0 {
                let kept = kept_part(settings.mixup, settings.seed, step, turn);
                mix(images, samples, kept);
                mix(targets.values_mut(samples), samples, kept);
            }
        }
        let dropout_seed = random::stream(settings.seed, "dropout", step, turn).random();
        self.workspace.run_forward(self.network, samples, dropout_seed);
        let loss = match &self.targets {
            Some(targets) => self.workspace.loss(&SoftmaxCrossEntropy, &targets.rows(samples))?,
            None => self.workspace.loss(&SoftmaxCrossEntropy, labels)?,
        };
        let correct = metrics::correct(self.workspace.output()?, labels)?;
        self.network.backward(&mut self.workspace)?;
        if let Some(sum) = &mut self.sum {
            let gradients = self.workspace.gradients("step")?;
            each(sum, CHUNK, 2 * gradients.len(), |i, sum| {
                sum.iter_mut().zip(part(gradients, i, CHUNK)).for_each(|(sum, d)| *sum += samples as f32 * d);
            });
        }
        Ok(Tally { loss: f64::from(loss) * samples as f64, correct, images: samples, time: Duration::ZERO })
    }

    /// Changes the parameters by the gradients of `step`, which had so many samples.
    fn update(&mut self, step: u64, samples: usize) -> Result<(), Error> {
        let gradients = match &mut self.sum {
            Some(sum) => {
                scale(sum, &self.trained, 1.0 / samples as f32);
                &mut sum[..]
            }
            None => self.workspace.gradients_mut("step")?,
        };
        if let Some(longest) = self.trainer.settings.clip {
            let norm = clip(gradients, &self.trained, longest);
            if !norm.is_finite() {
                return Err(Error::GradientNotFinite { norm, step });
            }
        }
        self.trainer.optimizer.update(self.network.params_mut().values_mut(), gradients, &self.trained)?;
        if let Some(average) = &mut self.average {
            average.add(self.network);
        }
        Ok(())
    }

    /// Validates and reports the epoch whose steps are made; `Break` ends the run.
    fn close_epoch(&mut self, callback: &mut impl Callback<N>) -> Result<ControlFlow<()>, Error> {
        self.swap_average();
        let outcome = self.report_epoch(callback);
        self.swap_average();
        outcome
    }

    fn report_epoch(&mut self, callback: &mut impl Callback<N>) -> Result<ControlFlow<()>, Error> {
        let validation = match (self.trainer.validation, &mut self.evaluation) {
            (Some(data), Some(workspace)) => {
                let (found, skipped) = metrics::evaluate_ahead(self.network, workspace, data, &mut self.trainer.ahead)
                    .map_err(validating)?;
                self.skipped.extend(skipped.iter().map(|sample| format!("data to validate on: {}", sample.error)));
                Some(found.summary())
            }
            _ => None,
        };
        let tally = mem::take(&mut self.tally);
        let report = Epoch {
            epoch: self.length.position(self.step - 1).epoch,
            epochs: self.length.epochs,
            loss: tally.mean_loss(),
            accuracy: tally.accuracy(),
            images: tally.images,
            skipped: mem::take(&mut self.skipped),
            time: tally.time,
            lr: self.trainer.optimizer.lr(),
            validation,
        };
        if let Some(schedule) = &mut self.trainer.schedule {
            schedule.epoch(&report);
        }
        if let Some(validation) = &report.validation {
            self.keep_if_best(validation);
        }
        let flow = callback.epoch(self.network, &report)?;
        self.history.epochs.push(report);
        Ok(flow)
    }

    /// Keeps the network if it is the best so far.
    fn keep_if_best(&mut self, validation: &Summary) {
        let settings = &self.trainer.settings;
        let score = settings.monitor.of(validation);
        if settings.monitor.is_better(score, self.best.score, 0.0) {
            let params = self.network.params();
            let copy = || (Buffer::from_slice(params.values()), Buffer::from_slice(params.state()));
            self.best = Best { score: Some(score), waited: 0, kept: settings.keep_best.then(copy) };
        } else {
            self.best.waited += 1;
        }
    }

    fn is_patience_over(&self) -> bool {
        self.trainer.settings.patience.is_some_and(|patience| self.best.waited >= patience.max(1))
    }

    /// Exchanges the network's weights and their average, if one is kept.
    fn swap_average(&mut self) {
        if let Some(average) = &mut self.average {
            average.swap(self.network);
        }
    }

    /// Puts the samples in the order of `epoch`, which depends on no epoch before it.
    pub(super) fn order_of(&mut self, epoch: usize) -> &[usize] {
        self.order.iter_mut().enumerate().for_each(|(at, index)| *index = at);
        self.order.shuffle(&mut random::stream(self.trainer.settings.seed, "shuffle", epoch as u64, 0));
        &self.order
    }
}

/// What goes wrong in validating, told from what goes wrong with the data that are learned from.
fn validating(error: Error) -> Error {
    match error {
        Error::LabelOutOfRange { index, label, classes } => Error::DataMismatch {
            what: "labels of the data to validate on",
            expected: format!("0 to {}", classes.saturating_sub(1)),
            found: format!("{label} of sample {index}"),
        },
        other => other,
    }
}

/// What tells the names of frozen layers and their tensors from others.
fn freezer<N: Network>(settings: &Settings) -> Result<impl Fn(&str) -> bool + use<N>, Error> {
    let (frozen, only) = (settings.frozen.clone(), settings.only.clone());
    frozen.iter().chain(&only).try_for_each(|layer| check_layer(N::INFO, layer))?;
    Ok(move |name: &str| {
        let is_of_any = |layers: &[String]| layers.iter().any(|layer| is_of(name, layer));
        is_of_any(&frozen) || !(only.is_empty() || is_of_any(&only))
    })
}
