//! The gradients by weights and bias: sums over all positions of all samples.
//!
//! The product is `[taps x positions] * [positions x out_channels]`. Its left side is read straight from the staged input
//! (a tap is a row at an offset of its own), so that it is never spread out tap by tap. Its right side is `d_output`: from
//! NCHW transposed as it is packed, in blocks read where it stands. A task owns a range of input channels by a range of
//! output channels and adds up all samples in order. Where there are too few of those for several threads, the batch is
//! cut into a number of chunks that depends on the sizes alone, and their sums are added in order.

mod blocked;
#[cfg(target_arch = "x86_64")]
mod matrix;
#[cfg(target_arch = "x86_64")]
mod stem;
#[cfg(target_arch = "x86_64")]
mod sums;
mod tile;

use std::ops::Range;

use self::tile::{MAX_GROUPS, Shape, Tile};
use super::im2col::{Im2col, Stage};
use super::pass;
use crate::desc::{Conv, Map, Order, Window};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::gemm::pack::{panels, transpose};
use crate::kernel::order;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::pieces::each;
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Positions packed at a time, roughly.
const POSITIONS: usize = 256;
/// Output channels of a task.
const CHANNELS: usize = 64;
/// Output channels from which what a strided kernel of one tap reads is brought together first: all tasks read it.
const GATHERED: usize = 8 * CHANNELS;
/// Taps of a task, roughly.
const TAPS: usize = 576;
/// Tasks to aim at by cutting the batch.
const TASKS: usize = 8;

/// Sums of weights that chunks of positions have at most, all together.
#[cfg(target_arch = "x86_64")]
const SUMMED: usize = 1 << 19;

/// Positions of a chunk at least, if threads can share its channels too: adding up its sums, which come out of another core's
/// cache, takes as long as a hundred positions.
#[cfg(target_arch = "x86_64")]
const CHUNK: usize = 3072;

/// In how many chunks to sum up the positions of `n` samples, which come in so many pieces, and whose channels can be cut into so
/// many parts: a power of two, so that threads have equally many.
#[cfg(target_arch = "x86_64")]
fn cuts(d: &Conv, n: usize, pieces: usize, parts: usize) -> usize {
    let worth = (n * d.output.plane() / CHUNK).max(TASKS / parts);
    1 << worth.min(SUMMED / d.weight_len()).min(pieces).clamp(1, TASKS).ilog2()
}

/// How the work is cut: parts by output channels, input channels and samples.
struct Grid {
    oc_parts: usize,
    ic_parts: usize,
    chunks: usize,
}

impl Grid {
    fn of(d: &Conv, n: usize) -> Self {
        let oc_parts = (d.output.c / d.groups).div_ceil(CHANNELS);
        let ic_parts = d.taps().div_ceil(TAPS).min(d.input.c / d.groups);
        let chunks = (TASKS / (oc_parts * ic_parts * d.groups)).clamp(1, n);
        Grid { oc_parts, ic_parts, chunks }
    }

    fn tasks(&self, d: &Conv) -> usize {
        self.oc_parts * self.ic_parts * d.groups * self.chunks
    }
}

/// See [`super::backward_weights`]; the lengths are checked, and there is a sample at least.
pub(super) fn run(pass: pass::BackwardWeights<'_>, d_weight: &mut [f32]) {
    let pass::BackwardWeights { d, n, input, .. } = pass;
    // Which way goes by the outputs' order; an input that could be in the same one is brought there.
    if d.input.is_blocked() != d.output.is_blocked() && d.input.c.is_multiple_of(Order::BLOCK) {
        let mut changed = scratch::lend(scratch::Use::Outer, input.len());
        order::change(&d.input, n, input, &mut changed);
        let d = Conv { input: Map { order: d.output.order, ..d.input }, ..*d };
        return run(pass::BackwardWeights { d: &d, input: &changed, ..pass }, d_weight);
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(amx) = matrix::applies(pass.isa, d, n) {
        return matrix::run(pass, amx, d_weight);
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(amx) = stem::applies(pass.isa, d, n) {
        return stem::run(pass, amx, d_weight);
    }
    let source = Im2col::of_input(d, 0, input);
    if d.output.is_blocked() && source.is_pointwise() && !source.is_identity() && d.output.c >= GATHERED {
        // Each task would reach over what no position reads.
        let read = Map { h: d.output.h, w: d.output.w, ..d.input };
        let mut gathered = scratch::lend(scratch::Use::Outer, n * read.len());
        gather(d, &source, &mut gathered);
        let window = Window { stride: [1, 1], ..d.window };
        let d = Conv { input: read, window, ..*d };
        return run(pass::BackwardWeights { d: &d, input: &gathered, ..pass }, d_weight);
    }
    let grid = Grid::of(d, n);
    in_chunks(grid.chunks, d_weight, |sums| products(pass, &grid, sums));
}

/// Copies what the positions of a kernel of one tap read, of channels in blocks.
fn gather(d: &Conv, source: &Im2col<'_>, gathered: &mut [f32]) {
    let ([h, w], blocks, work) = (source.grid, d.input.c / Order::BLOCK, gathered.len());
    each(gathered, h * w * Order::BLOCK, work, |index, to| {
        let (sample, block) = (index / blocks, index % blocks);
        let map = &source.data[sample * source.sample + block * d.input.plane() * Order::BLOCK..];
        for (position, to) in to.chunks_exact_mut(Order::BLOCK).enumerate() {
            to.copy_from_slice(&map[source.place(position / w, position % w)..][..Order::BLOCK]);
        }
    });
}

/// Has the sums of so many chunks of the positions computed, one set of weights after the other, and adds them up in order.
fn in_chunks(chunks: usize, d_weight: &mut [f32], compute: impl FnOnce(&mut [f32])) {
    if chunks == 1 {
        return compute(d_weight);
    }
    let len = d_weight.len();
    let mut partial = scratch::lend(scratch::Use::Pass, chunks * len);
    compute(&mut partial);
    let (partial, shared) = (&partial, Shared::new(d_weight));
    // Memory takes about as long to read a float as some multiply-accumulates.
    let (macs, parts) = (4 * partial.len(), TASKS);
    parallel::for_each(parts, macs, |index| {
        let weights = part(len, parts, Order::BLOCK, index);
        // SAFETY: each task has weights of its own.
        let sums = unsafe { shared.part(weights.clone()) };
        sums.copy_from_slice(&partial[weights.clone()]);
        for chunk in partial.chunks_exact(len).skip(1) {
            for (sum, value) in sums.iter_mut().zip(&chunk[weights.clone()]) {
                *sum += value;
            }
        }
    });
}

/// Writes the sums of all chunks of the batch, one set of weights after the other.
fn products(pass: pass::BackwardWeights<'_>, grid: &Grid, sums: &mut [f32]) {
    let pass::BackwardWeights { isa, d, n, input, d_output } = pass;
    let sums = Shared::new(sums);
    let macs = n * d.output.plane() * d.weight_len();
    parallel::for_each(grid.tasks(d), macs, |index| {
        let (oc_part, index) = (index % grid.oc_parts, index / grid.oc_parts);
        let (ic_part, index) = (index % grid.ic_parts, index / grid.ic_parts);
        let (group, chunk) = (index % d.groups, index / d.groups);
        // SAFETY: there is a whole set of weights for each chunk.
        let sums = unsafe { sums.skip(chunk * d.weight_len()) };
        let samples = part(n, grid.chunks, 1, chunk);
        if d.output.is_blocked() {
            let channels = part(d.output.c, grid.oc_parts, Blocks::MOST, oc_part);
            let inputs = part(d.input.c, grid.ic_parts, d.input.block(), ic_part);
            return blocked::Task { d, input, d_output, channels, inputs, samples, sums }.run(isa);
        }
        isa.run(Task {
            d,
            input: lines(Im2col::of_input(d, group, input)),
            step: if d.output.w > 1 { d.window.stride[1] } else { 1 },
            d_output,
            group,
            channels: part(d.output.c / d.groups, grid.oc_parts, Blocks::MOST, oc_part),
            inputs: part(d.input.c / d.groups, grid.ic_parts, 1, ic_part),
            samples,
            sums,
        });
    });
}

/// The input with its lines as the tile wants them: one after the other whatever the stride, and for a 1x1 convolution
/// that reads the input in place, of a better length than the map's.
fn lines(input: Im2col<'_>) -> Im2col<'_> {
    if !input.is_identity() {
        let [h, w] = input.grid;
        return Im2col { grid: [h, (w - 1) * input.stride[1] + 1], stride: [input.stride[0], 1], ..input };
    }
    input.in_lines(POSITIONS)
}

/// The gradient of the weights between two ranges of channels of a group, over some samples.
struct Task<'a> {
    d: &'a Conv,
    input: Im2col<'a>,
    /// Distance between positions of a line.
    step: usize,
    d_output: &'a [f32],
    group: usize,
    /// Output channels, within the group.
    channels: Range<usize>,
    /// Input channels, within the group.
    inputs: Range<usize>,
    samples: Range<usize>,
    sums: Shared,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        if self.channels.is_empty() || self.inputs.is_empty() {
            return;
        }
        let ([h, across], w) = (self.input.grid, self.positions());
        let chunks = h.div_ceil((POSITIONS / w).max(1));
        let width = self.channels.len().next_multiple_of(2 * S::LANES);
        let rows = self.rows(simd);
        let most_lines = h.div_ceil(chunks);
        let stage = self.input.stage(&(0..most_lines * across));
        // A group may reach two channels past the last: their sums are nobody's.
        let staged_len = self.input.filled_len(&stage, self.inputs.len() + 2);
        let (sums_len, panels_len) = (rows * width, most_lines * w * width);
        let mut buffer = scratch::lend(scratch::Use::Task, sums_len + panels_len + staged_len);
        let (sums, buffer) = buffer.split_at_mut(sums_len);
        let (packed, staged) = buffer.split_at_mut(panels_len);
        sums.fill(0.0);
        for sample in self.samples.clone() {
            for chunk in 0..chunks {
                let lines = part(h, chunks, 1, chunk);
                let stage = self.input.stage(&((sample * h + lines.start) * across..(sample * h + lines.end) * across));
                self.input.fill(simd, &stage, self.inputs.clone(), staged);
                self.pack(simd, sample, lines.start * w..lines.end * w, packed);
                self.accumulate(simd, &stage, lines.len(), packed, staged, sums);
            }
        }
        self.store(simd, sums);
    }
}

impl Task<'_> {
    /// Transposes `d_output` of some positions into panels.
    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, sample: usize, positions: Range<usize>, packed: &mut [f32]) {
        let plane = self.d.output.plane();
        let first = self.group * (self.d.output.c / self.d.groups);
        let maps = &self.d_output[sample * self.d.output.len() + first * plane..];
        let mut start = 0;
        for (panel, width) in panels(simd, self.channels.clone()) {
            let end = start + positions.len() * width;
            let source = &maps[panel.start * plane + positions.start..];
            transpose(simd, source, plane, panel.len(), width, &mut packed[start..end]);
            start = end;
        }
    }

    /// Adds the products of the staged lines to the sums, which are panels of `[tap][out_channel]`.
    #[inline(always)]
    fn accumulate<S: Simd>(
        &self,
        simd: S,
        stage: &Stage,
        lines: usize,
        packed: &[f32],
        staged: &[f32],
        sums: &mut [f32],
    ) {
        let shape = Shape::of(simd, self.input.kernel);
        let (groups, together) = shape.sizes(simd);
        let (tile_rows, rows) = (groups * together, self.rows(simd));
        let inner = self.distance(stage);
        for first in (0..rows).step_by(tile_rows) {
            let mut places = [0; MAX_GROUPS];
            for (group, place) in places.iter_mut().enumerate().take(groups) {
                *place = self.place(stage, first + group * together);
            }
            let (mut b, mut c) = (0, 0);
            for (_, width) in panels(simd, self.channels.clone()) {
                let tile = &mut sums[c + first * width..][..tile_rows * width];
                let tile = Tile {
                    base: staged.as_ptr(),
                    groups: &places,
                    inner,
                    lines,
                    line: self.input.line(stage),
                    positions: self.positions(),
                    step: self.step,
                    b: packed[b..].as_ptr(),
                    sums: tile.as_mut_ptr(),
                };
                // SAFETY: the stage holds every tap of its lines, the panel a row for each position, and the sums a row
                // for each tap.
                unsafe { tile::compute(simd, shape, width / S::LANES, tile) };
                b += lines * self.positions() * width;
                c += rows * width;
            }
        }
    }

    /// Positions of a line.
    fn positions(&self) -> usize {
        (self.input.grid[1] - 1) / self.step + 1
    }

    /// Rows of sums: the taps, up to a whole number of tiles.
    #[inline(always)]
    fn rows<S: Simd>(&self, simd: S) -> usize {
        let (groups, together) = Shape::of(simd, self.input.kernel).sizes(simd);
        (self.inputs.len() * self.input.taps()).next_multiple_of(groups * together)
    }

    /// Distance between the taps of a group: neighbours in the kernel, or the channels of a kernel of one tap.
    fn distance(&self, stage: &Stage) -> usize {
        match self.input.taps() {
            1 => self.input.tap(stage, 1, 0, 0),
            _ => self.input.dilation[1],
        }
    }

    /// Where the first position meets a tap; tap zero for those past the last, whose sums nobody reads.
    fn place(&self, stage: &Stage, row: usize) -> usize {
        let taps = self.input.taps();
        let tap = row % taps;
        if row / taps >= self.inputs.len() {
            return 0;
        }
        self.input.tap(stage, row / taps, tap / self.input.kernel[1], tap % self.input.kernel[1])
    }

    /// Writes the sums to the weights of this task.
    #[inline(always)]
    fn store<S: Simd>(&self, simd: S, sums: &[f32]) {
        let taps = self.input.taps();
        let rows = self.inputs.len() * taps;
        let pitch = self.rows(simd);
        let first = self.group * (self.d.output.c / self.d.groups);
        let mut start = 0;
        for (panel, width) in panels(simd, self.channels.clone()) {
            for block in Blocks::of(self.d.output.c / self.d.groups).iter() {
                let (begin, end) = (panel.start.max(block.start), panel.end.min(block.end));
                for row in 0..if begin < end { rows } else { 0 } {
                    let at = (first + block.start) * self.d.taps() + (self.inputs.start * taps + row) * block.len();
                    let from = &sums[start + row * width + begin - panel.start..][..end - begin];
                    // SAFETY: the weights from these input channels to these output channels are this task's alone.
                    let to = unsafe { self.sums.part(at + begin - block.start..at + end - block.start) };
                    to.copy_from_slice(from);
                }
            }
            start += pitch * width;
        }
    }
}

/// The gradient by the bias: the sum of each output channel's gradients.
pub(super) fn bias(isa: Isa, outputs: Map, n: usize, d_output: &[f32], d_bias: &mut [f32]) {
    if outputs.is_blocked() {
        return blocked::bias(isa, d_output, outputs.len(), outputs.plane(), d_bias);
    }
    let sums = Shared::new(d_bias);
    // A sum costs about as much as the memory it reads, some multiply-accumulates for each value.
    let parts = outputs.c.div_ceil(8);
    parallel::for_each(parts, 4 * d_output.len(), |index| {
        for oc in part(outputs.c, parts, 1, index) {
            // SAFETY: one value for each channel, and each channel in one task.
            let sum = unsafe { &mut *sums.at(oc) };
            isa.run(ChannelSum { outputs, n, d_output, oc, sum });
        }
    });
}

/// Adds vectors to four sums in turn, which do not wait for one another: of each `step` floats, the one from `lane` on. Sums are
/// named one by one, so that they stay in registers.
#[inline(always)]
fn add_in_turn<S: Simd>(simd: S, values: &[f32], (step, lane): (usize, usize), sums: &mut [S::V; 4]) {
    assert!(lane + S::LANES <= step, "a vector of each step");
    let mut fours = values.chunks_exact(4 * step);
    for four in fours.by_ref() {
        for (v, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the chunk is four steps long.
            *sum = simd.add(*sum, unsafe { simd.load(four.as_ptr().add(v * step + lane)) });
        }
    }
    for (sum, values) in sums.iter_mut().zip(fours.remainder().chunks_exact(step)) {
        // SAFETY: the chunk is a step long.
        *sum = simd.add(*sum, unsafe { simd.load(values.as_ptr().add(lane)) });
    }
}

struct ChannelSum<'a> {
    outputs: Map,
    n: usize,
    d_output: &'a [f32],
    oc: usize,
    sum: &'a mut f32,
}

impl Kernel for ChannelSum<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let plane = self.outputs.plane();
        let mut sums = [simd.splat(0.0); 4];
        let mut rest = 0.0;
        for sample in 0..self.n {
            let map = &self.d_output[sample * self.outputs.len() + self.oc * plane..][..plane];
            let whole = plane / S::LANES * S::LANES;
            rest += map[whole..].iter().sum::<f32>();
            add_in_turn(simd, &map[..whole], (S::LANES, 0), &mut sums);
        }
        let pairs = [simd.add(sums[0], sums[1]), simd.add(sums[2], sums[3])];
        *self.sum = simd.sum(simd.add(pairs[0], pairs[1])) + rest;
    }
}
