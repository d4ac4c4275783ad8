//! Inverted dropout (Srivastava et al. 2014): kept values are scaled while training, so that inference does nothing.
//!
//! The mask is a hash of a key and the element's index: nothing is stored, the backward pass makes it again, and it is
//! the same however the work is split.

use super::pieces::{CHUNK, each, part, put};
use super::wide::wide;
use crate::desc::Write;

/// A key for one layer's mask in one step: layers of one step and steps of one layer differ.
pub const fn key(seed: u64, layer: u64) -> u64 {
    mix(mix(seed) ^ layer.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// The output function of SplitMix64 (Steele, Lea and Flood 2014) one step after `z`.
const fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The mask of one chunk: 32-bit arithmetic only, so that it vectorises.
#[derive(Clone, Copy)]
struct Mask {
    keys: [u32; 2],
    /// Of 24-bit hashes, those below are dropped.
    threshold: i32,
    /// Factor of kept values.
    scale: f32,
}

impl Mask {
    fn new(rate: f32, key: u64, chunk: usize) -> Self {
        let bits = mix(key ^ mix(chunk as u64));
        Mask {
            keys: [bits as u32, (bits >> 32) as u32],
            threshold: (rate * (1 << 24) as f32) as i32,
            scale: if rate < 1.0 { 1.0 / (1.0 - rate) } else { 0.0 },
        }
    }

    /// `x` scaled if element `i` of the chunk is kept, else zero.
    ///
    /// The mixer's constants are those that Wellons found by search (hash-prospector, 2018), with the second key
    /// between its rounds.
    #[inline(always)]
    fn apply(self, i: u32, x: f32) -> f32 {
        let z = i.wrapping_mul(0x9E37_79B9) ^ self.keys[0];
        let z = (z ^ (z >> 16)).wrapping_mul(0x21F0_AAAD).wrapping_add(self.keys[1]);
        let z = (z ^ (z >> 15)).wrapping_mul(0x735A_2D97);
        let z = z ^ (z >> 15);
        if (z >> 8) as i32 >= self.threshold { x * self.scale } else { 0.0 }
    }
}

/// `output = mask(input)`; `rate` is the share of dropped values, in `[0, 1]`.
///
/// # Panics
/// If the lengths differ.
pub fn forward(rate: f32, key: u64, input: &[f32], output: &mut [f32]) {
    assert_eq!(input.len(), output.len(), "dropout: input and output");
    apply::<false>(rate, key, input, output);
}

/// `io = mask(io)`.
pub fn forward_inplace(rate: f32, key: u64, io: &mut [f32]) {
    let len = io.len();
    each(io, CHUNK, len, |chunk, io| {
        let mask = Mask::new(rate, key, chunk);
        wide(
            #[inline(always)]
            || {
                for (i, x) in (0u32..).zip(io) {
                    *x = mask.apply(i, *x);
                }
            },
        );
    });
}

/// The gradient by the input: the forward pass's mask over the gradient by the output.
///
/// # Panics
/// If the lengths differ.
pub fn backward(rate: f32, key: u64, d_output: &[f32], d_input: &mut [f32], write: Write) {
    assert_eq!(d_output.len(), d_input.len(), "dropout: gradients by the output and by the input");
    match write {
        Write::Set => apply::<false>(rate, key, d_output, d_input),
        Write::Add => apply::<true>(rate, key, d_output, d_input),
    }
}

/// Turns the gradient by the output in `d` into the gradient by the input.
pub fn backward_inplace(rate: f32, key: u64, d: &mut [f32]) {
    forward_inplace(rate, key, d);
}

/// Sets or adds the masked source.
fn apply<const ADD: bool>(rate: f32, key: u64, source: &[f32], target: &mut [f32]) {
    each(target, CHUNK, source.len(), |chunk, target| {
        let (mask, source) = (Mask::new(rate, key, chunk), part(source, chunk, CHUNK));
        wide(
            #[inline(always)]
            || {
                for (i, (y, &x)) in (0u32..).zip(target.iter_mut().zip(source)) {
                    put::<ADD>(y, mask.apply(i, x));
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pieces::PARALLEL;
    use crate::testing::{assert_same_bits, same_on_any_threads, set_and_add, uniform};

    /// The mask of so many elements, as factors.
    fn mask(rate: f32, key: u64, len: usize) -> Vec<f32> {
        let mut io = vec![1.0; len];
        forward_inplace(rate, key, &mut io);
        io
    }

    #[test]
    fn keeps_its_rate_and_scale() {
        let len = 200_000;
        for rate in [0.1, 0.5, 0.8f32] {
            let m = mask(rate, key(7, 3), len);
            let dropped = m.iter().filter(|&&v| v == 0.0).count() as f64 / len as f64;
            // Five standard deviations of a share of so many independent draws.
            let bound = 5.0 * (f64::from(rate) * (1.0 - f64::from(rate)) / len as f64).sqrt();
            assert!((dropped - f64::from(rate)).abs() < bound, "rate {rate}: dropped {dropped}");
            assert!(m.iter().all(|&v| v == 0.0 || v == 1.0 / (1.0 - rate)));
        }
        assert!(mask(0.0, 1, 1000).iter().all(|&v| v == 1.0));
        assert!(mask(1.0, 1, 1000).iter().all(|&v| v == 0.0));
    }

    #[test]
    fn masks_of_layers_steps_and_neighbours_are_independent() {
        let len = 100_000;
        let agreement =
            |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len().min(b.len()) as f64;
        let first = mask(0.5, key(1, 0), len);
        for other in [mask(0.5, key(1, 1), len), mask(0.5, key(2, 0), len)] {
            assert!((agreement(&first, &other) - 0.5).abs() < 0.01);
        }
        for shift in [1, 2, 64, CHUNK] {
            assert!((agreement(&first, &first[shift..]) - 0.5).abs() < 0.01, "shift {shift}");
        }
    }

    #[test]
    fn forward_and_backward_use_one_mask() {
        let (x, k) = (uniform(1, 3 * CHUNK + 5), key(4, 2));
        let mut y = vec![f32::NAN; x.len()];
        forward(0.3, k, &x, &mut y);
        let m = mask(0.3, k, x.len());
        let expected: Vec<f32> = x.iter().zip(&m).map(|(x, m)| if *m == 0.0 { 0.0 } else { x * m }).collect();
        assert_same_bits("forward", &y, &expected);
        let d = set_and_add("dropout", x.len(), |d_input, write| backward(0.3, k, &x, d_input, write));
        assert_same_bits("backward", &d, &y);
        let mut d = x.clone();
        backward_inplace(0.3, k, &mut d);
        assert_same_bits("backward in place", &d, &y);
    }

    #[test]
    fn is_the_same_on_any_threads() {
        same_on_any_threads("dropout", || mask(0.5, key(3, 3), PARALLEL + 77));
    }
}
