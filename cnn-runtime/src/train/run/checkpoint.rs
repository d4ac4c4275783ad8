//! A run in a file, to be taken up again as if it had never stopped.
//!
//! The file is a safetensors file: the network's tensors under their own names, what the optimiser remembers of each as
//! `velocity/NAME` and so on, the averaged weights as `average/NAME` and those of the best epoch as `best/NAME`. All else
//! stands in its metadata, as JSON under `run`. Random numbers need no state: they follow from the seed and the place in
//! the run.

use std::collections::BTreeMap;
use std::path::Path;

use cnn_model::stranger;
use serde::{Deserialize, Serialize};

use super::super::average::Average;
use super::{Best, Run, Tally};
use crate::buffer::Buffer;
use crate::data::Dataset;
use crate::error::Error;
use crate::info::{NetInfo, TensorInfo};
use crate::network::Network;
use crate::optim::{Memory, Optimizer, listed};
use crate::params;
use crate::train::Epoch;
use crate::train::record::{EpochRecord, Exact, MOST};
use crate::weights::{self, RUN, Tensor, Weights};

/// What the record looks like; another number cannot be read.
const VERSION: u32 = 2;

/// A run without its tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    network: String,
    hash: String,
    layers: Vec<String>,
    /// What must not change: the seed, and how samples make steps.
    seed: u64,
    samples: usize,
    batch: usize,
    accumulate: usize,
    step: u64,
    tally: (Exact, usize, usize, Exact),
    skipped: Vec<String>,
    /// The rule by its name; not in files of before it was kept.
    optimizer: Option<String>,
    lr: Exact,
    /// The rate that the optimiser was handed over with, if no schedule sets it.
    given_lr: Option<Exact>,
    optimizer_steps: u64,
    buffers: Vec<String>,
    schedule: Vec<Exact>,
    averaged_steps: Option<u64>,
    /// What `best` is a score of; not in files of before it was kept.
    monitor: Option<String>,
    best: Option<Exact>,
    waited: usize,
    best_is_kept: bool,
    history: Vec<EpochRecord>,
}

/// Which buffers a tensor's values stand in: those of parameters, or of running statistics.
type Pair = (Buffer, Buffer);

impl<N: Network, O: Optimizer, D: Dataset + ?Sized> Run<'_, '_, N, O, D> {
    /// Writes the checkpoint, if one was asked for.
    pub(super) fn write_checkpoint(&self) -> Result<(), Error> {
        self.trainer.checkpoints.write.as_deref().map_or(Ok(()), |path| self.save(path))
    }

    /// Writes the checkpoint after a step, if that was asked for. After the last step of an epoch, its end does.
    pub(super) fn write_checkpoint_in_epoch(&self) -> Result<(), Error> {
        let every = self.trainer.checkpoints.every;
        let ends = self.step == self.length.steps || !self.is_in_epoch();
        if ends || every.is_none_or(|every| !self.step.is_multiple_of(every)) {
            return Ok(());
        }
        self.write_checkpoint()
    }

    /// Writes the run as it stands between two steps. Whatever happens meanwhile, the file at `path` is the old one or
    /// the new one, whole.
    fn save(&self, path: &Path) -> Result<(), Error> {
        let params = self.network.params();
        let mut tensors = stored::<N>("", params.values(), params.state());
        let memory = self.trainer.optimizer.memory();
        for (name, buffer) in memory.buffers() {
            if buffer.len() != N::INFO.param_floats {
                let expected = format!("{}, as many as the parameters take", N::INFO.param_floats);
                let (what, found) = ("floats in a buffer of the optimiser", format!("{} in `{name}`", buffer.len()));
                return Err(Error::DataMismatch { what, expected, found });
            }
            let trained = N::INFO.tensors.iter().filter(|tensor| !tensor.role.is_state());
            tensors.extend(trained.map(|tensor| part(&format!("{name}/"), tensor, buffer)));
        }
        if let Some(average) = &self.average {
            tensors.extend(stored::<N>("average/", &average.values, &average.state));
        }
        if let Some((values, state)) = &self.best.kept {
            tensors.extend(stored::<N>("best/", values, state));
        }
        let record = serde_json::to_string(&self.record()).expect("texts and numbers are JSON");
        weights::write_safetensors(path, &BTreeMap::from([(RUN.to_owned(), record)]), &tensors)
    }

    fn record(&self) -> Record {
        let memory = self.trainer.optimizer.memory();
        let Tally { loss, correct, images, time } = self.tally;
        Record {
            version: VERSION,
            network: N::INFO.name.to_owned(),
            hash: format!("{:016x}", N::INFO.hash),
            layers: layers(N::INFO),
            seed: self.trainer.settings.seed,
            samples: self.data.len(),
            batch: self.length.batch,
            accumulate: self.length.accumulate,
            step: self.step,
            tally: (Exact(loss), correct, images, Exact(time.as_secs_f64())),
            skipped: self.skipped.clone(),
            optimizer: Some(self.trainer.optimizer.name().to_owned()),
            lr: Exact(f64::from(memory.lr)),
            given_lr: self.trainer.schedule.is_none().then_some(Exact(f64::from(self.trainer.start.memory.lr))),
            optimizer_steps: memory.steps,
            buffers: memory.buffers().map(|(name, _)| name.to_owned()).collect(),
            schedule: self.trainer.schedule.iter().flat_map(|schedule| schedule.memory()).map(Exact).collect(),
            averaged_steps: self.average.as_ref().map(|average| average.steps),
            monitor: Some(format!("{:?}", self.trainer.settings.monitor)),
            best: self.best.score.map(Exact),
            waited: self.best.waited,
            best_is_kept: self.best.kept.is_some(),
            history: self.history.epochs.iter().map(EpochRecord::from).collect(),
        }
    }

    /// Takes the run up where the file left it. Nothing changes if the file is not this run's.
    pub(super) fn restore(&mut self, path: &Path) -> Result<(), Error> {
        let file = Weights::open(path)?;
        let text =
            file.metadata().get(RUN).ok_or_else(|| file.invalid("expected a checkpoint, found weights".into()))?;
        let record: Record = serde_json::from_str(text)
            .map_err(|error| file.invalid(format!("expected the record of a run: {}", line(&error.to_string()))))?;
        self.compare(&record, &file)?;

        let pair = |prefix: &str| -> Result<Pair, Error> {
            let mut pair = (Buffer::zeroed(N::INFO.param_floats), Buffer::zeroed(N::INFO.state_floats));
            for tensor in N::INFO.tensors {
                read(&file, prefix, tensor, if tensor.role.is_state() { &mut pair.1 } else { &mut pair.0 })?;
            }
            Ok(pair)
        };
        let (values, state) = pair("")?;
        let average = record.averaged_steps.map(|steps| pair("average/").map(|pair| (steps, pair))).transpose()?;
        let kept = record.best_is_kept.then(|| pair("best/")).transpose()?;
        let mut buffers = Vec::new();
        for name in record.buffers {
            if buffers.iter().any(|(known, _)| *known == name) {
                return Err(file.invalid(format!("expected buffers of an optimiser, found {} twice", line(&name))));
            }
            let mut buffer = Buffer::zeroed(N::INFO.param_floats);
            for tensor in N::INFO.tensors.iter().filter(|tensor| !tensor.role.is_state()) {
                read(&file, &format!("{name}/"), tensor, &mut buffer)?;
            }
            buffers.push((name, buffer));
        }
        let schedule: Vec<f64> = record.schedule.iter().map(|number| number.0).collect();
        match &mut self.trainer.schedule {
            Some(kept) => kept.restore(&schedule).map_err(|error| file.invalid(error.to_string()))?,
            None if schedule.is_empty() => {}
            None => return Err(file.invalid("expected no schedule, as this run has none".into())),
        }

        self.network.params_mut().values_mut().copy_from_slice(&values);
        self.network.params_mut().state_mut().copy_from_slice(&state);
        self.average = match (self.trainer.settings.average, average) {
            (Some(decay), Some((steps, (values, state)))) => Some(Average { decay, steps, values, state }),
            (Some(decay), None) => Some(Average::new(self.network, decay)),
            (None, _) => None,
        };
        self.best = self.comparable(
            record.monitor,
            record.best.map(|score| score.0).filter(|score| !score.is_nan()),
            record.waited,
            kept,
        );
        // A new rate is asked for; the old one may have been changed since by the rule itself. A schedule sets that of each
        // step, but there may be none left to make.
        let given = self.trainer.start.memory.lr;
        let is_scheduled = self.trainer.schedule.is_some();
        let goes_on = is_scheduled || record.given_lr.is_some_and(|before| before.0 as f32 == given);
        let lr = if goes_on { record.lr.0 as f32 } else { given };
        *self.trainer.optimizer.memory_mut() = Memory::restored(lr, record.optimizer_steps, buffers);
        self.step = record.step;
        let (loss, correct, images, seconds) = record.tally;
        self.tally = Tally { loss: loss.0, correct, images, time: seconds.time() };
        self.skipped = record.skipped;
        self.history.epochs = record.history.into_iter().map(Epoch::from).collect();
        Ok(())
    }

    /// The best epoch so far as far as others can be held against it: if its score is of the same monitor and, where
    /// the best epoch is to be kept, its weights are there.
    fn comparable(&self, monitor: Option<String>, score: Option<f64>, waited: usize, kept: Option<Pair>) -> Best {
        let settings = &self.trainer.settings;
        let is_another = monitor.is_some_and(|monitor| monitor != format!("{:?}", settings.monitor));
        let is_lost = settings.keep_best && score.is_some() && kept.is_none();
        if is_another || is_lost {
            return Best::default();
        }
        Best { score, waited, kept: kept.filter(|_| settings.keep_best) }
    }

    /// Refuses the record of another run.
    fn compare(&self, record: &Record, file: &Weights) -> Result<(), Error> {
        let differs = |what: &str, expected: &dyn ToString, found: &dyn ToString| {
            let (expected, found) = (expected.to_string(), found.to_string());
            if expected == found {
                return Ok(());
            }
            let found = line(&found);
            Err(file.invalid(format!("{what}: expected {expected}, as this run has it, found {found}")))
        };
        differs("version of the checkpoint", &VERSION, &record.version)?;
        let own = layers(N::INFO);
        let count = own.len().max(record.layers.len());
        let layer = |layers: &[String], at: usize| layers.get(at).cloned().unwrap_or_else(|| "none".into());
        for at in 0..count {
            let what = format!("layer {} of {} and of {}", at + 1, N::INFO.name, line(&record.network));
            differs(&what, &layer(&own, at), &layer(&record.layers, at))?;
        }
        differs("hash of the network", &format!("{:016x}", N::INFO.hash), &record.hash)?;
        differs("seed", &self.trainer.settings.seed, &record.seed)?;
        differs("samples of the data", &self.data.len(), &record.samples)?;
        differs("samples of a batch", &self.length.batch, &record.batch)?;
        differs("batches of a step", &self.length.accumulate, &record.accumulate)?;
        if let Some(optimizer) = &record.optimizer {
            differs("optimiser", &self.trainer.optimizer.name(), optimizer)?;
        }
        // Before its first step no rule has any.
        let is_used = record.optimizer_steps > 0 || !record.buffers.is_empty();
        if let Some(buffers) = self.trainer.optimizer.buffers().filter(|_| is_used) {
            differs("buffers of the optimiser", &listed(buffers), &listed(&record.buffers))?;
        }
        let (_, correct, images, _) = record.tally;
        let counts = [
            ("steps made", record.step, self.length.steps.min(MOST)),
            ("steps of the optimiser", record.optimizer_steps, MOST),
            ("steps of the average", record.averaged_steps.unwrap_or(0), MOST),
            ("epochs without a better one", record.waited as u64, MOST),
            ("images of the epoch", images as u64, record.samples as u64),
            ("images whose class was found", correct as u64, images as u64),
        ];
        if let Some((what, count, most)) = counts.into_iter().find(|(_, count, most)| count > most) {
            return Err(file.invalid(format!("{what}: expected at most {most}, found {count}")));
        }
        differs("epochs made", &(record.step / self.length.per_epoch as u64), &record.history.len())?;
        match record.history.iter().enumerate().find(|(at, epoch)| epoch.epoch != *at) {
            Some((at, epoch)) => differs("epoch of the history", &at, &epoch.epoch),
            None => Ok(()),
        }
    }
}

/// A text out of a file, which nobody vouches for, as a piece of a line. Long enough for a layer with all its options.
fn line(text: &str) -> String {
    stranger::start(text, 200)
}

/// Every layer as it is declared, with its name and its output.
fn layers(info: &NetInfo) -> Vec<String> {
    let output = |layer: &[usize]| layer.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    info.layers.iter().map(|layer| format!("{} = {} <{}>", layer.name, layer.text, output(layer.output))).collect()
}

/// All tensors of a network whose floats stand in these buffers.
fn stored<'a, N: Network>(prefix: &str, values: &'a [f32], state: &'a [f32]) -> Vec<Tensor<'a>> {
    let tensors = N::INFO.tensors.iter();
    tensors.map(|tensor| part(prefix, tensor, if tensor.role.is_state() { state } else { values })).collect()
}

/// One tensor's part of a buffer.
fn part<'a>(prefix: &str, tensor: &'static TensorInfo, buffer: &'a [f32]) -> Tensor<'a> {
    Tensor::stored(format!("{prefix}{}", tensor.name), tensor, &buffer[params::range(tensor)])
}

/// Reads a tensor to its place in a buffer.
fn read(file: &Weights, prefix: &str, tensor: &'static TensorInfo, buffer: &mut [f32]) -> Result<(), Error> {
    let values = file.tensor(&format!("{prefix}{}", tensor.name))?;
    if values.shape() != tensor.shape {
        let found = values.shape().to_vec();
        return Err(Error::TensorShape { name: tensor.name, expected: tensor.shape, found });
    }
    let values = values.as_slice().expect("a tensor that was read is in one piece");
    tensor.layout.pack(tensor.rows(), values, &mut buffer[params::range(tensor)]);
    Ok(())
}

#[cfg(test)]
mod tests;
