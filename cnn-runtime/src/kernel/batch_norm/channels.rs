//! Sums over all values of a channel, which stand in one plane per sample.

use std::ops::Range;

use crate::desc::BatchNorm;
use crate::kernel::pieces::CHUNK;
use crate::kernel::sums::{LANES, Running};

/// Channels of one value per sample that are summed together.
const GROUP: usize = LANES;

/// Planes smaller than this are handed to a task a sample at a time.
const SMALL_PLANE: usize = 256;

/// Channels whose planes one piece of pointwise work covers: one, or all of a sample.
pub(super) fn together(d: &BatchNorm) -> usize {
    if d.plane < SMALL_PLANE { d.channels } else { 1 }
}

/// The channels of `n` samples.
#[derive(Clone, Copy)]
pub(super) struct Channels {
    n: usize,
    channels: usize,
    plane: usize,
}

impl Channels {
    pub(super) fn new(d: &BatchNorm, n: usize) -> Self {
        Channels { n, channels: d.channels, plane: d.plane }
    }

    /// Values of a channel.
    pub(super) fn count(&self) -> usize {
        self.n * self.plane
    }

    /// Channels of a task.
    pub(super) fn group(&self) -> usize {
        if self.plane == 1 { GROUP } else { (CHUNK / self.count().max(1)).max(1) }
    }

    /// Where a channel's planes stand.
    #[inline(always)]
    pub(super) fn planes(self, channel: usize) -> impl Iterator<Item = Range<usize>> {
        (0..self.n).map(move |n| {
            let start = (n * self.channels + channel) * self.plane;
            start..start + self.plane
        })
    }

    /// Sums `f(k, a, b)` over the values `a` and `b` of channel `first + k`, for each `k` of `sums`.
    #[inline(always)]
    pub(super) fn sums(&self, first: usize, [a, b]: [&[f32]; 2], f: impl Fn(usize, f32, f32) -> f32, sums: &mut [f32]) {
        if self.plane == 1 {
            return self.column_sums(first, [a, b], f, sums);
        }
        for (k, sum) in sums.iter_mut().enumerate() {
            let mut running = Running::new();
            for n in 0..self.n {
                let start = (n * self.channels + first + k) * self.plane;
                let (a, b) = (&a[start..start + self.plane], &b[start..start + self.plane]);
                for (a, b) in a.chunks(Running::BLOCK).zip(b.chunks(Running::BLOCK)) {
                    running.add(a, b, |a, b| f(k, a, b));
                }
            }
            *sum = running.total();
        }
    }

    /// As [`sums`](Self::sums) for channels of one value per sample: neighbouring channels are the lanes.
    #[inline(always)]
    fn column_sums(&self, first: usize, [a, b]: [&[f32]; 2], f: impl Fn(usize, f32, f32) -> f32, sums: &mut [f32]) {
        let mut totals = [0.0f64; GROUP];
        for n in 0..self.n {
            let row = n * self.channels + first;
            let (a, b) = (&a[row..row + sums.len()], &b[row..row + sums.len()]);
            for (k, (total, (&a, &b))) in totals.iter_mut().zip(a.iter().zip(b)).enumerate() {
                *total += f64::from(f(k, a, b));
            }
        }
        for (sum, total) in sums.iter_mut().zip(totals) {
            *sum = total as f32;
        }
    }
}
