//! Stochastic gradient descent.

use super::rule::{Decay, Rule, apply, check, check_below_one, check_not_negative};
use super::{Memory, Optimizer};
use crate::error::Error;
use crate::info::TensorInfo;

/// Stochastic gradient descent with momentum and L2 weight decay, by PyTorch's rule:
///
/// ```text
/// g = gradient + weight_decay * w
/// v = momentum * v + g            (v = g in the first step)
/// w = w - lr * v                  (Nesterov: w - lr * (g + momentum * v))
/// ```
///
/// Without momentum, `w = w - lr * g`. Decay applies to every parameter, biases included, unless
/// [`decay_weights_only`](Sgd::decay_weights_only) is set.
///
/// ```
/// use cnn_runtime::info::TensorInfo;
/// use cnn_runtime::optim::{Optimizer, Sgd};
///
/// let mut sgd = Sgd::new(0.1).momentum(0.9);
/// let (mut w, tensors) = ([1.0], [TensorInfo::alone("w", &[1])]);
/// sgd.update(&mut w, &[1.0], &tensors)?;
/// sgd.update(&mut w, &[1.0], &tensors)?;
/// assert!((w[0] - (1.0 - 0.1 - 0.1 * 1.9)).abs() < 1e-6);
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    momentum: f32,
    nesterov: bool,
    decay: Decay,
    memory: Memory,
}

impl Sgd {
    /// Plain descent: no momentum, no decay. `lr` is the learning rate, unless a trainer's
    /// [schedule](crate::train::Trainer::schedule) sets it.
    pub fn new(lr: f32) -> Self {
        Sgd { momentum: 0.0, nesterov: false, decay: Decay::NONE, memory: Memory::new(lr) }
    }

    /// With momentum, from 0 up to but not including 1.
    #[must_use]
    pub fn momentum(mut self, momentum: f32) -> Self {
        self.momentum = momentum;
        self
    }

    /// With Nesterov's momentum (Sutskever et al. 2013): looks ahead by the step that momentum is about to make.
    #[must_use]
    pub fn nesterov(mut self) -> Self {
        self.nesterov = true;
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

    /// Refuses settings the rule has no meaning for.
    fn check(&self) -> Result<(), Error> {
        check_not_negative("learning rate", self.memory.lr)?;
        check_below_one("momentum", self.momentum)?;
        check_not_negative("weight decay", self.decay.amount)?;
        let sound = !self.nesterov || self.momentum > 0.0;
        check("momentum", self.momentum, "a number above 0, as Nesterov's rule needs", sound)
    }
}

impl Optimizer for Sgd {
    fn update(&mut self, values: &mut [f32], gradients: &[f32], tensors: &[TensorInfo]) -> Result<(), Error> {
        self.check()?;
        let (lr, momentum, decay, memory) = (self.memory.lr, self.momentum, self.decay, &mut self.memory);
        let floats = (values, gradients);
        match (momentum == 0.0, self.nesterov) {
            (true, _) => apply(Fall { lr }, decay, (memory, []), floats, tensors),
            (_, false) => apply(Roll::<false> { lr, momentum }, decay, (memory, BUFFERS), floats, tensors),
            (_, true) => apply(Roll::<true> { lr, momentum }, decay, (memory, BUFFERS), floats, tensors),
        }
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn buffers(&self) -> Option<&'static [&'static str]> {
        Some(if self.momentum == 0.0 { &[] } else { &BUFFERS })
    }
}

/// What momentum remembers.
const BUFFERS: [&str; 1] = ["velocity"];

/// Without momentum.
#[derive(Clone, Copy)]
struct Fall {
    lr: f32,
}

impl Rule<0> for Fall {
    #[inline(always)]
    fn apply(self, decay: f32, w: &mut [f32], d: &[f32], []: [&mut [f32]; 0]) {
        for (w, d) in w.iter_mut().zip(d) {
            *w -= self.lr * (d + decay * *w);
        }
    }
}

/// With momentum.
#[derive(Clone, Copy)]
struct Roll<const NESTEROV: bool> {
    lr: f32,
    momentum: f32,
}

impl<const NESTEROV: bool> Rule<1> for Roll<NESTEROV> {
    #[inline(always)]
    fn apply(self, decay: f32, w: &mut [f32], d: &[f32], [v]: [&mut [f32]; 1]) {
        for ((w, d), v) in w.iter_mut().zip(d).zip(v) {
            let g = d + decay * *w;
            *v = self.momentum * *v + g;
            *w -= self.lr * if NESTEROV { g + self.momentum * *v } else { *v };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pieces::{CHUNK, PARALLEL};

    const ONE: [TensorInfo; 1] = [TensorInfo::alone("w", &[1])];
    const THREE: [TensorInfo; 1] = [TensorInfo::alone("w", &[3])];

    #[test]
    fn follows_the_rule_written_out() {
        for nesterov in [false, true] {
            let mut sgd = Sgd { nesterov, ..Sgd::new(0.1).momentum(0.9).weight_decay(0.01) };
            let (mut w, mut v, mut got) = (2.0f32, 0.0f32, [2.0f32]);
            for (step, d) in [0.5f32, -1.0, 0.25].into_iter().enumerate() {
                let g = d + 0.01 * w;
                v = if step == 0 { g } else { 0.9 * v + g };
                w -= 0.1 * if nesterov { g + 0.9 * v } else { v };
                sgd.update(&mut got, &[d], &ONE).unwrap();
                assert!((got[0] - w).abs() < 1e-6, "step {step}: {} against {w}", got[0]);
            }
        }
    }

    #[test]
    fn without_momentum_there_is_no_memory() {
        let mut sgd = Sgd::new(0.5).weight_decay(0.1);
        let mut w = [1.0, -2.0, 0.0];
        sgd.update(&mut w, &[1.0, 0.0, 0.0], &THREE).unwrap();
        assert_eq!(w, [1.0 - 0.5 * 1.1, -2.0 + 0.5 * 0.2, 0.0]);
        assert_eq!((sgd.memory().buffers().count(), sgd.memory().steps), (0, 1));
    }

    #[test]
    fn threads_do_not_change_the_result() {
        const LEN: usize = PARALLEL + CHUNK / 3;
        let tensors = [TensorInfo::alone("w", &[LEN])];
        let gradients: Vec<f32> = (0..LEN).map(|i| (i as f32 * 0.37).sin()).collect();
        let run = |threads| {
            let mut sgd = Sgd::new(0.01).momentum(0.9).weight_decay(5e-4);
            let mut values = vec![0.5; LEN];
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (0..3).for_each(|_| sgd.update(&mut values, &gradients, &tensors).unwrap()));
            values
        };
        let one = run(1);
        assert_eq!(one, run(3));
        assert!(one.iter().skip(1).all(|&w| w != 0.5));
    }

    #[test]
    fn refuses_settings_outside_their_range() {
        let message = |mut sgd: Sgd| sgd.update(&mut [1.0], &[1.0], &ONE).unwrap_err().to_string();
        assert_eq!(message(Sgd::new(-0.1)), "learning rate is -0.1, expected a finite number of at least 0");
        assert_eq!(message(Sgd::new(f32::NAN)), "learning rate is NaN, expected a finite number of at least 0");
        assert!(message(Sgd::new(0.1).momentum(1.0)).starts_with("momentum is 1, expected a number from 0"));
        assert!(message(Sgd::new(0.1).weight_decay(-1.0)).starts_with("weight decay is -1"));
        assert!(message(Sgd::new(0.1).nesterov()).starts_with("momentum is 0, expected a number above 0"));
    }

    #[test]
    fn refuses_to_change_networks() {
        let mut sgd = Sgd::new(0.1).momentum(0.9);
        sgd.update(&mut [1.0; 3], &[1.0; 3], &THREE).unwrap();
        let error = sgd.update(&mut [1.0; 4], &[1.0; 4], &THREE).unwrap_err();
        assert_eq!(error.to_string(), "parameters of an optimiser in use: expected 3, found 4");
        assert!(sgd.update(&mut [1.0; 3], &[1.0; 2], &THREE).is_err());
    }
}
