//! Callbacks that show a training run and keep a record of it.
//!
//! - [`Progress`] (feature `progress`): a bar in a terminal, and a line for each epoch.
//! - [`Log`] (feature `log`): a line for each epoch in a CSV or JSON Lines file, on disk as soon as the epoch ends.
//! - [`TensorBoard`] (feature `tensorboard`): an event file that TensorBoard shows while the run goes on.
//!
//! Several look on as a tuple: `trainer.fit(&mut net, &data, (Progress::new(), Log::create("run.csv")?))`.

#[cfg(feature = "log")]
pub mod log;
#[cfg(feature = "progress")]
pub mod progress;
#[cfg(feature = "tensorboard")]
pub mod tensorboard;

#[cfg(feature = "log")]
pub use log::Log;
#[cfg(feature = "progress")]
pub use progress::Progress;
#[cfg(feature = "tensorboard")]
pub use tensorboard::TensorBoard;

/// An epoch to test callbacks with.
#[cfg(all(test, any(feature = "log", feature = "progress", feature = "tensorboard", feature = "viz")))]
pub(crate) fn epoch(index: usize, epochs: usize) -> crate::train::Epoch {
    crate::train::Epoch {
        epoch: index,
        epochs,
        lr: 0.05,
        loss: 1.0 / (index + 2) as f32,
        accuracy: 0.75,
        images: 600,
        skipped: Vec::new(),
        time: std::time::Duration::from_millis(1500),
        validation: None,
    }
}
