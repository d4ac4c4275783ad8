//! Convolutions with few channels, at stride 1: outputs in the lanes, broadcast weights, the input staged once for each
//! horizontal tap, or just once where lines or channels fill their vectors, and then read where it stands. Nothing is packed
//! tap by tap, which is what a product of matrices spends its time on when few rows share a packed column.

#![allow(unsafe_code)] // tiles are read and written by pointer

pub(super) mod backward_weights;
pub(super) mod batch;
mod channels;
mod lines;
mod stage;
#[cfg(test)]
mod tests;
mod tile;
mod weights;

use std::ops::Range;

use self::channels::Channels;
use self::lines::Lines;
use self::stage::{Stage, Taps};
use self::tile::{Finish, Strip, compute, most_rows};
use self::weights::Weights;
use crate::desc::{Conv, Order, Pool, Write};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::{finish, pass, turn_all};
use crate::kernel::max_pool::Band;
use crate::kernel::order;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::post::Post;
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Most output channels of a group: with more, packing columns for a product of matrices pays.
const MOST_CHANNELS: usize = 32;
/// Most weights of a group: they stay in the first-level cache beside the rows that are read.
const MOST_WEIGHTS: usize = 1 << 13;
/// Input channels of a group from which kernels of 3x3 are better served in other ways.
const LEAST_OF_WINOGRAD: usize = 8;
/// Floats that are staged at a time, roughly: a part of the second-level cache.
const STAGED: usize = 1 << 14;

/// Whether this is the way for a convolution.
pub(super) fn applies(d: &Conv) -> bool {
    let channels = d.output.c / d.groups;
    let winograd = d.window.kernel == [3, 3] && d.input.c / d.groups >= LEAST_OF_WINOGRAD;
    !winograd && d.window.stride == [1, 1] && channels <= MOST_CHANNELS && channels * d.taps() <= MOST_WEIGHTS
}

/// See [`super::forward_then`], or with a pool [`super::forward_pooled`]; the lengths are checked.
pub(super) fn forward(pass: pass::Forward<'_>, pool: Option<&Pool>, output: &mut [f32]) {
    let pass::Forward { isa, d, n, input, weight, post, write } = pass;
    let taps = Taps::of(d);
    let channels = d.output.c / d.groups;
    let weights = Weights { data: weight, rows: channels, taps: taps.len() };
    Product { taps, n, groups: d.groups, channels, input, weights, post, add: write == Write::Add, pool }
        .run(isa, output);
}

/// Whether this is the way for the gradient by the input: it is gathered from the outputs, with as much padding as the
/// kernel reaches.
pub(super) fn applies_backward(d: &Conv) -> bool {
    let channels = d.input.c / d.groups;
    let winograd = d.window.kernel == [3, 3] && d.output.c / d.groups >= LEAST_OF_WINOGRAD;
    !winograd
        && d.window.stride == [1, 1]
        && channels <= MOST_CHANNELS
        && d.weight_len() / d.groups <= MOST_WEIGHTS
        && d.input.plane() <= 3 * d.output.plane()
}

/// See [`super::backward_data`]; the lengths are checked.
pub(super) fn backward_data(pass: pass::BackwardData<'_>, d_input: &mut [f32], scratch: &mut [f32]) {
    let pass::BackwardData { isa, d, n, weight, d_output, write } = pass;
    let taps = Taps::back(d);
    let channels = d.input.c / d.groups;
    turn_all(isa, d, weight, scratch);
    let weights = Weights { data: scratch, rows: channels, taps: taps.len() };
    let (post, add) = (Post::new(), write == Write::Add);
    Product { taps, n, groups: d.groups, channels, input: d_output, weights, post, add, pool: None }.run(isa, d_input);
}

/// Sums of taps times weights, for all samples and groups.
#[derive(Clone, Copy)]
struct Product<'a> {
    taps: Taps,
    n: usize,
    groups: usize,
    /// Outputs of a group.
    channels: usize,
    input: &'a [f32],
    weights: Weights<'a>,
    post: Post<'a>,
    /// Whether to add to the outputs.
    add: bool,
    /// What takes the largest outputs, and only those are written. Then nothing is added.
    pool: Option<&'a Pool>,
}

impl Product<'_> {
    /// Lines and columns that are written.
    fn grid(&self) -> [usize; 2] {
        self.pool.map_or(self.taps.grid, |pool| [pool.output.h, pool.output.w])
    }

    fn run(&self, isa: Isa, output: &mut [f32]) {
        let [h, w] = self.grid();
        let maps = self.n * self.groups;
        assert!(output.len() == maps * self.channels * h * w && self.input.len() == maps * self.taps.map.len());
        let whole = self.taps.stage_len(self.taps.grid[0], 0);
        let chunks = whole.div_ceil(STAGED).min(h.div_ceil(lines::LINES));
        let output = Shared::new(output);
        let macs = maps * self.channels * self.taps.grid[0] * self.taps.grid[1] * self.taps.len();
        parallel::for_each(maps * chunks, macs, |index| {
            let (map, lines) = (index / chunks, part(h, chunks, lines::LINES, index % chunks));
            isa.run(Task { product: self, map, lines, output });
        });
    }
}

/// Some lines of all channels of one group of one sample.
struct Task<'a> {
    product: &'a Product<'a>,
    /// The group, counted through all samples.
    map: usize,
    /// The lines that are written.
    lines: Range<usize>,
    output: Shared,
}

/// Some rows of a block of weights, and where they are written.
struct Rows {
    weight: *const f32,
    /// Distance between taps.
    step: usize,
    count: usize,
    finish: Finish,
    /// The first output of each row's lines, a distance apart.
    output: *mut f32,
    residual: Option<*const f32>,
    plane: usize,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Product { taps, input, pool, .. } = self.product;
        let band = pool.map(|pool| Band::new(pool, self.lines.clone()));
        let lines = band.as_ref().map_or(self.lines.clone(), |band| band.inputs.clone());
        let (stage, len) = (taps.stage(&lines), taps.map.len());
        let input = &input[self.map * len..][..len];
        let in_channels = self.in_channels(simd);
        if pool.is_none_or(|pool| pool.window.is_two_by_two()) && (in_channels || lines::applies(simd, taps.grid[1])) {
            let staged_len = taps.padded_len(lines.len(), S::LANES);
            let [h, w] = self.product.grid();
            let block_len = if in_channels { Order::BLOCK * h * w } else { 0 };
            let mut buffer = scratch::lend(scratch::Use::Task, staged_len + block_len);
            let (staged, block) = buffer.split_at_mut(staged_len);
            taps.pad(simd, &stage, input, staged);
            return if in_channels {
                self.channels(simd, &stage, staged, block)
            } else {
                self.each(lines::rows(simd), |rows| self.in_lines(simd, &stage, staged, rows))
            };
        }
        let most = most_rows(simd);
        let (len, plane) = (taps.stage_len(lines.len(), S::LANES), lines.len() * taps.grid[1]);
        let mut buffer = scratch::lend(scratch::Use::Task, len + band.as_ref().map_or(0, |_| most * plane));
        let (staged, maps) = buffer.split_at_mut(len);
        taps.fill(simd, &stage, input, staged);
        self.each(most, |rows| match &band {
            None => self.strip(simd, &stage, staged, plane, rows),
            Some(band) => {
                let (count, output, output_plane) = (rows.count, rows.output, rows.plane);
                self.strip(simd, &stage, staged, plane, Rows { output: maps.as_mut_ptr(), plane, ..rows });
                let written = self.lines.len() * self.product.grid()[1];
                for (row, map) in maps.chunks_exact(plane).take(count).enumerate() {
                    // SAFETY: these lines of this row are this task's.
                    let output = unsafe { std::slice::from_raw_parts_mut(output.add(row * output_plane), written) };
                    band.plane(simd, map, output);
                }
            }
        });
    }
}

impl Task<'_> {
    /// Whether tiles may have a channel in each lane: those of all lines at once, to which nothing is added, because they are
    /// turned over in the end.
    fn in_channels<S: Simd>(&self, simd: S) -> bool {
        let Product { channels, post, add, .. } = *self.product;
        let all = self.lines.len() == self.product.grid()[0];
        all && !add && post.residual().is_none() && channels::applies(simd, channels)
    }

    /// All channels, sixteen at a time, which stand together before they are apart.
    #[inline(always)]
    fn channels<S: Simd>(&self, simd: S, stage: &Stage, staged: &[f32], together: &mut [f32]) {
        let Product { taps, groups, channels, weights, ref post, pool, .. } = *self.product;
        let grid = self.product.grid();
        let plane = grid[0] * grid[1];
        for first in (0..channels).step_by(Order::BLOCK) {
            let (block, row) = (first / Blocks::MOST, first % Blocks::MOST);
            let (weight, step) = weights.of(self.map % groups, block, row);
            let channel = self.map % groups * channels + first;
            let to = together.as_mut_ptr();
            let finish = finish::Finish::of(post, channel..channel + Order::BLOCK, Write::Set, to, None, plane);
            let of_block = Channels {
                reach: taps.padded_reach(stage, S::LANES, step),
                input: staged.as_ptr(),
                pitch: taps.pitch(S::LANES),
                weight,
                finish,
                grid,
                pooled: pool.is_some(),
            };
            let output = (self.map * channels + first) * plane;
            // SAFETY: sixteen channels fill a vector, and the block has as many from this one on. The stage holds every tap of
            // all lines, two for each that a pool writes; there is a vector of sums for each output. These channels of the
            // output are this task's.
            let output = unsafe {
                channels::compute(simd, &of_block);
                self.output.part(output..output + Order::BLOCK * plane)
            };
            order::apart(plane, together, output);
        }
    }

    /// Calls `f` for all rows, at most so many at once.
    #[inline(always)]
    fn each(&self, most: usize, mut f: impl FnMut(Rows)) {
        let Product { groups, channels, weights, post, add, .. } = self.product;
        let [h, w] = self.product.grid();
        for block in 0..weights.blocks() {
            let all = weights.rows(block);
            let parts = all.len().div_ceil(most);
            for rows in (0..parts).map(|index| part(all.len(), parts, 1, index)) {
                let (weight, step) = weights.of(self.map % groups, block, rows.start);
                let row = all.start + rows.start;
                let first = (self.map * channels + row) * h * w + self.lines.start * w;
                // SAFETY: the first output is one of this sample and group.
                let output = unsafe { self.output.at(first) };
                let residual = match post.residual() {
                    _ if *add => Some(output.cast_const()),
                    residual => residual.map(|residual| residual[first..].as_ptr()),
                };
                let finish = Finish::of(post, self.map % groups * channels + row, rows.len());
                let count = rows.len();
                f(Rows { weight, step, count, finish, output, residual, plane: h * w });
            }
        }
    }

    /// Some rows of the lines, across their ends.
    #[inline(always)]
    fn strip<S: Simd>(&self, simd: S, stage: &Stage, staged: &[f32], outputs: usize, rows: Rows) {
        let Rows { weight, step, count, finish, output, residual, plane, .. } = rows;
        let reach = self.product.taps.reach(stage, step);
        let strip = Strip { reach, input: staged.as_ptr(), weight, finish, output, residual, plane, outputs };
        // SAFETY: the stage holds every tap of its lines with a vector behind it, the block a weight for each tap and row;
        // the outputs are those of this task's lines, which no other task writes, and a residual stands as they do.
        unsafe { compute(simd, count, &strip) };
    }

    /// Some rows of the lines, two by two.
    #[inline(always)]
    fn in_lines<S: Simd>(&self, simd: S, stage: &Stage, staged: &[f32], rows: Rows) {
        let Product { taps, pool, .. } = self.product;
        let Rows { weight, step, count, finish, output, residual, plane, .. } = rows;
        let lines = Lines {
            reach: taps.padded_reach(stage, S::LANES, step),
            input: staged.as_ptr(),
            pitch: taps.pitch(S::LANES),
            weight,
            finish,
            output,
            residual,
            plane,
            grid: [self.lines.len(), self.product.grid()[1]],
            pooled: pool.is_some(),
        };
        // SAFETY: the stage holds every tap of its lines with two vectors behind it, and a pool's lines read two of these each;
        // the block has a weight for each tap and row; the outputs are those of this task's lines, which no other task writes,
        // and a residual stands as they do.
        unsafe { lines::compute(simd, count, &lines) };
    }
}
