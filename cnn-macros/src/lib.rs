//! The `cnn!` procedural macro. Everything it does happens in [`cnn_compiler`]; use it through `cnn_runtime`,
//! which re-exports it beside the kernels the generated code calls.

use proc_macro::TokenStream;

#[doc = include_str!("language.md")]
#[proc_macro]
pub fn cnn(input: TokenStream) -> TokenStream {
    cnn_compiler::expand(input.into()).into()
}
