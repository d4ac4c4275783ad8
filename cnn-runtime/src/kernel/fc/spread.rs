//! The gradient by the input of a few samples: memory is the bound, so the weights are read once, in order, some rows
//! at a time, and what they add to the gradients of a range of inputs stays in the caches.

use std::ops::Range;

use crate::desc::{Fc, Write};
use crate::dispatch::Isa;
use crate::kernel::parallel::{self, Shared, part};
use crate::simd::{Kernel, Simd};

/// Most samples for which this beats the blocked product.
pub(super) const MAX_SAMPLES: usize = 8;
/// Inputs of a task, roughly.
const INPUTS: usize = 2048;
/// Rows of weights that are read together.
const ROWS: usize = 8;
/// Samples that are worked on together.
const SAMPLES: usize = 4;

/// See [`super::backward_data`]; the lengths are checked.
pub(super) fn run(isa: Isa, d: &Fc, n: usize, weight: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    let d_input = Shared::new(d_input);
    let parts = d.inputs.div_ceil(INPUTS);
    parallel::for_each(parts, n * weight.len(), |index| {
        isa.run(Task { d, n, weight, d_output, columns: part(d.inputs, parts, 16, index), d_input, write });
    });
}

/// The gradients by a range of inputs.
struct Task<'a> {
    d: &'a Fc,
    n: usize,
    weight: &'a [f32],
    d_output: &'a [f32],
    columns: Range<usize>,
    d_input: Shared,
    write: Write,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for row in (0..self.d.outputs).step_by(ROWS) {
            let rows = row..self.d.outputs.min(row + ROWS);
            let mut column = self.columns.start;
            while column < self.columns.end {
                let left = self.columns.end - column;
                column += if left >= 4 * S::LANES && S::LANES == 16 {
                    self.samples::<S, 4>(simd, &rows, column, S::LANES)
                } else if left >= 2 * S::LANES {
                    self.samples::<S, 2>(simd, &rows, column, S::LANES)
                } else {
                    self.samples::<S, 1>(simd, &rows, column, left.min(S::LANES))
                };
            }
        }
    }
}

impl Task<'_> {
    /// Adds what some rows hand to `V` vectors of inputs of all samples; `count` lanes of the last one. Returns how many
    /// inputs that were.
    #[inline(always)]
    fn samples<S: Simd, const V: usize>(&self, simd: S, rows: &Range<usize>, column: usize, count: usize) -> usize {
        for sample in (0..self.n).step_by(SAMPLES) {
            match self.n - sample {
                1 => self.tile::<S, 1, V>(simd, rows, column, count, sample),
                2 => self.tile::<S, 2, V>(simd, rows, column, count, sample),
                3 => self.tile::<S, 3, V>(simd, rows, column, count, sample),
                _ => self.tile::<S, 4, V>(simd, rows, column, count, sample),
            }
        }
        (V - 1) * S::LANES + count
    }

    #[inline(always)]
    fn tile<S: Simd, const N: usize, const V: usize>(
        &self,
        simd: S,
        rows: &Range<usize>,
        column: usize,
        count: usize,
        sample: usize,
    ) {
        let Fc { inputs, outputs } = *self.d;
        // Whole vectors but for a lone last one.
        let whole = V > 1 || count == S::LANES;
        // SAFETY: `V - 1` whole vectors and `count` floats from `column` on are this task's, of all samples; so many
        // can be read from each row of the weights.
        unsafe {
            let target = self.d_input.at(sample * inputs + column);
            let weight = self.weight[rows.start * inputs + column..].as_ptr();
            let read = |from: *const f32| if whole { simd.load(from) } else { simd.load_part(from, 0, count) };
            let mut sums = [[simd.splat(0.0); V]; N];
            if rows.start > 0 || self.write == Write::Add {
                for (s, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = read(target.add(s * inputs + v * S::LANES));
                    }
                }
            }
            for (r, row) in rows.clone().enumerate() {
                let mut weights = [simd.splat(0.0); V];
                for (v, vector) in weights.iter_mut().enumerate() {
                    *vector = read(weight.add(r * inputs + v * S::LANES));
                }
                for (s, sums) in sums.iter_mut().enumerate() {
                    let gradient = simd.splat(self.d_output[(sample + s) * outputs + row]);
                    for (sum, &weight) in sums.iter_mut().zip(&weights) {
                        *sum = simd.mul_add(gradient, weight, *sum);
                    }
                }
            }
            for (s, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    let to = target.add(s * inputs + v * S::LANES);
                    if whole {
                        simd.store(to, sum);
                    } else {
                        simd.store_part(to, sum, 0, count);
                    }
                }
            }
        }
    }
}
