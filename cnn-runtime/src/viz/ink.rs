//! The colours of drawings by what they are for, each for light and for dark paper.

use std::fmt::Write;

/// What a colour is for. A drawing by itself has the light colours; a page can set others by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Paper,
    Text,
    /// Text of less weight.
    Soft,
    Grid,
    /// Lines of axes, boxes and arrows.
    Line,
    /// The n-th line of a chart.
    Series(usize),
    /// A box of layers with weights that slide.
    Conv,
    /// A box of fully connected layers.
    Fc,
    /// A box that makes maps smaller or larger.
    Pool,
    /// A box where branches join.
    Join,
    /// Any other box.
    Other,
    /// Text on a dark colour, whatever the paper.
    OnDark,
    /// Text on a light colour, whatever the paper.
    OnLight,
}

/// Class, colour on light paper, colour on dark paper. The series are Okabe's and Ito's colours (2008), which people
/// with any colour vision tell apart, in an order of falling contrast; on dark paper in lighter tones.
const TABLE: [(&str, &str, &str); 18] = [
    ("paper", "#ffffff", "#161b22"),
    ("text", "#1f2328", "#e6edf3"),
    ("soft", "#59636e", "#9aa5b1"),
    ("grid", "#e4e8ec", "#2b323b"),
    ("line", "#818b98", "#768390"),
    ("c0", "#0072b2", "#56b4e9"),
    ("c1", "#d55e00", "#ff8c42"),
    ("c2", "#009e73", "#2fc99b"),
    ("c3", "#b6569a", "#e39ac4"),
    ("c4", "#b07d00", "#e6b422"),
    ("c5", "#4a5560", "#b4bec8"),
    ("conv", "#dcebf9", "#17365a"),
    ("fc", "#f8e6d4", "#553418"),
    ("pool", "#d9f0e6", "#14463a"),
    ("join", "#eee0f0", "#46294b"),
    ("other", "#eef0f2", "#2a313a"),
    ("on-dark", "#ffffff", "#ffffff"),
    ("on-light", "#1f2328", "#1f2328"),
];

/// Lines of a chart that differ in colour.
pub(super) const SERIES: usize = 6;

impl Ink {
    fn row(self) -> &'static (&'static str, &'static str, &'static str) {
        &TABLE[match self {
            Ink::Paper => 0,
            Ink::Text => 1,
            Ink::Soft => 2,
            Ink::Grid => 3,
            Ink::Line => 4,
            Ink::Series(index) => 5 + index % SERIES,
            Ink::Conv => 11,
            Ink::Fc => 12,
            Ink::Pool => 13,
            Ink::Join => 14,
            Ink::Other => 15,
            Ink::OnDark => 16,
            Ink::OnLight => 17,
        }]
    }

    /// The attributes of a shape filled with this ink.
    pub fn fill(self) -> String {
        let (class, light, _) = self.row();
        format!("class=\"f-{class}\" fill=\"{light}\"")
    }

    /// The attributes of a line in this ink.
    pub fn stroke(self) -> String {
        let (class, light, _) = self.row();
        format!("class=\"s-{class}\" stroke=\"{light}\"")
    }
}

/// The rules of a style sheet for dark paper.
pub(super) fn dark_rules() -> String {
    TABLE.iter().fold(String::new(), |mut rules, (class, _, dark)| {
        let _ = write!(rules, ".f-{class}{{fill:{dark}}}.s-{class}{{stroke:{dark}}}");
        rules
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast of two colours as WCAG 2 defines it, from 1 to 21.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour: &str| {
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn everything_can_be_read_on_its_paper() {
        let paper = Ink::Paper.row();
        for (inks, least) in [(&[Ink::Text, Ink::Soft][..], 4.5), (&[0, 1, 2, 3, 4, 5].map(Ink::Series)[..], 3.0)] {
            for ink in inks {
                let (_, light, dark) = ink.row();
                assert!(contrast(light, paper.1) >= least, "{ink:?} on white");
                assert!(contrast(dark, paper.2) >= least, "{ink:?} on black");
            }
        }
        for ink in [Ink::Conv, Ink::Fc, Ink::Pool, Ink::Join, Ink::Other] {
            let (text, soft) = (Ink::Text.row(), Ink::Soft.row());
            assert!(contrast(ink.row().1, text.1) >= 7.0 && contrast(ink.row().1, soft.1) >= 4.5, "{ink:?} in light");
            assert!(contrast(ink.row().2, text.2) >= 7.0 && contrast(ink.row().2, soft.2) >= 3.5, "{ink:?} in dark");
        }
    }

    #[test]
    fn there_are_colours_for_any_number_of_lines() {
        assert_eq!(Ink::Series(SERIES + 1).fill(), Ink::Series(1).fill());
        assert_eq!(Ink::Other.stroke(), "class=\"s-other\" stroke=\"#eef0f2\"");
        assert!(dark_rules().contains(".f-paper{fill:#161b22}.s-paper{stroke:#161b22}"));
    }
}
