//! The network that an import builds, layer by layer.

use std::collections::HashSet;
use std::fmt;

use super::weight::Weight;

/// Elements of one sample's value at most, as in the language.
const MOST_ELEMENTS: usize = 1 << 31;

/// The shape of a value, for one sample, as the language has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Channels, rows, columns.
    Map([usize; 3]),
    /// Features.
    Flat(usize),
}

impl Shape {
    /// The language's shape of a tensor of these sizes, without the axis of samples. Elements keep their order.
    pub fn of(dims: &[usize]) -> Shape {
        match *dims {
            [] => Shape::Flat(1),
            [features] => Shape::Flat(features),
            [c, w] => Shape::Map([c, 1, w]),
            [c, ref rows @ .., w] => Shape::Map([c, rows.iter().product(), w]),
        }
    }

    /// Elements of one sample.
    pub fn len(self) -> usize {
        match self {
            Shape::Map([c, h, w]) => c * h * w,
            Shape::Flat(features) => features,
        }
    }

    /// Channels, rows, columns; features are channels of one element.
    pub fn map(self) -> [usize; 3] {
        match self {
            Shape::Map(map) => map,
            Shape::Flat(features) => [features, 1, 1],
        }
    }
}

/// As the language writes it: `3x224x224`, `10`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Map([c, h, w]) => write!(f, "{c}x{h}x{w}"),
            Shape::Flat(features) => write!(f, "{features}"),
        }
    }
}

/// The product of sizes, each of which must be positive.
pub(super) fn elements(dims: &[usize]) -> Result<usize, String> {
    if dims.contains(&0) {
        return Err(format!("a value of shape {} has no elements", super::error::sizes(dims)));
    }
    let product = dims.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let fits = product.filter(|&elements| elements <= MOST_ELEMENTS);
    fits.ok_or_else(|| format!("a value of shape {} has more than 2^31 elements", super::error::sizes(dims)))
}

/// Index of a value: 0 is the network's input, `i + 1` the output of layer `i`.
pub(super) type ValueId = usize;

/// A layer.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// Its name in the language.
    pub kind: &'static str,
    /// Its arguments as they are written, but for a bias.
    pub args: Vec<String>,
    /// The values it reads.
    pub inputs: Vec<ValueId>,
    /// The shape of its output.
    pub output: Shape,
    /// Its tensors in the network's order; a bias among them, if it has one.
    pub tensors: Vec<(&'static str, Weight)>,
    /// What a message calls it.
    pub origin: String,
    /// The name of the node that it comes from.
    pub node: String,
}

impl Layer {
    /// Whether the layer may have a bias.
    pub fn takes_bias(&self) -> bool {
        matches!(self.kind, "conv" | "dwconv" | "conv_transpose" | "fc")
    }

    /// Whether the layer is one that may have a bias, and has none.
    pub fn lacks_bias(&self) -> bool {
        self.takes_bias() && self.tensors.len() == 1
    }
}

/// Layers in an order in which each stands behind those that it reads.
#[derive(Clone, Debug)]
pub(super) struct Net {
    /// Shape of the input.
    pub input: Shape,
    /// The layers; some may lead nowhere.
    pub layers: Vec<Layer>,
    /// What a message calls layers that are added now.
    pub origin: String,
    /// The name of the node that they come from.
    pub node: String,
    /// The names of the layers that the model was written of, if it lists their tensors.
    pub own: HashSet<String>,
}

impl Net {
    /// A network without layers.
    pub fn new(input: Shape, own: HashSet<String>) -> Self {
        Net { input, layers: Vec::new(), origin: String::new(), node: String::new(), own }
    }

    pub fn shape(&self, value: ValueId) -> Shape {
        if value == 0 { self.input } else { self.layers[value - 1].output }
    }

    /// Adds a layer without tensors.
    pub fn add(&mut self, kind: &'static str, args: Vec<String>, inputs: Vec<ValueId>, output: Shape) -> ValueId {
        self.add_with(kind, args, inputs, output, Vec::new())
    }

    /// Adds a layer with tensors.
    pub fn add_with(
        &mut self,
        kind: &'static str,
        args: Vec<String>,
        inputs: Vec<ValueId>,
        output: Shape,
        tensors: Vec<(&'static str, Weight)>,
    ) -> ValueId {
        let (origin, node) = (self.origin.clone(), self.node.clone());
        self.layers.push(Layer { kind, args, inputs, output, tensors, origin, node });
        self.layers.len()
    }

    /// Adds a layer that changes numbers one by one.
    pub fn pointwise(&mut self, kind: &'static str, args: Vec<String>, input: ValueId) -> ValueId {
        let shape = self.shape(input);
        self.add(kind, args, vec![input], shape)
    }

    /// The value read as another shape of as many elements.
    pub fn view(&mut self, value: ValueId, shape: Shape) -> ValueId {
        debug_assert_eq!(self.shape(value).len(), shape.len());
        if self.shape(value) == shape {
            return value;
        }
        // A view of a view is one of the value itself.
        if value > 0 && matches!(self.layers[value - 1].kind, "reshape" | "flatten") {
            return self.view(self.layers[value - 1].inputs[0], shape);
        }
        match shape {
            Shape::Flat(_) => self.add("flatten", vec![], vec![value], shape),
            Shape::Map(_) => self.add("reshape", vec![shape.to_string()], vec![value], shape),
        }
    }

    /// The value with its axes in another order, by one of the language's words.
    pub fn permute(&mut self, value: ValueId, order: [usize; 3]) -> ValueId {
        let map = self.shape(value).map();
        let moved = |axis: usize| map[axis] != 1;
        // Axes of size 1 can be anywhere: what stays in order is only read otherwise.
        let shape = Shape::Map(order.map(|axis| map[axis]));
        if order.into_iter().filter(|&axis| moved(axis)).is_sorted() {
            return self.view(value, shape);
        }
        let value = self.view(value, Shape::Map(map));
        let word: String = order.iter().map(|&axis| ["c", "h", "w"][axis]).collect();
        self.add("permute", vec![word], vec![value], shape)
    }
}
