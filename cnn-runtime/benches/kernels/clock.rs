//! How long a call takes.

use std::time::{Duration, Instant};

/// Seconds of one call, of several.
#[derive(Clone, Copy)]
pub struct Seconds {
    /// The fastest: what the code can do.
    pub best: f64,
    /// The middle one: what it does.
    pub median: f64,
}

/// Repeats `call` for as long as `budget`, three times at least unless one call takes longer than that. A call before
/// them warms the caches.
pub fn measure(budget: Duration, mut call: impl FnMut()) -> Seconds {
    let start = Instant::now();
    call();
    let least = if start.elapsed() > budget { 1 } else { 3 };
    let (start, mut each) = (Instant::now(), Vec::new());
    while each.len() < least || start.elapsed() < budget {
        let start = Instant::now();
        call();
        each.push(start.elapsed().as_secs_f64());
    }
    each.sort_by(f64::total_cmp);
    Seconds { best: each[0], median: each[each.len() / 2] }
}
