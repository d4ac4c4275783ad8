//! Items: networks, blocks, and what stands before them.

use proc_macro2::{Delimiter, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use syn::parse::Parser as _;

use super::Parser;
use super::cursor::{Cursor, Token};
use crate::ast::{BlockDef, Chain, NetworkDef, Param, Program};
use crate::diag::Site;

impl Parser<'_> {
    pub(super) fn item(&mut self, cursor: &mut Cursor<'_>, program: &mut Program) {
        let before = self.diagnostics.len();
        let start = cursor.site();
        let attrs = self.attributes(cursor);
        let vis = self.visibility(cursor);
        if cursor.is_punct('<') {
            if !attrs.is_empty() || vis != syn::Visibility::Inherited {
                self.error(start, "a network without a name takes no attributes and no visibility: give it a name");
            }
            self.expression(cursor, program, before);
            return;
        }
        match (cursor.ident(), cursor.peek_at(1)) {
            (Some(keyword), Some(Token::Ident(_))) if keyword == "block" => {
                self.check_block_head(&attrs, &vis, start);
                self.block(cursor, program, before);
            }
            (Some(name), _) if syn::parse_str::<Ident>(&name.to_string()).is_ok() => {
                cursor.next();
                self.network(name, attrs, vis, cursor, program, before);
            }
            _ => {
                let found = cursor.describe();
                self.error(
                    cursor.site(),
                    format!("expected `Name <CxHxW> -> ...` or `block name(...) = ...`, found {found}"),
                );
                cursor.skip_until(|cursor| cursor.is_punct(';'));
            }
        }
    }

    fn network(
        &mut self,
        name: &Ident,
        attrs: Vec<syn::Attribute>,
        vis: syn::Visibility,
        cursor: &mut Cursor<'_>,
        program: &mut Program,
        before: usize,
    ) {
        let input = if cursor.is_punct('<') {
            self.dims(cursor, &[3])
        } else {
            self.error(
                Site::of(name.span()),
                format!(
                    "`{name}` lacks its input shape: write `{name} <CxHxW> -> ...`, like `{name} <1x28x28> -> ...`"
                ),
            );
            None
        };
        let arrow = cursor.eat_arrow().is_some() || self.false_arrow(cursor);
        if !arrow && input.is_some() && !cursor.at_end() && !cursor.is_punct(';') {
            self.error(cursor.site(), format!("an arrow is missing between the input shape and {}", cursor.describe()));
        }
        cursor.eat('=');
        let chain = if cursor.at_end() || cursor.is_punct(';') {
            let site = Site::of(name.span()).to(cursor.previous());
            self.error(
                site,
                format!("`{name}` has no layers: write `-> conv(6, 5x5) -> relu -> fc(10)` after its shape"),
            );
            Chain { steps: Vec::new(), site, broken: true }
        } else {
            self.chain(cursor, ';')
        };
        let broken = self.diagnostics.len() > before;
        program.networks.push(NetworkDef { attrs, vis, name: name.clone(), expression: false, input, chain, broken });
    }

    fn expression(&mut self, cursor: &mut Cursor<'_>, program: &mut Program, before: usize) {
        let site = cursor.site();
        let input = self.dims(cursor, &[3]);
        cursor.eat_arrow();
        let chain = self.chain(cursor, ';');
        if !program.networks.is_empty() {
            self.error(site, "a network without a name is an expression and stands alone: give this one a name");
        }
        let broken = self.diagnostics.len() > before;
        let name = Ident::new("Net", Span::call_site());
        let vis = syn::Visibility::Inherited;
        program.networks.push(NetworkDef { attrs: Vec::new(), vis, name, expression: true, input, chain, broken });
    }

    fn check_block_head(&mut self, attrs: &[syn::Attribute], vis: &syn::Visibility, start: Site) {
        if attrs.iter().any(|attr| !attr.path().is_ident("doc")) || *vis != syn::Visibility::Inherited {
            self.error(start, "a block is no Rust item: it takes doc comments, but no other attributes and no `pub`");
        }
    }

    fn block(&mut self, cursor: &mut Cursor<'_>, program: &mut Program, before: usize) {
        cursor.next();
        let Some(Token::Ident(name)) = cursor.next() else { return };
        let params = match cursor.peek() {
            Some(Token::Group(group, inner)) if group.delimiter() == Delimiter::Parenthesis => {
                cursor.next();
                self.params(Cursor::inside(group, inner))
            }
            _ => Vec::new(),
        };
        if cursor.eat('=').is_none() {
            self.error(
                cursor.site(),
                format!("expected `=` and the layers of block `{name}`, found {}", cursor.describe()),
            );
            cursor.eat_arrow();
        }
        let chain = self.chain(cursor, ';');
        let broken = self.diagnostics.len() > before;
        program.blocks.push(BlockDef { name: name.clone(), params, chain, broken });
    }

    fn params(&mut self, mut cursor: Cursor<'_>) -> Vec<Param> {
        let mut params = Vec::new();
        while !cursor.at_end() {
            let Some(name) = cursor.ident() else {
                self.error(cursor.site(), format!("expected a parameter's name, found {}", cursor.describe()));
                cursor.skip_until(|cursor| cursor.is_punct(','));
                cursor.eat(',');
                continue;
            };
            cursor.next();
            let default = cursor.eat('=').map(|_| self.expr(&mut cursor, ','));
            params.push(Param { name: name.clone(), default });
            if cursor.eat(',').is_none() && !cursor.at_end() {
                self.error(cursor.site(), format!("a `,` is missing before {}", cursor.describe()));
                cursor.skip_until(|cursor| cursor.is_punct(',') || cursor.ident().is_some());
                cursor.eat(',');
            }
        }
        params
    }

    fn attributes(&mut self, cursor: &mut Cursor<'_>) -> Vec<syn::Attribute> {
        let mut attrs = Vec::new();
        while let Some(hash) = cursor.eat('#') {
            let tokens: TokenStream = match cursor.next() {
                Some(Token::Group(group, _)) if group.delimiter() == Delimiter::Bracket => {
                    let mut punct = Punct::new('#', Spacing::Alone);
                    punct.set_span(hash.start);
                    [TokenTree::Punct(punct), TokenTree::Group(group.clone())].into_iter().collect()
                }
                _ => {
                    self.error(hash, "expected an attribute like `#[derive(Clone)]`");
                    continue;
                }
            };
            match syn::Attribute::parse_outer.parse2(tokens) {
                Ok(read) => attrs.extend(read),
                Err(error) => self.error(Site::of(error.span()), format!("not an attribute: {error}")),
            }
        }
        attrs
    }

    fn visibility(&mut self, cursor: &mut Cursor<'_>) -> syn::Visibility {
        let Some(ident) = cursor.ident().filter(|ident| *ident == "pub") else { return syn::Visibility::Inherited };
        cursor.next();
        let mut tokens = vec![TokenTree::Ident(ident.clone())];
        if let Some(Token::Group(group, _)) = cursor.peek() {
            tokens.push(TokenTree::Group(group.clone()));
            cursor.next();
        }
        match syn::parse2(tokens.into_iter().collect()) {
            Ok(vis) => vis,
            Err(error) => {
                self.error(Site::of(error.span()), format!("not a visibility: {error}"));
                syn::Visibility::Inherited
            }
        }
    }
}
