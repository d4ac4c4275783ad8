//! Sums of values, and the hand-over of gradients.

use super::pieces::{CHUNK, each, map1, map2, part};
use crate::desc::Write;

/// `output = a + b`.
///
/// # Panics
/// If the lengths differ.
pub fn forward(a: &[f32], b: &[f32], output: &mut [f32]) {
    assert_eq!(a.len(), output.len(), "add: first summand and output");
    assert_eq!(b.len(), output.len(), "add: second summand and output");
    map2(
        output,
        [a, b],
        #[inline(always)]
        |y, a, b| *y = a + b,
    );
}

/// `acc += other`.
///
/// # Panics
/// If the lengths differ.
pub fn accumulate(acc: &mut [f32], other: &[f32]) {
    assert_eq!(acc.len(), other.len(), "add: sum and summand");
    map1(
        acc,
        other,
        #[inline(always)]
        |a, b| *a += b,
    );
}

/// Hands a gradient to a summand: `dst = src` or `dst += src`.
///
/// # Panics
/// If the lengths differ.
pub fn copy(src: &[f32], dst: &mut [f32], write: Write) {
    match write {
        Write::Add => accumulate(dst, src),
        Write::Set => {
            assert_eq!(dst.len(), src.len(), "add: source and target");
            each(dst, CHUNK, src.len(), |i, dst| dst.copy_from_slice(part(src, i, CHUNK)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pieces::PARALLEL;
    use crate::testing::{assert_same_bits, same_on_any_threads, set_and_add, uniform};

    #[test]
    fn sums_element_by_element() {
        for len in [0, 1, 7, 16, 37, PARALLEL + 11] {
            let (a, b) = (uniform(1, len), uniform(2, len));
            let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
            let got = same_on_any_threads("forward", || {
                let mut y = vec![f32::NAN; len];
                forward(&a, &b, &mut y);
                y
            });
            assert_same_bits("forward", &got, &expected);
            let mut acc = a.clone();
            accumulate(&mut acc, &b);
            assert_same_bits("accumulate", &acc, &expected);
        }
    }

    #[test]
    fn hands_gradients_over() {
        let d = uniform(3, 1009);
        let got = set_and_add("copy", d.len(), |d_input, write| copy(&d, d_input, write));
        assert_same_bits("copy", &got, &d);
    }
}
