//! What the example programs share: where their data stands and how it is read, how they show progress, how the learning
//! rate falls, and how a photo runs through a network.

pub mod data;
pub mod picture;
pub mod progress;
pub mod schedule;

use std::path::PathBuf;

/// The folder of a data set that ships with the repository: `mnist`, `fashion-mnist`, `photos` or `emoji`.
pub fn shipped(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name)
}

/// What `main` of every example returns.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;
