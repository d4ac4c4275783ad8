//! Initial weights.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};
use rayon::prelude::*;

use crate::info::{Role, TensorInfo};
use crate::random;

/// How weights start. Biases and shifts start at 0, scales at 1 and slopes at 0.25, except that [`Init::PyTorch`] draws biases too.
///
/// `fan_in` is the number of values that feed one output, `fan_out` the number of outputs that one input feeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Init {
    /// Normal with variance `2 / fan_in`: keeps the variance through layers with ReLU (He et al. 2015, "Delving Deep
    /// into Rectifiers").
    #[default]
    HeNormal,
    /// Uniform with the same variance: `±sqrt(6 / fan_in)`.
    HeUniform,
    /// Normal with variance `2 / (fan_in + fan_out)`: keeps the variance of values and gradients through layers with
    /// tanh (Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks").
    GlorotNormal,
    /// Uniform with the same variance: `±sqrt(6 / (fan_in + fan_out))`.
    GlorotUniform,
    /// What PyTorch's layers do unasked: weights and biases uniform in `±1 / sqrt(fan_in)`. Transposed convolutions are the
    /// exception: PyTorch draws them by `fan_out`, which it takes for theirs.
    PyTorch,
}

/// A distribution around zero.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Draw {
    Constant(f32),
    Normal { std: f32 },
    Uniform { bound: f32 },
}

/// Floats that one random stream fills. Fixed, so that the values do not depend on the number of threads.
const CHUNK: usize = 1 << 16;

/// Chunks of a part: enough for all threads.
const PART: usize = 32;

impl Init {
    fn draw(self, tensor: &TensorInfo) -> Draw {
        let fan_in = tensor.fan_in.max(1) as f32;
        let fans = fan_in + tensor.fan_out.max(1) as f32;
        match (tensor.role, self) {
            (Role::Weight, Init::HeNormal) => Draw::Normal { std: (2.0 / fan_in).sqrt() },
            (Role::Weight, Init::HeUniform) => Draw::Uniform { bound: (6.0 / fan_in).sqrt() },
            (Role::Weight, Init::GlorotNormal) => Draw::Normal { std: (2.0 / fans).sqrt() },
            (Role::Weight, Init::GlorotUniform) => Draw::Uniform { bound: (6.0 / fans).sqrt() },
            (Role::Weight | Role::Bias, Init::PyTorch) => Draw::Uniform { bound: fan_in.sqrt().recip() },
            (Role::Bias | Role::Shift | Role::RunningMean, _) => Draw::Constant(0.0),
            (Role::Scale | Role::RunningVar, _) => Draw::Constant(1.0),
            // As He et al. 2015 start them, and PyTorch.
            (Role::Slope, _) => Draw::Constant(0.25),
        }
    }

    /// Fills one tensor. The values depend on the seed and the tensor's name and shape, on nothing else.
    pub(crate) fn fill(self, tensor: &TensorInfo, seed: u64, values: &mut [f32]) {
        self.fill_from(0, tensor, seed, values);
    }

    /// As [`fill`](Init::fill), a part after the other, so that no second tensor stands in memory: `part(at, values)` is
    /// given what the tensor has from its float `at` on.
    pub(crate) fn in_parts(self, tensor: &TensorInfo, seed: u64, mut part: impl FnMut(usize, &[f32])) {
        let len = tensor.len();
        let mut values = vec![0.0; len.min(PART * CHUNK)];
        for first in (0..len.div_ceil(CHUNK)).step_by(PART) {
            let at = first * CHUNK;
            let values = &mut values[..(len - at).min(PART * CHUNK)];
            self.fill_from(first, tensor, seed, values);
            part(at, values);
        }
    }

    /// Fills what a tensor has from its chunk `first` on.
    fn fill_from(self, first: usize, tensor: &TensorInfo, seed: u64, values: &mut [f32]) {
        let draw = self.draw(tensor);
        let fill_chunk = |(chunk, values): (usize, &mut [f32])| {
            let mut rng = random::stream(seed, tensor.name, 0, (first + chunk) as u64);
            draw.fill(&mut rng, values);
        };
        values.par_chunks_mut(CHUNK).enumerate().for_each(fill_chunk);
    }
}

impl Draw {
    fn fill(self, rng: &mut ChaCha8Rng, values: &mut [f32]) {
        match self {
            Draw::Constant(constant) => values.fill(constant),
            Draw::Normal { std } => {
                values.fill_with(|| std * Distribution::<f32>::sample(&StandardNormal, rng));
            }
            Draw::Uniform { bound } => {
                let unit = Uniform::new_inclusive(-1.0f32, 1.0).expect("-1 lies below 1");
                values.fill_with(|| bound * unit.sample(rng));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;

    fn tensor(role: Role) -> TensorInfo {
        TensorInfo {
            name: "fc.weight",
            shape: &[300, 1000],
            offset: 0,
            fan_in: 1000,
            fan_out: 300,
            role,
            layout: Layout::Plain,
        }
    }

    fn filled(init: Init, role: Role, seed: u64) -> Vec<f32> {
        let mut values = vec![f32::NAN; 300_000];
        init.fill(&tensor(role), seed, &mut values);
        values
    }

    #[test]
    fn parts_are_the_whole() {
        let shape = &[3, (PART + 2) * CHUNK / 3];
        let tensor = TensorInfo { shape, ..tensor(Role::Weight) };
        let (mut whole, mut parts) = (vec![f32::NAN; tensor.len()], vec![f32::NAN; tensor.len()]);
        Init::HeNormal.fill(&tensor, 7, &mut whole);
        let mut count = 0;
        Init::HeNormal.in_parts(&tensor, 7, |at, values| {
            parts[at..at + values.len()].copy_from_slice(values);
            count += 1;
        });
        assert_eq!((parts, count), (whole, 2));
    }

    fn mean_and_variance(values: &[f32]) -> (f64, f64) {
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance)
    }

    #[test]
    fn variances_are_the_papers() {
        let cases = [
            (Init::HeNormal, 2.0 / 1000.0),
            (Init::HeUniform, 2.0 / 1000.0),
            (Init::GlorotNormal, 2.0 / 1300.0),
            (Init::GlorotUniform, 2.0 / 1300.0),
            (Init::PyTorch, 1.0 / 3000.0),
        ];
        for (init, expected) in cases {
            let (mean, variance) = mean_and_variance(&filled(init, Role::Weight, 1));
            assert!((variance / expected - 1.0).abs() < 0.01, "{init:?}: variance {variance}, expected {expected}");
            assert!(mean.abs() < 4.0 * (expected / 300_000.0).sqrt(), "{init:?}: mean {mean}");
        }
    }

    #[test]
    fn uniform_draws_stay_inside_their_bound() {
        let bound = (6.0f32 / 1000.0).sqrt();
        let values = filled(Init::HeUniform, Role::Weight, 2);
        let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(largest <= bound && largest > 0.999 * bound, "{largest} against {bound}");
    }

    #[test]
    fn other_roles_start_neutral() {
        assert!(filled(Init::HeNormal, Role::Bias, 0).iter().all(|&v| v == 0.0));
        assert!(filled(Init::PyTorch, Role::Bias, 0).iter().any(|&v| v != 0.0));
        assert!(filled(Init::PyTorch, Role::Scale, 0).iter().all(|&v| v == 1.0));
        assert!(filled(Init::HeNormal, Role::Shift, 0).iter().all(|&v| v == 0.0));
        assert!(filled(Init::PyTorch, Role::Slope, 0).iter().all(|&v| v == 0.25));
        assert!(filled(Init::HeNormal, Role::RunningMean, 0).iter().all(|&v| v == 0.0));
        assert!(filled(Init::HeNormal, Role::RunningVar, 0).iter().all(|&v| v == 1.0));
    }

    #[test]
    fn the_seed_decides_and_threads_do_not() {
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let a = one.install(|| filled(Init::HeNormal, Role::Weight, 5));
        let b = three.install(|| filled(Init::HeNormal, Role::Weight, 5));
        assert_eq!(a, b);
        assert_ne!(a, filled(Init::HeNormal, Role::Weight, 6));
        assert_ne!(a[..CHUNK], a[CHUNK..2 * CHUNK]);
    }
}
