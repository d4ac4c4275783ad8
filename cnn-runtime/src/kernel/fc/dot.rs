//! A few samples: memory is the bound, so each weight is read once, in order, for up to four samples at a time.

use crate::desc::Fc;
use crate::dispatch::Isa;
use crate::kernel::parallel::{self, Shared};
use crate::kernel::post::Post;
use crate::simd::{Kernel, Simd};

/// Most samples for which this beats the blocked product.
pub(super) const MAX_SAMPLES: usize = 8;
/// Outputs of a task.
const BLOCK: usize = 32;

/// See [`super::forward`].
pub(super) fn forward(isa: Isa, d: &Fc, n: usize, input: &[f32], weight: &[f32], post: Post<'_>, output: &mut [f32]) {
    let output = Shared::new(output);
    parallel::for_each(d.outputs.div_ceil(BLOCK), n * weight.len(), |block| {
        let rows = block * BLOCK..((block + 1) * BLOCK).min(d.outputs);
        isa.run(Block { d, n, input, weight, post, rows, output });
    });
}

struct Block<'a> {
    d: &'a Fc,
    n: usize,
    input: &'a [f32],
    weight: &'a [f32],
    post: Post<'a>,
    rows: std::ops::Range<usize>,
    output: Shared,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut row = self.rows.start;
        while row < self.rows.end {
            let four = row + 4 <= self.rows.end;
            for sample in (0..self.n).step_by(4) {
                match (four, self.n - sample) {
                    (true, 1) => self.dots::<S, 4, 1>(simd, row, sample),
                    (true, 2) => self.dots::<S, 4, 2>(simd, row, sample),
                    (true, 3) => self.dots::<S, 4, 3>(simd, row, sample),
                    (true, _) => self.dots::<S, 4, 4>(simd, row, sample),
                    (false, 1) => self.dots::<S, 1, 1>(simd, row, sample),
                    (false, 2) => self.dots::<S, 1, 2>(simd, row, sample),
                    (false, 3) => self.dots::<S, 1, 3>(simd, row, sample),
                    (false, _) => self.dots::<S, 1, 4>(simd, row, sample),
                }
            }
            row += if four { 4 } else { 1 };
        }
    }
}

impl Block<'_> {
    /// The outputs `row..row + R` of the samples `sample..sample + N`.
    #[inline(always)]
    fn dots<S: Simd, const R: usize, const N: usize>(&self, simd: S, row: usize, sample: usize) {
        let length = self.d.inputs;
        let weights: [&[f32]; R] = std::array::from_fn(|r| &self.weight[(row + r) * length..][..length]);
        let inputs: [&[f32]; N] = std::array::from_fn(|s| &self.input[(sample + s) * length..][..length]);
        let mut sums = [[simd.splat(0.0); N]; R];
        let whole = length / S::LANES * S::LANES;
        for i in (0..whole).step_by(S::LANES) {
            for s in 0..N {
                // SAFETY: `i` and the vector behind it are below `length`.
                let x = unsafe { simd.load(inputs[s].as_ptr().add(i)) };
                for r in 0..R {
                    // SAFETY: as above.
                    sums[r][s] = simd.mul_add(unsafe { simd.load(weights[r].as_ptr().add(i)) }, x, sums[r][s]);
                }
            }
        }
        for r in 0..R {
            for s in 0..N {
                let mut sum = simd.sum(sums[r][s]);
                for i in whole..length {
                    sum += weights[r][i] * inputs[s][i];
                }
                let at = (sample + s) * self.d.outputs + row + r;
                // SAFETY: the output has `outputs` floats for each sample, and these rows are this task's alone.
                unsafe { *self.output.at(at) = self.post.finished(sum, row + r, at) };
            }
        }
    }
}
