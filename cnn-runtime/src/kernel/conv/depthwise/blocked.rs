//! Maps whose channels stand in blocks of sixteen, as many outputs as inputs: a channel in each lane, and all positions of
//! a block share its weights, which are turned once to have a vector for each tap. One position is in either order.

use std::ops::Range;

use crate::desc::{Conv, Order, Window, Write};
use crate::kernel::axis::Axis;
use crate::kernel::conv::pass;
use crate::kernel::order::{apart, together};
use crate::kernel::parallel::{self, Shared};
use crate::kernel::post::Post;
use crate::kernel::scratch::{self, Use};
use crate::kernel::sixteen::{Lanes, Sixteen, vectors, vectors_mut};
use crate::simd::{Kernel, Simd};

/// Outputs in a row that are summed together, so that each weight is read once for all of them.
const TILE: usize = 4;

/// Parts, at most, of all blocks of channels where these are few.
const PARTS: usize = 32;

/// The places of a block of channels: in a sample, and floats.
struct Blocks {
    count: usize,
    inputs: usize,
    outputs: usize,
    weights: usize,
}

impl Blocks {
    fn of(d: &Conv) -> Self {
        let [inputs, outputs, weights] = [d.input.plane(), d.output.plane(), d.taps()].map(|len| len * Order::BLOCK);
        Blocks { count: d.input.c / Order::BLOCK, inputs, outputs, weights }
    }
}

/// See [`super::forward`].
pub(super) fn forward(pass: pass::Forward<'_>, output: &mut [f32]) {
    let pass::Forward { isa, d, n, input, weight, post, write } = pass;
    let (blocks, output) = (Blocks::of(d), Shared::new(output));
    let [rows, columns] = Axis::both(&d.window, d.input, d.output);
    parallel::for_each(n * blocks.count, n * d.output.len() * d.taps(), |index| {
        let (block, outputs) = (index % blocks.count, index * blocks.outputs..(index + 1) * blocks.outputs);
        isa.run(Slide {
            rows,
            columns,
            weight: &weight[block * blocks.weights..][..blocks.weights],
            flip: false,
            input: vectors(&input[index * blocks.inputs..][..blocks.inputs]),
            finish: Finish::new(&post, block, outputs.clone()),
            write,
            // SAFETY: one block of channels of a sample for each task.
            output: vectors_mut(unsafe { output.part(outputs) }),
        });
    });
}

/// What is done to the sums of a block of channels.
struct Finish<'a> {
    factor: Lanes,
    offset: Lanes,
    clamp: (f32, f32),
    residual: Option<&'a [Lanes]>,
}

impl<'a> Finish<'a> {
    /// Of a block of output channels, whose outputs stand at `outputs` in all of them.
    fn new(post: &Post<'a>, block: usize, outputs: Range<usize>) -> Self {
        let (factor, offset) = post.affines(block * Order::BLOCK..(block + 1) * Order::BLOCK);
        let residual = post.residual().map(|residual| vectors(&residual[outputs]));
        Finish { factor, offset, clamp: post.clamp(), residual }
    }

    /// A vector of outputs from its sum. NaN passes through.
    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, at: usize, sum: Sixteen<S>) -> Sixteen<S> {
        let mut y = sum.mul_add(Sixteen::load(simd, &self.factor), Sixteen::load(simd, &self.offset));
        if let Some(residual) = self.residual {
            y = y + Sixteen::load(simd, &residual[at]);
        }
        y.clamp(Sixteen::splat(simd, self.clamp.0), Sixteen::splat(simd, self.clamp.1))
    }
}

/// Slides a block's windows over its inputs.
struct Slide<'a> {
    rows: Axis,
    columns: Axis,
    /// The weights of each channel.
    weight: &'a [f32],
    /// Whether the last tap's weight comes first.
    flip: bool,
    input: &'a [Lanes],
    finish: Finish<'a>,
    write: Write,
    output: &'a mut [Lanes],
}

impl Kernel for Slide<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let mut weight = scratch::lend(Use::Task, self.weight.len());
        together(self.weight.len() / Order::BLOCK, self.weight, &mut weight);
        if self.flip {
            vectors_mut(&mut weight).reverse();
        }
        let weight = vectors(&weight);
        match self.columns.kernel {
            3 => self.slide(simd, weight, 0..3),
            5 => self.slide(simd, weight, 0..5),
            columns => self.slide(simd, weight, 0..columns),
        }
    }
}

impl Slide<'_> {
    /// Computes the block. `all` are the taps of a row, here so that callers can make them constant.
    #[inline(always)]
    fn slide<S: Simd>(&mut self, simd: S, weight: &[Lanes], all: Range<usize>) {
        let whole = self.columns.whole();
        let tiles = whole.start + whole.len() / TILE * TILE;
        for oh in 0..self.rows.outputs {
            for ow in (0..whole.start).chain(whole.end..self.columns.outputs) {
                self.tile::<S, 1>(simd, weight, [oh, ow], self.columns.taps(ow));
            }
            for ow in (whole.start..tiles).step_by(TILE) {
                self.tile::<S, TILE>(simd, weight, [oh, ow], all.clone());
            }
            for ow in tiles..whole.end {
                self.tile::<S, 1>(simd, weight, [oh, ow], all.clone());
            }
        }
    }

    /// Computes `N` vectors of outputs of a row, whose windows lie inside the map at the taps `across` of each row.
    #[inline(always)]
    fn tile<S: Simd, const N: usize>(&mut self, simd: S, weight: &[Lanes], [oh, ow]: [usize; 2], across: Range<usize>) {
        let Slide { rows, columns, input, .. } = &*self;
        let at = oh * columns.outputs + ow;
        let mut sums = [Sixteen::splat(simd, 0.0); N];
        if self.write == Write::Add {
            for (sum, before) in sums.iter_mut().zip(&self.output[at..]) {
                *sum = Sixteen::load(simd, before);
            }
        }
        for kh in rows.taps(oh) {
            let row = &input[rows.at(oh, kh) * columns.inputs..][..columns.inputs];
            for kw in across.clone() {
                let weight = Sixteen::load(simd, &weight[kh * columns.kernel + kw]);
                let first = columns.at(ow, kw);
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = Sixteen::load(simd, &row[first + i * columns.stride]).mul_add(weight, *sum);
                }
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            self.finish.of(simd, at + i, sum).store(&mut self.output[at + i]);
        }
    }
}

/// The convolution from the gradients of outputs to those of inputs, where every input is in the windows that it would be in
/// if all outputs stood side by side.
fn back(d: &Conv) -> Option<[Axis; 2]> {
    let Window { kernel, stride, dilation, pad } = d.window;
    let reach = |i: usize| ((kernel[i] - 1) * dilation[i]).checked_sub(pad[i]);
    let pad = [reach(0)?, reach(1)?, 0, 0];
    (stride == [1, 1]).then(|| Axis::both(&Window { pad, ..d.window }, d.output, d.input))
}

/// See [`super::backward_data`].
pub(super) fn backward_data(pass: pass::BackwardData<'_>, d_input: &mut [f32]) {
    let pass::BackwardData { isa, d, n, weight, d_output, write } = pass;
    let (blocks, d_input, back) = (Blocks::of(d), Shared::new(d_input), back(d));
    let [rows, columns] = Axis::both(&d.window, d.input, d.output);
    parallel::for_each(n * blocks.count, n * d.output.len() * d.taps(), |index| {
        let (block, inputs) = (index % blocks.count, index * blocks.inputs..(index + 1) * blocks.inputs);
        let weight = &weight[block * blocks.weights..][..blocks.weights];
        let d_output = vectors(&d_output[index * blocks.outputs..][..blocks.outputs]);
        // SAFETY: one block of channels of a sample for each task.
        let d_input = vectors_mut(unsafe { d_input.part(inputs.clone()) });
        match back {
            Some([rows, columns]) => isa.run(Slide {
                rows,
                columns,
                weight,
                flip: true,
                input: d_output,
                finish: Finish::new(&Post::new(), block, inputs),
                write,
                output: d_input,
            }),
            None => isa.run(Scatter { rows, columns, weight, d_output, d_input, write }),
        }
    });
}

/// Hands the gradients of a block's outputs to the inputs under their windows.
struct Scatter<'a> {
    rows: Axis,
    columns: Axis,
    weight: &'a [f32],
    d_output: &'a [Lanes],
    d_input: &'a mut [Lanes],
    write: Write,
}

impl Kernel for Scatter<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let mut weight = scratch::lend(Use::Task, self.weight.len());
        together(self.weight.len() / Order::BLOCK, self.weight, &mut weight);
        let weight = vectors(&weight);
        match self.columns.kernel {
            3 => self.rows(simd, weight, 0..3),
            5 => self.rows(simd, weight, 0..5),
            columns => self.rows(simd, weight, 0..columns),
        }
    }
}

impl Scatter<'_> {
    /// A row of inputs at a time takes all its gradients, while it is in the first-level cache. `all` are the taps of a row, here
    /// so that callers can make them constant.
    #[inline(always)]
    fn rows<S: Simd>(&mut self, simd: S, weight: &[Lanes], all: Range<usize>) {
        let Scatter { rows, columns, .. } = *self;
        let whole = columns.whole();
        for (ih, d_input) in self.d_input.chunks_exact_mut(columns.inputs).enumerate() {
            if self.write == Write::Set {
                d_input.as_flattened_mut().fill(0.0);
            }
            for (oh, kh) in rows.readers(ih) {
                let d_output = &self.d_output[oh * columns.outputs..][..columns.outputs];
                let weight = &weight[kh * all.end..][..all.end];
                for ow in (0..whole.start).chain(whole.end..columns.outputs) {
                    hand_over(simd, &columns, ow, columns.taps(ow), weight, d_output, d_input);
                }
                for ow in whole.clone() {
                    hand_over(simd, &columns, ow, all.clone(), weight, d_output, d_input);
                }
            }
        }
    }
}

/// Hands an output's gradient to the inputs of a row under its taps `across`.
#[inline(always)]
fn hand_over<S: Simd>(
    simd: S,
    columns: &Axis,
    ow: usize,
    across: Range<usize>,
    weight: &[Lanes],
    d_output: &[Lanes],
    d_input: &mut [Lanes],
) {
    let dy = Sixteen::load(simd, &d_output[ow]);
    for kw in across {
        let dx = &mut d_input[columns.at(ow, kw)];
        dy.mul_add(Sixteen::load(simd, &weight[kw]), Sixteen::load(simd, dx)).store(dx);
    }
}

/// See [`super::backward_weights`]. Blocks are cut into parts by the shape alone, so that any number of threads gives the
/// same sums.
pub(super) fn backward_weights(pass: pass::BackwardWeights<'_>, d_weight: &mut [f32]) {
    let pass::BackwardWeights { isa, d, n, input, d_output } = pass;
    let blocks = Blocks::of(d);
    let parts = (PARTS / blocks.count).clamp(1, n);
    let mut sums = scratch::lend(Use::Pass, blocks.count * parts * blocks.weights);
    let shared = Shared::new(&mut sums);
    let [rows, columns] = Axis::both(&d.window, d.input, d.output);
    parallel::for_each(blocks.count * parts, n * d.output.len() * d.taps(), |task| {
        let (block, samples) = (task / parts, parallel::part(n, parts, 1, task % parts));
        // SAFETY: the sums of one part for each task.
        let sums = vectors_mut(unsafe { shared.part(task * blocks.weights..(task + 1) * blocks.weights) });
        sums.fill([0.0; Order::BLOCK]);
        for index in samples.map(|sample| sample * blocks.count + block) {
            let input = vectors(&input[index * blocks.inputs..][..blocks.inputs]);
            let d_output = vectors(&d_output[index * blocks.outputs..][..blocks.outputs]);
            isa.run(Gather { rows, columns, input, d_output, sums });
        }
    });
    for (sums, d_weight) in sums.chunks_exact_mut(parts * blocks.weights).zip(d_weight.chunks_exact_mut(blocks.weights))
    {
        let (total, others) = sums.split_at_mut(blocks.weights);
        for part in others.chunks_exact(blocks.weights) {
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
        apart(d.taps(), total, d_weight);
    }
}

/// Sums the gradients of a block's weights over a sample.
struct Gather<'a> {
    rows: Axis,
    columns: Axis,
    input: &'a [Lanes],
    d_output: &'a [Lanes],
    sums: &'a mut [Lanes],
}

impl Kernel for Gather<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Gather { rows, columns, input, d_output, sums } = self;
        let whole = columns.whole();
        for oh in 0..rows.outputs {
            let d_output = &d_output[oh * columns.outputs..][..columns.outputs];
            for kh in rows.taps(oh) {
                let row = &input[rows.at(oh, kh) * columns.inputs..][..columns.inputs];
                let sums = &mut sums[kh * columns.kernel..][..columns.kernel];
                for ow in (0..whole.start).chain(whole.end..columns.outputs) {
                    for kw in columns.taps(ow) {
                        let (x, dy) =
                            (Sixteen::load(simd, &row[columns.at(ow, kw)]), Sixteen::load(simd, &d_output[ow]));
                        x.mul_add(dy, Sixteen::load(simd, &sums[kw])).store(&mut sums[kw]);
                    }
                }
                for first in (0..columns.kernel).step_by(3) {
                    match columns.kernel - first {
                        1 => add_taps::<S, 1>(simd, &columns, first, &whole, row, d_output, sums),
                        2 => add_taps::<S, 2>(simd, &columns, first, &whole, row, d_output, sums),
                        _ => add_taps::<S, 3>(simd, &columns, first, &whole, row, d_output, sums),
                    }
                }
            }
        }
    }
}

/// Adds the products of the outputs `whole` of a row to the sums of the `N` taps from `first` on, of even outputs and of odd
/// ones apart, so that fewer additions wait for one another.
#[inline(always)]
fn add_taps<S: Simd, const N: usize>(
    simd: S,
    columns: &Axis,
    first: usize,
    whole: &Range<usize>,
    row: &[Lanes],
    d_output: &[Lanes],
    sums: &mut [Lanes],
) {
    if whole.is_empty() {
        return;
    }
    let mut ways = [[Sixteen::splat(simd, 0.0); N]; 2];
    let pairs = whole.start + whole.len() / 2 * 2;
    for ow in (whole.start..pairs).step_by(2) {
        for (way, sums) in ways.iter_mut().enumerate() {
            add_products(simd, &row[columns.at(ow + way, first)..], columns.dilation, &d_output[ow + way], sums);
        }
    }
    if pairs < whole.end {
        add_products(simd, &row[columns.at(pairs, first)..], columns.dilation, &d_output[pairs], &mut ways[0]);
    }
    let [even, odd] = ways;
    for ((sum, even), odd) in sums[first..].iter_mut().zip(even).zip(odd) {
        (Sixteen::load(simd, sum) + (even + odd)).store(sum);
    }
}

/// Adds the products of an output's gradient with the inputs at taps a distance apart.
#[inline(always)]
fn add_products<S: Simd, const N: usize>(
    simd: S,
    inputs: &[Lanes],
    dilation: usize,
    d_output: &Lanes,
    sums: &mut [Sixteen<S>; N],
) {
    let dy = Sixteen::load(simd, d_output);
    for (k, sum) in sums.iter_mut().enumerate() {
        *sum = Sixteen::load(simd, &inputs[k * dilation]).mul_add(dy, *sum);
    }
}
