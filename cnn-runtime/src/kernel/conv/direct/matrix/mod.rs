//! Kernels on a processor's matrix unit, where channels stand in blocks on both sides.
//!
//! A task writes the digits of the inputs that it reads, in lines with their padding, and those of a block's weights when
//! their turn comes; then all its tiles pass by. Where all weights are few, their digits are kept, and a few tiles at a time
//! meet all blocks. A tile is some positions that follow one another in the lines: what it computes for the places between
//! two lines is dropped.

#[cfg(test)]
mod tests;
mod work;

use std::ops::Range;

use self::work::Work;
use super::{Direct, Finish, TASKS};
use crate::desc::{Conv, Order};
use crate::dispatch::Isa;
use crate::kernel::blocks::{Blocks, LINE};
use crate::kernel::conv::backward_data::Turned;
use crate::kernel::conv::im2col::{Stage, distance};
use crate::kernel::conv::whole::Whole;
use crate::kernel::conv::winograd::Tile;
use crate::kernel::gemm::columns::runs;
use crate::kernel::gemm::{Gemm, Piece};
use crate::kernel::parallel::{self, part};
use crate::kernel::scratch;
use crate::simd::amx::{
    Amx, CLOSE, Exact, Greatest, LEFT, MOST_PRODUCTS, Product, RIGHT, ROWS, STEP, Scale, Tiles, ZEROS, in_steps,
    write_digits, write_right, write_right_turned,
};
use crate::simd::{Kernel, Simd};

/// Blocks of channels of a step.
const BLOCKS: usize = STEP / Order::BLOCK;
/// Tiles side by side in a block of weights.
const HALVES: usize = Blocks::MOST / ROWS;
/// Least output channels: half a tile of fewer would be idle.
const LEAST_CHANNELS: usize = 32;
/// Least part of a step that has to be of use, in quarters.
const LEAST_STEP: usize = 3;
/// Least positions: for fewer, the weights' digits, which come from far, take longer than multiplying on vectors.
const LEAST_POSITIONS: usize = 128;
/// Least positions of a task where each thread has one: with fewer, threads share output channels, and write the digits of
/// other weights. And where each has several, all of which write those of the same weights.
const LEAST_SHARED: usize = 256;
const LEAST_OF_SEVERAL: usize = 1024;
/// Most parts of the positions for each thread where each turns the weights round.
const MOST_TURNED: usize = 2;
/// Most positions of a map, and least channels, where Winograd's way is slower.
const SMALL: usize = 256;
const MANY: usize = 128;
/// Floats that the digits of a task's inputs take up, roughly: three quarters of a second-level cache of two megabytes. Each
/// task more writes the digits of all weights again.
const STAGED: usize = 3 << 17;
/// Most tiles of a task, and most pieces that they are written in.
const MOST: usize = 512;
/// Floats of the digits of weights that are kept, and the blocks of these.
const KEPT: usize = 1 << 16;
const MOST_KEPT: usize = KEPT / (HALVES * RIGHT);
/// Tiles whose inputs' digits are written at a time where those of the weights are kept.
const TOGETHER: usize = 8;
/// Parts in which the greatest input of a sample is looked for.
const PARTS: usize = 4;

/// The unit, if this is the way for a product.
pub(super) fn applies(direct: &Direct<'_>, isa: Isa) -> Option<Amx> {
    let (product, input) = (&direct.product, &direct.input);
    let blocked = input.block == Order::BLOCK && direct.block == Order::BLOCK;
    let pays = blocked && pays(product.k, input.taps(), product.m, product.n);
    isa.matrix().filter(|&amx| pays && Work::new(direct, amx).is_near())
}

/// Whether weights are turned round faster by each task, as it writes their digits, than beforehand by all threads.
pub(super) fn takes_turned(direct: &Direct<'_>, isa: Isa) -> bool {
    applies(direct, isa)
        .is_some_and(|amx| parts(&Work::new(direct, amx), 1) <= MOST_TURNED * parallel::even(1, usize::MAX))
}

/// Whether this is a faster way than Winograd's for `n` samples: on small maps, whose last tiles are cut, and for kernels of
/// 5 x 5, of which tiles save less.
pub(super) fn beats_winograd(isa: Isa, d: &Conv, n: usize) -> bool {
    let weak = (d.output.plane() <= SMALL && d.input.c >= MANY) || d.window.kernel == [5, 5];
    weak && takes(isa, d, n)
}

/// Whether whole maps are made faster than bands of them on vectors, even sample by sample where they are too large for a task:
/// of kernels that Winograd's way is not for, where the digits of all weights, written for each sample, meet many positions.
pub(super) fn beats_bands(isa: Isa, d: &Conv) -> bool {
    d.output.plane() >= LEAST_SHARED && !Tile::ALL.iter().any(|tile| tile.fits(d)) && takes(isa, d, 1)
}

/// Whether the unit is there, and a way for `n` samples of a convolution.
fn takes(isa: Isa, d: &Conv, n: usize) -> bool {
    let blocked = d.input.is_blocked() && d.output.is_blocked() && d.groups == 1 && !d.direct;
    isa.matrix().is_some() && blocked && pays(d.taps(), d.taps() / d.input.c, d.output.c, n * d.output.plane())
}

/// Whether a product pays of so many taps of all channels, taps of each, rows and positions.
fn pays(k: usize, taps: usize, m: usize, n: usize) -> bool {
    let channels = k / taps;
    let full = 4 * channels >= LEAST_STEP * channels.next_multiple_of(STEP);
    full && k < MOST_PRODUCTS && m >= LEAST_CHANNELS && n >= LEAST_POSITIONS
}

/// Computes a product, in parallel if it is large enough; if it has a pool, what this makes of whole maps.
///
/// # Safety
/// As for [`Direct::run`], or [`Direct::run_whole`].
pub(super) unsafe fn run(direct: &Direct<'_>, isa: Isa, amx: Amx, whole: Option<&Whole<'_>>) {
    let work = Work::new(direct, amx);
    let Gemm { m, n, k, .. } = direct.product;
    let (macs, tiles) = (m * n * k, work.all_tiles());
    let mut greatest = scratch::lend(scratch::Use::Pass, if work.pointwise { 0 } else { n / work.plane() * PARTS });
    work.find_greatest(isa, &mut greatest);
    let work = Work { greatest: &greatest, ..work };
    let unit = if whole.is_some() { work.tiles() } else { 1 };
    let (parts, bands) = (parts(&work, unit), Blocks::of(m).count());
    // One for each thread: those of the same positions write the same digits.
    let row_parts = (parallel::even(1, macs) / parts).clamp(1, bands);
    parallel::for_each(parts * row_parts, macs, |index| {
        let tiles = part(tiles, parts, unit, index / row_parts);
        let bands = part(bands, row_parts, 1, index % row_parts);
        if !tiles.is_empty() {
            isa.run(Task { work: &work, whole, tiles, bands });
        }
    });
}

/// Parts that the tiles are cut into, none of which cuts a unit of so many.
fn parts(work: &Work<'_>, unit: usize) -> usize {
    let Gemm { m, n, k, .. } = work.direct.product;
    let (macs, units) = (m * n * k, work.all_tiles() / unit);
    let most = (STAGED / work.staged()).clamp(1, most_tiles(work));
    let least = units.div_ceil((most / unit).max(1));
    // Some for each thread, so that a slow one is waited for less, else one.
    let several = (parallel::parts(TASKS, macs).max(least), LEAST_OF_SEVERAL);
    let ways = [several, (least, LEAST_SHARED)].map(|(parts, each)| (parallel::even(parts, macs).min(units), each));
    ways.into_iter().find(|(parts, each)| n >= parts * each).map_or(least, |(parts, _)| parts)
}

/// Most tiles that a task has room to list.
fn most_tiles(work: &Work<'_>) -> usize {
    let ([written, _], [lines, w]) = (work.direct.product.columns.grid, work.input.grid);
    // A tile is written in a piece for each line that it touches.
    MOST / (1 + if written > 1 || lines > 1 { work.rows.div_ceil(w) } else { 0 })
}

/// Whether a task has room for whole maps, of which it makes all at a time.
pub(super) fn holds_maps(direct: &Direct<'_>, amx: Amx) -> bool {
    let work = Work::new(direct, amx);
    !work.pointwise && work.tiles() <= most_tiles(&work)
}

/// Some tiles of some blocks of output channels.
struct Task<'a> {
    work: &'a Work<'a>,
    /// What takes the largest of whole maps.
    whole: Option<&'a Whole<'a>>,
    tiles: Range<usize>,
    bands: Range<usize>,
}

/// What a task knows of its tiles.
struct Spots {
    /// Where each reads its first place, in floats.
    at: [usize; MOST],
    /// What its sums are multiplied by.
    down: [f32; MOST],
    /// Where the pieces of each end.
    ends: [usize; MOST],
    pieces: [Piece; MOST],
}

/// The digits of a block's weights.
struct Weights<'a> {
    /// For each half of the block, [`RIGHT`] floats for each step.
    digits: &'a mut [f32],
    /// What the sums of each channel are multiplied by.
    down: &'a mut [f32; Blocks::MOST],
    /// Cache lines of the next block that each tile brings nearer.
    ahead: usize,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Work { direct: Direct { product, input, .. }, amx, rows, pointwise, .. } = *self.work;
        let count = self.work.groups() * input.taps();
        let of_band = HALVES * count * RIGHT;
        // Where the digits of all weights are few, they are kept, and those of the inputs written for some tiles at a time.
        let kept = pointwise && self.bands.len() * of_band <= KEPT;
        let together = if kept { TOGETHER } else { self.tiles.len() };
        let groups = || {
            let Range { start, end } = self.tiles;
            (start..end).step_by(together).map(move |first| first..end.min(first + together))
        };
        // Tiles that touch the last line may read a tile's rows behind it.
        let left_len = |tiles| {
            let stage = self.work.stage(&tiles);
            let places = scratch::floats([self.work.groups(), self.work.phases(), stage.lines, stage.pitch]);
            scratch::floats([places + ROWS + stage.pitch, LEFT])
        };
        let left_len = groups().map(left_len).max().unwrap_or(0);
        let right_len = if kept { self.bands.len() } else { 1 } * of_band;
        let samples = self.tiles.start / self.work.tiles()..self.tiles.end.div_ceil(self.work.tiles());
        let maps_len = self.whole.map_or(0, |whole| whole.len(samples.len()));
        let steps_len = count.next_multiple_of(Order::BLOCK);
        let mut buffer = scratch::lend(scratch::Use::Task, left_len + right_len + maps_len + steps_len);
        let (left, rest) = buffer.split_at_mut(left_len);
        let (digits, rest) = rest.split_at_mut(right_len);
        let (maps, steps) = rest.split_at_mut(maps_len);
        let steps = &mut bytemuck::cast_slice_mut::<f32, u32>(steps)[..count];
        let mut downs = [[0.0; Blocks::MOST]; MOST_KEPT];
        let mut spots = Spots {
            at: [0; MOST],
            down: [0.0; MOST],
            ends: [0; MOST],
            pieces: [Piece { from: 0, to: 0, at: 0, step: 1 }; MOST],
        };
        amx.with_rows(
            rows,
            #[inline(always)]
            |unit| {
                for tiles in groups() {
                    let is_first = tiles.start == self.tiles.start;
                    let is_last = tiles.end == self.tiles.end;
                    let group = Task { tiles, bands: self.bands.clone(), ..self };
                    let stage = self.work.stage(&group.tiles);
                    group.list_steps(&stage, steps);
                    group.list_tiles(&stage, &mut spots);
                    group.write_left(&stage, left, &mut spots);
                    for (index, band) in self.bands.clone().enumerate() {
                        let channels = Blocks::of(product.m).rows(band);
                        let index = if kept { index } else { 0 };
                        // Each tile is multiplied with each half of a block.
                        let lines = (ROWS * product.k / LINE).div_ceil(group.tiles.len());
                        let mut weights = Weights {
                            digits: &mut digits[index * of_band..][..of_band],
                            down: &mut downs[index],
                            ahead: if is_last || !kept { lines } else { 0 },
                        };
                        if is_first || !kept {
                            group.write_right(simd, &channels, &mut weights);
                        }
                        let finish = match self.whole {
                            Some(whole) => whole.finish(&product.post, channels.clone(), samples.start, maps),
                            // SAFETY: the promise to `run`: these rows' maps are in the shared slice.
                            None => unsafe { self.work.direct.finish(channels.clone()) },
                        };
                        group.multiply(simd, unit, &channels, &finish, left, steps, &weights, &spots);
                        if let Some(whole) = self.whole {
                            // SAFETY: the promise to `run`; these channels of these samples are this task's alone.
                            unsafe { whole.write(simd, samples.clone(), &channels, maps, product.c) };
                        }
                    }
                }
            },
        );
    }
}

impl Task<'_> {
    /// How far each step is from the first, in bytes: `[group][tap]`.
    fn list_steps(&self, stage: &Stage, steps: &mut [u32]) {
        let Work { input, .. } = *self.work;
        let (group, taps, [_, across]) = (self.work.group(stage), input.taps(), input.kernel);
        for (index, step) in steps.iter_mut().enumerate() {
            let (group, tap) = (index / taps * group, index % taps);
            let place = input.tap(stage, 0, tap / across, tap % across) / input.block;
            *step = distance((group + place) * LEFT * size_of::<f32>());
        }
    }

    /// Where the tiles are read and written.
    fn list_tiles(&self, stage: &Stage, spots: &mut Spots) {
        let Work { direct, input, pitch, .. } = *self.work;
        let columns = &direct.product.columns;
        let mut count = 0;
        for (index, tile) in self.tiles.clone().enumerate() {
            let (sample, places) = self.work.place(tile);
            let place = input.position(stage, sample, places.start / pitch, places.start % pitch) / input.block;
            spots.at[index] = place * LEFT;
            for (from, positions) in self.work.lines(tile) {
                for run in runs(columns.grid, positions) {
                    let row = from + run.at;
                    let at = columns.offset(&run) as isize - (row * columns.x) as isize;
                    spots.pieces[count] = Piece { from: row, to: row + run.len, at, step: columns.x };
                    count += 1;
                }
            }
            spots.ends[index] = count;
        }
    }

    /// Writes the digits of the inputs of all tiles: `[group][phase][line][place]`.
    #[inline(always)]
    fn write_left(&self, stage: &Stage, left: &mut [f32], spots: &mut Spots) {
        let Work { input, pointwise, .. } = *self.work;
        let group_len = self.work.group(stage) * LEFT;
        let apart = input.map[0] * input.map[1] * Order::BLOCK;
        let step = input.stride[1] * Order::BLOCK;
        if pointwise {
            for (index, tile) in self.tiles.clone().enumerate() {
                let (sample, places) = self.work.place(tile);
                let Scale { up, down } = self.work.scale(tile);
                spots.down[index] = down;
                for group in 0..self.work.groups() {
                    let to = &mut left[group * group_len + spots.at[index]..];
                    self.work.for_each_run(
                        &places,
                        #[inline(always)]
                        |place, at, len| {
                            let to = &mut to[(place - places.start) * LEFT..][..len * LEFT];
                            self.write_row(self.work.sample(sample), group, apart, at, step, up, to);
                        },
                    );
                }
            }
            return;
        }
        for (index, tile) in self.tiles.clone().enumerate() {
            spots.down[index] = self.work.scale(tile).down;
        }
        for (group, left) in left.chunks_exact_mut(group_len).take(self.work.groups()).enumerate() {
            input.for_each_row(
                stage,
                #[inline(always)]
                |phase, place, from| {
                    let to = &mut left[place * LEFT..][..stage.pitch * LEFT];
                    let Some(from) = from else { return to.fill(0.0) };
                    let sample = from / input.sample;
                    let (inside, first) = input.inside(phase, stage.pitch);
                    to[..inside.start * LEFT].fill(0.0);
                    to[inside.end * LEFT..].fill(0.0);
                    if !inside.is_empty() {
                        let up = self.work.scale(sample * self.work.tiles()).up;
                        let at = from % input.sample + first * Order::BLOCK;
                        let to = &mut to[inside.start * LEFT..inside.end * LEFT];
                        self.write_row(self.work.sample(sample), group, apart, at, step, up, to);
                    }
                },
            );
        }
    }

    /// Writes the digits of some places of a group, which begin at `at` in a map and are `step` floats apart.
    #[inline(always)]
    #[expect(clippy::too_many_arguments)] // both sides, and where they stand
    fn write_row(&self, sample: &[f32], group: usize, apart: usize, at: usize, step: usize, up: f32, to: &mut [f32]) {
        let places = to.as_chunks_mut::<LEFT>().0;
        let Some(last) = places.len().checked_sub(1) else { return };
        let blocks: [_; BLOCKS] = std::array::from_fn(|block| {
            let from = (group * BLOCKS + block) * apart;
            if from < sample.len() {
                (sample[from + at..][..last * step + Order::BLOCK].as_ptr(), step)
            } else {
                (ZEROS.as_ptr(), 0)
            }
        });
        let up = [up; 16];
        for (index, place) in places.iter_mut().enumerate() {
            let sources = blocks.map(|(block, step)| block.wrapping_add(index * step));
            // SAFETY: just measured; a processor with a matrix unit has AVX-512.
            unsafe { write_digits(sources, up.as_ptr(), place.as_mut_ptr(), STEP / 4) };
        }
    }

    /// Writes the digits of a block's weights.
    #[inline(always)]
    fn write_right<S: Simd>(&self, simd: S, channels: &Range<usize>, into: &mut Weights<'_>) {
        let steps = self.work.groups() * self.work.input.taps();
        for half in 0..channels.len() / ROWS {
            let digits = &mut into.digits[half * steps * RIGHT..][..steps * RIGHT];
            let downs = match &self.work.direct.turned {
                Some(turned) => self.write_turned(simd, turned, channels.start + half * ROWS, digits),
                None => self.write_rows(channels, half * ROWS, digits),
            };
            into.down[half * ROWS..][..ROWS].copy_from_slice(&downs);
        }
    }

    /// Writes the digits of sixteen channels of a block from the given one on. Returns what their sums are multiplied by.
    #[inline(always)]
    fn write_rows(&self, channels: &Range<usize>, first: usize, digits: &mut [f32]) -> [f32; ROWS] {
        let Direct { product, input, .. } = self.work.direct;
        let (len, taps) = (channels.len(), input.taps());
        let from = product.a[channels.start * product.k..channels.end * product.k][first..].as_ptr();
        let rows = |step: usize| {
            let (group, tap) = (step / taps * STEP, step % taps);
            move |row: usize| {
                std::array::from_fn(|block| {
                    let k = (group + block * Order::BLOCK + row) * taps + tap;
                    if k < product.k { from.wrapping_add(k * len) } else { ZEROS.as_ptr() }
                })
            }
        };
        // SAFETY: a vector of these channels stands at each depth; a processor with a matrix unit has AVX-512.
        unsafe { write_right(Greatest::none().and_all(from, product.k, len), digits, rows) }
    }

    /// As [`Task::write_rows`] from the given channel on, of weights that are to be turned round.
    #[inline(always)]
    fn write_turned<S: Simd>(&self, simd: S, turned: &Turned<'_>, first: usize, digits: &mut [f32]) -> [f32; ROWS] {
        let (taps, outputs) = (self.work.input.taps(), turned.outputs());
        let columns = |step: usize| {
            let (group, tap) = (step / taps * STEP, step % taps);
            std::array::from_fn(|block| {
                let output = group + block * Order::BLOCK;
                if output >= outputs.len() {
                    return (ZEROS.as_ptr(), 0);
                }
                let block = outputs.rows(output / Blocks::MOST);
                let (from, apart) = (turned.from(&block, first, tap), turned.apart(&block));
                (from[output - block.start..][..(ROWS - 1) * apart + Order::BLOCK].as_ptr(), apart)
            })
        };
        // SAFETY: just measured, for each channel a vector of outputs; there is a matrix unit.
        unsafe { write_right_turned(simd, digits, columns) }
    }

    /// Multiplies all tiles with a block's weights, and writes what becomes of the sums.
    #[inline(always)]
    #[expect(clippy::too_many_arguments)] // both sides, and where they stand
    fn multiply<S: Simd>(
        &self,
        simd: S,
        tiles: Tiles,
        channels: &Range<usize>,
        finish: &Finish,
        left: &[f32],
        steps: &[u32],
        weights: &Weights<'_>,
        spots: &Spots,
    ) {
        // While a block is at work, the next one is brought nearer; behind the last one stand those of the next layer.
        let mut next = self.work.direct.weights(channels.end);
        let mut exact = Exact::ZERO;
        for half in 0..channels.len() / ROWS {
            let right = &weights.digits[half * steps.len() * RIGHT..][..steps.len() * RIGHT];
            // SAFETY: a scale for each channel.
            let downs = unsafe { simd.load(weights.down[half * ROWS..][..ROWS].as_ptr()) };
            let vector = finish.vector(simd, half * ROWS).scaled(simd, downs);
            let mut begin = 0;
            for index in 0..self.tiles.len() {
                next.ask(simd, weights.ahead);
                let multiplied = Product {
                    left: left[spots.at[index]..].as_ptr(),
                    left_apart: CLOSE,
                    steps: steps.as_ptr(),
                    count: steps.len(),
                    right: right.as_ptr(),
                    sums: &raw mut exact,
                };
                let pieces = &spots.pieces[begin..spots.ends[index]];
                begin = spots.ends[index];
                let [down, rest] = in_steps(spots.down[index]);
                let vector = vector.scaled(simd, simd.splat(rest));
                // SAFETY: the stage holds every tap of a tile's positions, and behind its last line as many rows as a tile
                // has; the right side is just measured. The outputs of these positions and channels are this task's alone.
                unsafe {
                    tiles.multiply(&multiplied);
                    vector.put_all(
                        simd,
                        pieces,
                        #[inline(always)]
                        |position| exact.row(simd, position, down),
                    );
                }
            }
        }
    }
}
