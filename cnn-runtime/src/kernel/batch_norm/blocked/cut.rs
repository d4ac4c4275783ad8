//! How blocks of channels are cut into parts, and parts into chunks. All of it follows from the shape alone: sums are the
//! same on any number of threads.

use std::ops::Range;

use super::sums::{Singles, Sum};
use crate::desc::{BatchNorm, Order};
use crate::kernel::batch_norm::COST;
use crate::kernel::parallel::{self, Shared, share};
use crate::kernel::sixteen::{Lanes, Sixteen};
use crate::simd::Simd;

/// Positions that are summed in single precision before their sum joins a channel's in double. Their vectors, and those of
/// their gradients, fill the first-level cache in part.
const CHUNK: usize = 128;

/// Parts, at most, of all blocks of channels where these are few.
const PARTS: usize = 32;

/// Values of a part at least.
const PART: usize = 1 << 15;

/// The blocks of channels of `n` samples, each cut into parts by its samples.
#[derive(Clone, Copy)]
pub(super) struct Blocks {
    n: usize,
    blocks: usize,
    plane: usize,
    parts: usize,
}

/// Some positions of a sample, or all of several.
#[derive(Clone)]
pub(super) struct Chunk {
    block: usize,
    samples: Range<usize>,
    positions: Range<usize>,
}

impl Chunk {
    /// Values of a channel.
    pub(super) fn count(&self) -> usize {
        self.samples.len() * self.positions.len()
    }
}

impl Blocks {
    pub(super) fn new(d: &BatchNorm, n: usize) -> Self {
        let blocks = d.channels / Order::BLOCK;
        let most = n.min(n * d.plane * Order::BLOCK / PART);
        Blocks { n, blocks, plane: d.plane, parts: (PARTS / blocks.max(1)).min(most).max(1) }
    }

    /// Values of a channel.
    pub(super) fn count(&self) -> usize {
        self.n * self.plane
    }

    /// The samples of a part.
    #[inline(always)]
    fn samples(&self, part: usize) -> Range<usize> {
        parallel::part(self.n, self.parts, 1, part)
    }

    /// The chunks of a part of a block.
    #[inline(always)]
    pub(super) fn chunks(self, block: usize, part: usize) -> impl Iterator<Item = Chunk> {
        let (samples, together) = (self.samples(part), (CHUNK / self.plane).max(1));
        samples.clone().step_by(together).flat_map(move |first| {
            (0..self.plane).step_by(CHUNK).map(move |start| Chunk {
                block,
                samples: first..samples.end.min(first + together),
                positions: start..self.plane.min(start + CHUNK),
            })
        })
    }

    /// Where the vectors of a block stand in each sample of a part, the last sample first.
    #[inline(always)]
    pub(super) fn planes(self, block: usize, part: usize) -> impl Iterator<Item = Range<usize>> {
        self.samples(part).rev().map(move |sample| {
            let start = (sample * self.blocks + block) * self.plane;
            start..start + self.plane
        })
    }

    /// The sums over a chunk of what `terms` adds to them for each vector of both inputs, `WAYS` at a time.
    #[inline(always)]
    pub(super) fn sums<const WAYS: usize, const N: usize, S: Simd>(
        &self,
        simd: S,
        chunk: &Chunk,
        [a, b]: [&[Lanes]; 2],
        terms: impl Fn([Sixteen<S>; N], [Sixteen<S>; 2]) -> [Sixteen<S>; N],
    ) -> [Lanes<f64>; N] {
        let mut sums = Singles::<S, N, WAYS>::new(simd);
        for sample in chunk.samples.clone() {
            let start = (sample * self.blocks + chunk.block) * self.plane + chunk.positions.start;
            let run = start..start + chunk.positions.len();
            sums.add(simd, [&a[run.clone()], &b[run]], &terms);
        }
        sums.total()
    }

    /// Sums up what `gather(block, part)` finds in the parts of each block, hands the sum to `finish(block, sum)`, and what
    /// that makes of it to `write(block, part, ..)` for each part.
    ///
    /// A block is done with before the next is begun, so that `write` finds its values in the caches, unless that would leave
    /// threads without work.
    pub(super) fn work<T: Sum, F: Send + Sync>(
        self,
        gather: impl Fn(usize, usize) -> T + Sync,
        finish: impl Fn(usize, T) -> F + Sync,
        write: impl Fn(usize, usize, &F) + Sync,
    ) {
        let Blocks { blocks, parts, .. } = self;
        let (macs, threads) = (COST * self.count() * blocks * Order::BLOCK, rayon::current_num_threads());
        let even = blocks.is_multiple_of(threads) || blocks >= 4 * threads;
        if parts == 1 || even || !parallel::is_shared(macs, parallel::SERIAL_MACS) {
            return parallel::for_each(blocks, macs, |block| {
                let done = finish(block, T::of((0..parts).map(|part| gather(block, part))));
                // The part read last is the likeliest to be in the caches still.
                (0..parts).rev().for_each(|part| write(block, part, &done));
            });
        }
        let mut sums = [T::EMPTY; PARTS];
        let shared = Shared::new(&mut sums);
        share(blocks * parts, &|task| {
            // SAFETY: there are no more tasks than sums, and each writes one of its own.
            unsafe { shared.at(task).write(gather(task / parts, task % parts)) };
        });
        let mut done = [const { None }; PARTS];
        for (block, (done, sums)) in done.iter_mut().zip(sums.chunks(parts)).take(blocks).enumerate() {
            *done = Some(finish(block, T::of(sums.iter().copied())));
        }
        share(blocks * parts, &|task| {
            if let Some(done) = &done[task / parts] {
                write(task / parts, task % parts, done);
            }
        });
    }
}
