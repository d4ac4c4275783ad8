//! Threads for a whole pass, without an allocation.
//!
//! A kernel that hands its work over to threads that sleep waits until they are awake: two context switches a layer. So
//! the threads are called once, around all layers, and stay awake until the pass is over. Within a rayon pool they are that
//! pool's; outside of any, this crate's own, for rayon takes work in through a queue that allocates a block every 63
//! entries, and has the thread that calls wait.

#![allow(unsafe_code)] // a pass borrows from the stack of the thread that waits for it

mod crew;
mod helpers;

use std::cell::Cell;

use self::helpers::Helpers;
use crate::info::NetInfo;
use crate::kernel::scratch;

/// Multiply-accumulates from which a pass is worth calling other threads: about those of a kernel that wakes them by itself.
const WORTH_A_CALL: u64 = 1 << 21;

/// Makes the working memory of all threads of the rayon pool that this is called in, or, outside of any, of the threads
/// that large passes are shared with. Not needed: each thread makes its own when it first works on a pass. But from then
/// on no pass allocates, whichever thread takes up which part of it.
///
/// Waits until each thread of the pool has had time for it.
pub fn warm_threads() {
    scratch::make();
    if rayon::current_thread_index().is_some() {
        rayon::broadcast(|_| scratch::make());
    } else if is_wide() {
        // They make theirs when they start.
        Helpers::get();
    }
}

/// Runs `pass` over `n` samples, on several threads if it is large enough for its kernels to be parallel.
pub(crate) fn run<R: Send>(info: &NetInfo, n: usize, pass: impl FnOnce() -> R + Send) -> R {
    if info.macs.saturating_mul(n as u64) < WORTH_A_CALL { pass() } else { self::pass(pass) }
}

/// Runs a pass while other threads stand by: those of the pool that this is called in, else this crate's helpers.
pub(crate) fn pass<R: Send>(pass: impl FnOnce() -> R + Send) -> R {
    if !is_wide() || is_awake() {
        return pass();
    }
    if rayon::current_thread_index().is_none()
        && let Some(helpers) = Helpers::get()
        && let Some(turn) = helpers.turn()
    {
        return helpers.lead(turn, pass);
    }
    // Within a pool, or while another thread's pass is under way.
    enter(|| crew::with(pass))
}

/// Whether the other threads stand by for what this one shares: in a pass, but not in a task of it.
pub(crate) fn is_awake() -> bool {
    crew::is_led()
}

/// Calls `task` for every index below `tasks` on all threads there are. Not generic, so that it is compiled once and not for
/// every kernel.
pub(crate) fn share(tasks: usize, task: &(dyn Fn(usize) + Sync)) {
    if crew::is_led() {
        crew::share(tasks, task);
    } else if is_wide() {
        pass(|| crew::share(tasks, task));
    } else {
        (0..tasks).for_each(task);
    }
}

/// Whether there is a second thread to share work with.
pub(crate) fn is_wide() -> bool {
    !ALONE.get() && rayon::current_num_threads() > 1
}

thread_local! {
    /// Whether what this thread does is shared with no other.
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on this thread alone: passes in it are shared with no other thread, however large they are, and start none.
/// For one of several tasks that keep all processors busy, such as the requests of a server; the results are the same,
/// bit for bit.
///
/// ```
/// use std::sync::Arc;
/// use std::thread;
///
/// use cnn_runtime::prelude::*;
///
/// cnn! { Model <1x8x8> -> conv(4, 3x3) -> relu -> fc(3) }
///
/// let model = Arc::new(Model::new(1));
/// let requests = [0.0, 0.5, 1.0].map(|grey| {
///     let model = Arc::clone(&model);
///     thread::spawn(move || {
///         let mut workspace = model.workspace(1); // Once for each thread.
///         *cnn_runtime::alone(|| model.forward(&mut workspace, &[[[grey; 8]; 8]]))
///     })
/// });
/// let answers: Vec<[f32; 3]> = requests.into_iter().map(|request| request.join().unwrap()).collect();
/// assert_eq!(answers[1], *model.forward(&mut model.workspace(1), &[[[0.5; 8]; 8]]));
/// ```
pub fn alone<R>(work: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _before = Before(ALONE.replace(true));
    work()
}

/// Runs `work`, which is going to share parts of itself by rayon, in a pool: at once if this thread belongs to one.
pub(crate) fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() || !is_wide() { work() } else { rayon::scope(|_| work()) }
}

#[cfg(test)]
mod tests {
    use std::{panic, thread};

    use super::*;
    use crate::testing::on_threads;

    #[test]
    fn work_runs_in_a_pool_and_its_result_comes_back() {
        let borrowed = [1, 2, 3];
        let (sum, width) = enter(|| (borrowed.iter().sum::<i32>(), rayon::current_num_threads()));
        assert_eq!((sum, width), (6, rayon::current_num_threads()));
        assert_eq!(enter(|| rayon::current_thread_index().is_some()), is_wide());
        assert_eq!(on_threads(3, || enter(rayon::current_num_threads)), 3);
    }

    #[test]
    fn threads_that_come_together_are_all_served() {
        thread::scope(|scope| {
            let all: Vec<_> =
                (0..8).map(|i| scope.spawn(move || (0..50).map(|j| enter(|| i * j)).sum::<i32>())).collect();
            for (i, thread) in (0..).zip(all) {
                assert_eq!(thread.join().unwrap(), i * 1225);
            }
        });
    }

    #[test]
    fn a_panic_comes_back_and_the_next_work_runs() {
        let panic = panic::catch_unwind(|| enter(|| panic!("on purpose"))).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
        assert_eq!(enter(|| 5), 5);
    }

    #[test]
    fn work_alone_is_not_shared_and_a_panic_ends_that_too() {
        on_threads(2, || {
            assert!(is_wide());
            alone(|| {
                alone(|| assert!(!is_wide()));
                assert!(!is_wide(), "one within the other");
            });
            assert!(is_wide());
            assert!(panic::catch_unwind(|| alone(|| panic!("on purpose"))).is_err());
            assert!(is_wide());
        });
    }

    #[test]
    fn work_may_enter_again() {
        assert_eq!(enter(|| enter(|| rayon::join(|| 1, || 2))), (1, 2));
    }
}
