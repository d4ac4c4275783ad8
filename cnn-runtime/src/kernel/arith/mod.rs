//! Products, differences and quotients of two values, element by element; an axis of size 1 is repeated along the
//! other value's.

#[cfg(test)]
pub(super) mod reference;
#[cfg(test)]
mod tests;

use super::broadcast::{Operand, Walk, first, map, map_inplace, product, quotient, reduce, signed};
use super::order::check_order;
use crate::desc::{Arith, Join, Order, Write};

/// `output = a * b`, `a - b` or `a / b`.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward(d: &Join, n: usize, a: &[f32], b: &[f32], output: &mut [f32]) {
    check(d, n, [a.len(), b.len()], output.len());
    let walk = Walk::new(n, [d.output(), d.inputs[0], d.inputs[1]].map(Operand::of_samples));
    match d.arith {
        Arith::Mul => map::<false>(&walk, [a, b], output, product),
        Arith::Sub => map::<false>(&walk, [a, b], output, |a, b| a - b),
        Arith::Div => map::<false>(&walk, [a, b], output, quotient),
    }
}

/// As [`forward`], in place of the input of index `which`, whose shape is the output's.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, the input is smaller than the output, or a map stands in an order that the layer
/// does not know.
pub fn forward_inplace(d: &Join, n: usize, which: usize, io: &mut [f32], other: &[f32]) {
    let mut lens = [other.len(); 2];
    lens[which] = io.len();
    check(d, n, lens, io.len());
    let walk = Walk::new(n, [d.inputs[which], d.inputs[1 - which], d.inputs[1 - which]].map(Operand::of_samples));
    match (d.arith, which) {
        (Arith::Mul, _) => map_inplace(&walk, io, other, product),
        (Arith::Sub, 0) => map_inplace(&walk, io, other, |x, other| x - other),
        (Arith::Sub, _) => map_inplace(&walk, io, other, |x, other| other - x),
        (Arith::Div, 0) => map_inplace(&walk, io, other, quotient),
        (Arith::Div, _) => map_inplace(&walk, io, other, |x, other| other / x),
    }
}

/// The gradient by the input of index `which`, summed over the axes along which it was repeated. Differences read
/// neither `a` nor `b`, which may be empty then.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
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
    let (own, other, values) = (d.inputs[which], d.inputs[1 - which], if which == 0 { b } else { a });
    let walk = |other| Walk::new(n, [own, d.output(), other].map(Operand::of_samples));
    match (d.arith, which) {
        (Arith::Mul, _) => reduce(&walk(other), [d_output, values], d_input, write, product, signed(1.0)),
        (Arith::Sub, _) => {
            let sign = if which == 0 { 1.0 } else { -1.0 };
            reduce(&walk(d.output()), [d_output; 2], d_input, write, first, signed(sign));
        }
        (Arith::Div, 0) => reduce(&walk(other), [d_output, values], d_input, write, quotient, signed(1.0)),
        (Arith::Div, _) => {
            // Not by the square, which can be zero or infinite where the gradient is neither.
            let twice = |at: usize, sum: f32| -(sum / b[at]) / b[at];
            reduce(&walk(other), [d_output, values], d_input, write, product, twice);
        }
    }
}

/// Checks the lengths of both inputs and of the output, and their orders.
fn check(d: &Join, n: usize, inputs: [usize; 2], output: usize) {
    assert_eq!(inputs, d.inputs.map(|map| n * map.len()), "join: inputs of {n} samples");
    d.inputs.iter().for_each(|map| check_order("join", map.order, &[Order::Nchw, Order::Nchw16c]));
    assert_eq!(output, n * d.output().len(), "join: output of {n} samples");
}
