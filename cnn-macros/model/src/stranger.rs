//! Names and shapes out of files, which nobody vouches for.

use std::fmt;

/// A name out of a file, which can be of any length and content, as a short piece of a line.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 64;
        let mut chars = self.0.chars();
        let start: String = chars.by_ref().take(LONGEST).flat_map(char::escape_debug).collect();
        write!(f, "`{start}{}`", if chars.next().is_some() { ".." } else { "" })
    }
}

/// A shape out of a file, which can have any number of axes.
pub struct Shape<'a>(pub &'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AXES: usize = 8;
        match self.0 {
            shape if shape.len() <= AXES => write!(f, "{shape:?}"),
            shape => write!(f, "a shape of {} axes", shape.len()),
        }
    }
}

/// The one of a file's tensors that is probably meant by a name that it does not have: of the same shape, and called
/// nearly so.
pub fn nearest<'a>(
    name: &str,
    shape: &[usize],
    tensors: impl IntoIterator<Item = (&'a str, &'a [usize])>,
) -> Option<&'a str> {
    /// Comparisons of names are what this costs.
    const CANDIDATES: usize = 1000;
    let fitting = tensors.into_iter().take(CANDIDATES).filter(|(_, other)| *other == shape);
    fitting.filter_map(|(other, _)| Some((distance(name, other)?, other))).min().map(|(_, other)| other)
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
    fn the_nearest_has_the_same_shape() {
        let tensors = [("fc1.bais", &[4][..]), ("fc1.biass", &[3]), ("fc2.bias", &[4]), ("gc2.bias", &[4])];
        assert_eq!(nearest("fc1.bias", &[4], tensors), Some("fc2.bias"));
        assert_eq!(nearest("fc1.bias", &[3], tensors), Some("fc1.biass"));
        assert_eq!(nearest("fc1.bias", &[5], tensors), None);
    }

    #[test]
    fn names_and_shapes_of_strangers_stay_short() {
        assert_eq!(Shown("a\n\u{1b}[31m\"b").to_string(), r#"`a\n\u{1b}[31m\"b`"#);
        assert_eq!(Shown(&"x".repeat(1000)).to_string().len(), 64 + 4);
        assert_eq!(Shape(&[1, 2]).to_string(), "[1, 2]");
        assert_eq!(Shape(&[1; 1000]).to_string(), "a shape of 1000 axes");
    }
}
