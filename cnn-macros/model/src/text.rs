//! How sizes and numbers are written in the language of `cnn!`.

/// Rows and columns: `5x5`, also for squares.
pub fn full([rows, columns]: [usize; 2]) -> String {
    format!("{rows}x{columns}")
}

/// Rows and columns: `2` where they are equal, else `2x1`.
pub fn short(pair: [usize; 2]) -> String {
    if pair[0] == pair[1] { pair[0].to_string() } else { full(pair) }
}

/// Sizes of top, left, bottom and right: all four only where opposite sides differ.
pub fn sides([top, left, bottom, right]: [usize; 4]) -> String {
    if [top, left] == [bottom, right] { short([top, left]) } else { format!("{top}x{left}x{bottom}x{right}") }
}

/// A number that the language reads as the same one: the shortest, with an exponent where digits would fill the line.
/// Precondition: it is finite.
pub fn number(value: f32) -> String {
    // Digits alone are a size in the language, which ends long before these numbers do; `{:?}` writes an exponent, or a
    // fraction.
    let plain = value.to_string();
    let short = if plain.len() > 12 { format!("{value:?}") } else { plain };
    // The language reads numbers in double precision first, which may round to a neighbour.
    if short.parse::<f64>().is_ok_and(|read| read as f32 == value) { short } else { format!("{:?}", f64::from(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sizes_are_written_once() {
        assert_eq!((full([2, 2]), short([2, 2]), short([2, 1])), ("2x2".into(), "2".into(), "2x1".into()));
        let all = [[1; 4], [1, 2, 1, 2], [1, 2, 3, 2]].map(sides);
        assert_eq!(all, ["1", "1x2", "1x2x3x2"]);
    }

    #[test]
    fn numbers_read_back() {
        let texts = [2.0, -0.5, 0.1, 1.0 / 3.0, 1e12, 1e20, -1e-30, 16_777_216.0, f32::MAX, 1e-45].map(number);
        let expected = [
            "2",
            "-0.5",
            "0.1",
            "0.33333334",
            "1000000000000.0",
            "1e20",
            "-1e-30",
            "16777216",
            "3.4028235e38",
            "1e-45",
        ];
        assert_eq!(texts, expected);
        // Whose shortest digits are another number after double precision has rounded them.
        assert_eq!(number(f32::from_bits(0x15ae_43fd)), "7.038530691851209e-26");
        // Of all exponents and signs, with odd fractions.
        for bits in (0..u32::MAX).step_by(0x0001_2345) {
            let value = f32::from_bits(bits);
            if value.is_finite() {
                let text = number(value);
                assert_eq!(text.parse::<f64>().unwrap() as f32, value, "{text}");
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                assert!(text.contains(['.', 'e']) || digits <= 12, "{text} is a size");
            }
        }
    }
}
