//! The compiler behind `cnn!`, as an ordinary library: parse, lower, infer, differentiate, plan, emit.

pub mod backward;
pub mod count;
pub mod diag;
pub mod dump;
pub mod front;
pub mod ir;
pub mod layout;
pub mod plan;

#[cfg(test)]
mod testing;

use proc_macro2::TokenStream;

/// Expands the input of one `cnn!` invocation. Errors come back as `compile_error!` tokens; this never panics.
pub fn expand(input: TokenStream) -> TokenStream {
    let (_networks, diagnostics) = front::analyse(input);
    diagnostics.into_compile_errors()
}
