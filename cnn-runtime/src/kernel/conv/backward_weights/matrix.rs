//! The gradient by the weights on a processor's matrix unit, where channels stand in blocks on both sides.
//!
//! It is a product over *places*: those of all samples' outputs line after line, with as much room after each line and each
//! sample as a kernel reaches. There the outputs' gradients are zero. A tap meets a gradient so many places further on in
//! its phase of the inputs. Four streams of places go through the unit side by side, each a quarter of all of them, so
//! that a step reads the same channels of sixteen places of each.
//!
//! Chunks of places depend on the sizes alone, and their sums are added in order: results are the same whatever the number
//! of threads.

use std::ops::Range;

use super::sums::{Rows, Sums};
use super::{cuts, in_chunks};
use crate::desc::{Conv, Map, Order};
use crate::dispatch::Isa;
use crate::kernel::axis::Axis;
use crate::kernel::conv::pass;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::scratch;
use crate::simd::amx::{
    Amx, CLOSE, Exact, Greatest, LEFT, Product, RIGHT, ROWS, ROWS_APART, STEP, Scale, ZEROS, steps_apart, turn,
    write_digits,
};
use crate::simd::{Kernel, Simd};

/// Streams of places.
const STREAMS: usize = STEP / ROWS;
/// Most steps of a chunk: the digits of as many fill half of a first-level cache.
const STEPS: usize = 8;
/// Places whose digits a first-level cache should hold: a chunk's inputs and gradients, and what a kernel reaches beyond these;
/// and the steps from which a chunk is not shortened for it.
const NEAR: usize = 300;
const LEAST_STEPS: usize = 4;
/// Floats that the digits of a task's gradients take up at most, where there are more output channels than input channels:
/// half of a second-level cache of two megabytes.
const KEPT: usize = 1 << 18;
/// Most weights for each channel on both sides where writing digits takes longer than multiplying on vectors.
const FEW_WEIGHTS: usize = 32;
/// Least positions of all samples.
const LEAST_POSITIONS: usize = 256;
/// In a table of places, one that is outside of all maps.
const OUTSIDE: u32 = u32::MAX;

/// The unit, if this is the way for `n` samples.
pub(super) fn applies(isa: Isa, d: &Conv, n: usize) -> Option<Amx> {
    let blocked = d.input.is_blocked() && d.output.is_blocked() && d.groups == 1 && !d.direct;
    let large = d.weight_len() > FEW_WEIGHTS * (d.input.c + d.output.c) && n * d.output.plane() >= LEAST_POSITIONS;
    let listed = n * d.input.len().max(d.output.len()) < OUTSIDE as usize;
    isa.matrix().filter(|_| blocked && large && listed)
}

/// See [`super::super::backward_weights`]; the lengths are checked, and there is a sample at least.
pub(super) fn run(pass: pass::BackwardWeights<'_>, amx: Amx, d_weight: &mut [f32]) {
    let pass::BackwardWeights { isa, d, n, input, d_output } = pass;
    let macs = n * d.output.plane() * d.weight_len();
    // One for each thread. The side with more channels is cut: all of them write the digits of the other one. Those of the
    // outputs' gradients are kept, and have to fit into a cache.
    let [inputs, outputs] = [d.input.c, d.output.c].map(|channels| channels / Order::BLOCK);
    let places = Places::of(d, n);
    let least = if inputs < outputs { (outputs * (places.reach + places.chunk) * LEFT).div_ceil(KEPT) } else { 1 };
    let parts = parallel::even(least, macs).min(inputs.max(outputs));
    // Few weights are summed up by chunks of places, whose inputs and gradients one thread alone reads.
    let cuts = cuts(d, n, places.stream / places.chunk, inputs.max(outputs));
    let parts = parts.div_ceil(cuts).max(least);
    in_chunks(cuts, d_weight, |sums| {
        let sums = Shared::new(sums);
        parallel::for_each(cuts * parts, macs, |index| {
            let (cut, index) = (index / parts, index % parts);
            let (inputs, blocks) = if inputs < outputs {
                (0..inputs, part(outputs, parts, 1, index))
            } else {
                (part(inputs, parts, 1, index), 0..outputs)
            };
            let places = part(places.stream, cuts, places.chunk, cut);
            // SAFETY: there is a whole set of weights for each cut.
            let sums = unsafe { sums.skip(cut * d.weight_len()) };
            isa.run(Task { d, n, input, d_output, amx, inputs, blocks, places, sums });
        });
    });
}

/// The gradients between some blocks of channels.
struct Task<'a> {
    d: &'a Conv,
    n: usize,
    input: &'a [f32],
    d_output: &'a [f32],
    amx: Amx,
    /// Blocks of input channels.
    inputs: Range<usize>,
    /// Blocks of output channels.
    blocks: Range<usize>,
    /// Places of a stream, whole chunks.
    places: Range<usize>,
    /// All gradients; those between these channels are this task's alone.
    sums: Shared,
}

/// Positions of maps as places: those of the output in both directions, and how far a kernel reaches beyond them.
struct Places {
    /// Lines of a sample, and places of a line.
    grid: [usize; 2],
    /// Places of a stream in all chunks together, and in one of them.
    stream: usize,
    chunk: usize,
    /// Most places between a gradient and what it meets.
    reach: usize,
}

impl Places {
    fn of(d: &Conv, n: usize) -> Self {
        let reach = |axis: usize| (d.window.kernel[axis] - 1) * d.window.dilation[axis] / d.window.stride[axis];
        let grid = [d.output.h + reach(0), d.output.w + reach(1)];
        let stream = (n * grid[0] * grid[1]).div_ceil(STREAMS);
        let reach = reach(0) * grid[1] + reach(1);
        let most = (NEAR.saturating_sub(reach) / (2 * ROWS)).clamp(LEAST_STEPS, STEPS);
        // The last chunk may be empty in part, and adding up a chunk takes about as long as a step.
        let steps = stream.div_ceil(ROWS);
        let took = |&each: &usize| steps.div_ceil(each) * (each + 1);
        let chunk = (1..=most).rev().min_by_key(took).unwrap_or(most) * ROWS;
        Places { grid, stream: stream.next_multiple_of(chunk), chunk, reach }
    }

    /// What places read of a map where they are `stride` apart and begin `pad` before it, as a tap of so large a window.
    fn view<'a>(&self, map: &'a Map, stride: [usize; 2], pad: [usize; 2], tap: [usize; 2]) -> View<'a> {
        let (inputs, outputs) = ([map.h, map.w], self.grid);
        let axis = |i: usize| Axis {
            kernel: stride[i],
            stride: stride[i],
            dilation: 1,
            pad: pad[i],
            inputs: inputs[i],
            outputs: outputs[i],
        };
        View { map, axes: [axis(0), axis(1)], tap }
    }

    /// Lists where the places `first..first + count` of each stream stand in a map's first block of channels, `[place][stream]`,
    /// of `n` samples.
    #[inline(always)]
    fn list(&self, view: &View<'_>, n: usize, first: isize, list: &mut [[u32; STREAMS]]) {
        let ([h, w], View { map, axes: [down, across], tap: [kh, kw] }) = (self.grid, view);
        let (rows, columns) = (down.outputs_of(*kh), across.outputs_of(*kw));
        list.fill([OUTSIDE; STREAMS]);
        for stream in 0..STREAMS {
            let first = first + (stream * self.stream) as isize;
            let mut index = first.min(0).unsigned_abs();
            let (mut line, mut begin) = (first.max(0) as usize / w, first.max(0) as usize % w);
            // Line by line: those inside are evenly spaced.
            while index < list.len() && line < n * h {
                let (sample, y) = (line / h, line % h);
                let end = w.min(begin + list.len() - index);
                let inside = columns.start.max(begin)..columns.end.min(end);
                if rows.contains(&y) && !inside.is_empty() {
                    let at = down.at(y, *kh) * map.w + across.at(inside.start, *kw);
                    let (at, step) = (sample * map.len() + at * Order::BLOCK, across.stride * Order::BLOCK);
                    let list = &mut list[index + inside.start - begin..index + inside.end - begin];
                    list.iter_mut().enumerate().for_each(|(x, place)| place[stream] = (at + x * step) as u32);
                }
                index += end - begin;
                (line, begin) = (line + 1, 0);
            }
        }
    }
}

/// What places read of a map: what a tap of a window does that walks over it, place by place.
struct View<'a> {
    map: &'a Map,
    axes: [Axis; 2],
    tap: [usize; 2],
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { d, n, amx, places: ref range, .. } = self;
        let places = Places::of(d, n);
        let Places { chunk, reach, .. } = places;
        let (taps, phases) = (d.taps() / d.input.c, d.window.stride[0] * d.window.stride[1]);
        let (left_len, right_len) = (chunk * LEFT, (reach + chunk) * LEFT);
        let lens = [phases * left_len, self.blocks.len() * right_len, self.blocks.len()];
        let lists_len = (phases * chunk + reach + chunk) * STREAMS;
        let mut buffer = scratch::lend(scratch::Use::Task, lens.iter().sum::<usize>() + lists_len);
        let (left, rest) = buffer.split_at_mut(lens[0]);
        let (right, rest) = rest.split_at_mut(lens[1]);
        let (downs, lists) = rest.split_at_mut(lens[2]);
        let (inputs, gradients) = bytemuck::cast_slice_mut(lists).split_at_mut(phases * chunk);
        let steps: [u32; STEPS] = steps_apart(RIGHT * size_of::<f32>());
        let mut exact = Exact::ZERO;
        for first in range.clone().step_by(chunk) {
            let sums = Sums { d, all: self.sums, fresh: first == range.start };
            self.list_gradients(&places, first as isize - reach as isize, gradients);
            for (index, down) in downs.iter_mut().enumerate() {
                *down = self.write_right(index, gradients, &mut right[index * right_len..][..right_len]);
            }
            for (phase, inputs) in inputs.chunks_exact_mut(chunk).enumerate() {
                self.list_inputs(&places, first as isize, phase, inputs);
            }
            amx.with_rows(
                ROWS,
                #[inline(always)]
                |tiles| {
                    for from in self.inputs.clone() {
                        let down = self.write_left(simd, from, inputs, left);
                        for (index, to) in self.blocks.clone().enumerate() {
                            for tap in 0..taps {
                                let (phase, [y, x]) = tap_of(d, tap);
                                let met = reach - y * places.grid[1] - x;
                                let product = Product {
                                    left: left[phase * left_len..][..left_len].as_ptr(),
                                    left_apart: CLOSE,
                                    steps: steps.as_ptr(),
                                    count: chunk / ROWS,
                                    right: right[index * right_len + met * LEFT..][..left_len].as_ptr(),
                                    sums: &raw mut exact,
                                };
                                // SAFETY: both sides are just measured.
                                unsafe { tiles.multiply_places(&product) };
                                let first = from * Order::BLOCK * taps + tap;
                                let rows = Rows { first, count: ROWS, apart: taps };
                                let scales = (down, simd.splat(downs[index]));
                                // SAFETY: the gradients between these channels are this task's alone.
                                unsafe { sums.add(simd, &exact, to, rows, scales) };
                            }
                        }
                    }
                },
            );
        }
    }
}

/// The phase of the inputs that a tap reads, and how many lines and places further on than a gradient stands.
fn tap_of(d: &Conv, tap: usize) -> (usize, [usize; 2]) {
    let ([_, across], [sh, sw]) = (d.window.kernel, d.window.stride);
    let [y, x] = [tap / across * d.window.dilation[0], tap % across * d.window.dilation[1]];
    (y % sh * sw + x % sw, [y / sh, x / sw])
}

/// The scale of some places of a block.
#[inline(always)]
fn scale(from: &[f32], places: &[[u32; STREAMS]]) -> Scale {
    // SAFETY: all are vectors of sixteen; a processor with a matrix unit has AVX-512.
    Scale::of(unsafe {
        let mut most = Greatest::none();
        for &at in places.as_flattened() {
            if at != OUTSIDE {
                most = most.and(from[at as usize..][..Order::BLOCK].as_ptr());
            }
        }
        most.all()
    })
}

/// Writes the digits of a place of each stream.
#[inline(always)]
fn digits(from: &[f32], place: &[u32; STREAMS], up: f32, to: &mut [f32; LEFT]) {
    let mut sources = [ZEROS.as_ptr(); STREAMS];
    for (source, &at) in sources.iter_mut().zip(place) {
        if at != OUTSIDE {
            *source = from[at as usize..][..Order::BLOCK].as_ptr();
        }
    }
    // SAFETY: all are vectors of sixteen; a processor with a matrix unit has AVX-512.
    unsafe { write_digits(sources, [up; 16].as_ptr(), to.as_mut_ptr(), STEP / 4) };
}

/// Writes the digits of some inputs of a block: a step for each sixteen places, a row of them for each channel.
#[inline(always)]
fn turned<S: Simd>(simd: S, from: &[f32], places: &[[u32; STREAMS]], up: f32, to: &mut [f32]) {
    let mut rows = [[0.0; LEFT]; ROWS];
    for (places, to) in places.chunks_exact(ROWS).zip(to.as_chunks_mut::<RIGHT>().0) {
        for (place, row) in places.iter().zip(&mut rows) {
            digits(from, place, up, row);
        }
        turn(simd, &rows, to, ROWS_APART);
    }
}

impl Task<'_> {
    /// Lists where the outputs' gradients of some places stand.
    #[inline(always)]
    fn list_gradients(&self, places: &Places, first: isize, list: &mut [[u32; STREAMS]]) {
        let view = places.view(&self.d.output, [1, 1], [0, 0], [0, 0]);
        places.list(&view, self.n, first, list);
    }

    /// Whether a tap reads a phase of the inputs.
    fn reads(&self, phase: usize) -> bool {
        (0..self.d.taps() / self.d.input.c).any(|tap| tap_of(self.d, tap).0 == phase)
    }

    /// Lists where the inputs of a phase of some places stand: nowhere, if no tap reads them.
    #[inline(always)]
    fn list_inputs(&self, places: &Places, first: isize, phase: usize, list: &mut [[u32; STREAMS]]) {
        if !self.reads(phase) {
            return list.fill([OUTSIDE; STREAMS]);
        }
        // The phases are the taps of a window as large as the stride.
        let (stride @ [_, across], [top, left, ..]) = (self.d.window.stride, self.d.window.pad);
        let view = places.view(&self.d.input, stride, [top, left], [phase / across, phase % across]);
        places.list(&view, self.n, first, list);
    }

    /// Writes the digits of the gradients of this task's block `index`, a row for each place; what their sums are multiplied by.
    #[inline(always)]
    fn write_right(&self, index: usize, places: &[[u32; STREAMS]], to: &mut [f32]) -> f32 {
        let block = self.blocks.start + index;
        let from = &self.d_output[block * self.d.output.plane() * Order::BLOCK..];
        let Scale { up, down } = scale(from, places);
        for (place, to) in places.iter().zip(to.as_chunks_mut::<LEFT>().0) {
            digits(from, place, up, to);
        }
        down
    }

    /// Writes the digits of a block of inputs, phase after phase; what their sums are multiplied by.
    #[inline(always)]
    fn write_left<S: Simd>(&self, simd: S, block: usize, places: &[[u32; STREAMS]], to: &mut [f32]) -> f32 {
        let from = &self.input[block * self.d.input.plane() * Order::BLOCK..];
        let Scale { up, down } = scale(from, places);
        let phases = self.d.window.stride[0] * self.d.window.stride[1];
        let (places, to) = (places.chunks_exact(places.len() / phases), to.chunks_exact_mut(to.len() / phases));
        for (phase, (places, to)) in places.zip(to).enumerate() {
            if self.reads(phase) {
                turned(simd, from, places, up, to);
            }
        }
        down
    }
}
