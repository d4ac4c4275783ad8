//! Threads that stay awake for the length of a pass.
//!
//! A layer of a small network is done in some ten microseconds, less than it takes to wake a thread that sleeps. So while
//! a pass runs, the other threads of its pool look out for work without sleeping, and take up tasks one by one.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::{hint, mem, ptr, thread};

/// Looks before a thread that finds no work lets others have its processor for a moment: some twenty microseconds.
const LOOKS: usize = 500;
/// Bits of [`Crew::tickets`] for the number of the next task, and for how many there are.
const BITS: u32 = 32;

/// A task by its index; it outlives its round.
type Task = *const (dyn Fn(usize) + Sync);

thread_local! {
    /// The crew of the pass that this thread leads.
    static LED: Cell<*const Crew> = const { Cell::new(ptr::null()) };
}

/// The threads of a pass, and the round of tasks that they are at.
pub(super) struct Crew {
    /// How many tasks the round has, and below that the next one. Read and advanced together: who draws a task knows that
    /// its round is not over, and no new one begun.
    tickets: AtomicU64,
    /// What the round's tasks are. Written between rounds alone.
    task: UnsafeCell<Option<Task>>,
    /// Tasks of the round that are done.
    done: AtomicUsize,
    /// Whether the pass is over.
    over: AtomicBool,
    /// What a task panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `task` is written by the leader alone, while no round is under way, and read by those who drew a ticket of a
// round, which happens after it was written; what it points to is `Sync`.
unsafe impl Sync for Crew {}

/// Runs `pass` on this thread of a rayon pool while the others are at hand for what it shares.
pub(super) fn with<R: Send>(pass: impl FnOnce() -> R + Send) -> R {
    let crew = Crew::new();
    let lead = || {
        let _led = Led::by(&crew);
        pass()
    };
    rayon::join(lead, || followers(&crew, rayon::current_num_threads() - 1)).0
}

/// Whether this thread leads a crew that is not at work.
pub(super) fn is_led() -> bool {
    !LED.get().is_null()
}

/// Calls `task` for every index below `tasks`, on all threads of the crew that this thread leads.
///
/// # Panics
/// If [`is_led`] is false, or with what a task panics with.
pub(super) fn share(tasks: usize, task: &(dyn Fn(usize) + Sync)) {
    let crew = LED.replace(ptr::null());
    assert!(!crew.is_null(), "this thread leads no crew");
    // SAFETY: `Led` keeps a crew there only while it is borrowed.
    let crew = unsafe { &*crew };
    crew.round(tasks, task);
    LED.set(crew);
    let panic = crew.panic.lock().map(|mut panic| panic.take());
    if let Ok(Some(panic)) = panic {
        panic::resume_unwind(panic);
    }
}

/// Lets all other threads of the pool join, each as soon as it has nothing else to do.
fn followers(crew: &Crew, count: usize) {
    if count > 1 {
        rayon::join(|| crew.follow(), || followers(crew, count - 1));
    } else {
        crew.follow();
    }
}

/// Keeps a crew as the one that this thread leads, until the pass is over.
pub(super) struct Led<'a> {
    crew: &'a Crew,
    before: *const Crew,
}

impl<'a> Led<'a> {
    pub(super) fn by(crew: &'a Crew) -> Self {
        Led { crew, before: LED.replace(crew) }
    }
}

impl Drop for Led<'_> {
    fn drop(&mut self) {
        LED.set(self.before);
        self.crew.over.store(true, Ordering::Release);
    }
}

impl Crew {
    /// One that has no task yet.
    pub(super) fn new() -> Self {
        Crew {
            tickets: AtomicU64::new(0),
            task: UnsafeCell::new(None),
            done: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            panic: Mutex::new(None),
        }
    }

    /// One round: all tasks, until the last is done.
    fn round(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        assert!(tasks < 1 << (BITS - 1), "{tasks} tasks");
        // SAFETY: only the lifetime changes. No one calls the task but who drew a ticket of this round, and the round
        // ends, before the borrow does, when all of them are done.
        let task = unsafe { mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(task) };
        // SAFETY: no round is under way.
        unsafe { *self.task.get() = Some(task) };
        self.done.store(0, Ordering::Relaxed);
        self.tickets.store((tasks as u64) << BITS, Ordering::Release);
        while self.one() {}
        let mut looks = 0;
        while self.done.load(Ordering::Acquire) < tasks {
            wait(&mut looks);
        }
    }

    /// Does the next task of the round, if there is one.
    fn one(&self) -> bool {
        let left = |tickets: u64| (tickets & u64::from(u32::MAX)) < tickets >> BITS;
        if !left(self.tickets.load(Ordering::Relaxed)) {
            return false;
        }
        let tickets = self.tickets.fetch_add(1, Ordering::Acquire);
        if !left(tickets) {
            return false;
        }
        // SAFETY: the round whose ticket this is cannot end before this task is done, so its task is still there.
        let task = unsafe { (*self.task.get()).map(|task| &*task) };
        let index = (tickets & u64::from(u32::MAX)) as usize;
        let outcome =
            panic::catch_unwind(AssertUnwindSafe(|| super::alone(|| task.into_iter().for_each(|task| task(index)))));
        if let (Err(panic), Ok(mut first)) = (outcome, self.panic.lock()) {
            first.get_or_insert(panic);
        }
        self.done.fetch_add(1, Ordering::Release);
        true
    }

    /// Helps until the pass is over.
    pub(super) fn follow(&self) {
        let mut looks = 0;
        while !self.over.load(Ordering::Acquire) {
            if self.one() {
                looks = 0;
            } else {
                wait(&mut looks);
            }
        }
    }
}

/// Waits for a moment: at first without giving the processor away.
pub(super) fn wait(looks: &mut usize) {
    *looks += 1;
    if *looks < LOOKS { hint::spin_loop() } else { thread::yield_now() }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{is_led, share, with};
    use crate::testing::on_threads;

    #[test]
    fn every_task_is_done_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 3, 7] {
            on_threads(threads, || {
                with(|| {
                    for tasks in (0..200).chain([1, 5, 0, 1000]) {
                        let times: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                        share(tasks, &|index| {
                            times[index].fetch_add(1, Ordering::Relaxed);
                        });
                        assert!(times.iter().all(|times| times.load(Ordering::Relaxed) == 1), "{tasks} of {threads}");
                    }
                });
            });
        }
    }

    #[test]
    fn a_panic_comes_back_when_all_tasks_are_done_and_the_crew_goes_on() {
        on_threads(2, || {
            with(|| {
                let done = AtomicUsize::new(0);
                let failing = |index| {
                    done.fetch_add(1, Ordering::Relaxed);
                    assert!(index != 3, "on purpose");
                };
                let outcome = catch_unwind(AssertUnwindSafe(|| share(10, &failing)));
                assert!(outcome.is_err());
                assert_eq!(done.into_inner(), 10);
                assert!(is_led());
                share(2, &|_| assert!(!is_led(), "a task shares nothing with those who are at work"));
            });
            assert!(!is_led());
        });
    }
}
