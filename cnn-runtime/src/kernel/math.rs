//! Elementary functions that the compiler vectorises: no calls, no tables, no branches, no fused multiply-add, so that
//! every instruction set gives the same bits. Errors are measured against double precision in the tests.
//!
//! Reductions of the argument follow Cody and Waite, "Software Manual for the Elementary Functions" (1980); `ln 2` is
//! split so that its high part times any exponent is exact, as in Moshier's Cephes library.

/// Adding and subtracting this rounds a small float to the nearest integer, which stands in its low bits meanwhile.
const ROUND: f32 = 12_582_912.0;
/// `ln 2` in nine bits.
const LN_2_HIGH: f32 = 0.693_359_4;
/// `ln 2` less its high part.
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Beyond, `exp` is infinite in single precision.
const EXP_MAX: f32 = 89.0;
/// Below, `exp` is zero in single precision.
const EXP_MIN: f32 = -104.0;

/// `x` inside `[low, high]`; NaN stays NaN.
#[inline(always)]
pub(super) fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `2^n` for `n` in `-126..=127`.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// `x = n ln 2 + r` with `|r| <= ln(2) / 2`: returns `n` and `exp(r) - 1`. `x` lies in `[EXP_MIN, EXP_MAX]`.
#[inline(always)]
fn reduce(x: f32) -> (i32, f32) {
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    // The Taylor series to r^7: the first term left out is below 2^-27 of the value.
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    (n, p * (r * r) + r)
}

/// The exponential function; relative error below 2e-7 where the result is a normal number.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let (n, e) = reduce(clamp(x, EXP_MIN, EXP_MAX));
    // In two factors, as 2^n itself may be out of range where the result is not.
    let half = n >> 1;
    (e + 1.0) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// Coefficients of `(ln(1 + f) - f + f^2 / 2) / f^3` by powers of `f` between `sqrt(1/2) - 1` and `sqrt(2) - 1`: our
/// Chebyshev fit in double precision.
const LN: [f32; 8] =
    [0.333_333_3, -0.250_003_06, 0.200_010_45, -0.166_412_81, 0.142_144_96, -0.129_981_83, 0.126_223_2, -0.079_027_46];

/// The natural logarithm of a normal number, zero or infinity; relative error below 2e-7. NaN stays NaN.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // Counted from sqrt(1/2), so that the mantissa, less one, is small.
    let bits = x.to_bits().wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits());
    let n = ((bits as i32) >> 23) as f32;
    let f = f32::from_bits((bits & 0x007f_ffff).wrapping_add(std::f32::consts::FRAC_1_SQRT_2.to_bits())) - 1.0;
    let mut p = LN[7];
    for &c in LN[..7].iter().rev() {
        p = p * f + c;
    }
    let square = f * f;
    let ln = n * LN_2_HIGH + (n * LN_2_LOW + (p * (square * f) - 0.5 * square) + f);
    let ln = if x < f32::MIN_POSITIVE { f32::NEG_INFINITY } else { ln };
    // NaN too.
    if x < f32::INFINITY { ln } else { x }
}

/// What `x^-1/4` is counted from, as bits: its exponent is minus a quarter of `x`'s.
const FOURTH: u32 = 0x4f50_0000;
/// The next terms of `(1 - 4 t)^-1/4` by powers of `t`, where `t` is between 0.012 and 0.063: our Chebyshev fit.
const FOURTH_STEP: [f32; 3] = [1.000_400_2, 0.958_947_8, 3.630_251_3];

/// `x^-1/4` of a normal number, and zero of infinity; relative error below 1.3e-7. NaN stays NaN. A straight line for each
/// power of two as a first guess, a step that leaves an error of 5e-5, and one of Newton's.
#[inline(always)]
pub(crate) fn inv_fourth_root(x: f32) -> f32 {
    let quarter = 0.25 * x;
    // A quarter of what `x` times the fourth power is short of 1; in this order nothing overflows.
    let short = |root: f32| {
        let square = root * root;
        0.25 - quarter * square * square
    };
    let guess = f32::from_bits(FOURTH.wrapping_sub(x.to_bits() >> 2));
    let t = short(guess);
    let near = guess * (FOURTH_STEP[0] + t * (FOURTH_STEP[1] + t * FOURTH_STEP[2]));
    let root = near + near * short(near);
    if x == f32::INFINITY { 0.0 } else { root }
}

/// `exp(x) - 1` for `x <= 88`; relative error below 4e-7.
#[inline(always)]
pub(crate) fn exp_m1(x: f32) -> f32 {
    let (n, e) = reduce(clamp(x, -60.0, 88.0));
    let scale = power_of_two(n);
    e * scale + (scale - 1.0)
}

/// The hyperbolic tangent; relative error below 5e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    // Beyond 10 the quotient rounds to 1.
    let e = exp_m1(2.0 * clamp(x.abs(), 0.0, 10.0));
    (e / (e + 2.0)).copysign(x)
}

/// The logistic function; relative error below 4e-7 above -87, and zero below -89.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Coefficients of `erfc(z) exp(z^2) / t` by powers of `t = 1 / (1 + 0.4 z)`, `z >= 0`: our Chebyshev fit in double
/// precision, relative error 1e-8. The form is Hastings's, "Approximations for Digital Computers" (1955).
const ERFC: [f32; 11] = [
    0.225_675_84,
    0.225_675_87,
    0.207_615_66,
    0.171_700_46,
    0.119_322_695,
    0.082_568_05,
    -0.043_512_873,
    0.132_431_73,
    -0.230_896_73,
    0.138_156_89,
    -0.028_737_59,
];

/// The distribution function of the standard normal distribution and its density. Relative error of the first below
/// 4e-7 where `x >= 0`, and below 3e-6 in its lower tail to -5.
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.4 * z);
    let mut p = ERFC[10];
    for &c in ERFC[..10].iter().rev() {
        p = p * t + c;
    }
    let gauss = exp(-0.5 * x * x);
    let tail = 0.5 * (p * t * gauss);
    let below = if x < 0.0 { tail } else { 1.0 - tail };
    (below, gauss * 0.398_942_3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::act::reference::normal_cdf;
    use crate::testing::largest;

    /// The largest relative error over many points of `[low, high]`.
    fn worst(low: f64, high: f64, got: fn(f32) -> f32, expected: fn(f64) -> f64) -> f64 {
        let points = 200_000;
        let all = (0..=points).map(|i| (low + (high - low) * f64::from(i) / f64::from(points)) as f32);
        largest(all.filter(|&x| x != 0.0).map(|x| f64::from(got(x)) / expected(f64::from(x)) - 1.0))
    }

    #[test]
    fn exponentials_keep_their_bounds() {
        assert!(worst(-87.0, 88.7, exp, f64::exp) < 2e-7, "{:e}", worst(-87.0, 88.7, exp, f64::exp));
        assert!(worst(-20.0, 20.0, exp_m1, f64::exp_m1) < 4e-7);
        assert!(worst(-1e-3, 1e-3, exp_m1, f64::exp_m1) < 4e-7);
    }

    #[test]
    fn exponentials_saturate_and_carry_nan() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(1e9), f32::INFINITY);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_m1(-1e30), -1.0);
        for f in [exp, exp_m1, tanh, sigmoid, |x| normal(x).0] {
            assert!(f(f32::NAN).is_nan());
        }
    }

    #[test]
    fn logarithms_and_roots_keep_their_bounds() {
        let logarithm = |low, high| worst(low, high, ln, f64::ln);
        let error = logarithm(1e-3, 0.9).max(logarithm(0.9, 1.1)).max(logarithm(1.1, 1e4)).max(logarithm(1e30, 1e38));
        assert!(error < 2e-7, "{error:e}");
        let root = |low, high| worst(low, high, inv_fourth_root, |x| x.powf(-0.25));
        let error = root(1e-37, 1e-30).max(root(0.01, 17.0)).max(root(1e30, 3e38));
        assert!(error < 1.3e-7, "{error:e}");
        assert_eq!((ln(1.0), ln(0.0), ln(f32::INFINITY)), (0.0, f32::NEG_INFINITY, f32::INFINITY));
        assert_eq!(inv_fourth_root(f32::INFINITY), 0.0);
        assert!(ln(f32::NAN).is_nan() && inv_fourth_root(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_and_sigmoid_keep_their_bounds() {
        assert!(worst(-12.0, 12.0, tanh, f64::tanh) < 5e-7, "{:e}", worst(-12.0, 12.0, tanh, f64::tanh));
        assert!(worst(-0.01, 0.01, tanh, f64::tanh) < 5e-7);
        assert_eq!((tanh(f32::INFINITY), tanh(f32::NEG_INFINITY)), (1.0, -1.0));
        assert!(worst(-87.0, 40.0, sigmoid, |x| 1.0 / (1.0 + (-x).exp())) < 4e-7);
        assert_eq!((sigmoid(f32::INFINITY), sigmoid(f32::NEG_INFINITY)), (1.0, 0.0));
    }

    #[test]
    fn the_normal_distribution_keeps_its_bounds() {
        assert!(
            worst(-5.0, 6.0, |x| normal(x).0, normal_cdf) < 3e-6,
            "{:e}",
            worst(-5.0, 6.0, |x| normal(x).0, normal_cdf)
        );
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        assert!(worst(-5.0, 5.0, |x| normal(x).1, density) < 2e-6);
        assert!(worst(0.0, 6.0, |x| normal(x).0, normal_cdf) < 4e-7);
        assert_eq!((normal(40.0).0, normal(-40.0).0), (1.0, 0.0));
    }
}
