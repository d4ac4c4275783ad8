//! From tokens to the syntax tree. The parser goes on after an error at the next comma, arrow or semicolon.

mod chain;
pub mod cursor;
mod dims;
mod direct;
mod expr;
mod item;
mod literal;
mod onnx;
mod weights;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use proc_macro2::{Ident, Span, TokenStream};

use crate::ast::Program;
use crate::diag::{Diagnostics, Site};
use cursor::{Cursor, Token};

/// Reads the input of one invocation. Items that could be read are returned even after errors. Models are looked for in
/// `folder`.
pub fn parse(tokens: TokenStream, folder: &Path, diagnostics: &Diagnostics) -> Program {
    if let Some(site) = cursor::too_deep(&tokens) {
        diagnostics
            .error(site, format!("parentheses nest deeper than {}: name the inner part as a block", cursor::DEPTH));
        return Program::default();
    }
    let mut flat = Vec::new();
    cursor::flatten(tokens, &mut flat);
    let end = flat.last().map_or(Site::of(Span::call_site()), Token::site);
    let mut parser = Parser { diagnostics, folder, blocks: block_names(&flat), calls: 0, values: 0 };
    let mut program = Program::default();
    parser.items(Cursor::new(&flat, end), &mut program);
    program.calls = parser.calls;
    program
}

/// The names after `block`, or after what stands in its place, with those of the parameters: the arguments of any other
/// unknown name are not read.
fn block_names(tokens: &[Token]) -> HashMap<String, Rc<HashSet<String>>> {
    let names = (0..tokens.len()).filter_map(|start| {
        let head = Cursor::starting(tokens, start);
        let name = if item::is_block_head(&head) { 1 } else { 0 };
        if name == 0 && !item::is_block_body(&head, 1) {
            return None;
        }
        let params = match head.peek_at(name + 1) {
            Some(Token::Group(_, inner)) => inner.iter().filter_map(Token::ident).map(Ident::to_string).collect(),
            _ => HashSet::new(),
        };
        Some((head.peek_at(name)?.ident()?.to_string(), Rc::new(params)))
    });
    names.collect()
}

/// Whether an item certainly begins here, behind attributes or without: `pub`, `block name`, `Name = onnx`, or
/// `Name <`sizes`>` before an arrow, `direct` or `weights =`.
fn is_item_start(cursor: &Cursor<'_>) -> bool {
    let mut item = *cursor;
    while item.is_attribute() {
        item.take();
        item.take();
    }
    let Some(ident) = item.ident() else { return false };
    ident == "pub"
        || (ident == "block" && matches!(item.peek_at(1), Some(Token::Ident(_))))
        || (crate::op::Kind::named(&ident.to_string()).is_none() && is_head(&item))
}

/// Whether a model stands behind the name here, or a shape and what follows the shape of a network.
fn is_head(cursor: &Cursor<'_>) -> bool {
    if cursor.is_assignment(1) {
        return matches!((cursor.peek_at(2), cursor.peek_at(3)),
            (Some(Token::Ident(word)), Some(Token::Literal(..))) if word == "onnx");
    }
    let shape = matches!(
        (cursor.peek_at(1), cursor.peek_at(2), cursor.peek_at(3)),
        (Some(Token::Punct('<', ..)), Some(Token::Literal(..)), Some(Token::Punct('>', ..)))
    );
    let follows = match (cursor.peek_at(4), cursor.peek_at(5), cursor.peek_at(6)) {
        (Some(Token::Punct('-', ..)), Some(Token::Punct('>', ..)), _) => true,
        (Some(Token::Ident(word)), Some(Token::Punct('-', ..)), Some(Token::Punct('>', ..))) => word == direct::DIRECT,
        (Some(Token::Ident(word)), Some(Token::Punct('=', ..)), Some(Token::Literal(..))) => word == "weights",
        _ => false,
    };
    shape && follows
}

/// The most networks of one invocation: each is a struct and a dozen items, whatever its layers are.
const NETWORKS: usize = 1024;

struct Parser<'d> {
    diagnostics: &'d Diagnostics,
    #[cfg_attr(not(feature = "onnx"), expect(dead_code, reason = "only models are read from it"))]
    folder: &'d Path,
    /// The blocks, and their parameters.
    blocks: HashMap<String, Rc<HashSet<String>>>,
    calls: usize,
    /// Named values so far.
    values: usize,
}

impl Parser<'_> {
    fn error(&mut self, site: Site, message: impl Into<String>) {
        self.diagnostics.error(site, message);
    }

    fn items(&mut self, mut cursor: Cursor<'_>, program: &mut Program) {
        if cursor.at_end() {
            self.error(cursor.site(), "no network here: write `Name <1x28x28> -> conv(6, 5x5) -> relu -> fc(10)`");
        }
        // Where the networks without a name begin.
        let mut nameless = Vec::new();
        while !cursor.at_end() {
            if let Some(semicolon) = cursor.eat(';') {
                self.error(semicolon, "no item stands before this `;`: remove it");
                continue;
            }
            if program.networks.len() == NETWORKS {
                let message = format!("an invocation has at most {NETWORKS} networks: use several invocations");
                self.error(cursor.site(), message);
                break;
            }
            let (start, before) = (cursor.site(), program.networks.len());
            self.item(&mut cursor, program);
            nameless.extend(program.networks[before..].iter().filter(|network| network.expression).map(|_| start));
            if cursor.eat(';').is_none() && !cursor.at_end() && !is_item_start(&cursor) {
                // The chain has reported what it could not read.
                cursor.skip_until(|cursor| cursor.is_punct(';'));
                cursor.eat(';');
            }
        }
        // One may stand alone; where no network has a name, that is the first.
        let alone = usize::from(nameless.len() == program.networks.len());
        for site in nameless.into_iter().skip(alone) {
            self.error(site, "a network without a name is an expression and stands alone: give this one a name");
        }
    }
}
