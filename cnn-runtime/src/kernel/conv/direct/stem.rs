//! Convolutions of a few input channels, as those that read images, on a processor's matrix unit.
//!
//! The digits of an input line stand pixel by pixel, channels side by side: what a row of a kernel meets is a run of bytes.
//! A position's runs, copied behind one another, are its row of the left side.
//!
//! Each line of positions has its own scale, that of the input lines that it reads. Scales are powers of two, so those of
//! neighbours are the same as a rule, and an input line's digits are written once.

use std::ops::Range;

use super::{Direct, TASKS};
use crate::desc::Order;
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::im2col::Im2col;
use crate::kernel::gemm::columns::runs;
use crate::kernel::gemm::{Gemm, Piece};
use crate::kernel::parallel::{self, part};
use crate::kernel::scratch;
use crate::simd::amx::{
    Amx, DIGITS, Exact, Greatest, LEFT, Product, RIGHT, ROWS, STEP, Scale, Tiles, ZEROS, in_steps, steps_apart,
    write_pixels, write_right,
};
use crate::simd::{Kernel, Simd};

/// Most input channels: a pixel's digits are written as four bytes.
const CHANNELS: usize = 4;
/// Least taps and output channels: fewer would leave the unit idle.
const LEAST_TAPS: usize = 48;
const LEAST_ROWS: usize = 32;
/// Least pixels of a map: for fewer, the weights' digits are of too little use. Not positions, for these may be those of a
/// part of a map, and all parts have to go the same way.
const LEAST_PIXELS: usize = 512;
/// Most lines from the first that a kernel meets to the last.
const MOST_REACH: usize = 16;
/// Most steps: those of all runs of a kernel.
const MOST_STEPS: usize = MOST_REACH * VECTOR / STEP;
/// Pixels that are written at once.
const PIXELS: usize = 16;
/// Bytes of a vector.
const VECTOR: usize = 64;
/// Most tiles whose left sides are kept, and floats of them, roughly: half a megabyte stays in the second-level cache.
const MOST: usize = 64;
const STAGED: usize = 1 << 17;

/// The unit, if this is the way for a product.
pub(super) fn applies(direct: &Direct<'_>, isa: Isa) -> Option<Amx> {
    let (&Gemm { m, k, .. }, input) = (&direct.product, &direct.input);
    let channels = k / input.taps();
    let few = input.block == 1 && channels <= CHANNELS && direct.block == Order::BLOCK;
    let runs = input.dilation[1] == 1 && input.kernel[1] * channels <= VECTOR && input.origin[1] <= 0;
    let lines = input.map[1] >= PIXELS && input.grid[1] <= MOST * ROWS;
    let large = k >= LEAST_TAPS && m >= LEAST_ROWS && input.map[0] * input.map[1] >= LEAST_PIXELS;
    let held = reach(input) <= MOST_REACH;
    isa.matrix().filter(|_| few && runs && lines && large && held)
}

/// Computes a product, in parallel if it is large enough.
///
/// # Safety
/// As for [`Direct::run`].
pub(super) unsafe fn run(direct: &Direct<'_>, isa: Isa, amx: Amx) {
    let Gemm { m, n, k, .. } = direct.product;
    let (macs, lines) = (m * n * k, n / direct.input.grid[1]);
    let tasks = parallel::parts(TASKS, macs).min(lines);
    parallel::for_each(tasks, macs, |index| isa.run(Task::new(direct, amx, part(lines, tasks, 1, index))));
}

/// Computes a product on this thread.
///
/// # Safety
/// As for [`Direct::run`].
pub(super) unsafe fn run_alone(direct: &Direct<'_>, isa: Isa, amx: Amx) {
    isa.run(Task::new(direct, amx, 0..direct.product.n / direct.input.grid[1]));
}

/// Some lines of positions.
struct Task<'a> {
    direct: &'a Direct<'a>,
    amx: Amx,
    lines: Range<usize>,
    /// Input channels.
    channels: usize,
    /// Steps of a position.
    steps: usize,
    /// Tiles of a line, and positions of a tile.
    tiles: usize,
    rows: usize,
    /// Bytes of a digit of an input line.
    pitch: usize,
}

/// An input line whose digits are kept.
#[derive(Clone, Copy)]
struct Kept {
    /// Which of all samples' lines it is.
    line: usize,
    /// Its greatest input, as [`Greatest::all`] has it.
    greatest: u32,
    /// What its digits were scaled by, if they are written.
    up: Option<u32>,
}

/// A tile whose left side is kept.
#[derive(Clone, Copy)]
struct Spot {
    /// What its sums are multiplied by.
    down: f32,
    /// Where it is written.
    piece: Piece,
}

/// The digits of all weights.
struct Weights<'a> {
    /// For each sixteen output channels, [`RIGHT`] floats for each step.
    digits: &'a mut [f32],
    /// What the sums of each channel are multiplied by.
    downs: &'a mut [f32],
}

impl<'a> Task<'a> {
    fn new(direct: &'a Direct<'a>, amx: Amx, lines: Range<usize>) -> Self {
        let (product, input) = (&direct.product, &direct.input);
        let channels = product.k / input.taps();
        let [_, w] = input.grid;
        let tiles = w.div_ceil(ROWS);
        let read = (w - 1) * input.stride[1] + input.kernel[1];
        let pixels = read.max(input.map[1] + input.origin[1].unsigned_abs());
        let pitch = (pixels * channels + VECTOR).next_multiple_of(VECTOR);
        Task { direct, amx, lines, channels, steps: product.k.div_ceil(STEP), tiles, rows: w.div_ceil(tiles), pitch }
    }

    /// Floats of the left side of a line of positions.
    fn left(&self) -> usize {
        self.tiles * self.rows * self.steps * LEFT
    }

    /// Bytes of the digits of an input line.
    fn line(&self) -> usize {
        DIGITS * self.pitch
    }
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { direct: Direct { product, input, .. }, ref lines, tiles, steps, .. } = self;
        if lines.is_empty() {
            return;
        }
        let together = (MOST / tiles).min(STAGED / self.left()).clamp(1, lines.len());
        // A line of zeros comes first. Behind the last run follows what is copied with it.
        let digits_len = (1 + reach(input)) * self.line() / size_of::<f32>();
        let left_len = together * self.left() + VECTOR / size_of::<f32>();
        let right_len = product.m / ROWS * steps * RIGHT;
        let mut buffer = scratch::lend(scratch::Use::Task, digits_len + left_len + right_len + product.m);
        let (digits, rest) = buffer.split_at_mut(digits_len);
        let (left, rest) = rest.split_at_mut(left_len);
        let (right, downs) = rest.split_at_mut(right_len);
        let mut weights = Weights { digits: right, downs };
        self.write_right(&mut weights);
        let digits: &mut [u8] = bytemuck::cast_slice_mut(digits);
        digits[..self.line()].fill(0);
        let mut inputs = Inputs { task: &self, digits, kept: [None; MOST_REACH] };
        let mut spots = [Spot { down: 0.0, piece: Piece { from: 0, to: 0, at: 0, step: 1 } }; MOST];
        self.amx.with_rows(
            self.rows,
            #[inline(always)]
            |unit| {
                for first in lines.clone().step_by(together) {
                    let group = first..lines.end.min(first + together);
                    for (index, line) in group.clone().enumerate() {
                        let spots = &mut spots[index * tiles..][..tiles];
                        let left = &mut left[index * self.left()..];
                        let Scale { up, down } = inputs.scale(line);
                        inputs.join(simd, line, up, left);
                        self.list_tiles(line, down, spots);
                    }
                    self.multiply(simd, unit, left, &weights, &spots[..group.len() * tiles]);
                }
            },
        );
    }
}

/// Input lines from the first that a kernel meets to the last.
fn reach(input: &Im2col<'_>) -> usize {
    (input.kernel[0] - 1) * input.dilation[0] + 1
}

/// Input lines whose digits are kept.
struct Inputs<'a> {
    task: &'a Task<'a>,
    /// A line of zeros, and a place for each line that a kernel can meet; each has its high digits, its middle ones and its
    /// low ones.
    digits: &'a mut [u8],
    kept: [Option<Kept>; MOST_REACH],
}

impl Inputs<'_> {
    /// The input line that a line of positions meets with a row of the kernel, in its sample, if it is inside.
    #[inline(always)]
    fn met(&self, line: usize, row: usize) -> Option<usize> {
        let input = &self.task.direct.input;
        let y = (line % input.grid[0] * input.stride[0] + row * input.dilation[0]) as isize + input.origin[0];
        (0..input.map[0] as isize).contains(&y).then_some(y as usize)
    }

    /// The scale of what a line of positions reads.
    #[inline(always)]
    fn scale(&mut self, line: usize) -> Scale {
        let input = &self.task.direct.input;
        let sample = line / input.grid[0];
        let mut most = 0;
        for row in 0..input.kernel[0] {
            let Some(y) = self.met(line, row) else { continue };
            let (line, place) = (sample * input.map[0] + y, y % reach(input));
            let greatest = match self.kept[place] {
                Some(kept) if kept.line == line => kept.greatest,
                _ => {
                    let greatest = self.task.greatest(sample, y);
                    self.kept[place] = Some(Kept { line, greatest, up: None });
                    greatest
                }
            };
            most = most.max(greatest);
        }
        Scale::of(most)
    }

    /// Writes the left side of a line of positions, whose scale has been asked for.
    #[inline(always)]
    fn join<S: Simd>(&mut self, simd: S, line: usize, up: f32, left: &mut [f32]) {
        let task = self.task;
        let input = &task.direct.input;
        let mut from = [0; MOST_REACH];
        for (row, from) in from.iter_mut().enumerate().take(input.kernel[0]) {
            let Some(y) = self.met(line, row) else { continue };
            let place = y % reach(input);
            *from = (1 + place) * task.line();
            let kept = self.kept[place].as_mut().expect("its scale has been asked for");
            if kept.up != Some(up.to_bits()) {
                kept.up = Some(up.to_bits());
                task.write_line(line / input.grid[0], y, up, &mut self.digits[*from..][..task.line()]);
            }
        }
        let (run, step, of_digit) =
            (input.kernel[1] * task.channels, input.stride[1] * task.channels, task.steps * STEP);
        let (last, rows) = (input.grid[1] - 1, &from[..input.kernel[0]]);
        assert!(last * step + run.max(VECTOR) <= task.pitch && run <= VECTOR, "runs end within their lines");
        assert!(rows.iter().all(|&row| row + task.line() <= self.digits.len()), "all lines are kept");
        let left: &mut [u8] = bytemuck::cast_slice_mut(left);
        let last = ((last * DIGITS + DIGITS - 1) * of_digit) + (rows.len() - 1) * run + VECTOR;
        assert!(last <= left.len(), "room for all positions");
        for position in 0..input.grid[1] {
            for digit in 0..DIGITS {
                let to = left[(position * DIGITS + digit) * of_digit..].as_mut_ptr();
                let digits = self.digits[digit * task.pitch + position * step..].as_ptr();
                for (index, &row) in rows.iter().enumerate() {
                    // SAFETY: just measured, on both sides; vectors are of 64 bytes where there is a matrix unit.
                    unsafe {
                        let run_of_row = simd.load(digits.add(row).cast());
                        simd.store(to.add(index * run).cast(), run_of_row);
                    }
                }
            }
        }
    }
}

impl Task<'_> {
    /// A line of a channel of a sample.
    #[inline(always)]
    fn input_line(&self, sample: usize, channel: usize, y: usize) -> &[f32] {
        let Im2col { data, map: [h, w], .. } = self.direct.input;
        &data[sample * self.direct.input.sample + (channel * h + y) * w..][..w]
    }

    /// Where the vectors of a line begin that cover it: the last ends with it.
    #[inline(always)]
    fn vectors(&self) -> impl Iterator<Item = usize> + use<> {
        let w = self.direct.input.map[1];
        (0..w.div_ceil(PIXELS)).map(move |index| (index * PIXELS).min(w - PIXELS))
    }

    /// The greatest input of a line of a sample, all channels together.
    #[inline(always)]
    fn greatest(&self, sample: usize, y: usize) -> u32 {
        // SAFETY: a processor with a matrix unit has AVX-512.
        let mut most = unsafe { Greatest::none() };
        for channel in 0..self.channels {
            let line = self.input_line(sample, channel, y);
            for x in self.vectors() {
                // SAFETY: just measured; as above.
                most = unsafe { most.and(line[x..][..PIXELS].as_ptr()) };
            }
        }
        // SAFETY: as above.
        unsafe { most.all() }
    }

    /// Writes the digits of an input line, with its padding.
    #[inline(always)]
    fn write_line(&self, sample: usize, y: usize, up: f32, to: &mut [u8]) {
        let Im2col { map: [_, w], origin: [_, left], .. } = self.direct.input;
        let before = left.unsigned_abs();
        for digit in to.chunks_exact_mut(self.pitch) {
            digit[..before * self.channels].fill(0);
        }
        for x in self.vectors() {
            let sources = std::array::from_fn(|channel| {
                if channel < self.channels {
                    self.input_line(sample, channel, y)[x..][..PIXELS].as_ptr()
                } else {
                    ZEROS.as_ptr()
                }
            });
            let at = (before + x) * self.channels;
            assert!(at + VECTOR <= self.pitch && to.len() == self.line(), "room for vectors of digits");
            // SAFETY: just measured; the task has the unit.
            unsafe { write_pixels(sources, self.channels, up, to[at..].as_mut_ptr(), self.pitch) };
        }
        for digit in to.chunks_exact_mut(self.pitch) {
            digit[(before + w) * self.channels..].fill(0);
        }
    }

    /// Where the tiles of a line are written.
    #[inline(always)]
    fn list_tiles(&self, line: usize, down: f32, spots: &mut [Spot]) {
        let columns = &self.direct.product.columns;
        let [_, w] = self.direct.input.grid;
        for (index, spot) in spots.iter_mut().enumerate() {
            let positions = index * self.rows..w.min((index + 1) * self.rows);
            let mut runs = runs(columns.grid, line * w + positions.start..line * w + positions.end);
            let run = runs.next().expect("a tile has a position");
            assert!(run.len == positions.len(), "a line is written as one");
            let piece = Piece { from: 0, to: run.len, at: columns.offset(&run) as isize, step: columns.x };
            *spot = Spot { down, piece };
        }
    }

    /// Writes the digits of all weights.
    #[inline(always)]
    fn write_right(&self, into: &mut Weights<'_>) {
        let Direct { product, input, .. } = self.direct;
        let (k, taps) = (product.k, input.taps());
        let halves = into.digits.chunks_exact_mut(self.steps * RIGHT).zip(into.downs.chunks_exact_mut(ROWS));
        for (half, (digits, downs)) in halves.enumerate() {
            let channels = Blocks::of(product.m).rows(half * ROWS / Blocks::MOST);
            let len = channels.len();
            let block = &product.a[channels.start * k..channels.end * k];
            let from = block[half * ROWS - channels.start..].as_ptr();
            let rows = |step: usize| {
                move |row: usize| {
                    std::array::from_fn(|index| {
                        // Pixel by pixel, as the runs have it.
                        let at = step * STEP + row * 4 + index;
                        let depth = at % self.channels * taps + at / self.channels;
                        if at < k { from.wrapping_add(depth * len) } else { ZEROS.as_ptr() }
                    })
                }
            };
            // SAFETY: a vector of these channels stands at each depth; a processor with a matrix unit has AVX-512.
            let down = unsafe { write_right(Greatest::none().and_all(from, k, len), digits, rows) };
            downs.copy_from_slice(&down);
        }
    }

    /// Multiplies some tiles with all weights, and writes what becomes of the sums.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, unit: Tiles, left: &[f32], weights: &Weights<'_>, spots: &[Spot]) {
        let Task { direct, steps, rows, .. } = *self;
        let row = steps * LEFT;
        let places: [u32; MOST_STEPS] = steps_apart(STEP);
        let mut exact = Exact::ZERO;
        for channels in Blocks::of(direct.product.m).iter() {
            // SAFETY: the promise to `run`.
            let finish = unsafe { direct.finish(channels.clone()) };
            for half in channels.clone().step_by(ROWS) {
                let right = &weights.digits[half / ROWS * steps * RIGHT..][..steps * RIGHT];
                // SAFETY: a scale for each channel.
                let downs = unsafe { simd.load(weights.downs[half..][..ROWS].as_ptr()) };
                let vector = finish.vector(simd, half - channels.start).scaled(simd, downs);
                for (index, spot) in spots.iter().enumerate() {
                    let multiplied = Product {
                        left: left[index * rows * row..][..rows * row].as_ptr(),
                        left_apart: [row * size_of::<f32>(), steps * STEP],
                        steps: places.as_ptr(),
                        count: steps,
                        right: right.as_ptr(),
                        sums: &raw mut exact,
                    };
                    let [down, rest] = in_steps(spot.down);
                    let vector = vector.scaled(simd, simd.splat(rest));
                    // SAFETY: both sides are just measured; the outputs of these positions and channels are this task's
                    // alone.
                    unsafe {
                        unit.multiply(&multiplied);
                        vector.put_all(simd, &[spot.piece], |position| exact.row(simd, position, down));
                    }
                }
            }
        }
    }
}
