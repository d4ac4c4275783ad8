//! Items: networks, blocks, and what stands before them.

use proc_macro2::{Delimiter, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use syn::parse::Parser as _;

use super::Parser;
use super::cursor::{Cursor, Token, is_type_name};
use crate::ast::{BlockDef, Chain, Dims, NetworkDef, Param, Program};
use crate::diag::Site;
use crate::op::Kind;

impl Parser<'_> {
    pub(super) fn item(&mut self, cursor: &mut Cursor<'_>, program: &mut Program) {
        let before = self.diagnostics.len();
        let start = cursor.site();
        let attrs = self.attributes(cursor);
        let vis = self.visibility(cursor);
        if cursor.is_punct('<') {
            if attrs.is_empty() && vis == syn::Visibility::Inherited {
                return self.expression(cursor, program, before);
            }
            self.error(start.to(cursor.previous()), "this network lacks its name: write `pub Name <1x28x28> -> ...`");
            self.dims(cursor, &[3]);
            cursor.eat_arrow();
            self.chain(cursor, ';');
            return;
        }
        match (cursor.ident(), cursor.peek_at(1)) {
            (Some(keyword), Some(Token::Ident(name))) if is_block_head(cursor) => {
                if keyword != "block" {
                    let message = format!("a block begins with `block`: write `block {name}(...) = ...`");
                    self.error(cursor.site(), message);
                }
                self.check_block_head(&attrs, &vis, start);
                cursor.take();
                self.block(cursor, program, before);
            }
            (Some(name), _) if name != "block" && is_block_body(cursor, 1) => {
                self.error(cursor.site(), format!("a block begins with `block`: write `block {name}(...) = ...`"));
                self.block(cursor, program, before);
            }
            (Some(keyword), Some(Token::Ident(name)))
                if cursor.is_keyword() && is_type_name(name) && is_shape_start(cursor.peek_at(2)) =>
            {
                self.error(
                    cursor.site(),
                    format!("leave out `{keyword}`: a network is written `{name} <CxHxW> -> ...`"),
                );
                cursor.take();
                cursor.take();
                if !cursor.is_punct('<') {
                    cursor.take();
                }
                self.network(name, attrs, vis, cursor, program, before);
            }
            (Some(name), _) if is_type_name(name) && self.begins_network(name, cursor) => {
                cursor.take();
                self.network(name, attrs, vis, cursor, program, before);
            }
            _ => {
                if self.diagnostics.len() == before {
                    let found = cursor.describe();
                    let message = format!("expected `Name <CxHxW> -> ...` or `block name(...) = ...`, found {found}");
                    self.error(cursor.site(), message);
                }
                cursor.skip_until(|cursor| cursor.is_punct(';'));
            }
        }
    }

    /// Reports what looks like the name of a network and is none.
    fn begins_network(&mut self, name: &Ident, cursor: &Cursor<'_>) -> bool {
        let message = if name == "block" && matches!(cursor.peek_at(1), Some(Token::Group(..))) {
            "this block lacks its name: write `block name(...) = ...`".to_string()
        } else if Kind::named(&name.to_string()).is_some() && !is_shape_start(cursor.peek_at(1)) {
            format!("a layer cannot begin an item: join it to the one before with `-> {name}`, not `;`")
        } else {
            return true;
        };
        self.error(cursor.site(), message);
        false
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
        if self.onnx(name, &attrs, &vis, cursor, program) {
            return;
        }
        let input = self.input(name, cursor);
        let weights = self.weights(cursor);
        let direct = self.direct(cursor);
        let arrow = cursor.eat_arrow().is_some() || self.false_arrow(cursor);
        if !arrow && input.is_some() && !cursor.at_end() && !cursor.is_punct(';') {
            let before = match &weights {
                _ if direct => "`direct`",
                Some(_) => "the weights",
                None => "the input shape",
            };
            self.error(cursor.site(), format!("an arrow is missing between {before} and {}", cursor.describe()));
            if matches!(cursor.peek(), Some(Token::Punct(..))) {
                cursor.take();
            }
        }
        let chain = if cursor.at_end() || cursor.is_punct(';') {
            let site = Site::of(name.span()).to(cursor.previous());
            self.error(
                site,
                format!("`{name}` has no layers: write `-> conv(6, 5x5) -> relu -> fc(10)` after its shape"),
            );
            Chain { steps: Vec::new(), site, broken: true }
        } else {
            self.body(cursor, before)
        };
        let broken = self.diagnostics.len() > before;
        let (name, expression) = (name.clone(), false);
        program.networks.push(NetworkDef { attrs, vis, name, expression, input, weights, direct, chain, broken });
    }

    /// The shape behind a network's name.
    fn input(&mut self, name: &Ident, cursor: &mut Cursor<'_>) -> Option<Dims> {
        if !cursor.is_punct('<') {
            let (site, message) = match (cursor.peek(), cursor.peek_at(1)) {
                (Some(Token::Punct(':' | '=', ..)), Some(Token::Punct('<', ..))) => {
                    (cursor.site(), format!("leave out {}: write `{name} <CxHxW> -> ...`", cursor.describe()))
                }
                (Some(Token::Group(group, _)), _) if group.delimiter() != Delimiter::Brace => {
                    (cursor.site(), format!("a shape stands in angle brackets: write `{name} <1x28x28> -> ...`"))
                }
                _ => (
                    Site::of(name.span()),
                    format!(
                        "`{name}` lacks its input shape: write `{name} <1x28x28> -> ...` for 1 channel, 28 rows and 28 columns"
                    ),
                ),
            };
            self.error(site, message);
            if site.key() == cursor.site().key() {
                cursor.take();
            }
        }
        if cursor.is_punct('<') { self.dims(cursor, &[3]) } else { None }
    }

    /// The layers of an item, also where they stand in braces; an error about those has no second one.
    fn body(&mut self, cursor: &mut Cursor<'_>, before: usize) -> Chain {
        match cursor.peek() {
            Some(Token::Group(group, inner)) if group.delimiter() == Delimiter::Brace => {
                if self.diagnostics.len() == before {
                    self.error(cursor.site(), "the layers of an item stand without braces");
                }
                cursor.take();
                let chain = self.chain(&mut Cursor::inside(group, inner), '\0');
                Chain { broken: true, ..chain }
            }
            _ => self.chain(cursor, ';'),
        }
    }

    fn expression(&mut self, cursor: &mut Cursor<'_>, program: &mut Program, before: usize) {
        let input = self.dims(cursor, &[3]);
        let weights = self.weights(cursor);
        let direct = self.direct(cursor);
        cursor.eat_arrow();
        let chain = self.chain(cursor, ';');
        let broken = self.diagnostics.len() > before;
        let name = Ident::new("Net", Span::call_site());
        let (attrs, vis, expression) = (Vec::new(), syn::Visibility::Inherited, true);
        program.networks.push(NetworkDef { attrs, vis, name, expression, input, weights, direct, chain, broken });
    }

    fn check_block_head(&mut self, attrs: &[syn::Attribute], vis: &syn::Visibility, start: Site) {
        if attrs.iter().any(|attr| !attr.path().is_ident("doc")) || *vis != syn::Visibility::Inherited {
            self.error(start, "a block is no Rust item: it takes doc comments, but no other attributes and no `pub`");
        }
    }

    fn block(&mut self, cursor: &mut Cursor<'_>, program: &mut Program, before: usize) {
        let Some(Token::Ident(name)) = cursor.take() else { return };
        let params = match cursor.peek() {
            Some(Token::Group(group, inner)) if group.delimiter() == Delimiter::Parenthesis => {
                cursor.take();
                self.params(Cursor::inside(group, inner))
            }
            Some(Token::Punct('<', ..)) => {
                self.error(cursor.site(), format!("parameters stand in parentheses: write `block {name}(c) = ...`"));
                cursor.skip_until(|cursor| cursor.is_punct('=') || cursor.is_punct(';'));
                Vec::new()
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
        let chain = self.body(cursor, before);
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
            cursor.take();
            let default = cursor.eat('=').map(|_| self.expr(&mut cursor, ','));
            params.push(Param { name: name.clone(), default });
            if cursor.eat(',').is_none() && !cursor.at_end() {
                let typed = cursor.is_punct(':');
                let message = match typed {
                    true => format!("a parameter has no type: write `{name}`, or `{name} = 1` for a default"),
                    false => format!("a `,` is missing before {}", cursor.describe()),
                };
                self.error(cursor.site(), message);
                cursor.skip_until(|cursor| cursor.is_punct(',') || (!typed && cursor.ident().is_some()));
                cursor.eat(',');
            }
        }
        params
    }

    fn attributes(&mut self, cursor: &mut Cursor<'_>) -> Vec<syn::Attribute> {
        let mut attrs = Vec::new();
        while let Some(hash) = cursor.eat('#') {
            let tokens: TokenStream = match cursor.take() {
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
        cursor.take();
        let mut tokens = vec![TokenTree::Ident(ident.clone())];
        if let Some(Token::Group(group, _)) = cursor.peek() {
            tokens.push(TokenTree::Group(group.clone()));
            cursor.take();
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

/// Whether a block begins here: `block name`, or another word where `block` is meant.
pub(super) fn is_block_head(cursor: &Cursor<'_>) -> bool {
    let (Some(keyword), Some(Token::Ident(_))) = (cursor.ident(), cursor.peek_at(1)) else { return false };
    keyword == "block" || is_block_body(cursor, 2)
}

/// Whether parameters and `=` stand `ahead` places further.
pub(super) fn is_block_body(cursor: &Cursor<'_>, ahead: usize) -> bool {
    matches!(cursor.peek_at(ahead), Some(Token::Group(group, _)) if group.delimiter() == Delimiter::Parenthesis)
        && matches!(cursor.peek_at(ahead + 1), Some(Token::Punct('=', false, _)))
}

/// Whether a shape begins here, also one with a sign before it that does not belong there.
fn is_shape_start(token: Option<&Token>) -> bool {
    matches!(token, Some(Token::Punct('<' | ':' | '=', ..)))
}
