//! Files of weights, held against the networks that name them: of a file only the header is read.

mod file;
mod fit;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::Path;

use cnn_model::naming::{Declaration, INPUT, Layer, Tensor};

use crate::ast::Weights;
use crate::attrs;
use crate::diag::Diagnostics;
use crate::front::Network;
use crate::ir::Graph;
use crate::layout::Layout;

/// Holds the file of a network's weights against the network, as far as that is known: its layout is `None` after an
/// error. Paths are relative to `folder`. Returns whether the file, if there is one, is as it should be.
pub fn check(network: &Network, layout: Option<&Layout>, folder: &Path, diagnostics: &Diagnostics) -> bool {
    let Some(weights) = &network.weights else { return true };
    let before = diagnostics.len();
    diagnostics.under(attrs::conditions(&network.attrs), || hold(network, weights, layout, folder, diagnostics));
    diagnostics.len() == before
}

fn hold(network: &Network, weights: &Weights, layout: Option<&Layout>, folder: &Path, diagnostics: &Diagnostics) {
    let read = match &weights.model {
        Some(model) => Ok(model.tensors.iter().map(file::Entry::of_model).collect()),
        None => file::read(&folder.join(&weights.path)),
    };
    match (read, &network.graph, layout) {
        (Ok(tensors), Some(graph), Some(layout)) => {
            let name = network.name.to_string();
            fit::check(&fit::Pair { name: &name, graph, layout, weights, tensors: &tensors }, diagnostics);
        }
        (Ok(_), ..) => {}
        (Err(reason), ..) => diagnostics.error(weights.site, format!("`{}`: {reason}", weights.path)),
    }
}

/// What names in files follow from, of a graph.
pub fn declaration<'a>(name: &'a str, graph: &'a Graph, layout: &Layout) -> Declaration<'a> {
    let layers = graph.nodes.iter().map(|node| Layer {
        name: &node.name,
        text: &node.text,
        inputs: node.inputs.iter().map(|&value| value.checked_sub(1).unwrap_or(INPUT)).collect::<Vec<_>>().into(),
        output: Cow::Owned(node.output.dims()),
    });
    let tensors = layout.tensors.iter().map(|tensor| Tensor { layer: tensor.node, part: tensor.role.suffix() });
    Declaration { name, layers: layers.collect(), tensors: tensors.collect() }
}
