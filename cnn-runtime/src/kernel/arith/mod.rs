//! Products, differences and quotients of two values, element by element; an axis of size 1 is repeated along the
//! other value's.

pub mod reference;
#[cfg(test)]
mod tests;

use super::broadcast::{Operand, Walk, map, map_inplace, reduce};
use crate::desc::{Arith, Join, Map, Write};

/// `output = a * b`, `a - b` or `a / b`.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn forward(d: &Join, n: usize, a: &[f32], b: &[f32], output: &mut [f32]) {
    check(d, n, [a.len(), b.len()], output.len());
    let walk = Walk::new(n, [d.output(), d.inputs[0], d.inputs[1]].map(Operand::of_samples));
    match d.arith {
        Arith::Mul => map::<false>(&walk, [a, b], output, |a, b| a * b),
        Arith::Sub => map::<false>(&walk, [a, b], output, |a, b| a - b),
        Arith::Div => map::<false>(&walk, [a, b], output, |a, b| a / b),
    }
}

/// As [`forward`], in place of the input of index `which`, whose shape is the output's.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or the input is smaller than the output.
pub fn forward_inplace(d: &Join, n: usize, which: usize, io: &mut [f32], other: &[f32]) {
    let mut lens = [other.len(); 2];
    lens[which] = io.len();
    check(d, n, lens, io.len());
    let walk = Walk::new(n, [d.inputs[which], d.inputs[1 - which], d.inputs[1 - which]].map(Operand::of_samples));
    match (d.arith, which) {
        (Arith::Mul, _) => map_inplace(&walk, io, other, |x, other| x * other),
        (Arith::Sub, 0) => map_inplace(&walk, io, other, |x, other| x - other),
        (Arith::Sub, _) => map_inplace(&walk, io, other, |x, other| other - x),
        (Arith::Div, 0) => map_inplace(&walk, io, other, |x, other| x / other),
        (Arith::Div, _) => map_inplace(&walk, io, other, |x, other| other / x),
    }
}

/// The gradient by the input of index `which`, summed over the axes along which it was repeated. Differences read
/// neither `a` nor `b`, which may be empty then.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
#[expect(clippy::too_many_arguments)]
pub fn backward(
    d: &Join,
    n: usize,
    which: usize,
    a: &[f32],
    b: &[f32],
    d_output: &[f32],
    d_input: &mut [f32],
    write: Write,
) {
    let lens = if d.arith == Arith::Sub { d.inputs.map(|map| n * map.len()) } else { [a.len(), b.len()] };
    check(d, n, lens, d_output.len());
    assert_eq!(d_input.len(), n * d.inputs[which].len(), "join: gradient by input {which} of {n} samples");
    match write {
        Write::Set => gradient::<false>(d, n, which, [a, b], d_output, d_input),
        Write::Add => gradient::<true>(d, n, which, [a, b], d_output, d_input),
    }
}

/// Checks the lengths of both inputs and of the output.
fn check(d: &Join, n: usize, inputs: [usize; 2], output: usize) {
    assert_eq!(inputs, d.inputs.map(|map| n * map.len()), "join: inputs of {n} samples");
    assert_eq!(output, n * d.output().len(), "join: output of {n} samples");
}

/// [`backward`] of one way to write.
fn gradient<const ADD: bool>(
    d: &Join,
    n: usize,
    which: usize,
    [a, b]: [&[f32]; 2],
    d_output: &[f32],
    d_input: &mut [f32],
) {
    let (own, other) = (d.inputs[which], d.inputs[1 - which]);
    match (d.arith, which) {
        (Arith::Mul, 0) => sum::<ADD>(d, n, own, (other, b), d_output, d_input, |d, b| d * b, |_, sum| sum),
        (Arith::Mul, _) => sum::<ADD>(d, n, own, (other, a), d_output, d_input, |d, a| d * a, |_, sum| sum),
        (Arith::Sub, 0) => sum::<ADD>(d, n, own, (d.output(), d_output), d_output, d_input, |d, _| d, |_, sum| sum),
        (Arith::Sub, _) => sum::<ADD>(d, n, own, (d.output(), d_output), d_output, d_input, |d, _| d, |_, sum| -sum),
        (Arith::Div, 0) => sum::<ADD>(d, n, own, (other, b), d_output, d_input, |d, b| d / b, |_, sum| sum),
        (Arith::Div, _) => {
            let by_square = |at: usize, sum: f32| -sum / (b[at] * b[at]);
            sum::<ADD>(d, n, own, (other, a), d_output, d_input, |d, a| d * a, by_square);
        }
    }
}

/// Sets or adds `finish` of the sum of `f(gradient by the output, other)` for each element of the gradient by an input
/// of shape `own`.
#[expect(clippy::too_many_arguments)]
fn sum<const ADD: bool>(
    d: &Join,
    n: usize,
    own: Map,
    (other, values): (Map, &[f32]),
    d_output: &[f32],
    d_input: &mut [f32],
    f: impl Fn(f32, f32) -> f32 + Sync,
    finish: impl Fn(usize, f32) -> f32 + Sync,
) {
    let walk = Walk::new(n, [own, d.output(), other].map(Operand::of_samples));
    reduce::<ADD>(&walk, [d_output, values], d_input, f, finish);
}
