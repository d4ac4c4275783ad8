//! A network's layers as a graph, and what of it is a chain.

use super::{Declaration, INPUT, Layer};

/// Layers, and who reads which of them.
pub(super) struct Graph<'a> {
    pub layers: &'a [Layer<'a>],
    /// Of each layer, whether it has tensors.
    pub has_tensors: Vec<bool>,
    /// The readers of each layer, then those of the input; one that reads twice stands twice.
    readers: Vec<Vec<usize>>,
}

/// What follows a value.
pub(super) enum Next {
    /// Nothing: it is the output.
    End,
    /// A layer that reads this value alone, and that nothing reads it beside.
    Layer(usize),
    /// Branches that start here.
    Branches,
}

impl<'a> Graph<'a> {
    pub fn new(network: &'a Declaration<'a>) -> Self {
        let layers = &network.layers[..];
        let mut readers = vec![Vec::new(); layers.len() + 1];
        for (index, layer) in layers.iter().enumerate() {
            for &value in layer.inputs.iter() {
                readers[value.min(layers.len())].push(index);
            }
        }
        let mut has_tensors = vec![false; layers.len()];
        for tensor in &network.tensors {
            has_tensors[tensor.layer] = true;
        }
        Graph { layers, has_tensors, readers }
    }

    /// What a layer is: `conv`, `bn`, `relu`.
    pub fn kind(&self, layer: usize) -> &'a str {
        let text = self.layers[layer].text;
        text.split_once('(').map_or(text, |(kind, _)| kind)
    }

    /// How a layer is called in a message.
    pub fn name(&self, layer: usize) -> String {
        format!("`{}`", self.layers[layer].name)
    }

    /// The layers that read a value.
    pub fn readers(&self, value: usize) -> &[usize] {
        &self.readers[value.min(self.layers.len())]
    }

    /// What follows a value.
    pub fn next(&self, value: usize) -> Next {
        match *self.readers(value) {
            [] => Next::End,
            [reader] if self.layers[reader].inputs.len() == 1 => Next::Layer(reader),
            _ => Next::Branches,
        }
    }

    /// All layers, if each reads the one before it and nothing else.
    pub fn chain(&self) -> Result<Vec<usize>, String> {
        let (mut chain, mut value) = (Vec::new(), INPUT);
        loop {
            match self.next(value) {
                Next::End => return Ok(chain),
                Next::Layer(layer) => chain.push(layer),
                Next::Branches if value == INPUT => return Err("several layers read the input".into()),
                Next::Branches => return Err(format!("what follows {} is no chain", self.name(value))),
            }
            value = *chain.last().expect("it was pushed");
        }
    }
}
