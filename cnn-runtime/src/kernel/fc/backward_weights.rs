//! The gradient by the weights: vectors of output gradients times the inputs of each sample, written once, in order.

use std::ops::Range;

use super::WIDTH;
use super::tile::{Ahead, Operands, Sums, accumulate, padded};
use crate::desc::Fc;
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::gemm::rows;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Tasks at most: each packs the inputs for itself.
const TASKS: usize = 8;
/// Samples, roughly, whose products are added up in registers.
const DEPTH: usize = 512;
/// Floats of packed inputs, roughly: half a megabyte stays in the second-level cache.
const PACKED: usize = 1 << 17;
/// Weights from which their gradient is written past the caches, which are too small for it.
const STREAMED: usize = 1 << 21;

/// See [`super::backward_weights`]; the lengths are checked.
pub(super) fn run(isa: Isa, d: &Fc, n: usize, input: &[f32], d_output: &[f32], d_weight: &mut [f32]) {
    if n == 0 {
        return d_weight.fill(0.0);
    }
    let panels = Blocks::of(d.outputs);
    let macs = n * d_weight.len();
    let tasks = parallel::parts(TASKS, macs).min(panels.count());
    let stream = d_weight.len() >= STREAMED && n <= DEPTH && (d_weight.as_ptr() as usize).is_multiple_of(64);
    let d_weight = Shared::new(d_weight);
    parallel::for_each(tasks, macs, |index| {
        let range = part(panels.count(), tasks, 1, index);
        isa.run(Task { d, n, input, d_output, d_weight, panels, range, stream });
    });
}

/// The gradients of a range of panels.
struct Task<'a> {
    d: &'a Fc,
    n: usize,
    input: &'a [f32],
    d_output: &'a [f32],
    d_weight: Shared,
    panels: Blocks,
    range: Range<usize>,
    stream: bool,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { d, n, stream, .. } = self;
        let chunks = n.div_ceil(DEPTH);
        let deepest = n.div_ceil(chunks);
        let tiles = d.inputs.div_ceil(S::MR);
        let together = (PACKED / (deepest * padded::<S>())).clamp(1, tiles);
        let gradients = deepest * WIDTH;
        let mut buffer = scratch::lend(scratch::Use::Task, gradients + together * deepest * padded::<S>());
        let (gradients, inputs) = buffer.split_at_mut(gradients);
        for chunk in 0..chunks {
            let samples = part(n, chunks, 1, chunk);
            for first in (0..tiles).step_by(together) {
                let tiles = first..tiles.min(first + together);
                self.pack_inputs(simd, &samples, tiles.clone(), inputs);
                for panel in self.range.clone() {
                    self.pack_gradients(simd, &samples, panel, gradients);
                    self.panel(simd, &samples, tiles.clone(), panel, inputs, gradients);
                }
            }
        }
        if stream {
            simd.fence();
        }
    }
}

impl Task<'_> {
    /// Lays out the inputs of each tile: those of a sample side by side.
    #[inline(always)]
    fn pack_inputs<S: Simd>(&self, simd: S, samples: &Range<usize>, tiles: Range<usize>, packed: &mut [f32]) {
        let inputs = self.d.inputs;
        for (tile, packed) in tiles.zip(packed.chunks_exact_mut(samples.len() * padded::<S>())) {
            let (first, count) = (tile * S::MR, S::MR.min(inputs - tile * S::MR));
            for (sample, packed) in samples.clone().zip(packed.chunks_exact_mut(padded::<S>())) {
                let source = &self.input[sample * inputs + first..][..count];
                for (from, to) in source.chunks(S::LANES).zip(packed.chunks_exact_mut(S::LANES)) {
                    // SAFETY: a chunk of the source, and room for a vector.
                    unsafe { simd.store(to.as_mut_ptr(), simd.load_part(from.as_ptr(), 0, from.len())) };
                }
            }
        }
    }

    /// Lays out the gradients of a panel's outputs, sample by sample.
    #[inline(always)]
    fn pack_gradients<S: Simd>(&self, simd: S, samples: &Range<usize>, panel: usize, packed: &mut [f32]) {
        let outputs = self.panels.rows(panel);
        for (sample, packed) in samples.clone().zip(packed.chunks_exact_mut(WIDTH)) {
            let source = &self.d_output[sample * self.d.outputs..][outputs.clone()];
            for (from, to) in source.chunks(S::LANES).zip(packed.chunks_exact_mut(S::LANES)) {
                // SAFETY: a chunk of the source, and room for a vector.
                unsafe { simd.store(to.as_mut_ptr(), simd.load_part(from.as_ptr(), 0, from.len())) };
            }
        }
    }

    /// The gradients of some tiles of inputs by the outputs of a panel.
    #[inline(always)]
    fn panel<S: Simd>(
        &self,
        simd: S,
        samples: &Range<usize>,
        tiles: Range<usize>,
        panel: usize,
        inputs: &[f32],
        gradients: &[f32],
    ) {
        let (width, begin) = (self.panels.rows(panel).len(), tiles.start * S::MR);
        // Whole tiles, and one that may be narrower.
        let end = self.d.inputs.min(tiles.end * S::MR);
        let whole = (end - begin) / S::MR;
        let tile = samples.len() * padded::<S>();
        for (first, count, rows) in [(0, whole, S::MR), (whole, 1, (end - begin) % S::MR)] {
            if rows == 0 || count == 0 {
                continue;
            }
            let at = self.panels.start(panel, self.d.inputs) + (begin + first * S::MR) * width;
            let strip = Strip {
                depth: samples.len(),
                tiles: count,
                inputs: inputs[first * tile..].as_ptr(),
                gradients: gradients.as_ptr(),
                width,
                // SAFETY: the panel has a row for each input.
                d_weight: unsafe { self.d_weight.at(at) },
                add: samples.start > 0,
                stream: self.stream && width == WIDTH,
            };
            rows!(simd, rows, MR => Rows::<MR>(strip));
        }
    }
}

/// Tiles of equally many inputs by the outputs of a panel.
#[derive(Clone, Copy)]
struct Strip {
    depth: usize,
    tiles: usize,
    /// The packed inputs of the first tile.
    inputs: *const f32,
    /// The packed gradients of the panel.
    gradients: *const f32,
    /// Outputs of the panel.
    width: usize,
    /// The first gradient to write.
    d_weight: *mut f32,
    /// Whether there are earlier products to add to.
    add: bool,
    /// Whether to write past the caches.
    stream: bool,
}

/// A strip whose inputs per tile are known to the compiler.
struct Rows<const MR: usize>(Strip);

impl<const MR: usize> Kernel for Rows<MR> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Strip { depth, tiles, inputs, width, d_weight, .. } = self.0;
        for tile in 0..tiles {
            let inputs = inputs.wrapping_add(tile * depth * padded::<S>());
            let to = d_weight.wrapping_add(tile * MR * width);
            for first in (0..width).step_by(2 * S::LANES) {
                let left = width - first;
                if left >= 2 * S::LANES {
                    self.tile::<S, 2, false>(simd, inputs, to, first, 2 * S::LANES);
                } else if left > S::LANES {
                    self.tile::<S, 2, true>(simd, inputs, to, first, left);
                } else {
                    self.tile::<S, 1, true>(simd, inputs, to, first, left);
                }
            }
        }
    }
}

impl<const MR: usize> Rows<MR> {
    /// The gradients by the outputs `first..first + count` of the panel.
    #[inline(always)]
    fn tile<S: Simd, const NV: usize, const PART: bool>(
        &self,
        simd: S,
        inputs: *const f32,
        to: *mut f32,
        first: usize,
        count: usize,
    ) {
        let Strip { depth, gradients, width, add, stream, .. } = self.0;
        let vectors = gradients.wrapping_add(first);
        // The packed gradients fill whole vectors.
        let operands = Operands { scalars: inputs, row: 1, step: padded::<S>(), vectors, stride: WIDTH, width: count };
        let ahead = Ahead { from: inputs.wrapping_add(depth * padded::<S>()), step: padded::<S>() };
        let sums: Sums<S, MR, NV> = [[simd.splat(0.0); NV]; MR];
        // SAFETY: `Task` has packed a row of inputs and gradients for each sample; the gradients to write are this task's
        // alone, and stand where the panel says. Rows of whole panels stand on cache lines if the first one does.
        unsafe {
            let sums = accumulate::<S, MR, NV, false, 0>(simd, depth, operands, ahead, sums);
            for (r, sums) in sums.into_iter().enumerate() {
                for (v, mut value) in sums.into_iter().enumerate() {
                    let lanes = (count - v * S::LANES).min(S::LANES);
                    let to = to.wrapping_add(r * width + first + v * S::LANES);
                    if add {
                        value = simd.add(value, simd.load_part(to, 0, lanes));
                    }
                    if PART {
                        simd.store_part(to, value, 0, lanes);
                    } else if stream {
                        simd.stream(to, value);
                    } else {
                        simd.store(to, value);
                    }
                }
            }
        }
    }
}
