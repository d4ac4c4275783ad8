//! One batch, from the reading of its samples to its hand-over.

use std::any::Any;
use std::fmt;
use std::panic;

use ndarray::ArrayView4;

use super::{OnBadSample, Skipped, Source};
use crate::data::sample_len;
use crate::error::Error;

/// Samples that were read, one after the other, and their labels.
#[derive(Debug, Default)]
pub struct Batch {
    shape: [usize; 3],
    number: usize,
    /// Samples, and once the batch is settled, good ones.
    len: usize,
    /// Room for more samples than there are.
    images: Vec<f32>,
    labels: Vec<usize>,
    /// Places of samples without a picture, and why.
    bad: Vec<(usize, Bad)>,
}

/// Why a sample could not be read.
pub(super) enum Bad {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

impl fmt::Debug for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::Error(error) => error.fmt(f),
            Bad::Panic(_) => f.write_str("a panic"),
        }
    }
}

impl Batch {
    /// Which batch of the epoch this is, counted from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The images, one after the other, in CHW order.
    pub fn images(&self) -> &[f32] {
        &self.images[..self.len * self.sample()]
    }

    /// The images as an array `[samples, channels, height, width]`.
    pub fn view(&self) -> ArrayView4<'_, f32> {
        let [c, h, w] = self.shape;
        ArrayView4::from_shape((self.len, c, h, w), self.images()).expect("as many values as the shape says")
    }

    /// The label of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels[..self.len]
    }

    /// Makes room for `capacity` samples of `shape`.
    pub(super) fn fit(&mut self, shape: [usize; 3], capacity: usize) {
        self.shape = shape;
        self.images.resize(sample_len(shape).and_then(|len| len.checked_mul(capacity)).unwrap_or(usize::MAX), 0.0);
        self.labels.resize(capacity, 0);
    }

    /// Starts over as batch `number` of `samples` samples.
    pub(super) fn begin(&mut self, number: usize, samples: usize) {
        (self.number, self.len) = (number, samples);
        self.bad.clear();
    }

    /// Reads all samples of batch `number`.
    pub(super) fn read(&mut self, source: &Source<'_>, number: usize) {
        let indices = source.plan.samples(number);
        self.begin(number, indices.len());
        for (at, &index) in indices.iter().enumerate() {
            self.place(at, |image| source.read(index, image).map_err(Bad::Error));
        }
    }

    /// Has `read` write the sample at `at`.
    pub(super) fn place(&mut self, at: usize, read: impl FnOnce(&mut [f32]) -> Result<usize, Bad>) {
        let sample = self.sample();
        match read(&mut self.images[at * sample..][..sample]) {
            Ok(label) => self.labels[at] = label,
            Err(bad) => self.bad.push((at, bad)),
        }
    }

    /// Moves the samples of `part` here, the first of them to `at`.
    pub(super) fn join(&mut self, at: usize, part: &mut Batch) {
        let sample = self.sample();
        self.images[at * sample..][..part.len * sample].copy_from_slice(part.images());
        self.labels[at..][..part.len].copy_from_slice(part.labels());
        self.bad.extend(part.bad.drain(..).map(|(place, bad)| (at + place, bad)));
    }

    /// Leaves bad samples out, so that good ones stand one after the other, or fails as the first of them that must not
    /// be left out. `indices` are the samples' in the data.
    pub(super) fn settle(
        &mut self,
        indices: &[usize],
        on_bad: OnBadSample,
        skipped: &mut Vec<Skipped>,
    ) -> Result<(), Error> {
        if self.bad.is_empty() {
            return Ok(());
        }
        self.bad.sort_by_key(|&(at, _)| at);
        self.close_gaps();
        for (at, bad) in self.bad.drain(..) {
            match bad {
                Bad::Panic(payload) => panic::resume_unwind(payload),
                Bad::Error(error) if on_bad.skips(&error) => skipped.push(Skipped { index: indices[at], error }),
                Bad::Error(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Moves good samples to the front, in their order. `bad` is sorted.
    fn close_gaps(&mut self) {
        let (sample, mut good) = (self.sample(), 0);
        let mut bad = self.bad.iter().map(|&(at, _)| at).peekable();
        for at in 0..self.len {
            if bad.next_if_eq(&at).is_none() {
                self.images.copy_within(at * sample..(at + 1) * sample, good * sample);
                self.labels[good] = self.labels[at];
                good += 1;
            }
        }
        self.len = good;
    }

    fn sample(&self) -> usize {
        self.shape.iter().product()
    }
}
