//! The front end: from tokens to checked graphs.

use std::collections::HashMap;
use std::path::Path;

use proc_macro2::TokenStream;

use crate::ast::{NetworkDef, Program, Weights};
use crate::diag::Diagnostics;
use crate::emit::TYPES;
use crate::infer::cost::{MAX_ELEMENTS, elements};
use crate::infer::{self, Inferred, Seen};
use crate::ir::{self, Map, Shape};
use crate::lower::Lowerer;
use crate::op::thousands;
use crate::{names, parse};

#[cfg(test)]
mod tests;

/// A network of an invocation, as far as the front end understood it.
#[derive(Debug)]
pub struct Network {
    /// Doc comments, derives and other attributes, in the user's order.
    pub attrs: Vec<syn::Attribute>,
    /// Visibility of the struct; inherited in the expression form.
    pub vis: syn::Visibility,
    /// Name of the struct; `Net` in the expression form.
    pub name: syn::Ident,
    /// Whether the invocation is the expression form, whose value is an instance.
    pub expression: bool,
    /// Shape of one input sample; after an error the best guess.
    pub input: ir::Map,
    /// The file of its weights, if it names one.
    pub weights: Option<Weights>,
    /// The checked graph; `None` after an error, when only a stub of the type is emitted.
    pub graph: Option<ir::Graph>,
    /// Shape of one output sample; after an error the best guess.
    pub output: ir::Shape,
}

/// Analyses the input of one invocation. Every network whose name could be read is returned, also after errors, so
/// that its type still exists for the code around it; its graph is `None` where an error left it incomplete.
pub fn analyse(tokens: TokenStream) -> (Vec<Network>, Diagnostics) {
    analyse_in(Path::new(""), tokens)
}

/// As [`analyse`], with the folder that paths of models are relative to.
pub fn analyse_in(folder: &Path, tokens: TokenStream) -> (Vec<Network>, Diagnostics) {
    let diagnostics = Diagnostics::new();
    let mut program = parse::parse(tokens, folder, &diagnostics);
    let analysed = analyse_program(&program, &diagnostics);
    let mut taken = HashMap::new();
    let mut networks = Vec::new();
    for (def, (input, inferred)) in program.networks.drain(..).zip(analysed) {
        // A second type of one name would be rustc's error on top of ours, as would one that hides what it needs. Of
        // those under conditions rustc sees only one.
        let name = def.name.to_string();
        let (hides, conditional) = (TYPES.contains(&name.as_str()), def.is_conditional());
        if hides || taken.insert(name, conditional).is_some_and(|first| !(first && conditional)) {
            continue;
        }
        let input = input.unwrap_or_else(|| guessed_input(&def));
        let NetworkDef { attrs, vis, name, expression, weights, .. } = def;
        let Inferred { graph, output } = inferred;
        let output = output.unwrap_or(Shape::Flat(1));
        networks.push(Network { attrs, vis, name, expression, input, weights, graph, output });
    }
    (networks, diagnostics)
}

fn analyse_program(program: &Program, diagnostics: &Diagnostics) -> Vec<(Option<Map>, Inferred)> {
    let targets = names::resolve(program, diagnostics);
    let mut lowerer = Lowerer::new(program, &targets, diagnostics);
    let mut seen = Seen::default();
    let mut analysed = Vec::with_capacity(program.networks.len());
    for network in &program.networks {
        let input = checked_input(network, diagnostics);
        let lowered = lowerer.network(network);
        analysed.push((input, infer::infer(network, &lowered, input, &mut seen, diagnostics)));
    }
    analysed
}

/// The input that a shape of too few or too many sizes probably means: code around the network expects that type.
fn guessed_input(network: &NetworkDef) -> Map {
    match network.input.as_ref().map(|dims| dims.sizes.as_slice()) {
        Some(&[h, w]) => Map { c: 1, h, w },
        Some(&[.., c, h, w]) => Map { c, h, w },
        _ => Map { c: 1, h: 1, w: 1 },
    }
}

fn checked_input(network: &NetworkDef, diagnostics: &Diagnostics) -> Option<Map> {
    let input = infer::declared_input(network);
    if let (None, Some(dims)) = (input, &network.input)
        && let &[c, h, w] = dims.sizes.as_slice()
    {
        let elements = elements(Shape::Map(Map { c, h, w })).map_or_else(|| "too many".into(), thousands);
        let message =
            format!("an input of {elements} elements: at most {} (2^31) are possible", thousands(MAX_ELEMENTS));
        diagnostics.error(dims.site, message);
    }
    input
}
