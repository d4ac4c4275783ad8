//! The blocked matrix product that convolutions and fully connected layers are made of.
//!
//! `C[m x n] (+)= A[m x k] * B[k x n]`. A is read where it stands, an element at a time, broadcast. B is packed into
//! panels as wide as a register tile by a [`Pack`]: a plain matrix, a transposed one, or one that exists only as the
//! taps of a convolution. The depth is cut into chunks so that packed panels stay in the second-level cache. Tiles whose
//! columns follow one another in memory are written straight from registers, others by way of a small buffer.
//!
//! The chunks depend on the sizes alone, and each element of C is summed up in the order of its depth: results are the
//! same whatever the number of threads and however the tasks are cut.

#![allow(unsafe_code)] // tiles are read and written by pointer

pub(crate) mod pack;
pub(crate) mod sink;
mod tile;

use std::ops::Range;

use self::sink::{Columns, Run, runs};
pub(crate) use self::tile::{Finish, MAX_MR, Rows, Start, Tile, compute};
use crate::desc::Write;
use crate::dispatch::Isa;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::post::Post;
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Depth of a chunk, roughly.
pub(crate) const KC: usize = 384;
/// Columns that a task packs at a time.
pub(crate) const NC: usize = 256;
/// Tasks to aim at when there are few columns: enough to keep a handful of threads busy.
const TASKS: usize = 8;
/// Least rows of a task: fewer would not pay for packing the same columns again.
const MIN_ROWS: usize = 48;

/// The right side of a product, packed panel by panel.
pub(crate) trait Pack: Sync {
    /// Depths at which a chunk may start: multiples of this.
    fn unit(&self) -> usize;

    /// Floats of working memory that packing these depths and columns needs.
    fn stage_len(&self, depth: &Range<usize>, columns: &Range<usize>) -> usize;

    /// Packs `depth` x `columns` into panels of `2 * LANES` columns, the last one of `LANES` if no more are left.
    /// A panel is `depth.len()` rows, one after the other; what stands past the last column does not matter. `panels` is
    /// `2 * LANES` floats longer than the panels, which may be scribbled on.
    fn pack<S: Simd>(&self, simd: S, depth: Range<usize>, columns: Range<usize>, panels: &mut [f32], stage: &mut [f32]);
}

/// The left side of a product, read where it stands: `A[r][y * xs + x]` is
/// `data[first + r * row + y * y_step + x * x_step]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    /// What the offsets count in.
    pub data: &'a [f32],
    /// Offset of the first element.
    pub first: usize,
    /// Distance between rows.
    pub row: usize,
    /// Inner steps of the depth. Chunks of depth are whole multiples of it, unless it is all of the depth.
    pub xs: usize,
    /// Distance between outer steps.
    pub y_step: usize,
    /// Distance between inner steps.
    pub x_step: isize,
}

impl<'a> Left<'a> {
    /// A matrix with `depth` columns, `x_step` apart.
    pub(crate) fn plain(data: &'a [f32], row: usize, depth: usize, x_step: usize) -> Self {
        Left { data, first: 0, row, xs: depth, y_step: 0, x_step: x_step as isize }
    }

    /// Asserts that `m` rows of `k` columns stand inside the data.
    fn check(&self, m: usize, k: usize) {
        if k == 0 {
            return;
        }
        let across = (self.xs - 1) as isize * self.x_step;
        let low = self.first as isize + across.min(0);
        let high = self.first + (m - 1) * self.row + (k / self.xs - 1) * self.y_step + across.max(0) as usize;
        assert!(
            k.is_multiple_of(self.xs) && low >= 0 && high < self.data.len(),
            "the left side ends before its strides"
        );
    }

    /// The rows from `first` on, at a chunk of the depth.
    #[inline(always)]
    fn rows(&self, first: usize, depth: &Range<usize>) -> Rows {
        let whole = self.y_step == 0;
        let (y, x) = if whole { (0, depth.start as isize) } else { (depth.start / self.xs, 0) };
        let skip = (self.first + first * self.row + y * self.y_step) as isize + x * self.x_step;
        let mut offsets = [0; MAX_MR];
        for (r, offset) in offsets.iter_mut().enumerate() {
            *offset = r * self.row;
        }
        Rows {
            base: self.data.as_ptr().wrapping_offset(skip),
            offsets,
            ys: if whole { 1 } else { depth.len() / self.xs },
            y_step: self.y_step as isize,
            xs: if whole { depth.len() } else { self.xs },
            x_step: self.x_step,
        }
    }
}

/// A product to compute.
pub(crate) struct Gemm<'a, P> {
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Columns of A and rows of B. If 0, the product is zero.
    pub k: usize,
    /// The left side.
    pub a: Left<'a>,
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
        let grid = self.grid();
        parallel::for_each(grid.row_parts * grid.column_parts, macs, |index| {
            let rows = part(self.m, grid.row_parts, 1, index % grid.row_parts);
            let columns = part(self.n, grid.column_parts, 2 * isa.tile().0, index / grid.row_parts);
            if !rows.is_empty() && !columns.is_empty() {
                isa.run(Task { gemm: self, rows, columns });
            }
        });
    }

    fn grid(&self) -> Grid {
        let column_parts = self.n.div_ceil(NC);
        let row_parts = TASKS.div_ceil(column_parts).min(self.m / MIN_ROWS).max(1);
        Grid { row_parts, column_parts }
    }

    fn check_sides(&self) {
        self.a.check(self.m, self.k);
    }
}

/// The part of a product that one thread computes.
struct Task<'a, P> {
    gemm: &'a Gemm<'a, P>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl<P: Pack> Kernel for Task<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { gemm, rows, columns } = self;
        gemm.check_sides();
        let unit = gemm.b.unit();
        let chunks = (gemm.k / unit).min(gemm.k.div_ceil(KC)).max(1);
        let chunk = |index| part(gemm.k, chunks, unit, index);
        let deepest = (0..chunks).map(|index| chunk(index).len()).max().unwrap_or(0);
        let panels_len = deepest * columns.len().next_multiple_of(2 * S::LANES) + 2 * S::LANES;
        let stage_len = (0..chunks).map(|index| gemm.b.stage_len(&chunk(index), &columns)).max().unwrap_or(0);
        let mut buffer = scratch::lend(scratch::Use::Packed, panels_len + stage_len);
        let (panels, stage) = buffer.split_at_mut(panels_len);
        for index in 0..chunks {
            let depth = chunk(index);
            gemm.b.pack(simd, depth.clone(), columns.clone(), panels, stage);
            chunk_product(simd, gemm, rows.clone(), columns.clone(), depth, panels);
        }
    }
}

/// Multiplies `depth` of A with the packed panels of `columns`.
#[inline(always)]
fn chunk_product<S: Simd, P>(
    simd: S,
    gemm: &Gemm<'_, P>,
    rows: Range<usize>,
    columns: Range<usize>,
    depth: Range<usize>,
    panels: &[f32],
) {
    let post = &gemm.post;
    let blocks = rows.len().div_ceil(S::MR);
    for index in 0..blocks {
        let block = part(rows.len(), blocks, 1, index);
        let first = rows.start + block.start;
        let rows = first..first + block.len();
        let a = gemm.a.rows(first, &depth);
        let channels = gemm.channel + rows.start..gemm.channel + rows.end;
        let bias = post.bias_of().filter(|_| post.is_bias()).map(|bias| &bias[channels.clone()]);
        let start = match (depth.start, gemm.write) {
            (0, Write::Set) => Start::Rows(bias),
            _ => Start::Memory,
        };
        let finish = if post.is_bias() || depth.end < gemm.k { None } else { Some(finish(post, channels)) };
        let mut panel = 0;
        while panel * 2 * S::LANES < columns.len() {
            let begin = columns.start + panel * 2 * S::LANES;
            let end = (begin + 2 * S::LANES).min(columns.end);
            let b = panels[panel * 2 * S::LANES * depth.len()..].as_ptr();
            write_tile(simd, gemm, &a, b, rows.clone(), begin..end, (start, finish.as_ref()));
            panel += 1;
        }
    }
}

/// What the rows of a block end with.
#[inline(always)]
fn finish(post: &Post<'_>, channels: Range<usize>) -> Finish {
    let mut finish = Finish { factors: [0.0; MAX_MR], offsets: [0.0; MAX_MR], clamp: post.clamp() };
    for (row, channel) in channels.enumerate() {
        (finish.factors[row], finish.offsets[row]) = post.affine(channel);
    }
    finish
}

/// Computes one tile and puts it in its place.
#[inline(always)]
fn write_tile<S: Simd, P>(
    simd: S,
    gemm: &Gemm<'_, P>,
    a: &Rows,
    b: *const f32,
    rows: Range<usize>,
    columns: Range<usize>,
    (start, finish): (Start<'_>, Option<&Finish>),
) {
    let vectors = columns.len().div_ceil(S::LANES);
    let width = vectors * S::LANES;
    let Some(run) = runs(gemm.columns.grid, columns.clone()).next() else { return };
    let first = gemm.first + rows.start * gemm.c_stride;
    let residual = gemm.post.residual().filter(|_| finish.is_some()).map(<[f32]>::as_ptr);
    if run.len == width && gemm.columns.x == 1 {
        let at = first + gemm.columns.offset(&run);
        // SAFETY: `check_sides` has measured A, the panel was packed for these columns, and the caller of `run` has
        // promised that these elements of C exist; tasks have disjoint rows or columns. A residual is as long as the
        // slice of C.
        unsafe {
            let residual = residual.map(|residual| residual.add(at));
            let tile = Tile { a, b, c: gemm.c.at(at), c_stride: gemm.c_stride, start, finish, residual };
            compute(simd, rows.len(), vectors, tile);
        }
        return;
    }
    // The columns are not neighbours in memory: the tile is gathered, computed and scattered.
    let (mut sums, mut added) = ([0.0; MAX_MR * 32], [0.0; MAX_MR * 32]);
    let place =
        |run: &Run, r: usize, i: usize| first + gemm.columns.offset(run) + r * gemm.c_stride + i * gemm.columns.x;
    for run in runs(gemm.columns.grid, columns.clone()) {
        for r in 0..rows.len() {
            for i in 0..run.len {
                // SAFETY: the caller of `run` has promised that this element of C exists and is this tile's alone; a
                // residual is as long as the slice of C.
                unsafe {
                    if matches!(start, Start::Memory) {
                        sums[r * width + run.at + i] = *gemm.c.at(place(&run, r, i));
                    }
                    if let Some(residual) = residual {
                        added[r * width + run.at + i] = *residual.add(place(&run, r, i));
                    }
                }
            }
        }
    }
    let (c, residual) = (sums.as_mut_ptr(), residual.map(|_| added.as_ptr()));
    let tile = Tile { a, b, c, c_stride: width, start, finish, residual };
    // SAFETY: as above, but for C, which is the buffer: `MAX_MR` rows of 32 floats suffice for every tile.
    unsafe { compute(simd, rows.len(), vectors, tile) };
    for run in runs(gemm.columns.grid, columns) {
        for (r, row) in sums.chunks_exact(width).take(rows.len()).enumerate() {
            for (i, &value) in row[run.at..run.at + run.len].iter().enumerate() {
                // SAFETY: the caller of `run` has promised that this element of C exists and is this tile's alone.
                unsafe { *gemm.c.at(place(&run, r, i)) = value };
            }
        }
    }
}
