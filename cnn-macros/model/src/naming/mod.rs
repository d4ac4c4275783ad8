//! What PyTorch would call a network's tensors.

mod graph;
mod torchvision;

use std::borrow::Cow;
use std::fmt;

use crate::dtype::Dtype;
use graph::Graph;

/// The input of the network, as layers name it among what they read.
pub const INPUT: usize = usize::MAX;

/// What was declared, as far as names follow from it.
#[derive(Clone, Debug)]
pub struct Declaration<'a> {
    /// The network's name.
    pub name: &'a str,
    /// The layers in execution order.
    pub layers: Vec<Layer<'a>>,
    /// The tensors in the order of their layers.
    pub tensors: Vec<Tensor<'a>>,
}

/// A layer of a [`Declaration`].
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// Its unique name, the prefix of its tensors.
    pub name: &'a str,
    /// The layer as written: its kind, then its arguments.
    pub text: &'a str,
    /// Indices of the layers it reads; [`INPUT`] is the input of the network.
    pub inputs: Cow<'a, [usize]>,
    /// Shape of one output sample: `[c, h, w]` or `[features]`.
    pub output: Cow<'a, [usize]>,
}

/// A tensor of a [`Declaration`].
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    /// The index of its layer.
    pub layer: usize,
    /// What it is called inside its layer, here as in PyTorch: `weight`, `running_mean`.
    pub part: &'a str,
}

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

/// The error on a network that has no names as of a [`Naming`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unnamed {
    /// Of which layers there would be names.
    pub expected: String,
    /// The layer that stands in the way.
    pub found: String,
}

impl Naming {
    /// All of them, those first that are tried first.
    const ALL: [Naming; 3] = [Naming::Own, Naming::Torchvision, Naming::Sequential];

    /// The names of all tensors of a network, in their order.
    ///
    /// # Errors
    /// [`Unnamed`] with a layer for which there is no such name, and why.
    pub fn names<'a>(self, network: impl Into<Declaration<'a>>) -> Result<Vec<String>, Unnamed> {
        self.names_of(&network.into())
    }

    /// The naming of which a file has the most names, and those names. Of several the first.
    pub fn best<'a>(network: impl Into<Declaration<'a>>, has: impl Fn(&str) -> bool) -> (Naming, Vec<String>) {
        let network = network.into();
        let fitting = |names: &Vec<String>| names.iter().filter(|name| has(name)).count();
        let possible = Self::ALL.into_iter().filter_map(|naming| Some((naming, naming.names_of(&network).ok()?)));
        possible.rev().max_by_key(|(_, names)| fitting(names)).expect("a network's own names are always possible")
    }

    fn names_of(self, network: &Declaration<'_>) -> Result<Vec<String>, Unnamed> {
        let modules = match self {
            Naming::Own => Ok(network.layers.iter().map(|layer| Some(layer.name.to_owned())).collect()),
            Naming::Torchvision => torchvision::modules(&Graph::new(network)),
            Naming::Sequential => sequential(&Graph::new(network)),
        };
        let modules: Vec<Option<String>> = modules.map_err(|reason| self.impossible(network, &reason))?;
        let name = |tensor: &Tensor<'_>| match &modules[tensor.layer] {
            Some(module) => Ok(format!("{module}.{}", tensor.part)),
            None => {
                let layer = network.layers[tensor.layer].name;
                Err(self.impossible(network, &format!("`{layer}.{}` stands outside of them", tensor.part)))
            }
        };
        network.tensors.iter().map(name).collect()
    }

    fn impossible(self, network: &Declaration<'_>, reason: &str) -> Unnamed {
        let expected = match self {
            Naming::Sequential => "a chain",
            Naming::Own | Naming::Torchvision => "a chain or a chain of residual blocks",
        };
        Unnamed {
            expected: format!("{expected}, so that names as of {self} follow"),
            found: format!("{}, where {reason}", network.name),
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

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layers to be named: expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Unnamed {}

/// Whether a file's tensor is PyTorch's count of the batches that a batch normalisation has seen, which no result
/// depends on.
pub fn counts_batches(name: &str, dtype: Dtype, shape: &[usize]) -> bool {
    shape.is_empty() && !dtype.is_float() && name.ends_with("num_batches_tracked")
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
