//! How sizes, numbers and counts are written.

pub(crate) use cnn_model::text::{full, number, short, sides};

use crate::ir::Window;

/// `5x5`, of any number of sizes.
pub(crate) fn joined(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// `61706` as `61,706`.
pub(crate) fn thousands(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Stride, padding and dilation as a user would write them. The stride is always shown; padding and dilation only
/// where they do something.
pub(crate) fn window_options(window: &Window) -> String {
    let mut text = format!(", s{}", short(window.stride));
    if window.pad != [0; 4] {
        text += &format!(", p{}", sides(window.pad));
    }
    if window.dilation != [1, 1] {
        text += &format!(", d{}", short(window.dilation));
    }
    text
}

/// A number for a message, with an exponent where digits would fill the line.
pub(crate) fn decimal(value: f64) -> String {
    if value != 0.0 && !(1e-9..1e15).contains(&value.abs()) { format!("{value:e}") } else { value.to_string() }
}

/// A number that was not written as a whole one, even if it is: `10.0`.
pub(crate) fn fraction(value: f64) -> String {
    let text = decimal(value);
    if text.contains(['.', 'e']) { text } else { text + ".0" }
}

/// The same number as a whole one of at least `least`, if it is one.
pub(crate) fn as_whole(value: f64, least: usize) -> Option<String> {
    let text = fraction(value);
    text.strip_suffix(".0").filter(|_| value >= least as f64).map(str::to_string)
}

/// A list for a sentence: `a`, `a or b`, `a, b or c`.
pub(crate) fn either(options: &[String]) -> String {
    match options {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_lists_read_well() {
        assert_eq!([0, 999, 1000, 60_192_808_u64].map(thousands), ["0", "999", "1,000", "60,192,808"]);
        assert_eq!(either(&["a".into(), "b".into(), "c".into()]), "a, b or c");
    }

    #[test]
    fn fractions_look_like_fractions() {
        assert_eq!([2.5, 10.0, -3.0, 1e20].map(fraction), ["2.5", "10.0", "-3.0", "1e20"]);
        assert_eq!(as_whole(10.0, 1).as_deref(), Some("10"));
        assert_eq!([(2.5, 1), (0.0, 1), (-3.0, 0)].map(|(value, least)| as_whole(value, least)), [None, None, None]);
    }

    #[test]
    fn windows_show_what_matters() {
        let window = Window { kernel: [5, 5], stride: [1, 1], dilation: [1, 1], pad: [2; 4] };
        assert_eq!(window_options(&window), ", s1, p2");
        let window = Window { kernel: [3, 3], stride: [2, 1], dilation: [2, 2], pad: [0, 0, 1, 1] };
        assert_eq!(window_options(&window), ", s2x1, p0x0x1x1, d2");
    }
}
