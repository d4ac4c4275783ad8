//! Max pooling. Padding never wins; NaN does, as in PyTorch; of equal values the first in the window.

#![allow(unsafe_code)] // vectors are read and written by pointer

mod blocked;
#[cfg(test)]
pub(super) mod reference;
mod rows;
#[cfg(test)]
mod tests;
mod walk;

use std::ops::Range;

use self::blocked::{Block, Scatter};
use self::rows::Rows;
use self::walk::{Walk, reach};
use super::order::{pool_groups, pool_groups_backward, read_block, write_block};
use super::parallel::Shared;
use super::pieces::{each, each2, part};
use super::sixteen::{Lanes, vectors, vectors_mut};
use crate::desc::{Map, Order, Pool, Write};
use crate::dispatch::Isa;
use crate::simd::Simd;

/// Some lines of outputs, from the lines of inputs that they read: for who has no more of the map.
pub(crate) struct Band {
    walk: Walk,
    outputs: Range<usize>,
    /// The lines of inputs.
    pub(crate) inputs: Range<usize>,
}

impl Band {
    /// The lines `outputs` of a layer, one at least.
    pub(crate) fn new(d: &Pool, outputs: Range<usize>) -> Self {
        let (walk, inputs) = Walk::band(d, outputs.clone());
        Band { walk, outputs, inputs }
    }

    /// Lines of outputs in bands: each by itself, or all together where they share lines of inputs.
    pub(crate) fn all(d: &Pool, lines: Range<usize>) -> impl Iterator<Item = (Range<usize>, Self)> {
        let (together, end) = (Band::together(d, lines.len()), lines.end);
        lines.step_by(together).map(move |start| {
            let lines = start..(start + together).min(end);
            (lines.clone(), Band::new(d, lines))
        })
    }

    /// Lines of such a band, of so many in all.
    pub(crate) fn together(d: &Pool, lines: usize) -> usize {
        if reach(d, 1) > d.window.stride[0] { lines } else { 1 }
    }

    /// Most lines of inputs that so many lines of outputs read.
    pub(crate) fn most(d: &Pool, lines: usize) -> usize {
        reach(d, lines).min(d.input.h)
    }

    /// The largest value of each window, of one channel.
    #[inline(always)]
    pub(crate) fn plane<S: Simd>(&self, simd: S, input: &[f32], output: &mut [f32]) {
        simd.call(Rows::<false> { walk: &self.walk, input, output, argmax: &mut [] });
    }

    /// The largest value of each window, of channels in a block.
    #[inline(always)]
    pub(crate) fn block<S: Simd>(&self, simd: S, input: &[Lanes], output: &mut [Lanes]) {
        simd.call(Block::<false> { walk: &self.walk, input, output, argmax: &mut [] });
    }

    /// As [`Band::block`], to the block's map as a whole, which stands as the layer's output does. What becomes planes is in
    /// [`Band::aside`] floats before.
    ///
    /// # Safety
    /// The map begins where `output` does, and these lines of it are the caller's alone.
    #[inline(always)]
    pub(crate) unsafe fn put<S: Simd>(&self, simd: S, d: &Pool, input: &[Lanes], output: Shared, aside: &mut [f32]) {
        let Map { w, .. } = d.output;
        let [start, end] = [self.outputs.start, self.outputs.end].map(|line| line * w);
        if d.output.is_blocked() {
            // SAFETY: the caller's promise.
            let lines = unsafe { output.part(start * Order::BLOCK..end * Order::BLOCK) };
            return self.block(simd, input, vectors_mut(lines));
        }
        let aside = &mut aside[..(end - start) * Order::BLOCK];
        self.block(simd, input, vectors_mut(aside));
        for channel in 0..Order::BLOCK {
            let plane = channel * d.output.plane();
            // SAFETY: the caller's promise.
            let lines = unsafe { output.part(plane + start..plane + end) };
            lines.iter_mut().zip(aside.chunks_exact(Order::BLOCK)).for_each(|(to, from)| *to = from[channel]);
        }
    }

    /// Floats that [`Band::put`] wants for so many lines.
    pub(crate) fn aside(d: &Pool, lines: usize) -> usize {
        if d.output.is_blocked() { 0 } else { lines * d.output.w * Order::BLOCK }
    }
}

/// The largest value of each window.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn forward(d: &Pool, n: usize, input: &[f32], output: &mut [f32]) {
    forward_on(Isa::active(), d, n, input, output);
}

/// As [`forward`], and the winner's place in each window: `kh * KW + kw` for a kernel of `KW` columns.
///
/// The places stand in the order of the inputs, whichever the outputs have.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or the kernel has more than 65,536 taps.
pub fn forward_train(d: &Pool, n: usize, input: &[f32], output: &mut [f32], argmax: &mut [u16]) {
    forward_train_on(Isa::active(), d, n, input, output, argmax);
}

/// Hands the gradient of each output to the input that won its window.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn backward(d: &Pool, n: usize, argmax: &[u16], d_output: &[f32], d_input: &mut [f32], write: Write) {
    backward_on(Isa::active(), d, n, argmax, d_output, d_input, write);
}

fn backward_on(isa: Isa, d: &Pool, n: usize, argmax: &[u16], d_output: &[f32], d_input: &mut [f32], write: Write) {
    d.check_sides("max_pool", n, d_input.len(), d_output.len());
    assert_eq!(argmax.len(), d_output.len(), "max_pool: gradient by the output and argmax");
    if d.input.is_batched() {
        return pool_groups_backward(d, n, argmax, d_output, d_input, |d, n, argmax, d_output, d_input| {
            backward_on(isa, d, n, argmax, d_output, d_input, write);
        });
    }
    let (walk, plane) = (Walk::new(d), d.output.plane());
    if d.input.is_blocked() {
        let (inputs, outputs) = d.block_lens();
        return each(d_input, inputs, n * d.input.len(), |i, d_input| {
            let (argmax, d_input) = (argmax[i * outputs..][..outputs].as_chunks().0, vectors_mut(d_input));
            read_block(&d.output, part(d_output, i, outputs), |d_output| {
                isa.run(Scatter { walk: &walk, argmax, d_output, d_input, write });
            });
        });
    }
    each(d_input, d.input.plane(), n * d.input.len(), |i, d_input| {
        let (argmax, d_output) = (&argmax[i * plane..][..plane], part(d_output, i, plane));
        if write == Write::Set {
            d_input.fill(0.0);
        }
        match walk.columns.kernel {
            2 => walk.scatter(2, argmax, d_output, d_input),
            3 => walk.scatter(3, argmax, d_output, d_input),
            columns => walk.scatter(columns, argmax, d_output, d_input),
        }
    });
}

pub(super) fn forward_on(isa: Isa, d: &Pool, n: usize, input: &[f32], output: &mut [f32]) {
    d.check_sides("max_pool", n, input.len(), output.len());
    if d.input.is_batched() {
        return pool_groups(d, n, input, output, &mut [], |d, n, input, output, _| {
            forward_on(isa, d, n, input, output)
        });
    }
    let walk = Walk::new(d);
    if d.input.is_blocked() {
        let (inputs, outputs) = d.block_lens();
        return each(output, outputs, input.len(), |i, output| {
            let input = vectors(part(input, i, inputs));
            write_block(&d.output, output, |output| {
                isa.run(Block::<false> { walk: &walk, input, output, argmax: &mut [] });
            });
        });
    }
    each(output, d.output.plane(), input.len(), |i, output| {
        isa.run(Rows::<false> { walk: &walk, input: part(input, i, d.input.plane()), output, argmax: &mut [] });
    });
}

fn forward_train_on(isa: Isa, d: &Pool, n: usize, input: &[f32], output: &mut [f32], argmax: &mut [u16]) {
    d.check_sides("max_pool", n, input.len(), output.len());
    assert_eq!(argmax.len(), output.len(), "max_pool: output and argmax");
    let [kh, kw] = d.window.kernel;
    assert!(kh * kw <= 1 << 16, "max_pool: a kernel of {kh}x{kw} has more taps than an argmax can name");
    if d.input.is_batched() {
        return pool_groups(d, n, input, output, argmax, |d, n, input, output, argmax| {
            forward_train_on(isa, d, n, input, output, argmax);
        });
    }
    let (walk, plane) = (Walk::new(d), d.output.plane());
    if d.input.is_blocked() {
        let (inputs, outputs) = d.block_lens();
        return each2((output, outputs), (argmax, outputs), input.len(), |i, output, argmax| {
            let (input, argmax) = (vectors(part(input, i, inputs)), argmax.as_chunks_mut().0);
            write_block(&d.output, output, |output| {
                isa.run(Block::<true> { walk: &walk, input, output, argmax });
            });
        });
    }
    each2((output, plane), (argmax, plane), input.len(), |i, output, argmax| {
        isa.run(Rows::<true> { walk: &walk, input: part(input, i, d.input.plane()), output, argmax });
    });
}
