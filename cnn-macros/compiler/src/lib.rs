//! The compiler behind `cnn!`, as an ordinary library: parse, lower, infer, differentiate, plan, emit.

pub mod diag;
pub mod front;
pub mod ir;

use proc_macro2::TokenStream;

/// Expands the input of one `cnn!` invocation. Errors come back as `compile_error!` tokens; this never panics.
pub fn expand(input: TokenStream) -> TokenStream {
    let (_networks, diagnostics) = front::analyse(input);
    diagnostics.into_compile_errors()
}
