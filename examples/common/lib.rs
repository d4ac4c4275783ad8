//! What the example programs share: where their data stands and how it is read, how a photo runs through a network, what a
//! run leaves behind.

pub mod data;
pub mod picture;
pub mod record;
pub mod tuned;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// The folder of a data set that ships with the repository: `mnist`, `fashion-mnist`, `photos` or `emoji`.
pub fn shipped(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name)
}

/// What `main` of every example returns.
pub type Outcome = Result<(), Failure>;

/// Whatever ended an example early. `main` prints it as the sentence that it is.
pub struct Failure(Box<dyn Error>);

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure(error.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_its_error() {
        let missing = data::open("nowhere".as_ref()).unwrap_err();
        assert!(format!("{missing:?}").starts_with("nowhere: expected train-images-idx3-ubyte"), "{missing:?}");
        assert_eq!(format!("{:?}", Failure::from("no such thing")), "no such thing");
    }
}
