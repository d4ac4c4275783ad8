//! What a network's attributes mean for the code beside its struct.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// The attributes that decide whether the network is compiled at all.
pub fn conditions(attrs: &[Attribute]) -> Vec<TokenStream> {
    attrs.iter().filter_map(|attr| condition(&attr.meta)).map(|meta| quote!(#[#meta])).collect()
}

/// `cfg(..)`, or what is left of `cfg_attr(.., ..)` without the attributes for the struct alone.
fn condition(meta: &Meta) -> Option<TokenStream> {
    if meta.path().is_ident("cfg") {
        return Some(quote!(#meta));
    }
    let Meta::List(list) = meta else { return None };
    if !meta.path().is_ident("cfg_attr") {
        return None;
    }
    let (predicate, given) = list.parse_args_with(parts).ok()?;
    let kept: Vec<TokenStream> = given.iter().filter_map(condition).collect();
    (!kept.is_empty()).then(|| quote!(cfg_attr(#predicate, #(#kept),*)))
}

/// The predicate and the attributes of a `cfg_attr`.
fn parts(input: ParseStream<'_>) -> syn::Result<(TokenStream, Punctuated<Meta, Token![,]>)> {
    let mut predicate = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        predicate.extend([input.parse::<TokenTree>()?]);
    }
    input.parse::<Token![,]>()?;
    Ok((predicate, Punctuated::parse_terminated(input)?))
}

/// What lets the code use a network that is deprecated, under whatever condition.
pub fn deprecated(attrs: &[Attribute]) -> Option<TokenStream> {
    fn mentions(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "deprecated",
            TokenTree::Group(group) => mentions(group.stream()),
            _ => false,
        })
    }
    let deprecated = |attr: &Attribute| {
        attr.path().is_ident("deprecated") || (attr.path().is_ident("cfg_attr") && mentions(quote!(#attr)))
    };
    attrs.iter().any(deprecated).then(|| quote!(#[allow(deprecated)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_kept_and_nothing_else() {
        let attrs: Vec<Attribute> = vec![
            syn::parse_quote!(#[doc = "cfg"]),
            syn::parse_quote!(#[cfg(feature = "net")]),
            syn::parse_quote!(#[derive(Clone)]),
            syn::parse_quote!(#[cfg_attr(true, derive(Debug))]),
            syn::parse_quote!(#[cfg_attr(all(test, unix), derive(Debug), cfg(any()), cfg_attr(unix, cfg(a), b))]),
        ];
        let kept: Vec<String> = conditions(&attrs).iter().map(|attr| attr.to_string().replace(' ', "")).collect();
        assert_eq!(kept, ["#[cfg(feature=\"net\")]", "#[cfg_attr(all(test,unix),cfg(any()),cfg_attr(unix,cfg(a)))]"]);
    }

    #[test]
    fn only_what_is_deprecated_may_be_used_so() {
        let allowed = |attr: Attribute| deprecated(&[attr]).is_some();
        assert!(allowed(syn::parse_quote!(#[deprecated(since = "2.0")])));
        assert!(allowed(syn::parse_quote!(#[cfg_attr(all(), deprecated)])));
        assert!(!allowed(syn::parse_quote!(#[derive(Clone)])));
        assert!(!allowed(syn::parse_quote!(#[doc = "deprecated"])));
    }
}
