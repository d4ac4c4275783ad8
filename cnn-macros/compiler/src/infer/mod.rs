//! Shapes: from the flat list to the checked graph. Each layer's rule stands in its file under `op`.
//!
//! After an error a value's shape is unknown. Nothing that depends on it is reported, until an annotation or a layer
//! whose output does not depend on its input makes the shape known again: one mistake, one error.

mod annotation;
pub mod cost;
pub(crate) mod report;

use std::collections::HashSet;

use cnn_model::window::MOST_WALKED;

use crate::ast::{Call, Dims, NetworkDef};
use crate::diag::{Diagnostic, Diagnostics, Site};
use crate::ir::{Cost, Graph, Map, Node, Op, Shape, ValueId};
use crate::lower::{Instr, Layer, Lowered, call_notes};
use crate::op::{self, Built, Outcome, full, thousands};
use cost::{MAX_ELEMENTS, MAX_PARAMS, elements};
use report::Report;

/// What was found about a network.
#[derive(Debug)]
pub struct Inferred {
    /// The graph, where there was no error.
    pub graph: Option<Graph>,
    /// The output's shape, as far as it is known.
    pub output: Option<Shape>,
}

/// Places whose errors have been reported: a block is inferred once for each call, and its mistakes count once.
#[derive(Debug, Default)]
pub struct Seen {
    calls: HashSet<usize>,
    /// Calls of layers whose output nobody reads, which is another mistake than those of the layer itself.
    unused: HashSet<usize>,
    sites: HashSet<*const Dims>,
}

/// Infers the shapes of a lowered network whose input is `input`, where it is known.
pub fn infer(
    network: &NetworkDef,
    lowered: &Lowered<'_>,
    input: Option<Map>,
    seen: &mut Seen,
    diagnostics: &Diagnostics,
) -> Inferred {
    let mut inference = Inference {
        lowered,
        diagnostics,
        seen,
        values: Vec::with_capacity(lowered.instrs.len() + 1),
        nodes: Vec::new(),
        layers_of: Vec::new(),
        layers: 0,
        total: Cost::default(),
        failed: lowered.broken || input.is_none(),
    };
    inference.values.push(Value {
        shape: input.map(Shape::Map),
        id: 0,
        from: None,
        layer: None,
        number: 0,
        op: None,
        guess: None,
    });
    inference.run();
    let output = inference.values.get(lowered.output).and_then(|value| value.shape.or(value.guess));
    let graph = inference.finish(network, input);
    Inferred { graph, output }
}

/// A value of the flat list.
struct Value<'a> {
    /// Its shape, where it is certain.
    shape: Option<Shape>,
    /// Its place in the graph.
    id: ValueId,
    /// The first value it was made from.
    from: Option<usize>,
    /// The layer that made it; `None` for the input and after an error.
    layer: Option<&'a Layer<'a>>,
    /// The layer's number, from 1.
    number: usize,
    /// What the layer computes.
    op: Option<Op>,
    /// Its shape if a mistake is not about that: what the code around the network expects, as far as anyone can tell.
    guess: Option<Shape>,
}

struct Inference<'i> {
    lowered: &'i Lowered<'i>,
    diagnostics: &'i Diagnostics,
    seen: &'i mut Seen,
    values: Vec<Value<'i>>,
    nodes: Vec<Node>,
    /// The layer that each node belongs to.
    layers_of: Vec<&'i Layer<'i>>,
    layers: usize,
    total: Cost,
    failed: bool,
}

impl<'i> Inference<'i> {
    fn run(&mut self) {
        let lowered = self.lowered;
        for instr in &lowered.instrs {
            match instr {
                Instr::Layer(layer) => self.layer(layer),
                Instr::Broken => {
                    self.failed = true;
                    self.push(None, 0, None, None, None);
                }
                Instr::Expect { value, network, call, frame } => self.expect(*value, network, call, *frame),
                Instr::Annotate { value, dims, frame } => self.annotate(*value, dims, *frame),
            }
        }
    }

    fn push(
        &mut self,
        shape: Option<Shape>,
        id: ValueId,
        from: Option<usize>,
        layer: Option<&'i Layer<'i>>,
        op: Option<Op>,
    ) {
        self.values.push(Value { shape, id, from, layer, number: self.layers, op, guess: None });
    }

    fn layer(&mut self, layer: &'i Layer<'i>) {
        self.layers += 1;
        let first = layer.inputs.first().copied();
        let mute = self.seen.calls.contains(&layer.call.id);
        let report = Report::new(self.lowered, &self.values, self.diagnostics, layer, mute);
        let outcome = if layer.kind.is_join() {
            let shapes: Vec<_> = layer.inputs.iter().map(|input| self.values[*input].shape).collect();
            op::infer_join(layer, &shapes, &report)
        } else {
            op::infer(layer, first.and_then(|input| self.values[input].shape), &report)
        };
        let (outcome, total) = self.within_limits(outcome, layer, &report);
        let any = report.any();
        self.total = total;
        if any {
            self.seen.calls.insert(layer.call.id);
        }
        match outcome {
            Outcome::Node(built) => self.node(built, layer, None),
            Outcome::Pair(pair) => {
                let [(conv, before), (bn, after)] = *pair;
                let (id, output, op) = (self.nodes.len(), bn.output, bn.op);
                self.add_node(conv, layer, Some(before), self.ids(layer));
                let id = self.add_node(bn, layer, Some(after), vec![id + 1]);
                self.push(Some(output), id, first, Some(layer), Some(op));
            }
            Outcome::Fold(nodes) => self.fold(nodes, layer),
            Outcome::Same => {
                let input = first.unwrap_or(0);
                let (shape, id) = (self.values[input].shape, self.values[input].id);
                self.push(shape, id, first, None, None);
            }
            Outcome::Failed(shape) => {
                self.failed = true;
                self.push(shape.filter(is_possible), 0, first, Some(layer), None);
            }
            Outcome::Doubtful(shape) => {
                self.failed = true;
                self.push(None, 0, first, Some(layer), None);
                if let Some(value) = self.values.last_mut() {
                    value.guess = Some(shape).filter(is_possible);
                }
            }
        }
    }

    fn ids(&self, layer: &Layer<'_>) -> Vec<ValueId> {
        layer.inputs.iter().map(|input| self.values[*input].id).collect()
    }

    fn node(&mut self, built: Built, layer: &'i Layer<'i>, part: Option<&str>) {
        let (output, op) = (built.output, built.op);
        let id = self.add_node(built, layer, part, self.ids(layer));
        self.push(Some(output), id, layer.inputs.first().copied(), Some(layer), Some(op));
    }

    /// Adds nodes of which each joins the one before and the next input; the last one has the layer's name.
    fn fold(&mut self, nodes: Vec<Built>, layer: &'i Layer<'i>) {
        let (ids, count) = (self.ids(layer), nodes.len());
        let (mut id, mut last) = (ids[0], None);
        for (index, built) in nodes.into_iter().enumerate() {
            last = Some((built.output, built.op));
            let part = (index + 1).to_string();
            let part = (index + 1 < count).then_some(part.as_str());
            id = self.add_node(built, layer, part, vec![id, ids[index + 1]]);
        }
        let (shape, op) = last.unzip();
        self.push(shape, id, layer.inputs.first().copied(), Some(layer), op);
    }

    fn add_node(&mut self, built: Built, layer: &'i Layer<'i>, part: Option<&str>, inputs: Vec<ValueId>) -> ValueId {
        let name = part.map_or_else(|| layer.name.clone(), |part| format!("{}.{part}", layer.name));
        let Built { op, output, text } = built;
        let (span, cost) = (layer.call.name.span(), Cost::default());
        self.nodes.push(Node { op, inputs, output, name, text, span, cost });
        self.layers_of.push(layer);
        self.nodes.len()
    }

    /// Refuses a layer whose output, parameters or work pass a limit.
    fn within_limits(&self, outcome: Outcome, layer: &Layer<'_>, report: &Report<'_>) -> (Outcome, Cost) {
        let built: Vec<&Built> = match &outcome {
            Outcome::Node(built) => vec![built],
            Outcome::Pair(pair) => pair.iter().map(|(built, _)| built).collect(),
            Outcome::Fold(nodes) => nodes.iter().collect(),
            Outcome::Same | Outcome::Failed(_) | Outcome::Doubtful(_) => return (outcome, self.total),
        };
        let mut input = layer.inputs.first().and_then(|input| self.values[*input].shape);
        let mut total = self.total;
        for built in built {
            match add_cost(total, built, input) {
                Ok(sum) => total = sum,
                Err(message) => {
                    report.shape(message);
                    return (Outcome::Failed(None), self.total);
                }
            }
            input = Some(built.output);
        }
        (outcome, total)
    }

    fn expect(&mut self, value: usize, network: &NetworkDef, call: &Call, frame: usize) {
        let declared = declared_input(network);
        let (shape, id) = (self.values[value].shape, self.values[value].id);
        match (shape, declared) {
            (Some(found), Some(wanted)) if found != Shape::Map(wanted) => {
                self.failed = true;
                if self.seen.calls.insert(call.id) {
                    let message = unexpected(network, found, wanted);
                    let mut notes = vec![format!("shapes: {}", report::trail(&self.values, value))];
                    notes.extend(call_notes(&self.lowered.frames, frame));
                    self.diagnostics.push(Diagnostic { site: call.site, message, notes });
                }
            }
            (None, _) | (_, None) => self.failed = true,
            _ => {}
        }
        self.push(declared.map(Shape::Map), id, Some(value), None, None);
    }

    fn finish(self, network: &NetworkDef, input: Option<Map>) -> Option<Graph> {
        if self.failed {
            return None;
        }
        let output = self.values.get(self.lowered.output)?.id;
        if self.nodes.is_empty() || output != self.nodes.len() {
            let message = "a network needs at least one layer that computes something: `id` alone is none";
            self.diagnostics.error(network.chain.site, message);
            return None;
        }
        let mut used = vec![false; self.nodes.len() + 1];
        used[output] = true;
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if used[index + 1] {
                node.inputs.iter().for_each(|input| used[*input] = true);
            }
        }
        let mut complete = true;
        for (index, node) in self.nodes.iter().enumerate().filter(|(index, _)| !used[index + 1]) {
            complete = false;
            let layer = self.layers_of[index];
            // A layer that feeds another unused one is not reported: the last one is the mistake.
            let last = !self.nodes[index..].iter().any(|later| later.inputs.contains(&(index + 1)));
            if last && self.seen.unused.insert(layer.call.id) {
                let message = format!(
                    "`{}`: its output is never used, because every branch after it begins with another value: remove it, or add a branch that begins with `id`",
                    node.name
                );
                let notes = call_notes(&self.lowered.frames, layer.frame);
                self.diagnostics.push(Diagnostic { site: Site::of(node.span), message, notes });
            }
        }
        let mut graph = complete.then_some(Graph { input: input?, nodes: self.nodes })?;
        settle(&mut graph, &self.layers_of);
        Some(graph)
    }
}

/// Decides what depends on who reads a layer, as only now is known: those in between may have turned out to do nothing.
fn settle(graph: &mut Graph, layers: &[&Layer<'_>]) {
    for (index, follower) in graph.followers().into_iter().enumerate() {
        let normalised = follower.is_some_and(|node| matches!(graph.nodes[node].op, Op::BatchNorm { .. }));
        let input = graph.shape(graph.nodes[index].inputs[0]);
        let node = &mut graph.nodes[index];
        op::settle_bias(node, layers[index], normalised);
        // Within bounds, as was seen when the layer was added.
        node.cost = cost::cost(&node.op, input, node.output).unwrap_or_default();
    }
}

/// Says that a network used as a step has another input.
fn unexpected(network: &NetworkDef, found: Shape, wanted: Map) -> String {
    let name = &network.name;
    let place = Site::of(name.span()).line_col();
    let fix = match found {
        Shape::Map(_) => {
            format!("change the layers before it, or declare `{name} <{found}>` at {place}")
        }
        Shape::Flat(_) => format!("a network begins with a map, as declared at {place}"),
    };
    format!("`{name}` takes {wanted} and gets {found}: {fix}")
}

fn is_possible(shape: &Shape) -> bool {
    elements(*shape).is_some_and(|elements| elements <= MAX_ELEMENTS)
}

/// The declared input of a network, where it is readable and within the limit.
pub fn declared_input(network: &NetworkDef) -> Option<Map> {
    let &[c, h, w] = network.input.as_ref()?.sizes.as_slice() else { return None };
    let map = Map { c, h, w };
    elements(Shape::Map(map)).filter(|elements| *elements <= MAX_ELEMENTS).map(|_| map)
}

fn add_cost(total: Cost, built: &Built, input: Option<Shape>) -> Result<Cost, String> {
    let shape = built.output;
    match elements(built.output) {
        Some(elements) if elements <= MAX_ELEMENTS => {}
        Some(elements) => {
            let (elements, most) = (thousands(elements), thousands(MAX_ELEMENTS));
            return Err(format!("the output {shape} has {elements} elements: at most {most} (2^31) are possible"));
        }
        None => return Err(format!("the output {shape} has more elements than can be counted")),
    }
    if let Some(walked) = input.and_then(|input| cost::too_far(&built.op, input, shape)) {
        let (walked, most) = (full(walked), thousands(MOST_WALKED as u64));
        return Err(format!(
            "its windows walk over {walked} pixels: at most {most} can be addressed: use a smaller stride, dilation or padding"
        ));
    }
    let layer = input.and_then(|input| cost::cost(&built.op, input, shape));
    let layer =
        layer.ok_or_else(|| format!("the work of this layer, with output {shape}, cannot be counted in 64 bits"))?;
    let params = total.params.saturating_add(layer.params);
    if params > MAX_PARAMS {
        let (own, all, most) = (thousands(layer.params), thousands(params), thousands(MAX_PARAMS));
        return Err(format!("{own} parameters here make {all} in all: at most {most} (2^33) are possible"));
    }
    let macs = total.macs.checked_add(layer.macs);
    let macs = macs.ok_or("the work of the layers up to here cannot be counted in 64 bits")?;
    Ok(Cost { params, macs })
}
