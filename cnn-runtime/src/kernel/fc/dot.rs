//! A few samples: memory is the bound, so each weight is read once, in order, for up to four samples at a time.

#![allow(clippy::needless_range_loop)] // rows and samples of the tile are counted as in the formula

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

/// Samples that are worked on together.
const SAMPLES: usize = 4;
/// Floats of a vector's worth of rows, each as a vector of partial sums.
const SQUARE: usize = 16 * 16;

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut lanes = [[0.0; SQUARE]; SAMPLES];
        for row in self.rows.clone().step_by(S::LANES) {
            let rows = row..self.rows.end.min(row + S::LANES);
            for sample in (0..self.n).step_by(SAMPLES) {
                match self.n - sample {
                    1 => self.square::<S, 1>(simd, rows.clone(), sample, &mut lanes),
                    2 => self.square::<S, 2>(simd, rows.clone(), sample, &mut lanes),
                    3 => self.square::<S, 3>(simd, rows.clone(), sample, &mut lanes),
                    _ => self.square::<S, 4>(simd, rows.clone(), sample, &mut lanes),
                }
            }
        }
    }
}

impl Block<'_> {
    /// The outputs of at most a vector of `rows` of `N` samples.
    #[inline(always)]
    fn square<S: Simd, const N: usize>(
        &self,
        simd: S,
        rows: std::ops::Range<usize>,
        sample: usize,
        lanes: &mut [[f32; SQUARE]; SAMPLES],
    ) {
        let mut row = rows.start;
        while row < rows.end {
            // As many rows at once as cover the latency of a multiply-add and leave their sums in registers.
            let most = match (N, S::LANES) {
                (1, _) => 8,
                (2, _) | (_, 16) => 4,
                _ => 2,
            };
            let at = row - rows.start;
            row += match rows.end - row {
                8.. if most == 8 => self.dots::<S, 8, N>(simd, row, sample, at, lanes),
                4.. if most >= 4 => self.dots::<S, 4, N>(simd, row, sample, at, lanes),
                2.. => self.dots::<S, 2, N>(simd, row, sample, at, lanes),
                _ => self.dots::<S, 1, N>(simd, row, sample, at, lanes),
            };
        }
        for (s, lanes) in lanes.iter().enumerate().take(N) {
            let mut sums = [0.0; 16];
            // SAFETY: the square and its columns are as long as a square of vectors, `sums` as a vector.
            unsafe { simd.store(sums.as_mut_ptr(), columns(simd, lanes)) };
            for (r, &sum) in rows.clone().zip(&sums) {
                let at = (sample + s) * self.d.outputs + r;
                // SAFETY: the output has `outputs` floats for each sample, and these rows are this task's alone.
                unsafe { *self.output.at(at) = self.post.finished(sum, r, at) };
            }
        }
    }

    /// Leaves the products of the rows `row..row + R` with the samples `sample..sample + N` as vectors whose lanes are to
    /// be added up, from row `at` of each sample's square on. Returns `R`.
    #[inline(always)]
    fn dots<S: Simd, const R: usize, const N: usize>(
        &self,
        simd: S,
        row: usize,
        sample: usize,
        at: usize,
        lanes: &mut [[f32; SQUARE]; SAMPLES],
    ) -> usize {
        let length = self.d.inputs;
        let weights = self.weight[row * length..(row + R) * length].as_ptr();
        let inputs = self.input[sample * length..(sample + N) * length].as_ptr();
        let mut sums = [[simd.splat(0.0); N]; R];
        let whole = length / S::LANES * S::LANES;
        for i in (0..whole).step_by(S::LANES) {
            for s in 0..N {
                // SAFETY: `i` and the vector behind it are below `length`.
                let x = unsafe { simd.load(inputs.add(s * length + i)) };
                for r in 0..R {
                    // SAFETY: as above.
                    sums[r][s] = simd.mul_add(unsafe { simd.load(weights.add(r * length + i)) }, x, sums[r][s]);
                }
            }
        }
        if whole < length {
            for s in 0..N {
                // SAFETY: no more is read than is left of a row.
                let x = unsafe { simd.load_part(inputs.add(s * length + whole), 0, length - whole) };
                for r in 0..R {
                    // SAFETY: as above.
                    let weight = unsafe { simd.load_part(weights.add(r * length + whole), 0, length - whole) };
                    sums[r][s] = simd.mul_add(weight, x, sums[r][s]);
                }
            }
        }
        for s in 0..N {
            for r in 0..R {
                let vector = &mut lanes[s][(at + r) * S::LANES..][..S::LANES];
                // SAFETY: just cut to a vector's length.
                unsafe { simd.store(vector.as_mut_ptr(), sums[r][s]) };
            }
        }
        R
    }
}

/// The sum of the lanes of each of `LANES` vectors, in pairs.
#[inline(always)]
fn columns<S: Simd>(simd: S, vectors: &[f32; SQUARE]) -> S::V {
    let mut turned = [0.0; SQUARE];
    let mut sums = [simd.splat(0.0); 16];
    // SAFETY: both squares have sixteen rows of as many floats, and no vector is longer.
    unsafe {
        simd.transpose((vectors.as_ptr(), S::LANES), (turned.as_mut_ptr(), S::LANES));
        for i in 0..S::LANES {
            sums[i] = simd.load(turned[i * S::LANES..].as_ptr());
        }
    }
    let mut width = S::LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            sums[i] = simd.add(sums[i], sums[i + width]);
        }
    }
    sums[0]
}
