//! Convolutions of batches whose samples stand in the lanes: however few the channels and narrow the maps, no lane is
//! idle, and padding is skipped tap by tap.
//!
//! Whole groups of sixteen samples go this way; those left over are computed one by one, as if all were NCHW.

mod backward_weights;
mod stage;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(in super::super) use self::backward_weights::backward_weights;
use self::stage::{GROUP, Rows, Stage, gather, scatter};
use super::stage::Taps;
use super::tile::{Finish, Reach, Strip, compute, most_rows, widest};
use super::weights::Weights;
use crate::desc::{Map, Order, Pool, Write};
use crate::dispatch::Isa;
use crate::kernel::conv::{backward_data_on, forward_on, pass, pooled_on, turn_all};
use crate::kernel::max_pool::Band;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::post::Post;
use crate::kernel::scratch;
use crate::kernel::sixteen::{vectors, vectors_mut};
use crate::simd::{Kernel, Simd};

/// See [`super::super::forward_then`], or with a pool [`super::super::forward_pooled`]; the lengths are checked. A convolution
/// at stride 1 without groups of channels, no side in blocks.
pub(in super::super) fn forward(pass: pass::Forward<'_>, pool: Option<&Pool>, output: &mut [f32]) {
    let pass::Forward { isa, d, n, input, weight, post, write } = pass;
    let grouped = Order::grouped(n);
    let outputs = pool.map_or(d.output, |pool| pool.output);
    let (input, last_input) = input.split_at(grouped * d.input.len());
    let (output, last_output) = output.split_at_mut(grouped * outputs.len());
    let [post, last_post] = post.split(output.len());
    let taps = Taps::of(d);
    let weights = Weights { data: weight, rows: d.output.c, taps: taps.len() };
    Product { taps, map: d.input, input, weights, post, add: write == Write::Add, pool, outputs }.run(isa, output);
    let (d, pool) = (&d.plain(), pool.map(|pool| pool.plain()));
    let pass = pass::Forward { d, n: n - grouped, input: last_input, post: last_post, ..pass };
    match pool {
        Some(pool) => pooled_on(pass, &pool, None, last_output),
        None => forward_on(pass, last_output),
    }
}

/// See [`super::super::backward_data`]; the lengths are checked, the convolution is as for [`forward`].
pub(in super::super) fn backward_data(pass: pass::BackwardData<'_>, d_input: &mut [f32], scratch: &mut [f32]) {
    let pass::BackwardData { isa, d, n, weight, d_output, write } = pass;
    let grouped = Order::grouped(n);
    let (input, last_d_output) = d_output.split_at(grouped * d.output.len());
    let (d_input, last_d_input) = d_input.split_at_mut(grouped * d.input.len());
    if grouped > 0 {
        let taps = Taps::back(d);
        turn_all(isa, d, weight, scratch);
        let weights = Weights { data: scratch, rows: d.input.c, taps: taps.len() };
        let (post, add) = (Post::new(), write == Write::Add);
        Product { taps, map: d.output, input, weights, post, add, pool: None, outputs: d.input }.run(isa, d_input);
    }
    let pass = pass::BackwardData { d: &d.plain(), n: n - grouped, d_output: last_d_output, ..pass };
    backward_data_on(pass, last_d_input, scratch);
}

/// Sums of taps times weights, for all groups of samples.
struct Product<'a> {
    taps: Taps,
    /// What is read.
    map: Map,
    input: &'a [f32],
    weights: Weights<'a>,
    post: Post<'a>,
    /// Whether to add to the outputs.
    add: bool,
    /// What takes the largest outputs, and only those are written. Then nothing is added.
    pool: Option<&'a Pool>,
    /// What is written.
    outputs: Map,
}

impl Product<'_> {
    fn run(&self, isa: Isa, output: &mut [f32]) {
        let groups = output.len() / (GROUP * self.outputs.len());
        let [h, w] = self.taps.grid;
        let macs = groups * GROUP * self.outputs.c * h * w * self.taps.len();
        // Lines of a group that is not written as one are not neighbours.
        let most = if self.outputs.is_batched() { self.outputs.h } else { 1 };
        let parts = parallel::parts(most * groups, macs).div_ceil(groups.max(1));
        let output = Shared::new(output);
        parallel::for_each(groups * parts, macs, |index| {
            let (group, lines) = (index / parts, part(self.outputs.h, parts, 1, index % parts));
            isa.run(Task { product: self, group, lines, output });
        });
    }

    /// The rows that some lines read, those in the padding left out.
    fn stage(&self, lines: &Range<usize>) -> Stage {
        let Taps { kernel, dilation, origin, .. } = self.taps;
        let reach = ((kernel[0] - 1) * dilation[0]) as isize;
        let inside = |row: isize| row.clamp(0, self.map.h as isize);
        let first = inside(lines.start as isize + origin[0]);
        Stage::of(self.map, &self.taps, first..inside(lines.end as isize + origin[0] + reach).max(first))
    }

    /// The taps along an axis that lie inside of the map for one of the outputs.
    fn inside(&self, axis: usize, outputs: &Range<usize>) -> Range<usize> {
        let Taps { kernel, dilation, origin, .. } = self.taps;
        let (kernel, dilation) = (kernel[axis], dilation[axis] as isize);
        let size = [self.map.h, self.map.w][axis] as isize;
        // Tap `k` of output `o` lies at `o + origin + k * dilation`.
        let first = -(outputs.end as isize - 1 + origin[axis]);
        let end = size - (outputs.start as isize + origin[axis]);
        let taps = |distance: isize| {
            // A division takes as long as a few taps.
            let taps = if dilation == 1 { distance } else { (distance + dilation - 1).div_euclid(dilation) };
            taps.clamp(0, kernel as isize) as usize
        };
        taps(first).min(taps(end))..taps(end)
    }
}

/// Some lines of all channels of a group.
struct Task<'a> {
    product: &'a Product<'a>,
    group: usize,
    /// The lines that are written.
    lines: Range<usize>,
    output: Shared,
}

/// Where a task reads and writes.
struct Place {
    /// The rows that are read, from the one with this number on.
    rows: Rows,
    top: isize,
    /// The first channel's first line of outputs.
    output: *mut f32,
    /// What is added to it, if anything is.
    added: Option<*const f32>,
    /// Distance between channels of outputs.
    plane: usize,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Product { taps, map, input, post, add, pool, outputs, .. } = self.product;
        let lines = pool.map_or(self.lines.clone(), |pool| Band::new(pool, self.lines.clone()).inputs);
        let (stage, written) = (self.product.stage(&lines), self.lines.len() * outputs.w * GROUP);
        let aside_len = if outputs.is_batched() { 0 } else { outputs.c * written };
        let maps_len = pool.map_or(0, |pool| {
            let together = Band::together(pool, self.lines.len());
            outputs.c * Band::most(pool, together) * taps.grid[1] * GROUP
        });
        let mut buffer = scratch::lend(scratch::Use::Task, stage.len() + aside_len + maps_len);
        let (staged, rest) = buffer.split_at_mut(stage.len());
        let (aside, maps) = rest.split_at_mut(aside_len);
        let len = GROUP * map.len();
        let rows = stage.fill(simd, &input[self.group * len..][..len], staged);
        let place = |output, added, plane| Place { rows, top: stage.top(), output, added, plane };
        let len = GROUP * outputs.len();
        let (start, steps) = (self.group * len, [outputs.plane(), outputs.len()]);
        // Where the lines of all channels are written, how far one is from the next, and what is added.
        let (output, plane, added) = if outputs.is_batched() {
            let first = start + self.lines.start * outputs.w * GROUP;
            // SAFETY: the first line of this task is one of the group's.
            let output = unsafe { self.output.at(first) };
            let residual = post.residual().map(|residual| residual[first..].as_ptr());
            (output, outputs.plane() * GROUP, if *add { Some(output.cast_const()) } else { residual })
        } else {
            // SAFETY: a group that is not written as one has one task.
            let sum = add.then(|| unsafe { &*self.output.part(start..start + len) });
            let residual = sum.or_else(|| post.residual().map(|residual| &residual[start..start + len]));
            if let Some(residual) = residual {
                gather(simd, residual, steps, aside, outputs.plane());
            }
            let output = aside.as_mut_ptr();
            (output, written, residual.map(|_| output.cast_const()))
        };
        match pool {
            None => self.compute(simd, &place(output, added, plane), &lines),
            Some(pool) => {
                for (lines, band) in Band::all(pool, self.lines.clone()) {
                    let map = band.inputs.len() * taps.grid[1] * GROUP;
                    self.compute(simd, &place(maps.as_mut_ptr(), None, map), &band.inputs);
                    let (first, len) =
                        ((lines.start - self.lines.start) * outputs.w * GROUP, lines.len() * outputs.w * GROUP);
                    for (channel, map) in maps.chunks_exact(map).enumerate().take(outputs.c) {
                        let output = output.wrapping_add(channel * plane + first);
                        // SAFETY: these lines of this channel are this task's.
                        let output = unsafe { std::slice::from_raw_parts_mut(output, len) };
                        band.block(simd, vectors(map), vectors_mut(output));
                    }
                }
            }
        }
        if !outputs.is_batched() {
            // SAFETY: as above.
            scatter(simd, aside, outputs.plane(), unsafe { self.output.part(start..start + len) }, steps);
        }
    }
}

impl Task<'_> {
    /// Computes lines of the convolution's outputs, the first of which stand at the place.
    #[inline(always)]
    fn compute<S: Simd>(&self, simd: S, place: &Place, lines: &Range<usize>) {
        let Product { weights, .. } = self.product;
        for (index, line) in lines.clone().enumerate() {
            for block in 0..weights.blocks() {
                let channels = weights.rows(block).len();
                let parts = channels.div_ceil(most_rows(simd));
                for part in (0..parts).map(|index| part(channels, parts, 1, index)) {
                    self.line(simd, place, [index, line], block, part);
                }
            }
        }
    }

    /// A line of some channels of a block, by its index at the place and in the map.
    #[inline(always)]
    fn line<S: Simd>(&self, simd: S, place: &Place, [index, line]: [usize; 2], block: usize, channels: Range<usize>) {
        let Place { rows, top, output, added, plane } = *place;
        let Product { taps, weights, post, .. } = self.product;
        let width = taps.grid[1];
        let down = self.product.inside(0, &(line..line + 1));
        let first = line as isize + taps.origin[0] + (down.start * taps.dilation[0]) as isize;
        let row = rows.first.wrapping_offset((first - top) * rows.row as isize);
        let channel = weights.rows(block).start + channels.start;
        let (weight, step) = weights.of(0, block, channels.start);
        let at = channel * plane + index * width * GROUP;
        let [across, below] = [taps.dilation[1] * GROUP, taps.dilation[0] * rows.row];
        let kernel_w = taps.kernel[1];
        let strip = |columns: Range<usize>, taps_across: Range<usize>| Strip {
            reach: Reach {
                channels: taps.map.c,
                kernel: [down.len(), taps_across.len()],
                input: [rows.channel, below, across],
                weight: [taps.kernel[0] * kernel_w * step, kernel_w * step, step],
            },
            input: row.wrapping_add(columns.start * GROUP + taps_across.start * across),
            weight: weight.wrapping_add((down.start * kernel_w + taps_across.start) * step),
            finish: Finish::of(post, channel, channels.len()),
            output: output.wrapping_add(at + columns.start * GROUP),
            residual: added.map(|added| added.wrapping_add(at + columns.start * GROUP)),
            plane,
            outputs: columns.len() * GROUP,
        };
        let tiles = width.div_ceil((widest(simd, channels.len()) / GROUP).max(1));
        let tile = |index: usize| part(width, tiles, 1, index);
        let inside = |columns: &Range<usize>| self.product.inside(1, columns);
        // SAFETY: the stage holds all taps of the lines that lie inside of the map or between such, the block a weight for
        // each tap and channel; the outputs are this task's, and what is added stands as they do.
        unsafe {
            if tiles > 1 && [0, tiles - 1].into_iter().all(|index| inside(&tile(index)).len() == kernel_w) {
                return compute(simd, channels.len(), &strip(0..width, 0..kernel_w));
            }
            for columns in (0..tiles).map(tile) {
                let taps = inside(&columns);
                compute(simd, channels.len(), &strip(columns, taps));
            }
        }
    }
}
