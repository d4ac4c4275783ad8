//! What optimisers remember between steps.

use crate::buffer::Buffer;
use crate::error::Error;

/// What changes in an optimiser from step to step: its learning rate, how many steps it made, and buffers as long as the
/// parameters and in their order, such as Sgd's `velocity`. There are none before the first step.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// The learning rate.
    pub lr: f32,
    /// Steps made.
    pub steps: u64,
    buffers: Vec<(String, Buffer)>,
}

impl Memory {
    /// The start of a run: no steps yet, and no buffers.
    pub const fn new(lr: f32) -> Self {
        Memory { lr, steps: 0, buffers: Vec::new() }
    }

    /// A memory to carry on from. Each buffer is as long as the parameters.
    pub fn restored(lr: f32, steps: u64, buffers: Vec<(String, Buffer)>) -> Self {
        Memory { lr, steps, buffers }
    }

    /// The buffers and what they are called.
    pub fn buffers(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.buffers.iter().map(|(name, buffer)| (&name[..], &buffer[..]))
    }

    /// The buffers called `names` for `len` parameters, to be changed by a step. They are made, of zeros, if there are none
    /// yet.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if there are buffers of other names, or for another number of parameters.
    pub fn buffers_mut<const N: usize>(&mut self, names: [&str; N], len: usize) -> Result<[&mut [f32]; N], Error> {
        if self.buffers.is_empty() {
            self.buffers = names.map(|name| (name.to_owned(), Buffer::zeroed(len))).into();
        }
        if let Some((_, kept)) = self.buffers.iter().find(|(_, kept)| kept.len() != len) {
            return Err(mismatch("parameters of an optimiser in use", kept.len(), len));
        }
        if !self.buffers().map(|(name, _)| name).eq(names) {
            return Err(Error::DataMismatch {
                what: "buffers of an optimiser in use",
                expected: listed(&names),
                found: listed(&self.buffers().map(|(name, _)| name).collect::<Vec<_>>()),
            });
        }
        let mut buffers = self.buffers.iter_mut();
        Ok(names.map(|_| &mut buffers.next().expect("a buffer per name").1[..]))
    }
}

/// Names of buffers, for people.
pub(crate) fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// An error on numbers that should be equal.
pub(super) fn mismatch(what: &'static str, expected: usize, found: usize) -> Error {
    Error::DataMismatch { what, expected: expected.to_string(), found: found.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_made_once_and_kept() {
        let mut memory = Memory::new(0.1);
        let [a, b] = memory.buffers_mut(["a", "b"], 3).unwrap();
        a[2] = 1.0;
        assert_eq!(b, [0.0; 3]);
        assert_eq!(memory.buffers_mut(["a", "b"], 3).unwrap()[0], [0.0, 0.0, 1.0]);
    }

    #[test]
    fn another_rule_or_network_is_refused() {
        let mut memory = Memory::restored(0.1, 4, vec![("velocity".into(), Buffer::zeroed(3))]);
        let message = |memory: &mut Memory, len| memory.buffers_mut(["mean", "square"], len).unwrap_err().to_string();
        assert_eq!(message(&mut memory, 3), "buffers of an optimiser in use: expected mean, square, found velocity");
        assert_eq!(message(&mut memory, 4), "parameters of an optimiser in use: expected 3, found 4");
        assert!(memory.buffers_mut(["velocity"], 3).is_ok());
        let error = memory.buffers_mut([], 3).unwrap_err().to_string();
        assert_eq!(error, "buffers of an optimiser in use: expected none, found velocity");
    }
}
