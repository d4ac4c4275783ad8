//! Shapes in angle brackets.

use super::Parser;
use super::cursor::{Cursor, Token};
use super::literal;
use crate::ast::Dims;
use crate::diag::Site;
use crate::op::joined;

impl Parser<'_> {
    /// Reads `<1x28x28>`; the number of sizes must be one of `ranks`. Another number is reported and returned, so that
    /// the type of the network can be guessed.
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
            self.error(site, "a size of zero in a shape: every size is at least 1");
            return None;
        }
        if !ranks.contains(&sizes.len()) {
            self.error(site, wrong_rank(&sizes, ranks));
        }
        Some(Dims { sizes, site })
    }

    /// The sizes between the brackets, where `cursor` stands behind the closing one.
    fn sizes(&mut self, mut inner: Cursor<'_>, behind: &Cursor<'_>, site: Site, wanted: &str) -> Option<Vec<usize>> {
        let only = inner.distance(behind) == 2;
        match inner.take() {
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

/// Says which sizes are missing or too many, with the shape that is probably meant.
fn wrong_rank(sizes: &[usize], ranks: &[usize]) -> String {
    let is = match sizes.len() {
        1 => "1 size".to_string(),
        count => format!("{count} sizes"),
    };
    let (input, fix) = (ranks == [3], joined(sizes));
    match *sizes {
        [_] => format!("{is}, but a shape has channels, rows and columns: write `<1x1x{fix}>` for a row of {fix}"),
        [_, _] if input => {
            format!("{is}, but a shape has channels, rows and columns: write `<1x{fix}>` for one channel")
        }
        [_, _] => format!(
            "{is}: a map has channels, rows and columns, like `<1x{fix}>`, and a flat value has 1, like `<400>`"
        ),
        [_, ref one @ ..] if one.len() == 3 => {
            format!("{is}: a shape is that of one sample, without the batch: write `<{}>`", joined(one))
        }
        _ => format!("{is}: a shape is channels, rows and columns, like `<1x28x28>`"),
    }
}
