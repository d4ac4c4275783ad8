//! What kernel tests share: repeatable data, comparisons that say where they failed, and finite differences.
//!
//! Public so that integration tests and benchmarks can use it; not part of the API.

use crate::desc::{Map, Order, Pool, Window, Write};
use crate::kernel::order;

/// The next state of SplitMix64 and its output (Steele, Lea and Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `len` values, uniform in `[-1, 1)`, the same for the same seed.
pub fn uniform(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    (0..len).map(|_| (split_mix(&mut state) >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// `len` values in `(-1, 1)` in a random order, any two at least `1 / len` apart and each at least `0.5 / len` from
/// zero: far from the kinks of maxima and rectifiers for finite differences with a smaller step.
pub fn distinct(seed: u64, len: usize) -> Vec<f32> {
    let mut values: Vec<f32> = (0..len).map(|i| (2.0 * i as f32 + 0.5) / len as f32 - 1.0).collect();
    let mut state = seed;
    for i in (1..len).rev() {
        values.swap(i, (split_mix(&mut state) % (i as u64 + 1)) as usize);
    }
    values
}

/// So many random cases, or as many as `PROPTEST_CASES` says; none is kept in a file.
#[cfg(test)]
pub(crate) fn random(cases: u32) -> proptest::test_runner::Config {
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().expect("a number"));
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}

#[cfg(test)]
proptest::prop_compose! {
    /// Windows of kernels up to so long, with steps and distances of taps up to so far, padded by up to four.
    pub(crate) fn windows(kernel: usize, stride: usize, dilation: usize)(
        kernel in [1..=kernel, 1..=kernel],
        stride in [1..=stride, 1..=stride],
        dilation in [1..=dilation, 1..=dilation],
        pad in [0..5_usize, 0..5, 0..5, 0..5],
    ) -> Window {
        Window { kernel, stride, dilation, pad }
    }
}

/// The same values in double precision, for the reference.
pub fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// What to allow sums of `terms` products for rounding, which grows with the square root of their number.
#[cfg(test)]
pub(crate) fn tolerance(terms: usize) -> f64 {
    1e-6 + 2e-6 * (terms as f64).sqrt()
}

/// `n` samples of NCHW values as they stand in memory in the order of `map`.
pub fn stored(map: &Map, n: usize, values: &[f32]) -> Vec<f32> {
    let mut stored = values.to_vec();
    match map.order {
        Order::Nchw => {}
        Order::Nchw16c => order::change(&map.plain(), n, values, &mut stored),
        Order::Chwn16 => order::group(map, n, values, &mut stored),
    }
    stored
}

/// `n` samples of values that stand in the order of `map`, in NCHW order.
pub fn nchw(map: &Map, n: usize, stored: &[f32]) -> Vec<f32> {
    let mut values = stored.to_vec();
    if map.order != Order::Nchw {
        order::change(map, n, stored, &mut values);
    }
    values
}

/// Asserts that `got` is `expected` up to `tolerance * max(1, |expected|)`, element by element; NaN equals NaN, and
/// infinities equal themselves.
///
/// # Panics
/// Where they differ, with the number of offenders and the worst one's place and values.
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: lengths differ");
    let excess = |i: usize| {
        let (g, e) = (f64::from(got[i]), expected[i]);
        if g == e || (g.is_nan() && e.is_nan()) {
            return 0.0;
        }
        let ratio = (g - e).abs() / (tolerance * e.abs().max(1.0));
        if ratio.is_nan() { f64::INFINITY } else { ratio }
    };
    let offenders = (0..got.len()).filter(|&i| excess(i) > 1.0).count();
    if let Some(worst) = (0..got.len()).max_by(|&a, &b| excess(a).total_cmp(&excess(b))) {
        assert!(
            offenders == 0,
            "{what}: {offenders} of {} elements differ by more than {tolerance:e}; worst at {worst}: got {:e}, expected {:e}",
            got.len(),
            got[worst],
            expected[worst],
        );
    }
}

/// The largest magnitude of some values, or NaN if one of them is NaN, which `f64::max` would pass over.
pub fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    let magnitudes = values.into_iter().map(f64::abs);
    magnitudes.fold(0.0, |most, one| if most.is_nan() || one <= most { most } else { one })
}

/// How far `got` is from `expected`, as a part of the largest value expected; NaN where either has one.
///
/// # Panics
/// If the two differ in length.
#[track_caller]
pub fn relative_error(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len(), "lengths differ");
    largest(got.iter().zip(expected).map(|(&g, e)| f64::from(g) - e)) / largest(expected.iter().copied())
}

/// Asserts that two results are the same bit for bit.
///
/// # Panics
/// At the first difference, with its place and both values.
#[track_caller]
pub fn assert_same_bits(what: &str, got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len(), "{what}: lengths differ");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!(g.to_bits() == e.to_bits(), "{what}: element {i} differs: got {g:e}, expected {e:e}");
    }
}

/// The gradient by `x` of `dot(f(x), d_output)`, by central differences of fourth order with step `h` in double
/// precision: the error is of the order of `h^4`, and `f` is called four times per element of `x`.
///
/// # Panics
/// If the output of `f` and `d_output` differ in length.
pub fn finite_differences(x: &[f64], d_output: &[f64], h: f64, mut f: impl FnMut(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut moved = x.to_vec();
    let mut loss_at = |i: usize, value: f64| {
        moved[i] = value;
        let y = f(&moved);
        moved[i] = x[i];
        assert_eq!(y.len(), d_output.len(), "the output and its gradient differ in length");
        y.iter().zip(d_output).map(|(y, d)| y * d).sum::<f64>()
    };
    (0..x.len())
        .map(|i| {
            let near = loss_at(i, x[i] + h) - loss_at(i, x[i] - h);
            let far = loss_at(i, x[i] + 2.0 * h) - loss_at(i, x[i] - 2.0 * h);
            (8.0 * near - far) / (12.0 * h)
        })
        .collect()
}

/// Runs a backward kernel with [`Write::Set`] over NaN and with [`Write::Add`] over other values, asserts that the
/// second adds the first's result, and returns that result.
///
/// # Panics
/// If [`Write::Set`] leaves an element unwritten, or [`Write::Add`] does not add.
#[track_caller]
pub fn set_and_add(what: &str, len: usize, mut backward: impl FnMut(&mut [f32], Write)) -> Vec<f32> {
    let mut set = vec![f32::NAN; len];
    backward(&mut set, Write::Set);
    if let Some(i) = set.iter().position(|v| v.is_nan()) {
        panic!("{what}: Set left NaN at element {i} of {len}");
    }
    let before = uniform(77, len);
    let mut added = before.clone();
    backward(&mut added, Write::Add);
    let expected: Vec<f64> = before.iter().zip(&set).map(|(&b, &s)| f64::from(b) + f64::from(s)).collect();
    assert_close(&format!("{what}, Add"), &added, &expected, 2e-6);
    set
}

/// Runs `f` on a pool of so many threads.
///
/// # Panics
/// If the pool cannot be made.
pub fn on_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool can be made");
    pool.install(f)
}

/// Runs `f` as networks run a pass: the other threads of this pool stand by for what kernels share.
pub fn in_pass<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    crate::pool::pass(f)
}

/// Asserts that `f` gives the same bits on 1, 2 and 7 threads, and returns them.
///
/// # Panics
/// If they differ.
#[track_caller]
pub fn same_on_any_threads(what: &str, f: impl Fn() -> Vec<f32> + Sync) -> Vec<f32> {
    let one = on_threads(1, &f);
    for threads in [2, 7] {
        assert_same_bits(&format!("{what} on {threads} threads"), &on_threads(threads, &f), &one);
    }
    one
}

/// A pooling layer of `c` channels with padding `[top, left, bottom, right]`, all of which counts; the output follows from
/// the rest.
pub fn pool(
    [c, h, w]: [usize; 3],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    pad: [usize; 4],
) -> Pool {
    let outputs =
        |i: usize, size: usize| (size + pad[i] + pad[i + 2] - (kernel[i] - 1) * dilation[i] - 1) / stride[i] + 1;
    Pool {
        input: Map::new(c, h, w),
        output: Map::new(c, outputs(0, h), outputs(1, w)),
        window: Window { kernel, stride, dilation, pad },
        counted: pad,
    }
}

/// Pooling layers over prime, odd and tiny maps: strided, padded on one side, dilated, global, wider than a vector.
pub fn pools() -> Vec<Pool> {
    let plain = [1, 1];
    vec![
        pool([3, 4, 4], [2, 2], [2, 2], plain, [0; 4]),
        pool([2, 7, 5], [2, 2], [2, 2], plain, [0; 4]),
        pool([2, 5, 39], [2, 2], [2, 2], plain, [0, 0, 1, 1]),
        pool([2, 5, 41], [2, 2], [2, 2], plain, [1, 1, 1, 1]),
        pool([3, 7, 7], [3, 3], [2, 2], plain, [0; 4]),
        pool([2, 11, 37], [3, 3], [2, 2], plain, [1, 1, 1, 1]),
        pool([2, 6, 38], [3, 3], [2, 2], plain, [0, 0, 1, 1]),
        pool([1, 1, 1], [1, 1], [1, 1], plain, [0; 4]),
        pool([2, 1, 1], [3, 3], [2, 2], plain, [1, 1, 1, 1]),
        pool([2, 5, 23], [3, 3], [1, 1], plain, [1, 1, 1, 1]),
        pool([2, 5, 29], [2, 4], [1, 1], plain, [1, 0, 1, 2]),
        pool([2, 13, 11], [3, 3], [2, 2], plain, [1, 1, 1, 1]),
        pool([3, 7, 31], [3, 2], [1, 2], plain, [1, 0, 0, 1]),
        pool([2, 11, 43], [2, 5], [3, 3], plain, [1, 2, 0, 1]),
        pool([1, 13, 53], [3, 3], [2, 4], [2, 3], [1, 1, 1, 1]),
        pool([2, 9, 11], [3, 3], [1, 1], [3, 2], [0; 4]),
        pool([3, 7, 5], [7, 5], [7, 5], plain, [0; 4]),
    ]
}

/// The same layer with more channels, which stand in blocks: on both sides, and in the input alone.
pub fn blocked_pools(d: &Pool) -> [Pool; 2] {
    let c = if d.input.c == 3 { 48 } else { 16 };
    let [input, output] = [d.input, d.output].map(|Map { h, w, .. }| Map::blocked(c, h, w));
    [output, output.plain()].map(|output| Pool { input, output, ..*d })
}

/// The same layer with its samples in groups: on both sides, and in the input alone.
pub fn batched_pools(d: &Pool) -> [Pool; 2] {
    let [input, output] = [d.input, d.output].map(|Map { c, h, w, .. }| Map::batched(c, h, w));
    [output, output.plain()].map(|output| Pool { input, output, ..*d })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_values_keep_their_distance_from_each_other_and_from_zero() {
        for len in [1, 2, 7, 100] {
            let mut values = distinct(1, len);
            values.sort_by(f32::total_cmp);
            let unit = 1.0 / len as f32;
            assert!(values.iter().all(|v| v.abs() > 0.49 * unit && v.abs() < 1.0), "{values:?}");
            assert!(values.windows(2).all(|w| w[1] - w[0] > 1.9 * unit), "{values:?}");
        }
    }

    #[test]
    fn finite_differences_find_a_known_gradient() {
        let f = |x: &[f64]| vec![x[0] * x[1], x[0].sin()];
        let got = finite_differences(&[0.5, 2.0], &[3.0, 1.0], 1e-3, f);
        assert!((got[0] - (6.0 + 0.5f64.cos())).abs() < 1e-10);
        assert!((got[1] - 1.5).abs() < 1e-10);
    }

    #[test]
    #[should_panic(expected = "x: 1 of 3 elements differ by more than 1e-6; worst at 1: got 2e0, expected 3e0")]
    fn a_difference_is_reported_with_its_place() {
        assert_close("x", &[1.0, 2.0, f32::NAN], &[1.0, 3.0, f64::NAN], 1e-6);
    }

    #[test]
    fn what_is_not_a_number_is_the_largest_wherever_it_stands() {
        assert_eq!(largest([1.0, -3.0, 2.0]), 3.0);
        assert!(largest([f64::NAN, 1.0]).is_nan() && largest([1.0, f64::NAN, 2.0]).is_nan());
        assert_eq!(relative_error(&[1.0, 3.5], &[1.0, 4.0]), 0.125);
        for got in [[f32::NAN, 1.0], [1.0, f32::NAN], [f32::NAN; 2]] {
            assert!(relative_error(&got, &[1.0, 1.0]).is_nan(), "{got:?}");
        }
    }

    #[test]
    #[should_panic(expected = "x: Set left NaN at element 1 of 2")]
    fn an_unwritten_gradient_is_reported() {
        set_and_add("x", 2, |d, _| d[0] = 0.0);
    }

    #[test]
    #[should_panic(expected = "x, Add: 2 of 2 elements")]
    fn a_kernel_that_never_adds_is_reported() {
        set_and_add("x", 2, |d, _| d.fill(5.0));
    }
}
