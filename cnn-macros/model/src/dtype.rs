//! Types of numbers in files.

use std::fmt;

/// A type of numbers in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Dtype {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

impl Dtype {
    /// All types, as safetensors files call them.
    const NAMES: [(&'static str, Dtype); 13] = [
        ("BOOL", Dtype::Bool),
        ("U8", Dtype::U8),
        ("I8", Dtype::I8),
        ("U16", Dtype::U16),
        ("I16", Dtype::I16),
        ("U32", Dtype::U32),
        ("I32", Dtype::I32),
        ("U64", Dtype::U64),
        ("I64", Dtype::I64),
        ("F16", Dtype::F16),
        ("BF16", Dtype::Bf16),
        ("F32", Dtype::F32),
        ("F64", Dtype::F64),
    ];

    /// The type that safetensors files call `name`.
    pub fn named(name: &str) -> Option<Dtype> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, dtype)| dtype)
    }

    /// What safetensors files call the type.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, dtype)| *dtype == self).map_or("", |(name, _)| name)
    }

    /// Bytes of a number.
    pub const fn bytes(self) -> usize {
        match self {
            Dtype::Bool | Dtype::U8 | Dtype::I8 => 1,
            Dtype::U16 | Dtype::I16 | Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::U32 | Dtype::I32 | Dtype::F32 => 4,
            Dtype::U64 | Dtype::I64 | Dtype::F64 => 8,
        }
    }

    /// Bytes that numbers of this `shape` take, if that many can be addressed at all. A shape without numbers is held to it
    /// too: by its other sides, as arrays are.
    pub fn size(self, shape: &[usize]) -> Option<usize> {
        let len = shape.iter().try_fold(self.bytes(), |len, &side| len.checked_mul(side.max(1)))?;
        let len = isize::try_from(len).ok()?.unsigned_abs();
        Some(if shape.contains(&0) { 0 } else { len })
    }

    /// Whether the numbers are floating-point ones, from which weights can be read.
    pub const fn is_float(self) -> bool {
        matches!(self, Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64)
    }

    /// The values of little-endian floats as the nearest `f32`; values too large become infinite.
    ///
    /// # Panics
    /// If the type is none of floats.
    pub fn floats(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Dtype::F16 => decode(bytes, |number| half(u16::from_le_bytes(number))),
            Dtype::Bf16 => decode(bytes, |number| f32::from_bits(u32::from(u16::from_le_bytes(number)) << 16)),
            Dtype::F32 => decode(bytes, f32::from_le_bytes),
            Dtype::F64 => decode(bytes, |number| f64::from_le_bytes(number) as f32),
            _ => panic!("{self} is no type of floats"),
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn decode<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&number| value(number)).collect()
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
    fn every_type_has_its_name() {
        for (name, dtype) in Dtype::NAMES {
            assert_eq!((dtype.name(), Dtype::named(name)), (name, Some(dtype)));
        }
        assert_eq!(Dtype::named("F4"), None);
    }

    #[test]
    fn sizes_are_counted_as_far_as_that_is_possible() {
        assert_eq!(Dtype::F16.size(&[3, 5]), Some(30));
        assert_eq!(Dtype::U8.size(&[]), Some(1));
        assert_eq!(Dtype::F64.size(&[usize::MAX / 4]), None);
        assert_eq!(Dtype::U8.size(&[0, 3]), Some(0));
        assert_eq!(Dtype::F32.size(&[0, isize::MAX.unsigned_abs(), 9]), None, "no array has such sides");
    }
}
