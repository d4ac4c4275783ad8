//! Pointwise layers with a trained tensor: slopes of negative values, factors and summands.
//!
//! The tensor is one for all samples, and is repeated along axes of size 1; its gradient is a sum over both.

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use super::broadcast::{Along, Operand, Walk, first, for_runs, map, map_inplace, product, reduce, signed};
use super::order::check_order;
use super::pieces::put;
use crate::desc::{Apply, Order, Trained, Write};

/// Applies the tensor to each element.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward(d: &Trained, n: usize, input: &[f32], tensor: &[f32], output: &mut [f32]) {
    check(d, n, [input.len(), output.len()], tensor.len());
    let walk = walk(d, n);
    match d.apply {
        Apply::Slope => map::<false>(&walk, [input, tensor], output, sloped),
        Apply::Scale => map::<false>(&walk, [input, tensor], output, product),
        Apply::Shift => map::<false>(&walk, [input, tensor], output, |x, t| x + t),
    }
}

/// As [`forward`], in place.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward_inplace(d: &Trained, n: usize, io: &mut [f32], tensor: &[f32]) {
    check(d, n, [io.len(); 2], tensor.len());
    let walk = walk_in_place(d, n);
    match d.apply {
        Apply::Slope => map_inplace(&walk, io, tensor, sloped),
        Apply::Scale => map_inplace(&walk, io, tensor, product),
        Apply::Shift => map_inplace(&walk, io, tensor, |x, t| x + t),
    }
}

/// The gradient by the tensor, which is overwritten. A shift does not read the input, which may be empty then.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward_tensor(d: &Trained, n: usize, input: &[f32], d_output: &[f32], d_tensor: &mut [f32]) {
    let input = if d.apply == Apply::Shift { d_output } else { input };
    check(d, n, [input.len(), d_output.len()], d_tensor.len());
    let [samples, tensor] = [Operand::of_samples(d.input), Operand::shared(d.tensor)];
    let (walk, values) = (Walk::new(n, [tensor, samples, samples]), [d_output, input]);
    match d.apply {
        Apply::Slope => {
            let term = |d, x| if x > 0.0 { 0.0 } else { d * x };
            reduce(&walk, values, d_tensor, Write::Set, term, signed(1.0));
        }
        Apply::Scale => reduce(&walk, values, d_tensor, Write::Set, product, signed(1.0)),
        Apply::Shift => reduce(&walk, values, d_tensor, Write::Set, first, signed(1.0)),
    }
}

/// The gradient by the input, which only slopes read.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward(
    d: &Trained,
    n: usize,
    input: &[f32],
    tensor: &[f32],
    d_output: &[f32],
    d_input: &mut [f32],
    write: Write,
) {
    check(d, n, [input.len(), d_input.len()], tensor.len());
    check(d, n, [d_output.len(), d_input.len()], tensor.len());
    match write {
        Write::Set => gradient::<false>(d, n, input, tensor, d_output, d_input),
        Write::Add => gradient::<true>(d, n, input, tensor, d_output, d_input),
    }
}

/// Turns the gradient by the output in `d_io` into the gradient by the input.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward_inplace(d: &Trained, n: usize, input: &[f32], tensor: &[f32], d_io: &mut [f32]) {
    check(d, n, [input.len(), d_io.len()], tensor.len());
    match d.apply {
        Apply::Slope => for_runs(
            &walk_in_place(d, n),
            [tensor, tensor],
            d_io,
            #[inline(always)]
            |run, d_io, [_, slopes]| {
                let values = d_io.iter_mut().zip(&input[run]);
                match slopes {
                    Along::Each(slopes) => values.zip(slopes).for_each(|((d, &x), &s)| *d = by_slope(*d, x, s)),
                    Along::All(s) => values.for_each(|(d, &x)| *d = by_slope(*d, x, s)),
                }
            },
        ),
        Apply::Scale => map_inplace(&walk_in_place(d, n), d_io, tensor, product),
        Apply::Shift => {}
    }
}

/// [`backward`] of one way to write.
fn gradient<const ADD: bool>(
    d: &Trained,
    n: usize,
    input: &[f32],
    tensor: &[f32],
    d_output: &[f32],
    d_input: &mut [f32],
) {
    match d.apply {
        Apply::Slope => for_runs(
            &walk_in_place(d, n),
            [tensor, tensor],
            d_input,
            #[inline(always)]
            |run, d_input, [_, slopes]| {
                let values = d_input.iter_mut().zip(d_output[run.clone()].iter().zip(&input[run]));
                match slopes {
                    Along::Each(slopes) => {
                        values.zip(slopes).for_each(|((dx, (&d, &x)), &s)| put::<ADD>(dx, by_slope(d, x, s)));
                    }
                    Along::All(s) => values.for_each(|(dx, (&d, &x))| put::<ADD>(dx, by_slope(d, x, s))),
                }
            },
        ),
        Apply::Scale => map::<ADD>(&walk(d, n), [d_output, tensor], d_input, product),
        Apply::Shift => map::<ADD>(&walk(d, n), [d_output, tensor], d_input, first),
    }
}

/// Written so that NaN passes through.
#[inline(always)]
fn sloped(x: f32, slope: f32) -> f32 {
    if x > 0.0 { x } else { x * slope }
}

/// The gradient by `x` of its [`sloped`] value.
#[inline(always)]
fn by_slope(d: f32, x: f32, slope: f32) -> f32 {
    if x > 0.0 { d } else { d * slope }
}

/// The way through two values of the input's shape and the tensor.
fn walk(d: &Trained, n: usize) -> Walk {
    let samples = Operand::of_samples(d.input);
    Walk::new(n, [samples, samples, Operand::shared(d.tensor)])
}

/// The way through one value of the input's shape and the tensor.
fn walk_in_place(d: &Trained, n: usize) -> Walk {
    let tensor = Operand::shared(d.tensor);
    Walk::new(n, [Operand::of_samples(d.input), tensor, tensor])
}

/// Checks lengths of two values of `n` samples, and of the tensor.
fn check(d: &Trained, n: usize, values: [usize; 2], tensor: usize) {
    assert_eq!(values, [n * d.input.len(); 2], "trained: values of {n} samples");
    [d.input, d.tensor].iter().for_each(|map| check_order("trained", map.order, &[Order::Nchw]));
    assert_eq!(tensor, d.tensor.len(), "trained: numbers of the tensor");
}
