//! RMSprop.

use super::rule::{Decay, Rule, apply, check, check_below_one, check_not_negative};
use super::{Memory, Optimizer};
use crate::error::Error;
use crate::info::TensorInfo;

/// RMSprop (Hinton, lecture 6e of "Neural Networks for Machine Learning", 2012) with L2 weight decay, by PyTorch's rule:
///
/// ```text
/// g = gradient + weight_decay * w
/// s = alpha * s + (1 - alpha) * g * g
/// v = momentum * v + g / (sqrt(s) + eps)      (without momentum, v = g / (sqrt(s) + eps))
/// w = w - lr * v
/// ```
///
/// Decay applies to every parameter unless [`decay_weights_only`](RmsProp::decay_weights_only) is set. PyTorch's
/// `centered` form is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsProp {
    alpha: f32,
    eps: f32,
    momentum: f32,
    decay: Decay,
    memory: Memory,
}

impl RmsProp {
    /// With an alpha of 0.99 and an epsilon of 1e-8; no momentum, no decay. `lr` is the learning rate, unless a trainer's
    /// [schedule](crate::train::Trainer::schedule) sets it.
    pub fn new(lr: f32) -> Self {
        RmsProp { alpha: 0.99, eps: 1e-8, momentum: 0.0, decay: Decay::NONE, memory: Memory::new(lr) }
    }

    /// The part of the old mean square that a step keeps, from 0 up to but not including 1.
    #[must_use]
    pub fn alpha(mut self, alpha: f32) -> Self {
        self.alpha = alpha;
        self
    }

    /// What keeps the division by small mean squares finite; above 0.
    #[must_use]
    pub fn eps(mut self, eps: f32) -> Self {
        self.eps = eps;
        self
    }

    /// With momentum, from 0 up to but not including 1.
    #[must_use]
    pub fn momentum(mut self, momentum: f32) -> Self {
        self.momentum = momentum;
        self
    }

    /// With L2 weight decay: adds `weight_decay * w` to each gradient.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f32) -> Self {
        self.decay.amount = weight_decay;
        self
    }

    /// Leaves biases and the parameters of normalisations out of the decay.
    #[must_use]
    pub fn decay_weights_only(mut self) -> Self {
        self.decay.all = false;
        self
    }
}

impl Optimizer for RmsProp {
    fn update(&mut self, values: &mut [f32], gradients: &[f32], tensors: &[TensorInfo]) -> Result<(), Error> {
        check_not_negative("learning rate", self.memory.lr)?;
        check_below_one("alpha", self.alpha)?;
        check("epsilon", self.eps, "a finite number above 0", self.eps.is_finite() && self.eps > 0.0)?;
        check_below_one("momentum", self.momentum)?;
        check_not_negative("weight decay", self.decay.amount)?;
        let square = Square { lr: self.memory.lr, alpha: self.alpha, eps: self.eps };
        let (decay, floats) = (self.decay, (values, gradients));
        if self.momentum == 0.0 {
            apply(square, decay, (&mut self.memory, BUFFERS), floats, tensors)
        } else {
            let rule = Roll { square, momentum: self.momentum };
            apply(rule, decay, (&mut self.memory, BUFFERS_OF_MOMENTUM), floats, tensors)
        }
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn buffers(&self) -> Option<&'static [&'static str]> {
        Some(if self.momentum == 0.0 { &BUFFERS } else { &BUFFERS_OF_MOMENTUM })
    }
}

/// What the rule remembers, without momentum and with it.
const BUFFERS: [&str; 1] = ["mean_square"];
const BUFFERS_OF_MOMENTUM: [&str; 2] = ["mean_square", "velocity"];

/// Without momentum.
#[derive(Clone, Copy)]
struct Square {
    lr: f32,
    alpha: f32,
    eps: f32,
}

impl Square {
    /// The gradient over the root of its mean square, which is updated.
    #[inline(always)]
    fn normalised(self, g: f32, s: &mut f32) -> f32 {
        *s = self.alpha * *s + (1.0 - self.alpha) * g * g;
        g / (s.sqrt() + self.eps)
    }
}

impl Rule<1> for Square {
    #[inline(always)]
    fn apply(self, decay: f32, w: &mut [f32], d: &[f32], [s]: [&mut [f32]; 1]) {
        for ((w, d), s) in w.iter_mut().zip(d).zip(s) {
            *w -= self.lr * self.normalised(d + decay * *w, s);
        }
    }
}

/// With momentum.
#[derive(Clone, Copy)]
struct Roll {
    square: Square,
    momentum: f32,
}

impl Rule<2> for Roll {
    #[inline(always)]
    fn apply(self, decay: f32, w: &mut [f32], d: &[f32], [s, v]: [&mut [f32]; 2]) {
        for (((w, d), s), v) in w.iter_mut().zip(d).zip(s).zip(v) {
            *v = self.momentum * *v + self.square.normalised(d + decay * *w, s);
            *w -= self.square.lr * *v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [TensorInfo; 1] = [TensorInfo::alone("w", &[1])];

    #[test]
    fn follows_the_rule_written_out() {
        for momentum in [0.0f32, 0.8] {
            let mut rule = RmsProp::new(0.1).alpha(0.9).momentum(momentum).weight_decay(0.05);
            let (mut w, mut s, mut v, mut got) = (2.0f64, 0.0f64, 0.0f64, [2.0f32]);
            for d in [0.5f64, -1.0, 0.25, 3.0] {
                let g = d + 0.05 * w;
                s = 0.9 * s + 0.1 * g * g;
                v = f64::from(momentum) * v + g / (s.sqrt() + 1e-8);
                w -= 0.1 * v;
                rule.update(&mut got, &[d as f32], &ONE).unwrap();
                assert!((f64::from(got[0]) - w).abs() < 1e-5, "{} against {w}", got[0]);
            }
        }
    }

    #[test]
    fn refuses_settings_outside_their_range() {
        let message = |mut rule: RmsProp| rule.update(&mut [1.0], &[1.0], &ONE).unwrap_err().to_string();
        assert!(message(RmsProp::new(0.1).alpha(-0.1)).starts_with("alpha is -0.1, expected a number from 0"));
        assert!(
            message(RmsProp::new(0.1).eps(f32::NAN)).starts_with("epsilon is NaN, expected a finite number above 0")
        );
    }
}
