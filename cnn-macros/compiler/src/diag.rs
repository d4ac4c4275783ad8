//! Errors: where, what, and how to mend it.
//!
//! Every phase reports into one [`Diagnostics`], so that all independent mistakes of an invocation come out together.
//! Dropping a `Diagnostics` that was never turned into tokens panics in debug builds: an error cannot get lost.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// How many errors of one invocation are shown, of those under each condition; the rest are counted.
pub const SHOWN: usize = 20;

/// The longest message, in characters: names and sizes are quoted as they were written, however long.
const LONGEST: usize = 1024;

/// Line and column of the first token and of the end of the last one.
pub(crate) type Place = (usize, usize, usize, usize);

/// A stretch of source, from the start of its first token to the end of its last.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// The first token.
    pub start: Span,
    /// The last token.
    pub end: Span,
}

impl Site {
    /// The site of a single token.
    pub fn of(span: Span) -> Self {
        Self { start: span, end: span }
    }

    /// The site from the first token of `self` to the last of `other`.
    pub fn to(self, other: Site) -> Self {
        Self { start: self.start, end: other.end }
    }

    /// `line:column` of the first token, both counted from 1 as editors do.
    pub fn line_col(self) -> String {
        let at = self.start.start();
        format!("{}:{}", at.line, at.column + 1)
    }

    /// Orders sites as they stand in the source.
    pub(crate) fn key(self) -> Place {
        let (from, to) = (self.start.start(), self.end.end());
        (from.line, from.column, to.line, to.column)
    }
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The tokens that are underlined.
    pub site: Site,
    /// What is wrong, and the computed fix.
    pub message: String,
    /// Context, a line each: the shapes before, the other place, the call that led here.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// The message with its notes, as the user reads it.
    pub fn text(&self) -> String {
        let mut text = self.message.clone();
        for note in &self.notes {
            let _ = write!(text, "\n  {note}");
        }
        text
    }
}

#[derive(Debug, Default)]
struct Store {
    /// Errors, and the attributes under which they are errors.
    shown: Vec<(Diagnostic, TokenStream)>,
    /// Those under each condition, which are counted apart: what rustc leaves out must not have hidden what it compiles.
    seen: HashMap<String, HashSet<(Place, String)>>,
    hidden: usize,
}

/// The errors of one invocation, in the order in which they were found.
#[derive(Debug)]
pub struct Diagnostics {
    store: RefCell<Option<Store>>,
    conditions: RefCell<TokenStream>,
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self { store: RefCell::new(Some(Store::default())), conditions: RefCell::default() }
    }
}

impl Diagnostics {
    /// No errors yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `report`, whose errors are none where rustc leaves out the item that has these attributes.
    pub fn under(&self, conditions: impl IntoIterator<Item = TokenStream>, report: impl FnOnce()) {
        self.conditions.replace(conditions.into_iter().collect());
        report();
        self.conditions.take();
    }

    /// Records an error without notes.
    pub fn error(&self, site: Site, message: impl Into<String>) {
        self.push(Diagnostic { site, message: message.into(), notes: Vec::new() });
    }

    /// Records an error. The same message at the same tokens is recorded once: a block is expanded many times.
    pub fn push(&self, mut diagnostic: Diagnostic) {
        shorten(&mut diagnostic.message);
        if let Some(store) = self.store.borrow_mut().as_mut() {
            let conditions = self.conditions.borrow().clone();
            let seen = store.seen.entry(conditions.to_string()).or_default();
            if !seen.insert((diagnostic.site.key(), diagnostic.message.clone())) {
                return;
            }
            if seen.len() <= SHOWN {
                store.shown.push((diagnostic, conditions));
            } else {
                store.hidden += 1;
            }
        }
    }

    /// Whether no error was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of errors found.
    pub fn len(&self) -> usize {
        self.store.borrow().as_ref().map_or(0, |store| store.shown.len() + store.hidden)
    }

    /// The errors that are shown, in source order.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.into_conditional().into_iter().map(|(diagnostic, _)| diagnostic).collect()
    }

    fn into_conditional(self) -> Vec<(Diagnostic, TokenStream)> {
        let Some(mut store) = self.store.borrow_mut().take() else { return Vec::new() };
        store.shown.sort_by_key(|(diagnostic, _)| diagnostic.site.key());
        if let (Some((last, _)), 1..) = (store.shown.last_mut(), store.hidden) {
            last.notes.push(format!("and {} more errors of this invocation are not shown", store.hidden));
        }
        store.shown
    }

    /// One `::core::compile_error! { "…" }` per error, each behind its conditions and spanning the tokens at fault; empty
    /// without errors. Valid where items stand, and as statements.
    pub fn into_compile_errors(self) -> TokenStream {
        let errors = self.into_conditional().into_iter();
        errors.flat_map(|(diagnostic, conditions)| conditions.into_iter().chain(compile_error(&diagnostic))).collect()
    }
}

/// Cuts the middle out of a message that would flood the screen.
fn shorten(message: &mut String) {
    let from = message.char_indices().nth(LONGEST / 2);
    let to = message.char_indices().rev().nth(LONGEST / 2);
    if let (Some((from, _)), Some((to, _))) = (from, to)
        && from < to
    {
        message.replace_range(from..to, " ... ");
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        if !std::thread::panicking()
            && let Some(store) = self.store.get_mut()
        {
            debug_assert!(store.shown.is_empty(), "errors were found but never reported: {:?}", store.shown);
        }
    }
}

/// rustc underlines from the span of the macro's path to that of its braces, which on stable is the only way to mark
/// more than one token.
fn compile_error(diagnostic: &Diagnostic) -> Vec<TokenTree> {
    let Site { start, end } = diagnostic.site;
    let punct = |ch, spacing| {
        let mut punct = Punct::new(ch, spacing);
        punct.set_span(start);
        TokenTree::Punct(punct)
    };
    let mut text = Literal::string(&diagnostic.text());
    text.set_span(end);
    let mut braces = Group::new(Delimiter::Brace, TokenTree::Literal(text).into());
    braces.set_span(end);
    vec![
        punct(':', Spacing::Joint),
        punct(':', Spacing::Alone),
        TokenTree::Ident(Ident::new("core", start)),
        punct(':', Spacing::Joint),
        punct(':', Spacing::Alone),
        TokenTree::Ident(Ident::new("compile_error", start)),
        punct('!', Spacing::Alone),
        TokenTree::Group(braces),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span_of(source: &str) -> Vec<Span> {
        source.parse::<TokenStream>().expect("test source lexes").into_iter().map(|token| token.span()).collect()
    }

    #[test]
    fn an_error_spans_its_tokens_and_carries_its_notes() {
        let spans = span_of("alpha beta gamma");
        let diagnostics = Diagnostics::new();
        let site = Site::of(spans[0]).to(Site::of(spans[1]));
        diagnostics.push(Diagnostic { site, message: "wrong".into(), notes: vec!["seen at 1:1".into()] });
        let tokens = diagnostics.into_compile_errors();
        assert_eq!(tokens.to_string(), ":: core :: compile_error ! { \"wrong\\n  seen at 1:1\" }");
        let spans: Vec<_> = tokens.into_iter().map(|token| token.span().start().column).collect();
        assert_eq!(spans, [0, 0, 0, 0, 0, 0, 0, 6]);
    }

    #[test]
    fn equal_errors_count_once_and_a_flood_is_cut() {
        let spans = span_of(&"x ".repeat(40));
        let diagnostics = Diagnostics::new();
        for span in &spans {
            diagnostics.error(Site::of(*span), "bad");
            diagnostics.error(Site::of(*span), "bad");
        }
        assert_eq!(diagnostics.len(), 40);
        let shown = diagnostics.into_vec();
        assert_eq!(shown.len(), SHOWN);
        assert_eq!(shown[SHOWN - 1].notes, ["and 20 more errors of this invocation are not shown"]);
    }

    #[test]
    fn what_may_be_left_out_hides_nothing() {
        let spans = span_of(&"x ".repeat(40));
        let diagnostics = Diagnostics::new();
        diagnostics.under([quote::quote!(#[cfg(a)])], || {
            spans.iter().for_each(|span| diagnostics.error(Site::of(*span), "bad"));
        });
        diagnostics.error(Site::of(spans[0]), "bad");
        let tokens = diagnostics.into_compile_errors().to_string();
        assert_eq!(tokens.matches("# [cfg (a)] :: core :: compile_error !").count(), SHOWN);
        assert_eq!(tokens.matches("compile_error !").count(), SHOWN + 1);
    }

    #[test]
    fn a_long_message_keeps_its_ends() {
        let diagnostics = Diagnostics::new();
        diagnostics.error(Site::of(Span::call_site()), format!("ä{}ö", "é".repeat(100_000)));
        let message = diagnostics.into_vec().remove(0).message;
        assert!(message.chars().count() < LONGEST + 10, "{message}");
        assert!(message.starts_with("äé") && message.contains("é ... é") && message.ends_with("éö"));
    }

    #[test]
    fn errors_come_in_source_order() {
        let spans = span_of("a b");
        let diagnostics = Diagnostics::new();
        diagnostics.error(Site::of(spans[1]), "second");
        diagnostics.error(Site::of(spans[0]), "first");
        let texts: Vec<_> = diagnostics.into_vec().iter().map(Diagnostic::text).collect();
        assert_eq!(texts, ["first", "second"]);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "never reported")]
    fn forgetting_errors_panics() {
        let diagnostics = Diagnostics::new();
        diagnostics.error(Site::of(Span::call_site()), "lost");
    }
}
