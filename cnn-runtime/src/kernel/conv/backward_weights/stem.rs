//! Gradients by the weights of convolutions of a few input channels, as those that read images, on a processor's matrix
//! unit: `[taps x positions] * [positions x out_channels]`.
//!
//! A step is up to 64 positions of a line. The digits of an input line stand plane by plane: one for each remainder that a
//! place leaves by the stride, so that what a tap meets along a line of positions is a run of bytes. The runs of all taps,
//! copied below one another, are the left side. Of the outputs' gradients, whose channels stand side by side, four positions
//! are a row of the right side.
//!
//! Chunks of lines depend on the sizes alone, and their sums are added in order: results are the same whatever the number
//! of threads.

use std::ops::Range;

use super::sums::{Rows, Sums};
use super::{cuts, in_chunks};
use crate::desc::{Conv, Order};
use crate::dispatch::Isa;
use crate::kernel::conv::im2col::distance;
use crate::kernel::conv::pass;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::scratch;
use crate::simd::amx::{
    Amx, CLOSE, DIGITS, Exact, Greatest, LEFT, Product, RIGHT, ROWS, STEP, Scale, ZEROS, steps_apart, write_phases,
    write_right,
};
use crate::simd::{Kernel, Simd};

/// Most input channels.
const CHANNELS: usize = 4;
/// Least taps and output channels: fewer would leave the unit idle.
const LEAST_TAPS: usize = 48;
const LEAST_CHANNELS: usize = 32;
/// Least positions of all samples.
const LEAST_POSITIONS: usize = 512;
/// Floats that the left side of a chunk takes up, roughly: a quarter of a megabyte stays in the second-level cache. And most
/// steps of it: of so many, the right side stays in the first-level cache.
const STAGED: usize = 1 << 16;
const STEPS: usize = 8;

/// The unit, if this is the way for `n` samples.
pub(super) fn applies(isa: Isa, d: &Conv, n: usize) -> Option<Amx> {
    let orders = !d.input.is_blocked() && !d.input.is_batched() && d.output.is_blocked();
    let few = d.input.c <= CHANNELS && d.groups == 1 && !d.direct;
    let phases = [1, 2, 4].contains(&d.window.stride[1]);
    let full = 4 * d.output.w >= 3 * d.output.w.next_multiple_of(STEP) && d.output.w <= STEPS * STEP;
    let large = d.taps() >= LEAST_TAPS && d.output.c >= LEAST_CHANNELS && n * d.output.plane() >= LEAST_POSITIONS;
    isa.matrix().filter(|_| orders && few && phases && full && large)
}

/// See [`super::super::backward_weights`]; the lengths are checked, and there is a sample at least.
pub(super) fn run(pass: pass::BackwardWeights<'_>, amx: Amx, d_weight: &mut [f32]) {
    let pass::BackwardWeights { isa, d, n, input, d_output } = pass;
    let layout = Layout::of(d);
    let chunks = n * layout.chunks;
    let (len, macs) = (d_weight.len(), n * d.output.plane() * d.weight_len());
    let cuts = cuts(d, n, chunks, 1);
    in_chunks(cuts, d_weight, |sums| {
        let sums = Shared::new(sums);
        parallel::for_each(cuts, macs, |cut| {
            // SAFETY: there is a whole set of weights for each cut.
            let sums = unsafe { sums.skip(cut * len) };
            isa.run(Task { d, layout, input, d_output, amx, chunks: part(chunks, cuts, 1, cut), sums });
        });
    });
}

/// How the sides stand.
#[derive(Clone, Copy)]
struct Layout {
    /// Steps of a line of positions.
    segments: usize,
    /// Tiles of taps.
    tiles: usize,
    /// Chunks of a sample, and lines of the largest.
    chunks: usize,
    lines: usize,
    /// Floats of an input line with its padding, whole steps of each phase.
    padded: usize,
    /// Bytes of a plane: a phase of a digit of an input line.
    plane: usize,
}

impl Layout {
    fn of(d: &Conv) -> Self {
        let (kernel, stride) = (d.window.kernel[1], d.window.stride[1]);
        let (segments, tiles) = (d.output.w.div_ceil(STEP), d.taps().div_ceil(ROWS));
        let together = (STAGED / (tiles * RIGHT)).clamp(1, STEPS);
        let chunks = d.output.h.div_ceil((together / segments).max(1));
        let reach = (kernel - 1) * d.window.dilation[1];
        let padded = ((d.output.w - 1) * stride + reach + 1).next_multiple_of(STEP);
        // A run is a step long, wherever it begins.
        let plane = (segments * STEP + reach / stride).max(padded / stride).next_multiple_of(STEP);
        Layout { segments, tiles, chunks, lines: d.output.h.div_ceil(chunks), padded, plane }
    }

    /// Bytes of the digits of an input line of a channel.
    fn line(&self, d: &Conv) -> usize {
        DIGITS * d.window.stride[1] * self.plane
    }

    /// Floats of the left side of a step.
    fn left(&self) -> usize {
        self.tiles * RIGHT
    }
}

/// The gradients of some chunks.
struct Task<'a> {
    d: &'a Conv,
    layout: Layout,
    input: &'a [f32],
    d_output: &'a [f32],
    amx: Amx,
    /// Chunks of all samples.
    chunks: Range<usize>,
    /// All gradients, which are this task's alone.
    sums: Shared,
}

/// Some lines of positions of a sample.
struct Chunk {
    sample: usize,
    lines: Range<usize>,
    /// The first input line that they meet, maybe one of the padding, and how many.
    top: isize,
    met: usize,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { d, layout, .. } = self;
        let steps = layout.lines * layout.segments;
        let digits_len = self.met(layout.lines) * d.input.c * layout.line(d) / size_of::<f32>();
        let lens = [digits_len, layout.padded, steps * layout.left(), steps * RIGHT];
        let mut buffer = scratch::lend(scratch::Use::Task, lens.iter().sum::<usize>() + d.taps());
        let (digits, rest) = buffer.split_at_mut(lens[0]);
        let (line, rest) = rest.split_at_mut(lens[1]);
        let (left, rest) = rest.split_at_mut(lens[2]);
        let (right, runs) = rest.split_at_mut(lens[3]);
        let (digits, runs): (&mut [u8], &mut [u32]) =
            (bytemuck::cast_slice_mut(digits), bytemuck::cast_slice_mut(runs));
        self.list_runs(runs);
        let places: [u32; STEPS] = steps_apart(layout.left() * size_of::<f32>());
        let mut exact = Exact::ZERO;
        self.amx.with_rows(
            ROWS,
            #[inline(always)]
            |unit| {
                for index in self.chunks.clone() {
                    let chunk = self.chunk(index);
                    let sums = Sums { d, all: self.sums, fresh: index == self.chunks.start };
                    let Scale { up, down } = self.scale(&chunk);
                    self.write_inputs(&chunk, up, line, digits);
                    self.join(simd, &chunk, digits, runs, left);
                    for block in 0..d.output.c / Order::BLOCK {
                        let downs = self.write_right(&chunk, block, right);
                        // SAFETY: as many as a vector has, where there is a matrix unit.
                        let downs = unsafe { simd.load(downs.as_ptr()) };
                        for tile in 0..layout.tiles {
                            let product = Product {
                                left: left[tile * RIGHT..].as_ptr(),
                                left_apart: CLOSE,
                                steps: places.as_ptr(),
                                count: chunk.lines.len() * layout.segments,
                                right: right.as_ptr(),
                                sums: &raw mut exact,
                            };
                            // SAFETY: both sides hold so many steps.
                            unsafe { unit.multiply(&product) };
                            let first = tile * ROWS;
                            let rows = Rows { first, count: ROWS.min(d.taps() - first), apart: 1 };
                            // SAFETY: the gradients are this task's alone.
                            unsafe { sums.add(simd, &exact, block, rows, (down, downs)) };
                        }
                    }
                }
            },
        );
    }
}

impl Task<'_> {
    /// Input lines that so many lines of positions meet.
    fn met(&self, lines: usize) -> usize {
        let window = &self.d.window;
        (lines - 1) * window.stride[0] + (window.kernel[0] - 1) * window.dilation[0] + 1
    }

    fn chunk(&self, index: usize) -> Chunk {
        let (d, chunks) = (self.d, self.layout.chunks);
        let lines = part(d.output.h, chunks, 1, index % chunks);
        let top = (lines.start * d.window.stride[0]) as isize - d.window.pad[0] as isize;
        Chunk { sample: index / chunks, top, met: self.met(lines.len()), lines }
    }

    /// A line of a channel that a chunk meets, if it is inside.
    #[inline(always)]
    fn input_line(&self, chunk: &Chunk, index: usize, channel: usize) -> Option<&[f32]> {
        let map = &self.d.input;
        let y = usize::try_from(chunk.top + index as isize).ok().filter(|&y| y < map.h)?;
        Some(&self.input[chunk.sample * map.len() + (channel * map.h + y) * map.w..][..map.w])
    }

    /// The scale of the inputs that a chunk meets.
    #[inline(always)]
    fn scale(&self, chunk: &Chunk) -> Scale {
        let mut most = 0;
        for index in 0..chunk.met {
            for channel in 0..self.d.input.c {
                let Some(line) = self.input_line(chunk, index, channel) else { continue };
                let (vectors, rest) = line.as_chunks::<ROWS>();
                // SAFETY: all are vectors; a processor with a matrix unit has AVX-512.
                most =
                    most.max(unsafe { Greatest::none().and_all(vectors.as_ptr().cast(), vectors.len(), ROWS).all() });
                most = rest.iter().fold(most, |most, value| most.max(value.abs().to_bits()));
            }
        }
        Scale::of(most)
    }

    /// Writes the digits of the inputs that a chunk meets: `[line][channel][digit][phase][place]`.
    #[inline(always)]
    fn write_inputs(&self, chunk: &Chunk, up: f32, line: &mut [f32], digits: &mut [u8]) {
        let Task { d, layout, .. } = *self;
        let (before, phases) = (d.window.pad[1], d.window.stride[1]);
        let digits = digits.chunks_exact_mut(layout.line(d));
        for (index, to) in digits.enumerate().take(chunk.met * d.input.c) {
            let Some(from) = self.input_line(chunk, index / d.input.c, index % d.input.c) else {
                to.fill(0);
                continue;
            };
            let inside = before.min(line.len())..line.len().min(before + from.len());
            line[..inside.start].fill(0.0);
            line[inside.clone()].copy_from_slice(&from[..inside.len()]);
            line[inside.end..].fill(0.0);
            let (digit, plane) = (phases * layout.plane, layout.plane);
            for (index, places) in line.as_chunks::<STEP>().0.iter().enumerate() {
                let at = index * STEP / phases;
                let to = &mut to[at..2 * digit + (phases - 1) * plane + at + STEP / phases];
                // SAFETY: just measured; the task has the unit.
                unsafe { write_phases(places, phases, up, to.as_mut_ptr(), [digit, plane]) };
            }
        }
    }

    /// Where the runs of all taps begin that the first positions meet.
    fn list_runs(&self, runs: &mut [u32]) {
        let Task { d, layout, .. } = *self;
        let ([down, across], window) = (d.window.kernel, &d.window);
        for (tap, run) in runs.iter_mut().enumerate() {
            let (channel, y, x) = (tap / across / down, tap / across % down, tap % across);
            let (y, x) = (y * window.dilation[0], x * window.dilation[1]);
            let (phase, place) = (x % window.stride[1], x / window.stride[1]);
            *run = distance((y * d.input.c + channel) * layout.line(d) + phase * layout.plane + place);
        }
    }

    /// Writes the left side of a chunk: `[step][tap][digit]`, runs of bytes.
    #[inline(always)]
    fn join<S: Simd>(&self, simd: S, chunk: &Chunk, digits: &[u8], runs: &[u32], left: &mut [f32]) {
        let Task { d, layout, .. } = *self;
        let [down, across] = d.window.stride;
        let digit_len = across * layout.plane;
        for line in 0..chunk.lines.len() {
            for segment in 0..layout.segments {
                let digits = &digits[line * down * d.input.c * layout.line(d) + segment * STEP..];
                let to = &mut left[(line * layout.segments + segment) * layout.left()..][..layout.left()];
                for (&run, to) in runs.iter().zip(to.as_chunks_mut::<LEFT>().0) {
                    let from = &digits[run as usize..][..2 * digit_len + STEP];
                    for digit in 0..DIGITS {
                        // SAFETY: just measured; vectors are of 64 bytes where there is a matrix unit.
                        unsafe {
                            let run = simd.load(from.as_ptr().add(digit * digit_len).cast());
                            simd.store(to[digit * STEP / 4..].as_mut_ptr(), run);
                        }
                    }
                }
            }
        }
    }

    /// Writes the right side of a chunk, the gradients of a block of output channels; what the sums of each are multiplied by.
    #[inline(always)]
    fn write_right(&self, chunk: &Chunk, block: usize, right: &mut [f32]) -> [f32; ROWS] {
        let (map, segments) = (&self.d.output, self.layout.segments);
        let first = chunk.sample * map.len() + (block * map.plane() + chunk.lines.start * map.w) * Order::BLOCK;
        let from = &self.d_output[first..][..chunk.lines.len() * map.w * Order::BLOCK];
        let vectors = from.as_chunks::<{ Order::BLOCK }>().0;
        let rows = |step: usize| {
            let (line, x) = (&vectors[step / segments * map.w..][..map.w], step % segments * STEP);
            move |row: usize| {
                std::array::from_fn(|index| {
                    line.get(x + row * 4 + index).map_or(ZEROS.as_ptr(), |vector| vector.as_ptr())
                })
            }
        };
        let digits = &mut right[..chunk.lines.len() * segments * RIGHT];
        // SAFETY: all are vectors; a processor with a matrix unit has AVX-512.
        unsafe { write_right(Greatest::none().and_all(from.as_ptr(), vectors.len(), Order::BLOCK), digits, rows) }
    }
}
