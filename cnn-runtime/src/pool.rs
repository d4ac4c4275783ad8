//! Entering the thread pool once for a whole pass.

use crate::info::NetInfo;

/// Multiply-accumulates from which a pass is worth a trip to the thread pool: some 100 microseconds of work.
const WORTH_A_TRIP: u64 = 1 << 22;

/// Runs `pass` over `n` samples on a thread of the pool if it is large enough for its kernels to be parallel.
///
/// A kernel that goes parallel outside the pool hands its work over and sleeps until it is done: two context switches
/// a layer. Inside the pool it starts on the work at once, so the trip is made once, around all layers.
pub(crate) fn run<R: Send>(info: &NetInfo, n: usize, pass: impl FnOnce() -> R + Send) -> R {
    let outside = rayon::current_thread_index().is_none();
    if outside && info.macs.saturating_mul(n as u64) >= WORTH_A_TRIP { rayon::scope(|_| pass()) } else { pass() }
}
