//! Joins by definition, in double precision.

use crate::desc::{Arith, Join, Map};

/// `a * b`, `a - b` or `a / b` for each element of `n` samples.
pub fn forward(d: &Join, n: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    let pairs = (0..n * d.output().len()).map(|i| (a[source(d, 0, i)], b[source(d, 1, i)]));
    let value = |(a, b): (f64, f64)| match d.arith {
        Arith::Mul => a * b,
        Arith::Sub => a - b,
        Arith::Div => a / b,
    };
    pairs.map(value).collect()
}

/// Where in an input the element stands that output `i` is made of.
fn source(d: &Join, input: usize, i: usize) -> usize {
    repeated(d.output(), d.inputs[input], i)
}

/// Where in a value of samples `from` the element stands that is repeated at `i` in one of samples `to`.
pub(crate) fn repeated(to: Map, from: Map, i: usize) -> usize {
    let (sample, c, h, w) = (i / to.len(), i / to.plane() % to.c, i / to.w % to.h, i % to.w);
    let at = |place: usize, len: usize| if len == 1 { 0 } else { place };
    sample * from.len() + (at(c, from.c) * from.h + at(h, from.h)) * from.w + at(w, from.w)
}
