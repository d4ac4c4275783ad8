//! The word for a network of which no layer saves products.

use super::Parser;
use super::cursor::{Cursor, Token, shorten};
use crate::op::Kind;
use crate::suggest::did_you_mean;

/// The word before the layers of such a network, which is an option of a single layer too.
pub(super) const DIRECT: &str = "direct";

impl Parser<'_> {
    /// Reads `direct`, if that stands here. A step or a block may be called so too.
    pub(super) fn direct(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let Some(word) = cursor.ident().map(ToString::to_string) else { return false };
        let call = matches!(cursor.peek_at(1), Some(Token::Group(..)));
        if cursor.is_assignment(1) || call || self.blocks.contains_key(&word) || Kind::named(&word).is_some() {
            return false;
        }
        let mut behind = *cursor;
        behind.take();
        let hint = did_you_mean(&word, [DIRECT]);
        if word == DIRECT {
            *cursor = behind;
            self.behind_direct(cursor);
            return true;
        }
        if !hint.is_empty() && behind.is_arrow() {
            let word = shorten(&word);
            self.error(cursor.site(), format!("before the layers stands `{DIRECT}` or an arrow, found `{word}`{hint}"));
            *cursor = behind;
        }
        false
    }

    /// Reports what stands between the word and the layers.
    fn behind_direct(&mut self, cursor: &mut Cursor<'_>) {
        let site = cursor.site();
        if cursor.ident().is_some_and(|ident| ident == DIRECT) && !cursor.is_assignment(1) {
            cursor.take();
            self.error(site, format!("`{DIRECT}` is given twice: remove it"));
        } else if self.weights(cursor).is_some() {
            self.error(site.to(cursor.previous()), format!("the file of weights stands before `{DIRECT}`"));
        }
    }
}
