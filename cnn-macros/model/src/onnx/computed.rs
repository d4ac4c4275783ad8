//! What the constants may cost that a model computes of others: such a computation can be a few bytes of a file.

use std::collections::HashMap;
use std::path::PathBuf;

use super::constant::{Constant, Elements};
use super::file::Stored;

/// Elements that are looked at to compute constants of others, beside as many as the file has itself.
const MOST: usize = 1 << 24;

/// How much may still be computed.
pub(super) struct Computed {
    /// Elements.
    left: usize,
    /// Up to which byte each other file is counted.
    counted: HashMap<PathBuf, u64>,
}

impl Computed {
    pub fn new() -> Self {
        Computed { left: MOST, counted: HashMap::new() }
    }

    /// Takes note of a constant that the file has itself.
    pub fn own(&mut self, constant: &Constant) {
        let elements = match &constant.elements {
            // Any number of tensors can be the same bytes of another file.
            Elements::Stored(kind, Stored::Beside { path, offset, length }) => {
                let end = offset.saturating_add(*length as u64);
                let counted = self.counted.entry(path.clone()).or_insert(0);
                let new = end.saturating_sub(*counted);
                *counted += new;
                usize::try_from(new).unwrap_or(usize::MAX) / kind.bytes()
            }
            _ => constant.len(),
        };
        self.left = self.left.saturating_add(elements);
    }

    /// Takes note of so many elements that are about to be looked at, so that a constant can be computed.
    ///
    /// # Errors
    /// If that is more than is left.
    pub fn spend(&mut self, elements: usize) -> Result<(), String> {
        let left = self.left.checked_sub(elements);
        self.left = left.ok_or("the model computes too large constants: fold them before it is exported")?;
        Ok(())
    }
}
