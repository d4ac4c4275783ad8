//! Cache lines on the heap, those of large buffers in large pages.

#![allow(unsafe_code)] // memory from the allocator

use std::alloc::{self, Layout};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use bytemuck::{Pod, Zeroable};

use super::LINE;

/// Bytes of a large page of the usual processors.
const LARGE_PAGE: usize = 2 << 20;

/// One cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub(super) struct Line([f32; LINE]);

/// Lines from the global allocator, zeroed. From a large page on they start at one, and the operating system is asked to
/// give them large pages where it may: weights and maps that are streamed through would else wait for the translation of
/// addresses, the more so in a virtual machine.
pub(super) struct Lines {
    first: NonNull<Line>,
    count: usize,
}

// SAFETY: it owns its lines as a box does.
unsafe impl Send for Lines {}
// SAFETY: as above.
unsafe impl Sync for Lines {}

impl Lines {
    /// None.
    pub(super) const EMPTY: Lines = Lines { first: NonNull::dangling(), count: 0 };

    /// So many lines of zeros.
    ///
    /// # Panics
    /// If the size in bytes exceeds `isize::MAX`. Aborts if memory runs out.
    pub(super) fn zeroed(count: usize) -> Self {
        if count == 0 {
            return Lines::EMPTY;
        }
        let layout = layout(count).expect("a size that memory can have");
        // SAFETY: the layout's size is not zero.
        let first = unsafe { alloc::alloc(layout) };
        let Some(first) = NonNull::new(first) else { alloc::handle_alloc_error(layout) };
        if layout.align() == LARGE_PAGE {
            ask_for_large_pages(first, layout.size());
        }
        // SAFETY: the allocation has this size.
        unsafe { first.write_bytes(0, layout.size()) };
        Lines { first: first.cast(), count }
    }
}

/// The layout of so many lines, unless there cannot be as many.
fn layout(count: usize) -> Option<Layout> {
    let lines = Layout::array::<Line>(count).ok()?;
    if lines.size() < LARGE_PAGE { Some(lines) } else { lines.align_to(LARGE_PAGE).ok() }
}

/// A wish, which the operating system may turn down: nothing but speed depends on it.
#[cfg(target_os = "linux")]
fn ask_for_large_pages(first: NonNull<u8>, bytes: usize) {
    // SAFETY: these pages are the allocation's; the advice leaves what they hold as it is.
    unsafe { libc::madvise(first.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
}

/// Other systems do as they please.
#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages(_: NonNull<u8>, _: usize) {}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Some(layout) = layout(self.count).filter(|layout| layout.size() > 0) {
            // SAFETY: allocated with this layout in `zeroed`.
            unsafe { alloc::dealloc(self.first.as_ptr().cast(), layout) };
        }
    }
}

impl Deref for Lines {
    type Target = [Line];

    #[inline]
    fn deref(&self) -> &[Line] {
        // SAFETY: so many lines are allocated and have been written.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl DerefMut for Lines {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Line] {
        // SAFETY: as above, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.count) }
    }
}

impl Clone for Lines {
    fn clone(&self) -> Self {
        let mut copy = Lines::zeroed(self.count);
        copy.copy_from_slice(self);
        copy
    }
}
