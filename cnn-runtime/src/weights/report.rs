//! What does not fit between a file and a network.

use std::fmt;

use cnn_model::stranger::{Shape, Shown, nearest};
use cnn_model::{Dtype, Naming};

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
        for missing in self.missing.iter_mut().take(LINES) {
            let surplus = self.surplus.iter().map(|other| (&other.name[..], &other.shape[..]));
            missing.nearest = nearest(&missing.name, missing.tensor.shape, surplus).map(str::to_owned);
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
