//! Memory that kernels pack into: one buffer per thread, which grows to the largest need and stays.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use crate::buffer::Buffer;

/// Floats that each thread starts with: enough for the panels and staged rows of usual networks.
const INITIAL: usize = 1 << 19;

thread_local! {
    static TASK: Cell<Buffer> = const { Cell::new(Buffer::EMPTY) };
    static PASS: Cell<Buffer> = const { Cell::new(Buffer::EMPTY) };
    static OUTER: Cell<Buffer> = const { Cell::new(Buffer::EMPTY) };
}

/// Which of this thread's buffers, by who holds it: one of each at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A task, until it ends: what it packs for itself.
    Task,
    /// Whoever leads a pass over tasks, on this thread too, until all have ended: sums of theirs, or what they all read.
    Pass,
    /// Whoever has kernels or their parts run, until these are done: the maps between them, or maps in another order.
    Outer,
}

impl Use {
    #[inline]
    fn with<R>(self, f: impl FnOnce(&Cell<Buffer>) -> R) -> R {
        match self {
            Use::Task => TASK.with(f),
            Use::Pass => PASS.with(f),
            Use::Outer => OUTER.with(f),
        }
    }
}

/// A buffer of this thread, until it is dropped. A value and not a closure's argument, because a closure would leave the
/// instruction set of the kernel that calls.
pub(crate) struct Lent {
    buffer: Buffer,
    floats: usize,
    purpose: Use,
}

/// Lends `floats` floats of one of this thread's buffers, 64-byte aligned, with whatever they hold. A buffer that is
/// lent already is not waited for: a new one takes its place.
#[inline(never)]
pub(crate) fn lend(purpose: Use, floats: usize) -> Lent {
    let mut buffer = purpose.with(Cell::take);
    if buffer.len() < floats {
        // The old contents are of no use: they are freed before more is asked for.
        drop(std::mem::take(&mut buffer));
        buffer = Buffer::zeroed(floats.max(INITIAL));
    }
    Lent { buffer, floats, purpose }
}

impl Drop for Lent {
    #[inline(never)]
    fn drop(&mut self) {
        self.purpose.with(|cell| cell.set(std::mem::take(&mut self.buffer)));
    }
}

impl Deref for Lent {
    type Target = [f32];

    #[inline(always)]
    fn deref(&self) -> &[f32] {
        &self.buffer[..self.floats]
    }
}

impl DerefMut for Lent {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.floats]
    }
}

/// Floats to lend for, as a product of sizes. What was lent for it can be addressed, and so can all places in it, whatever
/// sizes a window has.
///
/// # Panics
/// If no memory has so many.
pub(crate) fn floats<const N: usize>(sizes: [usize; N]) -> usize {
    let floats = sizes.iter().try_fold(size_of::<f32>(), |bytes, &size| bytes.checked_mul(size));
    floats.filter(|&bytes| bytes <= isize::MAX as usize).expect("scratch that can be addressed") / size_of::<f32>()
}

/// Makes all buffers of this thread.
pub(crate) fn make() {
    drop([Use::Task, Use::Pass, Use::Outer].map(|purpose| lend(purpose, INITIAL)));
}

#[cfg(test)]
mod tests {
    use super::{Use, lend};

    #[test]
    fn the_buffer_is_aligned_and_as_long_as_asked() {
        for floats in [0, 1, 17, 1 << 10, (1 << 19) + 3] {
            let mut buffer = lend(Use::Task, floats);
            assert_eq!(buffer.len(), floats);
            assert_eq!(buffer.as_mut_ptr() as usize % 64, 0);
        }
    }

    #[test]
    fn it_keeps_its_place_once_grown() {
        let first = lend(Use::Task, 1 << 20).as_ptr();
        assert_eq!(lend(Use::Task, 1 << 10).as_ptr(), first);
    }

    #[test]
    fn buffers_lent_at_once_are_distinct() {
        let lent = [lend(Use::Task, 100), lend(Use::Pass, 100), lend(Use::Task, 100)];
        let mut places = lent.each_ref().map(|buffer| buffer.as_ptr());
        places.sort();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
