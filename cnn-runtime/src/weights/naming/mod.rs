//! What PyTorch would call a network's tensors.

mod graph;
mod torchvision;

use std::fmt;

use crate::error::Error;
use crate::info::{LayerInfo, NetInfo, Role, TensorInfo};
use graph::Graph;

/// A way to name a network's tensors, derived from the layers as they were declared. Layouts are PyTorch's anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Naming {
    /// The network's own names, `conv1.weight` and `basic2.conv1.weight`: those of a PyTorch module whose layers are
    /// named so.
    #[default]
    Own,
    /// What torchvision's networks would call them. Of a chain of layers, `features.3.weight` before its classifier and
    /// `classifier.1.weight` from there on, where each activation, pooling and dropout counts; of a residual network,
    /// `layer2.0.conv1.weight` and `layer2.0.downsample.0.weight` in its blocks, where blocks of one output shape make
    /// a layer, and `conv1`, `bn1` and `fc` around them.
    Torchvision,
    /// What an `nn.Sequential` of a chain's layers would call them: `3.weight`. Between maps and fully connected layers
    /// stands an `nn.Flatten`, which counts.
    Sequential,
}

impl Naming {
    /// All of them, those first that are tried first.
    pub(super) const ALL: [Naming; 3] = [Naming::Own, Naming::Torchvision, Naming::Sequential];

    /// The names of all tensors of a network, in the order of [`NetInfo::tensors`].
    ///
    /// # Errors
    /// [`Error::DataMismatch`] naming a layer for which there is no such name, and why.
    pub fn names(self, info: &'static NetInfo) -> Result<Vec<String>, Error> {
        let modules = match self {
            Naming::Own => return Ok(info.tensors.iter().map(|tensor| tensor.name.to_owned()).collect()),
            Naming::Torchvision => torchvision::modules(&Graph::new(info.layers)),
            Naming::Sequential => sequential(&Graph::new(info.layers)),
        };
        let modules = modules.map_err(|reason| self.impossible(info, reason))?;
        info.tensors.iter().map(|tensor| self.name(info, &modules, tensor)).collect()
    }

    fn name(self, info: &NetInfo, modules: &[Option<String>], tensor: &TensorInfo) -> Result<String, Error> {
        let layer = info.layers.iter().position(|layer| owns(layer, tensor));
        match layer.and_then(|layer| modules[layer].as_ref()) {
            Some(module) => Ok(format!("{module}.{}", suffix(tensor.role))),
            None => Err(self.impossible(info, format!("`{}` stands outside of them", tensor.name))),
        }
    }

    fn impossible(self, info: &NetInfo, found: String) -> Error {
        let expected = match self {
            Naming::Sequential => "a chain",
            Naming::Own | Naming::Torchvision => "a chain or a chain of residual blocks",
        };
        Error::DataMismatch {
            what: "layers to be named",
            expected: format!("{expected}, so that names as of {self} follow"),
            found: format!("{}, where {found}", info.name),
        }
    }
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Naming::Own => "the network's own",
            Naming::Torchvision => "torchvision",
            Naming::Sequential => "nn.Sequential",
        })
    }
}

/// Whether a tensor is one of this layer's, not of another whose name starts alike.
fn owns(layer: &LayerInfo, tensor: &TensorInfo) -> bool {
    tensor.name.rsplit_once('.').is_some_and(|(name, _)| name == layer.name)
}

/// What PyTorch calls a tensor inside its module.
fn suffix(role: Role) -> &'static str {
    match role {
        Role::Weight | Role::Scale => "weight",
        Role::Bias | Role::Shift => "bias",
        Role::RunningMean => "running_mean",
        Role::RunningVar => "running_var",
    }
}

/// A module's name for each layer of a chain: its number.
fn sequential(graph: &Graph<'_>) -> Result<Vec<Option<String>>, String> {
    let chain = graph.chain()?;
    let (mut modules, mut number, mut flat) = (vec![None; graph.layers.len()], 0, false);
    for layer in chain {
        let kind = graph.kind(layer);
        // The layer flattens maps itself; PyTorch's does not.
        number += usize::from(kind == "fc" && !flat);
        flat = graph.layers[layer].output.len() == 1;
        modules[layer] = Some(number.to_string());
        number += 1;
    }
    Ok(modules)
}

#[cfg(test)]
mod tests;
