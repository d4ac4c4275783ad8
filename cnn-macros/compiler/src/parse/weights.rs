//! The file of a network's weights.

use super::Parser;
use super::cursor::{Cursor, Token, shorten};
use super::direct::DIRECT;
use crate::ast::Weights;
use crate::op::Kind;
use crate::suggest::did_you_mean;

/// The word for weights that become a part of the binary.
const EMBED: &str = "embed";

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
        let embed = self.embed(cursor);
        Some(Weights { path, site, embed, model: None })
    }

    /// Reads the word behind the path. Another one is reported, unless it is a step whose arrow is missing.
    pub(super) fn embed(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let Some(word) = cursor.ident().map(ToString::to_string) else { return false };
        let mut behind = *cursor;
        behind.take();
        let embed = word == EMBED;
        let own = embed || word == DIRECT;
        let other = !own && behind.is_arrow() && Kind::named(&word).is_none() && !self.blocks.contains_key(&word);
        if other {
            let hint = did_you_mean(&word, [EMBED]);
            let word = shorten(&word);
            self.error(cursor.site(), format!("behind the file stands `{EMBED}` or an arrow, found `{word}`{hint}"));
        }
        if embed || other {
            *cursor = behind;
        }
        embed
    }
}
