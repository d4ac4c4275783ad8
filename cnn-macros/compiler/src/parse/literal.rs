//! Numbers and sizes: `6`, `1_000`, `0.5`, `1e-5`, `5x5`, `1x28x28`.

use super::cursor::shorten;

/// What a literal says.
#[derive(Debug, PartialEq)]
pub enum Literal {
    /// A whole number.
    Int(usize),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Two or more sizes joined by `x`.
    Dims(Vec<usize>),
}

/// Reads a literal's text; the error says what is wrong with it and how it should be written.
pub fn read(text: &str) -> Result<Literal, String> {
    let plain: String = text.chars().filter(|ch| *ch != '_').collect();
    let shown = shorten(text);
    if !plain.starts_with(|ch: char| ch.is_ascii_digit()) {
        return Err(format!("expected a number, found {shown}"));
    }
    if let Some(parts) = digits_joined_by_x(&plain) {
        let sizes = parts
            .iter()
            .map(|part| part.parse().map_err(|_| format!("`{}` is too large for a size", shorten(part))))
            .collect::<Result<Vec<usize>, _>>()?;
        return Ok(match sizes[..] {
            [size] => Literal::Int(size),
            _ => Literal::Dims(sizes),
        });
    }
    if plain.contains('X') && digits_joined_by_x(&plain.to_lowercase()).is_some() {
        return Err(format!("sizes are joined by a small x: `{}`", shorten(&text.to_lowercase())));
    }
    if matches!(plain.as_bytes(), [b'0', b'x' | b'o' | b'b', ..]) {
        return Err(format!("`{shown}` is no size: sizes are decimal numbers"));
    }
    let number = plain.strip_suffix("f32").or_else(|| plain.strip_suffix("f64")).unwrap_or(&plain);
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Literal::Float(value)),
        Ok(_) => Err(format!("`{shown}` is too large")),
        Err(_) => Err(not_a_number(&plain, &shown)),
    }
}

fn digits_joined_by_x(text: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = text.split('x').collect();
    parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(parts)
}

fn not_a_number(plain: &str, shown: &str) -> String {
    let digits = plain.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = plain.split_at(digits);
    if suffix.starts_with('x') {
        format!("`{shown}` is no size: write whole numbers joined by x, like `{number}x{number}`")
    } else {
        format!("`{shown}` is no number: write `{}` without `{}`", shorten(number), shorten(suffix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_read() {
        assert_eq!(read("6"), Ok(Literal::Int(6)));
        assert_eq!(read("1_000"), Ok(Literal::Int(1000)));
        assert_eq!(read("5x5"), Ok(Literal::Dims(vec![5, 5])));
        assert_eq!(read("1x2_8x28"), Ok(Literal::Dims(vec![1, 28, 28])));
        assert_eq!(read("0x28"), Ok(Literal::Dims(vec![0, 28])));
        assert_eq!(read("1e-5"), Ok(Literal::Float(1e-5)));
        assert_eq!(read("0.5f32"), Ok(Literal::Float(0.5)));
    }

    #[test]
    fn each_bad_literal_says_how_to_write_it() {
        for (text, message) in [
            ("\"5\"", "expected a number, found \"5\""),
            ("5X5", "sizes are joined by a small x: `5x5`"),
            ("0xff", "`0xff` is no size: sizes are decimal numbers"),
            ("5u32", "`5u32` is no number: write `5` without `u32`"),
            ("5xk", "`5xk` is no size: write whole numbers joined by x, like `5x5`"),
            ("5x", "`5x` is no size: write whole numbers joined by x, like `5x5`"),
            ("1e999", "`1e999` is too large"),
            ("99999999999999999999", "`99999999999999999999` is too large for a size"),
        ] {
            assert_eq!(read(text), Err(message.into()), "{text}");
        }
    }
}
