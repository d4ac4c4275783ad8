//! The weights of ONNX models: of one that a network was written as, by that network's names, of others by the names that
//! a network made of the model gives them.

use std::path::Path;
use std::sync::Arc;

use cnn_model::Dtype;
use cnn_model::onnx::{Model, Tensor};

use super::file::{Bytes, Contents, Entry, Place};

/// A tensor that is made when it is asked for.
#[derive(Clone, Debug)]
pub(super) struct Made(Arc<Tensor>);

/// The same tensor of the same reading of a file.
impl PartialEq for Made {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Made {}

impl Made {
    /// The numbers.
    pub fn floats(&self) -> Result<Vec<f32>, String> {
        self.0.floats().map_err(|error| error.to_string())
    }
}

/// Reads a model; tensors in other files are looked for beside it, if it has a path.
pub(super) fn read(bytes: Bytes, path: Option<&Path>) -> Result<Contents, String> {
    let model = open(bytes, path)?;
    model.tensors().map_or_else(|| import(&model), |tensors| Ok(contents(tensors)))
}

/// Reads a model that a network was written as by the other names: those that a network made of it has.
pub(super) fn read_imported(bytes: Bytes, path: Option<&Path>) -> Option<Contents> {
    let model = open(bytes, path).ok()?;
    model.tensors().and_then(|_| import(&model).ok())
}

fn open(bytes: Bytes, path: Option<&Path>) -> Result<Model, String> {
    Model::read(bytes, path.and_then(Path::parent)).map_err(|error| error.to_string())
}

fn import(model: &Model) -> Result<Contents, String> {
    Ok(contents(model.import().map_err(|error| error.to_string())?.tensors))
}

fn contents(tensors: Vec<Tensor>) -> Contents {
    let tensors = tensors.into_iter().map(|tensor| Entry {
        name: tensor.name.clone(),
        dtype: Dtype::F32,
        shape: tensor.shape().to_vec(),
        place: Place::Made(Made(Arc::new(tensor))),
    });
    Contents { tensors: tensors.collect(), ..Contents::default() }
}
