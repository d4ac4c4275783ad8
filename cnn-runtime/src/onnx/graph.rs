//! Nodes and constants as they are collected, a layer at a time.

use std::collections::HashSet;

use cnn_model::onnx::proto::{AttributeProto, NodeProto, TensorProto, data_type};

use super::attribute::whole;
use crate::info::{LayerInfo, NetInfo, TensorInfo};

/// A graph on its way into a file.
pub(super) struct Graph {
    /// The name of the input.
    pub input: String,
    /// The name of each layer's value.
    pub names: Vec<String>,
    /// The nodes, each behind those that it reads.
    pub nodes: Vec<NodeProto>,
    /// Sizes and other arguments that are inputs in ONNX.
    pub constants: Vec<TensorProto>,
    /// The network's tensors, each with its shape in the file.
    pub weights: Vec<(&'static TensorInfo, Vec<usize>)>,
}

/// A layer on its way into the graph.
pub(super) struct Layer<'g> {
    pub info: &'static LayerInfo,
    /// The names of the values it reads, and their shapes.
    pub inputs: Vec<String>,
    pub shapes: Vec<&'static [usize]>,
    graph: &'g mut Graph,
}

impl Graph {
    /// A graph without nodes, whose tensors have the shapes that they have in the network.
    pub fn new(info: &'static NetInfo) -> Self {
        let names: Vec<String> = info.layers.iter().map(|layer| layer.name.to_owned()).collect();
        let taken: HashSet<&str> = info.layers.iter().map(|layer| layer.name).collect();
        let mut input = "input".to_owned();
        while taken.contains(&input[..]) {
            input.push('_');
        }
        let weights = info.tensors.iter().map(|tensor| (tensor, tensor.shape.to_vec())).collect();
        Graph { input, names, nodes: Vec::new(), constants: Vec::new(), weights }
    }

    /// The layer with this number of a network, to be put in.
    pub fn enter(&mut self, info: &'static NetInfo, number: usize) -> Layer<'_> {
        let layer = &info.layers[number];
        let name = |&value: &usize| self.names.get(value).unwrap_or(&self.input).clone();
        let shape = |&value: &usize| info.layers.get(value).map_or(&info.input[..], |layer| layer.output);
        let (inputs, shapes) = (layer.inputs.iter().map(name).collect(), layer.inputs.iter().map(shape).collect());
        Layer { info: layer, inputs, shapes, graph: self }
    }
}

impl Layer<'_> {
    /// The first value that the layer reads.
    pub fn input(&self) -> String {
        self.inputs[0].clone()
    }

    /// Whether the layer's value is a map, not a flat one.
    pub fn is_map(&self) -> bool {
        self.info.output.len() == 3
    }

    /// The node that makes the layer's value.
    pub fn node<const N: usize>(&mut self, op: &str, inputs: &[String], attributes: [AttributeProto; N]) {
        self.node_with(op, inputs, attributes.into());
    }

    /// As [`node`](Layer::node), with attributes whose number varies.
    pub fn node_with(&mut self, op: &str, inputs: &[String], attributes: Vec<AttributeProto>) {
        self.push(op, self.info.name.to_owned(), inputs, attributes);
    }

    /// A node that makes a value for another of the same layer; returns that value's name.
    pub fn part<const N: usize>(
        &mut self,
        part: &str,
        op: &str,
        inputs: &[String],
        attributes: [AttributeProto; N],
    ) -> String {
        let name = self.inside(part);
        self.push(op, name.clone(), inputs, attributes.into());
        name
    }

    /// A constant of one float.
    pub fn float(&mut self, part: &str, value: f32) -> String {
        self.floats(part, &[], &[value])
    }

    /// Constant floats.
    pub fn floats(&mut self, part: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(part, shape, data_type::FLOAT, bytes)
    }

    /// A constant list of whole numbers.
    pub fn ints(&mut self, part: &str, values: &[usize]) -> String {
        let bytes = values.iter().flat_map(|&value| whole(value).to_le_bytes()).collect();
        self.constant(part, &[values.len()], data_type::INT64, bytes)
    }

    /// The layer's tensor of this name, if it has one.
    pub fn tensor(&self, part: &str) -> Option<String> {
        let name = format!("{}.{part}", self.info.name);
        self.graph.weights.iter().any(|(tensor, _)| tensor.name == name).then_some(name)
    }

    /// Gives one of the layer's tensors another shape in the file.
    pub fn view(&mut self, part: &str, shape: Vec<usize>) {
        let name = format!("{}.{part}", self.info.name);
        let tensor = self.graph.weights.iter_mut().find(|(tensor, _)| tensor.name == name);
        tensor.into_iter().for_each(|(_, own)| own.clone_from(&shape));
    }

    /// The node's inputs followed by those of the layer's tensors that there are.
    pub fn with_tensors(&self, input: String, parts: &[&str]) -> Vec<String> {
        std::iter::once(input).chain(parts.iter().filter_map(|part| self.tensor(part))).collect()
    }

    fn push(&mut self, op: &str, name: String, inputs: &[String], attribute: Vec<AttributeProto>) {
        self.graph.nodes.push(NodeProto {
            input: inputs.to_vec(),
            output: vec![name.clone()],
            name,
            op_type: op.to_owned(),
            attribute,
            domain: String::new(),
            doc_string: self.info.text.to_owned(),
        });
    }

    fn constant(&mut self, part: &str, shape: &[usize], data_type: i32, bytes: Vec<u8>) -> String {
        let name = self.inside(part);
        let dims = shape.iter().map(|&size| whole(size)).collect();
        let raw_data = Some(bytes.into());
        self.graph.constants.push(TensorProto { name: name.clone(), dims, data_type, raw_data, ..Default::default() });
        name
    }

    /// A name that no layer has: theirs have no `/`.
    fn inside(&self, part: &str) -> String {
        format!("{}/{part}", self.info.name)
    }
}
