//! From a network into a file.

use std::collections::BTreeMap;
use std::path::Path;

use cnn_model::Naming;

use super::file::{CLASSES, MEAN, STD};
#[cfg(feature = "npz")]
use super::npz;
use super::safetensors;
use super::tensor::Tensor;
use crate::data::Normalize;
use crate::error::Error;
use crate::network::Network;

/// Saves weights, under other names than the network's own where that is wanted.
///
/// ```no_run
/// use cnn_runtime::cnn;
/// use cnn_runtime::prelude::*;
/// use cnn_runtime::weights::{Naming, Saver};
///
/// cnn! { Net <3x32x32> -> conv(8, 3x3) -> relu -> pool(2) -> fc(7) }
///
/// // `features.0.weight`, .., `classifier.0.bias`
/// Saver::new().naming(Naming::Torchvision).save(&Net::new(1), "net.safetensors")?;
/// # Ok::<(), Error>(())
/// ```
///
/// Who is to say what is on a picture needs more than weights: what the picture is normalised by, and what the classes
/// are called. A file can say that, too ([`normalize`](Saver::normalize), [`class_names`](Saver::class_names)); an npz
/// file has no place for it.
#[derive(Clone, Debug, Default)]
pub struct Saver {
    naming: Naming,
    metadata: BTreeMap<String, String>,
}

impl Saver {
    /// A saver that uses the network's own names.
    pub fn new() -> Self {
        Saver::default()
    }

    /// Writes names as of `naming`.
    #[must_use]
    pub fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// Adds a text to what a safetensors file says of itself: `format` (`pt`: layouts are PyTorch's), the `network`'s
    /// name and its `hash`. An npz file has no place for it.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Writes down what pictures are normalised by before the network sees them, which
    /// [`Weights::normalize`](super::Weights::normalize) says again. The texts `mean` and `std` of the
    /// [`metadata`](Saver::metadata), numbers with blanks between them.
    #[must_use]
    pub fn normalize(self, normalize: &Normalize) -> Self {
        let numbers = |values: &[f32]| values.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
        self.metadata(MEAN, numbers(normalize.mean())).metadata(STD, numbers(normalize.std()))
    }

    /// Writes down the names of the classes, which [`Weights::class_names`](super::Weights::class_names) says again. The
    /// text `classes` of the [`metadata`](Saver::metadata), a list in JSON.
    #[must_use]
    pub fn class_names(self, names: &[String]) -> Self {
        self.metadata(CLASSES, serde_json::Value::from(names).to_string())
    }

    /// Saves a network: as a safetensors file or, if the name ends in `.npz`, as NumPy's. The file is written whole or
    /// not at all, and equal networks make equal files.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written, and [`Error::DataMismatch`] if the network has no names as of the
    /// [`naming`](Saver::naming) that was asked for.
    pub fn save<N: Network>(&self, network: &N, path: impl AsRef<Path>) -> Result<(), Error> {
        write(path, &self.metadata_of::<N>(), &self.tensors(network)?)
    }

    /// The safetensors file that [`save`](Saver::save) would write, in memory, from where
    /// [`Weights::from_bytes`](super::Weights::from_bytes) reads it.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if the network has no names as of the [`naming`](Saver::naming) that was asked for.
    pub fn to_bytes<N: Network>(&self, network: &N) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        safetensors::write_to(&mut bytes, &self.metadata_of::<N>(), &self.tensors(network)?)
            .map_err(|error| Error::Io { path: None, error })?;
        Ok(bytes)
    }

    /// The tensors under the names that they get.
    fn tensors<'n, N: Network>(&self, network: &'n N) -> Result<Vec<Tensor<'n>>, Error> {
        let stored = |(name, tensor)| Tensor::stored(name, tensor, network.params().stored(tensor));
        Ok(self.naming.names(N::INFO)?.into_iter().zip(N::INFO.tensors).map(stored).collect())
    }

    /// What the file says of itself.
    fn metadata_of<N: Network>(&self) -> BTreeMap<String, String> {
        let (name, hash) = (N::INFO.name.to_owned(), format!("{:016x}", N::INFO.hash));
        let said = [("format", "pt".to_owned()), ("network", name), ("hash", hash)];
        let mut metadata: BTreeMap<_, _> = said.map(|(key, value)| (key.to_owned(), value)).into();
        metadata.extend(self.metadata.clone());
        metadata
    }
}

/// Writes named tensors: as a safetensors file with `metadata` or, if the name ends in `.npz`, as NumPy's without. The
/// file is written whole or not at all.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use cnn_runtime::weights::{self, Tensor, Weights};
///
/// let path = std::env::temp_dir().join("two-tensors.safetensors");
/// let (mean, seen) = ([0.5, 0.25], [60_000]);
/// let tensors = [Tensor::floats("mean", [2], &mean), Tensor::integers("seen", &seen)];
/// weights::write(&path, &BTreeMap::from([("of".into(), "MNIST".into())]), &tensors)?;
///
/// let file = Weights::open(&path)?;
/// assert_eq!(file.metadata()["of"], "MNIST");
/// assert_eq!(file.tensor("mean")?[1], 0.25);
/// assert_eq!(file.integers("seen")?, [60_000]);
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] if the file cannot be written, or if two tensors have one name.
pub fn write(path: impl AsRef<Path>, metadata: &BTreeMap<String, String>, tensors: &[Tensor<'_>]) -> Result<(), Error> {
    let path = path.as_ref();
    if path.extension().is_some_and(|extension| extension == "npz") {
        return write_npz(path, tensors);
    }
    safetensors::write(path, metadata, tensors)
}

#[cfg(feature = "npz")]
fn write_npz(path: &Path, tensors: &[Tensor<'_>]) -> Result<(), Error> {
    npz::write(path, tensors)
}

#[cfg(not(feature = "npz"))]
fn write_npz(path: &Path, _: &[Tensor<'_>]) -> Result<(), Error> {
    let error =
        std::io::Error::new(std::io::ErrorKind::Unsupported, "npz files are written with cnn-runtime's feature `npz`");
    Err(Error::Io { path: Some(path.to_owned()), error })
}
