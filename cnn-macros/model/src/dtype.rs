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

    /// Bytes that numbers of this `shape` take, if that many can be addressed at all.
    pub fn size(self, shape: &[usize]) -> Option<usize> {
        shape.iter().try_fold(self.bytes(), |len, &side| len.checked_mul(side))
    }

    /// Whether the numbers are floating-point ones, from which weights can be read.
    pub const fn is_float(self) -> bool {
        matches!(self, Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
