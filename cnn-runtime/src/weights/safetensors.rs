//! The safetensors format. What its header says is `cnn_model`'s part, which the compiler reads too.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use cnn_model::safetensors as format;

use super::file::{Contents, Entry, Place};
use super::tensor::Tensor;
use crate::atomic;
use crate::error::Error;

/// Reads the header of a file and checks it against the file's length.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, String> {
    let format::Contents { tensors, metadata } = format::read(bytes, bytes.len())?;
    let entry = |format::Entry { name, dtype, shape, range }| Entry { name, dtype, shape, place: Place::Plain(range) };
    Ok(Contents { tensors: tensors.into_iter().map(entry).collect(), metadata })
}

/// Writes a file in one piece: see [`atomic::replace`].
///
/// # Errors
/// [`Error::Io`] if it cannot be written, or if two tensors have one name.
pub(crate) fn write(path: &Path, metadata: &BTreeMap<String, String>, tensors: &[Tensor<'_>]) -> Result<(), Error> {
    atomic::replace(path, |file| write_to(file, metadata, tensors))
}

/// Writes all of a file, or fails if two tensors have one name.
pub(super) fn write_to(
    file: &mut impl Write,
    metadata: &BTreeMap<String, String>,
    tensors: &[Tensor<'_>],
) -> io::Result<()> {
    // Larger types first: then every number is aligned. Their order is theirs otherwise.
    let mut tensors: Vec<_> = tensors.iter().collect();
    tensors.sort_by_key(|tensor| std::cmp::Reverse(tensor.dtype().bytes()));
    let described = tensors.iter().map(|tensor| (tensor.name(), tensor.dtype(), tensor.shape()));
    file.write_all(&format::begin(metadata, described)?)?;
    tensors.iter().try_for_each(|tensor| tensor.write_to(file))
}

#[cfg(test)]
mod tests;
