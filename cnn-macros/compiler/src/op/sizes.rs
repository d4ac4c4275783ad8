//! How options are written: with sizes, `s2`, `p1x2`, `p0x1x2x3`, or as words.

use std::fmt;

use super::LAYERS;

/// The sizes of an option: one for all, two for rows and columns, or four for top, left, bottom and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    sides: [i128; 4],
    written: usize,
}

impl Sizes {
    /// The sizes as they were written; `None` for another number of them.
    pub fn new(sizes: &[i128]) -> Option<Self> {
        let sides = match *sizes {
            [all] => [all; 4],
            [rows, columns] => [rows, columns, rows, columns],
            [top, left, bottom, right] => [top, left, bottom, right],
            _ => return None,
        };
        Some(Self { sides, written: sizes.len() })
    }

    /// The sizes of a literal like `1x2`.
    pub fn of_dims(sizes: &[usize]) -> Option<Self> {
        Self::new(&sizes.iter().map(|&size| size as i128).collect::<Vec<_>>())
    }

    /// How many were written.
    pub fn written(self) -> usize {
        self.written
    }

    /// For top, left, bottom and right.
    pub fn sides(self) -> [i128; 4] {
        self.sides
    }

    /// For rows and columns; of four sizes the first two.
    pub fn pair(self) -> [i128; 2] {
        [self.sides[0], self.sides[1]]
    }
}

/// As they were written: `1x2`.
impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sides[0])?;
        self.sides[1..self.written].iter().try_for_each(|size| write!(f, "x{size}"))
    }
}

/// The letter and the numbers of `s2x1`, however many they are.
fn split(text: &str) -> Option<(char, Vec<i128>)> {
    let mut chars = text.chars();
    let letter = chars.next().filter(char::is_ascii_lowercase)?;
    let sizes = chars.as_str().split('x').map(|size| {
        let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| size.parse().unwrap_or(i128::MAX))
    });
    Some((letter, sizes.collect::<Option<_>>()?))
}

/// `s2`, `s2x1` or `p1x2x3x4`: letter and sizes.
pub(crate) fn split_option(text: &str) -> Option<(char, Sizes)> {
    let (letter, sizes) = split(text)?;
    Some((letter, Sizes::new(&sizes)?))
}

/// Whether a name would be read as an option of some layer.
pub(crate) fn is_option_word(text: &str) -> bool {
    LAYERS.iter().any(|(_, kind)| kind.has_word(text))
        || split_option(text).is_some_and(|(letter, _)| is_option_letter(letter))
}

/// Whether a letter is that of some layer's option.
pub(crate) fn is_option_letter(letter: char) -> bool {
    LAYERS.iter().any(|(_, kind)| kind.takes(letter))
}

/// Whether an option has one size: the others have those of rows and columns.
pub(crate) fn takes_one(letter: char) -> bool {
    matches!(letter, 'g' | 'm')
}

/// The word for an option's letter.
pub(crate) fn letter_name(letter: char) -> &'static str {
    match letter {
        's' => "stride",
        'p' => "padding",
        'd' => "dilation",
        'g' => "groups",
        'o' => "output padding",
        _ => "the multiplier",
    }
}

/// What is wrong with `s1x2x3`, which no option is: that of `letter`, whose meaning is `name`.
pub(crate) fn wrong_count(text: &str, letter: char, name: &str) -> Option<String> {
    let (_, sizes) = split(text).filter(|(own, sizes)| *own == letter && Sizes::new(sizes).is_none())?;
    let list = |take: usize, last: Option<i128>| {
        let sizes = sizes.iter().copied().take(take).chain(last);
        sizes.map(|size| size.to_string()).collect::<Vec<_>>().join("x")
    };
    let sides = match (letter, &sizes[..]) {
        ('p', [_, left, _]) => format!(", or `p{}` for top, left, bottom and right", list(3, Some(*left))),
        ('p', _) => format!(", or `p{}` for top, left, bottom and right", list(4, None)),
        _ => String::new(),
    };
    let most = if takes_one(letter) { 1 } else { 2 };
    Some(format!("{name} of {} sizes: write `{letter}{}`{sides}", sizes.len(), list(most, None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(letter: char, sizes: &[i128]) -> Option<(char, Sizes)> {
        Some((letter, Sizes::new(sizes)?))
    }

    #[test]
    fn options_split_into_letter_and_sizes() {
        assert_eq!(split_option("s2"), option('s', &[2]));
        assert_eq!(split_option("p1x2"), option('p', &[1, 2]));
        assert_eq!(split_option("p0x1x2x3"), option('p', &[0, 1, 2, 3]));
        assert_eq!(split_option("s0"), option('s', &[0]));
        for text in ["s", "same", "s2x", "s2x1x3", "S2", "", "sx2", "relu6x", "p1x2x3x4x5"] {
            assert_eq!(split_option(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_stand_for_sides() {
        let sizes = |sizes: &[i128]| Sizes::new(sizes).expect("1, 2 or 4 sizes");
        assert_eq!(sizes(&[3]).sides(), [3; 4]);
        assert_eq!(sizes(&[1, 2]).sides(), [1, 2, 1, 2]);
        assert_eq!((sizes(&[1, 2]).to_string(), sizes(&[1, 2, 3, 4]).to_string()), ("1x2".into(), "1x2x3x4".into()));
    }

    #[test]
    fn a_wrong_count_shows_the_counts_that_exist() {
        assert_eq!(
            wrong_count("p1x2x3", 'p', "padding").as_deref(),
            Some("padding of 3 sizes: write `p1x2`, or `p1x2x3x2` for top, left, bottom and right")
        );
        assert_eq!(wrong_count("s1x2x3", 's', "stride").as_deref(), Some("stride of 3 sizes: write `s1x2`"));
        assert_eq!(wrong_count("g1x2x3", 'g', "groups").as_deref(), Some("groups of 3 sizes: write `g1`"));
        assert_eq!(wrong_count("p1x2", 'p', "padding"), None);
    }

    #[test]
    fn options_are_no_names() {
        assert!(["same", "tanh", "whc", "g4", "o1x2"].into_iter().all(is_option_word));
        assert!(!["c1", "k", "relu", "s"].into_iter().any(is_option_word));
    }
}
