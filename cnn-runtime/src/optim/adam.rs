//! Adam, and Adam with its weight decay decoupled.

use super::rule::{Decay, Rule, apply, check, check_below_one, check_not_negative};
use super::{Memory, Optimizer};
use crate::error::Error;
use crate::info::TensorInfo;

/// Adam (Kingma and Ba 2015, algorithm 1) with L2 weight decay, by PyTorch's rule:
///
/// ```text
/// g = gradient + weight_decay * w
/// m = beta1 * m + (1 - beta1) * g
/// s = beta2 * s + (1 - beta2) * g * g
/// w = w - lr * (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + eps)       in step t = 1, 2, ..
/// ```
///
/// Decay applies to every parameter unless [`decay_weights_only`](Adam::decay_weights_only) is set. [`AdamW`] decays in
/// the better way.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam(Moments);

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), by PyTorch's rule: as [`Adam`] without
/// decay, after `w = w - lr * weight_decay * w`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW(Moments);

/// What both remember.
const BUFFERS: [&str; 2] = ["mean", "mean_square"];

/// What both have.
#[derive(Clone, Debug, PartialEq)]
struct Moments {
    betas: (f32, f32),
    eps: f32,
    decay: Decay,
    memory: Memory,
}

macro_rules! settings {
    ($name:ident, $decoupled:literal, $default:expr) => {
        impl $name {
            /// With betas of 0.9 and 0.999 and an epsilon of 1e-8;
            #[doc = concat!("a weight decay of ", stringify!($default), ", as PyTorch has it.")]
            /// `lr` is the learning rate, unless a trainer's [schedule](crate::train::Trainer::schedule) sets it.
            pub fn new(lr: f32) -> Self {
                let decay = Decay { amount: $default, all: true };
                $name(Moments { betas: (0.9, 0.999), eps: 1e-8, decay, memory: Memory::new(lr) })
            }

            /// The parts of the old mean and of the old mean square that a step keeps, both from 0 up to but not
            /// including 1.
            #[must_use]
            pub fn betas(mut self, beta1: f32, beta2: f32) -> Self {
                self.0.betas = (beta1, beta2);
                self
            }

            /// What keeps the division by small mean squares finite; above 0.
            #[must_use]
            pub fn eps(mut self, eps: f32) -> Self {
                self.0.eps = eps;
                self
            }

            /// With weight decay.
            #[must_use]
            pub fn weight_decay(mut self, weight_decay: f32) -> Self {
                self.0.decay.amount = weight_decay;
                self
            }

            /// Leaves biases and the parameters of normalisations out of the decay.
            #[must_use]
            pub fn decay_weights_only(mut self) -> Self {
                self.0.decay.all = false;
                self
            }
        }

        impl Optimizer for $name {
            fn update(&mut self, values: &mut [f32], gradients: &[f32], tensors: &[TensorInfo]) -> Result<(), Error> {
                self.0.update::<$decoupled>(values, gradients, tensors)
            }

            fn memory(&self) -> &Memory {
                &self.0.memory
            }

            fn memory_mut(&mut self) -> &mut Memory {
                &mut self.0.memory
            }

            fn buffers(&self) -> Option<&'static [&'static str]> {
                Some(&BUFFERS)
            }
        }
    };
}

settings!(Adam, false, 0.0);
settings!(AdamW, true, 0.01);

impl Moments {
    fn update<const DECOUPLED: bool>(
        &mut self,
        values: &mut [f32],
        gradients: &[f32],
        tensors: &[TensorInfo],
    ) -> Result<(), Error> {
        check_not_negative("learning rate", self.memory.lr)?;
        check_below_one("beta1", self.betas.0)?;
        check_below_one("beta2", self.betas.1)?;
        check("epsilon", self.eps, "a finite number above 0", self.eps.is_finite() && self.eps > 0.0)?;
        check_not_negative("weight decay", self.decay.amount)?;

        let (beta1, beta2) = self.betas;
        // Powers in 64 bits: in 32, those of 0.999 drift by 1e-4 over some thousand steps.
        let step = (self.memory.steps + 1) as f64;
        let [rest1, rest2] = [beta1, beta2].map(|beta| 1.0 - f64::from(beta).powf(step));
        let rule = Step::<DECOUPLED> {
            lr: self.memory.lr,
            beta1,
            beta2,
            eps: self.eps,
            rate: (f64::from(self.memory.lr) / rest1) as f32,
            root: rest2.sqrt() as f32,
        };
        apply(rule, self.decay, (&mut self.memory, BUFFERS), (values, gradients), tensors)
    }
}

/// The rule of one step.
#[derive(Clone, Copy)]
struct Step<const DECOUPLED: bool> {
    lr: f32,
    beta1: f32,
    beta2: f32,
    eps: f32,
    /// The learning rate over `1 - beta1^t`.
    rate: f32,
    /// The square root of `1 - beta2^t`.
    root: f32,
}

impl<const DECOUPLED: bool> Rule<2> for Step<DECOUPLED> {
    #[inline(always)]
    fn apply(self, decay: f32, w: &mut [f32], d: &[f32], [m, s]: [&mut [f32]; 2]) {
        for (((w, d), m), s) in w.iter_mut().zip(d).zip(m).zip(s) {
            let g = if DECOUPLED { *d } else { d + decay * *w };
            *m += (1.0 - self.beta1) * (g - *m);
            *s = self.beta2 * *s + (1.0 - self.beta2) * g * g;
            let kept = if DECOUPLED { *w * (1.0 - self.lr * decay) } else { *w };
            *w = kept - self.rate * *m / (s.sqrt() / self.root + self.eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [TensorInfo; 1] = [TensorInfo::alone("w", &[1])];

    /// Both rules as their papers write them, in 64 bits.
    fn written_out(decoupled: bool, decay: f64, gradients: &[f64]) -> f64 {
        let (mut w, mut m, mut s) = (2.0, 0.0, 0.0);
        for (step, d) in (1..).zip(gradients) {
            let g = if decoupled { *d } else { d + decay * w };
            m = 0.9 * m + 0.1 * g;
            s = 0.999 * s + 0.001 * g * g;
            let (mean, square): (f64, f64) = (m / (1.0 - 0.9f64.powi(step)), s / (1.0 - 0.999f64.powi(step)));
            w -= if decoupled { 0.1 * decay * w } else { 0.0 } + 0.1 * mean / (square.sqrt() + 1e-8);
        }
        w
    }

    fn after(mut optimizer: impl Optimizer, gradients: &[f64]) -> f64 {
        let mut w = [2.0];
        gradients.iter().for_each(|&d| optimizer.update(&mut w, &[d as f32], &ONE).unwrap());
        f64::from(w[0])
    }

    #[test]
    fn both_follow_their_papers() {
        let gradients = [0.5, -1.0, 0.25, 3.0, 0.0];
        let (adam, adam_w) = (Adam::new(0.1).weight_decay(0.05), AdamW::new(0.1).weight_decay(0.05));
        assert!((after(adam, &gradients) - written_out(false, 0.05, &gradients)).abs() < 1e-5);
        assert!((after(adam_w, &gradients) - written_out(true, 0.05, &gradients)).abs() < 1e-5);
        assert_eq!(AdamW::new(0.1), AdamW::new(0.1).weight_decay(0.01));
    }

    #[test]
    fn biases_may_stay_as_large_as_they_are() {
        let mut bias = ONE;
        bias[0].role = crate::info::Role::Bias;
        let mut w = [2.0];
        AdamW::new(0.1).decay_weights_only().update(&mut w, &[0.0], &bias).unwrap();
        assert_eq!(w, [2.0]);
        AdamW::new(0.1).update(&mut w, &[0.0], &bias).unwrap();
        assert!(w[0] < 2.0);
    }

    #[test]
    fn refuses_settings_outside_their_range() {
        let message = |mut adam: Adam| adam.update(&mut [1.0], &[1.0], &ONE).unwrap_err().to_string();
        assert!(message(Adam::new(0.1).betas(1.0, 0.9)).starts_with("beta1 is 1, expected a number from 0"));
        assert!(message(Adam::new(0.1).eps(0.0)).starts_with("epsilon is 0, expected a finite number above 0"));
    }
}
