//! Softmax by definition, in double precision.

use crate::desc::Softmax;

/// Softmax over the channels of each position of `n` samples, or its logarithm.
pub fn forward(d: &Softmax, n: usize, input: &[f64]) -> Vec<f64> {
    let (channels, plane) = (d.map.c, d.map.plane());
    let mut output = vec![0.0; input.len()];
    for (n, position) in (0..n).flat_map(|n| (0..plane).map(move |position| (n, position))) {
        let at = |c: usize| (n * channels + c) * plane + position;
        let max = (0..channels).map(|c| input[at(c)]).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = (0..channels).map(|c| (input[at(c)] - max).exp()).sum();
        for c in 0..channels {
            let log = input[at(c)] - max - sum.ln();
            output[at(c)] = if d.log { log } else { log.exp() };
        }
    }
    output
}
