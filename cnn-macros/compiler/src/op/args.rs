//! Matches a layer's arguments to what it takes.

use std::cell::Cell;

use proc_macro2::Ident;

use super::Kind;
use super::sizes::{Sizes, wrong_count};
use super::text::either;
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
    report: &'c Report<'c>,
    /// Whether an argument was wrong, so that one which seems to be missing may be meant by it.
    bad: Cell<bool>,
}

impl<'c> Bound<'c> {
    pub(crate) fn new(layer: &'c Layer<'c>, signature: Signature, report: &'c Report<'c>) -> Self {
        let slots = vec![None; signature.slots.len()];
        let mut bound =
            Self { signature, slots, letters: vec![], words: vec![], surplus: false, report, bad: Cell::new(false) };
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
            Value::Letter { letter, sizes } => self.letter(letter, sizes, arg.site),
            Value::Word(word) => self.word(word, arg.site),
            Value::Int(_) | Value::Float(_) | Value::Dims(_) => self.positional(arg),
        }
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

    /// The site of a word, if it was written.
    pub(crate) fn has(&self, word: &str) -> Option<Site> {
        self.words.iter().find(|(known, _)| *known == word).map(|(_, site)| *site)
    }

    /// The argument of a slot.
    pub(crate) fn slot(&self, name: &str) -> Option<&'c Argument<'c>> {
        let index = self.signature.slots.iter().position(|known| *known == name)?;
        self.slots[index]
    }

    /// A whole number of at least `least`; `Err` after an error, `Ok(None)` where it was not given.
    pub(crate) fn size(&self, name: &str, least: usize) -> Result<Option<usize>, ()> {
        let Some(arg) = self.slot(name) else { return Ok(None) };
        self.whole(arg.value, name, least, arg.site).map(Some)
    }

    /// A value as a whole number between `least` and [`LARGEST`].
    pub(crate) fn whole(&self, value: Value<'_>, name: &str, least: usize, site: Site) -> Result<usize, ()> {
        let message = match value {
            Value::Int(value) => return self.in_range(value, name, least, site),
            Value::Float(value) => format!("{} must be a whole number, not {}", title(name), decimal(value)),
            Value::Dims(_) => format!("{} must be one number, not `{}`: {}", title(name), show(value), self.usage()),
            Value::Unknown => {
                self.bad.set(true);
                return Err(());
            }
            _ => format!("{} must be a number: {}", title(name), self.usage()),
        };
        self.fail(site, message);
        Err(())
    }

    /// A number, or a pair of numbers, between `least` and [`LARGEST`].
    pub(crate) fn pair(&self, name: &str, least: usize) -> Result<Option<[usize; 2]>, ()> {
        let Some(arg) = self.slot(name) else { return Ok(None) };
        let [a, b] = match arg.value {
            Value::Dims(&[a, b]) => [a as i128, b as i128],
            Value::Dims(_) => {
                let shown = show(arg.value);
                self.fail(arg.site, format!("{} has two sizes, not `{shown}`: {}", title(name), self.usage()));
                return Err(());
            }
            other => return self.whole(other, name, least, arg.site).map(|size| Some([size; 2])),
        };
        Ok(Some([self.in_range(a, name, least, arg.site)?, self.in_range(b, name, least, arg.site)?]))
    }

    /// The shape of a map, or of a flat value; `Err` after an error, `Ok(None)` where it was not given.
    pub(crate) fn shape(&self, name: &str) -> Result<Option<Shape>, ()> {
        let Some(arg) = self.slot(name) else { return Ok(None) };
        let size = |size: usize| self.in_range(size as i128, "a size of the shape", 1, arg.site);
        match arg.value {
            Value::Dims(&[c, h, w]) => Ok(Some(Shape::Map(Map { c: size(c)?, h: size(h)?, w: size(w)? }))),
            Value::Dims(_) => {
                let shown = show(arg.value);
                let message = format!("a shape has three sizes, or one if it is flat, not `{shown}`: {}", self.usage());
                self.fail(arg.site, message);
                Err(())
            }
            other => self.whole(other, name, 1, arg.site).map(|features| Some(Shape::Flat(features))),
        }
    }

    fn in_range(&self, value: i128, name: &str, least: usize, site: Site) -> Result<usize, ()> {
        match usize::try_from(value) {
            Ok(size) if size > LARGEST => {
                self.fail(site, format!("{} = {value} is too large: at most {LARGEST} is possible", title(name)));
                Err(())
            }
            Ok(size) if size >= least => Ok(size),
            _ => {
                let why = match name {
                    "stride" => " (a window that does not move has no end)",
                    "dilation" => " (all taps would read one pixel)",
                    _ => "",
                };
                self.fail(site, format!("{} = {value}{why}: at least {least} is needed", title(name)));
                Err(())
            }
        }
    }

    /// The sizes of an option such as `s2` for rows and columns, with its site.
    pub(crate) fn option(&self, letter: char, least: usize) -> Result<Option<([usize; 2], Site)>, ()> {
        let Some(&(_, sizes, site)) = self.letters.iter().find(|(known, ..)| *known == letter) else {
            return Ok(None);
        };
        let (name, [rows, columns]) = (letter_name(letter), sizes.pair());
        if sizes.written() > 1 && matches!(letter, 'g' | 'm') {
            self.fail(site, format!("{name} is one number: write `{letter}{rows}`"));
            return Err(());
        }
        if sizes.written() > 2 {
            self.fail(site, format!("{name} has two sizes, not four: write `{letter}{rows}x{columns}`"));
            return Err(());
        }
        Ok(Some(([self.in_range(rows, name, least, site)?, self.in_range(columns, name, least, site)?], site)))
    }

    /// The padding `p2`, `p1x2` or `p0x1x2x3` of top, left, bottom and right, with its site.
    pub(crate) fn padding(&self) -> Result<Option<([usize; 4], Site)>, ()> {
        let Some(&(_, sizes, site)) = self.letters.iter().find(|(known, ..)| *known == 'p') else {
            return Ok(None);
        };
        Ok(Some((self.each_side(sizes, letter_name('p'), site)?, site)))
    }

    /// A slot's number, pair or four sizes, for top, left, bottom and right.
    pub(crate) fn sides(&self, name: &str) -> Result<Option<[usize; 4]>, ()> {
        let Some(arg) = self.slot(name) else { return Ok(None) };
        let Value::Dims(dims) = arg.value else {
            return self.whole(arg.value, name, 0, arg.site).map(|size| Some([size; 4]));
        };
        let Some(sizes) = Sizes::of_dims(dims) else {
            let shown = show(arg.value);
            self.fail(arg.site, format!("{} has two or four sizes, not `{shown}`: {}", title(name), self.usage()));
            return Err(());
        };
        self.each_side(sizes, name, arg.site).map(Some)
    }

    fn each_side(&self, sizes: Sizes, name: &str, site: Site) -> Result<[usize; 4], ()> {
        let mut sides = [0; 4];
        for (side, size) in sides.iter_mut().zip(sizes.sides()) {
            *side = self.in_range(size, name, 0, site)?;
        }
        Ok(sides)
    }

    /// A number with a default, which must pass `check`; `range` says in words what passes.
    pub(crate) fn number(&self, name: &str, default: f64, range: &str, check: fn(f64) -> bool) -> Result<f32, ()> {
        let Some(arg) = self.slot(name) else { return Ok(default as f32) };
        let value = match arg.value {
            Value::Int(value) => value as f64,
            Value::Float(value) => value,
            _ => return self.whole(arg.value, name, 0, arg.site).map(|_| 0.0),
        };
        if check(value) && (value as f32).is_finite() && check(f64::from(value as f32)) {
            // Not -0, which has the bits of another number.
            return Ok(value as f32 + 0.0);
        }
        self.fail(arg.site, format!("{name} = {}: it must be {range}", decimal(value)));
        Err(())
    }

    /// Reports an argument that is not there, unless a wrong one may be meant by it.
    pub(crate) fn missing(&self, what: &str, fix: Option<String>) {
        if !self.bad.get() {
            let fix = fix.map_or_else(|| self.usage(), |fix| format!("write `{fix}`"));
            self.report.option(self.report.call(), format!("{what} is missing: {fix}"));
            self.bad.set(true);
        }
    }
}

/// A number for a message, with an exponent where digits would fill the line.
fn decimal(value: f64) -> String {
    if value != 0.0 && !(1e-9..1e15).contains(&value.abs()) { format!("{value:e}") } else { value.to_string() }
}

/// A slot's name in a sentence.
fn title(name: &str) -> &str {
    match name {
        "out" => "output channels",
        name => name,
    }
}

/// The word for an option's letter.
fn letter_name(letter: char) -> &'static str {
    match letter {
        's' => "stride",
        'p' => "padding",
        'd' => "dilation",
        'g' => "groups",
        'o' => "output padding",
        _ => "the multiplier",
    }
}

/// A value as it would be written.
fn show(value: Value<'_>) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::Float(value) => decimal(value),
        Value::Dims(sizes) => sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x"),
        Value::Letter { letter, sizes } => format!("{letter}{sizes}"),
        Value::Word(word) => word.to_string(),
        Value::Unknown => "?".into(),
    }
}
