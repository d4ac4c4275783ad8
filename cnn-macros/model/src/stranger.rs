//! Names and shapes out of files, which nobody vouches for.

use std::fmt;

/// A name out of a file, which can be of any length and content, as a short piece of a line.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", start(self.0, 64))
    }
}

/// The first letters of a text out of a file, `longest` at most, as a piece of a line.
pub fn start(text: &str, longest: usize) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(longest).flat_map(char::escape_debug).collect();
    start + if chars.next().is_some() { ".." } else { "" }
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
    fitting.filter_map(|(other, _)| Some((distance(name, other, name.len() / 3)?, other))).min().map(|(_, other)| other)
}

/// Letters to insert, delete or replace, and neighbours to swap, to get from one name to another, if they are at most
/// `limit`.
pub fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    const LONGEST: usize = 96;
    let [a, b] = [a, b].map(|name| name.chars().take(LONGEST + 1).collect::<Vec<_>>());
    if a.len().abs_diff(b.len()) > limit || a.len().max(b.len()) > LONGEST {
        return None;
    }
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    Some(row[b.len()]).filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_slips() {
        assert_eq!(distance("conv", "conv", 2), Some(0));
        assert_eq!(distance("covn", "conv", 2), Some(1));
        assert_eq!(distance("rel", "relu", 2), Some(1));
        assert_eq!(distance("abc", "xyz", 2), None);
        assert_eq!(distance("", "ab", 2), Some(2));
        assert_eq!(distance("fc.weight", "fc1.weights", 3), Some(2));
        assert_eq!(distance("conv1.bias", "cnv1.bais", 3), Some(2));
        assert_eq!(distance("fc.bias", "conv.weight", 2), None);
    }

    #[test]
    fn the_nearest_has_the_same_shape() {
        let tensors = [("fc1.base", &[4][..]), ("fc1.biass", &[3]), ("fc2.bias", &[4]), ("gc2.bias", &[4])];
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
