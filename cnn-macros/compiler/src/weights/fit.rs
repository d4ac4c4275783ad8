//! A file's tensors beside a network's: what is misshapen or missing is an error at its layer, what is surplus at the
//! file's name.

use std::collections::BTreeMap;

use cnn_model::Naming;
use cnn_model::naming::counts_batches;
use cnn_model::stranger::{Shape, Shown, nearest};

use super::file::Entry;
use crate::ast::Weights;
use crate::diag::{Diagnostic, Diagnostics, SHOWN, Site};
use crate::ir::Graph;
use crate::layout::{Layout, Tensor};

/// Tensors of a kind that one error names.
const LINES: usize = 8;

/// A network and the file that it names.
pub struct Pair<'a> {
    /// The network's name.
    pub name: &'a str,
    /// Its layers.
    pub graph: &'a Graph,
    /// Its tensors.
    pub layout: &'a Layout,
    /// What it says of the file.
    pub weights: &'a Weights,
    /// The file's tensors.
    pub tensors: &'a [Entry],
}

/// What the network does not have, as far as is known.
struct Rest<'a> {
    entries: BTreeMap<&'a str, &'a Entry>,
    /// Names that nearly alike ones may still be looked for: each time all of the others are compared.
    searches: usize,
}

impl Rest<'_> {
    /// Takes out the tensor that is probably meant by a name that the file does not have.
    fn meant(&mut self, name: &str, shape: &[usize]) -> Option<String> {
        self.searches = self.searches.checked_sub(1)?;
        #[cfg(test)]
        crate::testing::compare(self.entries.len());
        let others = self.entries.iter().map(|(name, entry)| (*name, &entry.shape[..]));
        let meant = nearest(name, shape, others)?.to_owned();
        self.entries.remove(&meant[..]);
        Some(meant)
    }
}

/// Reports every tensor that does not fit, a layer's together.
pub fn check(pair: &Pair<'_>, diagnostics: &Diagnostics) {
    let entries = pair.tensors.iter().map(|entry| (&entry.name[..], entry)).collect();
    let mut rest = Rest { entries, searches: 4 * SHOWN };
    let declaration = super::declaration(pair.name, pair.graph, pair.layout);
    let (naming, names) = Naming::best(declaration, |name| rest.entries.contains_key(name));
    let found: Vec<Option<&Entry>> = names.iter().map(|name| rest.entries.remove(&name[..])).collect();
    if !names.is_empty() && found.iter().all(Option::is_none) {
        return stranger(pair, diagnostics);
    }
    rest.entries.retain(|name, entry| !counts_batches(name, entry.dtype, &entry.shape));
    let mut expected = names.iter().zip(found);
    for node in 0..pair.graph.nodes.len() {
        let tensors = pair.layout.of_node(node).iter().zip(expected.by_ref());
        let problems = tensors.filter_map(|(tensor, (name, found))| problem(pair, tensor, name, found, &mut rest));
        report(pair, node, naming, problems, diagnostics);
    }
    surplus(pair, &rest.entries, diagnostics);
}

/// What is wrong with a tensor that the file should call `name`.
fn problem(pair: &Pair<'_>, tensor: &Tensor, name: &str, found: Option<&Entry>, rest: &mut Rest<'_>) -> Option<String> {
    let own = format!("{}.{}", pair.graph.nodes[tensor.node].name, tensor.role.suffix());
    let ours = if own == name { String::new() } else { format!(" (`{own}`)") };
    let expected = &tensor.shape;
    match found {
        Some(Entry { dtype, shape, .. }) if !dtype.is_float() => {
            Some(format!("`{name}`{ours}: expected {expected:?} of floats, found {} of {dtype}", Shape(shape)))
        }
        Some(Entry { shape, .. }) if shape != expected => {
            Some(format!("`{name}`{ours}: expected {expected:?}, found {}", Shape(shape)))
        }
        Some(_) => None,
        None => {
            let meant = rest.meant(name, expected);
            let hint = meant.map_or(String::new(), |meant| format!("; is it {}?", Shown(&meant)));
            Some(format!("`{name}`{ours} {expected:?} is missing{hint}"))
        }
    }
}

/// One error of all that is wrong with a layer's tensors.
fn report(
    pair: &Pair<'_>,
    node: usize,
    naming: Naming,
    mut problems: impl Iterator<Item = String>,
    diagnostics: &Diagnostics,
) {
    let node = &pair.graph.nodes[node];
    let Some(first) = problems.next() else { return };
    let message = format!("`{}`: `{}` does not fit: {first}", node.name, pair.weights.path);
    let mut notes: Vec<String> = problems.map(|problem| format!("and {problem}")).collect();
    if naming != Naming::Own {
        notes.push(format!("names as of {naming}"));
    }
    diagnostics.push(Diagnostic { site: Site::of(node.span), message, notes });
}

/// One error of all that the network does not have.
fn surplus(pair: &Pair<'_>, rest: &BTreeMap<&str, &Entry>, diagnostics: &Diagnostics) {
    if rest.is_empty() {
        return;
    }
    let count = match rest.len() {
        1 => "a tensor".to_owned(),
        count => format!("{count} tensors"),
    };
    let message = format!("`{}` has {count} that `{}` does not have", pair.weights.path, pair.name);
    diagnostics.push(Diagnostic { site: pair.weights.site, message, notes: list(rest.values().copied(), rest.len()) });
}

/// One error instead of many where not one name is the network's: it is another network's file.
fn stranger(pair: &Pair<'_>, diagnostics: &Diagnostics) {
    let Pair { name, graph, layout, weights, tensors } = pair;
    let own = |tensor: &Tensor| format!("`{}.{}`", graph.nodes[tensor.node].name, tensor.role.suffix());
    let own: Vec<String> = layout.tensors.iter().take(2).map(own).collect();
    let message = format!(
        "`{}` has no tensor of `{name}`: expected {} and so on, or PyTorch's names of them",
        weights.path,
        own.join(", ")
    );
    let mut notes = list(tensors.iter(), tensors.len());
    notes.insert(0, if tensors.is_empty() { "the file has no tensors" } else { "the file has" }.to_owned());
    diagnostics.push(Diagnostic { site: weights.site, message, notes });
}

/// The first of `count` tensors, a line each, and how many follow.
fn list<'a>(entries: impl Iterator<Item = &'a Entry>, count: usize) -> Vec<String> {
    let line = |entry: &Entry| format!("{} {}", Shown(&entry.name), Shape(&entry.shape));
    let mut lines: Vec<String> = entries.take(LINES).map(line).collect();
    if count > LINES {
        lines.push(format!("and {} more", count - LINES));
    }
    lines
}
