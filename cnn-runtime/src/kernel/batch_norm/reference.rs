//! Batch normalisation by definition, in double precision.

use crate::desc::BatchNorm;

/// Mean and biased variance of each channel of `n` samples.
pub fn statistics(d: &BatchNorm, n: usize, input: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let values = |c: usize| {
        let planes = (0..n).map(move |n| &input[(n * d.channels + c) * d.plane..][..d.plane]);
        planes.flatten().copied()
    };
    let count = (n * d.plane) as f64;
    let mean: Vec<f64> = (0..d.channels).map(|c| values(c).sum::<f64>() / count).collect();
    let var = (0..d.channels).map(|c| values(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / count).collect();
    (mean, var)
}

/// Normalises with the given statistics.
pub fn forward(d: &BatchNorm, input: &[f64], scale: &[f64], shift: &[f64], mean: &[f64], var: &[f64]) -> Vec<f64> {
    let channel = |i: usize| i / d.plane % d.channels;
    let normal = |(i, x): (usize, &f64)| {
        let c = channel(i);
        (x - mean[c]) / (var[c] + f64::from(d.eps)).sqrt() * scale[c] + shift[c]
    };
    input.iter().enumerate().map(normal).collect()
}

/// Normalises with the batch's own statistics.
pub fn forward_train(d: &BatchNorm, n: usize, input: &[f64], scale: &[f64], shift: &[f64]) -> Vec<f64> {
    let (mean, var) = statistics(d, n, input);
    forward(d, input, scale, shift, &mean, &var)
}
