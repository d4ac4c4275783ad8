//! The gradient by few weights: positions in the lanes, of the staged input and of the outputs' gradients, and a register
//! for each weight of a tile. The lanes are added up once a range of samples is through.

#![allow(clippy::needless_range_loop)] // rows and taps of the tile are counted as in the formula

use std::ops::Range;

use super::stage::{Stage, Taps};
use crate::desc::Conv;
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
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
pub(in super::super) fn run(isa: Isa, d: &Conv, n: usize, input: &[f32], d_output: &[f32], d_weight: &mut [f32]) {
    let chunks = (n / TASK.0).clamp(1, TASK.1);
    let taps = Taps::of(d);
    let mut sums = scratch::lend(scratch::Use::Sums, chunks * d_weight.len());
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
        let mut buffer = scratch::lend(scratch::Use::Packed, together * stage_len + sums.len() * S::LANES);
        let (staged, lanes) = buffer.split_at_mut(together * stage_len);
        let channels = d.output.c / d.groups;
        for first in samples.clone().step_by(together) {
            let now = first..samples.end.min(first + together);
            for (sample, staged) in now.clone().zip(staged.chunks_exact_mut(stage_len)) {
                let from = sample * d.input.len() + group * taps.map.len();
                taps.fill(simd, &stage, &input[from..from + taps.map.len()], staged);
            }
            let from = now.start * d.output.len() + group * channels * plane;
            let pass = Pass {
                taps: &taps,
                stage: &stage,
                staged,
                stage_len,
                d_output: &d_output[from..],
                sample: d.output.len(),
                plane,
                samples: now.len(),
                start: first == samples.start,
            };
            pass.run(simd, channels, lanes);
        }
        for (sum, lanes) in sums.iter_mut().zip(lanes.chunks_exact(S::LANES)) {
            // SAFETY: the chunk is a vector long.
            *sum = simd.sum(unsafe { simd.load(lanes.as_ptr()) });
        }
    }
}

/// Samples that are staged at once.
struct Pass<'a> {
    taps: &'a Taps,
    stage: &'a Stage,
    /// The stages of the samples, `stage_len` floats apart.
    staged: &'a [f32],
    stage_len: usize,
    /// The gradients of the first sample's outputs in the group, those of the next one `sample` floats on.
    d_output: &'a [f32],
    sample: usize,
    /// Distance between channels.
    plane: usize,
    samples: usize,
    /// Whether these are the first samples of the sums.
    start: bool,
}

impl Pass<'_> {
    /// Adds the products to the lanes of all weights.
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, channels: usize, lanes: &mut [f32]) {
        let (most_rows, most_taps) = if S::LANES == 16 { (4, 6) } else { (3, 3) };
        let all = self.taps.len();
        assert!(lanes.len() >= channels * all * S::LANES, "a vector for each weight");
        let last = (self.samples - 1) * self.sample + channels * self.plane;
        assert!(self.d_output.len() >= last && self.staged.len() >= self.samples * self.stage_len, "all samples");
        let (row_parts, tap_parts) = (channels.div_ceil(most_rows), all.div_ceil(most_taps));
        for index in 0..tap_parts {
            let taps = part(all, tap_parts, 1, index);
            let mut offsets = [0; 6];
            for (offset, tap) in offsets.iter_mut().zip(taps.clone()) {
                *offset = self.taps.offset(self.stage, tap);
            }
            for index in 0..row_parts {
                let rows = part(channels, row_parts, 1, index);
                let lanes = &mut lanes[(rows.start * all + taps.start) * S::LANES..];
                let d_output = &self.d_output[rows.start * self.plane..];
                let tile = Tile { pass: self, offsets: &offsets, d_output, lanes: lanes.as_mut_ptr(), step: all };
                tile.compute(simd, rows.len(), taps.len());
            }
        }
    }
}

/// Some rows of the weights by some taps.
struct Tile<'a> {
    pass: &'a Pass<'a>,
    /// Where the taps stand in a stage.
    offsets: &'a [usize; 6],
    /// The gradients of the first row.
    d_output: &'a [f32],
    /// The lanes of the first weight; a row has `step` vectors. Made by [`Pass::run`] alone, which has measured all.
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
        let whole = pass.plane / S::LANES * S::LANES;
        // SAFETY: `Pass::run` has measured the gradients, the stages and the lanes of all weights.
        unsafe {
            if !pass.start {
                for r in 0..R {
                    for t in 0..T {
                        sums[r][t] = simd.load(lanes.add((r * step + t) * S::LANES));
                    }
                }
            }
            for sample in 0..pass.samples {
                let d_output = d_output.as_ptr().add(sample * pass.sample);
                let staged = pass.staged.as_ptr().add(sample * pass.stage_len);
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
                let rest = pass.plane - whole;
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
