//! Unique names of layers: `conv1`, `basic2.conv1`, or the user's own.

use std::collections::{HashMap, HashSet};

use crate::ast::{Args, Atom, Chain};

/// Every name that a user gave to a step of a block or network. Numbered names of that item keep clear of them; those of
/// others stand behind a prefix, or in another network.
pub(super) fn reserved(item: &Chain) -> HashSet<String> {
    let mut names = HashSet::new();
    collect(item, &mut names);
    names
}

fn collect(chain: &Chain, names: &mut HashSet<String>) {
    for step in &chain.steps {
        names.extend(step.name.iter().map(|name| plain(&name.ident.to_string()).to_string()));
        match &step.atom {
            Atom::Group(chain) => collect(chain, names),
            Atom::Call(call) => {
                if let Args::Branches(branches) = &call.args {
                    branches.iter().for_each(|branch| collect(branch, names));
                }
            }
            Atom::Broken => {}
        }
    }
}

/// A raw identifier without its mark.
fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

#[derive(Debug, Default)]
struct Scope {
    prefix: String,
    counters: HashMap<String, usize>,
}

/// Hands out names, scope by scope.
#[derive(Debug)]
pub(super) struct Naming {
    scopes: Vec<Scope>,
    taken: HashMap<String, usize>,
}

impl Naming {
    pub(super) fn new() -> Self {
        Self { scopes: vec![Scope::default()], taken: HashMap::new() }
    }

    fn full(&self, name: &str) -> String {
        match self.scopes.last() {
            Some(scope) if !scope.prefix.is_empty() => format!("{}.{name}", scope.prefix),
            _ => name.to_string(),
        }
    }

    /// `name`, or `name_2`, `name_3` where it was handed out before.
    fn unique(&mut self, name: String) -> String {
        let mut candidate = name.clone();
        while self.taken.contains_key(&candidate) {
            let count = self.taken.entry(name.clone()).or_insert(1);
            *count += 1;
            candidate = format!("{name}_{count}");
        }
        self.taken.insert(candidate.clone(), 1);
        candidate
    }

    /// The user's name for a layer.
    pub(super) fn own(&mut self, name: &str) -> String {
        let full = self.full(plain(name));
        self.unique(full)
    }

    /// The name of the scope itself.
    pub(super) fn prefix(&self) -> String {
        self.scopes.last().map_or_else(String::new, |scope| scope.prefix.clone())
    }

    /// The next numbered name of a kind: `conv1`, `conv2`.
    pub(super) fn number(&mut self, kind: &str, reserved: &HashSet<String>) -> String {
        let joint = if kind.ends_with(|ch: char| ch.is_ascii_digit()) { "_" } else { "" };
        let Some(scope) = self.scopes.last_mut() else { return kind.to_string() };
        let counter = scope.counters.entry(kind.to_string()).or_insert(0);
        let name = loop {
            *counter += 1;
            let name = format!("{kind}{joint}{counter}");
            if !reserved.contains(&name) {
                break name;
            }
        };
        let full = self.full(&name);
        self.unique(full)
    }

    /// Opens a scope under the user's name.
    pub(super) fn enter(&mut self, name: &str) {
        let prefix = self.own(name);
        self.scopes.push(Scope { prefix, counters: HashMap::new() });
    }

    /// Opens a scope under a numbered name.
    pub(super) fn enter_numbered(&mut self, kind: &str, reserved: &HashSet<String>) {
        let prefix = self.number(plain(kind), reserved);
        self.scopes.push(Scope { prefix, counters: HashMap::new() });
    }

    /// Closes the innermost scope.
    pub(super) fn leave(&mut self) {
        self.scopes.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_clear_of_the_users_names() {
        let reserved = HashSet::from(["conv2".to_string()]);
        let mut naming = Naming::new();
        assert_eq!(naming.number("conv", &reserved), "conv1");
        assert_eq!(naming.own("conv2"), "conv2");
        assert_eq!(naming.number("conv", &reserved), "conv3");
        assert_eq!(naming.own("conv2"), "conv2_2");
        assert_eq!(naming.own("conv2"), "conv2_3");
    }

    #[test]
    fn scopes_prefix_and_count_anew() {
        let reserved = HashSet::new();
        let mut naming = Naming::new();
        naming.enter_numbered("basic", &reserved);
        assert_eq!(naming.number("conv", &reserved), "basic1.conv1");
        naming.leave();
        naming.enter_numbered("basic", &reserved);
        assert_eq!(naming.number("conv", &reserved), "basic2.conv1");
        naming.leave();
        naming.enter_numbered("LeNet5", &reserved);
        assert_eq!(naming.number("relu6", &reserved), "LeNet5_1.relu6_1");
    }
}
