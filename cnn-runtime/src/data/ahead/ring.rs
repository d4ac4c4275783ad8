//! Batches that several threads fill together and one empties, in order.
//!
//! Threads share a batch in pieces of a few samples, so that the first is soon complete and a few batches in memory keep
//! any number of threads busy. A piece is read into memory of the thread's own and copied to its place: the batch is
//! whole for whoever takes it.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::batch::Bad;
use super::{Batch, Source};
use crate::data::sample_len;

/// Floats of a piece, unless a single sample has more: some ten microseconds of reading and more, against which
/// claiming a piece is nothing.
const PIECE: usize = 1 << 14;

/// Samples of a piece.
pub(super) fn grain(shape: [usize; 3], batch: usize) -> usize {
    (PIECE / sample_len(shape).unwrap_or(usize::MAX).max(1)).clamp(1, batch.max(1))
}

/// The batches that are being read and those that wait to be taken.
pub(super) struct Ring<'a> {
    source: Source<'a>,
    grain: usize,
    /// Batch `number` is gathered in slot `(number - first) % slots.len()`.
    slots: Vec<Slot>,
    progress: Mutex<Progress>,
    /// Told when a slot is free again, and at the end.
    room: Condvar,
    /// Set when nobody wants further batches.
    stopped: AtomicBool,
}

struct Slot {
    gathered: Mutex<Gathered>,
    complete: Condvar,
}

struct Gathered {
    batch: Batch,
    /// Pieces yet to come.
    missing: usize,
}

/// How far the plan is.
struct Progress {
    /// The first piece nobody has claimed, counted from the first of the plan.
    piece: usize,
    /// Batches for which there is a slot: the readers' bound.
    bound: usize,
}

/// Some samples of a batch.
struct Piece {
    number: usize,
    /// Places of its samples in the batch.
    start: usize,
    len: usize,
}

impl<'a> Ring<'a> {
    /// Room for the first `depth` batches, in `spare` memory as far as there is some.
    pub fn new(source: Source<'a>, depth: usize, spare: &mut Vec<Batch>) -> Self {
        let (plan, shape) = (source.plan, source.data.shape());
        let depth = depth.min(plan.batches().saturating_sub(plan.first));
        let slot = || {
            let mut batch = spare.pop().unwrap_or_default();
            batch.fit(shape, plan.batch);
            Slot { gathered: Mutex::new(Gathered { batch, missing: 0 }), complete: Condvar::new() }
        };
        let ring = Ring {
            source,
            grain: grain(shape, plan.batch),
            slots: std::iter::repeat_with(slot).take(depth).collect(),
            progress: Mutex::new(Progress { piece: 0, bound: plan.first + depth }),
            room: Condvar::new(),
            stopped: AtomicBool::new(false),
        };
        (plan.first..plan.first + depth).for_each(|number| ring.begin(number, &mut lock(&ring.slot(number).gathered)));
        ring
    }

    /// Pieces of the plan.
    pub fn pieces(&self) -> usize {
        let plan = &self.source.plan;
        (plan.first..plan.batches()).map(|number| self.pieces_of(plan.samples(number).len())).sum()
    }

    /// Samples of a piece.
    pub fn grain(&self) -> usize {
        self.grain
    }

    /// Reads pieces, each into `part` first, until there are no more, or nobody wants them.
    pub fn work(&self, part: &mut Batch) {
        while let Some(piece) = self.claim() {
            part.begin(piece.number, piece.len);
            let indices = &self.source.plan.samples(piece.number)[piece.start..][..piece.len];
            for (at, &index) in indices.iter().enumerate() {
                if self.stopped.load(Ordering::Relaxed) {
                    return;
                }
                part.place(at, |image| self.read(index, image));
            }
            let slot = self.slot(piece.number);
            let mut gathered = lock(&slot.gathered);
            gathered.batch.join(piece.start, part);
            gathered.missing -= 1;
            if gathered.missing == 0 {
                slot.complete.notify_one();
            }
        }
    }

    /// Waits for batch `number`, the next in order, and swaps it for the one before it.
    pub fn take(&self, number: usize, batch: &mut Batch) {
        let slot = self.slot(number);
        let mut gathered = lock(&slot.gathered);
        while gathered.missing > 0 {
            gathered = slot.complete.wait(gathered).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(&mut gathered.batch, batch);
        let next = number + self.slots.len();
        if next < self.source.plan.batches() {
            self.begin(next, &mut gathered);
            lock(&self.progress).bound = next + 1;
            self.room.notify_all();
        }
    }

    /// Sends the threads home when the guard is dropped, by a panic too.
    pub fn stop_on_drop(&self) -> impl Drop + use<'_, 'a> {
        struct Stop<'r, 'a>(&'r Ring<'a>);
        impl Drop for Stop<'_, '_> {
            fn drop(&mut self) {
                let _progress = lock(&self.0.progress);
                self.0.stopped.store(true, Ordering::Relaxed);
                self.0.room.notify_all();
            }
        }
        Stop(self)
    }

    /// The memory, to be used again.
    pub fn into_batches(self) -> impl Iterator<Item = Batch> {
        self.slots.into_iter().map(|slot| slot.gathered.into_inner().unwrap_or_else(PoisonError::into_inner).batch)
    }

    fn begin(&self, number: usize, gathered: &mut Gathered) {
        let samples = self.source.plan.samples(number).len();
        gathered.batch.begin(number, samples);
        gathered.missing = self.pieces_of(samples);
    }

    /// The next piece to read, once there is room for it.
    fn claim(&self) -> Option<Piece> {
        let (plan, mut progress) = (&self.source.plan, lock(&self.progress));
        let per_batch = self.pieces_of(plan.batch);
        loop {
            let number = plan.first + progress.piece / per_batch;
            if number >= plan.batches() || self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            if number < progress.bound {
                let start = progress.piece % per_batch * self.grain;
                let samples = plan.samples(number).len();
                progress.piece += 1;
                return (start < samples).then(|| Piece { number, start, len: self.grain.min(samples - start) });
            }
            progress = self.room.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads a sample. A panic is kept for the batch, as an error is: whoever takes the batch gets it.
    fn read(&self, index: usize, image: &mut [f32]) -> Result<usize, Bad> {
        let read = AssertUnwindSafe(|| self.source.read(index, image));
        panic::catch_unwind(read).map_err(Bad::Panic)?.map_err(Bad::Error)
    }

    fn pieces_of(&self, samples: usize) -> usize {
        samples.div_ceil(self.grain)
    }

    fn slot(&self, number: usize) -> &Slot {
        &self.slots[(number - self.source.plan.first) % self.slots.len()]
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
