//! From a file into a network.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use cnn_model::naming::{Naming, counts_batches};
use cnn_model::stranger::Shown;

use super::file::{Entry, Weights};
use super::report::{Mismatch, Misshapen, Missing, Surplus};
use crate::error::Error;
use crate::info::{NetInfo, TensorInfo};
use crate::network::Network;

/// Loads weights, with rules for files that do not name exactly the network's tensors.
///
/// Prefixes are of whole parts between dots: `fc` stands for `fc.weight` and `fc.bias`, not for `fc2.weight`; an empty
/// one stands for everything. Those of [`keep`](Loader::keep) and [`allow_missing`](Loader::allow_missing) may be in the
/// network's names or in the file's.
///
/// Of a run's checkpoint, what else it holds under names with a slash, such as `velocity/fc1.bias`, is passed over.
///
/// ```no_run
/// use cnn_runtime::cnn;
/// use cnn_runtime::weights::Loader;
/// use cnn_runtime::prelude::*;
///
/// cnn! { Net <3x32x32> -> conv(8, 3x3) -> relu -> fc(7) }
///
/// let mut net = Net::new(1);
/// Loader::new().rename("module", "").keep("fc1").load(&mut net, "pretrained.safetensors")?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Default)]
pub struct Loader {
    naming: Option<Naming>,
    rules: Vec<Rule>,
    keep: Vec<String>,
    allow_missing: Vec<String>,
    allow_surplus: Vec<String>,
}

/// Makes another name of a file's name.
type Rule = Box<dyn Fn(&str) -> String + Send + Sync>;

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// How the file's names were taken.
    pub naming: Naming,
    /// The network's tensors that have the file's values.
    pub loaded: Vec<&'static str>,
    /// The network's tensors that have the values they had.
    pub kept: Vec<&'static str>,
    /// The file's tensors that were passed over.
    pub surplus: Vec<String>,
}

/// What is to be done, and what cannot be.
struct Plan<'w> {
    pairs: Vec<(&'static TensorInfo, &'w Entry)>,
    kept: Vec<&'static str>,
    surplus: Vec<String>,
    mismatch: Mismatch,
}

impl Loader {
    /// A loader that wants of every tensor of the network one in the file and no others, in whichever
    /// [`Naming`] fits most of them.
    pub fn new() -> Self {
        Loader::default()
    }

    /// Takes the file's names as of `naming`, whatever else fits.
    #[must_use]
    pub fn naming(mut self, naming: Naming) -> Self {
        self.naming = Some(naming);
        self
    }

    /// Puts the prefix `to` in the place of the prefix `from` of the file's names that have it: an empty `to` drops it, an
    /// empty `from` puts `to` before all names. Rules apply one after the other.
    #[must_use]
    pub fn rename(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        let (from, to) = (from.into(), to.into());
        self.map(move |name| match behind(name, &from) {
            Some(rest) => {
                let parts = [to.strip_suffix('.').unwrap_or(&to), rest];
                parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
            }
            None => name.to_owned(),
        })
    }

    /// Changes each of the file's names. Rules apply one after the other.
    #[must_use]
    pub fn map(mut self, name: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.rules.push(Box::new(name));
        self
    }

    /// Leaves the network's tensors under a prefix as they are, whatever the file has for them: a new head, say.
    #[must_use]
    pub fn keep(mut self, prefix: impl Into<String>) -> Self {
        self.keep.push(prefix.into());
        self
    }

    /// Leaves those of the network's tensors under a prefix as they are that the file does not have.
    #[must_use]
    pub fn allow_missing(mut self, prefix: impl Into<String>) -> Self {
        self.allow_missing.push(prefix.into());
        self
    }

    /// Passes over those of the file's tensors under a prefix, as the rules name them, that the network does not have.
    #[must_use]
    pub fn allow_surplus(mut self, prefix: impl Into<String>) -> Self {
        self.allow_surplus.push(prefix.into());
        self
    }

    /// Loads a file into a network. If anything is wrong, the network stays as it is.
    ///
    /// # Errors
    /// As [`Weights::open`] and [`apply`](Loader::apply).
    pub fn load<N: Network>(&self, network: &mut N, path: impl AsRef<Path>) -> Result<Loaded, Error> {
        self.apply(network, &Weights::open(path)?)
    }

    /// Loads an open file into a network. If anything is wrong, the network stays as it is.
    ///
    /// # Errors
    /// [`Error::WeightsMismatch`] with every tensor that does not fit, [`Error::Format`] if bytes are damaged or rules
    /// give two tensors one name, and [`Error::DataMismatch`] if the network has no names as of the
    /// [`naming`](Loader::naming) that was asked for.
    pub fn apply<N: Network>(&self, network: &mut N, weights: &Weights) -> Result<Loaded, Error> {
        let (mut weights, mut plan) = (weights, self.plan(N::INFO, weights)?);
        // A network that was made of a model has other names than one that was written as it.
        let imported = if plan.pairs.len() < N::INFO.tensors.len() { weights.imported() } else { None };
        if let Some(imported) = &imported
            && let Ok(other) = self.plan(N::INFO, imported)
            && other.pairs.len() > plan.pairs.len()
        {
            (weights, plan) = (imported, other);
        }
        if !plan.mismatch.is_empty() {
            let (path, mismatch) = (weights.path().map(Into::into), Box::new(plan.mismatch));
            return Err(Error::WeightsMismatch { path, network: N::INFO.name, mismatch });
        }
        // Everything that can fail comes before the first change.
        let values =
            plan.pairs.iter().map(|(_, entry)| weights.floats(entry)).collect::<Result<Vec<Cow<'_, _>>, _>>()?;
        for ((tensor, _), values) in plan.pairs.iter().zip(values) {
            network.params_mut().write(tensor, &values);
        }
        let loaded = plan.pairs.iter().map(|(tensor, _)| tensor.name).collect();
        Ok(Loaded { naming: plan.mismatch.naming, loaded, kept: plan.kept, surplus: plan.surplus })
    }

    /// The file's tensors by the names that the rules make.
    fn renamed<'w>(&self, weights: &'w Weights) -> Result<HashMap<String, &'w Entry>, Error> {
        let mut entries = HashMap::new();
        for entry in weights.tensors() {
            let name = self.rules.iter().fold(entry.name().to_owned(), |name, rule| rule(&name));
            if let Some(other) = entries.insert(name.clone(), entry) {
                let [a, b, name] = [other.name(), entry.name(), &name].map(Shown);
                return Err(weights.invalid(format!("the loader's rules make both {a} and {b} {name}")));
            }
        }
        Ok(entries)
    }

    /// The names that the network's tensors should have in the file.
    fn names(&self, info: &'static NetInfo, entries: &HashMap<String, &Entry>) -> Result<(Naming, Vec<String>), Error> {
        if let Some(naming) = self.naming {
            return Ok((naming, naming.names(info)?));
        }
        Ok(Naming::best(info, |name| entries.contains_key(name)))
    }

    /// Pairs the tensors of network and file.
    fn plan<'w>(&self, info: &'static NetInfo, weights: &'w Weights) -> Result<Plan<'w>, Error> {
        let mut rest = self.renamed(weights)?;
        let (naming, names) = self.names(info, &rest)?;
        let mut plan = Plan { pairs: vec![], kept: vec![], surplus: vec![], mismatch: Mismatch::new(naming) };
        for (tensor, name) in info.tensors.iter().zip(&names) {
            let under = |prefixes: &[String]| prefixes.iter().any(|p| starts(name, p) || starts(tensor.name, p));
            match rest.remove(name) {
                _ if under(&self.keep) => plan.kept.push(tensor.name),
                None if under(&self.allow_missing) => plan.kept.push(tensor.name),
                None => plan.mismatch.missing.push(Missing { name: name.clone(), tensor, nearest: None }),
                Some(entry) if entry.shape() == tensor.shape && entry.dtype().is_float() => {
                    plan.pairs.push((tensor, entry));
                }
                Some(Entry { dtype, shape, .. }) => plan.mismatch.misshapen.push(Misshapen {
                    name: name.clone(),
                    tensor,
                    shape: shape.clone(),
                    dtype: *dtype,
                }),
            }
        }
        let is_surplus = |entry: &Entry| !counts_batches(entry.name(), entry.dtype(), entry.shape());
        let mut rest: Vec<_> = rest.into_iter().filter(|(_, entry)| is_surplus(entry)).collect();
        rest.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (name, entry) in rest {
            let is_of_a_run = weights.is_checkpoint() && name.contains('/');
            if is_of_a_run || self.allow_surplus.iter().any(|prefix| starts(&name, prefix)) {
                plan.surplus.push(entry.name().to_owned());
            } else {
                plan.mismatch.surplus.push(Surplus { name, shape: entry.shape().to_vec() });
            }
        }
        plan.mismatch.find_nearest();
        Ok(plan)
    }
}

/// Whether the parts of `name` between dots start with those of `prefix`.
fn starts(name: &str, prefix: &str) -> bool {
    behind(name, prefix).is_some()
}

/// The parts of `name` between dots that come behind those of `prefix`, if it starts with them.
fn behind<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    let prefix = prefix.strip_suffix('.').unwrap_or(prefix);
    match name.strip_prefix(prefix)? {
        rest if prefix.is_empty() || rest.is_empty() => Some(rest),
        rest => rest.strip_prefix('.'),
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("naming", &self.naming)
            .field("rules", &self.rules.len())
            .field("keep", &self.keep)
            .field("allow_missing", &self.allow_missing)
            .field("allow_surplus", &self.allow_surplus)
            .finish()
    }
}

#[cfg(test)]
mod tests;
