//! A file of named tensors, open for reading.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use cnn_model::safetensors::is_onnx;
use cnn_model::stranger::Shown;
use cnn_model::{Dtype, pickle};
use ndarray::ArrayD;

#[cfg(feature = "npz")]
use super::npz;
#[cfg(feature = "onnx")]
use super::onnx;
use super::safetensors;
use super::saver::Saver;
use super::values;
use crate::buffer::Mapped;
use crate::data::Normalize;
use crate::error::Error;
use crate::info::Embedded;
use crate::network::Network;

/// The place of a run's record in the metadata of its checkpoint.
pub(crate) const RUN: &str = "run";
/// The places of what pictures are normalised by, and of the classes' names.
pub(super) const MEAN: &str = "mean";
pub(super) const STD: &str = "std";
pub(super) const CLASSES: &str = "classes";

/// The bytes of a file: mapped, in memory, or in the binary.
#[derive(Clone)]
pub(super) enum Bytes {
    Mapped(Arc<Mapped>),
    Memory(Arc<[u8]>),
    Static(&'static [u8]),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(mapped) => mapped,
            Bytes::Memory(bytes) => bytes,
            Bytes::Static(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) place: Place,
}

/// Where a tensor's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the file as they are.
    Plain(Range<usize>),
    /// In a member of a zip archive.
    #[cfg(feature = "npz")]
    Member(npz::Member),
    /// Made of an ONNX model's tensors.
    #[cfg(feature = "onnx")]
    Made(onnx::Made),
}

impl Entry {
    /// The tensor's name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of its numbers.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}

/// What a reader of a format finds in a file before it looks at any number.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub tensors: Vec<Entry>,
    pub metadata: BTreeMap<String, String>,
}

/// A file of named tensors, told by its first bytes: safetensors, with the feature `npz` NumPy's npz, or with the feature
/// `onnx` an ONNX model. The tensors of a model that `export_onnx` wrote have the names of the network that it was written
/// of, those of a model from elsewhere the names that a network made of it gives them.
///
/// The file is mapped into memory, so that opening it reads its header only, and reading a tensor copies it once. While
/// it is open no program may change it in place; replacing it by another file, as this crate does, is fine. Nothing in a
/// file is trusted: sizes are held against the bytes that are there before anything of that size is allocated.
///
/// ```no_run
/// use cnn_runtime::weights::Weights;
///
/// let file = Weights::open("resnet18.safetensors")?;
/// for tensor in file.tensors() {
///     println!("{} {:?} {}", tensor.name(), tensor.shape(), tensor.dtype());
/// }
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
pub struct Weights {
    bytes: Bytes,
    path: Option<PathBuf>,
    contents: Contents,
    index: HashMap<String, usize>,
}

impl Weights {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is not what it has to be.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        match Mapped::open(path) {
            Ok(mapped) => Self::new(Bytes::Mapped(Arc::new(mapped)), Some(path.to_owned())),
            Err(error) => Err(Error::Io { path: Some(path.to_owned()), error }),
        }
    }

    /// Reads a file that is in memory already.
    ///
    /// # Errors
    /// [`Error::Format`] if it is not what it has to be.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Self, Error> {
        Self::new(Bytes::Memory(bytes.into()), None)
    }

    /// Reads a file that is a part of the binary, without a copy of it.
    ///
    /// # Errors
    /// [`Error::Format`] if it is not what it has to be.
    pub fn from_static(bytes: &'static [u8]) -> Result<Self, Error> {
        Self::new(Bytes::Static(bytes), None)
    }

    /// Reads the file that the network `N` was declared to embed: [`Network::pretrained`] takes its weights.
    ///
    /// # Errors
    /// [`Error::NothingEmbedded`] if the declaration embeds none, [`Error::Format`] if it is not what it has to be.
    pub fn embedded<N: Network>() -> Result<Self, Error> {
        Self::of_binary(N::INFO.weights.ok_or(Error::NothingEmbedded { network: N::INFO.name })?)
    }

    /// Reads a file that a declaration embeds.
    pub(super) fn of_binary(file: Embedded) -> Result<Self, Error> {
        Self::new(Bytes::Static(file.bytes), Some(file.path.into()))
    }

    /// A copy of a network's tensors, for a [`Loader`](super::Loader) to put into another network: a trained body below
    /// a new head, say.
    pub fn of<N: Network>(network: &N) -> Self {
        let file = Saver::new().to_bytes(network).and_then(Weights::from_bytes);
        file.expect("a network has all of its own names, each once, and we read what we write")
    }

    fn new(bytes: Bytes, path: Option<PathBuf>) -> Result<Self, Error> {
        let read = match *bytes {
            _ if let Some(reason) = pickle::refusal(&bytes) => Err(reason.into()),
            [b'P', b'K', ..] => read_npz(&bytes),
            _ if is_onnx(&bytes) => read_onnx(&bytes, path.as_deref()),
            _ => safetensors::read(&bytes),
        };
        match read {
            Ok(contents) => Ok(Self::with(bytes, path, contents)),
            Err(reason) => Err(Error::Format { path, reason }),
        }
    }

    fn with(bytes: Bytes, path: Option<PathBuf>, contents: Contents) -> Self {
        let names = contents.tensors.iter().enumerate();
        let index = names.map(|(at, tensor)| (tensor.name.clone(), at)).collect();
        Weights { bytes, path, contents, index }
    }

    /// The same file by the names that a network made of it has, if it is a model that has others, too.
    #[cfg(feature = "onnx")]
    pub(super) fn imported(&self) -> Option<Weights> {
        let Some(Entry { place: Place::Made(_), .. }) = self.contents.tensors.first() else { return None };
        let contents = onnx::read_imported(self.bytes.clone(), self.path())?;
        Some(Self::with(self.bytes.clone(), self.path.clone(), contents))
    }

    #[cfg(not(feature = "onnx"))]
    pub(super) fn imported(&self) -> Option<Weights> {
        None
    }

    /// The file, if the bytes came from one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The tensors in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = &Entry> {
        self.contents.tensors.iter()
    }

    /// What the file says beside its tensors. Files of NumPy say nothing.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.contents.metadata
    }

    /// What pictures are normalised by before the network sees them, if the file says so: see
    /// [`Saver::normalize`].
    ///
    /// # Errors
    /// [`Error::Format`] if what it says makes no sense.
    pub fn normalize(&self) -> Result<Option<Normalize>, Error> {
        let (Some(mean), Some(std)) = (self.metadata().get(MEAN), self.metadata().get(STD)) else { return Ok(None) };
        let numbers = |text: &str| text.split_whitespace().map(f32::from_str).collect::<Result<Vec<_>, _>>().ok();
        let normalize = numbers(mean).zip(numbers(std)).and_then(|(mean, std)| Normalize::new(&mean, &std).ok());
        let (mean, std) = (Shown(mean), Shown(std));
        let expected = "as many finite means and deviations above 0, with blanks between them";
        let reason = || self.invalid(format!("expected `mean` and `std` to be {expected}, found {mean} and {std}"));
        normalize.map(Some).ok_or_else(reason)
    }

    /// The names of the classes that the network tells apart; none if the file does not say: see
    /// [`Saver::class_names`].
    ///
    /// # Errors
    /// [`Error::Format`] if what it says is no list of names.
    pub fn class_names(&self) -> Result<Vec<String>, Error> {
        let Some(names) = self.metadata().get(CLASSES) else { return Ok(Vec::new()) };
        let reason =
            |_| self.invalid(format!("expected `classes` to be a list of texts in JSON, found {}", Shown(names)));
        serde_json::from_str(names).map_err(reason)
    }

    /// A copy of the tensor `name`, which may be of any type of floating-point numbers.
    ///
    /// # Errors
    /// [`Error::Format`] if there is none, it is of another type, or its bytes are damaged.
    pub fn tensor(&self, name: &str) -> Result<ArrayD<f32>, Error> {
        let entry = self.entry(name)?;
        let values = self.floats(entry)?.into_owned();
        Ok(ArrayD::from_shape_vec(&entry.shape[..], values).expect("there are as many values as the shape says"))
    }

    /// The tensor called `name`, if there is one.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.index.get(name).map(|&at| &self.contents.tensors[at])
    }

    /// The tensor called `name`, or an error that says so.
    fn entry(&self, name: &str) -> Result<&Entry, Error> {
        self.find(name).ok_or_else(|| {
            let (count, some) = (self.contents.tensors.len(), self.tensors().take(4));
            let some: Vec<_> = some.map(|tensor| Shown(&tensor.name).to_string()).collect();
            self.invalid(format!("expected a tensor {}, found {count} others: {} ..", Shown(name), some.join(", ")))
        })
    }

    /// The values of a tensor in row-major order.
    pub(crate) fn floats(&self, entry: &Entry) -> Result<Cow<'_, [f32]>, Error> {
        if !entry.dtype.is_float() {
            return Err(self.invalid(format!(
                "{} has numbers of type {}, expected floats",
                Shown(&entry.name),
                entry.dtype
            )));
        }
        match &entry.place {
            Place::Plain(range) => Ok(values::floats(entry.dtype, &self.bytes[range.clone()])),
            #[cfg(feature = "onnx")]
            Place::Made(made) => made.floats().map(Cow::Owned).map_err(|reason| self.invalid(reason)),
            #[cfg(feature = "npz")]
            Place::Member(member) => npz::floats(&self.bytes, member, entry).map_err(|reason| self.invalid(reason)),
        }
    }

    /// The values of the tensor `name`, which has to be of type `U64` and in a safetensors file.
    ///
    /// # Errors
    /// [`Error::Format`] if there is none, or it is of another type.
    pub fn integers(&self, name: &str) -> Result<Vec<u64>, Error> {
        let entry = self.entry(name)?;
        match &entry.place {
            Place::Plain(range) if entry.dtype == Dtype::U64 => {
                Ok(self.bytes[range.clone()].as_chunks().0.iter().map(|&number| u64::from_le_bytes(number)).collect())
            }
            _ => Err(self.invalid(format!("{} has numbers of type {}, expected U64", Shown(name), entry.dtype))),
        }
    }

    /// Whether this is the checkpoint of a run.
    pub(super) fn is_checkpoint(&self) -> bool {
        self.contents.metadata.contains_key(RUN)
    }

    /// The error for contents that are not what they should be.
    pub(crate) fn invalid(&self, reason: String) -> Error {
        Error::Format { path: self.path.clone(), reason }
    }
}

#[cfg(feature = "npz")]
fn read_npz(bytes: &Bytes) -> Result<Contents, String> {
    npz::read(bytes)
}

#[cfg(feature = "onnx")]
fn read_onnx(bytes: &Bytes, path: Option<&Path>) -> Result<Contents, String> {
    onnx::read(bytes.clone(), path)
}

#[cfg(not(feature = "onnx"))]
fn read_onnx(_: &Bytes, _: Option<&Path>) -> Result<Contents, String> {
    Err("expected a safetensors file, found what looks like an ONNX model; those are read with cnn-runtime's feature `onnx`"
        .into())
}

#[cfg(not(feature = "npz"))]
fn read_npz(_: &Bytes) -> Result<Contents, String> {
    Err("expected a safetensors file, found a zip archive; npz files are read with cnn-runtime's feature `npz`".into())
}

/// Where the file is and how many tensors it has: there can be gigabytes.
impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weights").field("path", &self.path).field("tensors", &self.contents.tensors.len()).finish()
    }
}
