//! The transform of the products, and the way of the outputs to memory.

#![allow(clippy::needless_range_loop)] // factors are counted as in the formula

use std::marker::PhantomData;
use std::ops::Range;

use super::layout::Layout;
use super::points::{MAX_A, MAX_M, Points};
use super::shuffle::zip;
use crate::desc::{Conv, Pool, Write};
use crate::kernel::gemm::columns::runs;
use crate::kernel::parallel::Shared;
use crate::kernel::post::Post;
use crate::simd::{Kernel, Simd};

/// What is done to the sums of products before they are written.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    /// What the layer ends with.
    pub post: Post<'a>,
    /// Whether the output is overwritten or added to.
    pub write: Write,
    /// What takes the largest outputs, and only those are written. The convolution's stand in blocks.
    pub pool: Option<&'a Pool>,
}

impl<'a> Finish<'a> {
    /// What applies to one output channel.
    #[inline(always)]
    fn channel(&self, channel: usize) -> Channel<'a> {
        let (factor, offset) = self.post.affine(channel);
        let residual = self.post.residual();
        Channel { factor, offset, residual, clamp: self.post.clamp(), add: self.write == Write::Add }
    }
}

/// [`Finish`] for one channel.
struct Channel<'a> {
    factor: f32,
    offset: f32,
    /// As long as the output.
    residual: Option<&'a [f32]>,
    clamp: (f32, f32),
    add: bool,
}

impl Channel<'_> {
    /// Finishes the sums for the `count` consecutive outputs of the channel from `at` on, and writes them.
    ///
    /// # Safety
    /// These outputs are inside the shared slice, and the caller's alone.
    #[inline(always)]
    unsafe fn write<S: Simd>(&self, simd: S, sums: S::V, output: Shared, at: usize, count: usize) {
        let mut value = simd.mul_add(sums, simd.splat(self.factor), simd.splat(self.offset));
        // SAFETY: the caller's promise; a residual is as long as the output.
        unsafe {
            if let Some(residual) = self.residual {
                value = simd.add(value, simd.load_part(residual.as_ptr().add(at), 0, count));
            }
            value = simd.clamp(value, simd.splat(self.clamp.0), simd.splat(self.clamp.1));
            let to = output.at(at);
            if self.add {
                value = simd.add(value, simd.load_part(to, 0, count));
            }
            simd.store_part(to, value, 0, count);
        }
    }
}

/// Transforms the products of some rows of output channels and all tiles of a task.
pub(super) struct Transform<'a, P> {
    pub d: &'a Conv,
    pub layout: &'a Layout,
    /// The products: `[product][panel][channel][tile]`.
    pub products: &'a [f32],
    /// The output channels.
    pub channels: Range<usize>,
    pub finish: Finish<'a>,
    /// All samples; these channels of these tiles are this task's alone.
    pub output: Shared,
    pub points: PhantomData<P>,
}

impl<P: Points> Kernel for Transform<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Transform { d, layout, products, channels, finish, output, .. } = self;
        assert!(products.len() >= layout.lens::<P>()[2], "room for the products");
        let mut lines = [[0.0; 2 * 16 * MAX_M]; MAX_M];
        for panel in 0..layout.panels() {
            let first = panel * 2 * S::LANES;
            let tiles = layout.first + first..layout.first + (first + 2 * S::LANES).min(layout.tiles);
            let width = layout.width(panel);
            for (row, channel) in channels.clone().enumerate() {
                for half in 0..width {
                    let at = (panel * 2 * channels.len() + row * width + half) * S::LANES;
                    back::<S, P>(simd, layout, &products[at..], half, &mut lines);
                }
                // SAFETY: the caller's promise.
                unsafe { write::<S, P>(simd, d, layout, tiles.clone(), &lines, channel, &finish, output) };
            }
        }
    }
}

/// The outputs of one vector of tiles, as `P::M` lines.
#[inline(always)]
fn back<S: Simd, P: Points>(
    simd: S,
    layout: &Layout,
    products: &[f32],
    half: usize,
    lines: &mut [[f32; 2 * 16 * MAX_M]; MAX_M],
) {
    debug_assert!((P::A * P::A - 1) * layout.product + S::LANES <= products.len());
    let mut rows = [[simd.splat(0.0); MAX_A]; MAX_M];
    for right in 0..P::A {
        let mut column = [simd.splat(0.0); MAX_A];
        for (down, value) in column.iter_mut().enumerate().take(P::A) {
            // SAFETY: each product has a vector at this place.
            *value = unsafe { simd.load(products.as_ptr().add((down * P::A + right) * layout.product)) };
        }
        let up = P::output(simd, column);
        for y in 0..P::M {
            rows[y][right] = up[y];
        }
    }
    for (line, &row) in lines.iter_mut().zip(&rows).take(P::M) {
        let columns = zip(simd, P::M, P::output(simd, row));
        for (i, &v) in columns.iter().enumerate().take(P::M) {
            // SAFETY: a line has room for the outputs of two vectors of sixteen tiles.
            unsafe { simd.store(line.as_mut_ptr().add((half * P::M + i) * S::LANES), v) };
        }
    }
}

/// Writes the lines of a panel to where its tiles stand.
///
/// # Safety
/// The channel of these tiles is the caller's alone.
#[inline(always)]
#[expect(clippy::too_many_arguments)] // the parts of one task
unsafe fn write<S: Simd, P: Points>(
    simd: S,
    d: &Conv,
    layout: &Layout,
    tiles: Range<usize>,
    lines: &[[f32; 2 * 16 * MAX_M]; MAX_M],
    channel: usize,
    finish: &Finish<'_>,
    output: Shared,
) {
    let (h, w) = (d.output.h, d.output.w);
    let finish = finish.channel(channel);
    for run in runs(layout.grid, tiles) {
        let len = (run.len * P::M).min(w - run.x * P::M);
        let map = (run.sample * d.output.c + channel) * h * w;
        for (dy, line) in lines.iter().enumerate().take(P::M.min(h - run.y * P::M)) {
            let to = map + (run.y * P::M + dy) * w + run.x * P::M;
            let mut i = 0;
            while i < len {
                let count = (len - i).min(S::LANES);
                // SAFETY: the outputs of a run follow one another in a row of the map, and are the caller's alone; so do
                // they in the line.
                unsafe {
                    let sums = simd.load_part(line.as_ptr().add(run.at * P::M + i), 0, count);
                    finish.write(simd, sums, output, to + i, count);
                }
                i += S::LANES;
            }
        }
    }
}
