//! From a model's graph to a network: node by node, each value either known now or computed by a layer later.

use std::collections::{HashMap, HashSet};

use super::attributes::Attributes;
use super::computed::Computed;
use super::constant::{Constant, Int, called, check_axes};
use super::error::{Error, sizes};
use super::file::{Folder, Model};
use super::net::{Net, Shape, ValueId, elements};
use super::ops;
use super::print;
use super::proto::{GraphProto, NodeProto, ValueInfoProto, data_type};
use super::weight::Weight;
use crate::stranger::Shown;

/// The versions of ONNX's operators whose meaning is known here. Before version 7 sums did not broadcast as they do now.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;

/// A model as a network in the language of `cnn!`, with its weights.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Input shape and layers, to be written behind a network's name: `<1x28x28> -> conv(6, 5x5) -> ...`.
    pub text: String,
    /// The network's tensors in its order.
    pub tensors: Vec<Tensor>,
}

/// A tensor of an imported network.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// The network's name for it: `conv1.weight`.
    pub name: String,
    /// The layer it belongs to, as a message calls it.
    pub(super) origin: String,
    pub(super) weight: Weight,
}

impl Tensor {
    /// Shape: OIHW for convolutions, `[out, in]` for fully connected layers.
    pub fn shape(&self) -> &[usize] {
        &self.weight.shape
    }

    /// The numbers, read from the model and changed as the network needs them.
    ///
    /// # Errors
    /// If the model keeps them in another file that cannot be read.
    pub fn floats(&self) -> Result<Vec<f32>, Error> {
        self.weight.floats().map_err(|problem| Error::new(format!("{}: {problem}", self.origin)))
    }
}

/// What is known of a value of the model.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// All of it.
    Constant(Constant),
    /// Its shape: layers compute it.
    Live(Live),
    /// Nothing, because of a problem that has been noted.
    Broken,
}

/// A value that layers compute.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// Which of the network's values has its elements, in the same order.
    pub value: ValueId,
    /// Its sizes in the model, but for the axis of samples.
    pub dims: Vec<usize>,
}

/// What the first axis of the model's input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batch {
    /// It counts any number of samples.
    Any,
    /// It counts this many samples, as the model says; the network takes any number.
    Fixed(i64),
    /// It is an axis of the only sample.
    None,
}

/// The state of an import.
pub(super) struct Importer<'a> {
    pub folder: &'a Folder,
    pub opset: i64,
    pub batch: Batch,
    pub net: Net,
    pub computed: Computed,
    values: HashMap<&'a str, Value>,
    /// How often each name is read.
    readers: HashMap<&'a str, usize>,
    /// How often each of the network's values is read, by all its names together.
    reads: HashMap<ValueId, usize>,
}

/// Imports a model.
pub(super) fn import(model: &Model) -> Result<Imported, Error> {
    // A model without one is not made.
    let graph = model.proto.graph.as_ref().ok_or_else(|| Error::new("the model has no graph"))?;
    let opset = opset(model).map_err(Error::new)?;
    let (name, batch, dims) = input(graph).map_err(Error::new)?;
    let input = Shape::of(&dims);
    // The language declares maps: `784` features come as `784x1x1`.
    let declared = Shape::Map(input.map());
    let own = model.tensors().unwrap_or_default().into_iter();
    let own = own.filter_map(|tensor| Some(tensor.name.rsplit_once('.')?.0.to_owned()));
    let net = Net::new(declared, own.collect());
    let mut importer = Importer {
        folder: &model.folder,
        opset,
        batch,
        net,
        computed: Computed::new(),
        values: HashMap::new(),
        readers: readers(graph),
        reads: HashMap::new(),
    };
    let mut problems = importer.initializers(graph, name);
    importer.bind(name, Value::Live(Live { value: 0, dims }));
    for (index, node) in graph.node.iter().enumerate() {
        if let Err(problem) = importer.node(index, node) {
            problems.push(format!("{}: {problem}", describe(index, node, opset)));
            let broken = node.output.iter().map(|name| (name.as_str(), Value::Broken));
            importer.values.extend(broken);
        }
    }
    let output = importer.output(graph).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    Error::check(problems)?;
    let output = output.ok_or_else(|| Error::new("the model computes nothing"))?;
    print::print(&importer.net, output)
}

/// How a node is called in a message.
fn describe(index: usize, node: &NodeProto, opset: i64) -> String {
    let name = if node.name.is_empty() { format!("number {}", index + 1) } else { Shown(&node.name).to_string() };
    let domain = if is_standard(&node.domain) { String::new() } else { format!("{}::", word(&node.domain)) };
    format!("node {name} ({domain}{}, opset {opset})", word(&node.op_type))
}

/// The first of several names.
fn list<'n>(mut names: impl Iterator<Item = &'n str>) -> String {
    const MOST: usize = 8;
    let shown: Vec<String> = names.by_ref().take(MOST).map(|name| Shown(name).to_string()).collect();
    format!("[{}{}]", shown.join(", "), if names.next().is_some() { ", .." } else { "" })
}

/// The name of an operator or of a set of them, in quotes only where it is none.
fn word(text: &str) -> String {
    let is_word = text.len() <= 40 && text.chars().all(|ch| ch.is_ascii_alphanumeric() || "._".contains(ch));
    if is_word { text.into() } else { Shown(text).to_string() }
}

/// Whether a set of operators is ONNX's own.
fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn opset(model: &Model) -> Result<i64, String> {
    let imported = model.proto.opset_import.iter().find(|set| is_standard(&set.domain));
    let version = imported.ok_or("the model does not say which version of ONNX's operators it uses")?.version;
    if OPSETS.contains(&version) {
        return Ok(version);
    }
    let (first, last) = (OPSETS.start(), OPSETS.end());
    Err(format!("the model uses version {version} of ONNX's operators: versions {first} to {last} can be imported"))
}

fn readers(graph: &GraphProto) -> HashMap<&str, usize> {
    let mut readers = HashMap::new();
    let read = graph.node.iter().flat_map(|node| &node.input).map(String::as_str);
    for name in read.chain(graph.output.iter().map(|output| output.name.as_str())) {
        *readers.entry(name).or_insert(0) += 1;
    }
    readers
}

/// The only input that is no constant: its name, what its first axis is, and its other sizes.
fn input(graph: &GraphProto) -> Result<(&str, Batch, Vec<usize>), String> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs: Vec<_> = graph.input.iter().filter(|input| !constants.contains(input.name.as_str())).collect();
    let input = match inputs[..] {
        [input] => input,
        [] => return Err("the model has no input".into()),
        _ => {
            let names = list(inputs.iter().map(|input| &input.name[..]));
            return Err(format!("the model has the inputs {names}: a network has one"));
        }
    };
    let (batch, dims) = input_shape(input).map_err(|problem| format!("input {}: {problem}", Shown(&input.name)))?;
    Ok((&input.name, batch, dims))
}

fn input_shape(input: &ValueInfoProto) -> Result<(Batch, Vec<usize>), String> {
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let tensor = tensor.ok_or("it is no tensor")?;
    if tensor.elem_type != data_type::FLOAT {
        return Err(format!("its elements are of type {}: 32-bit floats are needed", tensor.elem_type));
    }
    let dims = &tensor.shape.as_ref().ok_or("its shape is not known")?.dim;
    check_axes(dims.len())?;
    let sizes: Vec<Option<i64>> = dims.iter().map(|dim| dim.dim_value).collect();
    let batch = match sizes[..] {
        [] => return Err("it is a single number".into()),
        [None, ..] => Batch::Any,
        // Maps and vectors come with an axis of samples; so does whatever has one of size 1 in its place.
        [Some(samples), ..] if samples == 1 || !matches!(sizes.len(), 1 | 3) => Batch::Fixed(samples),
        _ => Batch::None,
    };
    let rest = &sizes[usize::from(batch != Batch::None)..];
    let known = rest.iter().zip(usize::from(batch != Batch::None)..).map(|(size, axis)| match size {
        Some(size) => usize::try_from(*size).map_err(|_| format!("its size {size} is impossible")),
        None => Err(format!("its axis {axis} has no fixed size: export the model with fixed sizes of its images")),
    });
    let dims = known.collect::<Result<Vec<_>, _>>()?;
    elements(&dims)?;
    Ok((batch, dims))
}

impl<'a> Importer<'a> {
    /// Notes the graph's constants; returns the problems of those that are read.
    fn initializers(&mut self, graph: &'a GraphProto, input: &str) -> Vec<String> {
        let mut problems = Vec::new();
        for tensor in &graph.initializer {
            if !self.readers.contains_key(tensor.name.as_str()) {
                continue;
            }
            let value = match Constant::read(tensor, self.folder) {
                Ok(constant) => {
                    self.computed.own(&constant);
                    Value::Constant(constant)
                }
                Err(problem) => {
                    problems.push(format!("{}: {problem}", called(&tensor.name)));
                    Value::Broken
                }
            };
            if tensor.name == input || self.values.insert(&tensor.name, value).is_some() {
                problems.push(format!("{}: it is defined twice", called(&tensor.name)));
            }
        }
        problems
    }

    fn node(&mut self, index: usize, node: &'a NodeProto) -> Result<(), String> {
        if !is_standard(&node.domain) {
            return Err("operators outside of ONNX's own set cannot be imported".into());
        }
        let mut broken = false;
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            match self.values.get(name.as_str()) {
                Some(Value::Broken) => broken = true,
                Some(_) => {}
                None => return Err(format!("it reads {}, which nothing before it makes", Shown(name))),
            }
        }
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if self.values.contains_key(name.as_str()) {
                return Err(format!("it makes {}, which something before it makes", Shown(name)));
            }
        }
        // What follows a problem is none of its own.
        let value = if broken { Value::Broken } else { self.compute(index, node)? };
        let mut outputs = node.output.iter().filter(|name| !name.is_empty());
        if let Some(first) = node.output.first().filter(|name| !name.is_empty()) {
            outputs.next();
            self.pass_on(node, &value);
            self.bind(first, value);
        }
        match outputs.find(|name| self.readers.contains_key(name.as_str())) {
            Some(name) => Err(format!("its further output {} is read, which is not supported", Shown(name))),
            None => Ok(()),
        }
    }

    /// Gives a value a name. A network's value can have several, and is read by all of them.
    fn bind(&mut self, name: &'a str, value: Value) {
        if let Value::Live(live) = &value {
            *self.reads.entry(live.value).or_insert(0) += self.readers.get(name).copied().unwrap_or(0);
        }
        self.values.insert(name, value);
    }

    /// Notes that a node which makes `value` does not read it: those do that read the new name.
    fn pass_on(&mut self, node: &NodeProto, value: &Value) {
        let Value::Live(live) = value else { return };
        let same = |name: &String| {
            let input = self.values.get(name.as_str());
            matches!(input, Some(Value::Live(input)) if input.value == live.value)
        };
        if node.input.iter().any(same)
            && let Some(reads) = self.reads.get_mut(&live.value)
        {
            *reads -= 1;
        }
    }

    fn compute(&mut self, index: usize, proto: &'a NodeProto) -> Result<Value, String> {
        self.net.origin = describe(index, proto, self.opset);
        self.net.node.clone_from(&proto.name);
        let attributes = Attributes::of(&proto.attribute);
        let mut node = Node { importer: self, proto, attributes };
        let value = ops::apply(&mut node)?;
        node.attributes.all_read()?;
        if let Value::Live(live) = &value {
            let found = elements(&live.dims)?;
            debug_assert_eq!(found, self.net.shape(live.value).len());
        }
        Ok(value)
    }

    /// The network's value of the model's only output, read in the shape that it has there; `None` after a problem.
    fn output(&mut self, graph: &'a GraphProto) -> Result<Option<ValueId>, String> {
        let output = match &graph.output[..] {
            [output] => output,
            outputs => {
                let names = list(outputs.iter().map(|output| &output.name[..]));
                return Err(format!("the model has the outputs {names}: a network has one"));
            }
        };
        match self.values.get(output.name.as_str()).cloned() {
            Some(Value::Live(live)) => {
                let shape = Shape::of(&live.dims);
                match self.net.view(live.value, shape) {
                    // A network computes something: `1 * x + 0` at least.
                    0 => Ok(Some(self.net.add("affine", vec![], vec![0], shape))),
                    value => Ok(Some(value)),
                }
            }
            Some(Value::Constant(_)) => Err("the model's output does not depend on its input".into()),
            Some(Value::Broken) => Ok(None),
            None => Err(format!("nothing makes the model's output {}", Shown(&output.name))),
        }
    }
}

/// A node that is being imported.
pub(super) struct Node<'i, 'a> {
    pub importer: &'i mut Importer<'a>,
    pub proto: &'a NodeProto,
    pub attributes: Attributes<'a>,
}

impl Node<'_, '_> {
    /// The version of ONNX's operators.
    pub fn opset(&self) -> i64 {
        self.importer.opset
    }

    /// The network so far.
    pub fn net(&mut self) -> &mut Net {
        &mut self.importer.net
    }

    /// Whether there is an input at this place.
    pub fn has(&self, index: usize) -> bool {
        self.proto.input.get(index).is_some_and(|name| !name.is_empty())
    }

    /// The input at this place.
    pub fn value(&self, index: usize) -> Result<&Value, String> {
        let name = self.proto.input.get(index).filter(|name| !name.is_empty());
        let value = name.and_then(|name| self.importer.values.get(name.as_str()));
        value.ok_or_else(|| format!("its input {} is missing", index + 1))
    }

    /// The input at this place, which layers compute.
    pub fn live(&self, index: usize) -> Result<Live, String> {
        match self.value(index)? {
            Value::Live(live) => Ok(live.clone()),
            _ => Err(format!("its input {} is a constant, which is not supported", index + 1)),
        }
    }

    /// The input at this place, if there is one; it must be a constant.
    pub fn constant(&self, index: usize) -> Result<Option<Constant>, String> {
        if !self.has(index) {
            return Ok(None);
        }
        match self.value(index)? {
            Value::Constant(constant) => Ok(Some(constant.clone())),
            _ => {
                let name = Shown(&self.proto.input[index]);
                Err(format!("its input {} ({name}) depends on the network's input: a constant is needed", index + 1))
            }
        }
    }

    /// The input at this place, which must be a constant.
    pub fn needed(&self, index: usize) -> Result<Constant, String> {
        self.constant(index)?.ok_or_else(|| format!("its input {} is missing", index + 1))
    }

    /// Whether this node, which reads a value, is the only one that does, by whatever name.
    pub fn alone_reads(&self, live: &Live) -> bool {
        self.importer.reads.get(&live.value) == Some(&1)
    }

    /// Whether the first axis of a value counts samples.
    pub fn is_batched(&self) -> bool {
        self.importer.batch != Batch::None
    }

    /// An error if the first axis of values does not count samples.
    pub fn batched(&self) -> Result<(), String> {
        if self.is_batched() { Ok(()) } else { Err("the model's input has no axis of samples, which is needed".into()) }
    }

    /// The rank of a value in the model.
    pub fn rank(&self, live: &Live) -> usize {
        live.dims.len() + usize::from(self.is_batched())
    }

    /// The place among [`Live::dims`] of an axis of the model; negative ones count from the end.
    pub fn axis(&self, live: &Live, axis: i64) -> Result<usize, String> {
        match position(axis, self.rank(live))? {
            0 if self.is_batched() => Err("its axis 0 counts samples, which a network keeps apart".into()),
            position => Ok(position - usize::from(self.is_batched())),
        }
    }

    /// The sizes of a value in the model, the number of samples among them.
    pub fn full_dims(&self, live: &Live) -> Vec<Int> {
        let samples = match self.importer.batch {
            Batch::Any => Some(Int::Batch),
            Batch::Fixed(samples) => Some(Int::Known(samples)),
            Batch::None => None,
        };
        let known = live.dims.iter().map(|&size| i64::try_from(size).map_or(Int::Batch, Int::Known));
        samples.into_iter().chain(known).collect()
    }

    /// A value as a map; without one an error that says what the value is.
    pub fn map(&mut self, live: &Live) -> Result<(ValueId, [usize; 3]), String> {
        self.batched()?;
        if !matches!(live.dims.len(), 2 | 3) {
            let rank = self.rank(live);
            let dims = sizes(&live.dims);
            return Err(format!(
                "its input has {rank} axes ({dims} for one sample): it works on images [channels, rows, columns] or lines [channels, columns]"
            ));
        }
        let shape = Shape::of(&live.dims);
        Ok((self.net().view(live.value, shape), shape.map()))
    }
}

/// The place of an axis among `rank` ones; negative ones count from the end.
pub(super) fn position(axis: i64, rank: usize) -> Result<usize, String> {
    let from_start =
        if axis < 0 { i64::try_from(rank).ok().and_then(|rank| rank.checked_add(axis)) } else { Some(axis) };
    let position = from_start.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank);
    position.ok_or_else(|| format!("its axis {axis} is none of the {rank} that the value has"))
}
