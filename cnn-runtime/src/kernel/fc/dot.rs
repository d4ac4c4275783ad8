//! The gradient by the input of a few samples: vectors of outputs, as the weights stand in memory, times the gradients of
//! each sample. Memory is the bound, so the weights are read once, nearly in order.

#![allow(clippy::needless_range_loop)] // inputs and samples of the tile are counted as in the formula

use std::ops::Range;

use crate::desc::{Fc, Write};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::parallel::{self, Shared, part};
use crate::simd::{Kernel, Simd};

/// Inputs of a task, roughly.
const INPUTS: usize = 512;
/// Panels of weights whose products are added up in registers, for each sample of a tile.
const TOGETHER: usize = 4;
/// Floats of a vector's worth of sums, each as a vector of parts.
const SQUARE: usize = 16 * 16;

/// See [`super::backward_data`]; the lengths are checked.
pub(super) fn run(isa: Isa, d: &Fc, n: usize, weight: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    let d_input = Shared::new(d_input);
    let parts = d.inputs.div_ceil(INPUTS);
    parallel::for_each(parts, n * weight.len(), |index| {
        let inputs = part(d.inputs, parts, 16, index);
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
        let mut parts = [0.0; 2 * SQUARE];
        let wide = S::LANES == 16;
        match self.n {
            1 if wide => self.samples::<S, 16, 1>(simd, &mut parts),
            1 => self.samples::<S, 8, 1>(simd, &mut parts),
            2 if wide => self.samples::<S, 8, 2>(simd, &mut parts),
            2 => self.samples::<S, 4, 2>(simd, &mut parts),
            3 if wide => self.samples::<S, 5, 3>(simd, &mut parts),
            3 => self.samples::<S, 2, 3>(simd, &mut parts),
            _ if wide => self.samples::<S, 6, 4>(simd, &mut parts),
            _ => self.samples::<S, 2, 4>(simd, &mut parts),
        }
    }
}

impl Task<'_> {
    /// All inputs, `R` at a time, by all samples, `N` at a time. `parts` is working memory.
    #[inline(always)]
    fn samples<S: Simd, const R: usize, const N: usize>(&self, simd: S, parts: &mut [f32; 2 * SQUARE]) {
        let panels = Blocks::of(self.d.outputs);
        let most = TOGETHER * N;
        for first in (0..panels.count()).step_by(most) {
            let together = first..panels.count().min(first + most);
            let mut input = self.inputs.start;
            while input < self.inputs.end {
                let rows = if self.inputs.end - input >= R { R } else { 1 };
                for sample in (0..self.n).step_by(N) {
                    // Fewer samples than a tile's go one by one.
                    let count = N.min(self.n - sample);
                    if rows == R && count == N {
                        self.tile::<S, R, N>(simd, &together, input, sample, parts);
                    } else {
                        for (input, sample) in
                            (input..input + rows).flat_map(|i| (sample..sample + count).map(move |s| (i, s)))
                        {
                            self.tile::<S, 1, 1>(simd, &together, input, sample, parts);
                        }
                    }
                }
                input += rows;
            }
        }
    }

    /// Writes or adds what some panels hand to `R` inputs of `N` samples.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const N: usize>(
        &self,
        simd: S,
        together: &Range<usize>,
        input: usize,
        sample: usize,
        parts: &mut [f32; 2 * SQUARE],
    ) {
        let Task { d, weight, d_output, d_input, write, .. } = *self;
        let panels = Blocks::of(d.outputs);
        let mut sums = [[simd.splat(0.0); R]; N];
        for index in together.clone() {
            let outputs = panels.rows(index);
            let width = outputs.len();
            let weights = weight[panels.start(index, d.inputs) + input * width..][..R * width].as_ptr();
            let gradients = d_output[sample * d.outputs + outputs.start..].as_ptr();
            for o in (0..width).step_by(S::LANES) {
                let count = (width - o).min(S::LANES);
                // SAFETY: the weights of `R` inputs and the gradients of `N` samples by these outputs.
                let read = |from: *const f32| unsafe {
                    if count == S::LANES { simd.load(from) } else { simd.load_part(from, 0, count) }
                };
                for s in 0..N {
                    let gradient = read(gradients.wrapping_add(s * d.outputs + o));
                    for r in 0..R {
                        let weight = read(weights.wrapping_add(r * width + o));
                        sums[s][r] = simd.mul_add(weight, gradient, sums[s][r]);
                    }
                }
            }
        }
        for s in 0..N {
            for r in 0..R {
                let vector = &mut parts[(s * R + r) * S::LANES..][..S::LANES];
                // SAFETY: just cut to a vector's length.
                unsafe { simd.store(vector.as_mut_ptr(), sums[s][r]) };
            }
        }
        let add = together.start > 0 || write == Write::Add;
        for first in (0..R * N).step_by(S::LANES) {
            let mut totals = [0.0; 16];
            let square = &parts[first * S::LANES..][..S::LANES * S::LANES];
            // SAFETY: there is a square from each vector on; `totals` is as long as a vector.
            unsafe { simd.store(totals.as_mut_ptr(), simd.sums(square.as_ptr())) };
            for (at, &total) in (first..R * N).zip(totals.iter().take(S::LANES)) {
                // SAFETY: these samples have these inputs, which are this task's alone.
                let to = unsafe { &mut *d_input.at((sample + at / R) * d.inputs + input + at % R) };
                *to = if add { *to + total } else { total };
            }
        }
    }
}
