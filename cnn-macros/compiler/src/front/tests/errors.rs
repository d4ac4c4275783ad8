//! One mistake each: the tokens that are marked, and what the user reads. In every table an entry is the source, the
//! marked text, and the message without its notes.

mod annotations;
mod blocks;
mod direct;
mod fixes;
mod joins;
mod names;
mod options;
mod several;
mod shapes;
mod spatial;
mod syntax;
mod weights;

use super::analyse;
use crate::diag::Diagnostic;

type Case = (&'static str, &'static str, &'static str);

fn errors(source: &str) -> Vec<Diagnostic> {
    analyse(source.parse().expect("test source lexes")).1.into_vec()
}

/// The tokens of a diagnostic, on one line of the source.
fn marked(source: &str, diagnostic: &Diagnostic) -> String {
    let (from, to) = (diagnostic.site.start.start(), diagnostic.site.end.end());
    let line = source.lines().nth(from.line - 1).unwrap_or_default();
    line.chars().take(if to.line == from.line { to.column } else { usize::MAX }).skip(from.column).collect()
}

fn check(cases: &[Case]) {
    for (source, place, message) in cases {
        let found: Vec<_> = errors(source).iter().map(|error| (marked(source, error), error.message.clone())).collect();
        assert_eq!(found, [(place.to_string(), message.to_string())], "{source}");
    }
}
