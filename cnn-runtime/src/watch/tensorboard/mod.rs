//! Event files for TensorBoard.
//!
//! The crates that write such files have had no release since their dependencies moved on, so this is a writer of its
//! own: scalars only. `tensorboard --logdir FOLDER` shows them.

mod event;
mod record;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use prost::Message;

use crate::error::Error;
use crate::train::{Callback, Epoch, Step};
use event::{Event, Summary, VERSION, Value, What};

/// Steps between two points of the charts of single steps, unless told otherwise.
const EVERY: u64 = 10;

/// A callback that writes an event file, which TensorBoard shows also while the run goes on.
///
/// After each epoch it writes, by the number of steps so far, `loss/train` and `accuracy/train`, with validation data
/// `loss/validation`, `accuracy/validation` and `top5/validation`, `learning rate`, and `images per second`; every few steps
/// `step/loss` and `step/learning rate`.
pub struct TensorBoard {
    path: PathBuf,
    file: BufWriter<File>,
    every: u64,
    /// Steps of the run so far.
    steps: u64,
    /// What went wrong at a step, which cannot report it.
    failure: Option<io::Error>,
}

impl TensorBoard {
    /// A new event file in `folder`, which is made if there is none. TensorBoard takes every folder for a run.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder or the file cannot be made.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let open = || {
            fs::create_dir_all(folder)?;
            let path = free_name(folder);
            let mut file = BufWriter::new(File::create_new(&path)?);
            write(&mut file, 0, What::FileVersion(VERSION.into()))?;
            file.flush()?;
            Ok((path, file))
        };
        let (path, file) = open().map_err(|error| Error::Io { path: Some(folder.to_owned()), error })?;
        Ok(TensorBoard { path, file, every: EVERY, steps: 0, failure: None })
    }

    /// Writes loss and learning rate of every `steps`-th step; of none if 0. Every 10th, unless told otherwise.
    #[must_use]
    pub fn every(mut self, steps: u64) -> Self {
        self.every = steps;
        self
    }

    /// Where the file stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a point at `step` to the chart `tag`. Tags of one prefix, up to a slash, share a section.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f32) -> Result<(), Error> {
        self.write(step, &[(tag, value)]).map_err(|error| self.io(error))
    }

    /// Writes points at `step`, and hands them to the operating system: TensorBoard shows them while the run goes on.
    fn write(&mut self, step: u64, values: &[(&str, f32)]) -> io::Result<()> {
        write(&mut self.file, step, scalars(values))?;
        self.file.flush()
    }

    fn io(&self, error: io::Error) -> Error {
        Error::Io { path: Some(self.path.clone()), error }
    }
}

impl fmt::Debug for TensorBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TensorBoard").field("path", &self.path).field("steps", &self.steps).finish_non_exhaustive()
    }
}

impl<N> Callback<N> for TensorBoard {
    fn step(&mut self, step: &Step) {
        self.steps = step.epoch as u64 * step.steps as u64 + step.step as u64 + 1;
        if self.failure.is_none() && self.steps.checked_rem(self.every) == Some(0) {
            self.failure = self.write(self.steps, &[("step/loss", step.loss), ("step/learning rate", step.lr)]).err();
        }
    }

    fn epoch(&mut self, _: &N, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        if let Some(error) = self.failure.take() {
            return Err(self.io(error));
        }
        let speed = epoch.images as f64 / epoch.time.as_secs_f64().max(1e-9);
        let mut values = vec![
            ("loss/train", epoch.loss),
            ("accuracy/train", epoch.accuracy as f32),
            ("learning rate", epoch.lr),
            ("images per second", speed as f32),
        ];
        if let Some(validation) = &epoch.validation {
            values.push(("loss/validation", validation.loss));
            values.push(("accuracy/validation", validation.accuracy() as f32));
            values.push(("top5/validation", validation.top5() as f32));
        }
        self.write(self.steps, &values).map_err(|error| self.io(error))?;
        Ok(ControlFlow::Continue(()))
    }
}

/// A name that no file in `folder` has, by the time and this process. TensorBoard reads files that have `tfevents` in
/// their names, in the order of these.
fn free_name(folder: &Path) -> PathBuf {
    let (seconds, process) = (now().as_secs(), std::process::id());
    let name = |serial: usize| folder.join(format!("events.out.tfevents.{seconds:010}.cnn.{process}.{serial}"));
    (0..).map(name).find(|path| !path.exists()).expect("there are more names than files")
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn scalars(values: &[(&str, f32)]) -> What {
    let value = |&(tag, value): &(&str, f32)| Value { tag: tag.to_owned(), simple_value: Some(value) };
    What::Summary(Summary { value: values.iter().map(value).collect() })
}

fn write(file: &mut impl Write, step: u64, what: What) -> io::Result<()> {
    let event = Event { wall_time: now().as_secs_f64(), step: step as i64, what: Some(what) };
    record::write(file, &event.encode_to_vec())
}

#[cfg(test)]
mod tests;
