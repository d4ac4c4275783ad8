//! What a training run tells while it runs.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::error::Error;
use crate::metrics::Summary;

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
#[derive(Clone, Debug, PartialEq)]
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
    /// What was wrong with each sample that was left out; names its file. Behind those to learn from stand those to
    /// validate on, which are told as such.
    pub skipped: Vec<String>,
    /// Time the epoch took, the evaluation after it not counted.
    pub time: Duration,
    /// Learning rate of its last step.
    pub lr: f32,
    /// How well the network does on the data to validate on, if the trainer has any.
    pub validation: Option<Summary>,
}

/// Looks on while a network of type `N` is trained: progress bars, tests after each epoch, early ends.
///
/// `()` looks away, a closure `|step: &Step| ..` is called after each step, and a tuple of callbacks calls each of them,
/// in order. [The guide](crate::guide::ch12_from_here#of-your-own) has one that ends a run.
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

/// A callback that is lent for a run, and there for another one or to be asked after it.
///
/// ```no_run
/// # #[cfg(feature = "log")]
/// # {
/// use cnn_runtime::prelude::*;
/// use cnn_runtime::train::ByRef;
/// use cnn_runtime::watch::Log;
///
/// fn train<N: Network>(net: &mut N, digits: &impl Dataset) -> Result<(), Error> {
///     let mut log = Log::create("run.csv")?;
///     Trainer::new(Sgd::new(0.1)).freeze("body").fit(net, digits, ByRef(&mut log))?;
///     Trainer::new(Sgd::new(0.01)).fit(net, digits, ByRef(&mut log))?;
///     Ok(())
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct ByRef<'c, C: ?Sized>(pub &'c mut C);

impl<N, C: Callback<N> + ?Sized> Callback<N> for ByRef<'_, C> {
    fn step(&mut self, step: &Step) {
        self.0.step(step);
    }

    fn epoch(&mut self, network: &N, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        self.0.epoch(network, epoch)
    }
}

impl<N, C: Callback<N>> Callback<N> for Option<C> {
    fn step(&mut self, step: &Step) {
        self.iter_mut().for_each(|callback| callback.step(step));
    }

    fn epoch(&mut self, network: &N, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        self.as_mut().map_or(Ok(ControlFlow::Continue(())), |callback| callback.epoch(network, epoch))
    }
}

/// All are called, also if an earlier one ends the run; an error of one keeps the later ones from being called.
macro_rules! tuple_of_callbacks {
    ($($name:ident $index:tt),+) => {
        impl<N, $($name: Callback<N>),+> Callback<N> for ($($name,)+) {
            fn step(&mut self, step: &Step) {
                $(self.$index.step(step);)+
            }

            fn epoch(&mut self, network: &N, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
                let flows = [$(self.$index.epoch(network, epoch)?),+];
                Ok(flows.into_iter().find(ControlFlow::is_break).unwrap_or(ControlFlow::Continue(())))
            }
        }
    };
}

tuple_of_callbacks!(A 0, B 1);
tuple_of_callbacks!(A 0, B 1, C 2);
tuple_of_callbacks!(A 0, B 1, C 2, D 3);
