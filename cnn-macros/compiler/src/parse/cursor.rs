//! Tokens as a slice that can be looked at ahead, with invisible groups of `macro_rules!` dissolved.

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};

use crate::diag::Site;

/// How deep parentheses may nest, and calls of blocks at expansion.
pub const DEPTH: usize = 64;

/// A token whose groups are already slices.
#[derive(Debug)]
pub enum Token {
    /// An identifier or keyword.
    Ident(Ident),
    /// A character, and whether the next one touches it.
    Punct(char, bool, Span),
    /// A literal's text.
    Literal(String, Span),
    /// A delimited group with its contents.
    Group(Group, Vec<Token>),
}

impl Token {
    /// Where it stands.
    pub fn site(&self) -> Site {
        match self {
            Token::Ident(ident) => Site::of(ident.span()),
            Token::Punct(_, _, span) | Token::Literal(_, span) => Site::of(*span),
            Token::Group(group, _) => Site { start: group.span_open(), end: group.span_close() },
        }
    }

    /// The identifier that it is.
    pub fn ident(&self) -> Option<&Ident> {
        match self {
            Token::Ident(ident) => Some(ident),
            _ => None,
        }
    }

    /// How a message names it.
    pub fn describe(&self) -> String {
        match self {
            Token::Ident(ident) => format!("`{ident}`"),
            Token::Punct(ch, ..) => format!("`{ch}`"),
            Token::Literal(text, _) => format!("`{}`", shorten(text)),
            Token::Group(group, _) => match group.delimiter() {
                Delimiter::Parenthesis => "`(`".into(),
                Delimiter::Bracket => "`[`".into(),
                _ => "`{`".into(),
            },
        }
    }
}

/// Whether an identifier can name an item: it is neither a keyword nor `_`.
pub fn is_name(ident: &Ident) -> bool {
    syn::parse_str::<Ident>(&ident.to_string()).is_ok()
}

/// Whether an identifier can name a struct: unlike those of syn, the keywords of edition 2024 have `gen` among them.
pub fn is_type_name(ident: &Ident) -> bool {
    is_name(ident) && ident != "gen"
}

/// An identifier without the mark of a raw one, which two spellings of one name differ in; a keyword needs it.
fn plain(ident: Ident) -> Ident {
    let text = ident.to_string();
    let unmarked = text.strip_prefix("r#").map(|text| Ident::new(text, ident.span()));
    unmarked.filter(is_type_name).unwrap_or(ident)
}

/// Cuts a text that would flood a message.
pub fn shorten(text: &str) -> String {
    const LONG: usize = 48;
    if text.chars().count() <= LONG {
        text.into()
    } else {
        format!("{}...", text.chars().take(LONG).collect::<String>())
    }
}

/// The first group that nests deeper than [`DEPTH`]; found with a stack of its own, so that no depth can overflow ours.
pub fn too_deep(tokens: &TokenStream) -> Option<Site> {
    let mut stack: Vec<IntoIter> = vec![tokens.clone().into_iter()];
    while let Some(top) = stack.last_mut() {
        match top.next() {
            Some(TokenTree::Group(group)) if stack.len() > DEPTH => return Some(Site::of(group.span_open())),
            Some(TokenTree::Group(group)) => stack.push(group.stream().into_iter()),
            Some(_) => {}
            None => {
                stack.pop();
            }
        }
    }
    None
}

/// Reads a stream whose depth has been checked.
pub fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Ident(ident) => into.push(Token::Ident(plain(ident))),
            TokenTree::Punct(punct) => {
                into.push(Token::Punct(punct.as_char(), punct.spacing() == Spacing::Joint, punct.span()));
            }
            TokenTree::Literal(literal) => into.push(Token::Literal(literal.to_string(), literal.span())),
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                let mut inner = Vec::new();
                flatten(group.stream(), &mut inner);
                // An expression such as `2 + 1` stays one, whatever stands around it.
                if is_calculation(&inner) {
                    let mut parentheses = Group::new(Delimiter::Parenthesis, group.stream());
                    parentheses.set_span(group.span());
                    into.push(Token::Group(parentheses, inner));
                } else {
                    into.extend(inner);
                }
            }
            TokenTree::Group(group) => {
                let mut inner = Vec::new();
                flatten(group.stream(), &mut inner);
                into.push(Token::Group(group, inner));
            }
        }
    }
}

/// Whether tokens are joined by signs of arithmetic; an arrow is none.
fn is_calculation(tokens: &[Token]) -> bool {
    let arrow = |pair: &[Token]| matches!(pair, [Token::Punct('-', true, _), Token::Punct('>', ..)]);
    let sign = |token: &Token| matches!(token, Token::Punct('+' | '-' | '*' | '/', ..));
    tokens.len() > 1 && tokens.iter().any(sign) && !tokens.windows(2).any(arrow)
}

/// A position in a slice of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'t> {
    tokens: &'t [Token],
    position: usize,
    /// Where errors about a missing token point once the tokens are used up.
    end: Site,
}

impl<'t> Cursor<'t> {
    /// At the first of `tokens`; `end` is the closing delimiter, or the last token at the outermost level.
    pub fn new(tokens: &'t [Token], end: Site) -> Self {
        Self { tokens, position: 0, end }
    }

    /// At the token `position`, to look at it and at those after it.
    pub fn starting(tokens: &'t [Token], position: usize) -> Self {
        Self { position, ..Self::new(tokens, tokens.last().map_or(Site::of(Span::call_site()), Token::site)) }
    }

    /// At the first token inside a group.
    pub fn inside(group: &Group, inner: &'t [Token]) -> Self {
        Self::new(inner, Site::of(group.span_close()))
    }

    /// The token here.
    pub fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.position)
    }

    /// The token `ahead` places further.
    pub fn peek_at(&self, ahead: usize) -> Option<&'t Token> {
        self.tokens.get(self.position + ahead)
    }

    /// Whether all tokens are used up.
    pub fn at_end(&self) -> bool {
        self.position >= self.tokens.len()
    }

    /// Takes the token here.
    pub fn take(&mut self) -> Option<&'t Token> {
        let token = self.tokens.get(self.position)?;
        self.position += 1;
        Some(token)
    }

    /// Where the token here stands, or the end; both halves of an arrow.
    pub fn site(&self) -> Site {
        let first = self.peek().map_or(self.end, Token::site);
        match self.peek_at(1) {
            Some(second) if self.is_arrow() => first.to(second.site()),
            _ => first,
        }
    }

    /// Where the token before stands.
    pub fn previous(&self) -> Site {
        self.position.checked_sub(1).map_or(self.end, |before| self.tokens[before].site())
    }

    /// How many tokens lie between here and `further`.
    pub fn distance(&self, further: &Self) -> usize {
        further.position - self.position
    }

    /// The text of the token before, if it is an identifier.
    pub fn previous_text(&self) -> Option<String> {
        match self.tokens.get(self.position.checked_sub(1)?)? {
            Token::Ident(ident) => Some(ident.to_string()),
            _ => None,
        }
    }

    /// How a message names what is here.
    pub fn describe(&self) -> String {
        if self.is_arrow() {
            return "`->`".into();
        }
        self.peek().map_or_else(|| "the end".into(), Token::describe)
    }

    /// Whether `ch` stands here and does not begin an arrow.
    pub fn is_punct(&self, ch: char) -> bool {
        matches!(self.peek(), Some(Token::Punct(found, ..)) if *found == ch) && !self.is_arrow()
    }

    /// Whether `->` stands here.
    pub fn is_arrow(&self) -> bool {
        matches!((self.peek(), self.peek_at(1)), (Some(Token::Punct('-', true, _)), Some(Token::Punct('>', ..))))
    }

    /// Takes `ch` if it stands here.
    pub fn eat(&mut self, ch: char) -> Option<Site> {
        let site = self.site();
        self.is_punct(ch).then(|| {
            self.position += 1;
            site
        })
    }

    /// Takes `->` if it stands here.
    pub fn eat_arrow(&mut self) -> Option<Site> {
        let site = self.site();
        self.is_arrow().then(|| {
            self.position += 2;
            site.to(self.previous())
        })
    }

    /// Takes `=>`, `<-`, or `- >` with a space, if it stands here: an arrow that is written wrongly.
    pub fn eat_false_arrow(&mut self) -> Option<Site> {
        let (Some(Token::Punct(head, joint, _)), Some(Token::Punct(tip, ..))) = (self.peek(), self.peek_at(1)) else {
            return None;
        };
        let wrong = match (head, tip) {
            ('=', '>') => *joint,
            ('-', '>') => !*joint,
            // A shape may begin with a negative size, which is another mistake.
            ('<', '-') => *joint && !matches!(self.peek_at(2), Some(Token::Literal(..))),
            _ => false,
        };
        let site = self.site();
        wrong.then(|| {
            self.position += 2;
            site.to(self.previous())
        })
    }

    /// Whether an arrow that is written wrongly stands here.
    pub fn is_false_arrow(&self) -> bool {
        Cursor::eat_false_arrow(&mut { *self }).is_some()
    }

    /// Whether `=` stands `ahead` places further, and is not half of another sign.
    pub fn is_assignment(&self, ahead: usize) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Punct('=', joint, _))
            if !joint || !matches!(self.peek_at(ahead + 1), Some(Token::Punct('>' | '=', ..))))
    }

    /// Whether an attribute or a doc comment stands here.
    pub fn is_attribute(&self) -> bool {
        self.is_punct('#')
            && matches!(self.peek_at(1), Some(Token::Group(group, _)) if group.delimiter() == Delimiter::Bracket)
    }

    /// Whether a comma stands anywhere beside the token here.
    pub fn is_list(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Punct(',', ..)))
    }

    /// Whether a keyword of Rust stands here, which can name nothing.
    pub fn is_keyword(&self) -> bool {
        self.ident().is_some_and(|ident| *ident != "_" && !is_name(ident))
    }

    /// The identifier here.
    pub fn ident(&self) -> Option<&'t Ident> {
        self.peek().and_then(Token::ident)
    }

    /// Goes on until `stop` holds or the tokens end.
    pub fn skip_until(&mut self, stop: impl Fn(&Self) -> bool) {
        while !self.at_end() && !stop(self) {
            self.position += 1;
        }
    }
}
