//! Model files, and the files beside them that hold tensors.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use prost::Message as _;
use prost::bytes::Bytes;

use super::budget;
use super::error::Error;
use super::import::{Imported, import};
use super::proto::{ModelProto, TensorProto};
use crate::stranger::Shown;

/// A model that has been read, but not looked at. Its tensors' bytes are those of the file, not copies.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) proto: ModelProto,
    pub(super) folder: Folder,
}

/// Where a model's other files stand.
#[derive(Clone, Debug)]
pub(super) struct Folder(Option<PathBuf>);

/// The bytes of a tensor.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    /// In the model's own file.
    Here(Bytes),
    /// In another one, which is known to have them.
    Beside { path: PathBuf, offset: u64, length: usize },
}

impl Model {
    /// Reads a model's file.
    ///
    /// # Errors
    /// If it cannot be read, or is no ONNX model.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|error| Error::new(error.to_string()))?;
        Model::read(bytes, path.parent())
    }

    /// Reads a model from memory. Its tensors can stand in other files if it is known in which folder.
    ///
    /// # Errors
    /// If this is no ONNX model.
    pub fn read(bytes: impl AsRef<[u8]> + Send + 'static, folder: Option<&Path>) -> Result<Self, Error> {
        let here = |folder: &Path| if folder.as_os_str().is_empty() { Path::new(".").into() } else { folder.into() };
        Model::decode(Bytes::from_owner(bytes), Folder(folder.map(here)))
    }

    fn decode(bytes: Bytes, folder: Folder) -> Result<Self, Error> {
        budget::check(&bytes).map_err(Error::new)?;
        match ModelProto::decode(bytes) {
            Ok(proto) if proto.graph.is_some() => Ok(Model { proto, folder }),
            Ok(_) => Err(Error::new("expected an ONNX model, found no graph in it")),
            Err(error) => Err(Error::new(format!("expected an ONNX model, found damage: {error}"))),
        }
    }

    /// Turns the model into a network in the language of `cnn!`, with its weights.
    ///
    /// # Errors
    /// All nodes that cannot be imported, and why.
    pub fn import(&self) -> Result<Imported, Error> {
        import(self)
    }

    /// The other files that the model keeps tensors in, each once.
    pub fn beside(&self) -> Vec<PathBuf> {
        let graph = self.proto.graph.as_ref();
        let attributes = graph.iter().flat_map(|graph| &graph.node).flat_map(|node| &node.attribute);
        let tensors = graph.iter().flat_map(|graph| &graph.initializer);
        let tensors = tensors.chain(attributes.filter_map(|attribute| attribute.t.as_deref()));
        let entries = tensors.filter(|tensor| tensor.data_location == 1).flat_map(|tensor| &tensor.external_data);
        let locations = entries.filter(|entry| entry.key == "location").map(|entry| Path::new(&entry.value));
        let locations: BTreeSet<&Path> = locations.filter(|location| is_inside(location)).collect();
        let path = |location| self.folder.0.as_ref().map(|folder| folder.join(location));
        locations.into_iter().filter_map(path).collect()
    }
}

impl Folder {
    /// Finds a tensor's bytes, of which there must be `bytes`, in another file of this folder or below it.
    pub fn find(&self, tensor: &TensorProto, bytes: usize) -> Result<Stored, String> {
        let value = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let location = value("location").ok_or("its data stand in another file, which is not named")?;
        let folder = self.0.as_deref();
        let folder = folder.ok_or("its data stand in another file, and this model is not read from a folder")?;
        let place = |problem: &str| format!("its data stand in the file {}, {problem}", Shown(location));
        let inside = Path::new(location);
        if !is_inside(inside) {
            return Err(place("which is not inside the model's folder"));
        }
        // A link could leave the folder where the name does not.
        let real = |path: &Path| path.canonicalize().map_err(|error| place(&format!("which cannot be read: {error}")));
        let path = real(&folder.join(inside))?;
        if !path.starts_with(real(folder)?) {
            return Err(place("which is a link that leaves the model's folder"));
        }
        let number = |key: &str| match value(key) {
            Some(text) => text.parse::<u64>().map(Some).map_err(|_| place(&format!("at {key} {}", Shown(text)))),
            None => Ok(None),
        };
        let offset = number("offset")?.unwrap_or(0);
        if let Some(length) = number("length")?
            && length != bytes as u64
        {
            return Err(place(&format!("where {length} bytes are claimed for it and {bytes} needed")));
        }
        let size = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => return Err(place("which is no file")),
        };
        match offset.checked_add(bytes as u64) {
            Some(end) if end <= size => Ok(Stored::Beside { path, offset, length: bytes }),
            _ => Err(place(&format!("which has {size} bytes: {bytes} at {offset} are needed"))),
        }
    }
}

/// Whether a path leads nowhere but further in.
fn is_inside(path: &Path) -> bool {
    let further = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    !path.as_os_str().is_empty() && path.components().all(further)
}

impl Stored {
    /// The bytes.
    pub fn read(&self) -> Result<Bytes, String> {
        match self {
            Stored::Here(bytes) => Ok(bytes.clone()),
            Stored::Beside { path, offset, length } => {
                let read = || {
                    let mut file = File::open(path)?;
                    file.seek(SeekFrom::Start(*offset))?;
                    let mut bytes = vec![0; *length];
                    file.read_exact(&mut bytes)?;
                    Ok(bytes.into())
                };
                read().map_err(|error: std::io::Error| format!("`{}`: {error}", path.display()))
            }
        }
    }
}
