//! The file of a network's weights.

use super::Parser;
use super::cursor::{Cursor, Token, shorten};
use super::direct::DIRECT;
use crate::ast::Weights;
use crate::op::Kind;
use crate::suggest::did_you_mean;

/// The word for weights that become a part of the binary.
pub(super) const EMBED: &str = "embed";

impl Parser<'_> {
    /// Reads `weights = "path" embed`, if that stands here. A step may be called `weights` too: then a layer follows.
    pub(super) fn weights(&mut self, cursor: &mut Cursor<'_>) -> Option<Weights> {
        if cursor.ident().is_none_or(|ident| ident != "weights") || !cursor.is_assignment(1) {
            return None;
        }
        let path = match (cursor.peek_at(2), cursor.peek_at(3)) {
            (Some(Token::Literal(text, _)), _) => syn::parse_str::<syn::LitStr>(text).ok(),
            (Some(Token::Ident(_)), Some(Token::Punct('.' | '/', ..))) | (Some(Token::Punct('.' | '/', ..)), _) => None,
            _ => return None,
        };
        cursor.take();
        cursor.take();
        let site = cursor.site();
        let Some(path) = path.map(|literal| literal.value()).filter(|path| !path.is_empty()) else {
            let message = "expected the name of a file in quotes, like `weights = \"net.safetensors\"`";
            self.error(site, message);
            cursor.skip_until(|cursor| cursor.is_arrow() || cursor.is_punct(';'));
            return None;
        };
        cursor.take();
        let embed = eat_embed(cursor);
        if !embed {
            self.no_embed(cursor);
        }
        Some(Weights { path, site, embed, model: None })
    }

    /// Reports another word behind the path, unless it is a step whose arrow is missing.
    fn no_embed(&mut self, cursor: &mut Cursor<'_>) {
        let Some(word) = cursor.ident().map(ToString::to_string) else { return };
        let mut behind = *cursor;
        behind.take();
        let step = Kind::named(&word).is_some() || self.blocks.contains_key(&word);
        if word != DIRECT && behind.is_arrow() && !step {
            let hint = did_you_mean(&word, [EMBED, DIRECT]);
            let word = shorten(&word);
            let message = format!("behind the file stands `{EMBED}`, `{DIRECT}` or an arrow, found `{word}`{hint}");
            self.error(cursor.site(), message);
            *cursor = behind;
        }
    }
}

/// Takes the word behind a path, if it stands here.
pub(super) fn eat_embed(cursor: &mut Cursor<'_>) -> bool {
    let embed = cursor.ident().is_some_and(|word| word == EMBED);
    if embed {
        cursor.take();
    }
    embed
}
