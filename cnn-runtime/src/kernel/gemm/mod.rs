//! The blocked matrix product of convolutions between NCHW maps that have no faster way.
//!
//! `C[m x n] (+)= A[m x k] * B[k x n]`. A is read an element at a time, broadcast, from blocks of rows that stand side by
//! side: a register tile reads all of it from one pointer. B is laid out by a [`Pack`] so that a tile reads two vectors at
//! each step: a plain matrix, or one that exists only as the taps of a convolution. The
//! depth is cut into chunks so that what was packed stays in the second-level cache. Tiles whose columns follow one
//! another in memory are written straight from registers, others piece by piece.
//!
//! The chunks depend on the sizes alone, and each element of C is summed up in the order of its depth: results are the
//! same whatever the number of threads and however the tasks are cut.

#![allow(unsafe_code)] // tiles are read and written by pointer

pub(crate) mod columns;
pub(crate) mod pack;
mod places;
mod tile;

use std::ops::Range;

use self::columns::{Columns, Run};
pub(crate) use self::places::Piece;
use self::places::Places;
pub(crate) use self::tile::{Finish, MAX_MR, Start, Strip, compute, rows};
use crate::desc::Write;
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::post::Post;
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Depth of a chunk, roughly: with [`NC`] columns, two thirds of a second-level cache of one megabyte.
pub(crate) const KC: usize = 640;
/// Columns that a task packs at a time.
pub(crate) const NC: usize = 256;
/// Tasks to aim at when there are few columns: enough to keep a handful of threads busy.
const TASKS: usize = 8;
/// Least rows of a task: fewer would not pay for packing the same columns again.
const MIN_ROWS: usize = 48;

/// The right side of a product: laid out anew, chunk by chunk, so that a tile reads two vectors of neighbours at each
/// step of the depth.
pub(crate) trait Pack: Sync {
    /// How some columns are laid out.
    type Way;

    /// Depths at which a chunk may start: multiples of this.
    fn unit(&self) -> usize {
        1
    }

    /// How `columns` are best laid out for a product with so many rows.
    fn way(&self, columns: &Range<usize>, rows: usize) -> Self::Way;

    /// Lanes that the columns take up.
    fn lanes(&self, _way: &Self::Way, columns: &Range<usize>) -> usize {
        columns.len()
    }

    /// Lines of columns: those of a line take up consecutive lanes.
    fn grid(&self) -> [usize; 2];

    /// The first lane of some columns of a line.
    fn lane(&self, _way: &Self::Way, _columns: &Range<usize>, run: &Run) -> usize {
        run.at
    }

    /// Floats that packing so many steps needs.
    fn packed_len<S: Simd>(&self, simd: S, _way: &Self::Way, columns: &Range<usize>, depth: usize) -> usize {
        pack::panels_len(simd, columns.len(), depth)
    }

    /// Packs `depth` x `columns`: a panel for each two vectors of lanes. Writes to `steps` where in a panel each step of
    /// the depth stands, and returns the distance between panels. What stands in lanes of no column does not matter, but
    /// it can be read.
    fn pack<S: Simd>(
        &self,
        simd: S,
        way: &Self::Way,
        depth: Range<usize>,
        columns: &Range<usize>,
        into: &mut [f32],
        steps: &mut [u32],
    ) -> usize;
}

/// A product to compute.
pub(crate) struct Gemm<'a, P> {
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Columns of A and rows of B. If 0, the product is zero.
    pub k: usize,
    /// The left side, in [`Blocks`].
    pub a: &'a [f32],
    /// The right side.
    pub b: P,
    /// What is done to the product before it is written.
    pub post: Post<'a>,
    /// The channel of `post` that the first row of C is.
    pub channel: usize,
    /// Whether C is overwritten or added to.
    pub write: Write,
    /// The slice that C stands in, and the residual of `post` likewise.
    pub c: Shared,
    /// The first element of C in it.
    pub first: usize,
    /// Distance between rows of C.
    pub c_stride: usize,
    /// Where the columns of C stand.
    pub columns: Columns,
}

/// A product cut into tasks.
struct Grid {
    row_parts: usize,
    column_parts: usize,
}

impl<'a> Gemm<'a, ()> {
    /// The same product with a right side.
    pub(crate) fn with<P: Pack>(self, b: P) -> Gemm<'a, P> {
        let Gemm { m, n, k, a, b: (), post, channel, write, c, first, c_stride, columns } = self;
        Gemm { m, n, k, a, b, post, channel, write, c, first, c_stride, columns }
    }
}

impl<P: Pack> Gemm<'_, P> {
    /// Computes the product, in parallel if it is large enough.
    ///
    /// # Safety
    /// All elements of C lie in the slice shared as `c`, no two `(row, column)` at one place.
    pub(crate) unsafe fn run(&self, isa: Isa) {
        let macs = self.m * self.n * self.k;
        let grid = self.grid(macs);
        let blocks = Blocks::of(self.m).count();
        parallel::for_each(grid.row_parts * grid.column_parts, macs, |index| {
            let blocks = part(blocks, grid.row_parts, 1, index % grid.row_parts);
            let columns = part(self.n, grid.column_parts, 2 * isa.tile().0, index / grid.row_parts);
            if !blocks.is_empty() && !columns.is_empty() {
                isa.run(Task { gemm: self, blocks, columns });
            }
        });
    }

    fn grid(&self, macs: usize) -> Grid {
        let column_parts = parallel::even(self.n.div_ceil(NC), macs);
        let row_parts = parallel::parts(TASKS, macs).div_ceil(column_parts).min(self.m / MIN_ROWS).max(1);
        Grid { row_parts, column_parts }
    }
}

/// The part of a product that one thread computes.
struct Task<'a, P> {
    gemm: &'a Gemm<'a, P>,
    blocks: Range<usize>,
    columns: Range<usize>,
}

impl<P: Pack> Kernel for Task<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { gemm, blocks, columns } = self;
        assert_eq!(gemm.a.len(), gemm.m * gemm.k, "length of a left side in blocks");
        let unit = gemm.b.unit();
        let chunks = (gemm.k / unit).min(gemm.k.div_ceil(KC)).max(1);
        let chunk = |index| part(gemm.k, chunks, unit, index);
        let deepest = (0..chunks).map(|index| chunk(index).len()).max().unwrap_or(0);
        let way = gemm.b.way(&columns, gemm.m);
        let places =
            Places::new(simd, &gemm.columns, columns.clone(), gemm.b.lanes(&way, &columns), gemm.b.grid(), |run| {
                gemm.b.lane(&way, &columns, run)
            });
        let mut buffer = scratch::lend(scratch::Use::Task, gemm.b.packed_len(simd, &way, &columns, deepest) + deepest);
        let (steps, packed) = buffer.split_at_mut(deepest);
        let steps = bytemuck::cast_slice_mut(steps);
        for index in 0..chunks {
            let depth = chunk(index);
            let pitch = gemm.b.pack(simd, &way, depth.clone(), &columns, packed, steps);
            let right = Right { packed, steps: &steps[..depth.len()], pitch };
            chunk_product(simd, gemm, blocks.clone(), depth, right, &places);
        }
    }
}

/// A chunk of the right side as its [`Pack`] left it.
#[derive(Clone, Copy)]
struct Right<'a> {
    packed: &'a [f32],
    steps: &'a [u32],
    pitch: usize,
}

/// Multiplies `depth` of A with the packed panels of `columns`.
#[inline(always)]
fn chunk_product<S: Simd, P>(
    simd: S,
    gemm: &Gemm<'_, P>,
    blocks: Range<usize>,
    depth: Range<usize>,
    right: Right<'_>,
    places: &Places,
) {
    for block in blocks {
        let block = Blocks::of(gemm.m).rows(block);
        let tiles = block.len().div_ceil(S::MR);
        for tile in 0..tiles {
            let rows = part(block.len(), tiles, 1, tile);
            let (skip, rows) = (rows.start, block.start + rows.start..block.start + rows.end);
            let part = Part { gemm, rows, depth: depth.clone(), right, places };
            // A phase of a transposed convolution may have no taps at all.
            let first = if gemm.k == 0 { 0 } else { block.start * gemm.k + depth.start * block.len() + skip };
            part.product(simd, gemm.a[first..].as_ptr(), block.len());
        }
    }
}

/// Some rows of a chunk.
struct Part<'a, P> {
    gemm: &'a Gemm<'a, P>,
    rows: Range<usize>,
    depth: Range<usize>,
    right: Right<'a>,
    places: &'a Places,
}

impl<P> Part<'_, P> {
    #[inline(always)]
    fn product<S: Simd>(&self, simd: S, a: *const f32, a_step: usize) {
        let Part { gemm, rows, depth, right, places } = self;
        let post = &gemm.post;
        let channels = gemm.channel + rows.start..gemm.channel + rows.end;
        let start = match (depth.start, gemm.write, post.bias_of().filter(|_| post.is_bias())) {
            (0, Write::Set, Some(bias)) => Start::Rows(&bias[channels.clone()]),
            (0, Write::Set, None) => Start::Zeros,
            _ => Start::Memory,
        };
        let finish = if post.is_bias() || depth.end < gemm.k { None } else { Some(finish(post, channels)) };
        let first = gemm.first + rows.start * gemm.c_stride;
        let residual = post.residual().filter(|_| finish.is_some());
        // SAFETY: the task has measured A, the panels were packed for these columns, and the caller of `run` has promised
        // that these elements of C exist; tasks have disjoint rows or columns. A residual is as long as the slice of C.
        unsafe {
            let strip = Strip {
                a,
                a_step,
                b: right.packed.as_ptr(),
                pitch: right.pitch,
                steps: right.steps,
                c: gemm.c.at(first),
                c_stride: gemm.c_stride,
                places,
                start,
                finish: finish.as_ref(),
                residual: residual.map(|residual| residual.as_ptr().add(first)),
            };
            compute(simd, rows.len(), strip);
        }
    }
}

/// What the rows of a block end with.
#[inline(always)]
fn finish(post: &Post<'_>, channels: Range<usize>) -> Finish {
    let (factors, offsets) = post.affines::<MAX_MR>(channels);
    Finish { factors, offsets, clamp: post.clamp() }
}
