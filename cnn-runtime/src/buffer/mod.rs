//! Memory for floats: heap buffers for kernels, aligned to cache lines and zeroed without passing through the stack, and
//! files as the operating system maps them.

mod lines;
#[cfg(feature = "safetensors")]
mod mapped;

use std::fmt;
use std::ops::{Deref, DerefMut};

use self::lines::Lines;
#[cfg(feature = "safetensors")]
pub(crate) use self::mapped::Mapped;

/// Floats in a cache line; what every buffer is aligned to and padded up to.
pub const LINE: usize = 16;

/// A heap buffer of `f32`, zeroed, and aligned to 64 bytes. Dereferences to a slice.
///
/// From 2 MiB on it is aligned to 2 MiB, and Linux is asked to back it with pages of that size (`madvise`). Nothing of it
/// is ever on the stack.
///
/// ```
/// use cnn_runtime::Buffer;
///
/// let mut buffer = Buffer::zeroed(1000);
/// buffer[3] = 1.5;
/// assert_eq!(buffer.iter().sum::<f32>(), 1.5);
/// assert_eq!(buffer.as_ptr() as usize % 64, 0);
/// ```
#[derive(Clone)]
pub struct Buffer {
    lines: Lines,
    len: usize,
}

impl Buffer {
    /// A buffer of nothing.
    pub(crate) const EMPTY: Buffer = Buffer { lines: Lines::EMPTY, len: 0 };

    /// A buffer of `len` zeros.
    ///
    /// # Panics
    /// If the size in bytes exceeds `isize::MAX`. Aborts if memory runs out.
    pub fn zeroed(len: usize) -> Self {
        Buffer { lines: Lines::zeroed(len.div_ceil(LINE)), len }
    }

    /// A copy of `values`.
    pub fn from_slice(values: &[f32]) -> Self {
        let mut buffer = Buffer::zeroed(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// Bytes allocated: the length rounded up to whole cache lines.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.lines)
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Buffer::EMPTY
    }
}

impl Deref for Buffer {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

/// The length and the first few values: a buffer can hold millions.
impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        write!(f, "Buffer({} floats: {:?}", self.len, &self[..self.len.min(SHOWN)])?;
        f.write_str(if self.len > SHOWN { " ..)" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_zeroed_aligned_and_as_long_as_asked() {
        for len in [0, 1, 15, 16, 17, 1000, (1 << 19) - 1, 1 << 19, (1 << 20) + 1] {
            let buffer = Buffer::zeroed(len);
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|&v| v == 0.0));
            assert_eq!(buffer.as_ptr() as usize % if buffer.bytes() < 2 << 20 { 64 } else { 2 << 20 }, 0);
            assert_eq!(buffer.bytes(), len.div_ceil(16) * 64);
        }
    }

    #[test]
    fn copies_are_independent_and_compare_by_value() {
        let original = Buffer::from_slice(&[1.0, 2.0, 3.0]);
        let mut copy = original.clone();
        assert_eq!(original, copy);
        copy[1] = 0.0;
        assert_ne!(original, copy);
        assert_eq!(original[1], 2.0);
        assert_ne!(Buffer::zeroed(3), Buffer::zeroed(4));
    }

    #[test]
    fn prints_a_few_values_only() {
        assert_eq!(format!("{:?}", Buffer::from_slice(&[1.0, 2.0])), "Buffer(2 floats: [1.0, 2.0])");
        assert_eq!(format!("{:?}", Buffer::zeroed(1_000_000)), "Buffer(1000000 floats: [0.0, 0.0, 0.0, 0.0] ..)");
    }
}
