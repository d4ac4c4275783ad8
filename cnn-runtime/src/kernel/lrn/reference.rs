//! Local response normalisation by definition, in double precision.

use crate::desc::Lrn;

/// Normalises `n` samples.
pub fn forward(d: &Lrn, n: usize, input: &[f64]) -> Vec<f64> {
    let (channels, plane) = (d.map.c, d.map.plane());
    let mut output = Vec::new();
    for (n, c) in (0..n).flat_map(|n| (0..channels).map(move |c| (n, c))) {
        let window = c.saturating_sub(d.size / 2)..channels.min(c + (d.size - 1) / 2 + 1);
        for position in 0..plane {
            let at = |c: usize| input[(n * channels + c) * plane + position];
            let squares: f64 = window.clone().map(|j| at(j) * at(j)).sum();
            let scale = f64::from(d.k) + f64::from(d.alpha) / d.size as f64 * squares;
            output.push(at(c) / scale.powf(f64::from(d.beta)));
        }
    }
    output
}
