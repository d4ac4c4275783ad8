//! The names in torchvision's AlexNet, VGG and ResNet, and in what is built like them.

use super::INPUT;
use super::graph::{Graph, Next};

/// A module's name for each layer that can have tensors, or why there is none.
pub(super) fn modules(graph: &Graph<'_>) -> Result<Vec<Option<String>>, String> {
    match graph.chain() {
        Ok(chain) => Ok(features_and_classifier(graph, &chain)),
        Err(_) => Residual::new(graph).name(),
    }
}

/// A chain is two `nn.Sequential`: the classifier begins with the first fully connected layer, or with the dropout
/// right before it. Flattening is no module.
fn features_and_classifier(graph: &Graph<'_>, chain: &[usize]) -> Vec<Option<String>> {
    let kinds: Vec<_> = chain.iter().map(|&layer| graph.kind(layer)).collect();
    let first = kinds.iter().position(|&kind| kind == "fc").unwrap_or(chain.len());
    let before = kinds[..first].iter().rev().take_while(|&&kind| matches!(kind, "dropout" | "flatten")).count();
    let (features, classifier) = chain.split_at(first - before);
    let mut modules = vec![None; graph.layers.len()];
    for (part, layers) in [("features", features), ("classifier", classifier)] {
        let counted = layers.iter().filter(|&&layer| graph.kind(layer) != "flatten");
        for (number, &layer) in counted.enumerate() {
            modules[layer] = Some(format!("{part}.{number}"));
        }
    }
    modules
}

/// A chain of layers and residual blocks on the way to its names.
struct Residual<'a> {
    graph: &'a Graph<'a>,
    modules: Vec<Option<String>>,
    /// The layer of blocks, counted from 1, the next block in it, and the output shape of its blocks.
    stage: usize,
    block: usize,
    shape: &'a [usize],
}

impl<'a> Residual<'a> {
    fn new(graph: &'a Graph<'a>) -> Self {
        Residual { graph, modules: vec![None; graph.layers.len()], stage: 0, block: 0, shape: &[] }
    }

    fn name(mut self) -> Result<Vec<Option<String>>, String> {
        let (mut value, mut convs, mut norms) = (INPUT, 0, 0);
        loop {
            let layer = match self.graph.next(value) {
                Next::End => return Ok(self.modules),
                Next::Branches => {
                    value = self.block(value)?;
                    continue;
                }
                Next::Layer(layer) => layer,
            };
            let module = match (self.graph.kind(layer), self.stage) {
                ("conv", 0) => numbered("conv", &mut convs),
                ("bn", 0) => numbered("bn", &mut norms),
                ("fc", 1..) => "fc".to_owned(),
                _ => String::new(),
            };
            if self.graph.has_tensors[layer] {
                if module.is_empty() || self.modules.contains(&Some(module.clone())) {
                    return Err(format!("{} stands where torchvision has no such layer", self.graph.name(layer)));
                }
                self.modules[layer] = Some(module);
            }
            value = layer;
        }
    }

    /// Names the layers of the block that starts at a value; returns its sum.
    fn block(&mut self, start: usize) -> Result<usize, String> {
        let graph = self.graph;
        let branches: Result<Vec<_>, _> = graph.readers(start).iter().map(|&first| self.branch(start, first)).collect();
        let mut branches = branches?;
        // The shortcut has no layers or, where the shape changes, the fewer.
        branches.sort_by_key(|(layers, _)| std::cmp::Reverse(layers.len()));
        let [(main, sum), (shortcut, other)] = &branches[..] else {
            return Err(format!("a block has {} branches, not two", branches.len()));
        };
        if sum != other || main.len() == shortcut.len() {
            return Err(format!("the branches that end in {} are no block with a shortcut", graph.name(*sum)));
        }
        let shape = &graph.layers[*sum].output[..];
        if shape != self.shape {
            (self.stage, self.block, self.shape) = (self.stage + 1, 0, shape);
        }
        let prefix = format!("layer{}.{}", self.stage, self.block);
        self.block += 1;
        let (mut convs, mut norms) = (0, 0);
        for &layer in main {
            self.modules[layer] = match graph.kind(layer) {
                "conv" => Some(format!("{prefix}.{}", numbered("conv", &mut convs))),
                "bn" => Some(format!("{prefix}.{}", numbered("bn", &mut norms))),
                _ => None,
            };
        }
        for (number, &layer) in shortcut.iter().enumerate() {
            self.modules[layer] = Some(format!("{prefix}.downsample.{number}"));
        }
        Ok(*sum)
    }

    /// The layers from a value, of which `first` reads it, up to a sum, and the sum.
    fn branch(&self, start: usize, first: usize) -> Result<(Vec<usize>, usize), String> {
        let (mut layers, mut layer) = (Vec::new(), first);
        while self.graph.layers[layer].inputs.len() == 1 {
            layers.push(layer);
            layer = match *self.graph.readers(layer) {
                [reader] => reader,
                _ => return Err(format!("{} starts other branches inside a block", self.graph.name(layer))),
            };
        }
        let end = layers.last().copied().unwrap_or(start);
        match (self.graph.kind(layer), &self.graph.layers[layer].inputs[..]) {
            ("add", &[a, b]) if [a, b].contains(&end) && a != b => Ok((layers, layer)),
            _ => Err(format!("{} is no sum of a block and its shortcut", self.graph.name(layer))),
        }
    }
}

/// `conv1`, `conv2`.
fn numbered(kind: &str, count: &mut usize) -> String {
    *count += 1;
    format!("{kind}{count}")
}
