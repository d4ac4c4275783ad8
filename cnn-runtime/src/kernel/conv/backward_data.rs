//! The gradient by the input, gathered: every input reads the outputs that it went into.
//!
//! Inputs whose coordinates leave the same remainder by the stride meet the same taps. Each such phase is a convolution of
//! `d_output` at stride 1 with those taps, turned round; at stride 1 there is one phase with all of them.

use std::ops::Range;

use crate::desc::{Conv, Order, Write};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
#[cfg(target_arch = "x86_64")]
use crate::kernel::blocks::Lines;
use crate::kernel::conv::pass;
use crate::kernel::gemm::Gemm;
use crate::kernel::gemm::columns::Columns;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::post::Post;
use crate::simd::{Kernel, Simd};

use super::direct::Direct;
use super::gather;
use super::im2col::Im2col;

/// Tasks at most that set gradients to zero.
const FILLS: usize = 8;
/// Multiply-accumulates in the time that a weight is moved in, roughly: it comes from far.
const MOVE: usize = 32;
/// Floats that are set to zero by one call: the C library leaves more to a string instruction, which is slower here.
const ZEROS: usize = 256;

/// One phase of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Phase {
    /// The first tap that meets these inputs; the others follow at distances of `step`.
    first: usize,
    /// Distance between taps.
    step: usize,
    /// Taps.
    count: usize,
    /// Distance between the outputs that consecutive taps came from.
    dilation: usize,
    /// The output that the last tap of input zero of this phase went to; may be outside of the map.
    origin: isize,
    /// Inputs.
    inputs: usize,
}

/// The phase of the inputs `remainder`, `remainder + stride`, ... along an axis.
fn phase(d: &Conv, axis: usize, remainder: usize) -> Phase {
    let size = [d.input.h, d.input.w][axis];
    let (stride, dilation) = (d.window.stride[axis], d.window.dilation[axis]);
    let padded = remainder + d.window.pad[axis];
    let meets = |tap: &usize| (padded as isize - (tap * dilation) as isize) % stride as isize == 0;
    let step = stride / gcd(stride, dilation);
    let kernel = d.window.kernel[axis];
    let first = (0..kernel).find(meets).unwrap_or(kernel);
    let count = (kernel - first).div_ceil(step);
    let dilation_out = step * dilation / stride;
    let at_first = (padded as isize - (first * dilation) as isize) / stride as isize;
    Phase {
        first,
        step,
        count,
        dilation: dilation_out,
        origin: at_first - (count.saturating_sub(1) * dilation_out) as isize,
        inputs: (size - remainder.min(size)).div_ceil(stride),
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The inputs of one phase of both axes, and the channels of one group.
struct Part {
    group: usize,
    /// The first input.
    first: [usize; 2],
    phases: [Phase; 2],
}

impl Part {
    /// Those that make up all inputs.
    fn all(d: &Conv) -> impl Iterator<Item = Part> {
        let [rows, columns] = [d.window.stride[0].min(d.input.h), d.window.stride[1].min(d.input.w)];
        (0..rows * columns * d.groups).map(move |index| {
            let (phase_index, group) = (index / d.groups, index % d.groups);
            let first = [phase_index / columns, phase_index % columns];
            Part { group, first, phases: [phase(d, 0, first[0]), phase(d, 1, first[1])] }
        })
    }

    /// Taps that its inputs meet.
    fn taps(&self) -> usize {
        self.phases[0].count * self.phases[1].count
    }

    /// Its inputs, of one sample.
    fn positions(&self) -> usize {
        self.phases[0].inputs * self.phases[1].inputs
    }

    /// Weights that its inputs meet.
    fn weights(&self, d: &Conv) -> usize {
        d.input.c / d.groups * (d.output.c / d.groups) * self.taps()
    }
}

/// See [`super::backward_data`]; the lengths are checked.
pub(super) fn run(pass: pass::BackwardData<'_>, d_input: &mut [f32], scratch: &mut [f32]) {
    let pass::BackwardData { d, write, .. } = pass;
    // Products without depth, which other inputs are set by, write planes.
    let zeros = d.input.is_blocked() && write == Write::Set && Part::all(d).any(|part| part.taps() == 0);
    let heads = heads(d).filter(|_| zeros);
    if zeros && heads.is_none() {
        fill(d_input);
    }
    let d_input = Shared::new(d_input);
    for part in Part::all(d) {
        let scratch = &mut scratch[..part.weights(d)];
        let [y, x] = part.first;
        let first = part.group * (d.input.c / d.groups) * d.input.plane() + (y * d.input.w + x) * d.input.block();
        // SAFETY: that of an element of the first sample.
        one(pass, &part, scratch, heads.unwrap_or([1, 1]), unsafe { d_input.skip(first) });
    }
}

/// Where a stride's first inputs alone are not zero, and so can set those behind them: the strides.
fn heads(d: &Conv) -> Option<[usize; 2]> {
    let stride = d.window.stride;
    let whole = d.input.h.is_multiple_of(stride[0]) && d.input.w.is_multiple_of(stride[1]);
    let alone = Part::all(d).all(|part| (part.taps() > 0) == (part.first == [0, 0]));
    (whole && alone).then_some(stride)
}

/// Sets everything to zero.
fn fill(d_input: &mut [f32]) {
    let (len, shared) = (d_input.len(), Shared::new(d_input));
    // Memory takes about as long to write a float as some multiply-accumulates.
    let parts = parallel::parts(FILLS, 4 * len);
    parallel::for_each(parts, 4 * len, |index| {
        // SAFETY: each task has a part of its own.
        let part = unsafe { shared.part(part(len, parts, Order::BLOCK, index)) };
        part.chunks_mut(ZEROS).for_each(|zeros| zeros.fill(0.0));
    });
}

/// Computes a part. Its inputs set those of other parts to zero, where they are [`heads`](Columns::heads).
fn one(pass: pass::BackwardData<'_>, part: &Part, scratch: &mut [f32], heads: [usize; 2], c: Shared) {
    let pass::BackwardData { isa, d, n, weight, d_output, write } = pass;
    let Part { group, phases: [vertical, horizontal], .. } = *part;
    let (icg, ocg) = (d.input.c / d.groups, d.output.c / d.groups);
    if part.taps() == 0 && d.input.is_blocked() {
        return;
    }
    let stride = d.window.stride;
    let columns = if stride == [1, 1] {
        Columns::maps(d.input.plane(), d.input.len())
    } else {
        Columns {
            grid: [vertical.inputs, horizontal.inputs],
            sample: d.input.len(),
            y: stride[0] * d.input.w,
            x: stride[1],
            heads,
        }
    }
    .in_blocks(d.input.block());
    let product = |a| Gemm {
        m: icg,
        n: n * part.positions(),
        k: ocg * part.taps(),
        a,
        b: (),
        post: Post::new(),
        channel: 0,
        write,
        c,
        first: 0,
        c_stride: d.input.plane(),
        columns,
    };
    let b = Im2col {
        data: &d_output[group * ocg * d.output.plane()..],
        sample: d.output.len(),
        map: [d.output.h, d.output.w],
        kernel: [vertical.count, horizontal.count],
        stride: [1, 1],
        dilation: [vertical.dilation, horizontal.dilation],
        origin: [vertical.origin, horizontal.origin],
        grid: [vertical.inputs, horizontal.inputs],
        block: d.output.block(),
    };
    let (isa, block) = (pass::isa_of(d, isa), d.input.block());
    let turned = Turned::of(d, part, weight);
    let direct = Direct::turned(product(&[]), b, block, turned);
    // SAFETY: the columns are the inputs of this phase, the rows the channels of this group.
    unsafe {
        if direct.takes_turned(isa) {
            direct.run(isa);
        } else {
            turned.write(isa, scratch);
            gather(isa, product(scratch), b, block);
        }
    }
}

/// The weights that a part meets, turned round to a left side: a row for each input channel, and for the depth the output channels
/// and their taps, the last one first.
#[derive(Clone, Copy)]
pub(super) struct Turned<'a> {
    d: &'a Conv,
    phases: [Phase; 2],
    /// Those of the part's group.
    weight: &'a [f32],
}

impl<'a> Turned<'a> {
    fn of(d: &'a Conv, part: &Part, weight: &'a [f32]) -> Self {
        let len = d.output.c / d.groups * d.taps();
        Turned { d, phases: part.phases, weight: &weight[part.group * len..][..len] }
    }

    /// The output channels, as they stand.
    #[inline(always)]
    pub(super) fn outputs(&self) -> Blocks {
        Blocks::of(self.d.output.c / self.d.groups)
    }

    /// Taps of an output channel.
    fn taps(&self) -> usize {
        self.phases[0].count * self.phases[1].count
    }

    /// The weights of a block of output channels, from those of an input channel and a tap on.
    #[inline(always)]
    pub(super) fn from(&self, block: &Range<usize>, input: usize, tap: usize) -> &'a [f32] {
        let [v, h] = self.phases;
        let back = self.taps() - 1 - tap;
        let (kh, kw) = (v.first + back / h.count * v.step, h.first + back % h.count * h.step);
        let [kernel_h, kernel_w] = self.d.window.kernel;
        let first = (input * kernel_h + kh) * kernel_w + kw;
        &self.weight[block.start * self.d.taps() + first * block.len()..block.end * self.d.taps()]
    }

    /// How far an input channel's weights in a block of output channels are from those of the next.
    #[inline(always)]
    pub(super) fn apart(&self, block: &Range<usize>) -> usize {
        let [kernel_h, kernel_w] = self.d.window.kernel;
        kernel_h * kernel_w * block.len()
    }

    /// The cache lines of the weights of the input channels from the given one on, and of what stands behind them.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn lines(&self, input: usize) -> Lines {
        let [kernel_h, kernel_w] = self.d.window.kernel;
        let of_input = kernel_h * kernel_w * Blocks::MOST;
        let first = self.weight.as_ptr().wrapping_add(input * of_input);
        Lines::of(first, of_input * Blocks::MOST, self.d.taps() * Blocks::MOST)
    }

    /// Writes them in [`Blocks`].
    fn write(&self, isa: Isa, to: &mut [f32]) {
        let (inputs, depth) = (Blocks::of(self.d.input.c / self.d.groups), self.outputs().len() * self.taps());
        let (work, to) = (MOVE * to.len(), Shared::new(to));
        parallel::for_each(inputs.count(), work, |block| {
            let inputs = inputs.rows(block);
            // SAFETY: the blocks follow one another.
            let to = unsafe { to.part(inputs.start * depth..inputs.end * depth) };
            isa.run(Turn { turned: self, inputs, to });
        });
    }
}

/// Writes the weights of a block of input channels.
struct Turn<'a> {
    turned: &'a Turned<'a>,
    inputs: Range<usize>,
    to: &'a mut [f32],
}

impl Kernel for Turn<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Turn { turned, inputs, to } = self;
        let taps = turned.taps();
        for block in turned.outputs().iter() {
            for tap in 0..taps {
                let from = (turned.from(&block, inputs.start, tap), turned.apart(&block));
                let to = &mut to[(block.start * taps + tap) * inputs.len()..];
                simd.transposed([inputs.len(), block.len()], from, (to, taps * inputs.len()));
            }
        }
    }
}

/// Writes the weights of all groups of a convolution at stride 1, turned round to left sides.
pub(super) fn turn_all(isa: Isa, d: &Conv, weight: &[f32], to: &mut [f32]) {
    for (part, to) in Part::all(d).zip(to.chunks_exact_mut(d.weight_len() / d.groups)) {
        Turned::of(d, &part, weight).write(isa, to);
    }
}

#[cfg(test)]
mod tests {
    use super::phase;
    use crate::desc::{Conv, Map, Window};

    #[test]
    fn the_phases_share_out_all_taps_and_all_inputs() {
        for (size, kernel, stride, dilation, pad) in
            [(11, 3, 2, 1, 1), (13, 5, 3, 2, 0), (7, 1, 2, 1, 0), (9, 4, 4, 2, 3)]
        {
            let output = (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
            let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [dilation; 2], pad: [pad; 4] };
            let d = Conv {
                input: Map::new(1, size, size),
                output: Map::new(1, output, output),
                window,
                groups: 1,
                direct: false,
            };
            let phases: Vec<_> = (0..stride).map(|remainder| phase(&d, 0, remainder)).collect();
            assert_eq!(phases.iter().map(|p| p.inputs).sum::<usize>(), size);
            for (remainder, p) in phases.iter().enumerate() {
                for y in 0..p.inputs {
                    for tap in 0..p.count {
                        let from_output = p.origin + (y + tap * p.dilation) as isize;
                        let kernel_tap = p.first + (p.count - 1 - tap) * p.step;
                        let input = from_output * stride as isize + (kernel_tap * dilation) as isize - pad as isize;
                        assert_eq!(input, (remainder + y * stride) as isize);
                    }
                }
            }
        }
    }
}
