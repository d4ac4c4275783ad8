//! Memory for the time of a change, kept by the thread.

use std::cell::RefCell;

thread_local! {
    /// One buffer for each depth of nesting.
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends `work` a buffer of `len` floats of any value.
pub(super) fn lend<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let result = work(&mut buffer[..len]);
    SPARE.with_borrow_mut(|spare| spare.push(buffer));
    result
}
