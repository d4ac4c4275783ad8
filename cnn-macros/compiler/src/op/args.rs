//! Matches a layer's arguments to what it takes.

mod read;

use std::cell::Cell;

use proc_macro2::Ident;

use super::Kind;
use super::sizes::{Sizes, letter_name, wrong_count};
use super::text::{either, fraction, joined};
use crate::diag::Site;
use crate::infer::report::Report;
use crate::ir::{Map, Shape};
use crate::lower::eval::Value;
use crate::lower::{Argument, Layer};
use crate::suggest;

/// The largest size that can be written as an option; every sum and product of two of them fits in an `i128`.
pub(crate) const LARGEST: usize = 1 << 31;

/// What a layer takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    /// An example for messages.
    pub(crate) usage: &'static str,
    /// Numbers, by position or as `name = value`.
    pub(crate) slots: &'static [&'static str],
    /// How many of them can be given by position.
    pub(crate) by_position: usize,
    /// Options with sizes.
    pub(crate) letters: &'static str,
    /// Options without.
    pub(crate) words: &'static [&'static str],
    /// Whether the first number may be `expected -> wanted`.
    pub(crate) arrow: bool,
}

/// A layer's arguments, each in its place.
pub(crate) struct Bound<'c> {
    signature: Signature,
    slots: Vec<Option<&'c Argument<'c>>>,
    letters: Vec<(char, Sizes, Site)>,
    words: Vec<(&'c Ident, Site)>,
    /// Whether a number too many was reported.
    surplus: bool,
    /// A parameter that its name made an option.
    lettered: Option<&'c Ident>,
    report: &'c Report<'c>,
    /// Whether an argument was wrong, so that one which seems to be missing may be meant by it.
    bad: Cell<bool>,
}

impl<'c> Bound<'c> {
    pub(crate) fn new(layer: &'c Layer<'c>, signature: Signature, report: &'c Report<'c>) -> Self {
        let slots = vec![None; signature.slots.len()];
        let mut bound = Self {
            signature,
            slots,
            letters: vec![],
            words: vec![],
            surplus: false,
            lettered: None,
            report,
            bad: Cell::new(false),
        };
        for arg in &layer.args {
            bound.place(arg);
        }
        bound
    }

    /// Whether an argument could not be understood.
    pub(crate) fn is_bad(&self) -> bool {
        self.bad.get()
    }

    fn fail(&self, site: Site, message: impl Into<String>) {
        self.bad.set(true);
        self.report.option(site, message.into());
    }

    fn usage(&self) -> String {
        let Signature { usage, slots, letters, words, .. } = self.signature;
        if slots.is_empty() && letters.is_empty() && words.is_empty() {
            return format!("write `{usage}`, it takes no arguments");
        }
        let examples: Vec<String> = usage.split(" or ").map(|example| format!("`{example}`")).collect();
        format!("write for example {}", either(&examples))
    }

    /// The name that may have been meant, or an example.
    fn hint<'k>(&self, text: &str, known: impl IntoIterator<Item = &'k str>) -> String {
        match suggest::did_you_mean(text, known) {
            hint if hint.is_empty() => format!(": {}", self.usage()),
            hint => hint,
        }
    }

    fn place(&mut self, arg: &'c Argument<'c>) {
        if arg.target.is_some() && !self.signature.arrow {
            return self.fail(arg.site, format!("an arrow cannot be an argument here: {}", self.usage()));
        }
        if let Some(key) = arg.key {
            return self.keyed(key, arg);
        }
        match arg.value {
            Value::Unknown => self.bad.set(true),
            Value::Letter { letter, sizes } => {
                self.lettered = self.lettered.or(arg.param.filter(|param| is_letter(param, letter)));
                self.letter(letter, sizes, arg.site);
            }
            Value::Word(word) if arg.target.is_some() => {
                let usage = self.usage();
                self.fail(
                    arg.site,
                    format!("an arrow stands behind the number of inputs, not behind `{word}`: {usage}"),
                );
            }
            Value::Word(word) => self.word(word, arg.site),
            Value::Float(value) if let Some(letter) = self.letter_of_param(arg) => {
                let name = letter_name(letter);
                self.fail(arg.site, format!("{name} must be a whole number, not {}", fraction(value)));
            }
            Value::Int(_) | Value::Float(_) | Value::Dims(_) => self.positional(arg),
        }
    }

    /// The option that the parameter would be if it held a whole number.
    fn letter_of_param(&self, arg: &Argument<'_>) -> Option<char> {
        self.signature.letters.chars().find(|letter| arg.param.is_some_and(|param| is_letter(param, *letter)))
    }

    fn positional(&mut self, arg: &'c Argument<'c>) {
        match self.slots.iter().take(self.signature.by_position).position(Option::is_none) {
            Some(slot) => self.slots[slot] = Some(arg),
            // After one surplus number the next ones are no mistakes of their own.
            None if self.surplus => self.bad.set(true),
            None => {
                self.surplus = true;
                let (shown, hint) = (show(arg.value), self.surplus_hint(arg));
                self.fail(arg.site, format!("`{shown}` is one number too many: {hint}"));
            }
        }
    }

    /// What a number behind the last positional one may be meant for.
    fn surplus_hint(&self, arg: &Argument<'_>) -> String {
        let Signature { letters, arrow, slots, .. } = self.signature;
        let value = |slot: usize| self.slots.get(slot).copied().flatten().map(|arg| arg.value);
        match (arg.value, arg.param) {
            (_, Some(param)) if !letters.is_empty() => {
                let letters: Vec<String> = letters.chars().map(|letter| format!("`{letter}`")).collect();
                format!("the parameter `{param}` would be an option if it were called {}", either(&letters))
            }
            (Value::Dims(_), _) if slots == ["out", "kernel"] => match value(1) {
                Some(out @ Value::Int(_)) => {
                    let (out, kernel) = (show(out), show(arg.value));
                    let label = self.signature.usage.split('(').next().unwrap_or_default();
                    format!("the input channels are known and not written: write `{label}({out}, {kernel})`")
                }
                _ => self.usage(),
            },
            (Value::Int(size), _) if letters.contains('m') => {
                format!("a stride is written `s{size}`, and {size} outputs of each channel `m{size}`")
            }
            (Value::Int(size), _) if letters.contains('s') => format!("a stride is written `s{size}`"),
            (Value::Int(out), _) if arrow => match value(0) {
                Some(inputs) => format!("write `fc({} -> {out})`, or `fc({out})`", show(inputs)),
                None => self.usage(),
            },
            _ => self.usage(),
        }
    }

    fn keyed(&mut self, key: &Ident, arg: &'c Argument<'c>) {
        let text = key.to_string();
        let site = Site::of(key.span());
        let Some(slot) = self.signature.slots.iter().position(|name| *name == text) else {
            let hint = match (self.letter_of(&text), arg.value) {
                (Some(letter), Value::Int(_) | Value::Dims(_)) => format!(": write `{letter}{}`", show(arg.value)),
                (Some('p'), Value::Word(word)) => format!(": write `{word}`"),
                _ => self.hint(&text, self.signature.slots.iter().copied()),
            };
            return self.fail(site, format!("no option is called `{text}`{hint}"));
        };
        match (self.slots[slot], arg.value) {
            (Some(first), _) => {
                let place = first.site.line_col();
                self.fail(arg.site, format!("{text} is given twice, first at {place}"));
            }
            (None, Value::Unknown) => self.bad.set(true),
            (None, Value::Int(_) | Value::Float(_) | Value::Dims(_)) => self.slots[slot] = Some(arg),
            (None, _) => self.fail(arg.site, format!("{text} is a number: {}", self.usage())),
        }
    }

    /// The option that a longer word stands for.
    fn letter_of(&self, word: &str) -> Option<char> {
        let letter = match word {
            "stride" | "strides" => 's',
            "padding" | "pad" => 'p',
            "dilation" | "dilate" => 'd',
            "groups" | "group" => 'g',
            "multiplier" => 'm',
            word => word.chars().next().filter(|_| word.len() == 1)?,
        };
        Some(letter).filter(|letter| self.signature.letters.contains(*letter))
    }

    fn letter(&mut self, letter: char, sizes: Sizes, site: Site) {
        let shown = show(Value::Letter { letter, sizes });
        if !self.signature.letters.contains(letter) {
            let taken = self.signature.letters.chars().map(|letter| format!("`{letter}`")).collect::<Vec<_>>();
            let list = if taken.is_empty() { String::new() } else { format!(", only {}", either(&taken)) };
            let hint = match letter {
                'k' if self.signature.slots.contains(&"kernel") => {
                    let [rows, columns] = sizes.pair();
                    format!("a kernel is written `{rows}x{columns}`")
                }
                _ => self.usage(),
            };
            return self.fail(site, format!("no option `{shown}`{list}: {hint}"));
        }
        if let Some((.., first)) = self.letters.iter().find(|(known, ..)| *known == letter) {
            let place = first.line_col();
            return self.fail(site, format!("{} is given twice, first at {place}", letter_name(letter)));
        }
        self.letters.push((letter, sizes, site));
    }

    fn word(&mut self, word: &'c Ident, site: Site) {
        let text = word.to_string();
        if !self.signature.words.contains(&text.as_str()) {
            let mut chars = text.chars();
            if let (Some(letter), None) = (chars.next(), chars.next())
                && self.signature.letters.contains(letter)
            {
                return self.fail(site, format!("{} lacks its size: write `{letter}2`", letter_name(letter)));
            }
            return self.unknown_word(&text, site);
        }
        if let Some((_, first)) = self.words.iter().find(|(known, _)| **known == text) {
            let place = first.line_col();
            return self.fail(site, format!("`{text}` is given twice, first at {place}"));
        }
        self.words.push((word, site));
    }

    fn unknown_word(&self, text: &str, site: Site) {
        if self.report.is_unread() {
            // A hint is looked for among all parameters.
            return self.fail(site, format!("no option is called `{text}`"));
        }
        let params = self.report.params();
        let known = self.signature.words.iter().copied().chain(params.iter().map(String::as_str));
        let digits = text.trim_start_matches(|ch: char| !ch.is_ascii_digit());
        let named = text.strip_suffix(digits).filter(|_| !digits.is_empty()).and_then(|word| self.letter_of(word));
        if let Some(message) = named.and_then(|letter| wrong_count(text, letter, letter_name(letter))) {
            return self.fail(site, message);
        }
        if text == "direct" {
            let message = "`direct` has no meaning here: only `conv` and `conv_transpose` ever save products";
            return self.fail(site, message);
        }
        let hint = match (suggest::did_you_mean(text, known), named) {
            (_, Some(letter)) => format!(": write `{letter}{digits}`"),
            (hint, _) if !hint.is_empty() => hint,
            _ if Kind::named(text).is_some() => format!(": a layer stands after an arrow, `-> {text}`"),
            _ if !params.is_empty() => {
                let params: Vec<String> = params.iter().map(|param| format!("`{param}`")).collect();
                format!(", nor a parameter, which would be {}", either(&params))
            }
            _ => format!(": {}", self.usage()),
        };
        self.fail(site, format!("no option is called `{text}`{hint}"));
    }
}

fn is_letter(name: &Ident, letter: char) -> bool {
    *name == letter.to_string()
}

/// A slot's name in a sentence.
fn title(name: &str) -> &str {
    match name {
        "out" => "output channels",
        name => name,
    }
}

/// A value as it would be written.
fn show(value: Value<'_>) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::Float(value) => fraction(value),
        Value::Dims(sizes) => joined(sizes),
        Value::Letter { letter, sizes } => format!("{letter}{sizes}"),
        Value::Word(word) => word.to_string(),
        Value::Unknown => "?".into(),
    }
}
