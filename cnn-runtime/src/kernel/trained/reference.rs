//! Pointwise layers with a trained tensor by definition, in double precision.

use crate::desc::{Apply, Trained};
use crate::kernel::arith::reference::repeated;

/// Applies the tensor to each element.
pub fn forward(d: &Trained, input: &[f64], tensor: &[f64]) -> Vec<f64> {
    let value = |(i, &x): (usize, &f64)| {
        let t = tensor[repeated(d.input, d.tensor, i % d.input.len())];
        match d.apply {
            Apply::Slope => x.max(0.0) + t * x.min(0.0),
            Apply::Scale => x * t,
            Apply::Shift => x + t,
        }
    };
    input.iter().enumerate().map(value).collect()
}
