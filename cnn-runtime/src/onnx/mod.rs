//! Networks as ONNX models (<https://onnx.ai/onnx/repo-docs/IR.html>).
//!
//! Nothing is traced: the graph is that of the declaration, a node per layer and a few where ONNX has no operator of
//! the kind. Nodes have the names of their layers, and so have the values they make; initialisers are called as tensors
//! are. A batch may have any number of samples.

mod attribute;
mod file;
mod graph;
mod layer;
mod pool;
mod spatial;
#[cfg(test)]
mod tests;

use std::path::Path;

use cnn_model::onnx::own;
use cnn_model::onnx::proto::{
    DimensionProto, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto, data_type,
};

use crate::error::Error;
use crate::info::NetInfo;
use crate::network::Network;
use crate::weights::Tensor;
use graph::Graph;

/// The operators' version: the first with `Gelu`.
const OPSET: i64 = 20;
/// The format's version that came with it.
const IR: i64 = 9;
/// The name of the batch's size.
const BATCH: &str = "N";

/// Writes a network as it infers. The file is written whole or not at all.
///
/// # Errors
/// [`Error::Io`] if it cannot be written: also where it would have 2 GiB, which no ONNX model may have.
/// [`Error::DataMismatch`] if a layer's maps are of other sizes than ONNX's operator makes.
pub(crate) fn export<N: Network>(network: &N, path: &Path) -> Result<(), Error> {
    let info = N::INFO;
    info.layers.iter().try_for_each(spatial::check_scale)?;
    let mut graph = Graph::new(info);
    for number in 0..info.layers.len() {
        graph.enter(info, number).write();
    }
    let Graph { input, names, nodes, constants, weights } = graph;
    let output = names.last().cloned().unwrap_or_else(|| input.clone());
    let value = |name, shape: &[usize]| ValueInfoProto { name, r#type: Some(batch_of(shape)) };
    let outside = GraphProto {
        node: nodes,
        name: info.name.to_owned(),
        initializer: constants,
        input: vec![value(input, &info.input)],
        output: vec![value(output, info.output)],
    };
    let tensors = weights.into_iter().map(|(tensor, dims)| {
        let values = network.params().stored(tensor);
        (dims, Tensor::stored(tensor.name, tensor, values))
    });
    file::write(path, &about(info), &outside, &tensors.collect::<Vec<_>>())
}

/// Everything of a model but its graph.
fn about(info: &NetInfo) -> ModelProto {
    let said = [
        ("cnn.network", info.name.to_owned()),
        ("cnn.hash", format!("{:016x}", info.hash)),
        ("cnn.summary", info.summary.to_owned()),
        // By these the network finds its weights again: `load` does not go by what an import makes of the graph.
        (own::TENSORS, own::list(info.tensors.iter().map(|tensor| (tensor.name, tensor.shape)))),
    ];
    let entry = |(key, value): (&str, String)| StringStringEntryProto { key: key.to_owned(), value };
    ModelProto {
        ir_version: IR,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: said.into_iter().map(entry).collect(),
        graph: None,
    }
}

/// The type of a batch of values of one shape.
fn batch_of(shape: &[usize]) -> TypeProto {
    let batch = DimensionProto { dim_value: None, dim_param: Some(BATCH.to_owned()) };
    let size = |&size: &usize| DimensionProto { dim_value: Some(attribute::whole(size)), dim_param: None };
    let dim = std::iter::once(batch).chain(shape.iter().map(size)).collect();
    let shape = Some(TensorShapeProto { dim });
    TypeProto { tensor_type: Some(TensorTypeProto { elem_type: data_type::FLOAT, shape }) }
}
