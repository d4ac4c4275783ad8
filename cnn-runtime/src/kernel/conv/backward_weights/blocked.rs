//! The gradient by the weights where the outputs' gradients have channels in blocks: a vector of output channels is read
//! where it stands, and the inputs that it meets are broadcast.
//!
//! A tile is some neighbouring inputs, channels of a block or taps of a line, by two vectors of output channels: its sums
//! stay in registers over all positions that are at hand. They are the weights' gradient as it stands in memory.

use std::ops::Range;

use super::{add_in_turn, lines};
use crate::desc::{Conv, Map, Order};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::im2col::{Im2col, Stage};
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Positions at a time, roughly: their vectors of output channels fill half of a first-level cache.
const POSITIONS: usize = 192;
/// Floats of inputs and gradients that the caches nearby hold: a second-level cache of two megabytes. Of more, those of the
/// next positions are asked for ahead of time.
const NEARBY: usize = 1 << 19;
/// Most stretches of positions at a time.
const MOST_RUNS: usize = POSITIONS;
/// Most rows of a tile on any instruction set.
const MOST_ROWS: usize = 8;

/// Most rows of a tile.
#[inline(always)]
const fn most_rows<S: Simd>() -> usize {
    if S::LANES == 16 { MOST_ROWS } else { MOST_ROWS / 2 }
}

/// Sums up `samples` into the gradients between some input and some output channels of a convolution without groups.
pub(super) struct Task<'a> {
    pub d: &'a Conv,
    pub input: &'a [f32],
    pub d_output: &'a [f32],
    /// Output channels, whole [`Blocks`].
    pub channels: Range<usize>,
    /// Input channels; where they stand in blocks, whole ones.
    pub inputs: Range<usize>,
    pub samples: Range<usize>,
    /// All gradients; those between these channels are this task's alone.
    pub sums: Shared,
}

impl Task<'_> {
    /// Runs it.
    pub(super) fn run(self, isa: Isa) {
        isa.run(Checked(self));
    }
}

/// A task of [`Task::run`].
struct Checked<'a>(Task<'a>);

impl Kernel for Checked<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let task = self.0;
        if task.channels.is_empty() || task.inputs.is_empty() || task.samples.is_empty() {
            return;
        }
        let source = Im2col::of_input(task.d, 0, task.input);
        let in_place = source.block > 1 && source.is_pointwise();
        let source = if in_place || source.is_identity() { source } else { lines(source) };
        let ([h, across], [_, w]) = (source.grid, [task.d.output.h, task.d.output.w]);
        // Lines of all samples, or where the input is read in place, positions.
        let (unit, per_sample) = if in_place { (1, h * across) } else { (w, h) };
        let (first, last) = (task.samples.start * per_sample, task.samples.end * per_sample);
        let together = (POSITIONS / unit).clamp(1, MOST_RUNS);
        let most = together.min(last - first);
        let staged_len = if in_place { 0 } else { staged_len(&source, most, task.inputs.len()) };
        let mut buffer = scratch::lend(scratch::Use::Task, staged_len);
        for begin in (first..last).step_by(together) {
            let at_hand = begin..(begin + together).min(last);
            let mut runs = Runs::NONE;
            if in_place {
                runs.in_place(task.d, &source, at_hand.clone());
                let far = source.is_identity() && task.input.len() + task.d_output.len() > NEARBY;
                let next = (far && at_hand.end < last).then(|| (at_hand.end / per_sample, at_hand.end % per_sample));
                task.accumulate(simd, &runs, next, begin == first);
            } else {
                let stage = source.stage(&(at_hand.start * across..at_hand.end * across));
                source.fill(simd, &stage, task.inputs.clone(), &mut buffer);
                runs.staged(task.d, &source, &stage, at_hand);
                task.accumulate_taps(simd, &runs, &source, &stage, &buffer, begin == first);
            }
        }
    }
}

/// Floats of a stage of so many lines, wherever they begin.
fn staged_len(source: &Im2col<'_>, lines: usize, channels: usize) -> usize {
    let [h, across] = source.grid;
    // From the last line of a sample on they meet the most samples, and each of these has its padding.
    let stage = source.stage(&((h - 1) * across..(h - 1 + lines) * across));
    source.filled_len(&stage, channels)
}

/// Stretches of positions that are evenly spaced in the input and in the outputs' gradients.
struct Runs {
    runs: [Run; MOST_RUNS],
    len: usize,
    /// Distance between positions in the input.
    step: usize,
}

/// Positions of one line.
#[derive(Clone, Copy)]
struct Run {
    /// The first, in what is read of the input.
    input: usize,
    /// The first, in the outputs' gradients of the first channel.
    d_output: usize,
    /// Positions.
    len: usize,
}

impl Runs {
    const NONE: Self = Runs { runs: [Run { input: 0, d_output: 0, len: 0 }; MOST_RUNS], len: 0, step: Order::BLOCK };

    fn push(&mut self, run: Run) {
        self.runs[self.len] = run;
        self.len += 1;
    }

    /// Positions of all samples, each of which reads one place of the input.
    fn in_place(&mut self, d: &Conv, source: &Im2col<'_>, positions: Range<usize>) {
        let [h, w] = source.grid;
        let line = if source.is_identity() { h * w } else { w };
        self.step = source.stride[1] * Order::BLOCK;
        let mut at = positions.start;
        while at < positions.end {
            let (sample, inside) = (at / (h * w), at % (h * w));
            let (y, x) = (inside / line, inside % line);
            let len = (line - x).min(positions.end - at);
            let input = sample * d.input.len() + source.place(y, x);
            self.push(Run { input, d_output: sample * d.output.len() + inside * Order::BLOCK, len });
            at += len;
        }
    }

    /// Lines of all samples.
    fn staged(&mut self, d: &Conv, source: &Im2col<'_>, stage: &Stage, lines: Range<usize>) {
        let (h, w) = (d.output.h, d.output.w);
        self.step = source.block * if w > 1 { d.window.stride[1] } else { 1 };
        for line in lines {
            let (sample, y) = (line / h, line % h);
            let d_output = sample * d.output.len() + y * w * Order::BLOCK;
            self.push(Run { input: source.position(stage, sample, y, 0), d_output, len: w });
        }
    }

    fn as_slice(&self) -> &[Run] {
        &self.runs[..self.len]
    }
}

/// Rows that neighbours in the input belong to.
#[derive(Clone, Copy)]
struct Rows {
    /// The first one's place in what is read.
    place: usize,
    /// The first row: of input channels and taps.
    first: usize,
    /// Rows.
    len: usize,
    /// Distance between them, in rows.
    apart: usize,
    /// What to ask for ahead of time: a cache line at each position.
    ahead: Option<*const f32>,
}

impl Task<'_> {
    /// Adds what some positions give to all rows of a kernel of one tap that is read in place. Those after them begin at
    /// `next`, a sample and a position in it, of both maps alike.
    #[inline(always)]
    fn accumulate<S: Simd>(&self, simd: S, runs: &Runs, next: Option<(usize, usize)>, fresh: bool) {
        let rows = most_rows::<S>();
        let block = |map: &Map, (sample, position): (usize, usize), block: usize| {
            sample * map.len() + (block * map.plane() + position) * Order::BLOCK
        };
        let [inputs, outputs] =
            [&self.inputs, &self.channels].map(|range| range.start / Order::BLOCK..range.end / Order::BLOCK);
        // Tiles share out the blocks whose next positions are asked for, as evenly as may be.
        let (asked, tiles) = (inputs.len() + outputs.len(), self.blocks().count() * (self.inputs.len() / rows));
        let asked_before = |tile: usize| (tile * asked).div_ceil(tiles);
        let mut sources = next.into_iter().flat_map(|next| {
            let inputs = inputs.clone().map(move |index| &self.input[block(&self.d.input, next, index)..]);
            inputs.chain(outputs.clone().map(move |index| &self.d_output[block(&self.d.output, next, index)..]))
        });
        let mut tile = 0;
        for channels in self.blocks() {
            for first in self.inputs.clone().step_by(rows) {
                let asks = asked_before(tile) < asked_before(tile + 1);
                let ahead = if asks { sources.next().map(<[f32]>::as_ptr) } else { None };
                tile += 1;
                let place = block(&self.d.input, (0, 0), first / Order::BLOCK) + first % Order::BLOCK;
                let rows = Rows { place, first, len: rows, apart: 1, ahead };
                self.rows(simd, runs, self.input, channels.clone(), rows, fresh);
            }
        }
    }

    /// Adds what the staged positions give to all rows.
    #[inline(always)]
    fn accumulate_taps<S: Simd>(
        &self,
        simd: S,
        runs: &Runs,
        source: &Im2col<'_>,
        stage: &Stage,
        read: &[f32],
        fresh: bool,
    ) {
        let (most, taps, [kernel_h, kernel_w]) = (most_rows::<S>(), source.taps(), source.kernel);
        for channels in self.blocks() {
            if source.block > 1 {
                // Channels of a block are neighbours.
                for (index, ic) in self.inputs.clone().enumerate().step_by(most) {
                    for tap in 0..taps {
                        let place = source.tap(stage, index, tap / kernel_w, tap % kernel_w);
                        let rows = Rows { place, first: ic * taps + tap, len: most, apart: taps, ahead: None };
                        self.rows(simd, runs, read, channels.clone(), rows, fresh);
                    }
                }
                continue;
            }
            // Taps of a line are, unless they are dilated.
            let most = if source.dilation[1] == 1 { most } else { 1 };
            for (index, ic) in self.inputs.clone().enumerate() {
                for kh in 0..kernel_h {
                    let parts = kernel_w.div_ceil(most);
                    for taps_of in (0..parts).map(|index| part(kernel_w, parts, 1, index)) {
                        let place = source.tap(stage, index, kh, taps_of.start);
                        let first = ic * taps + kh * kernel_w + taps_of.start;
                        let rows = Rows { place, first, len: taps_of.len(), apart: 1, ahead: None };
                        self.rows(simd, runs, read, channels.clone(), rows, fresh);
                    }
                }
            }
        }
    }

    /// The output channels, block by block.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let (channels, all) = (self.channels.clone(), Blocks::of(self.d.output.c));
        (channels.start / Blocks::MOST..channels.end.div_ceil(Blocks::MOST)).map(move |index| all.rows(index))
    }

    /// Adds what some positions give to some rows of a block of output channels.
    #[inline(always)]
    fn rows<S: Simd>(&self, simd: S, runs: &Runs, read: &[f32], channels: Range<usize>, rows: Rows, fresh: bool) {
        let (plane, depth) = (self.d.output.plane(), self.d.taps());
        for begin in (0..channels.len()).step_by(2 * S::LANES) {
            let vectors = ((channels.len() - begin) / S::LANES).min(2);
            let block = (channels.start + begin) / Order::BLOCK * Order::BLOCK * plane;
            // SAFETY: the rows of these channels are in the sums.
            let sums = unsafe { self.sums.at(channels.start * depth + rows.first * channels.len() + begin) };
            let tile = Tile {
                runs: runs.as_slice(),
                input: read[rows.place..].as_ptr(),
                step: runs.step,
                d_output: self.d_output[block + begin % Order::BLOCK..].as_ptr(),
                next_vector: if S::LANES < Order::BLOCK { S::LANES } else { Order::BLOCK * plane },
                sums,
                next_row: rows.apart * channels.len(),
                fresh,
                ahead: rows.ahead,
            };
            // SAFETY: the runs are in what is read, for all rows, and in the gradients; the sums are this task's alone.
            unsafe { compute(simd, rows.len, vectors, tile) };
        }
    }
}

/// A tile to compute.
struct Tile<'a> {
    runs: &'a [Run],
    /// The first row's input of the first place.
    input: *const f32,
    /// Distance between positions of a run.
    step: usize,
    /// The gradients of the first channel.
    d_output: *const f32,
    /// Distance between vectors of channels.
    next_vector: usize,
    /// The first row.
    sums: *mut f32,
    /// Distance between rows.
    next_row: usize,
    /// Whether the sums begin here.
    fresh: bool,
    /// As [`Rows::ahead`].
    ahead: Option<*const f32>,
}

/// Computes a tile of `rows` by `vectors`.
///
/// # Safety
/// `1 <= rows <= most_rows`, `vectors` is one or two; all that the tile names can be read, and the sums written.
#[inline(always)]
unsafe fn compute<S: Simd>(simd: S, rows: usize, vectors: usize, tile: Tile<'_>) {
    macro_rules! dispatch {
        ($($rows:literal)+) => {
            match rows {
                $($rows => if const { $rows <= most_rows::<S>() } {
                    if vectors == 1 {
                        simd.call(Sized::<$rows, 1, false>(tile));
                    } else if const { $rows == most_rows::<S>() } && tile.ahead.is_some() {
                        simd.call(Sized::<$rows, 2, true>(tile));
                    } else {
                        simd.call(Sized::<$rows, 2, false>(tile));
                    }
                })+
                _ => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    dispatch!(1 2 3 4 5 6 7 8);
}

/// A tile whose sizes are known to the compiler, and whether it asks for what comes next. Made by [`compute`] alone, under its
/// conditions.
struct Sized<'a, const R: usize, const NV: usize, const AHEAD: bool>(Tile<'a>);

impl<const R: usize, const NV: usize, const AHEAD: bool> Kernel for Sized<'_, R, NV, AHEAD> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Tile { runs, input, step, d_output, next_vector, sums, next_row, fresh, ahead } = self.0;
        let mut line = ahead.unwrap_or(input);
        let mut acc = [[simd.splat(0.0); NV]; R];
        // SAFETY: `compute` was promised all that is read and written here.
        unsafe {
            if !fresh {
                for (r, acc) in acc.iter_mut().enumerate() {
                    for (v, acc) in acc.iter_mut().enumerate() {
                        *acc = simd.load(sums.add(r * next_row + v * S::LANES));
                    }
                }
            }
            for run in runs {
                let (mut input, mut d_output) = (input.add(run.input), d_output.add(run.d_output));
                for _ in 0..run.len {
                    if AHEAD {
                        simd.prefetch_later(line);
                        line = line.wrapping_add(Order::BLOCK);
                    }
                    let mut right = [simd.splat(0.0); NV];
                    for (v, right) in right.iter_mut().enumerate() {
                        *right = simd.load(d_output.add(v * next_vector));
                    }
                    for (r, acc) in acc.iter_mut().enumerate() {
                        let left = simd.splat(*input.add(r));
                        for (acc, &right) in acc.iter_mut().zip(&right) {
                            *acc = simd.mul_add(left, right, *acc);
                        }
                    }
                    (input, d_output) = (input.wrapping_add(step), d_output.wrapping_add(Order::BLOCK));
                }
            }
            for (r, acc) in acc.iter().enumerate() {
                for (v, &acc) in acc.iter().enumerate() {
                    simd.store(sums.add(r * next_row + v * S::LANES), acc);
                }
            }
        }
    }
}

/// The gradient by the bias of outputs in blocks of channels: sums over all positions.
pub(super) fn bias(isa: Isa, d_output: &[f32], sample: usize, plane: usize, d_bias: &mut [f32]) {
    let blocks = d_bias.len() / Order::BLOCK;
    let sums = Shared::new(d_bias);
    parallel::for_each(blocks, 4 * d_output.len(), |block| {
        // SAFETY: sixteen values for each block, and each block in one task.
        let sums = unsafe { sums.part(block * Order::BLOCK..(block + 1) * Order::BLOCK) };
        let first = block * plane * Order::BLOCK;
        isa.run(BlockSum { d_output, sample, positions: first..first + plane * Order::BLOCK, sums });
    });
}

/// Sums a block of channels over the positions of all samples.
struct BlockSum<'a> {
    d_output: &'a [f32],
    /// Floats of a sample.
    sample: usize,
    /// The block's floats in each.
    positions: Range<usize>,
    sums: &'a mut [f32],
}

impl Kernel for BlockSum<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let BlockSum { d_output, sample, positions, sums } = self;
        for (lane, sums) in (0..Order::BLOCK).step_by(S::LANES).zip(sums.chunks_exact_mut(S::LANES)) {
            let mut parts = [simd.splat(0.0); 4];
            for sample in d_output.chunks_exact(sample) {
                add_in_turn(simd, &sample[positions.clone()], (Order::BLOCK, lane), &mut parts);
            }
            let sum = simd.add(simd.add(parts[0], parts[1]), simd.add(parts[2], parts[3]));
            // SAFETY: the chunk is a vector long.
            unsafe { simd.store(sums.as_mut_ptr(), sum) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::staged_len;
    use crate::kernel::conv::checks::{conv, window};
    use crate::kernel::conv::im2col::Im2col;

    #[test]
    fn a_stage_is_as_long_as_its_lines_need_and_no_longer() {
        for (size, kernel) in [([1, 1], 1), ([2, 1], 3), ([5, 4], 3), ([7, 9], 5)] {
            let window = window([kernel; 2], [1, 1], [1, 1], [kernel / 2; 4]);
            let d = conv([16, size[0], size[1]], 16, window, 1).expect("the kernel fits");
            let (source, [h, w]) = (Im2col::of_input(&d, 0, &[]), size);
            for lines in 1..40 {
                let needed = |first: usize| source.filled_len(&source.stage(&(first * w..(first + lines) * w)), 16);
                assert_eq!(Some(staged_len(&source, lines, 16)), (0..2 * h).map(needed).max(), "{lines} of {d:?}");
            }
        }
    }
}
