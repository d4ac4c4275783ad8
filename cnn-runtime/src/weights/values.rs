//! Numbers of files as `f32`.

use std::borrow::Cow;

use cnn_model::Dtype;

/// The values of little-endian floats as the nearest `f32`; values too large become infinite. `f32` that are
/// aligned in memory are not copied.
///
/// # Panics
/// If the type is none of floats.
pub(super) fn floats(dtype: Dtype, bytes: &[u8]) -> Cow<'_, [f32]> {
    match dtype {
        Dtype::F16 => decode(bytes, |number| half(u16::from_le_bytes(number))),
        Dtype::Bf16 => decode(bytes, |number| f32::from_bits(u32::from(u16::from_le_bytes(number)) << 16)),
        Dtype::F64 => decode(bytes, |number| f64::from_le_bytes(number) as f32),
        Dtype::F32 => match bytemuck::try_cast_slice(bytes) {
            Ok(floats) if cfg!(target_endian = "little") => Cow::Borrowed(floats),
            _ => decode(bytes, f32::from_le_bytes),
        },
        _ => panic!("{dtype} is no type of floats"),
    }
}

fn decode<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Cow<'_, [f32]> {
    Cow::Owned(bytes.as_chunks().0.iter().map(|&number| value(number)).collect())
}

/// The value of an IEEE 754 half: a sign, 5 bits of exponent and 10 of fraction. Exact.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (u32::from(bits >> 10) & 0x1f, u32::from(bits) & 0x3ff);
    let magnitude = match exponent {
        0 => fraction as f32 * f32::from_bits((127 - 24) << 23),
        0x1f => f32::from_bits(0xff << 23 | fraction << 13),
        _ => f32::from_bits((exponent + 127 - 15) << 23 | fraction << 13),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_their_bits_say() {
        let cases = [
            (0x0000, 0.0),
            (0x0001, 2f32.powi(-24)),
            (0x03ff, 1023.0 * 2f32.powi(-24)),
            (0x0400, 2f32.powi(-14)),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits), value, "{bits:#06x}");
        }
        assert_eq!(half(0x8000).to_bits(), (-0.0f32).to_bits());
        assert!(half(0x7e00).is_nan());
        // Finite halves of one sign ascend with their bits.
        assert!((0..0x7bff).all(|bits| half(bits) < half(bits + 1)));
    }

    #[test]
    fn floats_of_every_type_are_read() {
        let third = 1.0f64 / 3.0;
        assert_eq!(*floats(Dtype::F64, &third.to_le_bytes()), [third as f32]);
        assert_eq!(*floats(Dtype::Bf16, &[0x80, 0x3f, 0x20, 0xc1]), [1.0, -10.0]);
        assert_eq!(*floats(Dtype::F16, &[0x00, 0x3c, 0x00, 0xc0]), [1.0, -2.0]);
    }

    #[test]
    fn aligned_floats_are_not_copied_and_others_are_read_too() {
        let values = [1.0f32, -2.5, 3.25];
        let bytes: &[u8] = bytemuck::cast_slice(&values);
        assert!(matches!(floats(Dtype::F32, bytes), Cow::Borrowed(read) if read == values));
        let mut shifted = vec![0];
        shifted.extend(bytes);
        shifted.extend(bytes);
        for start in 1..5 {
            let at = &shifted[start..start + 12];
            let expected: Vec<f32> = at.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)).collect();
            assert_eq!(*floats(Dtype::F32, at), expected);
        }
    }
}
