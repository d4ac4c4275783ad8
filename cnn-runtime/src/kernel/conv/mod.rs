//! 2-D convolution: strided, padded, dilated, grouped; maps in NCHW, with channels in blocks, or with samples in groups.
//!
//! Weights and their gradients stand in memory as [`Layout::of_conv`] says, not as OIHW: so that no pass has to pack them.

#![allow(unsafe_code)] // writes tiles of shared outputs from several threads

mod backward_data;
mod backward_weights;
#[cfg(test)]
mod checks;
mod depthwise;
mod direct;
mod finish;
mod im2col;
mod pass;
#[cfg(test)]
mod pooled_tests;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod reference;
mod small;
#[cfg(test)]
mod tests;
mod tile;
mod whole;
pub mod winograd;

use self::backward_data::turn_all;
use self::direct::Direct;
use self::im2col::Im2col;
use self::winograd::Transformed;
use crate::desc::{Conv, Map, Pool, Window, Write};
use crate::dispatch::Isa;
use crate::kernel::gemm::Gemm;
use crate::kernel::gemm::columns::Columns;
use crate::kernel::gemm::pack::Plain;
use crate::kernel::parallel::Shared;
use crate::kernel::post::Post;
use crate::kernel::scratch;
use crate::kernel::{fc, max_pool};
#[allow(unused_imports)] // named in the documentation
use crate::layout::Layout;

/// Floats of scratch that `backward_data` needs: room for the weights, rearranged.
pub const fn scratch_len(d: &Conv) -> usize {
    d.weight_len()
}

/// Convolves `n` samples: `output = input * weight + bias`.
///
/// `input` is `n x input`, `weight` stands in [`Layout::of_conv`], `bias` one value per output channel, `output` is `n x output`.
///
/// # Panics
/// If a slice has another length, or the maps stand in orders that the convolution does not have.
pub fn forward(d: &Conv, n: usize, input: &[f32], weight: &[f32], bias: Option<&[f32]>, output: &mut [f32]) {
    forward_then(d, n, input, weight, bias.into(), output);
}

/// As [`forward`], with more than a bias done to each output as it is written.
///
/// # Panics
/// If a slice has another length, or the maps stand in orders that the convolution does not have.
pub fn forward_then(d: &Conv, n: usize, input: &[f32], weight: &[f32], post: Post<'_>, output: &mut [f32]) {
    forward_on(pass::Forward { isa: Isa::active(), d, n, input, weight, post, write: Write::Set }, output);
}

/// As [`forward_then`], with weights at hand that were transformed beforehand where that is the fastest way.
///
/// # Panics
/// If a slice has another length, or the maps stand in orders that the convolution does not have.
pub fn forward_kept(
    d: &Conv,
    n: usize,
    input: &[f32],
    weight: &[f32],
    kept: Option<Transformed<'_>>,
    post: Post<'_>,
    output: &mut [f32],
) {
    kept_on(pass::Forward { isa: Isa::active(), d, n, input, weight, post, write: Write::Set }, kept, output);
}

/// As [`forward_kept`], and only the largest output of each window of a pool is written: `output` is `n x pool.output`. The
/// convolution's own output is in no memory as a whole, where there is such a way.
///
/// # Panics
/// If a slice has another length, the maps stand in orders that the convolution does not have, the pool reads another map than
/// the convolution makes, writes in an order that is neither its input's nor NCHW, or has a window that ends before the map or
/// begins behind it, or one of 2 x 2 that the map does not hold, or `post` adds a residual.
#[expect(clippy::too_many_arguments)] // two layers, and what they read and write
pub fn forward_pooled(
    d: &Conv,
    pool: &Pool,
    n: usize,
    input: &[f32],
    weight: &[f32],
    kept: Option<Transformed<'_>>,
    post: Post<'_>,
    output: &mut [f32],
) {
    let pass = pass::Forward { isa: Isa::active(), d, n, input, weight, post, write: Write::Set };
    pooled_on(pass, pool, kept, output);
}

/// As [`forward`] without a bias, written or added to `output`.
pub(super) fn accumulate(d: &Conv, n: usize, input: &[f32], weight: &[f32], output: &mut [f32], write: Write) {
    forward_on(pass::Forward { isa: Isa::active(), d, n, input, weight, post: Post::new(), write }, output);
}

/// As [`forward_then`], by the product with the taps of the input: what [`winograd`] is measured against. Of a batch in groups,
/// the samples behind the last whole sixteen go the way that is the fastest.
///
/// # Panics
/// If a slice has another length, or the maps stand in orders that the convolution does not have.
pub fn direct(d: &Conv, n: usize, input: &[f32], weight: &[f32], post: Post<'_>, output: &mut [f32]) {
    check(d, n, input, weight, output);
    post.check(d.output.c, output.len());
    let pass = pass::Forward { isa: Isa::active(), d, n, input, weight, post, write: Write::Set };
    if n == 0 {
        return;
    }
    if d.is_batched() {
        small::batch::forward(pass, None, output);
    } else if d.is_depthwise() {
        depthwise::forward(pass, output);
    } else {
        direct_on(pass, output);
    }
}

/// The gradient by the input of `n` samples, written or added to `d_input`.
///
/// `scratch` holds [`scratch_len`] floats of no lasting value.
///
/// # Panics
/// If a slice has another length, or the maps stand in orders that the convolution does not have.
pub fn backward_data(
    d: &Conv,
    n: usize,
    weight: &[f32],
    d_output: &[f32],
    d_input: &mut [f32],
    scratch: &mut [f32],
    write: Write,
) {
    backward_data_on(pass::BackwardData { isa: Isa::active(), d, n, weight, d_output, write }, d_input, scratch);
}

/// The gradients by weights and bias, summed over `n` samples; both are overwritten.
///
/// # Panics
/// If a slice has another length, or the maps stand in orders that the convolution does not have.
pub fn backward_weights(
    d: &Conv,
    n: usize,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
    d_bias: Option<&mut [f32]>,
) {
    backward_weights_on(pass::BackwardWeights { isa: Isa::active(), d, n, input, d_output }, d_weight, d_bias);
}

/// The gradient by a bias of `outputs`, whose gradient is `d_output`: sums over the planes of `n` samples.
pub(super) fn backward_bias(outputs: Map, n: usize, d_output: &[f32], d_bias: &mut [f32]) {
    backward_weights::bias(Isa::active(), outputs, n, d_output, d_bias);
}

fn check(d: &Conv, n: usize, input: &[f32], weight: &[f32], output: &[f32]) {
    check_read(d, n, input, weight);
    assert_eq!(Some(output.len()), d.output.len_of(n), "length of the output of {n} samples");
}

fn check_read(d: &Conv, n: usize, input: &[f32], weight: &[f32]) {
    d.check();
    assert_eq!(Some(input.len()), d.input.len_of(n), "length of the input of {n} samples");
    assert_eq!(weight.len(), d.weight_len(), "length of the weights");
}

/// Holds a pool against the convolution before it. What computes both at once relies on windows that reach the map's lines.
fn check_pool(d: &Conv, pool: &Pool) {
    pool.check();
    let Pool { input, output, window: Window { kernel, stride, dilation, pad }, .. } = *pool;
    assert!(input == d.output, "the pool reads what the convolution makes");
    let sizes = [(input.h, output.h), (input.w, output.w)];
    let fits = |axis: usize| {
        let (inputs, outputs) = sizes[axis];
        let first = pad[axis] <= (kernel[axis] - 1) * dilation[axis];
        let last = (outputs - 1) * stride[axis] < inputs + pad[axis];
        first && last && (!pool.window.is_two_by_two() || outputs <= inputs / 2)
    };
    assert!(fits(0) && fits(1), "sizes of {pool:?}");
}

fn forward_on(pass: pass::Forward<'_>, output: &mut [f32]) {
    let pass::Forward { isa, d, n, input, weight, post, write } = pass;
    check(d, n, input, weight, output);
    post.check(d.output.c, output.len());
    if n == 0 {
        return;
    }
    if let Some(fc) = d.as_fc().filter(|_| write == Write::Set) {
        return fc::forward_on(pass::isa_of(d, isa), &fc, n, input, weight, post, output);
    }
    if d.is_depthwise() {
        return depthwise::forward(pass, output);
    }
    if d.is_batched() {
        return small::batch::forward(pass, None, output);
    }
    if d.is_plain() && small::applies(d) {
        return small::forward(pass, None, output);
    }
    if winograd::forward_once(pass, output).is_none() {
        direct_on(pass, output);
    }
}

fn kept_on(pass: pass::Forward<'_>, kept: Option<Transformed<'_>>, output: &mut [f32]) {
    let pass::Forward { isa, d, n, .. } = pass;
    match kept.filter(|kept| winograd::serves(isa, d, n, kept.tile)) {
        Some(kept) => winograd::forward_kept(pass, kept, output),
        None => forward_on(pass, output),
    }
}

fn pooled_on(pass: pass::Forward<'_>, pool: &Pool, kept: Option<Transformed<'_>>, output: &mut [f32]) {
    let pass::Forward { d, n, input, weight, post, .. } = pass;
    check_read(d, n, input, weight);
    check_pool(d, pool);
    assert_eq!(Some(output.len()), pool.output.len_of(n), "length of the pool's output of {n} samples");
    assert!(post.residual().is_none(), "nothing is added where largest outputs are taken");
    post.check(d.output.c, 0);
    if n == 0 {
        return;
    }
    if d.is_batched() {
        small::batch::forward(pass, Some(pool), output);
    } else if !d.is_depthwise() && d.is_plain() && small::applies(d) {
        small::forward(pass, Some(pool), output);
    } else if winograd::forward_pooled(pass, pool, kept, output).is_none() {
        let blocked = d.output.is_blocked() && d.groups == 1;
        if !(blocked && direct::pooled(pass, pool, output)) {
            aside(pass, pool, kept, output);
        }
    }
}

/// As [`forward_pooled`], by way of each sample's whole map.
fn aside(pass: pass::Forward<'_>, pool: &Pool, kept: Option<Transformed<'_>>, output: &mut [f32]) {
    let pass::Forward { isa, d, input, .. } = pass;
    let mut map = scratch::lend(scratch::Use::Outer, d.output.len());
    for (input, output) in input.chunks_exact(d.input.len()).zip(output.chunks_exact_mut(pool.output.len())) {
        let pass = pass::Forward { n: 1, input, ..pass };
        kept_on(pass, kept, &mut map);
        max_pool::forward_on(isa, pool, 1, &map, output);
    }
}

/// The forward pass as a product with the taps of the input.
fn direct_on(pass: pass::Forward<'_>, output: &mut [f32]) {
    let pass::Forward { isa, d, n, input, weight, post, write } = pass;
    let isa = pass::isa_of(d, isa);
    let (ocg, plane) = (d.output.c / d.groups, d.output.plane());
    let c = Shared::new(output);
    for group in 0..d.groups {
        let channels = group * ocg..(group + 1) * ocg;
        let weight = &weight[channels.start * d.taps()..channels.end * d.taps()];
        let gemm = Gemm {
            m: ocg,
            n: n * plane,
            k: d.taps(),
            a: weight,
            b: (),
            post,
            channel: channels.start,
            write,
            c,
            first: channels.start * plane,
            c_stride: plane,
            columns: Columns::maps(plane, d.output.len()).in_blocks(d.output.block()),
        };
        // SAFETY: rows are the group's channels, columns all positions of all samples: all inside the output, once each.
        unsafe { gather(isa, gemm, Im2col::of_input(d, group, input), d.output.block()) };
    }
}

fn backward_data_on(pass: pass::BackwardData<'_>, d_input: &mut [f32], scratch: &mut [f32]) {
    let pass::BackwardData { isa, d, n, weight, d_output, write } = pass;
    check(d, n, d_input, weight, d_output);
    assert_eq!(scratch.len(), scratch_len(d), "length of the scratch");
    if n == 0 {
        return;
    }
    if let Some(fc) = d.as_fc() {
        fc::backward_data_on(pass::isa_of(d, isa), &fc, n, weight, d_output, d_input, write);
    } else if d.is_batched() {
        small::batch::backward_data(pass, d_input, scratch);
    } else if d.is_depthwise() {
        depthwise::backward_data(pass, d_input);
    } else if d.is_plain() && small::applies_backward(d) {
        small::backward_data(pass, d_input, scratch);
    } else if winograd::backward_data(pass, d_input).is_none() {
        backward_data::run(pass, d_input, scratch);
    }
}

fn backward_weights_on(pass: pass::BackwardWeights<'_>, d_weight: &mut [f32], d_bias: Option<&mut [f32]>) {
    let pass::BackwardWeights { isa, d, n, input, d_output } = pass;
    check(d, n, input, d_weight, d_output);
    assert!(d_bias.as_ref().is_none_or(|bias| bias.len() == d.output.c), "one bias per output channel");
    if let Some(fc) = d.as_fc().filter(|_| n > 0) {
        return fc::backward_weights_on(pass::isa_of(d, isa), &fc, n, input, d_output, d_weight, d_bias);
    }
    if d.is_batched() {
        return small::batch::backward_weights(pass, d_weight, d_bias);
    }
    if let Some(d_bias) = d_bias {
        backward_weights::bias(isa, d.output, n, d_output, d_bias);
    }
    if n == 0 {
        d_weight.fill(0.0);
    } else if d.is_depthwise() {
        depthwise::backward_weights(pass, d_weight);
    } else if d.is_plain() && small::backward_weights::applies(d) {
        small::backward_weights::run(pass, d_weight);
    } else {
        backward_weights::run(pass, d_weight);
    }
}

/// Multiplies with the taps of a convolution, taking the shortest way to pack them. The output has `block` channels side by
/// side.
///
/// # Safety
/// As for [`Gemm::run`].
unsafe fn gather(isa: Isa, gemm: Gemm<'_, ()>, b: Im2col<'_>, block: usize) {
    let plane = b.map[0] * b.map[1];
    // SAFETY: the caller's promise.
    unsafe {
        if direct::applies(&gemm, &b, block) {
            Direct::new(gemm, b, block).run(isa);
        } else if gemm.k == 0 || b.is_identity() {
            gemm.with(Plain { data: b.data, row: plane, columns: Columns::maps(plane, b.sample) }).run(isa);
        } else {
            gemm.with(b).run(isa);
        }
    }
}
