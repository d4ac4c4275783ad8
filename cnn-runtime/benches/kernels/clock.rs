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

/// Repeats `call` for as long as `budget`, and three times at least; a call before them warms the caches.
pub fn measure(budget: Duration, mut call: impl FnMut()) -> Seconds {
    call();
    let (start, mut each) = (Instant::now(), Vec::new());
    while each.len() < 3 || start.elapsed() < budget {
        let start = Instant::now();
        call();
        each.push(start.elapsed().as_secs_f64());
    }
    each.sort_by(f64::total_cmp);
    Seconds { best: each[0], median: each[each.len() / 2] }
}
