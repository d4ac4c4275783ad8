//! Maps whose channels stand in blocks of sixteen: each lane of the vectors is a channel.
//!
//! Statistics are taken from one reading of the memory. A chunk of positions, which the first-level cache holds, is gone
//! over twice, for its mean and for the squares about it, and chunks are joined in double precision (Chan, Golub and LeVeque
//! 1983, "Algorithms for computing the sample variance").

mod cut;
mod sums;
#[cfg(test)]
mod tests;

use self::cut::Blocks;
use self::sums::{Gradients, Moments, Sum};
use crate::desc::{BatchNorm, Order};
use crate::dispatch::Isa;
use crate::kernel::parallel::Shared;
use crate::kernel::pieces::{each, part};
use crate::kernel::sixteen::{Lanes, Sixteen, lanes, vectors, vectors_mut};
use crate::simd::{Kernel, Simd};

/// Whether channels stand in blocks, and that makes a difference.
pub(super) fn applies(d: &BatchNorm) -> bool {
    d.order == Order::Nchw16c && d.plane > 1
}

/// What normalises the channels of a block.
struct Affine {
    mean: Lanes,
    factor: Lanes,
    shift: Lanes,
}

impl Affine {
    /// By running statistics; `tensors` are scale, shift, mean and variance.
    fn running(d: &BatchNorm, tensors: [&[f32]; 4], block: usize) -> Self {
        let of_block = |tensor: usize| vectors(tensors[tensor])[block];
        let (scale, var) = (of_block(0), of_block(3));
        Affine { mean: of_block(2), factor: lanes(|c| scale[c] / (var[c] + d.eps).sqrt()), shift: of_block(1) }
    }
}

/// Normalises vectors of a block of channels, or those of the output where there are no others.
struct Normalise<'a> {
    affine: &'a Affine,
    input: Option<&'a [Lanes]>,
    output: &'a mut [Lanes],
}

impl Kernel for Normalise<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Affine { mean, factor, shift } = self.affine;
        let mean = Sixteen::load(simd, mean);
        let (factor, shift) = (Sixteen::load(simd, factor), Sixteen::load(simd, shift));
        if let Some(input) = self.input {
            for (y, x) in self.output.iter_mut().zip(input) {
                (Sixteen::load(simd, x) - mean).mul_add(factor, shift).store(y);
            }
        } else {
            for x in self.output {
                (Sixteen::load(simd, x) - mean).mul_add(factor, shift).store(x);
            }
        }
    }
}

/// See [`super::forward`]; without an input, in place.
pub(super) fn forward(isa: Isa, d: &BatchNorm, input: Option<&[f32]>, tensors: [&[f32]; 4], output: &mut [f32]) {
    let (block, len) = (Order::BLOCK * d.plane, output.len());
    each(output, block, len, |i, output| {
        let affine = Affine::running(d, tensors, i % (d.channels / Order::BLOCK));
        let input = input.map(|input| vectors(part(input, i, block)));
        isa.run(Normalise { affine: &affine, input, output: vectors_mut(output) });
    });
}

/// Normalises with the batch's statistics; `targets` are their means, their variances, and the output.
pub(super) fn train(isa: Isa, d: &BatchNorm, n: usize, input: &[f32], tensors: [&[f32]; 2], targets: [&mut [f32]; 3]) {
    let (all, input, [scale, shift]) = (Blocks::new(d, n), vectors(input), tensors.map(vectors));
    let [mean, var, output] = targets.map(|values| Shared::new(vectors_mut(values)));
    let gather = |block, part| {
        let mut moments = Moments::EMPTY;
        isa.run(Gather { all, block, part, input, moments: &mut moments });
        moments
    };
    let finish = |block: usize, moments: Moments| {
        let m = lanes(|c| moments.mean[c] as f32);
        let v = lanes(|c| (moments.squares[c] / all.count() as f64) as f32);
        // SAFETY: each block is finished once.
        unsafe {
            mean.at(block).write(m);
            var.at(block).write(v);
        }
        let factor = lanes(|c| scale[block][c] * (1.0 / (v[c] + d.eps).sqrt()));
        Affine { mean: m, factor, shift: shift[block] }
    };
    let write = |block, part, affine: &Affine| {
        for plane in all.planes(block, part) {
            // SAFETY: each plane of a block is written once.
            let output = unsafe { output.part(plane.clone()) };
            isa.run(Normalise { affine, input: Some(&input[plane]), output });
        }
    };
    all.work(gather, finish, write);
}

/// Takes the moments of a part of a block.
struct Gather<'a> {
    all: Blocks,
    block: usize,
    part: usize,
    input: &'a [Lanes],
    moments: &'a mut Moments,
}

impl Kernel for Gather<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Gather { all, block, part, input, moments } = self;
        for chunk in all.chunks(block, part) {
            let count = chunk.count() as f64;
            let [sum] = all.sums::<4, 1, S>(
                simd,
                &chunk,
                [input; 2],
                #[inline(always)]
                |[sum], [x, _]| [sum + x],
            );
            let mean = lanes(|c| sum[c] / count);
            let near = Sixteen::load(simd, &lanes(|c| mean[c] as f32));
            let [squares] = all.sums::<4, 1, S>(
                simd,
                &chunk,
                [input; 2],
                #[inline(always)]
                |[sum], [x, _]| [(x - near).mul_add(x - near, sum)],
            );
            moments.join(&Moments { count, mean, squares });
        }
    }
}

/// The backward pass; `tensors` are scale, mean and inverse deviation, `targets` the gradients by scale, shift and input.
pub(super) fn backward<const ADD: bool>(
    isa: Isa,
    d: &BatchNorm,
    n: usize,
    per_value: f32,
    values: [&[f32]; 2],
    tensors: [&[f32]; 3],
    targets: [&mut [f32]; 3],
) {
    let (all, [input, d_output]) = (Blocks::new(d, n), values.map(vectors));
    let [scale, mean, inv_std] = tensors.map(vectors);
    let [d_scale, d_shift, d_input] = targets.map(|values| Shared::new(vectors_mut(values)));
    let gather = |block: usize, part| {
        let mut sums = Gradients::EMPTY;
        isa.run(GatherGradients { all, block, part, values: [input, d_output], mean: &mean[block], sums: &mut sums });
        sums
    };
    let finish = |block: usize, sums: Gradients| {
        let by_shift = lanes(|c| sums.by_shift[c] as f32);
        let by_scale = lanes(|c| sums.by_scale[c] as f32 * inv_std[block][c]);
        // SAFETY: each block is finished once.
        unsafe {
            d_shift.at(block).write(by_shift);
            d_scale.at(block).write(by_scale);
        }
        Slope {
            mean: mean[block],
            factor: lanes(|c| scale[block][c] * inv_std[block][c]),
            by_shift: lanes(|c| by_shift[c] * per_value),
            by_scale: lanes(|c| by_scale[c] * per_value * inv_std[block][c]),
        }
    };
    let write = |block, part, slope: &Slope| {
        for plane in all.planes(block, part) {
            // SAFETY: each plane of a block is written once.
            let d_input = unsafe { d_input.part(plane.clone()) };
            isa.run(Descend::<ADD> { slope, input: &input[plane.clone()], d_output: &d_output[plane], d_input });
        }
    };
    all.work(gather, finish, write);
}

/// Sums the gradients of a part of a block.
struct GatherGradients<'a> {
    all: Blocks,
    block: usize,
    part: usize,
    /// Inputs and gradients.
    values: [&'a [Lanes]; 2],
    mean: &'a Lanes,
    sums: &'a mut Gradients,
}

impl Kernel for GatherGradients<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (all, mean) = (self.all, Sixteen::load(simd, self.mean));
        for chunk in all.chunks(self.block, self.part) {
            let [by_shift, by_scale] = all.sums::<2, 2, S>(
                simd,
                &chunk,
                self.values,
                #[inline(always)]
                |[by_shift, by_scale], [x, dy]| [by_shift + dy, (x - mean).mul_add(dy, by_scale)],
            );
            self.sums.join(&Gradients { by_shift, by_scale });
        }
    }
}

/// What leads from the gradients of a block's outputs to those of its inputs.
struct Slope {
    mean: Lanes,
    factor: Lanes,
    by_shift: Lanes,
    by_scale: Lanes,
}

/// Writes or adds the gradients of vectors of a block.
struct Descend<'a, const ADD: bool> {
    slope: &'a Slope,
    input: &'a [Lanes],
    d_output: &'a [Lanes],
    d_input: &'a mut [Lanes],
}

impl<const ADD: bool> Kernel for Descend<'_, ADD> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Slope { mean, factor, by_shift, by_scale } = self.slope;
        let (mean, factor) = (Sixteen::load(simd, mean), Sixteen::load(simd, factor));
        let (by_shift, by_scale) = (Sixteen::load(simd, by_shift), Sixteen::load(simd, by_scale));
        let zero = Sixteen::splat(simd, 0.0);
        for (dx, (x, dy)) in self.d_input.iter_mut().zip(self.input.iter().zip(self.d_output)) {
            let (x, dy) = (Sixteen::load(simd, x), Sixteen::load(simd, dy));
            let slope = (mean - x).mul_add(by_scale, dy - by_shift);
            let before = if ADD { Sixteen::load(simd, dx) } else { zero };
            slope.mul_add(factor, before).store(dx);
        }
    }
}
