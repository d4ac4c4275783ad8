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

impl Seconds {
    fn of(mut each: Vec<f64>) -> Self {
        let median = median(&mut each);
        Seconds { best: each[0], median }
    }
}

/// The middle one of values, which it sorts.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Repeats `call` for as long as `budget`, three times at least unless one call takes longer than that. A call before
/// them warms the caches.
#[allow(dead_code)] // the benchmark of networks, which shares this file, has no use for it
pub fn measure(budget: Duration, mut call: impl FnMut()) -> Seconds {
    let least = warm(budget, &mut call);
    let (start, mut each) = (Instant::now(), Vec::new());
    while each.len() < least || start.elapsed() < budget {
        each.push(seconds(&mut call));
    }
    Seconds::of(each)
}

/// Least time between two looks at the limit.
const TURN: Duration = Duration::from_millis(2);

/// As [`measure`], with the rate of `limit` before and after each turn of some calls: also gives how much could have been
/// done in the time of a call at that rate, of all turns the middle one. Machines change their speed by the second, and
/// only figures of the same moment tell how near one is to the other.
///
/// `turn` calls what it is given: kernels are to be called as in a pass of a network, and that is not to last while the
/// limit is measured.
pub fn beside(
    budget: Duration,
    mut call: impl FnMut() + Send,
    limit: impl Fn() -> f64,
    turn: impl Fn(&mut (dyn FnMut() + Send)),
) -> (Seconds, f64) {
    let least = warm(budget, &mut call);
    let (start, mut each, mut possible) = (Instant::now(), Vec::new(), Vec::new());
    while possible.len() < least || start.elapsed() < budget {
        let (before, first) = (limit(), each.len());
        turn(&mut || {
            let begin = Instant::now();
            while each.len() == first || begin.elapsed() < TURN {
                each.push(seconds(&mut call));
            }
        });
        let rate = (before + limit()) / 2.0;
        possible.push(rate * median(&mut each[first..]));
    }
    (Seconds::of(each), median(&mut possible))
}

/// Calls once, and says how often to call at least.
fn warm(budget: Duration, call: &mut impl FnMut()) -> usize {
    if seconds(call) > budget.as_secs_f64() { 1 } else { 3 }
}

fn seconds(call: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    call();
    start.elapsed().as_secs_f64()
}
