//! Training: epochs of shuffled batches.
//!
//! [`Trainer`] is the whole loop: shuffle, read batches ahead, forward, loss, backward, step, validate. What is asked of
//! it beyond that is a call each: a [`Schedule`], clipped, accumulated or averaged gradients, softened labels, frozen
//! layers, an early end, a [`Callback`] that looks on. Whoever needs another loop writes it with the same calls:
//! [`Network::forward_train`], [`TrainWorkspace::loss`](crate::workspace::TrainWorkspace::loss),
//! [`Network::backward`] and [`Optimizer::step`], of an optimiser that does to gradients what is asked of them: see
//! [`optim`](crate::optim).

mod average;
mod callback;
mod monitor;
#[cfg(feature = "safetensors")]
mod record;
mod run;
mod schedule;
mod targets;
#[cfg(test)]
mod tests;

use std::fmt;
#[cfg(feature = "safetensors")]
use std::path::PathBuf;

#[cfg(feature = "safetensors")]
use crate::atomic;
use crate::data::{Dataset, ReadAhead, check_data, check_output, check_scores};
use crate::error::Error;
use crate::network::Network;
use crate::optim::{Memory, Optimizer};

pub use callback::{ByRef, Callback, Epoch, Step};
pub use monitor::Monitor;
use run::Run;
pub use schedule::{Constant, Cosine, OneCycle, Plateau, Position, Schedule, StepDecay, WarmUp, warm_up};

/// Trains networks that classify, with softmax cross-entropy: their output is a score for each class, which the loss makes
/// probabilities of. So a network that is to end in softmax is trained without it, and its weights, of which softmax has
/// none, are loaded by one with it. Classes that do not exclude each other, whose network is to end in sigmoid, have
/// another loss, [`BinaryCrossEntropy`](crate::loss::BinaryCrossEntropy), whose documentation shows a step.
///
/// The seed decides the order of the samples, their augmentation and what dropout drops; the same seed gives the same
/// run, bit for bit, on any number of threads. Each run begins with the optimiser and the schedule as they were handed
/// over: what they remember of an earlier one is forgotten.
///
/// ```no_run
/// use cnn_runtime::prelude::*;
///
/// fn train<N: Network>(network: &mut N, digits: &impl Dataset, tests: &impl Dataset) -> Result<(), Error> {
///     let sgd = Sgd::new(0.05).momentum(0.9).weight_decay(5e-4);
///     let mut trainer = Trainer::new(sgd)
///         .epochs(10)
///         .batch(64)
///         .seed(1)
///         .schedule(warm_up(100, Cosine::new(0.05)))
///         .validate(tests);
///     let history = trainer.fit(network, digits, |step: &Step| println!("loss {}", step.mean_loss))?;
///     println!("{:.1} % of the training digits", 100.0 * history.epochs[9].accuracy);
///     Ok(())
/// }
/// ```
pub struct Trainer<'d, O> {
    optimizer: O,
    schedule: Option<Box<dyn Schedule + Send + 'd>>,
    start: Start,
    validation: Option<&'d dyn Dataset>,
    ahead: ReadAhead,
    settings: Settings,
    #[cfg(feature = "safetensors")]
    checkpoints: Checkpoints,
}

/// What optimiser and schedule remembered when they were handed over.
#[derive(Clone, Debug, PartialEq)]
struct Start {
    memory: Memory,
    schedule: Vec<f64>,
}

/// Files that a run is written to and taken up from.
#[cfg(feature = "safetensors")]
#[derive(Clone, Debug, Default, PartialEq)]
struct Checkpoints {
    write: Option<PathBuf>,
    /// Steps between two in an epoch.
    every: Option<u64>,
    resume: Option<PathBuf>,
}

/// All settings that are plain values.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    length: Length,
    batch: usize,
    accumulate: usize,
    seed: u64,
    smoothing: f32,
    mixup: f32,
    clip: Option<f32>,
    average: Option<f32>,
    patience: Option<usize>,
    keep_best: bool,
    monitor: Monitor,
    frozen: Vec<String>,
    /// Layers that are trained; none for all.
    only: Vec<String>,
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Epochs(usize),
    Steps(u64),
}

/// What became of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The epochs, in order.
    pub epochs: Vec<Epoch>,
}

/// The settings that are plain values.
impl<O> fmt::Debug for Trainer<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<'d, O: Optimizer> Trainer<'d, O> {
    /// One epoch in batches of 32 under seed 0, unless told otherwise.
    pub fn new(optimizer: O) -> Self {
        let settings = Settings {
            length: Length::Epochs(1),
            batch: 32,
            accumulate: 1,
            seed: 0,
            smoothing: 0.0,
            mixup: 0.0,
            clip: None,
            average: None,
            patience: None,
            keep_best: false,
            monitor: Monitor::Accuracy,
            frozen: Vec::new(),
            only: Vec::new(),
        };
        Trainer {
            start: Start { memory: optimizer.memory().clone(), schedule: Vec::new() },
            optimizer,
            schedule: None,
            validation: None,
            ahead: ReadAhead::new(),
            settings,
            #[cfg(feature = "safetensors")]
            checkpoints: Checkpoints::default(),
        }
    }

    /// How often the network sees every sample: `usize::MAX` times, say, if an early end is to be the only one.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.settings.length = Length::Epochs(epochs);
        self
    }

    /// Ends the run after so many steps, in the middle of an epoch if need be, instead of after some epochs.
    #[must_use]
    pub fn steps(mut self, steps: u64) -> Self {
        self.settings.length = Length::Steps(steps);
        self
    }

    /// Samples of a batch: what goes through the network at once. The last batch of an epoch is smaller if the data do
    /// not divide.
    #[must_use]
    pub fn batch(mut self, batch: usize) -> Self {
        self.settings.batch = batch;
        self
    }

    /// Batches that a step learns from together: their gradients are averaged by samples, so that 4 batches of 32 make
    /// the step of one of 128 in a quarter of the memory. Batch normalisation still sees the small ones.
    #[must_use]
    pub fn accumulate(mut self, batches: usize) -> Self {
        self.settings.accumulate = batches;
        self
    }

    /// What order, augmentation, mixing and dropout depend on.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Sets the learning rate before each step, from the first one on: the rate that the optimiser was made with then
    /// counts for nothing. Without a schedule it stays as the optimiser has it.
    #[must_use]
    pub fn schedule(mut self, schedule: impl Schedule + Send + 'd) -> Self {
        self.start.schedule = schedule.memory();
        self.schedule = Some(Box::new(schedule));
        self
    }

    /// Data to evaluate the network on after each epoch: what it finds stands in [`Epoch::validation`].
    #[must_use]
    pub fn validate(mut self, data: &'d dyn Dataset) -> Self {
        self.validation = Some(data);
        self
    }

    /// How batches are read, to learn from and to validate on: by how many threads, how far ahead, and what becomes of
    /// samples that cannot be read. Those left out stand in [`Epoch::skipped`].
    #[must_use]
    pub fn read_ahead(mut self, ahead: ReadAhead) -> Self {
        self.ahead = ahead;
        self
    }

    /// Spreads a part of each label over all classes, from 0 up to but not including 1, so that the network does not
    /// grow too sure of itself (Szegedy et al. 2016, section 7). PyTorch's `label_smoothing`.
    #[must_use]
    pub fn label_smoothing(mut self, part: f32) -> Self {
        self.settings.smoothing = part;
        self
    }

    /// Learns from mixtures of two samples and their labels (Zhang et al. 2018): each batch is mixed with itself turned
    /// round, by a part drawn from Beta(alpha, alpha). 0 mixes nothing. The accuracy in training then is that of finding
    /// the larger part.
    #[must_use]
    pub fn mixup(mut self, alpha: f32) -> Self {
        self.settings.mixup = alpha;
        self
    }

    /// Shortens gradients whose Euclidean norm over all trained parameters is above `norm` (Pascanu et al. 2013). A norm
    /// that is not finite ends the run.
    #[must_use]
    pub fn clip_norm(mut self, norm: f32) -> Self {
        self.settings.clip = Some(norm);
        self
    }

    /// Keeps an exponential moving average of parameters and running statistics over the steps, of which a step keeps
    /// the part `decay` at most (fewer in the first ones). It is what is validated, and what the network holds when the
    /// run ends.
    #[must_use]
    pub fn average_weights(mut self, decay: f32) -> Self {
        self.settings.average = Some(decay);
        self
    }

    /// Ends the run with the last of so many epochs in a row that have not brought a better validation.
    #[must_use]
    pub fn stop_early(mut self, patience: usize) -> Self {
        self.settings.patience = Some(patience);
        self
    }

    /// Leaves the network as it was after its best epoch by validation, instead of after the last: also if the run
    /// fails after that.
    #[must_use]
    pub fn keep_best(mut self) -> Self {
        self.settings.keep_best = true;
        self
    }

    /// What makes an epoch better for [`stop_early`](Trainer::stop_early) and [`keep_best`](Trainer::keep_best):
    /// accuracy, unless told otherwise.
    #[must_use]
    pub fn monitor(mut self, monitor: Monitor) -> Self {
        self.settings.monitor = monitor;
        self
    }

    /// Leaves the parameters and running statistics of some layers as they are: those called `layer`, or in a block
    /// called so. Frozen batch normalisation goes by its running statistics. May be called several times.
    #[must_use]
    pub fn freeze(mut self, layer: impl Into<String>) -> Self {
        self.settings.frozen.push(layer.into());
        self
    }

    /// Trains some layers and [freezes](Trainer::freeze) all others: a new head on a trained body, say. Those called
    /// `layer`, or in a block called so. May be called several times.
    #[must_use]
    pub fn train_only(mut self, layer: impl Into<String>) -> Self {
        self.settings.only.push(layer.into());
        self
    }

    /// Writes a checkpoint after each epoch: everything that [`resume`](Trainer::resume) needs, in one safetensors file.
    /// The file at `path` is replaced whole: a run that is killed at any moment leaves the last checkpoint behind.
    /// Whether a file can be made there is found out before the first step. A run that ends within an epoch is written as
    /// it stood there, before that epoch was validated and reported.
    ///
    /// [`Network::load`] takes the weights out of it that the last step had left. Averaged ones and those of the best
    /// epoch stand beside them, as `average/NAME` and `best/NAME`:
    ///
    /// ```no_run
    /// use cnn_runtime::prelude::*;
    /// use cnn_runtime::weights::Loader;
    ///
    /// cnn! { Net <1x28x28> -> conv(8, 5x5) -> relu -> pool(2) -> fc(10) }
    ///
    /// let mut net = Net::new(1);
    /// net.load("run.safetensors")?;
    /// let best = |name: &str| name.strip_prefix("best/").map_or(format!("last/{name}"), str::to_owned);
    /// Loader::new().map(best).load(&mut net, "run.safetensors")?;
    /// # Ok::<(), Error>(())
    /// ```
    #[cfg(feature = "safetensors")]
    #[must_use]
    pub fn checkpoint(mut self, path: impl Into<PathBuf>) -> Self {
        self.checkpoints.write = Some(path.into());
        self
    }

    /// Writes the [`checkpoint`](Trainer::checkpoint) also after every so many steps of the run; 0 is taken as 1.
    #[cfg(feature = "safetensors")]
    #[must_use]
    pub fn checkpoint_every(mut self, steps: u64) -> Self {
        self.checkpoints.every = Some(steps.max(1));
        self
    }

    /// Takes up the run of a checkpoint instead of beginning one: [`fit`](Trainer::fit) goes on where that stopped, and
    /// ends as if it had never stopped, bit for bit, under the same settings. It may go on for longer. A run of another
    /// network, seed, batch, optimiser or kind of schedule is refused. The learning rate is that of the schedule or,
    /// without one, of the optimiser given now, which may be another than before. The best epoch is looked for anew under
    /// another [`monitor`](Trainer::monitor), and with [`keep_best`](Trainer::keep_best) if the file has no weights of it.
    /// A log of the run goes on by `Log::append`.
    #[cfg(feature = "safetensors")]
    #[must_use]
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.checkpoints.resume = Some(path.into());
        self
    }

    /// The optimiser.
    pub fn optimizer(&self) -> &O {
        &self.optimizer
    }

    /// Trains `network` on `data`. The network keeps what it learned also if this fails: as it was before the step that
    /// failed or, with [`keep_best`](Trainer::keep_best), after the best epoch so far.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a setting outside its range; [`Error::UnknownLayer`] for a layer to freeze that
    /// there is not; [`Error::DataMismatch`] if the network ends in a map larger than 1x1, in softmax or in sigmoid, if the
    /// data are not of its input shape, have more classes than it has outputs, or there are none, or if what was asked for
    /// needs data to validate on; [`Error::LabelOutOfRange`] naming a sample, by its index in the data, whose label is no class;
    /// [`Error::LossNotFinite`] naming the step at which the loss became NaN or infinite, and
    /// [`Error::GradientNotFinite`] where gradients to be clipped did; [`Error::Io`] and [`Error::Format`] for a
    /// checkpoint that cannot be written or is not this run's, naming the first layer that differs; what the data, the optimiser or the callback find wrong.
    pub fn fit<N: Network>(
        &mut self,
        network: &mut N,
        data: &(impl Dataset + ?Sized),
        callback: impl Callback<N>,
    ) -> Result<History, Error> {
        self.check()?;
        check_output(N::INFO)?;
        check_scores(N::INFO)?;
        check_data("classes of the data", data, N::INFO)?;
        if let Some(validation) = self.validation {
            check_data("classes of the data to validate on", validation, N::INFO)?;
        }
        #[cfg(feature = "safetensors")]
        self.checkpoints.write.as_deref().map_or(Ok(()), atomic::check)?;
        self.begin()?;
        Run::new(self, network, data)?.fit(callback)
    }

    /// Forgets earlier runs.
    fn begin(&mut self) -> Result<(), Error> {
        *self.optimizer.memory_mut() = self.start.memory.clone();
        self.schedule.as_mut().map_or(Ok(()), |schedule| schedule.restore(&self.start.schedule))
    }

    /// Refuses settings that have no meaning.
    fn check(&self) -> Result<(), Error> {
        let Settings { batch, accumulate, smoothing, mixup, clip, average, .. } = self.settings;
        let positive = |value: f32| value.is_finite() && value > 0.0;
        let of_one = |part: f32| (0.0..1.0).contains(&part);
        let (clip, average) = (clip.unwrap_or(1.0), average.unwrap_or(0.0));
        let settings = [
            ("batch size", batch.to_string(), "at least 1", batch > 0),
            ("batches of a step", accumulate.to_string(), "at least 1", accumulate > 0),
            ("label smoothing", smoothing.to_string(), "a number from 0 up to but not including 1", of_one(smoothing)),
            ("alpha of mixup", mixup.to_string(), "a finite number of at least 0", positive(mixup) || mixup == 0.0),
            ("longest gradient", clip.to_string(), "a finite number above 0", positive(clip)),
            (
                "part that an average keeps",
                average.to_string(),
                "a number from 0 up to but not including 1",
                of_one(average),
            ),
        ];
        if let Some((option, found, expected, _)) = settings.into_iter().find(|&(.., sound)| !sound) {
            return Err(Error::InvalidOption { option, expected, found });
        }
        #[cfg(feature = "safetensors")]
        if let Checkpoints { write: None, every: Some(every), .. } = self.checkpoints {
            let (option, expected) = ("steps between checkpoints", "a file that they go to, by `checkpoint`");
            return Err(Error::InvalidOption { option, expected, found: every.to_string() });
        }
        let schedule = self.schedule.as_ref().is_some_and(|schedule| schedule.needs_validation());
        if self.validation.is_none() && (schedule || self.settings.patience.is_some() || self.settings.keep_best) {
            let expected = "some, for a schedule, an early end or the best epoch to go by".into();
            return Err(Error::DataMismatch { what: "data to validate on", expected, found: "none".into() });
        }
        Ok(())
    }
}
