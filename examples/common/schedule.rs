//! Learning rates over a run.

use cnn_runtime::train::Position;

/// `lr` at the first step, falling along half a cosine to zero after the last (Loshchilov and Hutter 2017, without
/// restarts).
pub fn cosine(lr: f32) -> impl FnMut(Position) -> f32 + Send + 'static {
    move |at| lr * 0.5 * (1.0 + (std::f32::consts::PI * at.step as f32 / at.steps as f32).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_from_all_over_half_to_nothing() {
        let mut rate = cosine(0.2);
        let mut at = |step| rate(Position { epoch: 0, epochs: 1, step, steps: 100 });
        assert_eq!(at(0), 0.2);
        assert!((at(50) - 0.1).abs() < 1e-6);
        assert!(at(99) > 0.0 && at(99) < 1e-4);
    }
}
