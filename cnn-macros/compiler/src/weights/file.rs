//! The tensors of a file, which is looked at as far as its header goes.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;

use cnn_model::Dtype;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl Entry {
    /// A tensor that an ONNX model's weights are made into.
    pub fn of_model((name, shape): &(String, Vec<usize>)) -> Self {
        Entry { name: name.clone(), dtype: Dtype::F32, shape: shape.clone() }
    }
}

/// The tensors of a file in its order.
///
/// # Errors
/// Why there are none to be read.
pub fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let (file, len) = open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no such file; the path is relative to the folder of `Cargo.toml`".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    })?;
    entries(BufReader::new(file), len)
}

/// A file and its length. Pipes and devices, which have none, are not waited for.
fn open(path: &Path) -> io::Result<(File, u64)> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "expected a regular file"));
    }
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

#[cfg(feature = "safetensors")]
fn entries(mut file: BufReader<File>, len: u64) -> Result<Vec<Entry>, String> {
    use std::io::BufRead as _;

    use cnn_model::{pickle, safetensors};

    let start = file.fill_buf().unwrap_or_default();
    if let Some(reason) = pickle::refusal(start) {
        return Err(reason.into());
    }
    if start.starts_with(b"PK") {
        return Err("expected a safetensors file, found a zip archive: npz files are read at run time only".into());
    }
    if safetensors::is_onnx(start) {
        let model = "what looks like an ONNX model, which declares a network of its own: `Net = onnx \"net.onnx\"`";
        return Err(format!("expected a safetensors file, found {model}"));
    }
    let len = usize::try_from(len).map_err(|_| format!("{len} bytes cannot be addressed"))?;
    let entry = |safetensors::Entry { name, dtype, shape, .. }| Entry { name, dtype, shape };
    Ok(safetensors::read(file, len)?.tensors.into_iter().map(entry).collect())
}

#[cfg(not(feature = "safetensors"))]
fn entries(_: BufReader<File>, _: u64) -> Result<Vec<Entry>, String> {
    Err("safetensors files are read with cnn-runtime's feature `safetensors`, which is off".into())
}
