//! The transform of the weights, once for many forward passes.

use std::marker::PhantomData;

use super::points::{MAX_A, Points};
use crate::kernel::gemm::MAX_MR;
use crate::kernel::parallel::{self, Shared, part};
use crate::dispatch::Isa;
use crate::simd::{Kernel, Simd};

/// Taps of a kernel.
const TAPS: usize = 9;

/// The weights of a convolution, or of its backward pass by the inputs.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// 3 x 3 taps for each pair of channels.
    pub data: &'a [f32],
    /// Channels of the result, and distance between their taps.
    pub rows: (usize, usize),
    /// Channels that are summed up, and distance between their taps.
    pub depth: (usize, usize),
    /// Whether the taps are turned round.
    pub turned: bool,
}

impl<'a> Weights<'a> {
    /// OIHW weights as they are.
    pub(super) fn forward(out_channels: usize, in_channels: usize, data: &'a [f32]) -> Self {
        Weights { data, rows: (out_channels, in_channels * TAPS), depth: (in_channels, TAPS), turned: false }
    }

    /// OIHW weights with inputs and outputs exchanged.
    pub(super) fn backward(out_channels: usize, in_channels: usize, data: &'a [f32]) -> Self {
        Weights { data, rows: (in_channels, TAPS), depth: (out_channels, in_channels * TAPS), turned: true }
    }

    /// Transforms them into `u`: `[block of rows][factor][depth][row]`.
    pub(super) fn transform<P: Points>(self, isa: Isa, u: &mut [f32]) {
        let (rows, depth) = (self.rows.0, self.depth.0);
        assert_eq!(self.data.len(), rows * depth * TAPS, "length of the weights");
        assert_eq!(u.len(), P::A * P::A * rows * depth, "length of the transformed weights");
        let blocks = rows.div_ceil(isa.tile().1);
        let u = Shared::new(u);
        // One pair of channels takes as long as some two hundred multiply-adds.
        parallel::for_each(blocks, 200 * rows * depth, |index| {
            let block = part(rows, blocks, 1, index);
            let at = P::A * P::A * depth * block.start;
            // SAFETY: the blocks follow one another in `u`.
            let u = unsafe { u.at(at) };
            isa.run(Block::<P> { weights: self, first: block.start, rows: block.len(), u, points: PhantomData });
        });
    }
}

/// A block of rows to transform to `u`.
struct Block<'a, P> {
    weights: Weights<'a>,
    first: usize,
    rows: usize,
    u: *mut f32,
    points: PhantomData<P>,
}

impl<P: Points> Kernel for Block<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Block { weights, first, rows, u, .. } = self;
        let (depth, step) = weights.depth;
        let mut taps = [[0.0; 2 * MAX_MR]; TAPS];
        for k in 0..depth {
            for r in 0..rows {
                let from = &weights.data[(first + r) * weights.rows.1 + k * step..][..TAPS];
                for tap in 0..TAPS {
                    taps[tap][r] = from[if weights.turned { TAPS - 1 - tap } else { tap }];
                }
            }
            for begin in (0..rows).step_by(S::LANES) {
                let mut columns = [[simd.splat(0.0); MAX_A]; 3];
                for (kw, column) in columns.iter_mut().enumerate() {
                    // SAFETY: `taps` is twice as long as there are rows, and a vector no longer than that.
                    let g = [0, 1, 2].map(|kh| unsafe { simd.load(taps[kh * 3 + kw].as_ptr().add(begin)) });
                    *column = P::weight(simd, g);
                }
                for down in 0..P::A {
                    let across = P::weight(simd, [columns[0][down], columns[1][down], columns[2][down]]);
                    for (right, &v) in across.iter().enumerate().take(P::A) {
                        let at = ((down * P::A + right) * depth + k) * rows + begin;
                        // SAFETY: the block has `A * A * depth * rows` floats.
                        unsafe { simd.store_part(u.add(at), v, (rows - begin).min(S::LANES)) };
                    }
                }
            }
        }
    }
}
