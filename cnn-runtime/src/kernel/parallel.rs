//! Fixed grids of tasks on the threads of a pass.

#![allow(unsafe_code)] // tasks share the slice that they write parts of

use std::ops::Range;

use crate::pool;
pub(crate) use crate::pool::share;

/// Multiply-accumulates below which waking another thread costs more than it saves: some tens of microseconds of work.
pub(crate) const SERIAL_MACS: usize = 2_000_000;

/// By how much less work is worth sharing where the other threads are awake.
const AWAKE: usize = 8;

/// Whether `work` is shared that is worth waking other threads from `least` on.
pub(crate) fn is_shared(work: usize, least: usize) -> bool {
    pool::is_wide() && work >= if pool::is_awake() { least / AWAKE } else { least }
}

/// Calls `task` for every index below `tasks`, on one thread if the whole is not [shared](is_shared) from [`SERIAL_MACS`] on.
///
/// Which thread runs a task is left open, so tasks must not depend on one another or on the number of threads.
pub(crate) fn for_each(tasks: usize, macs: usize, task: impl Fn(usize) + Sync + Send) {
    if tasks == 1 || !is_shared(macs, SERIAL_MACS) {
        (0..tasks).for_each(task);
    } else {
        share(tasks, &task);
    }
}

/// Parts to cut work into where each part repeats something that the others do too: `most` at most, and no more than
/// keep the threads there are busy. Not for work whose result depends on how it is cut.
pub(crate) fn parts(most: usize, macs: usize) -> usize {
    if is_shared(macs, SERIAL_MACS) { most.min(2 * rayon::current_num_threads()) } else { 1 }
}

/// `parts`, or so many more that all threads have equally many. Not for work whose result depends on how it is cut.
pub(crate) fn even(parts: usize, macs: usize) -> usize {
    if is_shared(macs, SERIAL_MACS) { parts.next_multiple_of(rayon::current_num_threads()) } else { parts }
}

/// The `index`th of `parts` consecutive ranges that cover `0..total`, each a multiple of `unit` long but the last.
pub(crate) fn part(total: usize, parts: usize, unit: usize, index: usize) -> Range<usize> {
    let units = total.div_ceil(unit);
    let at = |index: usize| (units * index / parts * unit).min(total);
    at(index)..at(index + 1)
}

/// A pointer that tasks share to write disjoint parts of one slice.
pub(crate) struct Shared<T = f32>(*mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<T> {}

// SAFETY: a plain address; each dereference is an unsafe block of its own that argues why its part is disjoint.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Shares `slice`, which must not be used by other means while tasks run.
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Shared(slice.as_mut_ptr())
    }

    /// A part of the slice.
    ///
    /// # Safety
    /// `range` lies in the shared slice, whose borrow is still alive, and no other part in use overlaps it.
    pub(crate) unsafe fn part<'a>(self, range: Range<usize>) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(range.start), range.len()) }
    }

    /// The same slice from `offset` elements in.
    ///
    /// # Safety
    /// As for [`Shared::at`].
    pub(crate) unsafe fn skip(self, offset: usize) -> Self {
        // SAFETY: the caller promises what `at` asks for.
        Shared(unsafe { self.at(offset) })
    }

    /// The address `offset` elements in.
    ///
    /// # Safety
    /// `offset` is at most the length of the shared slice, and the slice's borrow is still alive.
    pub(crate) unsafe fn at(self, offset: usize) -> *mut T {
        // SAFETY: the caller promises that the result stays in or one past the slice.
        unsafe { self.0.add(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn parts_cover_everything_once_in_whole_units() {
        for (total, parts, unit) in [(100, 3, 16), (7, 7, 1), (33, 2, 32), (5, 1, 8), (3136, 13, 32)] {
            let mut end = 0;
            for index in 0..parts {
                let range = part(total, parts, unit, index);
                assert_eq!(range.start, end);
                assert!(range.end == total || range.end.is_multiple_of(unit));
                end = range.end;
            }
            assert_eq!(end, total);
        }
    }
}
