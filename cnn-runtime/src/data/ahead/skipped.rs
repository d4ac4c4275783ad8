//! Samples that cannot be read.

use std::fmt;

use crate::error::Error;

/// What becomes of a sample that cannot be read: a file that is missing ([`Error::Io`]) or is not what it should be
/// ([`Error::Format`]). Other errors are not one sample's and always end the reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadSample {
    /// The batch it belongs to fails with the error, which names the file.
    #[default]
    Fail,
    /// The batch goes on without it, and [`Batches::skipped`](super::Batches::skipped) tells.
    Skip,
}

impl OnBadSample {
    pub(in crate::data) fn skips(self, error: &Error) -> bool {
        self == OnBadSample::Skip && matches!(error, Error::Io { .. } | Error::Format { .. })
    }
}

/// A sample that was left out.
#[derive(Debug)]
#[non_exhaustive]
pub struct Skipped {
    /// Its index in the data.
    pub index: usize,
    /// What is wrong with it; names the file.
    pub error: Error,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sample {}: {}", self.index, self.error)
    }
}

/// What was left out of some data.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    pub count: usize,
    first: String,
}

impl LeftOut {
    pub fn add(&mut self, skipped: &[Skipped]) {
        if let (0, Some(first)) = (self.count, skipped.first()) {
            self.first = first.error.to_string();
        }
        self.count += skipped.len();
    }

    /// The error for data of which nothing is left.
    pub fn everything(&self) -> Error {
        Error::DataMismatch {
            what: "samples that can be read",
            expected: "at least one".into(),
            found: format!("none of {}; the first: {}", self.count, self.first),
        }
    }
}

/// The error for data of which every sample was skipped.
#[cfg(feature = "images")]
pub(in crate::data) fn none_good(skipped: &[Skipped]) -> Error {
    let mut all = LeftOut::default();
    all.add(skipped);
    all.everything()
}
