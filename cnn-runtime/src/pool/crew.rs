//! Threads that stay awake for the length of a pass.
//!
//! A layer of a small network is done in some ten microseconds, less than it takes to wake a thread that sleeps. So while
//! a pass runs, the other threads of its pool look out for work without sleeping, and take up tasks one by one.
//!
//! Each thread begins with its own share of a round's tasks, the same part of them in each round: what a layer reads is
//! mostly what this thread wrote in the one before, and is still in a cache of its own. Who is done with these takes up
//! what others have left.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::{hint, mem, ptr, thread};

/// Looks before a thread that finds no work lets others have its processor for a moment: some twenty microseconds.
const LOOKS: usize = 500;
/// Bits of a [`Lot`] for the next task, and for the one behind the last.
const BITS: u32 = 32;
/// Most lots; of more threads than these, some have one together.
const MOST_LOTS: usize = 64;

/// A task by its index; it outlives its round.
type Task = *const (dyn Fn(usize) + Sync);

thread_local! {
    /// The crew of the pass that this thread leads.
    static LED: Cell<*const Crew> = const { Cell::new(ptr::null()) };
}

/// The threads of a pass, and the round of tasks that they are at. What two threads or three tell each other is a cache line.
#[repr(C, align(64))]
pub(super) struct Crew {
    /// What the round's tasks are. Written between rounds alone.
    task: UnsafeCell<Option<Task>>,
    /// Tasks of the round that are done.
    done: AtomicUsize,
    /// Whether the pass is over.
    over: AtomicBool,
    /// Lots in use.
    count: usize,
    /// One for each thread, as far as there are so many.
    lots: [Lot; MOST_LOTS],
    /// What a task panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `task` is written by the leader alone, while no round is under way, and read by those who drew a task of a
// round, which happens after it was written; what it points to is `Sync`.
unsafe impl Sync for Crew {}

/// Tasks of a round that follow one another: the one behind the last, and below that the next one. Read and advanced together:
/// who draws a task knows that its round is not over, and no new one begun.
struct Lot(AtomicU64);

impl Lot {
    const fn empty() -> Self {
        Lot(AtomicU64::new(0))
    }

    /// Fills it for a round.
    fn fill(&self, tasks: Range<usize>) {
        self.0.store((tasks.end as u64) << BITS | tasks.start as u64, Ordering::Release);
    }

    /// The next of its tasks.
    fn draw(&self) -> Option<usize> {
        let next = |lot: u64| (lot & u64::from(u32::MAX) < lot >> BITS).then_some((lot & u64::from(u32::MAX)) as usize);
        next(self.0.load(Ordering::Relaxed)).and_then(|_| next(self.0.fetch_add(1, Ordering::Acquire)))
    }
}

/// Runs `pass` on this thread of a rayon pool while the others are at hand for what it shares.
pub(super) fn with<R: Send>(pass: impl FnOnce() -> R + Send) -> R {
    let threads = rayon::current_num_threads();
    let crew = Crew::new(threads);
    let lead = || {
        let _led = Led::by(&crew);
        pass()
    };
    rayon::join(lead, || followers(&crew, threads - 1)).0
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
        rayon::join(|| crew.follow(count), || followers(crew, count - 1));
    } else {
        crew.follow(1);
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
    /// One of so many threads, which has no task yet.
    pub(super) fn new(threads: usize) -> Self {
        Crew {
            task: UnsafeCell::new(None),
            done: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            count: threads.clamp(1, MOST_LOTS),
            lots: [const { Lot::empty() }; MOST_LOTS],
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
        self.deal(tasks);
        while self.one(0) {}
        let mut looks = 0;
        while self.done.load(Ordering::Acquire) < tasks {
            wait(&mut looks);
        }
    }

    /// Shares the tasks of a round out to the lots.
    fn deal(&self, tasks: usize) {
        let (each, more) = (tasks / self.count, tasks % self.count);
        let begin = |lot: usize| lot * each + lot.min(more);
        for (index, lot) in self.lots[..self.count].iter().enumerate() {
            lot.fill(begin(index)..begin(index + 1));
        }
    }

    /// A task of the round for the thread at `place`, if there is one left: of its own lot, else of the next that has one.
    fn draw(&self, place: usize) -> Option<usize> {
        (0..self.count).find_map(|offset| self.lots[(place + offset) % self.count].draw())
    }

    /// Has the thread at `place` do a task of the round, if there is one left.
    fn one(&self, place: usize) -> bool {
        let Some(index) = self.draw(place) else { return false };
        // SAFETY: the round that this task is of cannot end before this task is done, so its task is still there.
        let task = unsafe { (*self.task.get()).map(|task| &*task) };
        let outcome =
            panic::catch_unwind(AssertUnwindSafe(|| super::alone(|| task.into_iter().for_each(|task| task(index)))));
        if let (Err(panic), Ok(mut first)) = (outcome, self.panic.lock()) {
            first.get_or_insert(panic);
        }
        self.done.fetch_add(1, Ordering::Release);
        true
    }

    /// Helps until the pass is over, as the thread at `place` of the crew; its leader is at place 0.
    pub(super) fn follow(&self, place: usize) {
        let mut looks = 0;
        while !self.over.load(Ordering::Acquire) {
            if self.one(place) {
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

    use super::{Crew, is_led, share, with};
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
    fn each_thread_begins_with_its_own_lot() {
        let crew = Crew::new(3);
        for _ in 0..2 {
            crew.deal(7);
            assert_eq!([2, 0, 1].map(|place| crew.draw(place)), [5, 0, 3].map(Some));
            let rest: Vec<usize> = std::iter::from_fn(|| crew.draw(1)).collect();
            assert_eq!(rest, [4, 6, 1, 2]);
            assert_eq!([0, 1, 2].map(|place| crew.draw(place)), [None; 3]);
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
