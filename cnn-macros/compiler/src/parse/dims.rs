//! Shapes in angle brackets.

use super::Parser;
use super::cursor::{Cursor, Token};
use super::literal;
use crate::ast::Dims;
use crate::diag::Site;

impl Parser<'_> {
    /// Reads `<1x28x28>`; the number of sizes must be one of `ranks`.
    pub(super) fn dims(&mut self, cursor: &mut Cursor<'_>, ranks: &[usize]) -> Option<Dims> {
        let open = cursor.eat('<')?;
        let wanted = if ranks == [3] {
            "`<CxHxW>`, like `<1x28x28>`"
        } else {
            "`<CxHxW>` or `<N>`, like `<6x28x28>` or `<400>`"
        };
        let from = *cursor;
        cursor.skip_until(|cursor| cursor.is_punct('>') || cursor.is_punct(';') || cursor.is_arrow());
        let Some(close) = cursor.eat('>') else {
            self.error(open, format!("this `<` is never closed: a shape is {wanted}"));
            return None;
        };
        let site = open.to(close);
        let sizes = self.sizes(from, cursor, site, wanted)?;
        if sizes.contains(&0) {
            self.error(site, format!("a size of zero in a shape: every size is at least 1, as in {wanted}"));
            return None;
        }
        if !ranks.contains(&sizes.len()) {
            let count = sizes.len();
            self.error(site, format!("{count} size{} in a shape: write {wanted}", if count == 1 { "" } else { "s" }));
            return None;
        }
        Some(Dims { sizes, site })
    }

    /// The sizes between the brackets, where `cursor` stands behind the closing one.
    fn sizes(&mut self, mut inner: Cursor<'_>, behind: &Cursor<'_>, site: Site, wanted: &str) -> Option<Vec<usize>> {
        let only = inner.distance(behind) == 2;
        match inner.next() {
            Some(Token::Literal(text, at)) if only => match literal::read(text) {
                Ok(literal::Literal::Int(size)) => Some(vec![size]),
                Ok(literal::Literal::Dims(sizes)) => Some(sizes),
                Ok(literal::Literal::Float(_)) => {
                    self.error(Site::of(*at), format!("`{text}` is no shape: write {wanted}"));
                    None
                }
                Err(message) => {
                    self.error(Site::of(*at), message);
                    None
                }
            },
            Some(Token::Punct('-', ..)) => {
                self.error(site, format!("a negative size in a shape: write {wanted}"));
                None
            }
            _ => {
                self.error(site, format!("a shape is whole numbers joined by x without spaces: write {wanted}"));
                None
            }
        }
    }
}
