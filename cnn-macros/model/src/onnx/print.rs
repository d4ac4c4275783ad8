//! The text of a network, and the names that the language gives its tensors.

use std::collections::HashMap;

use super::error::Error;
use super::import::{Imported, Tensor};
use super::net::{Net, ValueId};
use super::structure::{self, Chain, Step};

/// Columns of a line at most, where a line can be broken.
const WIDTH: usize = 100;
/// Columns that each depth of branches moves to the right.
const INDENT: usize = 4;

/// Prints the network that makes `output`.
pub(super) fn print(net: &Net, output: ValueId) -> Result<Imported, Error> {
    let chain = structure::chain(net, output).map_err(|problem| Error::new(format!("the model: {problem}")))?;
    let mut readers = vec![Vec::new(); net.layers.len() + 1];
    let mut names = HashMap::new();
    note(net, &chain, &mut readers, &mut names);
    let mut printer = Printer { net, readers, names, given: 0, counts: HashMap::new(), tensors: Vec::new() };
    printer.name(&chain);
    let lines = printer.lines(&chain, INDENT);
    let text = format!("<{}>\n{}", net.input, lines.join("\n"));
    Ok(Imported { text, tensors: printer.tensors })
}

/// Notes which layers read each value, and which values a branch begins with by name.
fn note(net: &Net, chain: &Chain, readers: &mut [Vec<ValueId>], names: &mut HashMap<ValueId, Option<String>>) {
    names.extend(chain.start.map(|value| (value, None)));
    for step in &chain.steps {
        for &input in &net.layers[step.value - 1].inputs {
            readers[input].push(step.value);
        }
        step.branches.iter().for_each(|branch| note(net, branch, readers, names));
    }
}

struct Printer<'n> {
    net: &'n Net,
    /// The values that are made of each value.
    readers: Vec<Vec<ValueId>>,
    /// The values that need a name.
    names: HashMap<ValueId, Option<String>>,
    given: usize,
    counts: HashMap<&'static str, usize>,
    tensors: Vec<Tensor>,
}

impl Printer<'_> {
    /// Names values and tensors in the order in which the language reads layers: branches before what joins them.
    fn name(&mut self, chain: &Chain) {
        for step in &chain.steps {
            step.branches.iter().for_each(|branch| self.name(branch));
            let layer = &self.net.layers[step.value - 1];
            let count = self.counts.entry(layer.kind).or_insert(0);
            let numbered = format!("{}{}", layer.kind, *count + 1);
            // In a model of ours this may be the own name of another layer, whose weights would then be taken for this one's.
            let is_of_another = !layer.tensors.is_empty() && layer.node != numbered && self.net.own.contains(&numbered);
            let name = if is_of_another || self.names.contains_key(&step.value) {
                let name = self.free();
                self.names.insert(step.value, Some(name.clone()));
                name
            } else {
                *count += 1;
                numbered
            };
            self.tensors.extend(layer.tensors.iter().map(|(part, weight)| Tensor {
                name: format!("{name}.{part}"),
                origin: layer.origin.clone(),
                weight: weight.clone(),
            }));
        }
    }

    /// The next name that no layer has that the model was written of.
    fn free(&mut self) -> String {
        loop {
            self.given += 1;
            let name = format!("x{}", self.given);
            if !self.net.own.contains(&name) {
                return name;
            }
        }
    }

    /// A layer without its branches.
    fn layer(&self, value: ValueId) -> String {
        let layer = &self.net.layers[value - 1];
        let kind = |value: ValueId| self.net.layers[value - 1].kind;
        // Normalisation subtracts a bias again: the language leaves it out there.
        let normalised = layer.kind != "fc" && matches!(self.readers[value][..], [reader] if kind(reader) == "bn");
        let bias = match (layer.takes_bias(), layer.lacks_bias()) {
            (true, false) if normalised => Some("bias".to_string()),
            (true, true) if !normalised => Some("nobias".to_string()),
            _ => None,
        };
        let args: Vec<String> = layer.args.iter().cloned().chain(bias).collect();
        if args.is_empty() { layer.kind.into() } else { format!("{}({})", layer.kind, args.join(", ")) }
    }

    fn prefix(&self, value: ValueId) -> String {
        self.names.get(&value).and_then(Option::as_ref).map_or_else(String::new, |name| format!("{name} = "))
    }

    /// A step on one line.
    fn inline(&self, step: &Step) -> String {
        let (prefix, layer) = (self.prefix(step.value), self.layer(step.value));
        if step.branches.is_empty() {
            return prefix + &layer;
        }
        let branches: Vec<String> = step.branches.iter().map(|branch| self.inline_chain(branch)).collect();
        format!("{prefix}{layer}({})", branches.join(", "))
    }

    fn inline_chain(&self, chain: &Chain) -> String {
        let parts: Vec<String> =
            self.start(chain).into_iter().chain(chain.steps.iter().map(|step| self.inline(step))).collect();
        parts.join(" -> ")
    }

    /// The word that a branch begins with, if it does not begin with a layer.
    fn start(&self, chain: &Chain) -> Option<String> {
        match chain.start {
            Some(value) => self.names.get(&value).cloned().flatten(),
            None => chain.steps.is_empty().then(|| "id".into()),
        }
    }

    /// A chain as lines that begin with arrows, each with the shape it leads to.
    fn lines(&self, chain: &Chain, indent: usize) -> Vec<String> {
        let mut lines = Lines { net: self.net, done: Vec::new(), line: String::new(), value: 0, indent };
        if let Some(start) = self.start(chain) {
            lines.line = " ".repeat(indent) + &start;
        }
        for step in &chain.steps {
            let layer = &self.net.layers[step.value - 1];
            let short = self.inline(step);
            if layer.takes_bias() || !step.branches.is_empty() || lines.width(&short) > WIDTH {
                lines.finish();
            }
            if step.branches.is_empty() || lines.width(&short) <= WIDTH {
                lines.push(&short, step.value);
                continue;
            }
            lines.push(&format!("{}{}(", self.prefix(step.value), self.layer(step.value)), step.value);
            let inner = step.branches.iter().map(|branch| self.branch(branch, indent + INDENT));
            let inner: Vec<String> = inner.collect();
            lines.line += &format!("\n{}\n{})", inner.join(",\n"), " ".repeat(indent));
        }
        lines.finish();
        lines.done
    }

    /// A branch: on one line where it fits, and without the arrow before its first layer.
    fn branch(&self, chain: &Chain, indent: usize) -> String {
        let short = " ".repeat(indent) + &self.inline_chain(chain);
        if short.len() <= WIDTH {
            return short;
        }
        // What follows the first line stands further in.
        let lines = self.lines(chain, indent + INDENT).join("\n");
        let first = lines.trim_start();
        " ".repeat(indent) + first.strip_prefix("-> ").unwrap_or(first)
    }
}

/// Lines of a chain, of which the last one is not yet full.
struct Lines<'n> {
    net: &'n Net,
    done: Vec<String>,
    line: String,
    /// What the line makes.
    value: ValueId,
    indent: usize,
}

impl Lines<'_> {
    /// Columns of the last line with another step.
    fn width(&self, step: &str) -> usize {
        let last = self.line.rsplit('\n').next().unwrap_or_default().len();
        last.max(self.indent) + " -> ".len() + step.len()
    }

    fn push(&mut self, step: &str, value: ValueId) {
        if self.line.is_empty() {
            self.line = " ".repeat(self.indent) + "-> ";
        } else {
            self.line += " -> ";
        }
        self.line += step;
        self.value = value;
    }

    fn finish(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        if self.value > 0 {
            line += &format!(" <{}>", self.net.shape(self.value));
        }
        self.value = 0;
        self.done.push(line);
    }
}
