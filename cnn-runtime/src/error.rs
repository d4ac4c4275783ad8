//! What can go wrong at run time. Sizes the compiler can see are checked by `cnn!`; this is for what it cannot.

use std::fmt;
use std::path::PathBuf;

/// An error of this crate. Its text names what was expected and what was found, also as [`Debug`](fmt::Debug): this is
/// what a `main` that returns it prints, and `unwrap`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A batch whose samples have another shape than the network's input.
    #[error("{network} takes a batch of shape [n, {}, {}, {}], found {found:?}", expected[0], expected[1], expected[2])]
    InputShape {
        /// The network's name.
        network: &'static str,
        /// Channels, height and width of one sample.
        expected: [usize; 3],
        /// Shape of the batch handed over: samples, channels, height, width.
        found: [usize; 4],
    },

    /// A batch without samples.
    #[error("{network} takes a batch of at least one sample, found an empty one")]
    EmptyBatch {
        /// The network's name.
        network: &'static str,
    },

    /// A batch larger than the workspace was made for.
    #[error("this workspace of {network} holds batches of up to {capacity} samples, found {found}")]
    BatchTooLarge {
        /// The network's name.
        network: &'static str,
        /// Samples the workspace was made for.
        capacity: usize,
        /// Samples in the batch.
        found: usize,
    },

    /// Targets that do not match the batch that went forward.
    #[error("the batch calls for {expected} {what}, found {found}")]
    TargetCount {
        /// What was counted: labels or values.
        what: &'static str,
        /// How many the batch calls for.
        expected: usize,
        /// How many were handed over.
        found: usize,
    },

    /// A class that does not exist.
    #[error("label {label} of sample {index} is out of range: expected 0 to {}", classes.saturating_sub(1))]
    LabelOutOfRange {
        /// Which sample, counted from 0: of the batch for a loss, of the data for a data set.
        index: usize,
        /// The label found.
        label: i128,
        /// Number of classes.
        classes: usize,
    },

    /// A loss that is NaN or infinite: the training has diverged, or an input was not finite.
    #[error("the loss is {loss}, expected a finite number{}", at(*step))]
    LossNotFinite {
        /// The loss found.
        loss: f32,
        /// The training step, counted from 0, if a trainer made it. Its update was not applied.
        step: Option<u64>,
    },

    /// Gradients to be clipped whose norm is NaN or infinite: the training has diverged, or an input was not finite.
    #[error("the norm of the gradients is {norm}, expected a finite number{}", at(Some(*step)))]
    GradientNotFinite {
        /// The norm found.
        norm: f64,
        /// The training step, counted from 0. Its update was not applied.
        step: u64,
    },

    /// A call out of turn: a training step is `forward_train`, `loss`, `backward`, and then the optimiser's step.
    #[error("`{call}` needs `{missing}` before it: a training step is forward_train, loss, backward, optimiser step")]
    OutOfTurn {
        /// The call made.
        call: &'static str,
        /// The call that has to stand before it.
        missing: &'static str,
    },

    /// A gradient that was not computed, or that nothing has.
    #[error("{network} has no gradient by `{name}`: {why}")]
    NoGradient {
        /// The network's name.
        network: &'static str,
        /// The tensor or layer that was asked for; `input` is the network's input.
        name: String,
        /// Why there is none, or how to get it.
        why: &'static str,
    },

    /// A tensor the network does not have.
    #[error("{network} has no tensor `{name}`; {known}")]
    UnknownTensor {
        /// The network's name.
        network: &'static str,
        /// The name asked for.
        name: String,
        /// What it has instead.
        known: String,
    },

    /// A layer the network does not have.
    #[error("{network} has no layer `{name}`; {known}")]
    UnknownLayer {
        /// The network's name.
        network: &'static str,
        /// The name asked for.
        name: String,
        /// What it has instead.
        known: String,
    },

    /// A tensor of another shape than the network's.
    #[error("tensor `{name}` has shape {expected:?}, found {found:?}")]
    TensorShape {
        /// The tensor's name.
        name: &'static str,
        /// Its shape in the network.
        expected: &'static [usize],
        /// The shape handed over.
        found: Vec<usize>,
    },

    /// Weights in a file that are not the network's. Nothing was loaded.
    #[cfg(feature = "safetensors")]
    #[error("{} does not fit {network}: {mismatch}", source_name(.path))]
    WeightsMismatch {
        /// The file, if the bytes came from one.
        path: Option<PathBuf>,
        /// The network's name.
        network: &'static str,
        /// Every tensor that does not fit.
        mismatch: Box<crate::weights::Mismatch>,
    },

    /// A network that was declared without weights to embed.
    #[error(
        "{network} has no weights in this binary: its declaration needs `embed` behind the file, as in \
         `weights = \"net.safetensors\" embed` or `onnx \"model.onnx\" embed`"
    )]
    NothingEmbedded {
        /// The network's name.
        network: &'static str,
    },

    /// A setting outside its range.
    #[error("{option} is {found}, expected {expected}")]
    InvalidOption {
        /// The setting.
        option: &'static str,
        /// The range it has to lie in.
        expected: &'static str,
        /// The value found.
        found: String,
    },

    /// Data that do not fit the network or each other.
    #[error("{what}: expected {expected}, found {found}")]
    DataMismatch {
        /// What was compared.
        what: &'static str,
        /// What it had to be.
        expected: String,
        /// What it was.
        found: String,
    },

    /// A file that is not what it claims to be.
    #[error("{}: {reason}", source_name(.path))]
    Format {
        /// The file, if the bytes came from one.
        path: Option<PathBuf>,
        /// What was expected and what was found.
        reason: String,
    },

    /// A file or a stream that cannot be read or written.
    #[error("{}{error}", place(.path))]
    Io {
        /// The file, or the folder, unless it is a stream.
        path: Option<PathBuf>,
        /// What the operating system, or the decompressor, said.
        #[source]
        error: std::io::Error,
    },

    /// Anything else that went wrong in code of yours that this crate calls: a data set, a loss, a callback. It ends what
    /// called it; unlike [`Io`](Error::Io) and [`Format`](Error::Format) it is never taken for one bad sample. Made by
    /// [`Error::other`].
    #[error(transparent)]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An error of another library, or a sentence: `Error::other("the database is closed")`.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Other(error.into())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Of an array that has another shape or rank than what it was to become.
impl From<ndarray::ShapeError> for Error {
    fn from(error: ndarray::ShapeError) -> Self {
        Error::other(error)
    }
}

fn at(step: Option<u64>) -> String {
    step.map_or(String::new(), |step| format!(" (step {step}; its update was not applied)"))
}

fn place(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(String::new, |path| format!("{}: ", path.display()))
}

fn source_name(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(|| "in-memory data".into(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_was_expected_and_found() {
        let shape = Error::InputShape { network: "LeNet5", expected: [1, 28, 28], found: [8, 3, 32, 32] };
        assert_eq!(shape.to_string(), "LeNet5 takes a batch of shape [n, 1, 28, 28], found [8, 3, 32, 32]");
        let label = Error::LabelOutOfRange { index: 3, label: -1, classes: 10 };
        assert_eq!(label.to_string(), "label -1 of sample 3 is out of range: expected 0 to 9");
        let loss = Error::LossNotFinite { loss: f32::NAN, step: Some(7) };
        assert_eq!(loss.to_string(), "the loss is NaN, expected a finite number (step 7; its update was not applied)");
        let file = Error::Format { path: Some("a/b.idx".into()), reason: "expected magic 2051, found 0".into() };
        assert_eq!(file.to_string(), "a/b.idx: expected magic 2051, found 0");
        let io = |path| Error::Io { path, error: std::io::Error::other("no room") }.to_string();
        assert_eq!([io(Some("a/b.csv".into())), io(None)], ["a/b.csv: no room", "no room"]);
        for error in [shape, label, loss, file, Error::other("closed")] {
            assert_eq!(format!("{error:?}"), error.to_string(), "what `main` prints");
        }
    }

    #[test]
    fn an_error_of_others_is_passed_on_as_it_is() {
        use std::error::Error as _;

        let theirs = Error::Io { path: None, error: std::io::Error::other("no route to host") };
        let error = Error::other(theirs);
        assert_eq!(error.to_string(), "no route to host");
        assert_eq!(error.source().unwrap().to_string(), "no route to host");
        assert!(matches!(&error, Error::Other(inner) if inner.is::<Error>()));
        assert_eq!(Error::other("closed").to_string(), "closed");
    }
}
