//! The compiler behind `cnn!`, as an ordinary library: parse, lower, infer, differentiate, plan, emit.
//!
//! [`front`] turns tokens into checked [`ir`] graphs; [`compile`](mod@compile) counts, differentiates and plans them;
//! [`emit`] writes the Rust. [`expand`] is all three.

pub mod ast;
pub mod backward;
pub mod compile;
pub mod count;
pub mod diag;
pub mod dump;
pub mod emit;
pub mod front;
pub mod infer;
pub mod ir;
pub mod layout;
pub mod lower;
pub mod names;
pub mod op;
pub mod parse;
pub mod plan;
mod suggest;

#[cfg(test)]
mod testing;

use proc_macro2::TokenStream;
use quote::quote;

use compile::Compiled;
use diag::{Diagnostics, Site};
use front::Network;

/// Expands the input of one `cnn!` invocation. Errors come back as `compile_error!` tokens beside stubs of the types
/// they concern; this never panics.
pub fn expand(input: TokenStream) -> TokenStream {
    let (networks, diagnostics) = front::analyse(input);
    let compiled: Vec<Option<Compiled>> = networks.iter().map(|network| compiled(network, &diagnostics)).collect();
    let items: Vec<TokenStream> =
        networks.iter().zip(&compiled).map(|(network, compiled)| emit::network(network, compiled.as_ref())).collect();
    let errors = diagnostics.into_compile_errors();
    match networks.iter().find(|network| network.expression) {
        // The label is for the user who leaves out the name where items stand: rustc's error there quotes the first
        // token, and nothing else of the expansion.
        Some(Network { name, .. }) => quote!('_without_a_name_this_is_an_expression: {
            #errors
            #(#items)*
            <#name as ::cnn_runtime::Network>::new(0)
        }),
        None => quote!(#errors #(#items)*),
    }
}

/// The later phases' results, unless the network is wrong or too large to count.
fn compiled(network: &Network, diagnostics: &Diagnostics) -> Option<Compiled> {
    let graph = network.graph.as_ref()?;
    match compile::compile(graph) {
        Ok(compiled) => Some(compiled),
        Err(overflow) => {
            let node = &graph.nodes[overflow.node];
            let message = format!(
                "{}: with `{}` the network has too many {} to count; make it or a layer before it smaller",
                node.name, node.text, overflow.what
            );
            diagnostics.error(Site::of(node.span), message);
            None
        }
    }
}
