//! Threads that help with passes which are called from outside of any pool.
//!
//! The thread that calls leads: it starts at once, and the others join it when they are awake. After a pass they look out
//! for the next one for a moment before they sleep: to wake a thread can take as long as a small network.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::{hint, thread};

use super::crew::{Crew, Led};
use crate::kernel::scratch;

/// Looks for the next pass before a helper sleeps: some fifty microseconds.
const LOOKS: usize = 1200;

/// The helpers of this process, as many as rayon's global pool has threads but one.
pub(super) struct Helpers {
    /// Held by the one thread that may lead.
    turn: Mutex<()>,
    posted: Mutex<Posted>,
    asked: Condvar,
    /// Passes up to now.
    passes: AtomicUsize,
    /// Helpers that are with the crew of the pass under way.
    joined: AtomicUsize,
}

/// What helpers find.
struct Posted {
    /// The crew of the pass under way, or null.
    crew: *const Crew,
    /// Helpers that sleep.
    asleep: usize,
}

// SAFETY: a crew is shared by its threads; who reads the pointer keeps to what `Helpers::lead` says.
unsafe impl Send for Posted {}

impl Helpers {
    /// The helpers, started at the first call; `None` if there are no threads to be had.
    pub(super) fn get() -> Option<&'static Helpers> {
        static HELPERS: OnceLock<Option<&'static Helpers>> = OnceLock::new();
        *HELPERS.get_or_init(|| {
            let helpers: &'static Helpers = Box::leak(Box::new(Helpers {
                turn: Mutex::new(()),
                posted: Mutex::new(Posted { crew: ptr::null(), asleep: 0 }),
                asked: Condvar::new(),
                passes: AtomicUsize::new(0),
                joined: AtomicUsize::new(0),
            }));
            let (ready, is_ready) = sync_channel(1);
            for index in 1..rayon::current_num_threads() {
                let ready = ready.clone();
                let life = move || {
                    scratch::make();
                    if ready.send(()).is_ok() {
                        helpers.help(index);
                    }
                };
                thread::Builder::new().name(format!("cnn {index}")).spawn(life).ok()?;
                is_ready.recv().ok()?;
            }
            Some(helpers)
        })
    }

    /// The right to lead, unless another thread does.
    pub(super) fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Runs `pass` on this thread, whose turn it is, while the helpers are at hand for what it shares.
    pub(super) fn lead<R>(&self, _turn: MutexGuard<'_, ()>, pass: impl FnOnce() -> R) -> R {
        let crew = Crew::new(rayon::current_num_threads());
        let _away = Away::from(self, &crew);
        // Dropped first: the pass is over before the helpers are waited for.
        let _led = Led::by(&crew);
        pass()
    }

    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a helper, at its place in all crews.
    fn help(&self, place: usize) {
        let mut seen = 0;
        loop {
            let mut looks = 0;
            while self.passes.load(Ordering::Acquire) == seen && looks < LOOKS {
                looks += 1;
                hint::spin_loop();
            }
            let mut posted = self.posted();
            while posted.crew.is_null() && self.passes.load(Ordering::Relaxed) == seen {
                posted.asleep += 1;
                posted = self.asked.wait(posted).unwrap_or_else(PoisonError::into_inner);
                posted.asleep -= 1;
            }
            seen = self.passes.load(Ordering::Relaxed);
            let crew = posted.crew;
            if !crew.is_null() {
                self.joined.fetch_add(1, Ordering::Relaxed);
                drop(posted);
                // SAFETY: who joined while the crew was posted is waited for before it ends.
                unsafe { (*crew).follow(place) };
                self.joined.fetch_sub(1, Ordering::Release);
            }
        }
    }
}

/// Takes a crew away when it is dropped, and waits for those that joined it.
struct Away<'a>(&'a Helpers);

impl<'a> Away<'a> {
    /// Posts a crew.
    fn from(helpers: &'a Helpers, crew: &Crew) -> Self {
        let mut posted = helpers.posted();
        posted.crew = crew;
        helpers.passes.fetch_add(1, Ordering::Release);
        if posted.asleep > 0 {
            helpers.asked.notify_all();
        }
        Away(helpers)
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.0.posted().crew = ptr::null();
        let mut looks = 0;
        while self.0.joined.load(Ordering::Acquire) > 0 {
            super::crew::wait(&mut looks);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::PoisonError;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::Helpers;
    use crate::pool::{is_awake, pass, share};

    #[test]
    fn passes_follow_one_another_and_all_tasks_are_done() {
        // There are none on a machine of one processor.
        let Some(helpers) = Helpers::get() else { return };
        for tasks in (0..300).chain([1, 0, 1000]) {
            // Other tests lead passes, too: each of them is waited for.
            let turn = helpers.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let done = AtomicUsize::new(0);
            helpers.lead(turn, || {
                assert!(is_awake());
                for _ in 0..3 {
                    share(tasks, &|_| _ = done.fetch_add(1, Ordering::Relaxed));
                }
            });
            assert_eq!(done.into_inner(), 3 * tasks);
            assert!(!is_awake());
        }
    }

    #[test]
    fn threads_that_come_together_are_all_served() {
        let sum = |from: usize| {
            let sum = AtomicUsize::new(0);
            pass(|| share(5, &|index| _ = sum.fetch_add(from + index, Ordering::Relaxed)));
            sum.into_inner()
        };
        thread::scope(|scope| {
            let all: Vec<_> = (0..6).map(|i| scope.spawn(move || (0..50).map(|_| sum(i)).sum::<usize>())).collect();
            for (i, thread) in all.into_iter().enumerate() {
                assert_eq!(thread.join().unwrap(), 50 * (5 * i + 10));
            }
        });
    }

    #[test]
    fn a_panic_comes_back_and_the_next_pass_runs() {
        for _ in 0..3 {
            let panic = catch_unwind(|| pass(|| panic!("on purpose"))).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
            let failing = || pass(|| share(4, &|index| assert!(index != 2, "on purpose")));
            assert!(catch_unwind(AssertUnwindSafe(failing)).is_err());
            assert_eq!(pass(|| 5), 5);
        }
    }
}
