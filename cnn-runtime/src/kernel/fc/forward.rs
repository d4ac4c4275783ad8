//! Forward: vectors of outputs, as the weights stand in memory, times the inputs of some samples.

use std::ops::Range;

use super::WIDTH;
use super::ends::Ends;
use super::tile::{Ahead, Operands, Sums, accumulate, padded};
use crate::desc::Fc;
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::gemm::pack::transpose;
use crate::kernel::gemm::rows;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::post::Post;
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Tasks at most: each packs the inputs for itself.
const TASKS: usize = 8;
/// Samples, roughly, that are worked on together: their inputs stay in the second-level cache.
const SAMPLES: usize = 112;
/// Inputs, roughly, that are worked on together where several tiles pass over the weights: these stay in the caches.
const DEPTH: usize = 1024;
/// The same for one tile, which reads the weights once, in order.
const DEPTH_OF_ONE: usize = 8192;
/// Most panels of a lone sample that are read side by side: memory answers several requests at a time, and a sum does not
/// have to wait for its last product. Measured on a processor that takes up so many once their weights are asked for.
const STREAMS: usize = 8;
/// The same where weights are not asked for: measured on a processor that follows as many by itself, half as fast again as
/// any that it is told of.
const FOLLOWED: usize = 4;
/// Steps that the weights of a lone sample are asked for ahead of time where they are: they come from memory.
const FAR: usize = 16;
/// Steps that weights are asked for ahead of time.
const NEAR: usize = 12;

/// See [`super::forward_then`]; the lengths are checked.
pub(super) fn run(isa: Isa, d: &Fc, n: usize, input: &[f32], weight: &[f32], post: Post<'_>, output: &mut [f32]) {
    let panels = Blocks::of(d.outputs);
    let macs = n * weight.len();
    let tasks = parallel::parts(TASKS, macs).min(panels.count());
    let output = Shared::new(output);
    parallel::for_each(tasks, macs, |index| {
        let range = part(panels.count(), tasks, 1, index);
        isa.run(Task { d, n, input, weight, post, asks: isa.has_matrix(), panels, range, output });
    });
}

/// The outputs of a range of panels.
struct Task<'a> {
    d: &'a Fc,
    n: usize,
    input: &'a [f32],
    weight: &'a [f32],
    post: Post<'a>,
    /// Whether the weights of a lone sample are asked for ahead of time, as processors with a matrix unit like it.
    asks: bool,
    panels: Blocks,
    range: Range<usize>,
    output: Shared,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let groups = self.n.div_ceil(SAMPLES);
        for group in 0..groups {
            let samples = part(self.n, groups, 1, group);
            let tiles = samples.len().div_ceil(S::MR);
            let most = match samples.len() {
                // A lone sample is read where it stands.
                1 => self.d.inputs.max(1),
                _ if tiles == 1 => DEPTH_OF_ONE,
                _ => DEPTH,
            };
            let chunks = self.d.inputs.div_ceil(most).max(1);
            let deepest = self.d.inputs.div_ceil(chunks);
            let packed_len = if samples.len() == 1 { 0 } else { tiles * deepest * padded::<S>() };
            let mut buffer = scratch::lend(scratch::Use::Task, packed_len);
            for chunk in 0..chunks {
                let depth = part(self.d.inputs, chunks, 1, chunk);
                let pass = Pass { task: &self, samples: samples.clone(), tiles, depth };
                pass.run(simd, &mut buffer);
            }
        }
    }
}

/// Some inputs of some samples.
struct Pass<'a> {
    task: &'a Task<'a>,
    samples: Range<usize>,
    tiles: usize,
    depth: Range<usize>,
}

impl Pass<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, packed: &mut [f32]) {
        let Pass {
            task: &Task { d, input, weight, ref post, panels, ref range, output, .. }, tiles, ref depth, ..
        } = *self;
        let lone = self.samples.len() == 1;
        if !lone {
            self.pack(simd, packed);
        }
        let mut range = range.clone();
        if lone {
            range.start = self.streams(simd);
        }
        for index in range.clone() {
            let outputs = panels.rows(index);
            let ends = (depth.end == d.inputs).then(|| Ends::of(post, outputs.clone()));
            let from = panels.start(index, d.inputs) + depth.start * outputs.len();
            let next =
                if index + 1 < range.end { panels.start(index + 1, d.inputs) + depth.start * WIDTH } else { from };
            for tile in 0..tiles {
                let of_tile = self.tile(tile);
                let first = of_tile.start * d.outputs + outputs.start;
                let (scalars, step) = if lone {
                    (input[of_tile.start * d.inputs + depth.start..].as_ptr(), 1)
                } else {
                    (packed[tile * depth.len() * padded::<S>()..].as_ptr(), padded::<S>())
                };
                // While one tile computes, a part of what the next panel needs comes closer; a lone tile asks for what it
                // reads next itself.
                let (next, pace) = if tiles == 1 { (from, WIDTH) } else { (next, WIDTH / tiles) };
                let ahead = weight.as_ptr().wrapping_add(next + tile * depth.len() * pace);
                let strip = Strip {
                    depth: depth.len(),
                    scalars,
                    step,
                    weights: weight[from..].as_ptr(),
                    width: outputs.len(),
                    ahead: Ahead { from: ahead, step: pace },
                    // SAFETY: this sample has this output.
                    output: unsafe { output.at(first) },
                    stride: d.outputs,
                    add: depth.start > 0,
                    ends: ends.as_ref(),
                    residual: post.residual().map(|residual| residual[first..].as_ptr()),
                };
                rows!(simd, of_tile.len(), MR => Rows::<MR>(strip));
            }
        }
    }

    /// Computes the panels of a lone sample that are read side by side, and returns the first that is left.
    #[inline(always)]
    fn streams<S: Simd>(&self, simd: S) -> usize {
        let Pass { task: &Task { d, input, weight, ref post, asks, panels, ref range, output, .. }, .. } = *self;
        let sample = self.samples.start;
        let inputs = &input[sample * d.inputs..][..d.inputs];
        let mut index = range.start;
        // Those of the widest vectors alone fit in registers together.
        while S::LANES == 16 && index + 2 <= range.end {
            let count = match range.end - index {
                STREAMS.. if asks => STREAMS,
                FOLLOWED.. => FOLLOWED,
                left => left,
            };
            let outputs = panels.rows(index).start..panels.rows(index + count - 1).end;
            let first = sample * d.outputs + outputs.start;
            let weights = &weight[panels.start(index, d.inputs)..][..outputs.len() * d.inputs];
            // SAFETY: these outputs are this task's alone.
            let output = unsafe { output.part(first..first + outputs.len()) };
            let residual = post.residual().map(|residual| &residual[first..][..outputs.len()]);
            macro_rules! call {
                ($($count:literal)+) => {
                    match (count, asks) {
                        $(
                            ($count, false) => {
                                simd.call(Streams::<$count, false> { inputs, weights, output, post, outputs, residual })
                            }
                            ($count, true) => {
                                simd.call(Streams::<$count, true> { inputs, weights, output, post, outputs, residual })
                            }
                        )+
                        _ => unreachable!("{count} panels side by side"),
                    }
                };
            }
            call!(2 3 4 8);
            index += count;
        }
        index
    }

    /// The samples of a tile.
    #[inline(always)]
    fn tile(&self, index: usize) -> Range<usize> {
        let samples = part(self.samples.len(), self.tiles, 1, index);
        self.samples.start + samples.start..self.samples.start + samples.end
    }

    /// Lays out the inputs as tiles read them: those of a tile's samples side by side.
    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, packed: &mut [f32]) {
        let Pass { task: &Task { d, n, input, .. }, tiles, ref depth, .. } = *self;
        let len = depth.len() * padded::<S>();
        for tile in 0..tiles {
            let first = self.tile(tile).start;
            let source = &input[first * d.inputs + depth.start..];
            // Samples of the next tile fill the vectors: they do not matter, but whole ones are laid out faster.
            let columns = padded::<S>().min(n - first);
            transpose(simd, source, d.inputs, columns, padded::<S>(), &mut packed[tile * len..][..len]);
        }
    }
}

/// The products of `N` panels and one sample, whose weights are asked for ahead of time if `ASKS`. The last panel may be a
/// narrow one.
struct Streams<'a, const N: usize, const ASKS: bool> {
    inputs: &'a [f32],
    weights: &'a [f32],
    output: &'a mut [f32],
    post: &'a Post<'a>,
    /// Which outputs these are.
    outputs: Range<usize>,
    /// What is added to them.
    residual: Option<&'a [f32]>,
}

impl<const N: usize, const ASKS: bool> Kernel for Streams<'_, N, ASKS> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        if self.output.len() == N * WIDTH { self.panels::<S, false>(simd) } else { self.panels::<S, true>(simd) }
    }
}

impl<const N: usize, const ASKS: bool> Streams<'_, N, ASKS> {
    /// Computes all panels, of which the last one is narrow if `PART`.
    #[inline(always)]
    fn panels<S: Simd, const PART: bool>(self, simd: S) {
        let Streams { inputs, weights, output, post, outputs, residual } = self;
        let panel = inputs.len() * WIDTH;
        let len = output.len();
        assert!(S::LANES * 2 == WIDTH && len.div_ceil(WIDTH) == N && (PART || len == N * WIDTH), "panels side by side");
        assert_eq!(weights.len(), len * inputs.len(), "weights of all panels");
        let width = |stream: usize| (len - stream * WIDTH).min(WIDTH);
        let lanes = |stream: usize, v: usize| width(stream).saturating_sub(v * S::LANES).min(S::LANES);
        let mut sums = [[simd.splat(0.0); 2]; N];
        for (k, &input) in inputs.iter().enumerate() {
            let input = simd.splat(input);
            for (stream, sums) in sums.iter_mut().enumerate() {
                let narrow = PART && stream + 1 == N;
                let step = if narrow { width(stream) } else { WIDTH };
                let from = weights.as_ptr().wrapping_add(stream * panel + k * step);
                for (v, sum) in sums.iter_mut().enumerate() {
                    if ASKS {
                        simd.prefetch(from.wrapping_add(FAR * WIDTH + v * S::LANES));
                    }
                    let from = from.wrapping_add(v * S::LANES);
                    // SAFETY: the panels have been measured.
                    let weights =
                        unsafe { if narrow { simd.load_part(from, 0, lanes(stream, v)) } else { simd.load(from) } };
                    *sum = simd.mul_add(input, weights, *sum);
                }
            }
        }
        for (stream, sums) in sums.iter().enumerate() {
            let first = stream * WIDTH;
            let ends = Ends::of(post, outputs.start + first..outputs.start + first + width(stream));
            for (v, &sum) in sums.iter().enumerate() {
                let (lane, lanes) = (v * S::LANES, lanes(stream, v));
                let residual = residual.map(|residual| residual.as_ptr().wrapping_add(first + lane));
                // SAFETY: so many lanes are left of the outputs, and of what is added to them.
                unsafe {
                    let value = ends.apply::<S, true>(simd, sum, lane, lanes, residual);
                    simd.store_part(output.as_mut_ptr().wrapping_add(first + lane), value, 0, lanes);
                }
            }
        }
    }
}

/// A panel's outputs of a tile's samples.
#[derive(Clone, Copy)]
struct Strip<'a> {
    depth: usize,
    scalars: *const f32,
    /// Distance between the scalars of two steps.
    step: usize,
    weights: *const f32,
    /// Outputs of the panel.
    width: usize,
    ahead: Ahead,
    /// The first output of the first sample.
    output: *mut f32,
    /// Distance between samples of the output.
    stride: usize,
    /// Whether there are earlier products to add to.
    add: bool,
    /// How to end, after the last products.
    ends: Option<&'a Ends>,
    /// Where what is added stands, as the outputs do.
    residual: Option<*const f32>,
}

/// A strip whose samples are known to the compiler.
struct Rows<'a, const MR: usize>(Strip<'a>);

impl<const MR: usize> Kernel for Rows<'_, MR> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for first in (0..self.0.width).step_by(2 * S::LANES) {
            let left = self.0.width - first;
            if left >= 2 * S::LANES {
                self.tile::<S, 2, false>(simd, first, 2 * S::LANES);
            } else if left > S::LANES {
                self.tile::<S, 2, true>(simd, first, left);
            } else {
                self.tile::<S, 1, true>(simd, first, left);
            }
        }
    }
}

impl<const MR: usize> Rows<'_, MR> {
    /// The outputs `first..first + count` of the panel.
    #[inline(always)]
    fn tile<S: Simd, const NV: usize, const PART: bool>(&self, simd: S, first: usize, count: usize) {
        let Strip { depth, scalars, step, weights, width, ahead, output, stride, add, ends, residual } = self.0;
        for r in 0..MR {
            simd.prefetch(output.wrapping_add(r * stride + first));
            simd.prefetch(output.wrapping_add(r * stride + first + count - 1));
        }
        let vectors = weights.wrapping_add(first);
        let operands = Operands { scalars, row: 1, step, vectors, stride: width, width: count };
        let sums: Sums<S, MR, NV> = [[simd.splat(0.0); NV]; MR];
        // SAFETY: `Pass` has packed a row of scalars for each step, and so many rows of weights follow; each output and
        // residual of these samples exists, and no other task has these outputs.
        unsafe {
            let sums = accumulate::<S, MR, NV, PART, NEAR>(simd, depth, operands, ahead, sums);
            for (r, sums) in sums.into_iter().enumerate() {
                for (v, mut value) in sums.into_iter().enumerate() {
                    let (lane, lanes) = (first + v * S::LANES, (count - v * S::LANES).min(S::LANES));
                    let (to, at) = (output.wrapping_add(r * stride + lane), r * stride + lane);
                    let read = |p: *const f32| if PART { simd.load_part(p, 0, lanes) } else { simd.load(p) };
                    if add {
                        value = simd.add(value, read(to));
                    }
                    if let Some(ends) = ends {
                        let residual = residual.map(|residual| residual.wrapping_add(at));
                        value = ends.apply::<S, PART>(simd, value, lane, lanes, residual);
                    }
                    if PART {
                        simd.store_part(to, value, 0, lanes);
                    } else {
                        simd.store(to, value);
                    }
                }
            }
        }
    }
}
