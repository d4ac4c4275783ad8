//! The gradient by the input of many samples: vectors of samples times the weights, which are read once, in order.

use std::ops::Range;

use super::WIDTH;
use super::tile::{Ahead, Operands, Sums, accumulate};
use crate::desc::{Fc, Write};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::gemm::pack::transpose;
use crate::kernel::gemm::rows;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Least samples for which this beats the dot products of [`super::dot`]: they fill most of a vector.
pub(super) const MIN_SAMPLES: usize = 12;
/// Tasks at most: each packs the gradients for itself.
const TASKS: usize = 8;
/// Floats of packed gradients, roughly: a megabyte.
const PACKED: usize = 1 << 18;
/// Floats of sums, roughly: half a megabyte stays in the second-level cache.
const SUMS: usize = 1 << 17;
/// Panels of weights whose products are added up in registers: what a tile reads of them stays in the first-level cache,
/// and so do the gradients.
const TOGETHER: usize = 4;

/// See [`super::backward_data`]; the lengths are checked.
pub(super) fn run(isa: Isa, d: &Fc, n: usize, weight: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    let macs = n * weight.len();
    let (lanes, most) = isa.tile();
    let tasks = parallel::parts(TASKS, macs).min(d.inputs.div_ceil(lanes * most));
    let d_input = Shared::new(d_input);
    parallel::for_each(tasks, macs, |index| {
        // Whole tiles and whole vectors of inputs.
        let inputs = part(d.inputs, tasks, lanes * most, index);
        isa.run(Task { d, n, weight, d_output, inputs, d_input, write });
    });
}

/// The gradients by a range of inputs.
struct Task<'a> {
    d: &'a Fc,
    n: usize,
    weight: &'a [f32],
    d_output: &'a [f32],
    inputs: Range<usize>,
    d_input: Shared,
    write: Write,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { d, n, ref inputs, .. } = self;
        let wide = 2 * S::LANES;
        let most = (PACKED / (d.outputs * wide)).max(1) * wide;
        let groups = n.div_ceil(most);
        for group in 0..groups {
            let samples = part(n, groups, wide, group);
            let columns = samples.len().next_multiple_of(wide);
            let rows = (SUMS / columns / (S::MR * S::LANES)).max(1) * S::MR * S::LANES;
            let rows = rows.min(inputs.len().next_multiple_of(S::LANES));
            let mut buffer = scratch::lend(scratch::Use::Task, columns * (d.outputs + rows));
            let (gradients, sums) = buffer.split_at_mut(columns * d.outputs);
            for (panel, first) in gradients.chunks_exact_mut(d.outputs * wide).zip(samples.clone().step_by(wide)) {
                let count = wide.min(samples.end - first);
                transpose(simd, &self.d_output[first * d.outputs..], d.outputs, count, wide, panel);
            }
            for first in inputs.clone().step_by(rows) {
                let inputs = first..inputs.end.min(first + rows);
                let pass = Pass { task: &self, samples: samples.clone(), inputs, gradients, rows };
                pass.multiply(simd, sums);
                pass.write(simd, sums);
            }
        }
    }
}

/// Some inputs of some samples.
struct Pass<'a> {
    task: &'a Task<'a>,
    samples: Range<usize>,
    inputs: Range<usize>,
    /// The packed gradients: for each two vectors of samples, all outputs.
    gradients: &'a [f32],
    /// Rows of the sums for each two vectors of samples.
    rows: usize,
}

impl Pass<'_> {
    /// Leaves the products of each two vectors of samples with all inputs.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, sums: &mut [f32]) {
        let &Pass { task: &Task { d, weight, .. }, ref samples, ref inputs, gradients, rows } = self;
        let (panels, wide) = (Blocks::of(d.outputs), 2 * S::LANES);
        for first in (0..panels.count()).step_by(TOGETHER) {
            let together = first..panels.count().min(first + TOGETHER);
            for begin in inputs.clone().step_by(S::MR) {
                for (index, sample) in samples.clone().step_by(wide).enumerate() {
                    let strip = Strip {
                        panels,
                        inputs: d.inputs,
                        together: together.clone(),
                        weight,
                        input: begin,
                        ahead: index == 0,
                        gradients: gradients[index * d.outputs * wide..].as_ptr(),
                        sums: sums[(index * rows + begin - inputs.start) * wide..].as_mut_ptr(),
                        two: samples.end - sample > S::LANES,
                    };
                    rows!(simd, S::MR.min(inputs.end - begin), MR => Rows::<MR>(strip));
                }
            }
        }
    }

    /// Turns the sums over and writes them.
    #[inline(always)]
    fn write<S: Simd>(&self, simd: S, sums: &[f32]) {
        let &Pass { task: &Task { d, d_input, write, .. }, ref samples, ref inputs, rows, .. } = self;
        for (index, first) in samples.clone().step_by(S::LANES).enumerate() {
            let sums = &sums[index / 2 * rows * 2 * S::LANES + index % 2 * S::LANES..];
            for begin in inputs.clone().step_by(S::LANES) {
                let count = S::LANES.min(inputs.end - begin);
                let from = sums[(begin - inputs.start) * 2 * S::LANES..].as_ptr();
                // SAFETY: there are sums for whole vectors of inputs and of samples. The gradients of these samples by this
                // range of inputs are this task's.
                unsafe {
                    let turned = simd.columns(from, 2 * S::LANES);
                    for (sample, mut value) in (first..samples.end).zip(turned.into_iter().take(S::LANES)) {
                        let to = d_input.at(sample * d.inputs + begin);
                        if write == Write::Add {
                            value = simd.add(value, simd.load_part(to, 0, count));
                        }
                        simd.store_part(to, value, 0, count);
                    }
                }
            }
        }
    }
}

/// Some inputs of at most two vectors of samples.
#[derive(Clone)]
struct Strip<'a> {
    panels: Blocks,
    /// Rows of a panel.
    inputs: usize,
    /// The panels of weights to multiply with.
    together: Range<usize>,
    weight: &'a [f32],
    /// The first input.
    input: usize,
    /// Whether to ask for the weights of the next inputs.
    ahead: bool,
    gradients: *const f32,
    sums: *mut f32,
    /// Whether there are two vectors of samples.
    two: bool,
}

/// A strip whose inputs are known to the compiler.
struct Rows<'a, const MR: usize>(Strip<'a>);

impl<const MR: usize> Kernel for Rows<'_, MR> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        if self.0.two { self.tile::<S, 2>(simd) } else { self.tile::<S, 1>(simd) }
    }
}

impl<const MR: usize> Rows<'_, MR> {
    #[inline(always)]
    fn tile<S: Simd, const NV: usize>(&self, simd: S) {
        let Strip { panels, inputs, ref together, weight, input, ahead, gradients, sums: to, .. } = self.0;
        let mut sums: Sums<S, MR, NV> = [[simd.splat(0.0); NV]; MR];
        for index in together.clone() {
            let (outputs, stride) = (panels.rows(index), 2 * S::LANES);
            let width = outputs.len();
            let scalars = weight[panels.start(index, inputs) + input * width..].as_ptr();
            let vectors = gradients.wrapping_add(outputs.start * stride);
            let ahead = Ahead { from: scalars.wrapping_add(if ahead { MR * width } else { 0 }), step: 16 };
            // SAFETY: there are gradients for all outputs, and weights for these inputs.
            unsafe {
                sums = if width == WIDTH {
                    let operands = Operands { scalars, row: WIDTH, step: 1, vectors, stride, width: stride };
                    accumulate::<S, MR, NV, false, 0>(simd, WIDTH, operands, ahead, sums)
                } else {
                    let operands = Operands { scalars, row: width, step: 1, vectors, stride, width: stride };
                    accumulate::<S, MR, NV, false, 0>(simd, width, operands, ahead, sums)
                };
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, mut value) in sums.into_iter().enumerate() {
                let to = to.wrapping_add(r * 2 * S::LANES + v * S::LANES);
                // SAFETY: there is room for sums of these inputs and samples.
                unsafe {
                    if together.start > 0 {
                        value = simd.add(value, simd.load(to));
                    }
                    simd.store(to, value);
                }
            }
        }
    }
}
