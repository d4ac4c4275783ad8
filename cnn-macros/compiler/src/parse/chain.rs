//! Chains and steps.

use proc_macro2::{Delimiter, Group, Ident};

use super::cursor::{Cursor, Token};
use super::{Parser, is_item_start};
use crate::ast::{Args, Atom, Call, Chain, Expr, Step, ValueName};
use crate::diag::{SHOWN, Site};
use crate::op::Kind;

const ATTRIBUTE: &str = "attributes and doc comments stand before an item: between layers use `//`";

impl Parser<'_> {
    /// Reads `step -> step -> ...` up to `stop` or the end of the cursor; `stop` itself is left.
    pub(super) fn chain(&mut self, cursor: &mut Cursor<'_>, stop: char) -> Chain {
        let (start, before) = (cursor.site(), self.diagnostics.len());
        let mut steps = Vec::new();
        let done = |cursor: &Cursor<'_>| cursor.at_end() || cursor.is_punct(stop);
        if done(cursor) {
            self.error(start, "no layers: write at least one, like `conv(6, 5x5) -> relu -> fc(10)`");
            return Chain { steps: vec![broken_step()], site: start, broken: true };
        }
        while !done(cursor) {
            steps.push(self.step(cursor, stop));
            if let Some(arrow) = cursor.eat_arrow() {
                if done(cursor) {
                    self.error(arrow, "this arrow leads nowhere: write a layer after it, or remove it");
                }
                continue;
            }
            if self.false_arrow(cursor) {
                continue;
            }
            if done(cursor) || (stop == ';' && is_item_start(cursor) && self.missing_semicolon(cursor)) {
                break;
            }
            if stop == ',' && self.missing_comma_between_branches(cursor) {
                break;
            }
            let repeated = steps.last().is_some_and(|step| step.repeat.is_some());
            if !self.text_behind(cursor, stop, repeated) {
                steps.push(broken_step());
            }
        }
        Chain { steps, site: start.to(cursor.previous()), broken: self.diagnostics.len() > before }
    }

    /// Reports an arrow that is written `=>`, `<-` or `- >` and takes it as one.
    pub(super) fn false_arrow(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let found = cursor.eat_false_arrow();
        if let Some(site) = found {
            self.error(site, "an arrow is written `->`");
        }
        found.is_some()
    }

    pub(super) fn missing_semicolon(&mut self, cursor: &Cursor<'_>) -> bool {
        let (site, first) = match cursor.peek_at(1) {
            Some(group) if cursor.is_attribute() => {
                (cursor.site().to(group.site()), "this attribute or doc comment".into())
            }
            _ => (cursor.site(), cursor.describe()),
        };
        self.error(site, format!("a `;` is missing before {first}, which begins the next item"));
        true
    }

    /// A value or `id` after a step begins the next branch, and so does a layer where there would be only one branch:
    /// only the comma is missing.
    fn missing_comma_between_branches(&mut self, cursor: &Cursor<'_>) -> bool {
        if cursor.is_punct(';') {
            self.error(cursor.site(), "branches are separated by `,`, not `;`");
            return true;
        }
        let Some(ident) = cursor.ident().filter(|_| !cursor.is_keyword()) else { return false };
        let called = matches!(cursor.peek_at(1), Some(Token::Group(..)));
        let begins = !called && Kind::named(&ident.to_string()).is_none() || self.lacks_commas(cursor);
        if begins {
            self.error(cursor.site(), format!("a `,` is missing before `{ident}`"));
        }
        begins
    }

    /// Whether no comma parts the branches here; nobody reads what is said after many errors, and looking takes time.
    fn lacks_commas(&self, cursor: &Cursor<'_>) -> bool {
        self.diagnostics.len() < SHOWN && !cursor.is_list()
    }

    /// Something other than an arrow follows a step. A layer is read on as if the arrow stood there; false where layers
    /// may have been skipped.
    fn text_behind(&mut self, cursor: &mut Cursor<'_>, stop: char, repeated: bool) -> bool {
        let site = cursor.site();
        let found = cursor.describe();
        let layer = cursor.ident().is_some() && !cursor.is_keyword();
        let message = match cursor.peek() {
            Some(Token::Ident(_)) if layer => {
                format!("an arrow is missing before {found}: write `-> {}`", plain(cursor))
            }
            Some(Token::Punct('*', ..)) => {
                "only one repeat can stand here, before the `<shape>`: multiply the counts".into()
            }
            Some(Token::Punct('+' | '-' | '/', ..)) if repeated => {
                "a computed count stands in parentheses: `* (2 + 1)`".into()
            }
            Some(Token::Punct('+', ..)) => "branches are added by a layer: write `add(id, ...)`".into(),
            Some(Token::Punct('#', ..)) => ATTRIBUTE.into(),
            Some(Token::Punct('<', ..)) => "a second `<shape>`: one shape can stand after a layer".into(),
            Some(Token::Punct(',', ..)) if stop != ',' => "layers are joined by `->`, not `,`".into(),
            _ if stop == ';' => format!("expected `->`, `;` or the end, found {found}"),
            _ => format!("expected `->`, found {found}"),
        };
        self.error(site, message);
        let harmless = layer || matches!(cursor.peek(), Some(Token::Punct('*' | '#' | '<', ..)));
        if !layer {
            cursor.skip_until(|cursor| cursor.is_arrow() || cursor.is_punct(stop));
            cursor.eat_arrow();
        }
        harmless
    }

    fn step(&mut self, cursor: &mut Cursor<'_>, stop: char) -> Step {
        while let Some(hash) = cursor.eat('#') {
            self.error(hash.to(cursor.site()), ATTRIBUTE);
            cursor.take();
        }
        let name = self.step_name(cursor).map(|ident| {
            self.values += 1;
            ValueName { id: self.values, ident }
        });
        let atom = self.atom(cursor, stop);
        let repeat = cursor.eat('*').map(|star| self.repeat(cursor, star));
        let shaped = cursor.is_punct('<') && !cursor.is_false_arrow();
        let annotation = if shaped { self.dims(cursor, &[1, 3]) } else { None };
        Step { name, atom, repeat, annotation }
    }

    /// `name =` before a layer, also where it is written as Rust would have it.
    fn step_name(&mut self, cursor: &mut Cursor<'_>) -> Option<Ident> {
        if cursor.is_keyword() && matches!(cursor.peek_at(1), Some(Token::Ident(_))) && cursor.is_assignment(2) {
            self.error(cursor.site(), format!("leave out {}: a value is named by `x = relu`", cursor.describe()));
            cursor.take();
        }
        let name = cursor.ident()?;
        let colon = matches!(
            (cursor.peek_at(1), cursor.peek_at(2)),
            (Some(Token::Punct(':', false, _)), Some(Token::Ident(_) | Token::Group(..)))
        );
        if !colon && !cursor.is_assignment(1) {
            return None;
        }
        cursor.take();
        if colon {
            self.error(cursor.site(), format!("a value is named with `=`: write `{name} = ...`"));
        }
        cursor.take();
        Some(name.clone())
    }

    /// The count of a repeat is a single number, name or group: what follows it may be the `<` of an annotation.
    fn repeat(&mut self, cursor: &mut Cursor<'_>, star: Site) -> Expr {
        if cursor.is_arrow() || cursor.at_end() {
            self.error(star, "the repeat lacks its count: write `* 2`");
            return Expr { kind: crate::ast::ExprKind::Broken, site: star };
        }
        if let Some(minus) = cursor.eat('-') {
            self.error(minus.to(cursor.site()), "a step cannot be repeated a negative number of times");
            return Expr { kind: crate::ast::ExprKind::Broken, ..self.primary(cursor, ';') };
        }
        self.primary(cursor, ';')
    }

    fn atom(&mut self, cursor: &mut Cursor<'_>, stop: char) -> Atom {
        let site = cursor.site();
        match cursor.peek() {
            Some(Token::Ident(name)) if !cursor.is_keyword() => {
                cursor.take();
                let call = self.call(name, cursor);
                match cursor.peek() {
                    Some(Token::Literal(..)) if matches!(call.args, Args::None) => {
                        let message = format!("arguments stand in parentheses: `{name}({})`", plain(cursor));
                        self.error(call.site.to(cursor.site()), message);
                        cursor.skip_until(|cursor| cursor.is_arrow() || cursor.is_punct(stop));
                        Atom::Broken
                    }
                    _ => Atom::Call(call),
                }
            }
            Some(Token::Literal(..)) if matches!(cursor.peek_at(1), Some(Token::Punct('*', ..))) => {
                self.error(site, format!("a count stands after its layer: write `relu * {}`", plain(cursor)));
                cursor.skip_until(|cursor| cursor.is_arrow() || cursor.is_punct(stop));
                Atom::Broken
            }
            Some(Token::Group(group, inner)) if group.delimiter() == Delimiter::Parenthesis => {
                cursor.take();
                let mut inner = Cursor::inside(group, inner);
                let chain = self.chain(&mut inner, '\0');
                Atom::Group(Chain { site, ..chain })
            }
            _ => {
                let message = if cursor.is_arrow() {
                    "a layer is missing before this arrow".into()
                } else if cursor.is_punct('<') {
                    "a `<shape>` stands after a layer: write the layer first".into()
                } else {
                    format!("expected a layer, found {}", cursor.describe())
                };
                self.error(site, message);
                cursor.skip_until(|cursor| cursor.is_arrow() || cursor.is_punct(stop));
                Atom::Broken
            }
        }
    }

    fn call(&mut self, name: &Ident, cursor: &mut Cursor<'_>) -> Call {
        let id = self.calls;
        self.calls += 1;
        let mut site = Site::of(name.span());
        let args = match cursor.peek() {
            Some(Token::Group(group, inner)) if group.delimiter() == Delimiter::Parenthesis => {
                site = site.to(cursor.site());
                cursor.take();
                self.args(name, group, inner)
            }
            Some(Token::Group(group, inner)) => {
                self.error(cursor.site(), format!("arguments stand in parentheses: `{name}(...)`"));
                cursor.take();
                self.args(name, group, inner)
            }
            _ => Args::None,
        };
        Call { id, name: name.clone(), args, site }
    }

    fn args(&mut self, name: &Ident, group: &Group, inner: &[Token]) -> Args {
        let cursor = Cursor::inside(group, inner);
        let text = name.to_string();
        match Kind::named(&text) {
            Some(kind) if kind.is_join() => Args::Branches(self.branches(cursor)),
            Some(kind) => Args::Values(self.values(cursor, &|word| kind.has_key(word))),
            None => match self.blocks.get(&text).cloned() {
                Some(params) => Args::Values(self.values(cursor, &|word| params.contains(word))),
                None => Args::Skipped,
            },
        }
    }

    fn branches(&mut self, mut cursor: Cursor<'_>) -> Vec<Chain> {
        let mut branches = Vec::new();
        while !cursor.at_end() {
            if let Some(comma) = cursor.eat(',') {
                self.error(comma, "no branch stands before this `,`: remove it, or write `id` for the value itself");
                continue;
            }
            branches.push(self.chain(&mut cursor, ','));
            cursor.eat(',').or_else(|| cursor.eat(';'));
        }
        branches
    }
}

/// What stands at the cursor, to be quoted as a part of something longer.
fn plain(cursor: &Cursor<'_>) -> String {
    cursor.describe().trim_matches('`').to_string()
}

fn broken_step() -> Step {
    Step { name: None, atom: Atom::Broken, repeat: None, annotation: None }
}
