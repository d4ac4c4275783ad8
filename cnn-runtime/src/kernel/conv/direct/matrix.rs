//! Kernels of one position on a processor's matrix unit, where channels stand in blocks on both sides.
//!
//! The inputs of a task are split into the parts that the unit multiplies; so are some channels' weights of a block when their
//! turn comes, and stay in the first-level cache while all tiles pass by.

use std::ops::Range;

use super::{Direct, TASKS};
use crate::desc::Order;
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::finish::{End, Finish};
use crate::kernel::gemm::Piece;
use crate::kernel::gemm::sink::runs;
use crate::kernel::parallel::{self, part};
use crate::kernel::scratch;
use crate::simd::amx::{Amx, LEFT, Product, RIGHT, ROWS, Tiles, split};
use crate::simd::{Kernel, Simd};

/// Channels of a step: two blocks.
const STEP: usize = 2 * Order::BLOCK;
/// Least channels on each side: half a tile of fewer would be idle.
const LEAST_CHANNELS: usize = 32;
/// Least positions: for fewer, splitting the weights, which come from far, takes longer than multiplying on vectors.
const LEAST_POSITIONS: usize = 128;
/// Least positions of a thread that shares them with others: else they share output channels, and split other weights.
const LEAST_SHARED: usize = 256;
/// Steps at a time: the split weights of as many fill half of the first-level cache.
const TOGETHER: usize = 8;
/// Floats that the split inputs of a task take up, roughly: half of a second-level cache of two megabytes.
const STAGED: usize = 1 << 18;
/// Most tiles of a task, and most pieces that they are written in.
const MOST: usize = 512;
/// Floats of a tile's sums: a block of channels for each position.
const SUMS: usize = ROWS * Blocks::MOST;

/// The unit, if this is the way for a product.
pub(super) fn applies(direct: &Direct<'_>, isa: Isa) -> Option<Amx> {
    let (product, input) = (&direct.product, &direct.input);
    let blocked = input.block == Order::BLOCK && direct.block == Order::BLOCK;
    let full = product.k.min(product.m) >= LEAST_CHANNELS && product.n >= LEAST_POSITIONS;
    isa.matrix().filter(|_| blocked && full && input.is_identity())
}

/// Computes a product, in parallel if it is large enough.
///
/// # Safety
/// As for [`Direct::run`].
pub(super) unsafe fn run(direct: &Direct<'_>, isa: Isa, amx: Amx) {
    let (product, input) = (&direct.product, &direct.input);
    let plane = input.grid[0] * input.grid[1];
    let rows = plane.div_ceil(plane.div_ceil(ROWS));
    let work = Work { direct, amx, plane, rows, bands: Blocks::of(product.m).count() };
    let (macs, tiles) = (product.m * product.n * product.k, product.n / plane * work.tiles());
    // A tile is written in a piece for each line that it touches.
    let [written, width] = product.columns.grid;
    let pieces = 1 + if written > 1 { rows.div_ceil(width) } else { 0 };
    let least = tiles.div_ceil((STAGED / (rows * work.pairs() * LEFT)).clamp(1, MOST / pieces));
    let parts = match parallel::even(least, macs).min(tiles) {
        parts if product.n >= parts * LEAST_SHARED => parts,
        _ => least,
    };
    let row_parts = parallel::parts(TASKS, macs).div_ceil(parts).clamp(1, work.bands);
    parallel::for_each(parts * row_parts, macs, |index| {
        let tiles = part(tiles, parts, 1, index / row_parts);
        let bands = part(work.bands, row_parts, 1, index % row_parts);
        if !tiles.is_empty() {
            isa.run(Task { work: &work, tiles, bands });
        }
    });
}

/// A product to compute.
struct Work<'a> {
    direct: &'a Direct<'a>,
    amx: Amx,
    /// Positions of a sample.
    plane: usize,
    /// Positions of a tile: the last one of a sample begins earlier, but writes what the others did not.
    rows: usize,
    /// Blocks of output channels.
    bands: usize,
}

impl Work<'_> {
    /// Tiles of a sample.
    fn tiles(&self) -> usize {
        self.plane.div_ceil(self.rows)
    }

    /// Pairs of blocks of input channels.
    fn pairs(&self) -> usize {
        self.direct.product.k.div_ceil(STEP)
    }

    /// The first position that a tile reads, and those that it writes, counted through all samples.
    fn positions(&self, tile: usize) -> (usize, Range<usize>) {
        let (sample, tile) = (tile / self.tiles() * self.plane, tile % self.tiles());
        let written = tile * self.rows..((tile + 1) * self.rows).min(self.plane);
        (sample + written.end - self.rows, sample + written.start..sample + written.end)
    }
}

/// Some tiles of some blocks of output channels.
struct Task<'a> {
    work: &'a Work<'a>,
    tiles: Range<usize>,
    bands: Range<usize>,
}

/// Some weights of a block, split.
struct Weights<'a> {
    /// [`RIGHT`] floats for each step.
    split: &'a [f32],
    /// Whether the block has all its channels.
    whole: bool,
    /// Where those stand that are needed next: more of the block, the next block's, or the next layer's.
    later: *const f32,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Work { direct: Direct { product, weights, .. }, amx, rows, .. } = *self.work;
        let (pairs, places) = (self.work.pairs(), self.tiles.len() * rows);
        let together = TOGETHER.min(pairs);
        let (left_len, right_len) = (pairs * places * LEFT, together * RIGHT);
        let sums_len = self.tiles.len() * SUMS;
        let mut buffer = scratch::lend(scratch::Use::Packed, left_len + right_len + sums_len);
        let (left, rest) = buffer.split_at_mut(left_len);
        let (right, sums) = rest.split_at_mut(right_len);
        self.split_inputs(left);
        let (mut pieces, mut ends) = ([Piece { from: 0, to: 0, at: 0, step: 1 }; MOST], [0; MOST]);
        self.pieces(&mut pieces, &mut ends);
        amx.with_rows(
            rows,
            #[inline(always)]
            |tiles| {
                for band in self.bands.clone() {
                    let channels = Blocks::of(product.m).rows(band);
                    let whole = channels.len() == Blocks::MOST;
                    for first in (0..pairs).step_by(together) {
                        let pairs = first..(first + together).min(pairs);
                        let next = channels.start * product.k + pairs.end * STEP * channels.len();
                        let later = weights.as_ptr().wrapping_add(next);
                        let split = &mut right[..pairs.len() * RIGHT];
                        self.split_weights(&channels, pairs.clone(), split);
                        self.multiply(simd, tiles, left, pairs, &Weights { split, whole, later }, sums);
                    }
                    self.write(simd, channels, &pieces, &ends, sums);
                }
            },
        );
    }
}

impl Task<'_> {
    /// Splits the inputs of all tiles: `[pair of blocks][tile][position]`.
    #[inline(always)]
    fn split_inputs(&self, left: &mut [f32]) {
        const NONE: [f32; ROWS * Order::BLOCK] = [0.0; ROWS * Order::BLOCK];
        let Work { direct: Direct { product, input, .. }, plane, rows, .. } = *self.work;
        let blocks = product.k / Order::BLOCK;
        let len = rows * Order::BLOCK;
        for (pair, left) in left.chunks_exact_mut(self.tiles.len() * rows * LEFT).enumerate() {
            for (tile, left) in self.tiles.clone().zip(left.chunks_exact_mut(rows * LEFT)) {
                let (first, _) = self.work.positions(tile);
                let from = first / plane * input.sample + first % plane * Order::BLOCK;
                let block = |block: usize| {
                    if block < blocks {
                        &input.data[from + block * plane * Order::BLOCK..][..len]
                    } else {
                        &NONE[..len]
                    }
                };
                let [first, second] = [block(2 * pair), block(2 * pair + 1)].map(|block| block.as_chunks::<16>().0);
                for ((first, second), left) in first.iter().zip(second).zip(left.chunks_exact_mut(LEFT)) {
                    let (high, low) = left.split_at_mut(LEFT / 2);
                    // SAFETY: all four are vectors of sixteen; a processor with a matrix unit has AVX-512.
                    unsafe { split([first.as_ptr(), second.as_ptr()], [high.as_mut_ptr(), low.as_mut_ptr()]) };
                }
            }
        }
    }

    /// Where the positions of all tiles are written, and where each tile's pieces end.
    #[inline(always)]
    fn pieces(&self, pieces: &mut [Piece; MOST], ends: &mut [usize; MOST]) {
        let columns = &self.work.direct.product.columns;
        let mut count = 0;
        for (tile, end) in self.tiles.clone().zip(ends) {
            let (first, written) = self.work.positions(tile);
            let skipped = written.start - first;
            for run in runs(columns.grid, written) {
                let row = skipped + run.at;
                let at = columns.offset(&run) as isize - (row * columns.x) as isize;
                pieces[count] = Piece { from: row, to: row + run.len, at, step: columns.x };
                count += 1;
            }
            *end = count;
        }
    }

    /// Splits a block's weights of some pairs of blocks of input channels.
    #[inline(always)]
    fn split_weights(&self, channels: &Range<usize>, pairs: Range<usize>, right: &mut [f32]) {
        const NONE: [f32; Order::BLOCK] = [0.0; Order::BLOCK];
        let Direct { product, weights, .. } = self.work.direct;
        let block = &weights[channels.start * product.k..channels.end * product.k];
        for (pair, right) in pairs.zip(right.chunks_exact_mut(RIGHT)) {
            let (high, low) = right.split_at_mut(RIGHT / 2);
            for row in 0..Order::BLOCK {
                for half in 0..2 {
                    let weights = |input: usize| {
                        if input < product.k && half * Order::BLOCK < channels.len() {
                            block[input * channels.len() + half * Order::BLOCK..][..Order::BLOCK].as_ptr()
                        } else {
                            NONE.as_ptr()
                        }
                    };
                    let at = (half * ROWS + row) * Order::BLOCK;
                    let (high, low) = (&mut high[at..][..Order::BLOCK], &mut low[at..][..Order::BLOCK]);
                    let input = pair * STEP + row;
                    let sources = [weights(input), weights(input + Order::BLOCK)];
                    // SAFETY: all four are vectors of sixteen; a processor with a matrix unit has AVX-512.
                    unsafe { split(sources, [high.as_mut_ptr(), low.as_mut_ptr()]) };
                }
            }
        }
    }

    /// Multiplies all tiles with a block's weights of some pairs, and adds up.
    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        simd: S,
        tiles: Tiles,
        left: &[f32],
        pairs: Range<usize>,
        weights: &Weights<'_>,
        sums: &mut [f32],
    ) {
        let Weights { split, whole, later } = *weights;
        let len = self.work.rows * LEFT;
        let apart = self.tiles.len() * len;
        assert!(split.len() == pairs.len() * RIGHT && left.len() >= pairs.end * apart, "both sides of all steps");
        // The sums of half a block stand close together, and what its other half would be behind them.
        let (row, half) = if whole { (128, 64) } else { (64, 1024) };
        // Lines of what is asked for beside each tile: as many weights as there are here.
        let lines = (split.len() / Order::BLOCK).div_ceil(self.tiles.len());
        for (tile, sums) in sums.chunks_exact_mut(SUMS).enumerate() {
            for line in tile * lines..(tile + 1) * lines {
                simd.prefetch_later(later.wrapping_add(line * Order::BLOCK));
            }
            let product = Product {
                left: left[pairs.start * apart + tile * len..].as_ptr(),
                left_step: 4 * apart,
                count: pairs.len(),
                right: split.as_ptr(),
                sums: sums.as_mut_ptr(),
                row,
                half,
                add: pairs.start > 0,
            };
            // SAFETY: just measured: both sides have all steps, and all rows of them; there is room for the sums.
            unsafe { tiles.multiply(product) };
        }
    }

    /// Writes what becomes of a block's sums.
    #[inline(always)]
    fn write<S: Simd>(
        &self,
        simd: S,
        channels: Range<usize>,
        pieces: &[Piece; MOST],
        ends: &[usize; MOST],
        sums: &[f32],
    ) {
        let product = &self.work.direct.product;
        let (first, rows) = (product.first + channels.start * product.c_stride, channels.len());
        let channels = product.channel + channels.start..product.channel + channels.end;
        // SAFETY: the promise to `run`: these channels' maps are in the shared slice. A residual is as long as it.
        let finish = unsafe {
            let residual = product.post.residual().map(|residual| residual.as_ptr().wrapping_add(first));
            Finish::of(&product.post, channels, product.write, product.c.at(first), residual, product.c_stride)
        };
        let mut begin = 0;
        for (&end, sums) in ends.iter().zip(sums.chunks_exact(SUMS)) {
            let pieces = &pieces[begin..end];
            begin = end;
            // SAFETY: the outputs of these positions and channels are this task's alone.
            unsafe { End { finish: &finish, first: 0, rows, sums, pieces }.write_blocks(simd) };
        }
    }
}
