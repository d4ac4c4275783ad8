//! A network's file of weights: what makes rustc build anew when it changes, and its bytes where they are to be
//! embedded.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::Weights;
use crate::front::Network;

/// The item that names the file. What includes a file is the only way to say that an expansion depends on it, also
/// where nobody reads the bytes and the binary does not hold them.
pub fn item(net: &Network) -> Option<TokenStream> {
    let Weights { path, embed, model, .. } = net.weights.as_ref()?;
    let bytes = bytes(Path::new(path));
    let beside = model.iter().flat_map(|model| &model.beside).map(|path| self::bytes(path));
    let item = match embed {
        true => quote!(static WEIGHTS: &rt::Aligned<[u8]> = &rt::Aligned(*#bytes);),
        false => quote!(const _: &[u8] = #bytes;),
    };
    Some(quote!(#item #(const _: &[u8] = #beside;)*))
}

/// The bytes of a file.
fn bytes(path: &Path) -> TokenStream {
    let text = path.to_string_lossy();
    match path.is_absolute() {
        true => quote!(::core::include_bytes!(#text)),
        false => quote!(::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #text))),
    }
}

/// The field of `NetInfo` that shows embedded weights.
pub fn info(net: &Network) -> TokenStream {
    match &net.weights {
        Some(Weights { path, embed: true, .. }) => quote!(Some(rt::Embedded::new(#path, WEIGHTS))),
        _ => quote!(None),
    }
}
