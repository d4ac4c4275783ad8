//! Batches read ahead of whoever works on them.
//!
//! [`ReadAhead::run`] reads the batches of a [`Plan`] on threads of its own, in any order, and hands them over in theirs.
//! What it hands over depends on the plan and the data alone, not on the number of threads. All of its memory is a
//! fixed number of batches ([`ReadAhead::bytes`]): readers wait while all are full, and nothing allocates per batch.
//!
//! ```
//! use cnn_runtime::data::{Images, Plan, ReadAhead};
//!
//! let images = Images::new([1, 1, 2], (0..10).collect(), vec![0, 1, 2, 3, 4], 5)?;
//! let plan = Plan { order: &[4, 2, 0, 1, 3], batch: 2, first: 0, epoch: 0, seed: 7 };
//! let mut seen = Vec::new();
//! ReadAhead::new().run(&images, plan, |batches| {
//!     while let Some(batch) = batches.next()? {
//!         seen.push((batch.number(), batch.images().len(), batch.labels().to_vec()));
//!     }
//!     Ok(())
//! })?;
//! assert_eq!(seen, [(0, 4, vec![4, 2]), (1, 4, vec![0, 1]), (2, 2, vec![3])]);
//! # Ok::<(), cnn_runtime::Error>(())
//! ```

mod batch;
mod ring;
mod skipped;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::thread;

use super::{Dataset, Draw, sample_len};
use crate::error::Error;
use ring::Ring;
use skipped::LeftOut;

pub use batch::Batch;
#[cfg(feature = "images")]
pub(super) use skipped::none_good;
pub use skipped::{OnBadSample, Skipped};

/// Which samples are read, in which order: an epoch, or what is left of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// Indices of the epoch's samples, in order.
    pub order: &'a [usize],
    /// Samples of a batch. The last of the epoch is smaller if the samples do not divide.
    pub batch: usize,
    /// The first batch to hand over, counted from 0: not 0 for a run taken up again in mid-epoch.
    pub first: usize,
    /// The epoch, which augmentations depend on.
    pub epoch: u64,
    /// The seed of the run.
    pub seed: u64,
}

impl Plan<'_> {
    /// Batches of the whole epoch, those before `first` included.
    pub fn batches(&self) -> usize {
        self.order.len().div_ceil(self.batch.max(1))
    }

    /// The indices of the samples of a batch.
    fn samples(&self, number: usize) -> &[usize] {
        let start = number * self.batch;
        &self.order[start..self.order.len().min(start + self.batch)]
    }

    fn draw(&self, index: usize) -> Draw {
        Draw { index, epoch: self.epoch, seed: self.seed }
    }
}

/// Reads batches ahead. Keeps its memory from one [`run`](ReadAhead::run) to the next.
#[derive(Debug)]
pub struct ReadAhead {
    workers: usize,
    depth: usize,
    on_bad: OnBadSample,
    spare: Vec<Batch>,
    /// What each thread is at.
    parts: Vec<Batch>,
}

impl Default for ReadAhead {
    fn default() -> Self {
        ReadAhead {
            workers: rayon::current_num_threads(),
            depth: 3,
            on_bad: OnBadSample::Fail,
            spare: Vec::new(),
            parts: Vec::new(),
        }
    }
}

impl ReadAhead {
    /// As many threads as kernels use, 3 batches ahead, no bad samples tolerated: unless told otherwise.
    pub fn new() -> Self {
        Self::default()
    }

    /// Threads that read. With 0 the calling thread reads each batch as it is asked for.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Batches read ahead at most, 1 at least. More even out samples that take longer than others.
    #[must_use]
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth.max(1);
        self
    }

    /// What becomes of samples that cannot be read.
    #[must_use]
    pub fn on_bad_sample(mut self, on_bad: OnBadSample) -> Self {
        self.on_bad = on_bad;
        self
    }

    /// Memory for batches of `batch` samples of `shape`: those read ahead, the one that is handed over, and the samples
    /// that each thread is at. What reading a sample takes comes on top, once per thread.
    pub fn bytes(&self, shape: [usize; 3], batch: usize) -> usize {
        let per_sample =
            sample_len(shape).unwrap_or(usize::MAX).saturating_mul(size_of::<f32>()).saturating_add(size_of::<usize>());
        let ahead = if self.workers == 0 { 0 } else { self.depth * batch + self.workers * ring::grain(shape, batch) };
        per_sample.saturating_mul(batch.saturating_add(ahead))
    }

    /// Reads the batches of `plan` while `work` takes one after the other. When `work` is done, with the last batch or
    /// before it, so are the threads, each with the sample it is at.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for batches of 0 samples, and what `work` returns.
    ///
    /// # Panics
    /// If `work` does.
    pub fn run<R>(
        &mut self,
        data: &(impl Dataset + ?Sized),
        plan: Plan<'_>,
        work: impl FnOnce(&mut Batches<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        if plan.batch == 0 {
            let (option, expected) = ("batch size", "at least 1");
            return Err(Error::InvalidOption { option, expected, found: "0".into() });
        }
        let plan = Plan { batch: plan.batch.min(plan.order.len()).max(1), ..plan };
        let source = Source { data: &data, plan };
        let mut batches = Batches {
            source,
            ring: None,
            on_bad: self.on_bad,
            numbers: plan.first..plan.batches(),
            batch: self.spare.pop().unwrap_or_default(),
            some_are_good: plan.first > 0,
            skipped: Vec::new(),
            left_out: LeftOut::default(),
        };
        batches.batch.fit(data.shape(), plan.batch);
        let ring = Ring::new(source, if self.workers == 0 { 0 } else { self.depth }, &mut self.spare);
        self.parts.resize_with(self.workers.min(ring.pieces()), Batch::default);
        self.parts.iter_mut().for_each(|part| part.fit(data.shape(), ring.grain()));
        let outcome = thread::scope(|scope| {
            let _ends_with_work = ring.stop_on_drop();
            let (mut started, ring) = (0, &ring);
            for part in &mut self.parts {
                let thread = thread::Builder::new().name(format!("cnn reader {started}"));
                if thread.spawn_scoped(scope, move || ring.work(part)).is_err() {
                    break;
                }
                started += 1;
            }
            // Without any thread to be had, the calling one reads.
            batches.ring = (started > 0).then_some(ring);
            work(&mut batches)
        });
        let Batches { batch, .. } = batches;
        self.spare.extend(ring.into_batches().chain([batch]));
        outcome
    }

    /// Hands all samples to `work` once, in order, `batch` at a time; tells which were left out.
    ///
    /// # Errors
    /// As [`run`](ReadAhead::run).
    pub(crate) fn all(
        &mut self,
        data: &(impl Dataset + ?Sized),
        batch: usize,
        mut work: impl FnMut(&Batch),
    ) -> Result<Vec<Skipped>, Error> {
        let order: Vec<usize> = (0..data.len()).collect();
        self.run(data, Plan { order: &order, batch, first: 0, epoch: 0, seed: 0 }, |batches| {
            while let Some(batch) = batches.next()? {
                work(batch);
            }
            Ok(batches.take_skipped())
        })
    }
}

/// Where samples come from.
#[derive(Clone, Copy)]
struct Source<'a> {
    data: &'a dyn Dataset,
    plan: Plan<'a>,
}

impl Source<'_> {
    fn read(&self, index: usize, image: &mut [f32]) -> Result<usize, Error> {
        self.data.read(self.plan.draw(index), image)
    }
}

/// The batches of a plan, in order.
pub struct Batches<'a> {
    source: Source<'a>,
    /// Where they are read ahead; if nowhere, they are read here.
    ring: Option<&'a Ring<'a>>,
    on_bad: OnBadSample,
    /// Batches not handed over yet.
    numbers: Range<usize>,
    /// The one that is handed over.
    batch: Batch,
    /// Whether the epoch has any sample that can be read, as far as is known.
    some_are_good: bool,
    /// Not taken yet.
    skipped: Vec<Skipped>,
    /// Taken or not.
    left_out: LeftOut,
}

impl fmt::Debug for Batches<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Batches");
        shown.field("numbers", &self.numbers).field("batch", &self.batch.number()).field("skipped", &self.skipped);
        shown.finish_non_exhaustive()
    }
}

impl Batches<'_> {
    /// The next batch, once it is read; `None` after the last. Never an empty one: a batch of which every sample is
    /// skipped is passed over.
    ///
    /// # Errors
    /// What is wrong with the first sample of the batch that cannot be read and must not be skipped. At the end,
    /// [`Error::DataMismatch`] if every sample of the epoch was skipped.
    ///
    /// # Panics
    /// If the data set's [`read`](Dataset::read) panicked over a sample of the batch.
    #[allow(clippy::should_implement_trait)] // what it returns borrows from `self`
    pub fn next(&mut self) -> Result<Option<&Batch>, Error> {
        self.next_before(usize::MAX)
    }

    /// The next batch if its number is below `end`: for steps that several batches make together.
    ///
    /// # Errors
    /// As [`next`](Batches::next).
    ///
    /// # Panics
    /// As [`next`](Batches::next).
    pub fn next_before(&mut self, end: usize) -> Result<Option<&Batch>, Error> {
        while self.numbers.start < end.min(self.numbers.end) {
            let number = self.numbers.start;
            self.numbers.start += 1;
            match self.ring {
                Some(ring) => ring.take(number, &mut self.batch),
                None => self.batch.read(&self.source, number),
            }
            let known = self.skipped.len();
            self.batch.settle(self.source.plan.samples(number), self.on_bad, &mut self.skipped)?;
            self.left_out.add(&self.skipped[known..]);
            if !self.batch.is_empty() {
                self.some_are_good = true;
                return Ok(Some(&self.batch));
            }
        }
        let all_are_bad = self.numbers.is_empty() && !self.some_are_good && self.left_out.count > 0;
        if all_are_bad { Err(self.left_out.everything()) } else { Ok(None) }
    }

    /// The samples left out of the batches so far, in order.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Takes the samples left out so far, to keep them.
    pub fn take_skipped(&mut self) -> Vec<Skipped> {
        std::mem::take(&mut self.skipped)
    }
}
