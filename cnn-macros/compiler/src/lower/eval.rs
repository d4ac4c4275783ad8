//! The values of expressions.

use proc_macro2::Ident;

use super::Unfolding;
use crate::ast::{Expr, ExprKind};
use crate::diag::Site;
use crate::op::sizes::{Sizes, is_option_letter, letter_name, split_option, wrong_count};
use crate::op::{Kind, as_whole, fraction, joined};
use crate::suggest;

/// What an expression is worth.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// `5x5`.
    Dims(&'a [usize]),
    /// An option with sizes: `s2`, `p1x2`.
    Letter {
        /// Which option.
        letter: char,
        /// Its sizes.
        sizes: Sizes,
    },
    /// An option without a size: `same`.
    Word(&'a Ident),
    /// Wrong, which has been reported.
    Unknown,
}

/// The values of a block's parameters.
#[derive(Debug, Default)]
pub(super) struct Env<'a> {
    /// The block; `None` in a network, which has no parameters.
    pub(super) block: Option<usize>,
    /// One value per parameter, as far as they are evaluated.
    pub(super) values: Vec<Option<Value<'a>>>,
}

impl<'a> Unfolding<'_, 'a> {
    /// The value of a layer's argument. There, a parameter called `s` that holds a number is the option `s`, if the
    /// layer has one.
    pub(super) fn option(&mut self, expr: &'a Expr, kind: Kind, frame: usize) -> Value<'a> {
        let value = self.eval(expr, frame);
        let ExprKind::Name(ident) = &expr.kind else { return value };
        let text = ident.to_string();
        let letter = match text.as_bytes() {
            [letter] if kind.takes(char::from(*letter)) => char::from(*letter),
            _ => return value,
        };
        sizes_of(value).map_or(value, |sizes| Value::Letter { letter, sizes })
    }

    /// The value of an expression as it stands.
    pub(super) fn eval(&mut self, expr: &'a Expr, frame: usize) -> Value<'a> {
        if !self.work(expr.site, 1) {
            return Value::Unknown;
        }
        match &expr.kind {
            ExprKind::Int(value) => Value::Int(*value as i128),
            ExprKind::Float(value) => Value::Float(*value),
            ExprKind::Dims(sizes) => Value::Dims(sizes),
            ExprKind::Broken => Value::Unknown,
            ExprKind::Name(ident) => self.lookup(ident, frame).unwrap_or_else(|| word(ident)),
            ExprKind::Option(ident, size) => self.computed(ident, size, expr.site, frame),
            ExprKind::Sum(terms) => self.fold(terms, Value::Int(0), frame, expr.site, true),
            ExprKind::Product(factors) => self.fold(factors, Value::Int(1), frame, expr.site, false),
        }
    }

    /// Whether a name is a parameter of the block that a frame unfolds.
    pub(super) fn is_param(&self, ident: &Ident, frame: usize) -> bool {
        let params = self.frames[frame].env.block.map(|block| &self.shared.params[block]);
        params.is_some_and(|params| params.contains_key(&ident.to_string()))
    }

    /// The parameter that may be meant by `wrong`; nothing where nobody reads it, because all of them are looked at.
    pub(super) fn param_hint<'p>(&self, site: Site, wrong: &Ident, params: impl Iterator<Item = &'p Ident>) -> String {
        if self.is_unread(site) {
            return String::new();
        }
        let params: Vec<String> = params.map(Ident::to_string).collect();
        suggest::did_you_mean(&wrong.to_string(), params.iter().map(String::as_str))
    }

    fn lookup(&mut self, ident: &Ident, frame: usize) -> Option<Value<'a>> {
        let env = &self.frames[frame].env;
        let slot = *self.shared.params.get(env.block?)?.get(&ident.to_string())?;
        match env.values[slot] {
            Some(value) => Some(value),
            None => {
                let message = format!("`{ident}` has no value yet: a default can use only the parameters before it");
                self.error(Site::of(ident.span()), frame, message);
                Some(Value::Unknown)
            }
        }
    }

    fn computed(&mut self, ident: &Ident, size: &'a Expr, site: Site, frame: usize) -> Value<'a> {
        let letter = ident.to_string().parse::<char>().ok();
        let value = self.eval(size, frame);
        match (letter, sizes_of(value)) {
            (Some(letter), Some(sizes)) => Value::Letter { letter, sizes },
            _ if matches!(value, Value::Unknown) => Value::Unknown,
            _ => {
                self.error(site, frame, no_option(ident, letter.filter(|letter| is_option_letter(*letter)), value));
                Value::Unknown
            }
        }
    }

    fn fold(&mut self, parts: &'a [(bool, Expr)], start: Value<'a>, frame: usize, site: Site, sum: bool) -> Value<'a> {
        let mut total = start;
        for (inverse, part) in parts {
            let value = self.number(part, frame);
            if matches!(value, Value::Unknown) {
                return Value::Unknown;
            }
            let operation = match (sum, inverse) {
                (true, false) => '+',
                (true, true) => '-',
                (false, false) => '*',
                (false, true) => '/',
            };
            total = match apply(operation, total, value) {
                Ok(total) => total,
                Err(message) => {
                    self.error(site, frame, message);
                    return Value::Unknown;
                }
            };
        }
        total
    }

    /// A value that can be calculated with.
    fn number(&mut self, expr: &'a Expr, frame: usize) -> Value<'a> {
        let value = self.eval(expr, frame);
        let message = match value {
            Value::Int(_) | Value::Float(_) | Value::Unknown => return value,
            Value::Dims(_) => "a size like `5x5` cannot be calculated with".to_string(),
            Value::Letter { letter, .. } => {
                format!("the option `{letter}` cannot be calculated with: pass a plain number")
            }
            Value::Word(word) => {
                let params = &self.frames[frame].params;
                let hint = if params.is_empty() {
                    ": only a block with parameters has names for numbers".to_string()
                } else {
                    self.param_hint(expr.site, word, params.iter().copied())
                };
                format!("no parameter is called `{word}`{hint}")
            }
        };
        self.error(expr.site, frame, message);
        Value::Unknown
    }

    /// The count of a repeat, at least 1.
    pub(super) fn count(&mut self, expr: &'a Expr, frame: usize) -> Option<usize> {
        let message = match self.number(expr, frame) {
            Value::Int(count) if count >= 1 => return Some(usize::try_from(count).unwrap_or(usize::MAX)),
            Value::Int(0) => "a step repeated 0 times is no step: remove it, or write at least `* 1`".to_string(),
            Value::Int(count) => format!("a step cannot be repeated {count} times"),
            Value::Float(count) => {
                let whole =
                    as_whole(count, 1).map_or_else(|| "a whole number".to_string(), |whole| format!("`{whole}`"));
                format!("a step cannot be repeated {} times: write {whole}", fraction(count))
            }
            _ => return None,
        };
        self.error(expr.site, frame, message);
        None
    }
}

/// A number, or one, two or four of them.
fn sizes_of(value: Value<'_>) -> Option<Sizes> {
    match value {
        Value::Int(size) => Sizes::new(&[size]),
        Value::Dims(sizes) => Sizes::of_dims(sizes),
        _ => None,
    }
}

/// What is wrong with `p(1.5)`, whose value is not the sizes of an option, or with `pad(1)`, which is none.
fn no_option(ident: &Ident, letter: Option<char>, value: Value<'_>) -> String {
    match (letter, value) {
        (Some(letter), Value::Float(size)) => {
            let fix = as_whole(size, 0).map_or_else(String::new, |whole| format!(": write `{letter}({whole})`"));
            format!("{} must be a whole number, not {}{fix}", letter_name(letter), fraction(size))
        }
        (Some(letter), Value::Dims(sizes))
            if let Some(message) = wrong_count(&format!("{letter}{}", joined(sizes)), letter, letter_name(letter)) =>
        {
            message
        }
        _ => format!("`{ident}(...)` is no argument: an option with a computed size is written `p(k / 2)`"),
    }
}

/// An identifier that is no parameter: `s2x1` with its sizes, or a word.
fn word(ident: &Ident) -> Value<'_> {
    match split_option(&ident.to_string()) {
        Some((letter, sizes)) => Value::Letter { letter, sizes },
        None => Value::Word(ident),
    }
}

fn apply<'a>(operation: char, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, String> {
    if let (Value::Int(a), Value::Int(b)) = (a, b) {
        if operation == '/' && b == 0 {
            return Err(format!("{a} / 0 has no value"));
        }
        let result = match operation {
            '+' => a.checked_add(b),
            '-' => a.checked_sub(b),
            '*' => a.checked_mul(b),
            _ => a.checked_div(b),
        };
        let small = result.filter(|value| value.unsigned_abs() <= usize::MAX as u128);
        return small.map(Value::Int).ok_or_else(|| format!("{a} {operation} {b} is too large"));
    }
    let (a, b) = (as_float(a), as_float(b));
    let result = match operation {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        _ => a / b,
    };
    if result.is_finite() {
        Ok(Value::Float(result))
    } else {
        Err(format!("{a:e} {operation} {b:e} has no finite value"))
    }
}

fn as_float(value: Value<'_>) -> f64 {
    match value {
        Value::Int(value) => value as f64,
        Value::Float(value) => value,
        _ => 0.0,
    }
}
