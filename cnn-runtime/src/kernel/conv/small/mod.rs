//! Convolutions with few channels, at stride 1: outputs in the lanes, broadcast weights, the input staged once for each
//! horizontal tap and then read where it stands. Nothing is packed tap by tap, which is what a product of matrices spends
//! its time on when few rows share a packed column.

#![allow(unsafe_code)] // tiles are read and written by pointer

pub(super) mod backward_weights;
pub(super) mod batch;
mod stage;
#[cfg(test)]
mod tests;
mod tile;
mod weights;
pub(super) mod whole;

use std::ops::Range;

use self::stage::Taps;
use self::tile::{Finish, Strip, compute, most_rows};
use self::weights::Weights;
use crate::desc::{Conv, Write};
use crate::dispatch::Isa;
use crate::kernel::conv::{pass, turn_all};
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

/// See [`super::forward_then`]; the lengths are checked.
pub(super) fn forward(pass: pass::Forward<'_>, output: &mut [f32]) {
    let pass::Forward { isa, d, n, input, weight, post, write } = pass;
    let taps = Taps::of(d);
    let channels = d.output.c / d.groups;
    let weights = Weights { data: weight, rows: channels, taps: taps.len() };
    Product { taps, n, groups: d.groups, channels, input, weights, post, add: write == Write::Add }.run(isa, output);
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
    Product { taps, n, groups: d.groups, channels, input: d_output, weights, post, add }.run(isa, d_input);
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
}

impl Product<'_> {
    fn plane(&self) -> usize {
        self.taps.grid[0] * self.taps.grid[1]
    }

    fn run(&self, isa: Isa, output: &mut [f32]) {
        let [h, _] = self.taps.grid;
        let maps = self.n * self.groups;
        assert!(output.len() == maps * self.channels * self.plane() && self.input.len() == maps * self.taps.map.len());
        let whole = self.taps.stage_len(h, 0);
        let chunks = whole.div_ceil(STAGED).min(h);
        let output = Shared::new(output);
        let macs = maps * self.channels * self.plane() * self.taps.len();
        parallel::for_each(maps * chunks, macs, |index| {
            let (map, lines) = (index / chunks, part(h, chunks, 1, index % chunks));
            isa.run(Task { product: self, map, lines, output });
        });
    }
}

/// Some lines of all channels of one group of one sample.
struct Task<'a> {
    product: &'a Product<'a>,
    /// The group, counted through all samples.
    map: usize,
    lines: Range<usize>,
    output: Shared,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Product { taps, input, .. } = self.product;
        let stage = taps.stage(&self.lines);
        let mut staged = scratch::lend(scratch::Use::Packed, taps.stage_len(self.lines.len(), S::LANES));
        let len = taps.map.len();
        taps.fill(simd, &stage, &input[self.map * len..][..len], &mut staged);
        let weights = self.product.weights;
        for block in 0..weights.blocks() {
            let rows = weights.rows(block);
            let parts = rows.len().div_ceil(most_rows(simd));
            for index in 0..parts {
                let rows_of_tile = part(rows.len(), parts, 1, index);
                self.rows(simd, &stage, &staged, block, rows_of_tile);
            }
        }
    }
}

impl Task<'_> {
    /// Some rows of a block.
    #[inline(always)]
    fn rows<S: Simd>(&self, simd: S, stage: &stage::Stage, staged: &[f32], block: usize, rows: Range<usize>) {
        let Product { taps, groups, channels, weights, post, add, .. } = self.product;
        let (plane, width) = (self.product.plane(), taps.grid[1]);
        let (weight, step) = weights.of(self.map % groups, block, rows.start);
        let row = weights.rows(block).start + rows.start;
        let first = (self.map * channels + row) * plane + self.lines.start * width;
        // SAFETY: the first output is one of this sample and group.
        let output = unsafe { self.output.at(first) };
        let strip = Strip {
            reach: taps.reach(stage, step),
            input: staged.as_ptr(),
            weight,
            finish: Finish::of(post, self.map % groups * channels + row, rows.len()),
            output,
            residual: match post.residual() {
                _ if *add => Some(output.cast_const()),
                residual => residual.map(|residual| residual[first..].as_ptr()),
            },
            plane,
            outputs: self.lines.len() * width,
        };
        // SAFETY: the stage holds every tap of its lines with a vector behind it, the block a weight for each tap and row;
        // the outputs are those of this task's lines, which no other task writes, and a residual stands as they do.
        unsafe { compute(simd, rows.len(), &strip) };
    }
}
