//! What can be wrong with a model.

use std::fmt;

/// Problems listed at most; the rest is counted.
const SHOWN: usize = 20;

/// Everything that keeps a model from being read or imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    problems: Vec<String>,
}

impl Error {
    /// An error of one problem.
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Error { problems: vec![problem.into()] }
    }

    /// An error of all of these, if there are any.
    pub(super) fn check(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Error { problems }) }
    }

    /// The problems, each a sentence that names its node, operator and version where it is of one.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.problems[..self.problems.len().min(SHOWN)];
        f.write_str(&shown.join("\n"))?;
        match self.problems.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, "\n... and {more} more"),
        }
    }
}

impl std::error::Error for Error {}

/// Sizes as they are shown: `[1, 3, 224]`.
pub(super) fn sizes<T: fmt::Display>(sizes: &[T]) -> String {
    const AXES: usize = 16;
    let shown: Vec<String> = sizes.iter().take(AXES).map(T::to_string).collect();
    format!("[{}{}]", shown.join(", "), if sizes.len() > AXES { ", .." } else { "" })
}
