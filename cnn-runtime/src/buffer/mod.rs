//! Memory for floats: heap buffers for kernels, aligned to cache lines and zeroed without passing through the stack, and
//! files as the operating system maps them.

#[cfg(feature = "safetensors")]
mod mapped;

use std::fmt;
use std::ops::{Deref, DerefMut};

#[cfg(feature = "safetensors")]
pub(crate) use mapped::Mapped;

/// Floats in a cache line; what every buffer is aligned to and padded up to.
pub const LINE: usize = 16;

/// One cache line. Its alignment is the allocation's alignment.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A heap buffer of `f32`, aligned to 64 bytes and zeroed by the allocator.
///
/// Memory for a large buffer comes as untouched pages of the operating system, and nothing of it is ever on the stack.
/// Dereferences to a slice.
///
/// ```
/// use cnn_runtime::Buffer;
///
/// let mut buffer = Buffer::zeroed(1000);
/// buffer[3] = 1.5;
/// assert_eq!(buffer.iter().sum::<f32>(), 1.5);
/// assert_eq!(buffer.as_ptr() as usize % 64, 0);
/// ```
#[derive(Clone, Default)]
pub struct Buffer {
    lines: Box<[Line]>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` zeros.
    ///
    /// # Panics
    /// As `Vec::with_capacity` does: if the size in bytes exceeds `isize::MAX`. Aborts if memory runs out.
    pub fn zeroed(len: usize) -> Self {
        Buffer { lines: bytemuck::allocation::zeroed_slice_box(len.div_ceil(LINE)), len }
    }

    /// A copy of `values`.
    pub fn from_slice(values: &[f32]) -> Self {
        let mut buffer = Buffer::zeroed(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// Bytes allocated: the length rounded up to whole cache lines.
    pub fn bytes(&self) -> usize {
        size_of_val::<[Line]>(&self.lines)
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for Buffer {
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
        for len in [0, 1, 15, 16, 17, 1000] {
            let buffer = Buffer::zeroed(len);
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|&v| v == 0.0));
            assert_eq!(buffer.as_ptr() as usize % 64, 0);
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
