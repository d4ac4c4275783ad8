//! Entering a thread pool once for a whole pass, without an allocation.
//!
//! A kernel that goes parallel outside of a pool hands its work over and sleeps until it is done: two context switches a
//! layer. Inside it starts on the work at once, so the trip is made once, around all layers. rayon takes such work in
//! through a queue that allocates a block every 63 entries. So threads outside of any pool are served by a pool of this
//! crate's own, as wide as rayon's global one, whose first thread takes passes from a slot instead.

#![allow(unsafe_code)] // a pass borrows from the stack of the thread that waits for it

mod crew;

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use crate::info::NetInfo;
use crate::kernel::scratch;

/// Multiply-accumulates from which a pass is worth a trip to the thread pool: some 200 microseconds of work.
const WORTH_A_TRIP: u64 = 1 << 24;

/// Makes the working memory of all threads of the rayon pool that this is called in, or, outside of any, of the threads
/// that large passes are shared with. Not needed: each thread makes its own when it first works on a pass. But from then
/// on no pass allocates, whichever thread takes up which part of it.
///
/// Waits until each thread of the pool has had time for it.
pub fn warm_up() {
    scratch::make();
    enter(|| {
        if rayon::current_thread_index().is_some() {
            rayon::broadcast(|_| scratch::make());
        }
    });
}

/// Runs `pass` over `n` samples in a pool if it is large enough for its kernels to be parallel.
pub(crate) fn run<R: Send>(info: &NetInfo, n: usize, pass: impl FnOnce() -> R + Send) -> R {
    if info.macs.saturating_mul(n as u64) < WORTH_A_TRIP { pass() } else { self::pass(pass) }
}

/// Runs a pass in a pool, whose other threads stand by.
pub(crate) fn pass<R: Send>(pass: impl FnOnce() -> R + Send) -> R {
    if is_wide() { enter(|| crew::with(pass)) } else { pass() }
}

/// Whether the other threads stand by for what this one shares: in a pass, but not in a task of it.
pub(crate) fn is_awake() -> bool {
    crew::is_led()
}

/// Calls `task` for every index below `tasks` on the threads of the pool.
pub(crate) fn share(tasks: usize, task: &(dyn Fn(usize) + Sync)) {
    if crew::is_led() {
        crew::share(tasks, task);
    } else {
        enter(|| (0..tasks).into_par_iter().with_max_len(1).for_each(task));
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

/// Runs `work` without sharing any of it: as one of several tasks that keep all threads busy.
pub(crate) fn alone<R>(work: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _before = Before(ALONE.replace(true));
    work()
}

/// Runs `work`, which is going to share parts of itself, in a pool: at once if this thread belongs to one.
pub(crate) fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() || !is_wide() {
        return work();
    }
    let (mut work, mut result) = (Some(work), None);
    enter_from_outside(&mut || result = work.take().map(|work| work()));
    result.expect("the work was done")
}

/// Not generic: compiled once.
fn enter_from_outside(work: &mut (dyn FnMut() + Send)) {
    static LEAD: OnceLock<Option<Lead>> = OnceLock::new();
    let lead = LEAD.get_or_init(Lead::start).as_ref();
    match lead.and_then(|lead| Some((lead, lead.turn.try_lock().ok()?))) {
        Some((lead, turn)) => lead.run(turn, work),
        // Another thread's pass is under way, or no thread could be had: rayon's global pool serves as well.
        None => rayon::scope(|_| work()),
    }
}

/// The first thread of the pool and the slot it takes work from.
struct Lead {
    /// Held by the one thread that may use the slot.
    turn: Mutex<()>,
    slot: &'static Slot,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    asked: Condvar,
    done: Condvar,
}

/// Work that its owner waits for. Never unwinds.
type Work = &'static mut (dyn FnMut() + Send);

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Asked(Work),
    Done,
}

impl Lead {
    /// Starts the pool; `None` if there are no threads to be had.
    fn start() -> Option<Self> {
        let slot: &'static Slot = Box::leak(Box::default());
        let (ready, is_ready) = sync_channel(1);
        let width = rayon::current_num_threads();
        thread::Builder::new().name("cnn lead".into()).spawn(move || lead(slot, width, ready)).ok()?;
        is_ready.recv().ok()?;
        Some(Lead { turn: Mutex::new(()), slot })
    }

    /// Has the lead thread do `work` and waits for it. Whoever panics in it panics here.
    fn run(&self, turn: MutexGuard<'_, ()>, work: &mut (dyn FnMut() + Send)) {
        let mut outcome = Ok(());
        self.slot.hand_over(&mut || outcome = panic::catch_unwind(AssertUnwindSafe(&mut *work)));
        drop(turn);
        if let Err(panic) = outcome {
            panic::resume_unwind(panic);
        }
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves `work` in the slot and returns once it is done.
    fn hand_over<'a>(&self, work: &'a mut (dyn FnMut() + Send + 'a)) {
        // SAFETY: the lead thread takes the work out of the slot, is finished with it before it says so, and this
        // function neither returns nor unwinds before that: the work outlives every use.
        let work = unsafe { std::mem::transmute::<&'a mut (dyn FnMut() + Send + 'a), Work>(work) };
        let mut state = self.state();
        *state = State::Asked(work);
        self.asked.notify_one();
        while !matches!(*state, State::Done) {
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        *state = State::Empty;
    }

    /// Waits for work and takes it.
    fn take(&self) -> Work {
        let mut state = self.state();
        loop {
            match std::mem::take(&mut *state) {
                State::Asked(work) => return work,
                other => *state = other,
            }
            state = self.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The life of the lead thread: it makes the pool, becomes its first thread, and serves.
fn lead(slot: &Slot, width: usize, ready: SyncSender<()>) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(width)
        .use_current_thread()
        .thread_name(|index| format!("cnn {index}"))
        .start_handler(|_| scratch::make())
        .build();
    if pool.is_err() || ready.send(()).is_err() {
        return;
    }
    scratch::make();
    loop {
        slot.take()();
        *slot.state() = State::Done;
        slot.done.notify_one();
    }
}

#[cfg(test)]
mod tests {
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
