//! The gradient by few weights: positions in the lanes, of the staged input and of the outputs' gradients, and a register
//! for each weight of a tile. The lanes are added up once a range of samples is through.

#![allow(clippy::needless_range_loop)] // rows and taps of the tile are counted as in the formula

use std::ops::Range;

use super::stage::Taps;
use super::tile::Reach;
use crate::desc::Conv;
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::pass;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Most output channels of a group: with more they fill the lanes themselves.
const MOST_CHANNELS: usize = 8;
/// Most weights of a group.
const MOST_WEIGHTS: usize = 1 << 12;
/// Least outputs of a map, for the sum over the lanes to be little beside them.
const LEAST_OUTPUTS: usize = 64;
/// Vectors of positions that are staged at a time, at least.
const VECTORS: usize = 56;
/// Samples of a task at least, and tasks of a group at most.
const TASK: (usize, usize) = (8, 4);

/// Whether this is the way for a convolution.
pub(in super::super) fn applies(d: &Conv) -> bool {
    let channels = d.output.c / d.groups;
    d.window.stride == [1, 1]
        && channels <= MOST_CHANNELS
        && channels * d.taps() <= MOST_WEIGHTS
        && d.output.plane() >= LEAST_OUTPUTS
}

/// See [`super::super::backward_weights`]; the lengths are checked, and there is a sample at least.
pub(in super::super) fn run(pass: pass::BackwardWeights<'_>, d_weight: &mut [f32]) {
    let pass::BackwardWeights { isa, d, n, input, d_output } = pass;
    let chunks = (n / TASK.0).clamp(1, TASK.1);
    let taps = Taps::of(d);
    let mut sums = scratch::lend(scratch::Use::Pass, chunks * d_weight.len());
    let (shared, len) = (Shared::new(&mut sums), d.weight_len() / d.groups);
    let macs = n * d.output.plane() * d.weight_len();
    parallel::for_each(chunks * d.groups, macs, |index| {
        let (chunk, group) = (index / d.groups, index % d.groups);
        // SAFETY: each task has the weights of one group and chunk.
        let sums = unsafe { shared.part(index * len..(index + 1) * len) };
        isa.run(Task { d, taps, input, d_output, group, samples: part(n, chunks, 1, chunk), sums });
    });
    let channels = d.output.c / d.groups;
    for (group, d_weight) in d_weight.chunks_exact_mut(len).enumerate() {
        Blocks::of(channels).for_each(taps.len(), |plain, blocked| {
            d_weight[blocked] = (0..chunks).map(|chunk| sums[(chunk * d.groups + group) * len + plain]).sum();
        });
    }
}

/// The gradient by the weights of one group, over some samples.
struct Task<'a> {
    d: &'a Conv,
    taps: Taps,
    input: &'a [f32],
    d_output: &'a [f32],
    group: usize,
    samples: Range<usize>,
    /// `[row][tap]`.
    sums: &'a mut [f32],
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { d, taps, input, d_output, group, samples, sums } = self;
        let plane = d.output.plane();
        let together = VECTORS.div_ceil(plane.div_ceil(S::LANES)).min(samples.len());
        let stage = taps.stage(&(0..d.output.h));
        let stage_len = taps.stage_len(d.output.h, S::LANES).next_multiple_of(16);
        let mut buffer = scratch::lend(scratch::Use::Task, together * stage_len + sums.len() * S::LANES);
        let (staged, lanes) = buffer.split_at_mut(together * stage_len);
        let channels = d.output.c / d.groups;
        for first in samples.clone().step_by(together) {
            let now = first..samples.end.min(first + together);
            for (sample, staged) in now.clone().zip(staged.chunks_exact_mut(stage_len)) {
                let from = sample * d.input.len() + group * taps.map.len();
                taps.fill(simd, &stage, &input[from..from + taps.map.len()], staged);
            }
            let from = now.start * d.output.len() + group * channels * plane;
            let all = (now.len() - 1) * d.output.len() + channels * plane;
            assert!(d_output.len() >= from + all && staged.len() >= now.len() * stage_len, "all samples");
            let pass = Pass {
                reach: taps.reach(&stage, 1),
                staged: staged.as_ptr(),
                d_output: d_output[from..].as_ptr(),
                plane,
                lines: now.len(),
                staged_step: stage_len,
                d_output_step: d.output.len(),
                line: plane,
                start: first == samples.start,
            };
            // SAFETY: a stage for each sample, in which all taps of all positions lie; the gradients of all samples.
            unsafe { pass.run(simd, channels, lanes) };
        }
        add_lanes(simd, lanes, sums);
    }
}

/// Adds up the lanes of a vector for each sum.
#[inline(always)]
pub(super) fn add_lanes<S: Simd>(simd: S, lanes: &[f32], sums: &mut [f32]) {
    assert!(lanes.len() >= sums.len() * S::LANES, "a vector for each sum");
    for (sums, lanes) in sums.chunks_mut(S::LANES).zip(lanes.chunks(S::LANES * S::LANES)) {
        if sums.len() < S::LANES {
            for (sum, lanes) in sums.iter_mut().zip(lanes.chunks_exact(S::LANES)) {
                // SAFETY: the chunk is a vector long.
                *sum = simd.sum(unsafe { simd.load(lanes.as_ptr()) });
            }
            continue;
        }
        // SAFETY: there are `LANES` sums, and a vector for each.
        unsafe { simd.store(sums.as_mut_ptr(), simd.sums(lanes.as_ptr())) };
    }
}

/// Lines of positions: what is added to the sums at once.
pub(super) struct Pass {
    /// The taps of an output, and how far from one to the next in the stage.
    pub reach: Reach,
    /// The input of the first tap of the first position.
    pub staged: *const f32,
    /// The gradient by the first channel's first output.
    pub d_output: *const f32,
    /// Distance between channels of gradients.
    pub plane: usize,
    /// Lines.
    pub lines: usize,
    /// Distance between lines of inputs.
    pub staged_step: usize,
    /// Distance between lines of gradients.
    pub d_output_step: usize,
    /// Positions of a line.
    pub line: usize,
    /// Whether these are the first of the sums.
    pub start: bool,
}

impl Pass {
    /// Adds the products to the lanes of all weights.
    ///
    /// # Safety
    /// The gradients of all channels at all positions can be read, and the inputs of all their taps.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self, simd: S, channels: usize, lanes: &mut [f32]) {
        let (most_rows, most_taps) = if S::LANES == 16 { (4, 6) } else { (3, 3) };
        let all = self.reach.taps();
        assert!(lanes.len() >= channels * all * S::LANES, "a vector for each weight");
        let (row_parts, tap_parts) = (channels.div_ceil(most_rows), all.div_ceil(most_taps));
        // The gradients of a few rows stay in the first-level cache for all taps.
        for index in 0..row_parts {
            let rows = part(channels, row_parts, 1, index);
            let mut next = self.reach.offsets();
            for index in 0..tap_parts {
                let taps = part(all, tap_parts, 1, index);
                let mut offsets = [0; 6];
                offsets[..taps.len()].iter_mut().for_each(|offset| *offset = next());
                let lanes = &mut lanes[(rows.start * all + taps.start) * S::LANES..];
                let d_output = self.d_output.wrapping_add(rows.start * self.plane);
                let tile = Tile { pass: self, offsets: &offsets, d_output, lanes: lanes.as_mut_ptr(), step: all };
                tile.compute(simd, rows.len(), taps.len());
            }
        }
    }
}

/// Some rows of the weights by some taps.
struct Tile<'a> {
    pass: &'a Pass,
    /// Where the taps stand in a stage.
    offsets: &'a [usize; 6],
    /// The gradients of the first row.
    d_output: *const f32,
    /// The lanes of the first weight; a row has `step` vectors. Made by [`Pass::run`] alone, under its conditions.
    lanes: *mut f32,
    step: usize,
}

impl Tile<'_> {
    fn compute<S: Simd>(self, simd: S, rows: usize, taps: usize) {
        macro_rules! dispatch {
            ($(($r:literal, $t:literal))+) => {
                match (rows, taps) {
                    $(($r, $t) => if const { S::LANES == 16 || ($r <= 3 && $t <= 3) } {
                        simd.call(Sized::<$r, $t>(self));
                    },)+
                    _ => unreachable!("a tile of {rows} rows by {taps} taps"),
                }
            };
        }
        dispatch!((1, 1)(1, 2)(1, 3)(1, 4)(1, 5)(1, 6)(2, 1)(2, 2)(2, 3)(2, 4)(2, 5)(2, 6)(3, 1)(3, 2)(3, 3)(3, 4)(
            3, 5
        )(3, 6)(4, 1)(4, 2)(4, 3)(4, 4)(4, 5)(4, 6));
    }
}

/// A tile whose size is known to the compiler.
struct Sized<'a, const R: usize, const T: usize>(Tile<'a>);

impl<const R: usize, const T: usize> Kernel for Sized<'_, R, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Tile { pass, offsets, d_output, lanes, step } = self.0;
        let mut sums = [[simd.splat(0.0); T]; R];
        let whole = pass.line / S::LANES * S::LANES;
        let rest = pass.line - whole;
        // SAFETY: what `Pass::run` was promised; it has measured the lanes of all weights.
        unsafe {
            if !pass.start {
                for r in 0..R {
                    for t in 0..T {
                        sums[r][t] = simd.load(lanes.add((r * step + t) * S::LANES));
                    }
                }
            }
            for line in 0..pass.lines {
                let d_output = d_output.add(line * pass.d_output_step);
                let staged = pass.staged.add(line * pass.staged_step);
                for at in (0..whole).step_by(S::LANES) {
                    let mut inputs = [simd.splat(0.0); T];
                    for t in 0..T {
                        inputs[t] = simd.load(staged.add(offsets[t] + at));
                    }
                    for r in 0..R {
                        let gradient = simd.load(d_output.add(r * pass.plane + at));
                        for t in 0..T {
                            sums[r][t] = simd.mul_add(gradient, inputs[t], sums[r][t]);
                        }
                    }
                }
                if rest > 0 {
                    let mut inputs = [simd.splat(0.0); T];
                    for t in 0..T {
                        inputs[t] = simd.load_part(staged.add(offsets[t] + whole), 0, rest);
                    }
                    for r in 0..R {
                        let gradient = simd.load_part(d_output.add(r * pass.plane + whole), 0, rest);
                        for t in 0..T {
                            sums[r][t] = simd.mul_add(gradient, inputs[t], sums[r][t]);
                        }
                    }
                }
            }
            for r in 0..R {
                for t in 0..T {
                    simd.store(lanes.add((r * step + t) * S::LANES), sums[r][t]);
                }
            }
        }
    }
}
