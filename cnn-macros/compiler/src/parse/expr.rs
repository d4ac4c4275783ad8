//! Arguments and expressions.

use proc_macro2::Delimiter;

use super::Parser;
use super::cursor::{Cursor, Token};
use super::literal::{self, Literal};
use crate::ast::{Arg, Expr, ExprKind};
use crate::diag::Site;

const PAIR: &str = "two sizes are joined by x, as in `5x5`";

impl Parser<'_> {
    /// Reads `arg, arg, ...` to the end of a group. Names for which `is_key` holds may stand before `=`.
    pub(super) fn values(&mut self, mut cursor: Cursor<'_>, is_key: &dyn Fn(&str) -> bool) -> Vec<Arg> {
        let mut args = Vec::new();
        while !cursor.at_end() {
            if let Some(comma) = cursor.eat(',') {
                self.error(comma, "nothing stands before this `,`: remove it or write the missing argument");
                continue;
            }
            args.push(self.value(&mut cursor));
            self.missing_equals(&mut cursor, &mut args, is_key);
            if cursor.eat(',').is_none() && !cursor.at_end() {
                self.missing_comma(&mut cursor, &mut args);
            }
        }
        args
    }

    /// Reads a number behind the name of an argument as its value.
    fn missing_equals(&mut self, cursor: &mut Cursor<'_>, args: &mut [Arg], is_key: &dyn Fn(&str) -> bool) {
        let (Some(Token::Literal(number, _)), Some(arg)) = (cursor.peek(), args.last_mut()) else { return };
        let ExprKind::Name(name) = &arg.value.kind else { return };
        let text = name.to_string();
        if arg.key.is_some() || is_option_letter(&text) || !is_key(&text) {
            return;
        }
        self.error(arg.site.to(cursor.site()), format!("a `=` is missing: write `{text} = {number}`"));
        arg.key = Some(name.clone());
        arg.value = self.expr(cursor, ',');
        arg.site = arg.site.to(cursor.previous());
    }

    /// After an argument something else than `,` follows: often an argument that only lacks its comma.
    fn missing_comma(&mut self, cursor: &mut Cursor<'_>, args: &mut Vec<Arg>) {
        let (site, found) = (cursor.site(), cursor.describe());
        match (cursor.previous_text(), cursor.peek()) {
            (Some(option), Some(Token::Literal(number, _))) if is_option_letter(&option) => {
                let whole = cursor.previous().to(site);
                self.error(whole, format!("write `{option}{number}` without the space"));
                cursor.take();
                cursor.eat(',');
                args.pop();
                args.push(broken_arg(whole));
            }
            (_, Some(Token::Ident(x))) if is_spaced_size(cursor, x) => {
                cursor.take();
                if matches!(cursor.peek(), Some(Token::Literal(..))) {
                    cursor.take();
                }
                let first = args.pop().map_or(site, |arg| arg.site);
                let whole = first.to(cursor.previous());
                self.error(whole, "a size is written without spaces: `5x5`");
                cursor.eat(',');
                args.push(broken_arg(whole));
            }
            (_, Some(Token::Ident(_) | Token::Literal(..))) => {
                self.error(site, format!("a `,` is missing before {found}"));
            }
            (_, Some(Token::Punct(';', ..))) => {
                self.error(site, "arguments are separated by `,`, not `;`");
                cursor.take();
            }
            (before, token) => {
                let fraction = before.is_some() && matches!(token, Some(Token::Punct('.', ..)));
                let message = if fraction {
                    args.pop();
                    "sizes are whole numbers".into()
                } else {
                    format!("expected `,` or `)`, found {found}")
                };
                self.error(site, message);
                cursor.skip_until(|cursor| cursor.is_punct(','));
                cursor.eat(',');
                args.push(broken_arg(site));
            }
        }
    }

    fn value(&mut self, cursor: &mut Cursor<'_>) -> Arg {
        let start = cursor.site();
        let key = match cursor.ident() {
            Some(ident) if cursor.is_assignment(1) => {
                cursor.take();
                cursor.take();
                Some(ident.clone())
            }
            _ => None,
        };
        let value = self.expr(cursor, ',');
        let arrow = cursor.eat_arrow().is_some() || self.false_arrow(cursor);
        let target = arrow.then(|| self.expr(cursor, ','));
        Arg { key, value, target, site: start.to(cursor.previous()) }
    }

    /// Reads a sum of products. After an error, goes on to the next `stop`.
    pub(super) fn expr(&mut self, cursor: &mut Cursor<'_>, stop: char) -> Expr {
        let start = cursor.site();
        let mut terms = vec![(false, self.product(cursor, stop))];
        loop {
            let subtract = cursor.is_punct('-');
            if cursor.eat('+').or_else(|| cursor.eat('-')).is_none() {
                break;
            }
            terms.push((subtract, self.product(cursor, stop)));
        }
        join(terms, ExprKind::Sum, start.to(cursor.previous()))
    }

    fn product(&mut self, cursor: &mut Cursor<'_>, stop: char) -> Expr {
        let start = cursor.site();
        let mut factors = vec![(false, self.signed(cursor, stop))];
        loop {
            let divide = cursor.is_punct('/');
            if cursor.eat('*').or_else(|| cursor.eat('/')).is_none() {
                break;
            }
            factors.push((divide, self.signed(cursor, stop)));
        }
        join(factors, ExprKind::Product, start.to(cursor.previous()))
    }

    fn signed(&mut self, cursor: &mut Cursor<'_>, stop: char) -> Expr {
        let start = cursor.site();
        let mut negative = false;
        while cursor.eat('-').is_some() {
            negative = !negative;
        }
        let value = self.primary(cursor, stop);
        if !negative {
            return value;
        }
        Expr { site: start.to(value.site), kind: ExprKind::Sum(vec![(true, value)]) }
    }

    /// A number, a name, an option with a computed size, or an expression in parentheses.
    pub(super) fn primary(&mut self, cursor: &mut Cursor<'_>, stop: char) -> Expr {
        let site = cursor.site();
        let kind = match cursor.peek() {
            Some(Token::Literal(text, _)) => {
                cursor.take();
                self.literal(text, site)
            }
            Some(Token::Ident(ident)) => {
                cursor.take();
                return self.named(ident, cursor);
            }
            Some(Token::Group(group, inner)) if group.delimiter() == Delimiter::Parenthesis => {
                cursor.take();
                return self.parenthesised(Cursor::inside(group, inner), site);
            }
            Some(Token::Group(group, _)) if group.delimiter() == Delimiter::Bracket => {
                cursor.take();
                self.error(site, PAIR);
                ExprKind::Broken
            }
            _ => {
                self.error(site, format!("expected a number or an option, found {}", cursor.describe()));
                cursor.skip_until(|cursor| cursor.is_punct(stop));
                ExprKind::Broken
            }
        };
        Expr { kind, site }
    }

    fn named(&mut self, ident: &proc_macro2::Ident, cursor: &mut Cursor<'_>) -> Expr {
        let site = Site::of(ident.span());
        if let Some(Token::Group(group, inner)) = cursor.peek()
            && group.delimiter() == Delimiter::Parenthesis
        {
            let whole = site.to(cursor.site());
            cursor.take();
            let size = self.parenthesised(Cursor::inside(group, inner), whole);
            return Expr { kind: ExprKind::Option(ident.clone(), Box::new(size)), site: whole };
        }
        Expr { kind: ExprKind::Name(ident.clone()), site }
    }

    fn parenthesised(&mut self, mut inner: Cursor<'_>, site: Site) -> Expr {
        let expr = self.expr(&mut inner, '\0');
        if matches!(expr.kind, ExprKind::Broken) {
            return expr;
        }
        if !inner.at_end() {
            if inner.is_punct(',') {
                self.error(site, PAIR);
            } else {
                self.error(inner.site(), format!("expected `)`, found {}", inner.describe()));
            }
            return Expr { kind: ExprKind::Broken, site };
        }
        Expr { site, ..expr }
    }

    fn literal(&mut self, text: &str, site: Site) -> ExprKind {
        match literal::read(text) {
            Ok(Literal::Int(value)) => ExprKind::Int(value),
            Ok(Literal::Float(value)) => ExprKind::Float(value),
            Ok(Literal::Dims(sizes)) => ExprKind::Dims(sizes),
            Err(message) => {
                self.error(site, message);
                ExprKind::Broken
            }
        }
    }
}

fn broken_arg(site: Site) -> Arg {
    Arg { key: None, value: Expr { kind: ExprKind::Broken, site }, target: None, site }
}

fn join(mut parts: Vec<(bool, Expr)>, kind: fn(Vec<(bool, Expr)>) -> ExprKind, site: Site) -> Expr {
    if parts.iter().any(|(_, part)| matches!(part.kind, ExprKind::Broken)) {
        return Expr { kind: ExprKind::Broken, site };
    }
    match (parts.len(), parts.pop()) {
        (1, Some((false, only))) => only,
        (_, Some(last)) => {
            parts.push(last);
            Expr { kind: kind(parts), site }
        }
        (_, None) => Expr { kind: ExprKind::Broken, site },
    }
}

/// Whether `x` or `x5` stands here behind a number.
fn is_spaced_size(cursor: &Cursor<'_>, ident: &proc_macro2::Ident) -> bool {
    let text = ident.to_string();
    let digits = text.strip_prefix('x');
    cursor.previous_text().is_none() && digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_option_letter(text: &str) -> bool {
    matches!(text, "s" | "p" | "d" | "g" | "m")
}
