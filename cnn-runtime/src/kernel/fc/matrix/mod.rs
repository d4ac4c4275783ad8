//! All three passes over many samples on a processor's matrix unit.
//!
//! Each is a product of two matrices, summed over *terms*: inputs in the forward pass, outputs in the gradient by the input,
//! samples in that by the weights. Both sides are cut into tiles of sixteen *lines*, and the terms into chunks. The digits
//! of some tiles of one side are kept; those of the other's are written tile by tile, and meet all that are kept. Every
//! line of a chunk has a scale of its own, so no sample's digits depend on another's.

mod side;
mod sink;

use std::ops::Range;

use self::side::{Edge, Matrix, PLAIN, Side};
use self::sink::{Chunk, Inputs, Outputs, Sink, TileSums, Weights};
use crate::desc::{Fc, Write};
use crate::dispatch::Isa;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::post::Post;
use crate::kernel::scratch;
use crate::simd::amx::{Amx, CLOSE, Exact, Product, RIGHT, ROWS, STEP, Tiles, in_steps, steps_apart};
use crate::simd::{Kernel, Simd};

/// Least samples: for fewer, the weights' digits take longer to write than products on vectors, and a step of samples is
/// not full.
const LEAST_SAMPLES: usize = 64;
/// The same for the forward pass where weights are [`FAR`]: vectors can ask for them ahead of time.
const LEAST_SAMPLES_FAR: usize = 96;
/// Weights that no cache holds; their gradient is written past the caches.
const FAR: usize = 1 << 23;
/// Least weights: fewer are in the caches, and their products soon done.
const LEAST_WEIGHTS: usize = 1 << 14;
/// Steps of a chunk: the digits of as many fill half of a first-level cache.
const STEPS: usize = 8;
/// Floats of kept digits, roughly: half a megabyte stays in the second-level cache.
const KEPT: usize = 1 << 17;
/// Tasks at most: each writes the kept digits for itself.
const TASKS: usize = 8;

/// The unit, if this is the way for `n` samples.
pub(super) fn applies(isa: Isa, d: &Fc, n: usize) -> Option<Amx> {
    isa.matrix().filter(|_| n >= LEAST_SAMPLES && d.inputs * d.outputs >= LEAST_WEIGHTS)
}

/// The same for the forward pass.
pub(super) fn applies_forward(isa: Isa, d: &Fc, n: usize) -> Option<Amx> {
    applies(isa, d, n).filter(|_| n >= LEAST_SAMPLES_FAR || d.inputs * d.outputs < FAR)
}

/// See [`super::forward_then`]; the lengths are checked.
pub(super) fn forward(
    (isa, amx): (Isa, Amx),
    d: &Fc,
    n: usize,
    input: &[f32],
    weight: &[f32],
    post: Post<'_>,
    output: &mut [f32],
) {
    let product = Whole {
        amx,
        kept: Side { matrix: Matrix::plain(input, [n, d.inputs]), along: true, left: true },
        met: Side { matrix: Matrix::weights(weight, d), along: false, left: false },
        terms: d.inputs,
        sink: Outputs { output: Shared::new(output), samples: n, width: d.outputs, post },
    };
    product.run(isa);
}

/// See [`super::backward_data`]; the lengths are checked.
pub(super) fn backward_data(
    (isa, amx): (Isa, Amx),
    d: &Fc,
    n: usize,
    weight: &[f32],
    d_output: &[f32],
    d_input: &mut [f32],
    write: Write,
) {
    let product = Whole {
        amx,
        kept: Side { matrix: Matrix::plain(d_output, [n, d.outputs]), along: true, left: false },
        met: Side { matrix: Matrix::weights(weight, d), along: true, left: true },
        terms: d.outputs,
        sink: Inputs { d_input: Shared::new(d_input), samples: n, width: d.inputs, write },
    };
    product.run(isa);
}

/// See [`super::backward_weights`]; the lengths are checked.
pub(super) fn backward_weights(
    (isa, amx): (Isa, Amx),
    d: &Fc,
    n: usize,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
) {
    let stream = d_weight.len() >= FAR && n <= STEPS * STEP && (d_weight.as_ptr() as usize).is_multiple_of(64);
    let product = Whole {
        amx,
        kept: Side { matrix: Matrix::plain(input, [n, d.inputs]), along: false, left: true },
        met: Side { matrix: Matrix::plain(d_output, [n, d.outputs]), along: false, left: false },
        terms: n,
        sink: Weights { d_weight: Shared::new(d_weight), d: *d, stream },
    };
    product.run(isa);
}

/// A product of two sides.
struct Whole<'a, const PANEL: usize, W> {
    amx: Amx,
    /// The side whose digits are kept, and the one that meets them tile by tile.
    kept: Side<'a, PLAIN>,
    met: Side<'a, PANEL>,
    terms: usize,
    sink: W,
}

/// The product for some tiles of the side whose digits are not kept.
struct Task<'a, const PANEL: usize, W> {
    product: &'a Whole<'a, PANEL, W>,
    tiles: Range<usize>,
}

impl<const PANEL: usize, W: Sink + Sync> Whole<'_, PANEL, W> {
    /// Computes the product, in parallel if it is large enough.
    fn run(&self, isa: Isa) {
        let macs = self.terms * self.kept.lines() * self.met.lines();
        let tiles = self.met.lines().div_ceil(ROWS);
        // Tiles go in pairs. A task without any would write all kept digits for nothing.
        let tasks = parallel::parts(TASKS, macs).min(tiles.div_ceil(2));
        parallel::for_each(tasks, macs, |index| isa.run(Task { product: self, tiles: part(tiles, tasks, 2, index) }));
    }
}

/// The digits of a tile in some steps.
struct Digits<'a> {
    tile: usize,
    digits: &'a [f32],
    /// What the sums of each line are multiplied by.
    downs: &'a [f32; ROWS],
}

impl<const PANEL: usize, W: Sink> Whole<'_, PANEL, W> {
    /// Multiplies a kept tile and one that meets it in so many steps, and hands the sums on.
    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        simd: S,
        unit: Tiles,
        [kept, met]: [&Digits<'_>; 2],
        steps: usize,
        chunk: &Chunk,
        exact: &mut Exact,
    ) {
        static PLACES: [u32; STEPS] = steps_apart(RIGHT * size_of::<f32>());
        let [left, right] = if self.kept.left { [kept, met] } else { [met, kept] };
        let len = steps * RIGHT;
        let product = Product {
            left: left.digits[..len].as_ptr(),
            left_apart: CLOSE,
            steps: PLACES[..steps].as_ptr(),
            count: steps,
            right: right.digits[..len].as_ptr(),
            sums: exact,
        };
        // SAFETY: both sides were just measured, and the steps.
        unsafe { unit.multiply_places(&product) };
        let (at, downs) = ([left.tile, right.tile], [left.downs, right.downs]);
        if left.downs.iter().fold(false, |any, &down| any | (in_steps(down)[1] > 1.0)) {
            self.sink.write(simd, at, &TileSums::<true> { exact, downs }, chunk);
        } else {
            self.sink.write(simd, at, &TileSums::<false> { exact, downs }, chunk);
        }
    }
}

impl<const PANEL: usize, W: Sink> Kernel for Task<'_, PANEL, W> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { product, tiles } = self;
        let Whole { amx, kept, terms, sink, .. } = product;
        let steps = terms.div_ceil(STEP);
        let chunks = steps.div_ceil(STEPS);
        let deepest = steps.div_ceil(chunks);
        let len = deepest * RIGHT;
        let kept_tiles = kept.lines().div_ceil(ROWS);
        let together = (KEPT / len).clamp(1, kept_tiles);
        let edges = STEPS * size_of::<Edge>() / size_of::<f32>();
        let mut buffer = scratch::lend(scratch::Use::Task, (together + 1) * len + edges + together * ROWS);
        let (digits, rest) = buffer.split_at_mut(together * len);
        let (met_digits, rest) = rest.split_at_mut(len);
        let (edges, kept_downs) = rest.split_at_mut(edges);
        let kept_downs = kept_downs.as_chunks_mut::<ROWS>().0;
        let edges = bytemuck::cast_slice_mut(edges);
        let mut work = Work { product, len, digits, kept_downs, met_digits, edges, exact: Exact::ZERO };
        amx.with_rows(
            ROWS,
            #[inline(always)]
            |unit| {
                for first in (0..kept_tiles).step_by(together) {
                    let group = first..kept_tiles.min(first + together);
                    for chunk in 0..chunks {
                        let steps = part(steps, chunks, 1, chunk);
                        work.keep(simd, &group, &steps);
                        let chunk = Chunk { is_first: chunk == 0, is_last: chunk + 1 == chunks };
                        for tile in tiles.clone() {
                            work.meet(simd, unit, tile, &group, &steps, &chunk);
                        }
                    }
                }
            },
        );
        sink.end(simd);
    }
}

/// The working memory of a task.
struct Work<'a, const PANEL: usize, W> {
    product: &'a Whole<'a, PANEL, W>,
    /// Floats of a tile's digits.
    len: usize,
    /// The digits of kept tiles, one after the other, and what their sums are multiplied by.
    digits: &'a mut [f32],
    kept_downs: &'a mut [[f32; ROWS]],
    /// Those of the tile that meets them.
    met_digits: &'a mut [f32],
    edges: &'a mut [Edge],
    /// The sums of two tiles.
    exact: Exact,
}

impl<const PANEL: usize, W: Sink> Work<'_, PANEL, W> {
    /// Writes the digits of a group of tiles, to be kept, in some steps.
    #[inline(always)]
    fn keep<S: Simd>(&mut self, simd: S, group: &Range<usize>, steps: &Range<usize>) {
        let tiles = group.clone().zip(self.digits.chunks_exact_mut(self.len));
        for ((tile, to), downs) in tiles.zip(&mut *self.kept_downs) {
            *downs = self.product.kept.write(simd, tile, steps, self.edges, to);
        }
    }

    /// Writes the digits of a tile in some steps, and multiplies them with all that are kept.
    #[inline(always)]
    fn meet<S: Simd>(
        &mut self,
        simd: S,
        unit: Tiles,
        tile: usize,
        group: &Range<usize>,
        steps: &Range<usize>,
        chunk: &Chunk,
    ) {
        let downs = self.product.met.write(simd, tile, steps, self.edges, self.met_digits);
        let met = Digits { tile, digits: self.met_digits, downs: &downs };
        let kept = group.clone().zip(self.digits.chunks_exact(self.len));
        for ((tile, digits), downs) in kept.zip(&*self.kept_downs) {
            let kept = Digits { tile, digits, downs };
            self.product.multiply(simd, unit, [&kept, &met], steps.len(), chunk, &mut self.exact);
        }
    }
}
