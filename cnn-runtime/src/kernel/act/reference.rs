//! The activation functions by definition, in double precision.

use crate::desc::Act;

/// `a(x)` for each element.
pub fn forward(a: Act, input: &[f64]) -> Vec<f64> {
    input.iter().map(|&x| value(a, x)).collect()
}

/// `a(x)`.
pub fn value(a: Act, x: f64) -> f64 {
    match a {
        Act::Relu => x.max(0.0),
        Act::LeakyRelu(slope) => {
            if x > 0.0 {
                x
            } else {
                f64::from(slope) * x
            }
        }
        Act::Relu6 => x.clamp(0.0, 6.0),
        Act::Elu(alpha) => {
            if x > 0.0 {
                x
            } else {
                f64::from(alpha) * x.exp_m1()
            }
        }
        Act::Gelu => x * normal_cdf(x),
        Act::Silu => x / (1.0 + (-x).exp()),
        Act::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Act::Tanh => x.tanh(),
        Act::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Act::Selu { alpha, gamma } => {
            let below = f64::from(alpha) * x.exp_m1();
            f64::from(gamma) * if x > 0.0 { x } else { below }
        }
        Act::Clip { lo, hi } => x.max(f64::from(lo)).min(f64::from(hi)),
        Act::HardSigmoid { alpha, beta } => (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0),
        Act::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
        Act::Affine { mul, add } => f64::from(mul) * x + f64::from(add),
        Act::Reciprocal => 1.0 / x,
    }
}

/// The distribution function of the standard normal distribution by the series of Marsaglia (2004), "Evaluating the
/// Normal Distribution"; absolute error below 1e-15 for `|x| < 7`.
pub fn normal_cdf(x: f64) -> f64 {
    let (mut sum, mut term, mut i) = (x, x, 1.0);
    while term.abs() > 1e-18 {
        i += 2.0;
        term *= x * x / i;
        sum += term;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}
