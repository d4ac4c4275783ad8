//! The compiler behind `cnn!`, as an ordinary library: parse, lower, infer, differentiate, plan, emit.
//!
//! [`front`] turns tokens into checked [`ir`] graphs; [`compile`](mod@compile) differentiates and plans them;
//! [`weights`] holds files of weights against them; [`emit`] writes the Rust. [`expand`] is all of it.

pub mod ast;
pub mod attrs;
pub mod backward;
pub mod compile;
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
pub mod weights;

#[cfg(test)]
mod testing;

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::quote;

use compile::Compiled;
use diag::Diagnostics;
use front::Network;

/// Expands the input of one `cnn!` invocation. Errors come back as `compile_error!` tokens beside stubs of the types
/// they concern; this never panics.
///
/// Files are looked for in the user's crate, as Cargo names it to the compiler.
pub fn expand(input: TokenStream) -> TokenStream {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    expand_in(&folder, input)
}

/// As [`expand`], with the folder that paths are relative to.
pub fn expand_in(folder: &Path, input: TokenStream) -> TokenStream {
    let (networks, diagnostics) = checked(folder, input);
    let items: Vec<TokenStream> =
        networks.iter().map(|(network, compiled)| emit::network(network, compiled.as_ref())).collect();
    let errors = diagnostics.into_compile_errors();
    match networks.iter().map(|(network, _)| network).find(|network| network.expression) {
        // The label is for the user who leaves out the name where items stand: rustc's error there quotes the first
        // token, and nothing else of the expansion.
        Some(network) => {
            let value = emit::instance(network);
            quote!('_without_a_name_this_is_an_expression: {
                #errors
                #(#items)*
                #value
            })
        }
        None => quote!(#errors #(#items)*),
    }
}

/// The networks of an invocation, as far as each is right, and all that is not.
fn checked(folder: &Path, input: TokenStream) -> (Vec<(Network, Option<Compiled>)>, Diagnostics) {
    let (networks, diagnostics) = front::analyse_in(folder, input);
    let check = |mut network: Network| {
        let compiled = network.graph.as_ref().map(compile::compile);
        let layout = compiled.as_ref().map(|compiled| &compiled.layout);
        if !weights::check(&network, layout, folder, &diagnostics) {
            // rustc would report a file that it cannot read a second time.
            network.weights = None;
        }
        (network, compiled)
    };
    (networks.into_iter().map(check).collect(), diagnostics)
}
