//! Fully connected layers: `output = weight * input + bias`, weights `[outputs, inputs]`.

#![allow(unsafe_code)] // writes tiles of shared outputs from several threads

mod dot;
pub mod reference;
mod spread;
#[cfg(test)]
mod tests;

use crate::desc::{Fc, Write};
use crate::dispatch::Isa;
use crate::kernel::gemm::pack::{Plain, Transposed};
use crate::kernel::gemm::sink::Columns;
use crate::kernel::gemm::{Gemm, Left};
use crate::kernel::parallel::Shared;
use crate::kernel::post::Post;

/// Applies the layer to `n` samples: `input` is `[n, inputs]`, `output` is `[n, outputs]`.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn forward(d: &Fc, n: usize, input: &[f32], weight: &[f32], bias: Option<&[f32]>, output: &mut [f32]) {
    forward_then(d, n, input, weight, bias.into(), output);
}

/// As [`forward`], with more than a bias done to each output as it is written.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn forward_then(d: &Fc, n: usize, input: &[f32], weight: &[f32], post: Post<'_>, output: &mut [f32]) {
    forward_on(Isa::active(), d, n, input, weight, post, output);
}

/// The gradient by the input of `n` samples, written or added to `d_input`.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn backward_data(d: &Fc, n: usize, weight: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    backward_data_on(Isa::active(), d, n, weight, d_output, d_input, write);
}

/// The gradients by weights and bias, summed over `n` samples; both are overwritten.
///
/// # Panics
/// If a slice has another length than the descriptor says.
pub fn backward_weights(
    d: &Fc,
    n: usize,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
    d_bias: Option<&mut [f32]>,
) {
    backward_weights_on(Isa::active(), d, n, input, d_output, d_weight, d_bias);
}

fn check(d: &Fc, n: usize, input: &[f32], weight: &[f32], output: &[f32]) {
    assert_eq!(input.len(), n * d.inputs, "length of the input of {n} samples");
    assert_eq!(weight.len(), d.inputs * d.outputs, "length of the weights");
    assert_eq!(output.len(), n * d.outputs, "length of the output of {n} samples");
}

fn forward_on(isa: Isa, d: &Fc, n: usize, input: &[f32], weight: &[f32], post: Post<'_>, output: &mut [f32]) {
    check(d, n, input, weight, output);
    post.check(d.outputs, output.len());
    if n <= dot::MAX_SAMPLES {
        return dot::forward(isa, d, n, input, weight, post, output);
    }
    let gemm = Gemm {
        m: d.outputs,
        n,
        k: d.inputs,
        a: Left::Rows { data: weight, row: d.inputs, step: 1 },
        b: Transposed { data: input, column: d.inputs },
        post,
        channel: 0,
        write: Write::Set,
        c: Shared::new(output),
        first: 0,
        c_stride: 1,
        columns: Columns { grid: [1, n], sample: 0, y: 0, x: d.outputs },
    };
    // SAFETY: rows are outputs, columns samples, each pair one float of the output.
    unsafe { gemm.run(isa) };
}

fn backward_data_on(isa: Isa, d: &Fc, n: usize, weight: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    check(d, n, d_input, weight, d_output);
    if n == 0 {
        return;
    }
    if n <= spread::MAX_SAMPLES {
        return spread::run(isa, d, n, weight, d_output, d_input, write);
    }
    let gemm = Gemm {
        m: n,
        n: d.inputs,
        k: d.outputs,
        a: Left::Rows { data: d_output, row: d.outputs, step: 1 },
        b: Plain { data: weight, row: d.inputs, columns: Columns::plain(d.inputs) },
        post: Post::new(),
        channel: 0,
        write,
        c: Shared::new(d_input),
        first: 0,
        c_stride: d.inputs,
        columns: Columns::plain(d.inputs),
    };
    // SAFETY: rows are samples, columns inputs, each pair one float of the gradient.
    unsafe { gemm.run(isa) };
}

fn backward_weights_on(
    isa: Isa,
    d: &Fc,
    n: usize,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
    d_bias: Option<&mut [f32]>,
) {
    check(d, n, input, d_weight, d_output);
    assert!(d_bias.as_ref().is_none_or(|bias| bias.len() == d.outputs), "one bias per output");
    if let Some(d_bias) = d_bias {
        d_bias.fill(0.0);
        for sample in d_output.chunks_exact(d.outputs) {
            d_bias.iter_mut().zip(sample).for_each(|(sum, g)| *sum += g);
        }
    }
    let gemm = Gemm {
        m: d.outputs,
        n: d.inputs,
        k: n,
        a: Left::Rows { data: d_output, row: 1, step: d.outputs },
        b: Plain { data: input, row: d.inputs, columns: Columns::plain(d.inputs) },
        post: Post::new(),
        channel: 0,
        write: Write::Set,
        c: Shared::new(d_weight),
        first: 0,
        c_stride: d.inputs,
        columns: Columns::plain(d.inputs),
    };
    // SAFETY: rows are outputs, columns inputs, each pair one weight.
    unsafe { gemm.run(isa) };
}
