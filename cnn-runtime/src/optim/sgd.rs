//! Stochastic gradient descent.

use super::Optimizer;
use crate::buffer::Buffer;
use crate::error::Error;
use crate::info::TensorInfo;
use crate::kernel::pieces::{CHUNK, each, each2, part};
use crate::kernel::wide::wide;

/// Stochastic gradient descent with momentum and L2 weight decay, by PyTorch's rule:
///
/// ```text
/// g = gradient + weight_decay * w
/// v = momentum * v + g            (v = g in the first step)
/// w = w - lr * v
/// ```
///
/// Without momentum, `w = w - lr * g`. Decay applies to every parameter, biases included.
///
/// ```
/// use cnn_runtime::optim::{Optimizer, Sgd};
///
/// let mut sgd = Sgd::new(0.1).momentum(0.9);
/// let mut w = [1.0];
/// sgd.update(&mut w, &[1.0], &[])?;
/// sgd.update(&mut w, &[1.0], &[])?;
/// assert!((w[0] - (1.0 - 0.1 - 0.1 * 1.9)).abs() < 1e-6);
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    rule: Rule,
    velocity: Buffer,
}

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rule {
    lr: f32,
    momentum: f32,
    weight_decay: f32,
}

impl Sgd {
    /// Plain descent: no momentum, no decay.
    pub fn new(lr: f32) -> Self {
        Sgd { rule: Rule { lr, momentum: 0.0, weight_decay: 0.0 }, velocity: Buffer::default() }
    }

    /// With momentum, from 0 up to but not including 1.
    #[must_use]
    pub fn momentum(mut self, momentum: f32) -> Self {
        self.rule.momentum = momentum;
        self
    }

    /// With L2 weight decay: adds `weight_decay * w` to each gradient.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f32) -> Self {
        self.rule.weight_decay = weight_decay;
        self
    }

    /// The buffer of velocities, for `len` parameters: made in the first step, then kept. Zeros, so that the first step
    /// sets `v = g`.
    fn velocity(&mut self, len: usize) -> Result<&mut [f32], Error> {
        if self.velocity.is_empty() {
            self.velocity = Buffer::zeroed(len);
        }
        match self.velocity.len() {
            found if found == len => Ok(&mut self.velocity),
            kept => Err(mismatch("parameters of an optimiser in use", kept, len)),
        }
    }
}

impl Optimizer for Sgd {
    fn update(&mut self, values: &mut [f32], gradients: &[f32], _: &'static [TensorInfo]) -> Result<(), Error> {
        self.rule.check()?;
        if gradients.len() != values.len() {
            return Err(mismatch("number of gradients", values.len(), gradients.len()));
        }
        let rule = self.rule;
        let len = values.len();
        // A parameter costs the reading and writing of several floats.
        let work = 2 * len;
        if rule.momentum == 0.0 {
            each(values, CHUNK, work, |i, w| {
                let d = part(gradients, i, CHUNK);
                wide(
                    #[inline(always)]
                    || rule.fall(w, d),
                );
            });
        } else {
            each2((values, CHUNK), (self.velocity(len)?, CHUNK), work, |i, w, v| {
                let d = part(gradients, i, CHUNK);
                wide(
                    #[inline(always)]
                    || rule.roll(w, d, v),
                );
            });
        }
        Ok(())
    }

    fn lr(&self) -> f32 {
        self.rule.lr
    }

    fn set_lr(&mut self, lr: f32) {
        self.rule.lr = lr;
    }
}

impl Rule {
    /// Refuses settings the rule has no meaning for.
    fn check(&self) -> Result<(), Error> {
        let not_negative = |value: f32| value.is_finite() && value >= 0.0;
        let settings = [
            ("learning rate", self.lr, "a finite number of at least 0", not_negative(self.lr)),
            (
                "momentum",
                self.momentum,
                "a number from 0 up to but not including 1",
                (0.0..1.0).contains(&self.momentum),
            ),
            ("weight decay", self.weight_decay, "a finite number of at least 0", not_negative(self.weight_decay)),
        ];
        match settings.into_iter().find(|&(.., sound)| !sound) {
            Some((option, found, expected, _)) => {
                Err(Error::InvalidOption { option, expected, found: found.to_string() })
            }
            None => Ok(()),
        }
    }

    /// One step without momentum.
    #[inline(always)]
    fn fall(self, w: &mut [f32], d: &[f32]) {
        for (w, d) in w.iter_mut().zip(d) {
            *w -= self.lr * (d + self.weight_decay * *w);
        }
    }

    /// One step with momentum.
    #[inline(always)]
    fn roll(self, w: &mut [f32], d: &[f32], v: &mut [f32]) {
        for ((w, d), v) in w.iter_mut().zip(d).zip(v) {
            *v = self.momentum * *v + (d + self.weight_decay * *w);
            *w -= self.lr * *v;
        }
    }
}

fn mismatch(what: &'static str, expected: usize, found: usize) -> Error {
    Error::DataMismatch { what, expected: expected.to_string(), found: found.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pieces::PARALLEL;

    #[test]
    fn follows_the_rule_written_out() {
        let mut sgd = Sgd::new(0.1).momentum(0.9).weight_decay(0.01);
        let (mut w, mut v, mut got) = (2.0f32, 0.0f32, [2.0f32]);
        for (step, d) in [0.5f32, -1.0, 0.25].into_iter().enumerate() {
            let g = d + 0.01 * w;
            v = if step == 0 { g } else { 0.9 * v + g };
            w -= 0.1 * v;
            sgd.update(&mut got, &[d], &[]).unwrap();
            assert!((got[0] - w).abs() < 1e-6, "step {step}: {} against {w}", got[0]);
        }
    }

    #[test]
    fn without_momentum_there_is_no_memory() {
        let mut sgd = Sgd::new(0.5).weight_decay(0.1);
        let mut w = [1.0, -2.0];
        sgd.update(&mut w, &[1.0, 0.0], &[]).unwrap();
        assert_eq!(w, [1.0 - 0.5 * 1.1, -2.0 + 0.5 * 0.2]);
        assert_eq!(sgd.velocity.len(), 0);
    }

    #[test]
    fn threads_do_not_change_the_result() {
        let len = PARALLEL + CHUNK / 3;
        let gradients: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin()).collect();
        let run = |threads| {
            let mut sgd = Sgd::new(0.01).momentum(0.9).weight_decay(5e-4);
            let mut values = vec![0.5; len];
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (0..3).for_each(|_| sgd.update(&mut values, &gradients, &[]).unwrap()));
            values
        };
        let one = run(1);
        assert_eq!(one, run(3));
        assert!(one.iter().skip(1).all(|&w| w != 0.5));
    }

    #[test]
    fn refuses_settings_outside_their_range() {
        let message = |mut sgd: Sgd| sgd.update(&mut [1.0], &[1.0], &[]).unwrap_err().to_string();
        assert_eq!(message(Sgd::new(-0.1)), "learning rate is -0.1, expected a finite number of at least 0");
        assert_eq!(message(Sgd::new(f32::NAN)), "learning rate is NaN, expected a finite number of at least 0");
        assert!(message(Sgd::new(0.1).momentum(1.0)).starts_with("momentum is 1, expected a number from 0"));
        assert!(message(Sgd::new(0.1).weight_decay(-1.0)).starts_with("weight decay is -1"));
    }

    #[test]
    fn refuses_to_change_networks() {
        let mut sgd = Sgd::new(0.1).momentum(0.9);
        sgd.update(&mut [1.0; 3], &[1.0; 3], &[]).unwrap();
        let error = sgd.update(&mut [1.0; 4], &[1.0; 4], &[]).unwrap_err();
        assert_eq!(error.to_string(), "parameters of an optimiser in use: expected 3, found 4");
        assert!(sgd.update(&mut [1.0; 3], &[1.0; 2], &[]).is_err());
    }
}
