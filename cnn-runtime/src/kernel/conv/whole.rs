//! Pools that take whole maps of a convolution in blocks: a task makes those of some channels, and writes the largest outputs
//! alone.

#![allow(unsafe_code)] // tasks share the slice that they write parts of

use std::ops::Range;

use super::finish::Finish;
use crate::desc::{Order, Pool, Write};
use crate::kernel::blocks::Blocks;
use crate::kernel::max_pool::Band;
use crate::kernel::parallel::Shared;
use crate::kernel::post::Post;
use crate::kernel::sixteen::vectors;
use crate::simd::Simd;

/// A pool and the lines that it reads, which are all.
pub(super) struct Whole<'a> {
    pool: &'a Pool,
    band: Band,
}

impl<'a> Whole<'a> {
    pub(super) fn new(pool: &'a Pool) -> Self {
        Whole { pool, band: Band::new(pool, 0..pool.output.h) }
    }

    /// Floats from the maps of a sample to those of the next: room for a block's channels.
    pub(super) fn apart(&self) -> usize {
        Blocks::MOST * self.pool.input.plane()
    }

    /// Floats of a block's maps of so many samples, and of what is made of them.
    pub(super) fn len(&self, samples: usize) -> usize {
        samples * self.apart() + Band::aside(self.pool, self.pool.output.h)
    }

    /// What becomes of the sums of some channels of a block. They go to `maps`, where the `first` sample has the first place.
    pub(super) fn finish(&self, post: &Post<'_>, channels: Range<usize>, first: usize, maps: &mut [f32]) -> Finish {
        let output = maps.as_mut_ptr().wrapping_sub(first * self.apart());
        Finish::of(post, channels, Write::Set, output, None, self.pool.input.plane())
    }

    /// Writes the largest outputs of some samples' maps.
    ///
    /// # Safety
    /// `output` is that of all samples, and these channels of these samples are the caller's alone.
    #[inline(never)] // It would crowd out what its callers have in registers.
    pub(super) unsafe fn write<S: Simd>(
        &self,
        simd: S,
        samples: Range<usize>,
        channels: &Range<usize>,
        maps: &mut [f32],
        output: Shared,
    ) {
        let Pool { input, output: outputs, .. } = self.pool;
        let (maps, aside) = maps.split_at_mut(samples.len() * self.apart());
        for (sample, maps) in samples.zip(maps.chunks_exact(self.apart())) {
            let blocks = maps.chunks_exact(Order::BLOCK * input.plane());
            for (channel, map) in channels.clone().step_by(Order::BLOCK).zip(blocks) {
                // SAFETY: the caller's promise.
                unsafe {
                    let to = output.skip(sample * outputs.len() + channel * outputs.plane());
                    self.band.put(simd, self.pool, vectors(map), to, aside);
                }
            }
        }
    }
}
