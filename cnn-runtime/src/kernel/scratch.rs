//! Memory that kernels pack into: one buffer per thread, which grows to the largest need and stays.

use std::cell::RefCell;

use bytemuck::{Pod, Zeroable};

/// Floats that each thread starts with: enough for the panels and staged rows of usual networks.
const INITIAL: usize = 1 << 19;

/// One cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

thread_local! {
    static FIRST: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
    static SECOND: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Lends `floats` floats of this thread's buffer, 64-byte aligned, with whatever they hold.
///
/// # Panics
/// If called inside itself.
pub(crate) fn with<R>(floats: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    FIRST.with_borrow_mut(|lines| f(grown(lines, floats, INITIAL)))
}

/// As [`with`], of a second buffer: for what stays in use while this thread, too, runs tasks that use the first.
///
/// # Panics
/// If called inside itself.
pub(crate) fn with_second<R>(floats: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    SECOND.with_borrow_mut(|lines| f(grown(lines, floats, 0)))
}

fn grown(lines: &mut Vec<Line>, floats: usize, least: usize) -> &mut [f32] {
    let wanted = floats.div_ceil(16);
    if lines.len() < wanted {
        // The old contents are of no use: they are freed before more is asked for.
        *lines = Vec::new();
        *lines = vec![Line::zeroed(); wanted.max(least / 16)];
    }
    &mut bytemuck::cast_slice_mut(lines)[..floats]
}

/// Makes the buffers of all threads of the pool, so that no later kernel has to.
pub fn warm_up() {
    with(INITIAL, |_| ());
    rayon::broadcast(|_| with(INITIAL, |_| ()));
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn the_buffer_is_aligned_and_as_long_as_asked() {
        for floats in [1, 17, 1 << 10, (1 << 19) + 3] {
            with(floats, |buffer| {
                assert_eq!(buffer.len(), floats);
                assert_eq!(buffer.as_ptr() as usize % 64, 0);
            });
        }
    }

    #[test]
    fn it_keeps_its_place_once_grown() {
        let first = with(1 << 20, |buffer| buffer.as_ptr() as usize);
        assert_eq!(with(1 << 10, |buffer| buffer.as_ptr() as usize), first);
    }
}
