//! What does not fit between a file and a network.

use std::fmt;

use super::dtype::Dtype;
use super::naming::Naming;
use crate::info::TensorInfo;

/// Everything that does not fit between a file and a network. Nothing was loaded.
///
/// As text, a line per tensor: up to eight of a kind, and how many more there are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// How the file's names were taken.
    pub naming: Naming,
    /// Tensors of the network that the file does not have.
    pub missing: Vec<Missing>,
    /// Tensors of the file that the network does not have.
    pub surplus: Vec<Surplus>,
    /// Tensors of both, but of another shape, or of a type that is none of floats.
    pub misshapen: Vec<Misshapen>,
}

/// A tensor that the file does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing {
    /// The name it should have in the file.
    pub name: String,
    /// The network's tensor.
    pub tensor: &'static TensorInfo,
    /// A surplus tensor of the same shape and nearly the same name.
    pub nearest: Option<String>,
}

/// A tensor that the network does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Surplus {
    /// Its name in the file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A tensor that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Misshapen {
    /// Its name in the file.
    pub name: String,
    /// The network's tensor.
    pub tensor: &'static TensorInfo,
    /// The shape in the file.
    pub shape: Vec<usize>,
    /// The type in the file.
    pub dtype: Dtype,
}

impl Mismatch {
    pub(super) fn new(naming: Naming) -> Self {
        Mismatch { naming, missing: Vec::new(), surplus: Vec::new(), misshapen: Vec::new() }
    }

    /// Whether everything fits after all.
    pub(super) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty() && self.misshapen.is_empty()
    }

    /// Finds for each missing tensor that will be shown the surplus one that it may be.
    pub(super) fn find_nearest(&mut self) {
        /// Comparisons of names are what this costs.
        const CANDIDATES: usize = 1000;
        for missing in self.missing.iter_mut().take(LINES) {
            let fitting = self.surplus.iter().take(CANDIDATES).filter(|other| other.shape == missing.tensor.shape);
            let distances = fitting.filter_map(|other| Some((distance(&missing.name, &other.name)?, &other.name)));
            missing.nearest = distances.min().map(|(_, name)| name.clone());
        }
    }
}

/// Tensors of a kind that are named.
const LINES: usize = 8;

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { naming, missing, surplus, misshapen } = self;
        let counts = [(missing.len(), "missing"), (surplus.len(), "surplus"), (misshapen.len(), "misshapen")];
        let counts: Vec<_> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(n, what)| format!("{n} {what}")).collect();
        write!(f, "{} (names as of {naming})", counts.join(", "))?;
        list(f, missing, |f, Missing { name, tensor, nearest }| {
            write!(f, "missing: {}{} {:?}", Shown(name), Ours(name, tensor), tensor.shape)?;
            nearest.as_ref().map_or(Ok(()), |nearest| write!(f, "; is it {}?", Shown(nearest)))
        })?;
        list(f, surplus, |f, Surplus { name, shape }| write!(f, "surplus: {} {}", Shown(name), Shape(shape)))?;
        list(f, misshapen, |f, Misshapen { name, tensor, shape, dtype }| {
            let (name, ours) = (Shown(name), Ours(name, tensor));
            write!(f, "misshapen: {name}{ours}: expected {:?}, found {}", tensor.shape, Shape(shape))?;
            if dtype.is_float() { Ok(()) } else { write!(f, " of {dtype}") }
        })
    }
}

/// The first tensors of a kind, a line each, and how many follow.
fn list<T>(
    f: &mut fmt::Formatter<'_>,
    all: &[T],
    line: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for one in all.iter().take(LINES) {
        f.write_str("\n  ")?;
        line(f, one)?;
    }
    if all.len() > LINES { write!(f, "\n  and {} more", all.len() - LINES) } else { Ok(()) }
}

/// The network's name of a tensor, where the file should have another.
struct Ours<'a>(&'a str, &'a TensorInfo);

impl fmt::Display for Ours<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == self.1.name { Ok(()) } else { write!(f, " (`{}`)", self.1.name) }
    }
}

/// A name out of a file, which can be of any length and content, as a short piece of a line.
pub(super) struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 64;
        let mut chars = self.0.chars();
        let start: String = chars.by_ref().take(LONGEST).flat_map(char::escape_debug).collect();
        write!(f, "`{start}{}`", if chars.next().is_some() { ".." } else { "" })
    }
}

/// A shape out of a file, which can have any number of axes.
struct Shape<'a>(&'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AXES: usize = 8;
        match self.0 {
            shape if shape.len() <= AXES => write!(f, "{shape:?}"),
            shape => write!(f, "a shape of {} axes", shape.len()),
        }
    }
}

/// Letters to insert, delete or replace between two names, if they are few.
fn distance(a: &str, b: &str) -> Option<usize> {
    const LONGEST: usize = 96;
    let limit = a.len() / 3;
    if a.len().max(b.len()) > LONGEST || a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    Some(row[b.len()]).filter(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("fc.weight", "fc.weight"), Some(0));
        assert_eq!(distance("fc.weight", "fc1.weights"), Some(2));
        assert_eq!(distance("conv1.bias", "cnv1.bais"), Some(3));
        assert_eq!(distance("fc.bias", "conv.weight"), None);
    }

    #[test]
    fn names_and_shapes_of_strangers_stay_short() {
        assert_eq!(Shown("a\n\u{1b}[31m\"b").to_string(), r#"`a\n\u{1b}[31m\"b`"#);
        assert_eq!(Shown(&"x".repeat(1000)).to_string().len(), 64 + 4);
        assert_eq!(Shape(&[1, 2]).to_string(), "[1, 2]");
        assert_eq!(Shape(&[1; 1000]).to_string(), "a shape of 1000 axes");
    }
}
