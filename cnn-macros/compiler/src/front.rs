//! The front end: from tokens to checked graphs.

use proc_macro2::TokenStream;

use crate::diag::Diagnostics;
use crate::ir;

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
    /// The checked graph; `None` after an error, when only a stub of the type is emitted.
    pub graph: Option<ir::Graph>,
    /// Shape of one output sample; after an error the best guess.
    pub output: ir::Shape,
}

/// Analyses the input of one invocation. Every network whose name could be read is returned, also after errors, so
/// that its type still exists for the code around it; its graph is `None` exactly when an error concerns it.
pub fn analyse(tokens: TokenStream) -> (Vec<Network>, Diagnostics) {
    let diagnostics = Diagnostics::new();
    if tokens.is_empty() {
        let site = crate::diag::Site::of(proc_macro2::Span::call_site());
        diagnostics.error(site, "an empty invocation: write `Name <1x28x28> -> conv(6, 5x5) -> relu -> fc(10)`");
    }
    (Vec::new(), diagnostics)
}
